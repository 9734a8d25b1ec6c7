"""Captures a version from the files, the repository and the options that `register` is pointed at."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from modelspec.cli.artifact import take_artifact
from modelspec.cli.given import listed, mapping, number, pairs, texts_noted, thresholds, typed
from modelspec.spec.model import COMPONENTS
from modelspec.tree.data import Data
from modelspec.tree.digest import artifact_digest, sha256
from modelspec.tree.finding import Refusal
from modelspec.tree.paths import path_trouble
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.formats.artifact import Detected
    from modelspec.formats.lock import Locked
    from modelspec.world.code import Bytes
    from modelspec.world.signing import Signing
    from modelspec.world.source import Source
    from modelspec.world.stores.placed import PlacedTree

_PYTHON: Final = re.compile(r"[0-9]+\.[0-9]+(?:\.[0-9]+)?", re.ASCII)
MATTERING: Final = frozenset(
    ["catboost", "cloudpickle", "joblib", "keras", "lightgbm", "mlflow", "numpy", "onnx", "onnxruntime",
     "onnxruntime-gpu", "pandas", "safetensors", "scikit-learn", "scipy", "skops", "tensorflow", "tokenizers",
     "torch", "torchvision", "transformers", "xgboost"]
)  # fmt: skip
"""The packages of a lock that are recorded one by one, as answers may change with them; the lock has all."""


@dataclass(slots=True)
class Taken:
    """What was captured: the parts of a version file, the artifact's files, and other trees of one file."""

    parts: dict[str, Data] = field(default_factory=dict)
    artifact: Source | None = None
    placed: PlacedTree | None = None
    """An artifact that stays where it is."""
    detected: list[tuple[str, Detected]] = field(default_factory=list)
    """What each file of the artifact is by its bytes."""
    extras: list[Bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    signing: Signing | None = None
    ask: Callable[[str], str] | None = None
    """Asks a person at a terminal; None where there is none."""

    def part(self, name: str) -> dict[str, Any]:
        """Return a component, to be filled."""
        found = self.parts.setdefault(name, {})
        assert isinstance(found, dict)
        return found

    def files(self) -> dict[str, Callable[[], AbstractContextManager[BinaryIO]]]:
        """Return the artifact's files by path: how to open each."""
        from modelspec.world.foreign import foreign
        from modelspec.world.source import place

        if self.placed is not None:
            return {file.path: partial(self.placed.stream, file.path) for file in self.placed.placed}
        files = self.artifact.files if self.artifact is not None else ()
        return {file.path: partial(foreign, place(file)) for file in files}

    def sizes(self) -> dict[str, int]:
        """Return the artifact's files by path: how many bytes each has."""
        if self.placed is not None:
            return {file.path: file.size for file in self.placed.placed}
        if self.artifact is None:
            return {}
        return {
            file.path: state[0] for file, state in zip(self.artifact.files, self.artifact.states, strict=True)
        }

    def keep(self, name: str, data: bytes) -> str:
        """Have bytes stored as a tree of one file; return its digest."""
        from modelspec.world.code import Bytes

        self.extras.append(Bytes(name, data))
        return artifact_digest([(name, sha256(data))])


def capture(given: dict[str, Any], root: Path, store: str, stores: list[Path], taken: Taken) -> Taken:
    """Fill `taken`, which may hold what an importer found: what is given here wins over it."""
    for key in ("description", "tolerance"):
        if given[key] is not None:
            taken.parts[key] = given[key]
    lost = unknowns(given["unknown"])
    none = set(given["none"])
    if "artifact" not in lost:
        take_artifact(given, store, taken, lost)
    if "code" not in lost:
        _code(given, [root / "registry", root / "compiled", *stores], taken, lost)
    if "dataset" not in lost:
        _dataset(given, taken)
    if "runtime" not in lost:
        _runtime(given, taken, lost)
    if "config" not in lost:
        _config(given, none, taken)
    if "features" in none:
        taken.parts["features"] = []
    if given["metric"]:
        told = {key: number(text, "--metric") for key, text in pairs(given["metric"], "--metric").items()}
        taken.parts["metrics"] = {**taken.part("metrics"), **told}
    if given["signature"] is not None:
        taken.parts["signature"] = mapping(given["signature"], "--signature")
    if given["request"] is not None:
        taken.parts["request"] = listed(given["request"], "--request")
    if given["reference"] is not None:
        _reference(given["reference"], taken)
    if given["golden"] is not None:
        _golden(given["golden"], taken)
    if given["capture"] is not None:
        _fitted(given["capture"], taken)
    if given["need"]:
        taken.parts["needs"] = [_need(one) for one in given["need"]]
    for name, reason in lost.items():
        taken.parts[name] = {"unknown": {"reason": reason}}
    for name in ("artifact", "code", "dataset", "runtime", "config", "metrics"):
        if taken.parts.get(name) == {}:
            del taken.parts[name]
    return taken


def unknowns(texts: tuple[str, ...]) -> dict[str, str]:
    """Return component -> why it is lost."""
    found = pairs(texts, "--unknown")
    for name, reason in found.items():
        if name not in COMPONENTS or not reason.strip():
            raise click.UsageError(
                f"--unknown is COMPONENT=REASON, with one of {', '.join(COMPONENTS)}: {visible(name)}."
            )
    return found


def _need(text: str) -> Data:
    model, at, ref = text.partition("@")
    if not at:
        raise click.UsageError(f"--need is MODEL@VERSION@sha256:..., not {visible(text)}.")
    return {"model": model, "version": ref}


def _code(given: dict[str, Any], besides: list[Path], taken: Taken, lost: dict[str, str]) -> None:
    part = taken.part("code")
    if given["code"] is not None:
        part |= _code_at(given["code"], given, besides, taken)
    elif taken.ask is not None and not part:
        from modelspec.cli.asking import file_asked

        what = "the script that trained it, in its clone"
        found = file_asked(taken.ask, "code", what, lost, lambda path: _code_at(path, given, besides, taken))
        part |= found or {}
    if given["repository"] is not None:
        part["repository"] = given["repository"]
    order = ("repository", "commit", "path", "patch")
    taken.parts["code"] = {key: part[key] for key in order if key in part}


def _code_at(path: Path, given: dict[str, Any], besides: list[Path], taken: Taken) -> dict[str, Data]:
    """Return what the repository around a file says of the code."""
    from modelspec.world.code import code_around

    found = code_around(path, besides)
    part: dict[str, Data] = {"commit": found.commit, "path": found.path}
    if found.repository is not None:
        part["repository"] = found.repository
    if found.dirty:
        shown = ", ".join(visible(path) for path in found.dirty[:5])
        more = f" and {len(found.dirty) - 5} more" if len(found.dirty) > 5 else ""
        if not given["allow_dirty"]:
            raise Refusal(
                f"the code is not committed: {shown}{more}",
                "commit it, or --allow-dirty to record the difference as code.patch",
            )
        part["patch"] = taken.keep("code.patch", found.patch)
        taken.notes.append(f"the code was not committed ({shown}{more}): its difference is code.patch")
    return part


def _dataset(given: dict[str, Any], taken: Taken) -> None:
    from modelspec.world.files import hashed_source
    from modelspec.world.parallel import each
    from modelspec.world.source import source_of

    part = taken.part("dataset")
    addresses = sum("://" in text for text in given["dataset"])
    if addresses > 1 or len(given["dataset"]) - addresses > 1:
        raise click.UsageError("--dataset is one address, one path to hash, or one of each.")
    for text in given["dataset"]:
        if "://" in text:
            part["uri"] = text
            continue
        path = Path(text)
        source = source_of([path])
        files = each(hashed_source, source.files)
        # A file is named by its own sha256, a folder by that of its listing.
        alone = len(files) == 1 and not path.is_dir()
        part["digest"] = (
            files[0].digest if alone else artifact_digest((one.path, one.digest) for one in files)
        )
        part.setdefault("name", path.name.partition(".")[0])
    if given["snapshot"] is not None:
        part["snapshot"] = given["snapshot"]
    if given["dataset_digest"] is not None:
        part["digest"] = given["dataset_digest"]
    if given["dataset_name"] is not None:
        part["name"] = given["dataset_name"]
    elif "uri" in part:
        part.setdefault("name", str(part["uri"]).rpartition("/")[2].partition(".")[0])
    order = ("name", "uri", "snapshot", "digest")
    taken.parts["dataset"] = {key: part[key] for key in order if part.get(key)}


def _runtime(given: dict[str, Any], taken: Taken, lost: dict[str, str]) -> None:
    part = taken.part("runtime")
    for key in ("image", "python", "threads", "accelerator"):
        if given[key] is not None:
            part[key] = given[key]
    if given["lock"] is not None:
        _lock(given["lock"], given, part, taken)
    elif taken.ask is not None:
        from modelspec.cli.asking import file_asked

        what = "the lock file of its packages"
        file_asked(taken.ask, "runtime", what, lost, lambda path: _lock(path, given, part, taken))
    order = ("image", "python", "lock", "packages", "threads", "accelerator")
    taken.parts["runtime"] = {key: part[key] for key in order if key in part}


def _lock(path: Path, given: dict[str, Any], part: dict[str, Any], taken: Taken) -> None:
    """Take what a lock file says of the packages, and the file itself."""
    from modelspec.formats.lock import credential
    from modelspec.world.foreign import foreign

    with foreign(path) as stream:
        source = stream.read(64 * 1024 * 1024)
    name = path.name
    if (trouble := path_trouble(name)) is not None:
        raise Refusal(f"the lock's name {visible(name)} {trouble}", "rename it: it is stored under its name")
    locked = _locked(name, source, part, taken)
    if (line := credential(source)) is not None:
        raise Refusal(
            f"{visible(name)} has a password or a token in an address, on line {line}: all who read "
            "the store would have it",
            "write the address without; pip and others take it from their own configuration",
        )
    if locked is not None:
        _packages(given, name, locked, part, taken)
    part["lock"] = {"path": name, "digest": taken.keep(name, source)}


def _locked(name: str, source: bytes, part: dict[str, Any], taken: Taken) -> Locked | None:
    """Return what a lock pins for the Python that serves, which is asked for where it matters.

    None where nobody is there to be asked: then it is among what is missing.
    """
    from modelspec.formats.foreign import Unreadable
    from modelspec.formats.lock import SeveralError, read_lock

    try:
        return read_lock(source, part.get("python"))
    except SeveralError as error:
        if taken.ask is None:
            taken.lacks.append(f"runtime: {visible(name)} can't be read: {error.message} ({error.fix})")
            return None
        several = error
    except Unreadable as error:
        raise Refusal(f"{visible(name)} is no lock: {error.message}", error.fix) from None
    question = (
        f"runtime: {visible(name)} pins packages for several Pythons; which one serves it, such as 3.11: "
    )
    while text := taken.ask(question).strip():
        try:
            if _PYTHON.fullmatch(text) is None:
                raise Unreadable(f"{visible(text)} is no version of Python", "3.11, or whole, as in 3.11.7")
            found = read_lock(source, text)
        except Unreadable as error:
            # A slip must not cost what was given before it.
            click.echo(f"  {error.message} ({error.fix})", err=True)
        else:
            part["python"] = text
            return found
    raise Refusal(f"{visible(name)} can't be read: {several.message}", several.fix)


def _packages(given: dict[str, Any], name: str, locked: Locked, part: dict[str, Any], taken: Taken) -> None:
    if locked.python is not None:
        part.setdefault("python", locked.python)
    wanted = MATTERING | set(given["package"])
    packages = {one: version for one, version in locked.packages.items() if one in wanted}
    for one in given["package"]:
        if one not in locked.packages:
            raise click.UsageError(f"--package {visible(one)} is not in {visible(name)}.")
    part["packages"] = packages or locked.packages
    if unsure := ", ".join(sorted(wanted & set(locked.differing))):
        taken.notes.append(f"{visible(name)} pins {unsure} at several versions: not recorded")
    if not locked.hashed:
        taken.notes.append(f"{visible(name)} has no hashes: it names versions, and not their bytes")


def _config(given: dict[str, Any], none: set[str], taken: Taken) -> None:
    part = taken.part("config")
    told: dict[str, Data] = dict(part.get("hyperparameters", {}))
    if given["params"] is not None:
        told |= mapping(given["params"], "--params")
        if "" in told:
            raise Refusal(f"{visible(given['params'].name)} has a parameter without a name", "name it")
    named = {key: typed(text) for key, text in pairs(given["param"], "--param").items()}
    taken.notes.extend(texts_noted(named))
    told |= named
    if told or "config" in none:
        part["hyperparameters"] = told
    if given["threshold"]:
        part["thresholds"] = thresholds(given["threshold"])


def _reference(path: Path, taken: Taken) -> None:
    from modelspec.formats.bins import reference
    from modelspec.formats.foreign import Unreadable
    from modelspec.world.foreign import foreign

    try:
        with foreign(path) as stream:
            data, notes = reference(stream)
    except Unreadable as error:
        raise Refusal(f"{visible(path.name)} is no sample: {error.message}", error.fix) from None
    taken.parts["reference"] = taken.keep("reference.json", data)
    taken.notes.extend(notes)


def _golden(path: Path, taken: Taken) -> None:
    from modelspec.api.reproduce import ASKED, ASKED_SHOWN
    from modelspec.formats.artifact import model_of
    from modelspec.runtimes.golden import NAME, golden
    from modelspec.world.foreign import foreign

    runtime = taken.parts.get("runtime")
    threads = runtime.get("threads") if isinstance(runtime, dict) else None
    if not isinstance(threads, int):
        taken.lacks.append("runtime: how many threads the golden answers rest on (--threads 1)")
        return
    if taken.lacks:
        # What is not whole is not run.
        return
    artifact = taken.parts.get("artifact")
    form = artifact.get("format") if isinstance(artifact, dict) else None
    model = model_of(taken.detected, form) if isinstance(form, str) and form in ASKED else None
    if not isinstance(form, str) or model is None:
        raise Refusal(
            f"--golden runs a model that is one file of {ASKED_SHOWN}, alone or among others; this is none",
            "leave --golden out",
        )
    files, (name, detected) = taken.files(), model
    data = {}
    for key, place in {"": name, **detected.places(name)}.items():
        with files[place]() as stream:
            data[key] = stream.read()
    with foreign(path) as inputs:
        told = golden(form, data.pop(""), inputs.read(), threads, data)
    taken.parts["golden"] = taken.keep(NAME, told)


def _fitted(where: str, taken: Taken) -> None:
    from modelspec.runtimes.fitted import captured

    click.echo(
        f"modelspec: --capture imports and RUNS {visible(where)} in this process: only for code of your own",
        err=True,
    )
    found = captured(where)
    taken.part("artifact")["captured"] = found.data
    taken.notes.extend(f"--capture: {one}" for one in found.left)
