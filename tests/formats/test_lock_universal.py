"""Locks for many platforms at once, as uv 0.13 and Poetry 2.5 wrote them (one wheel of each package is left)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from modelspec.formats.foreign import Unreadable
from modelspec.formats.install import installable
from modelspec.formats.lock import read_lock
from modelspec.formats.markers import Platforms

LOCKS = Path(__file__).parent / "fixtures" / "locks"
PYTHONS = {
    "3.9": "2.0.2",
    "3.10": "2.2.6",
    "3.11": "2.4.6",
    "3.11.7": "2.4.6",
    "3.12": "2.5.5",
    "3.14": "2.5.5",
}


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml"])
@pytest.mark.parametrize(("python", "numpy"), PYTHONS.items())
def test_the_python_that_serves_tells_its_versions_apart(name: str, python: str, numpy: str) -> None:
    source = (LOCKS / name).read_bytes()
    found = read_lock(source, python)
    assert found.packages["numpy"] == numpy and "pyreadline3" not in found.packages
    lines = installable(source, python).requirements.decode().splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        f"{one}=={found.packages[one]}" for one in sorted(found.packages)
    ]


def test_uvs_own_export_has_the_markers_that_were_walked_to() -> None:
    for python in PYTHONS:
        walked, exported = (
            read_lock((LOCKS / name).read_bytes(), python).packages for name in ("uv.lock", "pylock.toml")
        )
        assert walked == exported


def test_poetry_writes_a_marker_beside_each() -> None:
    source = (LOCKS / "poetry.lock").read_bytes()
    assert read_lock(source, "3.10").packages["numpy"] == "2.2.6"
    assert read_lock(source, "3.13").packages == {"colorama": "0.4.6", "numpy": "2.4.6", "packaging": "26.4"}
    grouped = source.replace(
        b'markers = "python_version == \\"3.10\\""',
        b"markers = {main = \"python_version == '3.10'\", dev = \"sys_platform == 'win32'\"}",
    )
    assert grouped != source
    assert read_lock(grouped, "3.13").packages["numpy"] == "2.4.6"


def test_a_lock_of_older_poetry_is_told_apart_by_what_each_package_needs_or_has_to_be_made_anew() -> None:
    # As Poetry 1.8 writes it: no markers, and of each package the Pythons that can install it.
    lines = (LOCKS / "poetry.lock").read_text().splitlines()
    older = [line for line in lines if not line.startswith(("markers = ", "groups = "))]
    source = "\n".join(older).replace('lock-version = "2.1"', 'lock-version = "2.0"').encode()
    assert read_lock(source, "3.10").packages["numpy"] == "2.2.6"
    with pytest.raises(Unreadable, match=r"it pins numpy at .* also for Python 3\.12") as caught:
        read_lock(source, "3.12")
    assert caught.value.fix is not None and "`poetry lock` of Poetry 2.0 or newer" in caught.value.fix
    newer = "\n".join(older).encode()
    with pytest.raises(Unreadable, match="it pins numpy") as caught:
        read_lock(newer, "3.12")
    assert caught.value.fix is not None and "lock for what serves, alone" in caught.value.fix


def test_requirements_with_markers() -> None:
    source = b"numpy==1.26.4 ; python_version < '3.12'\nnumpy==2.4.6 ; python_version >= '3.12'\nx==1 ; os_name == 'nt'\n"
    assert read_lock(source, "3.11").packages == {"numpy": "1.26.4"}
    assert read_lock(source, "3.12.1").packages == {"numpy": "2.4.6"}


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml", "poetry.lock"])
def test_without_a_python_nobody_can_say(name: str) -> None:
    with pytest.raises(Unreadable, match="it pins") as caught:
        read_lock((LOCKS / name).read_bytes())
    assert caught.value.fix is not None and "--python" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "python"), [("uv.lock", "3.8"), ("pylock.toml", "3.8.1"), ("poetry.lock", "3.14")]
)
def test_a_lock_for_another_python_is_refused(name: str, python: str) -> None:
    with pytest.raises(Unreadable, match=f"it is for Python >=3.*, and not for {python}"):
        read_lock((LOCKS / name).read_bytes(), python)


ROOT = b"""version = 1
requires-python = ">=3.11"
[[package]]
name = "mine"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "torch", version = "2.1", marker = "%s" }, { name = "torch", version = "2.2", marker = "%s" }]
[package.optional-dependencies]
more = [{ name = "more" }]
[[package]]
name = "more"
version = "1"
[[package]]
name = "unwanted"
version = "1"
[[package]]
name = "torch"
version = "2.1"
[[package]]
name = "torch"
version = "2.2"
"""


@pytest.mark.parametrize(
    ("python", "one", "other", "found"),
    [
        ("3.11", b"sys_platform == 'darwin'", b"sys_platform != 'darwin'", "2.2"),
        ("3.11", b"python_full_version < '3.11.4'", b"python_full_version >= '3.11.4'", None),
        ("3.11.4", b"python_full_version < '3.11.4'", b"python_full_version >= '3.11.4'", "2.2"),
        ("3.11.3", b"python_full_version < '3.11.4'", b"python_full_version >= '3.11.4'", "2.1"),
        # What nothing here tells: the processor, the extras that were installed, a marker of another day.
        ("3.11", b"platform_machine == 'aarch64'", b"platform_machine != 'aarch64'", None),
        ("3.11", b"extra == 'cpu'", b"extra != 'cpu'", None),
        ("3.11", b"platform_release >= '6'", b"platform_release < '6'", None),
        ("3.11", b"(" * 5000, b"sys_platform == 'win32'", "2.1"),
        ("3.11", b"weather == 'rain'", b"sys_platform == 'win32'", "2.1"),
    ],
)  # fmt: skip
def test_what_a_marker_leaves_open_is_not_guessed(
    python: str, one: bytes, other: bytes, found: str | None
) -> None:
    source = ROOT % (one, other)
    if found is not None:
        assert read_lock(source, python).packages == {"more": "1", "torch": found}
        return
    with pytest.raises(Unreadable, match=f"at 2.1 and at 2.2, also for Python {python} on Linux"):
        read_lock(source, python)


def test_a_script_of_uv_names_what_it_wants_in_the_manifest() -> None:
    source = ROOT.partition(b"[[package]]")[0] + (
        b'[manifest]\nrequirements = [{ name = "numpy" }]\n'
        b'[[package]]\nname = "numpy"\nversion = "2"\ndependencies = [{ name = "numpy" }]\n'
        b'[[package]]\nname = "unwanted"\nversion = "1"\n'
    )
    assert read_lock(source, "3.11").packages == {"numpy": "2"}


def test_conda_has_a_list_for_each_platform() -> None:
    def lock(*rows: tuple[str, str, str]) -> bytes:
        return (
            b"package:\n"
            + "".join(
                f"- {{name: {name}, version: '{version}', platform: {platform}, hash: {{md5: aa}}}}\n"
                for name, version, platform in rows
            ).encode()
        )

    rows = [
        ("numpy", "2.1", "linux-64"),
        ("numpy", "2.2", "osx-64"),
        ("scipy", "1", "linux-64"),
        ("python", "3.11.9", "linux-64"),
    ]
    assert read_lock(lock(*rows), "3.11").packages == {"numpy": "2.1", "scipy": "1"}
    assert read_lock(lock(*rows, ("numpy", "2.3", "linux-aarch64"))).differing == ("numpy",)
    for python in ("3.1", "3.12", "3.11.8"):
        with pytest.raises(Unreadable, match=f"it is for Python 3.11.9, and not for {python}"):
            read_lock(lock(*rows), python)


def test_a_lock_that_is_too_large_is_called_one() -> None:
    with pytest.raises(Unreadable, match="more than 8 MiB") as caught:
        read_lock(b"# " + b"x" * 8 * 1024 * 1024)
    assert caught.value.fix == "lock for what serves, alone"


def test_many_releases_that_are_named_cost_little() -> None:
    platforms = Platforms("3.11", " ".join(f"3.11.{one}" for one in range(1000)))
    assert platforms.where("sys_platform == 'linux'") == platforms.all


@pytest.mark.parametrize("named", [False, True])
def test_packages_of_one_name_that_all_want_it_cost_no_more_than_there_are(named: bool) -> None:
    head = 'version = 1\nrequires-python = ">=3.8"\n[[package]]\nname = "me"\nversion = "0"\n'
    head += 'source = { virtual = "." }\ndependencies = [{ name = "a" }]\n'
    rows = "".join(
        f'[[package]]\nname = "a"\nversion = "{number}"\nsource = {{ registry = "https://x/" }}\n'
        f'dependencies = [{{ name = "a"{f", version = {chr(34)}{number}{chr(34)}" if named else ""} }}]\n'
        for number in range(10_000)
    )
    begin = time.process_time()
    with pytest.raises(Unreadable, match="it pins a at 0 and at 1"):
        read_lock((head + rows).encode(), "3.11")
    assert time.process_time() - begin < 10
