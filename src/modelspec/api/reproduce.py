"""`reproduce`: what the folder of a version holds, how exact each part is, and how to build it again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from modelspec.api.build import Built, build
from modelspec.api.claims import Claim
from modelspec.formats.artifact import Detected
from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.kinds import PIN, SCHEMA
from modelspec.spec.model import Dataset, ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.data import Data
from modelspec.tree.digest import artifact_digest, short
from modelspec.tree.protocols import Renderer
from modelspec.tree.serialise import Unfit, serialise
from modelspec.tree.text import visible

State = Literal["exact", "inexact", "pointer", "missing", "unknown"]
"""How a part is here.

exact: its digest says that these are the bytes. inexact: nothing proves that they are, or some of them are
left out. pointer: not here, but named by its digest or its state. missing: recorded, and not to be had.
unknown: never recorded, or lost, as its version says.
"""
CHECK: Final = "check_golden.py"
"""The script that asks the model again; the folder holds it."""
ASKED: Final = frozenset(["onnx", "xgboost", "lightgbm"])
"""Formats whose models are asked their golden inputs: none of them holds code."""
ASKED_SHOWN: Final = "ONNX, XGBoost or LightGBM"
INSTALL: Final = "requirements.txt"
"""What pip installs: the lock, or what was made of it."""
_PINNED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a component: how it is here, at which path of the folder (if it is), and why so."""

    component: str
    what: str
    state: State
    note: str
    path: str | None = None
    left_out: tuple[tuple[str, str], ...] = ()
    """(path, why) of files that are not written."""


@dataclass(frozen=True, slots=True)
class Golden:
    """How to ask the model again: its file and the golden answers in the folder, and with what.

    Without answers it is loaded only.
    """

    model: str
    answers: str | None
    threads: int
    tolerance: float
    form: str
    beside: tuple[str, ...] = ()
    """Where an ONNX model keeps numbers, as it says it from its own folder."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of the script in the folder."""
        given = (self.model, self.answers or "-", str(self.threads), repr(self.tolerance))
        return given if self.form == "onnx" and not self.beside else (*given, self.form, *self.beside)


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What a folder holds of a version; `at` and `commit` say where it was read, None for the work tree."""

    model: str
    version: str
    digest: str
    environment: str | None
    at: str | None
    commit: str | None
    pieces: tuple[Piece, ...]
    dataset: Data
    golden: Golden | None
    ungolden: str
    """Why the model can't be asked again, where `golden` is None."""
    hashed: bool | None
    """Whether what pip installs has hashes; None when it installs nothing."""
    python: str | None

    @property
    def exact(self) -> bool:
        """Whether all that was recorded is here, byte for byte, or named by a digest."""
        return all(piece.state in ("exact", "pointer") for piece in self.pieces)

    @property
    def lacks(self) -> bool:
        """Whether something that was recorded can't be had."""
        return any(piece.state == "missing" for piece in self.pieces)


def is_here(pieces: Iterable[Piece], component: str, what: str) -> bool:
    """Whether a part is among those that have a path in the folder."""
    named = ((piece.component, piece.what) for piece in pieces if piece.path is not None)
    return (component, what) in named


def pinned_version(registry: Registry, environment: str, model: str) -> str | None:
    """Return the version (with its digest) that a pin's stable slot names, or None when it can't be read."""
    pin = registry.value(PIN, environment, model)
    return None if pin is None else pin.value.stable.version


def schemas(registry: Registry, entry: Entry[ModelVersion]) -> tuple[tuple[Piece, ...], dict[str, bytes]]:
    """Return how each feature schema of a version is here, and the files by their paths in the folder."""
    pieces: list[Piece] = []
    files: dict[str, bytes] = {}
    for ref in entry.value.feature_refs:
        number, wanted = ref_name(ref.schema_), ref_digest(ref.schema_)
        what = f"{ref.view} {number}"
        schema = registry.value(SCHEMA, ref.view, number)
        if schema is None:
            pieces.append(Piece("features", what, "missing", "its file can't be read"))
        elif schema.digest != wanted:
            note = f"the file has {short(schema.digest)}, not {short(wanted)}"
            pieces.append(Piece("features", what, "missing", note))
        else:
            path = f"schemas/{ref.view}/{number}.yaml"
            files[path] = schema.document.source
            pieces.append(Piece("features", what, "exact", short(wanted), path))
    if not pieces and isinstance(entry.value.features, tuple):
        pieces.append(Piece("features", "features", "exact", "it reads none"))
    return tuple(pieces), files


