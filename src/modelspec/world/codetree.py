"""The code at a commit as files of a tree: read from git's objects, never checked out."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.paths import fold, path_trouble
from modelspec.tree.protocols import Chunk
from modelspec.tree.snapshot import EXECUTABLE, irregular
from modelspec.tree.text import visible
from modelspec.world.folders import said
from modelspec.world.git import NoRepository, Repository, open_repository
from modelspec.world.gittree import GitSnapshot
from modelspec.world.objects import Objects, TooLarge

LIMIT: Final = 256 * 1024 * 1024
"""The most bytes of one file: each is held in memory once."""
_CLONES: Final = "--code names a clone, or a bundle of git"
_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ADDRESS: Final = re.compile(
    r"(?:https?|ssh|file)://[^\s\x00-\x1f]+|[A-Za-z0-9_.]+@[A-Za-z0-9.]+:[^\s\x00-\x1f:]+"
)
_SECRET: Final = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class CodeFile:
    """One file of the code, by the id of its blob; git's ids are of the content, and compared on reading."""

    path: str
    id: str
    objects: Objects
    lock: Lock

    def chunks(self) -> Iterator[Chunk]:
        """Yield its bytes."""
        with self.lock:
            data = self.objects.read(self.id, "blob", LIMIT)
        if isinstance(data, TooLarge):
            raise Refusal(f"{visible(self.path, 200)} has {data.size:,} bytes; the limit is {LIMIT:,}")
        yield data


@dataclass(frozen=True, slots=True)
class CodeTree:
    """The files that are written, which of them are executable, and (path, why) of those that are not."""

    files: tuple[CodeFile, ...]
    executable: frozenset[str]
    left_out: tuple[tuple[str, str], ...]


def has_commit(repository: Repository, commit: str) -> bool:
    """Whether a commit, by its whole id, is among the objects of a clone."""
    return (
        _ID.fullmatch(commit) is not None
        and repository.run("cat-file", "-e", f"{commit}^{{commit}}").code == 0
    )


@contextmanager
def code_at(repository: Repository, commit: str) -> Iterator[CodeTree]:
    """Open the whole tree of a commit; links, submodules and paths that lead elsewhere are left out of it."""
    objects, lock = Objects(repository), Lock()
    try:
        tree = GitSnapshot(repository, commit, "", objects)
        entries = [(path, blob.mode, blob.id) for path, blob in tree.walk("")]
        kept, left_out = clean(entries)
        files = tuple(CodeFile(path, identity, objects, lock) for path, _, identity in kept)
        executable = frozenset(path for path, mode, _ in kept if mode == EXECUTABLE)
        yield CodeTree(files, executable, tuple(left_out))
    finally:
        objects.close()


Row = tuple[str, int, str]


def clean(entries: Iterable[Row]) -> tuple[list[Row], list[tuple[str, str]]]:
    """Return the entries (path, mode, id) that can be files of one folder, and why the others can't."""
    kept: list[Row] = []
    left_out: list[tuple[str, str]] = []
    taken: dict[str, str] = {}
    for path, mode, identity in entries:
        why = _trouble(path, mode) or _place(path, taken)
        if why is None:
            kept.append((path, mode, identity))
        else:
            left_out.append((path, why))
    return kept, left_out


def _trouble(path: str, mode: int) -> str | None:
    fault = irregular(mode)
    if fault is not None:
        return fault.message
    found = path_trouble(path)
    return None if found is None else f"its path {found}"


def _place(path: str, taken: dict[str, str]) -> str | None:
    """Take the place of a path on a file system that folds case, or say who has it."""
    parts = path.split("/")
    steps = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    wanted = {fold(step): f"{step}/" for step in steps[:-1]} | {fold(path): path}
    for folded, step in wanted.items():
        known = taken.get(folded)
        if known is not None and (known != step or not step.endswith("/")):
            return f"it takes the same place as {visible(known)}"
    taken.update(wanted)
    return None


@contextmanager
def fetched(address: str, commit: str) -> Iterator[Repository]:
    """Fetch one commit from where its repository is, into a folder that is gone afterwards.

    Goes over the network. Raises Refusal for an address of another kind than https, ssh or file, and when the
    commit is not to be had there.
    """
    shown = visible(_SECRET.sub("", address), 200)
    if _ADDRESS.fullmatch(address) is None or _ID.fullmatch(commit) is None:
        raise Refusal(f"{shown} is no address that code is fetched from", "clone it yourself: --code CLONE")
    with _empty(sha256=len(commit) == 64) as here:
        done = here.connect(
            here.folder, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules",
            "--upload-pack=git-upload-pack", "--", address, commit, extra={},
        )  # fmt: skip
        if done.code != 0 or not has_commit(here, commit):
            told = _SECRET.sub("", (done.err.strip().splitlines() or ["it does not have the commit"])[-1])
            raise Refusal(f"{commit[:12]} can't be fetched from {shown}: {visible(told, 200)}")
        yield here


@contextmanager
def clone_at(place: Path) -> Iterator[Repository]:
    """Open a clone, or a bundle as one; raises Refusal for what is neither."""
    if place.is_file():
        with _unbundled(place) as clone:
            yield clone
        return
    if not place.is_dir():
        what = "is neither a folder nor a file" if os.path.lexists(place) else "does not exist"
        raise Refusal(f"{visible(str(place), 200)} {what}", _CLONES)
    try:
        found = open_repository(str(place))[0]
    except NoRepository as refusal:
        raise NoRepository(refusal.message, _CLONES) from None
    yield found


@contextmanager
def _unbundled(bundle: Path) -> Iterator[Repository]:
    """Open what a bundle of git holds as a clone, in a folder that is gone afterwards; raises Refusal."""
    shown = visible(str(bundle), 200)
    try:
        with bundle.open("rb") as stream:
            head = stream.read(200)
    except OSError as error:
        raise Refusal(f"{shown} can't be read: {said(error)}") from None
    with _empty(sha256=b"@object-format=sha256" in head) as here:
        done = here.run("bundle", "unbundle", str(bundle.absolute()))
        if done.code != 0:
            why = (done.err.strip().splitlines() or ["git can't read it"])[-1]
            raise Refusal(
                f"{shown} is no bundle that can be opened: {visible(why, 200)}",
                "git bundle create FILE --all, in a clone",
            )
        yield here


@contextmanager
def _empty(*, sha256: bool) -> Iterator[Repository]:
    """Make a bare repository without a template, a hook or a setting, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="modelspec-code-") as name:
        folder = Path(name)
        extensions = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
        (folder / "config").write_text(
            f"[core]\n\trepositoryFormatVersion = {int(sha256)}\n\tbare = true\n{extensions}"
        )
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        (folder / "objects").mkdir()
        (folder / "refs").mkdir()
        yield Repository(folder, True, True, "sha256" if sha256 else "sha1")
