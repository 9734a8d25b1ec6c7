"""SageMaker's DescribeEndpoint: the variants, whose names carry the stamp, and their current weights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from modelspec.formats.manifests import items, moment, node, number, text
from modelspec.formats.pods import shares
from modelspec.tree.data import Data
from modelspec.tree.observed import Observation, Seen, Shown, Unclear
from modelspec.tree.text import visible

SOURCE: Final = "sagemaker"
_VARIANT: Final = re.compile(r"(?:([A-Za-z][A-Za-z0-9-]*?)-)?(?:sha256-)?([0-9a-f]{12,64})")
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


def is_endpoint(data: Data) -> bool:
    """Whether some JSON is the answer of DescribeEndpoint."""
    return isinstance(data, dict) and {"EndpointName", "EndpointStatus"} <= data.keys()


def described(data: Data) -> Iterator[Seen]:
    """Yield what an endpoint serves, once it is in service."""
    name = text(data, "EndpointName") or ""
    place = f"endpoint {visible(name)}"
    status = text(data, "EndpointStatus") or "unknown"
    if status != "InService":
        yield Unclear(place, f"it is {visible(status)}: not counted until it is InService")
        return
    weights: dict[tuple[str, str], float] = {}
    shadows: list[Shown] = []
    for key, shadow in (("ProductionVariants", False), ("ShadowProductionVariants", True)):
        for variant in items(data, key):
            named = text(variant, "VariantName") or ""
            found = _VARIANT.fullmatch(named)
            if found is None:
                yield Unclear(
                    place, f"the variant {visible(named)} carries no stamp of modelspec",
                    "name variants as modelspec compiles them: <slot>-<stamp>", wrong=True,
                )  # fmt: skip
                return
            slot = found[1] if found[1] and found[1] != "sha256" else ("shadow" if shadow else "unknown")
            if shadow:
                shadows.append(Shown(slot, found[2], 0.0))
            else:
                weights[slot.lower(), found[2]] = number(variant, "CurrentWeight") or 0.0
    config = text(data, "EndpointConfigName") or "unnamed"
    yield Observation(
        SOURCE, place, f"{place}, config {visible(config)}", _time(data), slots=(*shares(weights), *shadows)
    )  # fmt: skip


def _time(data: Data) -> datetime | None:
    """Return when the endpoint was changed last: as text, or as seconds (version 1 of the AWS CLI)."""
    seconds = node(data, "LastModifiedTime")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < _LATEST:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=0)
    return moment(data, "LastModifiedTime")
