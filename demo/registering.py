"""From the output of the training script to versions that are registered and pinned, in the clone."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from clone import TRAINING, Clone, Failed

PINS = "registry/environments/*/models/*.yaml"
# What a promotion rests on stays: views, schemas, environments, templates. What `register` and `compile`
# write goes.
WRITTEN = ("registry/models/*/versions/*.yaml", PINS, "compiled", "store/sha256-*")
IMAGE = (
    "registry.example.com/serve/onnx@sha256:bb47b708e6356fda2a4c1df16d56ef076f45a1be6414cb5ddbe2bde2deb8806e"
)
PYTHON = ".".join(str(part) for part in sys.version_info[:2])
# A scratch clone comes from a folder, which is no address for others.
REPOSITORY = "https://git.example.com/modelspec/modelspec"


def emptied(clone: Clone) -> dict[str, str]:
    """Begin a history without versions and pins; return the artifact of each version that there was.

    A history of its own, because a number is used once: what was published keeps its number for ever.
    """
    found = {}
    for path in sorted(clone.folder.glob("registry/models/*/versions/*.yaml")):
        [digest] = re.findall(r"(?m)^artifact:\n(?:  .*\n)*?  digest: (\S+)$", path.read_text())
        found[f"{path.parent.parent.name} {path.stem}"] = digest
    clone.run("git", "rm", "-r", "--quiet", "--", *WRITTEN)
    clone.run("git", "checkout", "--quiet", "--orphan", "demo")
    clone.commit("Views, schemas, environments, targets and the training code; no version yet")
    clone.run("git", "branch", "--move", "--force", "main")
    clone.run("git", "remote", "remove", "origin")
    return found


def trained(clone: Clone, out: Path) -> list[dict[str, Any]]:
    """Train all versions; return what the script reports of each, with the folder of its files."""
    command = ("python", "training/train.py", "--out", str(out))
    print(f"    $ {shlex.join(command)}")
    rows: list[dict[str, Any]] = json.loads(clone.run(*command, programs=TRAINING))
    for row in rows:
        row["folder"] = out / row["model"] / row["version"]
        held = ", ".join(f"{key} {value}" for key, value in row["metrics"].items())
        print(f"      {row['model']} {row['version']}: {held}")
    return rows


def registered(clone: Clone, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Register each version, with its bytes, in a commit of its own; return the artifact of each.

    It is done where it was trained, so that the golden answers are those of the packages in the lock.
    """
    found = {}
    for number, row in enumerate(rows):
        command = arguments(row)
        if number:
            print(f"    $ {shlex.join(command[:6])} ...")
        else:
            print(f"    $ {pretty(command)}")
        lines = clone.run(*command, programs=TRAINING).splitlines()
        for line in lines if not number else (line for line in lines if line.startswith("committed")):
            print(f"      {line}")
        path = f"registry/models/{row['model']}/versions/{row['version']}.yaml"
        version = (clone.folder / path).read_text()
        for key in ("golden", "reference"):
            if re.search(rf"(?m)^{key}: sha256:[0-9a-f]{{64}}$", version) is None:
                raise Failed(f"{path} has no {key}")
        [digest] = re.findall(r"(?m)^artifact:\n(?:  .*\n)*?  digest: (\S+)$", version)
        found[f"{row['model']} {row['version']}"] = digest
    return found


def arguments(row: dict[str, Any]) -> list[str]:
    """Return the command that registers a version."""
    folder, data = row["folder"], row["dataset"]
    return [
        "modelspec", "register", row["model"], row["version"],
        "--artifact", str(folder / "model.onnx"), "--architecture", "gradient-boosted-trees",
        "--code", "training/train.py", "--repository", REPOSITORY,
        "--feature", row["feature"], "--request", str(folder / "request.json"),
        "--signature", str(folder / "signature.json"),
        "--dataset", data["uri"], "--snapshot", data["snapshot"], "--dataset-digest", data["digest"],
        "--lock", "training/requirements.txt", "--python", PYTHON, "--image", IMAGE, "--threads", "1",
        "--params", str(folder / "params.json"), "--threshold", row["threshold"],
        *(part for key, value in row["metrics"].items() for part in ("--metric", f"{key}={value}")),
        "--golden", str(folder / "golden.npz"), "--reference", str(folder / "sample.csv"),
        "--tolerance", "0", "--description", row["description"], "--commit",
    ]  # fmt: skip


def pretty(command: list[str]) -> str:
    """Return a long command with an option a line."""
    return shlex.join(command).replace(" --", " \\\n        --")


def pinned(clone: Clone) -> None:
    """Bring the published pins back, each with the version of the same number that is registered now."""
    clone.run("git", "checkout", "--quiet", clone.published, "--", PINS)
    for path in sorted(clone.folder.glob(PINS)):
        versions = clone.folder / "registry/models" / path.stem / "versions"

        def ref(match: re.Match[str], versions: Path = versions) -> str:
            return (
                f"{match[1]}@{clone.run('modelspec', 'digest', str(versions / f'{match[1]}.yaml')).strip()}"
            )

        path.write_text(re.sub(r"(\d+\.\d+\.\d+)@sha256:[0-9a-f]{64}", ref, path.read_text()))
    clone.commit("Pin what is registered")
