"""Keys, certificates and the versions that are signed with them."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("model_signing", reason="the extra `signing` is not installed")
pytest.importorskip("OpenSSL", reason="the extra `signing` is not installed")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conftest import Git, Run, edit
from modelspec.formats.bundle import NAME
from modelspec.world.code import Bytes
from modelspec.world.stores.folder import FolderStore
from register.conftest import Register

VERSION = "registry/models/eta/versions/3.0.1.yaml"
STAGING = "registry/environments/staging/environment.yaml"
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()


def key_at(path: Path, password: str | None = None) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    lock = serialization.BestAvailableEncryption(password.encode()) if password else PLAIN
    path.write_bytes(key.private_bytes(PEM, PKCS8, lock))
    return key


def identity(key: ec.EllipticCurvePrivateKey) -> str:
    """As `openssl pkey -pubin -outform DER | sha256sum` names it."""
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "sha256:" + hashlib.sha256(der).hexdigest()


def trust(root: Path, signer: str, name: str = "release") -> None:
    edit(root, "registry/modelspec.yaml", "stores:", f"signers:\n  {name}: {signer}\nstores:")


@pytest.fixture
def key(tmp_path: Path) -> ec.EllipticCurvePrivateKey:
    return key_at(tmp_path / "key.pem")


@pytest.fixture
def signed(register: Register, shop: Git, key: ec.EllipticCurvePrivateKey, tmp_path: Path) -> str:
    """Version 3.0.1, signed with the key; returns its file."""
    done = register("3.0.1", "--sign", "key", sign_key=str(tmp_path / "key.pem"))
    assert done.returncode == 0, done.stdout + done.stderr
    return (shop.root / VERSION).read_text()


def signer_of(invoke: Run, root: Path, *more: str) -> tuple[int, dict[str, Any], list[str]]:
    """Return the exit code of verify, what it says of the signer, and what environments miss."""
    done = invoke("verify", "eta@3.0.1", "--format", "json", *more, cwd=root)
    row = json.loads(done.stdout)["versions"][0]
    told = next((part for part in row["parts"] if part["what"] == "signer"), {})
    return done.returncode, told, row["unmet"]


def bundle_of(root: Path) -> bytes:
    match = re.search(r"signature:\n    digest: sha256:([0-9a-f]{64})", (root / VERSION).read_text())
    assert match is not None
    return (root / "store" / f"sha256-{match[1]}" / NAME).read_bytes()


def replace(root: Path, *trees: Bytes) -> None:
    """Put another bundle in place of the recorded one."""
    digest = FolderStore(root / "store").put(list(trees)).digest
    text = (root / VERSION).read_text()
    (root / VERSION).write_text(
        re.sub(r"(signature:\n    digest: )sha256:[0-9a-f]{64}", rf"\g<1>{digest}", text)
    )


def pinned(root: Path) -> None:
    """Have staging serve 3.0.1."""
    from conftest import reference

    pin = root / "registry/environments/staging/models/eta.yaml"
    text = pin.read_text()
    old = re.search(r"stable:\n  version: (\S+)", text)
    assert old is not None
    pin.write_text(text.replace(old[1], reference(root, "eta", "3.0.1")))


def gate(root: Path, names: str = "[release]") -> None:
    text = (root / STAGING).read_text()
    found = re.search(r"^gates:\n", text, re.MULTILINE)
    text = (
        text.replace("gates:\n", f"gates:\n  signature: {names}\n")
        if found
        else text.rstrip("\n") + f"\ngates:\n  signature: {names}\n"
    )
    (root / STAGING).write_text(text)


def certificate(
    key: ec.EllipticCurvePrivateKey, name: str, issuer: tuple[Any, str] | None, *more: tuple[Any, bool]
) -> x509.Certificate:
    """Issue a certificate; without an issuer it is a root."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer[1])]) if issuer else subject
    start = datetime.now(UTC) - timedelta(days=1)
    built = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(above).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(start)
        .not_valid_after(start + timedelta(days=30))
        .add_extension(x509.BasicConstraints(issuer is None, None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, issuer is None, issuer is None, False, False), True)
    )  # fmt: skip
    for extension, critical in more:
        built = built.add_extension(extension, critical)
    return built.sign(issuer[0] if issuer else key, hashes.SHA256())


def authority(tmp_path: Path, name: str = "Example Root") -> tuple[Path, Path, Path, x509.Certificate]:
    """Make a root, a key and its certificate for ci@example.com."""
    folder = tmp_path / name.replace(" ", "-")
    folder.mkdir()
    above = key_at(folder / "root.key")
    root = certificate(above, name, None)
    own = key_at(folder / "own.key")
    names = x509.SubjectAlternativeName([x509.RFC822Name("ci@example.com")])
    leaf = certificate(own, "ci", (above, name), (names, False))
    (folder / "root.pem").write_bytes(root.public_bytes(PEM))
    (folder / "own.pem").write_bytes(leaf.public_bytes(PEM))
    return folder / "own.key", folder / "own.pem", folder / "root.pem", root
