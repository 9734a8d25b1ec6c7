"""Marks what is needed: every digest that a version which any ref, work tree or recent commit needs names.

Read from git objects of all refs, and as text as well as YAML: a file that can't be read still keeps what
it names. What is marked too much costs disk; what is marked too little costs a model.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from modelspec.spec.instant import days, earlier
from modelspec.spec.kinds import ENVIRONMENT, MODEL, PIN, VERSION, Kind, classify
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.spec.settings import Retention
from modelspec.tree.digest import DIGEST, is_digest
from modelspec.tree.finding import Fault, Refusal
from modelspec.tree.paths import SEMVER
from modelspec.tree.snapshot import Blob, DictSnapshot
from modelspec.tree.text import visible
from modelspec.world.git import Repository, open_repository
from modelspec.world.gittree import GitSnapshot, blob_of
from modelspec.world.objects import Objects
from modelspec.world.receipts import served
from modelspec.world.timeline import LATEST
from modelspec.world.worktree import WorkTree

_REF: Final = re.compile(rf"({SEMVER})@({DIGEST})".encode())
_ANY: Final = re.compile(DIGEST.encode())
_ROW: Final = re.compile(rb":(\d{6}) (\d{6}) ([0-9a-f]+) ([0-9a-f]+) [A-Z]\d*")
Name = tuple[str, str]


def marks(root: Path, registry: Registry, now: datetime) -> frozenset[str]:
    """Return the digests that are needed; raises Refusal without a whole git history to tell it from."""
    repository, prefix, _ = open_repository(str(root))
    if repository.shallow:
        raise Refusal(
            "the clone is shallow: what older commits pin can't be told",
            "git fetch --unshallow (in CI: fetch-depth: 0)",
        )
    found, objects = _Marks(), Objects(repository)
    settings = registry.settings
    kept_for = [(settings.retention if settings is not None else Retention()).kept_for("artifacts")]
    with ExitStack() as stack:
        stack.callback(objects.close)
        for folder in _work_trees(repository, prefix, root):
            # Open to the end: what was found in it is read only then.
            tree = stack.enter_context(WorkTree(folder))
            _tip(found, Registry(tree, registry.reader), kept_for)
        before: GitSnapshot | None = None
        for commit in _tips(repository):
            tip = Registry(GitSnapshot(repository, commit, prefix, objects), registry.reader)
            files = GitSnapshot(repository, commit, _under(prefix), objects)
            # Hundreds of branches differ in a few files each.
            _tip(found, tip, kept_for, None if before is None else list(files.changes(before)))
            before = files
        _log(found, repository, objects, prefix, earlier(now, days(max(kept_for))))
        for index in _indexes(repository):
            # What is staged is about to be committed.
            staged = _Staged(_staged(repository, objects, prefix, index))
            _tip(found, Registry(staged, registry.reader), kept_for)
        return found.needed(registry, served(repository, prefix, earlier(now, days(max(kept_for)))))


class _Staged(DictSnapshot):
    """The tree that git's index describes."""

    def __init__(self, blobs: Mapping[str, Blob]) -> None:
        super().__init__(dict.fromkeys(blobs, b""))
        self._blobs = blobs

    def get(self, path: str) -> Blob | None:
        return self._blobs.get(path)


