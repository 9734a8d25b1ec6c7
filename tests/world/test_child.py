"""Templates that try to hang, to fill the memory or to get out; a stub is a renderer that was taken."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from compile.test_attacks import ATTACKS
from modelspec.compile.render import HoleRenderer
from modelspec.tree.data import Data
from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Hole, Rendered, RenderFault
from modelspec.world import child
from modelspec.world.child import RULE, ChildRenderer

STUB = """
import json, os, socket, sys, time
def answer(source, context):
    if source == "loop":
        while True: pass
    if source == "sleep": time.sleep(60)
    if source == "memory": x = bytearray(10**10)
    if source == "crash": os.kill(os.getpid(), 11)
    if source == "exit": sys.exit(0)
    if source == "output": print("x" * (8 * 1024 * 1024), flush=True); return None
    if source == "endless":
        while True: sys.stdout.write("x" * 65536)
    if source == "nonsense": return {"data": 1, "holes": [1]}
    if source == "deep": sys.stdout.write("[" * 100000 + "\\n"); sys.stdout.flush(); return None
    if source == "silent": return None
    try:
        if source == "file": open(context["path"], "wb").write(b"x"); return {"data": "written", "holes": []}
        if source == "many": kept = [open(os.devnull) for _ in range(100)]
        if source == "socket": socket.socket()
        if source == "environment": return {"data": dict(os.environ), "holes": []}
        if source == "folder": return {"data": os.getcwd(), "holes": []}
        if source == "descriptors": return {"data": os.listdir("/proc/self/fd"), "holes": []}
        if source == "pid": return {"data": os.getpid(), "holes": []}
    except OSError as error:
        return {"data": error.strerror, "holes": []}
    return {"data": [source, context], "holes": [[["a", 0], ["x"], 3, True]]}
for line in sys.stdin:
    request = json.loads(line)
    reply = answer(request["source"], request["context"])
    if reply is not None:
        sys.stdout.write(json.dumps(reply) + "\\n"); sys.stdout.flush()
