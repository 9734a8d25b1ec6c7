"""A tree at a commit: the same answers as git's own, and hostile trees that can't be checked out."""

from __future__ import annotations

import hashlib
import shutil
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Git
from modelspec.tree.finding import Fault, Refusal
from modelspec.tree.snapshot import LIMIT, DictSnapshot
from modelspec.world import gittree
from modelspec.world.git import open_repository
from modelspec.world.gittree import GitSnapshot
from modelspec.world.objects import Objects, _parse
from modelspec.world.worktree import WorkTree
from world.trees import put

REGULAR, FOLDER = "100644", "40000"


def snapshot(git: Git, revision: str = "HEAD", prefix: str = "") -> GitSnapshot:
    found, _, _ = open_repository(str(git.root))
    return GitSnapshot(found, found.resolve(revision), prefix)


def write(git: Git, kind: str, data: bytes) -> str:
    """Store an object as it is, well-formed or not."""
    whole = b"%s %d\0" % (kind.encode(), len(data)) + data
    identity = hashlib.sha1(whole).hexdigest()
    if not (git.root / ".git" / "objects" / identity[:2] / identity[2:]).exists():
        put(git.root, f".git/objects/{identity[:2]}/{identity[2:]}", zlib.compress(whole))
    return identity


def tree(git: Git, *entries: tuple[str, bytes, str]) -> str:
    return write(
        git,
        "tree",
        b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries),
    )


def committed(git: Git, identity: str) -> GitSnapshot:
    commit = git("commit-tree", "-m", "m", identity)
    found, _, _ = open_repository(str(git.root))
    return GitSnapshot(found, commit)


def test_the_tree_of_a_commit_is_what_git_lists(repository: Git) -> None:
    for path in (
        "registry/models/eta/model.yaml",
        "registry/models/eta-x/a",
        "registry/models/eta.yaml",
        "b",
        "ü/ä",
    ):
        put(repository.root, path, path)
    (repository.root / "b").chmod(0o755)
    (repository.root / "link").symlink_to("/etc/passwd")
    repository.commit("files")
    listed = repository("-c", "core.quotePath=false", "ls-tree", "-r", "HEAD").splitlines()
    wanted = [(line.split("\t")[1], int(line.split()[0], 8), line.split()[2]) for line in listed]
    with snapshot(repository) as found:
        assert [(path, blob.mode, blob.id) for path, blob in found.walk("")] == wanted
        assert found.ls("registry/models") == [("eta", True), ("eta-x", True), ("eta.yaml", False)]
        assert [path for path, _ in found.walk("registry/models/eta")] == ["registry/models/eta/model.yaml"]
        assert [path for path, _ in found.walk("b")] == ["b"]
        assert list(found.walk("nothing")) == []
        assert found.ls("b") == found.ls("nothing") == []
        for path in (
            "registry",
            "registry/models",
            "",
            "b/c",
            "nothing",
            "../b",
            "/b",
            "a\0b",
            "registry//models",
        ):
            assert found.get(path) is None
        link = found.get("link")
        assert link is not None
        assert isinstance(link.read(), Fault)


def test_a_prefix_is_a_root_and_hides_the_rest(repository: Git) -> None:
    put(repository.root, "ml/registry/a", "in")
    put(repository.root, "secret", "out")
    repository.commit("files")
    with snapshot(repository, prefix="ml") as found:
        assert [path for path, _ in found.walk("")] == ["registry/a"]
        assert found.get("../secret") is None
    with snapshot(repository, prefix="secret") as file, snapshot(repository, prefix="no/such") as nothing:
        assert file.ls("") == nothing.ls("") == []
        assert list(nothing.walk("")) == []


def test_a_submodule_is_an_entry_that_is_never_read(repository: Git) -> None:
    oid = tree(
        repository,
        ("160000", b"sub", "1" * 40),
        ("120000", b"link", write(repository, "blob", b"/etc/passwd")),
    )
    found = committed(repository, oid)
    for path, what in (("sub", "a submodule"), ("link", "a symbolic link")):
        blob = found.get(path)
        assert blob is not None
        fault = blob.read()
        assert isinstance(fault, Fault)
        assert what in fault.message


