"""The code that `reproduce` writes: from which clone, and no path of a hostile tree leaves the folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import GIT_ENV, Git, Run, edit
from register.conftest import Register
from reproduce.reported import part, report, states, tree_of, version_data


def test_a_clone_without_the_files_hides_no_other(made: Git, invoke: Run, tmp_path: Path) -> None:
    whole, partial = tmp_path / "whole", tmp_path / "partial"
    made("config", "uploadpack.allowFilter", "true")
    made("clone", "--quiet", "--bare", f"file://{made.root}", str(whole))
    made("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{made.root}", str(partial))
    shutil.rmtree(made.root / ".git")
    Git(made.root).commit("The registry alone")
    lacking = invoke("reproduce", "eta@3.0.1", "--code", str(partial), str(tmp_path / "a"), cwd=made.root)
    assert lacking.returncode == 1
    note = part(report(tmp_path / "a"), "commit")["note"]
    assert note.startswith("the git object ") and note.endswith(" is missing (--code CLONE, or --network)")
    both = ("--code", str(partial), "--code", str(whole))
    done = invoke("reproduce", "eta@3.0.1", *both, str(tmp_path / "b"), cwd=made.root)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_clone_that_is_none_hides_no_other(made: Git, invoke: Run, tmp_path: Path) -> None:
    done = invoke("reproduce", "eta@3.0.1", "--code", str(tmp_path), str(tmp_path / "a"), cwd=made.root)
    assert done.returncode == 0, done.stdout + done.stderr
    gone = invoke(
        "reproduce", "eta@3.0.1", "--code", str(tmp_path / "no"), str(tmp_path / "b"), cwd=made.root
    )
    assert gone.returncode == 2 and "does not exist" in gone.stderr


def test_code_comes_from_a_clone_that_is_named_or_over_the_network(
    made: Git, invoke: Run, tmp_path: Path
) -> None:
    clone, bare = tmp_path / "clone", tmp_path / "bare"
    made("clone", "--quiet", "--bare", str(made.root), str(bare))
    made("clone", "--quiet", str(made.root), str(clone))
    # A registry of its own, which has none of the code's commits.
    shutil.rmtree(made.root / ".git")
    Git(made.root).commit("The registry alone")
    without = invoke("reproduce", "eta@3.0.1", str(tmp_path / "a"), cwd=made.root)
    assert without.returncode == 1 and not (tmp_path / "a/code").exists()
    assert (
        "is in no clone here (--code CLONE, or --network)" in part(report(tmp_path / "a"), "commit")["note"]
    )
    named = invoke("reproduce", "eta@3.0.1", "--code", str(clone), str(tmp_path / "b"), cwd=made.root)
    assert named.returncode == 0, named.stdout + named.stderr
    assert (tmp_path / "b/code/training/train.py").is_file() and not (tmp_path / "b/code/.git").exists()
    Git(clone)("bundle", "create", "--quiet", str(tmp_path / "code.bundle"), "--all")
    bundled = ("--code", str(tmp_path / "code.bundle"), str(tmp_path / "bundled"))
    done = invoke("reproduce", "eta@3.0.1", *bundled, cwd=made.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "bundled/code/training/train.py").is_file()
    edit(
        made.root,
        "registry/models/eta/versions/3.0.1.yaml",
        "repository: https://git.example.com/ml/eta",
        f"repository: file://{bare}",
    )
    asked = invoke("reproduce", "eta@3.0.1", "--network", str(tmp_path / "c"), cwd=made.root)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert "fetched from its repository" in part(report(tmp_path / "c"), "commit")["note"]
    assert (tmp_path / "c/code/training/train.py").is_file()
    from modelspec.tree.finding import Refusal
    from modelspec.world.codetree import code_at, fetched

    commit = version_data(made.root)["code"]["commit"]
    with fetched(f"file://{bare}", commit) as found, code_at(found, commit) as tree:
        assert "training/train.py" in [file.path for file in tree.files]
    for address in (
        "ext::sh -c touch% evil",
        "--upload-pack=touch evil",
        "/etc",
        f"file://{tmp_path}/nothing",
    ):
        with pytest.raises(Refusal), fetched(address, commit):
            pass
    with pytest.raises(Refusal), fetched(f"file://{bare}", "f" * 40):
        pass


def hostile(made: Git) -> str:
    """Commit a tree whose names no checkout would take; return the commit."""
    blob = made("hash-object", "-w", "training/train.py")

    def tree(*rows: tuple[str, str, str]) -> str:
        kinds = {"040000": "tree", "160000": "commit"}
        text = "".join(f"{mode} {kinds.get(mode, 'blob')} {one}\t{name}\0" for mode, one, name in rows)
        return subprocess.run(
            ["git", "mktree", "-z", "--missing"], cwd=made.root, input=text.encode(), capture_output=True,
            check=True, env={**os.environ, **GIT_ENV},
        ).stdout.decode().strip()  # fmt: skip

    inner = tree(("100644", blob, "config"))
    evil = tree(
        ("100644", blob, "good.py"), ("100644", blob, "Good.PY"), ("160000", "1" * 40, "module"),
        ("120000", blob, "link"), ("100644", blob, "c:evil"), ("100644", blob, "back\\slash"),
        ("100644", blob, "con"), ("040000", inner, ".GIT"), ("100644", blob, "line\nfeed"),
        ("040000", inner, ".."), ("040000", inner, "link.d"),
    )  # fmt: skip
    return made("commit-tree", evil, "-m", "evil")


def test_no_path_of_a_hostile_tree_leaves_the_folder(made: Git, tmp_path: Path) -> None:
    from modelspec.world.assembly import assembled
    from modelspec.world.codetree import code_at
    from modelspec.world.git import open_repository

    commit = hostile(made)
    place = tmp_path / "place"
    with (
        assembled(place / "out") as assembly,
        code_at(open_repository(str(made.root))[0], commit) as tree,
    ):
        assembly.files("code", tree.files, tree.executable)
    written = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if not path.is_dir())
    assert written == ["out/code/Good.PY", "out/code/link.d/config"]
    assert {path for path, _ in tree.left_out} == {
        "good.py", "module", "link", "c:evil", "back\\slash", "con", ".GIT/config", "line\nfeed", "../config",
    }  # fmt: skip


PARTS = st.sampled_from(
    ["a", "A", "b", "ä", "a\u0308", ".git", ".Git", "..", ".", "", "con", "x:y", "e.", "\udcff"]
)


ENTRIES = st.lists(
    st.tuples(st.lists(PARTS, min_size=1, max_size=3).map("/".join), st.sampled_from([0o100644, 0o120000]), st.just("1")),
    max_size=12,
)  # fmt: skip


@given(ENTRIES)
def test_what_is_kept_of_any_tree_can_be_files_of_one_folder(entries: list[tuple[str, int, str]]) -> None:
    from modelspec.tree.listing import paths_trouble
    from modelspec.world.codetree import clean

    kept, left_out = clean(entries)
    paths = [path for path, _, _ in kept]
    assert paths_trouble(paths) is None
    assert len(kept) + len(left_out) == len(entries)
    assert not any(part.lower() == ".git" for path in paths for part in path.split("/"))
    assert all(mode == 0o100644 for _, mode, _ in kept)
    # Nothing is left out but for a reason: alone, each of these is a file.
    assert all(why for _, why in left_out)


def test_what_was_not_committed_comes_with_the_code(
    register: Register, shop: Git, invoke: Run, tmp_path: Path
) -> None:
    (shop.root / "training/train.py").write_text("print('changed')\n")
    assert register("3.0.1", "--allow-dirty").returncode == 0
    out = tmp_path / "out"
    # The lock is lost; what stays remote is not asked.
    lock = tree_of(shop.root, version_data(shop.root)["runtime"]["lock"]["digest"])
    shutil.rmtree(lock)
    done = invoke("reproduce", "eta@3.0.1", str(out), cwd=shop.root)
    assert done.returncode == 1
    found = states(report(out))
    assert (found["code/commit"], found["code/patch"], found["runtime/lock"]) == ("exact", "exact", "missing")
    assert not (out / "requirements.txt").exists() and not (out / "lock").exists()
    assert "pip" not in (out / "Containerfile").read_text()
    Git(out)("apply", "--directory=code", "patch/code.patch")
    assert (out / "code/training/train.py").read_text() == "print('changed')\n"
    shutil.rmtree(shop.root / "store")
    done = invoke("reproduce", "eta@3.0.1", str(tmp_path / "two"), cwd=shop.root)
    assert done.returncode == 1
    note = part(report(tmp_path / "two"), "artifact")["note"]
    assert note == "in s3://example-models/store, which was not asked (--network)"
