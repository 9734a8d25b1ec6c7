"""The child as a process: it answers each request, and a bad one does not end it."""

from __future__ import annotations

import subprocess
import sys

from modelspec.tree.frames import read_reply, write_request
from modelspec.tree.protocols import Hole, Rendered, RenderFault


def test_the_child_answers_in_turn() -> None:
    requests = [
        write_request("a: {{ x }}\n", {"x": "one\ntwo"}),
        b"no frame\n",
        write_request("a: {{ y }}\n", {"x": 1}),
        write_request("a: {{ ''.__class__ }}\n", {}),
        write_request("- {{ x }}\n", {"x": [1, {"k": None}]}),
    ]
    child = subprocess.run(
        [sys.executable, "-I", "-m", "modelspec.cli.child"],
        input=b"".join(requests), capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    assert child.stderr == b""
    replies = [read_reply(line) for line in child.stdout.splitlines()]
    assert replies[0] == Rendered({"a": "one\ntwo"}, (Hole(("a",), ("x",), 1),))
    assert [reply.rule for reply in replies[1:4] if isinstance(reply, RenderFault)] == [
        "render-bounded", "name-defined", "target-readable",
    ]  # fmt: skip
    assert replies[4] == Rendered([[1, {"k": None}]], (Hole((0,), ("x",), 1),))


def test_the_child_starts_without_what_it_does_not_need() -> None:
    unwanted = ("pydantic", "click", "rfc8785")
    code = f"import sys, modelspec.cli.child; print([m for m in {unwanted} if m in sys.modules])"
    child = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True, timeout=30)
    assert child.stdout.strip() == b"[]"
