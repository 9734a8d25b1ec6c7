"""The command from outside: exit codes, help, suggestions, completion, what a user reads."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Git, Run, edit
from modelspec import __version__
from modelspec.cli.main import VERBS, cli
from modelspec.tree.digest import artifact_digest, sha256

PIN = "registry/environments/production/models/eta.yaml"


def test_version(modelspec: Run, tmp_path: Path) -> None:
    done = modelspec("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"modelspec {__version__}\n")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb_has_an_example(verb: str, modelspec: Run, tmp_path: Path) -> None:
    done = modelspec(verb, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(r"Examples?:\n +(eval \"\$\()?modelspec ", done.stdout), done.stdout


def test_help_lists_every_verb_and_each_can_be_imported(invoke: Run, tmp_path: Path) -> None:
    listed = invoke("--help", cwd=tmp_path).stdout
    context = cli.make_context("modelspec", ["check"], resilient_parsing=True)
    for verb in VERBS:
        assert f"  {verb} " in listed
        command = cli.get_command(context, verb)
        assert command is not None and command.name == verb


def test_no_registry_is_a_refusal_with_its_cure(invoke: Run, tmp_path: Path) -> None:
    done = invoke("check", cwd=tmp_path)
    assert done.returncode == 3
    assert "modelspec init" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["chekc"], "check"),
        (["check", "--fromat", "json"], "--format"),
        (["compile", "prodution"], "production"),
        (["compile", "--model", "etta"], "eta"),
        (["show", "fruad"], "fraud"),
        (["show", "eta@2.3.4"], "2.3."),
        (["list", "--env", "stagin"], "staging"),
        (["explain", "MS999"], "MS0 reading, MS1 hashes"),
        (["explain", "ms313"], "MS312"),
        (["explain", "MS"], "MS7 safety"),
        (["explain", "pin-digset"], "pin-digest"),
        (["schema", "Piin"], "Pin"),
        (["target", "add", "kserv"], "kserve"),
    ],
)
def test_mistyped_words_get_the_right_one(
    arguments: list[str], meant: str, invoke: Run, example: Path
) -> None:
    done = invoke(*arguments, cwd=example)
    assert done.returncode == 2, done
    assert re.search(rf"[Dd]id you mean.*{re.escape(meant)}|[Kk]nown: .*{re.escape(meant)}", done.stderr), (
        done.stderr
    )


def test_check_of_the_example_is_clean(invoke: Run, example: Path) -> None:
    done = invoke("check", cwd=example)
    assert (done.returncode, done.stderr) == (0, "")
    # Rules on changes did not pass: they were not run.
    assert re.fullmatch(
        r"\d+ files: no findings\nnot run: the rules on changes, which need --base\n", done.stdout
    )


def test_a_finding_as_text(invoke: Run, example: Path) -> None:
    edit(example, PIN, "2.3.0@sha256:4", "2.3.0@sha256:5")
    done = invoke("check", cwd=example)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    number = (example / PIN).read_text().splitlines().index("stable:") + 2
    assert lines[0] == f"{PIN}:{number}:12: MS101 pin-digest"
    caret = next(line for line in lines if set(line.strip(" |")) == {"^"})
    shown = lines[lines.index(caret) - 1]
    assert shown[caret.index("^") : caret.rindex("^") + 1].startswith("2.3.0@sha256:5")
    assert any(line.startswith("  fix: ") for line in lines)
    assert re.search(r"^1 error in \d+ files$", done.stdout, re.MULTILINE)


def test_a_finding_as_json_and_as_annotation(invoke: Run, example: Path) -> None:
    edit(example, PIN, "2.3.0@sha256:4", "2.3.0@sha256:5")
    done = invoke("check", "--format", "json", cwd=example)
    data = json.loads(done.stdout)
    assert (data["format"], data["blocked"]) == ("modelspec/check/1", True)
    (finding,) = data["findings"]
    assert (finding["code"], finding["path"], finding["route"]) == ("MS101", PIN, "/stable/version")
    note = invoke("check", "--format", "github", cwd=example).stdout.splitlines()[0]
    assert note.startswith(f"::error file={PIN},line={finding['line']},col={finding['column']},")


def test_output_goes_to_a_file(invoke: Run, example: Path) -> None:
    done = invoke("check", "--format", "json", "--output", "report.json", cwd=example)
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads((example / "report.json").read_text())["findings"] == []


def test_colour_only_where_it_is_wanted(modelspec: Run, example: Path) -> None:
    edit(example, PIN, "2.3.0@sha256:4", "2.3.0@sha256:5")
    assert "\x1b[" not in modelspec("check", cwd=example).stdout
    assert "\x1b[31m" in modelspec("check", cwd=example, env={"FORCE_COLOR": "1"}).stdout


def test_a_revision_is_checked_without_touching_the_work_tree(invoke: Run, git: Git) -> None:
    clean = git("rev-parse", "HEAD")
    edit(git.root, PIN, "2.3.0@sha256:4", "2.3.0@sha256:5")
    git.commit("Break a digest")
    before = git("status", "--porcelain")
    assert invoke("check", "--ref", clean, cwd=git.root).returncode == 0
    assert invoke("check", "--ref", "HEAD~1", cwd=git.root).returncode == 0
    assert invoke("check", "--ref", "HEAD", cwd=git.root).returncode == 1
    assert invoke("check", "--ref", "mian", cwd=git.root).returncode == 3
    assert git("status", "--porcelain") == before


def test_root_by_option_by_variable_and_from_a_subfolder(
    modelspec: Run, example: Path, tmp_path: Path
) -> None:
    assert modelspec("check", "--root", str(example), cwd=tmp_path).returncode == 0
    assert modelspec("--root", str(example), "check", cwd=tmp_path).returncode == 0
    assert modelspec("check", cwd=tmp_path, env={"MODELSPEC_ROOT": str(example)}).returncode == 0
    assert modelspec("check", cwd=example / "registry" / "models").returncode == 0


def test_a_rule_that_raises_is_our_bug_and_never_a_pass(
    example: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    import modelspec.api.check as api
    from modelspec.cli.main import run

    def broken(*_: object) -> None:
        raise ZeroDivisionError("made to raise")

    monkeypatch.setattr(api, "CATALOGUE", tuple(replace(rule, judge=broken) for rule in api.CATALOGUE))
    assert run(["--root", str(example), "check"]) == 70
    assert "ZeroDivisionError: made to raise" in (said := capfd.readouterr().err)
    assert "please report it" in said


def test_a_closed_pipe_is_no_traceback(example: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m modelspec schema ModelVersion | head -c 10",
        shell=True, cwd=example, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert len(done.stdout) == 10


OUTPUT = [
    "check", "check --format json", "compile --check", "list", "show eta", "explain MS101", "schema Pin", "digest registry/modelspec.yaml",
    "codeowners", "completion bash", "--help", "--version",
]  # fmt: skip


@pytest.mark.parametrize("verb", OUTPUT)
def test_output_that_nobody_reads_is_no_finding(verb: str, example: Path) -> None:
    command = [sys.executable, "-m", "modelspec", *verb.split()]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=example, text=True, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("verb", "code"), [("check", 0), ("check --ref nowhere", 3), ("chek", 2)])
def test_closed_streams_change_no_exit_code(closed: str, verb: str, code: int, example: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m modelspec {verb} {closed}",
        shell=True, cwd=example, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode == code


@pytest.mark.parametrize(("verb", "code"), [("check --ref nowhere", 3), ("chek", 2)])
def test_a_full_stderr_changes_no_exit_code(verb: str, code: int, example: Path) -> None:
    command = f"{sys.executable} -m modelspec {verb} 2> /dev/full"
    assert subprocess.run(command, shell=True, cwd=example, check=False).returncode == code


def test_a_usage_error_shows_what_was_typed_escaped(invoke: Run, tmp_path: Path) -> None:
    done = invoke("check", "\u202eab\n::error::all is well", cwd=tmp_path)
    assert done.returncode == 2
    assert "\u202e" not in done.stderr
    assert "\n::error" not in done.stderr


def test_list_gives_each_version_its_states(invoke: Run, example: Path) -> None:
    rows = {
        tuple(line.split()[:2]): " ".join(line.split()[2:])
        for line in invoke("list", cwd=example).stdout.splitlines()[1:]
    }
    assert rows["eta", "3.0.0"] == "Staging (staging)"
    assert rows["eta", "2.3.1"] == "published"
    assert rows["eta", "2.3.0"] == "Production (production)"
    assert rows["fraud", "1.2.0"] == "Canary 10% (staging)"
    assert rows["fraud", "1.0.0"] == "Standby (production), Shadow (staging)"
    assert list(rows) == sorted(rows, key=lambda row: (row[0], [-int(part) for part in row[1].split(".")]))


def test_list_knows_withdrawn_and_archived(invoke: Run, example: Path) -> None:
    digest = invoke("digest", "registry/models/eta/versions/2.3.1.yaml", cwd=example).stdout.strip()
    model = example / "registry/models/eta/model.yaml"
    lines = [line for line in model.read_text().splitlines() if not line.startswith("retired")]
    retired = f"retired: [{{version: 2.3.1@{digest}, state: withdrawn, reason: bad labels}}]"
    model.write_text("\n".join([*lines, retired]) + "\n")
    assert invoke("check", cwd=example).returncode == 0
    listed = json.loads(invoke("list", "eta", "--format", "json", cwd=example).stdout)["versions"]
    states = {row["version"]: [state["state"] for state in row["states"]] for row in listed}
    assert states["2.3.1"] == ["Withdrawn"]


def test_show_a_version(invoke: Run, example: Path) -> None:
    text = invoke("show", "eta@2.3.0", cwd=example).stdout
    for component in ("artifact", "code", "features", "dataset", "runtime", "config"):
        assert re.search(rf"^{component} +recorded ", text, re.MULTILINE)
    assert "Production (production)" in text and "6 of 6 components recorded" in text
    data = json.loads(invoke("show", "eta@2.3.0", "--format", "json", cwd=example).stdout)
    digest = invoke("digest", "registry/models/eta/versions/2.3.0.yaml", cwd=example).stdout.strip()
    assert (data["digest"], data["spec"]["version"]) == (digest, "2.3.0")
    assert json.loads(invoke("show", "eta", "--format", "json", cwd=example).stdout)["model"] == "eta"


def test_init_gives_a_registry_that_checks_and_overwrites_nothing(invoke: Run, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    assert invoke("init", cwd=tmp_path).returncode == 0
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    done = invoke("check", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert json.loads((tmp_path / ".modelspec/schemas/Pin.json").read_text())["title"]
    again = invoke("init", cwd=tmp_path)
    assert again.returncode == 0 and "already" in again.stdout


def test_target_add_copies_from_the_catalogue_once(invoke: Run, tmp_path: Path) -> None:
    invoke("init", cwd=tmp_path)
    assert invoke("target", "add", "kserve", cwd=tmp_path).returncode == 0
    assert (tmp_path / "templates/kserve/target.yaml").exists()
    assert invoke("check", cwd=tmp_path).returncode == 0
    assert "already" in invoke("target", "add", "kserve", cwd=tmp_path).stdout
    with (tmp_path / "templates/kserve/target.yaml").open("a") as file:
        file.write("# ours\n")
    done = invoke("target", "add", "kserve", cwd=tmp_path)
    assert done.returncode == 1 and "differs" in done.stderr
    rows = json.loads(invoke("target", "list", "--format", "json", cwd=tmp_path).stdout)["targets"]
    assert {row["name"]: row["here"] for row in rows} == {"kserve": "changed", "mlserver": "no"}
    assert all(row["grade"] in ("record", "header", "receipt only") for row in rows)


def test_digest_of_a_document_and_of_files(invoke: Run, example: Path, tmp_path: Path) -> None:
    pinned = re.search(r"2\.3\.0@(sha256:\w+)", (example / PIN).read_text())
    assert pinned is not None
    document = "registry/models/eta/versions/2.3.0.yaml"
    assert invoke("digest", document, cwd=example).stdout == pinned[1] + "\n"
    tree = tmp_path / "tree"
    (tree / "b").mkdir(parents=True)
    (tree / "b" / "x").write_bytes(b"1")
    (tree / "a").write_bytes(b"")
    listing = invoke("digest", "--listing", "tree", cwd=tmp_path).stdout
    coreutils = subprocess.run(
        ["sha256sum", "a", "b/x"], cwd=tree, capture_output=True, text=True, check=True
    )
    assert listing == coreutils.stdout
    summed = subprocess.run(["sha256sum"], input=listing, capture_output=True, text=True, check=True)
    assert invoke("digest", "tree", cwd=tmp_path).stdout == f"sha256:{summed.stdout.split()[0]}\n"
    (tree / "link").symlink_to("a")
    refused = invoke("digest", "tree", cwd=tmp_path)
    assert refused.returncode == 3 and "symbolic link" in refused.stderr
    os.mkfifo(tmp_path / "fifo")
    assert invoke("digest", "fifo", cwd=tmp_path).returncode == 3


@pytest.mark.parametrize("locale", [{"LC_ALL": "C.UTF-8"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}])
def test_names_are_utf8_in_any_locale(locale: dict[str, str], modelspec: Run, tmp_path: Path) -> None:
    """A locale of another encoding made other names of them: a whole tree had files missing."""
    files = {"artifact/ä/ü.bin": b"1", "artifact/日本": b"2"}
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    rows = [(path.partition("/")[2], sha256(data)) for path, data in files.items()]
    done = modelspec("digest", "artifact", cwd=tmp_path, env=locale)
    assert (done.returncode, done.stdout.strip()) == (0, artifact_digest(rows)), done.stderr
    named = modelspec("digest", "ö", cwd=tmp_path, env=locale)
    assert named.returncode == 2 and "ö" in named.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_completes_verbs_flags_and_values(shell: str, modelspec: Run, example: Path) -> None:
    script = modelspec("completion", shell, cwd=example)
    assert script.returncode == 0 and "_MODELSPEC_COMPLETE" in script.stdout

    def completed(*words: str) -> str:
        if shell == "fish":
            env = {"COMP_WORDS": " ".join(["modelspec", *words]), "COMP_CWORD": words[-1]}
        else:
            env = {"COMP_WORDS": " ".join(["modelspec", *words]), "COMP_CWORD": str(len(words))}
        return modelspec(cwd=example, env={**env, "_MODELSPEC_COMPLETE": f"{shell}_complete"}).stdout

    assert "compile" in completed("com")
    assert "--model" in completed("compile", "--mo")
    assert "production" in completed("compile", "prod")
    assert "eta@2.3.1" in completed("show", "eta@2.3")
    versions = completed("verdict", "eta", "production", "2")
    assert "2.3.1" in versions and "3.0.0" not in versions


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_completion_in_a_real_bash(example: Path, modelspec: Run, tmp_path: Path) -> None:
    command = tmp_path / "bin" / "modelspec"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m modelspec "$@"\n')
    command.chmod(0o755)
    script = modelspec("completion", "bash", cwd=example).stdout
    words = "COMP_WORDS=(modelspec compile pro); COMP_CWORD=2"
    asked = f'{words}; _modelspec_completion modelspec; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"], cwd=example, capture_output=True, text=True, check=True,
        env={**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.stdout.split() == ["production"]
