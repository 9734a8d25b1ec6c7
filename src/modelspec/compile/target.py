"""A target with the files that it is made of: read, parsed and judged once for all the pins that use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from modelspec.compile import schema as schemas
from modelspec.compile.context import NAMES, PART, SLOT, TEXT_PARTS
from modelspec.compile.language import READABLE
from modelspec.compile.mispaired import NAMES_ARTIFACT
from modelspec.compile.render import HoleRenderer
from modelspec.compile.schema import Schema
from modelspec.compile.template import DEFINED
from modelspec.rules.rule import Scene
from modelspec.spec.reader import Entry
from modelspec.spec.target import OutputSpec, Target
from modelspec.tree.digest import sha256
from modelspec.tree.document import line_of
from modelspec.tree.finding import Fault, Problem, Related
from modelspec.tree.paths import clash, fold, path_trouble
from modelspec.tree.place import Mark, Place, Route
from modelspec.tree.protocols import Renderer, RenderFault
from modelspec.tree.snapshot import irregular
from modelspec.tree.text import did_you_mean, visible

OWN: Final = "path-own"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
"""A part of an output's path: no `.git`, no `-x` that a program takes for an option, none too long."""
MANIFEST: Final = "manifest.json"
"""The file beside the targets' folders that lists what they wrote."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem, and the name of the MS6 rule that reports it."""

    rule: str
    problem: Problem


@dataclass(frozen=True, slots=True, eq=False)
class LoadedTarget:
    """A target, ready to render; with `troubles` it is not rendered at all."""

    entry: Entry[Target]
    digests: dict[str, str]
    """sha256 of each file, by its path in the target's folder."""
    sources: dict[str, str]
    """The templates."""
    schemas: dict[str, Schema]
    troubles: tuple[Trouble, ...]

    @property
    def value(self) -> Target:
        """What target.yaml says."""
        return self.entry.value

    @property
    def locates(self) -> bool:
        """Whether a template says where an artifact is: then it has to say so for every slot."""
        return any(NAMES_ARTIFACT.search(source) for source in self.sources.values())

    def place(self, file: str, line: int | None) -> Place:
        """Return the place of a line of a template."""
        return line_place(self.folder + file, self.sources[file], line)

    @property
    def folder(self) -> str:
        """`templates/<target>/`"""
        return self.entry.path.removesuffix("target.yaml")


def line_place(path: str, source: str, line: int | None) -> Place:
    """Return the place of a whole line of a text that has no routes; the first line when it is unknown."""
    number = line or 1
    text = line_of(source.encode(), number)
    start = len(text) - len(text.lstrip())
    return Place(path, mark=Mark(number, start + 1, max(len(text.rstrip()), start + 1) + 1))


def in_process(scene: Scene) -> HoleRenderer:
    """Return the renderer of this process, one for a whole run."""
    return scene.once("hole-renderer", HoleRenderer)


def renderer_of(scene: Scene, target: LoadedTarget, file: str) -> Renderer:
    """Return who renders a template: this process if its bytes are the catalogue's own, else the child."""
    return in_process(scene) if target.digests[file] in scene.trusted else scene.renderer


def load(scene: Scene, entry: Entry[Target]) -> LoadedTarget:
    """Return a target with its files, and all that is wrong with it by itself."""
    return scene.once(("target", entry.path), lambda: _Loader(scene, entry).load())


