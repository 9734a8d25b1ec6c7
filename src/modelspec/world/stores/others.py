"""Any other scheme of fsspec: opened at the addresses that the machine itself names, and at no others."""

from __future__ import annotations

import os
from typing import Any, Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.stores.hosts import HostSystem

ALLOWED: Final = "MODELSPEC_FSSPEC"
"""The variable in which a machine names addresses of other schemes, with spaces between."""


def other_system(address: str) -> tuple[HostSystem, str]:
    """Return the file system of fsspec at an address of any other scheme, and the path there.

    What is installed for a scheme may do anything, and is given this machine's logins: so the machine names
    the address, or one above it. Raises Refusal where it does not, and ImportError without the package.
    """
    named = os.environ.get(ALLOWED, "").split()
    if not any(address == one or address.startswith(one.rstrip("/") + "/") for one in named):
        raise Refusal(
            f"{visible(address, 200)} is of no scheme that is known here, and this machine does not name it",
            f"if it and what is installed for it are to be trusted: {ALLOWED}={visible(address, 200)}",
        )
    from fsspec import get_filesystem_class
    from fsspec.core import url_to_fs

    scheme = address.partition("://")[0]
    try:
        path = get_filesystem_class(scheme)._strip_protocol(address)
    except ValueError as error:
        raise ImportError(str(error)) from None

    def connect() -> Any:
        try:
            return url_to_fs(address, skip_instance_cache=True, use_listings_cache=False)[0]
        except OSError:
            raise
        except Exception as error:
            # A TypeError names the settings that are missing; of other classes the text may be anything.
            why = str(error) if isinstance(error, TypeError) else type(error).__name__
            raise Refusal(
                f"{visible(address, 200)} can't be opened: {visible(why, 200)}",
                f"say on this machine what its package asks for, such as FSSPEC_{scheme.upper()}_TOKEN",
            ) from None

    path = "/" + str(path).strip("/")
    return HostSystem(path, connect), path
