"""`modelspec verdict` as a whole process: words, JSON, exit codes, with and without a history."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import Git, Run, edit

FEATURES = "registry/environments/production/features/trip_features.yaml"
PIN = "registry/environments/production/models/eta.yaml"
ONE = "1@sha256:4dbcb1c14fcc2756fffaafc11aa2be857e32fb9418efe294250c82ccd545f36c"
TWO = "2@sha256:3f1ad97134dcd788871d096279c20fb7de6191c2403f7c1b4f65aa17cfc7e8ed"
OLD = "2.3.0@sha256:4dee3d901b1c23b7346b6206e5983d2bd74187968a7aac1aae2a01db89c11265"
NEW = "3.0.0@sha256:573c5772f54a524e7b24f988885a592b7f3d60b7e3ddf5792d7e09251c384e43"
WHY = "reads trip_features 2, served 1: distance_norm is still minmax, 0 to 1 (trained on raw km)"


def move(root: Path) -> None:
    """Move production to what 3.0.0 reads, together with it."""
    edit(root, FEATURES, ONE, TWO)
    edit(root, PIN, OLD, NEW)


def test_a_version_with_co_pins_names_what_moves_and_both_places(modelspec: Run, example: Path) -> None:
    done = modelspec("verdict", "eta", "production", "3.0.0", cwd=example)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "eta 3.0.0 in production: SAFE WITH CO-PINS",
        f"  {WHY}; judged on 5 of 8 parts",
        f"    registry/models/eta/versions/3.0.0.yaml:25:35, served by {FEATURES}:7:5",
        "  moves with it feature pin trip_features 1 -> 2",
        "  exposed while it rolls out: old and new meet until all have moved",
    ]


def test_a_safe_version_is_exit_0(modelspec: Run, example: Path) -> None:
    done = modelspec("verdict", "eta", "production", "2.3.1", cwd=example)
    assert (done.returncode, done.stdout) == (0, "eta 2.3.1 in production: SAFE\n")


def test_without_a_repository_only_what_is_pinned_is_judged_and_it_says_so(
    modelspec: Run, example: Path
) -> None:
    done = modelspec("verdict", "eta", "production", cwd=example)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "eta 2.3.0 in production: SAFE  (stable)",
        "no git repository, so no history: only what is pinned now was judged; name a VERSION for another",
    ]


def test_all_that_ever_served_is_judged_by_the_history(modelspec: Run, git: Git) -> None:
    move(git.root)
    git.commit("Read kilometres")
    done = modelspec("verdict", "eta", "production", "--format", "json", cwd=git.root)
    found = json.loads(done.stdout)
    assert (done.returncode, found["format"], found["history"]) == (0, "modelspec/verdict/1", True)
    rows = [(one["version"], one["verdict"], one["in_window"]) for one in found["verdicts"]]
    assert rows == [("3.0.0", "SAFE", True), ("2.3.0", "SAFE WITH CO-PINS", True)]
    (moves,) = found["verdicts"][1]["moves"]
    assert (moves["name"], moves["was"], moves["now"], moves["added"]) == (
        "trip_features",
        [TWO],
        [ONE],
        False,
    )
    assert found["verdicts"][0]["until"] is None and found["verdicts"][1]["until"] is not None


def test_an_unsafe_way_back_names_whom_it_would_break(modelspec: Run, git: Git) -> None:
    move(git.root)
    text = (git.root / PIN).read_text()
    # Another model of the same kind, that can't go back.
    late = git.root / "registry/models/late/versions/1.0.0.yaml"
    late.parent.mkdir(parents=True)
    version = (git.root / "registry/models/eta/versions/3.0.0.yaml").read_text()
    version = version.replace("model: eta", "model: late").replace("version: 3.0.0", "version: 1.0.0")
    late.write_text(version.split("lineage:")[0])
    head = (git.root / "registry/models/eta/model.yaml").read_text()
    (git.root / "registry/models/late/model.yaml").write_text(head.replace("model: eta", "model: late"))
    digest = modelspec("digest", str(late.relative_to(git.root)), cwd=git.root).stdout.split()[0]
    pin = text.replace("model: eta", "model: late").replace(NEW, f"1.0.0@{digest}")
    (git.root / PIN).with_name("late.yaml").write_text(pin)
    git.commit("Late arrivals")
    done = modelspec("verdict", "eta", "production", "2.3.0", cwd=git.root)
    assert done.returncode == 1
    assert "eta 2.3.0 in production: UNSAFE\n" in done.stdout
    assert "nearest: feature pin trip_features 2 -> 1\n" in done.stdout
    assert "would break late 1.0.0 (stable): distance_norm is still minmax" in done.stdout


def test_names_are_checked(modelspec: Run, example: Path) -> None:
    for arguments, word in (
        (("et", "production"), "No such model: et. Did you mean eta?"),
        (("eta", "producton"), "No such environment: producton. Did you mean production?"),
        (("eta", "production", "3.0.1"), "No such version of eta: 3.0.1. Did you mean 3.0.0?"),
    ):
        done = modelspec("verdict", *arguments, cwd=example)
        assert (done.returncode, done.stdout) == (2, "")
        assert word in done.stderr


def test_a_revision_is_judged_by_its_own_history(modelspec: Run, git: Git) -> None:
    first = git("rev-parse", "HEAD")
    move(git.root)
    git.commit("Read kilometres")
    done = modelspec("verdict", "eta", "production", "--ref", first, cwd=git.root)
    assert (done.returncode, done.stdout) == (0, "eta 2.3.0 in production: SAFE  (stable)\n")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("registry/models/eta/model.yaml", "2.3.0"),
        ("registry/environments/production/environment.yaml", "2.3.0"),
        (PIN, "2.3.0"),
        (FEATURES, "2.3.0"),
        ("registry/features/trip_features/view.yaml", "2.3.0"),
        ("registry/models/eta/versions/3.0.0.yaml", "3.0.0"),
        # Whom the move would break is not known while these can't be read.
        ("registry/environments/production/models/fraud.yaml", "3.0.0"),
        ("registry/models/fraud/versions/1.1.0.yaml", "3.0.0"),
    ],
)
def test_what_hangs_on_a_file_that_cannot_be_read_is_never_good(
    path: str, asked: str, invoke: Run, example: Path
) -> None:
    with (example / path).open("a") as file:
        file.write("unknown: 1\n")
    done = invoke("verdict", "eta", "production", asked, cwd=example)
    assert done.returncode == 1
    assert f"no proof: {path} can't be read, `modelspec check` says why" in done.stdout
    assert "is not published" not in done.stdout
    done = invoke("verdict", "eta", "production", asked, "--format", "json", cwd=example)
    found = json.loads(done.stdout)
    assert (found["good"], found["unread"]) == (False, [path])


def test_a_safe_version_does_not_hang_on_the_pin_of_another_model(invoke: Run, example: Path) -> None:
    with (example / "registry/environments/production/models/fraud.yaml").open("a") as file:
        file.write("unknown: 1\n")
    assert invoke("verdict", "eta", "production", "2.3.1", cwd=example).returncode == 0


def test_a_pin_that_cannot_be_read_is_not_called_never_served(invoke: Run, example: Path) -> None:
    with (example / PIN).open("a") as file:
        file.write("unknown: 1\n")
    done = invoke("verdict", "eta", "production", cwd=example)
    assert done.returncode == 1 and "never served" not in done.stdout


VIEW = "registry/features/trip_features/view.yaml"
READS = "registry/models/eta/versions/2.3.0.yaml:25:35"
GONE = f"withdrawn:\n  - {{schema: {ONE}, reason: Measured from the wrong depot}}\n"


def test_a_version_that_reads_a_withdrawn_schema_is_unsafe_and_both_lines_are_named(
    modelspec: Run, example: Path
) -> None:
    """It was SAFE, while `check` refused the schema that it reads."""
    line = (example / VIEW).read_text().count("\n") + 2
    with (example / VIEW).open("a") as file:
        file.write(GONE)
    done = modelspec("verdict", "eta", "production", "2.3.0", cwd=example)
    assert (done.returncode, done.stdout.splitlines()[:3]) == (
        1,
        [
            "eta 2.3.0 in production: UNSAFE  (stable)",
            "  reads trip_features 1, served 1: trip_features 1 is withdrawn: Measured from the wrong depot",
            f"    {READS}, served by {FEATURES}:7:5, withdrawn by {VIEW}:{line}:14",
        ],
    )
    found = json.loads(
        modelspec("verdict", "eta", "production", "2.3.0", "--format", "json", cwd=example).stdout
    )
    (trouble,) = found["verdicts"][0]["troubles"]
    assert (found["good"], trouble["withdrawn_by"]) == (False, f"{VIEW}:{line}:14")
    # `check` says it once a feature pin, and nothing more of the versions that read it.
    checked = json.loads(modelspec("check", "--format", "json", cwd=example).stdout)["findings"]
    assert {one["code"] for one in checked} == {"MS511"}
    assert len({one["path"] for one in checked}) == len(checked)


def test_a_version_that_can_leave_a_withdrawn_schema_is_safe_with_co_pins(
    modelspec: Run, example: Path
) -> None:
    with (example / VIEW).open("a") as file:
        file.write(GONE)
    edit(example, FEATURES, ONE, f"{ONE}\n  - {TWO}")
    edit(example, PIN, OLD, NEW)
    done = modelspec("verdict", "eta", "production", "3.0.0", cwd=example)
    assert done.stdout.splitlines()[0] == "eta 3.0.0 in production: SAFE WITH CO-PINS  (stable)"
    assert "  moves with it feature pin trip_features 1, 2 -> 2" in done.stdout.splitlines()


def test_who_asks_by_number_is_never_given_a_withdrawn_schema_where_another_may_be_read(
    modelspec: Run, example: Path
) -> None:
    """3.0.0 reads 2 by number, and what else is served there does not concern it."""
    with (example / VIEW).open("a") as file:
        file.write(GONE)
    edit(example, FEATURES, ONE, f"{ONE}\n  - {TWO}")
    edit(example, FEATURES, "access: current", "access: numbered")
    done = modelspec("verdict", "eta", "production", "3.0.0", cwd=example)
    assert (done.returncode, done.stdout) == (0, "eta 3.0.0 in production: SAFE\n")
    assert modelspec("verdict", "eta", "production", "2.3.0", cwd=example).returncode == 1


def test_leaving_a_withdrawn_schema_is_not_held_up_by_the_moment_in_between(modelspec: Run, git: Git) -> None:
    """What comes meets the withdrawn schema for a moment: what leaves reads it already."""
    edit(git.root, FEATURES, ONE, TWO)
    edit(git.root, PIN, OLD, NEW)
    with (git.root / VIEW).open("a") as file:
        file.write(GONE)
    git.commit("Read kilometres, and withdraw what was minmax")
    done = modelspec("check", "--base", "HEAD~1", "--ref", "HEAD", "--format", "json", cwd=git.root)
    messages = [one["message"] for one in json.loads(done.stdout)["findings"] if one["code"] == "MS310"]
    assert messages and all("withdrawn" not in message for message in messages)


def test_withdrawing_what_the_window_reads_closes_it_and_plan_says_so(modelspec: Run, git: Git) -> None:
    move(git.root)
    git.commit("Read kilometres")
    # Back to the first schema, which then is withdrawn while it is served.
    edit(git.root, FEATURES, TWO, ONE)
    edit(git.root, PIN, NEW, OLD)
    git.commit("Back")
    with (git.root / VIEW).open("a") as file:
        file.write(GONE)
    git.commit("Withdraw")
    rows = modelspec("verdict", "eta", "production", "--format", "json", cwd=git.root)
    verdicts = {one["version"]: one["verdict"] for one in json.loads(rows.stdout)["verdicts"]}
    assert verdicts == {"2.3.0": "UNSAFE", "3.0.0": "SAFE WITH CO-PINS"}
    assert rows.returncode == 1
