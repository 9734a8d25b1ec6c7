"""A registry in parts that can be judged beside one another: all that bears a model's name is in one part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar
from zlib import crc32

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """Part `index` of `of`. Every file of a registry is in exactly one."""

    index: int = 0
    of: int = 1

    def has(self, path: str) -> bool:
        """Whether the file at this path is in this part."""
        return self.of == 1 or crc32(_owner(path).encode()) % self.of == self.index


class Share(Protocol):
    """Does work for every part of a registry, perhaps several at a time."""

    def __call__(self, work: Callable[[Part], T]) -> list[T]:
        """Return work(part) of all parts, in their order."""
        ...


def alone(work: Callable[[Part], T]) -> list[T]:
    """Do the work for the whole registry, as one part."""
    return [work(Part())]


def _owner(path: str) -> str:
    """Return the model that a path is about, the path itself where it is about none."""
    parts = path.split("/")
    if parts[:2] == ["registry", "models"]:
        return parts[2]
    about_a_pin = parts[:2] == ["registry", "environments"] and parts[3:4] == ["models"]
    return parts[4].removesuffix(".yaml") if about_a_pin else path
