"""The generator of registries: what it writes is read without a fault, and only its arguments decide it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.kinds import ENVIRONMENT, FEATURE_PIN, KINDS, PIN, SCHEMA, VERSION
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.digest import artifact_digest
from modelspec.tree.snapshot import DictSnapshot

ROOT = Path(__file__).parents[2]
GENERATE = ROOT / "benchmarks" / "generate.py"


def generate(out: Path, *arguments: str) -> str:
    """Run the generator for 3 models x 6 versions x 2 environments; return what it printed: the commit."""
    size = ["--models", "3", "--versions", "6", "--environments", "2"]
    command = [sys.executable, str(GENERATE), *size, *arguments, str(out)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One generated registry."""
    out = tmp_path_factory.mktemp("generated") / "registry"
    generate(out, "--seed", "7")
    return out


@pytest.fixture(scope="module")
def registry(folder: Path) -> Registry:
    """The generated registry, read."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    return Registry(DictSnapshot({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}))


def test_the_same_seed_gives_the_same_commit(tmp_path: Path) -> None:
    assert generate(tmp_path / "same", "--seed", "7") == generate(tmp_path / "again", "--seed", "7")
    assert generate(tmp_path / "other", "--seed", "8") != generate(tmp_path / "default")


def test_it_is_one_commit_that_is_checked_out(folder: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert git("rev-list", "--count", "main").strip() == "1"
    assert git("status", "--porcelain") == ""


def test_the_counts_are_the_arguments(registry: Registry) -> None:
    assert len(registry.names(VERSION)) == 3 * 6
    assert len(registry.names(ENVIRONMENT)) == 2
    assert len(registry.names(PIN)) == 3 * 2


def test_every_file_is_read_as_its_kind(registry: Registry) -> None:
    read = {entry.path for kind in KINDS.values() for entry in registry.entries(kind)}
    files = {path for path, _ in registry.files()}
    assert files <= read


def test_every_pin_names_its_version_by_its_digest(registry: Registry) -> None:
    for pin in registry.entries(PIN):
        for _, _, ref in pin.value.slots():
            version = registry.get(VERSION, pin.value.model, ref_name(ref))
            assert isinstance(version, Entry)
            assert version.digest == ref_digest(ref)


def test_versions_have_the_digests_that_they_claim(registry: Registry) -> None:
    for entry in registry.entries(VERSION):
        version = entry.value
        assert version.artifact is not None
        assert version.artifact.digest == artifact_digest(
            (file.path, file.digest) for file in version.artifact.files
        )
        parent = version.lineage.parent if version.lineage else None
        if parent is not None:
            before = registry.value(VERSION, version.model, ref_name(parent))
            assert before is not None
            assert before.digest == ref_digest(parent)


def test_a_pinned_version_reads_exactly_what_is_served(registry: Registry) -> None:
    """Everything is compatible: what a benchmark measures is a registry without findings."""
    for pin in registry.entries(PIN):
        for _, _, ref in pin.value.slots():
            version = registry.value(VERSION, pin.value.model, ref_name(ref))
            assert version is not None
            assert version.value.feature_refs
            for feature in version.value.feature_refs:
                served = registry.value(FEATURE_PIN, pin.value.environment, feature.view)
                assert served is not None
                assert served.value.serves == (feature.schema_,)


def test_what_versions_read_is_a_field_of_their_schemas(registry: Registry) -> None:
    for entry in registry.entries(VERSION):
        fields = {f"request.{field.name}" for field in entry.value.request}
        for feature in entry.value.feature_refs:
            schema = registry.value(SCHEMA, feature.view, ref_name(feature.schema_))
            assert schema is not None
            assert schema.digest == ref_digest(feature.schema_)
            fields |= {f"{feature.view}.{field.name}" for field in schema.value.fields}
        assert entry.value.signature is not None
        assert all(set(tensor.sources) <= fields for tensor in entry.value.signature.inputs)


def test_a_folder_that_holds_something_is_left_alone(folder: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        generate(folder)
    assert re.search("exists and is not an empty folder", stopped.value.stderr)
