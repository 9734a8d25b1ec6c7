"""Vertex AI request-response logging, as BigQuery exports it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelspec.formats.records.fields import batch_of, ids_of, stamp_in, text_of, time_of
from modelspec.formats.records.payload import PayloadError, parsed, tensors
from modelspec.tree.record import Record, Unreadable, Values
from modelspec.tree.recordform import Piece


class Vertex:
    """Rows of endpoint, deployed_model_id, logging_time, request_id, request_payload, response_payload."""

    name = "vertex"

    def knows(self, value: Mapping[str, Any]) -> bool:
        """By the id of the deployed model and the payloads."""
        return "deployed_model_id" in value and ("request_payload" in value or "response_payload" in value)

    def piece(self, value: Mapping[str, Any], path: str, place: str) -> Piece | Unreadable:
        """Return a row as a record; the id of the deployed model is a label."""
        label = text_of(value.get("deployed_model_id"))
        try:
            ids = ids_of(value.get("request_id"))
            for key in ("request_payload", "response_payload"):
                if value.get(key) in (None, "", []):
                    return Unreadable(place, f"the {key} of {ids[0]} is missing")
            inputs = _values(value["request_payload"], "inputs")
            record = Record(
                id=ids[0], place=place, time=time_of(value.get("logging_time")), stamp=stamp_in(label),
                label=label, batch=batch_of(inputs), inputs=inputs,
                outputs=_values(value["response_payload"], "outputs"),
            )  # fmt: skip
        except PayloadError as error:
            return Unreadable(place, str(error))
        return Piece(record, ids)


def _values(payload: Any, key: str) -> tuple[Values, ...]:
    """Return the tensors of a payload: JSON of the whole body, or a list of the JSON of each instance."""
    told = parsed(payload) if isinstance(payload, str) else payload
    if isinstance(told, list):
        told = [parsed(one) if isinstance(one, str) else one for one in told]
        if (
            len(told) == 1
            and isinstance(told[0], Mapping)
            and {"instances", "predictions", key} & told[0].keys()
        ):
            told = told[0]
    return tensors(told, key)
