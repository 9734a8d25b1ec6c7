"""What both demos do: promote by one line, say whether something holds, run to an end that cleans up."""

from __future__ import annotations

import io
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from clone import Clone, Failed
from engine import ENVIRONMENT, MODEL

PIN = f"registry/environments/{ENVIRONMENT}/models/{MODEL}.yaml"


def promote(clone: Clone, version: str) -> None:
    """Write a version into the pin's `stable`: one line."""
    digest = clone.run("modelspec", "digest", f"registry/models/{MODEL}/versions/{version}.yaml").strip()
    path = clone.folder / PIN
    before = path.read_text()
    stable = re.compile(r"(?m)^(stable:\n  version: )\S+$")
    after, count = stable.subn(rf"\g<1>{version}@{digest}", before)
    if count != 1 or after == before:
        raise Failed(f"{PIN} does not pin another stable version than {version}")
    path.write_text(after)


def verdict(what: str, holds: bool) -> None:
    """Print whether it holds, and stop if not."""
    print(f"    {'yes' if holds else 'NO '}  {what}")
    if not holds:
        raise Failed(f"this does not hold: {what}")


def step(number: int, text: str) -> None:
    """Print the headline of a step."""
    print(f"\n{number}. {text}", flush=True)


def stop(number: int, _: object) -> NoReturn:
    """Turn a signal into an exit that still cleans up."""
    raise SystemExit(128 + number)


def carried_out(demo: Callable[[Path], None]) -> int:
    """Run a demo in a folder of its own; 0 when all that it says holds."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, stop)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="modelspec-demo-") as folder:
            demo(Path(folder))
    except Failed as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    print(f"\nDone in {time.monotonic() - started:.0f} s; nothing is left running.")
    return 0
