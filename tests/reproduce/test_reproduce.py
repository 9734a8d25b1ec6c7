"""`reproduce`: the whole context of a version, whole or not at all, and what could not be had is said."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Git, Run
from modelspec.tree.yaml import read
from register.conftest import IMAGE
from reproduce.conftest import pin
from reproduce.reported import names, part, report, states, tree_of, version_data


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
