"""A TensorFlow Data Validation schema in protobuf's text format (tensorflow_metadata, v0/schema.proto)."""

from __future__ import annotations

import math
from typing import Final

from modelspec.formats.foreign import Draft, Imported, Unreadable, words
from modelspec.formats.textproto import Message, all_of, inner, read_textproto, text
from modelspec.tree.data import Data
from modelspec.tree.text import visible

_TYPES: Final = {
    "INT": "int64",
    "FLOAT": "float32",
    "BYTES": "bytes",
    "1": "bytes",
    "2": "int64",
    "3": "float32",
}
_DOMAINS: Final = ("int_domain", "float_domain", "string_domain", "bool_domain")
_MEANINGS: Final = frozenset(
    ["natural_language_domain", "image_domain", "audio_domain", "video_domain", "content_chunk_domain",
    "mid_domain", "url_domain", "time_domain", "time_of_day_domain"]
)  # fmt: skip
_READ: Final = frozenset(
    ["name", "type", "presence", "shape", "value_count", "domain", "annotation", "lifecycle_stage",
    "deprecated", *_DOMAINS, *_MEANINGS, "struct_domain"]
)  # fmt: skip
_RETIRED: Final = ("PLANNED", "DEPRECATED", "DISABLED", "DEBUG_ONLY")


def from_tfdv(source: bytes) -> Imported:
    """Return the features of a schema as fields; raises Unreadable."""
    schema = read_textproto(source)
    draft = Draft("a TFDV schema")
    shared = {
        str(text(one, "name")): (kind, one)
        for kind in _DOMAINS
        for one in all_of(schema, kind)
        if isinstance(one, list)
    }
    features = [one for one in all_of(schema, "feature") if isinstance(one, list)]
    if not features:
        raise Unreadable("it has no `feature { }`")
    for feature in features:
        _feature(draft, feature, shared, "", 0)
    for kind, told in (("sparse_feature", "made of several"), ("weighted_feature", "made of several")):
        for one in all_of(schema, kind):
            if isinstance(one, list):
                draft.lost(str(text(one, "name")), f"it is a {kind}, {told} features")
    others = sorted({key for key, _ in schema} - {"feature", "sparse_feature", "weighted_feature", *_DOMAINS})
    if others:
        draft.note(None, f"what the schema says under {words(others)} is not read")
    return draft.finish()


def _feature(
    draft: Draft, feature: Message, shared: dict[str, tuple[str, Message]], prefix: str, depth: int
) -> None:
    name = f"{prefix}{text(feature, 'name') or ''}"
    kind = text(feature, "type") or ""
    if kind in ("STRUCT", "4") or inner(feature, "struct_domain") is not None:
        _struct(draft, feature, shared, name, depth)
        return
    if kind not in _TYPES:
        draft.lost(name, f"no field has its type, {visible(kind) or 'which is not said'}")
        return
    notes: list[str] = []
    domain, values = _domain(feature, shared, name)
    dtype, keys = _values(_TYPES[kind], domain, values, notes)
    comment = inner(feature, "annotation")
    called = draft.add(
        name, dtype, shape=_shape(feature, notes), nullable=_nullable(feature, notes),
        tags=[str(tag) for tag in all_of(comment, "tag")] if comment is not None else None,
        description=next(iter(_texts(comment, "comment")), None), **keys,
    )  # fmt: skip
    stage = text(feature, "lifecycle_stage") or (
        "DEPRECATED" if text(feature, "deprecated") == "true" else ""
    )
    if stage in _RETIRED:
        notes.append(f"is {stage.lower()} in the source, which does not validate it: is it served?")
    meanings = sorted({key for key, _ in feature} & _MEANINGS)
    if meanings:
        notes.append(f"what the source says it means ({words(meanings)}) is not kept")
    others = sorted({key for key, _ in feature} - _READ)
    if others:
        notes.append(f"what the source says under {words(others)} is not read")
    for told in notes:
        draft.note(called, told)


def _struct(
    draft: Draft, feature: Message, shared: dict[str, tuple[str, Message]], name: str, depth: int
) -> None:
    domain = inner(feature, "struct_domain")
    children = [one for one in all_of(domain or [], "feature") if isinstance(one, list)]
    if not children or _shape(feature, []):
        draft.lost(
            name, "it is a struct without features of its own" if not children else "it is a list of structs"
        )
        return
    if depth > 16:
        raise Unreadable("its structs are nested deeper than 16 levels")
    draft.note(None, f"the features of the struct {visible(name)} are fields of their own here")
    for one in children:
        _feature(draft, one, shared, f"{name}.", depth + 1)


