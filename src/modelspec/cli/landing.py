"""Carries a proposal out: judged, then written to the work tree, committed, put on a branch, pushed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from modelspec.cli.source import renderer, trusted
from modelspec.cli.where import root_of
from modelspec.tree.finding import Refusal

if TYPE_CHECKING:
    from modelspec.api.judge import Judged
    from modelspec.change.proposal import Declined, Proposal
    from modelspec.report.promote import Outcome
    from modelspec.spec.history import History
    from modelspec.spec.registry import Registry
    from modelspec.tree.protocols import Renderer
    from modelspec.world.checkout import Place
    from modelspec.world.landing import Wanted

    Propose = Callable[[Registry, History], Proposal | Declined]

_STRENGTH: Final = {"hold": 1, "release": 1, "rollback": 2}
"""What a branch is built for; by verb. What is weaker waits until the stronger is merged, or dropped."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a change goes: the work tree (neither), the main branch, a branch of its own; and the remote."""

    commit: bool = False
    branch: bool = False
    push: bool = False
    dry: bool = False


def landing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--commit`, `--branch` and `--push`."""
    for option in (
        click.option(
            "--push", is_flag=True, help="Push it: the branch, with a pull request; or with --commit, main."
        ),
        click.option(
            "--branch", is_flag=True, help="Commit on a branch of its own, built from the tip of main."
        ),
        click.option("--commit", is_flag=True, help="Commit on the main branch, which is checked out."),
    ):
        command = option(command)
    return command


def chosen(commit: bool, branch: bool, push: bool) -> Where:
    """Return where a change goes; a push without --commit is one of a branch."""
    if commit and branch:
        raise click.UsageError("--commit writes to main and --branch beside it: choose one.")
    return Where(commit, branch or (push and not commit), push)


@contextmanager
def preparing() -> Iterator[None]:
    """Load what `carry_out` runs while something else waits or computes, which is ended when it is needed."""
    from importlib import import_module
    from threading import Thread

    def load() -> None:
        # What can't be loaded now, such as for want of memory, is told by whoever needs it.
        with suppress(Exception):
            for name in ("api.judge", "report.promote", "world.history", "world.write"):
                import_module(f"modelspec.{name}")

    beside = Thread(target=load, daemon=True)
    with suppress(RuntimeError):  # no thread to be had
        beside.start()
    try:
        yield
    finally:
        if beside.ident is not None:
            beside.join()


def carry_out(
    root: str | None, verb: str, propose: Propose, where: Where, form: str,
    beside: Mapping[str, Path] | None = None,
) -> int:  # fmt: skip
    """Do what is proposed, print what came of it, and return the exit code.

    `beside`: path -> a file of the work tree that a commit of it holds as well, also one by hand.
    """
    from modelspec.cli.options import colours
    from modelspec.report.paint import Paint
    from modelspec.report.promote import outcome_json, outcome_text

    folder = root_of(root)
    with renderer() as child:
        run = _Run(folder, verb, propose, child, beside or {})
        outcome = run.committed(where) if where.commit or where.branch else run.written(dry=where.dry)
    text = outcome_json(outcome) if form == "json" else outcome_text(outcome, Paint(colours()))
    click.echo(text, nl=False)
    return 1 if outcome.failed else 0


class _Run:
    """One run of a verb: it may judge more than once, each time on another tip."""

    def __init__(
        self, folder: Path, verb: str, propose: Propose, child: Renderer, beside: Mapping[str, Path]
    ) -> None:
        from modelspec.change.proposal import Declined

        self.beside = beside
        self.folder, self.verb, self.propose, self.child = folder, verb, propose, child
        self.found: Proposal | Declined = Declined("nothing was proposed", "run this again")
        self.judged: Judged | None = None

    def written(self, *, dry: bool) -> Outcome:
        """Change the files of the work tree."""
        from modelspec.report.promote import Outcome
        from modelspec.spec.registry import Registry
        from modelspec.world.lock import lock
        from modelspec.world.worktree import WorkTree
        from modelspec.world.write import apply_patch

        with (
            lock(self.folder, patience=60.0),
            WorkTree(self.folder) as tree,
            _history(self.folder) as history,
        ):
            self._judge(Registry(tree), history)
            patch = self._patch()
            if patch and not dry:
                apply_patch(self.folder, patch)
        wrote = bool(patch) and not dry
        return Outcome(self.verb, self.found, self.judged, wrote, next=self._next_by_hand(patch, dry))

    def committed(self, where: Where) -> Outcome:
        """Commit on main, or on a branch."""
        from modelspec.report.promote import Outcome
        from modelspec.world.branch import folders, main_branch
        from modelspec.world.checkout import Place
        from modelspec.world.git import open_repository
        from modelspec.world.landing import land, land_beside
        from modelspec.world.pushing import push_branch, push_main

        repository, prefix, _ = open_repository(str(self.folder))
        if repository.shallow:
            raise Refusal(
                "the clone is shallow: its history is incomplete",
                "git fetch --unshallow (in CI: fetch-depth: 0)",
            )
        main = main_branch(repository)
        place = Place(repository, folders(repository), prefix)

        def judge(tip: str) -> Wanted | None:
            return self._judge_commit(place, tip, main)

        if where.commit and not where.push:
            landed = land(place, main, judge)
            return self._landed(
                Outcome(self.verb, self.found, self.judged), landed, f"git push origin {_word(main)}"
            )
        if where.commit:
            pushed = push_main(place, main, judge)
            outcome = self._landed(
                Outcome(self.verb, self.found, self.judged), pushed and pushed.landed, None
            )
            if pushed is not None:
                behind = f"git pull --ff-only origin {_word(main)}" if pushed.behind else None
                outcome = replace(outcome, pushed=pushed.remote, next=behind)
            return outcome
        # The branch is named by what is proposed, which depends on nothing but the arguments.
        branch = f"modelspec/{self._branch(place, main)}"
        if not where.push:
            landed = land_beside(place, f"refs/heads/{main}", branch, judge, self._stays)
            return self._landed(
                Outcome(self.verb, self.found, self.judged),
                landed,
                f"git push --force-with-lease origin {branch}",
            )
        pushed = push_branch(place, main, branch, judge, self._stays)
        outcome = self._landed(Outcome(self.verb, self.found, self.judged), pushed and pushed.landed, None)
        if pushed is None:
            return outcome
        return replace(self._opened(place, outcome, branch, main), pushed=pushed.remote)

    def _branch(self, place: Place, main: str) -> str:
        from modelspec.change.proposal import Proposal
        from modelspec.world.landing import tip_of

        self._judge_commit(place, tip_of(place, f"refs/heads/{main}"), main, only_propose=True)
        return self.found.branch if isinstance(self.found, Proposal) else "declined"

    def _judge_commit(
        self, place: Place, tip: str, main: str, *, only_propose: bool = False
    ) -> Wanted | None:
        from modelspec.change.proposal import Proposal
        from modelspec.spec.registry import Registry
        from modelspec.world.gittree import GitSnapshot
        from modelspec.world.history import GitHistory
        from modelspec.world.landing import Wanted

        with (
            GitSnapshot(place.repository, tip, place.prefix) as tree,
            GitHistory(place.repository, tip, place.prefix) as history,
        ):
            if tree.get("registry/modelspec.yaml") is None:
                raise Refusal(
                    f"registry/modelspec.yaml is not committed on {main}",
                    "commit it there; where registry/ is a submodule, run this in the submodule's repository",
                )
            self._judge(Registry(tree), history, only_propose=only_propose)
        patch = self._patch()
        if not patch or not isinstance(self.found, Proposal):
            return None
        message = self.found.message() if self.found.steps else _compiled_only(self.found)
        return Wanted(patch, message, self.beside)

    def _judge(self, registry: Registry, history: History, *, only_propose: bool = False) -> None:
        from modelspec.api.judge import judge
        from modelspec.change.proposal import Proposal
        from modelspec.world.clock import now

        self.found, self.judged = self.propose(registry, history), None
        if isinstance(self.found, Proposal) and self.found.patch and not only_propose:
            self.judged = judge(
                registry, self.found, history=history, now=now(), renderer=self.child, trusted=trusted()
            )

    def _patch(self) -> dict[str, bytes | None]:
        if self.judged is None or self.judged.blocked:
            return {}
        return dict(self.judged.patch)

    def _landed(self, outcome: Outcome, landed: Any, then: str | None) -> Outcome:
        if landed is None:
            return outcome
        return replace(outcome, commit=landed.commit, branch=landed.branch, next=then)

    def _stays(self, commit: str, branch: str) -> tuple[str, str] | None:
        """Say why a commit on the branch of a pin is not replaced by this run's, and what to do.

        A bot that promotes every hour must not make a promotion of somebody's rollback that waits for review.
        """
        from modelspec.change.proposal import TRAILER

        done = commit.partition(f"\n{TRAILER}: ")[2].partition(" ")[0]
        if not done:
            return "which no modelspec made", f"move it elsewhere: git branch -m {branch} NAME"
        if _STRENGTH.get(done, 0) <= _STRENGTH.get(self.verb, 0):
            return None
        cure = f"merge it; or drop it: git branch -D {branch}; git push origin --delete {branch}"
        return f"a {done} that is not merged", cure

    def _opened(self, place: Place, outcome: Outcome, branch: str, main: str) -> Outcome:
        from modelspec.change.proposal import Proposal
        from modelspec.world.forge import open_request
        from modelspec.world.remote import origin

        if not isinstance(self.found, Proposal):
            return outcome
        steps = "\n".join(f"- {step}" for step in self.found.steps)
        opened = open_request(origin(place).url, branch, main, self.found.title, steps + "\n")
        return replace(outcome, request=opened.url, next=opened.hint)

    def _next_by_hand(self, patch: dict[str, bytes | None], dry: bool) -> str | None:
        from shlex import quote

        from modelspec.change.proposal import Proposal

        if not patch or not isinstance(self.found, Proposal):
            return None
        if dry:
            return f"modelspec {self.verb} --write, or --commit"
        stores = {path.partition("/sha256-")[0] for path in self.beside}
        folders = " ".join(map(quote, sorted({path.partition("/")[0] for path in patch} | stores)))
        return f"git add {folders} && git commit -m {quote(self.found.title or 'Compile')}"


def _word(branch: str) -> str:
    """Return a branch as it can be typed: one that looks like an option, in full."""
    from shlex import quote

    return quote(branch if branch[0].isalnum() else f"refs/heads/{branch}")


def _compiled_only(found: Proposal) -> str:
    return f"Compile what {found.branch} says\n"


@contextmanager
def _history(folder: Path) -> Iterator[History]:
    """Open the history of what is checked out; a folder in no repository has none."""
    from modelspec.spec.history import Unrecorded
    from modelspec.world.branch import tip
    from modelspec.world.git import NoRepository, open_repository
    from modelspec.world.history import GitHistory

    try:
        repository, prefix, _ = open_repository(str(folder))
    except NoRepository:
        yield Unrecorded()
        return
    commit = tip(repository, "HEAD")
    if commit is None:
        yield Unrecorded()
        return
    with GitHistory(repository, commit, prefix) as history:
        yield history
