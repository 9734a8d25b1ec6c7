"""Cases of rules as data: a small registry, a few edits of it, and all that is found then.

Each `<CODE>.yaml` beside this file is a list of cases:

    - name: what is tried
      edits:                         # of tests/valid, in order
        - {file: PATH, old: TEXT, new: TEXT}     # OLD stands in the file exactly once
        - {file: PATH, content: TEXT}            # or `base64: TEXT` for bytes that are no text
        - {file: PATH, delete: true}
        - {file: PATH, mode: 120000}             # git's mode: a link
      history:                       # there is a base: the commits of main after its first, which is the ground
        - {at: INSTANT, edits: [...], subject: TEXT}     # the edits above are the change on top of the last
      rewrites: [{ref: main, was: COMMIT, now: COMMIT}]  # what is remembered of refs and does not hold
      now: "2026-11-24T00:00:00Z"    # the instant of the check; this one when it is not given
      finds:                         # all findings of the rule, as printed
        - PATH:LINE:COLUMN CODE MESSAGE -> FIX   # ` -> FIX` may be left out; a trailing … stands for the rest
      related:                       # all related places of these findings; may be left out
        - PATH:LINE:COLUMN MESSAGE
      also: [MS101]                  # codes of other rules that fire on the way

`<digest PATH>` in `new` or `content` stands for the spec digest of that file as edited so far.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from modelspec.api.catalogue import CATALOGUE
from modelspec.compile.render import HoleRenderer
from modelspec.delta.pairs import Against, Rewrite, against
from modelspec.report.located import located
from modelspec.rules.rule import Scene
from modelspec.rules.run import run
from modelspec.spec.instant import instant
from modelspec.spec.reader import Reader
from modelspec.spec.registry import Registry
from modelspec.tree.digest import spec_digest
from modelspec.tree.finding import Finding
from modelspec.tree.snapshot import DictSnapshot
from modelspec.tree.yaml import read
from rules.past import Past, commit_of

HERE = Path(__file__).parent
GROUND = HERE.parent / "valid"
NOW = "2026-11-24T00:00:00Z"
FIRST = "2026-01-01T00:00:00Z"
"""When the ground was committed."""

_READER = Reader()
_RENDERER = HoleRenderer()


@dataclass
class Tree:
    """Files and modes, as the edits left them."""

    files: dict[str, bytes]
    modes: dict[str, int] = field(default_factory=dict)

    def snapshot(self) -> DictSnapshot:
        return DictSnapshot(self.files, self.modes)


@cache
def ground() -> Mapping[str, bytes]:
    """Return the registry that all cases edit: copies of it, since it is read once."""
    found = sorted(path for path in GROUND.rglob("*") if path.is_file())
    return MappingProxyType({path.relative_to(GROUND).as_posix(): path.read_bytes() for path in found})


@cache
def cases(code: str) -> list[dict[str, Any]]:
    """Return the cases of a rule."""
    return list(yaml.safe_load((HERE / f"{code}.yaml").read_text(encoding="utf-8")))


def codes() -> list[str]:
    """Return the codes that have a file of cases."""
    return sorted(path.stem for path in HERE.glob("MS*.yaml"))


def edited(edits: list[dict[str, Any]], tree: Tree | None = None) -> Tree:
    """Return the ground, or a tree, with the edits applied."""
    tree = Tree(dict(ground())) if tree is None else Tree(dict(tree.files), dict(tree.modes))
    for edit in edits:
        _apply(tree, edit)
    return tree


def _apply(tree: Tree, edit: dict[str, Any]) -> None:
    path = edit["file"]
    if "mode" in edit:
        tree.modes[path] = int(str(edit["mode"]), 8)
        tree.files.setdefault(path, b"")
    elif edit.get("delete"):
        del tree.files[path]
    elif "base64" in edit:
        tree.files[path] = base64.b64decode(edit["base64"])
    elif "content" in edit:
        tree.files[path] = _with_digests(tree, edit["content"]).encode()
    else:
        text = tree.files[path].decode()
        assert text.count(edit["old"]) == 1, f"{path} has {text.count(edit['old'])} times {edit['old']!r}"
        tree.files[path] = text.replace(edit["old"], _with_digests(tree, edit["new"])).encode()


def _with_digests(tree: Tree, text: str) -> str:
    def digest(match: re.Match[str]) -> str:
        data, faults = read(tree.files[match[1]])
        assert not faults, faults
        return spec_digest(data)

    return re.sub(r"<digest ([^>]+)>", digest, text)


def findings(case: dict[str, Any]) -> tuple[Registry, tuple[Finding, ...]]:
    """Judge a case; return the registry and all findings that no waiver lifts."""
    registry, beside = opened(case)
    now: datetime | None = instant(case.get("now", NOW))
    assert now is not None
    scene = Scene(registry, _RENDERER, catalogue=CATALOGUE, now=now, against=beside)
    return registry, tuple(one for one in run(CATALOGUE, scene) if one.waived is None)


def opened(case: dict[str, Any]) -> tuple[Registry, Against | None]:
    """Return the head of a case, and what it is compared with when the case has a history."""
    if "history" not in case:
        return Registry(edited(case["edits"]).snapshot(), _READER), None
    tree = edited([])
    trees = []
    for number, commit in enumerate([{"at": FIRST, "edits": [], "subject": "The ground"}, *case["history"]]):
        time = instant(commit["at"])
        assert time is not None
        tree = edited(commit["edits"], tree)
        trees.append((commit_of(number, time, commit.get("subject", "A change")), tree.snapshot()))
    head = Registry(edited(case["edits"], tree).snapshot(), _READER)
    rewrites = [Rewrite(**one) for one in case.get("rewrites", [])]
    return head, against(Registry(trees[-1][1], _READER), head, Past(trees), rewrites)


def printed(registry: Registry, finding: Finding) -> str:
    """Return a finding in the form that cases write."""
    spot = located(registry, finding.place)
    text = f"{spot.path}:{spot.mark.line}:{spot.mark.column} {finding.code} {finding.message}"
    return f"{text} -> {finding.fix}" if finding.fix else text


def printed_related(registry: Registry, finding: Finding) -> list[str]:
    """Return the related places of a finding in the form that cases write."""
    spots = [(located(registry, one.place), one.message) for one in finding.related]
    return [f"{spot.path}:{spot.mark.line}:{spot.mark.column} {message}" for spot, message in spots]


def agrees(expected: str, found: str) -> bool:
    """Whether a finding is the expected one."""
    if expected.endswith("…"):
        return found.startswith(expected[:-1])
    return expected == (found if " -> " in expected else found.partition(" -> ")[0])
