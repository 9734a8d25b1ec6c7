"""MS0: the registry's settings: severities that exist, a tool new enough, stores that can be found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import modelspec
from modelspec.rules.manual import meant
from modelspec.rules.rule import Rule, Scene, rule
from modelspec.spec.kinds import SETTINGS
from modelspec.spec.reader import Entry
from modelspec.spec.settings import Settings, StoreSettings
from modelspec.tree.finding import Problem
from modelspec.tree.paths import path_trouble
from modelspec.tree.text import visible
from modelspec.tree.uri import store_uri_trouble

_OURS: Final = ("registry", "templates", "compiled")
"""Folders that hold something else; compiled/ is replaced whole."""


@rule("MS014", "settings-known", of=SETTINGS)
def settings_known(settings: Entry[Settings], scene: Scene) -> Iterator[Problem]:
    """`severities` names rules that exist and may be lowered; `requires` asks for no newer modelspec.

    Rules of MS0 (reading), MS1 (hashes), MS4 (immutability) and MS6 (rendering) stay errors.

    *Why:* a severity that is set for a misspelled rule sets nothing. A registry that needs a newer tool
    may use what this one would read wrongly.

    *Fix:* correct the name; install the version of modelspec that is asked for.
    """
    known: dict[str, Rule] = {label: one for one in scene.catalogue for label in (one.code, one.name)}
    seen: dict[str, str] = {}
    for label, severity in settings.value.severities.items():
        place = settings.key("severities", label)
        one = known.get(label)
        if one is None:
            yield Problem(place, f"there is no rule {visible(label)}", fix=meant(label, scene.catalogue))
        elif severity == "warn" and not one.lowerable:
            yield Problem(
                place,
                f"{one.code} {one.name} can't be lowered",
                fix="remove the line, and mend what is found",
            )
        elif seen.setdefault(one.code, label) != label:
            yield Problem(place, f"{one.code} {one.name} stands here twice", fix="keep one of the two")
    requires = settings.value.requires
    if requires is not None and _release(requires) > _release(modelspec.__version__):
        yield Problem(
            settings.place("requires"),
            f"the registry requires modelspec {requires}; this is {modelspec.__version__}",
            fix=f'pip install "modelspec-gitops{requires}"',
        )


@rule("MS015", "stores-clean", of=SETTINGS)
def stores_clean(settings: Entry[Settings], scene: Scene) -> Iterator[Problem]:
    """A store has a `path` in this repository or a `uri`, and both are clean.

    A path is relative, without `..`, and outside `registry/`, `templates/` and `compiled/`. A URI has
    one of the schemes that are listed in the documentation of the file formats, or `fsspec+` before any
    other, and no escape, query, fragment, parameter or user info.

    *Why:* store addresses are joined with digests and given to servers; each of these characters was a
    way out of a store in some registry.

    *Fix:* write the form that is printed. Credentials and endpoints belong to the machine, not in git.
    """
    for name, store in settings.value.stores.items():
        if store.path is None and store.uri is None:
            yield Problem(
                settings.key("stores", name),
                f"the store {name} has neither path nor uri",
                fix="add `path:` for a folder in this repository, or `uri:` for where servers find it",
            )
        yield from _path(settings, name, store)
        if store.uri is not None:
            trouble = store_uri_trouble(store.uri)
            if trouble is not None:
                yield Problem(
                    settings.place("stores", name, "uri"),
                    # The uri may hold a password: it is not repeated.
                    f"the uri of {name} {trouble}",
                    fix="write a plain address such as s3://bucket/folder",
                )


def _path(settings: Entry[Settings], name: str, store: StoreSettings) -> Iterator[Problem]:
    if store.path is None:
        return
    place = settings.place("stores", name, "path")
    trouble = path_trouble(store.path)
    if trouble is not None:
        yield Problem(
            place, f"the path {visible(store.path)} {trouble}", fix="write a folder from the root: `store`"
        )
    elif store.path.split("/")[0] in _OURS:
        folder = store.path.split("/")[0]
        yield Problem(place, f"a store can't lie in {folder}/", fix="write a folder of its own: `store`")


def _release(text: str) -> tuple[int, ...]:
    """Return the numbers of `>=0.1` or `0.1.0.dev1` that order releases: major, minor, patch."""
    numbers = [int(part) for part in re.findall(r"\d+", text)[:3]]
    return (*numbers, *[0] * (3 - len(numbers)))
