"""`observe` of what was saved: from a source to the branch, and what it says when it can't."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from conftest import Git, Run, edit, reference
from receipts.branch import stored
from receipts.observing import _who, application, digest, metadata, observe, save

__all__ = ["_who"]
PIN = "registry/environments/production/models/eta.yaml"


def promote(git: Git, version: str) -> str:
    """Commit another version in the pin; return the commit."""
    text = (git.root / PIN).read_text()
    line = next(line for line in text.splitlines() if line.startswith("  version: "))
    edit(git.root, PIN, line, f"  version: {reference(git.root, 'eta', version)}")
    return git.commit(f"Promote eta {version}")


def test_a_look_is_written_once(git: Git, invoke: Run) -> None:
    saved = save(git, metadata(git, "2.3.0"))
    first = observe(invoke, git, saved)
    assert [one["slots"][0]["version"] for one in first["receipts"]] == ["2.3.0"]
    assert first["commit"] == git("rev-parse", "modelspec/receipts")
    again = observe(invoke, git, saved)
    assert (again["receipts"], again["commit"], again["known"]) == ([], None, 1)


def test_a_history_of_revisions_becomes_receipts_of_the_past(git: Git, invoke: Run) -> None:
    first = git("rev-parse", "HEAD")
    second = promote(git, "2.3.1")
    git("revert", "--no-edit", "HEAD")
    third = git("rev-parse", "HEAD")
    times = [f"2026-10-0{day}T10:00:00Z" for day in (1, 2, 3)]
    found = observe(invoke, git, save(git, application(*zip((first, second, third), times, strict=True))))
    eta = [one for one in found["receipts"] if one["model"] == "eta"]
    assert [(one["since"], one["commit"], one["slots"][0]["version"]) for one in eta] == [
        (times[0], first, "2.3.0"),
        (times[1], second, "2.3.1"),
        (times[2], third, "2.3.0"),
    ]
    fraud = [one for one in found["receipts"] if one["model"] == "fraud"]
    assert [one["since"] for one in fraud] == times[:1], "it did not change"
    assert {one["slot"]: one["share"] for one in fraud[0]["slots"]} == {"stable": 100, "standby": 0}


def kustomization(*history: tuple[str, str, str]) -> dict[str, Any]:
    """As Flux has it, newest first: (revision, applied first, applied last)."""
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "production", "namespace": "flux-system"},
        "spec": {"path": "./compiled/production/models"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "lastAppliedRevision": f"main@sha1:{history[0][0]}",
            "history": [
                {
                    "firstReconciled": first,
                    "lastReconciled": last,
                    "lastReconciledStatus": "ReconciliationSucceeded",
                    "metadata": {"revision": f"main@sha1:{revision}"},
                }
                for revision, first, last in history
            ],
        },
    }


def test_a_revert_that_flux_files_under_its_old_entry_is_seen(git: Git, invoke: Run) -> None:
    second = promote(git, "2.3.1")
    git("revert", "--no-edit", "HEAD")
    third = git("rev-parse", "HEAD")
    made = git("show", "--no-patch", "--format=%cI", second)
    long_ago, later = (
        "2026-10-01T10:00:00Z",
        (datetime.fromisoformat(made) + timedelta(seconds=9)).isoformat(),
    )
    found = observe(invoke, git, save(git, kustomization((third, long_ago, later), (second, made, made))))
    versions = {
        one["since"]: one["slots"][0]["version"] for one in found["receipts"] if one["model"] == "eta"
    }
    assert list(versions.values()) == ["2.3.1", "2.3.0"], "in the order in which they served"
    assert long_ago not in versions, "the commit of the revert was not there then"


def test_a_time_of_flux_before_the_commit_is_not_that_commit_s(git: Git, invoke: Run) -> None:
    """Another model's promotion gives the same as before for the Kustomization that is looked at."""
    promote(git, "2.3.1")
    latest = git("rev-parse", "HEAD")
    found = observe(
        invoke, git, save(git, kustomization((latest, "2026-10-01T10:00:00Z", "2026-10-02T10:00:00Z")))
    )
    assert {one["since"] == one["observed"] for one in found["receipts"]} == {True}, "merely seen"


