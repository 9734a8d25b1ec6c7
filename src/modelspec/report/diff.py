"""What `diff` prints: two revisions, or two versions, beside each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from modelspec.change.leaves import Leaf
from modelspec.change.registries import PinDiff, RegistryDiff, SchemaDiff, ServedDiff
from modelspec.change.versions import VersionDiff, moved_text, number_of
from modelspec.report.log import change_data, change_text
from modelspec.report.paint import Paint
from modelspec.tree.data import Data
from modelspec.tree.place import dotted, pointer
from modelspec.tree.text import plural, visible

_SHOWN = 100
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


def value_text(value: Data) -> str:
    """Return a node as people read it, on one line and of bounded length; `none` where there is none."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return visible(_DIGEST.sub(r"\1", text), _SHOWN)


def leaf_text(leaf: Leaf, drop: int = 0) -> str:
    """Return a leaf as `config.threads: 1 -> 2`, without the first `drop` parts of its route."""
    return f"{visible(dotted(leaf.route[drop:]), 120)}: {value_text(leaf.was)} -> {value_text(leaf.now)}"


def version_diff_text(diff: VersionDiff) -> Iterator[str]:
    """Yield the lines that tell two versions apart."""
    yield f"{diff.model} {diff.was} -> {diff.now}: {moved_text(diff)}"
    groups: tuple[tuple[str, Iterable[str]], ...] = (
        ("", (leaf_text(leaf) for leaf in diff.components)),
        ("hyperparameter ", (leaf_text(leaf, 2) for leaf in diff.hyperparameters)),
        ("threshold ", (leaf_text(leaf, 2) for leaf in diff.thresholds)),
        ("reads ", (f"{one.view}: {number_of(one.was)} -> {number_of(one.now)}" for one in diff.schemas)),
        ("metric ", (leaf_text(leaf) for leaf in diff.metrics)),
        ("", (_tensor(one.kind, one.name, one.was, one.now) for one in diff.contract)),
        ("", (leaf_text(leaf) for leaf in diff.beside)),
    )
    for head, lines in groups:
        for line in lines:
            yield f"  {head}{line}"


def _tensor(kind: str, name: str, was: Data, now: Data) -> str:
    if kind.endswith((" added", " removed")):
        return f"{visible(kind)}: {visible(name)}"
    shown = f"{visible(kind, 120)} of {visible(name)}" if name else visible(kind)
    return f"{shown}: {value_text(was)} -> {value_text(now)}"


def schema_diff_text(diff: SchemaDiff) -> Iterator[str]:
    """Yield the lines that tell two schemas of a view apart, with the row of the table each is."""
    yield f"{diff.view} {diff.was} -> {diff.now}"
    for change in diff.changes:
        yield f"  {visible(change.message, 200)} ({change.row})"
    for name in diff.added:
        yield f"  {visible(name)} is new"


def diff_text(diff: RegistryDiff, paint: Paint) -> str:
    """Return all that differs, what is served first."""
    lines: list[str] = []
    if diff.pins:
        lines += [paint.bold("pins"), *_in(line for one in diff.pins for line in _pin(one))]
    if diff.served:
        lines += [paint.bold("features served"), *_in(line for one in diff.served for line in _served(one))]
    if diff.published:
        lines.append(paint.bold("versions published"))
        for model, version, against in diff.published:
            shown = version_diff_text(against) if against is not None else iter([f"{model} {version}"])
            lines += _in(shown)
    if diff.schemas:
        lines.append(paint.bold("schemas published"))
        for view, number, contrast in diff.schemas:
            told = schema_diff_text(contrast) if contrast is not None else iter([f"{view} {number}"])
            lines += _in(told)
    if diff.files:
        lines.append(paint.bold("other files"))
        for one in diff.files:
            lines.append(f"  {visible(one.path, 300)} {one.state}")
            lines += [f"    {leaf_text(leaf)}" for leaf in one.leaves]
    if diff.layout:
        files = plural(len(diff.layout), "file")
        differ = "differs" if len(diff.layout) == 1 else "differ"
        lines.append(f"{files} {differ} in layout and comments only")
    if diff.empty:
        lines.append("nothing differs in meaning")
    return "".join(f"{line}\n" for line in lines)


