"""The scratch clone that the demo works in, and the commands that run there."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVING = Path(sys.executable).parent
"""The programs of the environment that serves, which the demo runs in."""
TRAINING = ROOT / ".venv-train/bin"
"""Those of the environment that trains: the packages of training/requirements.txt, and modelspec."""


class Failed(Exception):
    """A step did not do what it must; the message says which."""


class Clone:
    """The scratch clone, and the commands that run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "registry"
        config = folder / "gitconfig"
        config.write_text(
            "[user]\n\tname = Demo\n\temail = demo@example.com\n[safe]\n\tdirectory = *\n"
            "[commit]\n\tgpgsign = false\n[core]\n\thooksPath = /dev/null\n[advice]\n\tdetachedHead = false\n"
        )
        # A demo that is run from a git hook must not write to the repository of the hook.
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self.env |= {"GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
        self._run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(self.folder)], folder)
        self.published = self.run("git", "rev-parse", "HEAD").strip()

    def say(self, *command: str, programs: Path = SERVING) -> str:
        """Run a command, show it and what it prints, and return that."""
        print(f"    $ {shlex.join(command)}")
        output = self.run(*command, programs=programs)
        for line in output.splitlines():
            print(f"      {line}")
        return output

    def run(self, *command: str, programs: Path = SERVING) -> str:
        """Run a command in the clone, with the programs of an environment first; return what it prints."""
        return self._run(command, self.folder, programs)

    def commit(self, message: str) -> None:
        """Commit all that changed, if anything did."""
        self.run("git", "add", "--all")
        if self.run("git", "status", "--porcelain"):
            self.say("git", "commit", "--quiet", "--message", message)

    def compiled(self) -> str:
        """Return git's id of everything that is compiled."""
        return self.run("git", "rev-parse", "HEAD:compiled").strip()

    def _run(self, command: Sequence[str], where: Path, programs: Path = SERVING) -> str:
        program = programs / command[0]
        done = subprocess.run(
            [str(program) if program.exists() else command[0], *command[1:]],
            cwd=where,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise Failed(f"`{shlex.join(command)}` ended with {done.returncode}:\n{done.stdout}")
        return done.stdout
