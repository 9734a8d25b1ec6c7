"""On a terminal `register` asks for what is missing; an answer may say that it is lost."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from conftest import Git
from modelspec.tree.yaml import read
from register.conftest import WHOLE

ANSWERS = {
    "views": ["nothing@7", "trip_features@2"],
    "dataset": ["unknown:", "unknown", "unknown: Deleted in 2024"],
    "Python": ["three", "3.11"],
    "training": ["depth", "\udcff", "depth=3 rate=0.1 release=1.10"],
}
"""What is typed at each question, one after the other: slips are asked again."""


MISSING = ("--dataset", "--snapshot", "--python", "--param", "--feature")
LOCK = Path(__file__).parents[1] / "formats/fixtures/locks/uv.lock"


def begun(shop: Git, missing: Sequence[str] = MISSING, **changed: str) -> tuple[int, int]:
    """Begin to register on a terminal, with things missing; return the process and its terminal."""
    options = WHOLE | {f"--{key}": value for key, value in changed.items()}
    given = [part for key, value in options.items() if key not in missing for part in (key, value)]
    clean = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("GIT_")}
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(shop.root)
        os.execve(
            sys.executable, [sys.executable, "-m", "modelspec", "register", "eta", "--next", *given], clean
        )
    return pid, terminal


def talked(pid: int, terminal: int, answers: Mapping[str, Sequence[str]], code: int = 0) -> bytes:
    """Answer the questions that have a word in them, until it ends; return what was said."""
    left = {word: list(several) for word, several in answers.items()}
    said, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            told = os.read(terminal, 4096)
        except OSError:
            break
        if not told:
            break
        said += told
        question = said.rpartition(b"\n")[2]
        asked = [several for word, several in left.items() if word.encode() in question and several]
        if question.endswith(b": ") and asked:
            said += b"\n"
            os.write(terminal, asked[0].pop(0).encode("utf-8", "surrogateescape") + b"\n")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == code, said.decode(errors="replace")
    return said


def test_the_python_of_a_lock_for_many_is_asked_for(shop: Git) -> None:
    shutil.copy(LOCK, shop.root / "uv.lock")
    shop.commit("A lock")
    answers = {"pins packages for several Pythons": ["three", "3.8", "3.11"]}
    said = talked(*begun(shop, ["--python"], lock="uv.lock"), answers)
    assert b"three is no version of Python" in said and b"not for 3.8" in said
    data, _ = read((shop.root / "registry/models/eta/versions/3.0.1.yaml").read_bytes())
    assert isinstance(data, dict)
    runtime = data["runtime"]
    assert (runtime["python"], runtime["packages"]["numpy"]) == ("3.11", "2.4.6")  # type: ignore[call-overload, index]


def test_what_is_missing_is_asked_for(shop: Git) -> None:
    said = talked(*begun(shop), ANSWERS)
    data, _ = read((shop.root / "registry/models/eta/versions/3.0.1.yaml").read_bytes())
    assert isinstance(data, dict)
    assert data["dataset"] == {"unknown": {"reason": "Deleted in 2024"}}
    assert data["config"]["hyperparameters"] == {  # type: ignore[index, call-overload]
        "depth": 3, "rate": 0.1, "release": "1.10",
    }  # fmt: skip
    assert b"note: release is recorded as the text 1.10; where 1.1 is meant, write that" in said
    assert data["runtime"]["python"] == "3.11"  # type: ignore[index, call-overload]


def test_an_answer_that_no_version_may_have_is_asked_for_again(shop: Git) -> None:
    """Judged at the end, it would cost all that was answered, and leave bytes in the store."""
    answers = {
        "script": [""],
        "repository": ["training/train.py", "https://git.example.com/routing/eta"],
        "commit": ["main", "9fceb02d0ae598e95dc970b74767f19372d61af8"],
        "the file that trains": ["../train.py", "train.py"],
        "its name": ["trips"],
        "for others": ["the lake", "s3://example-lake/trips"],
        "the image": ["serve:latest", WHOLE["--image"]],
    }
    said = talked(*begun(shop, ["--code", "--dataset", "--image"]), answers)
    data, _ = read((shop.root / "registry/models/eta/versions/3.0.1.yaml").read_bytes())
    assert isinstance(data, dict)
    assert list(data["code"].values()) == [answers[key][1] for key in list(answers)[1:4]]  # type: ignore[union-attr]
    assert data["dataset"]["uri"] == answers["for others"][1]  # type: ignore[index, call-overload]
    assert data["runtime"]["image"] == WHOLE["--image"]  # type: ignore[index, call-overload]
    assert said.count(b"write ") >= 5


def test_one_answer_tells_all_of_the_code(shop: Git) -> None:
    """The script is in a clone, which knows its commit and its repository."""
    (shop.root / "new.py").write_text("1\n")
    slips = ["nowhere.py", "/", "unknown", "~nobody-of-that-name/x", "training/train.py", "new.py"]
    answers = {"script that trained it": [*slips, "unknown: Rewritten since"]}
    said = talked(*begun(shop, ["--code"]), answers)
    assert b"nowhere.py does not exist" in said and b"is in no git repository" in said
    assert said.count(b"the code is not committed: new.py") == 2
    data, _ = read((shop.root / "registry/models/eta/versions/3.0.1.yaml").read_bytes())
    assert data["code"] == {"unknown": {"reason": "Rewritten since"}}  # type: ignore[call-overload, index]
    shop.commit("new")
    said = talked(*begun(shop, ["--code"], threads="2"), {"script": ["training/train.py"]})
    assert said.count(b"code: ") == 1
    data, _ = read((shop.root / "registry/models/eta/versions/3.0.2.yaml").read_bytes())
    assert data["code"] == {  # type: ignore[call-overload, index]
        "repository": "https://git.example.com/ml/eta",
        "commit": shop("rev-parse", "HEAD").strip(),
        "path": "training/train.py",
    }


def test_files_are_asked_for_too(shop: Git, tmp_path: Path) -> None:
    said_of = tmp_path / "signature.yaml"
    said_of.write_text(
        "inputs:\n  - {name: features, dtype: float32, shape: [-1, 4]}\n"
        "outputs:\n  - {name: minutes, dtype: float32, shape: [-1, 1]}\n"
    )
    (shop.root / "opaque").write_bytes(b"weights")
    (shop.root / "notes.txt").write_text("numpy>=1\n")
    shop.commit("more")
    answers = {
        "the model's file": ["models.onnx", "a\0b", "opaque"],
        "the lock file": ["training", "notes.txt", "training/requirements.txt"],
        "its format": ["other"],
        "its inputs and outputs": ["unknown: why", "opaque", str(said_of)],
    }
    missing = ["--artifact", "--lock", "--feature", "--threshold"]
    said = talked(*begun(shop, missing, none="features"), answers)
    assert b"notes.txt is no lock" in said
    data, _ = read((shop.root / "registry/models/eta/versions/4.0.0.yaml").read_bytes())
    assert data["artifact"]["format"] == "other"  # type: ignore[call-overload, index]
    assert data["runtime"]["lock"]["path"] == "requirements.txt"  # type: ignore[call-overload, index]


def test_what_no_answer_mends_is_listed_before_anything_is_asked(shop: Git) -> None:
    (shop.root / "model.onnx").write_bytes(b"\x80\x04cos\nsystem\n.")
    said = talked(*begun(shop), {}, code=1)
    assert b"(--unsafe pickle)" in said and b"(--feature VIEW@N" in said and b"why`)" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_a_question_ends_it_at_once(shop: Git, number: int) -> None:
    """Also one that comes just before the answer is read, which the read knows nothing of."""
    for _ in range(6):
        pid, terminal = begun(shop)
        try:
            said, end = b"", time.monotonic() + 60
            while b"why`)" not in said and time.monotonic() < end:
                if select.select([terminal], [], [], 1)[0]:
                    said += os.read(terminal, 4096)
            if number == signal.SIGINT:
                os.write(terminal, b"\x03")
            else:
                os.kill(pid, number)
            end = time.monotonic() + 10
            while time.monotonic() < end:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    break
                time.sleep(0.01)
            else:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise AssertionError(said)
        finally:
            os.close(terminal)
        assert os.waitstatus_to_exitcode(status) == 128 + number
