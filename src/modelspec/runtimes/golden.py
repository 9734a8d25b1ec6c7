"""Golden answers: inputs run through the model as it was registered, and kept with what it answered."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any, Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

NAME: Final = "golden.npz"
"""The tree's one file: arrays `inputs/<tensor>` and `outputs/<tensor>`."""
_LIMIT: Final = 256 * 1024 * 1024
_FAULTS: Final = (
    zipfile.BadZipFile,
    ValueError,
    OSError,
    EOFError,
    KeyError,
    zlib.error,
    NotImplementedError,
)


def golden(model: bytes, inputs: bytes, threads: int) -> bytes:
    """Return the inputs (an .npz with an array for each tensor) and the model's answers as one .npz.

    The same model and inputs give the same bytes. Raises Refusal for what is no such file, arrays of
    objects included, and for inputs that the model does not take. Needs onnxruntime and numpy.
    """
    try:
        import numpy as np
        import onnxruntime as ort

        from modelspec.runtimes.onnx import options
    except ImportError:
        raise Refusal(
            "--golden needs onnxruntime and numpy, which are not installed",
            "pip install 'modelspec-gitops[golden]'",
        ) from None
    given = _arrays(np, inputs)
    try:
        session = ort.InferenceSession(model, options(threads), providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_outputs()]
        answers = session.run(names, given)
    except Exception as error:
        # onnxruntime raises classes of its own for everything from a wrong name to a broken file.
        raise Refusal(f"the model does not answer: {visible(str(error), 300)}") from None
    kept = {f"inputs/{name}": array for name, array in sorted(given.items())}
    kept |= {f"outputs/{name}": np.asarray(array) for name, array in zip(names, answers, strict=True)}
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
