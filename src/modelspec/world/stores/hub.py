"""A revision of a model on a Hugging Face hub, by commit: read, and nothing else.

The hub is that of HF_ENDPOINT, the token that of HF_TOKEN or of `hf auth login`; neither is printed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from modelspec.tree.digest import short, stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.listing import paths_trouble
from modelspec.tree.protocols import Progress
from modelspec.tree.text import visible
from modelspec.world.stores.client import http_client
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.retried import bounded, paced, resumed, retried

if TYPE_CHECKING:
    import httpx

_URI: Final = re.compile(r"hf://([A-Za-z0-9._-]{1,96}/[A-Za-z0-9._-]{1,96})@([0-9a-f]{40})")
_OID: Final = re.compile(r"[0-9a-f]{64}")
_ENDPOINT: Final = "https://huggingface.co"
_MOST: Final = 100_000
_ANSWER: Final = 16 * 1024 * 1024
"""The most bytes of one page of a list of files: pages have a thousand."""
_HUB: Final = "see that HF_ENDPOINT is the address of a hub, and what stands before it"


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a revision; `oid` is the sha256 that the hub says of a file it keeps by LFS."""

    path: str
    size: int
    oid: str | None
    address: str = field(repr=False)
    client: httpx.Client = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes; a connection that breaks is taken up again where it broke."""
        import httpx

        of = visible(self.path, 200)
        return resumed("the hub", self.size, lambda start: self._read(start, of), (httpx.HTTPError,), of=of)

    def _read(self, start: int, shown: str) -> Generator[bytes]:
        def ask() -> httpx.Response:
            headers = {"Range": f"bytes={start}-"} if start else {}
            request = self.client.build_request("GET", self.address, headers=headers)
            answer = self.client.send(request, stream=True, follow_redirects=True)
            if answer.status_code != (206 if start else 200):
                answer.close()
                raise _unread(answer.status_code, self.path)
            return answer

        yield from paced("the hub", retried(f"{shown} can't be read from the hub", ask))


def hub_here(files: Sequence[HubFile], into: Path, progress: Progress = lambda _: None) -> Path:
    """Bring the files of a revision below a folder, and return where they are together.

    What the hub keeps by LFS is compared with the digest that it says of it.
    """
    tree = FolderStore(into).put(files, progress)
    told = {file.path: file.oid for file in files}
    for file in tree.files:
        oid = told[file.path]
        if oid is not None and oid != file.digest:
            raise Refusal(
                f"{visible(file.path, 200)} did not come as the hub says: {short(file.digest)}, "
                f"not {short(oid)}",
                "run it again; if it stays so, ask who runs the hub",
            )
    return into / stamp(tree.digest)


def hub_tree(uri: str) -> Sequence[HubFile]:
    """Return the files of `hf://owner/name@<40 hex digits>`, sorted; raises Refusal for a branch or a tag.

    What belongs to git alone (`.gitattributes`) is left out.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise Refusal(
            f"{visible(uri, 200)} is not hf://owner/name@<commit>",
            "name the whole commit: a branch or a tag moves",
        )
    name, commit = match.groups()
    endpoint = (os.environ.get("HF_ENDPOINT") or _ENDPOINT).rstrip("/")
    # It drops the token when a redirect leads to another host.
    client = http_client("hf:// revisions", "hf", token=_token())
    rows = _rows(client, f"{endpoint}/api/models/{name}/tree/{commit}?recursive=true", name)
    try:
        files = [
            _file(row, f"{endpoint}/{name}/resolve/{commit}", client)
            for row in rows
            if row.get("type") == "file" and row["path"] != ".gitattributes"
        ]
    except (KeyError, ValueError, TypeError, AttributeError):
        raise _no_list(name) from None
    trouble = paths_trouble(file.path for file in files)
    if trouble is not None or not files:
        raise Refusal(
            f"{uri} is refused: {trouble or 'it holds no files'}", "name another commit, or --artifact files"
        )
    return sorted(files, key=lambda file: file.path.encode())


def _file(row: Mapping[str, Any], above: str, client: httpx.Client) -> HubFile:
    lfs = row.get("lfs") or {}
    oid = str(lfs.get("oid", "")).removeprefix("sha256:")
    return HubFile(
        str(row["path"]),
        int(lfs.get("size", row["size"])),
        f"sha256:{oid}" if _OID.fullmatch(oid) else None,
        f"{above}/{quote(str(row['path']))}",
        client,
    )


def _rows(client: httpx.Client, address: str, name: str) -> list[dict[str, Any]]:
    """Return the rows of all pages; a page's link may lead to the same hub only."""
    rows: list[dict[str, Any]] = []
    host = _host(address)
    if not host:
        raise Refusal("HF_ENDPOINT is no address of a server", f"write it in full, such as {_ENDPOINT}")
    while address:
        here = address

        def ask(at: str = here) -> tuple[bytes, str]:
            answer = client.send(client.build_request("GET", at), stream=True)
            if answer.status_code != 200:
                answer.close()
                raise _unread(answer.status_code, name)
            following = str(answer.links.get("next", {}).get("url", ""))
            return bounded("the hub", answer, _ANSWER, _HUB), following

        data, address = retried(f"{visible(name)} can't be read from the hub", ask)
        try:
            page = [dict(row) for row in json.loads(data)]
        except (ValueError, TypeError, RecursionError):
            raise _no_list(name) from None
        rows += page
        if len(rows) > _MOST:
            raise Refusal(f"{visible(name)} has more than {_MOST:,} files")
        # A page of nothing, and of nothing after it, has no end.
        if address and (not page or _host(address) != host):
            raise _no_list(name)
    return rows


def _host(address: str) -> bytes:
    """Return the host and the port of an address; nothing where it is none."""
    import httpx

    try:
        return httpx.URL(address).netloc
    except httpx.InvalidURL:
        return b""


def _no_list(name: str) -> Refusal:
    return Refusal(f"the hub's answer is no list of the files of {visible(name)}", _HUB)


def _unread(status: int, what: str) -> Exception:
    if status >= 500 or status == 429:
        return OSError(f"status {status}")
    cure = "export HF_TOKEN, or `hf auth login`" if status in (401, 403) else "look the commit up on the hub"
    return Refusal(f"the hub answers {status} for {visible(what, 200)}", cure)


def _token() -> str:
    """Return the token, "" for none; a secret that is a file, put into a variable, ends its line."""
    found = os.environ.get("HF_TOKEN", "").strip()
    if found:
        return found
    try:
        home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
        return (home / "token").read_text().strip()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a user without a home, as in a container
        return ""
