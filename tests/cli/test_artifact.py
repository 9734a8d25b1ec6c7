"""The MLmodel files of an artifact, of which there may be thousands, each as long as one may be."""

from __future__ import annotations

import tracemalloc
from functools import partial
from pathlib import Path

from modelspec.cli.artifact import MlModels
from modelspec.formats.mlcode import by_content
from modelspec.world.foreign import foreign
from world.trees import put


def test_one_of_them_at_a_time_is_in_memory(tmp_path: Path) -> None:
    for number in range(12):
        put(tmp_path, f"{number}/MLmodel", b"#" * 4_000_000 + b"\nflavors: {x: {code: mine}}\n")
        put(tmp_path, f"{number}/mine/a.py")
    paths = sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file())
    tracemalloc.start()
    models = MlModels({path: partial(foreign, tmp_path / path) for path in paths})
    assert len(models) == 12
    assert len(by_content(paths, models)) == 12
    assert tracemalloc.get_traced_memory()[1] < 25_000_000
    tracemalloc.stop()
