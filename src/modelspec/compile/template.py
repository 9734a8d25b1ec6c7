"""A template made ready to run: its tree as functions over plain data, with every step counted."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, TypeAlias

from jinja2 import nodes

from modelspec.compile.language import MARK, free_names, parse
from modelspec.tree.data import Data
from modelspec.tree.place import Route
from modelspec.tree.protocols import RenderFault
from modelspec.tree.snapshot import LIMIT
from modelspec.tree.text import did_you_mean, visible

MAX_STEPS: Final = 100_000
"""Nodes of a template that one rendering may visit, loops unrolled."""
BOUNDED: Final = "render-bounded"
DEFINED: Final = "name-defined"
_COMPARABLE: Final = "compare text, numbers or truth values"


class Stop(Exception):
    """The rendering ends here; `fault` says why."""

    def __init__(self, fault: RenderFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class _Missing(Exception):
    """A name, key or index that is not there: whether that is a fault is for whoever asked."""

    def __init__(self, message: str, line: int, word: str = "", known: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message, self.line, self.word, self.known = message, line, word, known

    def fault(self) -> RenderFault:
        """Return it as a fault; what was meant is looked for only now."""
        return RenderFault(DEFINED, self.message, self.line, did_you_mean(self.word, self.known))


@dataclass(frozen=True, slots=True)
class Filling:
    """The value of one hole, where it came from, and the line of the template that asked for it."""

    value: Data
    source: Route
    line: int


@dataclass(slots=True)
class Run:
    """One rendering on its way: what was written so far, and what its holes hold."""

    mark: str
    names: dict[str, tuple[Data, Route]]
    steps: int = 0
    size: int = 0
    pieces: list[tuple[str, int]] = field(default_factory=list)
    """(text, line of the template where it begins)."""
    fillings: list[Filling] = field(default_factory=list)

    def step(self, count: int, line: int) -> None:
        """Count work; stop when it is too much."""
        self.steps += count
        if self.steps > MAX_STEPS:
            raise Stop(RenderFault(BOUNDED, f"takes more than {MAX_STEPS:,} steps", line, "loop over less"))

    def write(self, text: str, line: int) -> None:
        """Add text to the output; stop when it is too much."""
        self.size += len(text)
        if self.size > LIMIT:
            message = f"writes more than {LIMIT:,} characters"
            raise Stop(RenderFault(BOUNDED, message, line, "write less into one file"))
        self.pieces.append((text, line))

    def text(self) -> str:
        """Return all that was written."""
        return "".join(text for text, _ in self.pieces)

    def line_of(self, written: int) -> int:
        """Return the line of the template that wrote a line of the text (both from 1)."""
        seen, last = 1, 1
        for text, line in self.pieces:
            ends = text.count("\n")
            # What follows its last line feed is the next piece's.
            if seen + ends - text.endswith("\n") >= written:
                return line + written - seen
            seen, last = seen + ends, line + ends
        return last


_Value: TypeAlias = Callable[[Run], tuple[Data, Route]]
_Step: TypeAlias = Callable[[Run], None]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A template that was parsed and judged."""

    mark: str
    free: tuple[tuple[str, int], ...]
    """The names that it takes from its context, with their lines."""
    body: _Step

    def run(self, context: Mapping[str, Data]) -> Run | RenderFault:
        """Render over a context; every hole is a placeholder in the text."""
        run = Run(self.mark, {name: (value, (name,)) for name, value in context.items()})
        try:
            self.body(run)
        except Stop as stop:
            return stop.fault
        except _Missing as missing:
            return missing.fault()
        return run


@lru_cache(maxsize=256)
def compiled(source: str) -> Template | tuple[RenderFault, ...]:
    """Return the template that a source holds, or all that is wrong with it."""
    tree = parse(source)
    if isinstance(tree, tuple):
        return tree
    # The mark depends on the source, so no source can spell its own.
    mark = MARK + sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16] + "-"
    return Template(mark, free_names(tree), _body(tree.body))


def _body(children: list[Any]) -> _Step:
    steps: list[_Step] = []
    for child in children:
        if isinstance(child, nodes.Output):
            steps += [
                _text(one) if isinstance(one, nodes.TemplateData) else _hole(one) for one in child.nodes
            ]
        else:
            steps.append(_if(child) if isinstance(child, nodes.If) else _for(child))
    if len(steps) == 1:
        return steps[0]

    def body(run: Run) -> None:
        for step in steps:
            step(run)

    return body


def _text(node: nodes.TemplateData) -> _Step:
    text, line = node.data, node.lineno

    def step(run: Run) -> None:
        run.step(1, line)
        run.write(text, line)

    return step


def _hole(node: Any) -> _Step:
    value, size, line = _value(node), _size(node), node.lineno

    def step(run: Run) -> None:
        run.step(size, line)
        found, source = value(run)
        if found is None:
            fix = "write it only where there is one: {% if ... %}"
            raise Stop(RenderFault(DEFINED, f"{_spelled(node)} has no value here", line, fix))
        run.write(f"{run.mark}{len(run.fillings)}-", line)
        run.fillings.append(Filling(found, source, line))

    return step


def _if(node: nodes.If) -> _Step:
    arms = [(_value(arm.test), _size(arm.test), arm.lineno, _body(arm.body)) for arm in (node, *node.elif_)]
    last = _body(node.else_)

    def step(run: Run) -> None:
        for test, size, line, body in arms:
            run.step(size, line)
            if test(run)[0]:
                return body(run)
        return last(run)

    return step


