"""The path decides the kind: one table of kinds, their patterns and their values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from modelspec.tree.paths import NAME, SEMVER, VIEW_NAME, name_trouble

if TYPE_CHECKING:
    from modelspec.spec.environment import Environment, FeaturePin, Pin, Waiver
    from modelspec.spec.feature import FeatureSchema, FeatureView
    from modelspec.spec.model import Model, ModelVersion
    from modelspec.spec.settings import Settings
    from modelspec.spec.target import Target

V = TypeVar("V")

PARTS: Final = {
    "model": NAME,
    "environment": NAME,
    "target": NAME,
    "waiver": NAME,
    "view": VIEW_NAME,
    "version": SEMVER,
    "number": "[1-9][0-9]{0,8}",
}
"""What each part of a path that names something must match, whole."""
RESERVED_VIEW: Final = "request"
"""No view's name: `from` uses it for the inputs that come with a request."""


@lru_cache
def _parts(path: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\{(\w+)\}", path))


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[V]):
    """A kind of file: `path` is its pattern, with the names it takes from it in braces."""

    name: str
    path: str
    module: str
    doc: str

    @property
    def parts(self) -> tuple[str, ...]:
        """The names that the path holds, in order."""
        return _parts(self.path)

    @property
    def value(self) -> type[V]:
        """The class of its values; imported when asked for, since pydantic is slow to start."""
        found: type[V] = getattr(import_module(f"modelspec.spec.{self.module}"), self.name)
        return found

    @property
    def enveloped(self) -> bool:
        """Whether its files begin with apiVersion and kind."""
        return self.path.startswith("registry/")

    def locate(self, *name: str) -> str:
        """Return the path of the file that holds `name`."""
        return self.path.format(**dict(zip(self.parts, name, strict=True)))


SETTINGS: Final[Kind[Settings]] = Kind(
    "Settings", "registry/modelspec.yaml", "settings", "the registry's settings"
)
MODEL: Final[Kind[Model]] = Kind("Model", "registry/models/{model}/model.yaml", "model", "a model")
VERSION: Final[Kind[ModelVersion]] = Kind(
    "ModelVersion", "registry/models/{model}/versions/{version}.yaml", "model", "a model version"
)
VIEW: Final[Kind[FeatureView]] = Kind(
    "FeatureView", "registry/features/{view}/view.yaml", "feature", "a feature view"
)
SCHEMA: Final[Kind[FeatureSchema]] = Kind(
    "FeatureSchema", "registry/features/{view}/{number}.yaml", "feature", "a feature schema"
)
ENVIRONMENT: Final[Kind[Environment]] = Kind(
    "Environment", "registry/environments/{environment}/environment.yaml", "environment", "an environment"
)
PIN: Final[Kind[Pin]] = Kind(
    "Pin", "registry/environments/{environment}/models/{model}.yaml", "environment", "a pin"
)
FEATURE_PIN: Final[Kind[FeaturePin]] = Kind(
    "FeaturePin", "registry/environments/{environment}/features/{view}.yaml", "environment", "a feature pin"
)
WAIVER: Final[Kind[Waiver]] = Kind("Waiver", "registry/waivers/{waiver}.yaml", "environment", "a waiver")
TARGET: Final[Kind[Target]] = Kind("Target", "templates/{target}/target.yaml", "target", "a target")

KINDS: Final[dict[tuple[str, str], Kind[Any]]] = {
    ("modelspec/v1", kind.path): kind
    for kind in (SETTINGS, MODEL, VERSION, VIEW, SCHEMA, ENVIRONMENT, PIN, FEATURE_PIN, WAIVER, TARGET)
}
"""Keyed by (apiVersion, path pattern): a version of the format stays readable for ever."""


def _regex(kind: Kind[Any]) -> re.Pattern[str]:
    pattern = re.escape(kind.path).replace(r"\{", "{").replace(r"\}", "}")
    for part in kind.parts:
        pattern = pattern.replace("{" + part + "}", f"(?P<{part}>{PARTS[part]})")
    return re.compile(pattern)


def _view(kind: Kind[Any]) -> int | None:
    """Return which part of a kind's path is a view's name, if one is."""
    return kind.parts.index("view") if "view" in kind.parts else None


_PATTERNS: Final = tuple((kind, _regex(kind), _view(kind)) for kind in KINDS.values())
_BY_DEPTH: Final = {
    depth: tuple(one for one in _PATTERNS if one[0].path.count("/") == depth) for depth in range(8)
}


def classify(path: str) -> tuple[Kind[Any], tuple[str, ...]] | None:
    """Return the kind of a path and the names in it, or None when no kind lives there."""
    # Asked of every file: plain loops are what is quickest here.
    for kind, regex, view in _BY_DEPTH.get(path.count("/"), ()):
        match = regex.fullmatch(path)
        if match is not None:
            names = match.groups()
            for name in names:
                if name_trouble(name) is not None:
                    return None
            return None if view is not None and names[view] == RESERVED_VIEW else (kind, names)
    return None
