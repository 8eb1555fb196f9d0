"""`zoo list`: the architectures and data sets that are installed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from zoo.cli.text import number, print_json, table, terminal_width
from zoo.errors import nearest
from zoo.listing import KEYS, Listing, Query, Row, choose, matches
from zoo.progress import duration
from zoo.registry import TITLES, Plugin, Registry
from zoo.units import parse_count, parse_duration, scaled, size_of

DISTRIBUTION = "image-model-zoo"
SHORTEST_SUMMARY = 36
DATASETS = 4  # so many have a column of their own


def _parsed(parse: Callable[[str], float]) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """The callback of an option that is a number with a unit."""

    def convert(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from None

    return convert


COUNT = _parsed(parse_count)
DURATION = _parsed(parse_duration)


@click.command(
    "list",
    epilog="""\b
Examples:
  zoo list
  zoo list 'vgg*'
  zoo list --dataset mnist --sort accuracy
  zoo list --dataset catsdogs --min-accuracy 85 --max-params 40M
  zoo list --sort multiply-adds --json

\b
JSON is a list of rows; each has
  name, kind, value, distribution, version, folder, status, reason, and
  card      the facts that its package states, null without a card
  results   published results that count, the most accurate first, each with
            architecture, dataset, recipe, part, accuracy (0 to 1), spread,
            count, seeds, seconds, images_per_second, size, command, file,
            trials, width, row, interval (95 %, of the mean)
  packaged  trained networks inside the package
  data      of a data set: built in, in place, to fetch, or null (unknown)
