"""Signs the files of an artifact and verifies what is signed, with the `model-signing` package.

The package hashes a folder and lets the signer say what to ignore in it. Neither happens here: it is given
our own list of files in place of a folder, so that nothing is read twice and nothing is left out. It takes
a second and a half to import, and is imported when something is signed.
"""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NoReturn

from modelspec.spec.trust import ArtifactSignature, Method, public_key
from modelspec.tree.digest import sha256, short
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.clock import now
from modelspec.world.folders import said

EXTRA: Final = 'pip install "modelspec-gitops[signing]"'
PASSWORD: Final = "MODELSPEC_SIGN_PASSWORD"  # noqa: S105
TOKEN: Final = "SIGSTORE_ID_TOKEN"  # noqa: S105
Files = Sequence[tuple[str, str]]
"""(path, digest) of every file of a tree."""
_CURVES: Final = "an elliptic key on P-256, P-384 or P-521, as PEM"
_NAMES: Final = ("secp256r1", "secp384r1", "secp521r1")
_ISSUER: Final = ("1.3.6.1.4.1.57264.1.8", "1.3.6.1.4.1.57264.1.1")
"""Where Fulcio writes the identity provider into a certificate: as a UTF8String, and before as bare text."""


def available() -> bool:
    """Whether the package that signs and verifies is installed."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("model_signing", "OpenSSL"))


@dataclass(frozen=True, slots=True)
class Signing:
    """Signs with one key, certificate or identity. `fields`: how a version records the signer."""

    config: Any
    method: Method
    fields: dict[str, str]

    def sign(self, files: Files) -> tuple[bytes, dict[str, str]]:
        """Return the bundle over exactly these files, and how a version records its signer."""
        with _quiet(), TemporaryDirectory() as folder:
            place = Path(folder) / "bundle"
            try:
                self.config.set_hashing_config(_known(files)).sign(Path(folder) / "artifact", place)
            except Exception as error:
                # The package raises many classes, whose words may hold what was read.
                _unsigned(self.method, error)
            bundle = place.read_bytes()
        return bundle, self.fields or _of_sigstore(bundle)


def signing(method: Method, key: Path | None, certificate: Path | None, chain: Sequence[Path]) -> Signing:
    """Return what signs; keys are read now, so that nothing is stored for one that does not work.

    Raises Refusal without the package, for a key or certificate that can't be used, and for sigstore where
    it can't be reached.
    """
    if not available():
        raise Refusal("signing needs the package model-signing, and pyOpenSSL beside it", EXTRA)
    _import(method)
    from model_signing.signing import Config

    config = Config()
    if method == "sigstore":
        _for_sigstore(config)
        return Signing(config, method, {})
    if key is None or (method == "certificate" and certificate is None):
        raise ValueError("a key, or a certificate with its key")
    public = _public(key)
    if method == "key":
        config.use_elliptic_key_signer(private_key=key, password=_password())
        fields = {"identity": sha256(public), "key": base64.b64encode(public).decode()}
        return Signing(config, method, fields)
    assert certificate is not None
    identity, root = _issued(certificate, chain)
    # One that vouches for itself is its own chain; the package takes none without it.
    chain = chain or [certificate]
    try:
        config.use_certificate_signer(
            private_key=key, signing_certificate=certificate, certificate_chain=chain
        )
    except Exception:
        # What it says may hold what it read: no word of it is repeated.
        raise Refusal(
            "the certificate and the key can't be used together",
            "use the certificate of that key, and a key that is not encrypted",
        ) from None
    return Signing(config, method, {"identity": identity, "issuer": root})


def unproven(bundle: bytes, certificates: Sequence[bytes], files: Files, by: ArtifactSignature) -> str | None:
    """Say why a bundle is no signature by `by` over exactly these files, or None when it is one.

    The bundle is hostile; whatever the package stumbles over is a reason. Raises Refusal when sigstore's
    roots can't be had, which says nothing of the bundle.
    """
    _import(by.method)
    with _quiet(), TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "bundle").write_bytes(bundle)
        try:
            config = _verifying(place, certificates, by)
            if isinstance(config, str):
                return config
            config.set_hashing_config(_known(files)).verify(place / "artifact", place / "bundle")
        except Refusal:
            raise
        except Exception as error:
            kind = type(error).__name__
            if kind == "InvalidSignature":
                return f"is not signed by {by.method} {visible(by.identity)}"
            return f"can't be verified: {visible(f'{kind}: {error}', 300)}"
    return None


def _verifying(place: Path, certificates: Sequence[bytes], by: ArtifactSignature) -> Any:
    """Return what verifies for that signer, or why nothing can."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
    from model_signing.verifying import Config

    if by.method == "sigstore":
        try:
            return Config().use_sigstore_verifier(identity=by.identity, oidc_issuer=by.issuer or "")
        except Exception as error:
            # Whatever the network and the client for it raise.
            raise Refusal(f"sigstore's roots can't be had: {type(error).__name__}") from None
    if by.method == "key":
        key = public_key(by)
        if key is None or sha256(key) != by.identity:
            return "is by a key that the version does not hold"
        pem = load_der_public_key(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (place / "key").write_bytes(pem)
        return Config().use_elliptic_key_verifier(public_key=place / "key")
    root = next((der for der in certificates if sha256(der) == by.issuer), None)
    if root is None:
        return f"holds no root certificate {short(by.issuer or '')}"
    names = certificate_names(x509.load_der_x509_certificate(certificates[0]))
    if by.identity not in names:
        return f"is signed by {visible(', '.join(names) or 'nobody', 200)}, not {visible(by.identity, 200)}"
    pem = x509.load_der_x509_certificate(root).public_bytes(Encoding.PEM)
    (place / "root").write_bytes(pem)
    return Config().use_certificate_verifier(certificate_chain=[place / "root"])


def certificate_names(certificate: Any) -> list[str]:
    """Return whom a certificate is for: its alternative names, and without any its common name."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return [str(one.value) for one in common]
    kinds = (x509.RFC822Name, x509.UniformResourceIdentifier, x509.DNSName)
    return [name for kind in kinds for name in names.get_values_for_type(kind)]


def provider(certificate: Any) -> str | None:
    """Return the identity provider that Fulcio wrote into a certificate."""
    from cryptography import x509

    for oid in _ISSUER:
        try:
            value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value.value
        except x509.ExtensionNotFound:
            continue
        # DER of a short UTF8String: a tag, a length, the text.
        return str((value[2:] if oid == _ISSUER[0] else value).decode("utf-8", "replace"))
    return None


def _known(files: Files) -> Any:
    """Return a hashing configuration that knows every digest, and ignores nothing."""
    from model_signing import hashing, manifest

    class Known(hashing.Config):
        def hash(self, model_path: Any, *, files_to_hash: Any = None) -> manifest.Manifest:
            how = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
            kind = manifest.SerializationType.from_args(how)
            digest = hashing.hashing.Digest
            items = [
                kind.new_item(path, digest("sha256", bytes.fromhex(one.removeprefix("sha256:"))))
                for path, one in files
            ]
            return manifest.Manifest(Path(model_path).name, items, kind)

        def add_ignored_paths(self, *, model_path: Any, paths: Any) -> None:
            pass

    return Known()


def _password() -> bytes | None:
    found = os.environ.get(PASSWORD)
    return found.encode() if found else None


def _public(key: Path) -> bytes:
    """Return the public half of a private key, as DER."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    shown = visible(str(key), 200)
    try:
        private = load_pem_private_key(key.read_bytes(), _password())
    except OSError as error:
        raise Refusal(f"{shown} can't be read: {said(error)}") from None
    except (TypeError, ValueError) as error:
        # A TypeError is of the password: one that is missing, or one that nothing asks for.
        unasked = isinstance(error, TypeError) and _password() is not None
        raise Refusal(
            f"{shown} can't be opened as a private key",
            f"it has no password: unset {PASSWORD}"
            if unasked
            else f"use {_CURVES}, and set its password in {PASSWORD}",
        ) from None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name not in _NAMES:
        raise Refusal(
            f"{shown} is not {_CURVES}", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
        )
    found: bytes = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


def _issued(certificate: Path, chain: Sequence[Path]) -> tuple[str, str]:
    """Return whom a certificate is for, and the digest of the root that vouches for it."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        own = x509.load_pem_x509_certificate(certificate.read_bytes())
        above = [one for file in chain for one in x509.load_pem_x509_certificates(file.read_bytes())]
        names = certificate_names(own)
    except (OSError, ValueError) as error:
        raise Refusal(f"a certificate can't be read: {visible(str(error), 200)}", "give PEM files") from None
    root = _root(own, above)
    if root is None or not names:
        raise Refusal(
            "the certificate names nobody" if root else "the chain does not lead to a root",
            "use one with a subject alternative name, or a common name"
            if root
            else "name all certificates up to it: --sign-chain",
        )
    # A bundle holds no proof of its time: who verifies takes the certificate's own. A mistake is found here.
    if not own.not_valid_before_utc <= now() <= own.not_valid_after_utc:
        raise Refusal(
            f"the certificate is good from {own.not_valid_before_utc:%Y-%m-%d} to "
            f"{own.not_valid_after_utc:%Y-%m-%d}, and not today",
            "sign with one that is: --sign-cert",
        )
    return names[0], sha256(root.public_bytes(Encoding.DER))


def _root(own: Any, above: Sequence[Any]) -> Any:
    """Return the root that certificates lead to, from each to the one that issued it; None where they end."""

    def issued(lower: Any, upper: Any) -> bool:
        try:
            lower.verify_directly_issued_by(upper)
        except Exception:
            # A name that differs, a signature that is none, a kind of key that signs nothing.
            return False
        return True

    reached = own
    for _ in range(len(above) + 1):
        if reached is None or reached.issuer == reached.subject:
            return reached
        reached = next((one for one in above if issued(reached, one)), None)
    return None


def _for_sigstore(config: Any) -> None:
    token = os.environ.get(TOKEN)
    try:
        config.use_sigstore_signer(use_ambient_credentials=True, identity_token=token)
    except Exception as error:
        _unsigned("sigstore", error)
    if token or os.isatty(0):
        return
    from sigstore.oidc import detect_credential

    try:
        found = detect_credential()
    except Exception:
        # A broken provider of the job's identity is none.
        found = None
    if not found:
        raise Refusal(
            "there is no identity to sign with here", f"run it in a CI job with an OIDC token, or set {TOKEN}"
        )


def _unsigned(method: Method, error: Exception) -> NoReturn:
    if method == "sigstore":
        raise Refusal(
            f"sigstore did not sign: {type(error).__name__}",
            "it needs the network and an identity; without them: --sign key --sign-key FILE",
        ) from None
    raise Refusal(f"it could not be signed: {type(error).__name__}") from None


def _of_sigstore(bundle: bytes) -> dict[str, str]:
    import json

    from cryptography import x509

    raw = json.loads(bundle)["verificationMaterial"]["certificate"]["rawBytes"]
    certificate = x509.load_der_x509_certificate(base64.b64decode(raw))
    return {"identity": certificate_names(certificate)[0], "issuer": provider(certificate) or ""}


def _import(method: Method) -> None:
    """Import the package. What it brings for sigstore opens a socket to see whether there is IPv6.

    Only sigstore may: without it nothing asks a network.
    """
    has = socket.has_ipv6
    socket.has_ipv6 = has and method == "sigstore"
    try:
        import_module("model_signing.verifying")
    finally:
        socket.has_ipv6 = has


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the package prints out of our own output, which may be JSON."""
    with redirect_stdout(StringIO()):
        yield
