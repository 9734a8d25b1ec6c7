"""Azure ML's data collector: CloudEvents as JSON lines, inputs and outputs apart, joined by their id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from modelspec.formats.records.fields import batch_of, ids_of, stamp_in, text_of, time_of
from modelspec.formats.records.payload import PayloadError, body, tensors
from modelspec.tree.record import Record, Unreadable
from modelspec.tree.recordform import Piece, Side

_SIDES: Final[dict[str, Side]] = {
    "inputs": "request", "request": "request", "outputs": "response", "response": "response"
}  # fmt: skip
_DEPLOYMENT: Final = re.compile(r"/deployments/([A-Za-z0-9-]{1,63})(?:/|$)")
_RANGE: Final = re.compile(r"bytes 0-([0-9]+)/([0-9]+)")


class AzureMl:
    """Events of type `azureml.inference.inputs` and `.outputs` (or `.request`, `.response`)."""

    name = "azureml"

    def knows(self, value: Mapping[str, Any]) -> bool:
        """By the type of the event."""
        return str(value.get("type", "")).startswith("azureml.")

    def piece(self, value: Mapping[str, Any], path: str, place: str) -> Piece | Unreadable:
        """Return the half that an event is; its deployment is its label, and its stamp if it is one."""
        side = _SIDES.get(str(value.get("type", "")).rpartition(".")[2].lower())
        if side is None:
            return Unreadable(place, "its type is neither inputs nor outputs")
        try:
            ids = ids_of(value.get("xrequestid"), value.get("correlationid"))
            whole = _RANGE.fullmatch(str(value.get("contentrange", "")))
            if whole is not None and int(whole.group(1)) + 1 != int(whole.group(2)):
                raise PayloadError("its data is cut")
            if value.get("data") is None:
                raise PayloadError("its data is missing")
            told = tensors(body(value["data"]), "inputs" if side == "request" else "outputs")
            source = _DEPLOYMENT.search(str(value.get("source", "")))
            label = source.group(1) if source is not None else text_of(value.get("modelversion"))
            fields: dict[str, Any] = {"inputs" if side == "request" else "outputs": told}
            record = Record(
                id=ids[0], place=place, time=time_of(value.get("time")), stamp=stamp_in(label), label=label,
                batch=batch_of(told), **fields,
            )  # fmt: skip
        except PayloadError as error:
            return Unreadable(place, f"a {side}: {error}")
        return Piece(record, ids, side)
