"""`reproduce`: the whole context of a version, whole or not at all, and what could not be had is said."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import GIT_ENV, Git, Run, edit
from modelspec.tree.yaml import read
from register.conftest import IMAGE, Register
from reproduce.conftest import pin


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "reproduce.json").read_text())
    assert found["format"] == "modelspec/reproduce/1"
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def states(found: Mapping[str, Any]) -> dict[str, str]:
    return {f"{part['component']}/{part['what']}": part["state"] for part in found["parts"]}


def part(found: Mapping[str, Any], what: str) -> dict[str, Any]:
    [one] = [one for one in found["parts"] if one["what"] == what]
    return dict(one)


def tree_of(root: Path, digest: str) -> Path:
    return root / "store" / digest.replace(":", "-")


def version_data(root: Path) -> dict[str, Any]:
    data, _ = read((root / "registry/models/eta/versions/3.0.1.yaml").read_bytes())
    assert isinstance(data, dict)
    return data


def test_the_whole_context_is_written(made: Git, invoke: Run, tmp_path: Path) -> None:
    commit = pin(made, invoke)
    out = tmp_path / "deep/out"
    data = str(made.root / "data/trips.csv")
    done = invoke("reproduce", "eta", "--env", "staging", "--data", data, str(out), cwd=made.root)
    assert done.returncode == 0, done.stdout + done.stderr
    found = report(out)
    assert (found["model"], found["version"], found["declared"]["environment"]) == ("eta", "3.0.1", "staging")
    assert states(found) == {
        "artifact/artifact": "exact",
        "artifact/golden": "exact",
        "code/commit": "inexact",
        "features/trip_features 2": "exact",
        "dataset/dataset": "exact",
        "runtime/lock": "inexact",
        "runtime/image": "pointer",
        "config/config": "exact",
        "compiled/staging": "exact",
    }
    version = version_data(made.root)
    assert part(found, "commit")["note"].split(" ")[3].startswith(version["code"]["commit"][:12])
    assert part(found, "commit")["left_out"] == [{"path": "training/link", "why": "this is a symbolic link"}]
    assert (out / "code/training/train.py").read_bytes() == (made.root / "training/train.py").read_bytes()
    assert not (out / "code/training/link").exists()
    assert stat.S_IMODE((out / "code/training/run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((out / "code/training/train.py").stat().st_mode) == 0o644
    assert (out / "data/trips.csv").read_text() == "distance,minutes\n1,2\n"
    assert (out / "artifact/model.onnx").read_bytes() == (made.root / "model.onnx").read_bytes()
    compiled = "compiled/staging/models/eta"
    for file in (made.root / compiled).rglob("*"):
        if file.is_file():
            assert (out / file.relative_to(made.root)).read_bytes() == file.read_bytes()
    schema = "registry/features/trip_features/2.yaml"
    assert (out / "schemas/trip_features/2.yaml").read_bytes() == (made.root / schema).read_bytes()
    assert read((out / "params.yaml").read_bytes())[0] == version["config"]
    assert (out / "requirements.txt").read_bytes() == (out / "lock/requirements.txt").read_bytes()
    lines = (out / "Containerfile").read_text().splitlines()
    assert lines[1] == f"FROM {IMAGE}"
    assert lines[-1] == (
        'CMD ["python", "check_golden.py", "artifact/model.onnx", "golden/golden.npz", "1", "0.0"]'
    )
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert made("status", "--porcelain") == "" and made("rev-parse", "HEAD") == commit


def test_the_model_gives_its_golden_answers_bit_for_bit(made: Git, invoke: Run, tmp_path: Path) -> None:
    done = invoke(
        "reproduce", "eta@3.0.1", str(tmp_path / "out"), "--run", "--python", sys.executable, cwd=made.root
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "golden answers: bit for bit (numpy " in done.stdout and "1 thread)" in done.stdout
    again = invoke(
        "reproduce", "eta@3.0.1", str(tmp_path / "two"), "--run", "--python", sys.executable,
        "--format", "json", cwd=made.root,
    )  # fmt: skip
    data = json.loads(again.stdout)
    assert data["run"]["verdict"] == "bit for bit"
    assert data["run"]["outputs"] == [{"name": "minutes", "same": True, "difference": 0.0, "within": True}]


def test_what_was_then_is_what_is_written(made: Git, invoke: Run, tmp_path: Path) -> None:
    first = pin(made, invoke)
    then = int(made("log", "-1", "--format=%ct", first))
    instant = subprocess.run(
        ["date", "-u", "-d", f"@{then}", "+%Y-%m-%dT%H:%M:%SZ"], capture_output=True, text=True, check=True
    ).stdout.strip()
    # Today staging serves what it served before, with other targets; then does not change with it.
    made("revert", "--no-edit", "HEAD", GIT_COMMITTER_DATE=f"@{then + 3600} +0000")
    shutil.rmtree(made.root / "templates/mlserver")
    made("add", "--all")
    made("commit", "--quiet", "--message", "No more mlserver", GIT_COMMITTER_DATE=f"@{then + 3601} +0000")
    out = tmp_path / "out"
    done = invoke("reproduce", "eta", "--at", instant, "--env", "staging", str(out), cwd=made.root)
    assert done.returncode == 0, done.stdout + done.stderr
    found = report(out)
    assert found["version"] == "3.0.1"
    assert found["declared"] == {"at": instant, "commit": first, "environment": "staging"}
    assert states(found)["compiled/staging"] == "exact"
    listed = made("ls-tree", "-r", "--name-only", first, "--", "compiled/staging/models/eta").split("\n")
    assert listed == sorted(
        path.relative_to(out).as_posix() for path in (out / "compiled").rglob("*") if path.is_file()
    )
    early = invoke(
        "reproduce",
        "eta",
        "--at",
        "2001-01-01T00:00:00Z",
        "--env",
        "staging",
        str(tmp_path / "x"),
        cwd=made.root,
    )
    assert early.returncode == 3 and "before the first commit" in early.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("what", ["file", "full", "link", "dangling"])
def test_a_folder_that_exists_is_left_as_it_is(made: Git, invoke: Run, tmp_path: Path, what: str) -> None:
    place = tmp_path / "here"
    place.mkdir()
    out = place / "out"
    if what == "file":
        out.write_text("mine")
    elif what == "full":
        out.mkdir()
        (out / "mine").write_text("mine")
    else:
        (place / "real").mkdir()
        out.symlink_to(place / ("real" if what == "link" else "nowhere"))
    before = names(place), os.lstat(out).st_ino
    done = invoke("reproduce", "eta@3.0.1", str(out), cwd=made.root)
    assert done.returncode == 3 and "exists already" in done.stderr
    assert (names(place), os.lstat(out).st_ino) == before


def test_an_empty_folder_is_filled(made: Git, invoke: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert invoke("reproduce", "eta@3.0.1", str(tmp_path / "out"), cwd=made.root).returncode == 0
    assert report(tmp_path / "out")["version"] == "3.0.1"


def test_the_folder_that_one_stands_in_is_not_replaced(made: Git, invoke: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = invoke("--root", str(made.root), "reproduce", "eta@3.0.1", ".", cwd=tmp_path / "out")
    assert done.returncode == 3 and "is the folder that you are in" in done.stderr
    assert names(tmp_path / "out") == []


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


@pytest.mark.parametrize("how", ["gone", "damaged", "more"])
def test_bytes_that_are_not_to_be_had_leave_a_note(made: Git, invoke: Run, tmp_path: Path, how: str) -> None:
    tree = tree_of(made.root, version_data(made.root)["artifact"]["digest"])
    if how == "gone":
        Path(f"{tree}.sha256sum").unlink()
    elif how == "damaged":
        (tree / "model.onnx").chmod(0o644)
        with (tree / "model.onnx").open("r+b") as stream:
            stream.seek(100)
            stream.write(b"!")
    else:
        Path(f"{tree}.sha256sum").chmod(0o644)
        with Path(f"{tree}.sha256sum").open("a") as stream:
            stream.write("0" * 64 + "  ../../evil\n")
    out = tmp_path / "out"
    done = invoke("reproduce", "eta@3.0.1", str(out), "--run", "--python", sys.executable, cwd=made.root)
    assert done.returncode == 1
    found = report(out)
    assert states(found)["artifact/artifact"] == "missing" and states(found)["code/commit"] == "inexact"
    assert not (out / "artifact").exists() and not (out / "Containerfile").exists()
    assert not (tmp_path / "evil").exists() and found["golden"] is None
    assert "golden answers: not asked: the artifact or its golden answers are not to be had" in done.stdout


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"inputs/features": [[0.5, 1, 8, 0]]}, "golden.npz holds no answers"),
        (
            {"inputs/features": [[0.5, 1, 8, 0]], "outputs/o\x1b[31m": [[1]]},
            "the model has no output o\\x1b[31m",
        ),
        ({"outputs/minutes": [[1]]}, "Required inputs"),
        (None, "BadZipFile"),
    ],
)
def test_golden_answers_that_fit_no_model_are_said_in_a_line(
    made: Git, invoke: Run, tmp_path: Path, arrays: dict[str, Any] | None, says: str
) -> None:
    import numpy as np

    out = tmp_path / "out"
    assert invoke("reproduce", "eta@3.0.1", str(out), cwd=made.root).returncode == 0
    golden = out / "golden/golden.npz"
    golden.unlink()
    if arrays is None:
        golden.write_bytes(b"PK\x03\x04")
    else:
        np.savez(golden, **{name: np.array(value, np.float32) for name, value in arrays.items()})  # type: ignore[arg-type]
    done = subprocess.run(
        [sys.executable, "-I", "check_golden.py", "artifact/model.onnx", "golden/golden.npz", "1", "0"],
        cwd=out, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr and "Traceback" not in done.stderr and "\x1b" not in done.stderr


def test_a_python_that_dies_is_no_answer(made: Git, invoke: Run, tmp_path: Path) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -SEGV $$\n")
    dying.chmod(0o755)
    done = invoke(
        "reproduce", "eta@3.0.1", str(tmp_path / "out"), "--run", "--python", str(dying), cwd=made.root
    )
    assert done.returncode == 1
    assert "golden answers: not asked: the model could not be asked again: signal 11 ended it" in done.stdout


def test_other_golden_answers_are_told_from_these(
    made: Git, register: Register, invoke: Run, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert invoke("reproduce", "eta@3.0.1", str(out), cwd=made.root).returncode == 0
    import numpy as np

    with np.load(out / "golden/golden.npz") as kept:
        arrays = {name: kept[name] for name in kept.files}
    arrays["outputs/minutes"] = arrays["outputs/minutes"] + np.float32(0.25)
    (out / "golden/golden.npz").chmod(0o644)
    np.savez(out / "golden/golden.npz", **arrays)
    for tolerance, code, verdict in (
        ("0", 1, "differs"),
        ("0.1", 1, "differs"),
        ("0.5", 0, "within tolerance"),
    ):
        done = subprocess.run(
            [sys.executable, "-I", "check_golden.py", "artifact/model.onnx", "golden/golden.npz", "1", tolerance],
            cwd=out, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, json.loads(done.stdout)["verdict"]) == (code, verdict)


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


def test_an_error_in_the_middle_leaves_no_folder(made: Git, tmp_path: Path) -> None:
    from modelspec.world.assembly import assembled

    class StopError(Exception):
        pass

    out = tmp_path / "place/out"
    with pytest.raises(StopError), assembled(out) as assembly:
        assembly.file("a/b/c", b"1")
        raise StopError
    assert list(out.parent.iterdir()) == []


def test_a_kill_in_the_middle_leaves_no_folder_and_the_next_run_completes(
    made: Git, invoke: Run, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    script = (
        "import os, signal, sys\n"
        "from modelspec.world.assembly import Assembly\n"
        "was = Assembly.file\n"
        "def file(self, path, data):\n"
        "    was(self, path, data)\n"
        "    if path == sys.argv[1]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Assembly.file = file\n"
        "from modelspec.cli.main import run\n"
        "run(['reproduce', 'eta@3.0.1', sys.argv[2]])\n"
    )
    for path in ("version.yaml", "reproduce.json"):
        done = subprocess.run(
            [sys.executable, "-c", script, path, str(place / "out")], cwd=made.root, check=False
        )
        assert done.returncode == -9
        assert [name for name in names(place) if not name.startswith(".incoming-")] == []
        assert names(place)
    assert invoke("reproduce", "eta@3.0.1", str(place / "out"), cwd=made.root).returncode == 0
    assert names(place) == ["out"]


def test_what_it_is_asked_must_be_there(made: Git, invoke: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    for arguments, code, said in (
        (("eta", out), 2, "Name the version"),
        (("etta", out), 2, "Did you mean eta?"),
        (("eta@9.9.9", out), 2, "No such version of eta: 9.9.9"),
        (("eta", "--env", "stagin", out), 2, "Did you mean staging?"),
        (("eta@3.0.1", out, "--python", sys.executable), 2, "--run"),
        (("eta@3.0.1", out, "--ref", "HEAD"), 2, "--at"),
    ):
        done = invoke("reproduce", *arguments, cwd=made.root)
        assert done.returncode == code and said in done.stderr, (arguments, done.stderr)
    assert not Path(out).exists()
