"""`python -m modelspec`, and what the command `modelspec` runs."""

# The module behind `signal`, which itself imports for some milliseconds.
import _signal  # type: ignore[import-not-found]


def main() -> None:
    """Run the command. Ctrl-C while its modules load ends it as it ends any program: nothing is begun yet."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from modelspec.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
