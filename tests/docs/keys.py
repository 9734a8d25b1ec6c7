"""Makes the tables of keys in docs/formats.md from the models that read the files.

Everything between `<!-- keys: KIND -->` and `<!-- end -->` is generated; the rest of the page is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, get_args

from docs.pages import ROOT
from modelspec.spec import base
from modelspec.spec.schemas import _docs, by_name, json_schema

PAGE: Final = ROOT / "docs" / "formats.md"
_MARKED: Final = re.compile(r"(<!-- keys: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
_TYPES: Final = re.compile(r"(<!-- types -->\n).*?(<!-- end -->\n)", re.DOTALL)
_FORMS: Final = {
    "name": base.Name,
    "view name": base.ViewName,
    "field name": base.FieldName,
    "digest": base.Digest,
    "version": base.SemVer,
    "version reference": base.VersionRef,
    "schema reference": base.SchemaRef,
    "duration": base.Duration,
    "instant": base.Instant,
    "percentage": base.Percent,
    "pointer": base.Pointer,
    "link": base.Link,
    "release": base.Release,
}
"""What the tables call each form of a text."""
_PLAIN: Final = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


def pattern_of(form: Any) -> str:
    """Return the pattern that a form of a text matches."""
    found: str = next(one.pattern for one in get_args(form) if getattr(one, "pattern", None))
    return found


_NAMED: Final = {pattern_of(form): name for name, form in _FORMS.items()}


def shown(schema: dict[str, Any]) -> str:
    """Return the type of a value in words, with links to the tables of maps."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{_spelled(schema['const'])}`"
    if "enum" in schema:
        if tuple(schema["enum"]) == get_args(base.DType):
            return "[dtype](#forms)"
        *most, last = (f"`{_spelled(one)}`" for one in schema["enum"])
        return f"{', '.join(most)} or {last}" if most else last
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return " or ".join(shown(one) for one in choices)
    if "pattern" in schema:
        return f"[{_NAMED[schema['pattern']]}](#forms)"
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"list of {len(schema['prefixItems'])}: {shown(schema['prefixItems'][0])}"
        return f"list of {shown(schema['items'])}"
    if schema.get("type") == "object":
        return _map(schema)
    return _PLAIN[schema["type"]] + _bounds(schema)


def _map(schema: dict[str, Any]) -> str:
    """Say what a map whose keys are the author's holds."""
    for pattern, value in schema.get("patternProperties", {}).items():
        return f"map: {_NAMED[pattern]} → {shown(value)}"
    values = schema.get("additionalProperties")
    return f"map: text → {shown(values)}" if isinstance(values, dict) else "map of your own"


def _bounds(schema: dict[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is None:
        return ""
    return f", at least {least}" if most is None else f", {least} to {most}"


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def rows(schema: dict[str, Any], docs: dict[str, str]) -> Iterator[str]:
    """Yield the table of one map: its keys, their types, what may be left out, and what they mean."""
    required = schema.get("required", ())
    yield "| key | type | required | says |"
    yield "|---|---|---|---|"
    for key, one in schema["properties"].items():
        default = one.get("default")
        left_out = "yes" if key in required else f"`{_spelled(default)}`" if _says(default) else ""
        meaning = " ".join(docs.get(key, "").split()).replace("|", r"\|")
        yield f"| `{key}` | {shown(one)} | {left_out} | {meaning} |"


def _says(default: Any) -> bool:
    return default is not None and not isinstance(default, dict | list)


def tables(kind: str, told: set[str]) -> str:
    """Return the table of a kind, then those of the maps in it that no kind before it has told of."""
    schema = json_schema(kind)
    lines = [*rows(schema, _docs()[kind]), ""]
    definitions = schema.get("$defs", {})
    for name in _order(schema, definitions):
        if name in told:
            continue
        told.add(name)
        doc = " ".join(definitions[name]["description"].split())
        lines += [f"### {name}", doc, "", *rows(definitions[name], _docs()[name]), ""]
    return "\n".join(lines)


def _order(schema: Any, definitions: dict[str, Any]) -> list[str]:
    """Return the maps in the order in which a reader of the tables meets them."""
    found: list[str] = []
    waiting = [schema["properties"]]
    while waiting:
        for name in re.findall(r"#/\$defs/(\w+)", str(waiting.pop(0))):
            if name not in found:
                found.append(name)
                waiting.append(definitions[name]["properties"])
    return found


def forms() -> str:
    """Return the table of the forms that texts have."""
    lines = ["| form | is |", "|---|---|"]
    for name, form in _FORMS.items():
        words = re.sub(rf"^an? {name}(?:'s name)?: ", "", base.WANTED[pattern_of(form)])
        lines.append(f"| {name} | {words} |")
    lines.append(f"| dtype | {', '.join(f'`{one}`' for one in get_args(base.DType))} |")
    return "\n".join([*lines, ""])


def written(text: str) -> str:
    """Return the page with its tables as the models say now; SystemExit when a kind has none."""
    told: set[str] = set()
    found = [match[1] for match in _MARKED.findall(text)]
    if sorted(found) != sorted(by_name()):
        raise SystemExit(f"docs/formats.md has tables of {found}, the kinds are {sorted(by_name())}")
    text = _MARKED.sub(lambda match: f"{match[1]}{tables(match[2], told)}{match[3]}", text)
    return _TYPES.sub(lambda match: f"{match[1]}{forms()}{match[2]}", text)
