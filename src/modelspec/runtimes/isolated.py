"""Logged requests asked in another environment: the one that was built from the version's lock."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from modelspec.runtimes.replay import Replay, packed
from modelspec.runtimes.rows import Rows
from modelspec.runtimes.tensors import Array
from modelspec.spec.model import ModelVersion
from modelspec.trace.columns import Mismatch, outputs_of
from modelspec.tree.digest import artifact_digest
from modelspec.tree.finding import Refusal
from modelspec.world.environment import answer_of

_RECORD: Final = "record.npz"
_ANSWERS: Final = "answers.npz"


class IsolatedReplay(Replay):
    """A version in an environment of its own; `folder` holds the artifact and the script that asks it."""

    def __init__(self, version: ModelVersion, python: str, folder: Path) -> None:
        self.version = version
        self.threads = version.runtime.threads if version.runtime and version.runtime.threads else 1
        self.packages: dict[str, str] = {}
        self._python, self._folder = python, folder
        self._names = [one.name for one in outputs_of(version)]
        artifact = version.artifact
        if artifact is None or artifact.format != "onnx" or len(artifact.files) != 1:
            raise Refusal(
                f"{version.model} {version.version}: only an artifact that is one ONNX file is asked"
            )
        [file] = artifact.files
        if artifact_digest([(file.path, file.digest)]) != artifact.digest:
            # Its path may lead anywhere.
            raise Refusal(f"{version.model} {version.version} lists another file than its artifact has")
        self._file = f"artifact/{file.path}"

    def _asked(self, inputs: Mapping[str, Array], batch: Array) -> dict[str, Array]:
        rows = Rows([], np.zeros(len(batch), np.int64), np.maximum(batch, 1), inputs, {})
        (self._folder / _RECORD).write_bytes(packed(rows))
        arguments = (self._file, _RECORD, str(self.threads), "0.0", _ANSWERS)
        try:
            said = answer_of(self._python, self._folder / "check_record.py", arguments)
        except Refusal as refusal:
            raise Mismatch(refusal.message) from None
        self.packages = said["packages"]
        with np.load(self._folder / _ANSWERS, allow_pickle=False) as kept:
            found = {name: kept[name] for name in kept.files}
        return {
            name: array.astype(object) if array.dtype.kind == "U" else array
            for name, array in found.items()
            if name in self._names
        }
