"""CODEOWNERS from the owners that models, views and environments name.

Sources: GitHub, About code owners; GitLab, Code Owners syntax (sections). Of the lines that match a file, the
last one counts: on GitLab the last one of each section, and every section has to approve.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from modelspec.spec.kinds import ENVIRONMENT, MODEL, VIEW
from modelspec.spec.registry import Registry
from modelspec.tree.data import Data
from modelspec.tree.text import visible

BEGIN: Final = "# modelspec codeowners: begin"
END: Final = "# modelspec codeowners: end"
_BLOCK: Final = re.compile(f"^{BEGIN}$.*?^{END}$\n?", re.DOTALL | re.MULTILINE)
_OWNER: Final = re.compile(
    r"@[A-Za-z0-9](?:[\w.-]*\w)?(?:/[\w.-]*\w)*|[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", re.ASCII
)
_SPECIAL: Final = re.compile(r"([\\ #\[\]*?!])")


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose approval files need: a pattern from the root of the repository, and its owners."""

    section: Literal["registry", "models", "features", "environments"]
    pattern: str
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Owners:
    """The lines, and the files whose `owner` is nobody that a forge knows: `path: owner`."""

    owned: tuple[Owned, ...]
    unknown: tuple[str, ...]


def owners(registry: Registry, prefix: str = "", default: tuple[str, ...] = ()) -> Owners:
    """Return who owns what. `prefix`: the folder of the registry in its repository; `default` owns the rest.

    A model's owner approves its files and its pins; an owner of an environment approves every pin there in
    place of the models' owners. An environment's lines come last, so that they count.
    """
    owned: list[Owned] = []
    unknown: list[str] = []

    def known(path: str, text: str | None) -> tuple[str, ...]:
        names = (text or "").replace(",", " ").split()
        if names and all(map(is_owner, names)):
            return tuple(dict.fromkeys(names))
        if text is not None:
            unknown.append(f"{visible(path, 300)}: {visible(text)}")
        return ()

    base = "/" + _SPECIAL.sub(r"\\\1", prefix)
    if default:
        owned += [Owned("registry", f"{base}{folder}/", default) for folder in ("registry", "templates")]
    for model in registry.entries(MODEL):
        if who := known(model.path, model.value.owner):
            name = model.value.model
            owned.append(Owned("models", f"{base}registry/models/{name}/", who))
            owned.append(Owned("models", f"{base}registry/environments/*/models/{name}.yaml", who))
    for view in registry.entries(VIEW):
        if who := known(view.path, view.value.owner):
            name = view.value.view
            owned.append(Owned("features", f"{base}registry/features/{name}/", who))
            owned.append(Owned("features", f"{base}registry/environments/*/features/{name}.yaml", who))
    for environment in registry.entries(ENVIRONMENT):
        if who := known(environment.path, environment.value.owner):
            place = f"{base}registry/environments/{environment.value.environment}/"
            owned.append(Owned("environments", place, who))
    return Owners(tuple(owned), tuple(unknown))


def is_owner(name: str) -> bool:
    """Whether a name is one that a forge takes: @user, @group/team, an address."""
    return _OWNER.fullmatch(name) is not None


def codeowners_text(found: Owners, *, sections: bool) -> str:
    """Return the block of lines, between two marks, so that lines around it are nobody's business here."""
    return "\n".join([BEGIN, *_lines(found.owned, sections=sections), END]) + "\n"


def block_of(text: str) -> str | None:
    """Return the block that stands in a CODEOWNERS file, None where there is none."""
    found = _BLOCK.search(text.replace("\r\n", "\n"))
    return None if found is None else found.group().rstrip("\n") + "\n"


def codeowners_json(found: Owners) -> str:
    """Return the shape `modelspec/codeowners/1`."""
    rules: list[Data] = [
        {"section": one.section, "pattern": one.pattern, "owners": list(one.owners)} for one in found.owned
    ]
    data: Data = {"format": "modelspec/codeowners/1", "rules": rules, "unknown": list(found.unknown)}
    return json.dumps(data, indent=2) + "\n"


def _lines(owned: Iterable[Owned], *, sections: bool) -> Iterator[str]:
    section = ""
    for one in owned:
        if sections and one.section != section:
            section = one.section
            yield f"[modelspec {section}]"
        yield f"{one.pattern} {' '.join(one.owners)}"
