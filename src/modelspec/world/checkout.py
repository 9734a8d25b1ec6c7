"""The work tree and the user's index beside a commit that lands: they agree before, and they agree after.

Only the paths of the commit are touched. What is to be done is written down before the ref moves, so that
a run that was killed in between is finished by the next one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.snapshot import Blob, Snapshot
from modelspec.tree.text import visible
from modelspec.world.branch import Folders, await_index, head, tip
from modelspec.world.commit import entry_line
from modelspec.world.git import Repository
from modelspec.world.gittree import GitSnapshot
from modelspec.world.lock import lock
from modelspec.world.worktree import WorkTree
from modelspec.world.write import apply_patch, write_file

_JOURNAL: Final = "modelspec-pending.json"
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A checkout of a registry: the repository, where git keeps its state, and the root below its top."""

    repository: Repository
    where: Folders
    prefix: str

    @property
    def shown(self) -> str:
        """The prefix as it stands before a path."""
        return f"{self.prefix}/" if self.prefix else ""


@dataclass(frozen=True, slots=True)
class _Indexed:
    blob: str
    skipped: bool
    """Not in the work tree on purpose (sparse checkout)."""
    merged: bool


def must_agree(place: Place, tree: Snapshot, paths: Iterable[str]) -> None:
    """Raise Refusal when a file that will change differs between a commit's tree, the index and the disk."""
    paths = sorted(paths)
    indexed = _indexed(place, paths)
    with WorkTree(place.repository.folder) as disk:
        for path in paths:
            blob, entry = tree.get(path), indexed.get(path)
            if entry is not None and not entry.merged:
                raise Refusal(
                    f"{visible(path)} is in the middle of a merge", "finish it, or git merge --abort"
                )
            staged = (entry.blob if entry is not None else None) == (blob.id if blob is not None else None)
            if staged and _only_line_ends(disk, tree, path):
                raise Refusal(
                    f"{visible(path)} is checked out with other line ends than the commit has",
                    "write `* text eol=lf` into .gitattributes, commit that and what else you changed, then "
                    "check out again: git rm --cached -r -q . && git reset --hard",
                )
            if not staged or not (_same(disk, tree, path) or (entry is not None and entry.skipped)):
                raise Refusal(
                    f"{visible(path)} has changes that are not committed",
                    f"commit them, or drop them: git restore --staged --worktree {visible(path)}",
                )


def _same(disk: Snapshot, tree: Snapshot, path: str) -> bool:
    here, there = disk.get(path), tree.get(path)
    if here is None or there is None:
        return here is there
    return here.read() == there.read()


def _only_line_ends(disk: Snapshot, tree: Snapshot, path: str) -> bool:
    """Whether git wrote CR LF where the commit has LF: `core.autocrlf` does, and git calls that no change."""
    here, there = disk.get(path), tree.get(path)
    left, right = here.read() if here is not None else None, there.read() if there is not None else None
    if not isinstance(left, bytes) or not isinstance(right, bytes) or left == right:
        return False
    return left.replace(b"\r\n", b"\n") == right


def note(place: Place, ref: str, old: str, new: str, paths: Iterable[str]) -> None:
    """Write down what has to follow when `ref` moves from `old` to `new`."""
    data = {"ref": ref, "old": old, "new": new, "prefix": place.prefix, "paths": sorted(paths)}
    write_file(place.where.own / _JOURNAL, (json.dumps(data, indent=1) + "\n").encode())


def forget(place: Place) -> None:
    """Remove the note."""
    (place.where.own / _JOURNAL).unlink(missing_ok=True)


def finish(place: Place) -> str | None:
    """Do what is left of a commit that landed; return it, or None when nothing was left.

    A file that somebody changed since is left as it is. The caller holds the lock of `where.common`.
    """
    noted = _noted(place)
    if noted is None:
        forget(place)
        return None
    ref, old, new, paths = noted
    repository = place.repository
    at = tip(repository, ref)
    landed = at is not None and (
        at == new or repository.run("merge-base", "--is-ancestor", new, at).code == 0
    )
    if landed and at is not None and head(repository) == ref:
        await_index(place.where)
        with lock(repository.folder, patience=60.0):
            _bring_along(place, old, at, paths)
    forget(place)
    return new if landed else None


