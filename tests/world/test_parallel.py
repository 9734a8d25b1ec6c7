"""Several at a time: in order, bounded, and ended by the first error."""

from __future__ import annotations

import threading
import time

import pytest

from modelspec.world.parallel import ahead, each, finished


class Counted:
    def __init__(self) -> None:
        self.now = self.most = self.calls = 0
        self.one = threading.Lock()

    def __call__(self, item: int) -> int:
        with self.one:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.002)
        with self.one:
            self.now -= 1
        if item == 7:
            raise ValueError(item)
        return item * item


@pytest.mark.parametrize("workers", [1, 3])
def test_each_keeps_the_order(workers: int) -> None:
    count = Counted()
    assert each(count, range(7), workers=workers) == [0, 1, 4, 9, 16, 25, 36]
    assert count.most <= workers


def test_the_first_error_ends_it() -> None:
    count = Counted()
    with pytest.raises(ValueError, match="7"):
        each(count, range(1000), workers=2)
    assert count.calls < 100


def test_what_is_fetched_ahead_is_bounded_and_in_order() -> None:
    count = Counted()
    assert list(ahead(count, range(6), workers=2)) == [0, 1, 4, 9, 16, 25]
    assert count.most <= 2
    begun = Counted()
    reading = ahead(begun, range(100, 1000), workers=2)
    next(reading)
    time.sleep(0.05)
    assert begun.calls <= 4


def test_what_ends_is_told_with_what_it_was() -> None:
    count = Counted()
    assert dict(finished(count, range(7), workers=3)) == {number: number * number for number in range(7)}
    assert count.most <= 3
