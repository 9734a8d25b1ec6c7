"""`modelspec import-schema` from outside: what it writes and where, what it refuses, and hostile files."""

from __future__ import annotations

import json
import os
import pickle
import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Git, Run
from modelspec.cli.main import run
from modelspec.spec.kinds import SCHEMA
from modelspec.spec.registry import Registry
from modelspec.world.lock import lock
from modelspec.world.worktree import WorkTree

AVSC = {
    "type": "record",
    "name": "Trip",
    "fields": [
        {"name": "distance", "type": "double"},
        {"name": "odd", "type": {"type": "map", "values": "int"}},
    ],
}


@pytest.fixture
def avsc(tmp_path: Path) -> Path:
    path = tmp_path / "trip.avsc"
    path.write_text(json.dumps(AVSC))
    return path


def test_the_next_number_of_a_view_that_is_there(modelspec: Run, example: Path, avsc: Path) -> None:
    view = (example / "registry/features/trip_features/view.yaml").read_bytes()
    done = modelspec("import-schema", str(avsc), "--view", "trip_features", cwd=example)
    assert done.returncode == 0, done.stderr
    path = "registry/features/trip_features/3.yaml"
    assert done.stdout.splitlines()[0] == f"added    {path}"
    assert "note: odd is left out: it is a map" in done.stderr
    assert (example / "registry/features/trip_features/view.yaml").read_bytes() == view
    with WorkTree(example) as tree:
        entry = Registry(tree).value(SCHEMA, "trip_features", "3")
    assert entry is not None
    assert f"trip_features 3@{entry.digest}: 1 field" in done.stdout
    assert modelspec("check", cwd=example).returncode == 0


def test_another_owner_than_the_view_has_is_refused(modelspec: Run, example: Path, avsc: Path) -> None:
    """It was left out in silence."""
    asked = ("import-schema", str(avsc), "--view", "trip_features", "--owner")
    done = modelspec(*asked, "@data-weather", cwd=example)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the view trip_features is there and its owner is @data-trips" in done.stderr
    assert "fix: leave --owner out; another owner is a change of" in done.stderr
    assert not (example / "registry/features/trip_features/3.yaml").exists()
    assert modelspec(*asked, "@data-trips", cwd=example).returncode == 0


def test_a_new_view_needs_an_owner_and_gets_a_file(modelspec: Run, example: Path, avsc: Path) -> None:
    folder = example / "registry/features/weather"
    done = modelspec("import-schema", str(avsc), "--view", "weather", cwd=example)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the view weather is new" in done.stderr and "fix: say who answers for it: --owner" in done.stderr
    assert not folder.exists()
    done = modelspec(
        "import-schema", str(avsc), "--view", "weather", "--owner", "@data: weather", cwd=example
    )
    assert done.returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["1.yaml", "view.yaml"]
    assert 'owner: "@data: weather"' in (folder / "view.yaml").read_text()
    assert modelspec("check", cwd=example).returncode == 0


def test_nothing_is_overwritten(modelspec: Run, example: Path, avsc: Path) -> None:
    path = example / "registry/features/trip_features/2.yaml"
    before = path.read_bytes()
    done = modelspec("import-schema", str(avsc), "--view", "trip_features", "--number", "2", cwd=example)
    assert (done.returncode, done.stdout) == (1, "")
    assert "2.yaml is there already: a schema is written once" in done.stderr
    assert path.read_bytes() == before


def test_stdout_writes_nothing_and_json_has_a_shape(modelspec: Run, git: Git, avsc: Path) -> None:
    done = modelspec("import-schema", str(avsc), "--view", "trip_features", "--stdout", cwd=git.root)
    assert done.returncode == 0
    assert re.search(r"(?m)^number: 3$", done.stdout)
    told = modelspec(
        "import-schema",
        str(avsc),
        "--view",
        "weather",
        "--owner",
        "me",
        "--stdout",
        "--format",
        "json",
        cwd=git.root,
    )
    data = json.loads(told.stdout)
    assert (data["format"], data["written"], data["number"]) == ("modelspec/import-schema/1", False, 1)
    assert [file["path"] for file in data["files"]] == [
        "registry/features/weather/1.yaml",
        "registry/features/weather/view.yaml",
    ]
    assert {"field": None, "message": "odd is left out: it is a map, whose keys are data"} in data["notes"]
    assert told.stderr == ""
    assert git("status", "--porcelain") == ""


