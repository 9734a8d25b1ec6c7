"""From bytes to a frozen value, or to the faults that say why not; each file is read once."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from modelspec.spec.kinds import KINDS, MODEL, PIN, SCHEMA, SETTINGS, TARGET, VERSION, Kind, classify
from modelspec.spec.reader import Broken, Entry, Reader
from modelspec.spec.schemas import by_name
from modelspec.tree.digest import spec_digest
from modelspec.tree.finding import Fault
from modelspec.tree.place import Place
from modelspec.tree.snapshot import LINK, REGULAR, Blob

SOURCE = b"apiVersion: modelspec/v1\nkind: Model\nmodel: eta\nowner: team\n"
PIN_SOURCE = """\
apiVersion: modelspec/v1
kind: Pin
environment: production
model: eta
stable: {version: 2.3.0@sha256:%s}
""" % ("a" * 64)
DIGEST = "sha256:" + "a" * 64
WANTED_NAME = "a name: lower-case letters, digits, `.` and `-`, at most 63, a letter or digit at both ends"


def entry_of(source: str | bytes, kind: Kind[Any] = MODEL, *name: str, mode: int = REGULAR) -> Any:
    data = source.encode() if isinstance(source, str) else source
    names = name or ("eta",)
    return Reader().read(kind, names, kind.locate(*names), Blob(mode, lambda: data))


def faults(source: str | bytes, kind: Kind[Any] = MODEL, *name: str) -> list[tuple[str, str, str | None]]:
    found = entry_of(source, kind, *name)
    assert isinstance(found, Broken), "it was read"
    return [(fault.rule, fault.message, fault.fix) for fault in found.faults]


def test_a_file_becomes_a_frozen_value_with_its_places() -> None:
    entry = entry_of(SOURCE)
    assert isinstance(entry, Entry)
    assert (entry.value.model, entry.value.owner, entry.value.retired) == ("eta", "team", ())
    assert entry.path == "registry/models/eta/model.yaml"
    assert entry.digest == spec_digest(
        {"apiVersion": "modelspec/v1", "kind": "Model", "model": "eta", "owner": "team"}
    )
    assert entry.place("owner") == Place(entry.path, ("owner",))
    assert entry.key("owner") == Place(entry.path, ("owner",), key=True)
    with pytest.raises(ValidationError):
        entry.value.owner = "another"


def test_a_blob_is_loaded_once_for_head_and_base_alike() -> None:
    loads = []

    def load() -> bytes:
        loads.append(1)
        return SOURCE

    reader = Reader()
    path = MODEL.locate("eta")
    first = reader.read(MODEL, ("eta",), path, Blob(REGULAR, load, "id-1"))
    again = reader.read(MODEL, ("eta",), path, Blob(REGULAR, lambda: SOURCE, "id-1"))
    assert again is first
    # The same bytes at another path are another entry: the names differ.
    other = reader.read(MODEL, ("other",), MODEL.locate("other"), Blob(REGULAR, lambda: SOURCE, "id-1"))
    assert isinstance(other, Broken)


def test_a_broken_file_is_remembered_and_hides_no_other() -> None:
    reader, path = Reader(), MODEL.locate("eta")
    broken = reader.read(MODEL, ("eta",), path, Blob(REGULAR, lambda: b"a: [", "x"))
    assert isinstance(broken, Broken) and broken.source == b"a: ["
    assert reader.read(MODEL, ("eta",), path, Blob(REGULAR, lambda: b"a: [", "x")) is broken
    assert isinstance(reader.read(MODEL, ("eta",), path, Blob(REGULAR, lambda: SOURCE, "y")), Entry)


def test_what_is_no_file_is_never_read() -> None:
    def load() -> bytes:
        raise AssertionError("read")

    found = Reader().read(MODEL, ("eta",), MODEL.locate("eta"), Blob(LINK, load))
    assert isinstance(found, Broken) and found.faults[0].rule == "file-regular" and found.source == b""
    refused = Fault("file-regular", "too large")
    found = Reader().read(MODEL, ("eta",), MODEL.locate("eta"), Blob(REGULAR, lambda: refused))
    assert isinstance(found, Broken) and found.faults == (refused,)


@pytest.mark.parametrize(
    ("source", "kind", "rule", "message", "fix"),
    [
        ("- a\n", MODEL, "value-typed", "the file holds no map", "begin with `apiVersion:`"),
        ("x\n", TARGET, "value-typed", "the file holds no map", "begin with `name:`"),
        ("a: 1\n", MODEL, "kind-known", "apiVersion is missing", "write `apiVersion: modelspec/v1`"),
        ("apiVersion: modelspec/v2\nkind: Model\n", MODEL, "kind-known",
         "apiVersion is modelspec/v1 at this path; found modelspec/v2", "write `apiVersion: modelspec/v1`"),
        ("apiVersion: modelspec/v1\nkind: Pin\n", MODEL, "kind-known",
         "kind is Model at this path; found Pin", "write `kind: Model`"),
        ("apiVersion: modelspec/v1\nkind: [Model]\n", MODEL, "kind-known",
         "kind is Model at this path; found a list", "write `kind: Model`"),
        ("apiVersion: modelspec/v1\nkind:\n", MODEL, "kind-known", "kind has no value", "write `kind: Model`"),
        (SOURCE.decode().replace("owner: team", "ownr: team"), MODEL, "value-typed", "owner is missing", "add `owner:`"),
        (SOURCE.decode() + "extra: 1\n", MODEL, "keys-known", "the key extra is unknown",
         "known here: apiVersion, description, kind, model, owner, retired"),
        (SOURCE.decode() + "descripton: x\n", MODEL, "keys-known", "the key descripton is unknown",
         "did you mean description?"),
        (SOURCE.decode().replace("team", "1.10"), MODEL, "value-typed",
         "owner is text, a plain 1.10 is a number", 'quote it: "1.10"'),
        (SOURCE.decode().replace("team", "true"), MODEL, "value-typed",
         "owner is text, a plain true is a truth value", 'quote it: "true"'),
        (SOURCE.decode().replace("team", "''"), MODEL, "value-typed", "owner is empty",
         "give it a value, or remove the key"),
        (SOURCE.decode().replace("team", ""), MODEL, "value-typed", "owner has no value",
         "give it one, or remove the key"),
        (SOURCE.decode().replace("team", "[a]"), MODEL, "value-typed", "owner is text; found a list", None),
        (SOURCE.decode().replace("model: eta", "model: Eta"), MODEL, "value-typed",
         f"model is {WANTED_NAME}; found Eta", None),
        (SOURCE.decode().replace("model: eta", "model: other"), MODEL, "name-matches-path",
         "model is other, the path says eta", "write `model: eta`, or move the file"),
        ("apiVersion: modelspec/v1\nkind: Settings\nretention: {days: '30'}\n", SETTINGS, "value-typed",
         'retention.days is a whole number; found "30"', "remove the quotes"),
        ("apiVersion: modelspec/v1\nkind: Settings\nretention: {days: 30.0}\n", SETTINGS, "value-typed",
         "retention.days is a whole number; found 30.0", "write 30"),
        ("apiVersion: modelspec/v1\nkind: Settings\nretention: {days: 0}\n", SETTINGS, "value-typed",
         "retention.days is at least 1; found 0", None),
        ("apiVersion: modelspec/v1\nkind: Settings\nseverities: {MS501: off-ish}\n", SETTINGS, "value-typed",
         "severities.MS501 is one of error, warn; found off-ish", None),
        ("apiVersion: modelspec/v1\nkind: Settings\nstores: {Main: {}}\n", SETTINGS, "value-typed",
         f"the key Main in stores is not {WANTED_NAME}", None),
    ],
)  # fmt: skip
def test_a_fault_says_what_is_wanted_what_was_found_and_what_to_write(
    source: str, kind: Kind[Any], rule: str, message: str, fix: str | None
) -> None:
    names = () if kind is SETTINGS else ("eta",)
    found = Reader().read(kind, names, kind.locate(*names), Blob(REGULAR, source.encode))
    assert isinstance(found, Broken)
    assert (rule, message, fix) in [(one.rule, one.message, one.fix) for one in found.faults]


@pytest.mark.parametrize(
    "version",
    ["2.3.0", "2.3.0@", "2.3.0@sha256:" + "a" * 63, "2.3.0@sha256:" + "A" * 64, "'2.3.0@sha256:" + "a" * 64 + " '",
     '"2.3.0@sha256:' + "a" * 64 + '\\n"', "v2.3.0@" + DIGEST, "2.3@" + DIGEST, "latest@" + DIGEST,
     "2.3.0@sha512:" + "a" * 64, "2.3.0+b@" + DIGEST],
)  # fmt: skip
def test_a_reference_that_is_not_exact_is_refused(version: str) -> None:
    source = PIN_SOURCE.replace("2.3.0@" + DIGEST, version)
    (fault,) = faults(source, PIN, "production", "eta")
    assert fault[0] == "value-typed" and "with its digest" in fault[1]


def test_a_pin_without_a_digest_learns_where_to_get_it() -> None:
    (fault,) = faults(PIN_SOURCE.replace("@" + DIGEST, ""), PIN, "production", "eta")
    assert fault[2] == "write `2.3.0@` and its digest, which `modelspec digest PATH` prints"


def test_all_faults_of_a_file_are_told_in_its_order() -> None:
    source = "apiVersion: modelspec/v1\nkind: Model\nx: 1\nmodel: 2\nz: 1\n"
    assert [message for _, message, _ in faults(source)] == [
        "owner is missing",
        "the key x is unknown",
        "model is text, a plain 2 is a number",
        "the key z is unknown",
    ]


def test_a_null_is_nothing_except_where_keys_are_the_authors_own() -> None:
    tail = "    a: null\n"
    version = "apiVersion: modelspec/v1\nkind: ModelVersion\nmodel: eta\nversion: 1.0.0\n"
    assert isinstance(
        entry_of(version + "config:\n  hyperparameters:\n" + tail, VERSION, "eta", "1.0.0"), Entry
    )
    found = faults(version + "metrics:\ndescription: ~\n", VERSION, "eta", "1.0.0")
    assert {message for _, message, _ in found} == {"metrics has no value", "description has no value"}


def test_a_number_as_a_name_is_quoted_and_a_schemas_number_is_not() -> None:
    (fault,) = faults(SOURCE.decode().replace("model: eta", 'model: "7"'), MODEL, "007")
    assert fault[2] == 'write `model: "007"`, or move the file'
    source = "apiVersion: modelspec/v1\nkind: FeatureSchema\nview: v\nnumber: 8\nentity: e\nfields: []\n"
    assert (
        "name-matches-path",
        "number is 8, the path says 7",
        "write `number: 7`, or move the file",
    ) in faults(source, SCHEMA, "v", "7")


def test_every_kind_is_found_by_its_path_and_by_its_name() -> None:
    sample = {
        "model": "eta",
        "version": "1.0.0",
        "view": "v",
        "number": "7",
        "environment": "e",
        "waiver": "w",
        "target": "t",
    }
    for kind in KINDS.values():
        name = tuple(sample[part] for part in kind.parts)
        assert classify(kind.locate(*name)) == (kind, name)
        assert by_name()[kind.name] is kind
        assert kind.value.__name__ == kind.name
    assert len({kind.path for kind in KINDS.values()}) == len(KINDS)


@pytest.mark.parametrize(
    "path",
    ["", "registry", "registry/models/eta", "registry/models/eta/model.yml", "registry/models/eta/versions/1.0.yaml",
     "registry/models/eta/versions/1.0.0.yaml/x", "registry/models/../models/eta/model.yaml", "models/eta/model.yaml",
     "/registry/modelspec.yaml", "registry/modelspec.yaml\n", "registry//modelspec.yaml", "registry/features/v/0.yaml",
     "registry/features/v/07.yaml", "registry/features/request/view.yaml", "x/registry/modelspec.yaml",
     "registry/environments/production/features/request.yaml", "a/" * 30 + "b"],
)  # fmt: skip
def test_no_kind_lives_elsewhere(path: str) -> None:
    assert classify(path) is None
