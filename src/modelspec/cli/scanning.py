"""`--scan`: what a scanner adds to what is said of a pickle. It takes nothing away."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from modelspec.tree.text import visible


def suspected(path: str, file: Path, notes: list[str]) -> str | None:
    """Say what a scanner finds in a pickle, or that it failed; None: it is silent.

    `notes` gets what it was not shown.
    """
    from modelspec.world.scan import scanned
    from modelspec.world.stores.pointers import behind

    found = scanned(behind(file), _opcodes)
    if found.dangerous:
        more = f" and {len(found.dangerous) - 5} more" if len(found.dangerous) > 5 else ""
        calls = ", ".join(visible(one, 80) for one in found.dangerous[:5])
        return f"picklescan finds {calls}{more} in {visible(path, 200)}: loading it would call that"
    if found.failed is not None:
        return (
            f"picklescan failed on {visible(path, 200)}, which is no all-clear: {visible(found.failed, 200)}"
        )
    if found.numbers:
        notes.append(
            f"{visible(path, 200)}: picklescan read all its opcodes, and not the {found.numbers:,} bytes of "
            "numbers that lie between or behind them"
        )
    return None


def _opcodes(stream: BinaryIO) -> tuple[tuple[bytes, ...], int] | None:
    """Return the pickles of what joblib or old torch wrote, compressed or not, without the numbers."""
    from modelspec.formats.compressed import COMPRESSED, DecompressionError, decompressed
    from modelspec.formats.woven import unwoven

    head = stream.read(16)
    stream.seek(0)
    kind = next((one for pattern, one in COMPRESSED if pattern.match(head)), None)
    try:
        if kind is None:
            found = unwoven(stream)
        else:
            with decompressed(lambda: nullcontext(stream), kind) as content:
                found = unwoven(content)
    except DecompressionError:
        return None
    return None if found is None else (found.pickles, found.numbers)
