"""The target in docs/targets.md is complete: it compiles to what the page says."""

from __future__ import annotations

import re

from compile.registries import FRAUD, ROOT, compiled, found, pin, scene
from modelspec.compile.context import NAMES, TEXT_PARTS, Contexts
from modelspec.compile.deployment import deployment
from modelspec.spec.kinds import PIN, TARGET
from modelspec.spec.target import Target

PAGE = (ROOT / "docs" / "targets.md").read_text(encoding="utf-8")


def test_the_target_on_the_page_writes_what_the_page_says() -> None:
    files = dict(re.findall(r"\*\*`(templates/\S+)`\*\*\n```\w+\n(.*?)```", PAGE, re.DOTALL))
    assert len(files) == 4
    (said,) = re.findall(r"```text\n(NAME=.*?)```", PAGE, re.DOTALL)
    changed = {path: text.encode() for path, text in files.items()}
    changed[FRAUD] = pin("standby: 1.0.0", "stable: 1.1.0", serve="{envfile: {port: 8080}}")
    where = scene(changed)
    assert found(where) == ()
    folder = "compiled/production/models/fraud/envfile/"
    outputs = compiled(where)
    assert outputs[folder + "stable.env"].decode() == said
    assert b"PORT" not in outputs[folder + "standby.env"]


def test_the_page_names_all_that_there_is() -> None:
    where = scene()
    entry, target = where.registry.value(PIN, "production", "eta"), where.registry.value(TARGET, "kserve")
    assert entry is not None and target is not None
    made = deployment(entry, where.registry)
    assert made is not None
    slot = Contexts(made, target.value, {}).at("compiled")["stable"]
    assert isinstance(slot, dict)
    artifact = slot["artifact"]
    assert isinstance(artifact, dict)
    keys = {field.alias or name for name, field in Target.model_fields.items()}
    words = set(re.findall(r"`\{?([a-z_]+)\}?`", PAGE))
    assert set(NAMES) | set(slot) | set(artifact) | keys | set(TEXT_PARTS) <= words
