"""The second demo: somebody complains about one prediction; who made it, from what, and would it come again?

    make demo-trace

A real MLServer serves and keeps its request log while requests flow, versions are promoted and one is
rolled back. Then one request is traced and asked again. Works in a scratch clone, leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clone import Clone, Failed
from engine import ENVIRONMENT, MODEL, Engine, serving
from observing import looked
from registering import emptied, pinned, registered, trained
from steps import PIN, carried_out, promote, step, verdict

FIRST, SECOND, THIRD = "2.3.0", "2.3.1", "2.4.0"
APART = 0.02
"""Seconds between two requests."""
FLOW_SECONDS = 2.0
"""How long requests flow through each version."""
FLUSH_SECONDS = 1


@dataclass
class Traffic:
    """Requests that flow whatever happens to the pins; what each was, and what came back."""

    engine: Engine
    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Ask until told to stop: trips of up to 30 km, at any hour, in up to 20 mm of rain."""
        chance = random.Random(7)
        while not self._over.wait(APART):
            trip = [chance.random(), chance.randrange(4), chance.randrange(24), chance.random() * 20]
            self.ask(trip)

    def ask(self, trip: list[float]) -> dict[str, Any]:
        """Ask once; the server gives the request its id."""
        try:
            answer = self.engine.infer([trip])
        except (Failed, OSError) as error:
            self.failures.append(str(error))
            return {}
        self.answers.append(answer)
        return answer

    def flow(self) -> None:
        """Let it flow for a while."""
        time.sleep(FLOW_SECONDS)

    def by(self, version: str) -> list[dict[str, Any]]:
        """Return what a version answered, as it said itself."""
        return [answer for answer in self.answers if answer["model_version"] == version]

    def stop(self) -> None:
        """End it."""
        self._over.set()


def demo(folder: Path) -> None:
    """Run all steps; raise Failed at the first that does not hold."""
    step(1, "A scratch clone; the example's models are trained and registered, and what serves keeps a log.")
    clone = Clone(folder)
    emptied(clone)
    registered(clone, trained(clone, folder / "trained"))
    clone.say(
        "modelspec", "derive", MODEL, THIRD, "--from", SECOND,
        "--set", "config.thresholds.late.value=20", "--commit",
    )  # fmt: skip
    pinned(clone)
    keep_log(clone)
    log = folder / "records"
    os.environ["MODELSPEC_RECORDS"] = str(log)

    step(2, "MLServer serves; requests flow while two versions are promoted and the second is rolled back.")
    with serving(clone, folder) as engine:
        traffic = Traffic(engine)
        thread = threading.Thread(target=traffic.run, daemon=True)
        thread.start()
        try:
            broken = changed(clone, engine, traffic)
        finally:
            traffic.stop()
            thread.join()
    verdict(f"{len(traffic.answers)} requests were answered, none failed", not traffic.failures)

    step(3, f"A complaint about one answer of {FIRST}. All that is known of it is its id.")
    complaint = traffic.by(FIRST)[len(traffic.by(FIRST)) // 2]
    traced(clone, log, complaint)

    step(4, "It is asked again: the same artifact, threads and batch.")
    said = clone.say("modelspec", "replay", complaint["id"], "--log", str(log))
    verdict("the answer comes again, bit for bit", "bit-equal" in said)

    step(5, "Another request, whose values broke the contract that the version was trained on.")
    said = clone.say("modelspec", "trace", broken["id"], "--log", str(log))
    verdict("the rain that no training trip had is marked", "500 is outside 0 to 80" in said)

    step(6, f"The whole log again: through whoever answered, and what {SECOND} would have said.")
    again = json.loads(clone.run("modelspec", "replay", "--log", str(log), "--format", "json"))
    clone.say("modelspec", "replay", "--log", str(log))
    clone.say("modelspec", "replay", "--log", str(log), "--version", f"{MODEL}@{SECOND}")
    verdict("every answer comes again, bit for bit", all_equal(again, len(traffic.answers)))

    step(7, "What the model is given, against its contract and the sample that it was trained on.")
    clone.say("modelspec", "skew", MODEL, ENVIRONMENT, "--log", str(log))
    clone.say("modelspec", "timeline", MODEL, ENVIRONMENT)


def keep_log(clone: Clone) -> None:
    """Have the pin ask for a request log, and compile that."""
    path = clone.folder / PIN
    before = path.read_text()
    after = before.replace(
        "  mlserver: {}\n", f"  mlserver: {{log: {{sample: 100, flush_seconds: {FLUSH_SECONDS}}}}}\n"
    )
    if after == before:
        raise Failed(f"{PIN} does not say `mlserver: {{}}`")
    path.write_text(after)
    clone.say("git", "diff", "--unified=0", "--no-color", "--", PIN)
    clone.say("modelspec", "check")
    clone.say("modelspec", "compile")
    clone.commit("Keep a log of the requests")


def changed(clone: Clone, engine: Engine, traffic: Traffic) -> dict[str, Any]:
    """Promote twice and roll back while requests flow; return the answer to a request that is broken."""
    verdict("a receipt says who serves", looked(clone, ENVIRONMENT, engine.address, FIRST))
    traffic.flow()
    broken = traffic.ask([0.4, 1, 8, 500.0])
    for version in (SECOND, THIRD):
        promote(clone, version)
        compiled(clone, engine, f"Promote {MODEL} {version} to {ENVIRONMENT}")
        verdict("a receipt says who serves", looked(clone, ENVIRONMENT, engine.address, version))
        traffic.flow()
    clone.say("git", "revert", "--no-edit", "HEAD")
    compiled(clone, engine, None)
    verdict("a receipt says who serves", looked(clone, ENVIRONMENT, engine.address, SECOND))
    traffic.flow()
    return broken


def compiled(clone: Clone, engine: Engine, message: str | None) -> None:
    """Compile, commit unless a revert did, and let the engine read it."""
    clone.run("modelspec", "check")
    clone.say("modelspec", "compile")
    if message is not None:
        clone.commit(message)
    engine.reload()


def traced(clone: Clone, log: Path, complaint: dict[str, Any]) -> None:
    """Trace the complaint; what is said must be what the engine said when it answered."""
    clone.say("modelspec", "trace", complaint["id"], "--log", str(log))
    told = json.loads(clone.run("modelspec", "trace", complaint["id"], "--log", str(log), "--format", "json"))
    said = complaint["parameters"]["digest"]
    known = [one["version"]["digest"] for one in told["traces"]] == [said]
    verdict(f"it was {MODEL} {FIRST}, as the engine said when it answered", known)


def all_equal(told: dict[str, Any], asked: int) -> bool:
    """Whether a bulk replay asked every request and got every bit again."""
    sums = told["versions"]
    equal = sum(one["verdicts"]["bit-equal"] for one in sums)
    return bool(equal == asked and not told["skipped"] and len(sums) == len((FIRST, SECOND, THIRD)))


if __name__ == "__main__":
    sys.exit(carried_out(demo))
