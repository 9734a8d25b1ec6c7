"""`hold` and `retire`: a pin that must not move on, and a version that must not be pinned again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from modelspec.change import model as models
from modelspec.change.pin import explained
from modelspec.change.proposal import Declined, Proposal, Step
from modelspec.change.words import reason as reason_of
from modelspec.spec.base import ref_name
from modelspec.spec.kinds import MODEL, PIN, VERSION
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry


def hold(
    registry: Registry, model: str, environments: Sequence[str], text: str | None, link: str | None = None
) -> Proposal | Declined:
    """Return the edits that hold the pins of a model with a reason, or (without one) release them."""
    patch: dict[str, bytes | None] = {}
    steps: list[Step] = []
    already: list[str] = []
    verb = "release" if text is None else "hold"
    for environment in environments:
        pin = registry.get(PIN, environment, model)
        if not isinstance(pin, Entry):
            return Declined(
                f"{environment} has no pin of {model} that can be read", "modelspec list says what is pinned"
            )
        there = pin.value.hold
        same = (
            there is None if text is None else there is not None and (there.text, there.link) == (text, link)
        )
        if same:
            already.append(f"{model} in {environment} is {'not held' if text is None else 'held already'}")
            continue
        after = explained(pin.document.source, "hold", None if text is None else reason_of(text, link))
        if not isinstance(after, bytes):
            return Declined.of(pin.path, after)
        patch[pin.path] = after
        steps.append(Step(verb, model, environment))
    title = f"{verb.capitalize()} {model} in {', '.join(environments)}"
    return Proposal(
        verb, title, f"{'+'.join(environments)}/{model}", patch, tuple(steps), already=tuple(already)
    )


def retire(
    registry: Registry,
    model: str,
    version: str,
    state: Literal["archived", "withdrawn"],
    reason: str,
    link: str | None = None,
) -> Proposal | Declined:
    """Return the edit that gives a version its line in `retired`; a line is never taken back."""
    owner = registry.get(MODEL, model)
    entry = registry.get(VERSION, model, version)
    if not isinstance(owner, Entry):
        return Declined(f"{MODEL.locate(model)} can't be read", "modelspec check says why")
    known = next((one for one in owner.value.retired if ref_name(one.version) == version), None)
    title, branch = f"Retire {model} {version}: {state}", f"retire-{model}-{version}"
    if known is not None and (known.state == state or known.state == "withdrawn"):
        if known.state != state:
            return Declined(
                f"{model} {version} is withdrawn, which is not taken back", "publish a new version of it"
            )
        return Proposal("retire", title, branch, already=(f"{model} {version} is {state} already",))
    if not isinstance(entry, Entry) and known is None:
        return Declined(f"{model} {version} is not published", f"modelspec list {model} lists the versions")
    ref = f"{version}@{entry.digest}" if isinstance(entry, Entry) else known.version if known else ""
    after = models.retired(owner.document.source, owner.value, ref, state, reason, link)
    if not isinstance(after, bytes):
        return Declined.of(owner.path, after)
    return Proposal(
        "retire", title, branch, {owner.path: after}, (Step(f"retire {state}", model, "", "", version),)
    )
