"""`derive` without input and output: a version like another one but for a single component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from modelspec.api.register import ORDER, evidence, read_as, ref
from modelspec.api.verify import pinned
from modelspec.change.edit import Unedited, set_key, set_scalar
from modelspec.change.layout import flow, laid_out
from modelspec.change.proposal import Declined, Proposal, Step
from modelspec.compat.artifact import Host, host_changes
from modelspec.compat.table import Verdict
from modelspec.spec.kinds import VERSION
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.spec.semver import precedence
from modelspec.tree.data import Data, at, spelled
from modelspec.tree.digest import canonical
from modelspec.tree.place import Route, dotted
from modelspec.tree.snapshot import Patched
from modelspec.tree.text import visible

_SHARED = frozenset(
    ["apiVersion", "kind", "model", "version", "created", "artifact", "lineage", "description"]
)
"""What `--set` can't change: the artifact is shared, and the rest says which version it is."""
_LOCKED: Final = ("runtime.packages", "runtime.python")
"""What a lock says as well, whose bytes stay as they are."""
_SETTABLE: Final = ", ".join(key for key in ORDER if key not in _SHARED)
_OWN: Final = frozenset(["version", "created", "description"])
"""What two versions may differ in and be the same one twice."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One `--set`: keys with dots between (an entry of a list by its name), and the new value.

    `number`: the value where a number stood before, of which the text may be any spelling.
    """

    keys: str
    text: str
    value: Data
    number: Data


def derive(
    registry: Registry, model: str, version: str | None, parent: str, settings: Sequence[Setting],
    description: str | None = None,
) -> Proposal | Declined:  # fmt: skip
    """Return the file of a version that differs from its parent in one component; None: the next number."""
    entry = registry.value(VERSION, model, parent)
    if entry is None:
        return Declined(
            f"{model} {visible(parent)} is no version that can be read", f"modelspec list {model} lists them"
        )
    made = _made(registry, entry, version, settings, description)
    if isinstance(made, Declined):
        return made
    number, text = made
    if isinstance(text, str):
        return Proposal("derive", "", f"derive/{model}", already=(text,))
    return _proposal([(model, parent, number, text)], settings, registry)


def derive_all(
    registry: Registry, settings: Sequence[Setting], where: Mapping[str, str], description: str | None = None
) -> Proposal | Declined:
    """Return a next version of everything that is pinned anywhere and has these values (keys -> text)."""
    files: list[tuple[str, str, str, bytes]] = []
    left: list[str] = []
    own: dict[str, bytes] = {}
    taken, before = registry, ""
    for model, parent in sorted(pinned(registry)):
        if model != before:
            # What was made of one model takes no number from another: each patch is laid over the registry.
            own, taken, before = {}, registry, model
        entry = taken.value(VERSION, model, parent)
        if entry is None or any(_text(entry, keys) != text for keys, text in where.items()):
            left.append(f"{model} {parent} is left as it is")
            continue
        made = _made(taken, entry, None, settings, description)
        if isinstance(made, Declined):
            return Declined(f"{model} {parent}: {made.message}", made.fix)
        number, text = made
        if isinstance(text, str):
            left.append(text)
            continue
        files.append((model, parent, number, text))
        own[VERSION.locate(model, number)] = text
        taken = Registry(Patched(registry.snapshot, own), registry.reader)
    if not files and not left:
        return Proposal("derive", "", "derive/all", left=("nothing is pinned: nothing to derive from",))
    if not files:
        return Proposal("derive", "", "derive/all", left=tuple(left))
    found = _proposal(files, settings, registry)
    return Proposal(
        found.verb,
        found.title,
        found.branch,
        found.patch,
        found.steps,
        left=tuple(left),
        notes=found.notes,
        results=found.results,
    )


