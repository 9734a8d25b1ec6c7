"""A version moves in, a pin goes back: the lines that change, and all others that do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modelspec.change.edit import Unedited, block_of, drop_line, put_line
from modelspec.change.pin import Role, explained, finished, placed, restored, serving
from modelspec.change.words import trouble, written
from modelspec.spec.environment import PIN_KEYS, FeaturePin, Pin
from modelspec.tree.yaml import read

PIN = """\
# Owned by routing.
apiVersion: modelspec/v1
kind: Pin
environment: production
model: eta
reason: {text: Late arrivals}   # the last one

# How it is served.
serve:
  kserve: {replicas: {min: 2}}   # two at least
variants:
  b: {version: REF3, weight: 5}   # the experiment
  c:
    version: REF4
    weight: 7
# Warm.
standby:
  version: REF1
canary:
  version: REF2   # on trial
  weight: 10
# The one that answers.
stable:
  version: REF1   # since June
"""


def ref(minor: int) -> str:
    return f"1.{minor}.0@sha256:{minor:064x}"


def text(source: str = PIN) -> bytes:
    for minor in range(1, 9):
        source = source.replace(f"REF{minor}", ref(minor))
    return source.encode()


def pin(source: bytes) -> Pin:
    data, faults = read(source)
    assert not faults, (faults, source.decode())
    return Pin.model_validate(data)


def put(role: Role, minor: int, source: bytes | None = None) -> tuple[list[str], list[str], Pin]:
    """Fill a slot; return the lines that went, those that came, and the pin."""
    before = source or text()
    after = placed(before, pin(before), role, ref(minor))
    assert isinstance(after, bytes), after
    old, new = before.decode().splitlines(), after.decode().splitlines()
    assert [line for line in old if line in new] == [line for line in new if line in old], "order is kept"
    return [line for line in old if line not in new], [line for line in new if line not in old], pin(after)


def test_a_promotion_is_a_line_and_takes_the_old_reason_with_it() -> None:
    went, came, now = put(Role(), 5)
    assert went == [
        "reason: {text: Late arrivals}   # the last one", f"  version: {ref(1)}   # since June"
    ]  # fmt: skip
    assert came == [f"  version: {ref(5)}   # since June"]
    assert now.reason is None
    assert now.standby is not None


def test_the_canary_that_becomes_stable_is_dropped() -> None:
    went, _, now = put(Role(), 2)
    assert "canary:" in went
    assert "  weight: 10" in went
    assert (now.canary, now.stable.version) == (None, ref(2))
    assert "# The one that answers." not in went


def test_a_canary_takes_a_step_in_one_line() -> None:
    went, came, now = put(Role("canary", 50), 2)
    assert (went, came) == (["  weight: 10"], ["  weight: 50"])
    assert now.reason is not None, "it speaks of the same version still"


def test_a_slot_that_is_new_goes_to_its_place() -> None:
    _, came, now = put(Role("shadow"), 6)
    assert came == ["shadow:", f"  version: {ref(6)}"]
    assert now.shadow is not None
    keys = list(read(placed_text(Role("shadow"), 6))[0] or ())
    assert keys == [key for key in PIN_KEYS if key in keys]


def placed_text(role: Role, minor: int) -> bytes:
    after = placed(text(), pin(text()), role, ref(minor))
    assert isinstance(after, bytes)
    return after


def test_variants_come_step_and_go_by_lines_of_their_own() -> None:
    _, came, _ = put(Role("d", 9, variant=True), 6)
    assert came[-1] == f"  d: {{version: {ref(6)}, weight: 9}}"
    went, came, _ = put(Role("b", 6, variant=True), 3)
    assert went == [f"  b: {{version: {ref(3)}, weight: 5}}   # the experiment"]
    assert came == [f"  b: {{version: {ref(3)}, weight: 6}}   # the experiment"]
    went, _, now = put(Role(), 4)
    assert [line for line in went if "c:" in line or "weight" in line] == ["  c:", "    weight: 7"]
    assert sorted(now.variants) == ["b"]
    bare = text(PIN.replace("  b: {version: REF3, weight: 5}   # the experiment\n", ""))
    _, _, now = put(Role(), 4, bare)
    assert now.variants == {}
    none = drop_line(text(), "variants", "nobody", PIN_KEYS)
    assert none == text()


def test_what_a_version_leaves_when_it_moves() -> None:
    here = pin(text())
    assert finished(here, Role(), ref(2)) == ("canary",)
    assert finished(here, Role("canary", 5), ref(3)) == ("b",)
    assert finished(here, Role("shadow"), ref(2)) == ()
    assert finished(here, Role(), ref(1)) == (), "standby may be what stable is"


def test_going_back_gives_blocks_as_they_were_with_their_comments() -> None:
    now = placed_text(Role(), 2)
    after = restored(now, text())
    assert isinstance(after, bytes)
    assert pin(after) == pin(text())
    assert b"# on trial" in after
    changed = text(PIN.replace("min: 2", "min: 5"))
    kept = restored(changed, text(), keep_params=True)
    assert kept == changed
    assert restored(changed, text()) == text()
    assert isinstance(restored(now, b"{"), Unedited)


def test_flow_style_is_refused_with_words() -> None:
    flow = (
        f"{{apiVersion: modelspec/v1, kind: Pin, environment: p, model: m, stable: {{version: {ref(1)}}}}}\n"
    )
    assert isinstance(explained(flow.encode(), "hold", "{text: x}"), Unedited)
    inline = text(PIN).replace(b"variants:\n", b"variants: {a: {version: 1, weight: 1}}\nnothing:\n")
    assert isinstance(put_line(inline, "variants", "x: 1", PIN_KEYS), Unedited)
    assert block_of(b"{", "x") == ()


def test_a_feature_pin_changes_in_the_lines_of_its_schemas() -> None:
    source = (
        "apiVersion: modelspec/v1\nkind: FeaturePin\nenvironment: p\nview: v\naccess: numbered\nserves:\n"
        f"  - 1@sha256:{1:064x}   # old\ncloses: []\n"
    )
    value = FeaturePin.model_validate(read(source.encode())[0])
    one, two = f"1@sha256:{1:064x}", f"2@sha256:{2:064x}"
    assert serving(source.encode(), value, (two,)) == source.replace(one, two).encode()
    both = serving(source.encode(), value, (one, two))
    assert isinstance(both, bytes)
    assert read(both)[0] == {**(read(source.encode())[0] or {}), "serves": [one, two]}  # type: ignore[dict-item]
    assert both.endswith(b"closes: []\n")


@given(st.text(max_size=40))
def test_words_say_in_the_file_what_was_said_or_are_refused(words: str) -> None:
    if trouble(words) is None:
        data, faults = read(f"reason: {{text: {written(words)}, link: https://x.org}}\n".encode())
        assert faults == []
        assert data == {"reason": {"text": words, "link": "https://x.org"}}
