"""Single files and patches: old bytes or new ones, beneath the root, and no litter."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.write import apply_patch, write_file
from world.strace import Call, calls, changing, drive, needs_strace
from world.trees import put

PINS = "registry/environments/p"
OLD = {
    f"{PINS}/models/eta.yaml": "old eta",
    f"{PINS}/features/t.yaml": "old t",
    "registry/waivers/w.yaml": "w",
}
PATCH = {
    f"{PINS}/models/eta.yaml": "new eta",
    f"{PINS}/features/t.yaml": "new t",
    "registry/waivers/w.yaml": None,
    "templates/kserve/target.yaml": "added",
}
NEW = {path: text for path, text in PATCH.items() if text is not None}


def holds(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def patch(**files: str | None) -> dict[str, bytes | None]:
    return {path: None if text is None else text.encode() for path, text in files.items()}


def laid_out(root: Path) -> Path:
    root.mkdir()
    for path, text in OLD.items():
        put(root, path, text)
    return root


def test_a_patch_writes_adds_and_removes(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "root")
    (root / "registry/environments/p/models/eta.yaml").chmod(0o755)
    apply_patch(root, patch(**PATCH))
    assert holds(root) == NEW
    assert (root / "registry/environments/p/models/eta.yaml").stat().st_mode & 0o777 == 0o755
    assert not (root / "registry" / "waivers").exists()
    apply_patch(root, patch(nothing=None, **{"no/such/folder": None}))
    assert holds(root) == NEW


def test_new_files_have_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        apply_patch(tmp_path, patch(**{"a/b": "x"}))
    finally:
        os.umask(before)
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/x", "a/../../x", "", ".", "a/.", "a//b", ".git/hooks/x", "sub/.GIT/config", "a\0b"],
)
@pytest.mark.parametrize("data", [b"x", None])
def test_a_path_that_leads_out_is_refused_before_anything_is_written(
    tmp_path: Path, path: str, data: bytes | None
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(Refusal, match="no path below the root"):
        apply_patch(root, {"a-first": b"x", path: data})
    assert list(tmp_path.rglob("*")) == [root]


def test_links_are_not_written_through(tmp_path: Path) -> None:
    root = tmp_path / "root"
    outside = put(tmp_path, "outside/kept", "kept").parent
    root.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "kept")
    for path in ("folder/kept", "folder/new/x", "file"):
        with pytest.raises(Refusal, match="symbolic link"):
            apply_patch(root, patch(**{"a": "x", path: "evil"}))
    with pytest.raises(Refusal, match="symbolic link"):
        apply_patch(root, patch(**{"folder/kept": None}))
    with pytest.raises(Refusal, match="symbolic link"):
        write_file(root / "file", b"evil")
    assert holds(outside) == {"kept": "kept"}
    assert {path.name for path in root.iterdir()} == {"folder", "file"}
    # What is removed is the link.
    apply_patch(root, patch(file=None))
    assert holds(outside) == {"kept": "kept"}


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, what in (("folder", "a folder"), ("pipe", "no regular file")):
        with pytest.raises(Refusal, match=what):
            write_file(tmp_path / name, b"x")
        with pytest.raises(Refusal, match=what):
            apply_patch(tmp_path, {name: b"x"})
    with pytest.raises(Refusal, match="no such file"):
        write_file(tmp_path / "no" / "such", b"x")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe"}


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "report.json", b"1")
    os.link(tmp_path / "report.json", tmp_path / "kept")
    write_file(tmp_path / "report.json", b"2")
    assert holds(tmp_path) == {"report.json": "2", "kept": "1"}


def test_two_that_write_one_file_at_once_do_not_mix(tmp_path: Path) -> None:
    texts = [bytes([65 + number]) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda data: write_file(tmp_path / "report", data), texts * 4))
    assert (tmp_path / "report").read_bytes() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def points(tmp_path: Path, every: int) -> tuple[Path, list[Call]]:
    plan = put(tmp_path, "plan.json", json.dumps({"wanted": PATCH}))
    root, trace = laid_out(tmp_path / "traced"), tmp_path / "trace"
    assert drive(root, "patch", plan, trace=trace).stdout == "done\n"
    assert holds(root) == NEW
    found = changing(trace)
    return plan, [call for at, call in enumerate(found) if at % every == 0 or call.name.startswith("rename")]


SWEEP = pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])


@needs_strace
@SWEEP
def test_a_kill_leaves_old_bytes_or_new_ones_in_each_file(tmp_path: Path, every: int) -> None:
    plan, found = points(tmp_path, every)

    def judge(call: Call) -> None:
        root = laid_out(tmp_path / f"{call.name}-{call.number}")
        done = drive(root, "patch", plan, inject=f"{call.name}:signal=KILL:when={call.number}")
        assert done.stdout == ""
        for path, text in holds(root).items():
            if not path.endswith(".modelspec-new"):
                assert text in (OLD.get(path), PATCH.get(path)), f"killed before {call}"
        assert drive(root, "patch", plan).stdout == "done\n"
        assert holds(root) == NEW, f"after {call}"

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(judge, found))


@needs_strace
@SWEEP
def test_a_failing_disk_leaves_no_litter(tmp_path: Path, every: int) -> None:
    plan, found = points(tmp_path, every)

    def judge(job: tuple[Call, str]) -> None:
        call, error = job
        root = laid_out(tmp_path / f"{call.name}-{call.number}-{error}")
        done = drive(root, "patch", plan, inject=f"{call.name}:error={error}:when={call.number}")
        assert done.stderr == "", f"{error} in {call}: {done.stderr}"
        now = holds(root)
        assert not [path for path in now if path.endswith(".modelspec-new")], f"{error} in {call}"
        if done.returncode == 3 and "nothing was changed" in done.stdout:
            assert now == OLD
            assert not (root / "templates").exists()
        elif done.returncode == 3:
            assert "changed already" in done.stdout or call.name == "flock"
            changed = done.stdout.partition("can't be written")[2]
            for path in NEW.keys() & now.keys():
                assert (now[path] == PATCH[path]) == (path in changed), f"{error} in {call}"
        else:
            assert (done.returncode, now) == (0, NEW)

    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                judge, [(call, error) for call in found for error in ("ENOSPC", "EIO", "EACCES", "EINTR")]
            )
        )


@needs_strace
@pytest.mark.parametrize("mutant", [None, "without-file-flush", "without-folder-flush"])
def test_a_file_is_on_the_disk_before_its_name_is_and_both_before_success(
    tmp_path: Path, mutant: str | None
) -> None:
    plan = put(tmp_path, "plan.json", json.dumps({"wanted": PATCH}))
    root, trace = laid_out(tmp_path / "root"), tmp_path / "trace"
    assert drive(root, "patch", plan, *([mutant] if mutant else []), trace=trace).stdout == "done\n"
    events = calls(trace)
    said = next(at for at, call in enumerate(events) if call.name == "write" and '"done' in call.arguments)
    late = []
    for at, call in enumerate(events):
        if not call.name.startswith("rename"):
            continue
        (folder, temporary), (_, name) = re.findall(r'<([^>]+)>, "([^"]+)"', call.arguments)
        fsyncs = [(when, one.arguments) for when, one in enumerate(events) if one.name == "fsync"]
        if not any(when < at and f"<{folder}/{temporary}>" in what for when, what in fsyncs):
            late.append(f"file {name}")
        if not any(at < when < said and f"<{folder}>" in what for when, what in fsyncs):
            late.append(f"folder of {name}")
    assert {one.split()[0] for one in late} == ({mutant.split("-")[1]} if mutant else set())


def test_an_interruption_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = laid_out(tmp_path / "root")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    # Right after the bytes are on the disk under their temporary names.
    monkeypatch.setattr("modelspec.world.write.os.rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        apply_patch(root, patch(**PATCH))
    with pytest.raises(KeyboardInterrupt):
        write_file(root / "report.json", b"{}")
    assert holds(root) == OLD
    assert not (root / "templates").exists()
