"""Stores of any other scheme of fsspec: where the machine names them, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.opening import remote_store
from modelspec.world.stores.verified import troubles
from world.stores.trees import SMALL, laid

fsspec = pytest.importorskip("fsspec", reason="stores at URLs need fsspec")
memory = pytest.importorskip("fsspec.implementations.memory")
STORE = "fsspec+elsewhere://team/models"


class Elsewhere(memory.MemoryFileSystem):  # type: ignore[misc, name-defined]
    """What a package of somebody else's registers."""

    protocol = "elsewhere"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        stripped: str = super()._strip_protocol(str(path).removeprefix("elsewhere:/"))
        return stripped


@pytest.fixture(autouse=True)
def installed() -> None:
    fsspec.register_implementation("elsewhere", Elsewhere, clobber=True)
    Elsewhere.store.clear()
    Elsewhere.pseudo_dirs[:] = [""]


@pytest.mark.parametrize("named", ["elsewhere://team/models", "elsewhere://team/", "x://y elsewhere://team"])
def test_a_tree_goes_there_and_comes_back(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELSPEC_FSSPEC", named)
    store = remote_store(STORE)
    tree = store.put(laid(tmp_path / "source")).digest
    assert store.exists(tree) and troubles(store, tree) == []
    fetch_tree(store, tree, tmp_path / "target")
    assert {path: (tmp_path / "target" / path).read_bytes() for path in SMALL} == SMALL
    [name] = [one for one in Elsewhere.store if one.endswith("model.onnx")]
    Elsewhere.store[name].seek(0)
    Elsewhere.store[name].write(b"\xff")
    assert troubles(store, tree) != []
    assert list(store.trees()) == [tree]
    store.delete(tree)
    assert not store.exists(tree)


@pytest.mark.parametrize(
    "named", [None, "", "elsewhere://team/mod", "elsewhere://team/models/below", "elsewhere"]
)
def test_what_the_machine_does_not_name_is_not_opened(
    named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODELSPEC_FSSPEC", raising=False)
    if named is not None:
        monkeypatch.setenv("MODELSPEC_FSSPEC", named)
    monkeypatch.setattr(Elsewhere, "__init__", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(Refusal, match="this machine does not name it") as refused:
        remote_store(STORE)
    assert "MODELSPEC_FSSPEC=elsewhere://team/models" in (refused.value.hint or "")


def test_a_setting_that_its_package_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSPEC_FSSPEC", "elsewhere://team")

    def needs(self: object, *, token: str, **more: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Elsewhere, "__init__", needs)
    with pytest.raises(Refusal, match=r"can't be opened: .*'token'") as refused:
        remote_store(STORE).exists(f"sha256:{'0' * 64}")
    assert "FSSPEC_ELSEWHERE_TOKEN" in (refused.value.hint or "")

    def fails(self: object, *_: object, **__: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(Elsewhere, "__init__", fails)
    with pytest.raises(Refusal, match=r"can't be opened: KeyError$"):
        remote_store(STORE).exists(f"sha256:{'0' * 64}")


def test_a_package_that_is_not_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSPEC_FSSPEC", "nowhere://team")
    with pytest.raises(Refusal, match="nothing is installed that reads nowhere://"):
        remote_store("fsspec+nowhere://team/models")
