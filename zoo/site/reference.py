"""The reference pages, made from the program itself: commands from click, hooks from their file, recipe keys."""

from __future__ import annotations

from typing import Any

from zoo.markup import plain, table
from zoo.recipes import KEYS, Recipe


def command_line() -> str:
    """Every command with its help, as `--help` prints it."""
    import click

    from zoo.cli import COMMANDS, root

    group = root()
    context = click.Context(group, info_name="zoo", max_content_width=90, terminal_width=90)
    parts = [
        "# Command line",
        "What `--help` prints, by command. Plugins may add commands of their own; `zoo --help` lists those installed.",
        _help("zoo", group, context, level=2),
    ]
    for name in COMMANDS:
        command = group.get_command(context, name)
        if command is None:
            continue
        below = click.Context(command, info_name=name, parent=context, max_content_width=90, terminal_width=90)
        parts.append(_help(f"zoo {name}", command, below, level=2))
        if isinstance(command, click.Group):
            for inner, sub in command.commands.items():
                deeper = click.Context(sub, info_name=inner, parent=below, max_content_width=90, terminal_width=90)
                parts.append(_help(f"zoo {name} {inner}", sub, deeper, level=3))
    return "\n\n".join(parts) + "\n"


def _help(title: str, command: Any, context: Any, level: int) -> str:
    return f"{'#' * level} {title}\n\n```text\n{command.get_help(context)}\n```"


def recipe_keys() -> str:
    """Every key of a recipe: what it means and core's value."""
    defaults = Recipe()
    rows = [(key, plain(getattr(defaults, key)), meaning) for key, meaning in KEYS.items()]
    return (
        "# Recipe keys\n\nA recipe is a table of these keys; what it leaves out is core's value. "
        "`zoo train ... --set key=value` sets one, `--dry-run` prints all with the file and line that each comes from. "
        f"See [your own recipe](../guide/own-recipe.md).\n\n{table(('key', 'default', 'what it is'), rows)}\n"
    )


def api() -> str:
    """The Python API, which mkdocstrings fills in from the docstrings."""
    import zoo

    verbs = ("train", "predict", "evaluate", "visualize", "compare", "build", "prepare")
    parts = [
        "# Python API",
        "The verbs of the command line as functions. Each shows its progress on standard error unless `quiet` is set, "
        "and raises `zoo.ZooError` where the command would end with a message. Everything here is a name of `zoo`.",
        "## Verbs",
        *(f"::: zoo.api.{name}" for name in verbs),
        "## Types",
        *(
            f"::: {_home(zoo, name)}"
            for name in sorted(set(zoo.__all__) - {*verbs, "__version__", "hookimpl", "find_runs"})
        ),
        "## Finding runs",
        "::: zoo.runs.directory.find_runs",
    ]
    return "\n\n".join(parts) + "\n"


def _home(package: Any, name: str) -> str:
    thing = getattr(package, name)
    return f"{thing.__module__}.{name}"


def hooks() -> str:
    """Every hook with its signature, from the hook file."""
    from zoo.reference import hooks_markdown

    return hooks_markdown()
