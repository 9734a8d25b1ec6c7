"""The change table: every change that a field, a signature or a runtime can make, and what it does.

A row describes a change *old -> new*. `out` (a rollout): trained on new, served old. `back` (a rollback):
trained on old, served new. The rows are data (`rows`), the page in docs/ is generated from them, and the
code that judges names them by key.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

Column = Literal["out", "back"]
Group = Literal["structure", "value", "media", "signature", "runtime"]


class Verdict(IntEnum):
    """What serving does to a model that was trained on something else; the worst part decides."""

    S = 0
    """Safe: the same meaning."""
    R = 1
    """Revalidate: it runs, the effect is unproven."""
    B = 2
    """Breaking: no revalidation lifts it."""


class Bump(IntEnum):
    """The least part of a version number that has to move."""

    PATCH = 0
    MINOR = 1
    MAJOR = 2


@dataclass(frozen=True, slots=True)
class Unless:
    """A condition under which a row's column says something else."""

    column: Column | Literal["both"]
    verdict: Verdict
    when: str


@dataclass(frozen=True, slots=True)
class Row:
    """One change and its verdict in each direction.

    `mirror`: the reverse change is this row too, with its columns swapped. `follows` and `departs` are
    codes of PEERS.
    """

    key: str
    group: Group
    change: str
    out: Verdict
    back: Verdict
    bump: Bump
    why: str
    follows: tuple[str, ...] = ()
    departs: tuple[str, ...] = ()
    unless: tuple[Unless, ...] = ()
    mirror: bool = False

    def allowed(self, column: Column) -> frozenset[Verdict]:
        """Return every verdict that this row can give in a column."""
        usual = self.out if column == "out" else self.back
        other = (one.verdict for one in self.unless if one.column in (column, "both"))
        return frozenset((usual, *other))

    def verdict(self, column: Column, unless: Verdict | None = None) -> Verdict:
        """Return what the row says in a column, or `unless` where one of its conditions is met."""
        if unless is None:
            return self.out if column == "out" else self.back
        if unless not in self.allowed(column):
            raise AssertionError(f"the row {self.key} never says {unless.name} in {column}")
        return unless


PEERS: Final = {
    "Av": "Avro",
    "CF": "Confluent schema registry",
    "Bf": "Buf (Protobuf)",
    "Ic": "Iceberg",
    "OA": "oasdiff (OpenAPI)",
    "TF": "TensorFlow Data Validation",
    "ML": "MLflow",
    "Hw": "Hopsworks",
    "OX": "ONNX, ONNX Runtime",
    "OI": "Open Inference Protocol v2",
    "TV": "torchvision",
    "HF": "Hugging Face",
    "SK": "scikit-learn",
    "SM": "TensorFlow SavedModel",
}
"""Whom a row follows or departs from."""

PARTS: Final = (
    "type and shape",
    "nullability",
    "default and missing",
    "unit",
    "range or categories",
    "NaN",
    "transform and encoding",
    "aggregation",
    "embedding, tokenizer, image or sound",
)
"""The nine parts of a field's contract; part 1 is the first."""
