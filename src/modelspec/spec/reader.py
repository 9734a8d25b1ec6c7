"""The one reader: a blob becomes an entry, or a broken one that says why. It remembers both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from modelspec.spec.base import API
from modelspec.spec.explain import faults_of, shown
from modelspec.spec.kinds import PIN, Kind
from modelspec.spec.pinned import Declared, read_pin
from modelspec.tree.data import Data, spelled
from modelspec.tree.document import Document
from modelspec.tree.finding import Fault
from modelspec.tree.place import Place, Route, dotted
from modelspec.tree.scalars import plain
from modelspec.tree.snapshot import Blob, blob_id, irregular
from modelspec.tree.text import visible
from modelspec.tree.yaml import MAX_FAULTS, read

V = TypeVar("V", bound=BaseModel)


@dataclass(frozen=True, slots=True, eq=False)
class Entry(Generic[V]):
    """A file that was read: its kind, the names in its path, its document and its value."""

    kind: Kind[V]
    name: tuple[str, ...]
    document: Document
    value: V
    blob: str

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.document.path

    @property
    def digest(self) -> str:
        """The spec digest of the document."""
        return self.document.digest

    def place(self, *route: str | int) -> Place:
        """Return the place of a node of this file."""
        return Place(self.path, route)

    def key(self, *route: str | int) -> Place:
        """Return the place of the key of a node of this file."""
        return Place(self.path, route, key=True)


@dataclass(frozen=True, slots=True, eq=False)
class Broken(Generic[V]):
    """A file that could not be read, and why. It hides no other file."""

    kind: Kind[V]
    name: tuple[str, ...]
    path: str
    source: bytes
    faults: tuple[Fault, ...]


class Reader:
    """Reads blobs as kinds and remembers the answer by content, for head and base alike."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Entry[Any] | Broken[Any]] = {}
        self._declared: dict[tuple[str, str], Declared | None] = {}

    def read(self, kind: Kind[V], name: tuple[str, ...], path: str, blob: Blob) -> Entry[V] | Broken[V]:
        """Return the entry that the file at `path` holds, or why it holds none."""
        refused = irregular(blob.mode)
        known = self._known.get((blob.known_id or "", path)) if refused is None else None
        if known is not None:
            return known
        source = blob.read() if refused is None else refused
        if isinstance(source, Fault):
            return Broken(kind, name, path, b"", (source,))
        identity = blob.known_id or blob_id(source)
        known = self._known.get((identity, path))
        if known is not None:
            return known
        fresh = _read(kind, name, path, source, identity)
        self._known[(identity, path)] = fresh
        return fresh

    def declared(self, environment: str, model: str, blob: Blob) -> Declared | None:
        """Return what a pin's file says as `read_pin` does; remembered."""
        key = (blob.known_id or "", PIN.locate(environment, model))
        if irregular(blob.mode) is not None or not blob.known_id:
            return read_pin(blob, environment, model)
        if key not in self._declared:
            self._declared[key] = read_pin(blob, environment, model)
        return self._declared[key]


def _read(kind: Kind[V], name: tuple[str, ...], path: str, source: bytes, blob: str) -> Entry[V] | Broken[V]:
    data, faults = read(source)
    if faults:
        return Broken(kind, name, path, source, tuple(faults))
    if not isinstance(data, dict):
        begin = "apiVersion" if kind.enveloped else "name"
        fault = Fault("value-typed", "the file holds no map", f"begin with `{begin}:`")
        return Broken(kind, name, path, source, (fault,))
    faults = _envelope(kind, data)
    if faults:
        return Broken(kind, name, path, source, tuple(faults))
    value: V | None = None
    try:
        value = kind.value.model_validate(data)
    except ValidationError as error:
        faults = faults_of(kind.value, data, source, error)
    told = {fault.route for fault in faults}
    faults += [fault for fault in (*_nulls(data), *_names(kind, name, data)) if fault.route not in told]
    if value is None or faults:
        return Broken(kind, name, path, source, tuple(faults))
    return Entry(kind, name, Document(path, source, data), value, blob)


def _envelope(kind: Kind[V], data: dict[str, Data]) -> list[Fault]:
    """Judge apiVersion and kind, which say how the rest is to be read."""
    faults = []
    wants = (("apiVersion", API), ("kind", kind.name)) if kind.enveloped else ()
    for key, wanted in wants:
        found = data.get(key)
        if found == wanted:
            continue
        fix = f"write `{key}: {wanted}`"
        route = (key,) if key in data else ()
        if found is None:
            why = f"{key} has no value" if route else f"{key} is missing"
        else:
            why = f"{key} is {wanted} at this path; found {shown(found)}"
        faults.append(Fault("kind-known", why, fix, route=route))
    return faults


_FREE: Final = frozenset({"hyperparameters", "serve", "captured", "tokenizer", "image", "calibration"})
"""Maps whose keys are the author's own: a null in them may mean something to somebody else."""


def _nulls(data: Data) -> list[Fault]:
    """A key that is there without a value says nothing: neither that it is absent nor what it is."""
    if not _has_null(data):
        return []
    faults = []
    stack: list[tuple[Route, Data]] = [((), data)]
    while stack:
        route, node = stack.pop()
        if isinstance(node, dict):
            stack.extend(
                ((*route, key), child)
                for key, child in node.items()
                if child is None or isinstance(child, list) or (isinstance(child, dict) and key not in _FREE)
            )
        elif isinstance(node, list):
            stack.extend(((*route, index), child) for index, child in enumerate(node))
        elif node is None:
            where = visible(dotted(route), limit=120)
            faults.append(
                Fault("value-typed", f"{where} has no value", "give it one, or remove the key", route=route)
            )
    return sorted(faults, key=lambda fault: [str(part) for part in fault.route])[:MAX_FAULTS]


def _has_null(node: Data) -> bool:
    # Asked of every file, and nearly always answered no: plain loops are what is quickest here.
    for child in node.values() if type(node) is dict else node if type(node) is list else ():
        if child is None:
            return True
        kind = type(child)
        if (kind is dict or kind is list) and _has_null(child):
            return True
    return False


def _names(kind: Kind[V], name: tuple[str, ...], data: dict[str, Data]) -> list[Fault]:
    """The names in a file equal those in its path."""
    faults = []
    for part, wanted in zip(kind.parts, name, strict=True):
        key = "name" if part == "target" else part
        found = data.get(key)
        if found is None or spelled(found) == wanted:
            continue
        why = f"{key} is {visible(spelled(found)) or 'no name'}, the path says {wanted}"
        # A name such as 007 is a text only in quotes; a schema's number is one without.
        bare = part == "number" or type(plain(wanted)) is str
        fix = f"write `{key}: {wanted}`" if bare else f'write `{key}: "{wanted}"`'
        faults.append(Fault("name-matches-path", why, f"{fix}, or move the file", route=(key,)))
    return faults
