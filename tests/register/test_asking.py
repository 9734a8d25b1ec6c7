"""On a terminal `register` asks for what is missing; an answer may say that it is lost."""

from __future__ import annotations

import os
import pty
import select
import sys
import time

from conftest import Git
from modelspec.tree.yaml import read
from register.conftest import WHOLE

ANSWERS = {"dataset": "unknown: Deleted in 2024", "Python": "3.11", "training": "depth=3 rate=0.1"}


def test_what_is_missing_is_asked_for(shop: Git) -> None:
    given = [
        part
        for key, value in WHOLE.items()
        if key not in ("--dataset", "--snapshot", "--python", "--param")
        for part in (key, value)
    ]
    clean = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("GIT_")}
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(shop.root)
        os.execve(
            sys.executable, [sys.executable, "-m", "modelspec", "register", "eta", "--next", *given], clean
        )
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
        asked = [answer for word, answer in ANSWERS.items() if word.encode() in told]
        if told.rstrip().endswith(b":") and asked:
            os.write(terminal, asked[0].encode() + b"\n")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said.decode(errors="replace")
    data, _ = read((shop.root / "registry/models/eta/versions/3.0.1.yaml").read_bytes())
    assert isinstance(data, dict)
    assert data["dataset"] == {"unknown": {"reason": "Deleted in 2024"}}
    assert data["config"]["hyperparameters"] == {"depth": 3, "rate": 0.1}  # type: ignore[index, call-overload]
    assert data["runtime"]["python"] == "3.11"  # type: ignore[index, call-overload]