"""
Make = Callable[..., ChildRenderer]


@pytest.fixture
def stub(tmp_path: Path) -> Make:
    program = tmp_path / "stub.py"
    program.write_text(STUB)
    return lambda **limits: ChildRenderer([sys.executable, "-I", str(program)], **limits)


def faulted(renderer: ChildRenderer, source: str) -> str:
    answer = renderer.render(source, {})
    assert isinstance(answer, RenderFault)
    assert answer.rule == RULE
    assert answer.fix
    # The next template is not to blame.
    assert renderer.render("next", {}) == Rendered(["next", {}], (Hole(("a", 0), ("x",), 3, True),))
    return answer.message


def test_what_the_child_answers_is_what_it_was_asked(stub: Make) -> None:
    with stub() as renderer:
        context = {"x": "\u2028\ud800 ü\n", "n": [1, 1.5, None, True]}
        for _ in range(3):
            assert renderer.render("t", context) == Rendered(
                ["t", context], (Hole(("a", 0), ("x",), 3, True),)
            )
        large = {"x": "y" * 3_000_000}
        answer = renderer.render("t", large)
        assert isinstance(answer, Rendered)
        assert answer.data == ["t", large]


def test_one_child_serves_a_run_and_is_gone_after_it(stub: Make) -> None:
    with stub() as renderer:
        first, second = renderer.render("pid", {}), renderer.render("pid", {})
        assert isinstance(first, Rendered)
        assert first == second
        pid = first.data
        assert isinstance(pid, int)
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_template_that_takes_too_long_is_a_fault(stub: Make) -> None:
    for source in ("loop", "sleep", "silent"):
        with stub(wall=0.3) as renderer:
            began = time.monotonic()
            assert faulted(renderer, source) == "the template took too long"
            assert time.monotonic() - began < 3


def test_a_template_that_burns_the_childs_time_is_a_fault(stub: Make) -> None:
    with stub(cpu=1, wall=30) as renderer:
        assert faulted(renderer, "loop") == "the template used more than 1 seconds of CPU"


def test_a_template_that_fills_the_memory_or_crashes_is_a_fault(stub: Make) -> None:
    with stub() as renderer:
        for source in ("memory", "crash", "exit"):
            assert "512 MB" in faulted(renderer, source)


def test_a_template_that_never_ends_its_output_is_a_fault(stub: Make) -> None:
    with stub() as renderer:
        for source in ("output", "endless"):
            assert faulted(renderer, source) == "the template gave more than 4,096 KB"


def test_an_answer_that_is_none_is_a_fault(stub: Make) -> None:
    with stub() as renderer:
        for source in ("nonsense", "deep"):
            assert "nonsense" in faulted(renderer, source)


def test_a_renderer_that_was_taken_writes_no_file_and_learns_nothing(
    stub: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "token")
    kept = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(kept, True)
    with stub() as renderer:
        renderer.render("file", {"path": str(tmp_path / "out")})
        assert not (tmp_path / "out").exists() or (tmp_path / "out").read_bytes() == b""
        environment = renderer.render("environment", {})
        assert isinstance(environment, Rendered)
        assert isinstance(environment.data, dict)
        # Python's own start adds LC_CTYPE where the locale is C.
        assert set(environment.data) <= {"LC_CTYPE"}
        assert renderer.render("folder", {}) == Rendered("/", ())
        if sys.platform == "linux":
            for source in ("file", "many", "descriptors", "socket"):
                context = {"path": str(tmp_path / "out")}
                assert renderer.render(source, context) == Rendered("Too many open files", ())
            assert not (tmp_path / "out").exists()
    os.close(kept)


def test_after_many_that_exceed_their_limits_no_more_are_tried(stub: Make) -> None:
    with stub() as renderer:
        for _ in range(child.TRIES):
            assert isinstance(renderer.render("exit", {}), RenderFault)
        answer = renderer.render("fine", {})
        assert isinstance(answer, RenderFault)
        assert "not rendered" in answer.message


def test_a_child_is_replaced_before_the_run_uses_up_its_time(stub: Make) -> None:
    with stub(cpu=1) as renderer:
        pids = set()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            answer = renderer.render("pid", {})
            assert isinstance(answer, Rendered)
            pids.add(str(answer.data))
        assert len(pids) > 1


def test_a_child_that_does_not_start_is_a_refusal(tmp_path: Path) -> None:
    for command in ([sys.executable, "-c", "raise SystemExit(7)"], [str(tmp_path / "nothing")]):
        with ChildRenderer(command) as renderer, pytest.raises(Refusal, match="did not start") as caught:
            renderer.render("t", {})
        assert caught.value.hint


def test_the_real_child_answers_what_the_same_renderer_answers_without_limits() -> None:
    here = HoleRenderer()
    fine = "a: {{ x }}\nb: {{ 'é' }}\n{% for one in many %}\n- {{ one.name }}\n{% endfor %}\n"
    context: dict[str, Data] = {"x": "one\ntwo", "many": [{"name": "ü"}, {"name": 1.5}], "slots": [1, 2]}
    with ChildRenderer() as renderer:
        for source in (*ATTACKS.values(), fine, "a: {{ x }}\n"):
            assert renderer.render(source, context) == here.render(source, context)
        assert renderer.render("a: {{ x }}\n", {"x": 1}) == Rendered({"a": 1}, (Hole(("a",), ("x",), 1),))


def test_a_child_that_was_begun_ahead_is_the_one_that_renders() -> None:
    with ChildRenderer() as renderer:
        renderer.begin()
        begun = renderer._child
        assert begun is not None
        renderer.begin()
        found = renderer.render("a: {{ b }}\n", {"b": 1})
        assert isinstance(found, Rendered) and found.data == {"a": 1}
        assert renderer._child is begun
        renderer.close()
        again = renderer.render("a: {{ b }}\n", {"b": 2})
        assert isinstance(again, Rendered) and renderer._child is not begun
    assert begun.poll() is not None
