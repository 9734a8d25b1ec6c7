"""Open Inference Protocol v2: a request and its response, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelspec.formats.records.fields import batch_of, ids_of, stamp_in, text_of, time_of
from modelspec.formats.records.payload import PayloadError, tensors
from modelspec.tree.record import Record, Unreadable, Values
from modelspec.tree.recordform import Piece


class OpenInference:
    """`{"request": {id, inputs}, "response": {model_name, model_version, id, outputs}}`."""

    name = "open-inference"

    def knows(self, value: Mapping[str, Any]) -> bool:
        """By its two keys; one of them alone is a record with a missing half."""
        return any(isinstance(value.get(key), Mapping) for key in ("request", "response"))

    def piece(self, value: Mapping[str, Any], path: str, place: str) -> Piece | Unreadable:
        """Return the pair as a record."""
        request, response = value.get("request"), value.get("response")
        for key, half in (("request", request), ("response", response)):
            if not isinstance(half, Mapping):
                return Unreadable(place, f"its {key} is missing")
        assert isinstance(request, Mapping) and isinstance(response, Mapping)
        try:
            ids = ids_of(response.get("id"), request.get("id"), value.get("id"))
            if len(ids) > 1:
                return Unreadable(place, "request, response and record have different ids")
            inputs = tensors(request, "inputs")
            return Piece(
                Record(
                    id=ids[0], place=place, time=time_of(value.get("time")), batch=batch_of(inputs),
                    inputs=inputs, outputs=tensors(response, "outputs"), **who(response),
                ),
                ids,
            )  # fmt: skip
        except PayloadError as error:
            return Unreadable(place, str(error))


def who(response: Any) -> dict[str, Any]:
    """Return what a response says of the version that gave it: model, stamp, label, environment, slot."""
    if not isinstance(response, Mapping):
        return {}
    said = response.get("parameters")
    parameters: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    version = text_of(response.get("model_version"))
    stamp = stamp_in(parameters.get("stamp")) or stamp_in(parameters.get("digest")) or stamp_in(version)
    return {
        "model": text_of(parameters.get("model")) or text_of(response.get("model_name")),
        "stamp": stamp,
        "label": version,
        "environment": text_of(parameters.get("environment")),
        "slot": text_of(parameters.get("slot")),
    }


def sided(body: Any, side: str) -> dict[str, tuple[Values, ...]]:
    """Return the tensors of one half as a record's fields."""
    if side == "request":
        return {"inputs": tensors(body, "inputs")}
    return {"outputs": tensors(body, "outputs")}
