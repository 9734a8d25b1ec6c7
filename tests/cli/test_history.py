"""`log`, `at`, `diff`, `blame`, `bisect` as whole processes on real repositories."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import Git, Run, edit
from modelspec.spec.kinds import VERSION
from modelspec.spec.registry import Registry
from modelspec.world.worktree import WorkTree

PIN = "registry/environments/staging/models/eta.yaml"
START = datetime(2026, 1, 1, tzinfo=UTC)


def ref(root: Path, version: str) -> str:
    with WorkTree(root) as tree:
        entry = Registry(tree).value(VERSION, "eta", version)
    assert entry is not None
    return f"{version}@{entry.digest}"


def commit(git: Git, message: str, hours: float, **env: str) -> str:
    date = (START + timedelta(hours=hours)).isoformat()
    git("add", "--all")
    git("commit", "--quiet", "-m", message, GIT_COMMITTER_DATE=date, GIT_AUTHOR_DATE=date, **env)
    return git("rev-parse", "HEAD")


@pytest.fixture
def past(example: Path) -> tuple[Git, list[str]]:
    """Staging's eta goes 3.0.0 (hour 0), 2.3.1 (1), gone (2), 3.0.0 (3), 2.3.1 with a reason (4)."""
    git = Git(example)
    # Both versions read what is served, so that every state compiles.
    for file in example.glob("registry/environments/staging/models/*.yaml"):
        if file.name != "eta.yaml":
            file.unlink()
    old, new = ref(example, "3.0.0"), ref(example, "2.3.1")
    served = example / "registry/environments/staging/features/trip_features.yaml"
    one = (example / "registry/environments/production/features/trip_features.yaml").read_text()
    number = next(word for word in one.replace("]", " ").replace("[", " ").split() if word.startswith("1@"))
    text = served.read_text()
    two = next(word for word in text.replace("]", " ").replace("[", " ").split() if word.startswith("2@"))
    text = text.replace("access: current", "access: numbered")
    served.write_text(text if number in text else text.replace(f"  - {two}", f"  - {number}\n  - {two}"))
    ids = [commit(git, "Begin", 0)]
    edit(example, PIN, old, new)
    ids.append(commit(git, "Go back (#7)\n\nReviewed-by: Ben <ben@example.com>", 1))
    content = (example / PIN).read_text()
    (example / PIN).unlink()
    ids.append(commit(git, "Remove eta", 2))
    (example / PIN).write_text(content.replace(new, old))
    ids.append(commit(git, "Bring eta back", 3))
    reason = "reason: {text: Too slow, link: https://git.example.com/pull/9}\nserve:"
    (example / PIN).write_text(content.replace("serve:", reason, 1))
    ids.append(commit(git, "Revert it all", 4))
    return git, ids


def loaded(text: str) -> Any:
    return json.loads(text)


def at(hours: float) -> str:
    return (START + timedelta(hours=hours)).isoformat()


