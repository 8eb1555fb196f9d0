"""The command line `zoo`: a command is imported when it is invoked, an error becomes a message and an exit code.

Each module of this package holds one click command, named `command`.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, NamedTuple

import click

from zoo import __version__
from zoo.errors import Interrupted, ZooError, nearest


class Entry(NamedTuple):
    """A command of the core: the module that holds it, and its line in `zoo --help`."""

    module: str
    help: str


COMMANDS = {
    "list": Entry("zoo.cli.list_", "List architectures and data sets."),
    "show": Entry("zoo.cli.show", "Show what is known about an architecture, a data set or a run."),
    "plugins": Entry("zoo.cli.plugins", "List every installed plugin, and whether it can be used."),
    "check": Entry("zoo.cli.check", "Check that a plugin keeps what the zoo promises."),
    "doctor": Entry("zoo.cli.doctor", "Look for what is wrong, and say what mends it."),
    "new": Entry("zoo.cli.new", "Start a project for an architecture or a data set of your own."),
    "data": Entry("zoo.cli.data", "Look at data sets, find and prepare them."),
    "build": Entry("zoo.cli.build", "Build a network and print its layers; no training."),
    "train": Entry("zoo.cli.train", "Train an architecture on a data set."),
    "evaluate": Entry("zoo.cli.evaluate", "Evaluate a run's network again."),
    "predict": Entry("zoo.cli.predict", "Classify images with a run's network."),
    "visualize": Entry("zoo.cli.visualize", "Draw a run's or an architecture's figures."),
    "pack": Entry("zoo.cli.pack", "Put a run's network into a plugin's package."),
    "report": Entry("zoo.cli.report", "Write a run's report, one HTML file."),
    "docs": Entry("zoo.cli.docs", "Build or show the site of the installed plugins."),
    "runs": Entry("zoo.cli.runs", "List the runs."),
    "compare": Entry("zoo.cli.compare", "Compare runs."),
    "results": Entry("zoo.cli.results", "Published results: list, show, publish, reproduce."),
}

HELP = """A zoo of image classifiers.

Install a package, and its architecture or data set appears in `zoo list`; train any of them on any other.

\b
Examples:
  zoo list                        what is installed
  zoo train cnn mnist             train a network; the data are built in
  zoo predict last photo.jpg      classify an image with the newest run
  zoo show vgg16                  an architecture's facts and recipes

\b
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a plugin is broken, 4 data are missing, 130 interrupted.
Results go to standard output, everything else to standard error.
"""


@dataclass
class Settings:
    """The options that every command takes; `context.find_object(Settings)` finds them."""

    verbose: bool = False
    traceback: bool = False


def verbose() -> bool:
    """Whether the command that runs was given `-v`."""
    context = click.get_current_context(silent=True)
    settings = context.find_object(Settings) if context else None
    return settings is not None and settings.verbose


class Root(click.Group):
    """The group of all commands: the core's by name, those of plugins when one is asked for."""

    @cached_property
    def added(self) -> dict[str, click.Command]:
        """The commands that plugins add; a plugin that fails to is reported, and left out."""
        from zoo.cli.added import added_commands

        return added_commands(reserved=COMMANDS)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(self.added)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command | None = import_module(COMMANDS[cmd_name].module).command
        else:
            command = self.added.get(cmd_name)
        return command and with_common_options(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not (name in COMMANDS or name.startswith("-") or name in self.added):
            known = self.list_commands(ctx)
            raise click.UsageError(
                f"There is no command {name!r}. {nearest(name, known)}Commands: {', '.join(known)}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, entry.help) for name, entry in COMMANDS.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        if self.added:
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, self.added[name].get_short_help_str(70)) for name in sorted(self.added)])


def with_common_options(command: click.Command) -> click.Command:
    """Give a command, and those below it, the options that are understood before and after its name."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_common_options(below)
    taken = {name for parameter in command.params for name in parameter.opts}
    for option in _common_options():
        if not taken & set(option.opts):
            command.params.append(option)
    return command


def _common_options() -> list[click.Option]:
    def remember(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            setattr(context.ensure_object(Settings), str(parameter.name), True)

    common: dict[str, Any] = {"is_flag": True, "expose_value": False, "is_eager": True, "callback": remember}
    return [
        click.Option(["-v", "--verbose"], help="Show what the frameworks say.", **common),
        click.Option(["--traceback"], help="Show where an error comes from.", **common),
    ]


def root() -> Root:
    """Make the command `zoo`."""

    @click.command(
        cls=Root,
        name="zoo",
        help=HELP,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    @click.version_option(__version__, "-V", "--version", message="zoo %(version)s")
    @click.pass_context
    def zoo(context: click.Context) -> None:
        if context.invoked_subcommand is None:
            click.echo(context.get_help())

    assert isinstance(zoo, Root)  # noqa: S101 (click's decorator loses the class)
    with_common_options(zoo)
    return zoo


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's) and return the exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed, as in a daemon
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 (it stays open)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal shows "?" and does not fail
    settings = Settings()
    try:
        result = root().main(arguments, prog_name="zoo", standalone_mode=False, obj=settings)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader went away, as in `zoo list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 (the last line of defence: every error becomes a message)
        return _report(error, settings)
    return result if isinstance(result, int) else 0


def _report(error: Exception, settings: Settings) -> int:
    """Say what went wrong on standard error, and return the exit code."""
    if settings.traceback and not isinstance(error, click.exceptions.ClickException | click.Abort):
        import traceback

        traceback.print_exception(error)
    match error:
        case click.Abort() | Interrupted() if not str(error):
            message, code = "Interrupted", Interrupted.exit_code
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.format_message(), err=True)
            return error.exit_code
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else "zoo"
            message, code = f"{error.format_message()}\nTry: {path} --help", error.exit_code
        case click.ClickException():
            message, code = error.format_message(), error.exit_code
        case ZooError():
            message, code = str(error), error.exit_code
        case OSError(errno=errno.ENOSPC | errno.EDQUOT, filename=None):
            message, code = f"What it prints can't be written: {error.strerror}", ZooError.exit_code
        case OSError(filename=str() | bytes() as name) if error.strerror:
            message, code = f"{os.fsdecode(name)}: {error.strerror}", ZooError.exit_code
        case _:
            hint = "" if settings.traceback else "\nThe same command with --traceback shows where."
            message, code = f"zoo itself failed: {type(error).__name__}: {error}{hint}", 1
    from zoo.files import printable

    click.echo(f"Error: {printable(message.expandtabs(2))}", err=True)
    return code
