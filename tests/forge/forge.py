"""A forge of plain git: a bare repository whose hook runs the command, and clones that push to it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conftest import GIT_ENV, ROOT, Git
from promote import lab

_SHIM = """#!/bin/sh
{ printf '%s\\n' "$GIT_QUARANTINE_PATH" "$@"; } > ASK
{ read -r code; cat; } < ANSWER
exit "$code"
"""


def hook() -> str:
    """The hook as the documentation has it."""
    found = re.search(r"```sh\n(#!/bin/sh\n.*?)```", (ROOT / "docs" / "forge.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@dataclass
class Pushed:
    """What a push came to, and what was said."""

    accepted: bool
    said: str


class Forge:
    """The bare repository with the documented hook, below a folder of its own."""

    def __init__(self, folder: Path, tree: dict[str, bytes], roots: str = ".") -> None:
        self.folder = folder
        self.root = folder / "forge.git"
        seed = lab.repository(folder / "seed", tree)
        seed("clone", "--quiet", "--bare", ".", str(self.root))
        self.path = os.environ["PATH"]
        script = self.root / "hooks" / "pre-receive"
        script.parent.mkdir(exist_ok=True)
        script.write_text(hook().replace("roots=.", f'roots="{roots}"', 1))
        script.chmod(0o755)
        self.clones = [self.clone(name) for name in ("one", "two")]

    def clone(self, name: str) -> Git:
        """Clone the forge."""
        root = self.folder / name
        subprocess.run(["git", "clone", "-q", str(self.root), str(root)], check=True, env=self._env())
        git = Git(root)
        git("config", "user.name", name.capitalize())
        git("config", "user.email", f"{name}@example.com")
        return git

    def push(self, git: Git, *arguments: str) -> Pushed:
        """Push; the hook decides, unless git does."""
        done = subprocess.run(
            ["git", "push", "origin", *(arguments or ("HEAD:refs/heads/main",))],
            cwd=git.root, env=self._env(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Pushed(done.returncode == 0, done.stdout + done.stderr)

    def git(self, *arguments: str) -> str:
        """Run git in the bare repository."""
        done = subprocess.run(
            ["git", f"--git-dir={self.root}", *arguments],
            env=self._env(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def _env(self) -> dict[str, str]:
        return {**GIT_ENV, "PATH": self.path, "HOME": str(self.folder)}

    @contextlib.contextmanager
    def quick(self) -> Iterator[None]:
        """Let the hook ask this process instead of starting Python; everything else stays as it is."""
        ask, answer, shims = (self.folder / name for name in ("ask", "answer", "bin"))
        os.mkfifo(ask)
        os.mkfifo(answer)
        shims.mkdir()
        shim = shims / "modelspec"
        shim.write_text(_SHIM.replace("ASK", str(ask)).replace("ANSWER", str(answer)))
        shim.chmod(0o755)
        before, self.path = self.path, f"{shims}:{self.path}"
        thread = threading.Thread(target=self._serve, args=(ask, answer), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ask.write_text("\n")
            thread.join(10)
            self.path = before
            shutil.rmtree(shims)

    def _serve(self, ask: Path, answer: Path) -> None:
        while (asked := ask.read_text()) != "\n":
            quarantine, flag, root, *arguments = asked.splitlines()
            assert (flag, root) == ("--root", ".")
            os.environ["GIT_QUARANTINE_PATH"] = quarantine
            try:
                code, said = lab.run(self.root, *arguments)
            except BaseException as error:  # the hook waits for an answer, whatever happened
                code, said = 70, f"Traceback: {error!r}"
            finally:
                del os.environ["GIT_QUARANTINE_PATH"]
            answer.write_text(f"{code}\n{said}")
