"""The data that `reproduce` copies, when it is here and has its digest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import Git, Run, edit


@pytest.mark.parametrize("how", ["empty", "closed", "link", "loop"])
def test_data_that_cannot_be_told_hides_no_other(made: Git, ordinary: Run, tmp_path: Path, how: str) -> None:
    path = "registry/models/eta/versions/3.0.1.yaml"
    edit(made.root, path, "s3://example-lake/trips", "data/more")
    odd = made.root / "data/more"
    if how == "loop":
        odd.symlink_to("more")
    else:
        odd.mkdir()
    if how == "link":
        (odd / "a.csv").symlink_to("../trips.csv")
    if how == "closed":
        odd.chmod(0)
    out, right = tmp_path / "out", str(made.root / "data/trips.csv")
    done = ordinary("reproduce", "eta@3.0.1", str(out), "--data", right, cwd=made.root)
    odd.chmod(0o755) if how == "closed" else None
    assert done.returncode == 0, done.stdout + done.stderr
    parts = json.loads((out / "reproduce.json").read_text())["parts"]
    assert [part["state"] for part in parts if part["component"] == "dataset"] == ["exact"]
