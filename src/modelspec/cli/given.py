"""What `register` is given on its command line, as the parts of a version file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click

from modelspec.tree.data import Data
from modelspec.tree.scalars import MAX_INTEGER, Ambiguous, plain
from modelspec.tree.text import visible

_THRESHOLD: Final = re.compile(r"([A-Za-z_]\w*)=([A-Za-z_]\w*)\s*(>=|<=|==|>|<)\s*(\S+)", re.ASCII)
_WHOLE: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_EXPONENT: Final = re.compile(r"-?(?:[1-9](?:\.[0-9]*[1-9])?|[1-9][0-9]+)[eE][-+]?[0-9]{1,3}")
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LIMIT: Final = 1024 * 1024
_TELL: Final = {
    "artifact": (
        "artifact", "artifact_format", "architecture", "precision", "unsafe", "scan", "sign", "golden",
        "capture", "from_hf",
    ),
    "code": ("code", "repository", "allow_dirty"),
    "features": ("feature",),
    "dataset": ("dataset", "dataset_digest", "dataset_name", "snapshot"),
    "runtime": ("image", "python", "lock", "package", "threads", "accelerator"),
    "config": ("param", "params", "threshold"),
}  # fmt: skip
"""The options that tell of a component."""


def require_one_story(given: Mapping[str, Any]) -> None:
    """Stop where a component is said to be lost, or none, and told of as well: that would be dropped."""
    said = [(f"--unknown {name} says that it is lost", name) for name in pairs(given["unknown"], "--unknown")]
    said += [(f"--none {name} says that there is none", name) for name in given["none"]]
    for what, component in said:
        for option in _TELL.get(component, ()):
            if given[option] not in (None, (), False):
                raise click.UsageError(
                    f"{what}, and --{option.replace('_', '-')} tells of it: one of the two."
                )


def pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """Return `k=v` options as a map; stops at one without `=` and at one that stands twice."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{option} is KEY=VALUE, not {visible(text)}.")
        if key in found:
            raise click.UsageError(f"{option} {visible(key)} stands twice.")
        found[key] = value
    return found


def written(text: str) -> Data:
    """Return the number or truth value that is written in exactly this way; else the text.

    For texts of which nobody knows what they were, such as MLflow's: `1.10` may be a release, `007` a code,
    and `1e3` a part of a commit. What is recorded gives the very text again.
    """
    if text in ("true", "false"):
        return text == "true"
    value = _number(text)
    return value if value is not None and str(value) == text else text


def typed(text: str) -> Data:
    """Return the value that a text stands for on the command line: a number, a truth value, else the text.

    As `written`, and a number with an exponent, `1e-3`, is what people write for it. A whole number that no
    double holds, such as a seed of 64 bits, stays the text that it is.
    """
    if text == "null":
        return None
    found = written(text)
    if not isinstance(found, str) or _EXPONENT.fullmatch(text) is None:
        return found
    value = _number(text)
    return value if value is not None and Decimal(text) == Decimal(repr(value)) else text


def loose(text: str) -> Data:
    """Return the number that a text can be, however it is spelled, a truth value or null; else the text.

    For texts that are known to be numbers: a measure, and what replaces a number.
    """
    if text in ("true", "false", "null"):
        return typed(text)
    value = _number(text)
    return text if value is None else value


def number(text: str, option: str) -> float | int:
    """Return a finite number; stops at anything else."""
    value = _number(text)
    if value is None:
        raise click.UsageError(f"{option} is a number, not {visible(text)}.")
    return value


def texts_noted(values: Mapping[str, Data]) -> list[str]:
    """Say of each text that looks like a number or a truth value what would have been one."""
    found: list[str] = []
    for key, value in values.items():
        said = plain(value) if isinstance(value, str) else None
        meant = str(said) if isinstance(said, int | float) else ""
        if isinstance(said, Ambiguous):
            meant = said.meant
        if meant:
            shown = visible(str(value))
            found.append(
                f"{visible(key)} is recorded as the text {shown}; where {meant} is meant, write that"
            )
    return found


def _number(text: str) -> int | float | None:
    if _WHOLE.fullmatch(text):
        return int(text) if len(text) < 18 and abs(int(text)) <= MAX_INTEGER else None
    if _NUMBER.fullmatch(text) is None or re.fullmatch(r"[-+]?0[0-9]+", text):
        return None
    value = float(text)
    # What becomes zero on the way is not the number that was written.
    lost = value == 0 and re.search("[1-9]", re.split("[eE]", text)[0])
    return value if math.isfinite(value) and not lost else None


def thresholds(texts: tuple[str, ...]) -> list[Data]:
    """Return `--threshold NAME=OUTPUT OP VALUE` options as a version has them."""
    found: list[Data] = []
    for text in texts:
        match = _THRESHOLD.fullmatch(text.strip())
        if match is None:
            raise click.UsageError(f"--threshold is NAME=OUTPUT>=VALUE, not {visible(text)}.")
        name, output, sign, value = match.groups()
        found.append({"name": name, "output": output, "op": sign, "value": number(value, "--threshold")})
    return found


def document(path: Path, option: str) -> Any:
    """Return the data of a YAML or JSON file of the author's; stops where it is none."""
    from modelspec.formats.foreign import Unreadable
    from modelspec.formats.strictjson import read_json
    from modelspec.tree.yaml import read
    from modelspec.world.foreign import foreign

    with foreign(path) as stream:
        source = stream.read(_LIMIT + 1)
    shown = visible(str(path), 200)
    if len(source) > _LIMIT:
        raise click.UsageError(f"{option} {shown} has more than 1 MiB.")
    if source.lstrip()[:1] in (b"{", b"["):
        try:
            return read_json(source)
        except Unreadable as error:
            raise click.UsageError(f"{option} {shown}: {visible(error.message, 200)}.") from None
    data, faults = read(source)
    if faults:
        fault = faults[0]
        line = f":{fault.mark.line}" if fault.mark is not None else ""
        fix = f" Fix: {fault.fix}." if fault.fix else ""
        raise click.UsageError(f"{option} {shown}{line}: {visible(fault.message, 200)}.{fix}")
    return data


def mapping(path: Path, option: str) -> dict[str, Data]:
    """Return the map that a file holds."""
    data = document(path, option)
    if not isinstance(data, dict):
        raise click.UsageError(f"{option} {visible(str(path), 200)} holds no map.")
    return data


def listed(path: Path, option: str) -> list[Data]:
    """Return the list that a file holds."""
    data = document(path, option)
    if not isinstance(data, list):
        raise click.UsageError(f"{option} {visible(str(path), 200)} holds no list.")
    return data
