"""What moves together, what is held, what is retired, what is pruned: on the example and on the lab."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from conftest import ROOT, Git
from promote import lab

ETA = "registry/environments/production/models/eta.yaml"
TRIPS = "registry/environments/production/features/trip_features.yaml"


@pytest.fixture
def shop(example: Path) -> Git:
    """The example with its compiled configs, without the gates of production."""
    shutil.copytree(ROOT / "compiled", example / "compiled")
    place = example / "registry/environments/production/environment.yaml"
    place.write_text(re.sub(r"(?ms)^(after:.*?\n|gates:\n.*?)(?=^\w)", "", place.read_text()))
    assert "gates" not in place.read_text()
    assert "after" not in place.read_text()
    git = Git(example)
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.com")
    git.commit("The example")
    return git


def do(git: Git, *arguments: str, code: int = 0) -> str:
    found, said = lab.run(git.root, *arguments)
    assert found == code, said
    return said


def schemas(git: Git) -> list[str]:
    return re.findall(r"^  - (\d+)@", git("show", f"HEAD:{TRIPS}"), re.MULTILINE)


def test_a_schema_that_the_version_reads_is_served_with_it(shop: Git) -> None:
    pin = shop.root / TRIPS
    pin.write_text(pin.read_text().replace("access: current", "access: numbered"))
    do(shop, "compile")
    shop.commit("readers ask by number")
    said = do(shop, "promote", "eta", "3.0.0", "--to", "production", "--commit")
    assert "eta 3.0.0 in production: SAFE WITH CO-PINS" in said
    assert "moves along: trip_features 1 -> 1, 2" in said
    assert schemas(shop) == ["1", "2"]
    assert "Modelspec-Change: serve trip_features production 1 -> 1,2" in shop("log", "-1", "--format=%B")
    do(shop, "check")
    do(shop, "compile", "--check")


def test_a_rollback_takes_the_schema_back_too_and_gives_the_bytes_of_before(shop: Git) -> None:
    """The accident that all this is about: the model went back, and its features stayed."""
    before, trips, eta = lab.compiled(shop), (shop.root / TRIPS).read_bytes(), (shop.root / ETA).read_bytes()
    for path in (ETA, TRIPS):
        there = shop.root / path.replace("production", "staging")
        kind = "version: " if path == ETA else "  - "
        new = re.search(rf"{kind}(\S+@\S+)", there.read_text())
        assert new is not None
        file = shop.root / path
        file.write_text(re.sub(rf"{kind}\S+@\S+", kind + new[1], file.read_text()))
    do(shop, "compile")
    shop.commit("eta 3.0.0 with trip_features 2, by hand")
    assert schemas(shop) == ["2"]
    said = do(shop, "rollback", "eta", "--env", "production", "--commit", "--reason", "Late in Lisbon")
    assert said.startswith("eta 2.3.0 in production: SAFE WITH CO-PINS")
    assert (shop.root / TRIPS).read_bytes() == trips
    assert (shop.root / ETA).read_bytes() == eta.replace(
        b"\nserve:", b"\nhold: {text: Late in Lisbon}\nserve:"
    )
    assert lab.compiled(shop) == before
    do(shop, "check")


def test_a_bot_that_promotes_the_bad_version_again_is_stopped_by_the_hold(git: Git) -> None:
    do(git, "promote", "m0", "1.1.0", "--to", "production", "--branch")
    git("merge", "-q", "--no-ff", "-m", "merge", "modelspec/production/m0")
    do(git, "rollback", "m0", "--env", "production", "--commit", "--reason", "Late in Lisbon")
    # Through the tool, and as a branch that a bot made anew by hand.
    said = do(git, "promote", "m0", "1.1.0", "--to", "production", "--commit", code=1)
    assert "production/m0 is on hold: Late in Lisbon" in said
    git("switch", "-qc", "bot")
    pin = git.root / "registry/environments/production/models/m0.yaml"
    pin.write_text(pin.read_text().replace(lab.ref("m0", "1.0.0"), lab.ref("m0", "1.1.0")))
    do(git, "compile")
    git.commit("the bot again")
    assert "MS537" in do(git, "check", "--base", "main", code=1)
    git("switch", "-q", "main")
    do(git, "hold", "m0", "--env", "production", "--release", "--commit")
    do(git, "promote", "m0", "1.1.0", "--to", "production", "--commit")


def test_a_hold_is_set_changed_and_released(git: Git) -> None:
    pin = git.root / "registry/environments/production/models/m0.yaml"
    before = pin.read_bytes()
    link = "https://tracker.example.com/1235"
    do(git, "hold", "m0", "--env", "production", "--reason", "Looking, at: rain", "--link", link)
    assert f'hold: {{text: "Looking, at: rain", link: {link}}}\n' in pin.read_text()
    said = do(git, "hold", "m0", "--env", "production", "--reason", "Looking, at: rain", "--link", link)
    assert "held already" in said
    do(git, "check")
    do(git, "hold", "m0", "--env", "production,staging", "--release")
    assert pin.read_bytes() == before


def test_a_gate_that_is_not_met_stops_it_and_a_restore_passes(tmp_path: Path) -> None:
    tree = lab.files(1, 3, chained=True)
    place = "registry/environments/production/environment.yaml"
    tree[place] += (
        b'gates:\n  soak: 1h\n  freeze:\n    - {from: "2026-01-01T00:00:00Z", until: "2099-01-01T00:00:00Z", reason: Always}\n'
    )
    git = lab.repository(tmp_path / "root", tree)
    said = do(git, "promote", "m0", "1.1.0", "--to", "production", "--commit", code=1)
    assert "MS531" in said
    assert "MS535" in said
    assert "nothing was changed" in said
    # Somebody put it there all the same; going back is stopped by no gate and no freeze.
    (git.root / "registry/environments/production/models/m0.yaml").write_bytes(
        lab.pin("production", "m0", "1.1.0")
    )
    do(git, "compile")
    git.commit("by hand")
    do(git, "rollback", "m0", "--env", "production", "--commit")
    assert lab.stable(git, "production", "m0") == "1.0.0"


def test_retired_lines_are_added_made_stricter_and_never_taken_back(git: Git) -> None:
    file = git.root / "registry/models/m0/model.yaml"
    do(git, "retire", "m0", "1.1.0", "--state", "archived", "--reason", "Replaced long ago", "--commit")
    do(git, "retire", "m0", "1.2.0", "--state", "archived", "--reason", "Replaced long ago", "--commit")
    assert re.findall(r"^  - \{version: (1\.\d\.0)@", file.read_text(), re.MULTILINE) == ["1.1.0", "1.2.0"]
    do(git, "retire", "m0", "1.1.0", "--state", "withdrawn", "--reason", "Bad rows", "--commit")
    assert "state: withdrawn, reason: Bad rows" in file.read_text()
    said = do(git, "retire", "m0", "1.1.0", "--state", "archived", "--reason", "No", "--commit", code=1)
    assert "is withdrawn, which is not taken back" in said
    assert "already" in do(
        git, "retire", "m0", "1.1.0", "--state", "withdrawn", "--reason", "Bad rows", "--commit"
    )
    # What serves can't be withdrawn: go back first.
    said = do(
        git, "retire", "m0", "1.0.0", "--state", "withdrawn", "--reason", "Bad rows", "--commit", code=1
    )
    assert "MS510" in said
    assert "MS538" in do(git, "promote", "m0", "1.2.0", "--to", "staging", "--commit", code=1)


def test_prune_deletes_what_nothing_needs_and_keeps_its_line(tmp_path: Path) -> None:
    git = lab.repository(tmp_path / "root", lab.files(2, 4))
    pin = git.root / "registry/environments/production/models/m0.yaml"
    pin.write_bytes(lab.pin("production", "m0", "1.1.0"))
    do(git, "compile")
    git.commit("served lately, and no longer")
    pin.write_bytes(lab.pin("production", "m0", "1.0.0"))
    do(git, "compile")
    git.commit("back")
    # Everything else happened long ago.
    git("checkout", "-q", "--orphan", "then", "main~2")
    old = "2025-01-01T00:00:00Z"
    git("commit", "-q", "-m", "long ago", GIT_COMMITTER_DATE=old, GIT_AUTHOR_DATE=old)
    then = git("rev-parse", "HEAD")
    for commit in ("main~1", "main"):
        tree = git("rev-parse", f"{commit}^{{tree}}")
        then = git("commit-tree", tree, "-p", then, "-m", commit)
    git("checkout", "-q", "-f", "-B", "main", then)
    versions = git.root / "registry/models/m0/versions"
    said = do(git, "prune", "m0")
    assert "prune m0 1.2.0" in said
    assert "prune m0 1.1.0" not in said, "it served lately"
    assert "prune m0 1.0.0" not in said, "it is pinned"
    assert "next: modelspec prune --write, or --commit" in said
    assert lab.clean(git), "it only said so"
    do(git, "prune", "m0", "--commit")
    assert sorted(path.stem for path in versions.iterdir()) == ["1.0.0", "1.1.0"]
    text = (git.root / "registry/models/m0/model.yaml").read_text()
    assert lab.ref("m0", "1.2.0") in text
    assert lab.ref("m0", "1.3.0") in text
    assert lab.clean(git)
    do(git, "check")
    do(git, "check", "--base", "HEAD~1")
    assert "nothing to prune" in do(git, "prune", "m0")
    # The number is never used again.
    (versions / "1.2.0.yaml").write_bytes(
        lab.version("m0", "1.2.0").replace(b'python: "3.11"', b'python: "3.12"')
    )
    assert re.search("MS40|MS10", do(git, "check", "--base", "HEAD", code=1))


def test_what_lies_below_compiled_is_left_alone_where_it_is_not_committed(tmp_path: Path) -> None:
    git = lab.repository(tmp_path / "root", lab.files(1, 2, compiled=False))
    said = do(git, "promote", "m0", "1.1.0", "--to", "staging", "--commit")
    assert "compiled" not in said
    assert git("show", "--name-only", "--format=").split() == ["registry/environments/staging/models/m0.yaml"]


def test_a_folder_that_is_in_no_repository_is_edited_too(tmp_path: Path) -> None:
    git = lab.repository(tmp_path / "root", lab.files(1, 2))
    shutil.rmtree(git.root / ".git")
    do(git, "promote", "m0", "1.1.0", "--to", "staging")
    do(git, "compile", "--check")
    assert "nothing served m0" in do(git, "rollback", "m0", "--env", "staging", code=1)
    assert "is in no git repository" in do(
        git, "promote", "m0", "1.0.0", "--to", "staging", "--commit", code=3
    )


def test_a_work_tree_is_only_changed_when_rules_let_it(git: Git) -> None:
    pin = git.root / "registry/environments/staging/models/m0.yaml"
    pin.write_text(pin.read_text().replace("max: 9", "max: 1"))
    git.commit("more at least than at most")
    before = pin.read_bytes()
    said = do(git, "promote", "m0", "1.1.0", "--to", "staging", code=1)
    assert "nothing was changed" in said
    assert pin.read_bytes() == before
    # What is wrong elsewhere, and was before, stops nobody.
    do(git, "promote", "m1", "1.1.0", "--to", "staging")
