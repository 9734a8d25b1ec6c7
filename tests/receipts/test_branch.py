"""The branch of receipts: written beside the work tree, by many at once, and compacted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import GIT_ENV, Git
from modelspec.spec.receipt import BRANCH, canonical_bytes, located, read_receipt
from modelspec.trace.receipts import fold, kept
from modelspec.tree.finding import Refusal
from modelspec.world.observing import prune
from modelspec.world.receipts import HORIZON, Branch, known_at, split, tips
from receipts.branch import place, stored, write
from receipts.words import clock, receipt

REF = f"refs/heads/{BRANCH}"
MANY = [receipt("A", f"{hour:02}:00", f"{hour:02}:01", source=f"s{hour}") for hour in range(3)]


@pytest.fixture(autouse=True)
def _who(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIT_ENV.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def origin(git: Git, tmp_path: Path) -> Path:
    """A bare repository that the example is pushed to."""
    bare = tmp_path / "origin.git"
    git("clone", "--quiet", "--bare", str(git.root), str(bare))
    git("remote", "add", "origin", str(bare))
    return bare


def clone(git: Git, origin: Path, name: str) -> Path:
    """Return another clone of the remote."""
    folder = origin.parent / name
    git("clone", "--quiet", str(origin), str(folder))
    return folder


def test_a_receipt_is_a_file_named_by_its_digest(git: Git) -> None:
    one = receipt("A 100 -B 0", "10:00", "10:01", commit="c")
    done = write(git.root, [one])
    assert done.commit == git("rev-parse", REF)
    (path,) = git("ls-tree", "-r", "--name-only", REF).splitlines()
    data = git("show", f"{REF}:{path}").encode()
    assert path == located(one, data)
    assert path.startswith("receipts/production/eta/2026-10/")
    summed = subprocess.run(["sha256sum"], input=data, capture_output=True, check=True).stdout.decode()
    assert path.endswith(f"/{summed.split()[0]}.json"), "coreutils name it as we do"
    assert stored(git.root) == [one]


def test_nothing_of_the_work_tree_is_touched(git: Git) -> None:
    (git.root / "staged.txt").write_text("staged\n")
    git("add", "staged.txt")
    before = (git("status", "--porcelain"), git("rev-parse", "HEAD"), git("write-tree"))
    write(git.root, MANY[:1])
    assert (git("status", "--porcelain"), git("rev-parse", "HEAD"), git("write-tree")) == before
    assert not list((git.root / ".git").glob("modelspec-*"))


def test_a_look_that_sees_nothing_new_writes_nothing(git: Git) -> None:
    write(git.root, MANY[:1])
    was = git("rev-parse", REF)
    assert write(git.root, [receipt("A", "05:00", source="s0")]).commit is None
    assert git("rev-parse", REF) == was


def test_a_registry_below_the_top_has_its_receipts_there(git: Git, tmp_path: Path) -> None:
    top = tmp_path / "mono"
    top.mkdir()
    mono = Git(top)
    git.root.rename(top / "ml")
    (top / "ml" / ".git").rename(top / "old")
    mono.commit("Both")
    write(top / "ml", MANY[:1])
    assert mono("ls-tree", "-r", "--name-only", REF).startswith("ml/receipts/production/eta/")
    assert stored(top / "ml") == MANY[:1]


WRITER = """
import sys
from receipts.branch import write
from receipts.words import receipt
root, name, count, push = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "push"
for number in range(count):
    write(root, [receipt("AB"[number % 2], f"{number:02}:00", f"{number:02}:30", cluster=name)], push=push)
"""


def observers(roots: list[Path], count: int, push: str) -> None:
    """Run an observer on each root at once, each a process of its own; all must end well."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])

    def one(job: tuple[int, Path]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WRITER, str(job[1]), f"c{job[0]}", str(count), push],
            env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    with ThreadPoolExecutor(len(roots)) as pool:
        for done in pool.map(one, enumerate(roots)):
            assert done.returncode == 0, done.stderr


