"""Files of a store that come with a commit: their bytes as they are, and one git for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import GIT_ENV, Git
from modelspec.world import git as asked
from modelspec.world.branch import folders
from modelspec.world.commit import make_commit
from modelspec.world.git import open_repository
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
