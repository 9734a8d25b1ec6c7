"""The CI jobs that `init` writes: the files under ci/, fitted to the repository that they go to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final, Literal

from modelspec import __version__
from modelspec.tree.finding import Refusal

Forge = Literal["github", "gitlab", "none"]

_GITHUB: Final = (
    "modelspec.yml",
    "modelspec-verify.yml",
    "modelspec-comment.yml",
    "modelspec-restore.yml",
    "modelspec-deploy.yml",
)
_GITLAB: Final = ("modelspec.yml", "modelspec-verify.yml", "modelspec-deploy.yml")
_RELEASE: Final = re.compile(r"modelspec-gitops==\d[\w.]*")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]*", re.ASCII)
_URL: Final = re.compile(r"https://[A-Za-z0-9.-]+/[A-Za-z0-9._/-]+", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def repository_of(root: Path) -> tuple[Path, str]:
    """Return the top folder of the repository around a root, and the root within it; without one the root."""
    from modelspec.cli.source import within_repository

    within = within_repository(root).rstrip("/")
    top = root.absolute()
    for _ in Path(within).parts:
        top = top.parent
    return top, within or "."


def forge(top: Path) -> Forge:
    """Return the forge that the files of a repository, or the address of its origin, speak of."""
    if (top / ".github").is_dir():
        return "github"
    if (top / ".gitlab-ci.yml").exists():
        return "gitlab"
    address = _git(top, "config", "--get", "remote.origin.url")
    return "github" if "github" in address else "gitlab" if "gitlab" in address else "none"


def jobs(chosen: str, top: Path, within: str) -> dict[str, bytes]:
    """Return the files of a forge's jobs. `within`: the folder of the registry in its repository."""
    root = within if _PLAIN.fullmatch(within) or within == "." else json.dumps(within)
    requirement = installed()
    if chosen == "github":
        branch = _git(top, "symbolic-ref", "--short", "HEAD")
        main = branch if _PLAIN.fullmatch(branch) else "main"
        return {
            f".github/workflows/{name}": _fitted(f"github/{name}", requirement)
            .replace("  MODELSPEC_ROOT: .\n", f"  MODELSPEC_ROOT: {root}\n")
            .replace("    branches: [main]\n", f"    branches: [{main}]\n")
            .encode()
            for name in _GITHUB
        }
    if chosen == "gitlab":
        return {
            **{f".gitlab/{name}": _fitted(f"gitlab/{name}", requirement).encode() for name in _GITLAB},
            ".gitlab-ci.yml": _fitted("gitlab/gitlab-ci.yml", requirement)
            .replace("      root: .\n", f"      root: {root}\n")
            .encode(),
        }
    return {}


def installed() -> str:
    """Return what pip installs to get this modelspec: the commit it was installed from, else its release.

    Source: PEP 610, the record that pip keeps of an install from a repository.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        record = json.loads(distribution("modelspec-gitops").read_text("direct_url.json") or "{}")
        url, commit = str(record["url"]), str(record["vcs_info"]["commit_id"])
    except (PackageNotFoundError, KeyError, TypeError, ValueError):
        return f"modelspec-gitops=={__version__}"
    if not _URL.fullmatch(url) or not _COMMIT.fullmatch(commit):
        return f"modelspec-gitops=={__version__}"
    return f"modelspec-gitops @ git+{url}@{commit}"


def _fitted(file: str, requirement: str) -> str:
    shipped = Path(__file__).parent.parent / "ci"
    folder = shipped if shipped.is_dir() else Path(__file__).parents[3] / "ci"
    return _RELEASE.sub(lambda _: requirement, (folder / file).read_text(encoding="utf-8"))


def _git(top: Path, *arguments: str) -> str:
    """Return what git says on one line; "" without git or a repository: nothing hangs on it."""
    from modelspec.world.git import open_repository

    try:
        repository = open_repository(str(top))[0]
    except Refusal:
        return ""
    done = repository.run(*arguments)
    return done.out.decode("utf-8", "replace").strip() if done.code == 0 else ""
