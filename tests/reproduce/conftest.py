"""A version that is registered with golden answers, committed and pinned, in a real repository."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from conftest import Git, Run, edit, reference
from register.conftest import Register, register, shop

__all__ = ["register", "shop"]

MODEL = "eta"
VERSION = "3.0.1"


def golden_inputs() -> bytes:
    """Two rows for the example's model."""
    stream = io.BytesIO()
    np.savez(stream, features=np.array([[0.5, 1, 8, 0], [0.1, 2, 17, 3]], np.float32))
    return stream.getvalue()


@pytest.fixture
def made(register: Register, shop: Git, invoke: Run, tmp_path: Path) -> Git:
    """eta 3.0.1 with golden answers, a local dataset and a code tree with tricks in it; staging serves it."""
    (tmp_path / "golden.npz").write_bytes(golden_inputs())
    (shop.root / "data").mkdir()
    (shop.root / "data/trips.csv").write_text("distance,minutes\n1,2\n")
    (shop.root / "training/run.sh").write_text("#!/bin/sh\n")
    (shop.root / "training/run.sh").chmod(0o755)
    (shop.root / "training/link").symlink_to("/etc/passwd")
    shop.commit("The data and the code")
    done = register(
        VERSION, "--dataset", "data/trips.csv", golden=str(tmp_path / "golden.npz"), tolerance="0"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shop.commit("eta 3.0.1")
    return shop


def pin(shop: Git, invoke: Run, environment: str = "staging") -> str:
    """Let an environment serve eta 3.0.1, compile and commit; return the commit."""
    path = f"registry/environments/{environment}/models/eta.yaml"
    text = (shop.root / path).read_text()
    old = next(
        line for line in text.splitlines() if line.strip().startswith("version: ") or "version:" in line
    )
    edit(shop.root, path, old, f"  version: {reference(shop.root, MODEL, VERSION)}")
    done = invoke("compile", cwd=shop.root)
    assert done.returncode == 0, done.stdout + done.stderr
    return shop.commit(f"{environment} serves eta 3.0.1")