def test_a_revision_without_a_pin_says_that_nothing_serves(git: Git, invoke: Run) -> None:
    first = git("rev-parse", "HEAD")
    (git.root / PIN).unlink()
    second = git.commit("Stop serving eta")
    times = ["2026-10-01T10:00:00Z", "2026-10-02T10:00:00Z"]
    found = observe(invoke, git, save(git, application((first, times[0]), (second, times[1]))))
    eta = [one for one in found["receipts"] if one["model"] == "eta"]
    assert [(one["since"], len(one["slots"])) for one in eta] == [(times[0], 1), (times[1], 0)]


@pytest.mark.parametrize(
    ("path", "models"),
    [
        ("compiled/production/models/fraud/kserve", {"fraud"}),
        ("./compiled/production/", {"eta", "fraud"}),
        ("deploy/overlay", {"eta", "fraud"}),
        ("compiled/staging", set()),
    ],
)
def test_the_folder_that_is_applied_says_of_what(git: Git, invoke: Run, path: str, models: set[str]) -> None:
    saved = save(git, application((git("rev-parse", "HEAD"), "2026-10-01T10:00:00Z"), path=path))
    assert {one["model"] for one in observe(invoke, git, saved)["receipts"]} == models


@pytest.mark.parametrize("revision", ["f" * 40, "main", "HEAD", "--output=x", "../../x", "v1\n"])
def test_a_revision_that_is_no_commit_here_is_a_finding(git: Git, invoke: Run, revision: str) -> None:
    found = observe(invoke, git, save(git, application((revision, "2026-10-01T10:00:00Z"))))
    assert found["receipts"] == []
    assert "is no commit here" in found["findings"][0]["message"]
    assert not (git.root / "x").exists()


def test_a_stamp_of_no_version_is_a_finding_and_the_rest_is_written(git: Git, invoke: Run) -> None:
    saved = save(git, metadata(git, "2.3.0", digest="sha256:" + "0" * 64))
    done = invoke("observe", "--env", "production", saved, cwd=git.root)
    assert done.returncode == 1
    assert "is that of no version of eta, now or before" in done.stdout
    assert "fix: git fetch" in done.stdout
    assert git("branch", "--list", "modelspec/receipts") == ""


@pytest.mark.parametrize("digits", [12, 32, 64])
def test_a_shortened_stamp_finds_its_version(git: Git, invoke: Run, digits: int) -> None:
    stamp = digest(git, "2.3.1").removeprefix("sha256:")[:digits]
    found = observe(invoke, git, save(git, metadata(git, "2.3.1", digest=f"sha256-{stamp}")))
    assert found["receipts"][0]["slots"][0]["digest"] == digest(git, "2.3.1")


def test_a_stamp_of_a_version_that_is_gone_is_found_in_history(git: Git, invoke: Run) -> None:
    saved = save(git, metadata(git, "2.3.1"))
    (git.root / "registry/models/eta/versions/2.3.1.yaml").unlink()
    git.commit("Delete a version, past all rules")
    found = observe(invoke, git, saved)
    assert found["receipts"][0]["slots"][0]["version"] == "2.3.1"


def test_a_stamp_finds_its_model(git: Git, invoke: Run) -> None:
    data = {"EndpointName": "x", "EndpointStatus": "InService", "LastModifiedTime": "2026-10-01T10:00:00Z",
            "ProductionVariants": [{"VariantName": f"stable-{digest(git, '2.3.0')[7:39]}", "CurrentWeight": 1}]}  # fmt: skip
    found = observe(invoke, git, save(git, data))
    assert [(one["model"], one["source"]) for one in found["receipts"]] == [("eta", "sagemaker")]


