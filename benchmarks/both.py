"""Runs `check` and then `compile` of a registry in one process: `both.py ROOT`."""

from __future__ import annotations

import sys

from modelspec.cli.main import run

root = sys.argv[1]
sys.exit(run(["check", "--root", root]) or run(["compile", "--root", root]))
