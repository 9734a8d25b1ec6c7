"""KServe's InferenceService: the stamps and weights that it serves once it is ready."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from modelspec.formats.manifests import Group, Manifest, items, node, number, stamped, text
from modelspec.formats.pods import IDLE, ready_pods, since_of
from modelspec.tree.data import Data
from modelspec.tree.observed import Observation, Seen, Shown, Unclear
from modelspec.tree.text import plural, visible

GROUP: Final = "serving.kserve.io"
KIND: Final = "InferenceService"
SOURCE: Final = "kserve"


def services(objects: Sequence[Manifest]) -> dict[Group, list[Manifest]]:
    """Return the services of each model: one for each object that a slot is compiled to."""
    found: dict[Group, list[Manifest]] = {}
    for one in objects:
        if one.group == GROUP and one.kind == KIND and one.owner is not None:
            found.setdefault(one.owner, []).append(one)
    return found


def served(objects: Sequence[Manifest]) -> Iterator[Seen]:
    """Yield an observation for each model whose services are all ready and serve what they were told last.

    When it began is what their pods say, where the pods were saved with them: the service's own conditions
    stay as they are through a rolling update.
    """
    pods = ready_pods(objects)
    for owner, found in sorted(services(objects).items(), key=lambda item: (item[0][0] or "", item[0][1])):
        shown: list[Shown] = []
        unclear: list[Unclear] = []
        for one in found:
            slots = _slots(one)
            if isinstance(slots, Unclear):
                unclear.append(slots)
            else:
                shown += slots
        yield from unclear
        if unclear or not shown:
            continue
        since: datetime | None = since_of(pods.get(owner, ()), shown)
        yield Observation(
            SOURCE,
            found[0].place,
            f"{plural(len(found), 'InferenceService')} Ready, {found[0].place}",
            since,
            owner[1],
            owner[0],
            tuple(sorted(shown, key=lambda one: (one.slot, one.stamp))),
        )


def _slots(one: Manifest) -> list[Shown] | Unclear:
    transition = text(one.data, "status", "modelStatus", "transitionStatus") or "UpToDate"
    if one.condition("Ready").get("status") != "True" or not one.settled or transition != "UpToDate":
        return Unclear(one.place, f"it is not ready ({visible(transition)}): not counted until it is")
    traffic = [
        target for target in items(one.data, "status", "components", "predictor", "traffic")
        if (number(target, "percent") or 0) > 0
    ]  # fmt: skip
    if len(traffic) > 1:
        return Unclear(
            one.place,
            "its traffic goes to several revisions, of which only the latest one's stamp is shown",
            "use the Standard mode, in which a canary has a stamp of its own, or observe the pods",
            wrong=True,
        )
    predictor = _predictor(node(one.data, "spec", "predictor"), 100.0)
    if predictor is None:
        return Unclear(one.place, "it carries no stamp of modelspec: left out")
    found, left = [predictor], 100.0
    for canary in items(one.data, "spec", "canary"):
        percent = number(canary, "trafficPercent") or 0.0
        shown = _predictor(node(canary, "predictor"), percent)
        if shown is None:
            return Unclear(one.place, "its canary carries no stamp of modelspec: left out", wrong=True)
        found.append(shown)
        left -= percent
    if not 0 <= left <= 100:
        return Unclear(one.place, "the weights of its canaries make more than 100", wrong=True)
    if predictor.slot not in IDLE:
        found[0] = Shown(predictor.slot, predictor.stamp, left)
    return found


def _predictor(data: Data, share: float) -> Shown | None:
    known = stamped(data)
    return None if known is None else Shown(*known, 0.0 if known[0] in IDLE else min(share, 100.0))
