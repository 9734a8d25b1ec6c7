"""Other files over a snapshot, and a change laid over a base that moved on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modelspec.tree.snapshot import DictSnapshot, Patched, merged

PATHS = st.sampled_from(["a", "b", "c/a", "c/b", "d/e/f"])
FILES = st.dictionaries(PATHS, st.sampled_from([b"1", b"2", b"3"]))


def files(tree: DictSnapshot | Patched) -> dict[str, object]:
    return {path: blob.read() for path, blob in tree.walk("")}


@given(FILES, st.dictionaries(PATHS, st.none() | st.sampled_from([b"1", b"9"])), FILES)
def test_a_patched_tree_is_the_tree_with_the_patch(
    below: dict[str, bytes], patch: dict[str, bytes | None], other: dict[str, bytes]
) -> None:
    tree = Patched(DictSnapshot(below), patch)
    wanted = {path: data for path, data in {**below, **patch}.items() if data is not None}
    assert files(tree) == wanted
    for path in {*below, *patch}:
        blob = tree.get(path)
        assert (None if blob is None else blob.read()) == wanted.get(path)
    plain, against = DictSnapshot(wanted), DictSnapshot(other)
    assert [*tree.changes(against)] == [*plain.changes(against)]


@given(FILES, FILES, FILES)
def test_a_merge_takes_each_side_where_it_alone_changed(
    ancestor: dict[str, bytes], ours: dict[str, bytes], theirs: dict[str, bytes]
) -> None:
    tree, conflicts = merged(DictSnapshot(ancestor), DictSnapshot(ours), DictSnapshot(theirs))
    for path in {*ancestor, *ours, *theirs} - set(conflicts):
        was, mine, other = ancestor.get(path), ours.get(path), theirs.get(path)
        blob = tree.get(path)
        assert (None if blob is None else blob.read()) == (mine if mine != was else other)
    for path in conflicts:
        assert len({ancestor.get(path), ours.get(path), theirs.get(path)}) == 3
