"""The plan of a change: kinds by state, gates, reach, the way back, configs; as text, Markdown and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from modelspec.api.plan import Plan, plan
from modelspec.compile.render import HoleRenderer
from modelspec.report.paint import Paint
from modelspec.report.plan import Between, headline, plan_json, plan_text
from modelspec.report.plan_markdown import BUDGET, MARKER, escaped, plan_markdown
from modelspec.spec.registry import Registry
from rules.cases import opened

PIN = "registry/environments/production/models/eta.yaml"
STAGING = "registry/environments/staging/models/eta.yaml"
SERVED = "registry/environments/production/features/trips.yaml"
VERSIONS = "registry/models/eta/versions"
HEAD = "apiVersion: modelspec/v1\nkind: Pin\nenvironment: production\nmodel: eta\n"
FINISH = {"file": PIN, "content": f"{HEAD}stable:\n  version: 1.2.0@<digest {VERSIONS}/1.2.0.yaml>\n"}
BACK = {"file": PIN, "content": f"{HEAD}stable:\n  version: 1.1.0@<digest {VERSIONS}/1.1.0.yaml>\n"}
BETWEEN = Between("a" * 40, None)


def planned(*edits: dict[str, Any], history: list[dict[str, Any]] | None = None) -> tuple[Registry, Plan]:
    head, against = opened({"edits": list(edits), "history": history or []})
    assert against is not None
    found = plan(
        head,
        against,
        now=datetime(2026, 11, 24, tzinfo=UTC),
        renderer=HoleRenderer(),
        trusted=frozenset(),
    )
    return head, found


def test_layout_alone_is_no_change_in_meaning() -> None:
    _, found = planned({"file": PIN, "old": "serve:", "new": "# why\nserve:"})
    assert found.diff.empty and headline(found) == "no change in meaning: comments and layout only"


def test_nothing_is_no_change() -> None:
    _, found = planned({"file": "README.md", "content": "x"})
    assert headline(found) == "no change"


@pytest.mark.parametrize(
    ("edits", "kinds"),
    [
        ([FINISH], ("canary finish", "standby", "params", "reason")),
        ([{"file": PIN, "old": "weight: 10", "new": "weight: 20"}], ("canary step",)),
        ([{"file": PIN, "old": "replicas: 2", "new": "replicas: 3"}], ("params",)),
        ([{"file": PIN, "delete": True}], ("removal",)),
        ([{"file": PIN, "old": "serve:", "new": "hold: {text: Wait}\nserve:"}], ("hold",)),
        (
            [{"file": SERVED, "old": "access: current", "new": "access: numbered"}],
            ("feature rollout",),
        ),
        ([{"file": "registry/modelspec.yaml", "old": "stores:", "new": "retention: {days: 30}\nstores:"}],
         ("settings",)),
        ([{"file": "templates/plain/params.schema.json", "content": "{}\n"}], ("template",)),
        (
            [{"file": "registry/models/eta/model.yaml", "old": "kind: Model", "new":
              f"kind: Model\nretired:\n  - {{version: 1.3.0@<digest {VERSIONS}/1.3.0.yaml>, state: withdrawn, reason: Bad}}"}],
            ("retire withdrawn", "model"),
        ),
        (
            [{"file": "registry/features/trips/3.yaml", "content":
              "apiVersion: modelspec/v1\nkind: FeatureSchema\nview: trips\nnumber: 3\nfields: []\n"}],
            ("publish schema",),
        ),
    ],
)  # fmt: skip
def test_kinds_are_told_by_state(edits: list[dict[str, Any]], kinds: tuple[str, ...]) -> None:
    _, found = planned(*edits)
    assert found.kinds == kinds


def test_a_finished_canary_is_ready_and_says_the_way_back() -> None:
    head, found = planned(FINISH)
    assert not found.blocked
    [pin] = found.pins
    assert [gate.name for gate in pin.gates] == ["order", "soak", "canary", "metrics", "metrics", "freeze"]
    assert all(gate.met for gate in pin.gates)
    assert pin.back is not None and pin.back.standing.says.value == "SAFE" and not pin.back.warm
    text = plan_text(head, found, BETWEEN, Paint(False))
    assert text.startswith("ready: canary finish")
    assert "production/eta to 1.1.0: SAFE" in text
    assert "compiled/production/models/eta/plain/slots.yaml" in text


def test_a_gate_that_time_alone_lifts_says_when() -> None:
    s13 = {
        "file": STAGING,
        "content": HEAD.replace("production", "staging")
        + f"stable:\n  version: 1.3.0@<digest {VERSIONS}/1.3.0.yaml>\n",
    }
    canary = (
        f"{HEAD}canary:\n  version: 1.3.0@<digest {VERSIONS}/1.3.0.yaml>\n  weight: 5\n"
        f"stable:\n  version: 1.1.0@<digest {VERSIONS}/1.1.0.yaml>\n"
    )
    history = [{"at": "2026-11-23T23:00:00Z", "edits": [s13]}]
    _, found = planned({"file": PIN, "content": canary}, history=history)
    assert found.blocked
    assert headline(found) == "blocked: 1 error; time alone lifts it, at 2026-11-24T23:00:00Z"


def test_a_warm_standby_makes_the_way_back_instant() -> None:
    warm = (
        f"{HEAD}standby:\n  version: 1.1.0@<digest {VERSIONS}/1.1.0.yaml>\n"
        f"stable:\n  version: 1.2.0@<digest {VERSIONS}/1.2.0.yaml>\n"
    )
    _, found = planned({"file": PIN, "content": warm})
    [pin] = found.pins
    assert pin.back is not None and pin.back.warm


def test_a_restore_that_skips_a_promotion_says_so() -> None:
    content = f"{HEAD}stable:\n  version: 1.0.0@<digest {VERSIONS}/1.0.0.yaml>\n"
    history = [
        {"at": "2026-01-02T00:00:00Z", "edits": [{"file": PIN, "content": content}]},
        {"at": "2026-01-03T00:00:00Z", "edits": [BACK]},
        {"at": "2026-01-04T00:00:00Z", "edits": [FINISH]},
    ]
    head, found = planned({"file": PIN, "content": content}, history=history)
    [pin] = found.pins
    assert [change.kind for change in pin.diff.changes] == ["restore"]
    assert pin.back is not None and pin.back.skips is not None and pin.back.skips.startswith("1.1.0@")
    assert "1.1.0 served in between" in plan_text(head, found, BETWEEN, Paint(False))
    _, latest = planned(BACK, history=history)
    assert latest.pins[0].back is not None and latest.pins[0].back.skips is None


def test_a_view_that_moves_names_its_other_readers() -> None:
    moved = "serves:\n  - 2@<digest registry/features/trips/2.yaml>\n  - 1@sha256"
    head, found = planned({"file": SERVED, "old": "serves:\n  - 1@sha256", "new": moved})
    assert ("production", "trips", "eta") in found.reach.readers
    assert "production/eta reads trips too, and does not move" in plan_text(
        head, found, BETWEEN, Paint(False)
    )


def test_what_a_revert_takes_along_is_named() -> None:
    other = {
        "file": "registry/environments/production/environment.yaml",
        "old": "canary: 2h",
        "new": "canary: 3h",
    }
    _, found = planned(FINISH, other)
    [pin] = found.pins
    assert pin.back is not None and pin.back.along == (other["file"],)


def test_only_what_the_change_reaches_is_read() -> None:
    """A broken file elsewhere is not looked at; with a change of settings everything is."""
    broken = {"file": f"{VERSIONS}/1.3.0.yaml", "content": "x"}
    history = [{"at": "2026-01-02T00:00:00Z", "edits": [broken]}]
    _, found = planned(FINISH, history=history)
    assert not found.findings and not found.reach.whole
    settings = {"file": "registry/modelspec.yaml", "old": "stores:", "new": "retention: {days: 30}\nstores:"}
    _, found = planned(settings, history=history)
    assert found.reach.whole and any(one.existing for one in found.findings)


def test_json_has_the_documented_shape() -> None:
    head, found = planned(FINISH)
    data = json.loads(plan_json(head, found, BETWEEN))
    assert data["format"] == "modelspec/plan/1"
    assert data["changes"] and not data["blocked"]
    assert data["pins"][0]["way_back"]["verdict"] == "SAFE"
    assert {"name", "slot", "met", "waived", "told", "when"} == set(data["pins"][0]["gates"][0])


def test_markdown_is_one_comment_with_a_marker_and_a_table() -> None:
    head, found = planned(FINISH)
    text = plan_markdown(head, found, BETWEEN)
    assert text.startswith(MARKER + "\n### modelspec: ✅ ready: canary finish")
    assert "| production | eta | 1.1.0 → 1.2.0" in text
    assert text.count("<details>") == text.count("</details>")


def test_markdown_keeps_within_the_budget_and_says_what_it_left_out() -> None:
    lines = "".join(f"  - {{name: m{n}, better: lower, bound: 3.0}}\n" for n in range(300))
    gates = {
        "file": "registry/environments/production/environment.yaml",
        "old": "  metrics:\n",
        "new": "  metrics:\n" + lines.replace("  - ", "    - "),
    }
    head, found = planned(FINISH, gates)
    text = plan_markdown(head, found, BETWEEN)
    assert BUDGET * 0.9 < len(text) <= BUDGET
    assert "Left out for length" in text and "... and more" in text and "MS534" in text
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize(
    "hostile",
    [
        "@everyone",
        "[x](javascript:a)",
        "<img src=x>",
        "a|b",
        "`code`",
        "#12",
        "![x](y)",
        "\u202eevil",
        "\n# x",
    ],
)
def test_untrusted_text_does_nothing_in_markdown(hostile: str) -> None:
    shown = escaped(hostile)
    assert "\n" not in shown and "\u202e" not in shown
    for char in "<|`[":
        assert char not in shown.replace("\\" + char, "")
    assert "@e" not in shown
