"""`verify` as a whole process, on the example with its artifacts."""

from __future__ import annotations

import json
import re
import shutil
import sys
import zlib
from pathlib import Path

import pytest

from cli.verifying import PRODUCTION, damage, rows, stored
from conftest import Git, Run, edit
from world.strace import needs_strace, traced
from world.trees import put

__all__ = ["stored"]


def test_the_pinned_versions_are_verified_by_default(stored: Path, modelspec: Run) -> None:
    done = modelspec("verify", "--format", "json", cwd=stored)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["format"] == "modelspec/verify/1"
    found = rows(done.stdout)
    assert "eta@2.3.1" not in found
    assert found["eta@2.3.0"]["levels"] == {
        "artifact": "verified", "code": "recorded", "features": "verified", "dataset": "recorded",
        "runtime": "recorded", "config": "verified",
    }  # fmt: skip
    parts = {part["what"]: part for part in found["eta@2.3.0"]["parts"]}  # type: ignore[attr-defined]
    assert parts["lock"]["level"] == "verified"
    assert "--network" in parts["image"]["note"]


def test_what_is_not_verified_is_printed_with_its_reason_once(stored: Path, modelspec: Run) -> None:
    text = modelspec("verify", cwd=stored).stdout
    assert re.findall(r"(?m)^(dataset|runtime) .*--network.*$", text) == ["dataset", "runtime"]
    assert re.search(r"(?m)^dataset +dataset +recorded +5 +its address was not asked \(--network\)$", text)
    assert "nothing wrong" in text


def test_files_that_are_not_those_of_the_tree_are_wrong_and_hide_no_other(
    stored: Path, modelspec: Run
) -> None:
    put(stored, "other.onnx", b"outside")
    for name in ("other.onnx", "MLmodel", "../../other.onnx"):
        edit(stored, "registry/models/eta/versions/2.3.1.yaml", "path: model.onnx", f"path: {name}")
        done = modelspec("verify", "--all", "--format", "json", cwd=stored)
        edit(stored, "registry/models/eta/versions/2.3.1.yaml", f"path: {name}", "path: model.onnx")
        assert done.returncode == 1, done.stderr
        found = rows(done.stdout)
        wrong = [part["note"] for part in found["eta@2.3.1"]["parts"] if part["wrong"]]  # type: ignore[attr-defined]
        assert len(wrong) == 1 and "the files that the version lists make sha256:" in wrong[0]
        assert found["eta@2.3.0"]["levels"]["artifact"] == "verified"  # type: ignore[index]


def test_a_flipped_bit_is_found_and_named(stored: Path, modelspec: Run) -> None:
    damage(stored)
    done = modelspec("verify", cwd=stored)
    assert done.returncode == 1
    assert "WRONG" in done.stdout
    assert "model.onnx" in done.stdout
    assert modelspec("verify", "fraud", cwd=stored).returncode == 0


def test_a_missing_tree_and_a_missing_lock_are_wrong(stored: Path, modelspec: Run) -> None:
    shutil.rmtree(stored / "store")
    (stored / "store").mkdir()
    done = modelspec("verify", "eta@2.3.0", "--format", "json", cwd=stored)
    assert done.returncode == 1
    wrong = [part["what"] for part in rows(done.stdout)["eta@2.3.0"]["parts"] if part["wrong"]]  # type: ignore[attr-defined]
    assert wrong == ["artifact", "lock"]


def test_the_level_is_judged_against_what_the_environment_requires(stored: Path, modelspec: Run) -> None:
    edit(stored, PRODUCTION, "{artifact: verified}", "{artifact: verified, code: verified}")
    done = modelspec("verify", "--env", "production", cwd=stored)
    assert done.returncode == 1
    assert "production requires code to be verified: it is recorded" in done.stdout
    assert modelspec("verify", "--env", "staging", cwd=stored).returncode == 0


def test_code_is_verified_in_the_clone_that_has_it(stored: Path, modelspec: Run) -> None:
    repository = Git(stored)
    (stored / "training").mkdir()
    (stored / "training/train.py").write_text("print()\n")
    commit = repository.commit("Train")
    path = "registry/models/eta/versions/2.3.0.yaml"
    edit(stored, path, "c177655a453b346b1916fd94c9e4e60efc7b10c9", commit)
    done = modelspec("verify", "eta@2.3.0", "--format", "json", cwd=stored)
    assert rows(done.stdout)["eta@2.3.0"]["levels"]["code"] == "verified"  # type: ignore[index]
    edit(stored, path, "path: training/train.py", "path: training/gone.py")
    done = modelspec("verify", "eta@2.3.0", cwd=stored)
    assert done.returncode == 1
    assert "training/gone.py is not in" in done.stdout


