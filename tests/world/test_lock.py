"""One writer at a time."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world import waiting
from modelspec.world.lock import lock, shared

HOLD = """
import sys
from pathlib import Path
from modelspec.world.lock import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_writer_is_refused_until_the_first_one_ends_however_it_ends(tmp_path: Path) -> None:
    for end in (signal.SIGKILL, None):
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(Refusal, match="another modelspec is writing") as caught, lock(tmp_path):
                pass
            assert caught.value.hint
            if end is not None:
                holder.send_signal(end)
            holder.communicate()
        with lock(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_who_shares_waits_for_the_one_who_does_not(tmp_path: Path) -> None:
    code = HOLD.replace("sys.stdin.read()", "import time; time.sleep(0.5)")
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Refusal, match=r"\(gc\) is removing"), shared(tmp_path, patience=0.0):
            pass
        with shared(tmp_path), shared(tmp_path, patience=0.0):
            assert holder.wait() == 0
            with pytest.raises(Refusal, match="is writing"), lock(tmp_path):
                pass


def test_who_waits_long_says_for_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "LONG", 0.05)
    monkeypatch.setattr(waiting, "_SAID", set())
    with lock(tmp_path), pytest.raises(Refusal, match="is removing from"), shared(tmp_path, 0.3):
        pass
    assert capsys.readouterr().err.count("this waits for it\n") == 1


def test_of_many_at_once_exactly_one_writes_and_each_other_says_so(tmp_path: Path) -> None:
    code = HOLD.replace("import sys\n", "import sys\nfrom modelspec.tree.finding import Refusal\n", 1)
    code = "\n".join(
        ["try:", *("    " + line for line in code.strip().splitlines()), "except Refusal: print('refused')"]
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(6)
    ]
    said = []
    for one in running:
        assert one.stdout is not None
        said.append(one.stdout.readline())
    for one in running:
        one.communicate()
    assert sorted(said) == [b"held\n", *([b"refused\n"] * 5)]


def test_a_lock_lets_go_when_its_holder_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), lock(tmp_path):
        raise KeyError
    with lock(tmp_path):
        pass


def test_a_root_that_is_no_folder_can_not_be_locked(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="can't be opened"), lock(tmp_path / "nothing"):
        pass
