"""`modelspec compile` as a whole: the same bytes anywhere, one writer at a time, nobody else is asked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import EXAMPLE, ROOT, Git, Run, edit, reference
from modelspec.world.lock import lock
from world.strace import needs_strace, traced

PIN = "registry/environments/production/models/eta.yaml"
Tree = dict[str, bytes]


def tree(folder: Path) -> Tree:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def stats(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """What changes when a file is written, or put in the place of another."""
    found = ((path, path.stat()) for path in folder.rglob("*"))
    return {path: (one.st_ino, one.st_mtime_ns, one.st_mode) for path, one in found}


def laid_out(root: Path, *, backwards: bool) -> Path:
    """Copy the example file by file: in which order a folder lists its files follows from that."""
    found = sorted(path for one in EXAMPLE for path in (ROOT / one).rglob("*") if path.is_file())
    for path in reversed(found) if backwards else found:
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return root


@pytest.mark.parametrize(
    ("seed", "locale", "zone", "umask", "backwards"),
    [("0", "C", "UTC", 0o022, False), ("4242", "tr_TR.UTF-8", "Asia/Kolkata", 0o077, True)],
)
def test_the_committed_configs_are_what_any_machine_compiles(
    seed: str, locale: str, zone: str, umask: int, backwards: bool, modelspec: Run, tmp_path: Path
) -> None:
    root = laid_out(tmp_path / "root", backwards=backwards)
    env = {"PYTHONHASHSEED": seed, "LC_ALL": locale, "LANG": locale, "TZ": zone}
    before = os.umask(umask)
    try:
        done = modelspec("compile", cwd=root, env=env)
    finally:
        os.umask(before)
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(root / "compiled") == tree(ROOT / "compiled")


def test_a_second_compile_writes_nothing(invoke: Run, example: Path) -> None:
    assert invoke("compile", cwd=example).returncode == 0
    before = stats(example)
    done = invoke("compile", cwd=example)
    assert done.returncode == 0 and done.stdout.endswith("nothing to write\n")
    assert stats(example) == before


def test_an_error_in_what_a_pin_reaches_writes_nothing(invoke: Run, example: Path) -> None:
    assert invoke("compile", cwd=example).returncode == 0
    before = tree(example)
    edit(example, PIN, "2.3.0@sha256:4", "2.3.0@sha256:5")
    wrong = (example / PIN).read_bytes()
    done = invoke("compile", cwd=example)
    assert done.returncode == 1
    assert "MS101" in done.stdout and done.stdout.endswith("1 error: nothing was written\n")
    assert tree(example) == {**before, PIN: wrong}
    # What the other environment's pins reach is right, so that goes on.
    assert invoke("compile", "staging", cwd=example).returncode == 0


def test_a_part_is_compiled_alone_and_comes_out_the_same(invoke: Run, example: Path) -> None:
    done = invoke("compile", "production", "--model", "eta", cwd=example)
    assert done.returncode == 0
    mine = tree(example / "compiled")
    assert mine and all(path.startswith("production/models/eta/") for path in mine)
    invoke("compile", "staging", cwd=example)
    invoke("compile", "--model", "fraud", cwd=example)
    invoke("compile", "production", cwd=example)
    assert tree(example / "compiled") == tree(ROOT / "compiled")


def test_check_compares_and_writes_nothing(invoke: Run, example: Path) -> None:
    done = invoke("compile", "--check", cwd=example)
    assert done.returncode == 1 and "differs  compiled/production" in done.stdout
    assert not (example / "compiled").exists()
    invoke("compile", cwd=example)
    assert invoke("compile", "--check", cwd=example).returncode == 0
    output = next((example / "compiled").rglob("model-settings.json"))
    output.write_bytes(output.read_bytes() + b" ")
    (example / "compiled" / "stranger").write_bytes(b"x")
    edited = tree(example)
    done = invoke("compile", "--check", cwd=example)
    assert done.returncode == 1
    assert re.findall(r"^(\w+) +(\S+)$", done.stdout, re.MULTILINE) == [
        ("differs", output.relative_to(example).as_posix()),
        ("extra", "compiled/stranger"),
    ]
    assert tree(example) == edited


def test_strangers_stop_a_compile_until_clean_removes_them(invoke: Run, example: Path) -> None:
    invoke("compile", cwd=example)
    (example / "compiled" / "notes.txt").write_text("mine")
    edit(example, PIN, reference(example, "eta", "2.3.0"), reference(example, "eta", "2.3.1"))
    done = invoke("compile", cwd=example)
    assert done.returncode == 3 and "compiled/notes.txt" in done.stderr and "--clean" in done.stderr
    assert (example / "compiled" / "notes.txt").read_text() == "mine"
    assert invoke("compile", "--clean", cwd=example).returncode == 0
    assert not (example / "compiled" / "notes.txt").exists()
    assert invoke("compile", "--check", cwd=example).returncode == 0


def test_stdout_prints_and_writes_nothing(invoke: Run, example: Path) -> None:
    done = invoke("compile", "staging", "--stdout", cwd=example)
    assert done.returncode == 0
    assert "\n# compiled/staging/models/fraud/kserve/shadow.yaml\n" in done.stdout
    assert "production" not in re.sub("https?://\\S+", "", done.stdout).replace("compiled/production", "")
    assert not (example / "compiled").exists()


def test_while_one_writes_another_is_refused_and_says_so(invoke: Run, example: Path) -> None:
    with lock(example):
        done = invoke("compile", cwd=example)
        assert done.returncode == 3
        assert "another modelspec is writing" in done.stderr and "run this again" in done.stderr
        assert not (example / "compiled").exists()
        assert invoke("compile", "--check", cwd=example).returncode == 1, "reading needs no lock"
    assert invoke("compile", cwd=example).returncode == 0


def test_of_several_at_once_each_wrote_or_said_that_another_did(example: Path) -> None:
    command = [sys.executable, "-m", "modelspec", "compile", "--root", str(example)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [(one.communicate(timeout=60), one.returncode) for one in running]
    for (_, error), code in said:
        assert (code, error) == (0, "") or (code == 3 and "another modelspec is writing" in error)
    assert any(code == 0 for _, code in said)
    assert tree(example / "compiled") == tree(ROOT / "compiled")
    assert {path.name for path in example.iterdir()} == {*EXAMPLE, "compiled"}


@needs_strace
@pytest.mark.parametrize(
    "arguments",
    [("check",), ("check", "--ref", "HEAD"), ("check", "--base", "HEAD"), ("plan",), ("compile",)],
)
def test_no_network_and_no_program_but_git(arguments: tuple[str, ...], git: Git, tmp_path: Path) -> None:
    # A template that modelspec does not ship is rendered in a child: that is this Python once more.
    template = git.root / "templates/mlserver/settings.json.j2"
    template.write_text(template.read_text() + "\n")
    git.commit("A template of our own")
    programs, sockets, code = traced(git.root, tmp_path / "trace", *arguments)
    assert code == 0
    assert sockets == []
    ours = {str(Path(program).resolve()) for program in programs}
    assert ours <= {str(Path(sys.executable).resolve()), str(Path(shutil.which("git") or "").resolve())}
    assert any("git" in program for program in programs) == bool({"--ref", "--base", "plan"} & set(arguments))


def test_the_tool_keeps_its_own_rules(invoke: Run) -> None:
    """The example in this repository, as committed: clean, and compiled."""
    done = invoke("check", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no findings" in done.stdout
    done = invoke("compile", "--check", cwd=ROOT)
    assert done.returncode == 0, done.stdout
