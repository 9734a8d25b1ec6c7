"""A pin read as plain data is the pin that the strict reader reads, or is left to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from modelspec.spec.kinds import PIN
from modelspec.spec.pinned import meaning, plain_pin, read_pin
from modelspec.spec.reader import Broken, Entry, Reader
from modelspec.tree.snapshot import LINK, REGULAR, Blob

A, B = ("2.3.0@sha256:" + "a" * 64, "2.3.1@sha256:" + "b" * 64)
WHOLE = f"""\
apiVersion: modelspec/v1
kind: Pin
environment: production
model: eta
reason: {{text: Better, link: "https://git.example.com/pull/1"}}
hold: {{text: Wait}}
serve:
  kserve: {{replicas: {{min: 1, max: 2}}}}
variants:
  green: {{version: {A}, weight: 5}}
shadow: {{version: {A}}}
standby: {{version: {B}}}
canary:
  version: {B}
  weight: 10
stable:
  version: {A}
"""


def blob(text: str, mode: int = REGULAR) -> Blob:
    return Blob(mode, lambda: text.encode())


def strict(text: str) -> Entry[object] | Broken[object]:
    path = PIN.locate("production", "eta")
    return Reader().read(PIN, ("production", "eta"), path, blob(text))  # type: ignore[return-value]


def agree(text: str) -> bool:
    """Whether the plain reader took the text; when it did, the strict one took the same."""
    plain = plain_pin(text.encode(), "production", "eta")
    if plain is None:
        return False
    found = strict(text)
    assert isinstance(found, Entry), text
    pin = found.value
    for slot in ("stable", "canary", "shadow", "standby"):
        ours, theirs = getattr(plain, slot), getattr(pin, slot)
        assert (ours is None) == (theirs is None)
        assert ours is None or (ours.version, ours.weight) == (theirs.version, getattr(theirs, "weight", 0))
    assert plain.slots() == pin.slots()
    assert dict(plain.serve) == pin.serve
    for key in ("reason", "hold"):
        ours, theirs = getattr(plain, key), getattr(pin, key)
        assert (ours is None) == (theirs is None)
        assert ours is None or (ours.text, ours.link) == (theirs.text, theirs.link)
    return True


def test_the_pins_of_the_example_are_read_plainly_and_alike() -> None:
    files = sorted(ROOT.glob("registry/environments/*/models/*.yaml"))
    assert files
    for file in files:
        environment, model = file.parts[-3], file.stem
        plain = plain_pin(file.read_bytes(), environment, model)
        pin = Reader().read(PIN, (environment, model), "x", Blob(REGULAR, file.read_bytes))
        assert plain is not None
        assert isinstance(pin, Entry)
        assert plain.slots() == pin.value.slots()


def test_a_pin_with_everything() -> None:
    assert agree(WHOLE)


LINES = [line for line in WHOLE.split("\n") if line]
ADDED = [
    "x: 1", "reason: ''", "weight: true", "  weight: 1.0", "revalidated: []", "# note", "hold: {}",
    "hold: {text: a, link: ftp://x}", "serve: {UP: {}}", "shadow: {version: 2.3.0}", "hold: {text: 1}",
    "standby: {version: 2.3.0@sha256:ff, weight: 1}", f"shadow: {{version: {A}, weight: 1}}",
    "hold: {text: ''}", "model: eta2", "serve: {kserve: 1}", "variants: {}",
]  # fmt: skip
EDITS = st.lists(
    st.tuples(st.sampled_from(["drop", "twice", *ADDED]), st.integers(0, len(LINES) - 1)), max_size=3
)


@given(EDITS)
def test_what_is_taken_plainly_is_what_the_strict_reader_takes(edits: list[tuple[str, int]]) -> None:
    lines = list(LINES)
    for what, at in edits:
        at = min(at, len(lines) - 1)
        if what == "drop":
            del lines[at]
        else:
            lines.insert(at, lines[at] if what == "twice" else what)
    agree("\n".join(lines) + "\n")


def test_what_is_not_plain_is_left_to_the_strict_reader() -> None:
    odd = WHOLE.replace("text: Better", 'text: "B\\u00e9tter"')
    assert not agree(odd)
    found = read_pin(blob(odd), "production", "eta")
    assert found is not None
    assert found.reason is not None
    assert found.reason.text == "Bétter"


def test_what_nobody_can_read_is_nothing() -> None:
    assert read_pin(blob(WHOLE + "unknown: 1\n"), "production", "eta") is None
    assert read_pin(blob("<<<<<<< ours\n" + WHOLE), "production", "eta") is None
    assert read_pin(blob(WHOLE), "staging", "eta") is None
    assert read_pin(blob("elsewhere", LINK), "production", "eta") is None


def test_a_pin_of_the_past_is_read_once_and_a_link_of_its_bytes_is_none() -> None:
    text = WHOLE.encode()
    reads = []

    def load() -> bytes:
        reads.append(1)
        return text

    reader = Reader()
    plain = reader.declared("production", "eta", Blob(REGULAR, load, "1" * 40))
    assert plain is not None
    assert reader.declared("production", "eta", Blob(REGULAR, load, "1" * 40)) is plain
    assert len(reads) == 1
    assert reader.declared("production", "eta", Blob(LINK, load, "1" * 40)) is None
    entry = strict(WHOLE)
    assert isinstance(entry, Entry)
    assert meaning(entry.value) == meaning(plain)
    for old, new in (
        ("weight: 10", "weight: 11"),
        ("Wait", "Go"),
        ("max: 2", "max: 3"),
        ("weight: 5", "weight: 6"),
    ):
        other = read_pin(blob(WHOLE.replace(old, new)), "production", "eta")
        assert other is not None
        assert meaning(other) != meaning(plain), old
