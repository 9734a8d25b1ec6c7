"""Bisection with verdicts that may be missing, as `git bisect run` does it, over any numbered states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "bad", "skip"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a bisection found: the first bad state is one of `suspects` (more than one: skips hide which).

    Without suspects `why` says why there is nothing to find.
    """

    suspects: tuple[int, ...]
    why: str = ""


def bisect(count: int, judge: Callable[[int], Verdict]) -> Outcome:
    """Find the first bad one of the states 0 to `count - 1`; `judge` is asked once for each at most.

    The last state has to be bad and the first good, which is tried; ends that can't be judged give way to
    their neighbours.
    """
    known: dict[int, Verdict] = {}

    def ask(index: int) -> Verdict:
        if index not in known:
            known[index] = judge(index)
        return known[index]

    bad = _first_judged(ask, range(count - 1, -1, -1))
    if bad is None:
        return Outcome((), "no state could be judged")
    if known[bad] == "good":
        return Outcome((), "it does not fail at the newest state that could be judged")
    good = _first_judged(ask, range(bad))
    if good is None:
        return Outcome((), "it fails at the only state that could be judged")
    if known[good] == "bad":
        return Outcome((), "it fails at the oldest state already")
    while True:
        middle = next((index for index in _inside(good, bad) if ask(index) != "skip"), None)
        if middle is None:
            return Outcome(tuple(range(good + 1, bad + 1)))
        if known[middle] == "good":
            good = middle
        else:
            bad = middle


def _first_judged(ask: Callable[[int], Verdict], indices: range) -> int | None:
    return next((index for index in indices if ask(index) != "skip"), None)


def _inside(good: int, bad: int) -> Iterator[int]:
    """Yield what lies between, the middle first and then away from it on both sides."""
    middle = (good + bad) // 2
    for step in range(bad - good):
        for index in dict.fromkeys((middle - step, middle + step)):
            if good < index < bad:
                yield index
