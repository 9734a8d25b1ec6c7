"""`modelspec wait`: until receipts show that a version is live."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from modelspec.cli.branch import fetch, good, open_receipts
from modelspec.cli.options import (
    complete,
    complete_versions,
    environment_names,
    format_option,
    model_names,
    root_option,
    unknown,
)
from modelspec.cli.past import open_past
from modelspec.cli.where import repository_of

if TYPE_CHECKING:
    from modelspec.world.history import GitHistory


class LengthType(click.ParamType[float]):
    """A length of time: `30s`, `10m`, `1h`."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from modelspec.spec.instant import duration

        if isinstance(value, int | float):
            return float(value)
        if re.fullmatch(r"(?:0|[1-9][0-9]{0,5})[smhd]", str(value), re.ASCII) is None:
            self.fail("write a length such as 30s, 10m or 1h", param, ctx)
        return duration(str(value)).total_seconds()


@click.command("wait")
@click.argument("model", shell_complete=complete(model_names))
@click.argument("environment", metavar="ENV", shell_complete=complete(environment_names))
@click.argument("version", required=False, shell_complete=complete_versions)
@click.option("--slot", default="stable", show_default=True, metavar="SLOT", help="In which slot.")
@click.option("--timeout", type=LengthType(), default="10m", show_default=True, help="Give up after so long.")
@click.option("--every", type=LengthType(), default="5s", show_default=True, help="How often to look.")
@click.option("--remote", is_flag=True, help="Fetch origin's receipts before each look.")
@format_option("text", "json")
@root_option
def wait_command(
    model: str, environment: str, version: str | None, slot: str, timeout: float, every: float, remote: bool,
    form: str, root: str | None,
) -> int:  # fmt: skip
    """Wait until receipts show VERSION served: merged is not live. VERSION is by default what is pinned.

    Served means that the last receipt of every cluster shows this version, and no other, in the slot.
    Somebody has to observe meanwhile: this reads receipts, it asks no serving system.

    Exit code: 0 served, 1 not served when --timeout was over, 3 the receipts can't be read.

    \b
    Examples:
      modelspec wait eta production --remote
      modelspec wait eta production 2.3.1 --slot canary --timeout 30m
    """
    from modelspec.api.drift import is_served
    from modelspec.report.receipts import slots_text
    from modelspec.report.served import wait_json
    from modelspec.spec.registry import Registry
    from modelspec.trace.receipts import fold
    from modelspec.trace.stamps import Versions
    from modelspec.world.clock import pause, ticks

    repository, prefix, _ = repository_of(root)
    with open_past(root, None) as past:
        wanted, digest = _wanted(past, model, environment, version, slot)
        versions = Versions(Registry(past.snapshot(past.tip)), past)
        began, told = ticks(), None
        while True:
            if remote:
                fetch(repository, prefix)
            with open_receipts(repository, prefix) as branch:
                lines = list(fold(good(branch.of(environment, model))).values())
            last = [line[-1] for line in lines]
            served = is_served(lines, digest, slot)
            waited = ticks() - began
            said = "; ".join(slots_text(model, one.slots, versions) for one in last) or "no receipt"
            if served or waited >= timeout:
                break
            if said != told:
                click.echo(f"modelspec: {environment}/{model}: {said}; waiting for {wanted}", err=True)
                told = said
            pause(max(0.05, min(every, timeout - waited)))
        if form == "json":
            text = wait_json(
                model, environment, wanted, digest, slot, last, versions, served=served, waited=waited
            )
        elif served:
            text = f"{environment}/{model} serves {wanted} in {slot}: {said}\n"
        else:
            text = f"{environment}/{model} does not serve {wanted} in {slot} after {waited:.0f} s: {said}\n"
        click.echo(text, nl=False)
    return 0 if served else 1


def _wanted(
    past: GitHistory, model: str, environment: str, version: str | None, slot: str
) -> tuple[str, str]:
    """Return (version, digest) that is waited for: the one named, or what the pin has in the slot."""
    from modelspec.cli.history import known_names
    from modelspec.spec.base import ref_digest, ref_name
    from modelspec.spec.kinds import PIN, VERSION
    from modelspec.spec.reader import Entry
    from modelspec.spec.registry import Registry
    from modelspec.tree.finding import Refusal

    registry = Registry(past.snapshot(past.tip))
    known_names(registry.snapshot, environment, model)
    if version is not None:
        entry = registry.get(VERSION, model, version)
        if entry is None:
            unknown("version", version, (name[1] for name in registry.names(VERSION, model)))
        if not isinstance(entry, Entry):
            raise Refusal(f"{VERSION.locate(model, version)} can't be read", "modelspec check says why")
        return version, entry.digest
    pin = registry.value(PIN, environment, model)
    if pin is None:
        raise Refusal(f"{model} has no pin in {environment} that can be read", "name the VERSION to wait for")
    slots = {name: ref for name, _, ref in pin.value.slots()}
    if slot not in slots:
        unknown("slot", slot, slots)
    return ref_name(slots[slot]), ref_digest(slots[slot])
