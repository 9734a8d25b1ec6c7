"""The benchmark of the window judges what it says: all windows, and findings where a way is closed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import window

from modelspec.spec.kinds import PIN
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import DictSnapshot


def test_each_window_holds_a_version_a_week() -> None:
    tree, history = window.generated(models=3, environments=2, weeks=5)
    pins = list(Registry(DictSnapshot(tree)).names(PIN))
    assert len(pins) == 6
    for environment, model in pins:
        revisions = history.of(PIN.locate(environment, model))
        assert len(revisions) == 5 and revisions == sorted(revisions, key=lambda one: one.commit.time)
        assert (window.NOW - revisions[0].commit.time).days < 90


def test_it_prints_what_it_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["window.py", "--models", "4", "--environments", "2", "--weeks", "3"])
    assert window.main() == 0
    out = capsys.readouterr().out
    assert out.startswith("4 models x 2 environments x 3 weeks: 24 versions in 8 windows, 0 findings\n")
    assert "judging 0." in out
