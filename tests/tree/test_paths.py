"""Names and paths: what an attacker tries, and what people write."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.spec.kinds import classify
from modelspec.tree.paths import NAME, SEMVER, VIEW_NAME, fold, name_trouble, path_trouble

HOSTILE_NAMES = [
    "-x", "--output=a", "HEAD", "..", ".", "", "a..b", "a/b", "a\\b", "a.lock", "con", "nul.txt", "com1", "lpt9.a",
    "Eta", "еta", "eta\u200b", "\u202eate", "eta\n", "eta\0", "eta ", " eta", "eta.", "-", "a_b", "ẹta", "a" * 64,
    "a%2e%2e", "~", "$HOME", "a;b", "a:b", "*", "?", "[a]", "ﬁ",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_names_nothing(name: str) -> None:
    assert re.fullmatch(NAME, name) is None or name_trouble(name) is not None
    for path in (
        f"registry/models/{name}/model.yaml",
        f"registry/environments/production/models/{name}.yaml",
        f"registry/environments/{name}/environment.yaml",
        f"registry/waivers/{name}.yaml",
        f"templates/{name}/target.yaml",
    ):
        assert classify(path) is None, path
    if name != "a_b":
        assert classify(f"registry/features/{name}/view.yaml") is None


@pytest.mark.parametrize(
    "name", ["a", "eta", "road-embedder", "a.b", "007", "a--b", "console", "lock", "a" * 63]
)
def test_a_name(name: str) -> None:
    assert re.fullmatch(NAME, name) and re.fullmatch(VIEW_NAME, name) and name_trouble(name) is None


@pytest.mark.parametrize("view", ["trip_features", "a_", "_a", "request"])
def test_views_have_underscores_within_and_one_name_is_taken(view: str) -> None:
    found = classify(f"registry/features/{view}/view.yaml")
    assert (found is not None) == (view == "trip_features")


@pytest.mark.parametrize(
    "version", ["0.0.0", "2.3.1", "1.0.0-rc.1", "1.0.0-0", "1.0.0-a-b.1x", "1.0.0-0a", "999999999.0.0"]
)
def test_a_version(version: str) -> None:
    assert re.fullmatch(SEMVER, version)


@pytest.mark.parametrize(
    "version",
    ["", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3.4", "1.2.3+b", "1.2.3-", "1.2.3-01", "1.2.3-RC.1", "1.2.3-a..b",
     "1.2.3\n", "1.2.x", "1.2.3-a_b", "1.2.3 ", "1.2.-3", "１.2.3", "9999999999.0.0"],
)  # fmt: skip
def test_what_is_no_version(version: str) -> None:
    assert re.fullmatch(SEMVER, version) is None


@pytest.mark.parametrize(
    ("path", "trouble"),
    [
        ("", "is empty"),
        ("/etc/passwd", "is absolute"),
        ("../x", "`..` part"),
        ("a/../../x", "`..` part"),
        ("a/..", "`..` part"),
        ("./a", "`..` part"),
        ("a//b", "`..` part"),
        ("a/", "`..` part"),
        ("a\\b", "backslash"),
        ("..\\x", "backslash"),
        ("a\nb", "control character"),
        ("a\0", "control character"),
        ("a\x85", "control character"),
        ("c:/x", "colon"),
        ("a/b:stream", "colon"),
        ("a./b", "ends in a dot or a space"),
        ("a /b", "ends in a dot or a space"),
        ("...", "ends in a dot or a space"),
        ("CON", "reserved device name"),
        ("a/nul.onnx", "reserved device name"),
        ("con .txt", "reserved device name"),
        ("CONIN$", "reserved device name"),
        ("com¹.bin", "reserved device name"),
        ("a\udcff", "UTF-8"),
        (".git/config", ".git"),
        ("a/.GIT", ".git"),
        ("GIT~1/config", ".git"),
        (".g\u200cit/config", ".git"),
        ("x" * 256, "255 bytes"),
        ("a/" + "é" * 128, "255 bytes"),
        ("/".join(["d"] * 65), "more than 64 parts"),
        ("/".join(["d" * 100] * 20), "more than 1,024 bytes"),
        ("/".join(["é" * 100] * 6), "more than 1,024 bytes"),
    ],
)
def test_an_unclean_path(path: str, trouble: str) -> None:
    said = path_trouble(path)
    assert said is not None and trouble in said


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "model.onnx",
        ".hidden",
        "a/b/c",
        "a b/ü.json",
        "..a",
        "a..b",
        "console",
        ".gitattributes",
        "a.git",
    ],
)
def test_a_clean_path(path: str) -> None:
    assert path_trouble(path) is None


@given(st.text(max_size=12))
def test_what_is_clean_never_leaves_its_root(path: str) -> None:
    if path_trouble(path) is not None:
        return
    depth = 0
    for part in path.split("/"):
        depth += -1 if part == ".." else 1
        assert depth > 0 and part not in ("", ".")
    assert not path.startswith("/") and "\0" not in path


@pytest.mark.parametrize(
    ("one", "two"),
    [("README", "readme"), ("\u00e9", "e\u0301"), ("\u00c9", "e\u0301"), ("stra\u00dfe", "STRASSE"), ("\ufb01", "FI"), ("\u03c2", "\u03a3"), ("\u1e9e", "ss"), ("a\u200db", "ab")],
)  # fmt: skip
def test_what_one_file_system_takes_for_the_same(one: str, two: str) -> None:
    assert fold(one) == fold(two)


@given(st.text(max_size=8))
def test_folding_ends(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert fold(unicodedata.normalize("NFD", text)) == fold(text)
