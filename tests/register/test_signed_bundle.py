"""Bundles that lie about what they cover, or were damaged: `verify` finds each."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("model_signing", reason="the extra `signing` is not installed")
pytest.importorskip("OpenSSL", reason="the extra `signing` is not installed")

from conftest import Git, Run
from modelspec.formats.bundle import NAME
from modelspec.world.code import Bytes
from register.conftest import Register
from register.signing import bundle_of, key, key_at, replace, signed, signer_of

__all__ = ["key", "signed"]


def by_the_package(folder: Path, key: Path, ignored: list[str]) -> bytes:
    """Sign a folder as the package's own command does, which leaves out what it is told to."""
    from model_signing import hashing, signing

    config = hashing.Config().set_ignored_paths(paths=[folder / one for one in ignored])
    out = folder.parent / "bundle"
    signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(config).sign(folder, out)
    return out.read_bytes()


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
