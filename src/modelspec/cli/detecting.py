"""Detects what the files of an artifact are, before any of them is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO

from modelspec.formats.artifact import Detected, detect
from modelspec.formats.foreign import Unreadable
from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Progress
from modelspec.tree.text import visible
from modelspec.world.shares import each_of

Opens = Callable[[], AbstractContextManager[BinaryIO]]


def detect_each(files: Mapping[str, Opens], *, shared: bool) -> list[tuple[str, Detected]]:
    """Return what each file is by its bytes; raises Refusal for one whose bytes contradict themselves.

    `shared`: they come through one connection, and so one after the other.
    """
    if shared:
        return [_detected(file, _silent) for file in files.items()]
    return each_of(_detected, list(files.items()), _silent)


def _detected(file: tuple[str, Opens], _: Progress) -> tuple[str, Detected]:
    path, opens = file
    try:
        with opens() as stream:
            return path, detect(stream)
    except Unreadable as error:
        raise Refusal(f"{visible(path, 200)} is refused: {error.message}", error.fix) from None


def _silent(_: int) -> None:
    """Tell nobody: little is read of a file."""
