"""Tries again what a network may have broken: a few times, each time later; a stream from where it broke."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.waiting import LONG, say, waiting

T = TypeVar("T")
AGAIN: Final = "see that the network and the store are well, then run this again"
TRIES: Final = 5
PATIENCE: Final = 60.0
"""Seconds after which a stream has to have come at `SLOWEST` bytes a second or more."""
SLOWEST: Final = 1024
FIRST: Final = 0.1
"""Seconds before the second try; each further one waits twice as long, and a random part more."""
CONNECT: Final = 5.0
"""Seconds in which a server has to take a connection."""
READ: Final = 60.0
"""Seconds without a byte after which an answer is given up."""
_SILENT: Final = 2
"""Tries of a server that says nothing: each takes long."""
_NOBODY: Final = frozenset(
    ["NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "SSOTokenLoadError",
     "TokenRetrievalError", "UnauthorizedSSOTokenError"]
)  # fmt: skip
"""What the AWS library calls it that nobody is logged in; a machine's own identity may take several tries."""
LOGIN: Final = "log in where your credentials come from (for AWS: `aws configure`, or AWS_PROFILE)"
_BUSY: Final = frozenset(["SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"])
"""What stores say that are asked too often; they get ten times as long."""
FINAL: Final = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
"""Answers, and not failures to get one."""


def retried(what: str, call: Callable[[], T], sleep: Callable[[float], object] = time.sleep) -> T:
    """Return what the call returns; raises Refusal when it failed `TRIES` times.

    Or `_SILENT` times by silence; and what takes long is said on stderr meanwhile. A Refusal and an answer
    (there is no such file, no right to it) are passed on at once. The message says the kind of error and no
    more: its text may hold an endpoint or a signature.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with waiting(_waits(what)):
                return call()
        except (Refusal, ImportError, TypeError, AttributeError, NameError):
            raise
        except Exception as error:
            if _status(error) in (401, 403):
                raise PermissionError(kind_of(error)) from (error.__cause__ or error)
            if isinstance(error, FINAL) and not _hides_a_failure(error):
                raise
            if attempt >= (_SILENT if _unheard(error) else TRIES):
                cause = type(error.__cause__ or error).__name__
                cure = LOGIN if cause in _NOBODY else AGAIN
                raise Refusal(f"{what}: {kind_of(error)}, {attempt} times", cure) from None
            wait(attempt, sleep, 10 if _code(error) in _BUSY else 1)
    raise AssertionError("the last try returns or raises")


def resumed(
    shown: str,
    size: int,
    read: Callable[[int], Generator[bytes]],
    broken: tuple[type[Exception], ...],
    *,
    of: str = "a file",
    start: int = 0,
) -> Iterator[bytes]:
    """Yield a stream of a known size; when its connection breaks it is taken up again where it broke.

    It begins at byte `start`. `read` yields what comes from a byte on; it may end early, or raise one of
    `broken`. Raises Refusal when `TRIES` connections in a row bring nothing, and when too much comes.
    """
    at, fruitless = start, 0
    heard = time.monotonic()
    while at < size:
        begun = at
        with closing(read(at)) as chunks, suppress(*broken):
            for chunk in chunks:
                at += len(chunk)
                heard = time.monotonic()
                if at > size:
                    raise Refusal(f"{shown} gives more bytes of {of} than it says that there are")
                yield chunk
        # What went on for a while is no failed try.
        fruitless = fruitless + 1 if at == begun else 0
        silent = time.monotonic() - heard
        if fruitless == TRIES or (fruitless and silent > _SILENT * READ):
            raise Refusal(f"{shown} gives {at:,} of {size:,} bytes of {of}, and no more", AGAIN)
        if fruitless:
            if silent > LONG:
                say(f"{shown} gives no more of {of}, and is asked again")
            wait(fruitless)


def wait(attempt: int, sleep: Callable[[float], object] = time.sleep, longer: int = 1) -> None:
    """Wait as long as is right after that many tries that failed."""
    # Not a secret: the waits of many clients shall not fall together.
    sleep(longer * FIRST * 2 ** (attempt - 1) * (1 + random.random()))  # noqa: S311


class Answer(Protocol):
    """A stream of the HTTP client."""

    def iter_raw(self) -> Iterator[bytes]:
        """Yield the bytes as they are sent, packed or not."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Pace:
    """Watches a stream, so that a server that gives a byte now and then can't hold anybody for ever."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._begun = time.monotonic()
        self._got = 0

    def add(self, count: int) -> None:
        """Take note of bytes that came; raises Refusal when there were too few of them for too long."""
        self._got += count
        took = time.monotonic() - self._begun
        if took > PATIENCE and self._got < SLOWEST * took:
            raise Refusal(f"{self._shown} gave {self._got:,} bytes in {took:.0f} s, and was given up", AGAIN)


def paced(shown: str, answer: Answer) -> Generator[bytes]:
    """Yield what comes of an answer, as it is sent, and close it; raises Refusal for one that is too slow."""
    pace = Pace(shown)
    try:
        for chunk in answer.iter_raw():
            pace.add(len(chunk))
            yield chunk
    finally:
        answer.close()


def bounded(shown: str, answer: Answer, limit: int, cure: str) -> bytes:
    """Return all that comes of an answer, as it is sent; raises Refusal for more than `limit` bytes.

    A server may send without end, and what is packed may unpack without end. `cure`: what to do then.
    """
    data = bytearray()
    with closing(paced(shown, answer)) as chunks:
        for chunk in chunks:
            data += chunk
            if len(data) > limit:
                raise Refusal(f"{shown} answers with more than {limit:,} bytes", cure)
    return bytes(data)


def _waits(what: str) -> str:
    """Return what is said of a call that takes long; `what` is said when it fails."""
    return what.replace(" can't be ", " is still being ", 1) if " can't be " in what else f"{what} yet"


def _unheard(error: BaseException) -> bool:
    """Whether nothing was heard for so long that it was given up; each library has its own name for that."""
    cause = error.__cause__ or error
    return isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__


def _hides_a_failure(error: BaseException) -> bool:
    """Whether "there is no such file" was made of an error: fsspec says so of any status."""
    status = _status(error)
    if status is not None:
        return status not in (404, 410)
    cause = error.__cause__
    return isinstance(cause, TimeoutError) or type(cause).__module__.startswith("aiohttp")


def _status(error: BaseException) -> int | None:
    """Return the status that a web server answered with, where that is why."""
    status = getattr(error.__cause__ or error, "status", None)
    # Those of SMB are numbers as well, of another kind.
    return status if isinstance(status, int) and 100 <= status < 600 else None


def kind_of(error: BaseException) -> str:
    """Return what an error of a foreign library may be called without saying what it says."""
    cause = error.__cause__ or error
    extra = _code(error) or _status(error)
    name = type(cause).__name__
    return f"{name} ({visible(str(extra), 40)})" if extra else f"{name}{_where(cause)}"


def _code(error: BaseException) -> str | None:
    """Return what S3 calls an error."""
    response = getattr(error.__cause__ or error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return None if code is None else str(code)


def _where(error: BaseException) -> str:
    """Return which endpoint could not be reached, its host and port alone: it comes from the environment."""
    told = getattr(error, "kwargs", None)
    url = told.get("endpoint_url") if isinstance(told, dict) else None
    try:
        found = urlsplit(str(url or ""))
        place = f"{found.hostname}:{found.port}" if found.port else found.hostname
    except ValueError:
        return ""
    return f" at {visible(place, 100)}" if place else ""
