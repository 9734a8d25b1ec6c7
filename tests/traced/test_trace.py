"""`modelspec trace`, end to end: real repositories, real logs, real answers; and what is not named."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import Run, edit, reference
from logged import digest
from modelspec.spec.receipt import Receipt, ReceiptSlot, written
from traced.conftest import NEW, OLD, Shop, at, rows

ROW = (0.5, 1.0, 8.0, 0.0)


def traced(
    invoke: Run, shop: Shop, request: str, *arguments: str, code: int = 0, log: Path | None = None
) -> Any:
    """Run `trace --format json`; return the traces."""
    done = invoke(
        "trace", request, "--log", str(log or shop.log), "--format", "json", *arguments, cwd=shop.git.root
    )
    assert done.returncode == code, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["format"] == "modelspec/trace/1"
    return said


def only(said: Any) -> Any:
    [one] = said["traces"]
    return one


def receipts(invoke: Run, shop: Shop, folder: Path, *told: tuple[str, str, dict[str, float]]) -> None:
    """Import receipts: (since, observed, version -> share); the first is stable, a second one canary."""
    folder.mkdir(exist_ok=True)
    for index, (since, observed, shares) in enumerate(told):
        names = ("stable", "canary")
        found = Receipt(
            environment="production", model="eta",
            slots=tuple(sorted(
                (ReceiptSlot(slot=slot, digest=digest(number=number), share=share)
                 for slot, (number, share) in zip(names, shares.items(), strict=False)),
                key=lambda one: (one.slot, one.digest),
            )),
            since=written(at(since)), observed=written(at(observed)), source="argocd", evidence="as the test says",
        )  # fmt: skip
        (folder / f"{index}.json").write_text(found.model_dump_json(exclude_none=True))
    done = invoke("receipts", "import", str(folder), cwd=shop.git.root)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stamped_request_is_told_whole(shop: Shop, invoke: Run) -> None:
    [request] = shop.ask(NEW, at("13:30"), [(1.5, 1, 8, 0)])
    one = only(traced(invoke, shop, request, "--replay"))
    assert (one["version"]["version"], one["known_by"]) == (NEW, "stamp")
    assert one["version"]["digest"] == digest(number=NEW)
    assert [part["component"] for part in one["components"]] == [
        "artifact", "code", "features", "dataset", "runtime", "config"
    ]  # fmt: skip
    assert one["components"][0]["level"] == "verified"
    [pin] = one["pins"]
    assert (pin["environment"], pin["slot"], pin["pull_request"]) == ("production", "stable", "#12")
    assert pin["author"]["name"] == "Ada" and pin["reviewers"] == ["Grace"] and pin["stood"]
    [broken] = [field for field in one["fields"] if field["violations"]]
    assert broken["field"] == "trip_features.distance_norm" and broken["violations"][0]["kind"] == "range"
    assert one["answers"][0]["data"] == [shop.answers[request]]
    assert one["decisions"] == [
        {"name": "late", "threshold": "minutes >= 60", "decision": shop.answers[request] >= 60}
    ]
    assert one["replay"]["verdict"] == "bit-equal"
    text = invoke("trace", request, "--log", str(shop.log), cwd=shop.git.root).stdout
    assert "eta 2.3.1" in text and "known by stamp" in text and "<- 1.5 is outside 0 to 1" in text
    assert "(#12)" in text and "reviewed by Grace" in text


def test_git_alone_names_with_its_grade_and_a_witness_confirms(shop: Shop, invoke: Run) -> None:
    [request] = shop.ask(OLD, at("10:30"), rows(1), stamped=False)
    one = only(traced(invoke, shop, request))
    assert (one["version"]["version"], one["known_by"]) == (OLD, "declared")
    assert "Its replay gives the logged answer." in one["why"]


def test_a_witness_decides_between_two_soon_after_a_merge(shop: Shop, invoke: Run) -> None:
    [request] = shop.ask(OLD, at("12:10"), rows(1, 7), stamped=False)
    one = only(traced(invoke, shop, request))
    assert (one["version"]["version"], one["known_by"]) == (OLD, "witness")
    assert {c["version"]: c["replay"] for c in one["candidates"]} == {OLD: "agrees", NEW: "differs"}


def test_git_says_one_and_the_answer_is_of_another(shop: Shop, invoke: Run) -> None:
    [request] = shop.ask(NEW, at("10:30"), rows(1, 8), stamped=False)
    one = only(traced(invoke, shop, request, code=1))
    assert one["version"] is None and one["known_by"] is None
    assert any("another answer" in why for why in one["why"])


def test_a_receipt_names_what_served(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    receipts(invoke, shop, tmp_path / "r", ("08:04", "08:05", {OLD: 100}), ("12:20", "12:21", {NEW: 100}))
    [request] = shop.ask(OLD, at("11:30"), rows(1, 9), stamped=False)
    one = only(traced(invoke, shop, request))
    assert (one["version"]["version"], one["known_by"]) == (OLD, "receipt")


def test_merged_is_not_live(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    """Declared at 12:00, live at 12:20: a request of 12:10 was answered by the version before."""
    receipts(invoke, shop, tmp_path / "r", ("08:04", "08:05", {OLD: 100}), ("12:20", "12:21", {NEW: 100}))
    [request] = shop.ask(OLD, at("12:10"), rows(1, 10), stamped=False)
    one = only(traced(invoke, shop, request))
    assert one["version"]["version"] == OLD and one["known_by"] in ("receipt", "witness")


def test_a_canary_while_two_rollouts_overlapped(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    """Stable 2.3.0 with canary 2.3.1, and a switch within minutes: the answer alone tells."""
    receipts(
        invoke, shop, tmp_path / "r", ("08:04", "08:05", {OLD: 100}), ("12:01", "12:02", {OLD: 90, NEW: 10}),
        ("12:04", "12:05", {NEW: 90, OLD: 10}),
    )  # fmt: skip
    ids = [*shop.ask(OLD, at("12:03"), rows(3, 11), stamped=False),
           *shop.ask(NEW, at("12:03"), rows(3, 12), stamped=False)]  # fmt: skip
    for request in ids:
        one = only(traced(invoke, shop, request))
        assert (one["version"]["version"], one["known_by"]) == (shop.truth[request], "witness")


def test_without_the_artifact_the_candidates_are_named(shop: Shop, invoke: Run) -> None:
    [request] = shop.ask(OLD, at("12:10"), rows(1, 7), stamped=False)
    for tree in (shop.git.root / "store").glob("sha256-a874cb04*"):
        shutil.rmtree(tree) if tree.is_dir() else tree.unlink()
    one = only(traced(invoke, shop, request, code=1))
    assert one["version"] is None and {c["version"] for c in one["candidates"]} == {OLD, NEW}
    assert any("could be asked" in why for why in one["why"])
    text = invoke("trace", request, "--log", str(shop.log), cwd=shop.git.root).stdout
    assert "It is not known which version answered" in text and "candidate eta 2.3.0" in text


def test_a_stamp_that_no_version_has(shop: Shop, invoke: Run) -> None:
    [request] = shop.ask(OLD, at("10:30"), rows(1))
    [file] = shop.log.rglob("*.parquet")
    _restamp(file, "sha256-" + "f" * 64)
    one = only(traced(invoke, shop, request, code=1))
    assert one["version"] is None and "No version has the record's stamp" in one["why"][0]


def _restamp(file: Path, stamp: str) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    meta = dict(table.schema.metadata)
    layout = json.loads(meta[b"modelspec"])
    layout["stamp"] = stamp
    pq.write_table(table.replace_schema_metadata({**meta, b"modelspec": json.dumps(layout).encode()}), file)


def test_a_version_that_was_pruned_is_read_from_history(shop: Shop, invoke: Run) -> None:
    [request] = shop.ask(OLD, at("10:30"), rows(1))
    root = shop.git.root
    ref = reference(root, "eta", OLD)
    (root / "registry/models/eta/versions/2.3.0.yaml").unlink()
    line = f"retired:\n  - {{version: {ref}, state: archived, reason: old}}"
    edit(root, "registry/models/eta/model.yaml", "retired: []", line)
    shop.git.commit("Prune eta 2.3.0")
    one = only(traced(invoke, shop, request, "--replay"))
    assert one["version"]["version"] == OLD and one["version"]["retired"] == "archived: old"
    assert one["version"]["file"]["commit"] is not None and one["replay"]["verdict"] == "bit-equal"
    assert len(one["fields"]) == 4


def test_an_id_that_occurs_twice(shop: Shop, invoke: Run) -> None:
    [request] = shop.ask(OLD, at("10:30"), [ROW])
    shop.truth.clear()
    shop.ask(OLD, at("10:30"), [ROW])
    assert only(traced(invoke, shop, request))["copies"] == 2
    shop.truth.clear()
    shop.ask(NEW, at("10:30"), [ROW], slot="shadow")
    said = traced(invoke, shop, request)
    assert {one["version"]["version"] for one in said["traces"]} == {OLD, NEW}
    assert {one["record"]["slot"] for one in said["traces"]} == {"stable", "shadow"}
    done = invoke(
        "trace", request, "--log", str(shop.log), "--bundle", str(shop.log.parent / "b"), cwd=shop.git.root
    )
    assert done.returncode == 3 and not (shop.log.parent / "b").exists()


def test_no_such_request_and_what_could_not_be_read(shop: Shop, invoke: Run) -> None:
    [request] = shop.ask(OLD, at("10:30"), rows(1))
    said = traced(invoke, shop, "nobody", code=1)
    assert said["traces"] == [] and said["unreadable"] == []
    [file] = shop.log.rglob("*.parquet")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) - 40])
    done = invoke("trace", request, "--log", str(shop.log), cwd=shop.git.root)
    assert done.returncode == 1 and "could not be read: it may be there" in done.stderr
    assert "not read:" in done.stdout


def pairs(folder: Path, *objects: dict[str, Any]) -> Path:
    """Write Open Inference pairs as JSON lines."""
    folder.mkdir(exist_ok=True)
    (folder / "log.jsonl").write_text("".join(json.dumps(one) + "\n" for one in objects))
    return folder


def pair(
    request: str, data: list[Any], answer: float, name: str = "features", **response: Any
) -> dict[str, Any]:
    return {
        "time": "2026-10-01T10:30:00Z",
        "request": {"id": request, "inputs": [{"name": name, "shape": [1, len(data)], "datatype": "FP32", "data": data}]},
        "response": {"id": request, "model_name": "eta", **response,
                     "outputs": [{"name": "minutes", "shape": [1, 1], "datatype": "FP32", "data": [answer]}]},
    }  # fmt: skip


def test_pairs_of_another_system_are_traced_alike(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    [known] = shop.ask(OLD, at("10:30"), [ROW])
    log = pairs(
        tmp_path / "oip",
        pair("short", list(ROW), shop.answers[known], model_version=digest(number=OLD).replace(":", "-")[:39]),
        pair("none", list(ROW), shop.answers[known]),
        pair("other", list(ROW), shop.answers[known], name="fetures"),
        pair("nan", [math.nan, 1.0, 8.0, 0.0], 1.0),
        {"request": {"id": "half", "inputs": []}},
    )  # fmt: skip
    one = only(traced(invoke, shop, "short", log=log))
    assert (one["version"]["version"], one["known_by"]) == (OLD, "stamp")
    one = only(traced(invoke, shop, "none", "--env", "production", log=log))
    assert (one["version"]["version"], one["known_by"]) == (OLD, "declared")
    one = only(traced(invoke, shop, "other", "--env", "production", log=log))
    assert any("did you mean features" in note for note in one["notes"]) and one["fields"] == []
    done = invoke("trace", "nan", "--env", "production", "--log", str(log), cwd=shop.git.root)
    assert "null" not in done.stdout.partition("FIELD")[0] and done.returncode == 1
    done = invoke("trace", "half", "--log", str(log), cwd=shop.git.root)
    assert done.returncode == 1 and "response is missing" in done.stdout


def test_a_log_of_another_model(shop: Shop, invoke: Run) -> None:
    [request] = shop.ask(OLD, at("10:30"), rows(1))
    one = only(traced(invoke, shop, request, "--model", "fraud"))
    assert one["version"]["model"] == "eta"
    assert any("a request to eta, not to fraud" in note for note in one["notes"])


def test_a_bundle_replays_without_modelspec(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    receipts(invoke, shop, tmp_path / "r", ("08:04", "08:05", {OLD: 100}))
    [request] = shop.ask(OLD, at("10:30"), rows(1))
    target = tmp_path / "bundle"
    done = invoke("trace", request, "--log", str(shop.log), "--bundle", str(target), cwd=shop.git.root)
    assert done.returncode == 0, done.stderr
    held = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert held >= {
        "README.md", "record.json", "record.npz", "trace.json", "trace.txt", "check_record.py", "comparison.py",
        "version.yaml", "reproduce.json", "artifact/model.onnx", "schemas/trip_features/1.yaml",
    }  # fmt: skip
    assert sum(name.startswith("receipts/") for name in held) == 1
    readme = (target / "README.md").read_text()
    command = next(
        line for line in readme.splitlines() if "check_record.py" in line and line.startswith("venv/")
    )
    again = subprocess.run(
        [sys.executable, "-I", *command.split()[1:]], cwd=target, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0 and json.loads(again.stdout)["verdict"] == "bit-equal", again.stderr
    taken = invoke("trace", request, "--log", str(shop.log), "--bundle", str(target), cwd=shop.git.root)
    assert taken.returncode == 3 and "exists already" in taken.stderr


def test_a_bundle_of_nobody_is_refused(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    [request] = shop.ask(NEW, at("10:30"), rows(1, 8), stamped=False)
    done = invoke(
        "trace", request, "--log", str(shop.log), "--bundle", str(tmp_path / "b"), cwd=shop.git.root
    )
    assert done.returncode == 3 and "not known which version" in done.stderr and not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--model", "etta"), "did you mean eta"), (("--env", "prod"), "no such environment"),
     (("--around", "yesterday"), "is not an instant")],
)  # fmt: skip
def test_wrong_usage(shop: Shop, invoke: Run, arguments: tuple[str, ...], message: str) -> None:
    shop.ask(OLD, at("10:30"), rows(1))
    done = invoke("trace", "x", "--log", str(shop.log), *arguments, cwd=shop.git.root)
    assert done.returncode == 2 and message in done.stderr.casefold()


def test_the_log_may_be_named_once_by_the_machine(shop: Shop, modelspec: Run) -> None:
    [request] = shop.ask(OLD, at("10:30"), rows(1))
    done = modelspec("trace", request, cwd=shop.git.root, env={"MODELSPEC_LOG": str(shop.log)})
    assert done.returncode == 0, done.stderr
