"""The HTTP of an OCI registry: blobs and manifests, the token that it may ask for, and uploads that go on.

Credentials come from the file that `docker login`, `podman login` and `oras login` write, and go only to the
registry that they are for, or to the token service that it names over TLS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Generator, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import SourceFile, StoredFile
from modelspec.tree.text import visible
from modelspec.world.files import skipping
from modelspec.world.stores.client import http_client
from modelspec.world.stores.retried import bounded, paced, resumed, retried

if TYPE_CHECKING:
    import httpx

PART: Final = 8 * 1024 * 1024
MANIFEST_LIMIT: Final = 4 * 1024 * 1024
"""What registries themselves allow."""
TAGS_LIMIT: Final = 64 * 1024 * 1024
_LOOPBACK: Final = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3})(?::[0-9]+)?")
_LOCAL: Final = re.compile(rf"http://{_LOOPBACK.pattern}(?:/|$)")
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
_CHALLENGED: Final = "www-authenticate"
_PAGES: Final = 10_000
"""Pages of a list of tags, of a thousand each."""
_ADDRESS: Final = "see that the address is that of a registry, and what stands before it"


class AnswerError(Exception):
    """A registry answered with a status that may pass."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class RegistryHttp:
    """One repository of one registry. Used by several threads."""

    def __init__(self, host: str, repository: str) -> None:
        self.host = host
        self.repository = repository
        # As docker does: TLS everywhere but on this machine.
        self._plain = _LOOPBACK.fullmatch(host) is not None
        self._base = f"{'http' if self._plain else 'https'}://{host}/v2/{repository}"
        self._client = http_client("oci:// stores", "oci")
        self._token: str | None = None

    def manifest(self, reference: str, accept: str) -> bytes | None:
        """Return a manifest by tag or digest, None when there is none."""
        answer = self._ask("GET", f"/manifests/{reference}", headers={"Accept": accept})
        if answer.status_code == 404:
            return None
        self._expect(answer, 200)
        return answer.content

    def put_manifest(self, reference: str, data: bytes, kind: str) -> None:
        """Store a manifest under a tag."""
        answer = self._ask("PUT", f"/manifests/{reference}", content=data, headers={"Content-Type": kind})
        self._expect(answer, 201)

    def delete_manifest(self, digest: str) -> None:
        """Remove a manifest by its digest; nothing when there is none."""
        answer = self._ask("DELETE", f"/manifests/{digest}")
        if answer.status_code in (400, 405):
            raise Refusal(
                f"{self.host} removes nothing: its configuration does not allow it",
                "switch it on there (docker-registry: storage.delete.enabled), or let its retention remove",
            )
        self._expect(answer, 202, 404)

    def may_delete(self) -> None:
        """Raise Refusal when the registry removes nothing: it is asked to remove what is not there."""
        self.delete_manifest("sha256:" + "0" * 64)

    def tags(self) -> Iterator[str]:
        """Yield all tags."""
        path, seen = "/tags/list?n=1000", set[str]()
        while path:
            if path in seen or len(seen) == _PAGES:
                raise Refusal(f"{self.host} lists tags without an end", _ADDRESS)
            seen.add(path)
            answer = self._ask("GET", path, limit=TAGS_LIMIT)
            if answer.status_code == 404:
                return
            self._expect(answer, 200)
            tags = self._map(answer).get("tags")
            yield from (str(tag) for tag in (tags if isinstance(tags, list) else ()))
            link = re.search(r'<[^>]*/tags/list(\?[^>]*)>; *rel="next"', answer.headers.get("link", ""))
            path = f"/tags/list{link[1]}" if link else ""

    def has_blob(self, digest: str) -> bool:
        """Whether a blob is there."""
        answer = self._ask("HEAD", f"/blobs/{digest}")
        self._expect(answer, 200, 404)
        return answer.status_code == 200

    def blob(self, digest: str, size: int, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a blob, from `start` on; a connection that breaks is taken up where it broke."""
        import httpx

        return resumed(self.host, size, lambda at: self._blob(digest, at), (httpx.HTTPError,), start=start)

    def _blob(self, digest: str, start: int) -> Generator[bytes]:
        ask = partial(self._open, f"/blobs/{digest}", start)
        answer = retried(f"{self.host} can't be read", ask)
        # Some give all of a blob, whatever part of it was asked for.
        yield from skipping(paced(self.host, answer), start if answer.status_code == 200 else 0)

    def upload(self, file: SourceFile, known: StoredFile) -> None:
        """Send a blob, hashing again; the registry compares the digest before it has a name."""
        retried(f"{self.host} can't be written", lambda: self._upload(file, known))

    def upload_bytes(self, data: bytes) -> str:
        """Send a small blob; return its digest."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if not self.has_blob(digest):
            location = self._begin()
            answer = self._ask("PUT", _with(location, f"digest={digest}"), content=data)
            self._expect(answer, 201)
        return digest

    def _upload(self, file: SourceFile, known: StoredFile) -> None:
        location, sent = self._begin(), 0
        hashed, buffer = hashlib.sha256(), bytearray()
        for chunk in file.chunks():
            hashed.update(chunk)
            buffer += chunk
            if len(buffer) >= PART:
                location = self._part(location, sent, bytes(buffer))
                sent += len(buffer)
                buffer.clear()
        if "sha256:" + hashed.hexdigest() != known.digest:
            self._ask("DELETE", location)
            raise Refusal(
                f"{visible(file.path, 200)} changed while it was read", "wait until nothing writes it"
            )
        if buffer:
            location = self._part(location, sent, bytes(buffer))
        self._expect(self._ask("PUT", _with(location, f"digest={known.digest}")), 201)

    def _begin(self) -> str:
        answer = self._ask("POST", "/blobs/uploads/")
        self._expect(answer, 202)
        return self._location(answer)

    def _part(self, location: str, start: int, data: bytes) -> str:
        """Send one part; when that breaks, ask how far the registry got and send the rest."""
        done = 0

        def send() -> str:
            nonlocal location, done
            if done < 0:
                location, done = self._resume(location, start, len(data))
            if done == len(data):
                return location
            at, rest, done = start + done, data[done:], -1
            answer = self._ask(
                "PATCH",
                location,
                content=rest,
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Range": f"{at}-{at + len(rest) - 1}",
                },
            )
            self._expect(answer, 202)
            return self._location(answer)

        return retried(f"{self.host} can't be written", send)

    def _resume(self, location: str, start: int, length: int) -> tuple[str, int]:
        """Return where an upload goes on, and how many bytes of the part that begins at `start` are there."""
        answer = self._ask("GET", location)
        if answer.status_code == 404 and start == 0:
            # Some registries know nothing of an upload before its first byte.
            return self._begin(), 0
        self._expect(answer, 204)
        got = int(answer.headers["range"].rpartition("-")[2]) + 1 - start
        # "0-0" is said of one byte, and of none: then it is sent again from the beginning.
        if start == 0 and got <= 1:
            return self._begin(), 0
        return self._location(answer), min(length, max(0, got))

    def _location(self, answer: httpx.Response) -> str:
        """Return where an upload goes on: a path of this registry, or a whole URL at this host."""
        import httpx

        try:
            target = httpx.URL(self._base).join(answer.headers["location"])
        except (KeyError, httpx.InvalidURL):
            raise Refusal(f"{self.host} does not say where an upload goes on", _ADDRESS) from None
        if target.netloc.decode() != self.host:
            raise Refusal(
                f"{self.host} sends uploads to another host", "use a registry that takes them itself"
            )
        return str(target)

    def _open(self, path: str, start: int) -> httpx.Response:
        """Open a stream from a byte on, following one redirect to where the registry keeps its bytes."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        answer = self._ask("GET", path, headers=headers, stream=True)
        if answer.status_code in (301, 302, 303, 307, 308):
            # It may be a path of the registry itself.
            target = str(answer.url.join(answer.headers.get("location", "")))
            answer.close()
            if not self._plain and not target.startswith("https://"):
                raise Refusal(
                    f"{self.host} sends readers to an address without TLS",
                    "have the registry serve its blobs over https",
                )
            # Without our token: it is not for that host.
            answer = self._client.send(
                self._client.build_request("GET", target, headers=headers), stream=True
            )
        try:
            self._expect(answer, 200, *((206,) if start else ()))
        except BaseException:
            answer.close()
            raise
        return answer

    def _expect(self, answer: httpx.Response, *allowed: int) -> None:
        status = answer.status_code
        if status in allowed:
            return
        if status in (401, 403):
            raise Refusal(f"{self.host} refuses access to {self.repository}", f"oras login {self.host}")
        if status >= 500 or status in (408, 429):
            raise AnswerError(status)
        raise Refusal(f"{self.host} answers {status}", _ADDRESS)

    def _map(self, answer: httpx.Response) -> dict[str, Any]:
        """Return the JSON map that an answer is; what stands before a registry may answer with a page."""
        try:
            found = json.loads(answer.content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Refusal(
                f"{self.host} answers with something else than a registry does",
                _ADDRESS,
            )
        return found

    def _ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        limit: int = MANIFEST_LIMIT,
    ) -> httpx.Response:
        url = path if "://" in path else self._base + path

        def send() -> httpx.Response:
            extra = {"Authorization": self._token} if self._token else {}
            request = self._client.build_request(
                method, url, content=content, headers={**(headers or {}), **extra}
            )
            answer = self._client.send(request, stream=True)
            if answer.status_code >= 500 or answer.status_code == 429:
                answer.close()
                raise AnswerError(answer.status_code)
            return answer if stream else self._whole(answer, limit)

        what = f"{self.host} can't be {'read' if method in ('GET', 'HEAD') else 'written'}"
        # A part of an upload is not sent twice: `_part` asks first how far it got.
        answer = send() if method == "PATCH" else retried(what, send)
        if answer.status_code == 401 and self._authorise(answer.headers.get(_CHALLENGED, "")):
            answer.close()
            answer = send() if method == "PATCH" else retried(what, send)
        return answer

    def _whole(self, answer: httpx.Response, limit: int = MANIFEST_LIMIT) -> httpx.Response:
        """Return an answer with its bytes, which a server may send without end."""
        import httpx

        data = bounded(self.host, answer, limit, _ADDRESS)
        # Without what was said of their packing: nothing is unpacked.
        kept = [(k, v) for k, v in answer.headers.items() if k in ("location", "link", "range", _CHALLENGED)]
        return httpx.Response(answer.status_code, headers=kept, content=data, request=answer.request)

    def _authorise(self, challenge: str) -> bool:
        """Get what a challenge asks for; False when there is nothing new to send."""
        scheme, _, rest = challenge.partition(" ")
        login = _login(self.host)
        if scheme.lower() == "basic" and login is not None:
            token = f"Basic {login}"
        elif scheme.lower() == "bearer":
            asked = dict(_CHALLENGE.findall(rest))
            realm = asked.pop("realm", "")
            # As with the registry itself: without TLS on this machine only.
            if not realm.startswith("https://") and not (self._plain and _LOCAL.match(realm)):
                raise Refusal(f"{self.host} names a token service without TLS", "have it name one with https")
            headers = {"Authorization": f"Basic {login}"} if login is not None else {}
            answer = retried(
                f"{self.host} gives no token",
                lambda: self._whole(
                    self._client.send(
                        self._client.build_request(
                            "GET",
                            realm,
                            params={key: asked[key] for key in ("service", "scope") if key in asked},
                            headers=headers,
                        ),
                        stream=True,
                    )
                ),
            )
            if answer.status_code != 200:
                return False
            found = self._map(answer)
            token = f"Bearer {found.get('token') or found.get('access_token')}"
        else:
            return False
        fresh, self._token = token != self._token, token
        return fresh


def _login(host: str) -> str | None:
    """Return user and password for a registry, as base64, from the file that `docker login` writes."""
    named = os.environ.get("REGISTRY_AUTH_FILE")
    folder = os.environ.get("DOCKER_CONFIG")
    try:
        file = Path(named) if named else Path(folder or Path.home() / ".docker") / "config.json"
        found = json.loads(file.read_text())["auths"][host]["auth"]
        base64.b64decode(found, validate=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        # RuntimeError: a user without a home, as in a container; or brackets in brackets.
        return None
    return str(found)


def _with(location: str, query: str) -> str:
    return f"{location}{'&' if '?' in location else '?'}{query}"