def test_observers_of_one_repository_lose_nothing(git: Git) -> None:
    observers([git.root] * 5, 4, "")
    assert len(stored(git.root)) == 20
    assert len({one.cluster for one in stored(git.root)}) == 5
    assert git("fsck", "--strict", "--no-dangling") == ""


def test_observers_of_many_clones_lose_nothing_at_the_remote(git: Git, origin: Path) -> None:
    observers([clone(git, origin, f"clone{number}") for number in range(4)], 3, "push")
    assert len(stored(origin)) == 12


def test_a_branch_that_moves_meanwhile_is_written_again(git: Git) -> None:
    write(git.root, MANY[:1])
    from modelspec.world.observing import append

    looks = []

    def new(branch: Branch) -> list[object]:
        looks.append(1)
        if len(looks) == 1:
            # A git that knows nothing of our lock.
            git("update-ref", REF, git("commit-tree", f"{REF}^{{tree}}", "-p", REF, "-m", "Theirs"))
        return [MANY[1]]  # type: ignore[list-item]

    done = append(place(git.root), new, push=False)  # type: ignore[arg-type]
    assert len(looks) == 2
    assert git("log", "--format=%s", REF).splitlines()[1] == "Theirs"
    assert done.commit == git("rev-parse", REF)


def test_what_was_observed_offline_goes_along_with_the_next_push(git: Git, origin: Path) -> None:
    one, other = clone(git, origin, "one"), clone(git, origin, "other")
    write(one, [receipt("A", "10:00", cluster="x")])
    write(other, [receipt("A", "11:00", cluster="y")], push=True)
    done = write(one, [receipt("A", "12:00", cluster="z")], push=True)
    assert done.remote is not None
    assert [str(found.cluster) for found in stored(origin)] == ["x", "y", "z"]
    assert stored(one) == stored(origin)


def test_a_push_with_nothing_new_brings_what_the_remote_lacks(git: Git, origin: Path) -> None:
    write(git.root, MANY[:1])
    assert write(git.root, MANY[:1], push=True).commit is None
    assert stored(origin) == MANY[:1]


def test_a_remote_out_of_reach_is_a_refusal_and_nothing_is_lost(git: Git, origin: Path) -> None:
    write(git.root, MANY[:1])
    origin.rename(origin.with_name("gone.git"))
    with pytest.raises(Refusal, match="can't be reached"):
        write(git.root, [receipt("B", "09:00")], push=True)
    assert stored(git.root) == MANY[:1]


def test_a_branch_that_is_checked_out_is_left_alone(git: Git, tmp_path: Path) -> None:
    write(git.root, MANY[:1])
    git("worktree", "add", "--quiet", str(tmp_path / "tree"), BRANCH)
    with pytest.raises(Refusal, match="is checked out in"):
        write(git.root, [receipt("B", "09:00")])


LIFE = [
    receipt("A", "08:00", "08:01"),
    receipt("B", "09:00", "09:01"),
    receipt("A", "10:00", "10:01"),
    receipt("B", "11:00", "11:01"),
]


def test_a_compaction_keeps_what_lasts_and_drops_the_history(git: Git) -> None:
    for one in LIFE:
        write(git.root, [one])
    horizon = clock("10:30")
    done = prune(place(git.root), lambda some: kept(some, horizon), horizon, push=False)
    assert (done.kept, done.dropped) == (2, 2)
    assert stored(git.root) == LIFE[2:]
    assert git("rev-list", "--count", REF) == "1"
    assert git("show", f"{REF}:{HORIZON}") == "2026-10-01T10:30:00Z"
    again = prune(place(git.root), lambda some: kept(some, horizon), horizon, push=False)
    assert (again.commit, again.dropped) == (None, 0)


