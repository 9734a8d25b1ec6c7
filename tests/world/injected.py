"""One verb of the driver, killed before each call that changes files, or refused by the disk there."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from world.strace import Call, changing, drive

ERRORS = ("ENOSPC", "EIO", "EACCES", "EINTR")


@dataclass(frozen=True)
class Injected:
    """What is laid out for a verb, where it writes, and what is true of a root after it, however it ended."""

    verb: str
    lay: Callable[[Path, str], Path]
    """Lays a scenario out at a path, by its name, and returns the path."""
    judge: Callable[[Path], None]
    """Also runs the verb again, which has to complete."""
    into: str
    """The folder that may hold no leftover of a run that was refused."""
    said: str = ""
    """What a whole run says on stderr."""
    refused: Callable[[Path], None] = lambda _: None
    """What is true besides after a run that was refused."""

    def points(self, folder: Path, name: str, every: int) -> list[Call]:
        """Return every so-manieth call of a whole run that changes files, and those that are never left out."""
        root = self.lay(folder / "traced", name)
        done = drive(root, self.verb, folder, trace=folder / "trace")
        assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", self.said)
        found = changing(folder / "trace")
        assert any(call.name.startswith("rename") for call in found)
        # Those that give names, those that lock, and those of a thread that writes for another.
        always = ("rename", "flock", "pwrite")
        return [call for at, call in enumerate(found) if at % every == 0 or call.name.startswith(always)]

    def kill(self, folder: Path, name: str, every: int) -> None:
        """Kill a run at each of the calls; judge each."""

        def killed(call: Call) -> None:
            root = self.lay(folder / f"{name}-{call.name}-{call.number}", name)
            done = drive(root, self.verb, root, inject=f"{call.name}:signal=KILL:when={call.number}")
            assert done.stdout == "", f"{call} was not reached"
            self.judge(root)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(killed, self.points(folder, name, every)))

    def fail(self, folder: Path, name: str, every: int) -> None:
        """Have each of the calls fail, with one error after the other; judge each."""

        def failed(job: tuple[int, Call]) -> None:
            at, call = job
            error = ERRORS[at % len(ERRORS)]
            root = self.lay(folder / f"{name}-{call.name}-{call.number}-{error}", name)
            done = drive(root, self.verb, root, inject=f"{call.name}:error={error}:when={call.number}")
            # Where a verb says something, an error may make it say something else.
            assert done.stderr == "" or (self.said and "Traceback" not in done.stderr), f"{error} in {call}"
            assert done.returncode in (0, 3)
            if done.returncode == 3:
                assert "can't be" in done.stdout
                self.refused(root)
            assert not list((root / self.into).glob(".incoming-*")), f"{error} in {call}: litter"
            self.judge(root)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(failed, enumerate(self.points(folder, name, every))))


def between(text: str) -> str:
    """Return the path of a descriptor as strace shows it, `3</path>`."""
    match = re.search(r"<([^>]+)>", text)
    assert match is not None, text
    return match[1]
