"""Registries for promotions: many models with many versions, no gates, compiled configs committed."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from conftest import ROOT, Git
from modelspec.api.build import build
from modelspec.cli.main import run as command
from modelspec.cli.source import trusted
from modelspec.compile.render import HoleRenderer
from modelspec.spec.registry import Registry
from modelspec.tree.digest import spec_digest
from modelspec.tree.snapshot import DictSnapshot
from modelspec.tree.yaml import read

VALID = ROOT / "tests" / "valid"
TEMPLATE = (VALID / "registry/models/road/versions/1.0.0.yaml").read_text()
TARGET = {
    path.relative_to(ROOT).as_posix(): path.read_bytes()
    for path in (ROOT / "templates" / "kserve").iterdir()
    if path.is_file()
}
"""The catalogue's own bytes: these are rendered without a child, which is quicker."""


def version(model: str, number: str) -> bytes:
    """A version file that reads no features; its artifact is one of its own."""
    seed = re.sub("[^0-9]", "", number).zfill(3) + "".join(f"{ord(one):02x}" for one in model)
    text = TEMPLATE.replace("model: road", f"model: {model}").replace("version: 1.0.0", f"version: {number}")
    text = text.replace("ml/road", f"ml/{model}")
    inner = seed.ljust(64, "a")[:64]
    text = re.sub(r"(size: 4096, digest: sha256:)[0-9a-f]{64}", rf"\g<1>{inner}", text)
    listing = f"{inner}  model.onnx\n".encode()
    import hashlib

    return re.sub(
        r"(store: main\n  digest: sha256:)[0-9a-f]{64}", rf"\g<1>{hashlib.sha256(listing).hexdigest()}", text
    ).encode()


def ref(model: str, number: str, data: bytes | None = None) -> str:
    """`1.0.0@sha256:...` of a version of the lab."""
    found, faults = read(data or version(model, number))
    assert not faults
    return f"{number}@{spec_digest(found)}"


def pin(environment: str, model: str, number: str, extra: str = "") -> bytes:
    """A pin with one version in stable."""
    head = f"apiVersion: modelspec/v1\nkind: Pin\nenvironment: {environment}\nmodel: {model}\n"
    return f"{head}serve:\n  kserve: {{replicas: {{min: 2, max: 9}}}}\n{extra}stable:\n  version: {ref(model, number)}\n".encode()


def files(
    models: int = 2,
    versions: int = 3,
    environments: tuple[str, ...] = ("staging", "production"),
    *,
    compiled: bool = True,
    chained: bool = False,
) -> dict[str, bytes]:
    """A registry: models m0, m1, ..., versions 1.0.0, 1.1.0, ..., the first one pinned everywhere.

    `chained` environments come after each other; by default each stands alone, without gates.
    """
    found: dict[str, bytes] = {
        **TARGET,
        "registry/modelspec.yaml": b'apiVersion: modelspec/v1\nkind: Settings\nstores:\n  main: {path: store, uri: "s3://models/store"}\n',
    }
    for at, environment in enumerate(environments):
        stage = "production" if environment == "production" else "staging"
        after = f"after: {environments[at - 1]}\n" if at and chained else ""
        text = f"apiVersion: modelspec/v1\nkind: Environment\nenvironment: {environment}\nstage: {stage}\n{after}requires: {{dataset: unknown}}\n"
        found[f"registry/environments/{environment}/environment.yaml"] = text.encode()
    for number in range(models):
        model = f"m{number}"
        found[f"registry/models/{model}/model.yaml"] = (
            f'apiVersion: modelspec/v1\nkind: Model\nmodel: {model}\nowner: "@team"\n'.encode()
        )
        for minor in range(versions):
            found[f"registry/models/{model}/versions/1.{minor}.0.yaml"] = version(model, f"1.{minor}.0")
        for environment in environments:
            found[f"registry/environments/{environment}/models/{model}.yaml"] = pin(
                environment, model, "1.0.0"
            )
    return found | (outputs(found) if compiled else {})


def outputs(tree: Mapping[str, bytes]) -> dict[str, bytes]:
    """What a tree compiles to."""
    built = build(Registry(DictSnapshot(tree)), renderer=HoleRenderer(), trusted=trusted())
    assert not built.blocked, [one.message for one in built.findings]
    return built.outputs


def repository(root: Path, tree: Mapping[str, bytes]) -> Git:
    """A real repository with one commit that holds a tree, checked out on main."""
    root.mkdir(parents=True, exist_ok=True)
    for path, data in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    git = Git(root)
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.com")
    git.commit("The registry")
    return git


def stable(git: Git, environment: str, model: str, revision: str = "HEAD") -> str:
    """The version that a pin names at a revision."""
    text = git("show", f"{revision}:registry/environments/{environment}/models/{model}.yaml")
    match = re.search(r"^stable:\n  version: ([^@]+)@", text, re.MULTILINE)
    assert match is not None, text
    return match[1]


def compiled(git: Git, revision: str = "HEAD") -> str:
    """The tree of compiled/ at a revision, as one id."""
    return git("rev-parse", f"{revision}:compiled")


def start(root: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the command."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MODELSPEC_", "GIT_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "modelspec", *arguments],
        cwd=root,
        env={**clean, "GIT_CONFIG_GLOBAL": os.devnull, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(root: Path, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run the command; return its exit code and all that it said. In this process where nothing forbids it."""
    if env is None:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = command(["--root", str(root), *arguments])
        return code, said.getvalue()
    with start(root, *arguments, env=env) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def clean(git: Git) -> bool:
    """Whether index and work tree agree with what is committed."""
    return git("status", "--porcelain") == ""
