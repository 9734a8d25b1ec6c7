"""A live endpoint of the Open Inference Protocol, asked for its models' metadata over HTTP.

No proxy, no redirect, no cookie, and nothing of the registry is sent. Plain HTTP goes to this machine alone
unless it is allowed. An answer has a limit in bytes, and all of them together one in seconds.
"""

from __future__ import annotations

import ipaddress
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import quote, urlsplit

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

LIMIT: Final = 1024 * 1024
SECONDS: Final = 10.0
_CHUNK: Final = 1 << 16


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none: where it leads was not asked for."""
        return


class Endpoint:
    """A server, or one model of it (`.../v2/models/M`); else `models` are asked for."""

    def __init__(self, url: str, models: Sequence[str], *, plain: bool = False) -> None:
        self._url = url.rstrip("/")
        self._models = models
        parts = _checked(url, plain=plain)
        self._alone = "/v2/models/" in parts.path
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    @property
    def shown(self) -> str:
        return visible(self._url, 200)

    def look(self) -> Iterator[tuple[str, bytes]]:
        deadline = time.monotonic() + SECONDS
        if self._alone:
            data = self._get(self._url, deadline)
            if data is None:
                raise Refusal(
                    f"{self.shown} answered 404: it serves no such model", "name one that it serves"
                )
            yield self.shown, data
            return
        for model in self._models:
            address = f"{self._url}/v2/models/{quote(model, safe='')}"
            data = self._get(address, deadline)
            if data is not None:
                yield visible(address, 200), data

    def _get(self, address: str, deadline: float) -> bytes | None:
        """Return what an address answers, None where there is nothing (404)."""
        request = urllib.request.Request(address, headers={"Accept": "application/json"})  # noqa: S310
        shown = visible(address, 200)
        try:
            with self._opener.open(request, timeout=max(0.1, deadline - time.monotonic())) as answer:
                return _body(answer, shown, deadline)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            if 300 <= error.code < 400:
                raise Refusal(
                    f"{shown} redirects elsewhere, which is not followed", "name where it leads"
                ) from None
            raise Refusal(f"{shown} answered {error.code}", "ask it with curl; it needs no body") from None
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise Refusal(f"{shown} can't be asked: {visible(str(reason), 200)}", "is it running?") from None


def _body(answer: Any, shown: str, deadline: float) -> bytes:
    found = bytearray()
    while chunk := answer.read1(_CHUNK):
        found += chunk
        if len(found) > LIMIT:
            raise Refusal(
                f"{shown} answered with more than {LIMIT:,} bytes", "no model's metadata needs that"
            )
        if time.monotonic() > deadline:
            raise Refusal(f"{shown} did not answer in {SECONDS:g} s", "observe it again when it is less busy")
    return bytes(found)


def _checked(url: str, *, plain: bool) -> Any:
    shown = visible(url, 200)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refusal(f"{shown} is no address", "write https://HOST[:PORT][/PATH]") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not url.isascii():
        raise Refusal(f"{shown} is no address", "write https://HOST[:PORT][/PATH]")
    if parts.username is not None or parts.query or parts.fragment:
        # It may hold a secret, so it is not repeated.
        raise Refusal(
            "the address has a user, a query or a fragment",
            "write a plain address: https://HOST[:PORT][/PATH]",
        )
    if any(not character.isprintable() or character.isspace() for character in url):
        raise Refusal(f"{shown} is no address", "write https://HOST[:PORT][/PATH]")
    if parts.scheme == "http" and not plain and not _here(parts.hostname):
        raise Refusal(
            f"{shown} is plain HTTP to another machine: anybody on the way could answer",
            "use https, or allow it: --plain-http",
        )
    return parts


def _here(host: str) -> bool:
    """Whether a host is this machine by its name or address alone; no name is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
