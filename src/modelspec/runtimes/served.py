"""What a compiled config tells a runtime: which version it serves, and what exactly that version is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelspec.runtimes.artifact import DeclaredArtifact, DeclaredFile
from modelspec.tree.digest import DIGEST, stamp
from modelspec.tree.requestlog import MAX_BUCKETS

Digest = Annotated[str, Field(pattern=f"^{DIGEST}$")]
DType = Literal[
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "string",
]


class ConfigError(Exception):
    """The compiled config can't be read; the message says where and why."""


class _Strict(BaseModel):
    # Unknown keys are refused: an older runtime must not ignore what a newer config demands.
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Tensor(_Strict):
    """One declared input or output; -1 is any size from 1 on."""

    name: str
    dtype: DType
    shape: tuple[Annotated[int, Field(ge=-1)], ...] = Field(strict=False)


class File(_Strict):
    """One file of the artifact."""

    path: str
    size: Annotated[int, Field(ge=0)]
    digest: Digest


class Artifact(_Strict):
    """The artifact's listing."""

    digest: Digest
    files: tuple[File, ...] = Field(strict=False)

    def declared(self) -> DeclaredArtifact:
        """Return it as the verifier wants it."""
        return DeclaredArtifact(
            self.digest, tuple(DeclaredFile(file.path, file.size, file.digest) for file in self.files)
        )


class FieldOf(_Strict):
    """One field that fills a part of an input, in the signature's order; a width of None is not known."""

    input: str
    field: str
    width: Annotated[int, Field(ge=1)] | None
    sensitive: bool


class Log(_Strict):
    """Which requests are kept, and where."""

    sample: Annotated[float, Field(ge=0, le=100)]
    """How many percent of them."""
    folder: str | None = None
    """The root of the log; without it what the environment says."""
    buckets: Annotated[int, Field(ge=1, le=MAX_BUCKETS)] = 1
    flush_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """How long a record may wait in memory."""


class Served(_Strict):
    """One slot of a pin, as it was compiled for a serving engine."""

    model: str
    version: str
    digest: Digest
    stamp: str
    environment: str
    slot: str
    artifact: Artifact
    threads: Annotated[int, Field(ge=1)]
    inputs: tuple[Tensor, ...] = Field(strict=False, min_length=1)
    outputs: tuple[Tensor, ...] = Field(strict=False, min_length=1)
    fields: tuple[FieldOf, ...] = Field(default=(), strict=False)
    log: Log | None = None

    def identity(self) -> dict[str, str]:
        """Return what every response says about who answered."""
        return {
            "model": self.model,
            "version": self.version,
            "digest": self.digest,
            "environment": self.environment,
            "slot": self.slot,
        }


def read_served(data: Mapping[str, object] | None) -> Served:
    """Read the `modelspec` map of a compiled config."""
    if data is None:
        raise ConfigError("the config has no `modelspec` map: was it compiled by modelspec?")
    try:
        served = Served.model_validate(data)
    except ValidationError as error:
        troubles = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError("the config's `modelspec` map is refused: " + "; ".join(troubles)) from error
    if served.stamp != stamp(served.digest):
        raise ConfigError(f"stamp {served.stamp} is not that of digest {served.digest}")
    return served