def test_the_log_of_a_pin_is_told_by_state(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, ids = past
    done = modelspec("log", "eta", "--env", "staging", "--format", "json", cwd=git.root)
    assert done.returncode == 0, done.stderr
    found = loaded(done.stdout)
    assert found["format"] == "modelspec/log/1"
    assert [event["commit"] for event in found["events"]] == ids[::-1]
    kinds = [event["changes"][0]["kind"] for event in found["events"]]
    # 3.0.0 was there first; so 2.3.1 instead of it is a promotion, whatever the message says.
    assert kinds == ["promote", "restore", "removal", "promote", "first deployment"]
    back = found["events"][3]
    assert (back["pull_request"], back["reviewers"]) == ("#7", ["Ben"])
    assert found["events"][0]["reason"] == {"text": "Too slow", "link": "https://git.example.com/pull/9"}
    text = modelspec("log", "eta", cwd=git.root)
    assert "staging/eta  promote 3.0.0 -> 2.3.1" in text.stdout
    assert "why: Too slow <https://git.example.com/pull/9>" in text.stdout


def test_all_pins_and_one_environment_and_a_limit_agree(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, _ = past
    every = loaded(modelspec("log", "--limit", "0", "--format", "json", cwd=git.root).stdout)["events"]
    mine = [event for event in every if (event["environment"], event["model"]) == ("staging", "eta")]
    one = loaded(modelspec("log", "eta", "--env", "staging", "--format", "json", cwd=git.root).stdout)
    assert mine == one["events"]
    some = modelspec("log", "--env", "staging", "--limit", "2", "--format", "json", cwd=git.root)
    found = loaded(some.stdout)
    assert found["events"] == mine[:2]
    assert found["more"] is True
    assert "older ones with --limit" in some.stderr


def test_a_restore_is_one_also_in_the_newest_of_all(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, _ = past
    edit(git.root, PIN, ref(git.root, "2.3.1"), ref(git.root, "3.0.0"))
    commit(git, "Promote the best ever", 5)
    for arguments in (("eta",), ("--limit", "1"), ("--limit", "0")):
        done = modelspec("log", *arguments, "--format", "json", cwd=git.root)
        newest = loaded(done.stdout)["events"][0]
        assert [change["kind"] for change in newest["changes"]] == ["restore"], arguments


def test_what_was_declared_at_an_instant(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, ids = past

    def versions(hours: float) -> tuple[int, list[str]]:
        done = modelspec("at", at(hours), "eta", "staging", "--format", "json", cwd=git.root)
        pins = loaded(done.stdout)["pins"]
        return done.returncode, [slot["version"] for pin in pins for slot in pin["slots"][:1]]

    assert versions(-1) == (1, [])
    assert versions(0) == (0, ["3.0.0"])
    assert versions(1.5) == (0, ["2.3.1"])
    assert versions(2) == (1, [])
    assert versions(3.9) == (0, ["3.0.0"])
    assert versions(10) == (0, ["2.3.1"])
    early = modelspec("at", at(-1), cwd=git.root)
    assert "before the first commit" in early.stdout
    gone = modelspec("at", at(2.5), "eta", "staging", cwd=git.root)
    assert "eta was not pinned in staging at that time" in gone.stderr
    late = modelspec("at", "2999-01-01T00:00:00Z", "eta", "staging", cwd=git.root)
    assert "yet to come" in late.stderr
    assert ids[-1][:12] in late.stdout
    # The same instant in another zone.
    zone = modelspec("at", "2026-01-01T03:30:00+02:00", "eta", "staging", cwd=git.root)
    assert ids[1][:12] in zone.stdout
    whole = modelspec("at", at(0), cwd=git.root).stdout
    assert "trip_features" in whole
    assert "production" in whole


def test_a_clock_that_lied_is_said(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, _ = past
    (git.root / "note").write_text("x")
    lied = commit(git, "From a machine without a battery", -100_000)
    done = modelspec("at", at(5), "eta", "staging", cwd=git.root)
    assert lied[:12] in done.stdout
    assert "claims 2014-" in done.stderr
    before = modelspec("at", at(-50_000), "eta", "staging", cwd=git.root)
    assert "before the first commit" in before.stdout


def test_no_lenient_time_is_taken(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, _ = past
    for time in ("yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "@0"):
        done = modelspec("at", time, cwd=git.root)
        assert done.returncode == 2, time
        assert "is not an instant such as" in done.stderr


def test_the_configs_of_then_have_the_templates_of_then(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, _ = past
    template = "templates/kserve/inference-service.yaml.j2"
    edit(git.root, template, "modelspec/model: {{ model }}", "modelspec/model: {{ stable.version }}")
    commit(git, "Another template", 6)
    old = modelspec("at", at(5), "eta", "staging", "--compiled", cwd=git.root)
    new = modelspec("at", at(7), "eta", "staging", "--compiled", "--format", "json", cwd=git.root)
    assert "modelspec/model: eta\n" in old.stdout
    assert new.returncode == 0, new.stderr
    outputs = loaded(new.stdout)["outputs"]
    assert 'modelspec/model: "2.3.1"' in outputs["compiled/staging/models/eta/kserve/inference-service.yaml"]


def test_two_revisions_and_two_versions_are_told_apart(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, ids = past
    done = modelspec("diff", ids[0], ids[1], cwd=git.root)
    assert done.returncode == 0, done.stderr
    assert "staging/eta: promote 3.0.0 -> 2.3.1" in done.stdout
    assert "eta 3.0.0 -> 2.3.1: " in done.stdout
    assert "metric mae_minutes" in done.stdout
    back = loaded(modelspec("diff", ids[1], ids[0], "--format", "json", cwd=git.root).stdout)
    assert back["format"] == "modelspec/diff/1"
    (pin,) = back["pins"]
    assert pin["changes"][0]["kind"] == "restore"
    assert pin["versions"][0]["moved"]
    same = modelspec("diff", "HEAD", "HEAD", cwd=git.root)
    assert "nothing differs in meaning" in same.stdout
    two = modelspec("diff", "eta@2.3.0", "eta@3.0.0", cwd=git.root)
    assert "reads trip_features: 1 -> 2" in two.stdout
    assert modelspec("diff", "eta@2.3.0", "fraud@1.0.0", cwd=git.root).returncode == 2
    assert modelspec("diff", "eta@2.3.0", "main", cwd=git.root).returncode == 2
    wrong = modelspec("diff", "eta@2.3.0", "eta@2.3.9", cwd=git.root)
    assert wrong.returncode == 2
    assert "did you mean" in wrong.stderr.lower()


def test_blame_names_commit_author_and_pull_request(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, ids = past
    listed = modelspec("blame", "eta", "staging", cwd=git.root)
    path = "compiled/staging/models/eta/kserve/inference-service.yaml"
    assert path in listed.stdout.split("\n")
    done = modelspec("blame", path, "--ref", ids[1], "--format", "json", cwd=git.root)
    assert done.returncode == 0, done.stderr
    lines = loaded(done.stdout)["lines"]
    stamp = next(line for line in lines if "modelspec/stamp: sha256-" in line["text"])
    (origin,) = stamp["origins"]
    assert origin["path"] == PIN
    assert origin["commit"]["id"] == ids[1]
    assert origin["commit"]["pull_request"] == "#7"
    kind = next(line for line in lines if line["text"].startswith("kind:"))
    assert kind["origins"][0]["commit"]["id"] == ids[0]
    text = modelspec("blame", path, "--ref", ids[1], cwd=git.root)
    assert f"{ids[1][:12]} 2026-01-01  Ada #7  {PIN}:" in text.stdout
    assert modelspec("blame", "compiled/staging/models/eta/manifest.json", cwd=git.root).returncode == 2
    assert modelspec("blame", "registry/modelspec.yaml", cwd=git.root).returncode == 2
    assert modelspec("blame", "eta", "stagin", cwd=git.root).returncode == 2


SCRIPT = (
    "import os, pathlib, sys; v = os.environ['MODELSPEC_VERSION'];"
    "f = pathlib.Path(os.environ['MODELSPEC_COMPILED'], 'kserve/inference-service.yaml').read_text();"
    "assert os.environ['MODELSPEC_DIGEST'].replace(':', '-') in f; print('tried', v);"
)


def test_bisect_finds_the_promotion_that_broke(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, ids = past
    before = git("status", "--porcelain")
    run = ("bisect", "eta", "staging", "--format", "json", "--run", "--", "python3", "-c")
    done = modelspec(*run, SCRIPT + "sys.exit(v == '2.3.1')", cwd=git.root)
    assert done.returncode == 0, done.stderr
    found = loaded(done.stdout)
    # Bisection finds a place where good turns bad; here there are two, and each is one.
    assert found["found"]["commit"] in (ids[1], ids[4])
    assert "tried 3.0.0" in done.stderr
    assert git("status", "--porcelain") == before
    assert git("rev-parse", "--abbrev-ref", "HEAD") == "main"
    good = modelspec(*run, "pass", cwd=git.root)
    assert good.returncode == 1
    assert "does not fail" in loaded(good.stdout)["why"]
    skipped = modelspec(*run, SCRIPT + "sys.exit(125 if v == '3.0.0' else 1)", cwd=git.root)
    assert skipped.returncode == 1
    stopped = modelspec(*run, "import sys; sys.exit(130)", cwd=git.root)
    assert stopped.returncode == 1
    assert "ended with 130" in stopped.stderr
    missing = modelspec("bisect", "eta", "staging", "--run", "--", "./no-such-program", cwd=git.root)
    assert missing.returncode == 3
    assert "can't be run" in missing.stderr
    never = modelspec("bisect", "eta", "stagin", "--run", "--", "true", cwd=git.root)
    assert never.returncode == 2


def test_hostile_names_and_messages_are_shown_escaped(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, _ = past
    edit(git.root, PIN, "text: Too slow", "text: Faster")
    author = {"GIT_AUTHOR_NAME": "Eve\x1b[31m\u202e", "GIT_AUTHOR_EMAIL": "e\x07@example.com"}
    commit(git, "::error::boo\x1b]0;x\x07 \u202egnp.exe\n\nReviewed-by: \u2066Mallory\x1b[0m", 5, **author)
    for arguments in (
        ("log", "eta"),
        ("at", at(9)),
        ("blame", "compiled/staging/models/eta/kserve/inference-service.yaml"),
    ):
        done = modelspec(*arguments, cwd=git.root)
        assert done.returncode == 0, done.stderr
        assert not set("\x1b\x07\u202e\u2066") & set(done.stdout + done.stderr), arguments
        assert "\n::error" not in done.stdout
    assert "\\x1b" in modelspec("log", "eta", cwd=git.root).stdout


def test_references_that_look_like_options_are_no_options(
    modelspec: Run, past: tuple[Git, list[str]]
) -> None:
    git, ids = past
    git("update-ref", "refs/heads/-x", ids[1])
    for name in ("-x", "--upload-pack=touch boom", "--output=boom"):
        for arguments in (
            ("log", f"--ref={name}"),
            ("at", at(9), f"--ref={name}"),
            ("diff", "--", name, "HEAD"),
        ):
            done = modelspec(*arguments, cwd=git.root)
            assert done.returncode in (0, 3), (arguments, done.stderr)
            assert not list(git.root.glob("boom*"))
    found = modelspec("log", "--ref=refs/heads/-x", "--limit", "1", "--format", "json", cwd=git.root)
    assert loaded(found.stdout)["events"][0]["commit"] == ids[1]


def test_other_kinds_of_checkouts(modelspec: Run, past: tuple[Git, list[str]], tmp_path: Path) -> None:
    git, ids = past
    wanted = modelspec("log", "--limit", "0", "--format", "json", cwd=git.root).stdout
    git("checkout", "--quiet", "--detach")
    assert modelspec("log", "--limit", "0", "--format", "json", cwd=git.root).stdout == wanted
    git("worktree", "add", "--quiet", str(tmp_path / "tree"), ids[-1])
    git("clone", "--quiet", "--bare", str(git.root), str(tmp_path / "bare.git"))
    above = tmp_path / "above"
    above.mkdir()
    outer = Git(above)
    outer("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(git.root), "inner")
    for folder, root in (
        (tmp_path / "tree", ()),
        (tmp_path, ("--root", str(tmp_path / "bare.git"))),
        (above / "inner", ()),
    ):
        done = modelspec(*root, "log", "--limit", "0", "--format", "json", cwd=folder)
        assert done.stdout == wanted, (folder, done.stderr)
        one = modelspec(*root, "at", at(1), "eta", "staging", cwd=folder)
        assert ids[1][:12] in one.stdout, (folder, one.stderr)


def test_a_shallow_clone_is_refused_with_its_cure(
    modelspec: Run, past: tuple[Git, list[str]], tmp_path: Path
) -> None:
    git, _ = past
    git("clone", "--quiet", "--depth=2", f"file://{git.root}", str(tmp_path / "shallow"))
    for arguments in (("log",), ("at", at(9)), ("diff", "HEAD~1", "HEAD"), ("blame", "eta", "staging")):
        done = modelspec(*arguments, cwd=tmp_path / "shallow")
        assert done.returncode == 3, arguments
        assert "fetch-depth: 0" in done.stderr


def test_a_registry_in_a_folder_of_a_bare_repository(modelspec: Run, example: Path, tmp_path: Path) -> None:
    mono = tmp_path / "mono"
    (mono / "teams").mkdir(parents=True)
    example.rename(mono / "teams/ml")
    git = Git(mono)
    git.commit("Start")
    edit(mono / "teams/ml", "registry/models/eta/model.yaml", "until a trip", "until the trip")
    git.commit("Describe")
    git("checkout", "--quiet", "-b", "wrong")
    edit(mono / "teams/ml", "registry/models/eta/model.yaml", "owner:", "wner:")
    git.commit("Mistype")
    git("checkout", "--quiet", "main")
    bare = tmp_path / "bare.git"
    git("clone", "--quiet", "--bare", str(mono), str(bare))
    for root, here in (
        (str(bare / "teams/ml"), tmp_path),
        ("teams/ml", bare),
        ("bare.git/teams/ml/", tmp_path),
    ):
        for arguments in (
            ("list",), ("check", "--base", "main~1"), ("plan", "--base", "main~1"), ("show", "eta"),
            ("log", "--limit", "0"), ("at", "2030-01-01T00:00:00Z"), ("verdict", "eta", "production"),
            ("blame", "eta", "production"),
        ):  # fmt: skip
            ref = () if arguments[0] == "blame" else ("--ref", "main")
            asked = (*arguments, *ref)
            there = modelspec(*asked, cwd=mono / "teams/ml")
            done = modelspec("--root", root, *asked, cwd=here)
            assert (done.returncode, done.stdout) == (there.returncode, there.stdout), (
                root,
                asked,
                done.stderr,
            )
            assert done.returncode == 0, (asked, done.stdout)
    for root, word in ((f"{bare}/teams", "in teams at"), (str(bare), "at the top of the repository")):
        for arguments in (
            ("check", "--ref", "main"),
            ("check", "--ref", "main", "--base", "main~1"),
            ("log",),
        ):
            done = modelspec("--root", root, *arguments, cwd=tmp_path)
            assert (done.returncode, done.stdout) == (3, "")
            assert word in done.stderr and "name a folder that holds one: teams/ml" in done.stderr
    for arguments in (("check",), ("plan",), ("compile",)):
        done = modelspec("--root", "teams/ml", *arguments, cwd=bare)
        assert done.returncode == 3
        assert "teams/ml lies in a bare repository" in done.stderr and "--ref REV" in done.stderr
    done = modelspec("--root", "../bare.git/teams/../teams/ml", "list", "--ref", "main", cwd=bare)
    assert done.returncode == 3, "a path with .. in the repository names nothing"
    done = modelspec("--root", "teams/ml", "check", "--ref", "wrong", "--format", "gitlab", cwd=bare)
    paths = {one["location"]["path"] for one in loaded(done.stdout)}
    assert paths == {"teams/ml/registry/models/eta/model.yaml"}, "forges count from the top"


def test_a_registry_in_a_folder_of_a_monorepo(modelspec: Run, example: Path, tmp_path: Path) -> None:
    mono = tmp_path / "mono"
    (mono / "ml").mkdir(parents=True)
    git = Git(mono)
    for folder in ("registry", "templates"):
        shutil.copytree(example / folder, mono / "ml" / folder)
    # Another registry at the top has no say.
    shutil.copytree(example / "registry", mono / "registry")
    first = commit(git, "Begin", 0)
    edit(mono, f"ml/{PIN}", ref(mono / "ml", "3.0.0"), ref(mono / "ml", "2.3.1"))
    second = commit(git, "Go on", 1)
    for cwd, root in ((mono / "ml", ()), (mono / "ml/registry/models", ()), (mono, ("--root", "ml"))):
        done = modelspec(*root, "log", "eta", "--env", "staging", "--format", "json", cwd=cwd)
        assert [event["commit"] for event in loaded(done.stdout)["events"]] == [second, first], done.stderr
        every = loaded(modelspec(*root, "log", "--limit", "1", "--format", "json", cwd=cwd).stdout)
        assert every["events"][0]["commit"] == second
        found = modelspec(*root, "diff", first, second, cwd=cwd)
        assert "staging/eta: promote" in found.stdout
    top = modelspec("log", "eta", "--env", "staging", "--format", "json", cwd=mono)
    assert [event["commit"] for event in loaded(top.stdout)["events"]] == [first]


def test_without_a_commit_there_is_a_refusal(modelspec: Run, example: Path) -> None:
    Git(example)
    done = modelspec("log", cwd=example)
    assert done.returncode == 3
    assert "no commit yet" in done.stderr
    assert modelspec("log", "eta", cwd=example.parent).returncode == 3


def test_a_name_that_nobody_knows_is_a_usage_error(modelspec: Run, past: tuple[Git, list[str]]) -> None:
    git, _ = past
    done = modelspec("log", "eat", cwd=git.root)
    assert done.returncode == 2
    assert "did you mean eta" in done.stderr.lower()
    assert modelspec("at", at(9), "eta", "stagin", cwd=git.root).returncode == 2
    assert modelspec("at", at(9), "eta", "staging", "--env", "production", cwd=git.root).returncode == 2
