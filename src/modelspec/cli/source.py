"""Opens what a verb reads: a work tree, or a revision of its repository."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from modelspec.cli.base import ci_job
from modelspec.cli.where import repository_of, require_registry, root_of
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.clock import now
from modelspec.world.root import within_bare
from modelspec.world.worktree import WorkTree

if TYPE_CHECKING:
    from modelspec.delta.pairs import Against, Ahead, Rewrite
    from modelspec.spec.part import Part, Share
    from modelspec.spec.registry import Registry
    from modelspec.tree.snapshot import Snapshot
    from modelspec.world.child import ChildRenderer
    from modelspec.world.git import Repository

_PIN: Final = re.compile(r"registry/environments/[^/]+/models/[^/]+\.yaml")


_SKEW: Final = timedelta(hours=1)
LARGE: Final = 1500
"""From so many files on a second process earns more than it costs."""
MOST: Final = 8
"""Each part reads once more what all of them share: more parts than this gain little."""
_TEMPLATES: Final = 64
"""So many templates are looked at ahead."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """A registry with its root on disk and the instant that it is judged at when none is given."""

    root: Path
    registry: Registry
    instant: datetime
    against: Against | None = None
    """The base that a change is judged against."""
    base: str | None = None
    """The commit of the base."""
    head: str | None = None
    """The commit that is judged; None for the work tree."""
    left: str | None = None
    """Where the change left the base, when the base has moved on since."""
    checked_out: str | None = None
    """The commit that is checked out, where a work tree is judged against a base."""


@contextmanager
def open_registry(root: str | None, ref: str | None, at: datetime | None = None) -> Iterator[Source]:
    """Open the work tree at the root, or that revision of it; raises Refusal when there is none.

    `at` is the instant to judge at; by default now, and a revision's own time.
    """
    from modelspec.spec.registry import Registry

    if ref is None:
        folder = root_of(root)
        with WorkTree(folder) as tree:
            yield Source(folder, Registry(tree), at or now())
        return
    from modelspec.world.gittree import GitSnapshot

    repository, prefix, folder = repository_of(root)
    commit = repository.resolve(ref)
    require_registry(repository, prefix, commit)
    with GitSnapshot(repository, commit, prefix) as tree:
        yield Source(folder, Registry(tree), at or repository.commit_time(commit))


@contextmanager
def open_change(
    root: str | None,
    ref: str | None,
    base: str | None,
    tip: str | None = None,
    default: str | None = None,
    at: datetime | None = None,
    scoped: bool = False,
) -> Iterator[Source]:
    """Open a work tree or a revision beside the base that it is to be merged into.

    What is judged is what main will be: where the base moved on since the change left it, the change is
    laid over the base. `tip` is where main was when it was seen last; it is the base when none is named.
    In CI both come from the environment; elsewhere the base is `default`, and with none there is no base.
    `scoped`: what the change reaches will be asked for, and not everything.
    Raises Refusal when base and change both changed one file, and for a shallow clone.
    """
    tag = None
    if "" in (base, tip):
        # An unset variable in a CI job must not judge less than what was asked for.
        raise Refusal("“” is not a revision", "name a branch, a tag or a commit")
    if base is None and tip is None and ref is None:
        job = ci_job()
        base, tip, tag = job.base, job.tip, job.tag
    if tip is None and tag is None and base is None:
        base = default
    if base is None and tip is None and tag is None:
        with open_registry(root, ref, at) as source:
            yield source
        return
    from modelspec.compat.search import begin_needs
    from modelspec.world.commitobject import parents, told_time
    from modelspec.world.gittree import GitSnapshot
    from modelspec.world.history import GitHistory
    from modelspec.world.joined import common_to
    from modelspec.world.objects import Objects

    if ref is None:
        root_of(root)  # which refuses a bare repository: there is no work tree to judge
    repository, prefix, folder = repository_of(root)
    with ExitStack() as stack:
        objects = Objects(repository)
        stack.callback(objects.close)
        objects.begin()
        # Asked at once. After a push that took something back the base may be gone, and is not asked for.
        sure = [base] if base is not None and tip is None and tag is None else []
        named = ["HEAD" if ref is None else ref, *sure]
        ours, *others = repository.resolve_all(named)
        require_registry(repository, prefix, ours)
        rewrites = _rewritten(repository, ref, ours, tip, tag)
        if base is None:
            base = "HEAD" if rewrites or tip is None else tip
        theirs = ours if rewrites else others[0] if others else repository.resolve(base)
        below = stack.enter_context(GitSnapshot(repository, theirs, prefix, objects))
        history = stack.enter_context(GitHistory(repository, theirs, prefix, below.objects))
        head: Snapshot = below.at(ours, prefix) if ref is not None else stack.enter_context(WorkTree(folder))
        ancestor = None
        ours_object = below.objects.commit(ours)
        # Most changes are one commit on the base, or the base itself: no git has to be asked for that.
        if theirs not in (ours, *parents(ours_object)) and not repository.is_ancestor(theirs, ours):
            common = common_to(repository, below, prefix, theirs, ours)
            if common is None:
                raise Refusal(
                    f"{visible(base)} and {visible(ref or 'HEAD')} share no history",
                    "name the branch that this change is to be merged into",
                )
            ancestor = common.commit
            head, conflicts = common.merged(head, below)
            if conflicts:
                raise Refusal(
                    f"{visible(base)} and this change both changed {visible(', '.join(conflicts), 300)}",
                    f"git rebase {visible(base)}, or merge it, and check again",
                )
        found = tuple(head.changes(below))
        # What happened to the pins that move, and who needs them, is always asked: git looks for it while the
        # models are loaded.
        moved = [path for path in found if _PIN.fullmatch(path)]
        history.ahead(moved)
        places = tuple(dict.fromkeys(path.split("/")[2] for path in moved)) if scoped else ()
        searched = {place: begin_needs(head, place) for place in places}
        from modelspec.compat.pinned import needing_ahead
        from modelspec.delta.pairs import against
        from modelspec.spec.registry import Registry

        registry = Registry(head)
        for place, begun in searched.items():
            if not begun:
                needing_ahead(registry, place)
        instant = at or (told_time(ours, ours_object) if ref is not None else now())
        early = _ahead(repository, ours, tip, instant) if tip is not None and not rewrites else []
        compared = against(Registry(below, registry.reader), registry, history, rewrites, found, early)
        commit = ours if ref is not None else None
        yield Source(
            folder, registry, instant, compared, theirs, commit, ancestor, ours if ref is None else None
        )


def _rewritten(
    repository: Repository, ref: str | None, ours: str, tip: str | None, tag: tuple[str, str, str] | None
) -> list[Rewrite]:
    """Return what a push took back: a tag that it moved, a remembered tip that is no first parent now."""
    if tip is None and tag is None:
        return []
    from modelspec.delta.pairs import Rewrite

    rewrites = [] if tag is None else [Rewrite(*tag, branch=False)]
    if tip is not None:
        seen = repository.known(tip)
        if seen is None or not repository.is_ancestor(seen, ours):
            rewrites.append(Rewrite(visible(ref or "HEAD"), seen or tip, ours))
        elif not repository.is_before(seen, ours):
            rewrites.append(Rewrite(visible(ref or "HEAD"), seen, ours, aside=True))
    return rewrites


def _ahead(repository: Repository, ours: str, tip: str, instant: datetime) -> list[Ahead]:
    """Return the first parents since a remembered tip that are dated later than clocks usually disagree."""
    from datetime import UTC

    from modelspec.delta.pairs import Ahead
    from modelspec.world.timeline import LATEST

    seen = repository.resolve(tip)
    done = repository.run("rev-list", "--first-parent", "--timestamp", "--end-of-options", ours, f"^{seen}")
    lines = [line.partition(" ") for line in done.out.decode("ascii", "replace").splitlines()]
    times = [(commit, datetime.fromtimestamp(min(int(stamp), LATEST), UTC)) for stamp, _, commit in lines]
    return [Ahead(commit, time) for commit, time in times if time - instant > _SKEW]


def within_repository(root: Path) -> str:
    """Return the folder of a root in the repository around it, "" or with a slash at its end.

    Forges count paths from there. A root without a repository around it counts from itself.
    """
    inside = within_bare(str(root))
    if inside is not None:
        return f"{inside[1]}/" if inside[1] else ""
    here = root.absolute()
    for folder in (here, *here.parents):
        if (folder / ".git").exists():
            found = here.relative_to(folder).as_posix()
            return "" if found == "." else f"{found}/"
    return ""


def shared(files: int) -> Share:
    """Return how to judge so many files: a large registry in as many parts as there are cores."""
    from modelspec.spec.part import Part, alone

    if files < LARGE:
        return alone
    from modelspec.world.forks import forked
    from modelspec.world.parallel import cores

    of = min(cores(), MOST)

    def share(work: Callable[[Part], T]) -> list[T]:
        return forked(lambda index: work(Part(index, of)), of)

    return share


@contextmanager
def renderer() -> Iterator[ChildRenderer]:
    """Open the child that renders templates which are not the catalogue's own."""
    from modelspec.world.child import ChildRenderer

    child = ChildRenderer()
    try:
        yield child
    finally:
        child.close()


def catalogue() -> Path:
    """Return the folder of the targets that modelspec ships."""
    shipped = Path(__file__).parent.parent / "catalogue"
    return shipped if shipped.is_dir() else Path(__file__).parents[3] / "templates"


@cache
def trusted() -> frozenset[str]:
    """Return the sha256 of every template that modelspec ships: these are rendered in this process."""
    from modelspec.tree.digest import sha256

    return frozenset(sha256(path.read_bytes()) for path in sorted(catalogue().glob("*/*.j2")))


def foreign(tree: Snapshot) -> bool:
    """Whether a tree has a template that modelspec does not ship: the child will have to render it."""
    from modelspec.tree.digest import sha256
    from modelspec.tree.snapshot import read

    templates = (blob for path, blob in tree.walk("templates") if path.endswith(".j2"))
    return any(sha256(read(blob) or b"") not in trusted() for blob in islice(templates, _TEMPLATES))
