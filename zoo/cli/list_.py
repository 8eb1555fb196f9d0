"""`zoo list`: the architectures and data sets that are installed."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import click

from zoo.cli.text import number, print_json, table, terminal_width
from zoo.errors import UsageError, nearest
from zoo.registry import TITLES, Plugin, Registry


@click.command(
    "list",
    epilog="""\b
Examples:
  zoo list
  zoo list 'vgg*'
  zoo list --json
""",
)
@click.argument("pattern", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(pattern: str | None, as_json: bool) -> None:
    """List architectures and data sets.

    PATTERN is a glob such as 'vgg*'; without one of * ? [ it may be any part of a name. Nothing is imported
    to list: the facts come from the plugins' cards.
    """
    registry = Registry.discover()
    rows = [*registry.of("architecture"), *registry.of("dataset")]
    if pattern is not None:
        rows = _matching(rows, pattern, required=not as_json)
    if as_json:
        print_json([plugin.as_dict() for plugin in rows])
    else:
        click.echo(_listing(rows))


def _matching(rows: list[Plugin], pattern: str, required: bool) -> list[Plugin]:
    glob = pattern if set(pattern) & set("*?[") else f"*{pattern}*"
    matching = [plugin for plugin in rows if fnmatchcase(plugin.name.lower(), glob.lower())]
    if required and not matching:
        names = sorted({plugin.name for plugin in rows})
        raise UsageError(
            f"No architecture or data set matches {pattern!r}. {nearest(pattern, names)}"
            f"Installed: {', '.join(names) or 'none'}"
        )
    return matching


def _listing(rows: Sequence[Plugin]) -> str:
    sections = []
    if architectures := [_architecture(row) for row in rows if row.kind == "architecture" and row.status == "ok"]:
        sections.append(_table(("architecture", "parameters", "size", "channels", "summary", "from"), architectures))
    if datasets := [_dataset(row) for row in rows if row.kind == "dataset" and row.status == "ok"]:
        sections.append(_table(("data set", "images", "classes", "size", "channels", "summary", "from"), datasets))
    if unusable := [row for row in rows if row.status != "ok"]:
        sections.append("Not usable:\n" + "\n".join(map(_unusable, unusable)))
    return "\n\n".join(sections) or "Nothing is installed."


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    right = ("parameters", "images", "classes")
    drops = ("from", "channels")
    return table(header, rows, right=right, gives_way="summary", drops=drops, width=terminal_width())


def _architecture(plugin: Plugin) -> tuple[str, ...]:
    facts, known = plugin.facts, plugin.card is not None
    size = str(facts.size) if facts.size else "-"
    if known and facts.min_size > 1:
        size += f" (min {facts.min_size})"
    channels = _channels(plugin)
    return (plugin.name, number(facts.parameters), size, channels, facts.summary or "-", plugin.origin)


def _dataset(plugin: Plugin) -> tuple[str, ...]:
    facts = plugin.facts
    classes = number(len(facts.class_names) or facts.classes)
    size = str(facts.size) if facts.size else "-"
    summary = facts.summary or "-"
    return (plugin.name, number(facts.images), classes, size, _channels(plugin), summary, plugin.origin)


def _channels(plugin: Plugin) -> str:
    return ", ".join(map(str, plugin.card.channels)) if plugin.card else "-"


def _unusable(plugin: Plugin) -> str:
    return f"  {TITLES[plugin.kind]} {plugin.name} ({plugin.origin}) is {plugin.status}: {plugin.reason}"
