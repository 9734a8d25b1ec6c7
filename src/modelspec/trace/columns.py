"""Which column of which tensor holds which field of the contract, for one version."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from modelspec.compat.encoding import width
from modelspec.spec.feature import Feature, FeatureSchema
from modelspec.spec.kinds import RESERVED_VIEW
from modelspec.spec.model import Input, ModelVersion, Output
from modelspec.tree.record import Scalar, Values
from modelspec.tree.text import did_you_mean, visible


class Mismatch(ValueError):
    """A record's tensors are not those of the version; the message says how they differ."""


@dataclass(frozen=True, slots=True)
class Column:
    """One field as a row of a tensor holds it: `size` numbers from `start` on.

    `feature` is None where the schema is lost. `name` is `view.field` or `request.field`.
    """

    name: str
    tensor: str
    start: int
    size: int
    feature: Feature | None


def columns_of(version: ModelVersion, schemas: Mapping[str, FeatureSchema]) -> tuple[Column, ...]:
    """Return the columns of every input that says what fills it, in the order of the signature.

    `schemas` are those that the version was trained on, by view. A field whose width is not known takes what
    the fields beside it leave; two of them end the list, for nobody can tell where one ends.
    """
    fields = {f"{RESERVED_VIEW}.{field.name}": field for field in version.request}
    for view, schema in schemas.items():
        for field in schema.fields:
            fields[f"{view}.{field.name}"] = field
    found: list[Column] = []
    for tensor in inputs_of(version):
        found += _columns(tensor, fields)
    return tuple(found)


def inputs_of(version: ModelVersion) -> tuple[Input, ...]:
    """Return the declared inputs; none when the signature is lost."""
    return version.signature.inputs if version.signature is not None else ()


def outputs_of(version: ModelVersion) -> tuple[Output, ...]:
    """Return the declared outputs; none when the signature is lost."""
    return version.signature.outputs if version.signature is not None else ()


def _columns(tensor: Input, fields: Mapping[str, Feature]) -> Iterator[Column]:
    total = row_width(tensor.shape)
    known = [_width(fields.get(source)) for source in tensor.sources]
    if known.count(None) == 1 and total is not None:
        rest = total - sum(size for size in known if size is not None)
        known = [rest if size is None else size for size in known]
    start = 0
    for source, size in zip(tensor.sources, known, strict=True):
        if size is None or size < 1:
            return
        yield Column(source, tensor.name, start, size, fields.get(source))
        start += size


def _width(field: Feature | None) -> int | None:
    # A field of a schema that is lost is most often one number.
    return 1 if field is None else width(field)


def row_width(shape: Sequence[int]) -> int | None:
    """Return how many values one row of a tensor has, or None when that is open; a scalar is one row."""
    return None if any(size < 0 for size in shape[1:]) else math.prod(shape[1:])


def matched(
    values: Sequence[Values],
    tensors: Sequence[Input | Output],
    columns: Sequence[Column] = (),
    *,
    what: str = "inputs",
    partly: bool = False,
) -> dict[str, Values]:
    """Return a log's values by the names of the version's tensors, in their declared shapes.

    By name; by position where the log gives no names; by the names of the fields that fill a tensor, short or
    whole, where it gives those. `partly` lets some be missing: a request may ask for some outputs only.
    Raises Mismatch for anything else.
    """
    optional = {one.name for one in tensors if getattr(one, "optional", False)}
    wanted = {one.name: one for one in tensors}
    names = [one.name for one in values]
    if len(names) != len(set(names)) and any(names):
        raise Mismatch(f"the log has {what} {_list(names)}: one name twice")
    if names and not any(names):
        if len(names) > len(wanted) or (len(names) < len(wanted) and not partly):
            raise Mismatch(f"the log has {len(names)} {what} without names, the version has {_list(wanted)}")
        return {tensor.name: _shaped(one, tensor, what) for one, tensor in zip(values, tensors, strict=False)}
    lacking = wanted.keys() - set(names) - optional
    if set(names) <= wanted.keys() and (not lacking or (partly and names)):
        return {one.name: _shaped(one, wanted[one.name], what) for one in values}
    joined = _by_fields(values, columns, wanted) if columns else None
    if joined is None:
        hints = [hint for name in names if name not in wanted and (hint := did_you_mean(name, wanted))]
        hint = f": {hints[0]}" if hints else ""
        raise Mismatch(f"the log has {what} {_list(names)}, the version {_list(wanted)}{hint}")
    return joined


def _shaped(values: Values, tensor: Input | Output, what: str) -> Values:
    """Return values in a shape that the declaration allows; a lone row may lack its batch dimension."""
    filled = tuple(tensor.sources) if isinstance(tensor, Input) else ()
    if values.fields and filled and values.fields != filled:
        lacking = [name for name in filled if name not in values.fields]
        why = f"without {_list(lacking)}" if lacking else "in another order"
        raise Mismatch(f"the log fills {visible(tensor.name)} with {_list(values.fields)}, {why}")
    shape, want = values.shape, tuple(tensor.shape)
    for tried in (shape, (1, *shape), _rows(len(values.data), want)):
        if tried is not None and _fits(tried, want) and math.prod(tried) == len(values.data):
            return Values(tensor.name, tensor.dtype, tried, values.data)
    raise Mismatch(
        f"{what[:-1]} {visible(tensor.name)} has shape {list(shape)} with {len(values.data)} values, "
        f"declared is {list(want)}"
    )


def _rows(count: int, want: Sequence[int]) -> tuple[int, ...] | None:
    size = row_width(want)
    if not want or size is None or size < 1 or count % size or want[0] >= 0:
        return None
    return (count // size, *want[1:])


def _fits(shape: Sequence[int], want: Sequence[int]) -> bool:
    return len(shape) == len(want) and all(
        have == size if size >= 0 else have >= 1 for have, size in zip(shape, want, strict=True)
    )


def _by_fields(
    values: Sequence[Values], columns: Sequence[Column], wanted: Mapping[str, Input | Output]
) -> dict[str, Values] | None:
    """Put tensors together of values that are named as their fields are; None when that does not work out."""
    given = {one.name: one for one in values}
    short = [column.name.rpartition(".")[2] for column in columns]
    used: dict[str, list[tuple[Column, Values]]] = {}
    for column, name in zip(columns, short, strict=True):
        one = given.get(column.name) or (given.get(name) if short.count(name) == 1 else None)
        if one is None:
            return None
        used.setdefault(column.tensor, []).append((column, one))
    if len(columns) != len(given) or used.keys() != wanted.keys():
        return None
    return {name: _joined(wanted[name], parts) for name, parts in used.items()}


def _joined(tensor: Input | Output, parts: Sequence[tuple[Column, Values]]) -> Values:
    counts = {len(one.data) // column.size for column, one in parts}
    if len(counts) != 1 or any(len(one.data) % column.size for column, one in parts):
        raise Mismatch(f"the fields of {visible(tensor.name)} have different numbers of rows")
    [rows] = counts
    data: list[Scalar] = []
    for row in range(rows):
        for column, one in parts:
            data += one.data[row * column.size : (row + 1) * column.size]
    return _shaped(Values(tensor.name, tensor.dtype, (len(data),), data), tensor, "inputs")


def _list(names: object) -> str:
    listed = [visible(str(name), 40) or "(no name)" for name in names]  # type: ignore[attr-defined]
    return ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "") or "none"
