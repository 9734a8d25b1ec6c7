"""Golden answers: inputs run through the model as it was registered, and kept with what it answered."""

from __future__ import annotations

import importlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from modelspec.runtimes.check_golden import ENGINES, answers
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

NAME: Final = "golden.npz"
"""The tree's one file: arrays `inputs/<tensor>` and `outputs/<tensor>`."""
_EXTRAS: Final = {"onnx": "golden", "xgboost": "golden-xgboost", "lightgbm": "golden-lightgbm"}
_LIMIT: Final = 256 * 1024 * 1024
_FAULTS: Final = (
    zipfile.BadZipFile,
    ValueError,
    OSError,
    EOFError,
    KeyError,
    zlib.error,
    RuntimeError,  # of a member that is encrypted, or packed as this Python can't
    MemoryError,  # of a shape that no memory holds
)


def golden(
    form: str, model: bytes, inputs: bytes, threads: int, beside: Mapping[str, bytes] = MappingProxyType({})
) -> bytes:
    """Return the inputs (an .npz with an array for each tensor) and the model's answers as one .npz.

    `form`: onnx, xgboost or lightgbm; `beside`: the files with an ONNX model's numbers, by its own names.
    The same model and inputs give the same bytes. Raises Refusal for what is no such file, arrays of objects
    included, and for inputs that the model does not take. Needs numpy and the package that runs the format.
    """
    try:
        import numpy as np

        importlib.import_module(ENGINES[form][0])
    except ImportError:
        raise Refusal(
            f"--golden needs {ENGINES[form][0]} and numpy, which are not installed",
            f"pip install 'modelspec-gitops[{_EXTRAS[form]}]'",
        ) from None
    except Exception as error:
        # A library of the system that it needs and that is not here, such as OpenMP's.
        raise Refusal(
            f"{ENGINES[form][0]} can't be loaded: {visible(str(error), 300)}", "install what it needs"
        ) from None
    given = _arrays(np, inputs)
    try:
        found = answers(form, model, given, threads, beside)
    except Exception as error:
        # Engines raise classes of their own for everything from a wrong name to a broken file.
        raise Refusal(f"the model does not answer: {visible(str(error), 300)}") from None
    kept = {f"inputs/{name}": array for name, array in sorted(given.items())}
    kept |= {f"outputs/{name}": np.asarray(array) for name, array in found.items()}
    if any(array.dtype.hasobject for array in kept.values()):
        raise Refusal("golden answers hold texts, which numpy keeps as objects", "leave --golden out")
    stream = io.BytesIO()
    np.savez(stream, **kept)
    return stream.getvalue()


def _arrays(np: Any, source: bytes) -> dict[str, Any]:
    hint = "write it with numpy.savez(file, tensor=array), one array for each input"
    try:
        with zipfile.ZipFile(io.BytesIO(source)) as archive:
            if sum(member.file_size for member in archive.infolist()) > _LIMIT:
                raise Refusal(
                    f"the golden inputs unpack to more than {_LIMIT // 1024**2} MiB", "take fewer rows"
                )
        with np.load(io.BytesIO(source), allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except _FAULTS as error:
        raise Refusal(f"the golden inputs are no .npz of arrays: {visible(str(error), 200)}", hint) from None
