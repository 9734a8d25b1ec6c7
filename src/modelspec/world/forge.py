"""Opens a pull request with `gh` or `glab` where one is installed; else says where to open it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from modelspec.tree.text import visible

_ADDRESS: Final = re.compile(
    r"(?:(?:https?|ssh)://(?:[^@/]+@)?|(?:[\w.-]+@)?)(?P<host>[\w.-]+)(?::\d+)?[:/](?P<path>[\w./~-]+?)(?:\.git)?/?"
)
_LINK: Final = re.compile(r"https?://\S+")
_THERE: Final = re.compile(r"already exists for this source branch: !(\d{1,12})")
_PASSED: Final = (
    "PATH", "HOME", "XDG_CONFIG_HOME", "GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN",
    "GITHUB_ENTERPRISE_TOKEN", "GH_CONFIG_DIR", "GITLAB_TOKEN", "GLAB_CONFIG_DIR",
    "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy",
    "SSL_CERT_FILE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opened:
    """A pull request, or how to open one: `url` where there is one, `hint` what is left to do by hand."""

    url: str | None
    hint: str | None = None


def open_request(url: str, branch: str, main: str, title: str, body: str) -> Opened:
    """Open a pull request from a branch that was pushed to a remote's URL, or rename the one there is.

    The program is run in an empty folder, so that it reads no configuration of the repository; what it is
    given are arguments, and the body is a file (`glab mr create` takes it as an argument only, so its `api`
    is asked).
    """
    found = _ADDRESS.fullmatch(url)
    if found is None:
        return Opened(None, f"merge {branch} into {main} where the repository is kept")
    host, path = found["host"], found["path"].strip("/")
    gitlab = "gitlab" in host
    program = _program("glab" if gitlab else "gh")
    where = _by_hand(host, path, branch, main, gitlab)
    if program is None:
        return Opened(None, where)
    with tempfile.TemporaryDirectory(prefix="modelspec-") as folder:
        note = Path(folder) / "body.md"
        note.write_text(body, encoding="utf-8")
        command = (
            [program, "api", "--hostname", host, "--method", "POST",
             f"projects/{quote(path, safe='')}/merge_requests",
             "--raw-field", f"source_branch={branch}", "--raw-field", f"target_branch={main}",
             "--raw-field", f"title={title}", "--field", f"description=@{note}"]
            if gitlab
            else [program, "pr", "create", "--repo", f"{host}/{path}", "--head", branch, "--base", main,
                  "--title", title, "--body-file", str(note)]
        )  # fmt: skip
        done = _ran(command, folder)
        if done is None:
            return Opened(None, where)
        link = _gitlab_link(done.stdout, done.stderr, f"https://{host}/{path}") if gitlab else _link(done)
        if link is not None and done.returncode == 0:
            return Opened(visible(link, 300))
        if link is not None and "already exists" in done.stdout + done.stderr:
            # What is there was opened for what the branch held before.
            change = (
                [program, "api", "--hostname", host, "--method", "PUT",
                 f"projects/{quote(path, safe='')}/merge_requests/{link.rpartition('/')[2]}",
                 "--raw-field", f"title={title}", "--field", f"description=@{note}"]
                if gitlab
                else [program, "pr", "edit", link, "--title", title, "--body-file", str(note)]
            )  # fmt: skip
            changed = _ran(change, folder)
            stale = changed is None or changed.returncode != 0
            hint = f"it was there already, and its title may be another's: name it {visible(title, 200)}"
            return Opened(visible(link, 300), hint if stale else None)
    said = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
    return Opened(None, f"{Path(program).name} did not open it ({visible(said, 200)}); {where}")


def _ran(command: list[str], folder: str) -> subprocess.CompletedProcess[str] | None:
    """Run the program in a folder, and return what came of it; None when it can't be run or does not end."""
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={name: os.environ[name] for name in _PASSED if name in os.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _link(done: subprocess.CompletedProcess[str]) -> str | None:
    found = _LINK.search(done.stdout) or _LINK.search(done.stderr)
    return None if found is None else found.group()


def _gitlab_link(out: str, err: str, project: str) -> str | None:
    """Return the address of the merge request in GitLab's answer, or of the one that was there before."""
    try:
        answer = json.loads(out)
    except (ValueError, RecursionError):
        answer = None
    found = answer.get("web_url") if isinstance(answer, dict) else None
    if isinstance(found, str) and _LINK.fullmatch(found):
        return found
    there = _THERE.search(out) or _THERE.search(err)
    return None if there is None else f"{project}/-/merge_requests/{there[1]}"


def _by_hand(host: str, path: str, branch: str, main: str, gitlab: bool) -> str:
    if gitlab:
        query = f"merge_request%5Bsource_branch%5D={quote(branch, safe='')}"
        return f"open https://{host}/{path}/-/merge_requests/new?{query}"
    if "github" in host:
        return f"open https://{host}/{path}/compare/{quote(main, safe='')}...{quote(branch)}?expand=1"
    push = f"git push -o merge_request.create origin {branch}"
    return f"open a pull request from {branch}; GitLab does it on: {push}"


def _program(name: str) -> str | None:
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return shutil.which(name, path=os.pathsep.join(part for part in parts if part.startswith(os.sep)))