class _Marks:
    """The versions that are needed by name, and the version files that are known by it."""

    def __init__(self) -> None:
        self.wanted: set[Name] = set()
        self.named: set[str] = set()
        self.files: dict[Name, dict[str, Blob]] = {}

    def pin(self, model: str, blob: Blob) -> None:
        """Want every version that a pin names, whether the pin can be read or not."""
        for match in _REF.finditer(_data(blob)):
            self.wanted.add((model, match[1].decode()))
            self.named.add(match[2].decode())

    def version(self, name: Name, blob: Blob, wanted: bool) -> None:
        """Know one of the contents that a version's file ever had, and perhaps want the version."""
        self.files.setdefault(name, {})[blob.id] = blob
        if wanted:
            self.wanted.add(name)

    def seen(self, path: str, blob: Blob, wanted: bool) -> None:
        """Take in a file by its path: a pin wants versions, a version's file is known, and perhaps wanted."""
        match = classify(path)
        kind: Kind[Any] | None = match[0] if match is not None else None
        if match is None:
            return
        if kind is PIN and wanted:
            self.pin(match[1][1], blob)
        if kind is VERSION:
            self.version((match[1][0], match[1][1]), blob, wanted)

    def needed(self, registry: Registry, served: frozenset[str]) -> frozenset[str]:
        """Return every digest in the files of the wanted versions: as text, and as the reader has it.

        `served` are digests of versions that served by receipts: what no pin named any more is wanted too.
        """
        self._want(registry, served - self.named)
        found: set[str] = set()
        for name in self.wanted:
            for blob in self.files.get(name, {}).values():
                found.update(match.decode() for match in _ANY.findall(_data(blob)))
                entry = registry.reader.read(VERSION, name, VERSION.locate(*name), blob)
                if isinstance(entry, Entry):
                    found.update(_strings(entry.document.data))
        return frozenset(found)

    def _want(self, registry: Registry, served: frozenset[str]) -> None:
        for name, blobs in self.files.items() if served else ():
            for blob in blobs.values() if name not in self.wanted else ():
                entry = registry.reader.read(VERSION, name, VERSION.locate(*name), blob)
                if isinstance(entry, Entry) and entry.digest in served:
                    self.wanted.add(name)


def _tip(
    found: _Marks, registry: Registry, kept_for: list[int], changed: Iterable[str] | None = None
) -> None:
    """Take in a tree that somebody has: its pins, its versions, its windows.

    `changed`: in which files of `registry/` it differs from a tree that was taken in before. What it has in
    common with that is known: whether a version is retired stands in the folder of its own model.
    """
    for within in _changed(changed, "models"):
        retired = {
            (owner.value.model, str(gone.version).partition("@")[0])
            for owner in registry.entries(MODEL, *within)
            for gone in owner.value.retired
        }
        for (model, version), blob in _blobs(registry, VERSION, within):
            found.version((model, version), blob, (model, version) not in retired)
    for within in _changed(changed, "environments"):
        for (_, model), blob in _blobs(registry, PIN, within):
            found.pin(model, blob)
        windows = (place.value.window for place in registry.entries(ENVIRONMENT, *within))
        kept_for.extend(window.days for window in windows if window is not None)


def _changed(paths: Iterable[str] | None, folder: str) -> list[tuple[str, ...]]:
    """Return the names in a folder beneath which something changed, each to look within; () for all."""
    if paths is None:
        return [()]
    parts = (path.split("/") for path in paths)
    return sorted({(part[1],) for part in parts if part[0] == folder and len(part) > 1})


def _blobs(
    registry: Registry, kind: Kind[Any], within: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Blob]]:
    for name in registry.names(kind, *within):
        blob = registry.snapshot.get(kind.locate(*name))
        if blob is not None:
            yield name, blob


def _tips(repository: Repository) -> list[str]:
    """Return the commits that HEADs and all refs name, and every stash."""
    done = repository.run("rev-list", "--no-walk=unsorted", "--all")
    if done.code != 0:
        raise Refusal("git can't list its refs", "run `git fsck`")
    return sorted({name.decode() for name in done.out.split()} | _stashes(repository))


def _stashes(repository: Repository) -> set[str]:
    """Return the commits of every stash, of what was staged and of what git did not follow.

    The ref names the latest alone: the others are in its reflog, whatever their age.
    """
    if repository.run("rev-parse", "--verify", "--quiet", "refs/stash").code != 0:
        return set()
    done = repository.run("log", "--walk-reflogs", "--format=%H %P", "--end-of-options", "refs/stash", "--")
    if done.code != 0:
        raise Refusal("git can't list its stashes", "run `git fsck`")
    rows = [line.decode().split() for line in done.out.splitlines()]
    # The first parent is what was checked out, on a branch or not. Whoever made it otherwise has no second.
    return {name for commit, *parents in rows for name in (commit, *parents[1:])}


