"""Who signed with a certificate: by its names and its root."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("model_signing", reason="the extra `signing` is not installed")
pytest.importorskip("OpenSSL", reason="the extra `signing` is not installed")

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import Git, Run
from modelspec.formats.bundle import NAME
from modelspec.world.code import Bytes
from modelspec.world.signing import certificate_names, provider
from register.conftest import Register
from register.signing import PEM, VERSION, authority, certificate, key_at, replace, signer_of, trust


def test_a_certificate_is_trusted_by_its_name_and_its_root(
    register: Register, shop: Git, invoke: Run, tmp_path: Path
) -> None:
    own, leaf, above, root = authority(tmp_path)
    options = {"sign_key": str(own), "sign_cert": str(leaf)}
    refused = register("3.0.1", "--sign", "certificate", **options)
    assert refused.returncode == 3 and "does not lead to a root" in refused.stderr
    done = register("3.0.1", "--sign", "certificate", sign_chain=str(above), **options)
    assert done.returncode == 0, done.stdout + done.stderr
    issuer = "sha256:" + root.fingerprint(hashes.SHA256()).hex()
    assert f"identity: ci@example.com\n    issuer: {issuer}\n" in (shop.root / VERSION).read_text()
    trust(shop.root, f"{{method: certificate, identity: ci@example.com, issuer: {issuer}}}")
    code, told, _ = signer_of(invoke, shop.root)
    assert code == 0 and "which is release" in told["note"]
    # The same name from somebody else's root is somebody else.
    _, _, _, evil = authority(tmp_path, "Evil Root")
    text = (shop.root / VERSION).read_text()
    digest = "sha256:" + evil.fingerprint(hashes.SHA256()).hex()
    (shop.root / VERSION).write_text(text.replace(issuer, digest))
    code, told, _ = signer_of(invoke, shop.root)
    assert code == 1 and "holds no root certificate" in told["note"]
    (shop.root / VERSION).write_text(text.replace("identity: ci@example.com", "identity: boss@example.com"))
    code, told, _ = signer_of(invoke, shop.root)
    assert code == 1 and "is signed by ci@example.com, not boss@example.com" in told["note"]


def test_a_certificate_may_vouch_for_itself(
    register: Register, shop: Git, invoke: Run, tmp_path: Path
) -> None:
    own = certificate(key_at(tmp_path / "own.key"), "self", None)
    (tmp_path / "own.pem").write_bytes(own.public_bytes(PEM))
    options = {"sign_key": str(tmp_path / "own.key"), "sign_cert": str(tmp_path / "own.pem")}
    done = register("3.0.1", "--sign", "certificate", **options)
    assert done.returncode == 0, done.stdout + done.stderr
    code, told, _ = signer_of(invoke, shop.root)
    assert code == 0 and told["level"] == "verified", told


def test_what_a_certificate_lacks_to_verify_is_said_with_its_cure(
    register: Register, shop: Git, tmp_path: Path
) -> None:
    own, leaf, above, _ = authority(tmp_path)
    _, _, other, _ = authority(tmp_path, "Other Root")
    options = {"sign_key": str(own), "sign_cert": str(leaf)}
    done = register("3.0.1", "--sign", "certificate", sign_chain=str(other), **options)
    assert done.returncode == 3 and "the chain does not lead to a root" in done.stderr
    vouches = key_at(tmp_path / "root.key")
    root = certificate(vouches, "Root", None)
    nobody_knows = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")
    odd = certificate(key_at(own), "ci", (vouches, "Root"), (nobody_knows, True))
    above.write_bytes(root.public_bytes(PEM))
    leaf.write_bytes(odd.public_bytes(PEM))
    done = register("3.0.1", "--sign", "certificate", sign_chain=str(above), **options)
    assert done.returncode == 3 and "what was signed does not verify" in done.stderr
    assert "name all certificates up to its root (--sign-chain)" in done.stderr
    assert not (shop.root / VERSION).exists()
    assert not list((shop.root / "store").rglob(NAME))


def test_the_root_is_the_one_that_the_chain_leads_to(register: Register, shop: Git, tmp_path: Path) -> None:
    """As in a file of all the roots that somebody trusts, one of them with the same name."""
    own, leaf, above, root = authority(tmp_path)
    _, _, other, _ = authority(tmp_path, "Other Root")
    (tmp_path / "more").mkdir()
    _, _, renewed, _ = authority(tmp_path / "more")
    several = tmp_path / "several.pem"
    several.write_bytes(b"".join(file.read_bytes() for file in (other, renewed, above)))
    options = {"sign_key": str(own), "sign_cert": str(leaf), "sign_chain": str(several)}
    done = register("3.0.1", "--sign", "certificate", **options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"issuer: sha256:{root.fingerprint(hashes.SHA256()).hex()}\n" in (shop.root / VERSION).read_text()


def test_a_chain_that_does_not_lead_to_the_root_beside_it_is_found(
    register: Register, shop: Git, invoke: Run, tmp_path: Path
) -> None:
    """The trusted root is public: anybody can put it into a bundle of their own."""
    own, leaf, above, root = authority(tmp_path)
    issuer = "sha256:" + root.fingerprint(hashes.SHA256()).hex()
    done = register(
        "3.0.1", "--sign", "certificate", sign_key=str(own), sign_cert=str(leaf), sign_chain=str(above)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    evil, forged, _, _ = authority(tmp_path, "Evil Root")
    from model_signing import hashing, signing

    model = tmp_path / "model"
    model.mkdir()
    shutil.copy(shop.root / "model.onnx", model / "model.onnx")
    config = signing.Config().use_certificate_signer(
        private_key=evil, signing_certificate=forged, certificate_chain=[above]
    )
    config.set_hashing_config(hashing.Config()).sign(model, tmp_path / "bundle")
    replace(shop.root, Bytes(NAME, (tmp_path / "bundle").read_bytes()))
    code, told, _ = signer_of(invoke, shop.root)
    assert code == 1 and "can't be verified" in told["note"], (told, issuer)


def test_names_and_providers_are_read_from_certificates() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    text = b"https://token.example.com"
    der = bytes([0x0C, len(text)]) + text
    new = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8"), der)
    old = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1"), text)
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("https://git.example.com/ml")])
    for extension in (new, old):
        found = certificate(key, "ci", None, (uri, False), (extension, False))
        assert certificate_names(found) == ["https://git.example.com/ml"]
        assert provider(found) == text.decode()
    plain = certificate(key, "ci", None)
    assert certificate_names(plain) == ["ci"] and provider(plain) is None
