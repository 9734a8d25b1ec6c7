"""Every verb that looks at git, in every shape of a checkout: the right answer, or what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Git
from forge.shapes import CONFIG, SHAPES
from promote import lab

VERBS = {
    "check": ("check", "--base", "HEAD~1"),
    "check --ref": ("check", "--base", "HEAD~1", "--ref", "HEAD"),
    "plan": ("plan", "--base", "HEAD~1", "--ref", "HEAD"),
    "plan, of the work tree": ("plan",),
    "log": ("log", "m0"),
    "at": ("at", "2999-01-01T00:00:00Z", "m0", "production"),
    "blame": ("blame", CONFIG),
    "diff": ("diff", "HEAD~1", "HEAD"),
    "rollback": ("rollback", "m1", "--env", "production", "--branch"),
    "promote": ("promote", "m0", "1.2.0", "--to", "production", "--commit"),
}
UNSHALLOW, FIRST, BEGIN = "git fetch --unshallow", "commit first", "git add . && git commit"
# Shape -> verb -> (exit code, what has to be said); "*" stands for all others.
SAID: dict[str, dict[str, tuple[int, str]]] = {
    "shallow": {"*": (3, UNSHALLOW)},
    "empty": {"*": (3, BEGIN)},
    "unborn": {
        "*": (3, FIRST),
        "diff": (3, "names no commit here"),
        "rollback": (0, "committed"),
        "promote": (3, "git switch main, or --branch"),
    },
    "detached": {"promote": (3, "git switch main, or --branch")},
    "lying_clock": {
        "check --ref": (3, "--now TIME"),
        "plan": (3, "--now TIME"),
        "diff": (0, "nothing differs"),
    },
    "markers": {
        "check": (1, "MS002 text-clean"),
        "check --ref": (1, "MS002 text-clean"),
        "plan": (0, "blocked: 1 error"),
        "log": (0, "the file can't be read"),
        "at": (0, "the file can't be read"),
        "blame": (1, "MS002 text-clean"),
        "diff": (0, "the file can't be read"),
        "promote": (1, "modelspec check says why"),
    },
}
RIGHT = {
    "check": "no findings",
    "check --ref": "no findings",
    "plan": "ready: promote",
    "plan, of the work tree": "no change",
    "log": "production/m0  promote 1.0.0 -> 1.1.0",
    "at": "1.1.0",
    "blame": "m0/versions/1.1.0.yaml",
    "diff": "production/m0: promote 1.0.0 -> 1.1.0",
    "rollback": "rollback m1 production 1.1.0 -> 1.0.0",
    "promote": "promote m0 production 1.1.0 -> 1.2.0",
}
"""What is said where nothing is in the way."""


@pytest.fixture
def git(tmp_path: Path) -> Git:
    git = lab.repository(tmp_path / "root", lab.files(2, 3))
    for model in ("m1", "m0"):
        assert lab.run(git.root, "promote", model, "1.1.0", "--to", "production", "--commit")[0] == 0
    return git


@pytest.mark.parametrize("shape", SHAPES)
def test_each_verb_answers_rightly_or_says_what_to_do(shape: str, git: Git, tmp_path: Path) -> None:
    root = SHAPES[shape](git, tmp_path)
    known = SAID.get(shape, {})
    for verb, arguments in VERBS.items():
        code, said = lab.run(root, *arguments)
        wanted, words = known.get(verb, known.get("*", (0, RIGHT[verb])))
        assert (code, words in said, "Traceback" in said) == (wanted, True, False), f"{verb}: {code}\n{said}"
        assert code != 3 or "fix: " in said
    assert not (tmp_path / "sprung").exists()


def test_an_instant_of_ones_own_is_the_cure_for_a_date_that_nobody_can_read(git: Git, tmp_path: Path) -> None:
    root = SHAPES["lying_clock"](git, tmp_path)
    for verb in ("check --ref", "plan"):
        code, said = lab.run(root, *VERBS[verb], "--now", "2026-11-24T00:00:00Z")
        assert code == 0, said


UNSAID = ["-x", "--upload-pack=touch sprung", "--output=sprung", "0" * 40, "nowhere", "main..main", ""]


@pytest.mark.parametrize("revision", UNSAID)
def test_a_revision_that_is_none_is_refused_by_every_verb(revision: str, git: Git) -> None:
    for arguments in (
        ("check", f"--base={revision}"),
        ("check", f"--ref={revision}"),
        ("plan", f"--base={revision}"),
        ("log", f"--ref={revision}"),
        ("at", "2999-01-01T00:00:00Z", f"--ref={revision}"),
        ("diff", "HEAD", "--", revision),
        ("rollback", f"--change={revision}", "--commit"),
    ):
        code, said = lab.run(git.root, *arguments)
        assert (code, "fix: " in said, "Traceback" in said) == (3, True, False), (
            f"{arguments}: {code}\n{said}"
        )
    # A remembered tip that is nowhere is a finding: main was rewritten.
    code, said = lab.run(git.root, "check", f"--tip={revision}")
    assert code in (1, 3) and ("MS406" in said or "fix: " in said)
    assert not (git.root / "sprung").exists()


@pytest.mark.parametrize("name", ["-x", "--output=sprung"])
def test_a_branch_that_looks_like_an_option_is_a_branch(name: str, git: Git) -> None:
    git("update-ref", f"refs/heads/{name}", "HEAD~1")
    for arguments, words in (
        (("check", f"--base={name}"), "no findings"),
        (("plan", f"--base={name}", "--ref=main"), "ready: promote"),
        (("log", "m0", f"--ref={name}"), "first deployment 1.0.0"),
        (("diff", "--", name, "main"), "production/m0: promote 1.0.0 -> 1.1.0"),
    ):
        code, said = lab.run(git.root, *arguments)
        assert (code, words in said) == (0, True), said
    assert not (git.root / "sprung").exists()


def test_a_base_that_is_no_ancestor_is_merged_with_or_refused(git: Git) -> None:
    """What is judged is what main will be; two pasts that never met have no such thing."""
    git("switch", "-qc", "topic", "HEAD~1")
    assert lab.run(git.root, "hold", "m1", "--env", "staging", "--reason", "Wait")[0] == 0
    git.commit("Hold")
    code, said = lab.run(git.root, "plan", "--base", "main", "--ref", "topic")
    assert code == 0 and "hold" in said and "production/m0" not in said
    git("switch", "-q", "--orphan", "other")
    git("checkout", "main", "--", ".")
    git.commit("Another beginning")
    for verb in ("check", "plan"):
        code, said = lab.run(git.root, verb, "--base", "main", "--ref", "other")
        assert code == 3 and "share no history" in said and "fix: " in said
