"""First-parent history, read from real repositories: merges, lying clocks, hostile messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import Git
from modelspec.tree.finding import Refusal
from modelspec.world.forks import forked
from modelspec.world.git import open_repository
from modelspec.world.history import GitHistory

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path) -> Git:
    root = tmp_path / "repository"
    root.mkdir()
    return Git(root)


def history(git: Git, prefix: str = "") -> GitHistory:
    repository, _, _ = open_repository(str(git.root))
    return GitHistory(repository, repository.resolve("HEAD"), prefix)


def put(git: Git, path: str, text: str, hours: float, message: str = "change") -> str:
    file = git.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    git("add", "--all")
    date = (START + timedelta(hours=hours)).isoformat()
    git("commit", "--quiet", "--message", message, GIT_COMMITTER_DATE=date, GIT_AUTHOR_DATE=date)
    return git("rev-parse", "HEAD")


def contents(log: GitHistory, path: str) -> list[bytes | None]:
    return [None if one.blob is None else one.blob.read() for one in log.of(path)]  # type: ignore[misc]


def test_a_file_has_its_revisions_oldest_first_with_its_deletion(repository: Git) -> None:
    put(repository, "a", "1", 0)
    put(repository, "b", "x", 1)
    put(repository, "a", "2", 2)
    (repository.root / "a").unlink()
    gone = repository.commit("Remove a")
    with history(repository) as log:
        assert contents(log, "a") == [b"1", b"2", None]
        assert log.of("a")[-1].commit.id == gone
        assert log.of("nothing") == ()
        assert [commit.subject for commit in log.commits()] == ["change", "change", "change", "Remove a"]


def test_a_folder_gives_every_file_that_ever_was_in_it_and_no_neighbour(repository: Git) -> None:
    put(repository, "r/a", "1", 0)
    put(repository, "r/b", "1", 1)
    put(repository, "r-evil/c", "1", 2)
    put(repository, "[r]/d", "1", 3)
    with history(repository) as log:
        assert sorted(log.under("r")) == ["r/a", "r/b"]
        assert sorted(log.under("[r]")) == ["[r]/d"]


def test_only_the_first_parent_counts_and_a_merge_is_one_change(repository: Git) -> None:
    put(repository, "a", "1", 0)
    repository("checkout", "--quiet", "-b", "side")
    put(repository, "a", "2", 1)
    put(repository, "a", "3", 2)
    repository("checkout", "--quiet", "main")
    put(repository, "b", "x", 3)
    date = (START + timedelta(hours=4)).isoformat()
    repository("merge", "--quiet", "--no-ff", "-m", "Merge side", "side", GIT_COMMITTER_DATE=date)
    with history(repository) as log:
        assert contents(log, "a") == [b"1", b"3"]
        assert log.of("a")[-1].commit.subject == "Merge side"


def test_clocks_lie_and_the_order_of_commits_does_not(repository: Git) -> None:
    ids = [put(repository, "a", str(n), hours) for n, hours in enumerate([0, 10, 3, 4, 12])]
    with history(repository) as log:
        assert [one.commit.time for one in log.of("a")] == [
            START + timedelta(hours=hours) for hours in (0, 10, 10, 10, 12)
        ]

        def at(hours: float) -> str | None:
            found = log.at(START + timedelta(hours=hours))
            return found.id if found else None

        assert at(-1) is None
        assert at(0) == at(9.99) == ids[0]
        assert at(10) == at(11) == ids[3]
        assert at(12) == at(10_000) == ids[4]


def test_messages_and_names_can_not_pass_for_fields(repository: Git) -> None:
    hostile = "subject\x1e\x1f\n\n:100644 100644 aaaa bbbb M\nr/x\n\x01commit deadbeef"
    put(repository, "r/x", "1", 0, hostile)
    put(repository, "r/:100644 odd\nname", "2", 1)
    with history(repository) as log:
        assert contents(log, "r/x") == [b"1"]
        assert sorted(log.under("r")) == ["r/:100644 odd\nname", "r/x"]
        assert ":100644 100644 aaaa bbbb M" in log.of("r/x")[0].commit.body


def test_a_registry_below_the_top_of_a_monorepo(repository: Git) -> None:
    put(repository, "sub/registry/a", "1", 0)
    put(repository, "registry/a", "other", 1)
    with history(repository, "sub") as log:
        assert contents(log, "registry/a") == [b"1"]
        assert [path for path, _ in log.snapshot(log.tip).walk("registry")] == ["registry/a"]


def test_a_shallow_clone_is_a_refusal_with_its_cure(repository: Git, tmp_path: Path) -> None:
    put(repository, "a", "1", 0)
    put(repository, "a", "2", 1)
    repository("clone", "--quiet", "--depth=1", f"file://{repository.root}", str(tmp_path / "shallow"))
    found, _, _ = open_repository(str(tmp_path / "shallow"))
    with pytest.raises(Refusal) as refused:
        GitHistory(found, found.resolve("HEAD"))
    assert "fetch-depth: 0" in (refused.value.hint or "")


def raw_commit(git: Git, committer: str, parent: str, message: str = "x") -> str:
    """Write a commit object as it stands here, whatever its lines say; the tree is the parent's."""
    tree = git("rev-parse", f"{parent}^{{tree}}")
    text = f"tree {tree}\nparent {parent}\nauthor {committer}\ncommitter {committer}\n\n{message}\n"
    file = git.root / ".git" / "raw"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    return git("hash-object", "-t", "commit", "--literally", "-w", str(file))


