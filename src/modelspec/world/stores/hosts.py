"""Servers that keep folders, as fsspec reads and writes them: SFTP, FTP, SMB, WebDAV, HDFS.

They have no upload that appears as a whole. What is written gets a name that nobody reads, is read back, and
then renamed. How they are reached, `logins` says.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Chunk
from modelspec.world.stores.retried import FINAL

T = TypeVar("T")
UNNAMED: Final = ".modelspec-"
"""What names begin with that nobody reads; the rest is random."""
_BUFFER: Final = 8 * 1024 * 1024
_DEPTH: Final = 64
_ALONE: Final = threading.RLock()
"""The client of SMB keeps one session for a process, whose credits two threads take from each other."""


class HostSystem:
    """The files of one host, over as many connections as are in use at once (`alone`: one).

    No client of these servers may be used by two threads at a time, and none comes back by itself when its
    connection has died: then all that are idle are given up as well.
    """

    protocol: Final = "host"

    def __init__(self, root: str, connect: Callable[[], Any], alone: bool = False) -> None:
        self._root = root
        self._connect = connect
        self._turn = _ALONE if alone else nullcontext()
        self._idle: list[Any] = []

    def info(self, path: str) -> Mapping[str, Any]:
        """Return what is known of a file or a folder; raises FileNotFoundError."""
        return self._ask(lambda system: system.info(path))

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        try:
            return bool(self.info(path))
        except FileNotFoundError:
            return False

    def modified(self, path: str) -> datetime:
        """Return when a file was written last; raises ValueError where the server does not say it."""

        def ask(system: Any) -> datetime:
            if system.protocol != "ftp":
                found: datetime = system.modified(path)
                return found
            # What a server says to MLSD (RFC 3659), in UTC; fsspec hands it on as it is.
            said = re.match(r"\d{14}", str(system.info(path).get("modify")))
            return datetime.strptime(said[0] if said else "", "%Y%m%d%H%M%S").replace(tzinfo=UTC)

        return self._ask(ask)

    def ls(self, path: str, detail: bool = False) -> list[str]:
        """Return what is in a folder."""
        return self._ask(lambda system: [name for name, _ in _entries(system, path)])

    def find(self, path: str, detail: bool = True) -> dict[str, Mapping[str, Any]]:
        """Return every file below a folder; an error is raised, and not taken for an empty folder."""
        return self._ask(lambda system: {n: i for n, i in _below(system, path) if i["type"] != "directory"})

    def cat_file(self, path: str, start: int, end: int) -> bytes:
        """Return a part of a file."""

        def read(system: Any) -> bytes:
            with system.open(path, "rb", block_size=_BUFFER) as stream:
                if hasattr(stream, "readv"):
                    # SFTP: asked for as a whole, where a read waits for each 32 KiB.
                    return b"".join(stream.readv([(start, end - start)]))
                stream.seek(start)
                data = bytearray()
                while len(data) < end - start and (chunk := stream.read(end - start - len(data))):
                    data.extend(chunk)
                return bytes(data)

        return self._ask(read)

    def rm(self, path: str, recursive: bool = False) -> None:
        """Remove a file; or a folder, with all that is in it."""

        def remove(system: Any) -> None:
            found = [*_below(system, path), (path, {"type": "directory"})] if recursive else [(path, {})]
            for name, info in found:
                system.rmdir(name) if info.get("type") == "directory" else system.rm_file(name)

        self._ask(remove)

    def pipe_file(self, path: str, data: bytes) -> None:
        """Write a small file."""

        def proven(unnamed: str) -> None:
            if self.cat_file(unnamed, 0, len(data) + 1) != data:
                raise OSError("the server does not give back what it was given")

        self.place(path, lambda: [data], len(data), proven)

    def place(
        self, path: str, chunks: Callable[[], Iterable[Chunk]], size: int, proven: Callable[[str], None]
    ) -> None:
        """Write a file under a name that nobody reads, have it proven, and rename it."""
        unnamed = f"{self._root}/{UNNAMED}{secrets.token_hex(16)}"
        for folder in dict.fromkeys((self._root, path.rpartition("/")[0])):
            self._ask(partial(_make, folder=folder))
        try:
            self._ask(lambda system: _write(system, unnamed, chunks(), size))
            proven(unnamed)
            self._ask(lambda system: _move(system, unnamed, path))
        except BaseException:
            with suppress(Exception):
                self.rm(unnamed)
            raise

    def leftovers(self, before: datetime) -> None:
        """Remove what writers that were killed had not renamed, and that is older."""
        with suppress(FileNotFoundError):
            for name in self.ls(self._root):
                if name.rpartition("/")[2].startswith(UNNAMED):
                    with suppress(FileNotFoundError):
                        when = self.modified(name)
                        if (when if when.tzinfo else when.replace(tzinfo=UTC)) < before:
                            self.rm(name)

    def invalidate_cache(self) -> None:
        """Nothing to do: no client keeps listings."""

    def _strip_protocol(self, path: str) -> str:
        return path

    def _ask(self, call: Callable[[Any], T]) -> T:
        system = None
        try:
            with self._turn, translated():
                system = self._idle.pop() if self._idle else self._connect()
                found = call(system)
        except FINAL:
            self._idle.append(system) if system is not None else None
            raise
        except BaseException:
            # How far it got is not known, and where it broke the others are likely to be broken, too.
            gone = [system, *self._idle]
            self._idle.clear()
            for one in gone:
                _close(one)
            raise
        self._idle.append(system)
        return found


_DENIED: Final = {
    "AuthenticationException",
    "BadHostKeyException",
    "LogonFailure",
    "AccessDenied",
}
_NO_LOGIN: Final = "No authentication methods"
"""What paramiko says where it has neither a key nor a password; its class is that of a broken connection."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise the errors of foreign libraries as those of the system, where they are answers."""
    try:
        yield
    except Refusal:
        raise
    except Exception as error:
        names = {one.__name__ for one in type(error).__mro__}
        said = str(error)[:4]
        status = getattr(error, "status_code", None)
        # A connection that died while somebody logged in: SSH calls that so, too.
        broken = "EOF" in str(error)
        if names & {"SSHException"} and re.search("protocol banner|No existing session", str(error)):
            # What it was before paramiko made one error of all: a server that has too much to do hangs up.
            hung_up = isinstance(error.__context__, EOFError | ConnectionError)
            raise (ConnectionResetError if hung_up else TimeoutError)(type(error).__name__) from None
        if (
            (names & _DENIED and not broken)
            or ("SSHException" in names and str(error).startswith(_NO_LOGIN))
            or status in (401, 403)
            or ("error_perm" in names and said in ("530 ", "553 "))
        ):
            raise PermissionError(type(error).__name__) from error
        if status in (404, 410) or "ResourceNotFound" in names or ("error_perm" in names and said == "550 "):
            raise FileNotFoundError(type(error).__name__) from error
        if isinstance(error, OSError) and not isinstance(error, FINAL) and error.errno is not None:
            # A class of the library's own, which the number would have made one of Python's.
            raise OSError(error.errno, type(error).__name__) from error
        raise