def _in(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _pin(one: PinDiff) -> Iterator[str]:
    head = f"{one.environment}/{one.model}: "
    if one.broken:
        yield head + "can't be told: the file can't be read on one side"
        return
    yield head + (", ".join(visible(change_text(change), 300) for change in one.changes) or "no slot moved")
    yield from (f"  {leaf_text(leaf)}" for leaf in one.params)
    for version in one.versions:
        yield from (f"  {line}" for line in version_diff_text(version))


def _served(one: ServedDiff) -> Iterator[str]:
    was, now = (", ".join(map(number_of, refs)) or "nothing" for refs in (one.was, one.now))
    access = (
        "" if one.access[0] == one.access[1] else f", access {one.access[0] or 'none'} -> {one.access[1]}"
    )
    yield f"{one.environment}/{one.view}: {was} -> {now}{visible(access)}"
    for schema in one.schemas:
        yield from (f"  {line}" for line in schema_diff_text(schema))


def leaf_data(leaf: Leaf) -> Data:
    """Return a leaf as a map; the route is a JSON pointer."""
    return {"route": pointer(leaf.route), "was": leaf.was, "now": leaf.now}


def version_diff_data(diff: VersionDiff) -> dict[str, Data]:
    """Return a difference of two versions as a map."""
    return {
        "model": diff.model,
        "was": diff.was,
        "now": diff.now,
        "moved": list(diff.moved),
        "components": [leaf_data(leaf) for leaf in diff.components],
        "hyperparameters": [leaf_data(leaf) for leaf in diff.hyperparameters],
        "thresholds": [leaf_data(leaf) for leaf in diff.thresholds],
        "schemas": [{"view": one.view, "was": one.was, "now": one.now} for one in diff.schemas],
        "metrics": [leaf_data(leaf) for leaf in diff.metrics],
        "contract": [
            {"kind": one.kind, "name": one.name, "was": one.was, "now": one.now} for one in diff.contract
        ],
        "beside": [leaf_data(leaf) for leaf in diff.beside],
    }


def schema_diff_data(diff: SchemaDiff) -> Data:
    """Return a difference of two schemas as a map."""
    return {
        "view": diff.view,
        "was": diff.was,
        "now": diff.now,
        "changes": [
            {"row": one.row, "verdict": one.verdict.name, "message": one.message} for one in diff.changes
        ],
        "added": list(diff.added),
    }


def diff_data(diff: RegistryDiff, was: str, now: str) -> Data:
    """Return the shape `modelspec/diff/1`."""
    return {
        "format": "modelspec/diff/1",
        "from": was,
        "to": now,
        "pins": [_pin_data(one) for one in diff.pins],
        "served": [
            {
                "environment": one.environment,
                "view": one.view,
                "was": list(one.was),
                "now": list(one.now),
                "access": list(one.access),
                "schemas": [schema_diff_data(schema) for schema in one.schemas],
            }
            for one in diff.served
        ],
        "published": [
            {
                "model": model,
                "version": version,
                "against_parent": None if against is None else version_diff_data(against),
            }
            for model, version, against in diff.published
        ],
        "schemas": [
            {
                "view": view,
                "number": int(number),
                "against_previous": None if contrast is None else schema_diff_data(contrast),
            }
            for view, number, contrast in diff.schemas
        ],
        "files": [
            {
                "kind": one.kind,
                "path": one.path,
                "state": one.state,
                "leaves": [leaf_data(leaf) for leaf in one.leaves],
            }
            for one in diff.files
        ],
        "layout_only": list(diff.layout),
    }


def _pin_data(one: PinDiff) -> Data:
    return {
        "environment": one.environment,
        "model": one.model,
        "path": one.path,
        "readable": not one.broken,
        "changes": [change_data(change) for change in one.changes],
        "params": [leaf_data(leaf) for leaf in one.params],
        "versions": [version_diff_data(version) for version in one.versions],
    }
