"""Reads files of a web server: no more than was asked for, whatever comes, and as it comes.

What fsspec itself reads of an answer is all of it, unpacked, into memory, whether it ends or not.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any, Final

from modelspec.tree.finding import Refusal
from modelspec.world.stores.retried import CONNECT, READ, Pace, resumed

SCHEMES: Final = ("http", "https")
_CHUNK: Final = 1024 * 1024


def client() -> Mapping[str, Any]:
    """Return how the client of a web server is set up."""
    from aiohttp import ClientTimeout

    # fsspec asks a server twice for a size, in two ways.
    return {"auto_decompress": False, "timeout": ClientTimeout(total=READ / 2, sock_connect=CONNECT)}


def is_web(system: Any) -> bool:
    """Whether this is the fsspec file system of web servers, which list nothing and take nothing."""
    protocol = system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)
    return bool(set(SCHEMES) & set(protocol))


def part(shown: str, system: Any, url: str, start: int, end: int) -> bytes:
    """Return the bytes of a file from `start` to before `end`, and one more if the server sends more."""
    from fsspec.asyn import sync

    async def read() -> bytes:
        data, pace = bytearray(), Pace(shown)
        async with await _answer(shown, system, url, f"bytes={start}-{end - 1}") as answer:
            if start and answer.status != 206:
                raise OSError("the server gives whole files only")
            while len(data) <= end - start:
                chunk = await answer.content.read(end - start + 1 - len(data))
                if not chunk:
                    break
                data.extend(chunk)
                pace.add(len(chunk))
        return bytes(data)

    found: bytes = sync(system.loop, read)
    return found


def gives_parts(shown: str, system: Any, url: str) -> bool:
    """Whether the server gives parts of a file; some give whole ones only."""
    from fsspec.asyn import sync

    async def ask() -> bool:
        async with await _answer(shown, system, url, "bytes=0-0") as answer:
            return bool(answer.status == 206)

    found: bool = sync(system.loop, ask)
    return found


def whole(shown: str, system: Any, url: str, size: int, start: int = 0) -> Iterator[bytes]:
    """Yield a file of a server that gives no parts: where the connection breaks, all of it is asked again.

    What comes before `start` is dropped.
    """
    from aiohttp import ClientError

    def read(at: int) -> Generator[bytes]:
        return _from(shown, system, url, at, size)

    return resumed(shown, size, read, (ClientError, OSError), start=start)


def _from(shown: str, system: Any, url: str, start: int, size: int) -> Generator[bytes]:
    """Yield the bytes from `start` to `size` of an answer that begins with the first one."""
    from fsspec.asyn import sync

    at, pace = 0, Pace(shown)
    answer = sync(system.loop, _answer, shown, system, url, None)
    try:
        while at < size and (chunk := sync(system.loop, answer.content.read, _CHUNK)):
            pace.add(len(chunk))
            if fresh := chunk[max(0, start - at) : size - at]:
                yield fresh
            at += len(chunk)
    finally:
        system.loop.call_soon_threadsafe(answer.close)


async def _answer(shown: str, system: Any, url: str, span: str | None) -> Any:
    """Ask for a file, or a part of it, as its bytes are; FileNotFoundError when there is none."""
    from aiohttp import ClientTimeout

    headers = {"Accept-Encoding": "identity", **({"Range": span} if span is not None else {})}
    session = await system.set_session()
    answer = await session.get(
        system.encode_url(url), headers=headers, timeout=ClientTimeout(sock_connect=CONNECT, sock_read=READ)
    )
    try:
        if answer.status in (404, 410):
            raise FileNotFoundError
        answer.raise_for_status()
        if answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise Refusal(f"{shown} compresses its files unasked", "switch compression off for the store")
    except BaseException:
        answer.close()
        raise
    return answer
