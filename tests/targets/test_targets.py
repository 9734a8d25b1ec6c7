"""The targets that ship: what they write, byte for byte, and whether the systems would take it."""

from __future__ import annotations

import json
import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from compile.registries import FRAUD, ROOT, compiled, found, pin, scene
from modelspec.runtimes.artifact import read_verified
from modelspec.runtimes.served import read_served
from modelspec.spec.kinds import TARGET
from modelspec.tree.yaml import read
from targets.golden import HERE, cases, outputs

CASES = cases()
DEFINITIONS = ROOT / ".tools" / "definitions"
"""KServe's and the Gateway API's own, which `make tools` takes from their sources."""


def written(target: str, suffix: str = "") -> list[Any]:
    """Return a parameter for every expected file of a target."""
    return [
        pytest.param(path, id=path.relative_to(HERE).as_posix())
        for path in sorted((HERE / target).glob("*/expected/**/*"))
        if path.is_file() and path.name.endswith(suffix)
    ]


@pytest.mark.parametrize(("target", "case"), CASES)
def test_a_target_writes_these_bytes(target: str, case: str) -> None:
    troubles, files = outputs(target, case)
    assert troubles == []
    expected = HERE / target / case / "expected"
    assert files == {
        path.relative_to(expected).as_posix(): path.read_bytes()
        for path in expected.rglob("*")
        if path.is_file()
    }


def test_every_target_that_ships_has_cases() -> None:
    shipped = {path.parent.name for path in (ROOT / "templates").glob("*/target.yaml")}
    assert {target for target, _ in CASES} == shipped


@pytest.mark.parametrize("target", sorted({target for target, _ in CASES}))
def test_a_target_s_folder_holds_its_files_and_nothing_else(target: str) -> None:
    entry = scene().registry.value(TARGET, target)
    assert entry is not None
    folder = ROOT / "templates" / target
    beside = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert beside == {"target.yaml", *entry.value.files}
    for output in entry.value.outputs:
        assert output.schema_ is not None
        schema = json.loads((folder / output.schema_).read_text())
        assert list(_open(schema)) == [], "a map that takes any key"


def _open(schema: Any, route: str = "") -> Any:
    """Yield where a schema describes a map and does not say which keys it has."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "additionalProperties" not in schema:
            yield route
        for key, value in schema.items():
            yield from _open(value, f"{route}/{key}")
    elif isinstance(schema, list):
        for value in schema:
            yield from _open(value, route)


@pytest.mark.parametrize("path", written("kserve", ".yaml"))
def test_every_reader_takes_the_yaml_for_the_same(path: Path) -> None:
    data, faults = read(path.read_bytes())
    assert faults == []
    assert yaml.safe_load(path.read_bytes()) == data


# KServe


def _closed(schema: Any) -> Any:
    """Return a CustomResourceDefinition's schema as one that refuses unknown keys."""
    if isinstance(schema, dict):
        made = {key: _closed(value) for key, value in schema.items()}
        if isinstance(schema.get("properties"), dict) and not schema.get(
            "x-kubernetes-preserve-unknown-fields"
        ):
            made.setdefault("additionalProperties", False)
        return made
    return [_closed(item) for item in schema] if isinstance(schema, list) else schema


@cache
def _definitions() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = [(DEFINITIONS / name).read_bytes() for name in ("kserve.yaml", "others.yaml")]
    return {
        one["spec"]["names"]["kind"]: one["spec"]
        for file in files
        for one in yaml.load_all(file, Loader=loader)
        if one is not None and one["kind"] == "CustomResourceDefinition"
    }


@cache
def _published(version: str, kind: str) -> Any:
    known = _definitions()[kind]
    group, _, number = version.partition("/")
    assert known["group"] == group
    [schema] = [
        one["schema"]["openAPIV3Schema"]
        for one in known["versions"]
        if one["name"] == number and one["served"]
    ]
    closed = _closed(schema)
    # The API server knows what is in it.
    closed["properties"]["metadata"] = {"type": "object"}
    return jsonschema_rs.validator_for(closed)


@pytest.mark.skipif(not DEFINITIONS.is_dir(), reason="the definitions of KServe are not here: make tools")
@pytest.mark.parametrize("path", written("kserve", ".yaml"))
def test_kubernetes_would_take_it(path: Path) -> None:
    data, _ = read(path.read_bytes())
    assert isinstance(data, dict)
    published = _published(str(data["apiVersion"]), str(data["kind"]))
    assert [error.message for error in published.iter_errors(data)] == []
    broken = {**data, "spec": {**data["spec"], "predicter": {}}}  # type: ignore[dict-item]
    assert not published.is_valid(broken)


@pytest.mark.parametrize("path", written("kserve", ".yaml"))
def test_names_and_labels_fit_kubernetes(path: Path) -> None:
    data = yaml.safe_load(path.read_bytes())
    assert len(data["metadata"]["name"]) <= 63 - len("-canary-predictor")
    predictor = data["spec"].get("predictor", {})
    for labels in (data["metadata"]["labels"], predictor.get("labels", {})):
        assert all(len(value) <= 63 for value in labels.values())


def test_what_kserve_answers_sums_to_a_hundred_wherever_all_slots_are_named() -> None:
    for param in written("kserve", "route.yaml"):
        (rule,) = yaml.safe_load(param.values[0].read_bytes())["spec"]["rules"]
        assert sum(backend["weight"] for backend in rule["backendRefs"]) == 100


