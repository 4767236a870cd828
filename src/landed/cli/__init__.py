"""The command line. Each command is a file of its own, imported only when it is called."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING

import click

from landed import __version__
from landed.errors import CONFIGURATION, DONE, INTERRUPTED, TERMINATED, ConfigurationError, LandedError

if TYPE_CHECKING:
    from landed.reports.console import Console

#: Command → (module, what ``landed --help`` says about it, so that help need not import every command).
COMMANDS = {
    "wait": ("landed.cli.wait", "Wait until a commit, or a later one, is live everywhere."),
    "report": ("landed.cli.report", "Look once: tell what is new, remember what was told."),
    "watch": ("landed.cli.watch", "Stay, and tell every change within milliseconds."),
    "status": ("landed.cli.status", "Show what is seen. Sends nothing."),
    "preview": ("landed.cli.preview", "Show what each destination would be told, exactly. Sends nothing."),
    "doctor": ("landed.cli.doctor", "Check kubeconfig, permissions, tokens and channels. Sends nothing."),
    "ledger": ("landed.cli.ledger", "Look into the ledger: what was told to whom."),
    "demo": ("landed.cli.demo", "The whole tool on an embedded cluster, Git host and chat inbox."),
}


class Terminated(BaseException):
    """SIGTERM: a cancelled job. Not an Exception, so that nothing on the way swallows it."""


class Commands(click.Group):
    """A group that knows its commands by name and imports one when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one that is called."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but a wrong name gets the nearest right one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            meant = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(COMMANDS)}."
            raise click.UsageError(f"There is no command {args[0]!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done or live, 1 the commit failed (report: with --fail-on failure), 2 usage or "
    "configuration, 3 timed out, 4 the commit can no longer land, 5 a cluster could not be read, 6 an update could not "
    "be delivered.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Tell people and pipelines whether a commit has landed: whether Flux has reconciled it, healthy, on every
    cluster it is meant for.
    """


def enter(arguments: Sequence[str]) -> int:
    """Run one command and give the exit code. Whatever goes wrong ends in one clear message."""
    signal.signal(signal.SIGTERM, _terminate)
    consoles: list[Console] = []
    try:
        result = main.main(list(arguments), prog_name="landed", standalone_mode=False, obj=consoles)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return CONFIGURATION
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone: nothing to say, and nobody to say it to
        return DONE
    except (LandedError, click.ClickException, click.Abort, KeyboardInterrupt, Terminated) as error:
        told, code = _ending(error, reporting=arguments[0] in ("report", "wait", "watch") if arguments else False)
        _tell(told, consoles)
        return code
    return result if isinstance(result, int) else DONE


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _ending(error: BaseException, *, reporting: bool) -> tuple[LandedError, int]:
    """What to say about an error that ended the run, and its exit code."""
    if isinstance(error, LandedError):
        return error, error.exit_code
    if isinstance(error, click.ClickException):
        ctx = getattr(error, "ctx", None)
        hint = f"See: {ctx.command_path} --help" if ctx is not None else ""
        return ConfigurationError(error.format_message(), hint), CONFIGURATION
    ended, code = ("Terminated.", TERMINATED) if isinstance(error, Terminated) else ("Interrupted.", INTERRUPTED)
    left = "What was delivered is in the ledger; the rest is left for the next run." if reporting else ""
    return ConfigurationError(ended, left), code


def _tell(error: LandedError, consoles: Sequence[Console]) -> None:
    """On the console of the command that ran, or on standard error if it did not come that far."""
    import os

    from landed.reports.console import fatal

    if consoles:
        consoles[0].error(error)
    else:
        fatal(sys.stderr, os.environ, error.message, error.hint)
