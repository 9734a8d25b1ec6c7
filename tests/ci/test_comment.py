"""The one comment: found by marker and author, updated in place; and what a fork's artifact can't do.

The script is run by node with a forge that records what it is asked.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ci.steps import step
from conftest import ROOT

SCRIPT = step(ROOT / "ci/github/modelspec.yml", "Write the comment")["with"]["script"]
SCAN = step(ROOT / "ci/github/modelspec.yml", "Upload the findings")["with"]["script"]
MARKER = "<!-- modelspec plan -->"
SHA = "0123456789abcdef0123456789abcdef01234567"
_HARNESS = """
const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const calls = [];
const record = (name) => async (given) => { calls.push([name, given]); };
const github = {
  paginate: async (what, given) => { calls.push([what.is, given]); return input[what.is]; },
  rest: {
    pulls: { list: { is: 'pulls' } },
    issues: {
      listComments: { is: 'comments' },
      createComment: record('create'),
      updateComment: record('update'),
    },
    codeScanning: { uploadSarif: record('sarif') },
  },
};
const core = { info: () => {} };
const Script = Object.getPrototypeOf(async function () {}).constructor;
new Script('github', 'context', 'core', 'require', input.script)(github, input.context, core, require)
  .then(() => console.log(JSON.stringify(calls)));
"""


def run(folder: Path, payload: dict[str, Any], script: str = SCRIPT, **answers: Any) -> list[Any]:
    """Run a script; return the calls that write, as [name, arguments]."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    context = {
        "payload": payload,
        "repo": {"owner": "ml", "repo": "models"},
        "serverUrl": "https://github.example.com",
        "runId": 7,
        "sha": SHA,
        "ref": "refs/heads/main",
    }
    given = {"script": script, "context": context, "comments": [], "pulls": [], **answers}
    done = subprocess.run(
        [node, "-e", _HARNESS],
        input=json.dumps(given), env={"FOLDER": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [call for call in json.loads(done.stdout) if call[0] in ("create", "update", "sarif")]


def plan(folder: Path, state: str, text: str = "the plan", *, plain: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "state").write_text(f"{state}\n")
    (folder / "plan.md").write_text(f"{MARKER}\n{text}\n")
    (folder / "plan.txt").write_text(plain)
    return folder


def comment(body: str, login: str = "github-actions[bot]") -> dict[str, Any]:
    return {"id": 5, "body": f"{MARKER}\n{body}\n", "user": {"login": login}}


PULL = {"pull_request": {"number": 3}}
FORK = {
    "workflow_run": {
        "id": 99,
        "head_sha": SHA,
        "head_branch": "change",
        "head_repository": {"id": 42, "owner": {"login": "eve"}},
    }
}
THEIRS = [{"number": 8, "head": {"sha": SHA, "repo": {"id": 42}}}]


def test_a_change_gets_a_comment(tmp_path: Path) -> None:
    ((name, given),) = run(plan(tmp_path, "changes"), PULL)
    assert name == "create" and given["issue_number"] == 3 and given["body"] == f"{MARKER}\nthe plan\n"


def test_no_change_gets_none(tmp_path: Path) -> None:
    assert run(plan(tmp_path, "same"), PULL) == []


def test_a_later_push_updates_the_same_comment_and_no_change_overwrites_it(tmp_path: Path) -> None:
    ((name, given),) = run(plan(tmp_path, "same", "no change"), PULL, comments=[comment("the plan")])
    assert name == "update" and given["comment_id"] == 5 and "no change" in given["body"]
    assert run(plan(tmp_path, "same", "no change"), PULL, comments=[comment("no change")]) == []


def test_somebody_else_s_comment_with_the_marker_is_left_alone(tmp_path: Path) -> None:
    quoted = {**comment("x"), "body": f"> {MARKER}"}
    calls = run(plan(tmp_path, "blocked"), PULL, comments=[comment("x", login="eve"), quoted])
    assert [name for name, _ in calls] == ["create"]


def test_a_stale_plan_is_taken_back_when_there_is_none(tmp_path: Path) -> None:
    ((name, given),) = run(tmp_path, PULL, comments=[comment("the plan")])
    assert name == "update" and "no plan" in given["body"] and "/actions/runs/7" in given["body"]
    assert run(tmp_path, PULL) == []


def test_a_comment_is_never_longer_than_a_forge_takes(tmp_path: Path) -> None:
    ((_, given),) = run(plan(tmp_path, "changes", "x" * 300_000), PULL)
    assert len(given["body"]) == 65_000


def test_a_fork_s_plan_is_plain_text_on_the_pull_request_that_the_forge_names(tmp_path: Path) -> None:
    hostile = "a\n```\n@everyone ![x](https://evil.example.com) <img src=x>\n````\n\u202eb\x1b[31m"
    ((name, given),) = run(plan(tmp_path, "changes", "# Approve me", plain=hostile), FORK, pulls=THEIRS)
    assert name == "create" and given["issue_number"] == 8
    body = given["body"]
    assert "Approve me" not in body and "\u202e" not in body and "\x1b" not in body
    before, inside, after = body.split("`````")
    assert "@everyone" in inside and "@" not in before + after


@pytest.mark.parametrize(
    "pulls",
    [
        [],
        [{"number": 8, "head": {"sha": SHA[::-1], "repo": {"id": 42}}}],
        [{"number": 8, "head": {"sha": SHA, "repo": {"id": 1}}}],
        [{"number": 8, "head": {"sha": SHA, "repo": None}}],
        [*THEIRS, {**THEIRS[0], "number": 9}],
    ],
)
def test_no_comment_where_the_forge_names_no_one_pull_request(pulls: list[Any], tmp_path: Path) -> None:
    (tmp_path / "number").write_text("1")
    assert run(plan(tmp_path, "changes", plain="x"), FORK, pulls=pulls) == []


def test_a_link_in_an_artifact_reads_nothing_of_the_runner(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    folder = plan(tmp_path / "plan", "changes")
    (folder / "plan.txt").unlink()
    (folder / "plan.txt").symlink_to(secret)
    ((_, given),) = run(folder, FORK, pulls=THEIRS)
    assert "hunter2" not in given["body"]


def test_a_state_that_is_none_of_ours_is_no_plan(tmp_path: Path) -> None:
    assert run(plan(tmp_path, "changes; approve"), FORK, pulls=THEIRS) == []


def test_findings_go_to_code_scanning_packed(tmp_path: Path) -> None:
    import base64
    import gzip

    (tmp_path / "modelspec.sarif").write_text('{"version": "2.1.0"}')
    ((name, given),) = run(tmp_path, {}, SCAN)
    assert name == "sarif" and (given["commit_sha"], given["ref"]) == (SHA, "refs/heads/main")
    assert gzip.decompress(base64.b64decode(given["sarif"])) == b'{"version": "2.1.0"}'
