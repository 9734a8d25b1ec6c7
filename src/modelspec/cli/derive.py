"""`modelspec derive`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelspec.cli.landing import carry_out, chosen, landing_options
from modelspec.cli.options import complete, format_option, model_names, root_option

if TYPE_CHECKING:
    from modelspec.change.proposal import Declined, Proposal
    from modelspec.spec.history import History
    from modelspec.spec.registry import Registry


@click.command("derive")
@click.argument("model", required=False, shell_complete=complete(model_names))
@click.argument("version", required=False)
@click.option("--from", "parent", metavar="VERSION", help="The version to start from.")
@click.option(
    "--set", "sets", metavar="KEY=VALUE", multiple=True, required=True, help="What to change; repeatable."
)
@click.option("--next", "following", is_flag=True, help="The lowest number that the change allows.")
@click.option("--all", "everything", is_flag=True, help="A next version of everything that is pinned.")
@click.option(
    "--where", metavar="KEY=VALUE", multiple=True, help="With --all: only versions with this value."
)
@click.option("--description", metavar="TEXT", help="What is new in this version.")
@landing_options
@format_option("text", "json")
@root_option
def derive_command(
    model: str | None, version: str | None, parent: str | None, sets: tuple[str, ...], following: bool,
    everything: bool, where: tuple[str, ...], description: str | None, commit: bool, branch: bool, push: bool,
    form: str, root: str | None,
) -> int:  # fmt: skip
    """Make a version of MODEL that is like another one but for a single component.

    For a threshold in an emergency, or an image with a fix: the artifact is shared, the parent is recorded,
    and comments stay. Separate the parts of a key by dots; address an entry of a list by its name. The number
    has to be one that the change allows (MS309): --next takes the lowest.

    \b
    Examples:
      modelspec derive eta 2.4.1 --from 2.4.0 --set config.thresholds.late.value=20
      modelspec derive eta --next --from 2.4.0 --set runtime.image=registry.example.com/onnx@sha256:...
      modelspec derive --all --where runtime.image=OLD --set runtime.image=NEW --branch --push
    """
    from modelspec.api.derive import Setting, derive, derive_all
    from modelspec.cli.given import loose, pairs, typed

    settings = [Setting(key, text, typed(text), loose(text)) for key, text in pairs(sets, "--set").items()]
    wanted = pairs(where, "--where")
    place = chosen(commit, branch, push)
    if everything:
        if model is not None or parent is not None or following:
            raise click.UsageError("--all is of every pinned version: leave out MODEL, --from and --next.")
    elif model is None or parent is None or (version is None) != following:
        raise click.UsageError("Name MODEL, --from VERSION, and VERSION or --next; or --all.")
    elif where:
        raise click.UsageError("--where belongs to --all.")

    def propose(registry: Registry, history: History) -> Proposal | Declined:
        if model is None or parent is None:
            return derive_all(registry, settings, wanted, description)
        from modelspec.cli.promote import known

        known(registry, model, [], parent)
        return derive(registry, model, version, parent, settings, description)

    _numbered(version)
    return carry_out(root, "derive", propose, place, form)


def _numbered(version: str | None) -> None:
    import re

    from modelspec.tree.paths import SEMVER
    from modelspec.tree.text import visible

    if version is not None and re.fullmatch(SEMVER, version) is None:
        raise click.UsageError(f"{visible(version)} is no version: MAJOR.MINOR.PATCH.")
