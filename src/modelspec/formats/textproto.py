"""Protobuf's text format, without a descriptor: a message is a list of (name, value) in its order."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from modelspec.formats.foreign import Unreadable
from modelspec.formats.strictjson import text_of
from modelspec.tree.text import visible

Message: TypeAlias = "list[tuple[str, Value]]"
Value: TypeAlias = "str | Name | Message"
MAX_DEPTH: Final = 64
MAX_TOKENS: Final = 500_000

_TOKEN: Final = re.compile(
    r"""\s+ | \#[^\n]*
      | (?P<name>[A-Za-z_][A-Za-z0-9_.]*) | (?P<number>[-+]?[0-9.][A-Za-z0-9_.+-]*)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*') | (?P<sign>[][{}<>:;,/-])""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(
    rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_LETTERS: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


class Name(str):
    """A value without quotes: the name of an enum's value, a truth value, or a number."""

    __slots__ = ()


def read_textproto(source: bytes) -> Message:
    """Return the fields of a text; raises Unreadable with the line."""
    return _Parser(text_of(source)).run()


class _Parser:
    """One pass over the tokens; nesting is a list of ours, so that depth never reaches the stack."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._count = 0

    def run(self) -> Message:
        root: Message = []
        outer: list[tuple[Message, str]] = []
        into, closing = root, ""
        while True:
            kind, piece = self._next()
            if kind == "" or (kind == "sign" and piece == closing):
                if (kind == "") != (closing == ""):
                    raise self._error(f"{closing or 'the end'} is missing")
                if kind == "":
                    return root
                into, closing = outer.pop()
                continue
            if kind == "sign" and piece in ",;":
                continue
            if kind == "sign" and piece == "[":
                piece = self._extension()
            elif kind != "name":
                raise self._error(f"{visible(piece, 40)} is no name of a field")
            opened = self._value(into, piece)
            if opened is not None:
                if len(outer) >= MAX_DEPTH:
                    raise self._error(f"nested deeper than {MAX_DEPTH} levels")
                outer.append((into, closing))
                into, closing = opened

    def _value(self, into: Message, name: str) -> tuple[Message, str] | None:
        """Read what follows a name; a message is opened and returned with what closes it."""
        kind, piece = self._next()
        if kind == "sign" and piece == ":":
            kind, piece = self._next()
            if kind == "sign" and piece == "[":
                self._list(into, name)
                return None
        if kind == "sign" and piece in "{<":
            inner: Message = []
            into.append((name, inner))
            return inner, "}" if piece == "{" else ">"
        into.append((name, self._scalar(kind, piece)))
        return None

    def _list(self, into: Message, name: str) -> None:
        while True:
            kind, piece = self._next()
            if kind == "sign" and piece == "]":
                return
            if kind == "sign" and piece == ",":
                continue
            if kind == "sign":
                raise self._error("a list of messages is written one message a field here")
            into.append((name, self._scalar(kind, piece)))

    def _scalar(self, kind: str, piece: str) -> Value:
        if kind == "sign" and piece == "-":
            kind, piece = self._next()
            piece = f"-{piece}"
        if kind in ("name", "number"):
            return Name(piece)
        if kind != "text":
            raise self._error(f"{visible(piece, 40) or 'the end'} is no value")
        parts = [piece]
        while True:
            at, count = self._at, self._count
            kind, piece = self._next()
            if kind != "text":
                self._at, self._count = at, count
                return "".join(self._unquoted(part) for part in parts)
            parts.append(piece)

    def _unquoted(self, piece: str) -> str:
        def escaped(match: re.Match[bytes]) -> bytes:
            octal, hexa, short, long, letter = match.groups()
            if octal or hexa:
                return bytes([(int(octal, 8) if octal else int(hexa, 16)) & 0xFF])
            if short or long:
                code = int(short or long, 16)
                return chr(code if code < 0x110000 else 0xFFFD).encode("utf-8", "replace")
            return _LETTERS.get(letter, letter)

        try:
            return _ESCAPE.sub(escaped, piece[1:-1].encode()).decode()
        except UnicodeDecodeError:
            raise self._error("a text is no UTF-8") from None

    def _extension(self) -> str:
        parts: list[str] = []
        while True:
            kind, piece = self._next()
            if kind == "":
                raise self._error("] is missing")
            if kind == "sign" and piece == "]":
                return f"[{''.join(parts)}]"
            parts.append(piece)

    def _next(self) -> tuple[str, str]:
        while self._at < len(self._text):
            match = _TOKEN.match(self._text, self._at)
            if match is None:
                raise self._error(f"{visible(self._text[self._at : self._at + 20])!r} is no protobuf text")
            self._at = match.end()
            if match.lastgroup is not None:
                self._count += 1
                if self._count > MAX_TOKENS:
                    raise self._error(f"more than {MAX_TOKENS:,} tokens")
                return match.lastgroup, match.group()
        return "", ""

    def _error(self, message: str) -> Unreadable:
        return Unreadable(f"line {self._text.count(chr(10), 0, self._at) + 1}: {message}")


def all_of(message: Message, name: str) -> list[Value]:
    """Return the values of a field, in order."""
    return [value for key, value in message if key == name]


def text(message: Message, name: str) -> str | None:
    """Return the last scalar of a field as text, or None."""
    found = [value for value in all_of(message, name) if isinstance(value, str)]
    return found[-1] if found else None


def inner(message: Message, name: str) -> Message | None:
    """Return the last message of a field, or None."""
    found = [value for value in all_of(message, name) if isinstance(value, list)]
    return found[-1] if found else None
