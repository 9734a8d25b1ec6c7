"""Words that git looks for itself are found where reading every file finds them, or it says that it can't."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import Git
from modelspec.tree.snapshot import DictSnapshot, Patched, search, search_ahead
from modelspec.world.forks import forked
from modelspec.world.git import open_repository
from modelspec.world.gittree import GitSnapshot
from world.trees import put

WORDS = ("\\", "needs")
FILES = {
    "registry/models/a/versions/1.yaml": "needs:\n  - b\n",
    "registry/models/b/versions/1.yaml": "wants: 1\n",
    "registry/models/c/versions/1.yaml": '"n\\u0065eds": 1\n',
    "registry/models/d/model.yaml": "x\0needs\0x",
    "registry/models/e f/ö.yaml": "needs",
    "registry/models/g/versions/1.yaml": "NEEDS\nneed\ns\n",
    "registry/elsewhere.yaml": "needs",
}
WANTED = {path for path, text in FILES.items() if path.startswith("registry/models/") and "need" in text} - {
    "registry/models/g/versions/1.yaml"
} | {"registry/models/c/versions/1.yaml"}


@contextmanager
def tree(folder: Path, prefix: str = "") -> Iterator[GitSnapshot]:
    repository, inside, _ = open_repository(str(folder))
    assert inside == prefix
    with GitSnapshot(repository, repository.resolve("HEAD"), prefix) as found:
        yield found


def filled(git: Git, prefix: str = "") -> Git:
    for path, text in FILES.items():
        put(git.root, f"{prefix}{path}", text)
    (git.root / prefix / "registry/models/a/link.yaml").symlink_to("needs")
    (git.root / ".gitattributes").write_text("*.yaml -diff binary\n")
    git.commit("files")
    return git


def test_what_is_found_is_what_holds_a_word(repository: Git) -> None:
    filled(repository)
    with tree(repository.root) as found:
        assert search(found, "registry/models", WORDS) == WANTED
        assert search(found, "registry/none", WORDS) == frozenset()
        assert search(found, "registry/models", ("nothing of it",)) == frozenset()
        assert search(found, "registry/models", ("-x", "--help")) == frozenset()


def test_in_a_folder_of_a_repository_and_in_a_bare_one_it_is_the_same(
    repository: Git, tmp_path: Path
) -> None:
    filled(repository, "ml/eta/")
    with tree(repository.root / "ml/eta", "ml/eta") as found:
        assert search(found, "registry/models", WORDS) == WANTED
    bare = tmp_path / "bare.git"
    repository("clone", "--quiet", "--bare", ".", str(bare))
    opened, _, _ = open_repository(str(bare))
    with GitSnapshot(opened, opened.resolve("HEAD"), "ml/eta") as found:
        assert search(found, "registry/models", WORDS) == WANTED


def test_no_configuration_of_the_repository_changes_what_is_found(repository: Git) -> None:
    filled(repository)
    for name, value in {
        "grep.patternType": "perl", "grep.threads": "1000", "grep.lineNumber": "true", "grep.column": "true",
        "submodule.recurse": "true", "color.ui": "always", "core.quotePath": "true", "grep.fullName": "false",
    }.items():  # fmt: skip
        repository("config", name, value)
    with tree(repository.root) as found:
        assert search(found, "registry/models", WORDS) == WANTED


def test_a_file_that_git_cannot_read_is_not_one_without_the_word(repository: Git) -> None:
    filled(repository)
    blob = repository("rev-parse", "HEAD:registry/models/a/versions/1.yaml")
    file = repository.root / ".git/objects" / blob[:2] / blob[2:]
    file.chmod(0o644)
    file.write_bytes(zlib.compress(b"blob 3\0no\n")[:-4])
    with tree(repository.root) as found:
        assert search(found, "registry/models", WORDS) is None
    file.unlink()
    with tree(repository.root) as found:
        assert search(found, "registry/models", WORDS) is None


def test_a_name_that_could_pass_for_two_is_left_to_reading(repository: Git) -> None:
    put(repository.root, "registry/models/x\ny", "needs")
    repository.commit("odd")
    with tree(repository.root) as found:
        assert search(found, "registry/models", WORDS) is None


def test_a_search_that_was_begun_is_finished_once_and_ends_with_the_snapshot(repository: Git) -> None:
    filled(repository)
    with tree(repository.root) as found:
        search_ahead(found, "registry/models", WORDS)
        search_ahead(found, "registry/models", ("wants",))
        begun = list(found.objects.searches._begun.values())
        assert len(begun) == 2
        assert search(found, "registry/models", WORDS) == WANTED
        search_ahead(found, "registry/models", WORDS)
        assert len(found.objects.searches._begun) == 1
    assert all(process.poll() is not None for process in begun)


def test_a_fork_makes_its_own_search(repository: Git) -> None:
    filled(repository)
    with tree(repository.root) as found:
        search_ahead(found, "registry/models", WORDS)
        asked = forked(lambda _: (os.getpid(), search(found, "registry/models", WORDS)), 2)
        assert [answer for _, answer in asked] == [WANTED, WANTED]
        assert search(found, "registry/models", WORDS) == WANTED


def test_what_lies_over_a_tree_counts_and_not_what_it_hides(repository: Git) -> None:
    filled(repository)
    over = {
        "registry/models/a/versions/1.yaml": None,
        "registry/models/b/versions/1.yaml": b"needs",
        "registry/models/c/versions/1.yaml": b"wants",
        "registry/models/h/versions/1.yaml": b"\\",
        "registry/other.yaml": b"needs",
    }
    with tree(repository.root) as found:
        patched = Patched(found, over)
        search_ahead(patched, "registry/models", WORDS)
        assert search(patched, "registry/models", WORDS) == {
            "registry/models/b/versions/1.yaml",
            "registry/models/d/model.yaml",
            "registry/models/e f/ö.yaml",
            "registry/models/h/versions/1.yaml",
        }
    assert search(Patched(DictSnapshot({}), over), "registry/models", WORDS) is None
