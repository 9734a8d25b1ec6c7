"""SageMaker Data Capture: JSON lines at <endpoint>/<variant>/yyyy/mm/dd/hh/."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from modelspec.formats.records.fields import batch_of, bytes_of, ids_of, stamp_in, text_of, time_of
from modelspec.formats.records.payload import PayloadError, body, tensors
from modelspec.tree.record import Record, Unreadable, Values
from modelspec.tree.recordform import Piece

_VARIANT: Final = re.compile(r"(?:^|/)([A-Za-z0-9-]{1,63})/[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{2}/[^/]+$")


class SageMaker:
    """`captureData.endpointInput` and `endpointOutput`, each with its encoding, and `eventMetadata`."""

    name = "sagemaker"

    def knows(self, value: Mapping[str, Any]) -> bool:
        """By its two keys."""
        return "captureData" in value and "eventMetadata" in value

    def piece(self, value: Mapping[str, Any], path: str, place: str) -> Piece | Unreadable:
        """Return a capture as a record; the variant in its path is its label, and its stamp if it is one."""
        captured, event = value.get("captureData"), value.get("eventMetadata")
        if not isinstance(captured, Mapping) or not isinstance(event, Mapping):
            return Unreadable(place, "it has no captureData or no eventMetadata")
        halves = [captured.get(key) for key in ("endpointInput", "endpointOutput")]
        for key, half in zip(("endpointInput", "endpointOutput"), halves, strict=True):
            if not isinstance(half, Mapping):
                return Unreadable(place, f"its {key} is missing")
        variant = _VARIANT.search(path)
        label = variant.group(1) if variant is not None else None
        try:
            ids = ids_of(event.get("inferenceId"), event.get("eventId"))
            inputs, outputs = (_values(half) for half in halves)
            record = Record(
                id=ids[0], place=place, time=time_of(event.get("inferenceTime")), stamp=stamp_in(label),
                label=label, batch=batch_of(inputs), inputs=inputs, outputs=outputs,
            )  # fmt: skip
        except PayloadError as error:
            return Unreadable(place, str(error))
        return Piece(record, ids)


def _values(half: Any) -> tuple[Values, ...]:
    encoding, data = half.get("encoding"), half.get("data")
    kind = text_of(half.get("observedContentType"))
    if encoding == "BASE64":
        return tensors(body(bytes_of(data), kind), "inputs", "outputs")
    if not isinstance(data, str):
        raise PayloadError("its data is no text")
    if encoding == "CSV":
        return tensors(data)
    if encoding == "JSON":
        return tensors(body(data, kind), "inputs", "outputs")
    raise PayloadError(f"its encoding is {encoding!r:.20}, none of CSV, JSON, BASE64")
