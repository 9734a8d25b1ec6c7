"""URIs: a grammar of ours for each scheme, so that no two readers take one for different things.

No escapes, queries, fragments, parameters or user info: `%2e%2e`, `#../` and `;x` were each a way out
of a store in some peer (mlflow needed eight rounds of fixes). A URI is never unquoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PATH: Final = r"(?:/[A-Za-z0-9._+=,:~-]+)"
_HOST: Final = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?(?::[0-9]{1,5})?"
_BUCKET: Final = r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?"

AZURE: Final = ("abfs", "abfss", "az")
"""What fsspec's package for Azure and Hadoop call the same containers. `@` is no user info there."""
_ACCOUNT: Final = r"(?P<account>[a-z0-9]{3,24})"
_CONTAINER: Final = r"(?P<container>[a-z0-9](?:-?[a-z0-9]){2,62})"
_AZURE: Final = rf"{_CONTAINER}@{_ACCOUNT}\.(?:dfs|blob)\.core\.windows\.net(?P<path>{_PATH}*)"
_BLOB: Final = re.compile(rf"https://{_ACCOUNT}\.blob\.core\.windows\.net/{_CONTAINER}(?P<path>{_PATH}*)")

HOSTS: Final = ("sftp", "ssh", "ftp", "smb", "webdav")
"""Servers that keep folders, by the schemes of fsspec. What follows the host is a path from its root."""

# A list of what is taken, and none of what is not: whatever a machine has installed can register protocols
# with fsspec, and some of them read files of the machine (file, dir, git, reference), unpack others (zip,
# simplecache, `a::b`), or run code (dask, jupyter). Nobody could list those. And `check` has to say the same
# on every machine, so that what is installed can't decide. Any other is marked (`OTHER`).
STORES: Final[dict[str, tuple[str, str]]] = {
    "s3": (_BUCKET + _PATH + "*", "s3://bucket/folder"),
    "gs": (_BUCKET + _PATH + "*", "gs://bucket/folder"),
    **{scheme: (_AZURE, f"{scheme}://container@account.dfs.core.windows.net/folder") for scheme in AZURE},
    "https": (_HOST + _PATH + "*", "https://host/folder"),
    "http": (_HOST + _PATH + "*", "http://host/folder"),
    "oci": (_HOST + _PATH + "+", "oci://registry/repository"),
    "hdfs": (_HOST + _PATH + "*", "hdfs://host:port/folder"),
    "pvc": (_NAME + _PATH + "*", "pvc://claim/folder"),
    **{scheme: (_HOST + _PATH + "+", f"{scheme}://host/folder") for scheme in HOSTS},
    "oss": (_BUCKET + _PATH + "*", "oss://bucket/folder"),
    "cos": (_BUCKET + _PATH + "*", "cos://bucket/folder"),
    "lakefs": (_BUCKET + _PATH + "+", "lakefs://repository/branch"),
}
"""The schemes of stores: what follows `scheme://`, and an example."""

OTHER: Final = "fsspec+"
"""Before an address of any other scheme of fsspec, which is opened only where the machine names it itself."""

_ANY: Final = _NAME + "(?::[0-9]{1,5})?" + _PATH + "*"
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{1,31}")
_LOCAL: Final = frozenset({"file", "data", "javascript", "about", "blob", "local", "memory", "dir"})
_REFUSED: Final = {
    "%": "escapes",
    "?": "a query",
    "#": "a fragment",
    ";": "parameters",
    "\\": "a backslash",
    "@": "user info",
}

_REPOSITORY: Final = re.compile(
    r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~+-]+)+/?"
    r"|ssh://(?:git@)?[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~+-]+)+/?"
    r"|git@[A-Za-z0-9.-]+:[A-Za-z0-9._~+-]+(?:/[A-Za-z0-9._~+-]+)*"
)


def is_repository(address: str) -> bool:
    """Whether this is where a repository is for everybody, written plainly and without credentials."""
    return _REPOSITORY.fullmatch(address) is not None