def test_a_compaction_at_the_remote_holds_a_lease(git: Git, origin: Path) -> None:
    other = clone(git, origin, "other")
    write(git.root, LIFE, push=True)
    late = receipt("A", "12:00", cluster="late")
    looks = []

    def keep(some: list[object]) -> list[object]:
        looks.append(len(some))
        if len(looks) == 1:
            write(other, [late], push=True)
        return kept(some, clock("10:30"))  # type: ignore[arg-type, return-value]

    with pytest.raises(Refusal, match="has the branch"):
        prune(place(git.root), keep, clock("10:30"), push=False)  # type: ignore[arg-type]
    done = prune(place(git.root), keep, clock("10:30"), push=True)  # type: ignore[arg-type]
    assert looks == [4, 5], "somebody wrote meanwhile: judged again"
    assert (done.kept, done.dropped) == (3, 2)
    assert stored(origin) == [*LIFE[2:], late]
    # Who still has the old branch brings back nothing but what is young.
    fresh = receipt("B", "13:00", cluster="late")
    write(other, [receipt("B", "07:00", cluster="old")])
    write(other, [fresh], push=True)
    assert stored(origin) == [*LIFE[2:], late, fresh]


def test_files_that_are_no_receipts_are_named_and_never_used(git: Git) -> None:
    write(git.root, LIFE[:1])
    good = canonical_bytes(LIFE[1])
    path = located(LIFE[1], good)
    files = {
        path.replace("/eta/", "/fraud/"): good,
        path.replace(".json", "0.json"): good,
        "receipts/production/eta/2026-10/x.json": b'{"kind": "Receipt"}',
        "receipts/production/eta/2026-10/y.json": b"[" * 5000,
        "receipts/production/eta/2026-10/z.json": b" " * 70_000,
    }
    worktree = git.root.parent / "tree"
    git("worktree", "add", "--quiet", str(worktree), BRANCH)
    for name, data in files.items():
        (worktree / name).parent.mkdir(parents=True, exist_ok=True)
        (worktree / name).write_bytes(data)
    (worktree / "receipts/production/eta/2026-10/link.json").symlink_to("/etc/passwd")
    git("-C", str(worktree), "add", "--all")
    git("-C", str(worktree), "commit", "--quiet", "--message", "Strange files")
    git("worktree", "remove", "--force", str(worktree))
    where = place(git.root)
    with Branch(where.repository, tips(where.repository)) as branch:
        found, bad = split(branch.all())
    assert found == LIFE[:1]
    assert sorted(one.path for one in bad) == sorted([*files, "receipts/production/eta/2026-10/link.json"])


def test_a_receipt_of_a_clock_that_lies_is_none() -> None:
    data = json.loads(canonical_bytes(LIFE[0]))
    data["observed"] = "2026-09-30T00:00:00Z"
    text = json.dumps(data).encode()
    found = read_receipt("receipts/production/eta/2026-10/x.json", text)
    assert isinstance(found, str)
    assert "a clock lies" in found


def test_what_was_known_at_an_instant_is_the_branch_of_then(git: Git) -> None:
    for day, one in enumerate(LIFE, 1):
        write(git.root, [one])
        parent = ["-p", f"{REF}~1"] if day > 1 else []
        date = f"2026-10-{day:02}T20:00:00Z"
        dated = git("commit-tree", f"{REF}^{{tree}}", *parent, "-m", "Dated", GIT_COMMITTER_DATE=date)
        git("update-ref", REF, dated)
    where = place(git.root)

    def known(moment: str) -> list[object]:
        found = known_at(where.repository, clock(moment))
        with Branch(where.repository, found.commits, observed_by=found.by_observed) as branch:
            return sorted(split(branch.all())[0], key=lambda one: one.since)

    assert known("0.19:00") == []
    assert known("1.21:00") == LIFE[:2]
    assert known("9.00:00") == LIFE
    prune(where, lambda some: kept(some, clock("09:30")), clock("09:30"), push=False)
    # The branch of then is gone: what had been observed by then is what can be told.
    assert known("0.10:30") == LIFE[1:3]
    assert fold(known("0.10:30")).keys() == {("production", "eta", "")}  # type: ignore[arg-type]
