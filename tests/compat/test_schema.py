"""One schema by itself, where the cases of the rules do not reach."""

from __future__ import annotations

from modelspec.compat.schema import field_flaws
from modelspec.spec.feature import Feature


def test_a_category_that_stands_twice_is_found_however_python_keeps_its_text() -> None:
    """Two equal texts may be one object or two."""
    one = "ams"
    for other in (one, "".join(["a", "m", "s"])):
        field = Feature.model_construct(name="city", dtype="string", categories=(one, other))
        (flaw,) = field_flaws(field)
        assert flaw.route == ("categories", 1)
        assert "twice" in flaw.message
