"""What a rule is, and what it may look at."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any, Final, Literal, TypeVar

from modelspec.delta.pairs import Against
from modelspec.spec.kinds import Kind
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Finding, Problem, Severity
from modelspec.tree.protocols import Renderer

T = TypeVar("T")

Subject = Kind[Any] | tuple[Kind[Any], ...] | Literal["file", "registry"]
"""What a rule judges one at a time: the entries of a kind, or of some kinds, a broken file, the registry."""
FILE: Final = "file"
"""The subject of MS0 rules: a file of `registry/` or `templates/` that could not be read as its kind."""
REGISTRY: Final = "registry"
"""The subject of rules that look at the registry as a whole."""
NEVER_LIFTED: Final = ("MS0", "MS6")
"""The families that no waiver lifts: what can't be read or rendered can't be vouched for."""
NEVER_LOWERED: Final = ("MS0", "MS1", "MS4", "MS6")
"""The families that `severities` can't make a warning."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A rule: its code and name (both work everywhere), its subject, and the function that judges one."""

    code: str
    name: str
    subject: Subject
    judge: Callable[[Any, Scene], Iterable[Problem]]
    doc: str
    last: bool = False
    """Runs after all others and may look at their findings; never part of a compile."""
    severity: Severity = "error"
    """How severe it is where the settings say nothing."""
    whole: bool = False
    """Judged with the whole registry only: it looks beyond what a pin serves, so no compile waits for it."""
    change: bool = False
    """Judges a change of its subject between base and head; not run without a base."""

    @property
    def family(self) -> str:
        """The first three characters of the code: MS0 to MS7."""
        return self.code[:3]

    @property
    def waivable(self) -> bool:
        """Whether a waiver may lift its findings; the rules on waivers themselves run last and are not."""
        return self.family not in NEVER_LIFTED and not self.last

    @property
    def lowerable(self) -> bool:
        """Whether `severities` may make it a warning."""
        return self.family not in NEVER_LOWERED


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What rules may look at besides their subject. All of it is an argument: no clock, no disk, no git."""

    registry: Registry
    renderer: Renderer
    catalogue: tuple[Rule, ...] = ()
    now: datetime | None = None
    against: Against | None = None
    """The base that the registry is compared with."""
    trusted: frozenset[str] = frozenset()
    """The sha256 of the templates that may be rendered in this process; all others go to `renderer`."""
    found: tuple[Finding, ...] = ()
    """What the other rules found; set only for rules that run last."""
    memo: dict[object, Any] = field(default_factory=dict)

    def once(self, key: object, make: Callable[[], T]) -> T:
        """Return `make()`, computed at most once for `key`."""
        if key not in self.memo:
            self.memo[key] = make()
        value: T = self.memo[key]
        return value

    def digest(self, entry: Entry[Any]) -> str:
        """Return the spec digest of an entry, computed at most once."""
        found = self.memo.get(("digest", entry.path))
        if found is None:
            found = self.memo["digest", entry.path] = entry.digest
        return str(found)


def rule(
    code: str,
    name: str,
    *,
    of: Subject,
    last: bool = False,
    severity: Severity = "error",
    whole: bool = False,
) -> Callable[[Callable[[Any, Scene], Iterable[Problem]]], Rule]:
    """Make a rule of a function from a subject and a scene to problems; its docstring is its manual."""

    def make(judge: Callable[[Any, Scene], Iterable[Problem]]) -> Rule:
        doc = inspect.cleandoc(judge.__doc__ or "")
        return Rule(code, name, of, judge, doc, last, severity, whole)

    return make


def change_rule(
    code: str, name: str, *, of: Subject, severity: Severity = "error"
) -> Callable[[Callable[[Any, Scene], Iterable[Problem]]], Rule]:
    """Make a rule of a function from a `Change` of a kind (or for `of=REGISTRY` the `Against`) and a scene.

    It may use the base, the history and `now`, and is not run where there is no base.
    """

    def make(judge: Callable[[Any, Scene], Iterable[Problem]]) -> Rule:
        doc = inspect.cleandoc(judge.__doc__ or "")
        return Rule(code, name, of, judge, doc, severity=severity, change=True)

    return make


def family(module: ModuleType) -> Iterator[Rule]:
    """Yield the rules that a module defines, in the order of their codes."""
    found = [value for value in vars(module).values() if isinstance(value, Rule)]
    return iter(sorted(found, key=lambda one: one.code))
