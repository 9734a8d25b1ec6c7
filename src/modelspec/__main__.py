"""`python -m modelspec`."""

from modelspec.cli.main import main

main()
