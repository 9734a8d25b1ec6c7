"""A cluster of one machine: a real API server, controllers, scheduler and KServe's controller; kwok plays the node.

Nothing runs in its pods. What is real is everything that reads and writes objects: admission, defaults,
KServe's webhooks and reconciler, deployments, replica sets, pods and their conditions.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).parents[2] / ".tools" / "cluster"
PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kserve",
    "kwok",
)
TOKEN = "a-token-of-this-test"
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node", "annotations": {"kwok.x-k8s.io/node": "fake"}},
    "status": {"allocatable": {"cpu": "64", "memory": "256Gi", "pods": "500", "nvidia.com/gpu": "16"}},
}

RUNTIME = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "ClusterServingRuntime",
    "metadata": {"name": "kserve-onnx"},
    "spec": {
        "supportedModelFormats": [{"name": "onnx", "version": "1", "autoSelect": True}],
        "protocolVersions": ["v2"],
        "containers": [
            {
                "name": "kserve-container",
                "image": "registry.example.com/serve/any:1",
                "args": ["--model_name={{.Name}}", "--model_dir=/mnt/models"],
            }
        ],
    },
}
"""The arguments are those that KServe's own runtimes take."""


def missing() -> str | None:
    """Return what is not there to start a cluster with, or None."""
    absent = [name for name in PROGRAMS if not (TOOLS / name).exists()]
    return f"no {', '.join(absent)} here (make .tools/cluster/.done)" if absent else None


