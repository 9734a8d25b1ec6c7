"""What `kubectl` and `aws` print, where they are installed: run as argument lists, with limits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.observers.saved import LIMIT, within

SECONDS: Final = 60
_RESOURCES: Final = re.compile(r"[a-z0-9][a-z0-9.,/-]{0,252}")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,252}")
_ENDPOINT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class Kubectl:
    """`kubectl get RESOURCES -o json`: one namespace, or all; one context, or the current one."""

    def __init__(self, resources: str, namespace: str | None = None, context: str | None = None) -> None:
        if not _RESOURCES.fullmatch(resources):
            raise Refusal(
                f"{visible(resources)} is no list of resources",
                "write kubectl:inferenceservices,pods or kubectl:applications.argoproj.io",
            )
        self._resources = resources
        where = _option("--namespace", namespace) if namespace else ["--all-namespaces"]
        # A name behind the resource belongs to one namespace.
        if namespace is None and "/" in resources:
            where = []
        self._arguments = ["get", resources, "--output=json", *where, *_option("--context", context)]

    @property
    def shown(self) -> str:
        return f"kubectl get {self._resources}"

    def look(self) -> Iterator[tuple[str, bytes]]:
        yield self.shown, within(_run("kubectl", self._arguments), self.shown)


class SageMaker:
    """`aws sagemaker describe-endpoint` of one endpoint, in the region and with the rights of the caller."""

    def __init__(self, endpoint: str) -> None:
        if not _ENDPOINT.fullmatch(endpoint):
            raise Refusal(f"{visible(endpoint)} is no name of an endpoint", "write sagemaker:ENDPOINT")
        self._endpoint = endpoint

    @property
    def shown(self) -> str:
        return f"endpoint {self._endpoint}"

    def look(self) -> Iterator[tuple[str, bytes]]:
        arguments = ["sagemaker", "describe-endpoint", "--endpoint-name", self._endpoint, "--output", "json"]
        yield self.shown, within(_run("aws", arguments), self.shown)


def _option(name: str, value: str | None) -> list[str]:
    if value is None:
        return []
    if not _WORD.fullmatch(value):
        raise Refusal(f"{name} {visible(value)} is no name", "write it as kubectl prints it")
    return [f"{name}={value}"]


def _run(name: str, arguments: Sequence[str]) -> bytes:
    """Return what a program prints, with the environment of the caller: its credentials are the program's."""
    program = _found(name)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            done = subprocess.run(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Refusal(
                f"{name} did not answer in {SECONDS} s", f"try: {name} {' '.join(arguments)}"
            ) from None
        out.seek(0)
        err.seek(0)
        said, data = err.read(4096).decode("utf-8", "replace"), out.read(LIMIT + 1)
    if done.returncode != 0:
        lines = [line for line in said.strip().splitlines() if line.strip()] or ["no reason was given"]
        raise Refusal(
            f"{name} ended with {done.returncode}: {visible(lines[-1], 300)}",
            f"try: {name} {' '.join(arguments)}",
        )
    return data


def _found(name: str) -> str:
    """Return the program by its absolute path: none of the folder that we happen to be in."""
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which(name, path=os.pathsep.join(part for part in parts if Path(part).is_absolute()))
    if found is None:
        raise Refusal(
            f"{name} is not installed, or not on PATH", f"install {name}, or save its JSON and name that"
        )
    return found
