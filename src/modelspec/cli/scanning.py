"""`--scan`: what a scanner adds to what is said of a pickle. It takes nothing away."""

from __future__ import annotations

from pathlib import Path

from modelspec.tree.text import visible


def suspected(path: str, file: Path) -> str | None:
    """Say what a scanner finds in a pickle, or that it failed; None: it is silent."""
    from modelspec.world.scan import scanned

    found = scanned(file)
    if found.dangerous:
        more = f" and {len(found.dangerous) - 5} more" if len(found.dangerous) > 5 else ""
        calls = ", ".join(visible(one, 80) for one in found.dangerous[:5])
        return f"picklescan finds {calls}{more} in {visible(path, 200)}: loading it would call that"
    if found.failed is not None:
        return (
            f"picklescan failed on {visible(path, 200)}, which is no all-clear: {visible(found.failed, 200)}"
        )
    return None