@dataclass(slots=True)
class Cluster:
    """The processes, and kubectl as somebody who may do everything."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def kubeconfig(self) -> Path:
        """The file that names the cluster, for any client."""
        return self.folder / "kubeconfig"

    def start(self) -> None:
        """Start everything and wait until KServe's controller is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        store, peer, self.port = _ports(3)
        etcd = f"http://127.0.0.1:{store}"
        self._run(
            "etcd", TOOLS / "etcd", f"--data-dir={self.folder}/etcd", "--unsafe-no-fsync",
            f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
        )  # fmt: skip
        self._keys()
        self._run(
            "kube-apiserver", TOOLS / "kube-apiserver", f"--etcd-servers={etcd}", f"--secure-port={self.port}",
            "--bind-address=127.0.0.1", f"--cert-dir={self.folder}/certs", "--authorization-mode=AlwaysAllow",
            f"--token-auth-file={self.folder}/tokens.csv", "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc", "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
            f"--service-account-key-file={self.folder}/accounts.pub",
            f"--service-account-signing-key-file={self.folder}/accounts.key",
        )  # fmt: skip
        until(
            lambda: self.kubectl("get", "--raw=/readyz", check=False).stdout == "ok",
            "the API server is ready",
        )
        self._run(
            "controllers", TOOLS / "kube-controller-manager", f"--kubeconfig={self.kubeconfig}",
            "--controllers=deployment-controller,replicaset-controller,garbage-collector-controller,namespace-controller",
            "--leader-elect=false", "--secure-port=0",
        )  # fmt: skip
        self._run(
            "scheduler", TOOLS / "kube-scheduler", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false",
            "--secure-port=0",
        )  # fmt: skip
        self._run("kwok", TOOLS / "kwok", f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes=true")
        self.apply(NODE)
        self._kserve()

    def start_flux(self) -> None:
        """Start Flux's two controllers: one fetches a repository, the other applies a folder of it."""
        source, *ports = _ports(6)
        shared = ("--events-addr=", "--watch-all-namespaces=true", "--enable-leader-election=false")
        for name, own in (
            ("source-controller", (f"--storage-path={self.folder}", f"--storage-addr=127.0.0.1:{source}",
                                   f"--storage-adv-addr=127.0.0.1:{source}")),
            ("kustomize-controller", ()),
        ):  # fmt: skip
            addresses = [f"--{kind}-addr=127.0.0.1:{ports.pop()}" for kind in ("metrics", "health")]
            env = {"KUBECONFIG": str(self.kubeconfig), "RUNTIME_NAMESPACE": "flux-system"}
            self._run(name, TOOLS / name, *shared, *own, *addresses, env=env)

    def stop(self) -> None:
        """End every process."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGKILL)
            process.wait()

    def kubectl(
        self, *arguments: str, given: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; what it says is in the error when it fails and was not to."""
        done = subprocess.run(
            [str(TOOLS / "kubectl"), *arguments],
            env={"PATH": os.defpath, "HOME": str(self.folder), "KUBECONFIG": str(self.kubeconfig)},
            input=given, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done

    def apply(self, *documents: Mapping[str, Any] | Path, namespace: str | None = None) -> None:
        """Apply objects or files, with every field that the server does not know refused."""
        for document in documents:
            given = None if isinstance(document, Path) else json.dumps(document)
            where = [f"--namespace={namespace}"] if namespace else []
            self.kubectl(
                "apply", "--server-side", "--validate=strict", "--force-conflicts", *where,
                "--filename", str(document) if isinstance(document, Path) else "-", given=given,
            )  # fmt: skip

    def get(self, what: str, *arguments: str, namespace: str = "default") -> Any:
        """Return what kubectl finds, as data."""
        found = self.kubectl(
            "get", what, *arguments, f"--namespace={namespace}", "--output=json", check=False
        )
        return json.loads(found.stdout) if found.returncode == 0 else None

    def accept_routes(self) -> None:
        """Say of every route that its gateway took it, as the controller of a gateway does."""
        for route in self.get("httproutes", "--all-namespaces")["items"]:
            metadata, parents = route["metadata"], route["spec"]["parentRefs"]
            if "parents" in route.get("status", {}):
                continue
            conditions = [
                {
                    "type": kind,
                    "status": "True",
                    "reason": kind,
                    "message": "",
                    "lastTransitionTime": metadata["creationTimestamp"],
                    "observedGeneration": metadata["generation"],
                }
                for kind in ("Accepted", "ResolvedRefs")
            ]
            status = {
                "parents": [
                    {"parentRef": parent, "controllerName": "example.com/gateway", "conditions": conditions}
                    for parent in parents
                ]
            }
            self.kubectl(
                "patch", "httproute", metadata["name"], f"--namespace={metadata['namespace']}",
                "--subresource=status", "--type=merge", "--patch", json.dumps({"status": status}), check=False,
            )  # fmt: skip

    def said(self, name: str) -> str:
        """Return what a process wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _run(self, name: str, *command: str | Path, env: Mapping[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [str(part) for part in command],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={"PATH": os.defpath, "HOME": str(self.folder), **(env or {})},
                )
            )

    def _keys(self) -> None:
        (self.folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        key, public = self.folder / "accounts.key", self.folder / "accounts.pub"
        _openssl("genrsa", "-out", str(key), "2048")
        _openssl("rsa", "-in", str(key), "-pubout", "-out", str(public))
        server = {"server": f"https://127.0.0.1:{self.port}", "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        }  # fmt: skip
        self.kubeconfig.write_text(json.dumps(config))

    def _kserve(self) -> None:
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kserve"}})
        self.apply(TOOLS / "others.yaml")
        self.apply(TOOLS / "kserve.yaml", namespace="kserve")
        self.kubectl("wait", "--for=condition=Established", "--timeout=90s", "crd", "--all")
        self._settings()
        hooks, metrics, probe = _ports(3)
        served = self.folder / "tmp" / "k8s-webhook-server" / "serving-certs"
        served.mkdir(parents=True)
        _openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", str(served / "tls.key"), "-out", str(served / "tls.crt"),
        )  # fmt: skip
        self._run(
            "kserve", TOOLS / "kserve", f"--webhook-port={hooks}", f"--metrics-addr=127.0.0.1:{metrics}",
            f"--health-probe-addr=127.0.0.1:{probe}",
            env={"KUBECONFIG": str(self.kubeconfig), "POD_NAMESPACE": "kserve", "TMPDIR": str(self.folder / "tmp")},
        )  # fmt: skip
        until(lambda: _answers(hooks), "KServe's webhooks answer")
        bundle = base64.b64encode((served / "tls.crt").read_bytes()).decode()
        config = re.sub(
            r"clientConfig:\n +service:\n.*\n.*\n +path: (\S+)",
            rf"clientConfig: {{url: 'https://127.0.0.1:{hooks}\1', caBundle: {bundle}}}",
            (TOOLS / "webhooks.yaml").read_text(),
        )
        (self.folder / "webhooks.yaml").write_text(config)
        self.apply(self.folder / "webhooks.yaml")
        self.apply(TOOLS / "storage.yaml", RUNTIME)

    def _settings(self) -> None:
        """Route by the Gateway API, as KServe's documentation has it for Standard mode."""
        found = self.get("configmap", "inferenceservice-config", namespace="kserve")
        ingress = json.loads(found["data"]["ingress"]) | {
            "enableGatewayApi": True,
            "disableIstioVirtualHost": True,
        }
        patch = {"data": {"ingress": json.dumps(ingress)}}
        self.kubectl(
            "patch",
            "configmap",
            "inferenceservice-config",
            "--namespace=kserve",
            "--patch",
            json.dumps(patch),
        )


def until(true: Callable[[], object], what: str, seconds: float = 90) -> Any:
    """Wait until a call gives something true, and return that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def _ports(count: int) -> list[int]:
    open_ones = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [one.getsockname()[1] for one in open_ones]
    for one in open_ones:
        one.close()
    return numbers


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
