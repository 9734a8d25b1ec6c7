"""Whatever a file holds, the rules answer with findings that can be shown, never with an exception."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modelspec.api.catalogue import CATALOGUE
from modelspec.rules.rule import Scene
from modelspec.rules.run import run
from modelspec.spec.instant import instant
from modelspec.spec.registry import Registry
from modelspec.tree.place import Route
from modelspec.tree.snapshot import LINK, DictSnapshot
from modelspec.tree.yaml import read
from rules.cases import _READER, _RENDERER, NOW, Tree, ground, printed


def _routes(node: Any, route: Route = ()) -> list[Route]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [route, *(deeper for key, child in children for deeper in _routes(child, (*route, key)))]


FILES = sorted(path for path in ground() if path.endswith(".yaml"))
NODES = [(path, route) for path in FILES for route in _routes(read(ground()[path])[0]) if route]
ODD = st.sampled_from(
    [
        "",
        " ",
        "x",
        "TODO",
        "0",
        "1.0.0",
        "-1",
        ".",
        "..",
        "../..",
        "/",
        "a/b",
        "a\nb",
        "\u202e",
        "é",
        "@",
        "%",
        "#",
        "a.b.c",
        "1.0.0@sha256:" + "0" * 64,
        "2@sha256:" + "f" * 64,
        "sha256:" + "0" * 64,
        "s3://",
        "request.",
        ".city",
        "24h",
        "0d",
        "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        ">=0",
        "x" * 3000,
    ]
)
VALUES = st.recursive(
    ODD
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD, inner, max_size=3),
    max_leaves=4,
)


def judged(snapshot: DictSnapshot) -> int:
    """Return the number of findings; each can be located, and says what is wrong on one line."""
    registry = Registry(snapshot, _READER)
    scene = Scene(registry, _RENDERER, catalogue=CATALOGUE, now=instant(NOW))
    found = run(CATALOGUE, scene)
    for one in found:
        assert printed(registry, one)
        assert "\n" not in one.message + (one.fix or "")
        assert len(one.message) < 500, one
        assert "\u202e" not in one.message + (one.fix or "")
    return len(found)


@settings(max_examples=120)
@given(st.sampled_from(NODES), VALUES)
def test_any_value_anywhere(node: tuple[str, Route], value: Any) -> None:
    path, route = node
    data: Any = copy.deepcopy(read(ground()[path])[0])
    inside = data
    for part in route[:-1]:
        inside = inside[part]
    inside[route[-1]] = value
    judged(DictSnapshot(dict(ground()) | {path: json.dumps(data).encode()}))


NAMES = st.sampled_from(
    [
        "eta",
        "Eta",
        "e\u0301ta",
        "..",
        "-x",
        "--output=a",
        "con",
        "aux.yaml",
        "x.lock",
        "a\nb",
        "a\tb",
        "\u202eate",
        "a b",
        "\u0435ta",
        "request",
        "HEAD",
        "x" * 300,
        "model.yaml",
        "1.0.0.yaml",
        "view.yaml",
        "::error::x",
        "README.md",
    ]
)


@settings(max_examples=120)
@given(st.lists(NAMES, min_size=1, max_size=5), st.sampled_from([0, LINK]))
def test_any_path_in_the_registry(parts: list[str], mode: int) -> None:
    """Each file below registry/ is one that a kind knows, a guest, or a finding on one line."""
    path = "/".join(["registry", *parts])
    if any(known.startswith(f"{path}/") or path.startswith(f"{known}/") for known in ground()):
        return
    files = dict(ground()) | {path: ground().get(path, b"x: 1\n")}
    found = judged(Tree(files, {path: mode} if mode else {}).snapshot())
    guest = parts[-1] == "README.md" and not mode
    assert found or guest or path in ground()


def test_more_attributes_than_anybody_means_are_one_finding() -> None:
    """Each is tried on every path: thirty thousand held a check up for half a minute."""
    lines = "".join(f"registry/x{number}* merge=ours\n" for number in range(1001))
    assert judged(DictSnapshot(dict(ground()) | {".gitattributes": lines.encode()})) == 1
    assert (
        judged(DictSnapshot(dict(ground()) | {".gitattributes": lines.encode()[: lines.rindex("registry")]}))
        == 0
    )
