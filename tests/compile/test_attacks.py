"""Templates from a hostile pull request: each is a finding, at once, and nothing of it runs.

The first seventeen are those of which plain Jinja ran code in five; the sandbox of Jinja lets the others
through. Each stands in a registry that is otherwise right.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from rules.cases import findings

TEMPLATE = "templates/plain/slots.yaml.j2"
CLASSES = "''.__class__.__mro__[1].__subclasses__()"
ATTACKS = {
    "class walk": "a: {{ " + CLASSES + " }}\n",
    "class walk by items": "a: {{ ''['__class__']['__base__'] }}\n",
    "class walk by filter": "a: {{ '' | attr('__class__') }}\n",
    "globals of a function": "a: {{ lipsum.__globals__['os'].popen('id').read() }}\n",
    "globals of a global": "a: {{ cycler.__init__.__globals__.os.environ }}\n",
    "builtins of a global": "a: {{ joiner.__init__.__globals__.__builtins__.open('/etc/hosts') }}\n",
    "the template itself": "a: {{ self._TemplateReference__context }}\n",
    "the configuration": "a: {{ config }}\n",
    "format string": "a: {{ '{0.__class__.__mro__}'.format(model) }}\n",
    "format string by map": "a: {{ '{a.__class__}'.format_map({'a': model}) }}\n",
    "method of a value": "{% set x = slots.clear() %}\na: 1\n",
    "change of a value": "{% do slots.append(1) %}\na: 1\n",
    "import": "{% import 'os' as os %}\na: {{ os.system('id') }}\n",
    "from import": "{% from 'slots.yaml.j2' import x %}\na: 1\n",
    "include of a file": "{% include '/etc/passwd' %}\n",
    "extends": "{% extends '../../registry/modelspec.yaml' %}\n",
    "macro that calls itself": "{% macro f() %}{{ f() }}{% endmacro %}\na: {{ f() }}\n",
    "long text": "a: {{ 'a' * 10**10 }}\n",
    "large power": "a: {{ 9 ** 9 ** 9 }}\n",
    "self include": "{% include 'slots.yaml.j2' %}\n",
    "range": "{% for i in range(10**9) %}\n- 1\n{% endfor %}\n",
    "nested loops": "{% for a in slots %}" * 20 + "x" + "{% endfor %}" * 20,
    "nested loops that write": "{% for a in slots %}" * 9 + "- " + "x" * 500 + "\n" + "{% endfor %}" * 9,
    "nested loops of nothing": "{% for a in slots %}" * 16 + "{% endfor %}" * 16,
    "deep expression": "a: {{ " + "(" * 5000 + "1" + ")" * 5000 + " }}\n",
    "long chain": "a: {{ model" + ".a" * 5000 + " }}\n",
    "long or": "a: {{ " + "model or " * 1000 + "1 }}\n",
    "many branches": "{% if model %}" * 500 + "{% endif %}" * 500,
    "long integer": "a: {{ " + "9" * 20_000 + " }}\n",
    "long source": "# " + "x" * 50_000 + "\na: 1\n",
    "key from a value": "{{ params }}: 1\n",
    "structure from a value": "{{ slots[0].stamp }}\n{{ slots[1].stamp }}\n",
    "filter with a regular expression": "a: {{ model | replace('e', 'eee') }}\n",
    "call block": "{% call model() %}{% endcall %}\na: 1\n",
    "filter block": "{% filter upper %}a{% endfilter %}: 1\n",
    "with": "{% with x = 1 %}\na: {{ x }}\n{% endwith %}\n",
    "autoescape": "{% autoescape true %}\na: 1\n{% endautoescape %}\n",
    "translation": "{% trans %}a{% endtrans %}: 1\n",
    "break": "{% for a in slots %}{% break %}{% endfor %}\na: 1\n",
    "recursive loop": "{% for a in slots recursive %}{{ loop(slots) }}{% endfor %}\n",
    "loop variable": "{% for a in slots %}\n- {{ loop.__class__ }}\n{% endfor %}\n",
    "cycle": "{% for a in slots %}\n- {{ loop.cycle('a', 'b') }}\n{% endfor %}\n",
    "private name": "a: {{ _hole }}\n",
    "private attribute": "a: {{ model._x }}\n",
    "slice": "a: {{ model[0:1] }}\n",
    "anchor bomb": "a: &a [1]\nb: [*a, *a]\n",
    "tag": "a: !!python/object/apply:os.system ['id']\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "forged placeholder": "a: modelspec-hole-0-\n",
    "invisible character": "a: 'x\u202ey'\n",
    "byte order mark": "\ufeffa: 1\n",
    "NUL": "a: \0\n",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_is_a_finding(name: str) -> None:
    began = time.monotonic()
    _, found = findings({"edits": [{"file": TEMPLATE, "content": ATTACKS[name]}]})
    assert time.monotonic() - began < 10
    assert found, "nothing was found"
    assert {one.code for one in found} <= {"MS601", "MS603", "MS605", "MS608", "MS609"}
    for one in found:
        assert "\n" not in one.message and len(one.message) < 300


def test_a_link_in_the_folder_of_a_target_is_not_followed() -> None:
    edit: dict[str, Any] = {"file": TEMPLATE, "mode": "120000"}
    _, found = findings({"edits": [edit]})
    assert {one.code for one in found} == {"MS009", "MS608"}


def test_a_line_feed_in_a_value_makes_no_second_key() -> None:
    edits = [
        {"file": TEMPLATE, "content": "name: {{ params.name }}\nslots: {{ slots }}\n"},
        {"file": "templates/plain/params.schema.json", "content": '{"type": "object"}'},
        {
            "file": "templates/plain/target.yaml",
            "old": "template: slots.yaml.j2}",
            "new": "template: slots.yaml.j2, schema: slots.schema.json}",
        },
        {
            "file": "templates/plain/slots.schema.json",
            "content": '{"properties": {"name": {"const": "a\\nimage: evil"}, "slots": {}},'
            ' "additionalProperties": false}',
        },
        {
            "file": "registry/environments/production/models/eta.yaml",
            "old": "{replicas: 2}",
            "new": '{name: "a\\nimage: evil"}',
        },
    ]
    _, found = findings({"edits": edits})
    assert found == ()
