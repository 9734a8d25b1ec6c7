"""Several at a time: in order, bounded, and ended by the first error."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from modelspec.world.parallel import ahead, each, finished, go_on


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


def long() -> None:
    """Work that takes a minute, if nobody ends it."""
    for _ in range(6000):
        go_on()
        time.sleep(0.01)


def test_an_interruption_ends_what_takes_long() -> None:
    def work(item: int) -> None:
        if item == 0:
            os.kill(os.getpid(), signal.SIGINT)
        long()

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        each(work, range(20), workers=2)
    assert time.monotonic() - begin < 20


def test_an_interruption_ends_what_is_begun_in_what_is_begun() -> None:
    """As `verify` does: versions beside one another, and the files of each."""
    ended = list[int]()

    def inner(item: int) -> None:
        try:
            long()
        finally:
            ended.append(item)

    def outer(item: int) -> None:
        if item == 1:
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)
        each(inner, range(2), workers=2)

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(finished(outer, range(2), workers=2))
    assert time.monotonic() - begin < 20
    assert len(ended) >= 2


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal to one thread alone")
def test_a_signal_that_another_thread_gets_is_an_interruption_too() -> None:
    """Which thread the system gives it to is its own choice; the main one is not woken by that."""
    let_go = threading.Event()

    def stuck(item: int) -> None:
        if item == 1:
            time.sleep(0.2)
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        let_go.wait(20)

    begin = time.monotonic()
    for run in (
        lambda: each(stuck, range(2), workers=2),
        lambda: list(finished(stuck, range(2), workers=2)),
        lambda: list(ahead(stuck, range(2), workers=2)),
    ):
        with pytest.raises(KeyboardInterrupt):
            run()
    let_go.set()
    assert time.monotonic() - begin < 20


def test_an_interruption_waits_for_no_network() -> None:
    """A thread that is in the system's hands can't be ended: it is left behind."""
    let_go = threading.Event()

    def stuck(item: int) -> None:
        if item == 0:
            os.kill(os.getpid(), signal.SIGINT)
        let_go.wait(60)

    begin = time.monotonic()
    for run in (
        lambda: each(stuck, range(2), workers=2),
        lambda: list(finished(stuck, range(2), workers=2)),
        lambda: list(ahead(stuck, range(2), workers=2)),
    ):
        with pytest.raises(KeyboardInterrupt):
            run()
    assert time.monotonic() - begin < 20
    let_go.set()


def test_an_error_ends_what_comes_after_it_and_not_what_came_before() -> None:
    """So it is the one of the first item that has one, however long that takes."""
    begun, begin = threading.Barrier(3), time.monotonic()

    def work(item: int) -> None:
        begun.wait()
        if item == 2:
            long()
        for _ in range(20 * (1 - item)):
            go_on()
            time.sleep(0.01)
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        each(work, range(3), workers=3)
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("most", [0, 1, 2])
def test_where_no_more_threads_are_to_be_had_those_that_there_are_do_it(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = threading.Thread.start, list[int]()

    def few(thread: threading.Thread) -> None:
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(1)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", few)
    assert each(lambda item: item * item, range(7), workers=3) == [0, 1, 4, 9, 16, 25, 36]
    started.clear()
    with pytest.raises(ValueError, match="7"):
        each(Counted(), range(20), workers=3)
    started.clear()
    assert list(ahead(lambda item: item * item, range(7), workers=3)) == [0, 1, 4, 9, 16, 25, 36]
    started.clear()
    count = Counted()
    assert dict(finished(count, range(7), workers=3)) == {number: number * number for number in range(7)}
    assert count.calls == 7
    started.clear()
    with pytest.raises(ValueError, match="7"):
        list(finished(Counted(), range(20), workers=3))


def test_nothing_ends_outside_of_it() -> None:
    with pytest.raises(ValueError, match="1"):
        each(lambda item: [go_on(), int(f"{item}x")], [1, 2], workers=2)
    go_on()
    assert each(lambda _: go_on(), range(5), workers=1) == [None] * 5


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


def test_of_several_errors_the_first_item_s_is_raised() -> None:
    together = threading.Barrier(2, timeout=10)

    def failing(item: int) -> None:
        together.wait()
        if item == 0:
            time.sleep(0.05)
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        each(failing, range(2), workers=2)
