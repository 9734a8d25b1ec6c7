"""A tracking server of MLflow by its REST API; a model's files are downloaded, their paths checked first."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modelspec.tree.finding import Refusal
from modelspec.tree.listing import paths_trouble
from modelspec.tree.text import visible
from modelspec.world.stores.client import http_client
from modelspec.world.stores.retried import bounded, paced
from modelspec.world.waiting import waiting

_FILES: Final = 4096
_DEPTH: Final = 8
_MODELS: Final = 100
_ANSWER: Final = 16 * 1024 * 1024
"""The most bytes of an answer about a run, which is in memory as a whole."""
_ADDRESS: Final = "see that --mlflow is the address of one, and what stands before it"
_MODEL: Final = re.compile(r"m-[A-Za-z0-9]{1,64}")


@dataclass(frozen=True, slots=True)
class _Run:
    """How a server is asked for the files of a run."""

    id: str

    def listing(self, path: str) -> tuple[str, dict[str, str]]:
        return "artifacts/list", {"run_id": self.id, "path": path}

    def file(self, path: str) -> tuple[str, dict[str, str]]:
        return "get-artifact", {"path": path, "run_uuid": self.id}


@dataclass(frozen=True, slots=True)
class _Logged:
    """How a server is asked for the files of a logged model."""

    id: str

    def listing(self, path: str) -> tuple[str, dict[str, str]]:
        return f"logged-models/{self.id}/artifacts/directories", {"artifact_directory_path": path}

    def file(self, path: str) -> tuple[str, dict[str, str]]:
        # MLflow's own client asks where the server keeps it; its pages ask the server, as this does.
        call = f"ajax-api/2.0/mlflow/logged-models/{self.id}/artifacts/files"
        return call, {"artifact_file_path": path}


class Server:
    """A tracking server; credentials are those that MLflow's own client reads from the environment."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        if "@" in self.url:
            raise Refusal(
                "the server's address holds a user",
                "use MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            )
        user, word, token = (
            os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD", "TOKEN")
        )
        auth = (user, word) if user and not token else None
        self._shown = visible(self.url, 200)
        self._client = http_client("a tracking server", "mlflow", token=token.strip(), auth=auth)
        import httpx

        self._errors = (httpx.HTTPError, httpx.InvalidURL)

    def version(self, name: str, number: str) -> Any:
        """Ask for a registered version."""
        from modelspec.world.tracking import Version

        with self._reading():
            told = self._json("model-versions/get", name=name, version=number).get("model_version", {})
            return Version(str(told.get("source", "")), str(told.get("run_id", "")))

    def run(self, run: str) -> tuple[Mapping[str, str], Mapping[str, float], Mapping[str, str]]:
        """Ask for a run."""
        with self._reading():
            data = self._json("runs/get", run_id=run).get("run", {}).get("data", {})
            return (
                {str(row["key"]): str(row["value"]) for row in data.get("params", ())},
                {str(row["key"]): float(row["value"]) for row in data.get("metrics", ())},
                {str(row["key"]): str(row["value"]) for row in data.get("tags", ())},
            )

    def folder(self, run: str, path: str, into: Path) -> Path:
        """Download a run's artifact; MLflow 3 keeps models apart, and the run names them as its outputs."""
        from modelspec.world.tracking import ELSEWHERE, the_one

        if self._downloaded(_Run(run), path, into):
            return into
        found = []
        with self._reading():
            outputs = self._json("runs/get", run_id=run).get("run", {}).get("outputs", {})
            for row in outputs.get("model_outputs", ())[:_MODELS]:
                output = str(row.get("model_id", ""))
                if _MODEL.fullmatch(output):
                    info = self._json(f"logged-models/{output}").get("model", {}).get("info", {})
                    found.append((str(info.get("name", "")), output))
        model = the_one(run, path, found)
        if model is None:
            raise Refusal(f"the run {visible(run)} has no artifact {visible(path) or 'at all'}", ELSEWHERE)
        return self.logged(model, into)

    def logged(self, model: str, into: Path) -> Path:
        """Download a logged model."""
        from modelspec.world.tracking import ELSEWHERE

        if not self._downloaded(_Logged(model), "", into):
            raise Refusal(f"the logged model {visible(model)} has no files", ELSEWHERE)
        return into

    def maker(self, model: str) -> str:
        """Ask which run made a logged model."""
        with self._reading():
            info = self._json(f"logged-models/{model}").get("model", {}).get("info", {})
            return str(info.get("source_run_id") or "")

    def _downloaded(self, of: _Run | _Logged, path: str, into: Path) -> bool:
        """Download what lies below a path; False where nothing does."""
        found: dict[str, int | None] = {}
        with self._reading():
            for name, size in self._listed(of, path, 0):
                found[name] = size
                if len(found) > _FILES:
                    raise Refusal(
                        f"the server names more than {_FILES:,} files",
                        "name the folder of the model: runs:/ID/PATH",
                    )
        names = list(found)
        places = [name.removeprefix(f"{path}/") if path else name for name in names]
        trouble = paths_trouble(names) or paths_trouble(places)
        if trouble is not None:
            raise Refusal(
                f"the server's list of files is refused: {trouble}", "--artifact takes a copy of them"
            )
        for name, place in zip(names, places, strict=True):
            self._download(of, name, into / place, found[name])
        return bool(names)

    def _listed(self, of: _Run | _Logged, path: str, depth: int) -> Iterator[tuple[str, int | None]]:
        """Yield (path, size) of all files; None where the server does not say how large one is."""
        if depth > _DEPTH:
            raise Refusal(f"the artifacts of {visible(of.id)} have no end of folders")
        call, params = of.listing(path)
        for row in self._json(call, **params).get("files", ()):
            if row.get("is_dir"):
                yield from self._listed(of, str(row["path"]), depth + 1)
            else:
                size = row.get("file_size")
                yield str(row["path"]), None if size is None else int(size)

    def _download(self, of: _Run | _Logged, path: str, file: Path, listed: int | None) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        call, params = of.file(path)
        count = 0
        try:
            with (
                waiting(f"{visible(path, 200)} is still being downloaded"),
                self._client.stream("GET", f"{self.url}/{call}", params=params) as answer,
                file.open("xb") as stream,
            ):
                answer.raise_for_status()
                if answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
                    raise Refusal(
                        f"{self._shown} compresses its files unasked",
                        "switch compression off for it, or --artifact takes a copy of them",
                    )
                for chunk in paced(self._shown, answer):
                    count += len(chunk)
                    if listed is not None and count > listed:
                        break
                    stream.write(chunk)
        except self._errors as error:
            raise self._refusal(error) from None
        if listed is not None and count != listed:
            more = "more" if count > listed else "less"
            raise Refusal(
                f"{self._shown} sends {more} of {visible(path, 200)} than the {listed:,} bytes that it lists",
                "run this again if it was just written; else see what stands before the server",
            )

    def _json(self, call: str, **params: str) -> Any:
        try:
            with (
                waiting(f"{self._shown} is still being asked"),
                self._client.stream("GET", f"{self.url}/api/2.0/mlflow/{call}", params=params) as answer,
            ):
                answer.raise_for_status()
                data = json.loads(bounded(self._shown, answer, _ANSWER, _ADDRESS))
        except self._errors as error:
            raise self._refusal(error) from None
        except (ValueError, RecursionError):
            raise self._strange() from None
        return data

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Refuse what is JSON, and of another shape than what a tracking server answers."""
        try:
            yield
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise self._strange() from None

    def _strange(self) -> Refusal:
        return Refusal(f"{self._shown} answers with something else than a tracking server does", _ADDRESS)

    def _refusal(self, error: Exception) -> Refusal:
        code = getattr(getattr(error, "response", None), "status_code", None)
        what = f"answered {code}" if code else f"can't be reached: {type(error).__name__}"
        return Refusal(f"{self._shown} {what}", "see that the server is up and knows this run")
