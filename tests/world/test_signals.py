"""What a run makes of signals, also of those that whoever began it ignores."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest


def run(code: str, *ignored: int) -> subprocess.CompletedProcess[str]:
    def ignore() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, preexec_fn=ignore
    )


def test_exit_codes_of_children_are_known_where_their_end_was_ignored() -> None:
    code = (
        "import subprocess\nfrom modelspec.world.signals import caught\n"
        "with caught():\n    print(subprocess.run(['false']).returncode)"
    )
    assert run(code, signal.SIGCHLD).stdout == "1\n"


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM")]
)
def test_an_interruption_that_a_library_wraps_is_no_bug(number: int, said: str) -> None:
    """As pydantic's does while it builds a validator."""
    code = (
        "import os\nfrom modelspec.cli import main\n"
        "def wrapped(**_):\n"
        "    try:\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "    except BaseException as error:\n"
        "        raise ValueError('building failed') from error\n"
        "main.cli.main = wrapped\n"
        "main.main([])"
    )
    done = run(code)
    assert (done.returncode, done.stderr) == (128 + number, f"modelspec: {said}\n")
