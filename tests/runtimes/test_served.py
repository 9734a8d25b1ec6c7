"""The compiled config is read strictly: a runtime never guesses what a key it doesn't know demands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelspec.runtimes.served import ConfigError, read_served

Describe = Callable[..., dict[str, Any]]


def test_identity_names_who_answers(describe: Describe) -> None:
    data = describe("eta", "2.3.0", slot="standby")
    assert read_served(data).identity() == {
        "model": "eta",
        "version": "2.3.0",
        "digest": data["digest"],
        "environment": "production",
        "slot": "standby",
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"precision": "float16"}, "precision"),
        ({"threads": 0}, "threads"),
        ({"threads": "1"}, "threads"),
        ({"digest": "sha256:0"}, "digest"),
        ({"stamp": "sha256-" + "0" * 64}, "is not that of digest"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [{"name": "x", "dtype": "object", "shape": [1]}]}, "inputs.0.dtype"),
        ({"artifact": {"digest": "sha256:" + "0" * 64, "files": [{"path": "a"}]}}, "artifact.files.0"),
    ],
)
def test_what_is_not_understood_is_refused(describe: Describe, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_served({**describe("eta", "2.3.0"), **change})


def test_a_config_of_another_origin_is_refused() -> None:
    with pytest.raises(ConfigError, match="compiled by modelspec"):
        read_served(None)
