"""A move into a store that is killed, or refused by the disk, at each of its system calls: no byte is lost."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from pathlib import Path

import pytest

from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.verified import troubles
from world.injected import Injected, between
from world.stores.test_folder_killed import OTHER, SOURCE, sources
from world.strace import calls, changing, drive, needs_strace
from world.trees import put

pytestmark = needs_strace
SCENARIOS = ("first", "beside another", "over a damaged one", "many")
SAMPLED = [("first", 3), ("beside another", 6), ("over a damaged one", 9)]
EVERY = [pytest.param(name, 1, marks=pytest.mark.slow) for name in SCENARIOS]


def lay(root: Path, name: str) -> Path:
    for path, text in SOURCE.items():
        put(root, f"source/{path}", text)
    if name == "many":
        for number in range(40):
            put(root, f"source/many/{number}", f"{number}")
    store = FolderStore(root / "store")
    store.root.mkdir()
    if name == "beside another":
        store.put(sources(root, OTHER))  # type: ignore[arg-type]
    if name == "over a damaged one":
        tree = store.put(sources(root, SOURCE))  # type: ignore[arg-type]
        folder = store.root / tree.digest.replace(":", "-")
        (folder / "model.onnx").unlink()
        put(folder, "model.onnx", "evil")
    shutil.rmtree(root / "laid", ignore_errors=True)
    return root


def contents(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def wanted_of(root: Path) -> set[str]:
    """Return the digests of what is laid out as the source of a scenario."""
    texts = [*SOURCE.values(), *(str(number) for number in range(40 if root.name.startswith("many") else 0))]
    return {hashlib.sha256(text.encode()).hexdigest() for text in texts}


def whole_source(root: Path) -> None:
    assert wanted_of(root) <= contents(root / "source")


def judge(root: Path) -> None:
    """The source is whole, or the store has a whole tree of it; a rerun completes."""
    wanted = wanted_of(root)
    store = FolderStore(root / "store")
    damaged = [digest for digest in store.trees() if troubles(store, digest)]
    assert not damaged or "damaged" in root.name
    whole = [digest for digest in store.trees() if digest not in damaged]
    held = {
        file.partition("  ")[0]
        for digest in whole
        for file in (store.listing(digest) or b"").decode().splitlines()
    }
    assert wanted <= contents(root / "source") or wanted <= held
    again = drive(root, "move", root)
    assert (again.returncode, again.stdout) == (0, "done\n"), again.stdout + again.stderr
    assert {path.name for path in root.iterdir() if path.name != "laid"} == {"store"}
    assert [digest for digest in store.trees() if troubles(store, digest)] == []
    assert sum(1 for _ in store.trees()) == (2 if "beside" in root.name else 1)
    stems = {digest.replace(":", "-") for digest in store.trees()}
    assert {path.name for path in store.root.iterdir()} == stems | {f"{stem}.sha256sum" for stem in stems}


KILLED = Injected("move", lay, judge, into="store", said="taken\n", refused=whole_source)


@pytest.mark.parametrize(("name", "every"), [*SAMPLED, *EVERY])
def test_a_kill_loses_nothing_and_a_rerun_completes(tmp_path: Path, name: str, every: int) -> None:
    KILLED.kill(tmp_path, name, every)


@pytest.mark.parametrize(("name", "every"), [*SAMPLED, *EVERY])
def test_a_failing_disk_loses_nothing(tmp_path: Path, name: str, every: int) -> None:
    KILLED.fail(tmp_path, name, every)


def risked(trace: Path, root: Path) -> list[str]:
    """Return what a power cut could take: names of the source that go before the store's are on the disk."""
    events = calls(trace)
    tree, listed = (
        next(
            at
            for at, call in enumerate(events)
            if call.name.startswith("rename")
            and "sha256-" in call.arguments
            and (".sha256sum" in call.arguments) is end
        )
        for end in (False, True)
    )
    flushes = [
        (at, between(call.arguments) if call.name == "fsync" else "*")
        for at, call in enumerate(events)
        if call.name in ("fsync", "syncfs")
    ]

    def flushed(start: int, end: int, path: str) -> bool:
        return any(start < at < end and (what == "*" or what.endswith(path)) for at, what in flushes)

    linked = [
        (at, call.arguments.rsplit('"', 2)[1])
        for at, call in enumerate(events[:tree])
        if call.name == "linkat"
    ]
    missed = [
        f"{path} before its name"
        for at, path in linked
        if path.startswith("tree/")
        and not (flushed(at, tree, f"/{path}") and flushed(at, tree, f"/{path.rpartition('/')[0]}"))
    ]
    goes = min(
        at
        for at, call in enumerate(events)
        if call.name in ("rename", "unlink") and f"{root}/source" in call.arguments
    )
    if not flushed(listed, goes, f"{root}/store"):
        missed.append("the source goes before the listing is on the disk")
    return missed


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_old_names_go_when_the_new_ones_are_on_the_disk(tmp_path: Path, name: str) -> None:
    root = lay(tmp_path / "root", name)
    assert drive(root, "move", root, trace=tmp_path / "trace").stdout == "done\n"
    assert risked(tmp_path / "trace", root) == []
    assert not (root / "source").exists()
    counts = Counter(call.name for call in changing(tmp_path / "trace"))
    assert counts["linkat"] >= len(SOURCE) and counts["unlink"] >= len(SOURCE)


@pytest.mark.parametrize(
    ("name", "mutant", "missed"),
    [
        ("first", "without-file-flush", "tree/model.onnx before its name"),
        ("first", "without-folder-flush", "tree/more/tokens.txt before its name"),
        ("first", "without-folder-flush", "the source goes before the listing is on the disk"),
        ("many", "without-bulk-flush", "tree/many/1 before its name"),
        ("first", "removed-first", "the source goes before the listing is on the disk"),
    ],
)
def test_an_order_that_is_another_one_is_noticed(tmp_path: Path, name: str, mutant: str, missed: str) -> None:
    root = lay(tmp_path / "root", name)
    drive(root, "move", root, mutant, trace=tmp_path / "trace")
    assert missed in risked(tmp_path / "trace", root)
