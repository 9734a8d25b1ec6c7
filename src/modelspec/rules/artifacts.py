"""MS7: an artifact that runs code when it is loaded is taken knowingly, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelspec.formats.mlcode import WHY, by_name
from modelspec.rules.rule import Scene, rule
from modelspec.spec.base import ref_name
from modelspec.spec.environment import Environment
from modelspec.spec.kinds import ENVIRONMENT, MODEL, SETTINGS, VERSION
from modelspec.spec.model import Artifact, ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.settings import Settings
from modelspec.spec.trust import form_trouble, key_trouble
from modelspec.tree.finding import Problem
from modelspec.tree.text import did_you_mean, visible
from modelspec.tree.uri import store_uri_trouble

PICKLED: Final = frozenset(
    ["cloudpickle", "dill", "joblib", "pickle", "pytorch", "scikit-learn", "sklearn", "torch", "torchscript"]
)
"""Formats whose files a loader unpickles. `skops`, `safetensors` and `onnx` are the ones that it does not."""
_ENDINGS: Final = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".dill")


@rule("MS701", "artifact-safe", of=VERSION)
def artifact_safe(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version whose files run code when they are loaded says so: `artifact.unsafe: pickle`.

    Judged by the recorded format and by the names of the files, at `check`: what a pickle is called, and what
    lies in the folder `code` beside an `MLmodel`, which MLflow imports. `register` looks at the bytes,
    whatever the files are called, and so does `verify`; nothing is ever unpickled to find out. What a
    scanner says may be added to this by people; its silence takes nothing away.

    *Why:* whoever can write a pickle can run a program on the machine that serves it.

    *Fix:* convert the model (ONNX, safetensors, skops, or the library's own format of data); or accept it by
    name: `artifact.unsafe: pickle`.
    """
    artifact = version.value.artifact
    if artifact is None or artifact.unknown is not None or artifact.unsafe is not None:
        return
    if (artifact.format or "").lower() in PICKLED:
        yield Problem(
            version.place("artifact", "format"),
            f"{visible(artifact.format or '')} is unpickled when it is loaded, which runs what is in it",
            fix="convert it, or accept it by name: `unsafe: pickle`",
        )
        return
    for index, file in enumerate(artifact.files):
        if file.path.lower().endswith(_ENDINGS):
            yield Problem(
                version.place("artifact", "files", index, "path"),
                f"{visible(file.path)} is named like a pickle, which runs what is in it when it is loaded",
                fix="convert it or rename it, or accept it by name: `unsafe: pickle`",
            )
    imported = set(by_name(file.path for file in artifact.files))
    for index, file in enumerate(artifact.files if imported else ()):
        if file.path in imported:
            yield Problem(
                version.place("artifact", "files", index, "path"),
                f"{visible(file.path)} is {WHY}",
                fix="install it with the packages, or accept it by name: `unsafe: pickle`",
            )


