"""What `fetch` and `gc` print."""

from __future__ import annotations

from collections.abc import Sequence

from modelspec.tree.data import Data
from modelspec.tree.digest import short
from modelspec.tree.protocols import StoredFile, Swept
from modelspec.tree.text import plural, visible


def fetch_text(name: str, digest: str, target: str, files: Sequence[StoredFile], already: bool) -> str:
    """Return one line: what is where."""
    size = sum(file.size for file in files)
    what = (
        "holds it already, verified" if already else f"{plural(len(files), 'file')}, {size:,} bytes, verified"
    )
    return f"{visible(name, 200)} {short(digest)} -> {visible(target, 200)}: {what}\n"


def fetch_json(name: str, digest: str, target: str, files: Sequence[StoredFile], already: bool) -> Data:
    """Return the shape `modelspec/fetch/1`."""
    return {
        "format": "modelspec/fetch/1",
        "name": name,
        "digest": digest,
        "target": target,
        "already": already,
        "files": [{"path": file.path, "size": file.size, "digest": file.digest} for file in files],
    }


def gc_text(swept: Sequence[Swept], deleted: bool) -> str:
    """Return each store's trees that nothing needs, and the sum."""
    text, total = "", 0
    for store in swept:
        total += sum(one.bytes for one in store.dead)
        text += "".join(f"{one.digest}  {one.bytes:>15,} bytes\n" for one in store.dead)
        what = "removed" if deleted else "can go"
        text += (
            f"{store.store}: {plural(len(store.dead), 'tree')} {what}, {store.kept:,} needed, "
            f"{store.young:,} younger than the grace time\n"
        )
    if not swept:
        return "no store is a folder here: there is nothing to collect\n"
    cure = "; remove them with --delete" if not deleted and any(store.dead for store in swept) else ""
    return f"{text}{total:,} bytes {'freed' if deleted else 'to free'}{cure}\n"


def gc_json(swept: Sequence[Swept], deleted: bool) -> Data:
    """Return the shape `modelspec/gc/1`."""
    return {
        "format": "modelspec/gc/1",
        "deleted": deleted,
        "stores": [
            {
                "store": store.store,
                "dead": [{"digest": one.digest, "bytes": one.bytes} for one in store.dead],
                "kept": store.kept,
                "young": store.young,
            }
            for store in swept
        ],
    }
