"""A store at any URL that fsspec knows and `tree.uri` lists: S3, GCS, Azure, SFTP, HTTP (to read), ...

Endpoints and credentials come from the libraries' own chains (environment, profiles, ~/.config/fsspec),
never from the registry, and are never printed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from modelspec.tree.digest import artifact_digest, is_digest, listing, stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.listing import LIMIT
from modelspec.tree.paths import path_trouble
from modelspec.tree.protocols import Chunk, Progress, SourceFile, StoredFile, StoredTree
from modelspec.tree.text import visible
from modelspec.tree.uri import OTHER, azure_parts, served_uri
from modelspec.world.files import hashed_source
from modelspec.world.parallel import ahead, briefly, each
from modelspec.world.stores.hosts import HostSystem
from modelspec.world.stores.logins import host_system
from modelspec.world.stores.names import REPAIR, SUFFIX, tree_name
from modelspec.world.stores.others import other_system
from modelspec.world.stores.packages import absent
from modelspec.world.stores.retried import TRIES, wait
from modelspec.world.stores.sent import ordered, unchanged
from modelspec.world.stores.systems import PART, WORKERS, ShortAnswerError, asked, file_system, opened
from modelspec.world.stores.verified import rows_of
from modelspec.world.stores.web import gives_parts, is_web, part, whole

_BEGUN: Final = ".begun"
"""After the name of a tree: an object that is there while it is stored for the first time."""


@dataclass(frozen=True, slots=True)
class UrlStore:
    """Trees below a URL: `<url>/sha256-<hex>/`, each with its listing beside it."""

    url: str
    system: Any = field(repr=False)
    """The fsspec file system."""
    called: str = ""
    """What messages call it, where its library takes another address."""

    @property
    def shown(self) -> str:
        """The URL as the registry has it."""
        return visible(self.called or self.url, 200)

    def put(self, files: Iterable[SourceFile], progress: Progress = lambda _: None) -> StoredTree:
        """Store a tree: each file is hashed before it is sent, and again while it is.

        A file that is there already is read back and kept if its bytes are right, so that a second run
        goes on where the first one stopped.
        """
        sources = ordered(files)
        hashed = tuple(each(hashed_source, sources))
        rows = [(file.path, file.digest) for file in hashed]
        tree = StoredTree(artifact_digest(rows), hashed)
        begun = self._key(tree.digest) + _BEGUN
        # `gc` goes by the time of one or the other: from here on it lets the tree alone.
        if self.exists(tree.digest):
            self._list_tree(tree.digest, listing(rows))
        else:
            self._asked("written", lambda: self.system.pipe_file(begun, b"a register stores this tree\n"))
        try:
            each(
                lambda pair: self._send(tree.digest, *pair, progress),
                zip(sources, hashed, strict=True),
                workers=WORKERS,
            )
            self._list_tree(tree.digest, listing(rows))
        finally:
            briefly(lambda: self._remove(begun))
        return tree

    def exists(self, digest: str) -> bool:
        """Whether the tree's listing is there."""
        return self._size(self._key(digest) + SUFFIX) is not None

    def listing(self, digest: str) -> bytes | None:
        """Return the listing as it lies there."""
        key = self._key(digest) + SUFFIX
        size = self._size(key)
        if size is None:
            return None
        if size > LIMIT:
            raise Refusal(f"the listing {stamp(digest)}{SUFFIX} in {self.shown} has {size:,} bytes", REPAIR)
        return self._range(key, 0, size)

    def files(self, digest: str) -> Mapping[str, int]:
        """Return path and size of every object in the tree."""
        prefix = self._key(digest)
        if not self._web:
            try:
                found = self._listed(lambda: self.system.find(prefix, detail=True))
            except FileNotFoundError:
                # Not even the bucket is there.
                return {}
            start = len(self.system._strip_protocol(prefix).rstrip("/")) + 1
            return {name[start:]: int(info["size"] or 0) for name, info in found.items()}
        # A web server lists nothing: what the listing names is what there is.
        rows = rows_of(self, digest) or ()
        sizes = each(lambda row: self._size(f"{prefix}/{row[0]}"), rows, workers=WORKERS)
        return {path: size for (path, _), size in zip(rows, sizes, strict=True) if size is not None}

    def open(self, digest: str, path: str, start: int = 0) -> Iterator[Chunk]:
        """Yield the bytes of one object, in parts that are fetched ahead, each tried again by itself."""
        trouble = path_trouble(path)
        if trouble is not None:
            raise Refusal(f"the path {visible(path)} {trouble}")
        key = f"{self._key(digest)}/{path}"
        size = self._size(key)
        if size is None:
            raise Refusal(f"{visible(path, 200)} of {stamp(digest)} is missing in {self.shown}", REPAIR)
        if size > PART and self._web and not self._asked("read", partial(gives_parts, *self._at(key))):
            yield from whole(*self._at(key), size, start)
            return
        yield from ahead(
            lambda at: self._range(key, at, min(at + PART, size)),
            range(start, size, PART),
            workers=WORKERS,
        )

    def trees(self) -> Iterator[str]:
        """Yield the digests of the trees, sorted."""
        yield from sorted(self._digests(SUFFIX))

    def unlisted(self) -> Iterator[str]:
        """Yield the digests of trees of which a run that was killed left files, and no listing; sorted."""
        yield from sorted((self._digests("") | self._digests(_BEGUN)) - self._digests(SUFFIX))

    def delete(self, digest: str) -> None:
        """Remove a tree, its listing first."""
        key = self._key(digest)
        self._remove(key + SUFFIX)
        with suppress(FileNotFoundError):
            self._asked("removed", lambda: self.system.rm(key, recursive=True))
        self._remove(key + _BEGUN)

    def stored(self, digest: str) -> datetime | None:
        """Return when the tree's listing was written last, or else what there is of it; None for nothing."""

        def ask(key: str) -> datetime:
            self.system.invalidate_cache()
            found: datetime = self.system.modified(key)
            return found if found.tzinfo is not None else found.replace(tzinfo=UTC)

        def written(key: str) -> datetime | None:
            with suppress(FileNotFoundError):
                when: datetime = self._asked("read", partial(ask, key))
                return when
            return None

        tree = self._key(digest)
        try:
            listed = written(tree + SUFFIX)
            if listed is not None or self._web:
                return listed
            keys = [tree + _BEGUN, *(f"{tree}/{path}" for path in self.files(digest))]
            found = each(written, keys, workers=WORKERS)
            return max((when for when in found if when is not None), default=None)
        except (NotImplementedError, ValueError):
            raise Refusal(
                f"{self.shown} does not say when a file was written: `gc` can't go by that"
            ) from None

    def note(self, digest: str) -> None:
        """Nothing to do: every listing has its time."""

    def tidy(self, before: datetime) -> None:
        """Remove what writers that were killed left; a bucket's rules do so for uploads that never ended."""
        if isinstance(self.system, HostSystem):
            self._asked("listed", partial(self.system.leftovers, before))

    def deletes(self) -> None:
        """Raise Refusal for a web server, which lists and removes nothing."""
        if self._web:
            raise Refusal(f"{self.shown} is read only: nothing can be removed there", _ELSEWHERE)

    def reaches(self) -> bool:
        """Whether there is anything at the address itself."""
        try:
            # `exists` of many of these libraries says no, whatever went wrong.
            return bool(self._asked("read", lambda: self.system.info(self.url)))
        except FileNotFoundError:
            return False

    def _digests(self, suffix: str) -> set[str]:
        """Return the digests whose names, with a suffix, are there."""
        try:
            names = self._listed(lambda: self.system.ls(self.url, detail=False))
        except FileNotFoundError:
            return set()
        stems = (str(name).rstrip("/").rpartition("/")[2] for name in names)
        digests = (stem.removesuffix(suffix).replace("-", ":", 1) for stem in stems if stem.endswith(suffix))
        return {digest for digest in digests if is_digest(digest)}

    def _remove(self, key: str) -> None:
        with suppress(FileNotFoundError):
            self._asked("removed", lambda: self.system.rm(key))

    def _key(self, digest: str) -> str:
        return f"{self.url}/{tree_name(digest)}"

    @property
    def _web(self) -> bool:
        return is_web(self.system)

    def _at(self, key: str) -> tuple[str, Any, str]:
        return self.shown, self.system, key

    def _asked(self, what: str, call: Callable[[], Any]) -> Any:
        return asked(self.shown, what, call)

    def _listed(self, call: Callable[[], Any]) -> Any:
        def ask() -> Any:
            # As with a size: what a library remembers may be gone, or not all that there is.
            self.system.invalidate_cache()
            return call()

        return self._asked("listed", ask)

    def _size(self, key: str) -> int | None:
        """Return an object's size, None when there is none."""

        def ask() -> int:
            # What was listed a moment ago may be there now.
            self.system.invalidate_cache()
            size = self.system.info(key)["size"]
            if size is None:
                raise Refusal(
                    f"{self.shown} does not say how long its files are",
                    "switch compression off for the store",
                )
            return int(size)

        try:
            found: int = self._asked("read", ask)
        except FileNotFoundError:
            return None
        return found

    def _range(self, key: str, start: int, end: int) -> bytes:
        def ask() -> bytes:
            if end <= start:
                return b""
            if self._web:
                data = part(*self._at(key), start, end)
            else:
                data = self.system.cat_file(key, start=start, end=end)
            if len(data) != end - start:
                raise ShortAnswerError
            return data

        try:
            found: bytes = self._asked("read", ask)
        except FileNotFoundError:
            raise Refusal(f"a file in {self.shown} vanished while it was read", REPAIR) from None
        return found

    def _send(self, tree: str, file: SourceFile, hashed: StoredFile, progress: Progress) -> None:
        key = f"{self._key(tree)}/{file.path}"
        size = self._size(key)
        if size == hashed.size and self._digest(key, size) == hashed.digest:
            progress(hashed.size)
            return
        # What lies there is what an earlier run left, or was changed: it is replaced.
        mode = "xb" if size is None else "wb"
        try:
            self._asked("written", lambda: self._upload(key, file, hashed, mode))
        except FileExistsError:
            # Somebody else wrote it since: the same bytes, or none that we may touch.
            if self._digest(key, self._size(key) or 0) != hashed.digest:
                raise Refusal(
                    f"{visible(file.path, 200)} of {stamp(tree)} in {self.shown} has other bytes",
                    "remove it there, then run this again",
                ) from None
        progress(hashed.size)

    def _upload(self, key: str, file: SourceFile, hashed: StoredFile, mode: str) -> None:
        if isinstance(self.system, HostSystem):
            self.system.place(key, lambda: unchanged(file, hashed), hashed.size, partial(self._back, hashed))
            return
        target = opened(self.system, key, mode)
        try:
            for chunk in unchanged(file, hashed):
                target.write(bytes(chunk))
            target.close()
        except BaseException:
            # `close` would send what is buffered: it is closed without that.
            target.closed = True
            briefly(target.discard)
            raise
        target.commit()
        if self._size(key) != hashed.size:
            raise ShortAnswerError

    def _back(self, hashed: StoredFile, key: str) -> None:
        """Read a file back that was just written; raises when it is another one."""
        if self._size(key) != hashed.size or self._digest(key, hashed.size) != hashed.digest:
            raise ShortAnswerError

    def _digest(self, key: str, size: int) -> str:
        hashed = hashlib.sha256()
        for start in range(0, size, PART):
            hashed.update(self._range(key, start, min(start + PART, size)))
        return "sha256:" + hashed.hexdigest()

    def _list_tree(self, digest: str, listed: bytes) -> None:
        key = self._key(digest) + SUFFIX
        for attempt in range(1, TRIES + 1):
            self._asked("written", lambda: self.system.pipe_file(key, listed))
            if self.listing(digest) == listed:
                return
            # Some servers of WebDAV replace a file in two steps, and another writer may be between them.
            wait(attempt)
        raise Refusal(f"{self.shown} does not give back the listing that it was given")


_ELSEWHERE: Final = "collect where the files behind it lie"


def url_store(url: str) -> UrlStore:
    """Return the store at a URL; raises Refusal when the package for its scheme is not installed."""
    azure = azure_parts(url)
    if azure is not None:
        account, place = azure
        try:
            return UrlStore(f"abfs://{place}", file_system("abfs", account_name=account), served_uri(url))
        except Refusal:
            # A container that anybody may read needs no package of its own.
            if not url.startswith("https://"):
                raise
    other = url.removeprefix(OTHER)
    try:
        found = host_system(url) if other == url else other_system(other)
    except ImportError:
        raise absent(other.partition("://")[0]) from None
    if found is not None:
        return UrlStore(found[1], found[0], url)
    return UrlStore(url.rstrip("/"), file_system(url.partition("://")[0]))
