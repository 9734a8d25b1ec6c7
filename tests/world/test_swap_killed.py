"""Killed before any system call that changes files, or with it failing: the old tree or the new one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from world.injected import ERRORS, between
from world.strace import Call, calls, changing, drive, needs_strace
from world.trees import put

pytestmark = needs_strace

Tree = dict[str, str]


def pin(environment: str, model: str, files: Tree) -> Tree:
    """The outputs of one pin, with their manifest."""
    folder = f"compiled/{environment}/models/{model}"
    manifest = json.dumps({"outputs": dict.fromkeys(files, "sha256:0")})
    return {f"{folder}/{path}": text for path, text in {**files, "manifest.json": manifest}.items()}


OTHERS = {
    **pin("production", "fraud", {"kserve/service.yaml": "f"}),
    **pin("staging", "eta", {"mlserver/a.json": "s"}),
}
ETA = pin(
    "production",
    "eta",
    {"kserve/service.yaml": "1", "kserve/same.yaml": "same", "mlserver/gone.json": "gone"},
)
ETA_NEXT = pin(
    "production", "eta", {"kserve/service.yaml": "2", "kserve/same.yaml": "same", "route/new.yaml": "new"}
)
MANY = {
    path: text
    for number in range(40)
    for path, text in pin("production", f"m{number}", {"kserve/a.yaml": "1"}).items()
}
ETA_FOLDER = "compiled/production/models/eta"
FRAUD = pin("production", "fraud", {"kserve/service.yaml": "f"})
SCENARIOS: dict[str, tuple[Tree, Tree, list[str], list[str]]] = {
    # name: on disk, wanted in all, scope, what is broken
    "one pin": ({**OTHERS, **ETA}, {**OTHERS, **ETA_NEXT}, [ETA_FOLDER], []),
    "the first compile": ({}, {**ETA, **OTHERS}, ["compiled"], []),
    "a new pin": (OTHERS, {**OTHERS, **ETA}, [ETA_FOLDER], []),
    "the last pin goes": (ETA, {}, ["compiled"], []),
    "an environment goes": ({**OTHERS, **ETA}, {**FRAUD, **ETA}, ["compiled"], []),
    "many": ({**OTHERS, **ETA}, {**MANY, **ETA_NEXT}, ["compiled"], []),
    "no exchange": ({**OTHERS, **ETA}, {**OTHERS, **ETA_NEXT}, [ETA_FOLDER], ["without-exchange"]),
}  # fmt: skip
SAMPLED = [(name, 6) for name in SCENARIOS if name != "many"]
EVERY = [pytest.param(name, 1, marks=pytest.mark.slow) for name in SCENARIOS]


class Stage:
    """A scenario laid out on disk as often as it is asked for."""

    def __init__(self, folder: Path, name: str) -> None:
        self.old, self.new, scope, self.changes = SCENARIOS[name]
        self.folder = folder
        self.plan = folder / "plan.json"
        wanted = {
            path: text for path, text in self.new.items() if any(path.startswith(one + "/") for one in scope)
        }
        self.plan.write_text(json.dumps({"wanted": wanted, "scope": scope}))

    def root(self, name: str) -> Path:
        root = self.folder / name
        root.mkdir()
        put(root, "registry/modelspec.yaml", "settings")
        for path, text in self.old.items():
            put(root, path, text)
        return root

    def points(self, every: int = 1) -> list[Call]:
        root, trace = self.root("traced"), self.folder / "trace"
        done = drive(root, "swap", self.plan, *self.changes, trace=trace)
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
        assert holds(root) == self.new
        found = changing(trace)
        names = {call.name for call in found}
        assert names & {"rename", "renameat", "renameat2"}
        # Whatever is left out, the calls around the swap itself are not.
        return [
            call
            for at, call in enumerate(found)
            if at % every == 0 or call.name.startswith(("rename", "rmdir"))
        ]


def holds(root: Path) -> Tree:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.glob("compiled/**/*")
        if path.is_file()
    }


def litter(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()} - {"registry", "compiled"}


def each(jobs: Sequence[tuple[object, ...]], judge: object) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: judge(*job), jobs))  # type: ignore[operator]


def killed(stage: Stage, call: Call) -> None:
    root = stage.root(f"{call.name}-{call.number}")
    done = drive(
        root, "swap", stage.plan, *stage.changes, inject=f"{call.name}:signal=KILL:when={call.number}"
    )
    assert done.stdout == "", f"{call} was not reached"
    now = holds(root)
    without = {path: text for path, text in stage.old.items() if not path.startswith(ETA_FOLDER)}
    allowed = [stage.old, stage.new, *([without] if stage.changes else [])]
    assert now in allowed, f"killed before {call}: a mixture"
    assert litter(root) <= {".compiled.new", ".compiled.old", ".compiled.swap"}
    again = drive(root, "swap", stage.plan)
    assert (again.returncode, again.stdout) == (0, "done\n"), f"after {call}: {again.stdout}{again.stderr}"
    assert holds(root) == stage.new
    assert litter(root) == set()


def failed(stage: Stage, call: Call, error: str) -> None:
    root = stage.root(f"{call.name}-{call.number}-{error}")
    done = drive(
        root, "swap", stage.plan, *stage.changes, inject=f"{call.name}:error={error}:when={call.number}"
    )
    assert done.stderr == "", f"{error} in {call}: {done.stderr}"
    if done.returncode == 0:
        # The old tree could not be removed at once, and was after that; or the call was tried again.
        assert holds(root) == stage.new
    else:
        assert done.returncode == 3
        assert "nothing was changed" in done.stdout or call.name == "flock"
        assert holds(root) == stage.old, f"{error} in {call}: refused, and changed"
    assert litter(root) == set(), f"{error} in {call}"


@pytest.mark.parametrize(("name", "every"), [*SAMPLED, *EVERY])
def test_a_kill_leaves_the_old_tree_or_the_new_one(tmp_path: Path, name: str, every: int) -> None:
    stage = Stage(tmp_path, name)
    each([(stage, call) for call in stage.points(every)], killed)


@pytest.mark.parametrize(("name", "every"), [*SAMPLED, *EVERY])
def test_a_failing_disk_is_a_refusal_and_changes_nothing(tmp_path: Path, name: str, every: int) -> None:
    stage = Stage(tmp_path, name)
    jobs = [(stage, call, error) for call in stage.points(every) for error in ERRORS]
    # A sample tries one error at each point, another one at the next.
    each([job for at, job in enumerate(jobs) if every == 1 or at % 4 == at // 4 % 4], failed)


def unflushed(trace: Path, root: Path) -> list[str]:
    """Return what a power cut could take away from a run that said that it was done."""
    found, made = [], {}
    events = calls(trace)
    swap = next(at for at, call in enumerate(events) if call.name.startswith("rename"))
    said = next(at for at, call in enumerate(events) if call.name == "write" and '"done' in call.arguments)
    synced = [at for at, call in enumerate(events) if call.name == "syncfs"]
    for at, call in enumerate(events[:swap]):
        opened = re.search(r"<(.+)>$", call.result)
        if call.name == "openat" and "O_CREAT" in call.arguments and opened:
            made[opened[1]] = at
        elif call.name == "write":
            made[between(call.arguments)] = at
        elif call.name in ("mkdirat", "linkat"):
            # A name that appears in a folder changes that folder.
            where = re.findall(r'<([^>]+)>, "([^"]+)"', call.arguments)[-1]
            made[where[0]] = at
            if call.name == "mkdirat":
                made[f"{where[0]}/{where[1]}"] = at
    for path in list(made):
        made[path.rpartition("/")[0]] = max(made.get(path.rpartition("/")[0], 0), made[path])
    for path, last in made.items():
        if f"{root}/.compiled.new" not in path:
            continue
        flushed = [
            at
            for at, call in enumerate(events[:swap])
            if call.name == "fsync" and between(call.arguments) == path
        ]
        if not any(at > last for at in (*flushed, *(one for one in synced if one < swap))):
            found.append(f"{path} before the swap")
    after = [between(call.arguments) for call in events[swap:said] if call.name == "fsync"]
    place = next(between(part) for part in reversed(events[swap].arguments.split(", ")) if "<" in part)
    found += [f"{folder} after the swap" for folder in {str(root), place} if folder not in after]
    return found


@pytest.mark.parametrize("name", ["one pin", "the first compile", "a new pin", "many"])
def test_everything_is_on_the_disk_before_the_swap_and_the_swap_before_success(
    tmp_path: Path, name: str
) -> None:
    stage = Stage(tmp_path, name)
    root, trace = stage.root("root"), tmp_path / "trace"
    assert drive(root, "swap", stage.plan, trace=trace).stdout == "done\n"
    assert unflushed(trace, root) == []


@pytest.mark.parametrize(
    ("name", "mutant", "missed"),
    [
        ("one pin", "without-file-flush", "service.yaml before the swap"),
        ("one pin", "without-folder-flush", "kserve before the swap"),
        ("one pin", "without-folder-flush", "models after the swap"),
        ("many", "without-bulk-flush", "manifest.json before the swap"),
    ],
)
def test_a_flush_that_is_left_out_is_noticed(tmp_path: Path, name: str, mutant: str, missed: str) -> None:
    stage = Stage(tmp_path, name)
    root, trace = stage.root("root"), tmp_path / "trace"
    assert drive(root, "swap", stage.plan, mutant, trace=trace).stdout == "done\n"
    assert any(one.endswith(missed) for one in unflushed(trace, root))
