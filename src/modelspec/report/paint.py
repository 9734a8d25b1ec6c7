"""Colour, where a terminal shows it."""

from __future__ import annotations

from dataclasses import dataclass

_CODES = {"error": "31", "warn": "33", "waived": "2", "existing": "2"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Paints with ANSI codes, or leaves the text alone."""

    on: bool = False

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on else text

    def bold(self, text: str) -> str:
        """Paint what the eye looks for first."""
        return self._in("1", text)

    def severity(self, kind: str, text: str) -> str:
        """Paint by severity: error, warn or waived."""
        return self._in(_CODES.get(kind, "0"), text)

    def caret(self, text: str) -> str:
        """Paint the caret under a source line."""
        return self._in("31", text)

    def fix(self, text: str) -> str:
        """Paint the word before a fix."""
        return self._in("32", text)

    def dim(self, text: str) -> str:
        """Paint what matters less."""
        return self._in("2", text)
