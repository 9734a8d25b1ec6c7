"""What `register` is given on its command line, as the parts of a version file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click

from modelspec.tree.data import Data
from modelspec.tree.scalars import MAX_INTEGER
from modelspec.tree.text import visible

_THRESHOLD: Final = re.compile(r"([A-Za-z_]\w*)=([A-Za-z_]\w*)\s*(>=|<=|==|>|<)\s*(\S+)", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LIMIT: Final = 1024 * 1024


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


def typed(text: str) -> Data:
    """Return the value that a text stands for: a number, a truth value, else the text.

    A whole number that no double holds, such as a seed of 64 bits, stays the text that it is.
    """
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "null", "~"):
        return None if text == "null" else text
    if re.fullmatch(r"[-+]?(?:0|[1-9][0-9]*)", text):
        return int(text) if len(text) < 18 and abs(int(text)) <= MAX_INTEGER else text
    return _float(text) if _NUMBER.fullmatch(text) and not re.fullmatch(r"[-+]?0[0-9]+", text) else text


def number(text: str, option: str) -> float | int:
    """Return a finite number; stops at anything else."""
    value = typed(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise click.UsageError(f"{option} is a number, not {visible(text)}.")
    return value


def _float(text: str) -> Data:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return text
    return value


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
