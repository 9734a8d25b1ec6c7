"""Databricks inference tables, in both layouts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelspec.formats.records.fields import batch_of, ids_of, stamp_in, text_of, time_of
from modelspec.formats.records.payload import PayloadError, body, tensors
from modelspec.tree.record import Record, Unreadable
from modelspec.tree.recordform import Piece


class Databricks:
    """Rows with `databricks_request_id`; the entity that served, or its name and version, is a label."""

    name = "databricks"

    def knows(self, value: Mapping[str, Any]) -> bool:
        """By its id and its payloads."""
        return {"databricks_request_id", "request", "response"} <= value.keys()

    def piece(self, value: Mapping[str, Any], path: str, place: str) -> Piece | Unreadable:
        """Return a row as a record."""
        try:
            ids = ids_of(value.get("client_request_id"), value.get("databricks_request_id"))
        except PayloadError as error:
            return Unreadable(place, str(error))
        status = value.get("status_code")
        if status is not None and str(status) != "200":
            return Unreadable(place, f"{ids[0]} has no answer: its status is {str(status)[:10]}")
        for key in ("request", "response"):
            if value.get(key) in (None, ""):
                codes = value.get("logging_error_codes")
                return Unreadable(
                    place, f"the {key} of {ids[0]} is missing{f': {codes}' if codes else ''}"[:200]
                )
        metadata = value.get("request_metadata")
        said: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
        label = text_of(value.get("served_entity_id")) or text_of(said.get("model_version"))
        try:
            inputs = tensors(body(value["request"]), "inputs")
            when = value.get("request_time") if "request_time" in value else value.get("timestamp_ms")
            record = Record(
                id=ids[0], place=place, time=time_of(when), model=text_of(said.get("model_name")),
                stamp=stamp_in(label), label=label, batch=batch_of(inputs), inputs=inputs,
                outputs=tensors(body(value["response"]), "outputs"),
            )  # fmt: skip
        except PayloadError as error:
            return Unreadable(place, f"{ids[0]}: {error}")
        return Piece(record, ids)