def _entries(system: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what is in a folder: each library gives names in its own way."""
    for info in system.ls(path, detail=True):
        name = str(info["name"]).rstrip("/").rpartition("/")[2]
        if name not in ("", ".", ".."):
            yield f"{path}/{name}", info


def _below(system: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield all that is below a folder, what is in a folder before the folder itself."""
    if depth > _DEPTH:
        raise OSError("too many folders in one another")
    for name, info in _entries(system, path):
        if info["type"] == "directory":
            yield from _below(system, name, depth + 1)
        yield name, info


def _make(system: Any, folder: str) -> None:
    """Make a folder, and those that it is in; another writer may do so at the same moment."""
    parts = folder.strip("/").split("/")
    for count in range(1, len(parts) + 1):
        one = "/" + "/".join(parts[:count])
        if not system.isdir(one):
            try:
                system.mkdir(one, create_parents=False)
            except Exception:
                if not system.isdir(one):
                    raise


def _write(system: Any, path: str, chunks: Iterable[Chunk], size: int) -> None:
    if hasattr(system, "upload_fileobj"):
        # WebDAV takes a file in one request; an opened file would be kept on this machine's disk until then.
        system.client.upload_fileobj(_Stream(chunks), path, overwrite=True, size=size)
        return
    with system.open(path, "wb", block_size=_BUFFER) as target:
        if hasattr(target, "set_pipelined"):
            # SFTP: no answer is waited for until the end. What is written is read back.
            target.set_pipelined(True)
        for chunk in chunks:
            target.write(bytes(chunk))


def _move(system: Any, old: str, new: str) -> None:
    """Rename a file, over one that may be there: in one step where the server can."""
    if hasattr(system, "upload_fileobj"):
        # What fsspec does there is copy and remove.
        system.client.move(old, new, overwrite=True)
        return
    if system.protocol == "smb":
        import smbclient

        names = ("\\\\" + system.host + path.replace("/", "\\") for path in (old, new))
        smbclient.replace(*names, port=system.port or 445)
        return
    try:
        system.mv(old, new)
    except Exception:
        # Some servers rename over nothing that is there.
        if system.exists(new):
            system.rm_file(new)
        rename = system.ftp.rename if system.protocol == ("sftp", "ssh") else system.mv
        rename(old, new)


def _close(system: Any) -> None:
    if system is not None and system.protocol == "smb":
        import smbclient

        with _ALONE, suppress(Exception):
            smbclient.reset_connection_cache(fail_on_error=False)
        return
    client = getattr(system, "client", None) or getattr(system, "ftp", None)
    with suppress(Exception):
        if client is not None and hasattr(client, "close"):
            client.close()


class _Stream:
    """Chunks as a file to read, once."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, count: int = -1) -> bytes:
        """Return what comes next, at most so much; nothing at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = bytes(chunk)
        found, self._rest = (self._rest, b"") if count < 0 else (self._rest[:count], self._rest[count:])
        return found
