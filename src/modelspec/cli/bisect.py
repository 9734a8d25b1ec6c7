"""`modelspec bisect`: which change of a pin made a command fail."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from modelspec.cli.options import (
    colours,
    complete,
    emit,
    environment_names,
    format_option,
    model_names,
    output_option,
    root_option,
)
from modelspec.cli.past import open_past
from modelspec.cli.source import renderer, trusted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelspec.delta.bisection import Verdict
    from modelspec.delta.events import Event
    from modelspec.report.bisect import Step
    from modelspec.tree.protocols import Renderer
    from modelspec.world.history import GitHistory

_SKIP = 125
_ABORT = 128


@click.command("bisect")
@click.argument("model", shell_complete=complete(model_names))
@click.argument("environment", metavar="ENV", shell_complete=complete(environment_names))
@click.option("--run", "run", is_flag=True, required=True, help="Run the command that follows, after `--`.")
@click.argument("command", metavar="-- CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--good", metavar="REV", help="The pin was good here; default: its oldest state is tried.")
@click.option("--ref", metavar="REV", help="The pin is bad here; default: HEAD.")
@format_option("text", "json")
@output_option
@root_option
def bisect_command(
    model: str,
    environment: str,
    run: bool,
    command: tuple[str, ...],
    good: str | None,
    ref: str | None,
    form: str,
    output: str | None,
    root: str | None,
) -> int:
    """Find the change of a pin that made a command fail, by trying states of the pin.

    CMD is run without a shell, with MODELSPEC_COMMIT, _ENVIRONMENT, _MODEL, _VERSION and _DIGEST (of what
    is stable) and MODELSPEC_COMPILED, a folder with the serving configs of that state. The work tree is
    not touched. Exit codes are those of `git bisect run`: 0 good, 125 can't be judged, 1 to 127 bad, more
    stops. A state that does not compile is skipped. Exit code: 0 found, 1 nothing found.

    \b
    Example:
      modelspec bisect eta production --run -- ./smoke-test.sh --quick
    """
    from modelspec.delta.bisection import bisect
    from modelspec.report.bisect import bisected_data, bisected_text
    from modelspec.report.paint import Paint

    with open_past(root, ref) as past, renderer() as child, TemporaryDirectory(prefix="modelspec-") as folder:
        states = _states(past, environment, model, good)
        steps: list[Step] = []

        def judge(index: int) -> Verdict:
            step = _tried(past, child, states[index], command, Path(folder) / str(index))
            steps.append(step)
            commit, note = step.event.commit.short, f" ({step.note})" if step.note else ""
            click.echo(f"modelspec: {commit} is {step.verdict}{note}", err=True)
            return step.verdict

        found = bisect(len(states), judge)
    suspects = [states[index] for index in found.suspects]
    if form == "json":
        text = json.dumps(bisected_data(suspects, found.why, steps), indent=2) + "\n"
    else:
        text = bisected_text(suspects, found.why, steps, Paint(output is None and colours()))
    emit(text, output)
    return 0 if len(suspects) == 1 else 1


def _states(past: GitHistory, environment: str, model: str, good: str | None) -> Sequence[Event]:
    """Return the changes of the pin after which it was there and could be read, the oldest first."""
    from modelspec.delta.events import events_of
    from modelspec.spec.kinds import PIN

    revisions = past.of(PIN.locate(environment, model))
    states = [event for event in events_of(revisions, environment, model) if event.now is not None]
    if not states:
        from modelspec.cli.history import known_names

        known_names(past.snapshot(past.tip), environment, model)
        raise click.UsageError(f"{model} has never been pinned in {environment}.")
    if good is None:
        return states
    since = past.order(past.resolve(good))
    if since < 0:
        raise click.UsageError("--good names a commit that is not on the first-parent history.")
    before = [event for event in states if past.order(event.commit.id) <= since]
    return [*before[-1:], *states[len(before) :]]


def _tried(past: GitHistory, child: Renderer, event: Event, command: Sequence[str], folder: Path) -> Step:
    from modelspec.api.build import build
    from modelspec.report.bisect import Step
    from modelspec.spec.registry import Registry
    from modelspec.world.command import run_command

    assert event.now is not None
    built = build(
        Registry(past.snapshot(event.commit.id)),
        renderer=child,
        trusted=trusted(),
        environment=event.environment,
        model=event.model,
    )
    if built.blocked:
        return Step(event, "skip", "it does not compile")
    for path, data in built.outputs.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    version, _, digest = event.now.stable.version.partition("@")
    code = run_command(
        command,
        {
            "MODELSPEC_COMMIT": event.commit.id,
            "MODELSPEC_ENVIRONMENT": event.environment,
            "MODELSPEC_MODEL": event.model,
            "MODELSPEC_VERSION": version,
            "MODELSPEC_DIGEST": digest,
            "MODELSPEC_COMPILED": str(folder / "compiled" / event.environment / "models" / event.model),
        },
    )
    if code < 0 or code >= _ABORT:
        said = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        raise click.ClickException(f"the command {said} at {event.commit.short}: stopped")
    return Step(event, "good" if code == 0 else "skip" if code == _SKIP else "bad")
