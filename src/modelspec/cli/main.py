"""The command `modelspec`: finds the verb, runs it, and turns what goes wrong into an exit code."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from signal import SIGINT, Signals
from typing import Any, Final

import click

from modelspec import __version__
from modelspec.cli.options import ROOT_HELP, colours
from modelspec.tree.finding import Refusal
from modelspec.tree.text import did_you_mean, visible, visible_lines
from modelspec.world.signals import EndedError, came, caught

VERBS: Final[dict[str, tuple[str, str]]] = {
    "check": ("modelspec.cli.check", "Judge the registry and print findings."),
    "compile": ("modelspec.cli.compile", "Write the serving configs of the pins."),
    "plan": ("modelspec.cli.plan", "Show what a merge would change, and the way back."),
    "register": ("modelspec.cli.register", "Capture a version from real files and store its bytes."),
    "derive": ("modelspec.cli.derive", "Make a version like another one but for a single component."),
    "promote": ("modelspec.cli.promote", "Let a version serve: stable, canary, shadow, standby, variant."),
    "rollback": ("modelspec.cli.promote", "Give a pin back what it had before, and hold it."),
    "hold": ("modelspec.cli.hold", "Hold a pin where it is, with a reason, or release it."),
    "retire": ("modelspec.cli.hold", "Archive or withdraw a version."),
    "prune": ("modelspec.cli.hold", "Delete version files that nothing needs any more."),
    "verdict": ("modelspec.cli.verdict", "Say whether a version can serve today, and what moves with it."),
    "list": ("modelspec.cli.read", "List models and versions with their states."),
    "show": ("modelspec.cli.read", "Show a model, or one version with its six components."),
    "log": ("modelspec.cli.history", "Show what happened to pins: who, when, why."),
    "at": ("modelspec.cli.history", "Show what was declared at an instant."),
    "observe": ("modelspec.cli.observe", "Look at what is really deployed, and write receipts of it."),
    "receipts": ("modelspec.cli.receipts", "List, import and compact receipts."),
    "drift": ("modelspec.cli.served", "Compare what is declared with what was observed to serve."),
    "timeline": ("modelspec.cli.served", "Show what was declared and what served, side by side."),
    "wait": ("modelspec.cli.wait", "Wait until receipts show a version served: merged is not live."),
    "diff": ("modelspec.cli.diff", "Show what differs in meaning between two revisions or two versions."),
    "blame": ("modelspec.cli.blame", "Show where each line of a serving config comes from."),
    "bisect": ("modelspec.cli.bisect", "Find the change of a pin that made a command fail."),
    "fetch": ("modelspec.cli.fetch", "Write a version's artifact to a folder, verified."),
    "reproduce": ("modelspec.cli.reproduce", "Write the whole context of a version to a folder, and try it."),
    "verify": ("modelspec.cli.verify", "Check how far each component of a version holds."),
    "gc": ("modelspec.cli.gc", "Find, and remove, the artifacts that nothing needs."),
    "trace": ("modelspec.cli.trace", "Show which version answered a request, and what it was given."),
    "replay": ("modelspec.cli.replay", "Ask a version again what it was asked, one request or a day's log."),
    "skew": ("modelspec.cli.skew", "Hold what a model is given against its contract and training sample."),
    "explain": ("modelspec.cli.explain", "Explain a rule: what it demands, why, and the fix."),
    "schema": ("modelspec.cli.explain", "Print the JSON Schema of a kind of file."),
    "import-schema": ("modelspec.cli.import_schema", "Write a feature schema from where it already is."),
    "digest": ("modelspec.cli.digest", "Print the digest of a document or of artifact files."),
    "init": ("modelspec.cli.init", "Write the skeleton of a registry."),
    "target": ("modelspec.cli.target", "List and add the serving systems to compile for."),
    "codeowners": ("modelspec.cli.codeowners", "Print CODEOWNERS from the owners in the files."),
    "completion": ("modelspec.cli.explain", "Print the completion script of a shell."),
}
"""Verb -> (module, one line of help); a module is imported only when its verb runs."""

BUG: Final = 70
REFUSED: Final = 3
SIGNALLED: Final = 128
"""And the number of the signal, as a shell says it: 130 for Ctrl-C, 143 for SIGTERM."""
UNREAD: Final = 141
"""What a shell says of a program that died because nobody reads its output (SIGPIPE), as git does."""


class Verbs(click.Group):
    """A group that imports a verb when it is called, and knows what a mistyped one meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = VERBS.get(cmd_name)
        if found is None:
            return None
        command: click.Command = getattr(import_module(found[0]), f"{cmd_name.replace('-', '_')}_command")
        return command

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **more)
        except BrokenPipeError:  # of --help; click would make a 1 of it, which here means findings
            raise click.exceptions.Exit(_unread()) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise click.exceptions.Exit(_unread()) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], VERBS)
            message = f"No such command {visible(args[0])!r}."
            raise click.UsageError(f"{message} {hint[0].upper()}{hint[1:]}" if hint else message, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The one-line helps stand in VERBS, so that --help imports no verb.
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--root",
    metavar="PATH",
    default=None,
    help=ROOT_HELP,
)
@click.version_option(__version__, prog_name="modelspec", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, root: str | None) -> None:
    """The declarative, git-native model registry.

    Model versions and environment pins are YAML files in git; `check` judges them, `compile` turns the
    pins into the configs of serving systems, a pull request promotes and `git revert` rolls back.

    \b
    Example:
      modelspec check && modelspec compile
    """
    context.obj = root
    # Else click strips the colours that FORCE_COLOR asks for.
    context.color = colours()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code: 0, 1 findings, 2 usage, 3 refused, 70 our bug.

    Ctrl-C is 130, another signal 128 and its number; what was begun is undone first.
    """
    if arguments is None and sys.getfilesystemencoding() != "utf-8":
        _begin_in_utf8()
    _open_streams()
    # Looking through all installed packages for plugins of pydantic takes a tenth of a small check; no
    # package that happens to be installed shall change how a registry is read.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        with caught():
            code = run(arguments)
    except (KeyboardInterrupt, EndedError) as end:  # while something else was being said
        code = _ended(end)
    if code > SIGNALLED and code != UNREAD:
        # A thread that waits for a network would hold Python up at its end.
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    # Else Python looks for cycles in all that was read before it ends, a tenth of the time that a plan takes.
    gc.freeze()
    sys.exit(code)


def _begin_in_utf8() -> None:
    """Begin again with file names in UTF-8, as in every digest and in git, whatever the locale says."""
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606


def _open_streams() -> None:
    """Open what was closed of the standard streams (`>&-`) on nothing.

    Else the next file that is opened takes its number, and what is printed goes into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    # What is read stays until the end, and nearly nothing of it is a cycle: a collector that keeps
    # looking costs a quarter of a large check.
    gc.set_threshold(1_000_000, 50, 1000)
    try:
        code: Any = cli.main(args=arguments, prog_name="modelspec", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        with suppress(OSError):  # as in _refuse
            click.echo(visible_lines(told.getvalue()), err=True, nl=False)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt, EndedError) as end:
        return _ended(end)
    except Refusal as refusal:
        return _refuse(refusal.message, refusal.hint)
    except BrokenPipeError:
        return _unread()
    except OSError as error:
        # A call on an open file names its number, which says nothing.
        named = error.filename if isinstance(error.filename, str | bytes) else ""
        where = f": {visible(os.fsdecode(named), 200)}" if named else ""
        return _refuse(f"{error.strerror or error}{where}", None)
    except MemoryError:
        return _refuse("the input is larger than this machine can take", None)
    except Exception:
        if (number := came()) is not None:
            return _ended(EndedError(number))
        import traceback

        traceback.print_exc()
        click.echo(
            f"modelspec {__version__}: this is a bug in modelspec; please report it with the lines above",
            err=True,
        )
        return BUG


def _ended(end: BaseException) -> int:
    """Say that a signal ended it; a terminal that is gone hears nothing."""
    number = end.number if isinstance(end, EndedError) else SIGINT
    said = "interrupted" if number == SIGINT else f"ended by {Signals(number).name}"
    with suppress(OSError):
        click.echo(f"modelspec: {said}", err=True)
    return SIGNALLED + number


def _unread() -> int:
    """Whoever read our output has gone; nothing more can be said to them."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return UNREAD


def _refuse(message: str, hint: str | None) -> int:
    with suppress(OSError):  # stderr may be full or gone: the exit code still tells
        click.echo(f"modelspec: {visible_lines(message)}", err=True)
        if hint:
            click.echo(f"  fix: {visible_lines(hint)}", err=True)
    return REFUSED
