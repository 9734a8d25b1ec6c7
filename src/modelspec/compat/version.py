"""One version judged by itself: its inputs against the fields that fill them, and its graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelspec.compat import describe
from modelspec.compat.encoding import dimensions, is_symbolic
from modelspec.compat.flaw import Flaw
from modelspec.compat.numbers import bounds, class_of, holds, holds_range
from modelspec.compat.onnxruntime import limits
from modelspec.compat.parts import proven_range
from modelspec.spec.feature import Feature
from modelspec.spec.model import Input, ModelVersion
from modelspec.tree.place import Route
from modelspec.tree.text import plural, visible


def input_flaws(version: ModelVersion, fields: Mapping[str, Feature]) -> Iterator[Flaw]:
    """Yield where an input disagrees with the fields that fill it.

    `fields`: the contract of each `VIEW.FIELD` and `request.FIELD` as trained on; what is not in it is
    not judged here.
    """
    for index, tensor in enumerate(version.signature.inputs if version.signature is not None else ()):
        for position, source in enumerate(tensor.sources):
            field = fields.get(source)
            if field is None:
                continue
            if not _fits_type(tensor.dtype, field):
                yield Flaw(
                    ("signature", "inputs", index, "from", position),
                    f"{source} is {_typed(field)}: {tensor.name} is {tensor.dtype}, which does not hold it "
                    "exactly",
                    "declare the field as it is fed to the model, or correct the input's dtype",
                    ("signature", "inputs", index, "dtype"),
                )
        flaw = _shape(index, tensor, fields)
        if flaw is not None:
            yield flaw


def _fits_type(dtype: str, field: Feature) -> bool:
    """Whether every value that the field promises is a value of the tensor."""
    if holds(dtype, field.dtype) or dtype == field.dtype:
        return True
    if field.dtype == "bool":
        return class_of(dtype) in ("integer", "float")  # 0 and 1 in every one of them
    values = proven_range(field) or bounds(field.dtype)
    return (
        class_of(field.dtype) == "integer" and values is not None and holds_range(dtype, field.dtype, values)
    )


def _typed(field: Feature) -> str:
    return field.dtype if field.range is None else f"{field.dtype}, {describe.interval(field.range)}"


def _shape(index: int, tensor: Input, fields: Mapping[str, Feature]) -> Flaw | None:
    """A single field with dimensions of its own fills a tensor of just these, behind the batch."""
    if len(tensor.sources) != 1 or tensor.sources[0] not in fields:
        return None
    field = fields[tensor.sources[0]]
    wanted, given = tensor.shape[1:], dimensions(field)
    if len(given) < 2 or (
        len(given) == len(wanted)
        and all(is_symbolic(one) or one == two for one, two in zip(given, wanted, strict=True))
    ):
        return None
    return Flaw(
        ("signature", "inputs", index, "shape"),
        f"{tensor.name} has the shape {describe.shape(wanted)} behind its batch, "
        f"{tensor.sources[0]} has {describe.shape(given)}",
        "correct the shape of the input, or of the field",
        ("signature", "inputs", index, "from"),
    )


def graph_flaws(version: ModelVersion) -> Iterator[Flaw]:
    """Yield the inputs with a symbolic dimension other than the batch, as observed and as declared.

    An opaque input may vary: nothing but the model knows how long a prompt is.
    """
    artifact, signature = version.artifact, version.signature
    inputs = signature.inputs if signature is not None else ()
    filled = {tensor.name: index for index, tensor in enumerate(inputs) if tensor.sources}
    observed = artifact.observed if artifact is not None else None
    for index, seen in enumerate(observed.inputs if observed is not None else ()):
        loose = [size for size in seen.shape[1:] if is_symbolic(size)]
        if loose and seen.name in filled:
            yield Flaw(
                ("artifact", "observed", "inputs", index, "shape"),
                f"in the artifact, {visible(seen.name)} has the symbolic dimension "
                f"{visible(str(loose[0]), 20)} beside the batch: it takes vectors of any width",
                "export it with fixed dimensions, only the first one symbolic",
                ("signature", "inputs", filled[seen.name], "shape"),
            )
    for index, tensor in enumerate(inputs):
        if tensor.sources and any(is_symbolic(size) for size in tensor.shape[1:]):
            yield Flaw(
                ("signature", "inputs", index, "shape"),
                f"{tensor.name} has a dimension without a size beside the batch",
                "write the width of what fills it; only the first dimension may be -1",
            )


def order_flaws(version: ModelVersion) -> Iterator[Flaw]:
    """Yield where the inputs list their fields in another order than training captured."""
    captured = version.artifact.captured if version.artifact is not None else None
    names = (captured or {}).get("feature_names")
    inputs = version.signature.inputs if version.signature is not None else ()
    if not isinstance(names, list) or any(not tensor.sources for tensor in inputs):
        return
    listed = [
        (("signature", "inputs", index, "from", position), source)
        for index, tensor in enumerate(inputs)
        for position, source in enumerate(tensor.sources)
    ]
    against: Route = ("artifact", "captured", "feature_names")
    if len(listed) != len(names):
        yield Flaw(
            ("signature", "inputs"),
            f"training captured {plural(len(names), 'column')}, the inputs list {len(listed)}",
            "list every column, in the order of training",
            against,
        )
        return
    for position, ((route, source), name) in enumerate(zip(listed, names, strict=True)):
        if str(name) not in (source, source.rpartition(".")[2]):
            yield Flaw(
                route,
                f"column {position + 1} is {visible(source)}, in training it was {visible(str(name))}",
                "list the fields in the order of training",
                (*against, position),
            )
            return  # one moved column moves all that follow


def runtime_flaws(version: ModelVersion) -> Iterator[Flaw]:
    """Yield why the recorded onnxruntime refuses the recorded ONNX file: its opset or IR version is above."""
    artifact, runtime = version.artifact, version.runtime
    observed = artifact.observed if artifact is not None else None
    release = _onnxruntime(version)
    if observed is None or release is None or runtime is None:
        return
    package, number = release
    known = limits(number)
    if known is None:
        return
    against = ("runtime", "packages", package)
    fix = "record an onnxruntime that loads it, or export the model for an older one"
    if observed.ir is not None and observed.ir > known.ir:
        yield Flaw(
            ("artifact", "observed", "ir"),
            f"the artifact is of IR version {observed.ir}, "
            f"onnxruntime {visible(number)} loads up to {known.ir}",
            fix,
            against,
        )
    for domain, opset in sorted((observed.opset or {}).items()):
        top = known.of(domain)
        if top is not None and opset > top:
            yield Flaw(
                ("artifact", "observed", "opset", domain),
                f"the artifact needs opset {opset} of {visible(domain) or 'ai.onnx'}, "
                f"onnxruntime {visible(number)} loads up to {top}",
                fix,
                against,
            )


def _onnxruntime(version: ModelVersion) -> tuple[str, str] | None:
    """Return the package that runs ONNX and its version, as recorded."""
    packages = (version.runtime.packages if version.runtime is not None else None) or {}
    for package in ("onnxruntime", "onnxruntime-gpu"):
        if package in packages:
            return package, packages[package]
    return None
