"""`python -m modelspec`, and what the command `modelspec` runs."""

import signal


def main() -> None:
    """Run the command. Ctrl-C while its modules load ends it as it ends any program: nothing is begun yet."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from modelspec.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
