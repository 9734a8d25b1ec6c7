"""KServe's logger, and Seldon's: CloudEvents over HTTP that somebody saved, or what KServe put in a store.

Request and response are two objects with one id. The stored form has no time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from modelspec.formats.records.fields import batch_of, bytes_of, ids_of, stamp_in, text_of, time_of
from modelspec.formats.records.openinference import sided, who
from modelspec.formats.records.payload import PayloadError, body
from modelspec.tree.record import Record, Unreadable
from modelspec.tree.recordform import Piece, Side

_TYPES: Final = ("org.kubeflow.serving.inference.", "io.seldon.serving.inference.")


class KServe:
    """CloudEvents (binary mode as headers and body, structured mode), and the blob store's objects."""

    name = "kserve"

    def knows(self, value: Mapping[str, Any]) -> bool:
        """By `ce-type`, by a CloudEvent's `type`, or by the stored form's `ReqType`."""
        names = {_folded(name) for name in value}
        if {"reqtype", "bytes"} <= names:
            return True
        return str(_said(value).get("type", "")).startswith(_TYPES)

    def piece(self, value: Mapping[str, Any], path: str, place: str) -> Piece | Unreadable:
        """Return the half that an object is."""
        said = _said(value)
        side = _side(said)
        if side is None:
            return Unreadable(place, "it is neither a request nor a response")
        try:
            ids = ids_of(said.get("requestid"), said.get("id"))
        except PayloadError as error:
            return Unreadable(place, f"a {side}: {error}")
        try:
            told = body(_body(said), text_of(said.get("contenttype")))
            fields = sided(told, side)
            known = who(told) if side == "response" else {}
            stamp = _stamp(said) or known.get("stamp")
            batch = batch_of(next(iter(fields.values())))
            model = known.get("model") or text_of(said.get("inferenceservicename"))
            label = known.get("label") or text_of(said.get("modelid"))
            record = Record(
                id=ids[0], place=place, time=time_of(said.get("time")), model=model, stamp=stamp, label=label,
                environment=known.get("environment"), slot=known.get("slot"), batch=batch,
                inputs=fields.get("inputs", ()), outputs=fields.get("outputs", ()),
            )  # fmt: skip
        except PayloadError as error:
            return Unreadable(place, f"the {side} of {ids[0]}: {error}")
        return Piece(record, ids, side)


def _said(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of an event by their folded names without `ce-`, its body as `body`."""
    folded = {_folded(name): one for name, one in value.items()}
    headers = folded.get("headers")
    if isinstance(headers, Mapping):
        folded |= {_folded(name): one for name, one in headers.items()}
    found = {name.removeprefix("ce"): one for name, one in folded.items() if name.startswith("ce")}
    said = {**folded, **found}
    if "reqtype" in folded:
        said |= {"type": folded["reqtype"], "inferenceservicename": folded.get("inferenceservice")}
    return said


def _body(said: Mapping[str, Any]) -> Any:
    if "reqtype" in said:
        return bytes_of(said.get("bytes"))
    if said.get("database64") is not None:
        return bytes_of(said["database64"])
    for key in ("data", "body"):
        if said.get(key) is not None:
            return said[key]
    raise PayloadError("its body is missing")


def _side(said: Mapping[str, Any]) -> Side | None:
    kind = str(said.get("type", "")).lower()
    if kind.endswith("request"):
        return "request"
    return "response" if kind.endswith("response") else None


def _stamp(said: Mapping[str, Any]) -> str | None:
    """Return the stamp among the annotations, as a map, as its JSON or as `key=value` texts."""
    for key in ("annotations", "metadata", "modelid"):
        told = said.get(key)
        if isinstance(told, Mapping):
            told = told.get("modelspec/stamp") or json.dumps(told, default=str)
        found = stamp_in(told if isinstance(told, str) else json.dumps(told, default=str))
        if found is not None:
            return found
    return None


def _folded(name: object) -> str:
    return str(name).replace("-", "").replace("_", "").lower()
