"""What a swap changes, what it leaves alone, and what stops it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelspec.tree.finding import Refusal
from modelspec.world import durable, swap
from modelspec.world.compiled import MANIFEST, _listed
from modelspec.world.swap import compare_tree, replace_tree
from world.trees import put

ETA = "compiled/production/models/eta"
Tree = dict[str, bytes]


def pin(folder: str, **files: str) -> Tree:
    """The outputs of one pin: `a_yaml="1"` is `<folder>/kserve/a.yaml`."""
    outputs = {f"kserve/{name.replace('_', '.')}": text.encode() for name, text in files.items()}
    manifest = json.dumps({"outputs": dict.fromkeys(outputs, "sha256:0")}).encode()
    return {f"{folder}/{path}": data for path, data in {**outputs, MANIFEST: manifest}.items()}


def holds(root: Path) -> Tree:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def inodes(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_ino for path in sorted(root.rglob("*"))}


def refusal(root: Path, wanted: Tree, scope: list[str], *, clean: bool = False) -> Refusal:
    before, where = holds(root), inodes(root)
    with pytest.raises(Refusal) as caught:
        replace_tree(root, wanted, scope, clean=clean)
    assert (holds(root), inodes(root)) == (before, where)
    return caught.value


def test_outputs_are_written_changed_and_removed(tmp_path: Path) -> None:
    assert replace_tree(tmp_path, pin(ETA, a_yaml="1", b_yaml="1"), [ETA]) == (
        f"{ETA}/kserve/a.yaml", f"{ETA}/kserve/b.yaml", f"{ETA}/manifest.json",
    )  # fmt: skip
    wanted = pin(ETA, a_yaml="2", c_yaml="1")
    found = compare_tree(tmp_path, wanted, [ETA])
    assert found.written == (f"{ETA}/kserve/a.yaml", f"{ETA}/kserve/c.yaml", f"{ETA}/manifest.json")
    assert (found.removed, found.strangers) == ((f"{ETA}/kserve/b.yaml",), ())
    assert replace_tree(tmp_path, wanted, [ETA]) == found.changed
    assert holds(tmp_path) == wanted
    assert compare_tree(tmp_path, wanted, [ETA]).changed == ()


def test_nothing_to_change_touches_nothing(tmp_path: Path) -> None:
    wanted = pin(ETA, a_yaml="1")
    replace_tree(tmp_path, wanted, [ETA])
    before, times = inodes(tmp_path), [path.stat().st_mtime_ns for path in (tmp_path, tmp_path / ETA)]
    assert replace_tree(tmp_path, wanted, ["compiled"]) == ()
    assert inodes(tmp_path) == before
    assert [path.stat().st_mtime_ns for path in (tmp_path, tmp_path / ETA)] == times


def test_one_pin_touches_nothing_of_its_neighbours(tmp_path: Path) -> None:
    other = pin("compiled/production/models/fraud", a_yaml="f")
    replace_tree(tmp_path, {**pin(ETA, a_yaml="1"), **other}, ["compiled"])
    put(tmp_path, "compiled/production/models/mine.txt", "a stranger, and none of this pin's business")
    (tmp_path / "compiled" / "staging").symlink_to("production")
    before = {path: inode for path, inode in inodes(tmp_path).items() if "eta" not in path}
    replace_tree(tmp_path, pin(ETA, a_yaml="2"), [ETA])
    assert {path: inode for path, inode in inodes(tmp_path).items() if "eta" not in path} == before
    assert holds(tmp_path)[f"{ETA}/kserve/a.yaml"] == b"2"


def test_two_pins_go_in_one_step_and_carry_along_what_lies_between(tmp_path: Path) -> None:
    fraud = "compiled/production/models/fraud"
    replace_tree(tmp_path, {**pin(ETA, a_yaml="1"), **pin(fraud, a_yaml="1")}, ["compiled"])
    put(tmp_path, "compiled/production/models/other/x", "stays")
    (tmp_path / "compiled/production/models/link").symlink_to("/etc/passwd")
    replace_tree(tmp_path, {**pin(ETA, a_yaml="2"), **pin(fraud, a_yaml="2")}, [ETA, fraud])
    found = holds(tmp_path)
    assert (found[f"{ETA}/kserve/a.yaml"], found[f"{fraud}/kserve/a.yaml"]) == (b"2", b"2")
    assert found["compiled/production/models/other/x"] == b"stays"
    assert (tmp_path / "compiled/production/models/link").readlink() == Path("/etc/passwd")


def test_pins_and_environments_that_are_gone_take_their_folders_with_them(tmp_path: Path) -> None:
    staging = pin("compiled/staging/models/eta", a_yaml="1")
    features = pin("compiled/staging/features/trips", lock_json="{}")
    replace_tree(tmp_path, {**pin(ETA, a_yaml="1"), **staging, **features}, ["compiled"])
    replace_tree(tmp_path, {**pin(ETA, a_yaml="1"), **staging}, ["compiled"])
    assert not (tmp_path / "compiled/staging/features").exists()
    replace_tree(tmp_path, {}, ["compiled/staging"])
    assert [path.name for path in (tmp_path / "compiled").iterdir()] == ["production"]
    replace_tree(tmp_path, {}, ["compiled"])
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_become_a_folder_and_the_other_way_round(tmp_path: Path) -> None:
    replace_tree(tmp_path, {f"{ETA}/{MANIFEST}": b'{"outputs": {"a": "", "b/c": ""}}', f"{ETA}/a": b"1",
                            f"{ETA}/b/c": b"1"}, [ETA])  # fmt: skip
    wanted = {f"{ETA}/{MANIFEST}": b'{"outputs": {"a/c": "", "b": ""}}', f"{ETA}/a/c": b"2", f"{ETA}/b": b"2"}
    replace_tree(tmp_path, wanted, [ETA])
    assert holds(tmp_path) == wanted


def test_files_that_no_compile_wrote_stop_it_and_clean_removes_them(tmp_path: Path) -> None:
    wanted = pin(ETA, a_yaml="1")
    replace_tree(tmp_path, wanted, [ETA])
    strangers = {"compiled/README.md": b"r", f"{ETA}/notes.txt": b"n", f"{ETA}/kserve/b.yaml": b"b",
                 "compiled/production/other/manifest.json": b"{}"}  # fmt: skip
    for path, data in strangers.items():
        put(tmp_path, path, data)
    stopped = refusal(tmp_path, pin(ETA, a_yaml="2"), ["compiled"])
    assert stopped.message.startswith("4 files below compiled/ that no compile wrote")
    assert all(path in stopped.message for path in strangers)
    assert "--clean" in str(stopped.hint)
    # A pin by itself sees only its own folder.
    assert refusal(tmp_path, pin(ETA, a_yaml="2"), [ETA]).message.startswith("2 files")
    replace_tree(tmp_path, wanted, ["compiled"], clean=True)
    assert holds(tmp_path) == wanted


def test_many_strangers_are_counted_not_listed(tmp_path: Path) -> None:
    for number in range(300):
        put(tmp_path, f"compiled/{number:03}\x1b[31m")
    stopped = refusal(tmp_path, {}, ["compiled"])
    assert "300 files" in stopped.message
    assert "and 280 more" in stopped.message
    assert "\x1b" not in stopped.message


def test_links_below_compiled_are_strangers_and_never_followed(tmp_path: Path) -> None:
    outside = put(tmp_path, "outside/secret", "kept")
    root = tmp_path / "root"
    wanted = pin(ETA, a_yaml="1")
    root.mkdir()
    replace_tree(root, wanted, [ETA])
    output = root / ETA / "kserve" / "a.yaml"
    output.unlink()
    output.symlink_to(outside)
    (root / ETA / "folder").symlink_to(outside.parent)
    stopped = refusal(root, wanted, [ETA])
    assert f"{ETA}/kserve/a.yaml" in stopped.message
    assert f"{ETA}/folder" in stopped.message
    replace_tree(root, wanted, [ETA], clean=True)
    assert holds(root) == wanted
    assert not output.is_symlink()
    assert outside.read_text() == "kept"


@pytest.mark.parametrize("link", ["compiled", "compiled/production", "compiled/production/models", ETA])
@pytest.mark.parametrize("clean", [False, True])
def test_a_link_on_the_way_is_refused(tmp_path: Path, link: str, clean: bool) -> None:
    root = tmp_path / "root"
    outside = put(tmp_path, "outside/kept").parent
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside)
    stopped = refusal(root, pin(ETA, a_yaml="1"), [ETA], clean=clean)
    assert f"{link} is a symbolic link" in stopped.message
    assert [path.name for path in outside.iterdir()] == ["kept"]


def test_a_file_on_the_way_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "compiled/production", "a file")
    assert "compiled/production is a file" in refusal(tmp_path, pin(ETA, a_yaml="1"), [ETA]).message


def test_a_pipe_below_compiled_is_a_stranger(tmp_path: Path) -> None:
    (tmp_path / ETA).mkdir(parents=True)
    os.mkfifo(tmp_path / ETA / MANIFEST)
    assert MANIFEST in refusal(tmp_path, pin(ETA, a_yaml="1"), [ETA]).message


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{", b"[]", b'{"outputs": 1}', b'{"outputs": ["notes.txt"]}', b"<<<<<<< HEAD\n", b"[" * 100_000,
     b'{"outputs": {"../../../../outside": "", "../fraud/x": "", "/etc/passwd": ""}}', b"\xff\xfe"],
)  # fmt: skip
def test_a_manifest_vouches_for_nothing_but_files_beside_it(tmp_path: Path, manifest: bytes) -> None:
    root = tmp_path / "root"
    put(tmp_path, "outside")
    put(root, "compiled/production/models/fraud/x")
    put(root, f"{ETA}/notes.txt")
    put(root, f"{ETA}/{MANIFEST}", manifest)
    stopped = refusal(root, {}, [ETA])
    assert stopped.message.startswith("1 file below compiled/ that no compile wrote")
    replace_tree(root, {}, [ETA], clean=True)
    assert holds(tmp_path) == {"outside": b"x", "root/compiled/production/models/fraud/x": b"x"}


def test_outputs_whose_manifest_is_damaged_are_written_again(tmp_path: Path) -> None:
    wanted = pin(ETA, a_yaml="1")
    replace_tree(tmp_path, wanted, [ETA])
    put(tmp_path, f"{ETA}/{MANIFEST}", "<<<<<<< HEAD")
    put(tmp_path, f"{ETA}/kserve/a.yaml", "edited by hand")
    replace_tree(tmp_path, wanted, [ETA])
    assert holds(tmp_path) == wanted


def test_files_are_never_changed_in_place(tmp_path: Path) -> None:
    replace_tree(tmp_path, pin(ETA, a_yaml="1"), [ETA])
    os.link(tmp_path / ETA / "kserve" / "a.yaml", tmp_path / "kept")
    replace_tree(tmp_path, pin(ETA, a_yaml="2"), [ETA])
    assert (tmp_path / "kept").read_text() == "1"


def test_what_a_killed_run_left_is_removed_and_used_for_nothing(tmp_path: Path) -> None:
    wanted = pin(ETA, a_yaml="1")
    replace_tree(tmp_path, wanted, [ETA])
    outside = put(tmp_path, "outside/kept")
    put(tmp_path, ".compiled.new/deep/evil")
    (tmp_path / ".compiled.new" / "link").symlink_to(outside.parent)
    (tmp_path / ".compiled.old").symlink_to(outside.parent)
    for marker in (
        "../outside",
        "registry",
        "compiled/../../x",
        "/etc",
        "compiled/production/models/eta",
        "\xff",
        "",
    ):
        put(tmp_path, ".compiled.swap", marker)
        replace_tree(tmp_path, wanted, [ETA])
        assert holds(tmp_path) == {**wanted, "outside/kept": b"x"}


def test_a_folder_that_was_taken_away_is_put_back(tmp_path: Path) -> None:
    wanted = pin(ETA, a_yaml="1")
    replace_tree(tmp_path, wanted, [ETA])
    (tmp_path / ETA).rename(tmp_path / ".compiled.old")
    put(tmp_path, ".compiled.swap", ETA)
    put(tmp_path, ".compiled.new/half")
    where = (tmp_path / ".compiled.old").stat().st_ino
    assert replace_tree(tmp_path, wanted, [ETA]) == ()
    assert (holds(tmp_path), (tmp_path / ETA).stat().st_ino) == (wanted, where)


def test_without_an_exchange_two_renames_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "exchange", lambda *_: False)
    for number in ("1", "2"):
        replace_tree(tmp_path, pin(ETA, a_yaml=number), [ETA])
        assert holds(tmp_path) == pin(ETA, a_yaml=number)


def test_without_hard_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_tree(tmp_path, pin(ETA, a_yaml="1", b_yaml="1"), [ETA])
    before = (tmp_path / ETA / "kserve" / "b.yaml").stat().st_ino

    def link(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    wanted = pin(ETA, a_yaml="2", b_yaml="1")
    replace_tree(tmp_path, wanted, [ETA])
    assert holds(tmp_path) == wanted
    assert (tmp_path / ETA / "kserve" / "b.yaml").stat().st_ino != before


def test_a_swap_that_can_not_be_made_sure_of_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_tree(tmp_path, pin(ETA, a_yaml="1"), [ETA])
    settle = swap._settle

    def failing(top: int, above: int, undo: object) -> None:
        def flush(_: int) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patched:
            patched.setattr(durable, "flush", flush)
            settle(top, above, undo)  # type: ignore[arg-type]

    monkeypatch.setattr(swap, "_settle", failing)
    for exchange in (durable.exchange, lambda *_: False):
        monkeypatch.setattr(durable, "exchange", exchange)
        for wanted in (pin(ETA, a_yaml="2"), {}):
            with pytest.raises(Refusal, match="input/output error"):
                replace_tree(tmp_path, wanted, [ETA])
            assert holds(tmp_path) == pin(ETA, a_yaml="1")
    with pytest.raises(Refusal, match="input/output error"):
        replace_tree(tmp_path, pin("compiled/staging/models/eta", a_yaml="1"), ["compiled/staging"])
    assert holds(tmp_path) == pin(ETA, a_yaml="1")


@pytest.mark.parametrize(
    "path", ["compiled/../x", "/etc/x", "compiled/a/../../x", "compiled//x", "compiled/.git/x"]
)
def test_a_path_that_leads_out_is_never_written(tmp_path: Path, path: str) -> None:
    assert "no path below the root" in refusal(tmp_path, {path: b"x"}, ["compiled"]).message


def test_only_the_folders_that_were_named_are_written(tmp_path: Path) -> None:
    for wanted, scope in (({f"{ETA}x/a": b""}, [ETA]), ({"registry/a": b""}, ["registry"])):
        with pytest.raises(ValueError, match="lies"):
            replace_tree(tmp_path, wanted, scope)
    assert list(tmp_path.iterdir()) == []


names = st.sampled_from(["a", "b", "c/a", "c/b", "d/e/a"])
Pins = dict[tuple[str, str], Tree]
trees = st.dictionaries(
    st.tuples(st.sampled_from(["p", "s"]), st.sampled_from(["m", "n"])),
    st.dictionaries(names, st.binary(max_size=2)),
)


@settings(max_examples=40)
@given(old=trees, new=trees, one_by_one=st.sampled_from([0, 64]))
def test_whatever_was_there_a_full_compile_leaves_what_it_compiled(
    tmp_path_factory: pytest.TempPathFactory, old: Pins, new: Pins, one_by_one: int
) -> None:
    root = tmp_path_factory.mktemp("root")

    def whole(tree: Pins) -> Tree:
        found = {}
        for (environment, model), files in tree.items():
            folder = f"compiled/{environment}/models/{model}"
            found |= {f"{folder}/{path}": data for path, data in files.items()}
            found[f"{folder}/{MANIFEST}"] = json.dumps({"outputs": dict.fromkeys(sorted(files), "")}).encode()
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(swap, "ONE_BY_ONE", one_by_one)
        for wanted in (whole(old), whole(new), whole(new)):
            replace_tree(root, wanted, ["compiled"])
            assert holds(root) == wanted
            assert all(any(folder.iterdir()) for folder in root.rglob("*") if folder.is_dir())


@given(st.binary(max_size=40))
def test_any_bytes_are_a_manifest_that_lists_something_or_nothing(data: bytes) -> None:
    assert all(isinstance(path, str) for path in _listed(data))