def test_a_file_above_the_limit_is_not_kept_and_reading_goes_on(repository: Git) -> None:
    put(repository.root, "big", b"x" * (50 * LIMIT))
    put(repository.root, "edge", b"y" * LIMIT)
    put(repository.root, "over", b"z" * (LIMIT + 1))
    repository.commit("files")
    with snapshot(repository) as found:
        answers = {path: blob.read() for path, blob in found.walk("")}
    assert isinstance(answers["big"], Fault)
    assert answers["big"].rule == "text-clean"
    assert f"{50 * LIMIT:,}" in answers["big"].message
    assert answers["edge"] == b"y" * LIMIT
    assert isinstance(answers["over"], Fault)


def test_changes_are_what_differs(repository: Git) -> None:
    for path in ("same/a", "same/b", "edited", "mode", "gone/a", "turns"):
        put(repository.root, path, path)
    first = repository.commit("one")
    put(repository.root, "edited", "!")
    (repository.root / "mode").chmod(0o755)
    (repository.root / "gone" / "a").unlink()
    (repository.root / "turns").unlink()
    put(repository.root, "turns/into/a", "folder")
    put(repository.root, "new", "n")
    repository.commit("two")
    with snapshot(repository) as now:
        was = now.at(first)
        wanted = ["edited", "gone/a", "mode", "new", "turns", "turns/into/a"]
        assert list(now.changes(was)) == list(was.changes(now)) == wanted
        assert list(now.changes(now)) == []
        kept = DictSnapshot({path: blob.read() for path, blob in was.walk("")})  # type: ignore[misc]
        assert list(now.changes(kept)) == wanted


