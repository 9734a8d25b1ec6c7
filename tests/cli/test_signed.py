"""How much of a bundle is read before it is known to be one."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import pytest

from modelspec.cli import signed
from modelspec.formats.bundle import MOST
from modelspec.world.stores.folder import FolderStore
from world.stores.trees import laid
from world.trees import put


@pytest.mark.parametrize("pointed", [False, True])
def test_a_bundle_that_is_too_large_is_not_held_in_memory(tmp_path: Path, pointed: bool) -> None:
    (tmp_path / ".git").mkdir()
    store, data = FolderStore(tmp_path / "store"), bytes(16 * MOST)
    tree = store.put(laid(tmp_path / "source", {"bundle.json": data})).digest
    if pointed:
        name = hashlib.sha256(data).hexdigest()
        put(tmp_path, f".git/lfs/objects/{name[:2]}/{name[2:4]}/{name}", data)
        file = Path(store.root / tree.replace(":", "-") / "bundle.json")
        file.chmod(0o644)
        file.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(data)}\n")
    del data
    tracemalloc.start()
    said = signed._bytes(store, tree)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # What reads a large file has buffers of 64 MiB.
    assert said == f"has more than {MOST:,} bytes" and most < 12 * MOST