def _domain(
    feature: Message, shared: dict[str, tuple[str, Message]], name: str
) -> tuple[str, Message | None]:
    named = text(feature, "domain")
    if named is not None:
        if named not in shared:
            raise Unreadable(f"{visible(name)} refers to the domain {visible(named)}, which is not there")
        return shared[named]
    return next(
        ((kind, inner(feature, kind)) for kind in _DOMAINS if inner(feature, kind) is not None), ("", None)
    )


def _values(dtype: str, kind: str, domain: Message | None, notes: list[str]) -> tuple[str, dict[str, Data]]:
    """Return the type and the keys that say which values there are."""
    if domain is None:
        if dtype == "bytes":
            notes.append("is BYTES, which TFDV says of texts too: write `dtype: string` if it is one")
        return dtype, {}
    if text(domain, "is_categorical") in ("true", "CATEGORICAL_YES", "1") and kind != "string_domain":
        notes.append("is categorical: its numbers are names, which `range` does not say")
    if kind == "string_domain":
        values: list[Data] = list(_texts(domain, "value"))
        if dtype == "bytes":
            return "string", {"categories": values}
        notes.append(f"its values ({words(str(one) for one in values)}) are left out: categories are texts")
        return dtype, {}
    if kind == "bool_domain":
        if dtype == "int64":
            notes.append("is a truth value, served as a number")
            return dtype, {"range": [0, 1]}
        told = [value for key in ("true_value", "false_value") if (value := text(domain, key))]
        return ("string", {"categories": list(told)}) if told and dtype == "bytes" else (dtype, {})
    if text(domain, "is_embedding") == "true":
        notes.append("is an embedding: name the model that makes it in `embedding`")
    keys: dict[str, Data] = {}
    low, high = _number(domain, "min"), _number(domain, "max")
    if low is not None and high is not None:
        keys["range"] = [low, high]
    elif low is not None or high is not None:
        notes.append(f"has one bound only ({low if high is None else high}): a range has two")
    if text(domain, "disallow_nan") == "true" and dtype == "float32":
        keys["nan"] = False
        if text(domain, "disallow_inf") != "true":
            notes.append("forbids NaN and not infinity; `nan: false` forbids both")
    return dtype, keys


def _number(domain: Message, key: str) -> int | float | None:
    written = text(domain, key)
    if written is None:
        return None
    try:
        return (
            int(written, 0)
            if not set(written.lower()) & set(".e") and "inf" not in written
            else _float(written)
        )
    except ValueError:
        return _float(written)


def _float(written: str) -> float | None:
    try:
        number = float(written.rstrip("fF") if "inf" not in written.lower() else written)
    except ValueError:
        raise Unreadable(f"{visible(written, 40)} is no number") from None
    return number if math.isfinite(number) else None


def _shape(feature: Message, notes: list[str]) -> list[Data]:
    """Return the shape; a count of exactly one is a value and no list."""
    fixed = inner(feature, "shape")
    if fixed is not None:
        sizes = [text(one, "size") for one in all_of(fixed, "dim") if isinstance(one, list)]
        whole: list[Data] = [int(size) if size is not None and size.isdecimal() else -1 for size in sizes]
        return [] if whole == [1] else whole
    count = inner(feature, "value_count")
    if count is None:
        return []
    least, most = text(count, "min"), text(count, "max")
    if least == most and least is not None and least.isdecimal():
        return [] if least == "1" else [int(least)]
    notes.append(
        f"has between {least or 0} and {most or 'any number of'} values: its shape says that it varies"
    )
    return [-1]


def _nullable(feature: Message, notes: list[str]) -> bool | None:
    presence = inner(feature, "presence")
    if presence is None:
        return None
    least = text(presence, "min_fraction")
    number = _float(least) if least is not None else None
    if number is not None and 0 < number < 1:
        notes.append(
            f"is there in at least {visible(str(least), 20)} of all examples, which nothing here says"
        )
    return number != 1


def _texts(message: Message | None, key: str) -> list[str]:
    return [str(value) for value in all_of(message or [], key) if isinstance(value, str)]
