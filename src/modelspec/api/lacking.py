"""What a version still lacks before it can be registered: all of it at once, with the options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modelspec.spec.model import COMPONENTS
from modelspec.tree.data import Data


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that is missing: its component, its key in it, what it is in words, how to give it."""

    component: str
    key: str
    what: str
    option: str

    def __str__(self) -> str:
        """Return it as it stands in a list."""
        return f"{self.component}: {self.what} ({self.option})"


_WANTED = (
    Lack("artifact", "format", "its format, which the bytes do not tell", "--artifact-format NAME"),
    Lack(
        "code",
        "repository",
        "where its repository is",
        "--repository URL, or a remote called origin with a plain address",
    ),
    Lack("code", "commit", "the commit that trained it", "--code PATH in its clone"),
    Lack("code", "path", "the file that trains", "--code PATH in its clone"),
    Lack("dataset", "name", "its name", "--dataset-name NAME"),
    Lack("dataset", "uri", "where it is for others", "--dataset URI"),
    Lack("runtime", "image", "the image that serves it, by digest", "--image NAME@sha256:..."),
    Lack("runtime", "python", "the version of Python", "--python 3.11"),
)


def lacks(data: Mapping[str, Data]) -> Iterator[Lack]:
    """Yield what components and signature lack; what is unknown with a reason lacks nothing."""
    for name in COMPONENTS:
        part = data.get(name)
        if isinstance(part, dict) and "unknown" in part:
            continue
        if name == "features":
            if part is None:
                yield Lack(name, "", "the views that it reads", "--feature VIEW@N, or --none features")
            continue
        have = part if isinstance(part, dict) else {}
        for lack in _WANTED:
            if lack.component == name and not have.get(lack.key):
                yield lack
        if name == "dataset" and not have.get("snapshot") and not have.get("digest"):
            yield Lack(name, "snapshot", "which state of it", "--snapshot T, or --dataset PATH to hash")
        if name == "runtime" and not have.get("lock") and not have.get("packages"):
            yield Lack(name, "lock", "its packages", "--lock FILE")
        if name == "config" and "hyperparameters" not in have:
            yield Lack(
                name,
                "hyperparameters",
                "what training was told",
                "--param K=V, --params FILE, or --none config",
            )
    if not data.get("signature") and not _lost(data, "artifact") and not _lost(data, "features"):
        yield Lack("signature", "", "the file of its inputs and outputs", "--signature FILE")


def _lost(data: Mapping[str, Data], name: str) -> bool:
    part = data.get(name)
    return isinstance(part, dict) and "unknown" in part
