"""A world that knows its truth, traced: nothing is named wrong, and what is kept comes again bit for bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="the models are made with onnx")
pytest.importorskip("pyarrow", reason="the logs are Parquet")
pytest.importorskip("onnxruntime", reason="the models are asked")

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from simulation.generate import generate, world
from simulation.logs import system_of
from simulation.tracing import GRADES, Request, by_command, drawn, table, trace
from simulation.world import ENVIRONMENTS, Size

SMALL = Size(days=24, models=10, promotions=120, records=3000, seed=7, keep=16)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world, written."""
    out = tmp_path_factory.mktemp("simulated")
    generate(SMALL, out, workers=1)
    return out


def requests(out: Path, size: Size, count: int) -> list[Request]:
    lines, pins, _ = world(size)
    return drawn(out, pins, lines, count, size.seed)


def git(out: Path, *arguments: str) -> str:
    command = ["git", "-C", str(out / "registry"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_who_answered_is_named_or_nobody_is(small: Path) -> None:
    found = requests(small, SMALL, 50)
    result = trace(small / "registry", found)
    assert len(result.outcomes) == 50
    assert not result.wrong, table(result)
    assert not result.unequal, table(result)
    assert not result.astray
    assert sum(one.right is True for one in result.outcomes) > 40, table(result)
    assert "missing" not in {one.grade for one in result.outcomes}
    alone = trace(small / "registry", found, replay=False)
    assert not alone.wrong, table(alone, replays=False)


def test_the_command_says_the_same(small: Path) -> None:
    stamped = next(one for one in requests(small, SMALL, 50) if one.system.stamped)
    [said] = by_command(small / "registry", [stamped])
    assert (said.grade, said.right) == ("stamp", True)


def test_the_registry_is_sound_and_only_the_arguments_decide_it(small: Path, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("modelspec")), "check", "--root", str(small / "registry")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    generate(SMALL, tmp_path, workers=1)
    branches = ("rev-parse", "main", "modelspec/receipts")
    assert git(small, *branches) == git(tmp_path, *branches)
    assert int(git(small, "rev-list", "--count", "--first-parent", "main")) > SMALL.promotions


def test_the_world_is_hard_enough() -> None:
    lines, pins, _ = world(SMALL)
    kinds = {change.kind for pin in pins for change in pin.changes}
    assert kinds >= {"promote", "canary", "roll back", "coordinated", "shadow"}
    assert {pin.environment for pin in pins} == set(ENVIRONMENTS)
    assert len({system_of(model).name for model in range(10)}) == 5
    assert {system_of(model).stamped for model in range(20)} == {0, 12, 32, 64}
    shared = [one.artifact for line in lines for one in line.versions]
    assert len(set(shared)) < len(shared), "no two versions share their weights"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_many_requests_of_a_larger_world(tmp_path: Path, seed: int) -> None:
    size = Size(days=45, models=20, promotions=300, records=150_000, seed=seed, keep=30)
    generate(size, tmp_path, workers=2)
    found = requests(tmp_path, size, 1500)
    for replay in (True, False):
        result = trace(tmp_path / "registry", found, replay=replay)
        assert not result.wrong, table(result)
        assert not result.astray
        assert not replay or not result.unequal
    assert {one.grade for one in result.outcomes} - {"half lost"} <= set(GRADES) - {"missing"}
