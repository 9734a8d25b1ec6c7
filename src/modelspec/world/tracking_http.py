"""A tracking server of MLflow by its REST API; a model's files are downloaded, their paths checked first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from modelspec.tree.finding import Refusal
from modelspec.tree.paths import path_trouble
from modelspec.tree.text import visible

_FILES: Final = 4096
_DEPTH: Final = 8
_TIMEOUT: Final = 60.0


class Server:
    """A tracking server; credentials are those that MLflow's own client reads from the environment."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        if "@" in self.url:
            raise Refusal(
                "the server's address holds a user",
                "use MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            )
        try:
            import httpx
        except ImportError:
            raise Refusal(
                "reading a tracking server needs httpx, which is not installed",
                "pip install 'modelspec-gitops[mlflow]'",
            ) from None
        user, word, token = (
            os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD", "TOKEN")
        )
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        auth = (user, word or "") if user and not token else None
        self._errors = (httpx.HTTPError, httpx.InvalidURL)
        self._client = httpx.Client(headers=headers, auth=auth, timeout=_TIMEOUT)

    def version(self, name: str, number: str) -> Any:
        """Ask for a registered version."""
        from modelspec.world.tracking import Version

        told = self._json("model-versions/get", name=name, version=number).get("model_version", {})
        return Version(str(told.get("source", "")), str(told.get("run_id", "")))

    def run(self, run: str) -> tuple[Mapping[str, str], Mapping[str, float], Mapping[str, str]]:
        """Ask for a run."""
        data = self._json("runs/get", run_id=run).get("run", {}).get("data", {})
        return (
            {str(row["key"]): str(row["value"]) for row in data.get("params", ())},
            {str(row["key"]): float(row["value"]) for row in data.get("metrics", ())},
            {str(row["key"]): str(row["value"]) for row in data.get("tags", ())},
        )

    def folder(self, run: str, path: str, into: Path) -> Path:
        """Download a run's artifact."""
        count = 0
        for name in self._listed(run, path, 0):
            inner = name.removeprefix(f"{path}/") if path else name
            trouble = path_trouble(name) or path_trouble(inner)
            count += 1
            if trouble is not None or count > _FILES:
                raise Refusal(f"the server names a file {visible(name)} that {trouble or 'is one too many'}")
            self._download(run, name, into / inner)
        if not count:
            raise Refusal(f"the run {visible(run)} has no artifact {visible(path) or 'at all'}")
        return into

    def logged(self, model: str, into: Path) -> Path:
        """Ask which run logged a model, and download it from there."""
        info = self._json(f"logged-models/{model}").get("model", {}).get("info", {})
        return self.folder(str(info.get("source_run_id", "")), str(info.get("name", "")), into)

    def _listed(self, run: str, path: str, depth: int) -> Iterator[str]:
        if depth > _DEPTH:
            raise Refusal(f"the artifacts of the run {visible(run)} have no end of folders")
        for row in self._json("artifacts/list", run_id=run, path=path).get("files", ()):
            if row.get("is_dir"):
                yield from self._listed(run, str(row["path"]), depth + 1)
            else:
                yield str(row["path"])

    def _download(self, run: str, path: str, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                self._client.stream(
                    "GET", f"{self.url}/get-artifact", params={"path": path, "run_uuid": run}
                ) as answer,
                file.open("xb") as stream,
            ):
                answer.raise_for_status()
                for chunk in answer.iter_bytes():
                    stream.write(chunk)
        except self._errors as error:
            raise self._refusal(error) from None

    def _json(self, call: str, **params: str) -> Any:
        try:
            answer = self._client.get(f"{self.url}/api/2.0/mlflow/{call}", params=params)
            answer.raise_for_status()
            data = answer.json()
        except self._errors as error:
            raise self._refusal(error) from None
        except ValueError:
            raise Refusal(
                f"{visible(self.url, 200)} answers with no JSON: it is no tracking server"
            ) from None
        return data if isinstance(data, dict) else {}

    def _refusal(self, error: Exception) -> Refusal:
        code = getattr(getattr(error, "response", None), "status_code", None)
        what = f"answered {code}" if code else f"can't be reached: {type(error).__name__}"
        return Refusal(f"{visible(self.url, 200)} {what}", "see that the server is up and knows this run")
