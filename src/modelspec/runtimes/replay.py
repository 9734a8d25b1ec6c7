"""Logged requests through a version again: loaded as it was served, asked in batches as large as then."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np

from modelspec.runtimes.artifact import ArtifactError
from modelspec.runtimes.check_record import answers
from modelspec.runtimes.onnx import OnnxModel, load
from modelspec.runtimes.rows import Rows
from modelspec.runtimes.served import Served
from modelspec.runtimes.tensors import Array
from modelspec.spec.model import Input, ModelVersion, Output, Threshold
from modelspec.trace.columns import Mismatch, inputs_of, outputs_of
from modelspec.trace.comparison import Compared, compare
from modelspec.tree.digest import stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

MATTERS = ("onnxruntime", "numpy")
"""The packages whose version may change a bit of an answer."""


class Replay:
    """One version, loaded. The names of its outputs are those of the signature."""

    def __init__(self, version: ModelVersion, model: OnnxModel) -> None:
        self.version = version
        self.threads = _threads(version)
        self._model = model
        self._names = [one.name for one in outputs_of(version)]

    def answers(self, rows: Rows) -> dict[str, Array]:
        """Return what the version answers now; a batch that nobody knows counts as one row alone.

        Raises Mismatch when the engine takes the inputs for wrong.
        """
        return self._asked(rows.inputs, rows.batch)

    def again(self, rows: Rows, tolerance: float) -> tuple[dict[str, Array], Compared | None]:
        """Return what it answers now to one request, and how that compares; None where no answer was logged.

        Where nobody knows whether the row was alone, both ways are tried, and the better one counts.
        """
        thresholds: tuple[Threshold, ...] = self.version.config.thresholds if self.version.config else ()
        now = self.answers(rows)
        if not rows.outputs:
            return now, None
        compared = compare(rows.outputs, now, tolerance, thresholds)
        if compared.verdict != "bit-equal" and not rows.batch.all():
            other = self._asked(rows.inputs, np.where(rows.batch == 0, 2, rows.batch))
            also = compare(rows.outputs, other, tolerance, thresholds)
            if also.verdict == "bit-equal":
                return other, also
        return now, compared

    def _asked(self, inputs: Mapping[str, Array], batch: Array) -> dict[str, Array]:
        try:
            found = answers(lambda given: self._model.run(given, self._names), inputs, batch, self.threads)
        except Exception as error:
            # onnxruntime raises classes of its own for everything from a wrong type to a broken graph.
            raise Mismatch(f"the model does not answer: {visible(str(error), 200)}") from None
        return dict(zip(self._names, found, strict=True))


def opened(folder: Path, version: ModelVersion, digest: str) -> Replay:
    """Load a version from the folder that holds its artifact; every byte is verified on the way.

    Raises Refusal when that can't be done here.
    """
    served = served_as(version, digest)
    try:
        return Replay(version, load(folder, served))
    except ArtifactError as error:
        raise Refusal(visible(str(error), 400)) from None


def served_as(version: ModelVersion, digest: str) -> Served:
    """Return a version as an engine would be told to serve it; raises Refusal when it can't be replayed."""
    artifact = version.artifact
    name = f"{version.model} {version.version}"
    if artifact is None or artifact.digest is None:
        raise Refusal(f"the artifact of {name} is lost: nothing can be replayed")
    if artifact.format != "onnx":
        raise Refusal(
            f"{name} is {visible(artifact.format or 'of no known format')}: only onnx is replayed here"
        )
    try:
        return Served.model_validate(
            {
                "model": version.model,
                "version": version.version,
                "digest": digest,
                "stamp": stamp(digest),
                "environment": "",
                "slot": "",
                "artifact": {
                    "digest": artifact.digest,
                    "files": [
                        {"path": one.path, "size": one.size, "digest": one.digest} for one in artifact.files
                    ],
                },
                "threads": _threads(version),
                "inputs": [_tensor(one) for one in inputs_of(version)],
                "outputs": [_tensor(one) for one in outputs_of(version)],
            }
        )
    except ValueError:
        raise Refusal(
            f"{name} has a signature that no engine here takes",
            "`modelspec check` says what is wrong with it",
        ) from None


def _tensor(one: Input | Output) -> dict[str, object]:
    return {"name": one.name, "dtype": one.dtype, "shape": list(one.shape)}


def _threads(version: ModelVersion) -> int:
    return version.runtime.threads if version.runtime is not None and version.runtime.threads else 1


def doubts(version: ModelVersion) -> tuple[str, ...]:
    """Return why answers here may differ in their last bits from those of the recorded runtime."""
    runtime = version.runtime
    recorded = (runtime.packages or {}) if runtime is not None else {}
    found = []
    for package in MATTERS:
        try:
            here = installed(package)
        except PackageNotFoundError:
            continue
        wanted = recorded.get(package)
        if wanted is None:
            found.append(f"the version does not record its {package}; here is {here}")
        elif wanted != here:
            found.append(f"{package} is {here} here, recorded is {visible(wanted, 40)}")
    if runtime is None or runtime.threads is None:
        found.append("the version does not record its threads; one was taken")
    return tuple(found)


def packed(rows: Rows) -> bytes:
    """Return rows as the .npz that `check_record.py` reads; texts are kept without objects."""
    stream = io.BytesIO()
    kept = {f"inputs/{name}": one for name, one in sorted(rows.inputs.items())}
    kept |= {f"outputs/{name}": one for name, one in sorted(rows.outputs.items())}
    flat = {name: one.astype("U") if one.dtype.hasobject else one for name, one in kept.items()}
    flat["batch"] = rows.batch
    np.savez(stream, **flat)  # type: ignore[arg-type]  # its stubs know of no names
    return stream.getvalue()