def config(entry: Entry[ModelVersion]) -> tuple[Piece, bytes] | None:
    """Return the configuration as params.yaml, as the version's file has it; None when it is lost."""
    part = entry.value.config
    if part is None or part.unknown is not None or not isinstance(entry.document.data, dict):
        return None
    written = serialise(entry.document.data.get("config"), "yaml")
    if isinstance(written, Unfit):
        return Piece("config", "config", "missing", f"{written.message}; it is in version.yaml"), b""
    return Piece("config", "config", "exact", "in the version's file", "params.yaml"), written


def dataset_data(dataset: Dataset | None) -> Data:
    """Return where the data is, as the version says it."""
    if dataset is None or dataset.unknown is not None:
        return None
    told = {"name": dataset.name, "uri": dataset.uri, "snapshot": dataset.snapshot, "digest": dataset.digest}
    return {key: value for key, value in told.items() if value is not None}


def compiled(
    registry: Registry,
    entry: Entry[ModelVersion],
    *,
    renderer: Renderer,
    trusted: frozenset[str],
    environment: str | None,
) -> tuple[tuple[Piece, ...], dict[str, bytes]]:
    """Return the serving configs of the pins that name a version, in one environment or in each.

    A pin that names the version with another digest names another version.
    """
    pieces: list[Piece] = []
    files: dict[str, bytes] = {}
    model, version = entry.value.model, entry.value.version
    for pin in registry.entries(PIN, *([environment] if environment else [])):
        refs = [ref for _, _, ref in pin.value.slots()] if pin.value.model == model else []
        if (version, entry.digest) not in ((ref_name(ref), ref_digest(ref)) for ref in refs):
            continue
        place = pin.value.environment
        built = build(registry, renderer=renderer, trusted=trusted, environment=place, model=model)
        pieces.append(_built(registry, place, f"compiled/{place}/models/{model}", built))
        files |= built.outputs
    if not pieces:
        where = f"{environment} does not pin it" if environment else "no environment pins it"
        pieces.append(Piece("compiled", "compiled", "pointer", f"{where}: there is nothing to compile"))
    return tuple(pieces), files


def _built(registry: Registry, place: str, folder: str, built: Built) -> Piece:
    if built.blocked:
        codes = ", ".join(sorted({finding.code for finding in built.findings if finding.blocks}))
        return Piece("compiled", place, "missing", f"what is declared can't be compiled: {codes}")
    if not built.outputs:
        return Piece("compiled", place, "pointer", "the pin names no target: there is nothing to compile")
    committed = {path: blob.read() for path, blob in registry.snapshot.walk(folder)}
    if committed == built.outputs:
        return Piece("compiled", place, "exact", "the same bytes are in compiled/ there", folder)
    what = "compiled/ there has other bytes" if committed else "nothing is in compiled/ there to compare with"
    return Piece("compiled", place, "inexact", what, folder)


def lost(entry: Entry[ModelVersion]) -> tuple[Piece, ...]:
    """Return the components that the version itself says are lost, or does not name."""
    found: list[Piece] = []
    for name in ("artifact", "code", "features", "dataset", "runtime", "config"):
        part = getattr(entry.value, name)
        unknown = getattr(part, "unknown", None)
        if part is None or unknown is not None:
            found.append(Piece(name, name, "unknown", unknown.reason if unknown else "not in the file"))
    code = entry.value.code
    if code is not None and code.unknown is None and code.commit is None:
        found.append(Piece("code", "commit", "unknown", "the version names no commit"))
    return tuple(found)


def golden_of(
    version: ModelVersion, pieces: Iterable[Piece], model_of: Callable[[str], tuple[str, Detected] | None]
) -> Golden | str:
    """Return how to ask the model again, or why that can't be done here.

    `model_of`: which file of the artifact is the model of a format, and what its bytes say; None: not clear.
    """
    states = {(piece.component, piece.what): piece.state for piece in pieces}
    artifact, runtime = version.artifact, version.runtime
    there = states.get(("artifact", "artifact")) == "exact"
    if not there or (version.golden is not None and states.get(("artifact", "golden")) != "exact"):
        return "the artifact or its golden answers are not to be had"
    if (
        artifact is None
        or artifact_digest((one.path, one.digest) for one in artifact.files) != artifact.digest
    ):
        return "the version lists other files than those of its artifact's digest"
    form = artifact.format
    found = model_of(form) if form is not None and form in ASKED else None
    if form is None or found is None:
        return f"only a model that is one file of {ASKED_SHOWN}, alone or among others, is asked again"
    path, detected = found
    if detected.lacking(path, {file.path for file in artifact.files}):
        return "the artifact has not all files that the model keeps its numbers in"
    threads = runtime.threads if runtime is not None else None
    if version.golden is not None and threads is None:
        return "the version does not say with how many threads it answered"
    model = f"artifact/{path}"
    answers = None if version.golden is None else "golden/golden.npz"
    return Golden(model, answers, threads or 1, version.tolerance or 0.0, form, detected.beside)