class _Loader:
    def __init__(self, scene: Scene, entry: Entry[Target]) -> None:
        self._scene = scene
        self._entry = entry
        self._folder = entry.path.removesuffix("target.yaml")
        self._digests = {"target.yaml": sha256(entry.document.source)}
        self._bytes: dict[str, bytes] = {}
        self._sources: dict[str, str] = {}
        self._schemas: dict[str, Schema] = {}
        self._troubles: list[Trouble] = []

    def load(self) -> LoadedTarget:
        value = self._entry.value
        self._schema(value.params, ("params",))
        for index, output in enumerate(value.outputs):
            if output.schema_ is not None:
                self._schema(output.schema_, ("outputs", index, "schema"))
            self._template(output.template, ("outputs", index, "template"))
        self._troubles += self._names()
        self._troubles += self._texts()
        self._troubles += self._paths()
        return LoadedTarget(
            self._entry,
            dict(sorted(self._digests.items())),
            self._sources,
            self._schemas,
            tuple(self._troubles),
        )

    def _fault(self, place: Place, message: str, fix: str | None = None, rule: str = READABLE) -> None:
        self._troubles.append(Trouble(rule, Problem(place, message, fix=fix)))

    def _read(self, file: str, route: Route) -> bytes | None:
        """Return the bytes of a file of the target, or None when it can't be read."""
        if file in self._bytes:
            return self._bytes[file]
        place = self._entry.place(*route)
        trouble = path_trouble(file)
        if trouble is not None:
            self._fault(place, f"the path {visible(file)} {trouble}", "name a file of this folder")
            return None
        path = self._folder + file
        blob = self._scene.registry.snapshot.get(path)
        if blob is None:
            beside = [known.removeprefix(self._folder) for known, _ in self._siblings()]
            self._fault(place, f"there is no {visible(path)}", did_you_mean(file, beside) or "add the file")
            return None
        data = irregular(blob.mode) or blob.read()
        if isinstance(data, Fault):
            self._fault(Place(path), data.message, data.fix)
            return None
        self._digests[file] = sha256(data)
        self._bytes[file] = data
        return data

    def _siblings(self) -> Iterator[tuple[str, object]]:
        return self._scene.registry.snapshot.walk(self._folder.removesuffix("/"))

    def _schema(self, file: str, route: Route) -> None:
        data = self._read(file, route) if file not in self._schemas else None
        if data is None:
            return
        found = schemas.compiled(data)
        if isinstance(found, str):
            self._fault(Place(self._folder + file), found)
        else:
            self._schemas[file] = found

    def _template(self, file: str, route: Route) -> None:
        data = self._read(file, route) if file not in self._sources else None
        if data is None:
            return
        try:
            source = data.decode("utf-8")
        except UnicodeDecodeError:
            self._fault(Place(self._folder + file), "the template is not UTF-8", "save it as UTF-8")
            return
        self._sources[file] = source
        template = in_process(self._scene).template(source)
        for fault in template if isinstance(template, tuple) else ():
            self._rendered(file, fault)

    def _rendered(self, file: str, fault: RenderFault) -> None:
        place = line_place(self._folder + file, self._sources[file], fault.line)
        self._fault(place, fault.message, fault.fix, fault.rule)

    def _names(self) -> Iterator[Trouble]:
        """Judge the names that templates take from their context: there is a fixed set of them."""
        for file, source in self._sources.items():
            template = in_process(self._scene).template(source)
            if isinstance(template, tuple):
                continue
            users = [output for output in self._entry.value.outputs if output.template == file]
            known = NAMES | {SLOT} if all(output.each for output in users) else NAMES
            for name, line in template.free:
                if name not in known:
                    place = line_place(self._folder + file, source, line)
                    fix = did_you_mean(name, known) or f"there are {', '.join(sorted(known))}"
                    message = f"{visible(name)} is not defined"
                    if name == SLOT:
                        fix = "add `each: slot` to the output, or write stable, canary, ..."
                    yield Trouble(DEFINED, Problem(place, message, fix=fix))

    def _texts(self) -> Iterator[Trouble]:
        for name, text in self._entry.value.texts.items():
            place = self._entry.place("texts", name)
            for part in PART.findall(text):
                if part not in TEXT_PARTS:
                    fix = did_you_mean(part, TEXT_PARTS) or f"there are {', '.join(TEXT_PARTS)}"
                    yield Trouble(DEFINED, Problem(place, f"{{{visible(part)}}} is not defined", fix=fix))
            if "{" in PART.sub("", text) or "}" in PART.sub("", text):
                yield Trouble(READABLE, Problem(place, "a brace has no partner", fix="write {name}"))

    def _paths(self) -> Iterator[Trouble]:
        """Judge where outputs are written, as far as target.yaml says."""
        seen: list[str] = []
        if self._entry.value.name == MANIFEST:
            place = self._entry.place("name")
            yield Trouble(OWN, Problem(place, f"{MANIFEST} is written beside targets", fix="rename it"))
        for index, output in enumerate(self._entry.value.outputs):
            place = self._entry.place("outputs", index, "path")
            trouble = _path_trouble(output)
            if trouble is not None:
                yield Trouble(OWN, Problem(place, f"the path {visible(output.path)} {trouble}"))
            path = fold(output.path)
            first = next((at for at, one in enumerate(seen) if clash(one, path)), None)
            seen.append(path)
            if first is not None:
                related = (Related(self._entry.place("outputs", first, "path"), "it is written here, too"),)
                twice = "is written twice" if seen[first] == path else "is a file and a folder"
                message = f"{visible(output.path)} {twice}"
                yield Trouble(OWN, Problem(place, message, related, "rename one of the two"))


def _path_trouble(output: OutputSpec) -> str | None:
    parts = PART.findall(output.path)
    if output.each is not None and parts != [SLOT]:
        return "needs {slot} in it once: each slot writes it"
    if output.each is None and parts:
        return "has {slot} in it, but `each: slot` is missing" if parts == [SLOT] else "has braces in it"
    plain = output.path.replace("{slot}", "s")
    if "{" in plain or "}" in plain:
        return "has braces in it"
    trouble = path_trouble(plain)
    if trouble is None and not all(_PLAIN.fullmatch(part) for part in plain.split("/")):
        return "has a part that is not 1 to 100 of A-Z a-z 0-9 . _ -, the first a letter, a digit or _"
    return trouble