def test_code_is_verified_in_another_clone_a_bundle_or_where_its_repository_is(
    stored: Path, modelspec: Run, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Git(tmp_path / "elsewhere")
    (elsewhere.root / "train.py").write_text("print()\n")
    commit = elsewhere.commit("Train")
    elsewhere("bundle", "create", "--quiet", str(tmp_path / "code.bundle"), "--all")
    path = "registry/models/eta/versions/2.3.0.yaml"
    edit(stored, path, "c177655a453b346b1916fd94c9e4e60efc7b10c9", commit)
    edit(stored, path, "path: training/train.py", "path: train.py")

    def level(*more: str) -> object:
        done = modelspec("verify", "eta@2.3.0", "--format", "json", *more, cwd=stored)
        return rows(done.stdout)["eta@2.3.0"]["levels"]["code"]  # type: ignore[index]

    assert level() == "recorded"
    assert level("--code", str(elsewhere.root)) == "verified"
    assert level("--code", str(tmp_path / "code.bundle")) == "verified"
    text = (stored / path).read_text()
    [address] = re.findall(r"repository: (\S+)", text)
    edit(stored, path, address, f"file://{elsewhere.root}")
    assert level() == "recorded"
    assert level("--network") == "verified"
    (tmp_path / "none.bundle").write_bytes(b"# v2 git bundle\nnone\n")
    (tmp_path / "folder").mkdir()
    for place, said in (
        ("none.bundle", "is no bundle"),
        ("nowhere", "does not exist\n  fix: --code names a clone"),
        ("/dev/null", "is neither a folder nor a file"),
        ("folder", "is in no git repository\n  fix: --code names a clone"),
    ):
        done = modelspec("verify", "eta@2.3.0", "--code", str(tmp_path / place), cwd=stored)
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (3, True, False)


def test_a_partial_clone_is_no_wrong_commit_and_a_damaged_file_is(
    stored: Path, modelspec: Run, tmp_path: Path
) -> None:
    (tmp_path / "whole").mkdir()
    whole = Git(tmp_path / "whole")
    (whole.root / "train.py").write_text("print()\n")
    commit = whole.commit("Train")
    whole("config", "uploadpack.allowFilter", "true")
    for name, without in (("files", "blob:none"), ("folders", "tree:0")):
        place = str(tmp_path / name)
        whole("clone", "--quiet", "--bare", f"--filter={without}", f"file://{whole.root}", place)
    path = "registry/models/eta/versions/2.3.0.yaml"
    edit(stored, path, "c177655a453b346b1916fd94c9e4e60efc7b10c9", commit)
    edit(stored, path, "path: training/train.py", "path: train.py")

    def code(*clones: str) -> tuple[object, object, str]:
        more = [part for clone in clones for part in ("--code", str(tmp_path / clone))]
        done = modelspec("verify", "eta@2.3.0", "--format", "json", *more, cwd=stored)
        parts = rows(done.stdout)["eta@2.3.0"]["parts"]  # type: ignore[index]
        [found] = [part for part in parts if part["what"] == "commit"]
        return found["level"], found["wrong"], found["note"]

    for clone in ("files", "folders"):
        level, wrong, note = code(clone)
        assert (level, wrong) == ("resolvable", False) and "the clone is partial" in note
        assert code(clone, "whole")[:2] == ("verified", False)
    blob = whole("rev-parse", f"{commit}:train.py")
    loose = whole.root / ".git/objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    loose.write_bytes(zlib.compress(b"blob 5\0evil!"))
    level, wrong, note = code("whole")
    assert (level, wrong) == ("resolvable", True) and "train.py: the git object" in note and "damaged" in note


def test_data_of_this_repository_is_hashed(stored: Path, modelspec: Run) -> None:
    path = "registry/models/eta/versions/2.3.1.yaml"
    (stored / "trips.csv").write_text("a,b\n")
    digest = modelspec("digest", "trips.csv", cwd=stored).stdout.strip()
    edit(stored, path, "uri: s3://example-lake/trips", "uri: trips.csv")
    edit(stored, path, "sha256:0a1bfb3a41cb79781c5cdf5fe03991eefe7daf7c4760d503f154d602b54a75c6", digest)
    done = modelspec("verify", "eta@2.3.1", "--format", "json", cwd=stored)
    assert rows(done.stdout)["eta@2.3.1"]["levels"]["dataset"] == "verified"  # type: ignore[index]
    (stored / "trips.csv").write_text("a,c\n")
    assert modelspec("verify", "eta@2.3.1", cwd=stored).returncode == 1


@pytest.mark.parametrize("what", ["store", "above", "data"])
def test_what_may_not_be_read_is_wrong_and_hides_nothing_else(stored: Path, ordinary: Run, what: str) -> None:
    path = "registry/models/eta/versions/2.3.1.yaml"
    edit(stored, path, "uri: s3://example-lake/trips", "uri: data")
    (stored / "data/closed").mkdir(parents=True)
    (stored / "elsewhere").mkdir()
    (stored / "store").rename(stored / "elsewhere/store")
    (stored / "store").symlink_to("elsewhere/store")
    closed = stored / {"store": "store", "above": "elsewhere", "data": "data/closed"}[what]
    closed.chmod(0)
    done = ordinary("verify", "eta@2.3.1", "--format", "json", cwd=stored)
    closed.chmod(0o755)
    assert done.returncode == 1, done.stderr
    parts = rows(done.stdout)["eta@2.3.1"]["parts"]
    denied = {part["component"] for part in parts if "permission denied" in part["note"] and part["wrong"]}  # type: ignore[attr-defined]
    assert denied == ({"dataset"} if what == "data" else {"artifact", "runtime"})


def test_the_window_is_read_from_history(stored: Path, modelspec: Run) -> None:
    repository = Git(stored)
    repository.commit("The example")
    pin = stored / "registry/environments/production/models/eta.yaml"
    text = pin.read_text()
    digest = modelspec("digest", "registry/models/eta/versions/2.3.1.yaml", cwd=stored).stdout.strip()
    old = text.rpartition("version: ")[2].strip()
    pin.write_text(text.replace(old, f"2.3.1@{digest}"))
    repository.commit("Promote")
    done = modelspec("verify", "--env", "production", "--window", "--format", "json", cwd=stored)
    assert {"eta@2.3.0", "eta@2.3.1"} <= rows(done.stdout).keys()


def test_without_history_windows_are_left_out_aloud_or_refused(stored: Path, modelspec: Run) -> None:
    done = modelspec("verify", cwd=stored)
    assert (done.returncode, "without the windows" in done.stderr) == (0, True)
    assert modelspec("verify", "--window", cwd=stored).returncode == 3


def test_shares_are_whole_and_apart(stored: Path, modelspec: Run) -> None:
    every = rows(modelspec("verify", "--all", "--format", "json", cwd=stored).stdout).keys()
    shares = [
        rows(modelspec("verify", "--all", "--subset", f"{n}/3", "--format", "json", cwd=stored).stdout).keys()
        for n in (1, 2, 3)
    ]
    assert sorted(name for share in shares for name in share) == sorted(every)
    said = [modelspec("verify", "eta@2.3.0", "--subset", f"{n}/9", cwd=stored).stdout for n in range(1, 10)]
    assert sum("nothing falls to this share of 1 version" in one for one in said) == 8
    assert not any("nothing is pinned" in one for one in said)


def test_a_remote_store_is_not_asked_without_network(stored: Path, modelspec: Run) -> None:
    shutil.rmtree(stored / "store")
    done = modelspec("verify", "eta@2.3.0", "--format", "json", cwd=stored)
    row = rows(done.stdout)["eta@2.3.0"]
    assert "was not asked (--network)" in done.stdout
    # Nothing is wrong with it; production requires more than is known.
    assert not any(part["wrong"] for part in row["parts"])  # type: ignore[attr-defined]
    assert (done.returncode, row["unmet"]) == (
        1,
        ["production requires artifact to be verified: it is recorded"],
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["eat"], "Did you mean eta"),
        (["eta@9.9.9"], "No such version"),
        (["--env", "prod"], "No such environment"),
        (["eta", "--all"], "one of them"),
        (["--all", "--window"], "is of what is pinned"),
        (["eta@2.3.0", "--window"], "is of what is pinned"),
        (["--subset", "4/3"], "N from 1 to T"),
        (["--subset", "x"], "N from 1 to T"),
    ],
)
def test_wrong_usage_is_said(stored: Path, modelspec: Run, arguments: list[str], said: str) -> None:
    done = modelspec("verify", *arguments, cwd=stored)
    assert done.returncode == 2
    assert said in done.stderr


