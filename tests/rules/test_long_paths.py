"""Paths of very many folders in a version's file: said, and gone through once."""

from __future__ import annotations

import time

from modelspec.api.catalogue import CATALOGUE
from modelspec.rules.rule import Scene
from modelspec.rules.run import run
from modelspec.spec.registry import Registry
from rules.cases import _RENDERER, edited

VERSION = "registry/models/eta/versions/1.3.0.yaml"


def test_a_path_of_very_many_folders_costs_no_more_than_its_length() -> None:
    long = "\n".join(
        f"    - {{path: {number}/{'a/' * 32_000}b, size: 1, digest: sha256:{'0' * 64}}}"
        for number in range(12)
    )
    change = [
        {"file": VERSION, "old": "    - {path: model.onnx,", "new": f"{long}\n    - {{path: model.onnx,"}
    ]
    scene = Scene(Registry(edited(change).snapshot()), _RENDERER, catalogue=CATALOGUE)
    rules = [one for one in CATALOGUE if one.code in ("MS105", "MS106")]
    begin = time.process_time()
    assert [finding.code for finding in run(rules, scene)] == ["MS105"] * 12
    assert time.process_time() - begin < 2