@pytest.mark.parametrize(
    "clock", ["99999999999999999999 +0000", "-5 +0000", "soon", "253402300800 +0000", "1767225600 +9999", ""]
)
def test_a_commit_with_a_bad_date_counts_in_its_place(repository: Git, clock: str) -> None:
    first = put(repository, "a", "1", 0)
    bad = raw_commit(repository, f"Eve <eve@example.com> {clock}", first)
    repository("update-ref", "refs/heads/main", bad)
    with history(repository) as log:
        assert log.at(START - timedelta(seconds=1)) is None
        found = log.commit(bad)
        assert found.author == "Eve"
        assert found.time >= START
        # What it claims is at most the end of time; then the instants before it are the first commit's.
        assert (log.at(found.time) or found).id == bad
        if found.time > START:
            assert (log.at(START) or found).id == first


def test_grafts_and_replace_refs_have_no_say(repository: Git) -> None:
    one, two, three = (put(repository, "a", str(n), n) for n in range(3))
    repository("replace", three, one)
    (repository.root / ".git/info").mkdir(exist_ok=True)
    (repository.root / ".git/info/grafts").write_text(f"{three} {one}\n")
    with history(repository) as log:
        assert [commit.id for commit in log.commits()] == [one, two, three]
        assert contents(log, "a") == [b"0", b"1", b"2"]
        at = log.at(START + timedelta(hours=1))
        assert at is not None
        assert at.id == two


def test_a_file_that_came_back_and_one_that_was_renamed(repository: Git) -> None:
    put(repository, "r/a", "1", 0)
    repository("mv", "r/a", "r/b")
    put(repository, "other", "x", 1)
    repository("mv", "r/b", "r/a")
    put(repository, "other", "y", 2)
    with history(repository) as log:
        assert contents(log, "r/a") == [b"1", None, b"1"]
        assert contents(log, "r/b") == [b"1", None]


def test_newest_is_read_while_git_is_still_looking(repository: Git) -> None:
    for number in range(5):
        put(repository, "r/a", str(number), number, f"change {number}")
    with history(repository) as log:
        touches = log.newest("r")
        first = next(touches)
        touches.close()
        assert first.commit.subject == "change 4"
        assert first.was is not None
        assert first.now is not None
        assert (first.was.read(), first.now.read()) == (b"3", b"4")


def test_many_files_are_asked_for_at_once(repository: Git) -> None:
    for number in range(4):
        put(repository, f"r/{number % 2}", str(number), number)
    with history(repository) as log:
        found = log.of_all(["r/0", "r/1", "r/none"])
        assert {path: len(revisions) for path, revisions in found.items()} == {
            "r/0": 2,
            "r/1": 2,
            "r/none": 0,
        }


def test_a_commit_that_came_with_a_merge_is_not_of_the_first_parents(repository: Git) -> None:
    put(repository, "a", "1", 0)
    repository("checkout", "--quiet", "-b", "side")
    aside = put(repository, "a", "2", 1)
    repository("checkout", "--quiet", "main")
    repository("merge", "--quiet", "--no-ff", "-m", "Merge side", "side")
    with history(repository) as log, pytest.raises(Refusal, match="first-parent"):
        log.commit(aside)