def _noted(place: Place) -> tuple[str, str, str, list[str]] | None:
    try:
        data = json.loads((place.where.own / _JOURNAL).read_bytes())
        if data["prefix"] != place.prefix:
            return None
        return str(data["ref"]), str(data["old"]), str(data["new"]), [str(path) for path in data["paths"]]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        # Written whole or not at all, so this is not ours.
        return None


def _bring_along(place: Place, old: str, new: str, paths: Sequence[str]) -> None:
    repository = place.repository
    indexed = _indexed(place, paths)
    on_disk: dict[str, bytes | None] = {}
    in_index: dict[str, Blob | None] = {}
    with GitSnapshot(repository, old, place.prefix) as before, WorkTree(repository.folder) as disk:
        after = before.at(new, place.prefix)
        for path in paths:
            blob, entry, was = after.get(path), indexed.get(path), before.get(path)
            if (entry.blob if entry is not None else None) == (was.id if was is not None else None):
                in_index[path] = blob
            data = blob.read() if blob is not None else None
            if data is not None and not isinstance(data, bytes):
                # Larger than a file of a registry may be: it came from this disk, beside the patch.
                continue
            skipped = entry is not None and entry.skipped
            if not skipped and not _same(disk, after, path) and _same(disk, before, path):
                on_disk[path] = data
    apply_patch(repository.folder, on_disk)
    _stage(place, new, in_index, [path for path, entry in indexed.items() if entry.skipped])


def _stage(place: Place, new: str, patch: Mapping[str, Blob | None], skipped: Sequence[str]) -> None:
    if not patch:
        return
    repository = place.repository
    zero = "0" * len(new)
    entries = b"".join(
        entry_line(place.prefix, path, *((blob.mode, blob.id) if blob is not None else (0, zero)))
        for path, blob in sorted(patch.items())
    )
    extra = _unfiltered(repository)
    done = repository.write("update-index", "-z", "--index-info", given=entries, extra=extra)
    again = b"".join(
        os.fsencode(place.shown + path) + b"\0" for path in skipped if patch.get(path) is not None
    )
    if done.code == 0 and again:
        top = repository.run("rev-parse", "--show-cdup").out.decode().strip() or "."
        done = repository.write(
            "-C", top, "update-index", "--skip-worktree", "-z", "--stdin", given=again, extra=extra
        )
    if done.code != 0:
        await_index(place.where)
        said = done.err.strip().splitlines() or ["no reason was given"]
        raise Refusal(
            f"the commit {new[:12]} is there, and git could not update the index: {visible(said[0], 200)}",
            "run this again: it does what is left",
        )


def _unfiltered(repository: Repository) -> dict[str, str]:
    """Return what switches every filter of every configuration off.

    Git compares files that changed in the second in which it wrote its index, and filters them for that:
    a repository's configuration could name any program as one.
    """
    done = repository.run("config", "--null", "--name-only", "--get-regexp", r"^filter\.")
    names = {os.fsdecode(key).rpartition(".")[0] for key in done.out.split(b"\0") if key}
    pairs = [(f"{name}.{key}", "") for name in sorted(names) for key in ("clean", "smudge", "process")]
    pairs += [(f"{name}.required", "false") for name in sorted(names)]
    found = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for at, (key, value) in enumerate(pairs):
        found |= {f"GIT_CONFIG_KEY_{at}": key, f"GIT_CONFIG_VALUE_{at}": value}
    return found


def _indexed(place: Place, paths: Sequence[str]) -> dict[str, _Indexed]:
    found: dict[str, _Indexed] = {}
    for chunk in _chunks(paths):
        specs = [f":(top,literal){place.shown}{path}" for path in chunk]
        done = place.repository.run("ls-files", "--stage", "-t", "-z", "--full-name", "--", *specs)
        if done.code != 0:
            raise Refusal("git can't read the index", "run `git status`")
        for line in filter(None, done.out.split(b"\0")):
            facts, _, path = line.partition(b"\t")
            tag, _, blob, stage = facts.decode("ascii").split(" ")
            name = os.fsdecode(path).removeprefix(place.shown)
            found[name] = _Indexed(blob, tag == "S", stage == "0")
    return found


def _chunks(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(paths), _AT_ONCE):
        yield paths[at : at + _AT_ONCE]
