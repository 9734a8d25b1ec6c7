"""What `verify` holds against the bytes themselves, wherever git-LFS keeps them."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from pathlib import Path

import pytest

from conftest import ROOT, Git, Run, edit
from modelspec.tree.digest import artifact_digest
from modelspec.world.files import local_tree
from modelspec.world.stores.folder import FolderStore
from world.trees import put

VERSION = "registry/models/eta/versions/2.3.1.yaml"


def pointed(root: Path, file: Path) -> None:
    """Move a file's bytes into the cache of git-LFS, and leave a pointer."""
    data = file.read_bytes()
    name = hashlib.sha256(data).hexdigest()
    put(root, f".git/lfs/objects/{name[:2]}/{name[2:4]}/{name}", data)
    file.chmod(0o644)
    file.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(data)}\n")


@pytest.mark.parametrize("where", ["store", "git-LFS"])
@pytest.mark.parametrize("what", ["lie", "pickle", "code"])
def test_the_bytes_are_looked_at_where_they_are(example: Path, modelspec: Run, where: str, what: str) -> None:
    shutil.copytree(ROOT / "store", example / "store")
    Git(example).commit("The example")
    [old] = [line for line in (example / VERSION).read_text().splitlines() if "path: model.onnx" in line]
    digest = "sha256:775ef938a7a58bee74795fdfb1b15bfe70b5d4b0db4ad59067f84d9ab48b85d5"
    if what == "lie":
        edit(example, VERSION, "ir: 8", "ir: 9")
    else:
        files = {
            "model.onnx": pickle.dumps(print),
            "MLmodel": b"flavors: {a: {code: lib}}\n",
            "lib/a.py": b"1\n",
        }
        if what == "code":
            files["model.onnx"] = b"none"
        for path, data in files.items():
            put(example, f"new/{path}", data)
        tree = FolderStore(example / "store").put(local_tree(example / "new"))
        rows = [f"    - {{path: {one.path}, size: {one.size}, digest: {one.digest}}}" for one in tree.files]
        edit(example, VERSION, old, "\n".join(rows))
        edit(example, VERSION, digest, tree.digest)
        digest = artifact_digest((one.path, one.digest) for one in tree.files)
    if where == "git-LFS":
        for file in (example / "store" / digest.replace(":", "-")).rglob("*"):
            pointed(example, file) if file.is_file() else None
    done = modelspec("verify", "eta@2.3.1", cwd=example)
    said = {"lie": "observed.ir", "pickle": "model.onnx is a pickle", "code": "lib/a.py is code that MLflow"}
    assert done.returncode == 1 and said[what] in done.stdout, done.stdout + done.stderr
