"""A fetch that is killed, or refused by the disk, at each of its system calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modelspec.world.files import local_tree, tree_files
from modelspec.world.stores.folder import FolderStore
from world.injected import Injected, between
from world.stores.test_folder_killed import LARGE
from world.strace import calls, drive, needs_strace
from world.trees import put

pytestmark = needs_strace
SCENARIOS = ("first", "into an empty folder", "many", "large")
SAMPLED = [("first", 3), ("into an empty folder", 6), ("large", 4)]
EVERY = [pytest.param(name, 1, marks=pytest.mark.slow) for name in SCENARIOS]
SOURCE = {"model.onnx": "m" * 5000, "more/tokens.txt": "t" * 6000, "more/same.txt": "t" * 6000, "z": ""}


def lay(root: Path, name: str) -> Path:
    """Lay out a store with one tree, and where it is to go."""
    for path, text in SOURCE.items():
        put(root, f"source/{path}", text)
    for number in range(40 if name == "many" else 0):
        put(root, f"source/many/{number}", f"{number}")
    if name == "large":
        put(root, "source/large", LARGE)
    FolderStore(root / "store").put(local_tree(root / "source"))
    if name == "into an empty folder":
        (root / "out/target").mkdir(parents=True)
    return root


def judge(root: Path) -> None:
    """A folder that exists is complete, or empty as it was before; a rerun completes and leaves no litter."""
    target = root / "out/target"
    wanted = tree_files(root / "source")
    if target.exists() and any(target.iterdir()):
        assert tree_files(target) == wanted
    again = drive(root, "fetch", root)
    assert (again.returncode, again.stdout) == (0, "done\n"), again.stdout + again.stderr
    assert tree_files(target) == wanted
    assert [path.name for path in target.parent.iterdir()] == ["target"]
    assert sorted(path.name[:7] for path in (root / "store").iterdir()) == ["sha256-", "sha256-"]


KILLED = Injected("fetch", lay, judge, into="out")


@pytest.mark.parametrize(("name", "every"), [*SAMPLED, *EVERY])
def test_a_kill_leaves_a_whole_folder_or_none_and_a_rerun_completes(
    tmp_path: Path, name: str, every: int
) -> None:
    KILLED.kill(tmp_path, name, every)


@pytest.mark.parametrize(("name", "every"), [*SAMPLED, *EVERY])
def test_a_failing_disk_is_a_refusal_with_nothing_half_written(tmp_path: Path, name: str, every: int) -> None:
    KILLED.fail(tmp_path, name, every)


def unflushed(trace: Path, out: Path) -> list[str]:
    """Return what a power cut could take from a fetch that said that it was done."""
    events = calls(trace)
    named = next(at for at, call in enumerate(events) if call.name.startswith("rename"))
    said = next(at for at, call in enumerate(events) if call.name == "write" and '"done' in call.arguments)
    bulk = [at for at, call in enumerate(events[:named]) if call.name == "syncfs"]
    last: dict[str, int] = {}
    for at, call in enumerate(events[:named]):
        made = re.search(r"<(.+)>$", call.result)
        if call.name == "openat" and "O_CREAT" in call.arguments and made:
            last[made[1]] = last[made[1].rpartition("/")[0]] = at
        elif call.name in ("write", "pwrite64") and ".incoming-" in call.arguments:
            last[between(call.arguments)] = at
    missed = []
    for path, at in last.items():
        flushed = [
            when
            for when, call in enumerate(events[:named])
            if call.name == "fsync" and between(call.arguments) == path
        ]
        if "/tree" in path and not any(when > at for when in (*flushed, *bulk)):
            missed.append(f"{path.rpartition('/')[2]} before its name")
    if str(out) not in [between(call.arguments) for call in events[named:said] if call.name == "fsync"]:
        missed.append("the folder above after the name")
    return missed


@pytest.mark.parametrize(
    ("name", "mutant", "missed"),
    [
        ("first", None, None),
        ("many", None, None),
        ("large", None, None),
        ("first", "without-file-flush", "model.onnx before its name"),
        ("first", "without-folder-flush", "more before its name"),
        ("first", "without-folder-flush", "the folder above after the name"),
        ("many", "without-bulk-flush", "model.onnx before its name"),
        ("large", "without-file-flush", "large before its name"),
    ],
)
def test_every_byte_is_on_the_disk_before_the_name_and_the_name_before_success(
    tmp_path: Path, name: str, mutant: str | None, missed: str | None
) -> None:
    root = lay(tmp_path / "root", name)
    changes = [mutant] if mutant is not None else []
    assert drive(root, "fetch", root, *changes, trace=tmp_path / "trace").stdout == "done\n"
    found = unflushed(tmp_path / "trace", root / "out")
    assert found == [] if missed is None else missed in found
