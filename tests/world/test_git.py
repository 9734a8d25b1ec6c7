"""Finding repositories and revisions, in every shape a checkout comes in, and against hostile ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conftest import GIT_ENV, Git
from modelspec.tree.finding import Refusal
from modelspec.world.git import open_repository
from modelspec.world.gittree import GitSnapshot
from world.trees import put

OPEN = """
import sys
from modelspec.tree.finding import Refusal
from modelspec.world.git import open_repository
try:
    print(open_repository(sys.argv[1])[0].resolve("HEAD"))
except Refusal as refusal:
    print(refusal.message)
"""
Trap = Callable[[], tuple[str, Path]]


def commit(git: Git, path: str = "registry/a", text: str = "x") -> str:
    put(git.root, path, text)
    return git.commit("change")


def read(root: Path, revision: str, path: str) -> bytes:
    found, prefix, _ = open_repository(str(root))
    with GitSnapshot(found, found.resolve(revision), prefix) as tree:
        blob = tree.get(path)
        assert blob is not None
        data = blob.read()
        assert isinstance(data, bytes)
        return data


def refused(root: Path, revision: str) -> Refusal:
    found, _, _ = open_repository(str(root))
    with pytest.raises(Refusal) as caught:
        found.resolve(revision)
    return caught.value


def test_branches_tags_short_ids_and_ancestors_resolve(repository: Git) -> None:
    first = commit(repository)
    second = commit(repository, text="y")
    repository("tag", "-a", "-m", "m", "v1", first)
    found, prefix, folder = open_repository(str(repository.root))
    for revision in ("HEAD", "main", second[:9], "v1~0^{commit}"):
        assert found.resolve(revision) in (first, second)
    assert found.resolve("v1") == found.resolve("HEAD~1") == first
    assert (prefix, folder, found.bare, found.shallow) == ("", repository.root, False, False)


def test_the_time_of_a_commit_is_its_committers_in_utc(repository: Git) -> None:
    put(repository.root, "a")
    repository("add", "a")
    repository("commit", "-qm", "author A <a@b> 5 +0000", GIT_COMMITTER_DATE="2026-03-01T12:00:00+02:00",
               GIT_AUTHOR_DATE="2020-01-01T00:00:00Z")  # fmt: skip
    found, _, _ = open_repository(str(repository.root))
    assert found.commit_time(found.resolve("HEAD")) == datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_a_subfolder_of_a_monorepo_is_a_root(repository: Git) -> None:
    commit(repository, "team one/ml/registry/a", "deep")
    root = repository.root / "team one" / "ml"
    assert open_repository(str(root))[1] == "team one/ml"
    assert read(root, "HEAD", "registry/a") == b"deep"


def test_a_root_whose_name_has_a_line_feed(repository: Git) -> None:
    commit(repository, "ml\nops/registry/a", "odd")
    assert read(repository.root / "ml\nops", "HEAD", "registry/a") == b"odd"


def test_a_linked_work_tree_a_submodule_and_a_detached_head(repository: Git, tmp_path: Path) -> None:
    first = commit(repository, text="one")
    commit(repository, text="two")
    repository("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), first)
    assert read(tmp_path / "linked", "HEAD", "registry/a") == b"one"
    outer = tmp_path / "outer"
    outer.mkdir()
    above = Git(outer)
    above("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repository.root), "sub")
    above.commit("with a submodule")
    assert read(outer / "sub", "HEAD", "registry/a") == b"two"


def test_a_bare_repository_is_read_when_it_is_named(
    repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository, text="bare")
    bare = tmp_path / "bare.git"
    repository("clone", "-q", "--bare", ".", str(bare))
    assert read(bare, "main", "registry/a") == b"bare"
    monkeypatch.chdir(bare)
    with pytest.raises(Refusal, match="bare repository") as caught:
        open_repository()
    assert "--root" in str(caught.value.hint)


def test_a_bare_repository_inside_a_work_tree_is_never_read(
    repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: Trap
) -> None:
    commit(repository)
    program, sprung = trap()
    embedded = repository.root / "ml"
    repository("clone", "-q", "--bare", ".", str(embedded))
    with (embedded / "config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {program}\n\tbare = false\n\tworktree = .\n")
    with pytest.raises(Refusal, match="inside the work tree"):
        open_repository(str(embedded))
    monkeypatch.chdir(embedded)
    with pytest.raises(Refusal, match="bare repository"):
        open_repository()
    assert not sprung.exists()


def test_no_repository_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="in no git repository") as caught:
        open_repository(str(tmp_path))
    assert "git init" in str(caught.value.hint)
    with pytest.raises(Refusal, match="is not a folder"):
        open_repository(str(tmp_path / "nothing"))


def test_a_repository_without_a_commit_is_a_refusal(repository: Git) -> None:
    for revision in ("HEAD", "main"):
        assert "no commit yet" in refused(repository.root, revision).message


def test_a_branch_without_a_commit_is_a_refusal(repository: Git) -> None:
    commit(repository)
    repository("checkout", "-q", "--orphan", "fresh")
    assert "on a branch that has no commit yet" in refused(repository.root, "HEAD").message


def test_a_mistyped_revision_gets_the_one_that_was_meant(repository: Git) -> None:
    commit(repository)
    repository("branch", "release-2026")
    assert refused(repository.root, "relaese-2026").hint == "did you mean release-2026?"
    assert "fetch it" in str(refused(repository.root, "0" * 40).hint)


def test_a_revision_that_a_shallow_clone_lacks_names_the_cure(repository: Git, tmp_path: Path) -> None:
    commit(repository)
    commit(repository, text="y")
    repository("clone", "-q", "--depth=1", f"file://{repository.root}", str(tmp_path / "shallow"))
    found, _, _ = open_repository(str(tmp_path / "shallow"))
    assert found.shallow
    assert "fetch-depth: 0" in str(refused(tmp_path / "shallow", "HEAD~1").hint)
    assert read(tmp_path / "shallow", "HEAD", "registry/a") == b"y"


def test_an_ambiguous_name_is_refused_even_when_the_repository_silences_it(repository: Git) -> None:
    first = commit(repository)
    commit(repository, text="y")
    repository("tag", "both", first)
    repository("branch", "both")
    repository("config", "core.warnAmbiguousRefs", "false")
    trouble = refused(repository.root, "both")
    assert "ambiguous" in trouble.message
    assert "refs/heads/both" in str(trouble.hint)
    found, _, _ = open_repository(str(repository.root))
    assert found.resolve("refs/tags/both") == first


def test_a_branch_named_like_an_id_is_ambiguous(repository: Git) -> None:
    first = commit(repository)
    commit(repository, text="y")
    repository("update-ref", f"refs/heads/{first[:10]}", "HEAD")
    assert "ambiguous" in refused(repository.root, first[:10]).message


@pytest.mark.parametrize("name", ["-x", "--output=F", "--upload-pack=touch F", "--help", "-"])
def test_a_revision_that_looks_like_an_option_is_data(repository: Git, name: str) -> None:
    tip = commit(repository)
    assert "names no commit" in refused(repository.root, name).message
    # Legal refs, though no porcelain makes them; `touch F` has a space and is none.
    if " " not in name and name != "-":
        repository("update-ref", f"refs/heads/{name}", tip)
        found, _, _ = open_repository(str(repository.root))
        assert found.resolve(f"refs/heads/{name}") == tip
        assert found.resolve(name) == tip
    assert not (repository.root / "F").exists()


@pytest.mark.parametrize(
    "revision",
    [
        "",
        "^main",
        "main..main",
        "main...main",
        "a\0b",
        "\ud800",
        "\udcff",
        "main\n",
        "HEAD:registry",
        "HEAD^{tree}",
        "@{x}",
    ],
)
def test_what_names_no_single_commit_is_refused(repository: Git, revision: str) -> None:
    commit(repository)
    trouble = refused(repository.root, revision)
    assert trouble.hint
    assert "\0" not in trouble.message
    assert "\n" not in trouble.message


@pytest.mark.parametrize(
    "revision",
    [
        "main@{yesterday}", "main@{1 year ago}x", "@{nonsense}", "main@{}", "main@{2026-01-01}",
        "main@{0}x", "main@{0}^{nothing}", "main@{u}@{yesterday}", "x{@{now}", "main@{٣}",
    ],
)  # fmt: skip
def test_git_is_never_asked_to_guess_a_time(repository: Git, revision: str) -> None:
    commit(repository)
    trouble = refused(repository.root, revision)
    assert "leaves a time to git" in trouble.message
    assert trouble.hint is not None


def test_the_reflog_and_the_upstream_are_revisions(repository: Git) -> None:
    first = commit(repository)
    second = commit(repository, text="y")
    repository("branch", "other", first)
    repository("branch", "--set-upstream-to=other", "main")
    repository("checkout", "--quiet", "other")
    repository("checkout", "--quiet", "main")
    found, _, _ = open_repository(str(repository.root))
    assert found.resolve("main@{0}") == found.resolve("main@{0}^0") == second
    assert found.resolve("main@{1}") == found.resolve("main@{0}~1") == first
    assert found.resolve("main@{u}") == found.resolve("main@{upstream}") == first
    assert found.resolve("@{-1}") == first


def test_nothing_that_the_repository_configures_runs(repository: Git, trap: Trap) -> None:
    program, sprung = trap()
    commit(repository)
    put(repository.root, ".gitattributes", "* diff=evil filter=evil\n")
    commit(repository, text="y")
    hooks = repository.root / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "reference-transaction", "post-index-change", "pre-auto-gc"):
        shutil.copy(program, hooks / hook)
    for key in (
        "core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.askPass", "diff.external",
        "diff.evil.textconv", "filter.evil.smudge", "filter.evil.clean", "filter.evil.process",
        "gpg.program", "gpg.ssh.program", "pager.rev-parse", "credential.helper",
        "uploadpack.packObjectsHook",
    ):  # fmt: skip
        repository("config", key, program)
    repository("config", "alias.rev-parse", f"!{program}")
    repository("config", "core.hooksPath", str(hooks))
    repository("config", "log.showSignature", "true")
    assert read(repository.root, "HEAD", "registry/a") == b"y"
    found, _, _ = open_repository(str(repository.root))
    assert "names no commit" in refused(repository.root, "nothing").message
    assert found.run("log", "--max-count=1", "--format=%s").code == 0
    assert not sprung.exists()
    repository("status", check=False)
    assert sprung.exists(), "the trap is no trap"


def test_a_work_tree_that_the_configuration_puts_elsewhere_is_a_refusal(
    repository: Git, tmp_path: Path
) -> None:
    commit(repository)
    for place in (tmp_path, "../..", repository.root.parent):
        repository("config", "core.worktree", str(place))
        with pytest.raises(Refusal, match="elsewhere"):
            open_repository(str(repository.root))
    outer = tmp_path / "outer"
    outer.mkdir()
    commit(Git(outer))
    shutil.move(repository.root, outer / "inner")
    inner = outer / "inner"
    subprocess.run(["git", "config", "core.worktree", str(outer)], cwd=inner, check=True, env=os.environ)
    with pytest.raises(Refusal, match="elsewhere"):
        open_repository(str(inner))


def test_the_environment_configures_nothing(
    repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: Trap
) -> None:
    program, sprung = trap()
    commit(repository, text="right")
    other = tmp_path / "other"
    other.mkdir()
    commit(Git(other), text="wrong")
    for name, value in {
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": program,
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor={program}'", "GIT_DIR": str(other / ".git"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git" / "objects"), "GIT_WORK_TREE": str(other),
        "GIT_EXTERNAL_DIFF": program, "GIT_EXEC_PATH": str(tmp_path), "GIT_NAMESPACE": "n",
        "GIT_TRACE": str(tmp_path / "trace"), "GIT_CEILING_DIRECTORIES": str(repository.root.parent),
        "LD_PRELOAD": "", "PAGER": program, "LC_ALL": "C.UTF-8",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert read(repository.root, "HEAD", "registry/a") == b"right"
    assert not sprung.exists()
    assert not (tmp_path / "trace").exists()


def test_replaced_objects_are_not_believed(repository: Git) -> None:
    signed = commit(repository, text="signed")
    evil = commit(repository, text="evil")
    repository("replace", signed, evil)
    repository(
        "replace",
        repository("rev-parse", f"{signed}:registry/a"),
        repository("rev-parse", f"{evil}:registry/a"),
    )
    assert read(repository.root, signed, "registry/a") == b"signed"


def test_grafts_do_not_change_what_a_commit_holds(repository: Git) -> None:
    first = commit(repository, text="first")
    second = commit(repository, text="second")
    put(repository.root, ".git/info/grafts", f"{second}\n{first} {second}\n")
    assert read(repository.root, second, "registry/a") == b"second"


def test_a_git_in_the_tree_is_not_the_git_that_runs(repository: Git, trap: Trap) -> None:
    program, sprung = trap()
    commit(repository)
    shutil.copy(program, repository.root / "git")
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(repository.root)],
        cwd=repository.root,
        env={"PATH": f".:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == repository("rev-parse", "HEAD"), done.stderr
    assert not sprung.exists()


def test_without_git_there_is_a_refusal(repository: Git) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(repository.root)],
        env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "git is not installed" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
def test_a_repository_of_another_user_is_a_refusal_with_the_cure(repository: Git) -> None:
    commit(repository)
    for path in (repository.root, repository.root / ".git"):
        os.chown(path, 65534, 65534)
    with pytest.raises(Refusal, match="another user owns it") as caught:
        open_repository(str(repository.root))
    assert f"safe.directory {repository.root}" in str(caught.value.hint)


def test_a_missing_object_is_not_fetched(repository: Git, tmp_path: Path, trap: Trap) -> None:
    commit(repository, text="far away")
    repository("config", "uploadpack.allowFilter", "true")
    program, sprung = trap()
    repository(
        "clone",
        "-q",
        "--filter=blob:none",
        "--no-checkout",
        f"file://{repository.root}",
        str(tmp_path / "part"),
    )
    part = Git(tmp_path / "part")
    part("config", "remote.origin.uploadpack", program)
    with pytest.raises(Refusal, match="is missing") as caught:
        read(tmp_path / "part", "HEAD", "registry/a")
    assert "partial clone" in str(caught.value.hint)
    assert not sprung.exists()


def test_a_sha256_repository(tmp_path: Path) -> None:
    root = tmp_path / "long"
    root.mkdir()
    subprocess.run(
        ["git", "init", "-q", "--object-format=sha256", str(root)], check=True, env={**os.environ, **GIT_ENV}
    )
    git = Git(root)
    tip = commit(git, text="long ids")
    assert len(tip) == 64
    found, _, _ = open_repository(str(root))
    assert found.algorithm == "sha256"
    assert read(root, tip[:12], "registry/a") == b"long ids"
