"""Who signs artifacts, and whom a registry trusts: three ways to sign, and what names a signer in each."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from modelspec.spec.base import Digest, Text, Value
from modelspec.tree.digest import is_digest, sha256
from modelspec.tree.text import visible

Method = Literal["key", "certificate", "sigstore"]
_LONGEST_KEY: Final = 1024
"""The most characters of a public key of the curves that are signed with; the largest has 216."""


class Signer(Value):
    """Somebody who signs artifacts, as this registry knows them."""

    method: Method
    """`key`: a key pair; `certificate`: one of your own authority; `sigstore`: its public service."""
    identity: Text
    """`key`: the sha256 of the public key (DER); else the name that stands in the certificate."""
    issuer: Text | None = None
    """`certificate`: the sha256 of the root certificate (DER); `sigstore`: who knows the name."""


class ArtifactSignature(Value):
    """A signature over the files of an artifact, as an OpenSSF model-signing bundle."""

    digest: Digest
    """The bundle: the digest of a tree of this one file, in the same store."""
    method: Method
    """How it was signed."""
    identity: Text
    """Who signed: as in `signers` of modelspec.yaml."""
    issuer: Text | None = None
    """Who vouches for that name: as in `signers` of modelspec.yaml."""
    key: Text | None = None
    """`key`: the public key that `identity` is the digest of; DER in base64."""


def form_trouble(one: Signer | ArtifactSignature) -> tuple[str, str] | None:
    """Return the key that does not fit the method, and why; None when all do."""
    if one.method == "key":
        if not is_digest(one.identity):
            return "identity", "is to be the sha256 of the public key: `sha256:` and 64 hex digits"
        return None if one.issuer is None else ("issuer", "has no place beside a key: nobody vouches for it")
    if one.issuer is None:
        return "method", f"needs `issuer`: {_ISSUER[one.method]}"
    if one.method == "certificate" and not is_digest(one.issuer):
        return "issuer", f"is to be {_ISSUER['certificate']}"
    if one.method == "sigstore" and not one.issuer.startswith("https://"):
        return "issuer", f"is to be {_ISSUER['sigstore']}"
    return None


def key_trouble(one: ArtifactSignature) -> str | None:
    """Say why the public key of a signature is not the one that it names, or None."""
    if one.method != "key":
        return None if one.key is None else "there is no key to name where a certificate holds it"
    key = public_key(one)
    if key is None:
        return "the public key itself is missing, or is no base64: DER, on one line"
    return None if sha256(key) == one.identity else f"the public key has the digest {sha256(key)}"


def public_key(one: ArtifactSignature) -> bytes | None:
    """Return the bytes of the public key (DER), None where there are none."""
    if one.key is None or len(one.key) > _LONGEST_KEY:
        return None
    try:
        return base64.b64decode(one.key, validate=True)
    except (binascii.Error, ValueError):
        return None


def trusted_as(
    signature: ArtifactSignature | None, signers: Mapping[str, Signer], names: Iterable[str]
) -> str | None:
    """Return the first of these names of signers that a signature is by, None when it is by none of them."""
    if signature is None:
        return None
    by = (signature.method, signature.identity, signature.issuer)
    for name in names:
        one = signers.get(name)
        if one is not None and (one.method, one.identity, one.issuer) == by:
            return name
    return None


def signer_text(one: Signer | ArtifactSignature) -> str:
    """Return a signer in words."""
    issuer = "" if one.issuer is None else f" by {visible(one.issuer)}"
    return f"{one.method} {visible(one.identity)}{issuer}"


_ISSUER: Final = {
    "certificate": "the sha256 of the root certificate, `sha256:` and 64 hex digits",
    "sigstore": "the address of the identity provider, https://...",
}
