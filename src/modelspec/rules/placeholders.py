"""MS2: no value is a stand-in for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from modelspec.rules.rule import Scene, rule
from modelspec.spec.kinds import ENVIRONMENT, FEATURE_PIN, MODEL, PIN, VERSION, VIEW, WAIVER
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.tree.data import Data
from modelspec.tree.finding import Problem
from modelspec.tree.place import Route, dotted
from modelspec.tree.text import visible

_UNFINISHED: Final = frozenset(
    ["todo", "tbd", "tba", "fixme", "xxx", "wip", "changeme", "change-me", "change_me", "placeholder",
     "replaceme", "replace-me", "...", "…", "?", "??", "???"]
)  # fmt: skip
_NOTHING: Final = frozenset(
    ["", "none", "null", "nil", "n/a", "na", "unknown", "undefined", "unspecified", "-", "--", "."]
)
_FLOATING: Final = frozenset(
    ["latest", "main", "master", "head", "trunk", "tip", "current", "newest", "nightly", "now", "today"]
)
_STANDS_IN: Final = _UNFINISHED | _NOTHING
_ANY: Final = _STANDS_IN | _FLOATING

_FIELDS: Final[tuple[tuple[tuple[str, ...], frozenset[str]], ...]] = (
    (("artifact", "format"), _STANDS_IN),
    (("artifact", "architecture"), _STANDS_IN),
    (("artifact", "precision"), _STANDS_IN),
    (("code", "repository"), _ANY),
    (("code", "path"), _STANDS_IN),
    (("dataset", "name"), _STANDS_IN),
    (("dataset", "uri"), _ANY),
    (("dataset", "snapshot"), _ANY),
    (("runtime", "accelerator"), _UNFINISHED),
    (("runtime", "lock", "path"), _STANDS_IN),
)
"""The fields of a version that say what it is, and the words that say nothing there.

Commits, images and versions of packages have rules of their own, which no word passes.
"""
_SAID: Final = frozenset({"owner", "reason", "text", "by"})
"""Keys whose text tells people who or why."""


@rule("MS213", "value-real", of=VERSION)
def value_real(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """No field that says what a version is holds a stand-in or a name that moves.

    Words such as `TODO`, `n/a` or `changeme` as a whole value, `latest`, `main` or `HEAD` where a snapshot
    or an address belongs, a part `latest` in a dataset's uri, a digest or a commit of zeros. Descriptions
    are free.

    *Why:* a stand-in passes for a fact as soon as nobody looks, and a name that moves is another thing
    tomorrow under the same digest.

    *Fix:* write the real value; or record that the component is unknown, and why.
    """
    value = version.document.data
    data = value if isinstance(value, dict) else {}
    for route, words in _FIELDS:
        outer = data.get(route[0])
        found: Data = outer
        for part in route[1:]:
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, str) and (found.strip().casefold() in words or _moves(route, found)):
            yield _stand_in(version, route, found)
    config = version.value.config
    for name, chosen in (config.hyperparameters or {}).items() if config is not None else ():
        if isinstance(chosen, str) and chosen.strip().casefold() in _UNFINISHED:
            yield _stand_in(version, ("config", "hyperparameters", name), chosen)
    yield from _zeros(version)


@rule("MS214", "reason-real", of=(VERSION, MODEL, VIEW, ENVIRONMENT, PIN, FEATURE_PIN, WAIVER))
def reason_real(entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """An owner and a reason are real: not empty, and no stand-in such as `TODO` or `n/a`.

    *Why:* they are read when something is wrong, to know whom to ask and what was meant.

    *Fix:* write who owns it; write why, in a sentence that will still make sense in a year.
    """
    data = entry.document.data
    if entry.kind is VERSION:
        for name, component in data.items() if isinstance(data, dict) else ():
            if isinstance(component, dict) and "unknown" in component:
                yield from _said(entry, (name,), component)
    else:
        yield from _said(entry, (), data)


def _said(entry: Entry[Any], route: Route, node: Data) -> Iterator[Problem]:
    """Walk the data of a file; what a target is told in a pin is not ours to judge."""
    if isinstance(node, dict):
        for key, child in node.items():
            if key == "serve" and not route:
                continue
            if key in _SAID and isinstance(child, str) and child.strip().casefold() in _STANDS_IN:
                yield _stand_in(entry, (*route, key), child)
            elif isinstance(child, dict | list):
                yield from _said(entry, (*route, key), child)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _said(entry, (*route, index), child)


def _stand_in(entry: Entry[Any], route: Route, found: str) -> Problem:
    empty = not found.strip()
    said = "is blank" if empty else f"is {visible(found)}"
    moves = found.strip().casefold() in _FLOATING or route == ("dataset", "uri")
    what = "which moves" if moves and not empty else "which says nothing"
    return Problem(
        entry.place(*route),
        f"{dotted(route)} {said}, {what}" if not empty else f"{dotted(route)} {said}",
        fix="write the real value",
    )


def _moves(route: Route, found: str) -> bool:
    return route == ("dataset", "uri") and "latest" in found.casefold().split("/")


def _zeros(version: Entry[ModelVersion]) -> Iterator[Problem]:
    value = version.value
    digests: list[tuple[Route, str | None]] = []
    if value.artifact is not None:
        digests.append((("artifact", "digest"), value.artifact.digest))
        digests += [
            (("artifact", "files", index, "digest"), file.digest)
            for index, file in enumerate(value.artifact.files)
        ]
    if value.code is not None:
        digests.append((("code", "commit"), value.code.commit))
    if value.dataset is not None:
        digests.append((("dataset", "digest"), value.dataset.digest))
    if value.runtime is not None and value.runtime.lock is not None:
        digests.append((("runtime", "lock", "digest"), value.runtime.lock.digest))
    for route, digest in digests:
        if digest is not None and len(digest) >= 40 and not digest.removeprefix("sha256:").strip("0"):
            yield Problem(
                version.place(*route), f"{dotted(route)} is all zeros, which names nothing",
                fix="write the real value",
            )  # fmt: skip
