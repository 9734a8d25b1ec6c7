"""Real servers that keep folders, on the loopback interface: FTP in a thread; SSH, WebDAV and SMB where installed.

Each serves one folder of this machine, so that what lies there is looked at, and changed, behind its back.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from world.stores.servers import free_port, needed, running

LOGIN = ("ml", "not-a-secret-really")


@dataclass
class Kept:
    """A server: the URL of a store there, the folder that it is, and what this machine says of the scheme."""

    url: str
    folder: Path
    own: Mapping[str, Any]
    home: Path
    breaks: list[int] = field(default_factory=list)
    """FTP: after how many bytes the next transfers die."""

    @property
    def env(self) -> dict[str, str]:
        scheme = self.url.partition(":")[0].upper()
        return {f"FSSPEC_{scheme}": json.dumps(self.own), "HOME": str(self.home)}


@contextlib.contextmanager
def ftp(folder: Path, **more: Any) -> Iterator[Kept]:
    pytest.importorskip("pyftpdlib", reason="pip install pyftpdlib")
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import DTPHandler, FTPHandler
    from pyftpdlib.servers import ThreadedFTPServer

    root = folder / "root"
    (root / "models").mkdir(parents=True)
    breaks: list[int] = []

    class Breaking(DTPHandler):  # type: ignore[misc]
        left: int | None = None

        def __init__(self, sock: Any, cmd_channel: Any) -> None:
            super().__init__(sock, cmd_channel)
            self.left = breaks.pop(0) if breaks else None

        def _count(self, size: int) -> None:
            if self.left is not None:
                self.left -= size
                if self.left < 0:
                    self.cmd_channel.close()
                    raise ConnectionResetError(104, "reset")

        def recv(self, size: int) -> bytes:
            data: bytes = super().recv(size)
            self._count(len(data))
            return data

        def send(self, data: bytes) -> int:
            self._count(len(data))
            sent: int = super().send(data)
            return sent

    users = DummyAuthorizer()
    users.add_user(*LOGIN, str(root), perm="elradfmwMT")
    handler = type(
        "Handler",
        (FTPHandler,),
        {"authorizer": users, "dtp_handler": Breaking, "use_sendfile": False, **more},
    )
    server = ThreadedFTPServer(("127.0.0.1", 0), handler)
    port = server.address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"timeout": 0.1}, daemon=True)
    thread.start()
    try:
        own = {"host": "127.0.0.1", "port": port, "username": LOGIN[0], "password": LOGIN[1]}
        yield Kept(f"ftp://127.0.0.1:{port}/models/store", root / "models/store", own, folder, breaks)
    finally:
        server.close_all()
        thread.join(10)


@contextlib.contextmanager
def sftp(folder: Path, *options: str) -> Iterator[Kept]:
    pytest.importorskip("paramiko", reason="pip install paramiko")
    server = needed("sshd", "apt-get install openssh-server")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".ssh").mkdir()
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    Path("/run/sshd").mkdir(exist_ok=True) if getpass.getuser() == "root" else None
    port = free_port()
    public = (folder / "host.pub").read_text()
    (folder / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    said = {
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "ListenAddress": "127.0.0.1",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "MaxStartups": "100",
        "Subsystem": "sftp internal-sftp" + "".join(f" {option}" for option in options),
    }
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in said.items()))
    with running([server, "-D", "-e", "-f", str(folder / "config"), "-p", str(port)], port, folder / "log"):
        own = {
            "host": "127.0.0.1",
            "port": port,
            "username": getpass.getuser(),
            "key_filename": str(folder / "user"),
            "allow_agent": False,
            "look_for_keys": False,
        }
        yield Kept(f"sftp://127.0.0.1:{port}{folder}/store", folder / "store", own, folder)


@contextlib.contextmanager
def webdav(folder: Path) -> Iterator[Kept]:
    for name in ("webdav4.fsspec", "wsgidav", "cheroot"):
        pytest.importorskip(name, reason='pip install "webdav4[fsspec]" wsgidav cheroot')
    (folder / "root").mkdir(parents=True)
    port = free_port()
    config = {
        "host": "127.0.0.1",
        "port": port,
        "provider_mapping": {"/": str(folder / "root")},
        "simple_dc": {"user_mapping": {"*": {LOGIN[0]: {"password": LOGIN[1]}}}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
    }
    (folder / "wsgidav.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "wsgidav.server.server_cli", "-q", "-c", str(folder / "wsgidav.json")]
    with running(command, port, folder / "log"):
        own = {"base_url": f"http://127.0.0.1:{port}", "auth": list(LOGIN)}
        yield Kept(f"webdav://127.0.0.1:{port}/models/store", folder / "root/models/store", own, folder)


@contextlib.contextmanager
def smb(folder: Path) -> Iterator[Kept]:
    pytest.importorskip("smbprotocol", reason="pip install smbprotocol")
    server = needed("smbd", "apt-get install samba")
    if getpass.getuser() != "root":
        pytest.skip("smbd changes who it is: it needs root")
    (folder / "root").mkdir(parents=True)
    (folder / "state").mkdir()
    port = free_port()
    places = (
        "private dir",
        "lock directory",
        "state directory",
        "cache directory",
        "pid directory",
        "ncalrpc dir",
    )
    said = "".join(f"{place} = {folder / 'state'}\n" for place in places)
    (folder / "smb.conf").write_text(
        f"[global]\nserver role = standalone server\n{said}smb ports = {port}\ninterfaces = 127.0.0.1\n"
        f"bind interfaces only = yes\ndisable netbios = yes\nlog file = {folder / 'log.smbd'}\n"
        f"[share]\npath = {folder / 'root'}\nread only = no\nforce user = root\n"
    )
    conf = f"--configfile={folder / 'smb.conf'}"
    password = f"{LOGIN[1]}\n" * 2
    subprocess.run(
        ["smbpasswd", "-c", str(folder / "smb.conf"), "-s", "-a", "root"],
        input=password, text=True, check=True, capture_output=True,
    )  # fmt: skip
    with running([server, "--foreground", conf], port, folder / "log"):
        own = {"host": "127.0.0.1", "port": port, "username": "root", "password": LOGIN[1]}
        yield Kept(f"smb://127.0.0.1:{port}/share/models/store", folder / "root/models/store", own, folder)


SERVERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Kept]]] = {
    "ftp": ftp,
    "sftp": sftp,
    "webdav": webdav,
    "smb": smb,
}
