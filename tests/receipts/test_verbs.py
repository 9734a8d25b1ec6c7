"""The verbs that ask receipts: at --served, drift, timeline, wait, receipts list, import and prune."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import GIT_ENV, Git, Run, edit, reference
from modelspec.spec.receipt import Receipt, ReceiptSlot
from receipts.branch import stored, write

PIN = "registry/environments/production/models/eta.yaml"
SPLIT = "retention: {days: 90}"


@pytest.fixture(autouse=True)
def _who(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIT_ENV.items():
        monkeypatch.setenv(name, value)
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.com")


def promote(git: Git, version: str, when: str) -> str:
    """Commit another version in the pin, at an instant; return the commit."""
    text = (git.root / PIN).read_text()
    line = next(line for line in text.splitlines() if line.startswith("  version: "))
    edit(git.root, PIN, line, f"  version: {reference(git.root, 'eta', version)}")
    git("add", "--all")
    git("commit", "--quiet", "--message", f"Promote eta {version}", GIT_COMMITTER_DATE=when)
    return git("rev-parse", "HEAD")


def receipt(git: Git, version: str, since: str, observed: str | None = None, **more: Any) -> Receipt:
    found = reference(git.root, "eta", version).partition("@")[2]
    slots = more.pop("slots", (ReceiptSlot(slot="stable", digest=found, share=100.0),))
    return Receipt(
        environment="production", model="eta", slots=slots, since=since, observed=observed or since,
        source="argocd", evidence="the test says so", **more,
    )  # fmt: skip


@pytest.fixture
def life(git: Git) -> Git:
    """eta 2.3.0 served from noon of 1 October, 2.3.1 from the 10th, two minutes after its merge."""
    git("commit", "--amend", "--no-edit", "--quiet", "--date", "2026-10-01T00:00:00Z",
        GIT_COMMITTER_DATE="2026-10-01T00:00:00Z")  # fmt: skip
    write(git.root, [receipt(git, "2.3.0", "2026-10-01T12:00:00Z", "2026-10-01T12:01:00Z")])
    commit = promote(git, "2.3.1", "2026-10-10T12:00:00Z")
    write(git.root, [receipt(git, "2.3.1", "2026-10-10T12:02:00Z", "2026-10-10T12:05:00Z", commit=commit)])
    return git


def asked(invoke: Run, git: Git, *words: str, code: int = 0) -> Any:
    done = invoke(*words, "--format", "json", cwd=git.root)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def served(invoke: Run, git: Git, at: str, *more: str, code: int = 0) -> tuple[set[str], bool]:
    """Return the versions that may have served eta in production, and whether that is certain."""
    (pin,) = asked(invoke, git, "at", at, "eta", "production", "--served", *more, code=code)["pins"]
    return {one["version"] for one in pin["candidates"]}, pin["certain"]


def test_at_tells_what_served(life: Git, invoke: Run) -> None:
    assert served(invoke, life, "2026-10-05T00:00:00Z") == ({"2.3.0"}, True)
    assert served(invoke, life, "2026-10-10T12:00:30Z") == ({"2.3.0", "2.3.1"}, False)
    assert served(invoke, life, "2026-10-20T00:00:00Z") == ({"2.3.1"}, True)


def test_at_says_where_receipts_do_not_reach(life: Git, invoke: Run) -> None:
    assert served(invoke, life, "2026-10-01T06:00:00Z", code=1) == ({"2.3.0"}, False)
    done = invoke("at", "2026-10-01T06:00:00Z", "eta", "production", "--served", cwd=life.root)
    assert "no receipt before 2026-10-01T12:00:00Z" in done.stdout
    assert "git alone" in done.stdout


def test_at_without_a_name_tells_of_all_pins(life: Git, invoke: Run) -> None:
    found = asked(invoke, life, "at", "2026-10-05T00:00:00Z", "--served")
    assert {(one["environment"], one["model"]) for one in found["pins"]} == {
        (place, model) for place in ("production", "staging") for model in ("eta", "fraud")
    }
    assert [one["reached"] for one in found["pins"]] == [True, False, False, False]


def test_both_axes_of_time(life: Git, invoke: Run) -> None:
    """On 5 October nobody knew of the switch; a receipt that comes late changes what is believed."""
    ref = "refs/heads/modelspec/receipts"
    for number, date in ((1, "2026-10-01T13:00:00Z"), (2, "2026-10-10T13:00:00Z")):
        tree = life("rev-parse", f"{ref}~{2 - number}^{{tree}}")
        parent = ["-p", "refs/dated"] if number > 1 else []
        life(
            "update-ref", "refs/dated", life("commit-tree", tree, *parent, "-m", "x", GIT_COMMITTER_DATE=date)
        )
    life("update-ref", ref, "refs/dated")
    late = receipt(life, "3.0.0", "2026-10-04T00:00:00Z", "2026-10-11T00:00:00Z")
    write(life.root, [late, receipt(life, "2.3.0", "2026-10-06T00:00:00Z", "2026-10-11T00:00:00Z")])
    when = "2026-10-05T00:00:00Z"
    assert served(invoke, life, when) == ({"3.0.0"}, True), "as it is known today"
    assert served(invoke, life, when, "--as-known-at", "2026-10-07T00:00:00Z") == ({"2.3.0"}, True)
    assert served(invoke, life, when, "--as-known-at", "HEAD~1", code=1)[1] is False, (
        "before the first receipt"
    )


def test_what_was_declared_as_it_was_known(life: Git, invoke: Run) -> None:
    words = ["at", "2026-10-20T00:00:00Z", "eta", "production"]
    assert asked(invoke, life, *words)["pins"][0]["slots"][0]["version"] == "2.3.1"
    then = asked(invoke, life, *words, "--as-known-at", "2026-10-05T00:00:00Z")
    assert then["pins"][0]["slots"][0]["version"] == "2.3.0"
    assert asked(invoke, life, *words, "--as-known-at", "HEAD~1")["commit"]["id"] == life(
        "rev-parse", "HEAD~1"
    )
    assert invoke(*words, "--as-known-at", "2020-01-01T00:00:00Z", cwd=life.root).returncode == 1
    assert invoke(*words, "--as-known-at", "nowhere", cwd=life.root).returncode == 3
    assert invoke(*words, "--served", "--compiled", cwd=life.root).returncode == 2


def test_drift_says_since_when_and_which_commit(life: Git, invoke: Run) -> None:
    assert asked(invoke, life, "drift", "production")["drift"] is False
    commit = promote(life, "2.3.0", "2026-10-15T00:00:00Z")
    found = asked(invoke, life, "drift", "production", code=1)
    (eta,) = [one for one in found["pins"] if one["model"] == "eta"]
    assert (eta["standing"], eta["since"], eta["differs"]) == ("drift", "2026-10-15T00:00:00Z", ["stable"])
    assert eta["declared"]["commit"] == commit
    assert eta["served"]["slots"][0]["version"] == "2.3.1"
    done = invoke("drift", "production", cwd=life.root)
    assert "production/eta  drift since 2026-10-15T00:00:00Z: stable" in done.stdout
    assert "production/fraud  unknown: no receipt tells what serves" in done.stdout


def test_a_rollout_is_no_drift_yet(life: Git, invoke: Run) -> None:
    promote(life, "2.3.0", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    found = asked(invoke, life, "drift", "production")
    assert [one["standing"] for one in found["pins"]] == ["rolling out", "unknown"]
    assert asked(invoke, life, "drift", "production", "--grace", "0", code=1)["drift"] is True


def test_what_serves_without_a_pin_drifts(life: Git, invoke: Run) -> None:
    (life.root / PIN).unlink()
    life("commit", "--all", "--quiet", "--message", "Gone", GIT_COMMITTER_DATE="2026-10-15T00:00:00Z")
    (eta, _) = asked(invoke, life, "drift", "production", code=1)["pins"]
    assert (eta["model"], eta["standing"]) == ("eta", "drift")


def test_timeline_has_both_side_by_side(life: Git, invoke: Run) -> None:
    rows = asked(invoke, life, "timeline", "eta", "production")["rows"]
    assert [(one["time"], one["changed"], one["lag_seconds"]) for one in rows] == [
        ("2026-10-01T00:00:00Z", "declared", None),
        ("2026-10-01T12:00:00Z", "served", 43200.0),
        ("2026-10-10T12:00:00Z", "declared", None),
        ("2026-10-10T12:02:00Z", "served", 120.0),
    ]
    text = invoke("timeline", "eta", "production", "--limit", "2", cwd=life.root)
    assert "argocd, 2 min after the merge" in text.stdout
    assert "the newest 2" in text.stderr
    assert invoke("timeline", "eat", "production", cwd=life.root).returncode == 2


def test_wait_returns_when_it_is_served(life: Git, invoke: Run) -> None:
    assert asked(invoke, life, "wait", "eta", "production", "--timeout", "0s")["served"] is True
    gone = asked(
        invoke, life, "wait", "eta", "production", "2.3.0", "--timeout", "1s", "--every", "1s", code=1
    )
    assert (gone["served"], gone["version"]) == (False, "2.3.0")
    assert invoke("wait", "fraud", "production", "--timeout", "0s", cwd=life.root).returncode == 1
    assert invoke("wait", "eta", "production", "9.9.9", cwd=life.root).returncode == 2
    assert invoke("wait", "eta", "production", "--slot", "canary", cwd=life.root).returncode == 2


def test_wait_sees_what_arrives_meanwhile(life: Git) -> None:
    words = ["wait", "eta", "production", "2.3.0", "--every", "1s", "--timeout", "1m"]
    with subprocess.Popen(
        [sys.executable, "-m", "modelspec", *words], cwd=life.root, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as waiting:  # fmt: skip
        assert waiting.stderr is not None
        assert "waiting for 2.3.0" in waiting.stderr.readline()
        write(life.root, [receipt(life, "2.3.0", "2026-10-16T00:00:00Z")])
        said, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, said) == (0, "production/eta serves 2.3.0 in stable: stable 2.3.0\n")


def test_wait_and_drift_fetch_when_asked(life: Git, invoke: Run, tmp_path: Path) -> None:
    bare, other = tmp_path / "origin.git", tmp_path / "other"
    life("clone", "--quiet", "--bare", str(life.root), str(bare))
    life("clone", "--quiet", str(bare), str(other))
    life("remote", "add", "origin", str(bare))
    write(other, [receipt(life, "2.3.0", "2026-10-16T00:00:00Z")], push=True)
    words = ["wait", "eta", "production", "2.3.0", "--timeout", "0s"]
    assert invoke(*words, cwd=life.root).returncode == 1
    assert invoke(*words, "--remote", cwd=life.root).returncode == 0
    assert asked(invoke, life, "drift", "production", "--remote", code=1)["drift"] is True


def test_list_tells_stretches(life: Git, invoke: Run) -> None:
    found = asked(invoke, life, "receipts", "list", "production", "eta")
    assert [(one["since"], one["until"]) for one in found["stretches"]] == [
        ("2026-10-10T12:02:00Z", None),
        ("2026-10-01T12:00:00Z", "2026-10-10T12:02:00Z"),
    ]
    assert asked(invoke, life, "receipts", "list", "--limit", "1")["more"] is True
    assert asked(invoke, life, "receipts", "list", "staging")["stretches"] == []


def test_import_takes_in_all_or_nothing(life: Git, invoke: Run, tmp_path: Path) -> None:
    folder = tmp_path / "past" / "deep"
    folder.mkdir(parents=True)
    one = receipt(life, "3.0.0", "2026-09-01T00:00:00Z", "2026-09-01T00:01:00Z")
    two = receipt(life, "2.3.0", "2026-09-02T00:00:00Z", "2026-09-02T00:01:00Z")
    (folder / "one.json").write_text(one.model_dump_json(exclude_none=True))
    (folder / "more.jsonl").write_text(
        two.model_dump_json() + "\n\n" + two.model_dump_json(indent=None) + "\n"
    )
    later = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    bad = {
        "yet.json": one.model_copy(update={"observed": later}).model_dump_json(),
        "before.json": one.model_copy(update={"observed": "2026-08-01T00:00:00Z"}).model_dump_json(),
        "place.json": one.model_copy(update={"environment": "nowhere"}).model_dump_json(),
        "twice.json": one.model_copy(update={"slots": one.slots * 2}).model_dump_json(),
        "broken.json": "{",
        "deep.json": "[" * 10_000,
        "\x1b[2J.json": "{}",
    }
    for name, text in bad.items():
        (folder / name).write_text(text)
    before = life("rev-parse", "modelspec/receipts")
    done = invoke("receipts", "import", str(folder.parent), cwd=life.root)
    assert done.returncode == 1
    assert (
        "deep/before.json: it says that it was seen at 2026-08-01T00:00:00Z, before it began" in done.stdout
    )
    assert "no environment nowhere" in done.stdout
    assert "yet to come" in done.stdout
    assert "\x1b" not in done.stdout
    assert "twice.json: it names one version twice in one slot" in done.stdout
    assert "7 places without a receipt" in done.stdout
    assert life("rev-parse", "modelspec/receipts") == before
    for name in bad:
        (folder / name).unlink()
    assert asked(invoke, life, "receipts", "import", str(folder.parent))["new"] == 2
    assert asked(invoke, life, "receipts", "import", str(folder.parent))["new"] == 0
    assert len(stored(life.root)) == 4


def test_prune_keeps_the_retention_and_what_it_leaves_is_told_as_before(life: Git, invoke: Run) -> None:
    write(
        life.root,
        [receipt(life, "3.0.0", "2026-01-01T00:00:00Z"), receipt(life, "2.3.0", "2026-02-01T00:00:00Z")],
    )
    done = invoke("receipts", "prune", "--keep", "30d", cwd=life.root)
    assert (done.returncode, "keeps receipts for 90 days, not 30" in done.stderr) == (1, True)
    found = asked(invoke, life, "receipts", "prune", "--keep", "90d")
    # What has served since February lasts beyond the horizon: both of its receipts stay.
    assert (found["dropped"], found["kept"]) == (1, 3)
    assert served(invoke, life, "2026-10-05T00:00:00Z") == ({"2.3.0"}, True)
    assert asked(invoke, life, "receipts", "prune")["commit"] is None
    (life.root / "old.json").write_text("")


def test_what_was_compacted_away_is_not_written_again(life: Git, invoke: Run, tmp_path: Path) -> None:
    old = receipt(life, "3.0.0", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z")
    write(life.root, [old, receipt(life, "2.3.0", "2026-02-01T00:00:00Z")])
    asked(invoke, life, "receipts", "prune")
    folder = tmp_path / "past"
    folder.mkdir()
    (folder / "old.json").write_text(old.model_dump_json())
    assert asked(invoke, life, "receipts", "import", str(folder))["new"] == 0


def test_bad_files_of_the_branch_are_named(life: Git, invoke: Run) -> None:
    tree = life.root.parent / "tree"
    life("worktree", "add", "--quiet", str(tree), "modelspec/receipts")
    (tree / "receipts/production/eta/2026-10/x.json").write_text("{}")
    life("-C", str(tree), "add", "--all")
    life("-C", str(tree), "commit", "--quiet", "--message", "x")
    life("worktree", "remove", "--force", str(tree))
    done = invoke("receipts", "list", cwd=life.root)
    assert (done.returncode, "2026-10/x.json is not used" in done.stderr) == (1, True)
    assert served(invoke, life, "2026-10-05T00:00:00Z") == ({"2.3.0"}, True)
