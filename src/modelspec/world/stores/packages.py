"""Which packages read which stores: they are imported when such a store is opened, and some are not there."""

from __future__ import annotations

from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

_PACKAGES: Final = {
    "s3": '"modelspec-gitops[s3]"',
    "http": '"modelspec-gitops[http]"',
    "https": '"modelspec-gitops[http]"',
    "gs": "gcsfs",
    "abfs": "adlfs",
    "sftp": "fsspec paramiko",
    "ssh": "fsspec paramiko",
    "ftp": "fsspec",
    "smb": "fsspec smbprotocol",
    "webdav": '"webdav4[fsspec]"',
    "hdfs": "fsspec pyarrow",
    "oss": "ossfs",
    "cos": "cosfs",
    "lakefs": "lakefs-spec",
}
"""What pip installs for a scheme."""


def absent(scheme: str) -> Refusal:
    """Return what says which package a scheme needs."""
    return Refusal(
        f"nothing is installed that reads {visible(scheme)}:// stores",
        f"pip install {_PACKAGES.get(scheme, 'its fsspec package')}",
    )
