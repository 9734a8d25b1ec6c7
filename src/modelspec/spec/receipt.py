"""Receipts: proof that an environment really switched, and when.

receipts/<environment>/<model>/<yyyy-mm>/<digest>.json on a branch of their own; a receipt's name is the
sha256 of its canonical JSON (RFC 8785), so that the same fact told twice is one file.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from modelspec.spec.base import Instant, Name, Seq, Text, Value

BRANCH: Final = "modelspec/receipts"


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
