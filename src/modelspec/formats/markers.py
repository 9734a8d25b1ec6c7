"""Where the markers of a lock hold: on Linux, with one Python, as far as that is known.

What serves is a container: CPython on Linux. Of the processor nobody said anything, and of a Python that is
named as `3.11` not which 3.11 it is; so a marker is asked of all that it may be.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Final

_MACHINES: Final = ("x86_64", "aarch64")
CHOSEN: Final = re.compile(r"\b(?:extras?|dependency_groups)\b")
"""What a marker asks of whoever installs a lock: which extras and groups of it, and not where."""
_UNSAID: Final = re.compile(rf"{CHOSEN.pattern}|\b(?:platform_release|platform_version)\b")
"""What a marker can ask for that nothing here tells: it may hold, and may not."""
_PYTHON: Final = re.compile(r"([0-9]+\.[0-9]+)(\.[0-9]+\S*)?")
_MANY: Final = 50
_LONGEST: Final = 16_000


class Platforms:
    """The platforms that a Python on Linux may be; a set of them is a number, a bit for each."""

    def __init__(self, python: str, source: str) -> None:
        """Know a Python by its version, `3.11` or whole; `source` has the markers that will be asked."""
        known = _PYTHON.fullmatch(python)
        self._fulls = [python]
        if known is not None and known[2] is None:
            # A marker changes its mind at a release that it names, and nowhere else.
            named = re.findall(rf"(?<![0-9.]){re.escape(python)}\.([0-9]{{1,3}})(?![0-9])", source)
            ends = {0, *(int(one) + more for one in named for more in (0, 1))}
            self._fulls = [f"{python}.{one}" for one in sorted(ends)[:_MANY]]
        self._python = known[1] if known is not None else python
        self._every = list(product(self._fulls, _MACHINES))
        self._asked: dict[str, int] = {}
        self.all = (1 << len(self._every)) - 1

    def where(self, marker: str) -> int:
        """Return the platforms on which a marker may hold; all, where it can't be read."""
        if marker not in self._asked:
            self._asked[marker] = self._where(marker)
        return self._asked[marker]

    def fits(self, requires: str) -> bool:
        """Whether a `requires-python` takes this Python; also where it can't be read."""
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.version import InvalidVersion

        try:
            wanted = SpecifierSet(requires)
            return any(wanted.contains(full, prereleases=True) for full in self._fulls)
        except (InvalidSpecifier, InvalidVersion):
            return True

    def _where(self, marker: str) -> int:
        from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

        if len(marker) > _LONGEST or _UNSAID.search(marker):
            return self.all
        try:
            asked = Marker(marker)
            return sum(
                1 << number
                for number, (full, machine) in enumerate(self._every)
                if asked.evaluate(_environment(self._python, full, machine))
            )
        except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, RecursionError, ValueError):
            return self.all


def _environment(python: str, full: str, machine: str) -> dict[str, str]:
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full,
        "python_version": python,
        "sys_platform": "linux",
    }
