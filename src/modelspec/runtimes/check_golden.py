"""Asks a model again what it was asked when it was registered, and compares the answers.

Stands alone: it is copied beside what it checks, and needs numpy and onnxruntime only.
    python check_golden.py MODEL.onnx GOLDEN.npz THREADS TOLERANCE
Prints one JSON object. Exit code: 0 the answers are the same (or within the tolerance), 1 they differ, 2 the
model could not be asked, and a line says why.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


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
    equal = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        apart = np.where(equal, 0.0, np.abs(left - right))
    if not np.isfinite(apart).all():
        return {"same": False, "difference": None, "within": False}
    difference = float(apart.max(initial=0.0))
    return {"same": False, "difference": difference, "within": tolerance > 0.0 and difference <= tolerance}


def ask(model: str, golden: str, threads: int, tolerance: float) -> dict[str, Any]:
    """Run the model on the golden inputs and return what is printed."""
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/nonexistent")
    session = ort.InferenceSession(Path(model).read_bytes(), options, providers=["CPUExecutionProvider"])
    with np.load(golden, allow_pickle=False) as kept:
        inputs = {name[7:]: kept[name] for name in kept.files if name.startswith("inputs/")}
        outputs = {name[8:]: kept[name] for name in kept.files if name.startswith("outputs/")}
    if not outputs:
        raise ValueError(f"{golden} holds no answers")
    answers = dict(zip(outputs, session.run(list(outputs), inputs), strict=True))
    rows = [
        {"name": name, **compare(was, np.asarray(answers[name]), tolerance)} for name, was in outputs.items()
    ]
    same = all(row["same"] for row in rows)
    within = all(row["within"] for row in rows)
    return {
        "verdict": "bit for bit" if same else "within tolerance" if within else "differs",
        "tolerance": tolerance,
        "outputs": rows,
        "threads": threads,
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "packages": {"onnxruntime": ort.__version__, "numpy": np.__version__},
    }


def main(model: str, golden: str, threads: str, tolerance: str) -> int:
    """Ask, print and return the exit code."""
    try:
        found = ask(model, golden, int(threads), float(tolerance))
    except Exception as error:
        # Whatever numpy and onnxruntime raise; what they repeat of the files is not for a terminal as it is.
        told = f"{type(error).__name__}: {error}".encode("unicode_escape").decode("ascii")
        sys.stderr.write(f"check_golden: {told[:400]}\n")
        return 2
    sys.stdout.write(json.dumps(found) + "\n")
    return 1 if found["verdict"] == "differs" else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
