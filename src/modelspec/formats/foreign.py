"""What an import gives: fields as data, and notes of what they can't say; or why there is none.

Fields are data and no values of ours yet: the strict reader judges them like a file that a person wrote.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from modelspec.tree.data import Data
from modelspec.tree.paths import fold
from modelspec.tree.scalars import MAX_INTEGER
from modelspec.tree.text import INVISIBLE, plural, visible

Form = Literal["arrow", "avro", "feast", "huggingface", "json-schema", "mlflow", "onnx", "sample", "tfdv"]
FORMS: Final = get_args(Form)
"""The formats that are known here; `arrow` is Parquet and Feather too."""
MAX_FIELDS: Final = 10_000
"""A view of more is published as several."""
MAX_CATEGORIES: Final = 1_000
MAX_NOTES: Final = 1_000
ORDER: Final = (
    "name", "description", "dtype", "shape", "unit", "range", "origin", "categories", "nullable", "nan",
    "default", "missing", "transform", "alias", "precision", "scale", "tz", "aggregation", "embedding",
    "tokenizer", "image", "audio", "sensitive", "tags",
)  # fmt: skip
"""How the keys of a field are laid out."""
NUMBERS: Final = frozenset(
    ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "decimal"]
)  # fmt: skip
_UNSEEN: Final = re.compile(f"[{INVISIBLE}]")
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_DESCRIPTION: Final = 1_000


class Unreadable(Exception):
    """A foreign file that gives no schema: what is wrong with it, and how to mend it."""

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the source says and a schema can't, or that the source leaves open; `field` is ours."""

    field: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Imported:
    """A schema as it was found elsewhere. `what` names the kind of source: `an Avro record schema`."""

    what: str
    fields: tuple[dict[str, Data], ...]
    notes: tuple[Note, ...]
    entity: str | None = None
    freshness: str | None = None
    description: str | None = None
    owner: str | None = None


