"""`register --sign` and what `verify` makes of it: who signed, and what can't."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("model_signing", reason="the extra `signing` is not installed")
pytest.importorskip("OpenSSL", reason="the extra `signing` is not installed")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from conftest import Git, Run, edit
from modelspec.tree.finding import Refusal
from modelspec.world.signing import PASSWORD
from register.conftest import Register
from register.signing import (
    PEM,
    PKCS8,
    PLAIN,
    STAGING,
    VERSION,
    bundle_of,
    gate,
    identity,
    key,
    key_at,
    pinned,
    signed,
    signer_of,
    trust,
)
from world.strace import needs_strace, traced

__all__ = ["key", "signed"]


Signed = Callable[..., str]


def test_a_signed_version_records_who_and_verifies(
    signed: str, shop: Git, invoke: Run, key: ec.EllipticCurvePrivateKey
) -> None:
    assert f"method: key\n    identity: {identity(key)}\n" in signed
    assert "PRIVATE" not in signed
    code, told, _ = signer_of(invoke, shop.root)
    assert (code, told["level"], told["wrong"]) == (0, "verified", False)
    assert "whom this registry does not know" in told["note"]
    trust(shop.root, f"{{method: key, identity: {identity(key)}}}")
    assert "which is release" in signer_of(invoke, shop.root)[1]["note"]
    told = invoke("verify", "eta@3.0.1", cwd=shop.root).stdout
    assert f"signed by key {identity(key)}, which is release" in told
    assert invoke("check", cwd=shop.root).returncode == 0
    assert invoke("gc", cwd=shop.root).returncode == 0


def test_the_bundle_is_one_that_the_package_verifies_by_itself(
    signed: str, shop: Git, tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    from model_signing import verifying

    public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pub").write_bytes(public)
    (tmp_path / "bundle").write_bytes(bundle_of(shop.root))
    match = re.search(r"artifact:\n  store: main\n  digest: sha256:([0-9a-f]{64})", signed)
    assert match is not None
    verifying.Config().use_elliptic_key_verifier(public_key=tmp_path / "key.pub").verify(
        shop.root / "store" / f"sha256-{match[1]}", tmp_path / "bundle"
    )


def test_the_same_again_is_already_registered(
    signed: str, register: Register, tmp_path: Path, shop: Git
) -> None:
    again = register("3.0.1", "--sign", "key", sign_key=str(tmp_path / "key.pem"))
    assert again.returncode == 0 and "already registered" in again.stdout, again.stdout + again.stderr
    assert (shop.root / VERSION).read_text() == signed
    key_at(tmp_path / "other.pem")
    other = register("3.0.1", "--sign", "key", sign_key=str(tmp_path / "other.pem"))
    assert other.returncode == 1 and "published" in other.stdout + other.stderr


def test_an_environment_that_demands_a_signer_gets_that_one(
    signed: str, shop: Git, invoke: Run, key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    other = key_at(tmp_path / "other.pem")
    gate(shop.root)
    pinned(shop.root)
    trust(shop.root, f"{{method: key, identity: {identity(other)}}}")
    code, told, unmet = signer_of(invoke, shop.root)
    assert (code, told["level"]) == (1, "verified")
    assert len(unmet) == 1 and "staging demands a signature by release" in unmet[0]
    path = "registry/modelspec.yaml"
    edit(shop.root, path, identity(other), identity(key))
    assert signer_of(invoke, shop.root)[::2] == (0, [])


def test_who_is_trusted_is_read_from_the_base(
    signed: str, shop: Git, invoke: Run, key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    other = key_at(tmp_path / "other.pem")
    gate(shop.root)
    trust(shop.root, f"{{method: key, identity: {identity(other)}}}")
    shop.commit("Demand a signature")
    pinned(shop.root)
    edit(shop.root, "registry/modelspec.yaml", identity(other), identity(key))
    assert signer_of(invoke, shop.root)[2] == []
    code, _, unmet = signer_of(invoke, shop.root, "--base", "HEAD")
    assert code == 1 and "release" in unmet[0]
    done = invoke("check", "--base", "HEAD", cwd=shop.root)
    assert "MS540" in done.stdout and "is not release of the base" in done.stdout
    (shop.root / STAGING).write_text(
        (shop.root / STAGING).read_text().replace("  signature: [release]\n", "")
    )
    assert signer_of(invoke, shop.root, "--base", "HEAD")[0] == 1


def test_a_record_that_claims_a_signer_is_not_believed(
    register: Register, shop: Git, invoke: Run, key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    """The attacker signs with a key of their own, and writes the trusted one into the version."""
    key_at(tmp_path / "evil.pem")
    gate(shop.root)
    trust(shop.root, f"{{method: key, identity: {identity(key)}}}")
    shop.commit("Demand a signature")
    done = register("3.0.1", "--sign", "key", sign_key=str(tmp_path / "evil.pem"))
    assert done.returncode == 0, done.stdout + done.stderr
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = (shop.root / VERSION).read_text()
    text = re.sub(r"identity: sha256:[0-9a-f]{64}", f"identity: {identity(key)}", text)
    text = re.sub(r"    key: \S+", f"    key: {base64.b64encode(der).decode()}", text)
    (shop.root / VERSION).write_text(text)
    pinned(shop.root)
    code, told, unmet = signer_of(invoke, shop.root, "--base", "HEAD")
    assert code == 1 and told["wrong"] and unmet


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--sign", "key"], 2, "--sign key takes --sign-key"),
        (["--sign-key", "KEY"], 2, "--sign key takes --sign-key"),
        (["--sign", "certificate", "--sign-key", "KEY"], 2, "--sign-cert"),
        (["--sign", "sigstore", "--sign-key", "KEY"], 2, "none of them"),
        (
            ["--sign", "key", "--sign-key", "KEY", "--artifact", "s3://bucket/model"],
            2,
            "files of this machine",
        ),
        (["--sign", "key", "--sign-key", "missing"], 3, "can't be read"),
        (["--sign", "key", "--sign-key", "model.onnx"], 3, "opened as a private key"),
        (["--sign", "key", "--sign-key", "RSA"], 3, "P-256"),
        (["--sign", "key", "--sign-key", "KOBLITZ"], 3, "P-256"),
        (["--sign", "key", "--sign-key", "LOCKED"], 3, PASSWORD),
    ],
)
def test_what_can_not_sign_is_said_before_anything_is_stored(
    arguments: list[str], code: int, said: str, register: Register, shop: Git, tmp_path: Path
) -> None:
    key_at(tmp_path / "KEY")
    key_at(tmp_path / "LOCKED", "secret")
    large = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (tmp_path / "RSA").write_bytes(large.private_bytes(PEM, PKCS8, PLAIN))
    # As many bits as P-256, and another curve.
    (tmp_path / "KOBLITZ").write_bytes(
        ec.generate_private_key(ec.SECP256K1()).private_bytes(PEM, PKCS8, PLAIN)
    )
    changed = {"artifact": None} if "--artifact" in arguments else {}
    flat = [str(tmp_path / one) if one in ("KEY", "RSA", "KOBLITZ", "LOCKED") else one for one in arguments]
    done = register("3.0.1", *flat, **changed)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr
    assert "PRIVATE" not in done.stdout + done.stderr and "secret" not in done.stderr
    assert list((shop.root / "store").iterdir()) == []


def test_a_key_opens_with_a_password_from_the_environment(
    register: Register, shop: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Run
) -> None:
    from modelspec.world.signing import signing

    key = key_at(tmp_path / "locked.pem", "secret")
    monkeypatch.setenv(PASSWORD, "secret")
    found = signing("key", tmp_path / "locked.pem", None, ())
    assert found.fields["identity"] == identity(key)
    assert found.sign([("a", "sha256:" + "0" * 64)])[0].startswith(b"{")
    key_at(tmp_path / "open.pem")
    with pytest.raises(Refusal) as refused:
        signing("key", tmp_path / "open.pem", None, ())
    assert refused.value.hint == f"it has no password: unset {PASSWORD}"


def test_sigstore_without_a_network_is_a_refusal(
    register: Register, shop: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import socket

    def nothing(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", nothing)
    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    done = register("3.0.1", "--sign", "sigstore")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "sigstore did not sign" in done.stderr and "--sign key" in done.stderr
    assert not (shop.root / VERSION).exists()


def test_a_signature_of_sigstore_is_not_asked_without_the_network(
    signed: str, shop: Git, invoke: Run, key: ec.EllipticCurvePrivateKey
) -> None:
    text = (shop.root / VERSION).read_text()
    text = text.replace("method: key", "method: sigstore").replace(identity(key), "ci@example.com")
    text = re.sub(r"    key: \S+", "    issuer: https://token.example.com", text)
    (shop.root / VERSION).write_text(text)
    code, told, _ = signer_of(invoke, shop.root)
    assert (code, told["level"], told["wrong"]) == (0, "recorded", False)
    assert "--network" in told["note"]
    gate(shop.root)
    trust(shop.root, "{method: sigstore, identity: ci@example.com, issuer: https://token.example.com}")
    pinned(shop.root)
    code, _, unmet = signer_of(invoke, shop.root)
    assert code == 1 and "--network" in unmet[0]


def test_without_the_package_it_is_said_and_a_gate_is_not_met(
    signed: str, shop: Git, invoke: Run, register: Register, key: ec.EllipticCurvePrivateKey,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr("modelspec.world.signing.available", lambda: False)
    code, told, _ = signer_of(invoke, shop.root)
    assert (code, told["wrong"]) == (0, False) and "modelspec-gitops[signing]" in told["note"]
    gate(shop.root)
    trust(shop.root, f"{{method: key, identity: {identity(key)}}}")
    pinned(shop.root)
    code, _, unmet = signer_of(invoke, shop.root)
    assert code == 1 and "modelspec-gitops[signing]" in unmet[0]
    done = register("3.0.2", "--sign", "key", sign_key=str(tmp_path / "key.pem"))
    assert done.returncode == 3 and "modelspec-gitops[signing]" in done.stderr


@needs_strace
def test_a_signature_is_verified_without_a_network(signed: str, shop: Git, tmp_path: Path) -> None:
    _, sockets, code = traced(shop.root, tmp_path / "trace", "verify", "eta@3.0.1")
    assert (code, sockets) == (0, [])
