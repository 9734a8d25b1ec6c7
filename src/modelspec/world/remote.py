"""Fetches from and pushes to the remote: the only module that uses the network, and only when asked to.

Git runs in an empty git folder that borrows this repository's objects, so nothing in the repository's own
configuration (an ssh command, a helper, a receive-pack, hooks) is ever run; what the user configured for all
repositories counts. Of the repository's own, the remote's URL and HTTP headers (CI puts its token there) are
taken, as data.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible, visible_lines
from modelspec.world.branch import HEADS, ORIGIN
from modelspec.world.checkout import Place
from modelspec.world.gitprocess import Done

_PREFIX: Final = "modelspec-remote-"
_SCHEME: Final = re.compile(r"(https|http|ssh|file)://")
# `host:path`, as ssh has it; a double colon would name a helper program.
_SCP: Final = re.compile(r"(?:[\w.-]+@)?[\w.-]+:(?!:|//)[^\s-]\S*")
_RACED: Final = (
    "fetch first", "non-fast-forward", "stale info", "cannot lock ref", "incorrect old value",
    "failed to update ref", "failed to lock", "reference already exists",
)  # fmt: skip
_SECRET: Final = re.compile(r"(?<=://)[^/@\s]+@")
Outcome = Literal["pushed", "raced"]


@dataclass(frozen=True, slots=True)
class Remote:
    """The remote called origin. `url` may hold a secret and is never printed; `shown` is what may be."""

    url: str

    @property
    def shown(self) -> str:
        """The URL without what comes before the @."""
        return visible(_SECRET.sub("", self.url), 200)


def origin(place: Place) -> Remote:
    """Return the remote; raises Refusal when there is none, or its URL is nothing that is pushed to."""
    for key in (f"remote.{ORIGIN}.pushurl", f"remote.{ORIGIN}.url"):
        done = place.repository.run("config", "--null", "--get", key)
        url = os.fsdecode(done.out).split("\0")[0]
        if done.code == 0 and url:
            break
    else:
        raise Refusal(f"there is no remote {ORIGIN} to push to", f"git remote add {ORIGIN} URL")
    path = url.startswith(("/", "./", "../"))
    if not (path or _SCHEME.match(url) or _SCP.fullmatch(url)) or "\n" in url:
        raise Refusal(
            f"the URL of {ORIGIN} is not one that is pushed to: {Remote(url).shown}",
            f"use https, ssh or a path: git remote set-url {ORIGIN} URL",
        )
    return Remote(url)


@contextmanager
def reached(place: Place, remote: Remote) -> Iterator[Reached]:
    """Open a folder from which the remote can be reached; the caller holds the lock of `where.common`."""
    for stray in place.where.common.glob(f"{_PREFIX}*"):
        shutil.rmtree(stray, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place.where.common))
    try:
        sha256 = place.repository.algorithm == "sha256"
        extensions = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
        config = f"[core]\n\trepositoryFormatVersion = {int(sha256)}\n\tbare = true\n{extensions}"
        (folder / "config").write_text(config)
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        (folder / "objects").mkdir()
        (folder / "refs" / "heads").mkdir(parents=True)
        yield Reached(place, remote, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Reached:
    """The remote, within reach."""

    place: Place
    remote: Remote
    folder: Path

    def tips(self, branches: Sequence[str]) -> dict[str, str]:
        """Return branch -> commit for those that the remote has; their objects are here afterwards."""
        refs = [HEADS + branch for branch in branches]
        done = self._git("ls-remote", "--upload-pack=git-upload-pack", "--", self.remote.url, *refs)
        if done.code != 0:
            raise self._unreached(done.err)
        found: dict[str, str] = {}
        for line in done.out.decode("utf-8", "replace").splitlines():
            commit, _, ref = line.partition("\t")
            if ref in refs:
                found[ref.removeprefix(HEADS)] = commit
        missing = {name: commit for name, commit in found.items() if not self._has(commit)}
        if missing:
            self._fetch(missing)
        for name, commit in found.items():
            # What `git fetch` would have noted; a failure changes nothing for us.
            self.place.repository.write("update-ref", f"refs/remotes/{ORIGIN}/{name}", commit)
        return found

    def push(self, commit: str, branch: str, expected: str | None, *, replace: bool) -> Outcome:
        """Push a commit to a branch that stands at `expected`; "raced" when it no longer does.

        With `replace` the branch may lose what stood there.
        """
        ref = HEADS + branch
        lease = [f"--force-with-lease={ref}:{expected or ''}"] if replace else []
        done = self._git(
            "push", "--porcelain", "--no-verify", "--no-signed", "--no-follow-tags",
            "--recurse-submodules=no", "--receive-pack=git-receive-pack",
            *lease, "--", self.remote.url, f"{commit}:{ref}",
        )  # fmt: skip
        if done.code == 0:
            self.place.repository.write("update-ref", f"refs/remotes/{ORIGIN}/{branch}", commit)
            return "pushed"
        said = done.out.decode("utf-8", "replace")
        refused = [line for line in said.splitlines() if line.startswith("!")]
        if refused and any(word in line for word in _RACED for line in refused):
            return "raced"
        if refused:
            words = [
                line.removeprefix("remote:").strip() for line in done.err.splitlines() if "remote:" in line
            ]
            why = visible_lines("\n  ".join(filter(None, words[:20])))
            raise Refusal(
                f"{self.remote.shown} refused the push to {visible(branch)}" + (f":\n  {why}" if why else ""),
                "open a pull request instead: --branch --push"
                if not replace
                else "ask who guards the branch",
            )
        raise self._unreached(done.err)

    def _has(self, commit: str) -> bool:
        done = self.place.repository.run("cat-file", "-e", commit + "^{commit}")
        return done.code == 0

    def _fetch(self, missing: dict[str, str]) -> None:
        known = self.place.repository.run(
            "for-each-ref", "--count=50", "--format=%(objectname)", HEADS, f"refs/remotes/{ORIGIN}/"
        )
        for number, commit in enumerate(sorted(set(known.out.decode("ascii").split()))):
            # So that only what is new is sent.
            (self.folder / "refs" / "heads" / f"have{number}").write_text(f"{commit}\n")
        specs = [f"+{HEADS}{name}:refs/fetched/{at}" for at, name in enumerate(sorted(missing))]
        done = self._git(
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no",
            "--upload-pack=git-upload-pack", "--", self.remote.url, *specs,
        )  # fmt: skip
        if done.code != 0:
            raise self._unreached(done.err)

    def _git(self, *arguments: str) -> Done:
        extra = {"GIT_OBJECT_DIRECTORY": str(self.place.where.common / "objects"), **self._headers()}
        return self.place.repository.connect(self.folder, *arguments, extra=extra)

    def _headers(self) -> dict[str, str]:
        """Return the HTTP headers of the repository's own configuration, as git takes them from outside.

        With what it includes: GitHub's checkout, since v6, puts its token in a file of its own.
        """
        done = self.place.repository.run(
            "config", "--local", "--includes", "--null", "--get-regexp", r"^http\..*\.extraheader$"
        )
        pairs = [entry.split("\n", 1) for entry in os.fsdecode(done.out).split("\0") if "\n" in entry]
        found = {"GIT_CONFIG_COUNT": str(len(pairs))} if pairs else {}
        for at, (key, value) in enumerate(pairs):
            found |= {f"GIT_CONFIG_KEY_{at}": key, f"GIT_CONFIG_VALUE_{at}": value}
        return found

    def _unreached(self, error: str) -> Refusal:
        lines = [line for line in error.strip().splitlines() if line.strip()]
        said = _SECRET.sub("", lines[-1]) if lines else "no reason was given"
        return Refusal(
            f"{self.remote.shown} can't be reached: {visible(said, 300)}",
            f"try `git ls-remote {ORIGIN}`, then again",
        )
