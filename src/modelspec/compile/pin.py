"""One pin, compiled: the files that its targets write for it, or what stands in the way."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from modelspec.compile.ability import unexpressed, unlocated
from modelspec.compile.context import Contexts, slots_of
from modelspec.compile.deployment import DeployedSlot, Deployment, deployment
from modelspec.compile.language import READABLE
from modelspec.compile.mispaired import ARTIFACT, mispaired
from modelspec.compile.render import WHOLE
from modelspec.compile.target import OWN, LoadedTarget, Trouble, load, renderer_of
from modelspec.compile.template import BOUNDED, DEFINED
from modelspec.rules.rule import Scene
from modelspec.spec.environment import Pin
from modelspec.spec.kinds import TARGET
from modelspec.spec.reader import Entry
from modelspec.spec.target import OutputSpec
from modelspec.tree.data import Data, at
from modelspec.tree.finding import Problem, Related
from modelspec.tree.paths import clash, fold, path_trouble
from modelspec.tree.place import Place, Route
from modelspec.tree.protocols import Hole, Rendered, RenderFault
from modelspec.tree.serialise import Unfit, serialise
from modelspec.tree.snapshot import LIMIT
from modelspec.tree.text import visible

PARAMS: Final = "params-fit"
OUTPUT: Final = "output-fits"
STAMP: Final = "stamp-present"
SLOT: Final = "slot-expressed"
LOCATED: Final = "artifact-located"
_PROVEN: Final = frozenset({"stamp", "image", "weight", *ARTIFACT})
_RENDERING: Final = frozenset({READABLE, WHOLE, DEFINED, BOUNDED})
"""Rules that a renderer may name; whoever renders an untrusted template is not trusted either."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPin:
    """The outputs of a pin by path in its folder, and the troubles; with troubles outputs are incomplete."""

    deployed: Deployment | None
    targets: tuple[LoadedTarget, ...]
    outputs: dict[str, bytes]
    troubles: tuple[Trouble, ...]


def folder_of(pin: Pin) -> str:
    """Return the folder that a pin's outputs fill."""
    return f"compiled/{pin.environment}/models/{pin.model}"


def compile_pin(scene: Scene, pin: Entry[Pin]) -> CompiledPin:
    """Return a pin compiled; rules and outputs share the work."""
    return scene.once(("compiled", pin.path), lambda: _compile(scene, pin))


def _compile(scene: Scene, pin: Entry[Pin]) -> CompiledPin:
    found = deployment(pin, scene.registry) if pin.value.serve else None
    if found is None:
        return CompiledPin(None, (), {}, ())
    outputs: dict[str, bytes] = {}
    troubles: list[Trouble] = []
    targets: list[LoadedTarget] = []
    for name in sorted(pin.value.serve):
        entry = scene.registry.value(TARGET, name)
        target = load(scene, entry) if entry is not None else None
        # A target that is missing or wrong by itself is said once, not at every pin.
        if target is None or target.troubles:
            continue
        targets.append(target)
        work = _Work(scene, found, target)
        work.run()
        outputs |= work.outputs
        troubles += work.troubles
    return CompiledPin(found, tuple(targets), outputs, tuple(troubles))


