"""What `init` writes for a forge, and CODEOWNERS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from conftest import ROOT, Git, Run, edit
from modelspec import __version__

WORKFLOWS = {path.name for path in (ROOT / "ci/github").iterdir()}


@pytest.fixture
def repository(tmp_path: Path) -> Git:
    git = Git(tmp_path)
    git("symbolic-ref", "HEAD", "refs/heads/trunk")
    return git


def test_init_writes_jobs_for_the_forge_of_the_remote(invoke: Run, repository: Git) -> None:
    repository("remote", "add", "origin", "https://github.example.com/ml/models.git")
    done = invoke("init", "ml", cwd=repository.root)
    assert done.returncode == 0, done.stderr
    folder = repository.root / ".github/workflows"
    assert {path.name for path in folder.iterdir()} == WORKFLOWS
    data = yaml.safe_load((folder / "modelspec.yml").read_text())
    assert data["env"] == {"MODELSPEC": f"modelspec-gitops=={__version__}", "MODELSPEC_ROOT": "ml"}
    assert data[True]["push"]["branches"] == ["trunk"]
    assert (repository.root / "ml/registry/modelspec.yaml").exists()


def test_jobs_can_be_added_later_and_nothing_is_overwritten(invoke: Run, repository: Git) -> None:
    assert invoke("init", cwd=repository.root).returncode == 0
    assert not (repository.root / ".github").exists()
    mine = repository.root / ".github/workflows/modelspec.yml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine\n")
    done = invoke("init", "--ci", "github", cwd=repository.root)
    assert done.returncode == 0 and "kept     .github/workflows/modelspec.yml" in done.stdout
    assert mine.read_text() == "mine\n"
    assert (mine.parent / "modelspec-comment.yml").exists()


def test_init_for_gitlab_includes_the_component(invoke: Run, repository: Git) -> None:
    repository("remote", "add", "origin", "git@gitlab.example.com:ml/models.git")
    assert invoke("init", "a b", cwd=repository.root).returncode == 0
    includes = yaml.safe_load((repository.root / ".gitlab-ci.yml").read_text())["include"]
    assert [one["inputs"] for one in includes] == [{"root": "a b"}] * 3
    jobs: set[str] = set()
    for include in includes:
        spec, held = yaml.safe_load_all((repository.root / include["local"]).read_text())
        assert spec["spec"]["inputs"]["requirement"]["default"] == f"modelspec-gitops=={__version__}"
        jobs |= held.keys()
    assert {"modelspec-check", "modelspec-verify", "modelspec-deploy", "modelspec-restore"} <= jobs


def test_no_forge_no_jobs(invoke: Run, repository: Git) -> None:
    (repository.root / ".github").mkdir()
    assert invoke("init", "--ci", "none", cwd=repository.root).returncode == 0
    assert not any((repository.root / ".github").iterdir())


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        (
            {
                "url": "https://git.example.com/ml/modelspec",
                "vcs_info": {"vcs": "git", "commit_id": "a" * 40},
            },
            f"modelspec-gitops @ git+https://git.example.com/ml/modelspec@{'a' * 40}",
        ),
        (
            {"url": "https://me:secret@git.example.com/x", "vcs_info": {"commit_id": "a" * 40}},
            f"modelspec-gitops=={__version__}",
        ),
        ({"url": "file:///home/me/x", "dir_info": {}}, f"modelspec-gitops=={__version__}"),
        ([], f"modelspec-gitops=={__version__}"),
    ],
)
def test_jobs_install_what_wrote_them(record: object, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    from modelspec.cli.jobs import installed

    class Recorded:
        def read_text(self, name: str) -> str:
            assert name == "direct_url.json"
            return json.dumps(record)

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Recorded())
    assert installed() == wanted


def test_owners_become_lines_that_an_environment_overrides(invoke: Run, example: Path) -> None:
    edit(
        example,
        "registry/environments/production/environment.yaml",
        "environment: production\n",
        'environment: production\nowner: "@ml/on-call, oncall@example.com"\n',
    )
    done = invoke("codeowners", "--default", "@ml/platform", cwd=example)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[1] == "/registry/ @ml/platform"
    assert "/registry/models/eta/ @ml-routing" in lines
    assert "/registry/environments/*/models/eta.yaml @ml-routing" in lines
    # The last line that matches is the one that counts.
    assert lines[-2] == "/registry/environments/production/ @ml/on-call oncall@example.com"
    gitlab = invoke("codeowners", "--format", "gitlab", cwd=example).stdout
    assert gitlab.index("[modelspec models]") < gitlab.index("[modelspec environments]")
    data = json.loads(invoke("codeowners", "--format", "json", cwd=example).stdout)
    assert data["format"] == "modelspec/codeowners/1" and data["unknown"] == []


def test_check_compares_the_block_and_leaves_the_lines_around_it(invoke: Run, example: Path) -> None:
    file = example / "CODEOWNERS"
    assert invoke("codeowners", "--check", "CODEOWNERS", cwd=example).returncode == 1
    file.write_text("*.md @docs\n\n" + invoke("codeowners", cwd=example).stdout + "\n/ci/ @ops\n")
    assert invoke("codeowners", "--check", "CODEOWNERS", cwd=example).returncode == 0
    edit(example, "registry/models/eta/model.yaml", '"@ml-routing"', '"@ml-late"')
    done = invoke("codeowners", "--check", "CODEOWNERS", cwd=example)
    assert done.returncode == 1 and "@ml-late" in done.stdout


def test_an_owner_that_no_forge_knows_is_named_and_never_a_line(invoke: Run, example: Path) -> None:
    edit(example, "registry/models/eta/model.yaml", '"@ml-routing"', '"* @evil the team"')
    done = invoke("codeowners", cwd=example)
    assert "evil" not in done.stdout and "models/eta/model.yaml: * @evil the team" in done.stderr
    done = invoke("codeowners", "--default", "@ml # @x", cwd=example)
    assert done.returncode == 2 and "--default #" in done.stderr


def test_patterns_count_from_the_top_of_the_repository(invoke: Run, example: Path, tmp_path: Path) -> None:
    Git(tmp_path)
    assert "\n/example/registry/models/eta/ @ml-routing\n" in invoke("codeowners", cwd=example).stdout


def test_a_folder_that_no_line_can_name_is_a_refusal(invoke: Run, example: Path, tmp_path: Path) -> None:
    Git(tmp_path)
    odd = example.rename(tmp_path / "a\n* @evil")
    done = invoke("codeowners", cwd=odd)
    assert done.returncode == 3 and "@evil" not in done.stdout
