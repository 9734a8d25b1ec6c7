"""Hostile and broken input through the real command: a finding or a refusal, never a traceback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Git, Run

VERSION = "registry/models/eta/versions/2.3.0.yaml"
PIN = "registry/environments/production/models/eta.yaml"
SECRET = "s3cr3t-that-must-not-show"


def _replace(path: str, data: bytes) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        (root / path).write_bytes(data)

    return make


def _outside(root: Path) -> Path:
    secret = root.parent / "secret.yaml"
    secret.write_text(f"password: {SECRET}\n")
    return secret


def _link_file(root: Path) -> None:
    (root / PIN).unlink()
    (root / PIN).symlink_to(_outside(root))


def _link_folder(root: Path) -> None:
    outside = root.parent / "elsewhere"
    shutil.move(root / "registry/environments/production", outside)
    _outside(root)
    (root / "registry/environments/production").symlink_to(outside)


def _link_in_templates(root: Path) -> None:
    (root / "templates/kserve/inference-service.yaml.j2").unlink()
    (root / "templates/kserve/inference-service.yaml.j2").symlink_to(_outside(root))


def _hard_link(root: Path) -> None:
    (root / PIN).unlink()
    os.link(_outside(root), root / PIN)


def _fifo(root: Path) -> None:
    (root / PIN).unlink()
    os.mkfifo(root / PIN)


def _fifo_among_templates(root: Path) -> None:
    os.mkfifo(root / "templates/kserve/pipe")


def _large(root: Path) -> None:
    with (root / VERSION).open("wb") as file:
        file.truncate(50 * 1024 * 1024)


def _unreadable(root: Path) -> None:
    (root / PIN).chmod(0)


def _folder_for_a_file(root: Path) -> None:
    (root / PIN).unlink()
    (root / PIN).mkdir()


def _folder_with_a_file(root: Path) -> None:
    _folder_for_a_file(root)
    (root / PIN / "eta.yaml").write_text("model: eta\n")


def _named(name: str | bytes) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        folder = root / "registry/models/eta/versions"
        (folder / os.fsdecode(name)).write_bytes((root / VERSION).read_bytes())

    return make


def _many_keys(root: Path) -> None:
    (root / VERSION).write_bytes(b"".join(b"k%d: 1\n" % number for number in range(60_000)))


def _rewrite(root: Path, path: str, change: Callable[[bytes], bytes]) -> None:
    (root / path).write_bytes(change((root / path).read_bytes()))


BOMB = b"a: &a [x]\n" + b"".join(b"%c: &%c [*%c,*%c]\n" % (c, c, c - 1, c - 1) for c in range(98, 122))
HOSTILE: dict[str, Callable[[Path], None]] = {
    "binary": _replace(VERSION, bytes(range(256)) * 16),
    "not utf-8": _replace(VERSION, b"model: \xff\xfe\n"),
    "utf-16": _replace(VERSION, "model: eta\n".encode("utf-16")),
    "byte order mark": _replace(VERSION, b"\xef\xbb\xbfmodel: eta\n"),
    "carriage returns": lambda root: _rewrite(root, VERSION, lambda text: text.replace(b"\n", b"\r\n")),
    "nul": _replace(VERSION, b"model: e\0ta\n"),
    "empty file": _replace(VERSION, b""),
    "a list": _replace(VERSION, b"- a\n- b\n"),
    "a scalar": _replace(VERSION, b"just text\n"),
    "deep flow lists": _replace(VERSION, b"[" * 100_000),
    "deep flow maps": _replace(VERSION, b"{a: " * 100_000),
    "deep block lists": _replace(VERSION, b"- " * 100_000),
    "deep explicit keys": _replace(VERSION, b"? " * 100_000),
    "deep indentation": _replace(VERSION, b"".join(b" " * depth + b"a:\n" for depth in range(1000))),
    "many keys": _many_keys,
    "a million keys": _replace(VERSION, b"".join(b"%d: 1\n" % number for number in range(1_000_000))),
    "alias bomb": _replace(VERSION, BOMB),
    "merge conflict": lambda root: _rewrite(root, PIN, lambda text: b"<<<<<<< HEAD\n" + text + b">>>>>>> x\n"),
    "50 MB": _large,
    "link": _link_file,
    "linked folder": _link_folder,
    "link among templates": _link_in_templates,
    "hard link": _hard_link,
    "fifo": _fifo,
    "fifo among templates": _fifo_among_templates,
    "folder for a file": _folder_for_a_file,
    "folder with a file for a file": _folder_with_a_file,
    "name with newline": _named("2.9.0\n::error::x.yaml"),
    "name with escape": _named("2.9.0\x1b[31m.yaml"),
    "name with bidi": _named("2.9.0\u202e.yaml"),
    "name not utf-8": _named(b"2.9.0\xff.yaml"),
    "name with dots": _named("..2.9.0.yaml"),
    "device name": _named("con.yaml"),
    "name with a dash first": _named("--output=x.yaml"),
    "long name": _named("9" * 240 + ".yaml"),
}  # fmt: skip


UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def judged(said: str) -> None:
    """What holds of all that modelspec prints, whatever it read."""
    assert "Traceback" not in said, said
    assert SECRET not in said
    assert not UNSEEN.search(said), ascii(said)


@pytest.mark.parametrize("case", HOSTILE)
def test_check_finds_hostile_files(case: str, modelspec: Run, example: Path) -> None:
    HOSTILE[case](example)
    done = modelspec("check", cwd=example, timeout=20)
    said = done.stdout + done.stderr
    judged(said)
    assert done.returncode in (1, 3), said
    assert re.search(r"^(registry|templates)/\S+:\d+:\d+: MS\d{3} |^modelspec: ", said, re.MULTILINE), said
    # CI logs obey lines that begin so.
    assert not re.search(r"^\s*(::|##\[)", said, re.MULTILINE)


@pytest.mark.parametrize("case", HOSTILE)
def test_reports_for_machines_stay_whole(case: str, invoke: Run, example: Path) -> None:
    HOSTILE[case](example)
    done = invoke("check", "--format", "json", cwd=example)
    judged(done.stdout + done.stderr)
    assert done.stdout.isascii()
    if done.returncode == 1:
        assert json.loads(done.stdout)["blocked"]
    else:
        assert done.returncode == 3 and done.stdout == ""
    done = invoke("check", "--format", "github", cwd=example)
    judged(done.stdout + done.stderr)
    for line in done.stdout.splitlines():
        assert line.count("::") == 0 or re.match(
            r"::(error|warning|notice) (file=[^,:]+,line=\d+,|title=)", line
        )


@pytest.mark.parametrize("case", HOSTILE)
def test_other_verbs_stumble_over_no_hostile_file(case: str, invoke: Run, example: Path) -> None:
    # `list` reads pins alone, and compile only what pins reach: either may be all well.
    HOSTILE[case](example)
    for verb in (["list"], ["list", "--format", "json"], ["show", "eta"], ["show", "eta@2.3.0"], ["compile"]):
        done = invoke(*verb, cwd=example)
        judged(done.stdout + done.stderr)
        assert done.returncode in (0, 1, 3), done
    if done.returncode:
        assert not (example / "compiled").exists()
    assert not (example / ".compiled.new").exists()


def test_a_name_that_is_no_text_is_a_finding_in_every_format(modelspec: Run, example: Path) -> None:
    HOSTILE["name not utf-8"](example)
    for form in ("text", "json", "github"):
        done = modelspec("check", "--format", form, cwd=example)
        judged(done.stdout + done.stderr)
        assert done.returncode == 1 and "MS010" in done.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_finding(modelspec: Run, example: Path) -> None:
    (example / PIN).chmod(0)
    done = modelspec("check", cwd=example)
    assert done.returncode == 1 and "file-regular" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_a_file_without_permission_is_a_finding_for_others(example: Path) -> None:
    (example / PIN).chmod(0)
    for folder in (example, *example.parents):
        if folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    other = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-m", "modelspec"]
    if subprocess.run([*other, "--version"], cwd=example, capture_output=True, check=False).returncode:
        pytest.skip("this Python can't be run by another user")
    done = subprocess.run([*other, "check"], cwd=example, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (1, 3)


def test_an_empty_registry(invoke: Run, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "modelspec.yaml").write_text("apiVersion: modelspec/v1\nkind: Settings\n")
    assert invoke("check", cwd=tmp_path).returncode == 0
    assert invoke("compile", cwd=tmp_path).returncode == 0
    assert invoke("compile", "--check", cwd=tmp_path).returncode == 0
    assert invoke("list", cwd=tmp_path).returncode == 0


def test_a_repository_with_no_commit(invoke: Run, example: Path) -> None:
    Git(example)
    assert invoke("check", cwd=example).returncode == 0
    done = invoke("check", "--ref", "HEAD", cwd=example)
    assert done.returncode == 3 and "Traceback" not in done.stderr


def test_a_bare_repository(invoke: Run, git: Git, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git("clone", "--quiet", "--bare", str(git.root), str(bare))
    done = invoke("check", cwd=bare)
    assert done.returncode == 3 and "Traceback" not in done.stderr
    assert invoke("check", "--root", str(bare), "--ref", "main", cwd=tmp_path).returncode == 0


def test_links_and_submodules_in_a_revision(invoke: Run, git: Git) -> None:
    blob = git("hash-object", "-w", "--stdin", check=True)
    git("update-index", "--add", "--cacheinfo", f"120000,{blob},registry/models/eta/versions/9.9.9.yaml")
    git("update-index", "--add", "--cacheinfo", f"160000,{git('rev-parse', 'HEAD')},templates/mine")
    git("commit", "--quiet", "--message", "A link and a submodule")
    done = invoke("check", "--ref", "HEAD", cwd=git.root)
    assert done.returncode == 1
    assert "registry/models/eta/versions/9.9.9.yaml:1:1: MS" in done.stdout and "symbolic link" in done.stdout


@pytest.mark.parametrize(
    "ref",
    [
        "-x",
        "--output=stolen",
        "--upload-pack=touch stolen",
        "HEAD:registry",
        "main@{1 year ago}",
        "main@{1 year ago}x",
        "main@{nonsense}",
        "@{yesterday}",
        "\x00",
        "",
    ],
)
def test_hostile_revisions(ref: str, invoke: Run, git: Git) -> None:
    if "\x00" in ref:
        pytest.skip("no argument of a process can hold NUL")
    done = invoke("check", f"--ref={ref}", cwd=git.root)
    assert done.returncode in (2, 3), done
    assert "Traceback" not in done.stderr
    assert not (git.root / "stolen").exists()


@pytest.mark.parametrize(
    "name", ["environ", "env.TOKEN", "os.environ", "self", "cycler.__init__.__globals__"]
)
def test_no_secret_of_the_environment_gets_out(name: str, modelspec: Run, example: Path) -> None:
    template = example / "templates/mlserver/settings.json.j2"
    template.write_text(f"a: {{{{ {name} }}}}\n")
    for verb in ("check", "compile"):
        done = modelspec(verb, cwd=example, env={"TOKEN": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET})
        judged(done.stdout + done.stderr)
        assert done.returncode == 1 and "MS6" in done.stdout
    assert not (example / "compiled").exists()
