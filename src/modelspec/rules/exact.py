"""MS2: what a version records names one thing for ever: images, packages, commits, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelspec.rules.rule import Scene, rule
from modelspec.spec.kinds import VERSION
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Problem
from modelspec.tree.paths import path_trouble
from modelspec.tree.text import visible
from modelspec.tree.uri import data_uri_trouble, is_repository

_HEX: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_IMAGE: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?@sha256:[0-9a-f]{64}"
)
_PYTHON: Final = re.compile(r"[0-9]{1,2}\.[0-9]{1,3}(?:\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]{1,3})?)?")
_PACKAGE: Final = re.compile(r"[0-9][A-Za-z0-9.+!_-]{0,99}")


def misshapen(component: str, key: str, text: str) -> str | None:
    """Return how to write what a person gave, where the rules of this file would refuse it in a version."""
    route = (component, key)
    if route == ("runtime", "image") and not _IMAGE.fullmatch(text):
        return "write registry/name@sha256:... as the registry has it now"
    if route == ("runtime", "python") and not _PYTHON.fullmatch(text):
        return 'write it as in "3.11" or "3.11.7"'
    if route == ("code", "commit") and not _HEX.fullmatch(text):
        return "write all 40 or 64 hex digits: `git rev-parse COMMIT` prints them"
    if route == ("code", "repository") and not is_repository(text):
        return "write it as in https://git.example.com/team/project, without credentials"
    if route == ("code", "path") and path_trouble(text) is not None:
        return f"the path {path_trouble(text)}: write a relative path"
    if route == ("dataset", "uri") and data_uri_trouble(text) is not None:
        return "write a plain address such as s3://lake/trips"
    return None


@rule("MS209", "image-pinned", of=VERSION)
def image_pinned(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A runtime's image is named by digest: `name@sha256:...`.

    *Why:* a tag is moved by whoever pushes next; then the same pin serves something else.

    *Fix:* write the digest that the tag has now: `docker buildx imagetools inspect NAME` prints it.
    """
    runtime = version.value.runtime
    if runtime is None or runtime.image is None or _IMAGE.fullmatch(runtime.image):
        return
    name, _, digest = runtime.image.partition("@")
    why = "its digest is not `sha256:` and 64 lower-case hex digits" if digest else "it has no digest"
    if digest and re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        why = f"{visible(name)} is no image's name with its registry"
    yield Problem(
        version.place("runtime", "image"),
        f"the image {visible(runtime.image)} can move: {why}",
        fix="write registry/name@sha256:... as the registry has it now",
    )


@rule("MS210", "packages-pinned", of=VERSION)
def packages_pinned(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """The Python and the packages of a runtime are exact versions.

    No range, wildcard or address: `2.4.6`, not `>=2.4`, `2.*` or `latest`. Python has at least two
    numbers: `"3.11"`.

    *Why:* a range gives other libraries on another day, and the same bytes other answers.

    *Fix:* write the version that was installed: `pip freeze` prints it.
    """
    runtime = version.value.runtime
    if runtime is None:
        return
    if runtime.python is not None and _PYTHON.fullmatch(runtime.python) is None:
        yield Problem(
            version.place("runtime", "python"),
            f"python {visible(runtime.python)} is not an exact version",
            fix='write it as in "3.11" or "3.11.7"',
        )
    for name, pinned in (runtime.packages or {}).items():
        if _PACKAGE.fullmatch(pinned) is None or pinned.lower().endswith(".x"):
            yield Problem(
                version.place("runtime", "packages", name),
                f"{visible(name)} {visible(pinned)} is not an exact version",
                fix="write the version that was installed, as in 2.4.6",
            )


@rule("MS211", "commit-full", of=VERSION)
def commit_full(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A code commit is a whole commit id: 40 lower-case hex digits, or 64.

    *Why:* a branch moves, a tag can, and a short id becomes ambiguous as the repository grows.

    *Fix:* `git rev-parse COMMIT` prints the whole id.
    """
    code = version.value.code
    if code is not None and code.commit is not None and _HEX.fullmatch(code.commit) is None:
        capitals = _HEX.fullmatch(code.commit.lower()) is not None
        what = "has capitals" if capitals else "is not a whole commit id; branches and tags move"
        yield Problem(
            version.place("code", "commit"),
            f"the commit {visible(code.commit)} {what}",
            fix="write all 40 or 64 hex digits: `git rev-parse COMMIT` prints them",
        )


@rule("MS212", "addresses-clean", of=VERSION)
def addresses_clean(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """Where a version's code, lock and data lie is written plainly.

    A repository is `https://`, `ssh://` or `git@host:path`; `code.path` and `lock.path` are relative
    and clean; a dataset's uri has a scheme that means the same everywhere, and no escape, query,
    fragment, parameter or user info.

    *Why:* a password in an address is published for ever; `file:` and `..` lead elsewhere on each
    machine.

    *Fix:* write the address without credentials, and paths relative to the repository's root.
    """
    value = version.value
    repository = value.code.repository if value.code is not None else None
    if repository is not None and not is_repository(repository):
        # The address itself may hold a password: it is not repeated.
        yield Problem(
            version.place("code", "repository"),
            "the repository is not a plain https://, ssh:// or git@host:path address",
            fix="write it as in https://git.example.com/team/project, without credentials",
        )
    paths = (
        (("code", "path"), value.code.path if value.code is not None else None),
        (("runtime", "lock", "path"), _lock_path(value)),
    )
    for route, path in paths:
        trouble = path_trouble(path) if path is not None else None
        if path is not None and trouble is not None:
            yield Problem(
                version.place(*route), f"the path {visible(path)} {trouble}", fix="write a relative path"
            )
    if value.dataset is not None and value.dataset.uri is not None:
        trouble = data_uri_trouble(value.dataset.uri)
        if trouble is not None:
            yield Problem(
                version.place("dataset", "uri"),
                f"the dataset's uri {trouble}",
                fix="write a plain address such as s3://lake/trips",
            )


def _lock_path(value: ModelVersion) -> str | None:
    lock = value.runtime.lock if value.runtime is not None else None
    return lock.path if lock is not None else None
