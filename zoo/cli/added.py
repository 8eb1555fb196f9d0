"""The commands that plugins of the group `zoo.plugins` add to `zoo`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import click

from zoo.errors import PluginError, ZooError
from zoo.registry import Plugin, Registry
from zoo.trace import traced


def added_commands(reserved: Collection[str]) -> dict[str, click.Command]:
    """Ask each plugin for its commands. A plugin that fails, or takes a name that is not free, is reported
    on standard error and left out."""
    claims: dict[str, list[tuple[Plugin, click.Command]]] = {}
    for plugin in Registry.discover().of("plugin"):
        if plugin.status != "ok":
            continue  # `zoo plugins` says why
        try:
            commands = _commands_of(plugin)
        except ZooError as error:
            click.echo(f"Warning: {error}", err=True)
            continue
        for name, command in commands.items():
            claims.setdefault(name, []).append((plugin, command))
    free: dict[str, click.Command] = {}
    for name, claimants in claims.items():
        owners = ", ".join(plugin.origin for plugin, _ in claimants)
        if name in reserved:
            click.echo(f"Warning: {owners} adds a command {name!r}, which zoo has itself: left out", err=True)
        elif len(claimants) > 1:
            click.echo(f"Warning: more than one plugin adds a command {name!r}: {owners}: left out", err=True)
        else:
            free[name] = claimants[0][1]
    return free


def _commands_of(plugin: Plugin) -> dict[str, click.Command]:
    import pluggy

    from zoo.hookspecs import ZooSpecs

    group = click.Group()
    implementation = plugin.load()
    try:
        manager = pluggy.PluginManager("zoo")
        manager.add_hookspecs(ZooSpecs)
        manager.register(implementation)
        with traced("zoo_commands", plugin.title):
            manager.hook.zoo_commands(group=group)
    except Exception as error:
        raise PluginError(
            f"plugin {plugin.name!r} of {plugin.origin} failed in zoo_commands: {type(error).__name__}: {error}\n"
            f"{plugin.remedy}"
        ) from error
    return {name: _answerable(command, plugin) for name, command in group.commands.items()}


def _answerable(command: click.Command, plugin: Plugin) -> click.Command:
    """The command, whose unexpected failure names the plugin that added it."""
    invoke = command.invoke

    def answerable(ctx: click.Context) -> Any:
        try:
            return invoke(ctx)
        except (ZooError, click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            failure = f"failed in its command {command.name}: {type(error).__name__}: {error}"
            raise PluginError(f"{plugin.title} {failure}\n{plugin.remedy}") from error

    command.invoke = answerable  # type: ignore[method-assign]
    return command
