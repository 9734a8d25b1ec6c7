"""The window looks only at models that a change may concern: what it finds is what looking at all would find."""

from __future__ import annotations

import pytest

from modelspec.compile.render import HoleRenderer
from modelspec.rules import window
from modelspec.rules.rule import Scene
from modelspec.spec.instant import instant
from rules.cases import NOW, cases, codes, opened


@pytest.mark.parametrize("code", [code for code in codes() if code >= "MS3"])
def test_no_way_back_is_overlooked(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for case in cases(code):
        head, against = opened({"history": [], **case})
        assert against is not None
        found = []
        for _ in range(2):
            scene = Scene(head, HoleRenderer(), now=instant(case.get("now", NOW)), against=against)
            found.append(list(window.way_back_open.judge(against, scene)))
            monkeypatch.setattr(window, "_models", lambda *worlds: sorted(worlds[2].slots))
        monkeypatch.undo()
        assert found[0] == found[1], case["name"]
