"""A small registry for logs that are to be traced: the example's, with a version that reads so many features.

`python benchmarks/records.py` asks `modelspec trace` for requests that this version answered.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from modelspec.tree.digest import spec_digest

EXAMPLE: Final = Path(__file__).parent.parent
MODEL, VERSION, ENVIRONMENT, VIEW = "eta", "9.0.0", "production", "wide_features"
MERGED: Final = "2026-11-01T09:00:00Z"
"""When the version was pinned: before the first request of any log."""


@dataclass(frozen=True, slots=True)
class Wide:
    """The version that answers: its digest, and the full names of the fields that it reads."""

    digest: str
    fields: tuple[str, ...]


def wide(features: int) -> tuple[Wide, dict[str, Any]]:
    """Return the version with so many features, and the documents of the registry by path."""
    schema = {
        "apiVersion": "modelspec/v1", "kind": "FeatureSchema", "view": VIEW, "number": 1,
        "fields": [
            {"name": f"f{number}", "dtype": "float32", "unit": "1", "range": [0, 12], "nullable": False}
            for number in range(features)
        ],
    }  # fmt: skip
    fields = tuple(f"{VIEW}.f{number}" for number in range(features))
    version = _read("registry/models/eta/versions/2.3.0.yaml")
    version |= {
        "version": VERSION, "description": "Reads many features", "request": [],
        "features": [{"view": VIEW, "schema": f"1@{spec_digest(schema)}"}],
        "signature": {
            "inputs": [
                {"name": "features", "dtype": "float32", "shape": [-1, features], "from": list(fields)}
            ],
            "outputs": version["signature"]["outputs"],
        },
    }  # fmt: skip
    for key in ("golden", "reference", "lineage"):
        version.pop(key, None)
    del version["artifact"]["observed"]
    digest = spec_digest(version)
    view = {
        "apiVersion": "modelspec/v1", "kind": "FeatureView", "view": VIEW, "owner": "@data-trips",
        "description": "Many features", "compatibility": "NONE",
    }  # fmt: skip
    served = {
        "apiVersion": "modelspec/v1", "kind": "FeaturePin", "environment": ENVIRONMENT, "view": VIEW,
        "access": "current", "serves": [f"1@{spec_digest(schema)}"], "closes": [],
    }  # fmt: skip
    pin = {
        "apiVersion": "modelspec/v1", "kind": "Pin", "environment": ENVIRONMENT, "model": MODEL,
        "stable": {"version": f"{VERSION}@{digest}"},
    }  # fmt: skip
    documents = {
        f"registry/features/{VIEW}/view.yaml": view,
        f"registry/features/{VIEW}/1.yaml": schema,
        f"registry/models/{MODEL}/versions/{VERSION}.yaml": version,
        f"registry/environments/{ENVIRONMENT}/features/{VIEW}.yaml": served,
        f"registry/environments/{ENVIRONMENT}/models/{MODEL}.yaml": pin,
    }
    return Wide(digest, fields), documents


def registry(root: Path, features: int) -> None:
    """Write a repository in which the version is pinned, in one change after the example itself."""
    for folder in ("registry", "templates", "store"):
        shutil.copytree(EXAMPLE / folder, root / folder)
    _git(root, "init", "--quiet", "--initial-branch=main")
    _commit(root, "The example", "2026-10-01T09:00:00Z")
    for path, data in wide(features)[1].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    _commit(root, f"Promote {MODEL} {VERSION} in {ENVIRONMENT} (#12)", MERGED)


def _read(path: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((EXAMPLE / path).read_text(encoding="utf-8"))
    return data


def _commit(root: Path, message: str, at: str) -> None:
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", f"--message={message}", at=at)


def _git(root: Path, *arguments: str, at: str = MERGED) -> None:
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "Bench"), ("EMAIL", "bench@example.com"), ("DATE", at))
    }
    subprocess.run(
        ["git", "-C", str(root), *arguments],
        check=True,
        env=os.environ | who | {"GIT_CONFIG_GLOBAL": os.devnull},
    )
