"""Golden cases of targets: the example with the files of a case over it, and what it must compile to.

`<target>/<case>/registry/...` are the files that the case changes; `<target>/<case>/expected/` is what the
target writes for the pin that is among them, byte for byte. `python tests/targets/golden.py` writes them
anew: read the difference before you commit it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from compile.registries import compiled, found, scene  # noqa: E402


def cases() -> list[tuple[str, str]]:
    """Return (target, case) of all."""
    return sorted((path.parts[-3], path.parts[-2]) for path in HERE.glob("*/*/registry"))


def outputs(target: str, case: str) -> tuple[list[str], dict[str, bytes]]:
    """Return (findings, files below the target's folder of the pin) of a case."""
    folder = HERE / target / case
    changed = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in (folder / "registry").rglob("*.yaml")
    }
    where = scene(changed)
    (pin,) = [path for path in changed if "/models/" in path]
    _, _, environment, _, model = pin.removesuffix(".yaml").split("/")
    inside = f"compiled/{environment}/models/{model}/{target}/"
    files = {
        path.removeprefix(inside): data for path, data in compiled(where).items() if path.startswith(inside)
    }
    return [f"{one.code} {one.message}" for one in found(where)], files


def main() -> None:
    """Write what every case compiles to."""
    for target, case in cases():
        troubles, files = outputs(target, case)
        assert not troubles, (target, case, troubles)
        expected = HERE / target / case / "expected"
        shutil.rmtree(expected, ignore_errors=True)
        for path, data in files.items():
            (expected / path).parent.mkdir(parents=True, exist_ok=True)
            (expected / path).write_bytes(data)


if __name__ == "__main__":
    main()