def _proposal(
    files: Sequence[tuple[str, str, str, bytes]], settings: Sequence[Setting], registry: Registry
) -> Proposal:
    what = ", ".join(f"{one.keys} = {visible(one.text, 60)}" for one in settings)
    patch = {VERSION.locate(model, number): text for model, _, number, text in files}
    names = ", ".join(f"{model} {parent} -> {number}" for model, parent, number, _ in files)
    title = f"Derive: {names} ({what})" if len(files) == 1 else f"Derive: {len(files)} versions ({what})"
    results, notes = list[str](), list[str]()
    locked = ", ".join(one.keys for one in settings if one.keys.startswith(_LOCKED))
    for model, parent, number, text in files:
        entry = read_as(registry, VERSION.locate(model, number), text)
        if not isinstance(entry, Entry):
            continue
        value, before = entry.value, registry.value(VERSION, model, parent)
        notes += _hosted(before.value, value) if before is not None else ()
        results.append(f"the reference of {value.model} is {ref(entry)}")
        if locked and value.runtime is not None and value.runtime.lock is not None:
            notes.append(
                f"{value.model} {value.version} has its parent's lock, which may say otherwise of "
                f"{visible(locked, 200)}: `modelspec register --lock` takes another"
            )
    model, _, number, _ = files[0]
    return Proposal(
        "derive",
        title,
        f"derive/{model}-{number}" if len(files) == 1 else "derive/all",
        patch,
        tuple(Step("derive", model, "", parent, number) for model, parent, number, _ in files),
        notes=tuple(notes),
        results=tuple(results),
    )


def _hosted(parent: ModelVersion, derived: ModelVersion) -> Iterator[str]:
    """Say what the artifact, whose bytes are shared, may not survive: another runtime, or other code."""
    if derived.runtime is None or (derived.runtime, derived.code) == (parent.runtime, parent.code):
        return
    for change in host_changes(parent, Host(derived.runtime, derived.code)):
        if change.verdict is Verdict.B:
            name = f"{derived.model} {derived.version}"
            yield f"{name} has its parent's bytes, which may not load: {change.message}"


def _made(
    registry: Registry, entry: Entry[ModelVersion], version: str | None, settings: Sequence[Setting],
    description: str | None,
) -> tuple[str, bytes | str] | Declined:  # fmt: skip
    """Return the number and the file; as text, why there is nothing to do."""
    value = entry.value
    tops = {one.keys.partition(".")[0] for one in settings}
    for top in sorted(tops):
        if top in _SHARED or top not in ORDER:
            return Declined(
                f"{visible(top)} can't be set: the artifact is shared, and the rest is who the version is",
                f"set a key of {_SETTABLE}; or `modelspec register`",
            )
    if len(tops) > 1:
        return Declined(
            f"{', '.join(sorted(tops))} are set at once: a derived version differs in one component",
            "derive twice, or `modelspec register`",
        )
    source = entry.document.source
    for one in settings:
        edited = _set(source, one)
        if isinstance(edited, Declined):
            return edited
        source = edited
    if source == entry.document.source:
        said = f"{value.model} {value.version} says so already"
        if version in (None, value.version):
            return value.version, said
        return Declined(
            f"{said}: {version} would be the same version twice",
            f"use {value.version}, or set something else",
        )
    try:
        renamed = _renamed(source, entry, description)
    except ValueError as error:
        return Declined(f"no file can hold it: {visible(str(error), 200)}", "correct the description")
    if isinstance(renamed, Unedited):
        return Declined.of(entry.path, renamed)
    drafted = set_scalar(renamed, ("version",), "999999.0.0")
    assert isinstance(drafted, bytes)
    same = _same(registry, value.model, drafted, version)
    if same is not None and version is None:
        return same, f"{value.model} {same} is derived already, with all of this"
    if same is not None and same != version:
        return Declined(
            f"{value.model} {same} says the same: another number would be the same version twice",
            f"use {same}, or --next, which finds it",
        )
    number = version or evidence(registry, entry, drafted, VERSION.locate(value.model, "999999.0.0"))
    if isinstance(number, Declined):
        return number
    if registry.get(VERSION, value.model, number) is not None:
        there = registry.snapshot.get(VERSION.locate(value.model, number))
        text = set_scalar(renamed, ("version",), number)
        if there is not None and there.read() == text:
            return number, f"{value.model} {number} is already derived"
        return Declined(
            f"{value.model} {number} is published: a version is written once", "name another, or --next"
        )
    text = set_scalar(renamed, ("version",), number)
    return (number, text) if isinstance(text, bytes) else Declined.of(entry.path, text)


