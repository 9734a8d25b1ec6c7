"""A gate that demands signers: `check --base` and `promote` turn down what they did not sign."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from conftest import Git, Run
from register import signing as helped
from register.conftest import Register
from register.signing import authority, gate, identity, key_at, pinned, trust

pytest.importorskip("model_signing", reason="signing needs its extra")


def refused(shop: Git, invoke: Run, said: str) -> None:
    """`check --base` of the pin that was edited by hand, and `promote`, refuse version 3.0.1 in staging."""
    pinned(shop.root)
    done = invoke("check", "--base", "HEAD", cwd=shop.root)
    assert done.returncode == 1 and "MS540" in done.stdout and said in done.stdout, done.stdout + done.stderr
    shop("checkout", "--quiet", "--", "registry/environments")
    before = (shop.root / "registry/environments/staging/models/eta.yaml").read_bytes()
    done = invoke("promote", "eta", "3.0.1", "--to", "staging", cwd=shop.root)
    assert done.returncode == 1 and said in done.stdout + done.stderr
    assert (shop.root / "registry/environments/staging/models/eta.yaml").read_bytes() == before


@pytest.mark.parametrize("method", ["key", "certificate"])
@pytest.mark.parametrize("how", ["unsigned", "somebody else"])
def test_what_the_signers_did_not_sign_is_turned_down(
    method: str, how: str, register: Register, shop: Git, invoke: Run, tmp_path: Path
) -> None:
    wanted = (
        f"{{method: key, identity: {identity(key_at(tmp_path / 'release.pem'))}}}"
        if method == "key"
        else f"{{method: certificate, identity: release@example.com, issuer: sha256:{'0' * 64}}}"
    )
    gate(shop.root)
    trust(shop.root, wanted)
    shop.commit("Demand a signature")
    if how == "unsigned":
        done = register("3.0.1")
    elif method == "key":
        key_at(tmp_path / "key.pem")
        done = register("3.0.1", "--sign", "key", sign_key=str(tmp_path / "key.pem"))
    else:
        own, leaf, above, _ = authority(tmp_path)
        done = register(
            "3.0.1", "--sign", "certificate", sign_key=str(own), sign_cert=str(leaf), sign_chain=str(above)
        )
    assert done.returncode == 0, done.stderr
    shop.commit("Register")
    refused(shop, invoke, "is not signed" if how == "unsigned" else "is not release of the base")


def test_a_certificate_that_has_expired_signs_nothing(
    register: Register, shop: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helped, "timedelta", lambda days: timedelta(days=40 if days == 1 else days))
    own, leaf, above, _ = authority(tmp_path)
    done = register(
        "3.0.1", "--sign", "certificate", sign_key=str(own), sign_cert=str(leaf), sign_chain=str(above)
    )
    assert done.returncode == 3 and "and not today" in done.stderr
    assert list((shop.root / "store").iterdir()) == []
