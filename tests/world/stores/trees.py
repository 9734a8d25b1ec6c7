"""Trees to put into stores."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelspec.tree.protocols import Store
from modelspec.world.files import LocalFile, local_tree
from world.trees import put

SMALL = {"model.onnx": b"m" * 5000, "vocab/tokens.txt": b"t" * 700, "empty": b""}


def laid(folder: Path, files: Mapping[str, bytes] = SMALL) -> list[LocalFile]:
    """Write files to a folder; return them as a tree."""
    for path, data in files.items():
        put(folder, path, data)
    return local_tree(folder)


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that no transfer can shorten."""
    return random.Random(seed).randbytes(size)


def goes_on(store: Store, tree: str, path: str, data: bytes) -> bool:
    """Whether a store gives a file from its beginning, from a few bytes in it, and from its end."""
    starts = (0, 1, len(data) // 2, len(data) - 1, len(data), len(data) + 1)
    return all(b"".join(map(bytes, store.open(tree, path, at))) == data[at:] for at in starts)


@dataclass(frozen=True)
class Given:
    """A file with any path, hostile ones too."""

    path: str
    data: bytes = b"x"

    def chunks(self) -> Iterator[bytes]:
        yield self.data


class Changing:
    """A file that is another one each time it is read."""

    path = "model"

    def __init__(self) -> None:
        self._times = 0

    def chunks(self) -> Iterator[bytes]:
        self._times += 1
        yield b"%d" % self._times * 12_000_000
