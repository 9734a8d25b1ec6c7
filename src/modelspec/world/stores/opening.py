"""Opens the store that a name in modelspec.yaml, or a URI on the command line, stands for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelspec.spec.settings import StoreSettings
from modelspec.tree.finding import Refusal
from modelspec.tree.paths import path_trouble
from modelspec.tree.protocols import Store
from modelspec.tree.text import visible
from modelspec.tree.uri import store_uri_trouble
from modelspec.world.stores.folder import FolderStore

if TYPE_CHECKING:
    from modelspec.spec.registry import Registry


def open_store(root: Path, name: str, settings: StoreSettings) -> Store:
    """Return a store of the registry: its folder when that is there, else its URI.

    Nothing is read or asked yet.
    """
    if settings.path is not None:
        trouble = path_trouble(settings.path)
        if trouble is not None:
            raise Refusal(f"the path of the store {visible(name)} {trouble}")
        if settings.uri is None or (root / settings.path).is_dir():
            return FolderStore(root / settings.path)
    if settings.uri is None:
        raise Refusal(f"the store {visible(name)} has neither path nor uri", "modelspec check")
    return remote_store(settings.uri)


def stores_of(*registries: Registry) -> dict[str, StoreSettings]:
    """Return the stores of several states of a registry, by name; of two, that of the later argument.

    Where bytes lie is a matter of today; which bytes they are was fixed when a version was written.
    """
    return {
        name: settings
        for registry in registries
        for name, settings in (registry.settings.stores if registry.settings is not None else {}).items()
    }


def is_remote(store: Store) -> bool:
    """Whether reading it goes over a network."""
    return not isinstance(store, FolderStore)


def remote_store(uri: str) -> Store:
    """Return the store at a URI; raises Refusal for one that can't be read from here."""
    trouble = store_uri_trouble(uri)
    if trouble is not None:
        # It may hold a password: it is not repeated.
        raise Refusal(f"the uri of the store {trouble}", "write a plain address such as s3://bucket/folder")
    scheme = uri.partition("://")[0]
    if scheme == "oci":
        from modelspec.world.stores.oci import oci_store

        return oci_store(uri)
    if scheme == "pvc":
        raise Refusal(
            f"{visible(uri, 200)} is a claim in a cluster: it can't be read from here",
            "give the store a `path:` where the claim is mounted",
        )
    from modelspec.world.stores.url import url_store

    return url_store(uri)
