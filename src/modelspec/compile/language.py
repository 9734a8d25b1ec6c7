"""The language of templates: the few constructs of Jinja2 that describe structure, and no others.

Jinja2 is the parser only. No code is generated from a template and no Python object is reached from it
(`template` walks these nodes over plain data), so there is no sandbox to escape from. What is not on the
list below is refused before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from jinja2 import Environment, TemplateSyntaxError, nodes

from modelspec.tree.protocols import RenderFault
from modelspec.tree.text import did_you_mean, visible

MARK: Final = "modelspec-hole-"
"""What every placeholder begins with; no template may have it in its source."""
MAX_SOURCE: Final = 32 * 1024
"""The most characters that a template may have."""
MAX_NESTED: Final = 24
"""How deep blocks and expressions may be nested in one another."""
MAX_FAULTS: Final = 20
READABLE: Final = "target-readable"

Node: TypeAlias = nodes.Node

TESTS: Final = ("defined", "undefined", "none", "mapping", "string")
_ALLOWED: Final[tuple[type[Node], ...]] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For,
    nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const, nodes.List, nodes.Tuple,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Test, nodes.CondExpr,
)  # fmt: skip
_WORDS: Final[dict[type[Node], tuple[str, str]]] = {
    nodes.Call: ("a call", "templates only place values; the core computes them"),
    nodes.Filter: ("a filter", "templates only place values; the core computes them"),
    nodes.FilterBlock: ("a filter", "templates only place values; the core computes them"),
    nodes.Macro: ("a macro", "write it out"),
    nodes.CallBlock: ("a call", "write it out"),
    nodes.Include: ("include", "write it out: an output is one template"),
    nodes.Import: ("import", "write it out: an output is one template"),
    nodes.FromImport: ("import", "write it out: an output is one template"),
    nodes.Extends: ("extends", "write it out: an output is one template"),
    nodes.Block: ("a block", "write it out"),
    nodes.Assign: ("set", "use the value where it is needed"),
    nodes.AssignBlock: ("set", "use the value where it is needed"),
    nodes.With: ("with", "use the value where it is needed"),
    nodes.Concat: ("`~`", "a hole is a whole scalar: ask for a value that is already whole, such as uri"),
    nodes.Slice: ("a slice", "use an index"),
    nodes.Dict: ("a map", "write it as YAML"),
}
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

_PARSER: Final = Environment(  # noqa: S701 (nothing is rendered by it: it only parses)
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, extensions=()
)


def parse(source: str) -> nodes.Template | tuple[RenderFault, ...]:
    """Return the tree of a template that uses the language and nothing else; or all that is wrong with it."""
    if len(source) > MAX_SOURCE:
        message = f"the template has {len(source):,} characters; the limit is {MAX_SOURCE:,}"
        return (RenderFault(READABLE, message, 1, "split it into several outputs"),)
    literal = source.find(MARK)
    if literal >= 0:
        line = source.count("\n", 0, literal) + 1
        return (RenderFault(READABLE, f"`{MARK}` is how holes are marked", line, "use another text"),)
    try:
        tree = _PARSER.parse(source)
    except TemplateSyntaxError as error:
        said = visible(error.message or "a syntax error", limit=160)
        return (RenderFault(READABLE, f"this is no template: {said}", error.lineno),)
    except RecursionError:
        return (_too_deep(1),)
    except ValueError:
        # An integer of more than 4,300 digits.
        return (RenderFault(READABLE, "a number is too long", None, "write it as text"),)
    faults = []
    for fault in _judge(tree):
        faults.append(fault)
        if len(faults) == MAX_FAULTS:
            break
    return tuple(faults) or tree


def _too_deep(line: int) -> RenderFault:
    return RenderFault(READABLE, f"nested deeper than {MAX_NESTED} levels", line, "flatten it")


def _judge(tree: nodes.Template) -> Iterator[RenderFault]:
    stack: list[tuple[Node, int]] = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_NESTED:
            yield _too_deep(node.lineno)
            return
        if not isinstance(node, _ALLOWED):
            what, fix = _words(node)
            yield RenderFault(READABLE, f"{what} is not part of the template language", node.lineno, fix)
            continue
        yield from _particular(node)
        # `elif` is a chain of nodes in a list, not nesting.
        stack.extend((child, depth + 1) for child in reversed(list(node.iter_child_nodes())))


def _words(node: Node) -> tuple[str, str]:
    if isinstance(node, nodes.BinExpr | nodes.UnaryExpr) and not isinstance(node, nodes.Concat):
        return "arithmetic", "templates only place values; the core computes them"
    return _WORDS.get(type(node), (f"`{type(node).__name__.lower()}`", "write it without"))


def _particular(node: Any) -> Iterator[RenderFault]:
    """Judge what is allowed in one form only."""
    line: int = node.lineno
    if isinstance(node, nodes.For):
        if node.recursive or node.test is not None or node.else_:
            fix = "write `{% for x in xs %}` with an `{% if %}` inside"
            yield RenderFault(READABLE, "for takes no `if`, `else` or `recursive`", line, fix)
        if not isinstance(node.target, nodes.Name):
            fix = "loop over the keys, and use map[key]"
            yield RenderFault(READABLE, "for takes one name", line, fix)
    elif isinstance(node, nodes.Name):
        if not _IDENTIFIER.fullmatch(node.name):
            yield RenderFault(READABLE, f"{visible(node.name)} is no name of the template language", line)
    elif isinstance(node, nodes.Getattr):
        if not _IDENTIFIER.fullmatch(node.attr):
            yield RenderFault(READABLE, f"{visible(node.attr)} is no name of the template language", line)
    elif isinstance(node, nodes.Test):
        if node.name not in TESTS or node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
            known = ", ".join(TESTS)
            fix = did_you_mean(node.name, TESTS) or f"there are: {known}"
            yield RenderFault(READABLE, f"the test {visible(node.name)} is not known", line, fix)
    elif isinstance(node, nodes.List | nodes.Tuple):
        if not all(isinstance(item, nodes.Const) for item in node.items):
            yield RenderFault(READABLE, "a list in a template holds constants only", line)
    elif isinstance(node, nodes.CondExpr) and node.expr2 is None:
        fix = "write `a if condition else b`"
        yield RenderFault(READABLE, "`if` in an expression needs its `else`", line, fix)
    elif isinstance(node, nodes.Output):
        for item in node.nodes:
            if isinstance(item, nodes.List | nodes.Tuple):
                yield RenderFault(READABLE, "a hole takes one value", line, "write the list as YAML")


def free_names(tree: nodes.Template) -> tuple[tuple[str, int], ...]:
    """Return each name that the template takes from its context, with its line; loop variables are not."""
    found: dict[tuple[str, int], None] = {}
    _free(tree, frozenset(), found)
    return tuple(found)


def _free(node: Node, bound: frozenset[str], found: dict[tuple[str, int], None]) -> None:
    if isinstance(node, nodes.Name):
        if node.name not in bound:
            found[node.name, node.lineno] = None
    elif isinstance(node, nodes.For):
        _free(node.iter, bound, found)
        inside = bound | {node.target.name} if isinstance(node.target, nodes.Name) else bound
        for child in node.body:
            _free(child, inside, found)
    elif isinstance(node, nodes.Test) and node.name in ("defined", "undefined"):
        # Whether a name is there is what is asked.
        if not isinstance(node.node, nodes.Name):
            _free(node.node, bound, found)
    else:
        for child in node.iter_child_nodes():
            _free(child, bound, found)
