"""`gc`: what any ref, work tree or recent commit needs stays; the rest goes, and only when told."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import ROOT, Git, Run, edit
from modelspec.tree.finding import Refusal
from modelspec.world.stores.collect import collect
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.verified import troubles
from world.stores.trees import laid, noise
from world.trees import put

NOW = datetime.now(UTC)
LONG_AGO = "2020-01-01T00:00:00Z"
OLD = {"GIT_COMMITTER_DATE": LONG_AGO, "GIT_AUTHOR_DATE": LONG_AGO}
VERSION = "registry/models/eta/versions/2.3.1.yaml"
TREE = "sha256:775ef938a7a58bee74795fdfb1b15bfe70b5d4b0db4ad59067f84d9ab48b85d5"


@pytest.fixture
def old(example: Path) -> Git:
    """The example with its store, committed long ago; every object is old as well."""
    shutil.copytree(ROOT / "store", example / "store")
    repository = Git(example)
    repository("add", ".")
    repository("commit", "--quiet", "--message", "Long ago", **OLD)
    repository("reflog", "expire", "--expire=now", "--all")
    age(example)
    return repository


def age(root: Path) -> None:
    for listed in (root / "store").glob("*.sha256sum"):
        os.utime(listed, (0, 0))


def gone(repository: Git, **when: str) -> None:
    """Remove the version's file from main: nothing there names its tree any more."""
    (repository.root / VERSION).unlink()
    repository("add", "--all")
    repository("commit", "--quiet", "--message", "Prune", **when)


