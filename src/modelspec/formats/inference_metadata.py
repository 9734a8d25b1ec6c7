"""Model metadata of the Open Inference Protocol (`GET /v2/models/M`): the stamp that answers there."""

from __future__ import annotations

from typing import Final

from modelspec.formats.manifests import node, text
from modelspec.tree.data import Data
from modelspec.tree.observed import Observation, Shown, Unclear
from modelspec.tree.text import visible

SOURCE: Final = "open-inference"


def is_metadata(data: Data) -> bool:
    """Whether some JSON has the form of a model's metadata."""
    return isinstance(data, dict) and text(data, "name") is not None and {"inputs", "outputs"} <= data.keys()


def answered(data: Data, place: str) -> Observation | Unclear:
    """Return which version an endpoint says that it answers with; when that began is not told.

    The stamp is in `parameters`, where the runtimes of modelspec put it, or in the only entry of `versions`.
    """
    stamp = text(data, "parameters", "digest") or text(data, "parameters", "stamp") or _version(data)
    name = text(data, "name") or ""
    if stamp is None and len(_versions(data)) > 1:
        return Unclear(
            place, f"{visible(name)} has {len(_versions(data))} versions and does not say which one answers",
            "observe one of them: .../v2/models/MODEL/versions/VERSION", wrong=True,
        )  # fmt: skip
    if stamp is None:
        return Unclear(
            place, f"{visible(name)} names no stamp of modelspec in its metadata",
            "serve it with what modelspec compiles, whose answers name the version", wrong=True,
        )  # fmt: skip
    slot = text(data, "parameters", "slot") or "unknown"
    said = text(data, "parameters", "version") or ", ".join(_versions(data))
    return Observation(
        SOURCE,
        place,
        f"{visible(name)} says that it is {visible(said or 'there')}",
        None,
        text(data, "parameters", "model"),
        text(data, "parameters", "environment"),
        (Shown(slot, stamp, 0.0 if slot in ("standby", "shadow") else 100.0),),
    )


def _versions(data: Data) -> list[str]:
    found = node(data, "versions")
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _version(data: Data) -> str | None:
    versions = _versions(data)
    return versions[0] if len(versions) == 1 and versions[0].startswith("sha256") else None
