"""What pip installs of each shape of lock: with hashes where the lock has them, and nothing but packages."""

from __future__ import annotations

import pytest

from modelspec.formats.foreign import Unreadable
from modelspec.formats.install import installable

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
UV = f"""version = 1
requires-python = ">=3.11"
[[package]]
name = "project"
version = "0.1.0"
source = {{ virtual = "." }}
[[package]]
name = "numpy"
version = "2.4.6"
source = {{ registry = "https://index.example.com/simple" }}
sdist = {{ url = "https://files.example.com/numpy.tar.gz", hash = "{B}" }}
wheels = [{{ url = "https://files.example.com/numpy.whl", hash = "{A}" }}]
"""
POETRY = f"""[[package]]
name = "numpy"
version = "2.4.6"
markers = "python_version >= '3.11'"
files = [{{file = "numpy.whl", hash = "{A}"}}, {{file = "numpy.tar.gz", hash = "{B}"}}]
"""
PYLOCK = f"""lock-version = "1.0"
[[packages]]
name = "numpy"
version = "2.4.6"
wheels = [{{name = "numpy.whl", hashes = {{sha256 = "{A[7:]}"}}}}]
sdist = {{name = "numpy.tar.gz", hashes = {{sha256 = "{B[7:]}"}}}}
"""


def test_requirements_stay_as_they_are() -> None:
    source = f"numpy==2.4.6 --hash={A}\n".encode()
    made = installable(source)
    assert (made.requirements, made.hashed) == (source, True)
    assert not installable(b"numpy==2.4.6\n").hashed
    assert "options" not in made.note
    # A continued line with its hash is no option; another index is, and whoever reads the report sees it.
    assert "options" not in installable(f"numpy==2.4.6 \\\n    --hash={A}\n".encode()).note
    assert "options of its own" in installable(b"--index-url https://index.example.com\nnumpy==2.4.6\n").note


@pytest.mark.parametrize("source", [UV, POETRY, PYLOCK], ids=["uv", "poetry", "pylock"])
def test_locks_in_toml_become_requirements_with_their_hashes(source: str) -> None:
    made = installable(source.encode())
    marker = " ; python_version >= '3.11'" if source is POETRY else ""
    assert made.requirements.decode() == f"numpy==2.4.6{marker} --hash={A} --hash={B}\n"
    assert made.hashed


@pytest.mark.parametrize(
    "row",
    [
        'source = { git = "https://example.com/own?rev=main#abc" }',
        'source = { url = "https://example.com/own.whl" }',
        'source = {type = "git", url = "https://example.com/own", reference = "main"}',
        'vcs = {type = "git", url = "https://example.com/own", commit-id = "abc"}',
        'archive = {url = "https://example.com/own.zip"}',
    ],
)
def test_what_is_from_no_index_is_not_asked_of_one(row: str) -> None:
    source = UV if not row.startswith(("vcs", "archive")) else PYLOCK
    name = "package" if source is UV else "packages"
    with pytest.raises(Unreadable, match="own is from no index"):
        installable(f'{source}[[{name}]]\nname = "own"\nversion = "1.0"\n{row}\n'.encode())


def test_another_index_is_one() -> None:
    source = 'source = {type = "legacy", url = "https://index.example.com/simple", reference = "own"}'
    assert installable((POETRY + source).encode()).hashed


def test_one_package_without_a_hash_and_none_is_proven() -> None:
    made = installable((UV + '[[package]]\nname = "own"\nversion = "1.0"\n').encode())
    assert made.requirements == b"numpy==2.4.6\nown==1.0\n" and not made.hashed
    assert "without hashes" in made.note


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"numpy"', r'"numpy\n--index-url https://evil.example.com"'),
        ('"2.4.6"', r'"2.4.6 --index-url=https://evil.example.com"'),
        ('"numpy"', '"-r /etc/passwd"'),
    ],
)
def test_no_name_and_no_version_becomes_an_option(old: str, new: str) -> None:
    with pytest.raises(Unreadable):
        installable(POETRY.replace(old, new).encode())


def test_no_marker_and_no_hash_becomes_an_option() -> None:
    evil = POETRY.replace("python_version >= '3.11'", r"x\n-r /etc/passwd").replace(B, r"sha256:0 -r x")
    assert installable(evil.encode()).requirements.decode() == f"numpy==2.4.6 --hash={A}\n"


@pytest.mark.parametrize(
    "marker",
    [
        'markers = "extra == \\"fast\\""',
        "marker = \"sys_platform == 'linux' and 'fast' in extras\"",
        "marker = \"'serve' in dependency_groups\"",
    ],
)
def test_extras_and_groups_are_installed_as_they_are_recorded(marker: str) -> None:
    """pip skips requirements whose marker asks for an extra, and breaks at those that ask for a group."""
    source = POETRY.replace("markers = \"python_version >= '3.11'\"", marker)
    assert source != POETRY
    made = installable(source.encode(), "3.11")
    assert made.requirements.decode() == f"numpy==2.4.6 --hash={A} --hash={B}\n"


def test_what_pip_does_not_install_is_said() -> None:
    conda = b"package:\n  - {name: numpy, version: 2.4.6, hash: {sha256: a}}\n"
    with pytest.raises(Unreadable, match="conda"):
        installable(conda)