def _log(found: _Marks, repository: Repository, objects: Objects, prefix: str, since: datetime) -> None:
    """Take in every pin that was in force, and every version that was published, since an instant.

    The old side of a change was in force until it: what a recent commit took away is needed too.
    """
    done = repository.run(
        "log", "--all", "--reflog", "-m", "--raw", "--no-renames", "--no-abbrev", "-z",
        "--format=tformat:%x01%ct", "--end-of-options", "--", f":(top){_under(prefix)}",
    )  # fmt: skip
    if done.code != 0:
        raise Refusal("git can't read its history", "run `git fsck`")
    recent = False
    fields = iter(done.out.split(b"\0"))
    for field in fields:
        text = field.strip(b"\n")
        if text.startswith(b"\x01"):
            recent = datetime.fromtimestamp(min(int(text[1:]), LATEST), UTC) >= since
            continue
        match = _ROW.fullmatch(text)
        if match is None:
            continue
        path = _within(next(fields, b""), prefix)
        for mode, identity in ((match[1], match[3]), (match[2], match[4])):
            if mode in (b"100644", b"100755"):
                blob = blob_of(objects, int(mode, 8), identity.decode())
                found.seen(path, blob, recent)


def _indexes(repository: Repository) -> list[Path]:
    """Return the index of every work tree."""
    done = repository.run("rev-parse", "--path-format=absolute", "--git-common-dir")
    common = Path(os.fsdecode(done.out.removesuffix(b"\n")))
    return [common / "index", *sorted(common.glob("worktrees/*/index"))]


def _staged(repository: Repository, objects: Objects, prefix: str, index: Path) -> dict[str, Blob]:
    done = repository.write(
        "ls-files", "--stage", "-z", "--full-name", f":(top){_under(prefix)}",
        extra={"GIT_INDEX_FILE": str(index)},
    )  # fmt: skip
    if done.code != 0:
        raise Refusal(f"git can't read {visible(str(index), 200)}", "run `git fsck`")
    found: dict[str, Blob] = {}
    for row in done.out.split(b"\0"):
        head, _, path = row.partition(b"\t")
        mode, identity, *_ = [*head.split(), b"", b""]
        if mode in (b"100644", b"100755"):
            found[_within(path, prefix)] = blob_of(objects, int(mode, 8), identity.decode())
    return found


def _work_trees(repository: Repository, prefix: str, root: Path) -> list[Path]:
    """Return the registry's root in every work tree of the repository that is still there."""
    done = repository.run("worktree", "list", "--porcelain", "-z")
    names = [
        line.removeprefix(b"worktree ") for line in done.out.split(b"\0") if line.startswith(b"worktree ")
    ]
    roots = {root.resolve()}
    for name in names:
        folder = Path(name.decode("utf-8", "surrogateescape")) / prefix
        if (folder / "registry").is_dir():
            roots.add(folder.resolve())
    return sorted(roots)


def _data(blob: Blob) -> bytes:
    data = blob.read()
    if isinstance(data, Fault):
        # Not even as text: whatever it needs can't be told, so nothing is collected.
        raise Refusal(
            f"a pin or a version can't be read: {data.message}", "`modelspec check` says which; mend it first"
        )
    return data


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str) and is_digest(data):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _strings(value)
    elif isinstance(data, list):
        for value in data:
            yield from _strings(value)


def _under(prefix: str) -> str:
    return f"{prefix}/registry" if prefix else "registry"


def _within(path: bytes, prefix: str) -> str:
    return path.decode("utf-8", "surrogateescape").removeprefix(f"{prefix}/" if prefix else "")
