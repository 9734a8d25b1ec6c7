"""An ONNX model, from verified bytes to answers: the same input gives the same bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort

from modelspec.runtimes.artifact import ArtifactError, read_verified
from modelspec.runtimes.served import Served, Tensor
from modelspec.runtimes.tensors import Array

# Loading from bytes, onnxruntime would look for external data in the working directory.
_NO_FOLDER: Final = "/nonexistent"

_DTYPES: Final[dict[str, str]] = {
    "tensor(bool)": "bool",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(float16)": "float16",
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(string)": "string",
}


class OnnxModel:
    """A loaded ONNX model whose bytes were the declared ones."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """Return the named outputs for the inputs."""
        return list(self._session.run(list(outputs), dict(inputs)))


def load(folder: Path, served: Served) -> OnnxModel:
    """Verify the artifact in `folder` and load it as the version declares it."""
    files = read_verified(folder, served.artifact.declared())
    if len(files) != 1 or not next(iter(files)).endswith(".onnx"):
        raise ArtifactError(
            f"artifact at {folder}",
            [f"an ONNX artifact is one .onnx file, this has {', '.join(sorted(files))}"],
        )
    [(path, data)] = files.items()
    try:
        session = ort.InferenceSession(data, options(served.threads), providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime raises classes of its own for everything that is wrong with a model.
        raise ArtifactError(f"artifact at {folder}", [f"{path!r} does not load: {error}"]) from error
    troubles = [
        *_differences("input", session.get_inputs(), served.inputs),
        *_differences("output", session.get_outputs(), served.outputs),
    ]
    if troubles:
        raise ArtifactError(f"artifact at {folder}", troubles)
    return OnnxModel(session)


def options(threads: int) -> Any:
    """Return session options with the threads that the version records: they change trees' last bits."""
    chosen = ort.SessionOptions()
    chosen.intra_op_num_threads = threads
    chosen.inter_op_num_threads = 1
    chosen.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    chosen.add_session_config_entry("session.load_model_format", "ONNX")
    chosen.add_session_config_entry("session.model_external_initializers_file_folder_path", _NO_FOLDER)
    return chosen


def _differences(kind: str, actual: Sequence[Any], declared: Sequence[Tensor]) -> list[str]:
    have = {node.name: (_DTYPES.get(node.type, node.type), _shape(node.shape)) for node in actual}
    want = {tensor.name: (str(tensor.dtype), tensor.shape) for tensor in declared}
    return [
        f"{kind} {name!r} is {_words(have.get(name))}, {_words(want.get(name))} is declared"
        for name in sorted(have.keys() | want.keys())
        if have.get(name) != want.get(name)
    ]


def _shape(shape: Sequence[int | str | None]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else -1 for size in shape)


def _words(tensor: tuple[str, tuple[int, ...]] | None) -> str:
    return "none" if tensor is None else f"{tensor[0]}{list(tensor[1])}"