@rule("MS702", "artifact-accepted", of=VERSION)
def artifact_accepted(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A registry that refuses pickles (`refuse: [pickle]` in modelspec.yaml) has no version that is one.

    What the base refuses counts as well, so that a change can't let itself in. Retired versions may stay.

    *Why:* one reviewer who does not know what `unsafe` means is enough to serve somebody else's program.

    *Fix:* convert the model. If the registry is to take it, change `refuse` first, in a change of its own.
    """
    artifact = version.value.artifact
    if artifact is None or artifact.unsafe is None or _retired(version, scene):
        return
    settings = [scene.registry.settings]
    if scene.against is not None:
        settings.append(scene.against.base.settings)
    if any(one is not None and artifact.unsafe in one.refuse for one in settings):
        yield Problem(
            version.place("artifact", "unsafe"),
            f"this registry refuses {artifact.unsafe}, and {_what(artifact)} is one",
            fix="convert it to a format that holds no code: ONNX, safetensors, skops",
        )


@rule("MS703", "artifact-placed", of=VERSION)
def artifact_placed(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """An artifact that was registered in place names a clean address, and the object version of each file.

    The address is `s3://bucket/...` or `gs://bucket/...`, without escapes, a query, a fragment or user info.
    No file has an `object` where the artifact has no `uri`.

    *Why:* an object's name says nothing of its bytes, and whoever may write the bucket may change them. And
    an address that two readers take for two places is how peers were made to read files.

    *Fix:* `modelspec register MODEL VERSION --artifact s3://...` writes both.
    """
    artifact = version.value.artifact
    if artifact is None:
        return
    if artifact.uri is not None:
        # It may hold a password: it is not repeated.
        trouble = store_uri_trouble(artifact.uri)
        if trouble is None and not artifact.uri.startswith(("s3://", "gs://")):
            trouble = "is not in a bucket that counts the versions of its objects (s3://, gs://)"
        if trouble is not None:
            fix = "write a plain address such as s3://bucket/folder"
            yield Problem(version.place("artifact", "uri"), f"the uri of the artifact {trouble}", fix=fix)
    for index, file in enumerate(artifact.files):
        if (artifact.uri is None) != (file.object is None):
            without = "is in place without the version of its object" if artifact.uri else "has `object`, and"
            yield Problem(
                version.place("artifact", "files", index, "path"),
                f"{visible(file.path)} {without}{'' if artifact.uri else ' the artifact no `uri`'}",
                fix="let `modelspec register` write it",
            )


@rule("MS704", "signers-known", of=ENVIRONMENT)
def signers_known(environment: Entry[Environment], scene: Scene) -> Iterator[Problem]:
    """A gate names signers that modelspec.yaml has.

    *Why:* nobody can sign as somebody who is not known: the gate would stop everything.

    *Fix:* correct the name, or add the signer to `signers`.
    """
    settings = scene.registry.settings
    for index, name in enumerate(environment.value.gates.signature if settings is not None else ()):
        if settings is not None and name not in settings.signers:
            yield Problem(
                environment.place("gates", "signature", index),
                f"modelspec.yaml has no signer {name}",
                fix=did_you_mean(name, settings.signers) or "add it to `signers`",
            )


@rule("MS705", "signers-sound", of=SETTINGS)
def signers_sound(settings: Entry[Settings], scene: Scene) -> Iterator[Problem]:
    """A signer is named as its method names signers.

    A key by the sha256 of the public key; a certificate by the name in it and the sha256 of the root that
    vouches for it; one of sigstore by the name in the certificate and the address of who knows it.

    *Why:* a name that anybody may have issued to themselves is no identity without who issued it.

    *Fix:* `openssl pkey -pubin -in key.pub -outform DER | sha256sum` names a key, and
    `openssl x509 -in root.pem -outform DER | sha256sum` a root.
    """
    for name, signer in settings.value.signers.items():
        trouble = form_trouble(signer)
        if trouble is not None:
            key, why = trouble
            yield Problem(settings.place("signers", name, key), f"the {key} of the signer {name} {why}")


@rule("MS706", "signature-sound", of=VERSION)
def signature_sound(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A recorded signature names its signer as its method does, and the key that it names is the one it has.

    *Why:* `verify` checks the bundle with what stands here; what does not fit together proves nothing.

    *Fix:* register the version again under a new number: `modelspec register --sign` writes all of it.
    """
    signature = version.value.artifact.signature if version.value.artifact is not None else None
    if signature is None:
        return
    trouble = form_trouble(signature)
    if trouble is not None:
        key, why = trouble
        yield Problem(version.place("artifact", "signature", key), f"the {key} of the signature {why}")
        return
    wrong = key_trouble(signature)
    if wrong is not None:
        key = "identity" if signature.key is None else "key"
        yield Problem(version.place("artifact", "signature", key), wrong)


def _what(artifact: Artifact) -> str:
    return f"the artifact ({visible(artifact.format)})" if artifact.format else "the artifact"


def _retired(version: Entry[ModelVersion], scene: Scene) -> bool:
    model = scene.registry.value(MODEL, version.value.model)
    return model is not None and version.value.version in {
        ref_name(gone.version) for gone in model.value.retired
    }
