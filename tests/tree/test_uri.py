"""URIs: what each scheme takes, and that every way out of a store that peers had is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.tree.uri import (
    STORES,
    azure_parts,
    data_uri_trouble,
    host_parts,
    public_repository,
    served_uri,
    store_uri_trouble,
)

LEFT_OUT = (
    "reference", "zip", "tar", "libarchive", "git", "github", "gist", "dask", "jupyter", "jlab", "generic",
    "async_wrapper", "asynclocal", "blockcache", "filecache", "cached", "pyscript", "dvc", "wandb", "hf", "dbfs",
    "python", "sftp+x", "SFTP", "sqlite",
)  # fmt: skip
"""What fsspec knows, or a package could register: it reads files of this machine, unpacks, or runs code."""


def test_any_other_scheme_is_marked_and_served_without_the_mark() -> None:
    assert store_uri_trouble("fsspec+dbfs://host:8443/models") is None
    assert served_uri("fsspec+dbfs://host:8443/models") == "dbfs://host:8443/models"


@pytest.mark.parametrize("example", [example for _, example in STORES.values()])
def test_the_examples_that_messages_print_are_good(example: str) -> None:
    assert store_uri_trouble(example.replace("host:port", "host:8020")) is None


@pytest.mark.parametrize(
    ("uri", "trouble"),
    [
        ("s3://models/%2e%2e/other", "has escapes (`%`) in it"),
        ("s3://models/#../other", "has a fragment (`#`) in it"),
        ("s3://models/?..", "has a query (`?`) in it"),
        ("s3://models/a;x", "has parameters (`;`) in it"),
        ("https://me:secret@example.com/a", "has user info (`@`) in it"),
        ("s3://models\\other", "has a backslash (`\\`) in it"),
        ("s3://models/../other", "has a `.` or `..` part"),
        ("s3://models/./other", "has a `.` or `..` part"),
        ("s3://models//other", "is not of the form s3://bucket/folder"),
        ("s3://models/", "is not of the form s3://bucket/folder"),
        ("s3://", "is not of the form s3://bucket/folder"),
        ("s3://Models", "has a name before its first `/` that is no bucket's: 3 to 222"),
        ("s3://ab", "has a name before its first `/` that is no bucket's: 3 to 222"),
        ("gs://ab/store", "has a name before its first `/` that is no bucket's: 3 to 222"),
        ("s3://-abc/store", "has a name before its first `/` that is no bucket's: 3 to 222"),
        ("lakefs://my-repo", "is not of the form lakefs://repository/branch"),
        (
            "abfs://container/folder",
            "is not of the form abfs://container@account.dfs.core.windows.net/folder",
        ),
        ("abfs://user:word@account.dfs.core.windows.net/a", "is not of the form abfs://"),
        ("abfss://lake@account.example.com/a", "is not of the form abfss://"),
        ("az://lake@account.dfs.core.windows.net/a/../b", "has a `.` or `..` part"),
        ("az://lake@account.dfs.core.windows.net/a@b", "is not of the form az://"),
        ("s3://lake@account.dfs.core.windows.net/a", "has user info (`@`) in it"),
        ("oci://registry.example.com", "is not of the form oci://registry/repository"),
        ("s3://models/a b", "is not of the form"),
        ("s3://models/a\n", "is not of the form"),
        ("s3://models/\u202ea", "is not of the form"),
        ("file:///srv/store", "is a file: URI, which names something only on one machine"),
        ("local:///srv/store", "is a local: URI"),
        ("memory://store", "is a memory: URI"),
        ("dir://srv/store", "is a dir: URI"),
        ("simplecache::s3://models", "chains file systems (`::`)"),
        ("zip://*::file:///srv/a.zip", "chains file systems (`::`)"),
        ("s3://models/a::zip://b", "chains file systems (`::`)"),
        *((f"{scheme}://host/folder", "does not begin with s3://") for scheme in LEFT_OUT),
        ("sftp://me@host/folder", "has user info (`@`) in it"),
        ("ftp://me:secret@host/folder", "has user info (`@`) in it"),
        ("smb://group;me:secret@host/share", "has parameters (`;`) in it"),
        ("sftp://host/../etc", "has a `.` or `..` part"),
        ("sftp://host/a b", "is not of the form sftp://host/folder"),
        ("sftp://host", "is not of the form sftp://host/folder"),
        ("webdav://host/", "is not of the form webdav://host/folder"),
        ("fsspec+", "has no scheme behind fsspec+"),
        ("fsspec+dbfs:/models", "has no scheme behind fsspec+"),
        ("fsspec+://models", "has no scheme behind fsspec+"),
        ("fsspec+DBFS://models", "has no scheme behind fsspec+"),
        ("fsspec+fsspec+dbfs://models", "has no scheme behind fsspec+"),
        ("fsspec+s3://models", "has a scheme that is written without fsspec+: s3://"),
        ("fsspec+file:///srv/store", "is a file: URI"),
        ("fsspec+zip::s3://models", "chains file systems (`::`)"),
        ("fsspec+dbfs://me@host/models", "has user info (`@`) in it"),
        ("fsspec+dbfs://host/../models", "has a `.` or `..` part"),
        ("fsspec+dbfs://host//models", "is not of the form fsspec+dbfs://host/folder"),
        ("S3://models", "does not begin with s3://"),
        ("s3:/models", "does not begin with s3://"),
        ("", "does not begin with s3://"),
    ],
)
def test_a_store_uri_that_is_refused(uri: str, trouble: str) -> None:
    assert (store_uri_trouble(uri) or "").startswith(trouble)


@pytest.mark.parametrize(
    "uri",
    ["s3://lake/trips", "iceberg://catalog/db.trips", "bigquery://project/set/table", "dvc+https://host/a",
     "s3://lake/trips/dt=2026-10-01", "https://example.com:8443/a/b.parquet", "hf://org/set"],
)  # fmt: skip
def test_data_may_lie_under_any_scheme(uri: str) -> None:
    assert data_uri_trouble(uri) is None


@pytest.mark.parametrize(
    "uri", ["file:///data", "data://x", "javascript://x", "/data/trips", "trips", "a://"]
)
def test_data_that_only_one_machine_finds_is_refused(uri: str) -> None:
    assert data_uri_trouble(uri) is not None


@given(st.text(alphabet="abs3:/.%?#;@\\ \n-~=", max_size=30))
def test_what_is_accepted_has_one_reading(rest: str) -> None:
    """No accepted URI has a character that any reader decodes, cuts or climbs by."""
    uri = f"s3://{rest}"
    if store_uri_trouble(uri) is None:
        assert not set("%?#;@\\ \n") & set(rest)
        assert not {"", ".", ".."} & set(rest.split("/"))


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("sftp://host/models/store", ("host", None, "/models/store")),
        ("ssh://host:2222/a", ("host", 2222, "/a")),
        ("hdfs://namenode:8020", ("namenode", 8020, "")),
        ("https://host/a", None),
        ("s3://bucket/a", None),
    ],
)
def test_the_parts_of_an_address_of_a_host(uri: str, parts: object) -> None:
    assert host_parts(uri) == parts


@pytest.mark.parametrize("scheme", ["abfs", "abfss", "az"])
@pytest.mark.parametrize("service", ["dfs", "blob"])
def test_a_container_in_azure_is_told_to_servers_by_its_https_address(scheme: str, service: str) -> None:
    uri = f"{scheme}://lake-1@account.{service}.core.windows.net/models/eta"
    assert store_uri_trouble(uri) is None
    told = "https://account.blob.core.windows.net/lake-1/models/eta"
    assert served_uri(uri) == told == served_uri(told)
    assert azure_parts(uri) == azure_parts(told) == ("account", "lake-1/models/eta")


@pytest.mark.parametrize("uri", ["s3://lake/a", "https://example.com/lake/a", "gs://lake", "oci://host/a"])
def test_every_other_address_is_told_as_it_is(uri: str) -> None:
    assert (served_uri(uri), azure_parts(uri)) == (uri, None)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ci:secret@git.example.com/ml/eta", "https://git.example.com/ml/eta"),
        ("https://secret@git.example.com/ml/eta", "https://git.example.com/ml/eta"),
        ("HTTPS://ci:sec@ret@git.example.com/ml/eta", "https://git.example.com/ml/eta"),
        ("ssh://git:secret@git.example.com/ml/eta", "ssh://git@git.example.com/ml/eta"),
        ("ssh://git@git.example.com:22/ml/eta", "ssh://git@git.example.com:22/ml/eta"),
        ("ssh://ada@git.example.com/ml/eta", "ssh://git.example.com/ml/eta"),
        ("git@git.example.com:ml/eta", "git@git.example.com:ml/eta"),
        ("http://ci:secret@git.example.com:3000/ml/eta", None),
        ("https://git.example.com/ml/eta@2", None),
        ("https://git.example.com/ml/a@b:c@d", None),
        ("/srv/git/eta.git", None),
        ("", None),
    ],
)
def test_an_address_of_a_repository_is_kept_without_its_login(url: str, shown: str | None) -> None:
    assert public_repository(url) == shown
