"""Every word that stands in for a value is known in every field that it is refused in, and nowhere else."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from modelspec.tree.yaml import read
from rules.cases import NOW, findings, ground

PATH = "registry/models/eta/versions/1.3.0.yaml"
MODEL = "registry/models/eta/model.yaml"
UNFINISHED = (
    "todo tbd tba fixme xxx wip changeme change-me change_me placeholder replaceme replace-me ... … ? ?? ???"
)
NOTHING = "none null nil n/a na unknown undefined unspecified - -- ."
FLOATING = "latest main master head trunk tip current newest nightly now today"
STANDS_IN = [*UNFINISHED.split(), *NOTHING.split(), "", "   "]
FIELDS = [
    ("artifact", "format"),
    ("artifact", "architecture"),
    ("artifact", "precision"),
    ("code", "repository"),
    ("code", "path"),
    ("dataset", "name"),
    ("dataset", "uri"),
    ("dataset", "snapshot"),
    ("runtime", "lock", "path"),
]
MOVING = [("code", "repository"), ("dataset", "uri"), ("dataset", "snapshot")]
DIGESTS = [
    ("artifact", "digest"),
    ("artifact", "files", 0, "digest"),
    ("dataset", "digest"),
    ("runtime", "lock", "digest"),
]


def codes(path: str, route: tuple[Any, ...], value: Any) -> set[tuple[str, tuple[Any, ...]]]:
    """Return (code, route) of what MS213 and MS214 find with another value at a route."""
    data: Any = copy.deepcopy(read(ground()[path])[0])
    inside = data
    for part in route[:-1]:
        inside = inside[part]
    inside[route[-1]] = value
    edit = {"file": path, "content": json.dumps(data)}
    _, found = findings({"edits": [edit], "now": NOW})
    return {(one.code, one.place.route) for one in found if one.code in ("MS213", "MS214")}


@pytest.mark.parametrize("word", [word for word in STANDS_IN if word])
def test_a_word_that_says_nothing(word: str) -> None:
    for spelling in (word, word.upper(), f" {word} "):
        assert codes(PATH, ("artifact", "format"), spelling) == {("MS213", ("artifact", "format"))}
        assert codes(MODEL, ("owner",), spelling) == {("MS214", ("owner",))}


@pytest.mark.parametrize("word", FLOATING.split())
def test_a_word_that_moves(word: str) -> None:
    for spelling in (word, word.upper()):
        assert codes(PATH, ("dataset", "snapshot"), spelling) == {("MS213", ("dataset", "snapshot"))}
        assert codes(PATH, ("dataset", "name"), spelling) == set(), "a name may be that"


@pytest.mark.parametrize("word", UNFINISHED.split())
def test_a_hyperparameter_to_be_filled_in(word: str) -> None:
    route = ("config", "hyperparameters", "objective")
    assert codes(PATH, route, word) == {("MS213", route)}


@pytest.mark.parametrize("word", NOTHING.split())
def test_a_hyperparameter_or_accelerator_may_be_none(word: str) -> None:
    assert codes(PATH, ("config", "hyperparameters", "objective"), word) == set()
    assert codes(PATH, ("runtime", "accelerator"), word) == set()


@pytest.mark.parametrize("route", FIELDS)
def test_every_field_that_says_what_a_version_is(route: tuple[str, ...]) -> None:
    assert codes(PATH, route, "TODO") == {("MS213", route)}
    assert codes(PATH, route, "   ") == {("MS213", route)}
    assert bool(codes(PATH, route, "latest")) is (route in MOVING)


@pytest.mark.parametrize("route", DIGESTS)
def test_a_digest_of_zeros(route: tuple[Any, ...]) -> None:
    assert codes(PATH, route, "sha256:" + "0" * 64) == {("MS213", route)}
    assert codes(PATH, route, "sha256:" + "0" * 63 + "1") == set()


@pytest.mark.parametrize("length", [40, 64])
def test_a_commit_of_zeros(length: int) -> None:
    assert codes(PATH, ("code", "commit"), "0" * length) == {("MS213", ("code", "commit"))}
    assert codes(PATH, ("code", "commit"), "0" * 39) == set(), "that is no commit at all"


def test_who_and_why_of_a_waiver() -> None:
    waiver = {
        "apiVersion": "modelspec/v1",
        "kind": "Waiver",
        "rule": "MS510",
        "finding": {"path": "x", "route": "/a"},
        "by": "TODO",
        "reason": "n/a",
        "link": "https://tracker.example.com/1",
        "from": "2026-11-01T00:00:00Z",
        "until": "2026-12-01T00:00:00Z",
    }
    edit = {"file": "registry/waivers/a.yaml", "content": json.dumps(waiver)}
    _, found = findings({"edits": [edit]})
    assert {one.place.route for one in found if one.code == "MS214"} == {("by",), ("reason",)}
