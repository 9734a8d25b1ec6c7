"""`modelspec observe`: what is really deployed, as receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelspec.cli.branch import good, open_receipts, place_of
from modelspec.cli.options import complete, environment_names, format_option, model_names, root_option
from modelspec.cli.past import open_past
from modelspec.cli.where import repository_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelspec.api.observe import Applied
    from modelspec.spec.receipt import Receipt
    from modelspec.tree.observed import Seen
    from modelspec.tree.protocols import Observer
    from modelspec.world.history import GitHistory
    from modelspec.world.receipts import Branch


@click.command("observe")
@click.argument("source")
@click.option(
    "--env", "environment", metavar="ENV", required=True, shell_complete=complete(environment_names),
    help="The environment that is looked at.",
)  # fmt: skip
@click.option("--cluster", metavar="NAME", help="Which of its clusters, where it has several.")
@click.option(
    "--model", "models", metavar="MODEL", multiple=True, shell_complete=complete(model_names),
    help="Ask a server for this model; default: every one that is pinned there. Can be repeated.",
)  # fmt: skip
@click.option("--namespace", metavar="NAME", help="kubectl: this namespace; default: all of them.")
@click.option("--context", metavar="NAME", help="kubectl: this context; default: the current one.")
@click.option("--plain-http", is_flag=True, help="Let http:// go to another machine than this one.")
@click.option("--push", is_flag=True, help="Write them to origin's branch as well.")
@click.option("--dry-run", is_flag=True, help="Print what is new and write nothing.")
@format_option("text", "json")
@root_option
def observe_command(
    source: str, environment: str, cluster: str | None, models: tuple[str, ...], namespace: str | None,
    context: str | None, plain_http: bool, push: bool, dry_run: bool, form: str, root: str | None,
) -> int:  # fmt: skip
    """Look at what is really deployed, and write a receipt for each change.

    SOURCE is saved JSON (a file, or - for stdin) or a live system: https://HOST/v2/models/MODEL or
    https://HOST (Open Inference Protocol), kubectl:RESOURCES, sagemaker:ENDPOINT. JSON may be what
    `kubectl get -o json` prints of Argo CD Applications, Flux Kustomizations, KServe InferenceServices,
    Deployments and pods; what `aws sagemaker describe-endpoint` prints; or a model's metadata.

    Receipts go to the branch modelspec/receipts; no file of the work tree is touched. A look that sees
    nothing new writes nothing. Exit code: 1 when something can't be told (a stamp of no version, a commit
    that is not here, a clock that lies); what can be told is written all the same.

    \b
    Examples:
      modelspec observe --env production http://localhost:8080
      kubectl get applications.argoproj.io -n argocd -o json | modelspec observe --env production -
      modelspec observe --env production kubectl:inferenceservices,pods --push
    """
    from modelspec.api.observe import observed
    from modelspec.cli.history import known_names
    from modelspec.report.observe import observe_json, observe_text
    from modelspec.spec.kinds import PIN
    from modelspec.spec.registry import Registry
    from modelspec.trace.stamps import Versions
    from modelspec.world.clock import now
    from modelspec.world.observers.opening import observer
    from modelspec.world.observing import Written, append

    if push and dry_run:
        raise click.UsageError("--dry-run writes nothing, and --push writes it elsewhere: choose one.")
    if cluster == "":
        raise click.BadParameter("a cluster has a name", param_hint="--cluster")
    repository, prefix, _ = repository_of(root)
    with open_past(root, None) as past:
        registry = Registry(past.snapshot(past.tip))
        for model in models or (None,):
            known_names(registry.snapshot, environment, model)
        pinned = models or [name[1] for name in registry.names(PIN, environment)]
        watch = observer(source, pinned, plain=plain_http, namespace=namespace, context=context)
        versions = Versions(registry, past)
        found = observed(
            _seen(watch), environment, now(), versions,
            lambda revision: _pins_at(past, revision, environment), cluster,
        )  # fmt: skip

        def new(branch: Branch) -> Sequence[Receipt]:
            return new_of(branch, found.receipts)

        if dry_run:
            with open_receipts(repository, prefix) as branch:
                written = Written(tuple(new(branch)))
        else:
            written = append(place_of(repository, prefix), new, push=push)
        make = observe_text if form == "text" else observe_json
        click.echo(
            make(found, written.receipts, versions, written.commit, written.remote, watch.shown), nl=False
        )
    return 1 if found.wrong else 0


def new_of(branch: Branch, receipts: Iterable[Receipt]) -> Sequence[Receipt]:
    """Return those receipts that say something new, also beside what the branch once said and compacted."""
    from modelspec.trace.receipts import kept, news

    receipts = list(receipts)
    places = sorted({(one.environment, one.model) for one in receipts})
    known = [one for place in places for one in good(branch.of(*place))]
    if branch.horizon is not None:
        lasting = {id(one) for one in kept([*known, *receipts], branch.horizon)}
        receipts = [one for one in receipts if id(one) in lasting]
    return news(known, receipts)


def _seen(watch: Observer) -> Iterable[Seen]:
    from modelspec.formats.deployed import deployed
    from modelspec.formats.foreign import Unreadable
    from modelspec.tree.observed import Unclear

    for place, data in watch.look():
        try:
            yield from deployed(data, place)
        except Unreadable as error:
            yield Unclear(place, error.message, error.fix, wrong=True)


def _pins_at(past: GitHistory, revision: str, environment: str) -> Applied | None:
    """Return what an environment's pins said at a commit, which need not be on the main branch."""
    from modelspec.api.at import state_of
    from modelspec.api.observe import Applied
    from modelspec.tree.finding import Refusal

    try:
        commit = past.resolve(revision)
    except Refusal:
        return None
    tree = past.snapshot(commit)
    pins = state_of(tree.walk(f"registry/environments/{environment}/models")).pins
    return Applied(commit, past.claimed(commit), pins)
