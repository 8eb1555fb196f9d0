"""`zoo check`: the conformance suite on an installed plugin."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.text import print_json
from zoo.errors import DataError, PluginError, UsageError, nearest
from zoo.registry import KINDS, TITLES, Plugin, Registry

if TYPE_CHECKING:
    from zoo.testing import Outcome


@click.command(
    "check",
    epilog="""\b
Examples:
  zoo check my-net
  zoo check vgg16 --set width=0.125      a deep network, at an eighth of its width
  zoo check my-data --source FOLDER
  zoo check my-net --json
""",
)
@click.argument("name")
@click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE", help="An option, as zoo train takes it.")
@click.option("--source", type=click.Path(path_type=Path), help="Where the data set lies.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, name: str, settings: tuple[str, ...], source: Path | None, as_json: bool) -> None:
    """Check that the architecture, data set or plugin NAME keeps what the zoo promises.

    Each check is named; what fails comes with what was found and how to mend it. Synthetic images, on the
    CPU; nothing is downloaded. The same checks are tests in `zoo.testing`. Ends with exit code 3 if one fails.
    """
    from zoo.recipes import parse_setting
    from zoo.testing import conformance

    plugin = _find(name)
    options: dict[str, Any] = {}
    for setting in settings:  # as `zoo train` takes it, or the bare option
        options |= parse_setting(setting if setting.startswith("options.") else f"options.{setting}")["options"]
    _check_takes(plugin, options, source)
    checks = conformance(plugin, options=options, source=source)
    if options:
        _ask(lambda: checks.subject.model)
    if source is not None:
        _ask(lambda: checks.subject.examples)
    outcomes = []
    if not as_json:
        click.echo(f"{plugin.title}\n")
    for outcome in checks.outcomes():
        outcomes.append(outcome)
        if not (as_json or outcome.cause):
            click.echo(_row(outcome))
    failed = [outcome.check.name for outcome in outcomes if outcome.state == "failed"]
    if as_json:
        print_json({"plugin": plugin.as_dict(), "checks": [outcome.as_dict() for outcome in outcomes]})
    else:
        for line in _unchecked(outcomes):
            click.echo(line)
        states = [outcome.state for outcome in outcomes]
        seconds = sum(outcome.seconds for outcome in outcomes)
        counts = ", ".join(f"{states.count(state)} {state}" for state in ("ok", "failed", "skipped"))
        click.echo(f"\n{counts}; {seconds:.0f} s")
    if failed:
        context.exit(PluginError.exit_code)


def _check_takes(plugin: Plugin, options: Mapping[str, Any], source: Path | None) -> None:
    """Raise UsageError for what is not for this kind of plugin, an option that its card does not have, or no path."""
    if options and plugin.kind != "architecture":
        raise UsageError(f"--set is an option of an architecture, and {plugin.name} is none")
    if source is not None and plugin.kind != "dataset":
        raise UsageError(f"--source says where a data set lies, and {plugin.name} is none")
    if source is not None and not source.exists():
        raise UsageError(f"--source takes a file or a folder. Received: {source}, which does not exist")
    known = plugin.facts.options
    for name in options:
        if plugin.card is not None and name not in known:
            has = ", ".join(known) or "none, by its card"
            raise UsageError(f"{plugin.name} has no option {name!r}. {nearest(name, known)}It has: {has}")


def _ask(plugin: Callable[[], object]) -> None:
    """Raise what the plugin itself says against an option's value or a --source; any other fault the checks find."""
    try:
        plugin()
    except (UsageError, DataError):
        raise
    except (Exception, SystemExit):  # noqa: S110, BLE001
        pass


def _find(name: str) -> Plugin:
    registry = Registry.discover()
    kinds = [kind for kind in KINDS if any(row.name == name for row in registry.of(kind))]
    if len(kinds) > 1:
        titles = " and ".join(f"{TITLES[kind]} of {registry.find(kind, name).distribution}" for kind in kinds)
        raise UsageError(f"{name!r} is an {titles}; rename one of them")
    if not kinds:
        known = sorted({plugin.name for plugin in registry.plugins})
        raise UsageError(f"No plugin {name!r} is installed. {nearest(name, known)}Installed: {', '.join(known)}")
    return registry.find(kinds[0], name)


def _unchecked(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What was not checked, in a paragraph for each check that it hangs on."""
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.cause:
            found.setdefault(outcome.detail, []).append(outcome.check.name)
    for detail, names in found.items():
        text = f"{'skipped':<8} {detail}: {', '.join(names)}"
        yield textwrap.fill(text, 100, subsequent_indent=" " * 9, break_on_hyphens=False)


def _row(outcome: Outcome) -> str:
    text = f"{outcome.state:<8} {outcome.check.name:<25} {outcome.check.what}"
    if outcome.state == "skipped":
        return f"{outcome.state:<8} {outcome.check.name:<25} {outcome.detail}"
    if outcome.state == "failed":
        return f"{text}\n{'':<9}found: {outcome.detail}\n{'':<9}remedy: {outcome.remedy}"
    return text
