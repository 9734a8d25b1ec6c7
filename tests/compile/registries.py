"""Registries for tests of the compiler: the example, with files changed, compiled by the rules' own scene."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from modelspec.compile import rules
from modelspec.compile.outputs import outputs_for
from modelspec.compile.render import HoleRenderer
from modelspec.rules.rule import Scene, family
from modelspec.rules.run import run
from modelspec.spec.kinds import FEATURE_PIN, PIN, VERSION
from modelspec.spec.reader import Reader
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Finding
from modelspec.tree.snapshot import DictSnapshot

ROOT = Path(__file__).parents[2]
RULES = tuple(family(rules))
_READER = Reader()


@cache
def example() -> dict[str, bytes]:
    """Return the files of the example: its registry and its targets."""
    found = [path for folder in ("registry", "templates") for path in (ROOT / folder).rglob("*")]
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in found if path.is_file()}


FRAUD = "registry/environments/production/models/fraud.yaml"


def pin(*slots: str, serve: str = "{mlserver: {}}") -> bytes:
    """Return a pin of fraud in production: slots are `canary: 1.2.0, weight: 10`, in order."""
    versions = Registry(DictSnapshot(example()), _READER).entries(VERSION)
    digests = {entry.name: entry.digest for entry in versions}
    lines = ["apiVersion: modelspec/v1", "kind: Pin", "environment: production", "model: fraud"]
    lines.append(f"serve: {serve}")
    for slot in slots:
        name, _, rest = slot.partition(": ")
        version, _, more = rest.partition(", ")
        ref = f"{version}@{digests['fraud', version]}"
        if name.startswith("variants."):
            lines += ["variants:"] if "variants:" not in lines else []
            lines.append(f"  {name.partition('.')[2]}: {{version: {ref}, {more}}}")
        else:
            lines.append(f"{name}: {{version: {ref}{', ' + more if more else ''}}}")
    return "\n".join(lines).encode() + b"\n"


def scene(changed: Mapping[str, bytes | None] = {}, **given: object) -> Scene:
    """Return the scene of the example with files changed, or removed where there is None."""
    files = {path: data for path, data in {**example(), **changed}.items() if data is not None}
    renderer = given.pop("renderer", None) or HoleRenderer()
    return Scene(Registry(DictSnapshot(files), _READER), renderer, **given)  # type: ignore[arg-type]


def compiled(where: Scene) -> dict[str, bytes]:
    """Return all outputs of a scene."""
    return outputs_for(where, where.registry.entries(PIN), where.registry.entries(FEATURE_PIN))


def found(where: Scene) -> tuple[Finding, ...]:
    """Return what the MS6 rules find."""
    return run(RULES, where)
