"""`zoo data`: look at data sets, find and prepare them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from zoo.cli.show import dataset_facts
from zoo.cli.text import facts, number, print_json, table, terminal_width
from zoo.errors import DataError, Interrupted, MissingData, UsageError
from zoo.files import cache_folder, in_words
from zoo.registry import Plugin, Registry

SOURCE = click.option("--source", type=click.Path(path_type=Path), help="Where the data set's files are.")


@click.group(
    "data",
    epilog="""\b
Examples:
  zoo data list
  zoo data info catsdogs
  zoo data prepare catsdogs --source train.zip --for vgg16
""",
)
def command() -> None:
    """Look at data sets, find and prepare them."""


@command.command(
    "list",
    epilog="""\b
Examples:
  zoo data list
  zoo data list --json
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(as_json: bool) -> None:
    """List the data sets, and whether each is on this machine."""
    plugins = Registry.discover().of("dataset")
    states = [_state(plugin, None)[0] for plugin in plugins]
    if as_json:
        print_json([plugin.as_dict() | {"found": state} for plugin, state in zip(plugins, states, strict=True)])
        return
    rows = [
        (plugin.name, state, number(plugin.facts.images), plugin.facts.summary or "-", plugin.origin)
        for plugin, state in zip(plugins, states, strict=True)
    ]
    header = ("data set", "found", "images", "summary", "from")
    click.echo(table(header, rows, right=("images",), gives_way="summary", drops=("from",), width=terminal_width()))


@command.command(
    "info",
    epilog="""\b
Examples:
  zoo data info mnist
  zoo data info catsdogs --source ~/Downloads/train.zip
""",
)
@click.argument("name")
@SOURCE
def info_command(name: str, source: Path | None) -> None:
    """Show a data set's facts, where it is looked for, and whether it is there."""
    from zoo.data.loading import find_source, prepared_forms

    plugin = Registry.discover().get("dataset", name)
    state, found = _state(plugin, source)
    places = find_source(source)
    looked = [str(places.given)] if places.given else [str(root / name) for root in places.roots]
    if not places.given and not os.environ.get("ZOO_DATA"):
        looked.insert(0, "$ZOO_DATA, which is not set")
    pairs = [
        ("summary", plugin.facts.summary),
        *dataset_facts(plugin),
        # what ships inside its package is not looked for
        ("looked in", "\n".join(looked) if state == "no" or plugin.facts.download else ""),
        ("found", state if state == "no" else found),
        ("prepared", "\n".join(prepared_forms(name))),
        ("cache", str(cache_folder())),
    ]
    click.echo(f"{plugin.name}: data set of {plugin.origin}\n{facts(pairs)}")
    if state == "no":
        click.echo(f"\n{found}", err=True)


@command.command(
    "prepare",
    epilog="""\b
Examples:
  zoo data prepare mnist
  zoo data prepare catsdogs --for vgg16          what zoo train vgg16 catsdogs needs
  zoo data prepare catsdogs --source train.zip --size 64
  zoo data prepare catsdogs --download           fetch it first; the same command resumes
""",
)
@click.argument("name")
@SOURCE
@click.option("--size", type=click.IntRange(1), help="Height and width in pixels. [default: the data set's own]")
@click.option("--for", "architecture", metavar="ARCH", help="Prepare what training this architecture needs.")
@click.option("--recipe", default="quick", show_default=True, help="The recipe of --for.")
@click.option("--download", is_flag=True, help="Download the data set first, if its plugin can.")
def prepare_command(
    name: str, source: Path | None, size: int | None, architecture: str | None, recipe: str, download: bool
) -> None:
    """Decode a data set into the cache, so that training starts at once.

    The folder of the decoded images is made once per size; training makes it too.
    """
    plugin = Registry.discover().get("dataset", name)
    if size is not None and architecture is not None:
        raise UsageError("--size and --for exclude each other: the recipe of --for knows its size")
    if download and source is not None:
        raise UsageError("--download and --source exclude each other: what is downloaded is found without it")
    if download:
        fetch(plugin)
        if architecture is None and size is None and plugin.facts.size is None:
            click.echo(f"{name} is there. Train on it: zoo train ARCH {name}", err=True)
            return
    if architecture is not None:
        counts = _prepare_for(architecture, name, recipe, source)
    else:
        if size is None and plugin.facts.size is None:
            raise UsageError(f"The images of {name} have many sizes: say which with --size 64, or --for ARCH")
        counts = _prepare_size(name, size or plugin.facts.size or 0, source)
    click.echo(", ".join(f"{count:,} {part}" for part, count in counts.items() if count) + " images are ready")
    click.echo(f"They are in {cache_folder() / 'images'}; zoo data info {name} shows them", err=True)


def fetch(plugin: Plugin) -> None:
    """Download a data set into the cache, and see that it can be used."""
    from zoo.data.loading import find_source
    from zoo.files import cache_folder
    from zoo.session import Session

    session = Session(plugin, plugin)
    try:
        place = session.fetch(cache_folder() / "data")
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted. What has come is kept; go on with: zoo data prepare {plugin.name} --download"
        ) from None
    found = session.examples(find_source(None))
    click.echo(place)
    if found.place is not None and found.place != place:
        click.echo(f"Note: {found.place} comes first, and is what is used", err=True)


def offer(missing: MissingData, name: str) -> None:
    """On a terminal, ask whether to download a data set that is missing, and do so; else raise the error."""
    plugin = Registry.discover().get("dataset", name)
    size = plugin.facts.download
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or size is None:
        raise missing
    click.echo(str(missing), err=True)
    if not click.confirm(f"\nDownload {name} now ({in_words(size)})?", default=False, err=True):
        raise DataError(f"{name} is not on this machine, and was not downloaded") from missing
    fetch(plugin)


def _prepare_for(architecture: str, name: str, recipe: str, source: Path | None) -> dict[str, int]:
    from zoo.progress import Reporter
    from zoo.runs.pipeline import Prepared
    from zoo.runs.request import Request

    prepared = Prepared(Request(architecture, name, recipe=recipe, source=source))
    return {part: len(rows) for part, rows in prepared.data(Reporter()).parts.items()}


def _prepare_size(name: str, size: int, source: Path | None) -> dict[str, int]:
    from zoo.api import prepare

    return {part: len(rows) for part, rows in prepare(name, size=size, source=source).parts.items()}


def _state(plugin: Plugin, source: Path | None) -> tuple[str, str]:
    """Whether a data set is there: ("yes" | "no" | its status if it can't be used, what was found or why not)."""
    from zoo.data.loading import find_source
    from zoo.session import Session

    if plugin.status != "ok":
        return plugin.status, plugin.reason
    try:
        examples = Session(plugin, plugin).examples(find_source(source))
    except DataError as error:
        return "no", str(error)
    note = f" ({examples.note})" if examples.note else ""
    where = f"\nin {examples.place}" if examples.place else ""
    return "yes", f"yes: {examples.count:,} images of {len(examples.class_names)} classes{note}{where}"
