"""Reads an OpenSSF model-signing bundle: what its statement covers. Whether it is signed is asked elsewhere.

A bundle is a Sigstore bundle around a DSSE envelope around an in-toto statement, all of it JSON. The signer
chose what is covered and what is ignored, so the list of files is compared with ours and with nothing else.
Sources: the in-toto statement v1, the DSSE envelope v1, the predicate model_signing/signature v1.0.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from modelspec.formats.foreign import Unreadable
from modelspec.formats.strictjson import LIMIT, read_json
from modelspec.tree.data import Data
from modelspec.tree.digest import short
from modelspec.tree.text import visible

NAME: Final = "artifact.sigstore.json"
"""What a bundle is called in its tree of one file."""
MOST: Final = LIMIT
"""The most bytes of a bundle: some 30,000 files."""
_MEDIA: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD: Final = "application/vnd.in-toto+json"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "https://model_signing/signature/v1.0"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle says. `certificates`: DER, the signer's own first; empty where a bare key signed."""

    resources: tuple[tuple[str, str], ...]
    """(path, digest) of each file that the statement covers, as it stands there."""
    certificates: tuple[bytes, ...]


def read_bundle(source: bytes) -> Bundle:
    """Return what a bundle says; raises Unreadable for anything that is no bundle over sha256 of files."""
    data = _map(read_json(source), "it")
    if data.get("mediaType") != _MEDIA:
        raise Unreadable(f"it is no bundle of {_MEDIA}")
    envelope = _map(data.get("dsseEnvelope"), "dsseEnvelope")
    signatures = envelope.get("signatures")
    if envelope.get("payloadType") != _PAYLOAD or not isinstance(signatures, list) or len(signatures) != 1:
        raise Unreadable("it is to hold one signature over one in-toto statement")
    statement = _map(read_json(_base64(envelope.get("payload"), "payload")), "the statement")
    if statement.get("_type") != _STATEMENT or statement.get("predicateType") != _PREDICATE:
        raise Unreadable("its statement is none of model_signing/signature v1.0")
    predicate = _map(statement.get("predicate"), "predicate")
    how = _map(predicate.get("serialization"), "serialization")
    if how.get("method") != "files" or how.get("hash_type") != "sha256":
        raise Unreadable("it is to cover whole files by their sha256", "sign without shards")
    resources = predicate.get("resources")
    if not isinstance(resources, list):
        raise Unreadable("its statement lists no resources")
    material = _map(data.get("verificationMaterial"), "verificationMaterial")
    return Bundle(tuple(map(_resource, resources)), tuple(_certificates(material)))


def uncovered(bundle: Bundle, files: Iterable[tuple[str, str]]) -> list[str]:
    """Return every way in which what a bundle covers is not exactly these files, (path, digest) each."""
    ours, theirs = dict(files), dict(bundle.resources)
    found = [f"does not cover {visible(path, 200)}" for path in ours if path not in theirs]
    found += [f"covers {visible(path, 200)}, which is no file of it" for path in theirs if path not in ours]
    found += [
        f"covers {visible(path, 200)} as {short(theirs[path])}, not {short(digest)}"
        for path, digest in ours.items()
        if theirs.get(path, digest) != digest
    ]
    if len(theirs) != len(bundle.resources):
        found.append("covers a file twice")
    return found


def _resource(node: Data) -> tuple[str, str]:
    entry = _map(node, "a resource")
    name, digest = entry.get("name"), entry.get("digest")
    if entry.get("algorithm") != "sha256" or not isinstance(name, str) or not isinstance(digest, str):
        raise Unreadable("a resource of its statement has no name, or no sha256")
    return name, f"sha256:{digest}"


def _certificates(material: dict[str, Data]) -> Iterator[bytes]:
    chain = material.get("x509CertificateChain")
    listed = _map(chain, "x509CertificateChain").get("certificates") if chain is not None else []
    alone = material.get("certificate")
    for one in [*(listed if isinstance(listed, list) else []), *([alone] if alone is not None else [])]:
        yield _base64(_map(one, "a certificate").get("rawBytes"), "a certificate")


def _base64(node: Data, what: str) -> bytes:
    try:
        return base64.b64decode(node if isinstance(node, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable(f"{what} is no base64") from None


def _map(node: Data, what: str) -> dict[str, Data]:
    if not isinstance(node, dict):
        raise Unreadable(f"{what} is no object")
    return node
