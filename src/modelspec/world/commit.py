"""Makes a commit beside the user's index, and moves a ref from what it was to what it is to be."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.snapshot import REGULAR, Patch
from modelspec.tree.text import visible
from modelspec.world.branch import Folders
from modelspec.world.folders import cure_in
from modelspec.world.git import Repository, author
from modelspec.world.gitprocess import Done
from modelspec.world.gittree import GitSnapshot

_PRIVATE: Final = "modelspec-index-"


def make_commit(
    repository: Repository, where: Folders, prefix: str, parent: str, patch: Patch, message: str,
    beside: Mapping[str, Path] = MappingProxyType({}),
) -> str:  # fmt: skip
    """Return a new commit: the tree of `parent` with a patch, on `parent`. No ref and no index is touched.

    `beside`: path -> the file on disk whose bytes, as they are, come with it. The caller holds
    the lock of `where.common`.
    """
    sweep(where)
    private = Path(tempfile.mkdtemp(prefix=_PRIVATE, dir=where.common))
    try:
        extra = {"GIT_INDEX_FILE": str(private / "index")}
        _done(repository.write("read-tree", parent, extra=extra))
        entries = index_info(repository, prefix, parent, patch) + _stored_blobs(repository, prefix, beside)
        _done(repository.write("update-index", "-z", "--index-info", given=entries, extra=extra))
        tree = _name(repository.write("write-tree", extra=extra))
    finally:
        shutil.rmtree(private, ignore_errors=True)
    made = repository.write(
        "commit-tree", tree, "-p", parent, "-F", "-", given=message.encode(), extra=author()
    )
    if made.code != 0 and ("identity" in made.err or "email" in made.err):
        raise Refusal(
            "git does not know who you are",
            'git config --global user.name "Your Name" && git config --global user.email you@example.com',
        )
    return _name(made)


def index_info(repository: Repository, prefix: str, parent: str, patch: Patch) -> bytes:
    """Write the new blobs of a patch; return what `update-index --index-info` reads to carry it out."""
    zero = "0" * (64 if repository.algorithm == "sha256" else 40)
    lines = []
    with GitSnapshot(repository, parent, prefix) as tree:
        for path, data in sorted(patch.items()):
            if data is None:
                lines.append(entry_line(prefix, path, 0, zero))
                continue
            blob = _name(repository.write("hash-object", "-w", "--stdin", given=data))
            known = tree.get(path)
            mode = known.mode if known is not None else REGULAR
            lines.append(entry_line(prefix, path, mode, blob))
    return b"".join(lines)


def entry_line(prefix: str, path: str, mode: int, blob: str) -> bytes:
    """Return one line that `update-index --index-info` reads."""
    return b"%o %s\t%s\0" % (mode, blob.encode(), os.fsencode(f"{prefix}/{path}" if prefix else path))


def _stored_blobs(repository: Repository, prefix: str, beside: Mapping[str, Path]) -> bytes:
    """Write blobs of files as they lie on disk, through no filter; git streams those that are large."""
    if not beside:
        return b""
    rows = sorted((path, file.absolute()) for path, file in beside.items())
    # One git for thousands of files; it reads a path to a line, so those that hold one have a git each.
    alone = [file for _, file in rows if "\n" in str(file)]
    given = b"".join(os.fsencode(file) + b"\n" for _, file in rows if "\n" not in str(file))
    done = _done(repository.write("hash-object", "-w", "--no-filters", "--stdin-paths", given=given))
    together = iter(done.out.decode().split())
    own = {
        file: _name(repository.write("hash-object", "-w", "--no-filters", "--", str(file))) for file in alone
    }
    return b"".join(
        entry_line(prefix, path, REGULAR, own[file] if file in own else next(together)) for path, file in rows
    )


def move(repository: Repository, ref: str, new: str, old: str | None, why: str) -> Done:
    """Let a ref stand at `new` if it stands at `old` (None: is not there)."""
    zero = "0" * len(new)
    return repository.write("update-ref", "-m", f"modelspec: {why}", ref, new, old or zero)


def sweep(where: Folders) -> None:
    """Remove the private indexes of runs that were killed; the lock says that none of them lives."""
    for stray in where.common.glob(f"{_PRIVATE}*"):
        shutil.rmtree(stray, ignore_errors=True)


def _name(done: Done) -> str:
    return _done(done).out.decode("ascii").strip()


def _done(done: Done) -> Done:
    if done.code != 0:
        said = done.err.strip().splitlines() or ["it was killed" if done.code < 0 else "no reason was given"]
        raise Refusal(
            f"git could not make the commit: {visible(said[0], 300)}; nothing was changed",
            cure_in(done.err),
        )
    return done