def test_editors_are_told_the_schema_where_init_has_put_it(
    modelspec: Run, tmp_path: Path, avsc: Path
) -> None:
    root = tmp_path / "new"
    assert modelspec("init", str(root), cwd=tmp_path).returncode == 0
    assert modelspec("import-schema", str(avsc), "--view", "v", "--owner", "me", cwd=root).returncode == 0
    first = (root / "registry/features/v/1.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../../../.modelspec/schemas/FeatureSchema.json"
    assert (root / "registry/features/v" / first.partition("=")[2]).resolve().exists()
    assert modelspec("check", cwd=root).returncode == 0


def test_what_contradicts_itself_is_left_out_and_said(modelspec: Run, example: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    properties = {
        "a": {"type": "integer", "minimum": 9, "maximum": 1},
        "b": {"type": "number", "minimum": 0, "maximum": 1, "default": 7},
        "c": {"type": "string", "enum": ["x", "x"]},
        "d": {"type": "boolean", "default": "yes"},
        "E": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 2**40},
        "e": {"type": "integer"},
    }
    path.write_text(json.dumps({"properties": properties}))
    done = modelspec("import-schema", str(path), "--view", "odd", "--owner", "me", cwd=example)
    assert done.returncode == 0, done.stderr
    for told in (
        "a: its `range`",
        "b: its `default`",
        "c: its `categories`",
        "d: its `default`",
        "E: its `range`",
    ):
        assert f"note: {told} is left out: " in done.stderr
    assert "note: e_2: called e in the source" in done.stderr
    assert modelspec("check", cwd=example).returncode == 0


@pytest.mark.parametrize("view", ["request", "Upper", "a/b", "../x", "con", "-x", "", "x" * 64])
def test_a_name_that_no_view_has_is_a_usage_error(
    view: str, modelspec: Run, example: Path, avsc: Path
) -> None:
    done = modelspec("import-schema", str(avsc), f"--view={view}", cwd=example)
    assert done.returncode == 2
    assert "--view" in done.stderr


def test_another_writer_is_waited_for_by_nobody(modelspec: Run, example: Path, avsc: Path) -> None:
    with lock(example):
        done = modelspec("import-schema", str(avsc), "--view", "trip_features", cwd=example)
    assert done.returncode == 3
    assert "another modelspec is writing" in done.stderr


def _link(path: Path) -> None:
    secret = path.parent / "secret"
    secret.write_text('{"type": "record", "s3cr3t": ')
    path.symlink_to(secret)


def _bomb(path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    schema = pa.schema([("x", pa.int64())])
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    zeros = pa.array(memoryview(bytes(40 * 1024 * 1024)).cast("q"))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema, options=options) as writer:
        writer.write_batch(pa.record_batch([zeros], schema=schema))
    # The length before compression is what the file says: eight bytes of little endian, one terabyte.
    data = path.read_bytes()
    path.write_bytes(data.replace((40 * 1024 * 1024).to_bytes(8, "little"), (2**40).to_bytes(8, "little")))


class _Runs:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch was-run",)


_JUNK = bytes(range(256)) * 4
HOSTILE: dict[str, tuple[Callable[[Path], object], list[str], int, str]] = {
    "missing": (lambda path: None, [], 3, "no such file"),
    "link": (_link, [], 3, "is a symbolic link"),
    "fifo": (lambda path: os.mkfifo(path), [], 3, "not a regular file"),
    "folder": (lambda path: path.mkdir(), [], 3, "is a folder"),
    "empty": (lambda path: path.write_bytes(b""), [], 1, "it is empty"),
    "junk": (lambda path: path.write_bytes(_JUNK), [], 1, "binary"),
    "text": (lambda path: path.write_bytes(b"hello\nworld\n"), [], 1, "nothing here knows its format"),
    "other JSON": (lambda path: path.write_bytes(b'{"a": 1}'), [], 1, "no schema that is known here"),
    "two kinds of JSON": (
        lambda path: path.write_bytes(b'{"type": "record", "fields": [], "properties": {}}'),
        [], 1, "--from avro|json-schema",
    ),
    "pickle": (lambda path: path.write_bytes(pickle.dumps(_Runs())), [], 1, "a pickle, which is never read"),
    "zip": (lambda path: path.write_bytes(b"PK\x03\x04" + b"\0" * 50), [], 1, "a zip archive"),
    "50 MB of zeros": (lambda path: path.write_bytes(bytes(50_000_000)), [], 1, "binary"),
    "50 MB of text": (lambda path: path.write_bytes(b"a" * 50_000_000), [], 1, "nothing here knows"),
    "50 MB of brackets": (lambda path: path.write_bytes(b"[" * 50_000_000), [], 1, "more than 8,388,608"),
    "50 MB of CSV": (lambda path: path.write_bytes(b"a,b\n" + b"1,2\n" * 12_500_000), [], 0, "the first 100,000 rows"),
    "50 MB of tags": (lambda path: path.write_bytes(b"\x08\x09" * 25_000_000), ["--from", "onnx"], 1, "more than 1,000,000"),
    "50 MB of pbtxt": (lambda path: path.write_bytes(b"feature { }\n" * 4_000_000), [], 1, "more than 8,388,608"),
    "deep JSON": (lambda path: path.write_bytes(b"[" * 100_000), [], 1, "nested deeper"),
    "deep pbtxt": (lambda path: path.write_bytes(b"feature {" * 100_000), [], 1, "nested deeper"),
    "deep MLmodel": (lambda path: path.write_bytes(b"flavors:\n " + b"[" * 100_000), [], 1, "nest"),
    "an Arrow bomb": (_bomb, ["--from", "sample"], -1, "pyarrow can't read it|2 GiB of memory"),
    "a name that hides": (
        lambda path: path.write_text('{"properties": {"a\\u202e\\u001b[31m": {"type": "number"}}}'),
        [], 0, r"a\\u202e\\x1b[31m",
    ),
    "a CI command": (
        lambda path: path.write_text('{"properties": {"::error::x": {"type": "map"}}}'), [], 1, r"\\::error::x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files(case: str, modelspec: Run, git: Git, tmp_path: Path) -> None:
    make, more, code, told = HOSTILE[case]
    path = tmp_path / "given"
    make(path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = modelspec("import-schema", str(path), "--view", "new", "--owner", "me", *more, cwd=git.root)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == code or (code == -1 and done.returncode in (1, 3)), done
    assert (
        any(one.replace("\\\\", "\\") in done.stderr for one in told.split("|") if one) or told in done.stderr
    ), done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cr3t" not in done.stderr + done.stdout
    assert not re.search("[\x1b\u202e]", done.stderr)
    assert not list(tmp_path.rglob("was-run"))
    # Of a processor, and not of a clock: the machine may have more to do.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10
    if done.returncode:
        assert done.stdout == ""
        assert git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    "form", ["arrow", "avro", "feast", "huggingface", "json-schema", "mlflow", "onnx", "sample", "tfdv"]
)
def test_junk_said_to_be_of_each_format(
    form: str, example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "junk"
    for data in (_JUNK, b"a: [", b"{}", b"\x0a" * 3):
        path.write_bytes(data)
        arguments = ["import-schema", str(path), "--view", "new", "--owner", "me", "--from", form]
        assert run([*arguments, "--root", str(example)]) == 1, data
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("modelspec: ")
        assert "Traceback" not in printed.err
        assert not (example / "registry/features/new").exists()


def test_a_name_that_is_too_long_is_a_refusal(invoke: Run, example: Path) -> None:
    done = invoke("import-schema", "x" * 5000, "--view", "x", "--owner", "@a", "--stdout", cwd=example)
    assert done.returncode == 3
    assert "can't be read" in done.stderr


def test_a_folder_where_a_file_is_wanted_is_a_refusal(invoke: Run, example: Path) -> None:
    done = invoke("register", "eta", "9.0.0", "--lock", str(example), cwd=example)
    assert done.returncode == 3
    assert "is not a regular file" in done.stderr