Null is unknown. Rows and keys may be added in later versions.
""",
)
@click.argument("pattern", required=False)
@click.option("--dataset", metavar="NAME", help="Show results on this data set.")
@click.option("--min-accuracy", type=click.FloatRange(0, 100), metavar="PERCENT", help="At least this accuracy.")
@click.option("--min-rate", callback=COUNT, metavar="N", help="At least N images/s in training.")
@click.option("--max-time", callback=DURATION, metavar="TIME", help="Trained in at most 90s, 10m, 1.5h.")
@click.option("--max-params", callback=COUNT, metavar="N", help="At most N parameters: 250k, 30M.")
@click.option("--max-multiply-adds", callback=COUNT, metavar="N", help="At most N multiply-adds for an image: 4G.")
@click.option("--max-size", type=click.IntRange(1), metavar="PIXELS", help="Made for images of at most this size.")
@click.option("--sort", default="name", show_default=True, metavar="KEY", help=f"Sort by: {', '.join(KEYS)}.")
@click.option("--reverse", is_flag=True, help="Sort the other way round.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(pattern: str | None, dataset: str | None, sort: str, reverse: bool, as_json: bool, **limits: Any) -> None:
    """List architectures and data sets, with the best results that are published.

    PATTERN is a glob such as 'vgg*'; without one of * ? [ it may be any part of a name. With any of the filters
    architectures alone are listed: those for which it is known that they meet it. Accuracies are means over the seeds
    of the best recipe. Parameters and multiply-adds are those of the published network, at its published size.
    Nothing is imported to list: the facts come from the plugins' cards and receipts.
    """
    registry = Registry.discover()
    share = limits["min_accuracy"]
    query = Query(
        pattern=pattern,
        dataset=dataset,
        min_accuracy=None if share is None else share / 100,
        min_rate=limits["min_rate"],
        max_seconds=limits["max_time"],
        max_parameters=limits["max_params"],
        max_multiply_adds=limits["max_multiply_adds"],
        max_size=limits["max_size"],
        sort=sort,
        reverse=reverse,
    )
    listing = choose(registry, query)
    others = [] if query.filters else [p for p in registry.plugins if p.kind != "plugin" and matches(p.name, pattern)]
    datasets = [plugin for plugin in others if plugin.kind == "dataset" and plugin.status == "ok"]
    unusable = [plugin for plugin in others if plugin.status != "ok"]
    if not (listing.rows or datasets or unusable):
        click.echo(_nothing(listing, query, registry), err=True)
    if as_json:
        print_json(_json(listing, datasets, unusable))
    elif listing.rows or datasets or unusable:
        click.echo("\n\n".join(_sections(listing, query, datasets, unusable)))
    for note in listing.results.notes:
        click.echo(f"Note: {note}", err=True)


def _json(listing: Listing, datasets: Sequence[Plugin], unusable: Sequence[Plugin]) -> list[dict[str, Any]]:
    rows = [row.as_dict() for row in listing.rows]
    for plugin in datasets:
        results = [result.as_dict() for result in listing.results.of(plugin)]
        rows.append(plugin.as_dict() | {"results": results, "packaged": [], "data": _data(plugin)})
    return rows + [plugin.as_dict() | {"results": [], "packaged": []} for plugin in unusable]


def _nothing(listing: Listing, query: Query, registry: Registry) -> str:
    """Why nothing is listed, in words."""
    if not query.filters and query.pattern is not None:
        names = sorted({plugin.name for plugin in registry.plugins if plugin.kind != "plugin"})
        hint = nearest(query.pattern, names)
        return f"No architecture or data set matches {query.pattern!r}. {hint}Installed: {', '.join(names) or 'none'}"
    if not listing.total:
        return "Nothing is installed."
    reasons = ", ".join(f"{count} by {words}" for words, count in listing.left_out.items())
    return f"No architecture is left of {listing.total}. Left out: {reasons}."


# text -----------------------------------------------------------------------------------------------------------


def _sections(listing: Listing, query: Query, datasets: Sequence[Plugin], unusable: Sequence[Plugin]) -> list[str]:
    sections = []
    if listing.rows:
        by_result = query.dataset or query.wants_results or query.sort in ("accuracy", "images/s", "time")
        sections.append(_with_results(listing.rows, query) if by_result else _architectures(listing.rows))
    if datasets:
        sections.append(_datasets(datasets))
    if any(row.results for row in listing.rows) and not query.filters:
        sections.append("Best published accuracies. More: zoo list --dataset NAME, zoo show NAME")
    if unusable:
        sections.append("Not usable:\n" + "\n".join(map(_unusable, unusable)))
    return sections


def _print(columns: dict[str, list[str]], left: Sequence[str], drops: Sequence[str], asked: str = "") -> str:
    """Columns as text, those that say nothing left out (but not what was asked for), all but `left` to the right."""
    shown = {title: cells for title, cells in columns.items() if title == asked or set(cells) - {"", "-"}}
    rows = list(zip(*shown.values(), strict=True))
    right = [title for title in shown if title not in left]
    width = terminal_width()
    return table(list(shown), rows, right, "summary", drops, width, least=SHORTEST_SUMMARY)


def _architectures(rows: Sequence[Row]) -> str:
    """What they are, and the best accuracy on each data set."""
    published = Counter(result.dataset for row in rows for result in row.results)
    columns = _facts(rows)
    for dataset, _ in published.most_common(DATASETS):
        columns[f"{dataset} %"] = [_best_on(row, dataset) for row in rows]
    packaged = [", ".join(name.rpartition("/")[2] for name in row.packaged) for row in rows]
    columns |= {"trained on": packaged} | _origins([row.plugin for row in rows])
    return _print(columns, ("architecture", "trained on", "summary", "from"), ("from", "summary", "pixels"))


def _facts(rows: Sequence[Row]) -> dict[str, list[str]]:
    cards = [row.plugin.facts for row in rows]
    return {
        "architecture": [row.plugin.name for row in rows],
        "parameters": [number(card.parameters) for card in cards],
        "mult-adds": [scaled(card.multiply_adds) for card in cards],
        "pixels": [number(card.size) for card in cards],
    }


def _best_on(row: Row, dataset: str) -> str:
    return next((f"{100 * result.accuracy:.2f}" for result in row.results if result.dataset == dataset), "-")


def _origins(plugins: Sequence[Plugin]) -> dict[str, list[str]]:
    """Summaries; and where the plugins come from, if not all with the zoo itself."""
    columns = {"summary": [plugin.facts.summary or "-" for plugin in plugins]}
    if {plugin.distribution for plugin in plugins} == {DISTRIBUTION}:
        return columns
    return columns | {"from": [plugin.origin for plugin in plugins]}


def _with_results(rows: Sequence[Row], query: Query) -> str:
    """The best result of each that counts, and what it took."""
    columns = _facts(rows)
    best = [row.best for row in rows]
    if query.dataset is None:
        columns["data set"] = [result.dataset if result else "-" for result in best]
    title = f"{query.dataset or 'accuracy'} %"
    columns[title] = [f"{100 * result.accuracy:.2f}" if result else "-" for result in best]
    columns["±"] = [f"{100 * result.spread:.2f}" if result and result.spread is not None else "" for result in best]
    columns["recipe"] = [result.recipe if result else "-" for result in best]
    columns["images/s"] = [number(round(r.images_per_second)) if r and r.images_per_second else "-" for r in best]
    columns["time"] = [duration(result.seconds) if result and result.seconds else "-" for result in best]
    columns |= _origins([row.plugin for row in rows])
    left = ("architecture", "data set", "recipe", "summary", "from")
    return _print(columns, left, ("from", "summary", "pixels"), asked=query.sort)


def _datasets(plugins: Sequence[Plugin]) -> str:
    cards = [plugin.facts for plugin in plugins]
    columns = {
        "data set": [plugin.name for plugin in plugins],
        "images": [number(card.images) for card in cards],
        "classes": [number(len(card.class_names) or card.classes) for card in cards],
        "pixels": [number(card.size) for card in cards],
        "data": [_place(plugin) for plugin in plugins],
    }
    columns |= _origins(plugins)
    return _print(columns, ("data set", "data", "summary", "from"), ("from", "summary", "pixels"))


def _place(plugin: Plugin) -> str:
    where = _data(plugin)
    download = plugin.facts.download
    return f"{where} ({size_of(download)})" if where == "to fetch" and download else where or "-"


def _data(plugin: Plugin) -> str | None:
    """Where a data set's images are, as far as can be told without asking its plugin (`zoo data list` does)."""
    if plugin.facts.built_in:
        return "built in"
    from zoo.data.loading import find_source

    if any(_holds_something(root / plugin.name) for root in find_source(None).roots):
        return "in place"
    return "to fetch" if plugin.facts.download else None


def _holds_something(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False


def _unusable(plugin: Plugin) -> str:
    return f"  {TITLES[plugin.kind]} {plugin.name} ({plugin.origin}) is {plugin.status}: {plugin.reason}"
