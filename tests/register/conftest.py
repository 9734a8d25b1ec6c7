"""The example as a repository with its store and training code, and a `register` with all that it needs."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from conftest import ROOT, Git, Run

IMAGE = (
    "registry.example.com/serve/onnx@sha256:bb47b708e6356fda2a4c1df16d56ef076f45a1be6414cb5ddbe2bde2deb8806e"
)
MODEL = next((ROOT / "store").glob("sha256-775ef938*/model.onnx"))
WHOLE = {
    "--artifact": "model.onnx",
    "--code": "training/train.py",
    "--lock": "training/requirements.txt",
    "--image": IMAGE,
    "--python": "3.11",
    "--dataset": "s3://example-lake/trips",
    "--snapshot": "2026-12-01T00:00:00Z",
    "--feature": "trip_features@2",
    "--param": "n_estimators=100",
    "--threads": "1",
    "--threshold": "late=minutes>=60",
}

BINARIES = Path(__file__).parents[1] / "formats/fixtures/artifacts"


def engine_of(form: str) -> Any:
    """Import what runs a booster, or skip: LightGBM also needs OpenMP's library of the system."""
    try:
        return importlib.import_module(form)
    except (ImportError, OSError) as error:
        pytest.skip(f"{form} can't be imported: {error}")


Register = Callable[..., CompletedProcess[str]]


@pytest.fixture
def shop(example: Path) -> Git:
    """The example, committed, with its training code; a model lies beside it, ignored by git."""
    shutil.copytree(ROOT / "training", example / "training")
    # Without its folder the store would be looked for at its address.
    (example / "store").mkdir()
    (example / ".gitignore").write_text("/store/\n/model.onnx\n")
    shutil.copy(MODEL, example / "model.onnx")
    (example / "model.onnx").chmod(0o644)
    repository = Git(example)
    repository("remote", "add", "origin", "https://ci:secret@git.example.com/ml/eta")
    repository.commit("The example")
    return repository


@pytest.fixture
def register(invoke: Run, shop: Git, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Run `register eta` with all that it needs; keywords change an option, None leaves it out."""
    monkeypatch.setenv("CI", "true")

    def run(*arguments: str, **changed: str | None) -> CompletedProcess[str]:
        options = WHOLE | {f"--{key.replace('_', '-')}": value for key, value in changed.items()}
        flat = [part for key, value in options.items() if value is not None for part in (key, value)]
        return invoke("register", "eta", *arguments, *flat, cwd=shop.root)

    return run
