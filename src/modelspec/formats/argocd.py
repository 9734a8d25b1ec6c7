"""Argo CD's Application: which revision it applied when (it keeps ten), and whether that is healthy."""

from __future__ import annotations

from collections.abc import Iterator

from modelspec.formats.manifests import Manifest, items, moment, node, text
from modelspec.tree.data import Data
from modelspec.tree.observed import Observation, Seen, Unclear
from modelspec.tree.text import visible

GROUP = "argoproj.io"
KIND = "Application"
SOURCE = "argocd"


def applied(one: Manifest) -> Iterator[Seen]:
    """Yield an observation for each entry of the history, oldest first.

    The last one counts only when the application is healthy: until then it was synced and not yet proven to
    serve.
    """
    history = items(one.data, "status", "history")
    if not history:
        yield Unclear(one.place, "it has no history yet: nothing was applied")
    health = text(one.data, "status", "health", "status") or "Unknown"
    for index, entry in enumerate(history):
        since = moment(entry, "deployedAt")
        revisions = tuple(_revisions(entry))
        if since is None or not revisions:
            yield Unclear(
                one.place, f"entry {index} of its history names no revision or no time", wrong=True,
                fix="save it whole: kubectl get applications.argoproj.io -o json",
            )  # fmt: skip
            continue
        if index == len(history) - 1 and health != "Healthy":
            yield Unclear(
                one.place,
                f"{revisions[0][:12]} is applied and {visible(health)}: not counted until it is Healthy",
            )
            continue
        yield Observation(
            SOURCE,
            one.place,
            f"{one.place}, history {_number(entry)}: revision {visible(revisions[0][:12])}",
            since,
            revisions=revisions,
            path=_path(entry) or text(one.data, "spec", "source", "path"),
        )


def _revisions(entry: Data) -> Iterator[str]:
    revision = text(entry, "revision")
    if revision is not None:
        yield revision
    several = node(entry, "revisions")
    yield from (one for one in several if isinstance(one, str)) if isinstance(several, list) else ()


def _path(entry: Data) -> str | None:
    """Return the folder that was applied, None where several sources name several."""
    paths = {text(source, "path") for source in items(entry, "sources")} - {None}
    return text(entry, "source", "path") or (paths.pop() if len(paths) == 1 else None)


def _number(entry: Data) -> str:
    found = node(entry, "id")
    return str(found) if isinstance(found, int) else "entry"
