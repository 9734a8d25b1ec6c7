"""MS6: a target is right by itself, and what it renders for a pin says what the pin says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelspec.compile.pin import compile_pin
from modelspec.compile.target import load
from modelspec.rules.rule import Scene, rule
from modelspec.spec.environment import Pin
from modelspec.spec.kinds import PIN, TARGET
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Problem


def _problems(name: str, entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """Yield what the work on a target or a pin, done once for all rules, holds against one of them."""
    troubles = (load if entry.kind is TARGET else compile_pin)(scene, entry).troubles
    return (trouble.problem for trouble in troubles if trouble.rule == name)


@rule("MS601", "name-defined", of=(TARGET, PIN))
def name_defined(entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """Every name that a template takes from its context is there, and has a value.

    *Why:* plain Jinja writes an empty text for a name that was mistyped: a config without a weight, or
    with an empty image, is applied and serves something else than what was reviewed.

    *Fix:* correct the name (docs/targets.md lists them), add the param to the pin, or write the part that
    needs it inside `{% if ... %}`.
    """
    return _problems("name-defined", entry, scene)


@rule("MS602", "params-fit", of=PIN)
def params_fit(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """The params that a pin gives to a target fit the target's JSON Schema.

    *Why:* a mistyped `replica` would be dropped in silence, and the service would run with one.

    *Fix:* correct the param; `templates/<target>/params.schema.json` says what there is.
    """
    return _problems("params-fit", pin, scene)


@rule("MS603", "hole-whole", of=PIN)
def hole_whole(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """Each `{{ }}` of a template is a whole scalar of its output, and one as a key is a text that is new.

    *Why:* a value that is pasted into a text can change its meaning (`name: {{ name }}` with a line feed
    in it gave a second key). A whole scalar can't, whatever is in it.

    *Fix:* ask for a value that is already whole: `{{ stable.artifact.uri }}`, or a text of target.yaml
    (`texts: {service: "{object}-predictor"}`).
    """
    return _problems("hole-whole", pin, scene)


@rule("MS604", "output-fits", of=PIN)
def output_fits(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """Each output fits the JSON Schema that its target gives for it, and its format can hold it.

    *Why:* serving systems ignore keys that they do not know and start with the rest.

    *Fix:* correct the param or the template that the finding names.
    """
    return _problems("output-fits", pin, scene)


@rule("MS605", "stamp-present", of=PIN)
def stamp_present(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """The stamp of every slot is in the outputs; its image and weight where the target says it writes them.

    So is its artifact, where a template of the target writes one; and never nearest to the stamp of
    another slot.

    *Why:* a slot that the template forgot is a version that nobody serves, and a version without its
    stamp can't be found again in records. With another one's artifact the stamp is a lie.

    *Fix:* write `{{ canary.stamp }}` where the slot is served.
    """
    return _problems("stamp-present", pin, scene)


@rule("MS606", "slot-expressed", of=PIN)
def slot_expressed(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """A pin asks a target only for slots, weights and versions that it can serve.

    *Why:* what a system can't express would be left out, and a pin that says canary would compile to a
    config without one.

    *Fix:* pin it without that slot, or serve it with a target that has it (`expresses` in target.yaml).
    """
    return _problems("slot-expressed", pin, scene)


@rule("MS607", "path-own", of=(TARGET, PIN))
def path_own(entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """Every output has a clean path of its own below the folder of its pin.

    *Why:* of two outputs with one path the later wins; a path with `..` in it belongs to another pin.

    *Fix:* rename one of the outputs; with `each: slot`, put `{slot}` into the path.
    """
    return _problems("path-own", entry, scene)


@rule("MS608", "target-readable", of=(TARGET, PIN))
def target_readable(entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """A target's files are there and can be read; templates use the template language and no more.

    Templates have `{{ value }}`, `{% if %}` and `{% for %}`; no calls, filters, macros, includes,
    arithmetic or assignments. What they write is strict YAML. Schemas refer to nothing outside of them.

    *Why:* a template comes with a pull request. What it can't say, it can't do; and a template that only
    places values is one that a reviewer can read.

    *Fix:* write it with what there is; what has to be computed belongs into the core.
    """
    return _problems("target-readable", entry, scene)


@rule("MS609", "render-bounded", of=PIN)
def render_bounded(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """Rendering a template stays within limits on steps, time, memory and output.

    *Why:* a pull request must not be able to stop the check, or to fill the disk.

    *Fix:* loop over less; a config of a serving system has a few hundred lines.
    """
    return _problems("render-bounded", pin, scene)


@rule("MS610", "artifact-located", of=PIN)
def artifact_located(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """Each slot's artifact is in a store that the target can reach.

    A target says from which addresses its system loads (`loads`).

    *Why:* a config without the address of its model starts nothing, nor does one with an address that the
    system can't read.

    *Fix:* give the store a `uri` in `registry/modelspec.yaml`, as the servers see it; or let the target's
    `fetch` bring the artifact.
    """
    return _problems("artifact-located", pin, scene)
