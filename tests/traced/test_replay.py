"""`modelspec replay`, end to end: one request and whole logs, through the version that served or another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from conftest import Run
from traced.conftest import Shop, at, rows


def replayed(invoke: Run, shop: Shop, *arguments: str, code: int = 0) -> dict[str, object]:
    """Run `replay --format json`; return what it printed."""
    done = invoke("replay", "--log", str(shop.log), "--format", "json", *arguments, cwd=shop.git.root)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_one_request_gives_its_bits_again(shop: Shop, invoke: Run) -> None:
    [one] = shop.ask("2.3.0", at("09:30"), rows(1))
    said = replayed(invoke, shop, one)
    assert (said["format"], said["verdict"], said["ulps"]) == ("modelspec/replay/1", "bit-equal", 0)
    assert said["version"]["version"] == "2.3.0" and said["version"]["served"]  # type: ignore[index]
    text = invoke("replay", one, "--log", str(shop.log), cwd=shop.git.root)
    assert "bit-equal" in text.stdout and "1 thread, alone" in text.stdout


def test_another_version_would_have_answered_otherwise(shop: Shop, invoke: Run) -> None:
    [one] = shop.ask("2.3.0", at("09:30"), rows(1))
    said = replayed(invoke, shop, one, "--version", "eta@2.3.1")
    assert said["verdict"] == "different" and not said["version"]["served"]  # type: ignore[index]


def test_an_answer_that_was_not_its_own_fails(shop: Shop, invoke: Run) -> None:
    [one] = shop.ask("2.3.0", at("09:30"), rows(1), offset=0.5)
    said = replayed(invoke, shop, one, code=1)
    assert said["verdict"] == "different" and said["difference"] == pytest.approx(0.5, rel=1e-4)


def test_a_log_of_two_versions_is_equal_bit_for_bit(shop: Shop, invoke: Run) -> None:
    shop.ask("2.3.0", at("09:30"), rows(40, 1))
    shop.ask("2.3.0", at("10:30"), rows(17, 2), batch=True)
    shop.ask("2.3.1", at("13:30"), rows(30, 3))
    said = replayed(invoke, shop)
    told = {one["version"]["version"]: one for one in said["versions"]}  # type: ignore[attr-defined,union-attr]
    assert {name: (one["requests"], one["rows"]) for name, one in told.items()} == {
        "2.3.0": (41, 57), "2.3.1": (30, 30)
    }  # fmt: skip
    assert all(one["equal_share"] == 1.0 and one["worst"] == [] for one in told.values())
    window = replayed(invoke, shop, "--from", "2026-10-01T13:00:00Z")
    assert [one["version"]["version"] for one in window["versions"]] == ["2.3.1"]  # type: ignore[attr-defined]


def test_a_log_through_another_version_says_what_would_change(shop: Shop, invoke: Run) -> None:
    ids = shop.ask("2.3.0", at("09:30"), rows(60, 4))
    said = replayed(invoke, shop, "--version", "eta@2.3.1")
    [one] = said["versions"]  # type: ignore[misc]
    assert one["verdicts"]["different"] > 50
    assert one["difference"]["greatest"] == max(case["difference"] for case in one["worst"])
    assert {case["request"] for case in one["worst"]} <= set(ids)
    [late] = one["decisions"]
    assert late["kept"] + late["to_true"] + late["to_false"] == 60
    text = invoke("replay", "--log", str(shop.log), "--version", "eta@2.3.1", cwd=shop.git.root)
    assert "difference up to: 50 %" in text.stdout and "worst:" in text.stdout


def test_what_is_not_replayed_is_counted_and_named(shop: Shop, invoke: Run) -> None:
    shop.ask("2.3.0", at("09:30"), rows(5))
    shop.ask("2.3.0", at("10:30"), rows(3), stamped=False)
    [broken] = shop.log.rglob("hour=10/**/*.parquet")
    whole = broken.read_bytes()
    broken.with_name(broken.name.replace("~01", "~02", 1)).write_bytes(whole[: len(whole) // 2])
    said = replayed(invoke, shop)
    assert [one["requests"] for one in said["versions"]] == [5]  # type: ignore[attr-defined]
    reasons = {one["reason"].partition(":")[0]: one["count"] for one in said["skipped"]}  # type: ignore[attr-defined]
    assert reasons["unreadable"] == 1 and sum(reasons.values()) == 4


def test_a_log_without_stamps_goes_by_time(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    """Pairs of another system: git names one version where nothing changed within the hour, else nobody."""
    known = shop.ask("2.3.0", at("10:30"), rows(3, 5))
    given = rows(3, 5)
    log = tmp_path / "oip"
    log.mkdir()
    lines = []
    for index, when in enumerate(("10:30", "10:31", "12:10")):
        tensor = {"name": "features", "shape": [1, 4], "datatype": "FP32", "data": list(given[index])}
        answer = {
            "name": "minutes",
            "shape": [1, 1],
            "datatype": "FP32",
            "data": [shop.answers[known[index]]],
        }
        response = {"id": f"r{index}", "model_name": "eta", "outputs": [answer]}
        response["parameters"] = {"environment": "production"}
        request = {"id": f"r{index}", "inputs": [tensor]}
        time = f"2026-10-01T{when}:00Z"
        lines.append(json.dumps({"time": time, "request": request, "response": response}))
    (log / "log.jsonl").write_text("\n".join(lines) + "\n")
    done = invoke("replay", "--log", str(log), "--format", "json", cwd=shop.git.root)
    said = json.loads(done.stdout)
    assert [(one["version"]["version"], one["requests"], one["equal_share"]) for one in said["versions"]] == [
        ("2.3.0", 2, 1.0)
    ], done.stderr
    [left] = said["skipped"]
    assert left["count"] == 1 and "neither receipts nor git" in left["reason"] and left["examples"] == ["r2"]


def test_a_version_whose_artifact_is_gone(shop: Shop, invoke: Run) -> None:
    [one] = shop.ask("2.3.0", at("09:30"), rows(1))
    for tree in (shop.git.root / "store").glob("sha256-a874cb04*"):
        shutil.rmtree(tree) if tree.is_dir() else tree.unlink()
    done = invoke("replay", one, "--log", str(shop.log), cwd=shop.git.root)
    assert done.returncode == 3 and "is not in" in done.stderr
    bulk = invoke("replay", "--log", str(shop.log), cwd=shop.git.root)
    assert bulk.returncode == 1 and "nothing was replayed" in bulk.stdout and "is not in" in bulk.stdout


def test_a_log_of_another_model_is_not_asked(shop: Shop, invoke: Run) -> None:
    shop.ask("2.3.0", at("09:30"), rows(4))
    done = invoke("replay", "--log", str(shop.log), "--version", "fraud@1.1.0", cwd=shop.git.root)
    assert done.returncode == 1 and "a request to eta, not to fraud" in done.stdout


def test_hidden_fields_can_not_be_replayed(shop: Shop, invoke: Run) -> None:
    shop.ask("2.3.0", at("09:30"), rows(4), hidden={"request.rain": True})
    done = invoke("replay", "--log", str(shop.log), cwd=shop.git.root)
    assert done.returncode == 1 and "left out of the log on purpose" in done.stdout


def test_rows_that_are_missing_are_named(shop: Shop, invoke: Run) -> None:
    shop.ask("2.3.0", at("09:30"), rows(4), batch=True)
    [file] = shop.log.rglob("*.parquet")
    table = pq.read_table(file)
    pq.write_table(table.slice(0, 3), file)
    done = invoke("replay", "--log", str(shop.log), cwd=shop.git.root)
    assert done.returncode == 1 and "3 of its 4 rows are there" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--version", "eta"), "Name the version"),
        (("--version", "eta@9.9.9"), "No such version of eta"),
        (("--version", "etta@2.3.0"), "did you mean eta"),
        (("x", "--from", "2026-10-01T00:00:00Z"), "without REQUEST_ID"),
        (("--around", "2026-10-01T00:00:00Z"), "goes with REQUEST_ID"),
    ],
)
def test_wrong_usage(shop: Shop, invoke: Run, arguments: tuple[str, ...], message: str) -> None:
    shop.ask("2.3.0", at("09:30"), rows(1))
    done = invoke("replay", "--log", str(shop.log), *arguments, cwd=shop.git.root)
    assert done.returncode == 2 and message.casefold() in done.stderr.casefold()


def test_no_such_request_and_no_such_log(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    shop.ask("2.3.0", at("09:30"), rows(1))
    done = invoke("replay", "nobody", "--log", str(shop.log), cwd=shop.git.root)
    assert done.returncode == 3 and "no request has the id nobody" in done.stderr
    done = invoke("replay", "x", "--log", str(tmp_path / "nowhere"), cwd=shop.git.root)
    assert done.returncode == 3 and "no request log" in done.stderr


@pytest.mark.slow
def test_an_environment_of_its_own_from_the_lock(shop: Shop, modelspec: Run) -> None:
    """The lock of the example names real packages: pip fetches them."""
    [one] = shop.ask("2.3.0", at("09:30"), rows(1))
    done = modelspec("replay", one, "--log", str(shop.log), "--isolated", cwd=shop.git.root, timeout=600)
    if "the lock can't be installed" in done.stderr:
        pytest.skip("pip reaches no index here")
    assert done.returncode == 0, done.stderr
    assert "bit-equal" in done.stdout
