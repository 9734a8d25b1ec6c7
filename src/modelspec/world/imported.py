"""Writes a commit of many files at once (`git fast-import`): no index, no work tree, one pack.

Git runs in a folder of its own that borrows this repository's objects, so that no ref of the repository is
touched: what it makes is a commit without a name, and whoever asked for it moves a ref there, or not.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.branch import Folders
from modelspec.world.folders import cure_in
from modelspec.world.git import Repository, author

_PREFIX: Final = "modelspec-import-"
_REF: Final = "refs/heads/made"


def commit_files(
    repository: Repository,
    where: Folders,
    parent: str | None,
    files: Mapping[str, bytes],
    message: str,
    kept: Iterable[tuple[str, str]] = (),
) -> str:
    """Return a new commit: the tree of `parent` (None: an empty one) with these files, by path from the top.

    `kept` are (path, id of a blob that is here) pairs. The caller holds the lock of `where.common`. Raises
    Refusal when git can't write, or does not know who commits.
    """
    for stray in where.common.glob(f"{_PREFIX}*"):
        shutil.rmtree(stray, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where.common))
    try:
        _prepare(folder, repository)
        stream = b"".join(_stream(_committer(repository), parent, files, message, kept))
        extra = {"GIT_OBJECT_DIRECTORY": str(where.common / "objects")}
        done = repository.run_in(
            folder, "fast-import", "--quiet", "--date-format=raw", given=stream, extra=extra
        )
        made = folder / _REF
        if done.code != 0 or not made.is_file():
            lines = done.err.strip().splitlines() or ["it was killed" if done.code < 0 else "no reason given"]
            raise Refusal(
                f"git could not write the commit: {visible(lines[0], 300)}; nothing was changed",
                cure_in(done.err),
            )
        return made.read_text("ascii").strip()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path, repository: Repository) -> None:
    sha256 = repository.algorithm == "sha256"
    extensions = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
    config = f"[core]\n\trepositoryFormatVersion = {int(sha256)}\n\tbare = true\n{extensions}"
    (folder / "config").write_text(config)
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (folder / "refs" / "heads").mkdir(parents=True)


def _committer(repository: Repository) -> bytes:
    """Return who commits and when, as git writes it into commits."""
    done = repository.write("var", "GIT_COMMITTER_IDENT", extra=author())
    if done.code != 0:
        raise Refusal(
            "git does not know who you are",
            'git config --global user.name "Your Name" && git config --global user.email you@example.com',
        )
    return done.out.rstrip(b"\n")


def _stream(
    who: bytes,
    parent: str | None,
    files: Mapping[str, bytes],
    message: str,
    kept: Iterable[tuple[str, str]],
) -> Iterator[bytes]:
    """Yield what fast-import reads. Paths are ours: they hold no line feed and begin with no quote."""
    text = message.encode()
    yield b"commit %s\ncommitter %s\ndata %d\n%s\n" % (_REF.encode(), who, len(text), text)
    if parent is not None:
        yield b"from %s\n" % parent.encode()
    for path, blob in kept:
        yield b"M 100644 %s %s\n" % (blob.encode(), os.fsencode(path))
    for path, data in sorted(files.items()):
        yield b"M 100644 inline %s\ndata %d\n" % (os.fsencode(path), len(data))
        yield data
        yield b"\n"
    yield b"\n"
