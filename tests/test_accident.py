"""The accident that the project starts from: production moves to the schema that stopped normalising."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conftest import Git, Run, edit

FEATURES = "registry/environments/production/features/trip_features.yaml"
PIN = "registry/environments/production/models/eta.yaml"
SERVED = {
    1: "1@sha256:4dbcb1c14fcc2756fffaafc11aa2be857e32fb9418efe294250c82ccd545f36c",
    2: "2@sha256:3f1ad97134dcd788871d096279c20fb7de6191c2403f7c1b4f65aa17cfc7e8ed",
}
OLD = "2.3.0@sha256:4dee3d901b1c23b7346b6206e5983d2bd74187968a7aac1aae2a01db89c11265"
NEW = "3.0.0@sha256:573c5772f54a524e7b24f988885a592b7f3d60b7e3ddf5792d7e09251c384e43"


def findings(modelspec: Run, root: Path, *arguments: str) -> list[dict[str, Any]]:
    """Return what blocks, without the gates (a promotion in a test has soaked nowhere)."""
    done = modelspec("check", "--format", "json", *arguments, cwd=root)
    found = json.loads(done.stdout)["findings"]
    return [one for one in found if one["severity"] == "error" and not one["code"].startswith("MS53")]


def test_the_check_blocks_the_schema_that_the_running_model_can_t_read(modelspec: Run, git: Git) -> None:
    edit(git.root, FEATURES, SERVED[1], SERVED[2])
    for arguments in ((), ("--base", "HEAD")):
        (found,) = findings(modelspec, git.root, *arguments)
        assert (found["code"], found["path"], found["line"]) == ("MS301", PIN, 9)
        assert "distance_norm is now raw km (was minmax, 0 to 1)" in found["message"]
        (related,) = found["related"]
        assert (related["path"], related["line"], related["message"]) == (FEATURES, 7, "served by")
        assert "pin 3.0.0, which reads 2" in found["fix"]


def test_nothing_is_compiled_from_it(modelspec: Run, git: Git) -> None:
    edit(git.root, FEATURES, SERVED[1], SERVED[2])
    done = modelspec("compile", "production", cwd=git.root)
    assert (done.returncode, (git.root / "compiled").exists()) == (1, False)
    assert "MS301" in done.stdout + done.stderr


def test_both_together_are_right_as_a_state_and_exposed_as_a_change(modelspec: Run, git: Git) -> None:
    edit(git.root, FEATURES, SERVED[1], SERVED[2])
    edit(git.root, PIN, OLD, NEW)
    assert findings(modelspec, git.root) == []
    found = findings(modelspec, git.root, "--base", "HEAD")
    assert [one["code"] for one in found] == ["MS310", "MS310"]
    assert "eta 2.3.0, which leaves, meets trip_features 2, which comes" in found[0]["message"]


def test_the_way_that_the_finding_names_has_no_such_moment(modelspec: Run, git: Git) -> None:
    """Serve both by number, move the reader, drop the old one: each change passes, and no window closes."""
    text = (git.root / FEATURES).read_text().replace("access: current", "access: numbered")
    both = text.replace(f"  - {SERVED[1]}\n", f"  - {SERVED[1]}\n  - {SERVED[2]}\n")
    steps = (
        ("Serve both", lambda: (git.root / FEATURES).write_text(both)),
        ("Read kilometres", lambda: edit(git.root, PIN, OLD, NEW)),
        ("Drop the old schema", lambda: edit(git.root, FEATURES, f"  - {SERVED[1]}\n", "")),
    )
    for message, step in steps:
        step()
        assert findings(modelspec, git.root, "--base", "HEAD") == [], message
        git.commit(message)


def test_going_back_is_a_restore_which_is_only_warned_of(modelspec: Run, git: Git) -> None:
    edit(git.root, FEATURES, SERVED[1], SERVED[2])
    edit(git.root, PIN, OLD, NEW)
    git.commit("Read kilometres")
    git("revert", "--no-commit", "HEAD")
    assert findings(modelspec, git.root, "--base", "HEAD") == []
    done = modelspec("check", "--base", "HEAD", "--format", "json", cwd=git.root)
    codes = {one["code"]: one["severity"] for one in json.loads(done.stdout)["findings"]}
    assert (done.returncode, codes.get("MS311")) == (0, "warn")
