"""The strict reader on hostile and on tricky text: what is refused, where, how fast; what is accepted, as what."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelspec.tree.data import Data
from modelspec.tree.snapshot import LIMIT
from modelspec.tree.yaml import MAX_DEPTH, MAX_FAULTS, MAX_NODES, MAX_SCALAR, read

SUBSET, PLAIN, CLEAN = "yaml-subset", "scalar-plain", "text-clean"

# (what it is, the text, the rule that it breaks, line, column, words of the message)
REFUSED: list[tuple[str, bytes, str, int, int, str]] = [
    # Bytes that are no text.
    ("empty", b"", SUBSET, 1, 1, "empty"),
    ("only a comment", b"# nothing\n\n", SUBSET, 1, 1, "empty"),
    ("binary", b"\x89PNG\r\n\x1a\n\x00\x00", CLEAN, 1, 1, "0x89"),
    ("an executable", b"\x7fELF\x02\x01\x01\x00", CLEAN, 1, 1, "U+007F"),
    ("a pickle", b"\x80\x04\x95\x0b\x00", CLEAN, 1, 1, "0x80"),
    ("a zip", b"PK\x03\x04a: 1", CLEAN, 1, 3, "U+0003"),
    ("Latin-1", b"a: 1\nb: caf\xe9\n", CLEAN, 2, 7, "0xe9"),
    ("a cut character", b"a: \xe2\x82", CLEAN, 1, 4, "0xe2"),
    ("an overlong slash", b"a: \xc0\xaf", CLEAN, 1, 4, "0xc0"),
    ("a surrogate in UTF-8", b"a: \xed\xa0\x80", CLEAN, 1, 4, "0xed"),
    ("beyond Unicode", b"a: \xf4\x90\x80\x80", CLEAN, 1, 4, "0xf4"),
    ("a byte order mark", b"\xef\xbb\xbfa: 1\n", CLEAN, 1, 1, "byte order mark"),
    ("a byte order mark within", "a: x\ufeffy\n".encode(), CLEAN, 1, 5, "byte order mark"),
    ("UTF-16 LE", "a: 1\n".encode("utf-16"), CLEAN, 1, 1, "UTF-16"),
    ("UTF-16 BE", b"\xfe\xff" + "a: 1\n".encode("utf-16-be"), CLEAN, 1, 1, "UTF-16"),
    ("UTF-16 without its mark", "a: 1\n".encode("utf-16-be"), CLEAN, 1, 1, "NUL"),
    ("UTF-32", "a: 1\n".encode("utf-32"), CLEAN, 1, 1, "UTF-32"),
    ("UTF-32 BE", b"\x00\x00\xfe\xff" + "a: 1\n".encode("utf-32-be"), CLEAN, 1, 1, "UTF-32"),
    ("CRLF", b"a: 1\nb: 2\r\nc: 3\r\n", CLEAN, 2, 5, "carriage return"),
    ("a lone CR", b"a: 1\rb: 2\n", CLEAN, 1, 5, "carriage return"),
    ("NUL", b"a: 1\nb: x\x00y\n", CLEAN, 2, 5, "NUL"),
    ("NUL at the end", b"a: 1\n\x00", CLEAN, 2, 1, "NUL"),
    ("one byte too many", b"#" * (LIMIT + 1), CLEAN, 1, 1, "1,048,577 bytes"),
    ("50 MB", b"a: 1\n" * 10_000_000, CLEAN, 1, 1, "50,000,000 bytes"),
    # Characters that nobody sees.
    ("a form feed", b"a: 1\n\x0cb: 2\n", CLEAN, 2, 1, "U+000C"),
    ("escape", b"a: \x1b[31mred", CLEAN, 1, 4, "U+001B"),
    ("delete", b"a: x\x7f", CLEAN, 1, 5, "U+007F"),
    ("a C1 control", "a: \x9b".encode(), CLEAN, 1, 4, "U+009B"),
    ("next line", "a: 1\u0085b: 2".encode(), CLEAN, 1, 5, "U+0085"),
    ("a line separator", "a: 1\u2028b: 2".encode(), CLEAN, 1, 5, "U+2028"),
    ("a paragraph separator", "a: 1\u2029".encode(), CLEAN, 1, 5, "U+2029"),
    ("right to left", "a: \u202egnp.exe".encode(), CLEAN, 1, 4, "U+202E"),
    ("a bidi isolate in a comment", "a: 1 # \u2066x".encode(), CLEAN, 1, 8, "U+2066"),
    ("the Arabic letter mark", "a: \u061c".encode(), CLEAN, 1, 4, "U+061C"),
    ("a zero-width space", "ow\u200bner: x".encode(), CLEAN, 1, 3, "U+200B"),
    ("a zero-width joiner", "a: x\u200dy".encode(), CLEAN, 1, 5, "U+200D"),
    ("a word joiner", "a: x\u2060".encode(), CLEAN, 1, 5, "U+2060"),
    ("a soft hyphen", "a: x\u00ady".encode(), CLEAN, 1, 5, "U+00AD"),
    ("a Hangul filler", "a: \u3164".encode(), CLEAN, 1, 4, "U+3164"),
    ("a variation selector", "a: x\ufe01".encode(), CLEAN, 1, 5, "U+FE01"),
    ("a tag character", "a: x\U000e0041".encode(), CLEAN, 1, 5, "U+E0041"),
    ("a noncharacter", "a: \ufffe".encode(), CLEAN, 1, 4, "U+FFFE"),
    ("a noncharacter beyond 16 bits", "a: \U0001ffff".encode(), CLEAN, 1, 4, "U+1FFFF"),
    ("an escaped NUL", b'a: "x\\0y"', CLEAN, 1, 4, "\\x00"),
    ("an escaped escape", b'a: "\\e[31m"', CLEAN, 1, 4, "\\x1b"),
    ("an escaped return", b'a: "x\\r"', CLEAN, 1, 4, "\\x0d"),
    ("an escaped zero-width space", b'a: "\\u200b"', CLEAN, 1, 4, "\\u200b"),
    ("an escaped bidi mark", b'a: "\\u202e"', CLEAN, 1, 4, "\\u202e"),
    ("an escaped next line", b'a: "\\N"', CLEAN, 1, 4, "\\x85"),
    ("an escaped line separator", b'a: "\\L"', CLEAN, 1, 4, "\\u2028"),
    ("an escaped tag character", b'a: "\\U000e0041"', CLEAN, 1, 4, "\\U000e0041"),
    ("an escape in a key", b'"a\\u200b": 1', CLEAN, 1, 1, "\\u200b"),
    ("an escaped surrogate", b'a: "\\ud800"', SUBSET, 1, 7, "invalid Unicode"),
    ("an escape beyond Unicode", b'a: "\\U00110000"', SUBSET, 1, 7, "invalid Unicode"),
    ("an escape that is none", b'a: "\\q"', SUBSET, 1, 5, "unknown escape"),
    # Too deep, in every form.
    ("one list too many", b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), SUBSET, 1, MAX_DEPTH + 1, "deeper"),
    # libyaml looks a thousand brackets ahead for a key, and stops there before it says anything.
    ("lists in lists", b"[" * 100_000, SUBSET, 1, 1001, "deeper"),
    ("closed lists in lists", b"[" * 100_000 + b"]" * 100_000, SUBSET, 1, 1001, "deeper"),
    ("maps in maps", b"{a: " * 100_000, SUBSET, 1, 4 * MAX_DEPTH + 1, "deeper"),
    ("maps without keys", b"{" * 100_000, SUBSET, 1, 1001, "deeper"),
    ("items in items", b"- " * 100_000 + b"a", SUBSET, 1, 2 * MAX_DEPTH + 1, "deeper"),
    ("keys in keys", b"? " * 100_000 + b"a", SUBSET, 1, 3, "can't be a key"),
    ("maps by their indent", b"".join(b" " * n + b"a:\n" for n in range(1400)), SUBSET, 33, 33, "deeper"),
    ("lists by their indent", b"".join(b" " * n + b"-\n" for n in range(1400)), SUBSET, 33, 33, "deeper"),
    ("a mixture", b"- {a: [" * 30_000, SUBSET, 1, 8, "did not find expected node content"),
    ("lists in maps", b"[{a: " * 50_000, SUBSET, 1, 81, "deeper"),
    ("lists in maps in a map", b"x:\n- [{a: " + b"[{a: " * 50_000, SUBSET, 2, 78, "deeper"),
    ("lists over lines", b"[\n" * 100_000, SUBSET, MAX_DEPTH + 1, 1, "deeper"),
    ("quoted text that never ends", b'a: "' + b"x\n " * 200_000, SUBSET, 200_001, 2, "unexpected end"),
    ("a flow that never ends", b"a: [" + b"1, " * 1000, SUBSET, 2, 1, "flow"),
    # Too much.
    ("a million keys", b"".join(b"k%d: 1\n" % n for n in range(1_000_000)), CLEAN, 1, 1, "bytes"),
    ("many keys", b"".join(b"k%05x: 1\n" % n for n in range(104_000)), SUBSET, MAX_NODES // 2, 9, "200,000"),
    ("many items", b"[" + b"1," * 210_000 + b"]", SUBSET, 1, 2 * MAX_NODES, "200,000 values"),
    ("many empty lists", b"[" + b"[]," * 210_000 + b"]", SUBSET, 1, 3 * MAX_NODES - 1, "200,000 values"),
    ("a long plain text", b"a: " + b"x" * (MAX_SCALAR + 1), SUBSET, 1, 4, "65,537 characters"),
    ("a long quoted text", b"a: '" + b"x" * (MAX_SCALAR + 1) + b"'", SUBSET, 1, 4, "65,537 characters"),
    ("a long block", b"a: |\n" + b"  xxxxxxx\n" * 10_000, SUBSET, 1, 4, "80,000 characters"),
    ("a long key", b"? " + b"x" * (MAX_SCALAR + 1) + b"\n: 1", SUBSET, 1, 3, "65,537 characters"),
    # What the subset leaves out.
    ("an anchor", b"a: &x 1", SUBSET, 1, 4, "anchor &x"),
    ("an anchor on a map", b"a: &x {b: 1}", SUBSET, 1, 4, "anchor &x"),
    ("an anchor on a key", b"&x a: 1", SUBSET, 1, 1, "anchor &x"),
    ("an alias", b"b: *x", SUBSET, 1, 4, "alias *x"),
    ("an alias as a key", b"*x : 1", SUBSET, 1, 1, "alias *x"),
    ("a tag", b"a: !!python/object/apply:os.system [id]", SUBSET, 1, 4, "tag tag:yaml.org,2002:python/"),
    ("a tag of one's own", b"a: !secret x", SUBSET, 1, 4, "tag !secret"),
    ("the tag str", b"a: !!str 1", SUBSET, 1, 4, "tag tag:yaml.org,2002:str"),
    ("the tag that says nothing", b"a: ! 1", SUBSET, 1, 4, "tag !"),
    ("a tag on a list", b"a: !!set [b]", SUBSET, 1, 4, "tag"),
    ("binary data", b"a: !!binary aGk=", SUBSET, 1, 4, "tag"),
    ("a merge key", b"<<: {a: 1}", PLAIN, 1, 1, "merge key"),
    ("a YAML directive", b"%YAML 1.1\n---\na: 1", SUBSET, 1, 1, "directive"),
    ("a TAG directive", b"%TAG ! tag:x,2000:\n---\na: 1", SUBSET, 1, 1, "directive"),
    ("a directive of another kind", b"%FOO bar\n---\na: 1", SUBSET, 1, 5, "directive"),
    ("a second document", b"a: 1\n---\nb: 2\n", SUBSET, 2, 1, "second document"),
    ("a second, empty document", b"a: 1\n---\n", SUBSET, 2, 1, "second document"),
    ("text after the end", b"a: 1\n...\ngarbage", SUBSET, 3, 1, "not YAML"),
    ("a document after the end", b"a: 1\n...\n---\nb: 2", SUBSET, 3, 1, "second document"),
    ("an end without a document", b"...\n", SUBSET, 1, 1, "not YAML"),
    ("a key twice", b"a: 1\nb: 2\na: 3\n", SUBSET, 3, 1, "a stands here twice"),
    ("a key twice, one quoted", b'a: 1\n"a": 2\n', SUBSET, 2, 1, "a stands here twice"),
    ("a key twice, one escaped", b'a: 1\n"\\x61": 2\n', SUBSET, 2, 1, "a stands here twice"),
    ("a key twice in a flow", b"x: {a: 1, a: {b: 2}}", SUBSET, 1, 11, "a stands here twice"),
    ("a key twice, over a map", b"a: {b: 1}\na: {c: 1}", SUBSET, 2, 1, "a stands here twice"),
    ("a list as a key", b"? [a, b]\n: 1", SUBSET, 1, 3, "can't be a key"),
    ("a map as a key", b"? {a: 1}\n: 1", SUBSET, 1, 3, "can't be a key"),
    ("a list as a key in a flow", b"{[a]: 1}", SUBSET, 1, 2, "can't be a key"),
    # Keys that are no text.
    ("a number as a key", b"1: a", PLAIN, 1, 1, "key 1 is not text"),
    ("a truth value as a key", b"true: a", PLAIN, 1, 1, "key true is not text"),
    ("null as a key", b"~: a", PLAIN, 1, 1, "key ~ is not text"),
    ("nothing as a key", b"? \n: a", PLAIN, 1, 2, "(empty)"),
    ("nothing as a key in a flow", b"{: a}", SUBSET, 1, 2, "did not find expected node content"),
    ("no as a key", b"no: a", PLAIN, 1, 1, "a plain no is read differently"),
    ("a date as a key", b"2026-01-01: a", PLAIN, 1, 1, "a plain 2026-01-01 is read differently"),
    # What is not YAML.
    ("a tab as indent", b"a:\n\tb: 1", SUBSET, 2, 1, "not YAML"),
    ("a tab before an item", b"a:\n\t- b", SUBSET, 2, 1, "not YAML"),
    ("a tab at the start", b"\ta: 1", SUBSET, 1, 1, "not YAML"),
    ("a value too many", b"a: b: c", SUBSET, 1, 5, "mapping values are not allowed"),
    ("an indent too many", b"a: 1\n b: 2", SUBSET, 2, 3, "mapping values are not allowed"),
    ("an indent too few", b"a:\n    b: 1\n  c: 2", SUBSET, 3, 3, "did not find expected key"),
    ("a line without a colon", b"a: 1\nb\nc: 2", SUBSET, 3, 1, "could not find expected ':'"),
    ("an item in a map", b"a: 1\n- b", SUBSET, 2, 1, "not YAML"),
    ("a list and a map", b"- a\nb: 1", SUBSET, 2, 1, "not YAML"),
    ("an empty entry", b"[a, , b]", SUBSET, 1, 5, "not YAML"),
    ("an empty pair", b"{a: 1, , b: 2}", SUBSET, 1, 8, "not YAML"),
    ("a bracket too many", b"a: [1]]", SUBSET, 1, 7, "not YAML"),
    ("a bracket of the other kind", b"a: [1}", SUBSET, 1, 6, "not YAML"),
    ("a bracket that stays open", b"a: [1\nb: 2\n", SUBSET, 2, 2, "not YAML"),
    ("a quote that stays open", b"a: 'x\nb: 2\n", SUBSET, 3, 1, "unexpected end of stream"),
    ("text behind a quote", b"a: 'x' y", SUBSET, 1, 8, "not YAML"),
    ("an at sign", b"a: @x", SUBSET, 1, 4, "cannot start any token"),
    ("a backquote", b"a: `x`", SUBSET, 1, 4, "cannot start any token"),
    ("a per cent sign", b"a: %x", SUBSET, 1, 4, "cannot start any token"),
    ("a block that begins too deep", b"a: |\n\n   x\n y\n", SUBSET, 4, 2, "not YAML"),
    ("a block with an indent of 0", b"a: |0\n x\n", SUBSET, 1, 5, "indentation indicator equal to 0"),
    ("a key over two lines", b'"a\n b": 1', SUBSET, 2, 4, "not YAML"),
    ("a key of more than 1,024", b"x" * 1025 + b": 1", SUBSET, 1, 1026, "mapping values are not allowed"),
    ("conflict marks", b"a: 1\n<<<<<<< HEAD\nb: 2\n", SUBSET, 3, 1, "could not find expected ':'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "rule", "line", "column", "words"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_hostile_text_is_refused_where_it_goes_wrong(
    source: bytes, rule: str, line: int, column: int, words: str
) -> None:
    started = time.process_time()
    data, faults = read(source)
    assert time.process_time() - started < 1
    assert data is None
    assert len(faults) <= MAX_FAULTS + 1
    first = faults[0]
    assert words in first.message
    assert first.rule == rule
    assert first.mark is not None
    assert (first.mark.line, first.mark.column) == (line, column)
    assert first.mark.end > first.mark.column
    assert len(first.message) < 250 and first.message.isprintable()


def test_there_are_as_many_hostile_texts_as_the_design_asks_for() -> None:
    assert len(REFUSED) >= 90
    assert len({case[0] for case in REFUSED}) == len(REFUSED)


BOMBS = {
    "aliases": b"a: &a [x, x, x]\n"
    + b"".join(b"%c: &%c [*%c, *%c, *%c]\n" % (n, n, n - 1, n - 1, n - 1) for n in range(98, 123)),
    "one alias that holds itself": b"a: &a [*a]",
    "an anchor in every line": b"".join(b"k%d: &a 1\n" % n for n in range(50_000)),
    "a tag in every line": b"".join(b"k%d: !x 1\n" % n for n in range(50_000)),
    "an ambiguous word in every line": b"".join(b"k%d: no\n" % n for n in range(20_000)),
    "a key that stands a thousand times": b"a: 1\n" * 20_000,
    "complex keys": b"? [a]\n: 1\n" * 20_000,
    "directives": b"%YAML 1.1\n" * 100_000 + b"---\na: 1\n",
    "documents": b"---\n" * 250_000,
    "comments": b"#\n" * 500_000,
    "blank lines": b"\n" * 1_000_000,
    "spaces": b" " * 1_000_000,
    "one long line of colons": b":" * 500_000,
    "colons with spaces": b": " * 500_000,
    "questions": b"?\n" * 500_000,
    "dashes": b"-" * 1_000_000,
    "quotes": b"'" * 1_000_001,
    "backslashes": b'"' + b"\\\\" * 500_000 + b'"',
    "commas": b"[" + b"," * 1_000_000,
    "flow keys without values": b"{" + b"a," * 500_000,
    "explicit keys in a flow": b"{" + b"? a," * 200_000,
    "block headers": b"a: |" + b"+" * 100_000,
    "unindented items": b"a:\n" + b"- b\n" * 200_000,
    "a block scalar of blank lines": b"a: |\n" + b"\n" * 1_000_000,
    "a folded text of many lines": b"a:\n" + b" x\n" * 340_000,
    "many digits": b"a: " + b"9" * 60_000,
    "many digits with a point": b"a: " + b"9" * 30_000 + b"." + b"9" * 30_000,
    "many underscores": b"a: 1" + b"_" * 60_000,
    "many sexagesimal places": b"a: 1" + b":1" * 30_000,
    "a date with a long tail": b"a: 2026-01-01 1" + b" " * 60_000 + b"x",
}


@pytest.mark.parametrize("source", list(BOMBS.values()), ids=list(BOMBS))
def test_bombs_cost_neither_time_nor_memory(source: bytes) -> None:
    started = time.process_time()
    read(source)
    spent = time.process_time() - started
    assert spent < 1, f"{spent:.2f} s"
    tracemalloc.start()
    try:
        read(source)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


# What looks like trouble and is none.
ACCEPTED: list[tuple[str, bytes, Data]] = [
    ("nothing but null", b"~\n", None),
    ("a document without content", b"---\n", None),
    ("a scalar", b"--- a\n", "a"),
    ("a document with marks", b"---\na: 1\n...\n", {"a": 1}),
    ("no line feed at the end", b"a: 1", {"a": 1}),
    ("blank lines and comments", b"\n# x\n\na: 1 # y\n\n# z", {"a": 1}),
    ("trailing spaces", b"a: 1   \nb: 2\t\n", {"a": 1, "b": 2}),
    ("a tab between", b"a:\t1\n", {"a": 1}),
    ("a tab in a comment", b"a: 1\t# x\ty\n", {"a": 1}),
    ("a tab in a text", b'a: "x\\ty"\nb: x\ty', {"a": "x\ty", "b": "x\ty"}),
    ("a line feed in a text", b'a: "x\\ny"', {"a": "x\ny"}),
    ("no value", b"a:\nb:\n", {"a": None, "b": None}),
    ("no value at the end", b"a:", {"a": None}),
    ("items without values", b"-\n-\n", [None, None]),
    ("items on one line", b"- - - a\n    - b\n", [[["a", "b"]]]),
    ("items that are maps", b"- a: 1\n  b: 2\n- c: 3\n", [{"a": 1, "b": 2}, {"c": 3}]),
    ("items at the key's indent", b"a:\n- b\n- c\nd: 1\n", {"a": ["b", "c"], "d": 1}),
    ("a map of one key in a list", b"[a: b]", [{"a": "b"}]),
    ("a key without a value in a flow", b"{a, b: 1}", {"a": None, "b": 1}),
    ("a trailing comma", b"[a, b, ]", ["a", "b"]),
    ("a trailing comma in a map", b"{a: 1, }", {"a": 1}),
    ("a flow over lines", b"a: [\n  1,\n  2\n]\n", {"a": [1, 2]}),
    ("JSON", b'{"a": [1, 2.5, true, false, null, "x"], "b": {}}', {"a": [1, 2.5, True, False, None, "x"], "b": {}}),
    ("JSON without spaces", b'{"a":1,"b":[2]}', {"a": 1, "b": [2]}),
    ("an explicit key", b"? a\n: 1\n? b\n", {"a": 1, "b": None}),
    ("quoted keys", b"'a b': 1\n\"c: d\": 2\n", {"a b": 1, "c: d": 2}),
    ("quoted words", b"'no': \"yes\"\n\"1\": '012'\n", {"no": "yes", "1": "012"}),
    ("an empty text", b"a: ''\nb: \"\"\n", {"a": "", "b": ""}),
    ("quotes in quotes", b"a: 'it''s'\nb: \"\\\"x\\\"\"\n", {"a": "it's", "b": '"x"'}),
    ("an escaped slash", b'a: "\\/"', {"a": "/"}),
    ("escapes of letters", b'a: "\\x41\\u00e9\\U0001F600"', {"a": "Aé😀"}),
    ("an escaped line end", b'a: "x\\\n   y"', {"a": "xy"}),
    ("a text over lines", b"a: b\n  c\n\n  d\n", {"a": "b c\nd"}),
    ("a quoted text over lines", b"a: 'b\n  c'\n", {"a": "b c"}),
    ("a plain text that goes on like a number", b"a: 1\n  2\n", {"a": "1 2"}),
    ("a plain text that goes on like a word", b"a: true\n  story\n", {"a": "true story"}),
    ("a block", b"a: |\n  % x\n  # y\n  - z\n", {"a": "% x\n# y\n- z\n"}),
    ("a block with an indent", b"a: |2\n   x\n  y\n", {"a": " x\ny\n"}),
    ("a block that keeps its end", b"a: |+\n  x\n\n", {"a": "x\n\n"}),
    ("a block that drops its end", b"a: |-\n  x\n\n", {"a": "x"}),
    ("a folded block", b"a: >\n  x\n  y\n\n  z\n", {"a": "x y\nz\n"}),
    ("an empty block", b"a: |\nb: 1\n", {"a": "", "b": 1}),
    ("a block of ambiguous words", b"a: |-\n  no\n", {"a": "no"}),
    ("per cent within", b"a: 2%\n", {"a": "2%"}),
    ("a hash within", b"a: b#c\n", {"a": "b#c"}),
    ("a colon within", b"a: b:c\n", {"a": "b:c"}),
    ("a URI in a flow", b"{a: s3://x/y, b: http://z}", {"a": "s3://x/y", "b": "http://z"}),
    ("a question mark within", b"a: x?\nb: ?x\n", {"a": "x?", "b": "?x"}),
    ("a dash before a word", b"a: -x\nb: --\n", {"a": "-x", "b": "--"}),
    ("an at sign within", b"a: x@y\n", {"a": "x@y"}),
    ("an exclamation mark within", b"a: x!\n", {"a": "x!"}),
    ("an ampersand within", b"a: x&y *z\n", {"a": "x&y *z"}),
    ("a less-than within", b"a: <<x\n", {"a": "<<x"}),
    ("the longest implicit key", b"x" * 1000 + b": 1", {"x" * 1000: 1}),
    ("deep enough", b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
    ("as long as it may be", b"a: " + b"x" * MAX_SCALAR, {"a": "x" * MAX_SCALAR}),
    ("letters of any script", "a: häßlich, 日本語, العربية, 😀\n".encode(), {"a": "häßlich, 日本語, العربية, 😀"}),
    ("digits of another script", "a: ١٢\n".encode(), {"a": "١٢"}),
    ("a no-break space", "a: x\u00a0y".encode(), {"a": "x\u00a0y"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "wanted"), [case[1:] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED]
)
def test_look_alikes_are_accepted(source: bytes, wanted: Data) -> None:
    data, faults = read(source)
    assert faults == []
    if wanted is not None:
        assert data == wanted
        assert repr(data) == repr(wanted)


def test_all_faults_of_a_file_are_told_at_once() -> None:
    _, faults = read(b"a: no\nb: &x 1\nb: 2\nc: !t 012\n? [k]\n: 1e3\n")
    assert [(fault.mark.line, fault.mark.column) for fault in faults if fault.mark] == [
        (1, 4), (2, 4), (3, 1), (4, 4), (4, 4), (5, 3), (6, 3),
    ]  # fmt: skip


def test_faults_end_at_a_limit() -> None:
    _, faults = read(b"".join(b"k%d: no\n" % n for n in range(1000)))
    assert len(faults) == MAX_FAULTS


def test_a_fault_before_a_syntax_error_is_told_too() -> None:
    _, faults = read(b"a: no\nb: [\n")
    assert [fault.rule for fault in faults] == [PLAIN, SUBSET]


@pytest.mark.parametrize(
    ("source", "fix"),
    [
        (b"a: no", 'quote it ("no"), or write false'),
        (b"no: a", 'quote it ("no")'),
        (b"a:\n\tb: 1", "indent with spaces, never tabs"),
        (b"a: b: c", "is quoted"),
        (b'a: "\\q"', "write a backslash as"),
        (b"a: [1", "close the bracket"),
        (b"a: 'x", "close the quote"),
        (b"a: 1\r\n", "LF"),
        (b"a: &x 1", "write the value out"),
        (b"<<: {a: 1}", "write the keys out"),
        (b"a: 1\n...\nb", "one file holds one document"),
        (b"a\nb: 1", "the line before has no colon"),
        (b"a: 1\n b: 2", "a key stands at its map's indent"),
        (b"a: - b", "write it as [a, b]"),
        (b"[" * 2000, "flatten it"),
        (b"{: a}", "or its key"),
        (b"a: |0\n x\n", "leave the 0 out"),
        (b"[a, , b]", "write the value that is missing"),
        (b"%FOO\n---\na: 1", "remove it"),
    ],
)
def test_a_fault_says_how_to_mend_it(source: bytes, fix: str) -> None:
    _, faults = read(source)
    assert faults[0].fix is not None
    assert fix in faults[0].fix


pieces = st.sampled_from(
    [
        "a", "b", "no", "1", "1.5", "012", "~", "null", ": ", ":", "\n", "\n  ", "\n    ", "- ", "? ", "[", "]",
        "{", "}", ", ", "'", '"', "\\", "|", ">", "|2-", "#", " #", "&x ", "*x", "!t ", "!!str ", "<<", "%",
        "%YAML 1.2\n", "---\n", "...\n", "\t", " ", "\u200b", "\u2028", "\x00", "\r\n", "é", "😀", "\\u200b", "\\x41",
    ]
)  # fmt: skip


@given(st.lists(pieces, max_size=40).map("".join))
@settings(max_examples=1000)
@example("? - ? - a: b\n: - c")
@example("{? a: b}")
@example("[? a]")
@example("- ? a\n  : b\n- *x")
@example("? *x\n: *x\n? {a: 1}\n: 1")
def test_any_text_gives_data_or_faults_never_an_exception(text: str) -> None:
    data, faults = read(text.encode())
    assert len(faults) <= MAX_FAULTS + 1
    for fault in faults:
        assert data is None
        assert fault.mark is not None
        lines = text.split("\n")
        assert 1 <= fault.mark.line <= len(lines) + 1
        assert 1 <= fault.mark.column < fault.mark.end


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_any_bytes_give_data_or_faults_never_an_exception(source: bytes) -> None:
    data, faults = read(source)
    assert data is None or faults == []
