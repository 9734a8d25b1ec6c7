"""What `register` takes of an artifact: its files, their format as the bytes tell it, and what runs code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from modelspec.formats.artifact import TOLD
from modelspec.formats.mlcode import NAME, WHY, by_content
from modelspec.tree.data import Data
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.cli.capture import Taken

_MLMODEL: Final = 16 * 1024 * 1024


def take_artifact(given: dict[str, Any], store: str, taken: Taken, lost: dict[str, str]) -> None:
    """Fill the component `artifact`, and what an MLmodel in it says of others.

    On a terminal it is asked for; that it is lost is noted in `lost`.
    """
    from modelspec.cli.detecting import detect_each
    from modelspec.world.source import source_of

    addresses = [one for one in map(str, given["artifact"]) if "://" in one]
    if addresses and len(given["artifact"]) > 1:
        raise click.UsageError("--artifact is paths, or one address alone.")
    if addresses and (given["scan"] or given["sign"]):
        raise click.UsageError(
            "--sign and --scan take files of this machine: what is in place is not copied."
        )
    if addresses:
        from modelspec.cli.progress import progress_of
        from modelspec.world.stores.placed import placed_at

        with progress_of("reading", None) as progress:
            taken.placed = placed_at(addresses[0], progress)
    elif given["artifact"]:
        taken.artifact = source_of([Path(one) for one in given["artifact"]])
    elif taken.artifact is None and taken.ask is not None and not taken.lacks:
        from modelspec.cli.asking import file_asked

        what = "the model's file or folder"
        taken.artifact = file_asked(taken.ask, "artifact", what, lost, lambda path: source_of([path]))
        if "artifact" in lost:
            return
    if taken.artifact is None and taken.placed is None:
        taken.lacks.append("artifact: the model's files (--artifact PATH)")
        return
    files = taken.files()
    found = taken.detected = detect_each(files, shared=taken.placed is not None)
    for path, one in found:
        for name in one.lacking(path, files.keys())[:3]:
            taken.lacks.append(
                f"artifact: {visible(path)} keeps numbers in {visible(name, 200)}, which is not among its "
                "files (--artifact FOLDER, with both)"
            )
    part = taken.part("artifact")
    part["store"] = store
    unnamed = _mlmodel(given, taken)
    formats = sorted({one.format for _, one in found if one.format})
    unsafe = [(path, one.why) for path, one in found if one.unsafe]
    chosen = given["artifact_format"] or part.get("format")
    models = [name for name in formats if name not in ("zip", "pickle")] or formats
    flavour = part.pop("flavour", None)
    if chosen is None and models == ["pickle"] and flavour is not None:
        # The bytes say that it is a pickle, MLflow what of.
        chosen = flavour
    if chosen is None and len(models) == 1:
        chosen = models[0]
    if chosen is None and len(models) > 1:
        taken.lacks.append(
            f"artifact: which of {', '.join(models)} it is, its files are each (--artifact-format NAME)"
        )
    if chosen is not None:
        part["format"] = chosen
    taken.lacks.extend(_empty(chosen, formats, taken.sizes()))
    for key in ("architecture", "precision"):
        if given[key] is not None:
            part[key] = given[key]
    seen = [one.observed for _, one in found if one.format == chosen and one.observed]
    if len(seen) == 1:
        part["observed"] = seen[0]
    _named(unnamed, seen[0] if len(seen) == 1 else {}, taken)
    if given["scan"] and taken.artifact is not None:
        from modelspec.cli.scanning import suspected
        from modelspec.world.source import place

        places = {file.path: place(file) for file in taken.artifact.files}
        said = [suspected(path, places[path], taken.notes) for path, _ in unsafe]
        taken.lacks.extend(f"artifact: {one}" for one in said if one is not None)
        if unsafe and not any(said):
            taken.notes.append("picklescan finds nothing that it knows, which proves nothing")
    unsafe += [(path, WHY) for path in by_content(files, MlModels(files))]
    _accepted(given, part, unsafe, taken)


def _empty(chosen: str | None, formats: list[str], sizes: dict[str, int]) -> Iterator[str]:
    """Say that there is no model in an artifact: no byte, or an empty file where its format should be."""
    empty = [path for path, size in sizes.items() if not size]
    if not empty or (len(empty) < len(sizes) and (chosen not in TOLD or chosen in formats)):
        return
    more = f" and {len(empty) - 1} more are" if len(empty) > 1 else " is"
    what = f", and no file of it is {chosen}" if len(empty) < len(sizes) else ""
    yield f"artifact: {visible(empty[0], 200)}{more} empty{what}: was it written to its end?"


def _accepted(
    given: dict[str, Any], part: dict[str, Any], unsafe: list[tuple[str, str]], taken: Taken
) -> None:
    """Take what runs code by name only."""
    if given["unsafe"] is not None:
        # Also a format that is none of ours may be one that runs code.
        part["unsafe"] = "pickle"
    if not unsafe:
        return
    path, why = unsafe[0]
    more = f" (and {len(unsafe) - 1} more)" if len(unsafe) > 1 else ""
    if given["unsafe"] is None:
        cure = "install it with the packages" if why == WHY else "convert it"
        taken.lacks.append(
            f"artifact: {visible(path)}{more} is {why}; loading it runs what is in it: {cure}, or accept "
            "it by name (--unsafe pickle)"
        )
    else:
        taken.notes.append(
            f"{visible(path)}{more} is {why}: whoever can write it can run code where it serves"
        )


class MlModels(Mapping[str, bytes]):
    """The MLmodel files among some, by path; each is read when it is asked for: there may be thousands."""

    def __init__(self, files: Mapping[str, Callable[[], AbstractContextManager[BinaryIO]]]) -> None:
        self._files = {path: opened for path, opened in files.items() if path.rpartition("/")[2] == NAME}

    def __getitem__(self, path: str) -> bytes:
        with self._files[path]() as stream:
            return stream.read(_MLMODEL)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _named(unnamed: dict[str, str], observed: dict[str, Data], taken: Taken) -> None:
    """Name the one tensor that has no name in its MLmodel as the model's own bytes do; else say its name."""
    signature = taken.parts.get("signature")
    for side, note in unnamed.items():
        ours = signature.get(side) if isinstance(signature, dict) else None
        theirs = observed.get(side)
        if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs) == 1:
            [one], [told] = ours, theirs
            if isinstance(one, dict) and isinstance(told, dict):
                one["name"] = told["name"]
                continue
        taken.notes.append(note)


