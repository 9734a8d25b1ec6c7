"""`modelspec verify`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelspec.cli.options import (
    colours,
    complete,
    environment_names,
    format_option,
    require_model,
    root_option,
    unknown,
    version_names,
)
from modelspec.cli.progress import progress_of
from modelspec.cli.source import Source, open_registry
from modelspec.tree.finding import Refusal
from modelspec.tree.text import plural, visible

if TYPE_CHECKING:
    from modelspec.api.claims import Claim, Claims, Outcome
    from modelspec.world.git import Repository
    from modelspec.world.stores.claims import Followed, World
    from modelspec.world.stores.verified import Look

Serving = dict[tuple[str, str], set[str]]


@click.command("verify")
@click.argument("name", metavar="[MODEL[@VERSION]]", required=False, shell_complete=complete(version_names))
@click.option("--env", "environment", metavar="ENV", shell_complete=complete(environment_names),
              help="What is pinned in this environment, and in its window.")  # fmt: skip
@click.option("--all", "all_", is_flag=True, help="Every version that has a file.")
@click.option("--changed", is_flag=True,
              help="What a change brings or pins, compared with --base.")  # fmt: skip
@click.option("--window", is_flag=True, help="Refuse to run when history, and so the windows, are missing.")
@click.option(
    "--subset", metavar="N/T", help="Only the Nth of T shares of the versions, for a job that runs T times."
)
@click.option("--resume", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="Note in FILE which trees are whole, and skip them; removed at the end.")  # fmt: skip
@click.option("--base", metavar="REV",
              help="What --changed compares with, and whose signers count; in CI the target.")  # fmt: skip
@click.option("--scan", is_flag=True, help="Scan pickles with picklescan; what it finds is wrong.")
@click.option("--code", "clones", metavar="CLONE|BUNDLE", multiple=True, type=click.Path(path_type=Path),
              help="Look for code here too, besides the registry's own clone; repeatable.")  # fmt: skip
@click.option("--network", is_flag=True,
              help="Ask remote stores, addresses, registries and code repositories too.")  # fmt: skip
@format_option("text", "json")
@root_option
def verify_command(
    name: str | None,
    environment: str | None,
    all_: bool,
    changed: bool,
    window: bool,
    subset: str | None,
    resume: Path | None,
    base: str | None,
    scan: bool,
    clones: tuple[Path, ...],
    network: bool,
    form: str,
    root: str | None,
) -> int:
    """Check how far each component of a version holds: recorded, resolvable, verified.

    By default it checks the versions that are pinned, in any slot, and those in a window. Artifacts, lock
    files, golden answers and references are read from their store, and every byte is hashed. Code is looked
    up in clones, schemas in git, data where it is a path in this repository. A signature must cover exactly
    these files; whether its signer is trusted is said. Exit code: 1 when bytes are damaged or missing, when
    the store that was asked, a pin, a version or an environment can't be read, or when an environment that
    pins the version `requires` a component to be known better, or demands another signature.

    \b
    Examples:
      modelspec verify
      modelspec verify eta@2.3.1 --network
      modelspec verify --all --subset 3/7 --resume verified.jsonl
      modelspec verify --changed --base origin/main --network
    """
    from modelspec.api import verify
    from modelspec.cli.base import ci_job
    from modelspec.cli.observed import Looked, contradicted
    from modelspec.cli.signed import with_signatures
    from modelspec.report.paint import Paint
    from modelspec.report.verify import verify_json, verify_text
    from modelspec.world.codetree import clone_at

    if sum((name is not None, environment is not None, all_, changed)) > 1:
        raise click.UsageError("Name a version, or --env, or --all, or --changed: one of them.")
    if window and (name is not None or all_ or changed):
        raise click.UsageError("--window is of what is pinned: alone, or with --env.")
    share = _share(subset)
    with open_registry(root, None) as source, ExitStack() as opened:
        repository = _repository(source.root)
        own = () if repository is None else (repository,)
        code = (*own, *(opened.enter_context(clone_at(place)) for place in clones))
        serving = (
            _changed(source, root, base)
            if changed
            else _chosen(source, name, environment, all_, window, repository)
        )
        names = verify.subset(serving, *share) if share else sorted(serving)
        claims, unread = _claims(source, names)
        if name is None:
            unread += map(visible, verify.unread(source.registry, environment))
        looked = Looked()
        outcomes = _followed(source, claims, code, network, resume, looked.tree)
        rows = contradicted(source, verify.rows(source.registry, claims, outcomes, serving), looked, scan)
        rows = with_signatures(source, rows, root, base or ci_job().base, network)
        click.echo(
            verify_text(rows, Paint(colours()), _none(len(serving), len(names), changed, all_))
            if form == "text"
            else json.dumps(verify_json(rows), indent=2) + "\n",
            nl=False,
        )
    for note in looked.notes:
        click.echo(f"modelspec: {note}", err=True)
    for one in unread:
        click.echo(f"modelspec: {one} can't be read: `modelspec check` says why", err=True)
    failed = bool(unread) or any(row.fails for row in rows)
    if resume is not None and not failed:
        resume.unlink(missing_ok=True)
    return 1 if failed else 0


def _none(serving: int, names: int, changed: bool, all_: bool) -> str:
    """Return why there is no version to show."""
    if names:
        return "none of them can be read"
    if serving:
        return f"nothing falls to this share of {plural(serving, 'version')}: the others have them"
    if changed:
        return "the change brings no version, and pins none elsewhere"
    return "there is no version" if all_ else "nothing is pinned: name a MODEL@VERSION, or verify --all"


def _share(subset: str | None) -> tuple[int, int] | None:
    if subset is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", subset)
    if match is None or int(match[1]) > int(match[2]):
        raise click.UsageError("--subset is N/T with N from 1 to T, such as 3/7.")
    return int(match[1]), int(match[2])


def _repository(root: Path) -> Repository | None:
    from modelspec.world.git import open_repository

    try:
        return open_repository(str(root))[0]
    except Refusal:
        return None


def _chosen(
    source: Source,
    name: str | None,
    environment: str | None,
    all_: bool,
    window: bool,
    repository: Repository | None,
) -> Serving:
    from modelspec.api import verify

    registry = source.registry
    if name is not None:
        model, at, version = name.partition("@")
        require_model(registry, model)
        found = verify.every(registry, model)
        if not at:
            return found
        if (model, version) not in found:
            unknown(f"version of {model}", version, (one[1] for one in found))
        return {(model, version): found[model, version]}
    if all_:
        return verify.every(registry)
    if environment is not None and environment not in (known := set(environment_names(registry))):
        unknown("environment", environment, known)
    found = verify.pinned(registry, environment)
    for key, places in _windows(source, environment, window, repository).items():
        found.setdefault(key, set()).update(places)
    return found


def _changed(source: Source, root: str | None, base: str | None) -> Serving:
    from modelspec.api import verify
    from modelspec.cli.base import ci_job

    job = ci_job()
    before = base or job.base or job.tip
    if before is None:
        raise Refusal("nothing says what was before the change", "name it: --base origin/main")
    with open_registry(root, before) as old:
        return verify.changed(source.registry, old.registry)


def _windows(
    source: Source, environment: str | None, demanded: bool, repository: Repository | None
) -> Serving:
    from modelspec.api import verify
    from modelspec.world.git import open_repository
    from modelspec.world.history import GitHistory

    try:
        if repository is None:
            raise Refusal("there is no git history here", "run it in the clone")
        prefix = open_repository(str(source.root))[1]
        with GitHistory(repository, repository.resolve("HEAD"), prefix) as history:
            return verify.windowed(source.registry, history, source.instant, environment)
    except Refusal as refusal:
        if demanded:
            raise
        click.echo(f"modelspec: without the windows: {refusal.message}", err=True)
        return {}


def _claims(source: Source, names: list[tuple[str, str]]) -> tuple[list[Claims], list[str]]:
    from modelspec.api.claims import claims_of

    found = [(name, claims_of(source.registry, *name)) for name in names]
    unread = [visible(f"{model}@{version}") for (model, version), claims in found if claims is None]
    return [claims for _, claims in found if claims is not None], unread


def _followed(
    source: Source,
    versions: list[Claims],
    clones: tuple[Repository, ...],
    network: bool,
    resume: Path | None,
    look: Callable[[Path], Look],
) -> dict[Claim, Outcome]:
    """Follow every claim once, several at a time; what several versions share is read once."""
    from modelspec.api.claims import Outcome
    from modelspec.world.parallel import cores, finished
    from modelspec.world.shares import MANY
    from modelspec.world.stores.claims import World
    from modelspec.world.stores.journal import Journal

    claims = dict.fromkeys(part.claim for one in versions for part in one.parts)
    sizes = _sizes(source, versions)
    settings = source.registry.settings
    found: dict[Claim, Outcome] = {}
    with progress_of("verifying", sum(map(sum, sizes.values()))) as progress, Journal(resume) as journal:
        world = World(source.root, settings.stores if settings else {}, clones, network, progress, look)
        todo = []
        for claim in claims:
            if (
                claim.kind in ("tree", "placed")
                and claim.digest is not None
                and journal.has(world.address(claim.where), claim.digest)
            ):
                found[claim] = Outcome("verified", "noted by the run before this one")
            else:
                todo.append(claim)
        # Trees of many files are read by forks, one tree after the other: beside threads nothing is forked.
        alone: list[Claim] = []
        rest: list[Claim] = []
        for one in todo:
            many = one.kind == "tree" and len(sizes.get(one.digest or "", ())) >= MANY
            (alone if many else rest).append(one)
        followed = chain(
            ((claim, _one(world, claim)) for claim in alone),
            finished(lambda one: _one(world, one), rest, workers=2 * cores()),
        )
        for claim, outcome in followed:
            found[claim] = Outcome(*outcome)
            if claim.kind in ("tree", "placed") and claim.digest is not None and outcome.level == "verified":
                journal.note(world.address(claim.where), claim.digest)
    return found


def _one(world: World, claim: Claim) -> Followed:
    if claim.kind == "tree":
        return world.tree(claim.where, claim.digest or "")
    if claim.kind == "placed":
        return world.placed(claim.where, claim.digest or "", claim.files)
    if claim.kind == "commit":
        return world.commit(claim.where, claim.name)
    if claim.kind == "data":
        return world.data(claim.where, claim.digest)
    return world.image(claim.name)


def _sizes(source: Source, versions: list[Claims]) -> dict[str, list[int]]:
    """Return the sizes of the files of each artifact, by its digest."""
    from modelspec.spec.kinds import VERSION

    sizes: dict[str, list[int]] = {}
    for one in versions:
        entry = source.registry.value(VERSION, one.model, one.version)
        artifact = entry.value.artifact if entry is not None else None
        if artifact is not None and artifact.digest is not None:
            sizes[artifact.digest] = [file.size for file in artifact.files]
    return sizes
