"""A store write that is killed, or refused by the disk, at each of its system calls."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.verified import troubles
from world.injected import Injected, between
from world.strace import calls, drive, needs_strace
from world.trees import put

pytestmark = needs_strace
SCENARIOS = (
    "first",
    "beside another",
    "again",
    "over a damaged one",
    "over an unlisted one",
    "many",
    "large",
)
SAMPLED = [("first", 6), ("beside another", 9), ("over a damaged one", 9), ("large", 4)]
EVERY = [pytest.param(name, 1, marks=pytest.mark.slow) for name in SCENARIOS]
SOURCE = {"model.onnx": "m" * 5000, "more/tokens.txt": "t" * 6000, "more/same.txt": "t" * 6000, "z": ""}
LARGE = "l" * 400_001
OTHER = {"model.onnx": "m" * 5000, "other.txt": "o"}


def lay(root: Path, name: str) -> Path:
    """Lay a source and a store out as the scenario says."""
    for path, text in SOURCE.items():
        put(root, f"source/{path}", text)
    if name == "many":
        for number in range(40):
            put(root, f"source/many/{number}", f"{number}")
    if name == "large":
        put(root, "source/large", LARGE)
    store = FolderStore(root / "store")
    store.root.mkdir()
    if name == "beside another":
        store.put(sources(root, OTHER))
    if name in ("again", "over a damaged one", "over an unlisted one"):
        tree = store.put(sources(root, SOURCE))
        folder = store.root / tree.digest.replace(":", "-")
        if name == "over a damaged one":
            (folder / "model.onnx").unlink()
            put(folder, "model.onnx", "evil")
        if name == "over an unlisted one":
            (store.root / f"{folder.name}.sha256sum").unlink()
            (folder / "z").unlink()
    return root


def sources(root: Path, files: dict[str, str]) -> list[object]:
    from modelspec.world.files import local_tree

    folder = root / "laid"
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in files.items():
        put(folder, path, text)
    return list(local_tree(folder))


def judge(root: Path) -> None:
    """Every tree that exists is whole; a rerun completes and leaves nothing beside them."""
    store = FolderStore(root / "store")
    damaged = [digest for digest in store.trees() if troubles(store, digest)]
    assert not damaged or "damaged" in root.name
    again = drive(root, "store", root)
    assert (again.returncode, again.stdout) == (0, "done\n"), again.stdout + again.stderr
    assert [digest for digest in store.trees() if troubles(store, digest)] == []
    assert sum(1 for _ in store.trees()) == (2 if "beside" in root.name else 1)
    stems = {digest.replace(":", "-") for digest in store.trees()}
    assert {path.name for path in store.root.iterdir()} == stems | {f"{stem}.sha256sum" for stem in stems}


KILLED = Injected("store", lay, judge, into="store")


@pytest.mark.parametrize(("name", "every"), [*SAMPLED, *EVERY])
def test_a_kill_leaves_whole_trees_only_and_a_rerun_completes(tmp_path: Path, name: str, every: int) -> None:
    KILLED.kill(tmp_path, name, every)


@pytest.mark.parametrize(("name", "every"), [*SAMPLED, *EVERY])
def test_a_failing_disk_is_a_refusal_with_nothing_half_written(tmp_path: Path, name: str, every: int) -> None:
    KILLED.fail(tmp_path, name, every)


def unflushed(trace: Path, store: Path) -> list[str]:
    """Return what a power cut could take from a put that said that it was done."""
    events = calls(trace)
    renames = [
        at for at, call in enumerate(events) if call.name.startswith("rename") and "sha256-" in call.arguments
    ]
    tree, listed = renames[0], renames[-1]
    assert '.sha256sum"' in events[listed].arguments
    assert '.sha256sum"' not in events[tree].arguments
    said = next(at for at, call in enumerate(events) if call.name == "write" and '"done' in call.arguments)
    bulk = [at for at, call in enumerate(events) if call.name == "syncfs"]
    made: dict[str, int] = {}
    for at, call in enumerate(events[:listed]):
        opened = re.search(r"<(.+)>$", call.result)
        if call.name == "openat" and "O_CREAT" in call.arguments and opened:
            made[opened[1]] = at
            made[opened[1].rpartition("/")[0]] = at
        elif call.name in ("write", "pwrite64") and ".incoming-" in call.arguments:
            made[between(call.arguments)] = at
        elif call.name in ("mkdir", "mkdirat") and "tree" in call.arguments:
            match = re.search(r'<([^>]+)>, "([^"]+)"', call.arguments)
            if match:
                path = f"{match[1]}/{match[2]}"
                made[path] = made[path.rpartition("/")[0]] = at
    missed = []
    for path, last in made.items():
        if ".incoming-" not in path or "<unlinked>" in path:
            continue
        before = tree if "/tree" in path else listed
        flushed = [
            at
            for at, call in enumerate(events[:before])
            if call.name == "fsync" and between(call.arguments) == path
        ]
        if not any(at > last for at in (*flushed, *(one for one in bulk if one < before))):
            missed.append(f"{path.rpartition('/')[2]} before its name")
    for first, last, what in ((tree, listed, "the tree's name"), (listed, said, "the listing's name")):
        if str(store) not in [between(call.arguments) for call in events[first:last] if call.name == "fsync"]:
            missed.append(f"the store after {what}")
    return missed


@pytest.mark.parametrize("name", ["first", "beside another", "many", "large"])
def test_every_byte_is_on_the_disk_before_its_name_and_the_names_before_success(
    tmp_path: Path, name: str
) -> None:
    root = lay(tmp_path / "root", name)
    assert drive(root, "store", root, trace=tmp_path / "trace").stdout == "done\n"
    assert unflushed(tmp_path / "trace", root / "store") == []


@pytest.mark.parametrize(
    ("name", "mutant", "missed"),
    [
        ("first", "without-file-flush", "model.onnx before its name"),
        ("first", "without-folder-flush", "more before its name"),
        ("first", "without-folder-flush", "the store after the tree's name"),
        ("first", "without-folder-flush", "the store after the listing's name"),
        ("first", "without-file-flush", "listing before its name"),
        ("many", "without-bulk-flush", "model.onnx before its name"),
        ("large", "without-file-flush", "large before its name"),
    ],
)
def test_a_flush_that_is_left_out_is_noticed(tmp_path: Path, name: str, mutant: str, missed: str) -> None:
    root = lay(tmp_path / "root", name)
    assert drive(root, "store", root, mutant, trace=tmp_path / "trace").stdout == "done\n"
    assert missed in unflushed(tmp_path / "trace", root / "store")
