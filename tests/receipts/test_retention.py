"""What receipts keep: the artifact and the file of a version that served past its pin."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from conftest import GIT_ENV, ROOT, Git, Run, edit
from modelspec.spec.receipt import Receipt, ReceiptSlot
from modelspec.spec.settings import Retention
from receipts.branch import write

VERSION = "registry/models/eta/versions/2.3.1.yaml"
LONG_AGO = {"GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"}


@pytest.fixture
def old(git: Git, monkeypatch: pytest.MonkeyPatch) -> Git:
    """The example with its store, committed long ago."""
    for name, value in GIT_ENV.items():
        monkeypatch.setenv(name, value)
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.com")
    shutil.copytree(ROOT / "store", git.root / "store")
    git("add", "--all")
    git(
        "commit",
        "--quiet",
        "--amend",
        "--message",
        "Long ago",
        "--date",
        LONG_AGO["GIT_AUTHOR_DATE"],
        **LONG_AGO,
    )
    for listed in (git.root / "store").glob("*.sha256sum"):
        os.utime(listed, (0, 0))
    return git


def served(git: Git, digest: str, days_ago: int) -> None:
    """Write that a version served so many days ago, and another one since the day after."""
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days_ago)
    for since, one in ((began, digest), (began + timedelta(days=1), "sha256:" + "0" * 64)):
        text = since.isoformat().replace("+00:00", "Z")
        write(git.root, [
            Receipt(
                environment="production", model="eta", since=text, observed=text, source="kserve", evidence="pods",
                slots=(ReceiptSlot(slot="stable", digest=one, share=100.0),),
            )
        ])  # fmt: skip


@pytest.mark.parametrize(("days_ago", "stays"), [(80, True), (120, False)])
def test_prune_leaves_what_a_receipt_says_served(old: Git, invoke: Run, days_ago: int, stays: bool) -> None:
    said = invoke("prune", cwd=old.root)
    assert "prune eta 2.3.1" in said.stdout, "no pin ever named it"
    served(old, invoke("digest", VERSION, cwd=old.root).stdout.strip(), days_ago)
    assert ("prune eta 2.3.1" in invoke("prune", cwd=old.root).stdout) is not stays


@pytest.mark.parametrize(("days_ago", "stays"), [(80, True), (120, False)])
def test_gc_leaves_what_a_receipt_says_served(old: Git, invoke: Run, days_ago: int, stays: bool) -> None:
    digest = invoke("digest", VERSION, cwd=old.root).stdout.strip()
    (old.root / VERSION).unlink()
    old("commit", "--all", "--quiet", "--message", "Gone", **LONG_AGO)
    old("reflog", "expire", "--expire=now", "--all")

    def dead() -> list[str]:
        done = invoke("gc", "--format", "json", cwd=old.root)
        assert done.returncode == 0, done.stderr
        return [one["digest"] for store in json.loads(done.stdout)["stores"] for one in store["dead"]]

    assert len(dead()) == 1
    served(old, digest, days_ago)
    assert (dead() == []) is stays


def test_artifacts_are_kept_as_long_as_their_records(old: Git, invoke: Run) -> None:
    served(old, invoke("digest", VERSION, cwd=old.root).stdout.strip(), 120)
    assert "prune eta 2.3.1" in invoke("prune", cwd=old.root).stdout
    edit(old.root, "registry/modelspec.yaml", "retention: {days: 90}", "retention: {days: 90, records: 180}")
    assert "prune eta 2.3.1" not in invoke("prune", cwd=old.root).stdout


def test_each_kind_has_its_days_and_none_less_than_the_records() -> None:
    some = Retention(days=30, records=60, receipts=10, artifacts=400)
    assert [some.says(kind) for kind in ("records", "receipts", "versions", "artifacts")] == [60, 10, 30, 400]
    assert [some.kept_for(kind) for kind in ("records", "receipts", "versions", "artifacts")] == [
        60,
        60,
        60,
        400,
    ]
