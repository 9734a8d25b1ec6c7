"""The layout trial: random promotions, merged several at a time, then each reverted alone, with real git.

Only what truly overlaps may conflict, and a merge that git makes without one is what `check` lets pass: the
tree that the same promotions give one after the other.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from conftest import GIT_ENV, Git
from modelspec.api.judge import judge
from modelspec.api.promote import promote
from modelspec.change.pin import Role
from modelspec.change.proposal import Proposal
from modelspec.cli.source import trusted
from modelspec.compile.render import HoleRenderer
from modelspec.spec.history import Unrecorded
from modelspec.spec.instant import instant
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import DictSnapshot
from promote import lab

NOW = instant("2026-11-24T00:00:00Z")
Tree = dict[str, bytes]


def quiet(git: Git, *arguments: str) -> int:
    return subprocess.run(
        ["git", *arguments],
        cwd=git.root,
        env={**GIT_ENV, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    ).returncode


def patch(tree: Mapping[str, bytes], model: str, version: str, role: Role) -> dict[str, bytes | None]:
    """What the tool writes for one promotion on one tree."""
    assert NOW is not None
    base = Registry(DictSnapshot(tree))
    found = promote(base, model, version, ["staging"], role)
    assert isinstance(found, Proposal), found
    judged = judge(base, found, history=Unrecorded(), now=NOW, renderer=HoleRenderer(), trusted=trusted())
    assert not judged.blocked, [one.message for one in judged.findings if one.blocks]
    return dict(judged.patch)


def applied(tree: Mapping[str, bytes], change: Mapping[str, bytes | None]) -> Tree:
    after = {**tree, **{path: data for path, data in change.items() if data is not None}}
    return {path: data for path, data in after.items() if change.get(path, b"") is not None}


def write(git: Git, change: Mapping[str, bytes | None]) -> None:
    for path, data in change.items():
        if data is None:
            (git.root / path).unlink()
        else:
            (git.root / path).parent.mkdir(parents=True, exist_ok=True)
            (git.root / path).write_bytes(data)


def on_disk(git: Git) -> Tree:
    return {path: (git.root / path).read_bytes() for path in git("ls-files").split()}


def trial(root: Path, models: int, rounds: int, wide: int, seed: int) -> tuple[int, int]:
    """Merge `wide` promotions at a time; return how many conflicted, and how many truly overlapped."""
    chance = random.Random(seed)
    tree = lab.files(models, 6, ("staging",))
    git = lab.repository(root, tree)
    git("config", "gc.auto", "0")
    conflicts = overlaps = 0
    for turn in range(rounds):
        git("tag", f"base{turn}")
        base = dict(tree)
        moved: dict[str, bytes] = {}
        chosen = []
        for at in range(wide):
            model = f"m{chance.randrange(models)}"
            role = chance.choice(
                [Role(), Role(), Role("canary", chance.choice([5, 20])), Role("standby"), Role("shadow")]
            )
            held = lab_slots(base, model)
            versions = [one for one in (f"1.{minor}.0" for minor in range(6)) if one not in held]
            version = chance.choice(versions)
            change = patch(base, model, version, role)
            git("checkout", "-q", "-B", f"t{at}", f"base{turn}")
            write(git, change)
            git.commit(f"{model} {version} {role.slot}")
            chosen.append((at, model, change))
        git("checkout", "-q", "main")
        for at, model, change in chosen:
            # Two that edit the same pin overlap: they also write one manifest.
            same = model in moved
            code = quiet(git, "merge", "-q", "--no-ff", "-m", f"merge {at}", f"t{at}")
            overlaps += same
            if code != 0:
                conflicts += 1
                assert same, f"turn {turn}: {model} conflicts with nobody"
                git("merge", "--abort")
                continue
            if not same:
                tree = applied(tree, change)
            now = on_disk(git)
            if now != tree:
                assert same
                # Joined from two edits of one pin: never a tuple that nobody registered, or check says so.
                assert judged_wrong(now), "a merge that is clean and wrong, and check lets it pass"
                git("reset", "-q", "--hard", "HEAD~1")
                continue
            moved[model] = b""
    return conflicts, overlaps


def judged_wrong(tree: Tree) -> bool:
    """Whether check, or compile --check, finds something in a merged tree."""
    return {path: data for path, data in tree.items() if path.startswith("compiled/")} != _compiled(tree)


def _compiled(tree: Tree) -> Tree | None:
    try:
        return lab.outputs(tree)
    except AssertionError:
        return None


def lab_slots(tree: Mapping[str, bytes], model: str) -> set[str]:
    import re

    text = tree[f"registry/environments/staging/models/{model}.yaml"].decode()
    return set(re.findall(r"version: ([0-9.]+)@", text))


def reverts(git: Git) -> tuple[int, int]:
    """Revert each promotion that is still live, alone; return how many there are, and how many fail."""
    live = failed = 0
    tip = git("rev-parse", "main")
    for merge in git("log", "--first-parent", "--merges", "--format=%H", "main").split():
        touched = git("diff", "--name-only", f"{merge}^1", merge).split()
        later = set(git("diff", "--name-only", merge, "main").split())
        logged = git("log", "--first-parent", "--format=%H", f"{merge}..main", "--", *touched).split()
        if logged or later & set(touched):
            continue
        live += 1
        before = {
            path: git("rev-parse", "-q", "--verify", f"{merge}^1:{path}", check=False) for path in touched
        }
        if quiet(git, "revert", "--no-edit", "-m", "1", merge) != 0:
            failed += 1
            quiet(git, "revert", "--abort")
        else:
            after = {
                path: git("rev-parse", "-q", "--verify", f"HEAD:{path}", check=False) for path in touched
            }
            assert after == before, "the revert gives back exactly what was there"
        git("reset", "-q", "--hard", tip)
    return live, failed


@pytest.mark.parametrize(("wide", "rounds"), [(2, 6), (10, 2)])
def test_only_true_overlaps_conflict_and_every_live_promotion_reverts(
    tmp_path: Path, wide: int, rounds: int
) -> None:
    conflicts, overlaps = trial(tmp_path / "root", 12, rounds, wide, seed=wide)
    assert conflicts <= overlaps
    git = Git.__new__(Git)
    git.root = tmp_path / "root"
    live, failed = reverts(git)
    assert live > 3
    assert failed == 0


@pytest.mark.slow
@pytest.mark.parametrize(("wide", "rounds"), [(2, 200), (10, 40)])
def test_four_hundred_promotions_of_forty_models(tmp_path: Path, wide: int, rounds: int) -> None:
    conflicts, overlaps = trial(tmp_path / "root", 40, rounds, wide, seed=rounds)
    assert conflicts <= overlaps
    git = Git.__new__(Git)
    git.root = tmp_path / "root"
    live, failed = reverts(git)
    assert live > 30
    assert failed == 0
