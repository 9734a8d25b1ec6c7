"""`modelspec skew`, end to end: contract, drift, units, what is left out, bounds and the page."""

from __future__ import annotations

import json
import random
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conftest import Run, edit
from traced.conftest import PIN, Shop, at, rows

NAMES = ["trip_features.distance_norm", "trip_features.city", "trip_features.departure_hour", "request.rain"]


def skewed(invoke: Run, shop: Shop, *arguments: str, code: int = 0) -> dict[str, object]:
    """Run `skew eta production --format json`; return what it printed."""
    done = invoke(
        "skew", "eta", "production", "--log", str(shop.log), "--format", "json", *arguments, cwd=shop.git.root
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def by_name(said: dict[str, object]) -> dict[str, dict[str, object]]:
    return {one["field"]: one for one in said["features"]}  # type: ignore[attr-defined]


def sample(folder: Path, count: int = 2000) -> Path:
    """Write a training sample that is drawn as `rows` draws."""
    file = folder / "sample.csv"
    lines = [",".join(map(str, row)) for row in rows(count, 99)]
    file.write_text("distance_norm,city,departure_hour,rain\n" + "\n".join(lines) + "\n")
    return file


def test_violations_by_feature_and_the_worst_rows(shop: Shop, invoke: Run) -> None:
    shop.ask("2.3.1", at("13:00"), rows(50))
    [worst] = shop.ask("2.3.1", at("13:30"), [(7.0, 9.0, 40.0, 0.0)])
    shop.ask("2.3.1", at("13:40"), [(0.5, 1.0, float("nan"), 100.0)])
    said = skewed(invoke, shop)
    told = by_name(said)
    assert said["rows"] == 52
    assert {name: told[name]["violations"] for name in NAMES} == {
        NAMES[0]: {"range": 1}, NAMES[1]: {"category": 1}, NAMES[2]: {"nan": 1, "range": 1}, NAMES[3]: {"range": 1}
    }  # fmt: skip
    assert said["worst"][0]["request"] == worst  # type: ignore[index]
    assert any("register --reference" in note for note in said["notes"])  # type: ignore[attr-defined]


def test_the_sample_gives_bins_and_the_exact_distance(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    moved = [(min(1.0, one[0] * 0.3), *one[1:]) for one in rows(900, 5)]
    shop.ask("2.3.1", at("13:00"), moved)
    told = by_name(skewed(invoke, shop, "--ks", str(sample(tmp_path))))
    far, near = told[NAMES[0]]["drift"], told[NAMES[3]]["drift"]
    assert far["word"] == "large" and far["ks"] > 0.5 and far["ks_by_chance"] < 1e-6  # type: ignore[index]
    assert near["word"] == "none beyond chance" and near["ks_by_chance"] > 1e-4  # type: ignore[index]
    bins = far["bins"]  # type: ignore[index]
    assert sum(one["sample"] for one in bins) == pytest.approx(1) == sum(one["served"] for one in bins)


def test_what_another_version_answered_is_left_out(shop: Shop, invoke: Run) -> None:
    shop.ask("2.3.0", at("09:00"), rows(7))
    shop.ask("2.3.1", at("13:00"), rows(5))
    shop.ask("2.3.1", at("13:00"), rows(4), environment="staging")
    said = skewed(invoke, shop)
    assert said["rows"] == 5
    assert sorted(one["count"] for one in said["left_out"]) == [4, 7]  # type: ignore[attr-defined]
    assert skewed(invoke, shop, "--version", "2.3.0")["rows"] == 7
    assert skewed(invoke, shop, "--until", "2026-10-01T12:00:00Z", code=1)["rows"] == 0


def test_a_bound_that_is_crossed_ends_with_1(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    shop.ask("2.3.1", at("13:00"), [(2.0, 1.0, 8.0, 0.0), *rows(99)])
    assert skewed(invoke, shop, "--threshold", "violations=2%")["over"] == []
    said = skewed(invoke, shop, "--threshold", "violations=0.5%", code=1)
    assert said["over"] == [f"{NAMES[0]}: violations 0.01 is above 0.005"]
    few = skewed(invoke, shop, "--threshold", "psi=0.001", "--ks", str(sample(tmp_path)))
    assert few["over"] == [], "what chance explains crosses no bound"


def test_hidden_fields_are_not_judged(shop: Shop, invoke: Run) -> None:
    shop.ask("2.3.1", at("13:00"), rows(6), hidden={"request.rain": True})
    said = skewed(invoke, shop)
    assert set(by_name(said)) == set(NAMES[:3]) and said["worst"] == []
    assert any("request.rain" in note for note in said["notes"])  # type: ignore[attr-defined]


def test_bins_that_were_stored_with_the_version(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    """The reference of `register --reference` lies in the store as a tree of one file."""
    import io

    from modelspec.formats.bins import reference
    from modelspec.tree.digest import artifact_digest, listing, sha256
    from modelspec.tree.digest import stamp as stamped

    data, _ = reference(io.BytesIO(sample(tmp_path).read_bytes()))
    digest = artifact_digest([("reference.json", sha256(data))])
    tree = shop.git.root / "store" / stamped(digest)
    tree.mkdir()
    (tree / "reference.json").write_bytes(data)
    tree.with_name(tree.name + ".sha256sum").write_bytes(listing([("reference.json", sha256(data))]))
    path = "registry/models/eta/versions/2.3.1.yaml"
    edit(shop.git.root, path, "tolerance: 0\n", f"tolerance: 0\nreference: {digest}\n")
    shop.ask("2.3.1", at("13:00"), rows(400, 8), stamped=False)
    said = skewed(invoke, shop, "--version", "2.3.1")
    told = by_name(said)
    assert all(told[name]["drift"] is not None for name in NAMES), said["notes"]
    (tree / "reference.json").chmod(0o644)
    (tree / "reference.json").write_bytes(data + b" ")
    damaged = skewed(invoke, shop, "--version", "2.3.1")
    assert by_name(damaged)[NAMES[0]]["drift"] is None
    assert any("not to be had" in note for note in damaged["notes"])  # type: ignore[attr-defined]


class Page(HTMLParser):
    """Collects what a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "rect", "line"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    draw = random.Random(1)
    served = [(one[0], one[1], one[2], one[3] * 1000) for one in rows(300, 5)]
    shop.ask("2.3.1", at("13:00"), served)
    shop.ask("2.3.1", at("13:30"), [(draw.random() * 5, 9.0, 8.0, 0.0)])
    page = tmp_path / "skew.html"
    done = invoke(
        "skew", "eta", "production", "--log", str(shop.log), "--ks", str(sample(tmp_path)), "--html", str(page),
        cwd=shop.git.root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1000 times too large" in done.stdout
    source = page.read_text()
    found = Page()
    found.feed(source)
    assert found.open == [] and found.tags.count("svg") == 4
    assert "script" not in found.tags and "http:" not in source and "https:" not in source
    assert "1000 times too large" in found.text and NAMES[0] in found.text
    assert "prefers-color-scheme: dark" in source


def test_texts_from_a_log_are_text_on_the_page() -> None:
    from modelspec.report.skew_html import skew_html
    from modelspec.trace.skew import Shown, Skew

    bad = "<script>alert(1)</script>"
    page = skew_html(
        Skew("eta", "1.0.0", "sha256:" + "a" * 64, "production", bad, None, None, 1, (),
             (Shown(bad, (("f", bad),), (("f", bad),)),), {bad: 1}, {bad: [bad]}, (bad,))
    )  # fmt: skip
    assert "<script" not in page and page.count("&lt;script&gt;") >= 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--threshold", "psy=1"), "did you mean psi"),
        (("--threshold", "psi=x"), "is no bound"),
        (("--threshold", "psi=-1"), "is no bound"),
        (("--version", "9.9.9"), "no such version"),
    ],
)
def test_wrong_usage(shop: Shop, invoke: Run, arguments: tuple[str, ...], message: str) -> None:
    shop.ask("2.3.1", at("13:00"), rows(1))
    done = invoke("skew", "eta", "production", "--log", str(shop.log), *arguments, cwd=shop.git.root)
    assert done.returncode == 2 and message in done.stderr.casefold()


def test_a_sample_that_is_none(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    shop.ask("2.3.1", at("13:00"), rows(1))
    (tmp_path / "none.csv").write_text("a,b\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n")
    for name, said in (("none.csv", "no column that is called"), (PIN, "is no sample")):
        file = tmp_path / name if name.endswith("csv") else shop.git.root / name
        if name == PIN:
            file = tmp_path / "empty.csv"
            file.write_bytes(b"")
        done = invoke(
            "skew", "eta", "production", "--log", str(shop.log), "--ks", str(file), cwd=shop.git.root
        )
        assert done.returncode == 3 and said in done.stderr
