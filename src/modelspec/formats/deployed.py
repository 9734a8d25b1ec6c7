"""From the JSON of any system that is known here to what it shows: one door for all observers."""

from __future__ import annotations

from typing import Final

from modelspec.formats import argocd, flux, kserve, pods
from modelspec.formats.foreign import Unreadable
from modelspec.formats.inference_metadata import answered, is_metadata
from modelspec.formats.manifests import Manifest, manifests
from modelspec.formats.sagemaker import described, is_endpoint
from modelspec.formats.strictjson import read_json
from modelspec.tree.data import Data
from modelspec.tree.observed import Seen, Unclear

_APPLIED: Final = {(argocd.GROUP, argocd.KIND): argocd.applied, (flux.GROUP, flux.KIND): flux.applied}
_ROUTED: Final = {kserve.KIND, "Deployment", "Pod", "ReplicaSet"}


def deployed(source: bytes, place: str) -> list[Seen]:
    """Return what saved JSON shows; raises Unreadable for what is no JSON of a system that is known.

    `place` names where it came from, for what carries no name of its own.
    """
    return shown(read_json(source), place)


def shown(data: Data, place: str) -> list[Seen]:
    """Return what a system shows, from its data as JSON."""
    if is_endpoint(data):
        return list(described(data))
    if is_metadata(data):
        return [answered(data, place)]
    objects = list(manifests(data))
    known = [one for one in objects if (one.group, one.kind) in _APPLIED or one.kind in _ROUTED]
    if objects and not known:
        kinds = ", ".join(sorted({one.kind for one in objects})[:5])
        raise Unreadable(f"none of its objects says what is deployed ({kinds})", _FIX)
    if not objects and not _is_empty_list(data):
        raise Unreadable("it is of no system that is known here", _FIX)
    return [*_of_revisions(known), *_of_stamps(known)]


_FIX: Final = (
    "save `kubectl get applications.argoproj.io|kustomizations|inferenceservices|deployments,pods -o json`, "
    "`aws sagemaker describe-endpoint`, or GET /v2/models/MODEL"
)


def _of_revisions(objects: list[Manifest]) -> list[Seen]:
    return [seen for one in objects for seen in _APPLIED.get((one.group, one.kind), _nothing)(one)]


def _of_stamps(objects: list[Manifest]) -> list[Seen]:
    found = list(kserve.served(objects))
    found += pods.running(objects, frozenset(kserve.services(objects)))
    strange = [one for one in objects if one.kind in (kserve.KIND, "Deployment") and one.owner is None]
    found += [Unclear(one.place, "it names no model of modelspec: left out") for one in strange]
    return found


def _nothing(one: Manifest) -> list[Seen]:
    return []


def _is_empty_list(data: Data) -> bool:
    return isinstance(data, dict) and str(data.get("kind", "")).endswith("List") and data.get("items") == []