def _same(registry: Registry, model: str, drafted: bytes, version: str | None) -> str | None:
    """Return the version that says the same, by whatever number; a release may repeat its prerelease."""
    from modelspec.tree.yaml import read

    wanted = _unnumbered(read(drafted)[0])
    found = [one for one in registry.entries(VERSION, model) if _unnumbered(one.document.data) == wanted]
    if version is not None and "-" not in version:
        found = [one for one in found if "-" not in one.value.version]
    numbers = [one.value.version for one in found]
    return version if version in numbers else max(numbers, key=precedence, default=None)


def _unnumbered(data: Data) -> bytes:
    whole = data if isinstance(data, dict) else {}
    return canonical({key: node for key, node in whole.items() if key not in _OWN})


def _renamed(source: bytes, entry: Entry[ModelVersion], description: str | None) -> bytes | Unedited:
    """Return the file with its parent and description; the old description tells of the old version.

    Raises ValueError for a description that no file can hold.
    """
    lineage = [f"lineage: {{parent: {ref(entry)}}}"]
    text = set_key(source, "lineage", lineage, ORDER)
    if isinstance(text, Unedited):
        return text
    said = description or f"{entry.value.version} with one thing changed"
    return set_key(text, "description", laid_out({"description": said}).decode().splitlines(), ORDER)


def _set(source: bytes, one: Setting) -> bytes | Declined:
    from modelspec.tree.yaml import read

    data, _ = read(source)
    route = _route(data, one.keys)
    if route is None:
        return Declined(
            f"there is no {visible(one.keys)} to set",
            "name a key that is there, or one of a map that is there",
        )
    old = at(data, route)
    if isinstance(old, dict | list):
        return Declined(f"{visible(one.keys)} holds more than one value", "name a key in it")
    # A text stays one: "3.11" is a Python and no number. So does a number: 1.10 is one.
    counts = isinstance(old, int | float) and not isinstance(old, bool)
    value: Data = one.text if isinstance(old, str) else one.number if counts else one.value
    try:
        if old is not None:
            edited = source if old == value else set_scalar(source, route, flow(value))
        else:
            top = str(route[0])
            whole = laid_out({top: _put(at(data, (top,)), route[1:], value)}).decode().splitlines()
            edited = set_key(source, top, whole, ORDER)
    except ValueError as error:
        return Declined(f"no file can hold it: {visible(str(error), 200)}", "correct the value")
    return edited if isinstance(edited, bytes) else Declined.of(dotted(route), edited)


def _route(data: Data, keys: str) -> Route | None:
    """Return the route of a key; its last part may be new in a map, an entry of a list goes by its name."""
    node, route = data, list[str | int]()
    parts = keys.split(".")
    while parts:
        part = parts.pop(0)
        if isinstance(node, dict):
            # Names of packages and models hold dots.
            whole = ".".join([part, *parts])
            if whole in node:
                return (*route, whole)
            if part not in node and (parts or not part):
                return None
            route.append(part)
            node = node.get(part)
        elif isinstance(node, list):
            named = [
                index
                for index, item in enumerate(node)
                if isinstance(item, dict) and part in (item.get("name"), item.get("view"), item.get("model"))
            ]
            if len(named) != 1:
                return None
            route.append(named[0])
            node = node[named[0]]
        else:
            return None
    return tuple(route)


def _put(node: Data, route: Route, value: Data) -> Data:
    if not route:
        return value
    head, rest = route[0], route[1:]
    if isinstance(node, list) and isinstance(head, int):
        return [_put(one, rest, value) if index == head else one for index, one in enumerate(node)]
    whole = dict(node) if isinstance(node, dict) else {}
    whole[str(head)] = _put(whole.get(str(head)), rest, value)
    return whole


def _text(entry: Entry[ModelVersion], keys: str) -> str | None:
    route = _route(entry.document.data, keys)
    return None if route is None else spelled(at(entry.document.data, route))