def test_a_clock_that_is_ahead_is_a_finding(git: Git, invoke: Run) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = observe(invoke, git, save(git, application((git("rev-parse", "HEAD"), later))))
    assert found["receipts"] == []
    assert "a clock lies" in found["findings"][0]["message"]


def test_a_clock_that_is_a_little_ahead_is_taken_for_now(git: Git, invoke: Run) -> None:
    later = (datetime.now(UTC) + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = observe(invoke, git, save(git, application((git("rev-parse", "HEAD"), later))))
    assert all(one["since"] == one["observed"] < later for one in found["receipts"])


def test_another_environment_is_left_out(git: Git, invoke: Run) -> None:
    found = observe(invoke, git, save(git, metadata(git, "2.3.0", environment="staging")))
    assert found["receipts"] == []
    assert "not production" in found["left_out"][0]["message"]


def test_hostile_words_reach_no_terminal_and_no_path(git: Git, invoke: Run) -> None:
    saved = save(git, metadata(git, "2.3.0", model="../../staging/eta", slot="\x1b[2J"))
    done = invoke("observe", "--env", "production", saved, cwd=git.root)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    saved = save(git, {**metadata(git, "2.3.0", slot="\x1b[2J"), "name": "\x1b]0;x\x07"})
    assert invoke("observe", "--env", "production", saved, cwd=git.root).returncode == 0
    (one,) = stored(git.root)
    assert (one.slots[0].slot, "\x1b" in one.evidence) == ("unknown", False)


def test_what_is_no_json_of_a_system_is_a_finding(git: Git, invoke: Run) -> None:
    (git.root / "saved.json").write_text("{}")
    done = invoke("observe", "--env", "production", "saved.json", cwd=git.root)
    assert (done.returncode, "no system that is known" in done.stdout) == (1, True)
    (git.root / "link.json").symlink_to("saved.json")
    assert invoke("observe", "--env", "production", "link.json", cwd=git.root).returncode == 3
    assert invoke("observe", "--env", "produktion", "saved.json", cwd=git.root).returncode == 2


def test_stdin_is_read(git: Git) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelspec", "observe", "--env", "production", "-"],
        cwd=git.root, input=json.dumps(metadata(git, "2.3.0")), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "production/eta: stable 2.3.0" in done.stdout) == (0, True), done.stderr


def test_a_dry_run_writes_nothing(git: Git, invoke: Run) -> None:
    found = observe(invoke, git, save(git, metadata(git, "2.3.0")), "--dry-run")
    assert (len(found["receipts"]), found["commit"]) == (1, None)
    assert git("branch", "--list", "modelspec/receipts") == ""


@pytest.mark.parametrize(
    ("environment", "model"), [("production", "fraud"), ("staging", "fraud"), ("staging", "eta")]
)
def test_what_is_compiled_for_kserve_is_recognised(
    git: Git, invoke: Run, environment: str, model: str
) -> None:
    """The stamps that the compiler writes are those that observers find: canary, shadow and standby as well."""
    assert invoke("compile", environment, "--model", model, cwd=git.root).returncode == 0
    folder = git.root / f"compiled/{environment}/models/{model}/kserve"
    objects = [yaml.safe_load(file.read_text()) for file in sorted(folder.glob("*.yaml"))]
    for one in objects:
        one["metadata"]["generation"] = 1
        one["status"] = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
    saved = save(git, {"apiVersion": "v1", "kind": "List", "items": objects})
    done = invoke("observe", "--env", environment, saved, "--format", "json", cwd=git.root)
    (one,) = json.loads(done.stdout)["receipts"]
    declared = json.loads(
        invoke("at", "2030-01-01T00:00:00Z", model, environment, "--format", "json", cwd=git.root).stdout
    )["pins"][0]["slots"]
    assert {(slot["slot"], slot["digest"], slot["share"]) for slot in one["slots"]} == {
        (slot["slot"], slot["digest"], float(slot["weight"] or 0)) for slot in declared
    }
    assert invoke("drift", environment, "--grace", "0", cwd=git.root).returncode == 0
