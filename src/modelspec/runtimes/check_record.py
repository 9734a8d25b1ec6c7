"""Asks a model again what it was asked in logged requests, in batches as large as then, and compares.

Stands alone with comparison.py beside it: both are copied beside what they check, and need numpy and
onnxruntime only.
    python check_record.py MODEL.onnx RECORD.npz THREADS TOLERANCE [ANSWERS.npz]
RECORD.npz holds `inputs/<tensor>` and `outputs/<tensor>`, and `batch`: for each row how many rows the engine
answered together, 0 where nobody knows. Prints one JSON object; with ANSWERS.npz what is answered now is
kept there. Exit code: 0 the answers are the same (or within the tolerance), 1 they differ.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

Run = Callable[[Mapping[str, Any]], Sequence[Any]]
"""Asks the model: arrays by input, to one array for each output."""
CHUNK: Final = 4096
"""The most rows that are asked together where the number of them does not change a bit."""


def answers(run: Run, inputs: Mapping[str, Any], batch: Any, threads: int) -> list[Any]:
    """Return the outputs of all rows, each answered in a batch as large as its own was.

    One row alone and several take different ways through a linear model, and end in other bits; how many
    more there are changes none, with one thread. With several threads trees are summed up by other threads
    when a batch is larger: then every batch is as large as the recorded one. What is missing is padded with
    copies of a row, which changes no other row's answer. `batch` 0 stands for one row alone.
    """
    import numpy as np

    size = np.maximum(np.asarray(batch), 1)
    kinds = size if threads > 1 else np.minimum(size, 2)
    found: list[Any] = []
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        # Slices are views: what comes in order is not copied.
        whole = len(rows) == len(size)
        mine = inputs if whole else {name: array[rows] for name, array in inputs.items()}
        parts = _asked(run, mine, len(rows), int(kind), CHUNK if threads == 1 else int(kind))
        if whole:
            return parts
        if not found:
            found = [np.empty((len(size), *part.shape[1:]), part.dtype) for part in parts]
        for array, part in zip(found, parts, strict=True):
            array[rows] = part
    return found


def _asked(run: Run, inputs: Mapping[str, Any], count: int, least: int, most: int) -> list[Any]:
    """Return the outputs of `count` rows, asked at least `least` and at most `most` at a time."""
    import numpy as np

    most = 1 if least == 1 else most
    parts: list[Sequence[Any]] = []
    for start in range(0, count, most):
        stop = min(start + most, count)
        mine = {name: array[start:stop] for name, array in inputs.items()}
        if stop - start < least:
            mine = {
                name: np.concatenate([array, np.repeat(array[-1:], least - (stop - start), axis=0)])
                for name, array in mine.items()
            }
        parts.append([np.asarray(output)[: stop - start] for output in run(mine)])
    if len(parts) == 1:
        return list(parts[0])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def ask(model: str, record: str, threads: int, tolerance: float, kept: str | None = None) -> dict[str, Any]:
    """Run the model on the logged inputs and return what is printed."""
    import numpy as np
    import onnxruntime as ort

    # Isolated Pythons do not look beside a script.
    sys.path.insert(0, str(Path(__file__).parent))
    from comparison import compare  # type: ignore[import-not-found]

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/nonexistent")
    session = ort.InferenceSession(Path(model).read_bytes(), options, providers=["CPUExecutionProvider"])
    with np.load(record, allow_pickle=False) as held:
        inputs = {name[7:]: _texts(held[name]) for name in held.files if name.startswith("inputs/")}
        outputs = {name[8:]: _texts(held[name]) for name in held.files if name.startswith("outputs/")}
        batch = held["batch"]
    names = [one.name for one in session.get_outputs()]

    def again(sizes: Any) -> tuple[dict[str, Any], Any]:
        found = answers(lambda given: session.run(names, given), inputs, sizes, threads)
        now = dict(zip(names, found, strict=True))
        return now, compare(outputs, now, tolerance) if outputs else None

    now, compared = again(batch)
    if compared is not None and compared.verdict != "bit-equal" and not batch.all():
        # Nobody knows whether it was alone: then the other way counts as well.
        other, also = again(np.where(batch == 0, 2, batch))
        if also.verdict == "bit-equal":
            now, compared = other, also
    if kept is not None:
        np.savez(
            kept,
            **{name: array.astype("U") if array.dtype.hasobject else array for name, array in now.items()},
        )
    return {
        "verdict": None if compared is None else compared.verdict,
        "ulps": None if compared is None else compared.ulps,
        "difference": None if compared is None else compared.difference,
        "tolerance": tolerance,
        "rows": len(batch),
        "threads": threads,
        "answers": {name: array[:10].tolist() for name, array in now.items()},
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "packages": {"onnxruntime": ort.__version__, "numpy": np.__version__},
    }


def _texts(array: Any) -> Any:
    return array.astype(object) if array.dtype.kind == "U" else array


if __name__ == "__main__":
    said = ask(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), *sys.argv[5:6])
    sys.stdout.write(json.dumps(said) + "\n")
    sys.exit(1 if said["verdict"] == "different" else 0)