def containerfile(
    version: ModelVersion, *, hashed: bool | None, code: bool, golden: Golden | None
) -> bytes | None:
    """Return the Containerfile on the image that the version pins, or None when it pins none.

    `hashed` says whether the packages to install have hashes; None when nothing is installed. Nothing that a
    version says becomes a command: what varies is the image, by its form, and JSON lists.
    """
    image = version.runtime.image if version.runtime is not None else None
    if image is None or _PINNED.fullmatch(image) is None:
        return None
    lines = [
        f"# {version.model} {version.version}, by its digests.",
        f"FROM {image}",
        "WORKDIR /reproduce",
    ]
    if hashed is not None:
        options = ["--no-deps", *(["--require-hashes"] if hashed else []), "-r", INSTALL]
        run = ["python", "-m", "pip", "install", "--no-cache-dir", *options]
        lines += [f"COPY {INSTALL} ./", f"RUN {json.dumps(run)}"]
    lines.append("COPY artifact/ artifact/")
    if code:
        lines.append("COPY code/ code/")
    if golden is not None:
        lines += [
            f"COPY {CHECK} ./",
            *(["COPY golden/ golden/"] if golden.answers is not None else []),
            f"CMD {json.dumps(['python', CHECK, *golden.arguments])}",
        ]
    return ("\n".join(lines) + "\n").encode()


def document(found: Reproduced) -> dict[str, Data]:
    """Return reproduce.json: the shape `modelspec/reproduce/1`."""
    golden: Data = None
    if found.golden is not None:
        golden = {
            "model": found.golden.model,
            "answers": found.golden.answers,
            "threads": found.golden.threads,
            "tolerance": found.golden.tolerance,
            "command": ["python", CHECK, *found.golden.arguments],
        }
    return {
        "format": "modelspec/reproduce/1",
        "model": found.model,
        "version": found.version,
        "digest": found.digest,
        "declared": {"at": found.at, "commit": found.commit, "environment": found.environment},
        "exact": found.exact,
        "parts": [_piece(piece) for piece in found.pieces],
        "dataset": found.dataset,
        "golden": golden,
    }


def _piece(piece: Piece) -> Data:
    data: dict[str, Data] = {
        "component": piece.component,
        "what": piece.what,
        "state": piece.state,
        "path": piece.path,
        "note": visible(piece.note, 400),
    }
    if piece.left_out:
        data["left_out"] = [{"path": visible(path, 400), "why": why} for path, why in piece.left_out]
    return data


def with_run(data: Mapping[str, Data], run: Data) -> dict[str, Data]:
    """Return what is printed: reproduce.json with what the run said."""
    return {**data, "run": run}


def ordered(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return the pieces in the order of the version's file, compiled configs last."""
    order = ("artifact", "code", "features", "dataset", "runtime", "config", "compiled")
    return tuple(sorted(pieces, key=lambda piece: order.index(piece.component)))


def code_state(left_out: bool) -> State:
    """Return how code is here: git's ids prove the bytes, but some paths may not be written."""
    return "inexact" if left_out else "exact"


def data_piece(claim: Claim, why: str) -> Piece:
    """Return how data is here that stays where it is: named by a digest or a state of it, or by neither."""
    fixed = claim.digest is not None or bool(claim.name)
    where = visible(claim.where, 200) or "it has no address"
    return Piece("dataset", "dataset", "pointer" if fixed else "inexact", f"{where}: {why}")


def image_piece(image: str) -> Piece:
    """Return how the image is here: named by its digest, or not fixed at all."""
    if not image:
        return Piece("runtime", "image", "unknown", "the version names no image")
    return Piece("runtime", "image", "pointer" if _PINNED.fullmatch(image) else "inexact", image)


def lock_piece(piece: Piece, hashed: bool, note: str) -> Piece:
    """Return how the lock is here, given what can be installed of it."""
    if piece.state != "exact":
        return piece
    return replace(piece, state="exact" if hashed else "inexact", note=note)
