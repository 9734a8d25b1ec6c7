"""The files of an artifact on their way into a store: from folders, files and pointers, as one tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelspec.tree.clean import UNSEEN
from modelspec.tree.finding import Refusal
from modelspec.tree.listing import paths_trouble
from modelspec.tree.paths import path_trouble
from modelspec.tree.protocols import SourceFile
from modelspec.tree.text import visible
from modelspec.world.files import LocalFile
from modelspec.world.folders import said
from modelspec.world.stores.pointers import DvcFile, LfsFile, dvc_tree, lfs_file, pointed_tree

State = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """Files of one tree, sorted by path, with what the disk said of each when they were found."""

    files: tuple[SourceFile, ...]
    states: tuple[State, ...]

    @property
    def bytes(self) -> int:
        """How many bytes there are."""
        return sum(state[0] for state in self.states)

    def unchanged(self, *, linked: bool = False) -> None:
        """Raise Refusal when a file is another one than it was: its format was told from other bytes.

        `linked`: a store has had a link to it, which sets the time of change.
        """
        for file, state in zip(self.files, self.states, strict=True):
            found = _state(place(file))
            if found != state and not (linked and _unlinked(found) == _unlinked(state)):
                raise Refusal(
                    f"{visible(str(place(file)), 200)} changed while it was registered",
                    "wait until nothing writes it",
                )


def source_of(paths: Sequence[Path]) -> Source:
    """Return the files at these paths: a folder with all below it, a file under its own name, a `.dvc` file.

    Raises Refusal for links, for what is missing, and for two files of one path.
    """
    files: list[SourceFile] = []
    for path in paths:
        shown = visible(str(path), 200)
        if path.is_symlink():
            raise Refusal(f"{shown} is a symbolic link", "name the file that it leads to")
        if not path.exists():
            raise Refusal(f"{shown} does not exist", "name the model's file or folder: --artifact PATH")
        if path.suffix == ".dvc" and path.is_file():
            files += dvc_tree(path)
        elif path.is_dir():
            files += pointed_tree(path)
        else:
            files.append(lfs_file(path.name, path) or LocalFile(path.name, path))
    return source_from(files)


def source_from(files: Sequence[SourceFile]) -> Source:
    """Return files as a source, sorted; raises Refusal for two of one path, and for none at all."""
    if not files:
        raise Refusal("there are no files in it", "an artifact has at least one")
    trouble = paths_trouble(file.path for file in files)
    unseen = next((file.path for file in files if UNSEEN.search(file.path)), None)
    if trouble is None and unseen is not None:
        raise Refusal(
            f"the path {visible(unseen)} has an invisible character", "rename it: no version can name it"
        )
    if trouble is not None:
        alone = any(path_trouble(file.path) is not None for file in files)
        raise Refusal(
            f"these can't be one tree of files: {trouble}",
            "rename what has such a path" if alone else "name a folder that holds them apart",
        )
    ordered = sorted(files, key=lambda file: file.path.encode("utf-8", "surrogateescape"))
    return Source(tuple(ordered), tuple(_state(place(file)) for file in ordered))


def place(file: SourceFile) -> Path:
    """Return where a file's bytes lie."""
    if not isinstance(file, LocalFile | DvcFile | LfsFile):
        raise TypeError(f"{file.path} lies nowhere on this disk")
    return file.file


def _unlinked(state: State) -> tuple[int, int, int]:
    return state[0], state[1], state[3]


def _state(path: Path) -> State:
    try:
        found = path.lstat()
    except OSError as error:
        raise Refusal(f"{visible(str(path), 200)} can't be read: {said(error)}") from None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
