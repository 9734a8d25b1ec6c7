"""Where each line of a serving config comes from, found by trying: change one leaf of one input, render
again, and see which lines move. So it is right for any template; what no leaf moves is the template's own."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Final

from modelspec.change.perturb import leaf_routes, perturbed
from modelspec.compile.context import Contexts
from modelspec.compile.deployment import Deployment, deployment
from modelspec.compile.pin import files_of, folder_of
from modelspec.compile.target import LoadedTarget, in_process, load, renderer_of
from modelspec.rules.rule import Scene
from modelspec.spec.environment import Pin
from modelspec.spec.history import Commit, Revision
from modelspec.spec.kinds import ENVIRONMENT, SETTINGS, TARGET
from modelspec.spec.reader import Entry
from modelspec.spec.target import OutputSpec
from modelspec.tree.data import Data
from modelspec.tree.locate import locate
from modelspec.tree.place import Route
from modelspec.tree.protocols import Renderer, RenderFault
from modelspec.tree.serialise import Unfit, serialise

_KEYS: Final = re.compile(r"([A-Za-z_][\w./-]*)(?=\"?:(?:\s|$))|(?<=- )([A-Za-z_][\w./-]*)(?=\s*$)")
_TAGS: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_CLOSING: Final = re.compile(r"\s*[\]})]+,?\s*")


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A line of an input; `route` is empty for a line of a template."""

    path: str
    line: int
    route: Route = ()


@dataclass(frozen=True, slots=True)
class BlamedLine:
    """A line of an output and what it comes from: the value first, then what chose it."""

    text: str
    origins: tuple[Origin, ...]


def output_paths(scene: Scene, pin: Entry[Pin]) -> tuple[str, ...]:
    """Return the paths of the serving configs of a pin, sorted."""
    deployed = deployment(pin, scene.registry)
    if deployed is None:
        return ()
    folder = folder_of(pin.value)
    return tuple(sorted(f"{folder}/{path}" for _, _, path, _ in _outputs(scene, deployed)))


def blame_output(scene: Scene, pin: Entry[Pin], path: str) -> tuple[BlamedLine, ...] | None:
    """Return the lines of one serving config with their origins; None when the pin writes no such file.

    Ask it only of a registry that compiles.
    """
    deployed = deployment(pin, scene.registry)
    if deployed is None:
        return None
    folder = folder_of(pin.value)
    for target, spec, file, slot in _outputs(scene, deployed):
        if f"{folder}/{file}" == path:
            return _Blame(scene, deployed, target, spec, posixpath.dirname(path), slot).lines()
    return None


def _outputs(
    scene: Scene, deployed: Deployment
) -> Iterator[tuple[LoadedTarget, OutputSpec, str, int | None]]:
    for name in sorted(deployed.pin.value.serve):
        entry = scene.registry.value(TARGET, name)
        if entry is not None:
            target = load(scene, entry)
            for spec in target.value.outputs:
                for file, slot in files_of(spec, name, deployed):
                    yield target, spec, file, slot