def test_equal_folders_are_not_opened_to_compare(repository: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    put(repository.root, "same/deep/a")
    put(repository.root, "other/a")
    first = repository.commit("one")
    put(repository.root, "other/a", "y")
    repository.commit("two")
    opened: list[str] = []
    tree_of = Objects.tree
    monkeypatch.setattr(Objects, "tree", lambda self, oid: (opened.append(oid), tree_of(self, oid))[1])
    with snapshot(repository) as now:
        assert list(now.changes(now.at(first))) == ["other/a"]
    assert repository("rev-parse", "HEAD:same") not in opened


@pytest.mark.parametrize(
    "name",
    [
        b"..",
        b".",
        b".git",
        b"-x",
        b"a\nb",
        b"a\tb",
        b"\x1b[31m",
        b"\xff\xfe",
        "\u202e".encode(),
        b"con",
        b"a\\b",
    ],
)
def test_a_hostile_name_is_data(repository: Git, name: bytes) -> None:
    oid = tree(
        repository,
        (FOLDER, b"registry", tree(repository, (REGULAR, name, write(repository, "blob", b"data")))),
    )
    found = committed(repository, oid)
    shown = name.decode("utf-8", "surrogateescape")
    assert found.ls("registry") == [(shown, False)]
    ((path, blob),) = found.walk("registry")
    assert (path, blob.read()) == (f"registry/{shown}", b"data")


@pytest.mark.parametrize(
    "entries",
    [
        [(REGULAR, b"a/b")], [(REGULAR, b"../../x")], [(REGULAR, b"")],
        [(REGULAR, b"twice"), (REGULAR, b"twice")], [(REGULAR, b"twice"), (FOLDER, b"twice")],
        [("9", b"mode")], [("-1", b"mode")], [("", b"mode")],
    ],
)  # fmt: skip
def test_a_tree_that_git_would_read_otherwise_is_refused(
    repository: Git, entries: list[tuple[str, bytes]]
) -> None:
    blob = write(repository, "blob", b"data")
    found = committed(repository, tree(repository, *((mode, name, blob) for mode, name in entries)))
    with pytest.raises(Refusal, match="malformed"):
        found.ls("")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_tree_or_a_refusal(data: bytes) -> None:
    try:
        entries = _parse(data, 20, "0" * 40)
    except Refusal as refusal:
        assert "malformed" in refusal.message
    else:
        assert all(name and "/" not in name and len(oid) == 40 for name, (_, oid) in entries.items())


def test_ten_objects_that_describe_ten_billion_files_are_refused(
    repository: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gittree, "MAX_NODES", 20_000)
    oid = tree(repository, *((REGULAR, b"%d" % n, write(repository, "blob", b"")) for n in range(10)))
    empty = tree(repository)
    for _ in range(9):
        oid = tree(repository, *((FOLDER, b"%d" % n, oid) for n in range(10)))
        empty = tree(repository, *((FOLDER, b"%d" % n, empty) for n in range(10)))
    for bomb in (oid, empty):
        found = committed(repository, bomb)
        with pytest.raises(Refusal, match="more than 20,000"):
            list(found.walk(""))
        with pytest.raises(Refusal, match="more than 20,000"):
            list(found.changes(committed(repository, tree(repository))))


def test_folders_nested_a_thousand_deep_are_refused(repository: Git) -> None:
    oid = tree(repository, (REGULAR, b"a", write(repository, "blob", b"")))
    for _ in range(2000):
        oid = tree(repository, (FOLDER, b"d", oid))
    found = committed(repository, oid)
    for ask in (
        lambda: list(found.walk("")),
        lambda: list(found.changes(committed(repository, tree(repository)))),
        lambda: found.get("/".join(["d"] * 500 + ["a"])),
    ):
        with pytest.raises(Refusal, match="nested deeper than 64") as caught:
            ask()
        assert len(caught.value.message) < 200


def test_a_missing_blob_a_damaged_one_and_one_of_another_kind_are_refused(repository: Git) -> None:
    put(repository.root, "a", "content of a")
    put(repository.root, "b", "content of b")
    repository.commit("files")
    one, two = repository("rev-parse", "HEAD:a"), repository("rev-parse", "HEAD:b")
    objects = repository.root / ".git" / "objects"
    file, other = objects / one[:2] / one[2:], objects / two[:2] / two[2:]
    file.chmod(0o644)
    file.write_bytes(other.read_bytes())
    with snapshot(repository) as found:
        blob = found.get("a")
        assert blob is not None
        with pytest.raises(Refusal, match="is damaged") as caught:
            blob.read()
        assert "content of b" not in str(caught.value)
        file.write_bytes(b"no object at all")
        with pytest.raises(Refusal, match=r"missing|damaged"):
            blob.read()
        file.unlink()
        with pytest.raises(Refusal, match="is missing"):
            blob.read()
        fine = found.get("b")
        assert fine is not None
        assert fine.read() == b"content of b"
    strange = committed(repository, tree(repository, (FOLDER, b"folder", two)))
    with pytest.raises(Refusal, match="is a blob, not a tree"):
        strange.ls("folder")


def test_one_process_reads_everything_and_is_gone_after_that(repository: Git) -> None:
    put(repository.root, "a")
    repository.commit("files")
    found = snapshot(repository)
    for _ in range(3):
        assert [blob.read() for _, blob in found.walk("")] == [b"x"]
    process = found._objects._process
    assert process is not None
    assert process.poll() is None
    found.close()
    assert process.poll() is not None
    assert [blob.read() for _, blob in found.walk("")] == [b"x"]
    process = found._objects._process
    del found
    assert process is not None
    assert process.poll() is not None


def test_a_process_that_dies_is_a_refusal(repository: Git) -> None:
    put(repository.root, "a")
    repository.commit("files")
    found = snapshot(repository)
    process = found._objects._process
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(Refusal, match=r"damaged|missing"):
        found.ls("")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_clean_work_tree_does_not_differ_from_its_commit(tmp_path: Path, algorithm: str) -> None:
    root = tmp_path / algorithm
    root.mkdir()
    git = Git(root)
    if algorithm == "sha256":
        shutil.rmtree(root / ".git")
        git("init", "-q", "--initial-branch=main", "--object-format=sha256")
    for path in ("registry/a", "templates/t/a.j2", "compiled/x", "README"):
        put(root, path, path)
    git.commit("files")
    with snapshot(git) as committed_tree, WorkTree(root) as work:
        assert list(work.changes(committed_tree)) == []
    put(root, "registry/a", "edited")
    put(root, "registry/new", "n")
    (root / "compiled" / "x").chmod(0o755)
    put(root, "README", "not the registry's")
    with snapshot(git) as committed_tree, WorkTree(root) as work:
        wanted = ["compiled/x", "registry/a", "registry/new"]
        assert list(work.changes(committed_tree)) == list(committed_tree.changes(work)) == wanted


def test_many_files_are_read_at_once_as_one_by_one(repository: Git) -> None:
    for number in range(300):
        put(repository.root, f"registry/{number % 7}/deep/{number}", f"x{number}\n")
    put(repository.root, "registry/large", "x" * (LIMIT + 1))
    (repository.root / "registry/link").symlink_to("large")
    repository.commit("many")
    with snapshot(repository) as found:
        paths = [path for path, _ in found.walk("registry")]
        paths += ["registry/nothing/at/all", "top", "/registry/0", "registry/0", "registry/large"]
        blobs = [found.get(path) for path in paths]
        wanted = [None if blob is None else blob.read() for blob in blobs]
    with snapshot(repository) as found:
        assert found.look(paths) == [data if isinstance(data, bytes) else None for data in wanted]
    assert sum(isinstance(data, bytes) for data in wanted) == 300


@pytest.fixture
def many(repository: Git) -> tuple[Git, list[str]]:
    for number in range(400):
        put(repository.root, f"registry/many/{number:03}", f"x{number}\n" * 40)
    repository.commit("many")
    return repository, [f"registry/many/{number:03}" for number in range(400)]


def test_what_is_read_ahead_is_what_is_read_then(many: tuple[Git, list[str]]) -> None:
    git, paths = many
    with snapshot(git) as found:
        plain = found.look(paths)
    with snapshot(git) as found:
        found.ahead(paths)
        assert len(found.objects._begun) == 1
        # Some of them, in their order: the others are skipped.
        assert found.look(paths[3::2]) == plain[3::2]
        assert found.objects._begun == []
        found.ahead(paths)
        # In another order what was begun is of no use, and of no harm.
        assert found.look(paths[::-1]) == plain[::-1]
        assert found.look([]) == []
        assert found.get(paths[7]) is not None
        begun = found.objects._begun[0][1]
    assert begun.poll() is not None, "it ends with the snapshot"


def test_a_large_file_among_many_that_are_read_ahead_is_left_out(many: tuple[Git, list[str]]) -> None:
    git, paths = many
    put(git.root, paths[100], "x" * (LIMIT + 1))
    git.commit("large")
    with snapshot(git) as found:
        found.ahead(paths)
        read = found.look(paths)
    assert [at for at, data in enumerate(read) if data is None] == [100]
    assert read[399] == b"x399\n" * 40


def test_a_damaged_object_among_many_is_a_refusal(many: tuple[Git, list[str]]) -> None:
    git, paths = many
    blob = git("rev-parse", f"HEAD:{paths[300]}")
    file = git.root / ".git/objects" / blob[:2] / blob[2:]
    file.chmod(0o644)
    file.write_bytes(zlib.compress(b"blob 3\0no\n"))
    with snapshot(git) as found, pytest.raises(Refusal):
        found.look(paths)
    file.unlink()
    with snapshot(git) as found, pytest.raises(Refusal, match="missing"):
        found.look(paths)


def test_whoever_stops_reading_many_leaves_no_process(many: tuple[Git, list[str]]) -> None:
    git, paths = many
    with snapshot(git) as found:
        contents = found.contents("registry/many")
        assert next(contents)[0] == paths[0]
        contents.close()
        children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
        alive = children.read_text().split() if children.exists() else []
        named = [Path(f"/proc/{one}/cmdline").read_text() for one in alive]
        assert not [line for line in named if "--buffer" in line]