class Draft:
    """Collects the fields and the notes of one source, in its order."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.entity: str | None = None
        self.freshness: str | None = None
        self.description: str | None = None
        self.owner: str | None = None
        self._fields: list[dict[str, Data]] = []
        self._notes: list[Note] = []
        self._names: set[str] = set()

    def note(self, field: str | None, message: str) -> None:
        """Say what can't be expressed; texts of the source in it are to be made visible by the caller."""
        if len(self._notes) < MAX_NOTES:
            self._notes.append(Note(field, message))
        elif len(self._notes) == MAX_NOTES:
            self._notes.append(Note(None, f"more than {MAX_NOTES:,} notes: the rest is not listed"))

    def lost(self, name: str, why: str) -> None:
        """Say that a field of the source is not in the schema at all."""
        self.note(None, f"{visible(name) or 'a field without a name'} is left out: {why}")

    def add(self, name: str, dtype: str, **keys: Data) -> str:
        """Add a field; returns its name here. Keys that are None or empty are left out."""
        if len(self._fields) >= MAX_FIELDS:
            raise Unreadable(f"more than {MAX_FIELDS:,} fields", "import a part of it: a view is no table")
        ours = self._named(name)
        field: dict[str, Data] = {"name": ours, "dtype": dtype}
        for key, value in keys.items():
            kept = self._kept(ours, key, value, dtype)
            if kept is not None and kept != [] and kept != "":
                field[key] = kept
        if "range" not in field and "categories" not in field:
            field.pop("origin", None)
        self._fields.append({key: field[key] for key in ORDER if key in field})
        return ours

    def finish(self) -> Imported:
        """Return what was found; raises Unreadable when that is no field at all."""
        if not self._fields:
            told = "; ".join(note.message for note in self._notes[:3])
            raise Unreadable(f"there is no field in it that a schema can hold{': ' if told else ''}{told}")
        self._silent()
        return Imported(
            self.what, tuple(self._fields), tuple(self._notes), self.entity, self.freshness,
            self._text(None, "description", self.description), self._text(None, "owner", self.owner),
        )  # fmt: skip

    def _silent(self) -> None:
        """Say which parts of a contract the source leaves open, and for how many fields."""
        numbers = [field for field in self._fields if field["dtype"] in NUMBERS]
        judged = {"unit": numbers, "range": numbers, "nullable": self._fields, "transform": numbers}
        left = {key: sum(key not in field for field in fields) for key, fields in judged.items()}
        listed = ", ".join(f"`{key}` ({plural(count, 'field')})" for key, count in left.items() if count)
        if not listed:
            return
        told = f"{self.what} leaves open {listed}: add what you know before you publish"
        if left["transform"]:
            told += "; a number without `transform` declares that the raw value is served"
        self.note(None, told)

    def _named(self, name: str) -> str:
        """Return a name that fields may have, and say so when it is not the source's."""
        ours = name
        if not _FIELD.fullmatch(ours):
            ours = re.sub("_+", "_", re.sub("[^A-Za-z0-9_]", "_", name)).strip("_")[:60]
            if not ours or ours[0].isdigit():
                ours = f"f_{ours}"
        base, count = ours, 1
        while fold(ours) in self._names:
            count += 1
            ours = f"{base[:56]}_{count}"
        self._names.add(fold(ours))
        if ours != name:
            self.note(
                ours, f"called {visible(name) or 'nothing'} in the source, which no field can be called"
            )
        return ours

    def _kept(self, field: str, key: str, value: Data, dtype: str) -> Data:
        if value is None:
            return None
        if key == "range" and isinstance(value, list):
            return self._range(field, value, dtype)
        if key == "description":
            return self._text(field, key, value if isinstance(value, str) else None)
        if key in ("categories", "tags") and isinstance(value, list):
            return self._texts(field, key, value)
        if key == "alias":
            if isinstance(value, str) and _FIELD.fullmatch(value) and value != field:
                return value
            self.note(field, f"was called {visible(str(value))}, which can be no `alias`")
            return None
        if key == "default":
            return self._default(field, value)
        return value

    def _range(self, field: str, ends: Sequence[Data], dtype: str) -> Data:
        found: list[Data] = []
        for end in ends:
            number = whole(end) if isinstance(end, int | float) and not isinstance(end, bool) else None
            if number is None:
                self.note(field, f"its range has the end {visible(str(end))}, which can't be written exactly")
                return None
            found.append(number)
        if dtype not in NUMBERS:
            self.note(field, f"its range [{found[0]}, {found[1]}] is left out: {dtype} has none")
            return None
        return found

    def _default(self, field: str, value: Data) -> Data:
        if isinstance(value, str):
            return self._text(field, "default", value)
        if isinstance(value, bool) or (isinstance(value, int) and abs(value) <= MAX_INTEGER):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        self.note(field, f"its default {visible(str(value), 40)} is left out: it is no text and no number")
        return None

    def _texts(self, field: str, key: str, values: Sequence[Data]) -> Data:
        kept: list[Data] = []
        if len(values) > MAX_CATEGORIES:
            told = f"its {len(values):,} {key} are left out: more than {MAX_CATEGORIES:,} are no list"
            self.note(field, told)
            return None
        for value in values:
            if not isinstance(value, str) or not value or unwritable(value):
                self.note(field, f"its {key} are left out: {visible(str(value), 40)!r} is no text to write")
                return None
            kept.append(value)
        return kept

    def _text(self, field: str | None, key: str, value: str | None) -> str | None:
        if value is None or not value.strip():
            return value if field is not None and key == "default" and value == "" else None
        text = " ".join(value.split()) if key != "default" else value
        if unwritable(text):
            self.note(field, f"its {key} is left out: it has characters that can't be seen")
            return None
        if len(text) > _DESCRIPTION:
            self.note(field, f"its {key} of {len(text):,} characters is left out")
            return None
        return text


def unwritable(text: str) -> bool:
    """Whether a text has no place in a registry file: it has invisible characters, or no one-line form."""
    return _UNSEEN.search(text) is not None or "\t" in text or "\n" in text


def whole(number: float) -> int | float | None:
    """Return a number as it is best written, 3.0 as 3; None where RFC 8785 has no exact form for it."""
    if isinstance(number, int):
        return number if abs(number) <= MAX_INTEGER else None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) <= MAX_INTEGER else number


def words(names: Iterable[str]) -> str:
    """Return names of a source in one line that is safe to print, at most ten of them."""
    listed = list(names)
    return ", ".join(visible(name, 40) for name in listed[:10]) + (
        f" and {len(listed) - 10} more" if len(listed) > 10 else ""
    )
