"""How servers that keep folders are reached: by which class of fsspec, and with which login.

Who logs in, and how, is said on this machine (`FSSPEC_SFTP_USERNAME`, ~/.config/fsspec, keys), never in a
registry. And a registry says which host is asked: so what is said here is used for the host that it is said
for, and for no other.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.tree.uri import host_parts
from modelspec.world.stores.hosts import HostSystem

_PATIENCE: Final = 60
"""Seconds that a server may take for one answer."""
_CLASSES: Final = {
    # fsspec lets what is installed take a scheme over: the one that was tried is taken.
    "sftp": ("fsspec.implementations.sftp", "SFTPFileSystem"),
    "ssh": ("fsspec.implementations.sftp", "SFTPFileSystem"),
    "ftp": ("fsspec.implementations.ftp", "FTPFileSystem"),
    "smb": ("fsspec.implementations.smb", "SMBFileSystem"),
    "webdav": ("webdav4.fsspec", "WebdavFileSystem"),
    "hdfs": ("fsspec.implementations.arrow", "HadoopFileSystem"),
}


def host_system(url: str) -> tuple[HostSystem, str] | None:
    """Return the file system of a URL of such a server, and the path there; None for any other URL.

    Raises ImportError when its package is not installed, and Refusal when what this machine says of the
    scheme is said of another host. Nothing is asked yet.
    """
    parts = host_parts(url)
    if parts is None:
        return None
    host, port, path = parts
    scheme = url.partition("://")[0]
    module, name = _CLASSES[scheme]
    made = getattr(import_module(module), name)
    own = _configured(made, scheme, host, port)
    port = port or own.pop("port", None)
    options: dict[str, Any] = {"host": host, "skip_instance_cache": True}
    if port is not None:
        options["port"] = int(port)
    if scheme in ("sftp", "ssh"):
        made = type(name, (made,), {"_connect": _secure_shell})
    elif scheme == "ftp":
        options |= {"use_listings_cache": False, "timeout": _PATIENCE}
    elif scheme == "smb":
        # Others may read meanwhile; and what is tried again is tried again here.
        options |= {"share_access": "r", "timeout": _PATIENCE, "register_session_retries": 0}
    elif scheme == "webdav":
        plain = str(own.pop("base_url", "")).startswith("http://")
        place = f"{host}:{port}" if port is not None else host
        options = {"skip_instance_cache": True, "timeout": _PATIENCE, "retry": False}
        options["base_url"] = f"{'http' if plain else 'https'}://{place}"
        if isinstance(own.get("auth"), list):
            options["auth"] = tuple(own["auth"])
    return HostSystem(path, lambda: made(**options), alone=scheme == "smb"), path


def _configured(made: Any, scheme: str, host: str, port: int | None) -> dict[str, Any]:
    """Return what this machine says of a scheme: a password for one host is not for another."""
    from fsspec.config import apply_config

    own = dict(apply_config(made, {}))
    if not own or scheme == "hdfs":
        return own
    key, said = ("base_url", own.get("base_url")) if scheme == "webdav" else ("host", own.pop("host", None))
    known = str(said or "")
    if scheme == "webdav":
        known, _, digits = re.sub(r"^https?://|/.*$", "", known).partition(":")
        own["port"] = int(digits) if digits.isdecimal() else None
    if known.lower() != host.lower() or (port is not None and str(own.get("port")) != str(port)):
        raise Refusal(
            f"what this machine says of {scheme}:// is not said of {visible(host, 100)}"
            + (f" and port {port}" if port is not None else ""),
            f"name the host that it is for: FSSPEC_{scheme.upper()}_{key.upper()}"
            + ("" if key == "base_url" or port is None else f", FSSPEC_{scheme.upper()}_PORT"),
        )
    return own


def _secure_shell(self: Any) -> None:
    """Connect by SSH to a host whose key is known here: fsspec takes any key for that of a new host."""
    import paramiko

    _hushed(logging.getLogger("paramiko"))
    self.client = paramiko.SSHClient()
    with suppress(OSError):
        self.client.load_system_host_keys("/etc/ssh/ssh_known_hosts")
    self.client.load_system_host_keys()
    self.client.set_missing_host_key_policy(_Unknown())
    waits = ("timeout", "banner_timeout", "auth_timeout", "channel_timeout")
    self.client.connect(self.host, **{**dict.fromkeys(waits, _PATIENCE), **self.ssh_kwargs})
    self.ftp = self.client.open_sftp()
    self.ftp.get_channel().settimeout(_PATIENCE)


def _hushed(log: logging.Logger) -> None:
    """Keep a log that nobody set up off stderr: a broken connection is a traceback of its thread there.

    What it comes to is raised as well, and said in a line.
    """
    if not log.handlers:
        log.addHandler(logging.NullHandler())


class _Unknown:
    """What is done with the key of a host that is not in known_hosts."""

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        """Refuse."""
        raise Refusal(
            f"the host key of {visible(hostname, 200)} is not known here",
            "compare it with what its administrator says, and add it to ~/.ssh/known_hosts (ssh-keyscan)",
        )