@dataclass(frozen=True, slots=True)
class _Blame:
    scene: Scene
    deployed: Deployment
    target: LoadedTarget
    spec: OutputSpec
    folder: str
    slot: int | None

    def lines(self) -> tuple[BlamedLine, ...] | None:
        context = self._context(self.deployed, self.target.entry)
        source = self.target.sources[self.spec.template]
        renderer = renderer_of(self.scene, self.target, self.spec.template)
        rendered = renderer.render(source, context)
        whole = None if isinstance(rendered, RenderFault) else serialise(rendered.data, self.spec.format)
        if isinstance(rendered, RenderFault) or whole is None or isinstance(whole, Unfit):
            return None
        lines = whole.decode().removesuffix("\n").split("\n")
        # What a template's line wrote: where a leaf makes the rendering fail, these are its lines.
        by_line: dict[int, set[int]] = {}
        for hole in rendered.holes:
            by_line.setdefault(hole.line, set()).add(locate(whole, hole.route).line - 1)
        origins: dict[int, dict[Origin, None]] = {}
        for deployed, target, origin, chosen in self._questions():
            asked = self._context(deployed, target)
            if asked == context:
                continue
            for index in self._moved(renderer, source, asked, lines, by_line):
                found = origins.setdefault(index, {})
                found[origin] = None
                if chosen is not None:
                    found.pop(chosen, None)
                    found[chosen] = None
        written = self._written(source, context, lines)
        return tuple(
            BlamedLine(text, tuple(origins.get(index, ())) or self._own(lines, index, written, origins))
            for index, text in enumerate(lines)
        )

    def _context(self, deployed: Deployment, target: Entry[Any]) -> dict[str, Data]:
        params = deployed.pin.document.value(("serve", self.target.value.name))
        return Contexts(deployed, target.value, params).at(self.folder, self.slot)

    def _questions(self) -> Iterator[tuple[Deployment, Entry[Any], Origin, Origin | None]]:
        """Yield what would be deployed were one leaf another, where it is, and what chose its file."""
        registry, pin, target = self.scene.registry, self.deployed.pin, self.target.entry
        for route in leaf_routes(pin.document.data):
            renamed = self._renamed(route)
            asked = (
                [deployment(one, registry) for one in perturbed(pin, route)] if renamed is None else [renamed]
            )
            for changed in asked:
                if changed is not None:
                    yield changed, target, self._origin(pin, route), None
        files: dict[str, tuple[Entry[Any], Origin | None]] = {}
        for slot in self.deployed.slots:
            choice = self._origin(pin, (*slot.route, "version"))
            files.setdefault(slot.version.path, (slot.version, choice))
        settings, place = registry.get(SETTINGS), registry.value(ENVIRONMENT, self.deployed.environment)
        files |= {one.path: (one, None) for one in (place, settings) if isinstance(one, Entry)}
        for entry, chosen in files.values():
            for route in leaf_routes(entry.document.data):
                for one in perturbed(entry, route):
                    changed = deployment(pin, registry.replaced(one))
                    if changed is not None:
                        yield changed, target, self._origin(entry, route), chosen
        for route in leaf_routes(target.document.data):
            if route[0] in ("tables", "texts"):
                for one in perturbed(target, route):
                    yield self.deployed, one, self._origin(target, route), None

    def _renamed(self, route: Route) -> Deployment | None:
        """Return the deployment under another name: of the names in a pin's path no other could be read."""
        if route == ("environment",):
            return replace(self.deployed, environment=f"{self.deployed.environment}x")
        if route == ("model",):
            return replace(self.deployed, model=f"{self.deployed.model}x")
        return None

    def _origin(self, entry: Entry[Any], route: Route) -> Origin:
        return Origin(entry.path, locate(entry.document.source, route).line, route)

    def _moved(
        self,
        renderer: Renderer,
        source: str,
        context: Mapping[str, Data],
        lines: Sequence[str],
        by_line: Mapping[int, set[int]],
    ) -> set[int]:
        """Return the lines that another context, or another source, gives another text."""
        rendered = renderer.render(source, context)
        if isinstance(rendered, RenderFault):
            return by_line.get(rendered.line or 0, set())
        data = serialise(rendered.data, self.spec.format)
        return (
            set() if isinstance(data, Unfit) else moved(lines, data.decode().removesuffix("\n").split("\n"))
        )

    def _written(self, source: str, context: Mapping[str, Data], lines: Sequence[str]) -> dict[int, int]:
        """Return which line of the template (from 1) wrote a line of the output, by changing its words."""
        # One word more or less makes a template no more dangerous than it was.
        digest = self.target.digests[self.spec.template]
        renderer = in_process(self.scene) if digest in self.scene.trusted else self.scene.renderer
        rows = source.split("\n")
        found: dict[int, int] = {}
        for number, row in enumerate(rows):
            changed = _reworded(row)
            if changed != row:
                text = "\n".join([*rows[:number], changed, *rows[number + 1 :]])
                for index in self._moved(renderer, text, context, lines, {}):
                    found.setdefault(index, number + 1)
        return found

    def _own(
        self,
        lines: Sequence[str],
        index: int,
        written: Mapping[int, int],
        origins: Mapping[int, Mapping[Origin, None]],
    ) -> tuple[Origin, ...]:
        """Return the line of the template; what closes a bracket comes from where that was opened."""
        path = self.target.folder + self.spec.template
        indent = len(lines[index]) - len(lines[index].lstrip())
        while index > 0 and index not in written and index not in origins:
            closing = _CLOSING.fullmatch(lines[index]) is not None
            index -= 1
            while closing and index > 0 and len(lines[index]) - len(lines[index].lstrip()) > indent:
                index -= 1
        return (
            (Origin(path, written[index]),)
            if index in written
            else tuple(origins.get(index, ())) or (Origin(path, 1),)
        )


def _reworded(row: str) -> str:
    """Return a line of a template with other keys, or another word in a list; tags stay as they are."""
    parts: list[str] = []
    at = 0
    for tag in _TAGS.finditer(row):
        parts += [_KEYS.sub(_longer, row[at : tag.start()]), tag.group()]
        at = tag.end()
    return "".join([*parts, _KEYS.sub(_longer, row[at:])])


def _longer(match: re.Match[str]) -> str:
    return match.group() + "z"


def moved(was: Sequence[str], now: Sequence[str]) -> set[int]:
    """Return the indices of the lines of `was` that are not in `now`, or are others there."""
    if len(was) == len(now):
        return {index for index, pair in enumerate(zip(was, now, strict=True)) if pair[0] != pair[1]}
    blocks = SequenceMatcher(None, was, now, autojunk=False).get_matching_blocks()
    kept = {block.a + index for block in blocks for index in range(block.size)}
    return set(range(len(was))) - kept


def line_commits(revisions: Sequence[Revision]) -> list[Commit]:
    """Return the commit that each line of a file comes from; `revisions` are all of it, oldest first."""
    lines: list[str] = []
    commits: list[Commit] = []
    for revision in revisions:
        data = revision.blob.read() if revision.blob is not None else None
        now = data.decode("utf-8", "replace").split("\n") if isinstance(data, bytes) else []
        fresh = [revision.commit] * len(now)
        for block in SequenceMatcher(None, lines, now, autojunk=False).get_matching_blocks():
            fresh[block.b : block.b + block.size] = commits[block.a : block.a + block.size]
        lines, commits = now, fresh
    return commits
