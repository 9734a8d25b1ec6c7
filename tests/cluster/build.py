"""Builds what tests/cluster runs, from its sources, into a folder: `build.py OUT [PART ...]`.

That is etcd, a Kubernetes API server with its controllers and kubectl, KServe's own controller and Flux's, and
kwok, which plays the nodes. A quarter of an hour on two cores, once; it needs Go.
The definitions of what is applied (KServe, Gateway API, Argo CD, Flux) come from the same sources.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

KUBERNETES = "1.36.3"
KSERVE = "v0.20.0"
ETCD = "v3.6.8"
KWOK = "v0.7.0"
GATEWAY = "v1.5.1"
"""Of the Gateway API; the one that this KServe was built with."""
ARGOCD = "v3.5.7"
FLUX = "v1.7.3"
"""Of its controllers: Flux 2.7."""


def main() -> None:
    """Build the parts that are named, or all."""
    out = Path(sys.argv[1]).resolve()
    parts = {
        "kubernetes": kubernetes,
        "etcd": etcd,
        "kserve": kserve,
        "kwok": kwok,
        "flux": flux,
        "definitions": definitions,
    }
    out.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or parts:
        print(f"building {name}", flush=True)
        parts[name](out)


def kubernetes(out: Path) -> None:
    """Build the API server, the controllers and kubectl in one module, with its parts at their releases."""
    source = fetched("k8s.io/kubernetes", f"v{KUBERNETES}")
    declared = (source / "go.mod").read_text()
    # The module names its own parts by folders that its archive does not hold: they are released as v0.x.
    staging = sorted(set(re.findall(r"(k8s\.io/[\w-]+) v0\.0\.0$", declared, re.MULTILINE)))
    release = "v0." + KUBERNETES.partition(".")[2]
    go = re.findall(r"^go (\S+)$", declared, re.MULTILINE)[0]
    commands = [
        f"k8s.io/kubernetes/cmd/{name}"
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    ]
    with tempfile.TemporaryDirectory() as name:
        module = Path(name)
        replaced = "".join(f"\t{part} => {part} {release}\n" for part in staging)
        (module / "go.mod").write_text(
            f"module example.com/cluster\n\ngo {go}\n\nrequire k8s.io/kubernetes v{KUBERNETES}\n\n"
            f"replace (\n{replaced})\n"
        )
        imports = "".join(f'\t_ "{command}"\n' for command in commands)
        (module / "tools.go").write_text(f"//go:build tools\n\npackage cluster\n\nimport (\n{imports})\n")
        run("go", "mod", "tidy", "-e", cwd=module)
        run("go", "build", "-trimpath", "-ldflags=-s -w", "-o", f"{out}/", *commands, cwd=module)


def kserve(out: Path) -> None:
    """Build KServe's controller."""
    built("github.com/kserve/kserve", KSERVE, "./cmd/manager", out / "kserve")


def etcd(out: Path) -> None:
    """Build etcd; Debian's is too old for this Kubernetes to watch by."""
    built("go.etcd.io/etcd/server/v3", ETCD, ".", out / "etcd")


def kwok(out: Path) -> None:
    """Build kwok."""
    built("sigs.k8s.io/kwok", KWOK, "./cmd/kwok", out / "kwok")


def flux(out: Path) -> None:
    """Build the two controllers of Flux that bring a folder of a git repository into a cluster."""
    for name in ("source-controller", "kustomize-controller"):
        built(f"github.com/fluxcd/{name}", FLUX, ".", out / name)


def definitions(out: Path) -> None:
    """Copy the definitions of what is applied, and KServe's webhooks and configuration."""
    installed = fetched("github.com/kserve/kserve", KSERVE) / "install" / KSERVE
    everything = [
        (_kind(document), document)
        for name in ("kserve.yaml", "kserve-cluster-resources.yaml")
        for document in documents(installed / name)
        if not re.search(r"^  name: .*(llm|localmodel)", document, re.MULTILINE)
    ]
    parts = {
        "kserve.yaml": ("CustomResourceDefinition", "ConfigMap"),
        "webhooks.yaml": ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
        "storage.yaml": ("ClusterStorageContainer",),
    }
    for name, kinds in parts.items():
        (out / name).write_text("---\n".join(document for kind, document in everything if kind in kinds))
    gateway = fetched("sigs.k8s.io/gateway-api", GATEWAY) / "config" / "crd" / "standard"
    argocd = fetched("github.com/argoproj/argo-cd/v3", ARGOCD) / "manifests" / "crds"
    others = [*sorted(gateway.glob("gateway*_*.yaml")), argocd / "application-crd.yaml"]
    for name in ("source-controller", "kustomize-controller"):
        others += sorted(
            (fetched(f"github.com/fluxcd/{name}", FLUX) / "config" / "crd" / "bases").glob("*.yaml")
        )
    (out / "others.yaml").write_text("---\n".join(path.read_text() for path in others))


def built(module: str, version: str, command: str, out: Path) -> None:
    """Build one command of a module, in a copy, since archives lie where nobody may write."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "copy"
        shutil.copytree(fetched(module, version), copy, copy_function=shutil.copyfile)
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755)
        # What a module replaces by a folder beside it is not in its archive; it is released, and required by version.
        declared = copy / "go.mod"
        text = re.sub(r"^(replace )?\s*\S+ => \.\.?/.*\n", "", declared.read_text(), flags=re.MULTILINE)
        declared.write_text(text)
        run("go", "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", str(out), command, cwd=copy)


def _kind(document: str) -> str:
    return re.findall(r"^kind: (\w+)$", document, re.MULTILINE)[-1]


def documents(path: Path) -> Iterator[str]:
    """Yield the documents of a YAML file as texts."""
    yield from re.split(r"^---$\n?", path.read_text(), flags=re.MULTILINE)


def fetched(module: str, version: str) -> Path:
    """Return the folder of a module's sources, which Go downloads and proves."""
    with tempfile.TemporaryDirectory() as name:
        said = run("go", "mod", "download", "-json", f"{module}@{version}", cwd=Path(name))
    return Path(json.loads(said)["Dir"])


def run(*command: str, cwd: Path) -> str:
    """Run a program; its output, or the end of it when it fails."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
