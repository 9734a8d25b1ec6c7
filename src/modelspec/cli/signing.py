"""`--sign` of `register`: the options, and the bundle that goes to the store beside the artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from modelspec.tree.data import Data
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.tree.protocols import Store, StoredTree
    from modelspec.world.signing import Signing

_PATH = click.Path(path_type=Path, dir_okay=False)
OPTIONS = (
    click.option(
        "--sign",
        type=click.Choice(["key", "certificate", "sigstore"]),
        help="Sign the artifact's files, and record who did.",
    ),
    click.option("--sign-key", type=_PATH, help="The private key (PEM) to sign with."),
    click.option("--sign-cert", type=_PATH, help="The certificate (PEM) of that key."),
    click.option("--sign-chain", type=_PATH, multiple=True, help="Certificates up to the root; repeatable."),
)

_CURES: Final = {
    "key": None,
    "certificate": "name all certificates up to its root (--sign-chain), none of which has expired, and use "
    "one with the key usage digitalSignature and the extended one codeSigning",
    "sigstore": "see that the network and the clock are well, then run this again",
}


def signing_of(given: dict[str, Any]) -> Signing | None:
    """Return what signs, with its key read; None when nothing is to be signed."""
    method, key, certificate = given["sign"], given["sign_key"], given["sign_cert"]
    chain = given["sign_chain"]
    wanted = {"key": (True, False), "certificate": (True, True)}.get(method, (False, False))
    if (key is not None, certificate is not None) != wanted or (chain and method != "certificate"):
        raise click.UsageError(
            "--sign key takes --sign-key; --sign certificate takes --sign-key, --sign-cert and --sign-chain; "
            "--sign sigstore takes none of them."
        )
    if method is None:
        return None
    from modelspec.world.signing import signing

    return signing(method, key, certificate, chain)


def signed(store: Store, tree: StoredTree, signing: Signing) -> Data:
    """Sign a stored tree, store the bundle, and return `artifact.signature`.

    The bundle is held against the files first, as `verify` does: what would not verify is neither stored nor
    recorded.
    """
    from modelspec.formats.bundle import MOST, NAME, read_bundle, uncovered
    from modelspec.formats.foreign import Unreadable
    from modelspec.spec.trust import ArtifactSignature
    from modelspec.tree.digest import artifact_digest, sha256
    from modelspec.world.code import Bytes
    from modelspec.world.signing import unproven

    files = [(one.path, one.digest) for one in tree.files]
    bundle, fields = signing.sign(files)
    if len(bundle) > MOST:
        raise Refusal(
            f"the signature over {len(files):,} files has more than {MOST:,} bytes", "sign fewer files"
        )
    try:
        read = read_bundle(bundle)
    except Unreadable as error:
        raise Refusal(f"what was signed can't be read back: {error.message}") from None
    digest = artifact_digest([(NAME, sha256(bundle))])
    record: dict[str, Data] = {"digest": digest, "method": signing.method, **fields}
    by = ArtifactSignature.model_validate(record)
    trouble = next(iter(uncovered(read, files)), None) or unproven(bundle, read.certificates, files, by)
    if trouble is not None:
        raise Refusal(f"what was signed does not verify: it {visible(trouble, 300)}", _CURES[signing.method])
    store.put([Bytes(NAME, bundle)])
    return record