def dead(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [one["digest"] for store in json.loads(done.stdout)["stores"] for one in store["dead"]]


def test_nothing_of_the_example_can_go(old: Git, modelspec: Run) -> None:
    done = modelspec("gc", cwd=old.root)
    assert (done.returncode, "0 trees can go, 7 needed" in done.stdout) == (0, True), done.stderr


def test_a_tree_that_nothing_names_goes_only_when_told(old: Git, modelspec: Run) -> None:
    gone(old, **OLD)
    old("reflog", "expire", "--expire=now", "--all")
    done = modelspec("gc", "--format", "json", cwd=old.root)
    assert dead(done) == [TREE]
    assert '"bytes": 55178' in done.stdout
    assert FolderStore(old.root / "store").exists(TREE)
    done = modelspec("gc", "--delete", cwd=old.root)
    assert "55,178 bytes freed" in done.stdout
    store = FolderStore(old.root / "store")
    assert not store.exists(TREE)
    assert not (store.root / TREE.replace(":", "-")).exists()
    assert [digest for digest in store.trees() if troubles(store, digest)] == []
    assert not list(store.root.glob(".*-*"))


@pytest.mark.parametrize(
    "keeper",
    [
        "branch",
        "tag",
        "stash",
        "older stash",
        "stash of what git did not follow",
        "stash of what was staged",
        "work tree",
        "index",
        "linked work tree",
        "index of a linked work tree",
        "remote",
        "recently",
        "broken",
        "escaped",
    ],
)
def test_what_anything_still_names_stays(old: Git, modelspec: Run, tmp_path: Path, keeper: str) -> None:
    if keeper == "branch":
        old("branch", "experiment")
    elif keeper == "tag":
        old("tag", "-a", "-m", "kept", "kept")
    elif keeper == "remote":
        old("update-ref", "refs/remotes/origin/topic", "HEAD")
    text = (old.root / VERSION).read_text()
    gone(old, **({} if keeper == "recently" else OLD))
    if keeper == "stash":
        (old.root / VERSION).write_text(text)
        old("add", ".")
        old("stash", "--quiet", **OLD)
    elif "stash" in keeper:
        (old.root / VERSION).write_text(text)
        if "staged" in keeper:
            old("add", ".")
            (old.root / VERSION).unlink()
        old("stash", "--quiet", "--include-untracked", **OLD)
        (old.root / "later").write_text("")
        old("stash", "--quiet", "--include-untracked", **OLD)
    elif keeper in ("work tree", "broken"):
        (old.root / VERSION).write_text(text if keeper == "work tree" else text + "\tnot: [yaml\n")
    elif keeper == "escaped":
        (old.root / VERSION).write_text(text.replace(TREE, '"\\x73' + TREE[1:] + '"'))
    elif keeper == "index":
        (old.root / VERSION).write_text(text)
        old("add", ".")
        (old.root / VERSION).unlink()
    if keeper == "linked work tree":
        old("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
        (tmp_path / "linked" / VERSION).write_text(text)
    elif keeper == "index of a linked work tree":
        old("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
        (tmp_path / "linked" / VERSION).write_text(text)
        old("-C", str(tmp_path / "linked"), "add", ".")
        (tmp_path / "linked" / VERSION).unlink()
    old("reflog", "expire", "--expire=now", "refs/heads/main", "HEAD")
    assert dead(modelspec("gc", "--format", "json", cwd=old.root)) == []


def test_a_stash_that_is_a_commit_without_parents_is_gone_through(old: Git, modelspec: Run) -> None:
    old("update-ref", "--create-reflog", "refs/stash", old("rev-list", "--max-parents=0", "HEAD"))
    gone(old, **OLD)
    old("reflog", "expire", "--expire=now", "refs/heads/main", "HEAD")
    assert dead(modelspec("gc", "--format", "json", cwd=old.root)) == []


def test_an_index_that_can_t_be_read_stops_it(old: Git, modelspec: Run) -> None:
    (old.root / ".git/index").write_bytes(b"DIRC")
    done = modelspec("gc", "--delete", cwd=old.root)
    assert (done.returncode, "index" in done.stderr) == (3, True)


def test_a_retired_version_goes_when_no_pin_and_no_retention_keeps_it(old: Git, modelspec: Run) -> None:
    digest = modelspec("digest", VERSION, cwd=old.root).stdout.strip()
    model = old.root / "registry/models/eta/model.yaml"
    retired = f"retired:\n  - {{version: 2.3.1@{digest}, state: archived, reason: old}}\n"
    model.write_text(model.read_text().replace("retired: []\n", retired))
    old("add", ".")
    old("commit", "--quiet", "--message", "Retire", **OLD)
    assert dead(modelspec("gc", "--format", "json", cwd=old.root)) == [TREE]
    pin = old.root / "registry/environments/staging/models/eta.yaml"
    pinned = pin.read_text()
    pin.write_text(pinned.rpartition("version: ")[0] + f"version: 2.3.1@{digest}\n")
    assert dead(modelspec("gc", "--format", "json", cwd=old.root)) == []
    # It was pinned until a moment ago: the retention keeps it.
    old.commit("Promote")
    pin.write_text(pinned)
    old.commit("Go back")
    assert dead(modelspec("gc", "--format", "json", cwd=old.root)) == []


def test_a_commit_of_a_year_that_nobody_will_see_is_a_recent_one(old: Git, modelspec: Run) -> None:
    """git allows it, and a clock that is wrong makes it."""
    later = f"@{10**12} +0000"
    gone(old, GIT_COMMITTER_DATE=later, GIT_AUTHOR_DATE=later)
    assert TREE not in dead(modelspec("gc", "--format", "json", cwd=old.root))


def test_what_was_stored_lately_stays(old: Git, modelspec: Run) -> None:
    FolderStore(old.root / "store").put(laid(old.root / "source"))
    done = modelspec("gc", cwd=old.root)
    assert "1 younger than the grace time" in done.stdout
    age(old.root)
    assert len(dead(modelspec("gc", "--format", "json", cwd=old.root))) == 1
    # Stored again, it is young again.
    FolderStore(old.root / "store").put(laid(old.root / "source"))
    assert dead(modelspec("gc", "--format", "json", cwd=old.root)) == []


def test_a_register_that_runs_keeps_gc_out_and_the_other_way_round(old: Git, modelspec: Run) -> None:
    store = FolderStore(old.root / "store")
    with store.writing():
        done = modelspec("gc", "--delete", cwd=old.root)
        assert (done.returncode, "another modelspec is writing" in done.stderr) == (3, True)
    descriptor = os.open(store.root, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(Refusal, match="gc"):
            store.put(laid(old.root / "source"))
    finally:
        os.close(descriptor)


def test_a_pin_that_appears_while_trees_are_moved_aside_brings_them_back(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    trees = [store.put(laid(tmp_path / f"{n}", {"a": noise(99, n)})).digest for n in range(3)]
    age(tmp_path)
    answers = iter([frozenset[str](), frozenset(trees[:1])])
    with pytest.raises(Refusal, match="nothing was removed"):
        collect(store, lambda: next(answers), now=NOW, grace=timedelta(hours=1), delete=True)
    assert [digest for digest in store.trees() if not troubles(store, digest)] == sorted(trees)
    assert len(list(store.root.iterdir())) == 6


def test_when_it_can_not_be_told_any_more_what_is_needed_all_comes_back(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    tree = store.put(laid(tmp_path / "source")).digest
    age(tmp_path)
    calls: list[int] = []

    def marks() -> frozenset[str]:
        calls.append(1)
        if len(calls) == 2:
            raise Refusal("a pin or a version can't be read")
        return frozenset()

    with pytest.raises(Refusal, match="can't be read"):
        collect(store, marks, now=NOW, grace=timedelta(hours=1), delete=True)
    assert (list(store.trees()), troubles(store, tree)) == ([tree], [])
    assert len(list(store.root.iterdir())) == 2


def test_what_a_killed_run_moved_aside_comes_back_or_goes(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    keep, go = (store.put(laid(tmp_path / f"{n}", {"a": noise(99, n)})).digest for n in range(2))
    age(tmp_path)
    aside = store.root / ".collected-dead"
    aside.mkdir()
    for digest in (keep, go):
        for name in (digest.replace(":", "-"), digest.replace(":", "-") + ".sha256sum"):
            (store.root / name).rename(aside / name)
    swept = collect(store, lambda: frozenset([keep]), now=NOW, grace=timedelta(hours=1), delete=True)
    assert [one.digest for one in swept.dead] == [go]
    assert (list(store.trees()), troubles(store, keep)) == ([keep], [])


def test_half_a_tree_that_a_killed_run_moved_aside_does_not_come_back(tmp_path: Path) -> None:
    """And a tree that was stored again meanwhile stays as it is."""
    store = FolderStore(tmp_path / "store")
    again, half = (store.put(laid(tmp_path / f"{n}", {"a": noise(99, n)})).digest for n in range(2))
    aside = store.root / ".collected-dead"
    shutil.copytree(store.root, aside)
    (aside / (half.replace(":", "-") + ".sha256sum")).unlink()
    store.delete(half)
    collect(store, lambda: frozenset([again]), now=NOW, grace=timedelta(hours=1), delete=True)
    assert (list(store.trees()), troubles(store, again)) == ([again], [])
    assert len(list(store.root.iterdir())) == 2


def test_what_a_killed_run_had_begun_to_remove_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing without its tree, or with a part of it, would be a tree that is not whole."""
    store = FolderStore(tmp_path / "store")
    tree = store.put(laid(tmp_path / "source", {"a": b"a", "b": b"b"})).digest
    age(tmp_path)
    unlink, removed = os.unlink, list[str]()

    def killed(name: str, *given: object, **more: object) -> None:
        if name in ("a", "b"):
            removed.append(name)
            if len(removed) == 2:
                raise KeyboardInterrupt
        unlink(name, *given, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "unlink", killed)
        collect(store, frozenset, now=NOW, grace=timedelta(hours=1), delete=True)
    assert list(store.trees()) == []
    # Somebody pins it now: it is missing, and said to be.
    collect(store, lambda: frozenset([tree]), now=NOW, grace=timedelta(hours=1), delete=True)
    assert (list(store.trees()), list(store.root.iterdir())) == ([], [])


def test_a_tree_that_comes_back_has_its_listing_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes with its listing first: whatever stops it, no listing stands for a tree that is not there."""
    store = FolderStore(tmp_path / "store")
    tree = store.put(laid(tmp_path / "source")).digest.replace(":", "-")
    age(tmp_path)
    rename, seen = os.rename, list[str]()

    def noted(name: str, *given: object, **more: object) -> None:
        seen.append(name.rpartition("/")[2])
        rename(name, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", noted)
    answers = iter([frozenset[str](), frozenset(store.trees())])
    with pytest.raises(Refusal, match="nothing was removed"):
        collect(store, lambda: next(answers), now=NOW, grace=timedelta(hours=1), delete=True)
    assert seen == [f"{tree}.sha256sum", tree, tree, f"{tree}.sha256sum"]


def test_what_another_tree_shares_frees_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    keep = store.put(laid(tmp_path / "0", {"a": noise(9000)})).digest
    store.put(laid(tmp_path / "1", {"a": noise(9000), "b": b"own"}))
    age(tmp_path)
    swept = collect(store, lambda: frozenset([keep]), now=NOW, grace=timedelta(hours=1), delete=False)
    assert [one.bytes for one in swept.dead] == [3]


def test_what_a_killed_register_left_goes_too(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.put(laid(tmp_path / "source"))
    age(tmp_path)
    put(store.root, ".incoming-dead/tree/a", b"half")
    for number, age_of in (("1", 0), ("2", None)):  # killed before the listing: long ago, and just now
        os.utime(
            put(store.root, f"sha256-{number * 64}/a", b"whole").parent,
            (age_of, age_of) if age_of is not None else None,
        )
    swept = collect(store, frozenset, now=NOW, grace=timedelta(hours=1), delete=True)
    assert (len(swept.dead), swept.young) == (2, 1)
    assert [path.name for path in store.root.iterdir()] == [f"sha256-{'2' * 64}"]


def test_without_a_whole_history_nothing_is_judged(old: Git, tmp_path: Path, modelspec: Run) -> None:
    old.commit("Again")
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{old.root}", tmp_path / "clone"], check=True)
    done = modelspec("gc", cwd=tmp_path / "clone")
    assert (done.returncode, "shallow" in done.stderr) == (3, True)
    shutil.rmtree(old.root / ".git")
    assert modelspec("gc", cwd=old.root).returncode == 3


def test_a_store_that_can_t_be_reached_is_said(old: Git, modelspec: Run) -> None:
    assert modelspec("gc", "--store", "mian", cwd=old.root).returncode == 2
    edit(
        old.root,
        "registry/modelspec.yaml",
        'path: store, uri: "s3://example-models/store"',
        'uri: "pvc://claim/store"',
    )
    done = modelspec("gc", "--store", "main", cwd=old.root)
    assert (done.returncode, "is a claim in a cluster" in done.stderr) == (3, True)
    assert "no store is a folder" in modelspec("gc", cwd=old.root).stdout


PUTTER = """
import sys
from pathlib import Path
from modelspec.tree.finding import Refusal
from modelspec.world.files import local_tree
from modelspec.world.stores.folder import FolderStore
root, pins = Path(sys.argv[1]), Path(sys.argv[2])
done = 0
while done < 200:
    store = FolderStore(root / "store")
    try:
        with store.writing():
            tree = store.put(local_tree(root / "source" / str(done % 5)))
            (pins / str(done)).write_text(tree.digest)
    except Refusal:
        continue
    done += 1
"""


def test_two_hundred_registers_beside_gc_lose_nothing(tmp_path: Path) -> None:
    """With no grace time at all: the lock and the marks alone have to hold."""
    store, pins = FolderStore(tmp_path / "store"), tmp_path / "pins"
    pins.mkdir()
    store.root.mkdir()
    for number in range(5):
        laid(tmp_path / "source" / str(number), {"a": noise(5000, number), "b": noise(5000)})

    def marks() -> frozenset[str]:
        # The last two pins: older ones were unpinned meanwhile.
        latest = sorted((int(file.name) for file in pins.iterdir()), reverse=True)[:2]
        return frozenset((pins / str(number)).read_text() for number in latest)

    process = subprocess.Popen([sys.executable, "-c", PUTTER, str(tmp_path), str(pins)])
    removed = 0
    while process.poll() is None:
        try:
            swept = collect(store, marks, now=datetime.now(UTC), grace=timedelta(0), delete=True)
        except Refusal:
            continue
        removed += len(swept.dead)
        assert [digest for digest in marks() if troubles(store, digest)] == []
        time.sleep(0.002)
    assert process.returncode == 0
    assert removed > 20
    assert [digest for digest in marks() if troubles(store, digest)] == []


def test_the_bytes_of_files_that_only_dead_trees_share_are_counted_once(old: Git, modelspec: Run) -> None:
    store, weights = FolderStore(old.root / "store"), noise(100_000)
    shared = laid(old.root / "a", {"w.bin": weights, "again.bin": weights, "c.json": b"1"})
    dies = {store.put(one).digest for one in (shared, laid(old.root / "b", {"w.bin": weights}))}
    age(old.root)
    before = used(old.root / "store")
    found = json.loads(modelspec("gc", "--format", "json", cwd=old.root).stdout)["stores"][0]["dead"]
    assert {one["digest"] for one in found} == dies and sum(one["bytes"] for one in found) == 100_001
    assert modelspec("gc", "--delete", cwd=old.root).stdout.endswith("\n100,001 bytes freed\n")
    # And of their listings, which are not counted.
    assert 100_001 < before - used(old.root / "store") < 100_001 + 1000


def used(folder: Path) -> int:
    """Return the bytes of the files below a folder, each file once."""
    found = [path.lstat() for path in folder.rglob("*") if path.is_file()]
    return sum({one.st_ino: one.st_size for one in found}.values())