@needs_strace
@pytest.mark.parametrize("arguments", [(), ("--all",), ("eta@2.3.0", "--base", "HEAD")])
def test_no_network_and_no_program_but_git(stored: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A dataset at an address, an image and a store that has one are all named; none is asked."""
    Git(stored).commit("The example")
    programs, sockets, code = traced(stored, tmp_path / "trace", "verify", *arguments)
    assert (code, sockets) == (0, [])
    ours = {str(Path(program).resolve()) for program in programs}
    assert ours == {str(Path(sys.executable).resolve()), str(Path(shutil.which("git") or "").resolve())}


@needs_strace
def test_a_socket_would_be_seen(stored: Path, tmp_path: Path) -> None:
    edit(stored, "registry/modelspec.yaml", "path: store", "path: gone")
    edit(stored, "registry/modelspec.yaml", "s3://example-models/store", "https://127.0.0.1:9/store")
    _, sockets, _ = traced(stored, tmp_path / "trace", "verify", "eta@2.3.0")
    assert sockets == []
    _, sockets, _ = traced(stored, tmp_path / "trace", "verify", "eta@2.3.0", "--network")
    assert sockets != []


def test_a_change_is_compared_with_what_was_before(stored: Path, modelspec: Run) -> None:
    repository = Git(stored)
    before = repository.commit("The example")

    def changed(*more: str) -> tuple[int, set[str]]:
        done = modelspec("verify", "--changed", "--base", before, "--format", "json", *more, cwd=stored)
        return done.returncode, set(rows(done.stdout))

    assert changed() == (0, set())
    done = modelspec("verify", "--changed", "--base", before, cwd=stored)
    assert done.stdout == "the change brings no version, and pins none elsewhere\n"
    source = stored / "registry/models/eta/versions/2.3.1.yaml"
    new = source.with_name("2.3.9.yaml")
    new.write_text(source.read_text().replace("version: 2.3.1\n", "version: 2.3.9\n", 1))
    assert changed() == (0, {"eta@2.3.9"})
    assert changed("--subset", "1/1")[1] == {"eta@2.3.9"}
    new.unlink()
    # What one environment pins already is new to another.
    staging = stored / "registry/environments/staging/models/eta.yaml"
    production = stored / "registry/environments/production/models/eta.yaml"
    kept, ref = staging.read_text(), production.read_text().rpartition("version: ")[2]
    staging.write_text(kept.rpartition("version: ")[0] + f"version: {ref}")
    assert changed() == (0, {"eta@2.3.0"})
    staging.write_text(kept)
    edit(stored, PRODUCTION, "{artifact: verified}", "{artifact: resolvable}")
    assert {"eta@2.3.0"} < changed()[1]
    edit(stored, PRODUCTION, "{artifact: resolvable}", "{artifact: verified}")
    # Other bytes may lie in another store.
    edit(stored, "registry/modelspec.yaml", "stores:", "stores:\n  more: {path: more}")
    everything = set(rows(modelspec("verify", "--format", "json", cwd=stored).stdout))
    assert changed()[1] == everything > {"eta@2.3.0"}


def test_a_change_of_nothing_that_was_before_is_a_refusal(stored: Path, modelspec: Run) -> None:
    Git(stored).commit("The example")
    done = modelspec("verify", "--changed", cwd=stored)
    assert done.returncode == 3 and "--base origin/main" in done.stderr
    assert modelspec("verify", "--changed", "--all", cwd=stored).returncode == 2


def test_a_registry_that_is_new_is_all_of_the_change(stored: Path, modelspec: Run) -> None:
    repository = Git(stored)
    (stored / "README").write_text("Before\n")
    repository("add", "README")
    repository("commit", "--quiet", "--message", "Before")
    before = repository("rev-parse", "HEAD")
    repository.commit("The example")
    done = modelspec("verify", "--changed", "--base", before, "--format", "json", cwd=stored)
    assert done.returncode == 0, done.stderr
    assert {"eta@2.3.0", "eta@2.3.1"} <= set(rows(done.stdout))


@pytest.mark.parametrize("path", ["models/eta.yaml", "environment.yaml"])
def test_a_pin_or_an_environment_that_cannot_be_read_is_no_empty_one(
    stored: Path, modelspec: Run, path: str
) -> None:
    """What it pins, or requires, is not known: that is no reason to say that nothing is wrong."""
    broken = f"registry/environments/production/{path}"
    (stored / broken).write_text("pin: [\n")
    for arguments in ((), ("--env", "production"), ("--all",)):
        done = modelspec("verify", *arguments, cwd=stored)
        assert done.returncode == 1, done.stdout + done.stderr
        assert f"{broken} can't be read: `modelspec check` says why" in done.stderr
    assert modelspec("verify", "--env", "staging", cwd=stored).returncode == 0
