"""What a view's mode promises, schema by schema; the laws are in test_laws."""

from __future__ import annotations

import pytest

from modelspec.compat.modes import breaches
from modelspec.spec.feature import FeatureSchema, Mode

from .cases import schema

X = {"name": "x", "dtype": "float32"}
Y = {"name": "y", "dtype": "float32"}
ONE, BOTH, ONE_AGAIN = schema(1, {"fields": [X]}), schema(2, {"fields": [X, Y]}), schema(3, {"fields": [X]})


@pytest.mark.parametrize(
    ("mode", "earlier", "new", "broken"),
    [
        ("NONE", [ONE], BOTH, []),
        # A new model would read y, which the old schema does not serve.
        ("BACKWARD", [ONE], BOTH, [(1, "out")]),
        ("FORWARD", [ONE], BOTH, []),
        ("FULL", [ONE], BOTH, [(1, "out")]),
        # A removed field: the models that read it lose it.
        ("BACKWARD", [BOTH], ONE_AGAIN, []),
        ("FORWARD", [BOTH], ONE_AGAIN, [(2, "back")]),
        ("FULL", [BOTH], ONE_AGAIN, [(2, "back")]),
        # Only the last one counts, unless the mode is transitive.
        ("FORWARD", [BOTH, ONE], ONE_AGAIN, []),
        ("FORWARD_TRANSITIVE", [BOTH, ONE], ONE_AGAIN, [(2, "back")]),
        ("BACKWARD_TRANSITIVE", [ONE, BOTH], BOTH, [(1, "out")]),
        ("FULL_TRANSITIVE", [BOTH, ONE], ONE_AGAIN, [(2, "back")]),
        ("FULL_TRANSITIVE", [], ONE, []),
    ],
)
def test_a_mode(
    mode: Mode, earlier: list[FeatureSchema], new: FeatureSchema, broken: list[tuple[int, str]]
) -> None:
    assert [(one.earlier.number, one.column) for one in breaches(mode, earlier, new)] == broken


def test_revalidate_keeps_no_promise() -> None:
    old, new = ({"fields": [{**X, "range": [0, top]}]} for top in (1.0, 2.0))
    assert breaches("BACKWARD", [schema(1, old)], schema(2, new)) == ()
    (breach,) = breaches("FORWARD", [schema(1, old)], schema(2, new))
    assert "range" in breach.judgement.changes[0].message
