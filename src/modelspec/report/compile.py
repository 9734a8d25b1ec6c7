"""What `compile` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence

from modelspec.api.build import Built
from modelspec.report.json import findings_data
from modelspec.report.paint import Paint
from modelspec.report.text import findings_text
from modelspec.spec.registry import Registry
from modelspec.tree.data import Data
from modelspec.tree.text import plural, visible


def built_text(
    registry: Registry, built: Built, changed: Sequence[str], paint: Paint, *, compare: bool = False
) -> str:
    """Return the findings, then what was written, or with `compare` what would be."""
    text = findings_text(registry, built.findings, paint)
    if built.blocked:
        errors = sum(finding.blocks for finding in built.findings)
        return text + f"{plural(errors, 'error')}: nothing was {'compared' if compare else 'written'}\n"
    words = ("differs", "extra") if compare else ("written", "removed")
    for path in changed:
        text += f"{words[path not in built.outputs]:<8} {visible(path, 300)}\n"
    pins, files = plural(built.pins, "pin"), plural(len(built.outputs), "file")
    if compare:
        if not changed:
            says = "says" if built.pins == 1 else "say"
            return text + f"compiled/ is what {pins} {says}: {files}\n"
        return (
            text
            + f"compiled/ differs from the pins in {plural(len(changed), 'file')}\n  fix: modelspec compile\n"
        )
    done = f"{plural(len(changed), 'file')} written" if changed else "nothing to write"
    return text + f"{pins}, {files}: {done}\n"


def built_json(
    registry: Registry, built: Built, changed: Sequence[str], paint: Paint, *, compare: bool = False
) -> str:
    """Return the shape `modelspec/compile/1`."""
    changes: list[Data] = [
        {"path": path, "change": "written" if path in built.outputs else "removed"} for path in changed
    ]
    data: Data = {
        "format": "modelspec/compile/1",
        "blocked": built.blocked,
        "compared": compare,
        "pins": built.pins,
        "files": len(built.outputs),
        "changes": changes,
        "findings": findings_data(registry, built.findings),
    }
    return json.dumps(data, indent=2) + "\n"


def streamed(built: Built) -> str:
    """Return the configs one after another, as a stream of YAML documents (JSON is YAML too)."""
    shown = (
        (path, data) for path, data in sorted(built.outputs.items()) if not path.endswith("/manifest.json")
    )
    return "".join(f"---\n# {path}\n{data.decode()}" for path, data in shown)
