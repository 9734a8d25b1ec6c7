"""`register --sign` and what `verify` makes of it: bundles that lie about what they cover, and who signed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("model_signing", reason="the extra `signing` is not installed")
pytest.importorskip("OpenSSL", reason="the extra `signing` is not installed")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from conftest import Git, Run, edit
from modelspec.formats.bundle import NAME
from modelspec.tree.finding import Refusal
from modelspec.world.code import Bytes
from modelspec.world.signing import PASSWORD, certificate_names, provider
from modelspec.world.stores.folder import FolderStore
from register.conftest import Register
from world.strace import needs_strace, traced

VERSION = "registry/models/eta/versions/3.0.1.yaml"
STAGING = "registry/environments/staging/environment.yaml"
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()
Signed = Callable[..., str]


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


def by_the_package(folder: Path, key: Path, ignored: list[str]) -> bytes:
    """Sign a folder as the package's own command does, which leaves out what it is told to."""
    from model_signing import hashing, signing

    config = hashing.Config().set_ignored_paths(paths=[folder / one for one in ignored])
    out = folder.parent / "bundle"
    signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(config).sign(folder, out)
    return out.read_bytes()


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


ATTACKS = {
    "fewer": "does not cover .gitignore",
    "ignored": "does not cover hidden.bin",
    "more": "covers extra.bin, which is no file of it",
    "another model": "covers model.onnx as",
    "twice": "covers a file twice",
    "truncated": "can't be read",
    "empty": "can't be read",
    "no json": "can't be read",
    "huge": "more than 8,388,608",
    "deep": "can't be read",
    "two files": "is to be a tree of one file",
    "swapped payload": "does not verify|is not signed by|covers",
    "another key": "is not signed by|can't be verified",
    "no signature": "one signature",
    "shards": "whole files",
    "other hash": "whole files",
    "no hint, other key": "is not signed by|can't be verified",
}


def statement(bundle: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> bytes:
    """Change what a bundle says without signing it again."""
    said = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(said["predicate"])
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(said).encode()).decode()
    return json.dumps(bundle).encode()


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_bundle_that_lies_is_found(
    attack: str, register: Register, shop: Git, invoke: Run, tmp_path: Path
) -> None:
    """The bundle is not ours: the signer, or who could write to the store, made it."""
    mine = tmp_path / "key.pem"
    key_at(mine)
    model = tmp_path / "model"
    model.mkdir()
    shutil.copy(shop.root / "model.onnx", model / "model.onnx")
    if attack == "fewer":
        (model / ".gitignore").write_text("*.bin\n")
    if attack == "ignored":
        (model / "hidden.bin").write_text("hidden")
    done = register("3.0.1", "--sign", "key", sign_key=str(mine), artifact=str(model))
    assert done.returncode == 0, done.stdout + done.stderr
    assert signer_of(invoke, shop.root)[0] == 0
    bundle = bundle_of(shop.root)
    data = json.loads(bundle)
    resources = "resources"
    if attack in ("fewer", "ignored"):
        bundle = by_the_package(model, mine, ["hidden.bin"] if attack == "ignored" else [])
        if attack == "ignored":
            assert b"hidden.bin" in base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"])
    elif attack == "more":
        (model / "extra.bin").write_text("extra")
        bundle = by_the_package(model, mine, [])
    elif attack == "another model":
        (model / "model.onnx").write_bytes(b"another")
        bundle = by_the_package(model, mine, [])
    elif attack == "twice":
        bundle = statement(data, lambda said: said[resources].append(said[resources][0]))
    elif attack == "truncated":
        bundle = bundle[: len(bundle) // 2]
    elif attack == "empty":
        bundle = b""
    elif attack == "no json":
        bundle = b"\x00\xff" * 100
    elif attack == "huge":
        bundle = bundle + b" " * 9_000_000
    elif attack == "deep":
        bundle = b"[" * 100_000 + b"]" * 100_000
    elif attack == "swapped payload":
        bundle = statement(data, lambda said: said.update(more="anything"))
    elif attack in ("another key", "no hint, other key"):
        key_at(tmp_path / "evil.pem")
        bundle = by_the_package(model, tmp_path / "evil.pem", [])
        if attack != "another key":
            data = json.loads(bundle)
            data["verificationMaterial"]["publicKey"] = {"hint": ""}
            bundle = json.dumps(data).encode()
    elif attack == "no signature":
        data["dsseEnvelope"]["signatures"] = []
        bundle = json.dumps(data).encode()
    elif attack == "shards":
        bundle = statement(data, lambda said: said["serialization"].update(method="shards"))
    elif attack == "other hash":
        bundle = statement(data, lambda said: said["serialization"].update(hash_type="blake2b"))
    more = [Bytes("other.json", b"{}")] if attack == "two files" else []
    replace(shop.root, Bytes(NAME, bundle), *more)
    code, told, _ = signer_of(invoke, shop.root)
    assert (code, told["wrong"]) == (1, True), told
    assert re.search(ATTACKS[attack], told["note"]), told["note"]


def test_bytes_that_were_swapped_are_found_whoever_signed(signed: str, shop: Git, invoke: Run) -> None:
    match = re.search(r"artifact:\n  store: main\n  digest: sha256:([0-9a-f]{64})", signed)
    assert match is not None
    model = shop.root / "store" / f"sha256-{match[1]}" / "model.onnx"
    model.chmod(0o644)
    model.write_bytes(b"evil")
    assert invoke("verify", "eta@3.0.1", cwd=shop.root).returncode == 1


def test_a_bundle_that_was_damaged_in_the_store_is_wrong(signed: str, shop: Git, invoke: Run) -> None:
    bundle = next((shop.root / "store").glob(f"*/{NAME}"))
    bundle.chmod(0o644)
    bundle.write_bytes(bundle.read_bytes()[:-10])
    code, told, _ = signer_of(invoke, shop.root)
    assert code == 1 and "not verified" in told["note"]


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
    own, leaf, _, _ = authority(tmp_path)
    _, _, other, _ = authority(tmp_path, "Other Root")
    done = register(
        "3.0.1", "--sign", "certificate", sign_key=str(own), sign_cert=str(leaf), sign_chain=str(other)
    )
    assert done.returncode == 3 and "what was signed does not verify" in done.stderr
    assert "name all certificates up to its root (--sign-chain)" in done.stderr
    assert not (shop.root / VERSION).exists()


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


@needs_strace
def test_a_signature_is_verified_without_a_network(signed: str, shop: Git, tmp_path: Path) -> None:
    _, sockets, code = traced(shop.root, tmp_path / "trace", "verify", "eta@3.0.1")
    assert (code, sockets) == (0, [])
