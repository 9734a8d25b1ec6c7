"""Takes the shell and the scripts out of action.yml and the workflows, and runs them as a runner would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import GIT_ENV, ROOT

WORKFLOWS = sorted((ROOT / "ci" / "github").glob("*.yml"))
ACTION = ROOT / "action.yml"


def loaded(path: Path) -> dict[Any, Any]:
    """Return a workflow or an action; `on` is read as true by YAML 1.1, and is put back."""
    data = yaml.safe_load(path.read_text())
    assert isinstance(data, dict)
    if True in data:
        data["on"] = data.pop(True)
    return data


def steps_of(path: Path) -> list[dict[str, Any]]:
    """Return all steps of a file, of all its jobs."""
    data = loaded(path)
    if "runs" in data:
        return list(data["runs"]["steps"])
    return [step for job in data["jobs"].values() for step in job["steps"]]


def step(path: Path, name: str) -> dict[str, Any]:
    """Return the first step of a name."""
    return next(one for one in steps_of(path) if one["name"] == name)


def tool(name: str, how: str) -> str:
    """Return a program: of this environment, from PATH, or from what `make tools` fills; else skip."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), str(ROOT / ".tools")]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        pytest.skip(f"{name} is not installed: {how}")
    return found


@dataclass
class Runner:
    """A runner's folders and the environment that it gives a step."""

    temp: Path

    def __post_init__(self) -> None:
        self.temp.mkdir(parents=True, exist_ok=True)
        self.output, self.summary = self.temp / "output", self.temp / "summary.md"
        self.output.touch()
        self.summary.touch()

    def event(self, payload: object) -> str:
        """Write an event's payload; return its path."""
        file = self.temp / "event.json"
        file.write_text(json.dumps(payload))
        return str(file)

    def run(
        self,
        script: str,
        cwd: Path,
        extra: dict[str, str],
        *,
        programs: Path | None = None,
        shell: tuple[str, ...] = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail"),
    ) -> subprocess.CompletedProcess[str]:
        """Run a step's shell, by default as GitHub does, with modelspec on the PATH."""
        file = self.temp / "step.sh"
        file.write_text(script)
        path = [str(programs)] if programs else []
        path += [str(Path(sys.executable).parent), os.environ["PATH"]]
        keep = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("GIT_", "GITHUB_", "CI_", "MODELSPEC_", "GH_"))
        }
        env = {
            **keep,
            **GIT_ENV,
            "PATH": os.pathsep.join(path),
            "GITHUB_ACTIONS": "true",
            "GITHUB_SERVER_URL": "https://github.example.com",
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RUNNER_TEMP": str(self.temp),
            "MODELSPEC_ROOT": ".",
            **extra,
        }
        return subprocess.run(
            [*shell, str(file)],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
