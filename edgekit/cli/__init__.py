"""The `edgekit` command: finds its commands among the entry points, and turns errors into exit codes."""

from __future__ import annotations

import difflib
import os
import shutil
import signal
import sys
import textwrap
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from edgekit import plugins
from edgekit._version import __version__
from edgekit.cli.stopping import Stopped, stoppable
from edgekit.cli.streams import drop_output, standard_streams
from edgekit.errors import EdgeKitError
from edgekit.failover.watching import left_behind

INTERRUPTED = 128 + signal.SIGINT
ERROR = "Error: "


@dataclass(slots=True)
class State:
    """What holds for one call of the command."""

    debug: bool = False


def _set_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    state = context.find_root().obj
    if value and isinstance(state, State):
        state.debug = True


def is_debug(context: click.Context | None = None) -> bool:
    """Whether `--debug` was given, before the command's name or behind it.

    Args:
        context: The command's; by default the one that runs now, if any.
    """
    context = context or click.get_current_context(silent=True)
    state = context.find_root().obj if context else None
    return isinstance(state, State) and state.debug


debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_set_debug, is_eager=True,
    help="Show tracebacks and the logs of the libraries underneath.",
)


def own_command() -> str:
    """How this command can be called again from the same shell: by its path where it is not on PATH."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{sys.executable} -m edgekit"
    return "edgekit" if shutil.which("edgekit") else str(called)


def examples(text: str) -> str:
    """An epilog that click prints as it stands: one example a line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line.strip()}" for line in text.strip().splitlines())


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(plugins.registered("edgekit.commands"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        try:
            command = plugins.load("edgekit.commands", cmd_name)
        except KeyError:
            return None
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in names:
            near = difflib.get_close_matches(args[0], names, n=1)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"No such command '{args[0]}'.{meant} Commands: {', '.join(names)}.", ctx)
        return super().resolve_command(ctx, args)


@click.command(
    cls=_Commands,
    epilog=examples("""
        edgekit demo
        edgekit convert model.keras -o model.tflite --calibration photos/
        edgekit run model.tflite photos/
    """),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="edgekit")
@debug_option
def cli() -> None:
    """Convert trained Keras models to int8 TFLite, and run them on embedded devices."""


def _show(error: EdgeKitError) -> None:
    """Print an error; on a terminal its lines are broken between words, and never within a path or command."""
    text = f"{ERROR}{error}"
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(
            textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False) for line in text.split("\n")
        )
    click.secho(ERROR, fg="red", nl=False, err=True)
    click.echo(text.removeprefix(ERROR), err=True)


def _unexpected(error: Exception) -> str:
    """What to say of an error that nobody foresaw."""
    if isinstance(error, ImportError):  # of what is installed and broken; what is missing has an error of its own
        return f"Error: a library cannot be imported: {error}\nedgekit doctor tells what mends it."
    return (
        f"Error: EdgeKit failed in a way that it should not: {type(error).__name__}: {error}\n"
        "Run the same command with --debug for the traceback, and please report it."
    )


def _execute(arguments: Sequence[str], state: State) -> int:
    """Run one command line and return its exit code."""
    try:
        outcome: Any = cli.main(list(arguments), prog_name="edgekit", standalone_mode=False, obj=state)
    except EdgeKitError as error:
        if state.debug:
            traceback.print_exc()
        _show(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nInterrupted.", err=True)
        return INTERRUPTED
    except Stopped as stopped:
        click.echo("Stopped.", err=True)
        return 128 + stopped.number
    except Exception as error:
        if state.debug:
            traceback.print_exc()
        click.echo(_unexpected(error), err=True)
        return 1
    return outcome if isinstance(outcome, int) else 0


def main() -> NoReturn:
    """Entry point of the installed `edgekit` command."""
    hung = left_behind()
    try:
        with standard_streams(), stoppable():
            code = _execute(sys.argv[1:], State())
            drop_output()
    except KeyboardInterrupt:  # between two lines of what handles it
        code = INTERRUPTED
    except Stopped as stopped:
        code = 128 + stopped.number
    if left_behind() - hung:  # what libraries do at the end of a process could wait for it for ever
        drop_output()
        os._exit(code)
    sys.exit(code)