def test_what_a_commit_says_is_the_same_read_alone_and_in_the_log(repository: Git) -> None:
    put(repository, "a", "1", 0, "Subject\nover two lines\n\nbody\n\nReviewed-by: Ben <ben@example.com>")
    with history(repository) as log:
        assert log.commit(log.tip) == log.of("a")[0].commit


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("log.showRoot", "false"), ("i18n.logOutputEncoding", "UTF-16"), ("i18n.logOutputEncoding", "ISO-8859-1"),
        ("i18n.commitEncoding", "ISO-8859-1"), ("diff.renames", "copies"), ("diff.noprefix", "true"),
        ("log.diffMerges", "off"), ("log.follow", "true"), ("core.abbrev", "4"), ("color.ui", "always"),
    ],
)  # fmt: skip
def test_what_a_users_git_prints_otherwise_is_read_the_same(repository: Git, key: str, value: str) -> None:
    put(repository, "a", "1", 0, "Zürich")
    put(repository, "a", "2", 1, "Čačak")
    repository("config", key, value)
    with history(repository) as log:
        assert contents(log, "a") == [b"1", b"2"]
        assert [one.commit.subject for one in log.of("a")] == ["Zürich", "Čačak"]


def test_what_git_began_to_look_for_is_what_is_found(repository: Git) -> None:
    for number in range(6):
        put(repository, f"r/{number % 2}", str(number), number)
    with history(repository) as log:
        log.ahead(["r/0", "r/1", "r/none"])
        started = dict(log._started)
        assert set(started) == {"r/0", "r/1", "r/none"}
        assert contents(log, "r/0") == [b"0", b"2", b"4"]
        assert log.of("r/none") == ()
        log.ahead(["r/0"])
        assert set(log._started) == {"r/1"}, "what is known is not looked for again"
    assert all(process.poll() is not None for process in started.values())


@pytest.mark.parametrize("prefix", ["", "r"])
def test_one_pass_over_everything_finds_what_a_look_at_each_finds(
    repository: Git, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        put(repository, f"r/d{number % 3}/a", str(number), number)
        put(repository, f"r/d{number % 3}x", str(number), number)
    repository("rm", "--quiet", "r/d1/a")
    repository.commit("gone")
    top = "" if prefix else "r/"
    paths = [f"{top}d{number}/a" for number in range(3)] + [f"{top}d0x", f"{top}none"]
    with history(repository, prefix) as log:
        singly = {path: contents(log, path) for path in paths}
        folder = [(touch.path, touch.commit.id) for touch in log.newest(f"{top}d0")]
        assert folder == [(touch.path, touch.commit.id) for touch in log.newest(f"{top}d0", whole=True)]
        assert [path for path, _ in folder] == [f"{top}d0/a"] * 3
        everything = [touch.path for touch in log.newest("")]
        assert everything == [touch.path for touch in log.newest("", whole=True)]
        assert sum("d" in path for path in everything) == 19
    monkeypatch.setattr("modelspec.world.history._MANY", 2)
    with history(repository, prefix) as log:
        found = log.of_all(paths)
        assert list(found) == paths
        assert {path: contents(log, path) for path in paths} == singly
        assert singly[f"{top}d1/a"][-1] is None


def test_more_files_than_gits_may_run_at_once_are_known_at_once(repository: Git) -> None:
    for number in range(12):
        put(repository, f"r/{number}", str(number), number)
    with history(repository) as log:
        log.ahead([f"r/{number}" for number in range(12)])
        assert log._started == {}
        assert len(log._files) == 12
        assert contents(log, "r/11") == [b"11"]


def test_a_fork_reads_nothing_that_was_begun_elsewhere(repository: Git) -> None:
    """Two readers of one pipe would each get a part of it."""
    for number in range(300):
        (repository.root / f"f{number}").write_text(str(number))
    repository.commit("many")
    put(repository, "r/a", "1", 1)
    put(repository, "r/a", "2", 2)
    with history(repository) as log:
        tree = log.snapshot(log.tip)
        paths = [f"f{number}" for number in range(300)]
        log.ahead(["r/a"])
        tree.ahead(paths)

        def seen(_: int) -> tuple[list[bytes | None], list[bytes | None]]:
            found = tree.look(paths), contents(log, "r/a")
            log.__exit__()
            return found

        wanted = [str(number).encode() for number in range(300)], [b"1", b"2"]
        assert forked(seen, 2) == [wanted, wanted]
        assert (tree.look(paths), contents(log, "r/a")) == wanted