def _for(node: Any) -> _Step:
    each, size, line, body = _value(node.iter), _size(node.iter), node.lineno, _body(node.body)
    name: str = node.target.name

    def step(run: Run) -> None:
        run.step(size, line)
        found, source = each(run)
        if isinstance(found, dict):
            items: list[tuple[Data, Route]] = [(key, ()) for key in found]
        elif isinstance(found, list):
            items = [(item, (*source, index) if source else ()) for index, item in enumerate(found)]
        else:
            raise Stop(RenderFault(DEFINED, f"{_spelled(node.iter)} is no list and no map", line))
        hidden = run.names.get(name)
        for item in items:
            run.step(1, line)
            run.names[name] = item
            body(run)
        if hidden is not None:
            run.names[name] = hidden
        else:
            run.names.pop(name, None)

    return step


def _size(node: nodes.Node) -> int:
    return 1 + sum(_size(child) for child in node.iter_child_nodes())


def _value(node: Any) -> _Value:
    """Return how an expression gives its value, and the route in the context that it came from."""
    return _VALUES[type(node)](node)


def _name(node: nodes.Name) -> _Value:
    name, line = node.name, node.lineno

    def value(run: Run) -> tuple[Data, Route]:
        found = run.names.get(name)
        if found is None:
            raise _Missing(f"{visible(name)} is not defined", line, name, run.names)
        return found

    return value


def _item(node: Any) -> _Value:
    whole, line, spelled = _value(node.node), node.lineno, _spelled(node.node)
    key = _constant(node.attr) if isinstance(node, nodes.Getattr) else _value(node.arg)

    def value(run: Run) -> tuple[Data, Route]:
        inside, source = whole(run)
        part = key(run)[0]
        if isinstance(inside, dict) and isinstance(part, str):
            if part in inside:
                return inside[part], (*source, part) if source else ()
            raise _Missing(f"{spelled} has no {visible(part)}", line, part, inside)
        if isinstance(inside, list) and type(part) is int and 0 <= part < len(inside):
            return inside[part], (*source, part) if source else ()
        raise _Missing(f"{spelled} has no {visible(str(part))}", line)

    return value


def _constant(value: Data) -> _Value:
    return lambda _: (value, ())


def _const(node: nodes.Const) -> _Value:
    return _constant(node.value)


def _list(node: Any) -> _Value:
    return _constant([item.value for item in node.items])


def _and(node: nodes.And) -> _Value:
    left, right = _value(node.left), _value(node.right)

    def value(run: Run) -> tuple[Data, Route]:
        found = left(run)
        return right(run) if found[0] else found

    return value


def _or(node: nodes.Or) -> _Value:
    left, right = _value(node.left), _value(node.right)

    def value(run: Run) -> tuple[Data, Route]:
        found = left(run)
        return found if found[0] else right(run)

    return value


def _not(node: nodes.Not) -> _Value:
    inner = _value(node.node)
    return lambda run: (not inner(run)[0], ())


def _either(node: Any) -> _Value:
    test, one, two = _value(node.test), _value(node.expr1), _value(node.expr2)
    return lambda run: one(run) if test(run)[0] else two(run)


def _test(node: nodes.Test) -> _Value:
    inner, name = _value(node.node), node.name

    def value(run: Run) -> tuple[Data, Route]:
        try:
            found = inner(run)[0]
        except _Missing:
            if name in ("defined", "undefined"):
                return name == "undefined", ()
            raise
        return _TESTS[name](found), ()

    return value


_TESTS: Final[dict[str, Callable[[Data], bool]]] = {
    "defined": lambda _: True,
    "undefined": lambda _: False,
    "none": lambda value: value is None,
    "mapping": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}


def _compare(node: nodes.Compare) -> _Value:
    first = _value(node.expr)
    rest = [(one.op, _value(one.expr), node.lineno) for one in node.ops]

    def value(run: Run) -> tuple[Data, Route]:
        left = first(run)[0]
        for op, other, line in rest:
            right = other(run)[0]
            if not _holds(run, op, left, right, line):
                return False, ()
            left = right
        return True, ()

    return value


def _holds(run: Run, op: str, left: Data, right: Data, line: int) -> bool:
    # Only scalars are compared, so that one step is never much work.
    if isinstance(left, list | dict):
        raise Stop(RenderFault(DEFINED, "a list or a map can't be compared", line, _COMPARABLE))
    if op in ("in", "notin"):
        if isinstance(right, list):
            run.step(len(right), line)
        elif not isinstance(right, dict) and not (isinstance(right, str) and isinstance(left, str)):
            fix = "look in a list, a map's keys or a text"
            raise Stop(RenderFault(DEFINED, "`in` can't look into this", line, fix))
        return (left in right) == (op == "in")
    if isinstance(right, list | dict):
        raise Stop(RenderFault(DEFINED, "a list or a map can't be compared", line, _COMPARABLE))
    try:
        return _COMPARE[op](left, right)
    except TypeError:
        raise Stop(RenderFault(DEFINED, "these two have no order", line, _COMPARABLE)) from None


def _spelled(node: Any) -> str:
    """Return a path as the template spells it, for messages."""
    if isinstance(node, nodes.Name):
        return visible(node.name)
    if isinstance(node, nodes.Getattr):
        return visible(f"{_spelled(node.node)}.{node.attr}")
    if isinstance(node, nodes.Getitem):
        return visible(f"{_spelled(node.node)}[{_spelled(node.arg)}]")
    return visible(repr(node.value)) if isinstance(node, nodes.Const) else "this"


_VALUES: Final[dict[type[nodes.Node], Callable[[Any], _Value]]] = {
    nodes.Name: _name,
    nodes.Getattr: _item,
    nodes.Getitem: _item,
    nodes.Const: _const,
    nodes.List: _list,
    nodes.Tuple: _list,
    nodes.And: _and,
    nodes.Or: _or,
    nodes.Not: _not,
    nodes.CondExpr: _either,
    nodes.Test: _test,
    nodes.Compare: _compare,
}
