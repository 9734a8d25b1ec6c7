"""What a view promises of its next schema: the modes of the Confluent schema registry, on feature schemas.

BACKWARD: who is trained on the new schema can read what the earlier one serves (the column `out`).
FORWARD: who was trained on the earlier one can read what the new one serves (`back`). FULL: both.
TRANSITIVE: against every earlier schema, not the last one alone. A promise is kept by S and by nothing less:
nobody can have revalidated what is only about to be published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modelspec.compat.fields import SchemaJudgement, judge
from modelspec.compat.table import Column, Verdict
from modelspec.spec.feature import FeatureSchema, Mode

_COLUMNS: Final[dict[str, tuple[Column, ...]]] = {
    "NONE": (),
    "BACKWARD": ("out",),
    "FORWARD": ("back",),
    "FULL": ("out", "back"),
}
_TRANSITIVE: Final = "_TRANSITIVE"


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that a new schema breaks: towards which earlier schema, in which direction, and how."""

    earlier: FeatureSchema
    column: Column
    judgement: SchemaJudgement


def breaches(mode: Mode, earlier: Sequence[FeatureSchema], new: FeatureSchema) -> tuple[Breach, ...]:
    """Return where a new schema breaks a view's mode; `earlier` are the published ones, oldest first."""
    columns = _COLUMNS[mode.removesuffix(_TRANSITIVE)]
    against = earlier if mode.endswith(_TRANSITIVE) else earlier[-1:]
    found = []
    for other in against:
        for column in columns:
            trained, served = (new, other) if column == "out" else (other, new)
            judgement = judge(trained, served, column=column)
            if judgement.verdict is not Verdict.S:
                found.append(Breach(other, column, judgement))
    return tuple(found)
