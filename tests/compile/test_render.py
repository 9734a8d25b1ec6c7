"""Templates with holes: values never become structure, and every hole knows where it went."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from modelspec.compile.language import MARK
from modelspec.compile.render import HoleRenderer
from modelspec.compile.template import Run, compiled
from modelspec.tree.data import Data, at
from modelspec.tree.protocols import Hole, Rendered, RenderFault

CONTEXT: dict[str, Data] = {
    "model": "eta",
    "params": {"replicas": {"min": 2}, "labels": {"team": "maps", "n": 1}, "note": "a: b\nc: d", "empty": {}},
    "slots": [
        {"name": "stable", "weight": 90, "stamp": "sha256-aa", "image": None},
        {"name": "canary", "weight": 10, "stamp": "sha256-bb", "image": "r@sha256:00"},
    ],
    "yes": True,
    "no": False,
    "text": "x",
}


def data(source: str, context: dict[str, Data] | None = None) -> Data:
    rendered = HoleRenderer().render(source, CONTEXT if context is None else context)
    assert isinstance(rendered, Rendered), rendered
    return rendered.data


def fault(source: str, context: dict[str, Data] | None = None) -> RenderFault:
    rendered = HoleRenderer().render(source, CONTEXT if context is None else context)
    assert isinstance(rendered, RenderFault), rendered
    return rendered


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a: {{ model }}\n", {"a": "eta"}),
        ("a: {{ params.replicas.min }}\n", {"a": 2}),
        ("a: {{ params['replicas']['min'] }}\n", {"a": 2}),
        ("a: '{{ slots[0].weight }}'\nb: \"{{ yes }}\"\n", {"a": "90", "b": "true"}),
        ("a: [{{ model }}, {{ text }}]\nb: {c: {{ yes }}}\n", {"a": ["eta", "x"], "b": {"c": True}}),
        ("a: {{ params.note }}\n", {"a": "a: b\nc: d"}),
        ("a: {{ params.labels }}\nb: {{ slots }}\n", {"a": {"team": "maps", "n": 1}, "b": CONTEXT["slots"]}),
        ("{{ model }}: 1\n'{{ slots[0].weight }}': 2\n", {"eta": 1, "90": 2}),
        ("{% for s in slots %}\n- {{ s.name }}\n{% endfor %}\n", ["stable", "canary"]),
        ("{% for k in params.labels %}\n{{ k }}: {{ params.labels[k] }}\n{% endfor %}\n",
         {"team": "maps", "n": 1}),
        ("{% if slots[0].image %}\nb: 2\n{% elif no %}\nb: 3\n{% else %}\nb: 4\n{% endif %}\n", {"b": 4}),
        ("a: {{ 1 if slots[1].weight >= 10 and not no else 2 }}\n", {"a": 1}),
        ("a: {{ params.x if params.x is defined else 'none' }}\n", {"a": "none"}),
        ("a: {{ nowhere.x.y is undefined }}\n", {"a": True}),
        ("a: {{ model in ['eta', 'b'] }}\nb: {{ 'n' not in params.labels }}\n", {"a": True, "b": False}),
        ("a: {{ params.labels is mapping }}\nb: {{ model is string }}\n", {"a": True, "b": True}),
        ("a: {{ slots[0].image is none }}\n", {"a": True}),
        ("# a comment\na: {{ model }}  # and one more\n", {"a": "eta"}),
        ("{# no hole: {{ nowhere }} #}\na: {{ no or text }}\n", {"a": "x"}),
        ("{% for s in slots %}{% for s in params.empty %}\nx: 1\n{% endfor %}\n{{ s.name }}: 1\n{% endfor %}",
         {"stable": 1, "canary": 1}),
    ],
)  # fmt: skip
def test_templates_describe_structure_and_holes_place_values(source: str, expected: Data) -> None:
    found = data(source)
    assert found == expected
    assert json.dumps(found) == json.dumps(expected)


def test_each_hole_knows_where_it_went_and_where_it_came_from() -> None:
    source = (
        "name: {{ model }}\nweights:\n{% for slot in slots %}\n  {{ slot.name }}:\n"
        "    - {{ slot.weight }}\n    - {{ 'constant' }}\n{% endfor %}\nall: {{ params.labels }}\n"
    )
    rendered = HoleRenderer().render(source, CONTEXT)
    assert isinstance(rendered, Rendered)
    assert rendered.holes == (
        Hole(("name",), ("model",), 1),
        Hole(("weights", "stable"), ("slots", 0, "name"), 4, key=True),
        Hole(("weights", "stable", 0), ("slots", 0, "weight"), 5),
        Hole(("weights", "stable", 1), (), 6),
        Hole(("weights", "canary"), ("slots", 1, "name"), 4, key=True),
        Hole(("weights", "canary", 0), ("slots", 1, "weight"), 5),
        Hole(("weights", "canary", 1), (), 6),
        Hole(("all",), ("params", "labels"), 8),
    )
    for hole in rendered.holes:
        if hole.source and not hole.key:
            assert at(rendered.data, hole.route) == at(CONTEXT, hole.source)


@pytest.mark.parametrize(
    ("source", "rule", "line"),
    [
        ("a: 1\nb: oci://{{ model }}\n", "hole-whole", 2),
        ("a: {{ model }}-{{ text }}\n", "hole-whole", 1),
        ("a: {{ model }}{{ text }}\n", "hole-whole", 1),
        ("a: |\n  b\n  {{ model }}\n", "hole-whole", 3),
        ("a: {{ model }}\n  {{ text }}\n", "hole-whole", 1),
        ("a: 1\n# {{ model }}\n", "hole-whole", 2),
        ("a: '{{ params.labels }}'\n", "hole-whole", 1),
        ("a: 1\n{{ slots[0].weight }}: 1\n", "hole-whole", 2),
        ("eta: 1\n{{ model }}: 1\n", "hole-whole", 2),
        ("{{ model }}: 1\neta: 1\n", "hole-whole", 1),
        ("{{ model }}: 1\n{{ model }}: 1\n", "hole-whole", 2),
        ("{{ params.labels }}: 1\n", "hole-whole", 1),
        ("a: 1\nb: {{ modle }}\n", "name-defined", 2),
        ("a: {{ slots[2].name }}\n", "name-defined", 1),
        ("a: {{ slots.first }}\n", "name-defined", 1),
        ("a: {{ slots[true].name }}\n", "name-defined", 1),
        ("a: {{ model.upper }}\n", "name-defined", 1),
        ("a: {{ params.labels.items }}\n", "name-defined", 1),
        ("\n\na: {{ slots[0].image }}\n", "name-defined", 3),
        ("{% for x in model %}\na: 1\n{% endfor %}\n", "name-defined", 1),
        ("a: {{ slots[0].weight < model }}\n", "name-defined", 1),
        ("a: {{ slots == slots }}\n", "name-defined", 1),
        ("a: {{ params in slots }}\n", "name-defined", 1),
        ("a: {{ 1 in model }}\n", "name-defined", 1),
        ("{% if no %}\na: 1\n{% endif %}\n", "target-readable", None),
        ("a: 1\n{% for s in slots %}\nb: no\n{% endfor %}\n", "target-readable", 3),
        ("a: 1\nb: 2\n\n{% if yes %}\n  c: 1\n{% endif %}\n", "target-readable", 5),
    ],
)  # fmt: skip
def test_what_can_not_be_placed_is_refused_with_its_line(source: str, rule: str, line: int | None) -> None:
    found = fault(source)
    assert found.rule == rule
    assert line is None or found.line == line


def test_an_unknown_name_says_what_was_meant() -> None:
    assert fault("a: {{ modle }}\n").fix == "did you mean model?"
    assert fault("a: {{ params.replica }}\n").fix == "did you mean replicas?"
    found = fault("a: {{ params.replicas.least }}\n")
    assert found.message == "params.replicas has no least"


VALUES = st.one_of(
    st.sampled_from(["x: y", "x\ny: z", "- a", "{a: b}", "no", "&a", "*a", "!t", "'", '"', "\\", "{{ a }}"]),
    st.text(max_size=20),
    st.text(alphabet="modelspc-h0123456789\n :{}'\"", max_size=40),
    st.integers(-5, 5),
    st.booleans(),
)  # fmt: skip


@settings(max_examples=200)
@given(value=VALUES, key=st.text(max_size=10))
def test_no_value_ever_becomes_structure(value: Data, key: str) -> None:
    source = "a: {{ value }}\nb: [{{ value }}, {c: {{ value }}}]\nd:\n  {{ key }}: {{ value }}\n"
    expected = {"a": value, "b": [value, {"c": value}], "d": {key: value}}
    assert data(source, {"value": value, "key": key}) == expected


PIECES = st.recursive(
    st.sampled_from(["t\n", "{{ a }}", "{{ m.k }}", "{{ xs[0] }}", "{{ 'c' }}", "{# c #}", "{{ x or a }}"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map("".join),
        inner.map(lambda body: "{% if b %}\n" + body + "{% else %}" + body + "{% endif %}\n"),
        inner.map(lambda body: "{% if a == 'A' and not b or n > 3 %}" + body + "{% endif %}"),
        inner.map(lambda body: "{% if 1 < n <= 3 %}" + body + "{% elif n in ns %}\n" + body + "{% endif %}"),
        inner.map(lambda body: "{% for x in xs %}\n" + body + "{{ x }}\n{% endfor %}"),
        inner.map(lambda body: "  {%- for x in m -%}  " + body + "{%- endfor %}\n"),
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=200)
@given(source=PIECES, flag=st.booleans(), number=st.integers(0, 5))
def test_a_template_means_what_it_means_to_jinja(source: str, flag: bool, number: int) -> None:
    context: dict[str, Data] = {
        "a": "A", "b": flag, "n": number, "ns": [1, 2], "m": {"k": "v", "l": "w"}, "xs": ["1", "2"], "x": "X"
    }  # fmt: skip
    jinja = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    try:
        expected = jinja.from_string(source).render(context)
    except TemplateError:
        expected = None
    template = compiled(source)
    assert not isinstance(template, tuple)
    run = template.run(context)
    if expected is None:
        assert isinstance(run, RenderFault)
        return
    assert isinstance(run, Run)
    text = run.text()
    for index, filling in enumerate(run.fillings):
        text = text.replace(f"{run.mark}{index}-", str(filling.value), 1)
    assert text == expected


def test_templates_and_texts_are_read_once() -> None:
    renderer = HoleRenderer()
    source = "a: {{ model }}\n"
    assert renderer.template(source) is renderer.template(source)
    first = renderer.render(source, {"model": "one"})
    second = renderer.render(source, {"model": "two"})
    assert isinstance(first, Rendered) and isinstance(second, Rendered)
    assert (first.data, second.data) == ({"a": "one"}, {"a": "two"})


def test_a_placeholder_can_not_be_forged_by_its_pieces() -> None:
    source = "a: {{ model }}\nb: modelspec-{% if yes %}hole-0000000000000000-0-{% endif %}\n"
    assert fault(source).rule == "hole-whole"
    assert fault(f"a: {MARK}0-\n").rule == "target-readable"
