"""Loads a model, asks it again what it was asked when it was registered, and compares the answers.

Stands alone: it is copied beside what it checks, and needs numpy and what runs the model: onnxruntime,
xgboost or lightgbm. No format is run here that can hold code.
    python check_golden.py MODEL GOLDEN.npz|- THREADS TOLERANCE [onnx|xgboost|lightgbm [FILE...]]
FILE: where an ONNX model keeps numbers, as it says it from its own folder.
Prints one JSON object. Exit code: 0 the answers are the same, or within the tolerance, or there are none
(`-`) and the model loads; 1 they differ; 2 the model could not be asked, and a line says why.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

NONE = "-"
"""In place of golden answers, where none were recorded."""


def compare(was: Any, now: Any, tolerance: float) -> dict[str, Any]:
    """Return whether two arrays are the same bits, and the greatest difference (None: no comparing them)."""
    import numpy as np

    if was.dtype != now.dtype or was.shape != now.shape:
        return {"same": False, "difference": None, "within": False}
    if was.tobytes() == now.tobytes():
        return {"same": True, "difference": 0.0, "within": True}
    if was.dtype.kind not in "fiub":
        return {"same": False, "difference": None, "within": False}
    left, right = was.astype(np.float64), now.astype(np.float64)
    equal = (was == now) | (np.isnan(left) & np.isnan(right))
    # Whole numbers that differ do so by one at least, also where a double holds neither.
    least = 0.0 if was.dtype.kind == "f" else 1.0
    with np.errstate(invalid="ignore"):
        apart = np.where(equal, 0.0, np.maximum(least, np.abs(left - right)))
    if not np.isfinite(apart).all():
        return {"same": False, "difference": None, "within": False}
    difference = float(apart.max(initial=0.0))
    return {"same": False, "difference": difference, "within": tolerance > 0.0 and difference <= tolerance}


Ask = Callable[[Mapping[str, Any]], dict[str, Any]]
"""A loaded model: gives its answers to inputs, by output."""


def _onnx(model: bytes, threads: int, beside: Mapping[str, bytes]) -> Ask:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/nonexistent")
    if beside:
        add = getattr(options, "add_external_initializers_from_files_in_memory", None)
        if add is None:
            raise RuntimeError(
                "the model keeps numbers in files of their own: "
                f"onnxruntime {ort.__version__} can't be given those from memory, a newer one can"
            )
        add(list(beside), list(beside.values()), [len(data) for data in beside.values()])
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs)), strict=True))


def _xgboost(model: bytes, threads: int, _: Mapping[str, bytes]) -> Ask:
    import xgboost

    booster = xgboost.Booster({"nthread": threads}, model_file=bytearray(model))

    def ask(inputs: Mapping[str, Any]) -> dict[str, Any]:
        table = xgboost.DMatrix(_table(inputs), feature_names=booster.feature_names, nthread=threads)
        return {"predict": booster.predict(table)}

    return ask


def _lightgbm(model: bytes, threads: int, _: Mapping[str, bytes]) -> Ask:
    import lightgbm

    booster = lightgbm.Booster(model_str=model.decode("utf-8"))
    return lambda inputs: {"predict": booster.predict(_table(inputs), num_threads=threads)}


def _table(inputs: Mapping[str, Any]) -> Any:
    """Return the one array of rows and features that a booster takes."""
    if len(inputs) != 1 or next(iter(inputs.values())).ndim != 2:
        raise ValueError("a booster takes one array, of rows and features")
    return next(iter(inputs.values()))


ENGINES: dict[str, tuple[str, Callable[[bytes, int, Mapping[str, bytes]], Ask]]] = {
    "onnx": ("onnxruntime", _onnx),
    "xgboost": ("xgboost", _xgboost),
    "lightgbm": ("lightgbm", _lightgbm),
}
"""Format of a model -> (the package that runs it, how it is loaded)."""


def answers(
    form: str, model: bytes, inputs: Mapping[str, Any] | None, threads: int, beside: Mapping[str, bytes]
) -> dict[str, Any]:
    """Load a model and return what it answers, by output; nothing without inputs. A booster has `predict`.

    `beside`: the files that an ONNX model keeps numbers in, by the names that it has for them.

    What an engine prints of its own goes to stderr. Raises whatever the engine raises.
    """
    with redirect_stdout(sys.stderr):
        loaded = ENGINES[form][1](model, threads, beside)
        return {} if inputs is None else loaded(inputs)


def ask(
    model: str, golden: str, threads: int, tolerance: float, form: str, beside: tuple[str, ...]
) -> dict[str, Any]:
    """Run the model on the golden inputs and return what is printed."""
    import importlib

    import numpy as np

    engine = importlib.import_module(ENGINES[form][0])
    inputs, outputs = None, dict[str, Any]()
    if golden != NONE:
        with np.load(golden, allow_pickle=False) as kept:
            inputs = {name[7:]: kept[name] for name in kept.files if name.startswith("inputs/")}
            outputs = {name[8:]: kept[name] for name in kept.files if name.startswith("outputs/")}
        if not outputs:
            raise ValueError(f"{golden} holds no answers")
    numbers = {name: (Path(model).parent / name).read_bytes() for name in beside}
    found = answers(form, Path(model).read_bytes(), inputs, threads, numbers)
    if lacking := sorted(outputs.keys() - found.keys()):
        raise ValueError(f"the model has no output {lacking[0]}")
    rows = [
        {"name": name, **compare(was, np.asarray(found[name]), tolerance)} for name, was in outputs.items()
    ]
    same = all(row["same"] for row in rows)
    within = all(row["within"] for row in rows)
    verdict = "bit for bit" if same else "within tolerance" if within else "differs"
    return {
        "verdict": "loads" if inputs is None else verdict,
        "tolerance": tolerance,
        "outputs": rows,
        "threads": threads,
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "packages": {ENGINES[form][0]: engine.__version__, "numpy": np.__version__},
    }


def main(model: str, golden: str, threads: str, tolerance: str, form: str = "onnx", *beside: str) -> int:
    """Ask, print and return the exit code."""
    try:
        found = ask(model, golden, int(threads), float(tolerance), form, beside)
    except Exception as error:
        # Whatever numpy and the engine raise; what they repeat of the files is not for a terminal as it is.
        told = f"{type(error).__name__}: {error}".encode("unicode_escape").decode("ascii")
        sys.stderr.write(f"check_golden: {told[:400]}\n")
        return 2
    sys.stdout.write(json.dumps(found) + "\n")
    return 1 if found["verdict"] == "differs" else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
