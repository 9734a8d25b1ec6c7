"""Receipts: proof that an environment really switched, and when.

receipts/<environment>/<model>/<yyyy-mm>/<digest>.json on a branch of their own; a receipt's name is the
sha256 of its canonical JSON (RFC 8785), so that the same fact told twice is one file.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from modelspec.spec.base import Instant, Name, Seq, Text, Value
from modelspec.spec.instant import instant
from modelspec.tree.digest import canonical, sha256
from modelspec.tree.text import visible

BRANCH: Final = "modelspec/receipts"
FOLDER: Final = "receipts"
LIMIT: Final = 64 * 1024
"""The most bytes of one receipt."""


class ReceiptSlot(Value):
    """One slot as it was seen: what answered there, and its share of the requests in percent."""

    slot: Name
    """The slot; `unknown` where the source does not tell."""
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """The spec digest of the version that served."""
    share: Annotated[float, Field(ge=0, le=100)]
    """Percent of the requests that it answered; 0 for shadow and standby."""


class Receipt(Value):
    """One change of what an environment serves of one model."""

    kind: Literal["Receipt"] = "Receipt"
    """The kind of file."""
    environment: Name
    """Where."""
    model: Name
    """Of which model."""
    slots: Seq[ReceiptSlot]
    """What served from `since` on, sorted by slot; none: nothing did."""
    since: Instant
    """When the change took hold, as well as the source knows it."""
    observed: Instant
    """When it was seen; never before `since`."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$")] | None = None
    """The registry's commit that it was deployed from, where the source tells."""
    cluster: Text | None = None
    """Which cluster or endpoint, where an environment has several."""
    source: Text
    """What was asked: `argocd`, `flux`, `kserve`, `kubernetes`, `open-inference`, `sagemaker`, `import`."""
    evidence: Text
    """What the source said, short: a revision, an id, a field and its value."""


def canonical_bytes(receipt: Receipt) -> bytes:
    """Return the bytes of a receipt's file, canonical JSON: `sha256sum` of the file is its name."""
    data: dict[str, Any] = receipt.model_dump(exclude_none=True)
    # RFC 8785 writes a whole float like an integer; an integer takes the quick path.
    data["slots"] = [
        {**slot, "share": int(slot["share"]) if slot["share"].is_integer() else slot["share"]}
        for slot in data["slots"]
    ]
    return canonical(data)


def located(receipt: Receipt, data: bytes) -> str:
    """Return the path of a receipt on its branch; `data` are its canonical bytes."""
    month = at(receipt.since).date().isoformat()[:7]
    return f"{folder(receipt.environment, receipt.model)}/{month}/{sha256(data)[len('sha256:') :]}.json"


def folder(environment: str, model: str) -> str:
    """Return the folder of all receipts of one model in one environment."""
    return f"{FOLDER}/{environment}/{model}"


def read_receipt(path: str, data: bytes) -> Receipt | str:
    """Return the receipt that lies at a path of the branch, or why it is none."""
    found = parse_receipt(data)
    if isinstance(found, str):
        return found
    if located(found, data) != path:
        return "its name is not its digest, or it lies in the folder of another environment, model or month"
    return found


def parse_receipt(data: bytes) -> Receipt | str:
    """Return the receipt that some JSON says, or why it says none."""
    if len(data) > LIMIT:
        return f"it has more than {LIMIT:,} bytes, which no receipt needs"
    try:
        found = Receipt.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return visible(f"{where}: {first['msg']}" if where else str(first["msg"]), 200)
    if len({(one.slot, one.digest) for one in found.slots}) < len(found.slots):
        return "it names one version twice in one slot"
    if at(found.since) > at(found.observed):
        return f"it says that it was seen at {found.observed}, before it began at {found.since}: a clock lies"
    return found


@lru_cache(1 << 14)
def at(text: str) -> datetime:
    """Return the instant that a field of a receipt names, in UTC."""
    found = instant(text)
    assert found is not None, "the reader took it for an instant"
    return found.astimezone(UTC)


def written(moment: datetime) -> str:
    """Return an instant as receipts hold it: in UTC, with the digits of a second that it has."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
