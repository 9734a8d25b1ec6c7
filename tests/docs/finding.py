"""The finding on the README's first screen: production serves another schema than its model was trained on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from docs.pages import ROOT
from modelspec.tree.digest import spec_digest
from modelspec.tree.yaml import read

PIN = "registry/environments/production/features/trip_features.yaml"
_SHOWN = re.compile(r"(```console\n\$ modelspec check\n).*?(```\n)", re.DOTALL)


def printed(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `check` on a copy of the example in which production serves trip_features 2 in place of 1."""
    for name in ("registry", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    data, _ = read((ROOT / "registry" / "features" / "trip_features" / "2.yaml").read_bytes())
    pin = folder / PIN
    moved, count = re.subn(r"(?m)^  - 1@\S+$", f"  - 2@{spec_digest(data)}", pin.read_text())
    assert count == 1
    pin.write_text(moved)
    command = [sys.executable, "-m", "modelspec", "check"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def shown(text: str, folder: Path) -> str:
    """Return the README with what is printed now."""
    said = printed(folder).stdout
    return _SHOWN.sub(lambda match: f"{match[1]}{said}{match[2]}", text, count=1)
