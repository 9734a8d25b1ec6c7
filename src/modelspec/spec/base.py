"""The base of every value read from a file, and the types that its keys have.

Types state shape only (a digest, a name, a number). What a value means, and whether a component is
complete, is judged by rules, so that each trouble has its own code and words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from modelspec.spec.instant import instant
from modelspec.tree.digest import DIGEST, short
from modelspec.tree.paths import NAME, SEMVER, VIEW_NAME

API: Final = "modelspec/v1"
T = TypeVar("T")

_NAME: Final = f"^{NAME}$"
_VIEW: Final = f"^{VIEW_NAME}$"
_FIELD: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"
_DIGEST: Final = f"^{DIGEST}$"
_SEMVER: Final = f"^{SEMVER}$"
VERSION_REF: Final = f"^{SEMVER}@{DIGEST}$"
SCHEMA_REF: Final = f"^[1-9][0-9]{{0,8}}@{DIGEST}$"
_DURATION: Final = r"^(?:0|[1-9][0-9]{0,5})(?:s|m|h|d)$"
_INSTANT: Final = (
    r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:\.[0-9]{1,9})?(?:Z|[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)
_PERCENT: Final = r"^(?:0|[1-9][0-9]?|100)(?:\.[0-9]{1,6})?%$"
_POINTER: Final = r"^(?:/(?:[^~/]|~[01])*)*$"
LINK: Final = r"^https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[^\s]*)?$"
_RELEASE: Final = r"^>=[0-9]{1,4}(?:\.[0-9]{1,4}){0,2}$"

WANTED: Final[dict[str, str]] = {
    _NAME: "a name: lower-case letters, digits, `.` and `-`, at most 63, a letter or digit at both ends",
    _VIEW: "a view's name: lower-case letters, digits, `.`, `_` and `-`, at most 63",
    _FIELD: "a name of letters, digits and `_`, at most 63, not starting with a digit",
    _DIGEST: "a digest: `sha256:` and 64 lower-case hex digits",
    _SEMVER: "a version: MAJOR.MINOR.PATCH with an optional lower-case prerelease, no `+build`",
    VERSION_REF: "a version with its digest: `2.3.1@sha256:<64 hex digits>`",
    SCHEMA_REF: "a schema number with its digest: `7@sha256:<64 hex digits>`",
    _DURATION: "a duration: a whole number of at most six digits and s, m, h or d, such as `24h`",
    _INSTANT: 'an instant with its offset, quoted: "2026-10-01T00:00:00Z"',
    _PERCENT: "a percentage such as `2%`",
    _POINTER: "a JSON pointer such as `/stable/version`",
    LINK: "a web address: https://...",
    _RELEASE: "a least version of modelspec such as `>=0.1.0`",
}
"""What a pattern asks for, in words."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Says in words what a type of several shapes asks for, in place of one error for each shape."""

    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Wrap the schema so that all its errors become one, `wanted`, that carries the words."""
        return core_schema.custom_error_schema(
            handler(source),
            custom_error_type="wanted",
            custom_error_message="{wanted}",
            custom_error_context={"wanted": self.words},
        )


def _existing(text: str) -> str:
    """Refuse the thirtieth of February, which has the form of an instant."""
    if instant(text) is None:
        raise PydanticCustomError("wanted", "{wanted}", {"wanted": "a day that the calendar has"})
    return text


Name = Annotated[str, StringConstraints(pattern=_NAME)]
ViewName = Annotated[str, StringConstraints(pattern=_VIEW)]
FieldName = Annotated[str, StringConstraints(pattern=_FIELD)]
Digest = Annotated[str, StringConstraints(pattern=_DIGEST)]
SemVer = Annotated[str, StringConstraints(pattern=_SEMVER)]
VersionRef = Annotated[str, StringConstraints(pattern=VERSION_REF)]
SchemaRef = Annotated[str, StringConstraints(pattern=SCHEMA_REF)]
Duration = Annotated[str, StringConstraints(pattern=_DURATION)]
Instant = Annotated[str, StringConstraints(pattern=_INSTANT), AfterValidator(_existing)]
Percent = Annotated[str, StringConstraints(pattern=_PERCENT)]
Pointer = Annotated[str, StringConstraints(pattern=_POINTER)]
Link = Annotated[str, StringConstraints(pattern=LINK)]
Release = Annotated[str, StringConstraints(pattern=_RELEASE)]
Text = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Seq = Annotated[tuple[T, ...], Field(strict=False)]
"""A YAML list, kept as a tuple."""
Free = dict[str, Any]
"""A map whose keys are the author's own (hyperparameters, a target's params)."""
Dimension = Annotated[int | str, Wanted("a whole number, or a name where the dimension is symbolic")]

DType = Literal[
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "decimal", "string", "bytes", "date", "timestamp",
]  # fmt: skip


class Value(BaseModel):
    """A frozen value with no other keys than its own."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True, allow_inf_nan=False)


class Envelope(Value):
    """What every file of `registry/` begins with."""

    api_version: Literal["modelspec/v1"] = Field(alias="apiVersion")
    """The version of the format."""


class Unknown(Value):
    """The honest way to say that a component, or a part, is lost."""

    reason: Text
    """Why nobody knows it any more."""


def ref_name(ref: str) -> str:
    """Return the version or number in front of the `@` of a reference."""
    return ref.partition("@")[0]


def ref_digest(ref: str) -> str:
    """Return the digest behind the `@` of a reference."""
    return ref.partition("@")[2]


def differs_in_digest(ref: str, wanted: str) -> bool:
    """Whether two references have one name and two digests."""
    return ref != wanted and ref_name(ref) == ref_name(wanted)


def ref_beside(ref: str, wanted: str) -> str:
    """Return the name of a reference beside the wanted one, with both digests where only these differ."""
    if not differs_in_digest(ref, wanted):
        return ref_name(ref)
    held, other = (short(ref_digest(one)) for one in (ref, wanted))
    return f"{ref_name(ref)} of another digest ({held}, not {other})"
