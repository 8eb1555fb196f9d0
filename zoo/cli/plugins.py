"""`zoo plugins`: every installed plugin, usable or not."""

from __future__ import annotations

import click

from zoo.cli.text import print_json, table, terminal_width
from zoo.registry import GROUPS, Registry


@click.command(
    "plugins",
    epilog="""\b
Examples:
  zoo plugins
  zoo plugins --json
  ZOO_DISABLE=vgg16 zoo plugins
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List every installed plugin, where it comes from, and whether it can be used.

    A plugin is an entry point of one of the groups zoo.architectures, zoo.datasets and zoo.plugins. Nothing
    is imported to list them. ZOO_DISABLE="name other" disables plugins, by name or by distribution.
    """
    plugins = Registry.discover().plugins
    if as_json:
        print_json([plugin.as_dict() for plugin in plugins])
        return
    groups = {kind: group for group, kind in GROUPS.items()}
    header = ("group", "name", "value", "distribution", "version", "status")
    rows = [(groups[p.kind], p.name, p.value, p.distribution, p.version, p.status) for p in plugins]
    click.echo(table(header, rows, gives_way="value", width=terminal_width()) if rows else "Nothing is installed.")
    for plugin in plugins:
        if plugin.reason:
            click.echo(f"\n{plugin.name} of {plugin.origin} is {plugin.status}: {plugin.reason}")
