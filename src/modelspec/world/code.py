"""Which code trained a model: the commit around a file, its repository, and what is not committed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Chunk
from modelspec.tree.text import visible
from modelspec.tree.uri import public_repository
from modelspec.world.folders import real
from modelspec.world.git import NoRepository, Repository, open_repository
from modelspec.world.gitprocess import Done

_DIRTY: Final = re.compile(r"1 \S\S S.(?:M.|.U) \S+ \S+ \S+ \S+ \S+ (.*)", re.DOTALL)
"""A submodule, in what `git status --porcelain=v2` prints, that has changes of its own."""
_PLAIN: Final = ("--no-ext-diff", "--no-textconv", "--no-color", "--binary", "--full-index")


@dataclass(frozen=True, slots=True)
class Bytes:
    """Some bytes as a file on its way into a store."""

    path: str
    data: bytes

    def chunks(self) -> Iterator[Chunk]:
        """Yield them."""
        yield self.data


@dataclass(frozen=True, slots=True)
class CodeFound:
    """The code at a commit. `dirty`: paths that differ from it; `patch`: the difference, for `git apply`."""

    repository: str | None
    commit: str
    path: str
    dirty: tuple[str, ...] = ()
    patch: bytes = b""


def code_around(file: Path, besides: Iterable[Path] = ()) -> CodeFound:
    """Return what git says of the repository around a file; what lies below `besides` is never dirty.

    A file that git does not track yet is dirty. Raises Refusal where the file is in no repository, in none
    with a commit, or ignored there.
    """
    shown = visible(str(file), 200)
    if not file.exists():
        raise Refusal(f"{shown} does not exist", "name the training script: --code PATH")
    if file.is_symlink():
        # What is committed of it is a path, and not the code.
        raise Refusal(f"{shown} is a symbolic link", "name the file that it leads to")
    folder = file if file.is_dir() else file.parent
    try:
        repository, prefix, _ = open_repository(str(folder))
    except NoRepository:
        raise Refusal(
            f"{shown} is in no git repository",
            'commit the code that trained the model; lost: --unknown code="why"',
        ) from None
    done = repository.run("rev-parse", "--verify", "--end-of-options", "HEAD^{commit}")
    if done.code != 0:
        raise Refusal(
            f"the repository around {shown} has no commit", "commit the code that trained the model"
        )
    commit = done.out.decode().strip()
    top = Path(os.fsdecode(repository.run("rev-parse", "--show-toplevel").out).removesuffix("\n"))
    path = "/".join(part for part in (prefix, "" if file.is_dir() else file.name) if part) or "."
    outside = [where for one in besides for where in _below(top, one)]
    dirty = tuple(_dirty(repository, outside))
    inside = "." if file.is_dir() else file.name
    tracked = bool(repository.run("ls-files", "-z", "--", f":(literal){inside}").out)
    if not tracked and not any(one == path or path == "." or one.startswith(path + "/") for one in dirty):
        # A file that is new is in the difference; this one would be in nothing that is recorded.
        raise Refusal(
            f"{shown} is ignored by git, or no code by its place: neither a commit nor code.patch has it",
            "git add --force it and commit; or name the file that trains, --code PATH",
        )
    return CodeFound(
        _address(repository), commit, path, dirty, _patch(repository, top, dirty, outside) if dirty else b""
    )


def _below(top: Path, path: Path) -> Iterator[str]:
    """Yield where a path lies below a folder: by its name, which may be a link, and by where that leads."""
    for place in dict.fromkeys((real(path.parent) / path.name, real(path))):
        with suppress(ValueError):
            if (where := place.relative_to(real(top)).as_posix()) != ".":
                yield where


def _dirty(repository: Repository, outside: list[str]) -> Iterator[str]:
    done = repository.run(
        "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=none"
    )
    if done.code != 0:
        raise Refusal("git can't say whether the code is committed", "git status says why")
    for entry in os.fsdecode(done.out).split("\0"):
        path = entry[3:]
        if path and not any(path == one or path.startswith(one + "/") for one in outside):
            yield path


def _patch(repository: Repository, top: Path, dirty: tuple[str, ...], outside: list[str]) -> bytes:
    """Return what `git apply` makes of the commit what is in the work tree, but for what lies outside.

    What is left out is named to git, since that is little: no system takes a hundred thousand paths to go in.
    """
    here = Repository(top, False, repository.shallow, repository.algorithm)
    inside = sorted(set(_unrecorded(here)) & set(dirty))
    if inside:
        raise Refusal(
            f"the submodule {visible(inside[0], 200)} has changes that code.patch can't hold",
            "commit them in it",
        )
    if (nested := next((path for path in dirty if path.endswith("/")), None)) is not None:
        raise Refusal(
            f"{visible(nested, 200)} is a repository of its own, which code.patch can't hold",
            "add it as a submodule and commit that; or have git ignore it, if it is none of the code",
        )
    wanted = [".", *(f":(exclude,literal){path}" for path in outside)]
    listed = here.run("ls-files", "-z", "--others", "--exclude-standard", "--", *wanted).out
    new = [path for path in os.fsdecode(listed).split("\0") if path]
    with tempfile.TemporaryDirectory(prefix="modelspec-") as private:
        extra = {"GIT_INDEX_FILE": str(_index_with(here, new, Path(private)))} if new else {}
        done = here.write("diff", *_PLAIN, "HEAD", "--", *wanted, extra=extra)
    return _written(done).out


def _index_with(repository: Repository, new: list[str], private: Path) -> Path:
    """Return a copy of the index that has new files as well: git compares what an index knows, in one run."""
    named = os.fsdecode(repository.run("rev-parse", "--git-path", "index").out).removesuffix("\n")
    copy, empty = private / "index", hashlib.new(repository.algorithm, b"blob 0\0").hexdigest()
    if (index := repository.folder / named).exists():
        # With its time: what was changed in the second in which it was written is compared by its bytes.
        shutil.copy2(index, copy)
    lines = b"".join(b"100644 %s\t%s\0" % (empty.encode(), os.fsencode(path)) for path in new)
    extra = {"GIT_INDEX_FILE": str(copy)}
    _written(repository.write("update-index", "-z", "--replace", "--index-info", given=lines, extra=extra))
    return copy


def _written(done: Done) -> Done:
    if done.code != 0:
        told = (line for line in done.err.splitlines() if line.startswith(("error: ", "fatal: ")))
        said = visible("; ".join(told) or done.err, 300)
        raise Refusal(
            f"git can't write down what is not committed: {said}",
            "commit it, or have git ignore what is none of the code",
        )
    return done


def _unrecorded(repository: Repository) -> Iterator[str]:
    """Yield submodules with changes of their own: a difference names a commit of theirs alone."""
    done = repository.run("status", "--porcelain=v2", "-z", "--no-renames", "--ignore-submodules=none")
    for entry in os.fsdecode(done.out).split("\0"):
        if (match := _DIRTY.fullmatch(entry)) is not None:
            yield match[1]


def _address(repository: Repository) -> str | None:
    """Return where the repository is for others; None where that is no plain address."""
    done = repository.run("config", "--null", "--get", "remote.origin.url")
    url = os.fsdecode(done.out).split("\0")[0] if done.code == 0 else ""
    return public_repository(url)
