"""A hundred random things that people do to one main, from two clones, through a hook that judges each push.

After each, what modelspec derives equals a model told by other means (`model.py`), and what was refused is
never on main.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from conftest import GIT_ENV, Git
from forge.forge import Forge
from forge.model import Name, Pin, State, allowed, before, undone
from forge.said import pin_of, rows_of
from promote import lab

ENVIRONMENTS, MODELS, FIRST = ("staging", "production"), ("m0", "m1"), ("1.0.0", "1.1.0", "1.2.0")
STAGES = {"staging": "Staging", "production": "Production"}
names = st.tuples(st.sampled_from(ENVIRONMENTS), st.sampled_from(MODELS))
versions = st.sampled_from(FIRST)
weights = st.sampled_from([None, 10, 50])
clones = st.sampled_from([0, 1])
Act = Callable[[Git], State]
"""Does something in a clone as one commit; gives the state that main would have."""


@dataclass(frozen=True)
class Merged:
    """A commit of main with what it did, and the branch that came with it."""

    commit: str
    parents: int
    branch: str | None = None


class Main(RuleBasedStateMachine):
    """The forge, two clones, and the model beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="forge-")))
        self.forge = Forge(folder, lab.files(len(MODELS), len(FIRST), ENVIRONMENTS, chained=True))
        self.stack.enter_context(self.forge.quick())
        pins = {(one, model): Pin(FIRST[0]) for one in ENVIRONMENTS for model in MODELS}
        published = frozenset((model, version) for model in MODELS for version in FIRST)
        self.log = [State(pins, published, {})]
        self.main = [Merged(self.forge.git("rev-parse", "main"), 0)]
        self.refused: set[str] = set()
        self.count = 0

    def teardown(self) -> None:
        try:
            git = self.fresh(0)
            for verb in (("check",), ("compile", "--check")):
                code, said = lab.run(git.root, *verb)
                assert code == 0, said
        finally:
            self.stack.close()

    # What a step is made of

    @property
    def now(self) -> State:
        return self.log[-1]

    def fresh(self, clone: int) -> Git:
        """A clone that is where the forge is."""
        git = self.forge.clones[clone]
        git("fetch", "--quiet", "origin")
        git("switch", "--quiet", "--discard-changes", "--force-create", "main", "origin/main")
        git("clean", "-qfdx")
        return git

    def push(self, git: Git, state: State, may: bool, parents: int = 1, branch: str | None = None) -> bool:
        """Push what is checked out; whether it is accepted was foretold."""
        tip = git("rev-parse", "HEAD")
        pushed = self.forge.push(git)
        assert pushed.accepted == may, f"foretold {may}: {pushed.said}"
        if may:
            self.log.append(state)
            self.main.append(Merged(tip, parents, branch))
        else:
            self.refused.add(tip)
        return may

    def verb(self, git: Git, state: State, *arguments: str) -> bool:
        """Run a verb that commits; it refuses by itself what the hook would refuse. Whether it committed."""
        tip = git("rev-parse", "HEAD")
        code, said = lab.run(git.root, *arguments, "--commit")
        assert "Traceback" not in said, said
        assert (code == 0) == allowed(self.log, state), f"{arguments}: {said}"
        assert git("status", "--porcelain") == ""
        return git("rev-parse", "HEAD") != tip

    def by_hand(self, git: Git, name: Name, pin: Pin) -> State:
        """Edit a pin as an editor does, compile if that goes, and commit."""
        canary = (
            f"canary: {{version: {lab.ref(name[1], pin.canary[0])}, weight: {pin.canary[1]}}}\n"
            if pin.canary
            else ""
        )
        text = lab.pin(*name, pin.stable, canary).decode()
        hold = f"hold: {{text: {pin.hold}}}\n" if pin.hold else ""
        text = text.replace("serve:\n", hold + "serve:\n")
        (git.root / f"registry/environments/{name[0]}/models/{name[1]}.yaml").write_text(text)
        lab.run(git.root, "compile")
        git.commit(f"By hand: {name} {pin}")
        return self.now.with_pin(name, pin)

    # What people do

    @rule(clone=clones, model=st.sampled_from(MODELS))
    def publish(self, clone: int, model: str) -> None:
        self.count += 1
        number = f"1.{len(FIRST) + self.count}.0"
        git = self.fresh(clone)
        (git.root / f"registry/models/{model}/versions/{number}.yaml").write_bytes(lab.version(model, number))
        git.commit(f"Publish {model} {number}")
        self.push(git, replace(self.now, published=self.now.published | {(model, number)}), may=True)

    @rule(clone=clones, name=names, version=versions, weight=weights, data=st.data())
    def promote(self, clone: int, name: Name, version: str, weight: int | None, data: st.DataObject) -> None:
        others = sorted(ref for model, ref in self.now.published if model == name[1] and ref not in FIRST)
        version = data.draw(st.sampled_from([version, *others]))
        if (name[1], version) not in self.now.published:
            return
        git, state = self.fresh(clone), self.promoted(name, version, weight)
        more = () if weight is None else ("--canary", str(weight))
        if self.verb(git, state, "promote", name[1], version, "--to", name[0], *more):
            self.push(git, state, may=True)
        else:
            assert state == self.now or not allowed(self.log, state)

    def promoted(self, name: Name, version: str, weight: int | None) -> State:
        pin = self.now.pins[name]
        if weight is not None:
            return self.now.with_pin(name, replace(pin, canary=(version, weight)))
        left = None if pin.canary is not None and pin.canary[0] == version else pin.canary
        return self.now.with_pin(name, replace(pin, stable=version, canary=left))

    @rule(clone=clones, name=names, version=versions, weight=weights, hold=st.sampled_from([None, "a", "b"]))
    def edit(self, clone: int, name: Name, version: str, weight: int | None, hold: str | None) -> None:
        """Nothing judges it before the hook does."""
        pin = replace(self.promoted(name, version, weight).pins[name], hold=hold)
        if pin != self.now.pins[name] and (name[1], version) in self.now.published:
            git = self.fresh(clone)
            state = self.by_hand(git, name, pin)
            self.push(git, state, may=allowed(self.log, state))

    @rule(clone=clones, name=names)
    def hold_or_release(self, clone: int, name: Name) -> None:
        pin = self.now.pins[name]
        self.count += 1
        text = None if pin.hold else f"wait {self.count}"
        more = ("--release",) if text is None else ("--reason", text)
        git, state = self.fresh(clone), self.now.with_pin(name, replace(pin, hold=text))
        assert self.verb(git, state, "hold", name[1], "--env", name[0], *more)
        self.push(git, state, may=True)

    @rule(clone=clones, model=st.sampled_from(MODELS), version=versions, withdrawn=st.booleans())
    def retire(self, clone: int, model: str, version: str, withdrawn: bool) -> None:
        word = "withdrawn" if withdrawn else "archived"
        known = self.now.retired.get((model, version))
        if (model, version) not in self.now.published or known in (word, "withdrawn") or version == FIRST[0]:
            return
        git = self.fresh(clone)
        state = replace(self.now, retired={**self.now.retired, (model, version): word})
        if self.verb(git, state, "retire", model, version, "--state", word, "--reason", "Late"):
            self.push(git, state, may=True)

    @rule(clone=clones, name=names)
    def roll_back(self, clone: int, name: Name) -> None:
        target, pin = before(self.log, name), self.now.pins[name]
        git = self.fresh(clone)
        self.count += 1
        arguments = ("rollback", name[1], "--env", name[0], "--reason", f"back {self.count}", "--commit")
        code, said = lab.run(git.root, *arguments)
        assert "Traceback" not in said, said
        if git("rev-parse", "HEAD") == self.main[-1].commit:
            # It has just gone back and is held, or nothing was before.
            assert pin.hold is not None if code == 0 else (code, target) == (1, None), said
            return
        assert code == 0 and target is not None, said
        state = self.now.with_pin(name, replace(target, hold=f"back {self.count}"))
        assert allowed(self.log, state)
        at = max(index for index, one in enumerate(self.log) if one.pins[name] == target)
        assert self.configs(git, "HEAD", name) == self.configs(git, self.main[at].commit, name)
        self.push(git, state, may=True)

    @rule(clone=clones, back=st.integers(1, 6))
    def revert(self, clone: int, back: int) -> None:
        """Of a live promotion, of a superseded one, of a revert, of a merge, of what was published."""
        if back >= len(self.main):
            return
        git, merged = self.fresh(clone), self.main[-back]
        was, did = self.log[-back - 1], self.log[-back]
        moved = [name for name in did.pins if did.pins[name] != was.pins[name]]
        later = git("log", "--format=%H", f"{merged.commit}..HEAD", "--", *self.paths(git, merged))
        parent = ("-m", "1") if merged.parents > 1 else ()
        done = self.run(git, "revert", "--no-edit", *parent, merged.commit)
        if not later:
            assert done == 0, "nothing came after it"
        if done:
            self.run(git, "revert", "--abort")
            return
        state = undone(was, did, self.now)
        assert state is not None, "git joined what two people meant"
        if git("diff", "--name-only", "HEAD^", "HEAD") == "":
            return
        for name in moved if not later else ():
            assert self.configs(git, "HEAD", name) == self.configs(git, f"{merged.commit}^", name)
        self.push(git, state, may=allowed(self.log, state))

    @rule(name=names, other=names, one=versions, two=versions, how=st.sampled_from(["rebase", "merge"]))
    def both_at_once(self, name: Name, other: Name, one: str, two: str, how: str) -> None:
        """Two promotions from the same tip: the second is refused by git, then judged again on the first."""
        first, second = self.fresh(0), self.fresh(1)
        state, beside = self.promoted(name, one, None), self.promoted(other, two, None)
        if self.verb(second, beside, "promote", other[1], two, "--to", other[0]) and (
            self.verb(first, state, "promote", name[1], one, "--to", name[0])
        ):
            self.push(first, state, may=True)
            behind = self.forge.push(second)
            assert not behind.accepted and "fetch first" in behind.said
            second("fetch", "--quiet", "origin")
            after = self.now.with_pin(other, beside.pins[other])
            code = self.run(second, how, *(["--no-edit"] if how == "merge" else []), "origin/main")
            assert (code != 0) == (name == other and beside.pins[other] != state.pins[name]), (
                "a false conflict"
            )
            if code:
                self.run(second, how, "--abort")
                return
            if how == "merge" and second("rev-parse", "HEAD") != self.main[-1].commit:
                self.refused.add(second("rev-parse", "HEAD"))
                pushed = self.forge.push(second)
                assert not pushed.accepted and "MS406" in pushed.said
            elif second("rev-parse", "HEAD") != self.main[-1].commit:
                self.push(second, after, may=allowed(self.log, after))

    @rule(name=names, other=names, version=versions, squash=st.booleans())
    def branch(self, name: Name, other: Name, version: str, squash: bool) -> None:
        """A branch with a promotion, merged or squashed after main moved on."""
        pin = self.promoted(name, version, None).pins[name]
        if pin == self.now.pins[name] or (name[1], version) not in self.now.published:
            return
        git = self.fresh(0)
        self.count += 1
        topic = f"topic-{self.count}"
        git("switch", "--quiet", "--create", topic)
        self.by_hand(git, name, pin)
        if other != name:
            self.hold_or_release(1, other)
        git = self.fresh(0)
        how = ("--squash",) if squash else ("--no-ff", "--no-edit")
        assert self.run(git, "merge", *how, topic) == 0, "a false conflict"
        if squash:
            git("commit", "--quiet", "-m", f"Merge {topic}")
        state = self.now.with_pin(name, pin)
        parents = 1 if squash else 2
        self.push(git, state, allowed(self.log, state), parents, None if squash else topic)

    @rule()
    def merge_again(self) -> None:
        """Whatever became of it since: git does nothing, and the pins stay as they are."""
        for merged in [one for one in self.main if one.branch is not None][-1:]:
            git = self.fresh(0)
            assert "Already up to date" in git("merge", merged.branch or "")
            assert git("rev-parse", "HEAD") == self.main[-1].commit

    @rule(
        clone=clones,
        model=st.sampled_from(MODELS),
        version=versions,
        what=st.sampled_from(["delete", "edit", "compiled", "main", "force"]),
    )
    def harm(self, clone: int, model: str, version: str, what: str) -> None:
        """What must never be: always refused."""
        git = self.fresh(clone)
        file = git.root / f"registry/models/{model}/versions/{version}.yaml"
        if what in ("main", "force"):
            arguments = [":main"] if what == "main" else ["--force", f"{self.main[0].commit}:refs/heads/main"]
            if what == "main" or len(self.main) > 1:
                assert not self.forge.push(git, *arguments).accepted
            return
        if what == "compiled":
            file = git.root / f"compiled/staging/models/{model}/kserve/inference-service.yaml"
        if what == "delete":
            if (model, version) in self.now.retired and all(
                version not in pin.answering for (_, one), pin in self.now.pins.items() if one == model
            ):
                return
            file.unlink()
        else:
            file.write_text(file.read_text() + "nonsense: true\n")
        git.commit(f"{what} {file.name}")
        self.push(git, self.now, may=False)

    # What must hold after each

    @invariant()
    def main_is_what_was_accepted(self) -> None:
        listed = self.forge.git("rev-list", "--first-parent", "--reverse", "main").split()
        assert listed == [one.commit for one in self.main]
        assert self.refused.isdisjoint(self.forge.git("rev-list", "--all").split())

    @invariant()
    def what_is_derived_is_what_was_meant(self) -> None:
        assert self.listed("main") == self.states(self.now)
        for model in MODELS:
            shown = self.json("show", model, "--ref", "main")
            assert rows_of(model, shown["versions"]) == {
                one for one in self.states(self.now) if one[0] == model
            }
        earlier = len(self.log) // 2
        assert self.listed(self.main[earlier].commit) == self.states(self.log[earlier])
        times: list[int] = []
        for text in self.forge.git("log", "--first-parent", "--reverse", "--format=%ct", "main").split():
            times.append(max(int(text), *times[-1:]) if times else int(text))
        last = max(index for index, time in enumerate(times) if time <= times[earlier])
        instant = datetime.fromtimestamp(times[earlier], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for when, at in ((instant, last), ("2999-01-01T00:00:00Z", -1)):
            found = self.json("at", when, "--ref", "main")
            assert found["commit"]["id"] == self.main[at].commit
            assert {(one["environment"], one["model"]): pin_of(one) for one in found["pins"]} == self.log[
                at
            ].pins

    def listed(self, revision: str) -> set[tuple[str, ...]]:
        rows = self.json("list", "--ref", revision)["versions"]
        return {one for row in rows for one in rows_of(row["model"], [row])}

    def states(self, state: State) -> set[tuple[str, ...]]:
        """What `list` has to say."""
        found = set()
        for (environment, model), pin in state.pins.items():
            found.add((model, pin.stable, STAGES[environment], environment, "None"))
            if pin.canary is not None:
                found.add((model, pin.canary[0], "Canary", environment, str(pin.canary[1])))
        found |= {
            (*name, word.capitalize(), "", "None")
            for name, word in state.retired.items()
            if name in state.published
        }
        known = {one[:2] for one in found}
        return found | {(*name, "", "", "None") for name in state.published if name not in known}

    def json(self, *arguments: str) -> Any:
        code, said = lab.run(self.forge.root, *arguments, "--format", "json")
        assert code == 0, said
        return json.loads(said[said.index("{") :])

    def configs(self, git: Git, revision: str, name: Name) -> str:
        """What a pin compiles to at a revision, as one id."""
        return git("rev-parse", f"{revision}:compiled/{name[0]}/models/{name[1]}")

    def paths(self, git: Git, merged: Merged) -> list[str]:
        return git("diff", "--name-only", f"{merged.commit}^", merged.commit).split()

    def run(self, git: Git, *arguments: str) -> int:
        """Run git; give its exit code."""
        env = {**GIT_ENV, "PATH": self.forge.path, "GIT_EDITOR": "true"}
        return subprocess.run(
            ["git", *arguments], cwd=git.root, env=env, capture_output=True, check=False
        ).returncode


Quick = Main.TestCase
Quick.settings = settings(
    max_examples=3, stateful_step_count=14, derandomize=True, deadline=None, database=None,
    phases=[Phase.generate], suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.mark.slow
class Slow(Main.TestCase):  # type: ignore[misc, name-defined]  # made by hypothesis
    settings = settings(
        max_examples=25, stateful_step_count=100, deadline=None, suppress_health_check=list(HealthCheck)
    )
