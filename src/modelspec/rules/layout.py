"""MS0, the registry as a whole: which files may stand where, and how git must not merge them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from modelspec.rules.rule import REGISTRY, Scene, rule
from modelspec.spec.base import WANTED
from modelspec.spec.environment import PIN_KEYS, Pin
from modelspec.spec.kinds import KINDS, PARTS, PIN, RESERVED_VIEW, SETTINGS, Kind, classify
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Problem
from modelspec.tree.paths import fold, name_trouble
from modelspec.tree.place import Place
from modelspec.tree.snapshot import Snapshot, irregular
from modelspec.tree.text import visible

GUESTS: Final = ("README.md", ".gitattributes")
"""Files that may stand in any folder of `registry/` though no kind lives there: for people, and for git."""
_ALIKE: Final = 0.9
"""How alike a path and the one that was probably meant are: a letter or two apart."""


@rule("MS009", "tree-regular", of=REGISTRY)
def tree_regular(registry: Registry, scene: Scene) -> Iterator[Problem]:
    """Every file below `registry/` and `templates/` is a regular file.

    No symbolic link, no submodule, no device, also where no kind of file lives; and no folder where a
    file belongs.

    *Why:* a link shows one thing in review and another on the machine that reads it; a pin that is a
    folder is a pin that nobody reads.

    *Fix:* commit the file or the folder itself.
    """
    for path, blob in chain(registry.files(), registry.snapshot.walk("templates")):
        fault = irregular(blob.mode)
        if fault is not None and classify(path) is None:
            yield Problem(Place(path), fault.message, fix=fault.fix)
    for path in _folders(registry.snapshot, "registry"):
        if path.endswith(".yaml") and classify(path) is not None:
            yield Problem(Place(path), "this is a folder", fix="put the file itself in its place")


@rule("MS010", "path-known", of=REGISTRY)
def path_known(registry: Registry, scene: Scene) -> Iterator[Problem]:
    """Every file below `registry/` lies where its kind lives, under a name that is allowed there.

    `README.md` and `.gitattributes` may stand in any folder. No two paths differ only in case or in
    Unicode normalisation.

    *Why:* a version in a folder that is misspelled is a version that nobody can pin and no check reads;
    two paths that one file system takes for the same lose one of the files.

    *Fix:* move the file to the path that is printed, or out of `registry/`.
    """
    strange: list[str] = []
    # Paths of a kind are ASCII in lower case: each is its own folded form.
    folded: dict[str, str] = {}
    for path, blob in registry.files():
        if classify(path) is not None:
            folded[path] = path
        elif path.rpartition("/")[2] not in GUESTS and irregular(blob.mode) is None:
            strange.append(path)
    for path in strange:
        twin = folded.setdefault(fold(path), path)
        if twin != path:
            yield Problem(
                Place(path),
                f"some file systems take this path and {visible(twin, 120)} for the same",
                fix="keep one of the two",
            )
        else:
            yield _strange(path)


@rule("MS011", "pin-key-order", of=PIN)
def pin_key_order(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """The keys of a pin stand in one fixed order, `stable` last.

    *Why:* git merges neighbouring lines as one. In this order an edit of one slot does not touch the
    lines of another, so that promotions merge and revert cleanly.

    *Fix:* move the key to where the order that is printed has it.
    """
    data = pin.document.data
    keys = list(data) if isinstance(data, dict) else []
    wanted = sorted(keys, key=PIN_KEYS.index)
    for found, expected in zip(keys, wanted, strict=True):
        if found != expected:
            yield Problem(
                pin.key(found),
                f"{found} stands where {expected} belongs",
                fix=f"the order is {', '.join(wanted)}",
            )
            return


@rule("MS012", "settings-present", of=REGISTRY)
def settings_present(registry: Registry, scene: Scene) -> Iterator[Problem]:
    """A registry has its `registry/modelspec.yaml`.

    *Why:* it says which format this is, which stores there are and how strict the rules are; without
    it an empty or misplaced folder would pass every check.

    *Fix:* `modelspec init` writes one; or choose the right folder with `--root`.
    """
    if registry.get(SETTINGS) is None:
        yield Problem(Place(SETTINGS.path), f"{SETTINGS.path} is missing", fix="`modelspec init` writes one")


def _folders(tree: Snapshot, under: str) -> Iterator[str]:
    """Yield every folder below a folder; one without files is in no commit, yet in the way of a file."""
    waiting = [under]
    while waiting:
        folder = waiting.pop()
        below = [f"{folder}/{name}" for name, is_folder in tree.ls(folder) if is_folder]
        yield from below
        waiting += below


def _strange(path: str) -> Problem:
    """Say what is wrong with a path at which no kind lives, and where its file was probably meant to be."""
    candidates: dict[str, Kind[Any]] = {}
    for kind in KINDS.values():
        candidate = _candidate(kind, path)
        if candidate is not None:
            candidates[candidate] = kind
    if path in candidates:
        return _misnamed(candidates[path], path)
    known = [candidate for candidate in candidates if classify(candidate) is not None]
    close = difflib.get_close_matches(path, known, n=1, cutoff=_ALIKE)
    return Problem(
        Place(path),
        "no kind of file lives at this path",
        fix=f"move it to {visible(close[0], 120)}" if close else "remove it, or move it out of registry/",
    )


def _candidate(kind: Kind[Any], path: str) -> str | None:
    """Return the path with the fixed parts of a kind's pattern put in, or None when the depths differ."""
    pattern, parts = kind.path.split("/"), path.split("/")
    if len(pattern) != len(parts) or not kind.enveloped:
        return None
    last = parts[-1].rpartition(".")[0] or parts[-1]
    filled = [wanted if "{" not in wanted else part for wanted, part in zip(pattern, parts, strict=True)]
    if pattern[-1].endswith("}.yaml"):
        filled[-1] = parts[-1] if parts[-1].endswith(".yaml") else f"{last}.yaml"
    return "/".join(filled)


def _misnamed(kind: Kind[Any], path: str) -> Problem:
    """Say which name in a path of the right form is refused, and why."""
    for wanted, found in zip(kind.path.split("/"), path.split("/"), strict=True):
        part = re.fullmatch(r"\{(\w+)\}(\.yaml)?", wanted)
        if part is None:
            continue
        name = found.removesuffix(part[2] or "")
        pattern = PARTS[part[1]]
        if re.fullmatch(pattern, name) is None:
            form = WANTED.get(f"^{pattern}$", "a whole number from 1 on")
            other = next((char for char in name if not char.isascii()), None)
            letter = f" (it has U+{ord(other):04X} in it)" if other is not None else ""
            return Problem(Place(path), f"{visible(name)} names no {part[1]}{letter}", fix=f"write {form}")
        trouble = name_trouble(name)
        if trouble is None and part[1] == "view" and name == RESERVED_VIEW:
            trouble = "is what `from` calls the inputs of a request"
        if trouble is not None:
            return Problem(Place(path), f"the name {visible(name)} {trouble}", fix="choose another name")
    return Problem(Place(path), "no kind of file lives at this path", fix="move it out of registry/")
