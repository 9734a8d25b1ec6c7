"""A tree in a bucket, by itself: registering one is tested with a real bucket beside `register`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelspec.tree.protocols import PlacedFile
from modelspec.world.stores.placed import PlacedTree
from world.stores.trees import goes_on


class Walked(tuple[PlacedFile, ...]):
    """Files that count how often all of them are gone through."""

    times = 0

    def __iter__(self) -> Iterator[PlacedFile]:
        Walked.times += 1
        return super().__iter__()


class Bucket:
    """Gives each object bytes of its own."""

    def cat_file(self, address: str, start: int, end: int, **_: Any) -> bytes:
        return address.encode()[-end:][start:end]


def test_a_file_is_found_without_going_through_all_of_them() -> None:
    files = Walked(PlacedFile(f"{number:03}", 3, "sha256:", "1") for number in range(100))
    tree = PlacedTree("s3://bucket/tree", files, Bucket())
    before = Walked.times
    for number in range(100):
        assert goes_on(tree, "", f"{number:03}", f"{number:03}".encode())
    assert Walked.times == before
