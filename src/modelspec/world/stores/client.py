"""The HTTP client that asks hubs, registries and tracking servers, set up as this machine says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelspec.tree.finding import Refusal
from modelspec.world.folders import said
from modelspec.world.stores.retried import CONNECT, READ

if TYPE_CHECKING:
    import httpx


def http_client(
    what: str, extra: str, *, token: str = "", auth: tuple[str, str] | None = None
) -> httpx.Client:
    """Return the client that reads `what`, and follows no redirect by itself; nothing is asked yet.

    Raises Refusal without its package (`extra` brings it), for a token that no header can hold, and for
    certificates or a proxy of the environment that it can't use. None is repeated: a proxy has a password.
    """
    try:
        import httpx
    except ImportError:
        raise Refusal(
            f"nothing is installed that reads {what}", f'pip install "modelspec-gitops[{extra}]"'
        ) from None
    if not (token.isascii() and token.isprintable()):
        raise Refusal(
            f"the token for {what} has characters that no token has", "set it again, without line ends in it"
        )
    # Bytes as they are: what is packed on the way has another size, and may have any size.
    headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        return httpx.Client(headers=headers, auth=auth, timeout=httpx.Timeout(READ, connect=CONNECT))
    except OSError as error:
        raise Refusal(
            f"the certificates of this machine's environment can't be read: {said(error)}",
            "correct SSL_CERT_FILE and SSL_CERT_DIR, or unset them",
        ) from None
    except ImportError:
        raise Refusal(
            "the proxy of this machine's environment speaks SOCKS, which needs another package",
            'pip install "httpx[socks]"; or unset ALL_PROXY',
        ) from None
    except (ValueError, httpx.InvalidURL):
        raise Refusal(
            "the proxy of this machine's environment has no address that can be used",
            "correct HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or unset them",
        ) from None