KSERVE = "replicas: {min: 1, max: 2}"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ("replicas: {min: 3, max: 2}", "MS602"),
        ("replicas: {min: 0, max: 2}", "MS602"),
        ("replicas: {min: 1}", "MS602"),
        ("replica: {min: 1, max: 2}", "MS602"),
        (f"{KSERVE}, resources: {{cpu: 1}}", "MS602"),
        (f"{KSERVE}, resources: {{memory: 2GB}}", "MS602"),
        (f"{KSERVE}, resources: {{}}", "MS602"),
        (f'{KSERVE}, logger: {{url: "ftp://x"}}', "MS602"),
        (f"{KSERVE}, namespace: -x", "MS602"),
        ("", "MS602"),
    ],
)
def test_kserve_refuses_params_that_would_be_taken_wrongly(params: str, code: str) -> None:
    where = scene({FRAUD: pin("stable: 1.1.0", serve=f"{{kserve: {{{params}}}}}")})
    assert {one.code for one in found(where)} == {code}


@pytest.mark.parametrize(
    ("slots", "serve"),
    [
        (("variants.b: 1.2.0, weight: 10", "stable: 1.1.0"), f"{{kserve: {{{KSERVE}}}}}"),
        (("canary: 1.2.0, weight: 10", "stable: 1.1.0"), "{mlserver: {}}"),
        (("shadow: 1.2.0", "stable: 1.1.0"), "{mlserver: {}}"),
        (("variants.b: 1.2.0, weight: 10", "stable: 1.1.0"), "{mlserver: {}}"),
    ],
)
def test_a_slot_that_a_target_has_not_is_refused(slots: tuple[str, ...], serve: str) -> None:
    assert {one.code for one in found(scene({FRAUD: pin(*slots, serve=serve)}))} == {"MS606"}


def test_a_store_without_an_address_is_refused_for_kserve_and_not_for_mlserver() -> None:
    settings = (ROOT / "registry" / "modelspec.yaml").read_bytes()
    local = settings.replace(b', uri: "s3://example-models/store"', b"")
    assert local != settings
    for serve, codes in ((f"{{kserve: {{{KSERVE}}}}}", {"MS610"}), ("{mlserver: {}}", set())):
        changed = {"registry/modelspec.yaml": local, FRAUD: pin("stable: 1.1.0", serve=serve)}
        assert {one.code for one in found(scene(changed)) if one.place.path == FRAUD} == codes


# MLServer


@pytest.mark.parametrize("path", written("mlserver", "model-settings.json"))
def test_our_runtime_reads_what_is_written_for_it(path: Path) -> None:
    settings = json.loads(path.read_text())
    served = read_served(settings["parameters"]["extra"]["modelspec"])
    assert settings["parameters"]["version"] == served.version
    assert path.parent.name == served.slot
    assert settings["name"] == (served.model if served.slot == "stable" else f"{served.model}-{served.slot}")
    uri = settings["parameters"]["uri"]
    if "://" not in uri:
        folder = f"compiled/{served.environment}/models/{served.model}/mlserver/{served.slot}"
        tree = posixpath.normpath(f"{folder}/{uri}")
        assert read_verified(ROOT / tree, served.artifact.declared())


@pytest.mark.parametrize("path", written("mlserver", ".json"))
def test_mlserver_itself_takes_it(path: Path) -> None:
    settings = pytest.importorskip("mlserver.settings", reason="MLServer is not installed here")
    kind = settings.Settings if path.name == "settings.json" else settings.ModelSettings
    data = json.loads(path.read_text())
    if path.name != "settings.json":
        # MLServer would import it, and with it onnxruntime.
        data["implementation"] = "mlserver.MLModel"
    kind(**data)
    assert set(data) <= set(kind.model_fields) | {"implementation"}


def at_sftp(serve: str) -> tuple[list[str], dict[str, bytes]]:
    """Return what `fraud` gives when its store is at an address that no serving system loads from."""
    settings = (ROOT / "registry/modelspec.yaml").read_text()
    text = (HERE / "kserve/fetch" / FRAUD).read_text()
    where = scene(
        {
            "registry/modelspec.yaml": re.sub(
                r"(?m)^  main: .*$", "  main: {uri: sftp://files.example.com/models/store}", settings
            ).encode(),
            FRAUD: re.sub(r"(?m)^    fetch: .*\n", serve, text).encode(),
        }
    )
    inside = FRAUD.replace("registry/environments", "compiled").removesuffix(".yaml") + "/kserve/"
    files = {
        path.removeprefix(inside): data for path, data in compiled(where).items() if path.startswith(inside)
    }
    return [one.message for one in found(where) if one.place.path == FRAUD], files


def test_what_kserve_can_t_load_is_refused() -> None:
    troubles, _ = at_sftp("")
    assert set(troubles) == {
        f"kserve can't reach the artifact of {slot}: the store main is at sftp://, from where kserve loads nothing"
        for slot in ("stable", "canary", "shadow", "standby")
    }


def test_what_kserve_can_t_load_is_fetched() -> None:
    """KServe is told of the folder that the init container fills, which its webhooks take."""
    (fetch,) = re.findall(r"(?m)^    fetch: .*\n", (HERE / "kserve/fetch" / FRAUD).read_text())
    troubles, files = at_sftp(fetch)
    assert troubles == []
    for name, data in files.items():
        text = (HERE / "kserve/fetch/expected" / name).read_text()
        text = re.sub(r"(storageUri:) \S+", r"\1 file:///mnt/models", text)
        assert data.decode() == re.sub(
            r"s3://\S+(/sha256-\w+)", r"sftp://files.example.com/models/store\1", text
        )
