"""The runtime for MLServer: `"implementation": "modelspec.runtimes.mlserver.OnnxRuntime"`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mlserver import MLModel, ModelSettings
from mlserver.errors import InferenceError, MLServerError
from mlserver.handlers import dataplane
from mlserver.types import (
    Datatype,
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataTensor,
    Parameters,
    RequestInput,
    ResponseOutput,
)
from mlserver.utils import to_absolute_path

from modelspec.runtimes.artifact import ArtifactError
from modelspec.runtimes.ids import request_id
from modelspec.runtimes.meters import ModelMeter
from modelspec.runtimes.onnx import OnnxModel, load
from modelspec.runtimes.requestlog import request_log
from modelspec.runtimes.served import ConfigError, Served, Tensor, read_served
from modelspec.runtimes.tensors import DATATYPES, Array, Given, RequestError, arrays

_UNPROCESSABLE: Final = 422

# MLServer mints a random uuid4 before a runtime sees the request, and offers no hook.
dataplane.generate_uuid = request_id


class OnnxRuntime(MLModel):
    """Serves one ONNX version: verified when it loads, named in every answer."""

    def __init__(self, settings: ModelSettings) -> None:
        """Verify and load. Here and not in `load`, for MLServer makes a new version the default before
        it calls that: a version that is refused here never took a request from the one that serves."""
        super().__init__(settings)
        try:
            self._served, self._model = _read(settings)
        except (ArtifactError, ConfigError) as error:
            raise MLServerError(f"model {self.name} {self.version}: {error}", _UNPROCESSABLE) from error
        self.inputs = [_metadata(tensor) for tensor in self._served.inputs]
        self.outputs = [_metadata(tensor) for tensor in self._served.outputs]
        self._log = request_log(self._served, ModelMeter(self.name, self.version or ""))
        self.ready = True

    async def load(self) -> bool:
        """Say that it is ready: all was done before MLServer knew of it."""
        return True

    async def unload(self) -> bool:
        """Write what the request log still holds."""
        if self._log is not None:
            await asyncio.to_thread(self._log.close)
        return True

    async def metadata(self) -> MetadataModelResponse:
        """Say which version answers, and what it takes."""
        return MetadataModelResponse(
            name=self.name,
            versions=[self.version] if self.version else [],
            platform="onnx_onnxruntime",
            inputs=self.inputs,
            outputs=self.outputs,
            parameters=self._parameters(),
        )

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer one request, and say who answered."""
        # Over gRPC an absent id is an empty one, which MLServer keeps.
        payload.id = payload.id or request_id()
        try:
            inputs = arrays([_given(tensor) for tensor in payload.inputs], self._served.inputs)
            outputs = _chosen([output.name for output in payload.outputs or []], self._served.outputs)
        except RequestError as error:
            raise InferenceError(f"model {self.name} {self.version}: {error}") from error
        names = [tensor.name for tensor in outputs]
        results = await asyncio.to_thread(self._model.run, inputs, names)
        if self._log is not None:
            self._log.append(payload.id, inputs, dict(zip(names, results, strict=True)))
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            id=payload.id,
            parameters=self._parameters(),
            outputs=[_output(tensor, result) for tensor, result in zip(outputs, results, strict=True)],
        )

    def _parameters(self) -> Parameters:
        return Parameters(**self._served.identity())


def _read(settings: ModelSettings) -> tuple[Served, OnnxModel]:
    """Return what the compiled config declares, and the model that it declares."""
    parameters = settings.parameters
    if parameters is None or not parameters.uri:
        raise ConfigError("the config names no uri")
    if parameters.format != "onnx":
        raise ConfigError(f"format {parameters.format!r} is not served, only 'onnx'")
    served = read_served((parameters.extra or {}).get("modelspec"))
    if served.version != parameters.version:
        raise ConfigError(f"parameters.version is {parameters.version}, modelspec.version {served.version}")
    return served, load(Path(to_absolute_path(settings, parameters.uri)), served)


def _given(tensor: RequestInput) -> Given:
    return Given(tensor.name, Datatype(tensor.datatype).value, tensor.shape, tensor.data.root)


def _chosen(names: Sequence[str], declared: Sequence[Tensor]) -> list[Tensor]:
    """Return the outputs that the request asks for; all of them when it names none."""
    by_name = {tensor.name: tensor for tensor in declared}
    unknown = sorted(set(names) - by_name.keys())
    if unknown:
        raise RequestError(f"no such output: {', '.join(unknown)}; the model has {', '.join(by_name)}")
    return [by_name[name] for name in dict.fromkeys(names)] or list(declared)


def _output(tensor: Tensor, result: Array) -> ResponseOutput:
    # float32 widens to double without loss, and JSON carries doubles in their shortest exact form.
    return ResponseOutput(
        name=tensor.name,
        datatype=DATATYPES[tensor.dtype],
        shape=list(result.shape),
        data=result.ravel().tolist(),
    )


def _metadata(tensor: Tensor) -> MetadataTensor:
    return MetadataTensor(name=tensor.name, datatype=DATATYPES[tensor.dtype], shape=list(tensor.shape))