def _mlmodel(given: dict[str, Any], taken: Taken) -> dict[str, str]:
    """Take from an MLmodel at the top of the artifact what nobody said; a lock beside it as well.

    Returns what to say of inputs and outputs that have no name there.
    """
    from modelspec.formats.foreign import Unreadable
    from modelspec.formats.lock import read_lock
    from modelspec.formats.mlmodel import read_mlmodel
    from modelspec.world.source import place

    files = taken.files()
    if "MLmodel" not in files:
        return {}
    try:
        with files["MLmodel"]() as stream:
            told = read_mlmodel(stream.read(_MLMODEL))
    except Unreadable as error:
        taken.notes.append(f"its MLmodel tells nothing: {visible(error.message, 200)}")
        return {}
    if told.signature:
        taken.parts.setdefault("signature", told.signature)
    if told.python is not None:
        taken.part("runtime").setdefault("python", told.python)
    if told.flavour is not None:
        taken.part("artifact").setdefault("flavour", told.flavour)
    if given["signature"] is None:
        taken.notes.extend(told.notes)
    unnamed = told.unnamed if given["signature"] is None else {}
    if given["lock"] is None and "requirements.txt" in files and taken.artifact is not None:
        try:
            with files["requirements.txt"]() as stream:
                read_lock(stream.read(16 * 1024 * 1024), given["python"] or told.python)
        except Unreadable as error:
            why = visible(error.message, 200)
            taken.notes.append(f"the requirements.txt beside the MLmodel is no lock: {why}")
            return unnamed
        given["lock"] = next(place(one) for one in taken.artifact.files if one.path == "requirements.txt")
        taken.notes.append("its lock is the requirements.txt beside the MLmodel")
    return unnamed
