"""What `register` takes from where a model already is: MLflow, DVC, the Hugging Face hub."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelspec.cli.capture import Taken
from modelspec.cli.given import loose, written
from modelspec.formats.looseyaml import Quoted
from modelspec.tree.clean import UNSEEN
from modelspec.tree.data import Data
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.tree.uri import public_repository

if TYPE_CHECKING:
    from modelspec.world.hubfolder import HubFolder


def brought(given: dict[str, Any]) -> Taken:
    """Return what the importer that was named found; what the other options say wins over it later."""
    chosen = [name for name in ("from_mlflow", "from_dvc", "from_hf") if given[name] is not None]
    if len(chosen) > 1:
        raise click.UsageError("Name one of --from-mlflow, --from-dvc, --from-hf.")
    taken = Taken()
    if given["from_mlflow"] is not None:
        _mlflow(given["from_mlflow"], given["mlflow"], taken)
    elif given["mlflow"] is not None:
        raise click.UsageError("--mlflow belongs to --from-mlflow.")
    if given["from_dvc"] is not None:
        _dvc(given["from_dvc"], given, taken)
    if given["from_hf"] is not None:
        _hub(given["from_hf"], taken)
    return taken


def _mlflow(uri: str, where: str | None, taken: Taken) -> None:
    from modelspec.world.source import source_of
    from modelspec.world.tracking import read_run

    # A server's files are here only until they are stored.
    into = Path(click.get_current_context().with_resource(tempfile.TemporaryDirectory(prefix="modelspec-")))
    place = where or os.environ.get("MLFLOW_TRACKING_URI") or "mlruns"
    run = read_run(place, uri, into / "model")
    taken.artifact = source_of([run.model])
    if run.params:
        taken.part("config")["hyperparameters"] = {
            key: written(text) for key, text in sorted(run.params.items())
        }
    metrics: dict[str, Data] = {}
    for key, value in sorted(run.metrics.items()):
        name = re.sub(r"[^A-Za-z0-9_]", "_", key)[:63]
        # MLflow itself writes the largest number for an infinity.
        finite = abs(value) < sys.float_info.max
        if not re.match("[A-Za-z_]", name) or name in metrics or not finite:
            taken.notes.append(
                f"the metric {visible(key)} has no name or value that a version can have: left out"
            )
            continue
        metrics[name] = value
    if metrics:
        taken.parts["metrics"] = metrics
    code = taken.part("code")
    if run.tags.get("mlflow.source.git.commit"):
        code["commit"] = run.tags["mlflow.source.git.commit"]
    repository = public_repository(run.tags.get("mlflow.source.git.repoURL", ""))
    if repository is not None:
        code["repository"] = repository
    source = run.tags.get("mlflow.source.name", "")
    if source and not source.startswith(("/", ".")) and "\\" not in source:
        code["path"] = source
    if run.tags.get("mlflow.note.content"):
        note = UNSEEN.sub(" ", run.tags["mlflow.note.content"])
        taken.parts["description"] = " ".join(note.split())[:400]


def _dvc(name: str, given: dict[str, Any], taken: Taken) -> None:
    from modelspec.world.source import source_of

    file, colon, stage = name.rpartition(":")
    if not colon:
        if not name.endswith(".dvc"):
            raise click.UsageError("--from-dvc is a .dvc file, or dvc.lock:STAGE.")
        taken.artifact = source_of([Path(name)])
        return
    found = _stage(Path(file), stage)
    folder = Path(file).parent
    params = found.get("params")
    told: dict[str, Data] = {}
    for values in params.values() if isinstance(params, dict) else ():
        if isinstance(values, dict):
            told |= {str(key): _typed(value) for key, value in values.items()}
    if told:
        taken.part("config")["hyperparameters"] = told
    outs = _paths(found, "outs")
    if not given["artifact"]:
        if len(outs) == 1:
            _unchanged(found, "outs", outs[0], folder, stage)
            given["artifact"] = (folder / outs[0],)
        else:
            listed = ", ".join(visible(one) for one in outs[:8]) or "none"
            taken.lacks.append(
                f"artifact: which out of {visible(stage)} it is, of {listed} (--artifact PATH)"
            )
    deps = _paths(found, "deps")
    programs = [one for one in deps if one.endswith((".py", ".ipynb", ".r", ".R", ".jl"))]
    if given["code"] is None:
        # Of several, the one that the command names; where it names none of them, nobody said which.
        run = programs if len(programs) == 1 else _named(programs, found.get("cmd"))
        given["code"] = folder / run[0] if len(run) == 1 else None
    data = [one for one in deps if one not in programs]
    if not any("://" not in one for one in given["dataset"]) and given["dataset_digest"] is None:
        if len(data) == 1:
            _unchanged(found, "deps", data[0], folder, stage)
            given["dataset"] = (*given["dataset"], str(folder / data[0]))
        elif data:
            taken.notes.append(
                f"{visible(stage)} depends on {len(data)} paths of data: name the one, --dataset"
            )


def _named(programs: list[str], command: Any) -> list[str]:
    words = set(re.split(r"[\s;&|'\"()]+", " ".join(command) if isinstance(command, list) else str(command)))
    return [one for one in programs if one in words or f"./{one}" in words]


def _unchanged(found: dict[str, Any], key: str, path: str, folder: Path, stage: str) -> None:
    """Raise Refusal where a file is another one than the stage had: its parameters are not those of it."""
    from modelspec.world.stores.pointers import dvc_md5

    [row] = [one for one in found[key] if isinstance(one, dict) and one.get("path") == path][:1]
    # Before DVC 3 texts were hashed with other line ends.
    if row.get("hash") == "md5" and (folder / path).exists() and dvc_md5(folder / path) != row.get("md5"):
        raise Refusal(
            f"{visible(path)} is not what the stage {visible(stage)} had: its md5 is another one",
            "dvc repro, or dvc checkout",
        )


def _stage(file: Path, stage: str) -> dict[str, Any]:
    from modelspec.formats.foreign import Unreadable
    from modelspec.formats.looseyaml import read_yaml
    from modelspec.world.foreign import foreign

    try:
        with foreign(file) as stream:
            data: Any = read_yaml(stream.read(9 * 1024 * 1024))
    except Unreadable as error:
        raise Refusal(f"{visible(str(file), 200)} is no dvc.lock: {error.message}", error.fix) from None
    stages = data.get("stages") if isinstance(data, dict) else None
    found = stages.get(stage) if isinstance(stages, dict) else None
    if not isinstance(found, dict):
        known = (
            ", ".join(visible(str(one)) for one in list(stages)[:8]) if isinstance(stages, dict) else "none"
        )
        raise Refusal(f"{visible(str(file), 200)} has no stage {visible(stage)}", f"its stages: {known}")
    return found


def _paths(stage: dict[str, Any], key: str) -> list[str]:
    from modelspec.tree.paths import path_trouble

    rows = stage.get(key)
    found: list[str] = []
    for one in rows if isinstance(rows, list) else ():
        path = one.get("path") if isinstance(one, dict) else None
        trouble = path_trouble(path) if isinstance(path, str) else "is no text"
        if trouble is not None or not isinstance(path, str):
            raise Refusal(f"the path {visible(str(path))} in dvc.lock {trouble}", "dvc repro writes it again")
        found.append(path)
    return found


def _typed(node: Any) -> Data:
    if isinstance(node, dict):
        return {str(key): _typed(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_typed(one) for one in node]
    if isinstance(node, Quoted):
        return str(node)
    # DVC wrote down what it had read: plain, a number is one, and `1.10` would have been quoted.
    return loose(str(node)) if node else None


def _snapshot(where: str) -> HubFolder:
    """Return a snapshot that is here, or a revision that is brought here until it is stored."""
    from dataclasses import replace

    from modelspec.cli.progress import progress_of
    from modelspec.world.hubfolder import hub_folder

    if not where.startswith("hf://"):
        return hub_folder(Path(where))
    from modelspec.world.stores.hub import hub_here, hub_tree

    files = hub_tree(where)
    into = Path(click.get_current_context().with_resource(tempfile.TemporaryDirectory(prefix="modelspec-")))
    with progress_of("reading", sum(file.size for file in files)) as progress:
        folder = hub_here(files, into, progress)
    repository, _, commit = where.removeprefix("hf://").partition("@")
    return replace(hub_folder(folder), repository=repository, revision=commit)


def _hub(where: str, taken: Taken) -> None:
    from modelspec.formats.foreign import Unreadable
    from modelspec.formats.strictjson import read_json
    from modelspec.world.foreign import foreign
    from modelspec.world.source import place

    found = _snapshot(where)
    taken.artifact = found.source
    files = {file.path: place(file) for file in found.source.files}
    part = taken.part("artifact")
    if found.repository is not None and found.revision is not None:
        part["captured"] = {"huggingface": {"repository": found.repository, "revision": found.revision}}
    if "config.json" not in files:
        return
    try:
        with foreign(files["config.json"]) as stream:
            config: Any = read_json(stream.read(9 * 1024 * 1024))
    except Unreadable as error:
        taken.notes.append(f"its config.json tells nothing: {visible(error.message, 200)}")
        return
    kinds = config.get("architectures") if isinstance(config, dict) else None
    if isinstance(kinds, list) and len(kinds) == 1 and isinstance(kinds[0], str):
        part["architecture"] = kinds[0]
    precision = config.get("torch_dtype") or config.get("dtype") if isinstance(config, dict) else None
    if isinstance(precision, str):
        part["precision"] = precision
