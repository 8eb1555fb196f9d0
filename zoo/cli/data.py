"""`zoo data`: look at data sets, find and prepare them."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import click

from zoo.cli.show import dataset_facts
from zoo.cli.text import facts, number, print_json, table, terminal_width
from zoo.errors import DataError, Interrupted, MissingData, UsageError, ZooError
from zoo.files import cache_folder, in_words, printable
from zoo.registry import Plugin, Registry
from zoo.types import Example, Examples
from zoo.words import amount

MOST_CLASSES = 50
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
    states = [(plugin, _state(plugin, None)) for plugin in Registry.discover().of("dataset")]
    if as_json:
        print_json([plugin.as_dict() | {"found": state.found, "reason": state.fault} for plugin, state in states])
        return
    rows = [
        (plugin.name, state.found, number(plugin.facts.images), plugin.facts.summary or "-", plugin.origin)
        for plugin, state in states
    ]
    header = ("data set", "found", "images", "summary", "from")
    click.echo(table(header, rows, right=("images",), gives_way="summary", drops=("from",), width=terminal_width()))
    for plugin, state in states:
        if state.fault:
            click.echo(printable(f"\n{plugin.name} is {state.found}: {state.fault}"), err=True)


@command.command(
    "info",
    epilog="""\b
Examples:
  zoo data info mnist
  zoo data info catsdogs --source ~/Downloads/train.zip
  zoo data info ./flowers                        a folder of your own
""",
)
@click.argument("name")
@SOURCE
def info_command(name: str, source: Path | None) -> None:
    """Show a data set's facts, where it is looked for, and whether it is there.

    Of a folder of your own, given by its path: its classes, their images, and what of it is not used.
    """
    from zoo.data.loading import find_source, prepared_forms
    from zoo.runs.request import FOLDER

    plugin, source = _located(name, source)
    state = _state(plugin, source)
    places = find_source(source)
    looked = [str(places.given)] if places.given else [str(root / plugin.name) for root in places.roots]
    if not places.given and not os.environ.get("ZOO_DATA"):
        looked.insert(0, "$ZOO_DATA, which is not set")
    is_looked_for = state.found == "no" or plugin.facts.download
    pairs = [
        ("summary", plugin.facts.summary),
        *dataset_facts(plugin),
        # what ships inside its package is not looked for, and a folder only where the user says
        ("looked in", "\n".join(looked) if is_looked_for and (source or plugin.name != FOLDER) else ""),
        ("found", state.words if state.examples else state.found),
    ]
    if state.examples is not None:
        own = list(state.examples.iterate()) if plugin.name == FOLDER else []
        pairs += [
            ("classes", _counts(state.examples.class_names, own) if own else ""),
            ("notes", "\n".join(_notes(state.examples, own))),
            ("prepared", "\n".join(prepared_forms(plugin.name, state.examples))),
        ]
    pairs.append(("cache", str(cache_folder())))
    click.echo(f"{plugin.name}: data set of {plugin.origin}\n{facts(pairs)}")
    if state.examples is None:
        click.echo(printable(f"\n{state.words}"), err=True)


def _counts(names: tuple[str, ...], examples: list[Example]) -> str:
    """A line per class: how many images it has, in which parts."""
    counted = Counter((example.label, example.part) for example in examples)
    lines = []
    for label, name in enumerate(names[:MOST_CLASSES]):
        parts = {part: counted[label, part] for part in ("train", "validation", "test") if counted[label, part]}
        count = counted[label, None] + sum(parts.values())
        told = f" ({', '.join(f'{own:,} {part}' for part, own in parts.items())})" if parts else ""
        lines.append(f"{name}: {amount(count, 'image')}{told}".replace("\n", "?"))
    return "\n".join(lines + [f"and {len(names) - MOST_CLASSES:,} more"] * (len(names) > MOST_CLASSES))


def _notes(examples: Examples, own: list[Example]) -> list[str]:
    from zoo.data.findings import copies_of_files

    return [*examples.note.splitlines(), *copies_of_files(own)]


@command.command(
    "prepare",
    epilog="""\b
Examples:
  zoo data prepare mnist
  zoo data prepare catsdogs --for vgg16          what zoo train vgg16 catsdogs needs
  zoo data prepare catsdogs --source train.zip --size 64
  zoo data prepare catsdogs --download           fetch it first; the same command resumes
  zoo data prepare ./flowers --for efficientnet-lite0
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
    given = shlex.join([name, *(["--source", str(source)] if source else [])])
    plugin, source = _located(name, source)
    name = plugin.name
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
            raise UsageError(f"The images of {given} have many sizes: say which with --size 64, or --for ARCH")
        counts = _prepare_size(name, size or plugin.facts.size or 0, source)
    click.echo(", ".join(f"{count:,} {part}" for part, count in counts.items() if count) + " images are ready")
    click.echo(f"They are in {cache_folder() / 'images'}; zoo data info {given} shows them", err=True)


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


def _located(name: str, source: Path | None) -> tuple[Plugin, Path | None]:
    """A data set, and where the user says that it is; a path is a folder of the user's own, as for `zoo train`."""
    from zoo.runs.request import Request, located

    registry = Registry.discover()
    request = located(Request("", name, source=source), registry)
    return registry.get("dataset", request.dataset), request.source


class _State(NamedTuple):
    """Whether a data set is there: `found` is "yes", "no", or what is wrong with its plugin; `words` say more."""

    found: str
    words: str
    examples: Examples | None = None

    @property
    def fault(self) -> str:
        """Why it can't be used, where its plugin is at fault."""
        return "" if self.found in ("yes", "no") else self.words


def _state(plugin: Plugin, source: Path | None) -> _State:
    from zoo.data.loading import find_source
    from zoo.session import Session

    if plugin.status != "ok":
        return _State(plugin.status, plugin.reason)
    try:
        examples = Session(plugin, plugin).examples(find_source(source))
    except DataError as error:
        return _State("no", str(error))
    except ZooError as error:
        return _State("broken", str(error))
    where = f"\nin {examples.place}" if examples.place else ""
    return _State("yes", f"yes: {examples.count:,} images of {len(examples.class_names)} classes{where}", examples)
