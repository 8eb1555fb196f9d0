"""`zoo plugins`: every installed plugin, usable or not."""

from __future__ import annotations

from dataclasses import replace

import click

from zoo.cli.text import print_json, table, terminal_width
from zoo.errors import PluginError
from zoo.registry import GROUPS, Plugin, Registry


@click.command(
    "plugins",
    epilog="""\b
Examples:
  zoo plugins
  zoo plugins --json
  zoo plugins --check
  ZOO_DISABLE=vgg16 zoo plugins
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--check", "check", is_flag=True, help="Import each plugin and look at its hooks; exit code 3 if one is bad."
)
@click.pass_context
def command(context: click.Context, as_json: bool, check: bool) -> None:
    """List every installed plugin, where it comes from, and whether it can be used.

    A plugin is an entry point of one of the groups zoo.architectures, zoo.datasets and zoo.plugins. Nothing
    is imported to list them. ZOO_DISABLE="name other" disables plugins, by name or by distribution.
    """
    plugins = [_checked(plugin) if check else plugin for plugin in Registry.discover().plugins]
    bad = [plugin for plugin in plugins if plugin.status not in ("ok", "disabled")]
    _show(plugins, as_json)
    if check and bad:
        context.exit(PluginError.exit_code)


def _checked(plugin: Plugin) -> Plugin:
    """The row as it is once the plugin was imported and its hooks were looked at."""
    if plugin.status != "ok":
        return plugin
    from zoo import quiet
    from zoo.session import implemented_hooks

    try:
        with quiet.frameworks():
            implemented_hooks(plugin, plugin.load())
    except PluginError as error:
        return replace(plugin, status="broken", reason=str(error).splitlines()[0])
    return plugin


def _show(plugins: list[Plugin], as_json: bool) -> None:
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
        if plugin.status in ("broken", "incompatible"):
            click.echo(plugin.remedy)
