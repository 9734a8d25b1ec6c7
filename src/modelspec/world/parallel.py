"""Threads for what waits: hashing lets go of the interpreter, so do disks and networks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(function: Callable[[A], B], items: Iterable[A], *, workers: int | None = None) -> list[B]:
    """Return function(item) for all items, in their order, several at a time.

    The first error ends it: what has not begun is not begun, and the error is raised when all that had
    begun has ended.
    """
    waiting = list(items)
    count = min(workers or cores(), len(waiting))
    if count <= 1:
        return [function(item) for item in waiting]
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(function, item) for item in waiting]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


def ahead(function: Callable[[A], B], items: Iterable[A], *, workers: int) -> Iterator[B]:
    """Yield function(item) in the order of the items, while at most `workers` next ones are under way."""
    source = iter(items)
    under_way: list[Future[B]] = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in source:
                under_way.append(pool.submit(function, item))
                if len(under_way) > workers:
                    yield under_way.pop(0).result()
            while under_way:
                yield under_way.pop(0).result()
        finally:
            for future in under_way:
                future.cancel()


def finished(function: Callable[[A], B], items: Iterable[A], *, workers: int) -> Iterator[tuple[A, B]]:
    """Yield (item, function(item)) as they end, in any order; no more than `workers` at a time."""
    source = iter(items)
    under_way: dict[Future[B], A] = {}
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in source:
                under_way[pool.submit(function, item)] = item
                if len(under_way) >= workers:
                    yield from _ended(under_way)
            while under_way:
                yield from _ended(under_way)
        finally:
            for future in under_way:
                future.cancel()


def _ended(under_way: dict[Future[B], A]) -> Iterator[tuple[A, B]]:
    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
    for future in done:
        yield under_way.pop(future), future.result()
