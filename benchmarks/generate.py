"""Writes a registry of any size: seeded, valid, a git repository with one commit, or with a long past.

    python benchmarks/generate.py --models 1000 --versions 10 --environments 3 [--history 100000] OUT

The same arguments give the same commit, on any machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from emit import Map, document
from features import views
from models import Line, line
from past import END, Step, begin, past
from places import environment, feature_pin, names, pin

TEMPLATES = Path(__file__).parents[1] / "templates"
_FIRST = (
    b"commit refs/heads/main\n"
    b"committer modelspec <modelspec@example.com> %d +0000\n"
    b"data 21\nA generated registry\n\n"
)
_QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
"""The user's git configuration (hooks, templates, line endings) has no say in what is generated."""


Pins = list[tuple[str, Map, Line]]
"""Path and data of every pin, with the versions of its model."""


def files(
    seed: int, models: int, versions: int, environments: int, pins: Pins | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file of the registry; add its pins to `pins`."""
    settings: Map = {
        "apiVersion": "modelspec/v1",
        "kind": "Settings",
        "requires": ">=0.1.0",
        "stores": {"main": {"path": "store", "uri": "s3://example-models/store"}},
        "retention": {"days": 90},
    }
    yield "registry/modelspec.yaml", document(settings)
    for source in sorted(TEMPLATES.rglob("*")):
        if source.is_file():
            yield f"templates/{source.relative_to(TEMPLATES).as_posix()}", source.read_bytes()
    pool = views(seed, models // 8 + 2)
    for view in pool:
        yield from view.files
    places = names(environments)
    for before, place in zip([None, *places], places, strict=False):
        yield from environment(place, before)
    read: set[str] = set()
    for index in range(models):
        one = line(seed, index, pool, versions)
        yield from one.files
        read.update(view.name for view in one.views)
        for place in places:
            path, data = pin(seed, place, one)
            if pins is not None:
                pins.append((path, data, one))
            yield path, document(data)
    for place in places:
        for view in pool:
            if view.name in read:
                yield from feature_pin(place, view)


def write(
    out: Path, content: Iterable[tuple[str, bytes]], time: int = END, steps: Iterable[Step] = ()
) -> str:
    """Make the repository of these files at `out`, check it out, and return the id of its last commit.

    `time` is that of the first commit; each of `steps` is one more.
    """
    _git(out.parent, "init", "--quiet", "--initial-branch=main", "--object-format=sha1", "--", str(out))
    command = ["git", "-C", str(out), "-c", "core.compression=1", "fast-import", "--quiet"]
    # Of one commit nothing is like anything else; of a past each tree is nearly the one before it.
    command += [] if steps else ["--depth=0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | _QUIET) as stream:
        assert stream.stdin is not None
        _import(stream.stdin, content, time, steps)
    if stream.returncode:
        sys.exit("git fast-import failed")
    _git(out, "-c", "checkout.workers=0", "reset", "--quiet", "--hard", "main")
    return _git(out, "rev-parse", "HEAD").strip()


def _import(
    stream: IO[bytes], content: Iterable[tuple[str, bytes]], time: int, steps: Iterable[Step]
) -> None:
    stream.write(_FIRST % time)
    for path, data in content:
        stream.write(_file(path, data))
    for step in steps:
        person = f"{step.author} <{step.author.lower()}@example.com> {step.time} +0000\n".encode()
        message = step.message.encode()
        stream.write(b"commit refs/heads/main\ncommitter %sdata %d\n%s" % (person, len(message), message))
        stream.write(_file(step.path, step.content))


def _file(path: str, data: bytes) -> bytes:
    return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, env=os.environ | _QUIET, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"git {arguments[0]} failed")
    return done.stdout


def main() -> None:
    """Parse the arguments, write the registry, print its commit."""
    parser = argparse.ArgumentParser(description="Write a registry of any size, as a git repository.")
    parser.add_argument("--models", type=_count, required=True, metavar="N")
    parser.add_argument("--versions", type=_count, required=True, metavar="N", help="of each model")
    parser.add_argument("--environments", type=_count, required=True, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--history", type=int, default=0, metavar="N", help="commits that move a pin each")
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder that does not exist yet, or is empty")
    chosen = parser.parse_args()
    out: Path = chosen.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        parser.error(f"{out} exists and is not an empty folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    pins: Pins = []
    content = files(chosen.seed, chosen.models, chosen.versions, chosen.environments, pins)
    # The pins are there once the content was written, and before the first step is asked for.
    steps = past(chosen.seed, chosen.history, pins) if chosen.history else ()
    print(write(out.absolute(), content, begin(chosen.history), steps))


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


if __name__ == "__main__":
    main()
