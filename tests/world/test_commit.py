"""Files of a store that come with a commit: their bytes as they are, and one git for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import GIT_ENV, Git
from modelspec.tree.finding import Refusal
from modelspec.world import git as asked
from modelspec.world.branch import folders
from modelspec.world.commit import make_commit
from modelspec.world.git import open_repository
from world.mounted import mounted
from world.trees import put


@pytest.mark.parametrize("name", ["plain", "two\nlines"])
def test_thousands_of_files_take_no_git_each(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in GIT_ENV.items():
        monkeypatch.setenv(key, value)
    root = tmp_path / name
    root.mkdir()
    git = Git(root)
    (root / ".gitattributes").write_text("* text eol=crlf ident\n")
    parent = git.commit("first")
    count = 3 if "\n" in name else 50
    for number in range(count):
        put(root, f"store/{number:02}", f"$Id$ {number}\r\n")
    runs: list[str] = []
    run_git = asked.run_git

    def counted(
        folder: Path, where: tuple[str, ...], arguments: tuple[str, ...], *more: object, **other: object
    ) -> object:
        runs.append(arguments[0])
        return run_git(folder, where, arguments, *more, **other)  # type: ignore[arg-type]

    monkeypatch.setattr(asked, "run_git", counted)
    repository, prefix, _ = open_repository(str(root))
    files = {f"store/{number:02}": root / f"store/{number:02}" for number in range(count)}
    made = make_commit(repository, folders(repository), prefix, parent, {}, "second", files)
    assert git("ls-tree", "--name-only", made, "store/").splitlines() == sorted(files)
    assert git("cat-file", "-s", f"{made}:store/02") == str(len("$Id$ 2\r\n"))
    assert runs.count("hash-object") == (1 if name == "plain" else count + 1)


def test_a_full_disk_is_said_and_no_hint_of_gits_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in GIT_ENV.items():
        monkeypatch.setenv(key, value)
    with mounted("tmpfs", tmp_path / "small", 1_000_000) as root:
        git = Git(root)
        parent = git.commit("first")
        repository, prefix, _ = open_repository(str(root))
        with pytest.raises(OSError, match="No space left"):
            (root / "fill").write_bytes(bytes(2_000_000))
        with (root / "fill").open("r+b") as fill:
            fill.truncate((root / "fill").stat().st_size - 40_000)
        with pytest.raises(Refusal, match=r"make the commit: (error|fatal): ") as refused:
            make_commit(
                repository,
                folders(repository),
                prefix,
                parent,
                {f"{n}": b"%d" % n for n in range(40)},
                "second",
            )
        assert refused.value.hint == "free space there, then run this again"