def public_repository(address: str) -> str | None:
    """Return the address of a remote without credentials; None for what is still no plain address."""
    scheme, mark, rest = address.partition("://")
    user, at, host = rest.rpartition("@")
    scheme = scheme.lower()
    if "/" in user:
        return None
    if mark:
        user = "git" if scheme == "ssh" and at and user.partition(":")[0] == "git" else ""
        address = f"{scheme}://{user}{'@' if user else ''}{host}"
    return address if is_repository(address) else None


def store_uri_trouble(uri: str) -> str | None:
    """Say why this URI is not the root of a store, or None."""
    scheme = uri.partition("://")[0]
    if "::" in uri:
        return "chains file systems (`::`)"
    if "://" in uri and scheme in _LOCAL:
        return _local(scheme)
    if scheme.startswith(OTHER):
        return _other_trouble(uri.removeprefix(OTHER))
    if "://" not in uri or scheme not in STORES:
        return f"does not begin with {_either(f'{known}://' for known in STORES)}"
    pattern, example = STORES[scheme]
    return _trouble(uri, pattern, example)


def host_parts(uri: str) -> tuple[str, int | None, str] | None:
    """Return (host, port, path) of a clean URI of a server that keeps folders, or of HDFS; else None."""
    scheme, _, rest = uri.partition("://")
    if scheme not in (*HOSTS, "hdfs"):
        return None
    place, _, path = rest.partition("/")
    host, _, port = place.partition(":")
    return host, int(port) if port else None, f"/{path}".rstrip("/")


def served_uri(uri: str) -> str:
    """Return a clean store URI as serving systems take it: Azure's containers by their HTTPS address.

    One of any other scheme is theirs without the mark that it has here.
    """
    uri = uri.removeprefix(OTHER)
    scheme, _, rest = uri.partition("://")
    match = re.fullmatch(_AZURE, rest) if scheme in AZURE else None
    if match is None:
        return uri
    return f"https://{match['account']}.blob.core.windows.net/{match['container']}{match['path']}"


def azure_parts(uri: str) -> tuple[str, str] | None:
    """Return (account, container with path) of a clean URI in Azure, as either side writes it; else None."""
    match = _BLOB.fullmatch(served_uri(uri))
    return (match["account"], match["container"] + match["path"]) if match is not None else None


def data_uri_trouble(uri: str) -> str | None:
    """Say why this URI does not name data for everybody, or None. Any scheme but local ones."""
    scheme, mark, _ = uri.partition("://")
    if not mark or _SCHEME.fullmatch(scheme) is None:
        return "does not begin with a scheme such as s3://"
    if scheme in _LOCAL:
        return _local(scheme)
    return _trouble(uri, _ANY, f"{scheme}://host/folder")


def _other_trouble(uri: str) -> str | None:
    """Say why what stands behind `fsspec+` is no address of another scheme, or None."""
    scheme, mark, _ = uri.partition("://")
    if not mark or _SCHEME.fullmatch(scheme) is None or scheme.startswith(OTHER):
        return f"has no scheme behind {OTHER}"
    if scheme in _LOCAL:
        return _local(scheme)
    if scheme in STORES:
        return f"has a scheme that is written without {OTHER}: {scheme}://"
    return _trouble(uri, _ANY, f"{OTHER}{scheme}://host/folder")


def _local(scheme: str) -> str:
    return f"is a {scheme}: URI, which names something only on one machine"


def _trouble(uri: str, pattern: str, example: str) -> str | None:
    rest = uri.partition("://")[2]
    for char, what in _REFUSED.items():
        if char in rest and not (char == "@" and pattern is _AZURE):
            return f"has {what} (`{char}`) in it"
    if any(part in (".", "..") for part in rest.split("/")):
        return "has a `.` or `..` part"
    first = rest.partition("/")[0]
    if first and pattern.startswith(_BUCKET) and re.fullmatch(_BUCKET, first) is None:
        return (
            "has a name before its first `/` that is no bucket's: 3 to 222 lower-case letters, digits, `.`, "
            "`_` and `-`, with a letter or a digit at either end"
        )
    if re.fullmatch(pattern, rest) is None:
        return f"is not of the form {example}, without empty parts or a slash at the end"
    return None


def _either(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"