@dataclass(slots=True)
class _Work:
    """One target writes for one pin."""

    scene: Scene
    deployed: Deployment
    target: LoadedTarget
    outputs: dict[str, bytes] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    written: set[tuple[int, Route]] = field(default_factory=set)
    """(slot, key of the slot) that stand in an output."""
    misplaced: list[Trouble] = field(default_factory=list)
    """Artifacts beside the stamp of another slot; where a stamp or artifact is missing, that is said."""
    whole: bool = True
    """Whether every template could be rendered."""

    def run(self) -> None:
        pin, name = self.deployed.pin, self.target.value.name
        params = pin.document.value(("serve", name))
        self.troubles += self._params(params)
        self.troubles += self._slots()
        if self.troubles:
            return
        contexts = Contexts(self.deployed, self.target.value, params)
        for spec in self.target.value.outputs:
            for path, slot in files_of(spec, self.target.value.name, self.deployed):
                folder = posixpath.dirname(f"{folder_of(pin.value)}/{path}")
                rendered = renderer_of(self.scene, self.target, spec.template).render(
                    self.target.sources[spec.template], contexts.at(folder, slot)
                )
                if isinstance(rendered, RenderFault):
                    self._refuse(spec, path, rendered)
                else:
                    self._write(spec, path, slot, rendered)
        if self.whole and not self.troubles:
            self.troubles += list(self._stamps()) or self.misplaced

    def _at_pin(self, rule: str, place: Place, message: str, fix: str | None = None) -> Trouble:
        return Trouble(rule, Problem(place, message, fix=fix))

    def _params(self, params: Data) -> Iterator[Trouble]:
        name = self.target.value.name
        for one in self.target.schemas[self.target.value.params].troubles(params):
            place = Place(self.deployed.pin.path, ("serve", name, *one.route), key=one.key)
            yield self._at_pin(PARAMS, place, f"params of {name}: {one.message}", one.fix)
        for row in self.target.value.ordered:
            for less, more in pairwise(row):
                low, high = (at(params, tuple(key.split("."))) for key in (less, more))
                if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
                    place = self.deployed.pin.place("serve", name, *less.split("."))
                    message = f"params of {name}: {less} is {low}, more than {more}, which is {high}"
                    yield self._at_pin(PARAMS, place, message, "swap them, or raise the second")

    def _slots(self) -> Iterator[Trouble]:
        value, pin = self.target.value, self.deployed.pin
        for slot in self.deployed.slots:
            refused = unexpressed(value, slot)
            if refused is not None:
                yield self._at_pin(
                    SLOT, pin.key(*slot.route), refused, "pin it without, or serve it elsewhere"
                )
            misplaced = unlocated(value, slot, pin.value.serve.get(value.name, {}))
            if misplaced is not None:
                message = f"{value.name} can't reach the artifact of {slot.name}: {misplaced[0]}"
                yield self._at_pin(LOCATED, pin.place(*slot.route, "version"), message, misplaced[1])

    def _refuse(self, spec: OutputSpec, path: str, fault: RenderFault) -> None:
        self.whole = False
        rule = fault.rule if fault.rule in _RENDERING else BOUNDED
        pin, name = self.deployed.pin, self.target.value.name
        there = self.target.place(spec.template, fault.line)
        message = visible(fault.message, limit=200)
        fix = visible(fault.fix, limit=200) if fault.fix is not None else None
        if rule in (WHOLE, READABLE):
            # The template is wrong whoever uses it: said once, at the first pin that shows it.
            key = ("template", there.path, there.mark, rule)
            if self.scene.once(key, lambda: pin.path) == pin.path:
                related = Related(pin.key("serve", name), f"rendered for {visible(path)}")
                self.troubles.append(Trouble(rule, Problem(there, message, (related,), fix)))
            return
        related = Related(there, "the template asks for it here" if rule == DEFINED else "in this template")
        problem = Problem(pin.key("serve", name), f"{visible(path)}: {message}", (related,), fix)
        self.troubles.append(Trouble(rule, problem))

    def _write(self, spec: OutputSpec, path: str, slot: int | None, rendered: Rendered) -> None:
        # First whether it is data at all: a renderer that was taken over may answer anything.
        data = serialise(rendered.data, spec.format)
        if isinstance(data, Unfit):
            self._misfit(spec, path, rendered, data.route, data.message, data.fix)
            return
        if spec.schema_ is not None:
            for one in self.target.schemas[spec.schema_].troubles(rendered.data):
                self._misfit(spec, path, rendered, one.route, one.message, one.fix)
        if len(data) > LIMIT:
            message = f"the output has {len(data):,} bytes; the limit is {LIMIT:,}"
            self._refuse(spec, path, RenderFault(BOUNDED, message, None, "write less into one file"))
            return
        trouble = path_trouble(path)
        if trouble is None:
            taken = next((one for one in self.outputs if clash(fold(path), fold(one))), None)
            if taken is not None:
                trouble = "is written twice" if fold(taken) == fold(path) else "is a file and a folder"
        if trouble is not None:
            name = self.target.value.name
            where = self.deployed.pin.key("serve", name)
            self.troubles.append(
                self._at_pin(OWN, where, f"the path {visible(path)} {trouble}", "rename the slot")
            )
            return
        self.outputs[path] = data
        for hole in rendered.holes:
            source = hole.source
            # A whole slot, or one of the keys that are asked for below; most holes are neither.
            if source and (source[-1] in _PROVEN or len(source) == 1 or type(source[-1]) is int):
                self.written.update(slots_of(source, self.deployed, slot))
        for line, whose, nearest in mispaired(rendered.holes, self.deployed, slot):
            mine, other = self.deployed.slots[whose], self.deployed.slots[nearest]
            message = f"{visible(path)}: the artifact of {mine.name} stands beside the stamp of {other.name}"
            fix = f"write there what is {other.name}'s"
            related = Related(self.target.place(spec.template, line), "written here")
            place = self.deployed.pin.key(*mine.route)
            self.misplaced.append(Trouble(STAMP, Problem(place, message, (related,), fix)))

    def _misfit(
        self, spec: OutputSpec, path: str, rendered: Rendered, route: Route, message: str, fix: str | None
    ) -> None:
        """Report a node of the output; where its value is one of the pin's params, at that."""
        hole = _hole_at(rendered.holes, route)
        name = self.target.value.name
        place = self.deployed.pin.key("serve", name)
        if hole is not None and hole.source[:1] == ("params",):
            place = self.deployed.pin.place("serve", name, *hole.source[1:])
        line = hole.line if hole is not None else None
        related = Related(self.target.place(spec.template, line), "the template that writes it")
        self.troubles.append(Trouble(OUTPUT, Problem(place, f"{visible(path)}: {message}", (related,), fix)))

    def _stamps(self) -> Iterator[Trouble]:
        """Prove that what each slot is, and what it gets, stands in the outputs."""
        value = self.target.value
        for index, slot in enumerate(self.deployed.slots):
            if self.target.locates and not any(
                whose == index and (not key or key[0] == "artifact") for whose, key in self.written
            ):
                yield self._absent(slot, "artifact", ".uri" if value.storage == "uri" else ".path")
            wanted = ["stamp"]
            if "image" in value.writes and slot.version.value.runtime is not None:
                wanted += ["image"] if slot.version.value.runtime.image is not None else []
            beside = "canary-weight" in value.writes and slot.kind != "stable"
            if slot.answers and ("weight" in value.writes or beside):
                wanted.append("weight")
            for key in wanted:
                if not any((index, (key,)[:length]) in self.written for length in (0, 1)):
                    yield self._absent(slot, key)

    def _absent(self, slot: DeployedSlot, key: str, part: str = "") -> Trouble:
        name = self.target.value.name
        related = Related(self.target.entry.place("outputs"), "the outputs of the target")
        whose = "slot" if slot.kind == "variant" else slot.kind
        fix = f"write {{{{ {whose}.{key}{part} }}}} in a template of {name}"
        message = f"the {key} of {slot.name} is in no output of {name}"
        return Trouble(STAMP, Problem(self.deployed.pin.key(*slot.route), message, (related,), fix))


def files_of(spec: OutputSpec, name: str, deployed: Deployment) -> Iterator[tuple[str, int | None]]:
    """Yield (path in the pin's folder, slot) of the files that an output of a target is written to."""
    kinds = {slot.kind for slot in deployed.slots}
    if spec.when is not None and (spec.when if spec.when != "variants" else "variant") not in kinds:
        return
    if spec.each is None:
        yield f"{name}/{spec.path}", None
        return
    for index, slot in enumerate(deployed.slots):
        yield f"{name}/{spec.path.replace('{slot}', slot.name)}", index


def _hole_at(holes: tuple[Hole, ...], route: Route) -> Hole | None:
    """Return the hole that holds a node, or that lies in it, whichever is nearest."""
    above = [hole for hole in holes if hole.route == route[: len(hole.route)]]
    if above:
        return max(above, key=lambda hole: len(hole.route))
    return next((hole for hole in holes if hole.route[: len(route)] == route and route), None)
