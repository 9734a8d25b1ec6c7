"""What `list` and `show` print."""

from __future__ import annotations

from collections.abc import Sequence

from modelspec.api.show import ShownModel, ShownVersion
from modelspec.api.states import Listed, State
from modelspec.report.paint import Paint
from modelspec.report.table import table
from modelspec.tree.data import Data
from modelspec.tree.text import plural, visible


def _states(states: Sequence[State]) -> str:
    return ", ".join(str(state) for state in states) or "published"


def list_text(rows: Sequence[Listed]) -> str:
    """Return the versions as a table."""
    if not rows:
        return "no versions\n"
    return table(
        [("MODEL", "VERSION", "STATE"), *((row.model, row.version, _states(row.states)) for row in rows)]
    )


def _states_data(states: Sequence[State]) -> list[Data]:
    return [
        {"state": state.name, "environment": state.environment or None, "weight": state.weight}
        for state in states
    ]


def list_json(rows: Sequence[Listed], unread: Sequence[str] = ()) -> Data:
    """Return the shape `modelspec/list/1`; `unread`: the files whose states are missing."""
    versions: list[Data] = [
        {"model": row.model, "version": row.version, "states": _states_data(row.states)} for row in rows
    ]
    return {"format": "modelspec/list/1", "versions": versions, "unread": list(unread)}


def model_text(shown: ShownModel, paint: Paint) -> str:
    """Return a model's page: owner, description, versions."""
    head = f"{paint.bold(shown.name)}  owner {visible(shown.owner) or 'unknown'}\n"
    if shown.description:
        head += f"{visible(shown.description, 200)}\n"
    rows = [("VERSION", "STATE"), *((row.version, _states(row.states)) for row in shown.versions)]
    return head + (table(rows) if shown.versions else "no versions\n")


def model_json(shown: ShownModel, unread: Sequence[str] = ()) -> Data:
    """Return the shape `modelspec/model/1`."""
    return {
        "format": "modelspec/model/1",
        "model": shown.name,
        "owner": shown.owner,
        "description": shown.description,
        "versions": [{"version": row.version, "states": _states_data(row.states)} for row in shown.versions],
        "unread": list(unread),
    }


def version_text(shown: ShownVersion, paint: Paint) -> str:
    """Return a version's page: digest, states, the six components with their level."""
    lines = [f"{paint.bold(f'{shown.model} {shown.version}')}  {_states(shown.states)}"]
    if shown.description:
        lines.append(visible(shown.description, 200))
    lines += [f"digest  {shown.digest}", f"file    {shown.path}"]
    if shown.parent:
        lines.append(f"parent  {shown.parent}")
    lines.append("")
    for component in shown.components:
        label = f"{component.name:<9} {component.level:<9}"
        width = max((len(fact) for fact, _ in component.facts), default=0)
        for index, (fact, value) in enumerate(component.facts or (("", ""),)):
            lead = label if index == 0 else " " * len(label)
            lines.append(f"{lead} {fact:<{width}}  {visible(value, 140)}".rstrip())
    if shown.metrics:
        lines += ["", "metrics   " + ", ".join(f"{name} {value:g}" for name, value in shown.metrics)]
    known = sum(component.level == "recorded" for component in shown.components)
    lines += ["", f"{known} of {plural(len(shown.components), 'component')} recorded"]
    return "\n".join(lines) + "\n"


def version_json(shown: ShownVersion, unread: Sequence[str] = ()) -> Data:
    """Return the shape `modelspec/version/1`; `spec` is the document itself."""
    return {
        "format": "modelspec/version/1",
        "model": shown.model,
        "version": shown.version,
        "digest": shown.digest,
        "path": shown.path,
        "states": _states_data(shown.states),
        "components": {component.name: component.level for component in shown.components},
        "spec": shown.data,
        "unread": list(unread),
    }
