"""Which files of an artifact are Python that MLflow imports or runs when it loads the model.

A folder of code that was logged with a model goes to the front of Python's path, so that each module in it
can stand for any other; a model "from code" is a script that is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

NAME: Final = "MLmodel"
WHY: Final = "code that MLflow imports when it loads the model"
_FOLDER: Final = "code"
_CODE: Final = (".py", ".pyc", ".pyd", ".so")


def by_name(paths: Iterable[str]) -> list[str]:
    """Return what lies in the folder `code` beside an MLmodel, as MLflow itself names it."""
    known = list(paths)
    return _imported(known, {f"{base}{_FOLDER}" for base in _bases(known)})


def by_content(paths: Iterable[str], models: Mapping[str, bytes]) -> list[str]:
    """Return also what the MLmodel files, given by path, name; where one can't be read, all that is code."""
    known = list(paths)
    folders, scripts = {f"{base}{_FOLDER}" for base in _bases(known)}, set[str]()
    for place, source in models.items():
        base = place.removesuffix(NAME)
        named = _named(source)
        if named is None:
            folders.add(base.rstrip("/"))
            continue
        folders |= {f"{base}{folder}".rstrip("/") for folder in named[0]}
        scripts |= {f"{base}{script}" for script in named[1]}
    imported = set(_imported(known, folders))
    return [path for path in known if path in imported or path in scripts]


def _named(source: bytes) -> tuple[set[str], set[str]] | None:
    """Return the folders that go to the path and the scripts that are run; None where nobody can say."""
    from modelspec.formats.foreign import Unreadable
    from modelspec.formats.looseyaml import read_yaml

    try:
        data: Any = read_yaml(source)
    except Unreadable:
        return None
    flavours = data.get("flavors") if isinstance(data, dict) else None
    if not isinstance(flavours, dict):
        return None
    folders, scripts = set[str](), set[str]()
    for flavour in flavours.values():
        told = flavour if isinstance(flavour, dict) else {}
        folder, script = told.get("code"), told.get("model_code_path")
        if isinstance(folder, str) and folder:
            parts = [part for part in folder.split("/") if part not in ("", ".")]
            # Out of the model and back is nothing that MLflow writes.
            if ".." in parts:
                return None
            folders.add("/".join(parts))
        if isinstance(script, str) and script:
            # MLflow writes the whole path that the script had, and reads it from the model's folder.
            scripts.add(script.replace("\\", "/").rpartition("/")[2])
    return folders, scripts


def _bases(paths: list[str]) -> list[str]:
    return [path.removesuffix(NAME) for path in paths if path == NAME or path.endswith(f"/{NAME}")]


def _imported(paths: list[str], folders: set[str]) -> list[str]:
    """Return the code below any of the folders ("": all); each path asks for its own folders alone.

    There may be thousands of either: both are hostile.
    """
    return [path for path in paths if path.lower().endswith(_CODE) and not folders.isdisjoint(_above(path))]


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in, from the top, "", down."""
    yield ""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
