"""Artifact, runtime and configuration: what a new version brings, and what another host does to a version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from modelspec.compat import describe
from modelspec.compat.change import Change
from modelspec.compat.onnxruntime import limits
from modelspec.compat.rows import TABLE
from modelspec.compat.version import graph_flaws
from modelspec.spec.model import Code, ModelVersion, Runtime
from modelspec.tree.text import visible

PICKLED: Final = frozenset({"pickle", "joblib", "sklearn", "cloudpickle"})
"""Formats that are objects of the libraries that wrote them."""
SAVED_MODEL: Final = frozenset({"savedmodel", "saved_model", "saved-model", "tensorflow"})
WEIGHTS: Final = frozenset({"safetensors", "state_dict", "weights", "npz"})
"""Formats that hold numbers and leave the computation to code."""
_ONNXRUNTIMES: Final = ("onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True, slots=True)
class Host:
    """What would run a version: a runtime, and the model code that comes with it where that is known."""

    runtime: Runtime
    code: Code | None = None


def rebuilt_changes(old: ModelVersion, new: ModelVersion) -> Iterator[Change]:
    """Yield what a new version changes behind its contract: weights, architecture, configuration, runtime."""
    ours, theirs = old.artifact, new.artifact
    if ours is not None and theirs is not None:
        for what in ("architecture", "precision"):
            before, after = getattr(ours, what), getattr(theirs, what)
            if before != after:
                told = f"is now {describe.word(after)} (was {describe.word(before)})"
                yield _change("architecture", f"the {what} {told}")
        if ours.digest != theirs.digest:
            yield _change("retrained", "the artifact is another one")
    if old.config is not None and new.config is not None:
        before, after = old.config.hyperparameters or {}, new.config.hyperparameters or {}
        names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        if names:
            yield _change("hyperparameters", f"the hyperparameters changed: {describe.names(names)}")
    if old.runtime is not None and new.runtime is not None:
        yield from _numerics(old.runtime, new.runtime)


def host_changes(version: ModelVersion, host: Host) -> Iterator[Change]:
    """Yield what a host does to a version whose tuple records another one; a silent side is not judged."""
    recorded, artifact = version.runtime, version.artifact
    kind = (artifact.format or "").lower() if artifact is not None else ""
    if recorded is not None:
        yield from _numerics(recorded, host.runtime)
    if kind == "onnx":
        yield from _onnx(version, host)
    if recorded is not None and kind in SAVED_MODEL:
        yield from _saved_model(recorded, host.runtime)
    if recorded is not None and (kind in PICKLED or (artifact is not None and artifact.unsafe == "pickle")):
        yield from _pickle(recorded, host.runtime)
    if kind in WEIGHTS and host.code is not None and version.code is not None:
        for what in ("repository", "commit", "patch", "path"):
            before, after = getattr(version.code, what), getattr(host.code, what)
            if before != after:
                told = f"is {describe.word(after)}, not {describe.word(before)}"
                yield _change("weights-code", f"the {what} of the model code {told}")
                return


def _change(row: str, message: str) -> Change:
    return Change(row, TABLE[row].out, message)


def _numerics(ours: Runtime, theirs: Runtime) -> Iterator[Change]:
    for what in ("image", "accelerator", "threads"):
        before, after = getattr(ours, what), getattr(theirs, what)
        if before != after:
            told = f"is {describe.word(after)}, not {describe.word(before)}"
            yield _change("image-digest", f"the {what} {told}")
    recorded, found = _onnxruntime(ours), _onnxruntime(theirs)
    if recorded is not None and found is not None and recorded != found:
        yield _change("onnxruntime-newer", f"onnxruntime is {visible(found)}, not {visible(recorded)}")


def _onnxruntime(runtime: Runtime) -> str | None:
    packages = runtime.packages or {}
    return next((packages[name] for name in _ONNXRUNTIMES if name in packages), None)


def _onnx(version: ModelVersion, host: Host) -> Iterator[Change]:
    for flaw in graph_flaws(version):
        yield _change("symbolic-dimension", flaw.message)
    observed = version.artifact.observed if version.artifact is not None else None
    release = _onnxruntime(host.runtime)
    known = limits(release) if release is not None else None
    if observed is None or release is None or known is None:
        return
    if observed.ir is not None and observed.ir > known.ir:
        told = f"IR version {observed.ir}: onnxruntime {visible(release)} loads up to {known.ir}"
        yield _change("onnx-too-new", told)
    for domain, opset in sorted((observed.opset or {}).items()):
        top = known.of(domain)
        if top is not None and opset > top:
            name = visible(domain) or "ai.onnx"
            told = f"opset {opset} of {name}: onnxruntime {visible(release)} loads up to {top}"
            yield _change("onnx-too-new", told)


def _saved_model(ours: Runtime, theirs: Runtime) -> Iterator[Change]:
    recorded, found = ((side.packages or {}).get("tensorflow") for side in (ours, theirs))
    if recorded is None or found is None:
        return
    writer, reader = _release(recorded), _release(found)
    if writer[:1] != reader[:1] or reader < writer:
        yield _change("savedmodel", f"tensorflow {visible(found)} reads what {visible(recorded)} wrote")


def _pickle(ours: Runtime, theirs: Runtime) -> Iterator[Change]:
    recorded, found = ours.packages or {}, theirs.packages or {}
    for name, version in sorted(recorded.items()):
        if found and found.get(name) != version:
            there = f"is {visible(found[name])}" if name in found else "is missing"
            yield _change("pickle", f"{visible(name)} {there}, pickled with {visible(version)}")
    if ours.python is not None and theirs.python is not None:
        before, after = _release(ours.python)[:2], _release(theirs.python)[:2]
        if before != after:
            yield _change(
                "pickle", f"Python is {visible(theirs.python)}, pickled with {visible(ours.python)}"
            )


def _release(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: `2.16.1rc0` is (2, 16, 1)."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = ""
        for character in part:
            if not ("0" <= character <= "9"):
                break
            digits += character
        if not digits:
            break
        numbers.append(int(digits[:9]))
        if digits != part:
            break
    return tuple(numbers)
