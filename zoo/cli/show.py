"""`zoo show`: what is known about an architecture, a data set or a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.text import facts, number, percent, print_json
from zoo.errors import UsageError, nearest
from zoo.files import printable
from zoo.prediction import packaged
from zoo.prediction.imagenet import Published
from zoo.registry import TITLES, Plugin, Registry
from zoo.units import scaled
from zoo.words import amount

if TYPE_CHECKING:
    from zoo.runs.directory import Run


@click.command(
    "show",
    epilog="""\b
Examples:
  zoo show vgg16            an architecture: facts, options, recipes
  zoo show mnist            a data set
  zoo show last             the newest run
  zoo show cnn mnist        the newest run of this pair
  zoo show runs/a-run       a run by its directory
  zoo show vgg16 --json
""",
)
@click.argument("name", nargs=-1, required=True, metavar="NAME|RUN")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: tuple[str, ...], as_json: bool) -> None:
    """Show what is known about an architecture, a data set or a run.

    A RUN is a path, the beginning of its id, last, or ARCH DATASET; a NAME wins over it, ./NAME is a path.
    """
    registry = Registry.discover()
    text = " ".join(name)
    plugins = [plugin for plugin in registry.plugins if plugin.name == text]
    if plugins:
        if as_json:
            print_json([_plugin_json(plugin, registry) for plugin in plugins])
        else:
            click.echo("\n\n".join(_plugin(plugin, registry) for plugin in plugins))
        return
    run = _run(text, registry)
    if as_json:
        print_json({"directory": str(run.directory), "receipt": run.receipt, "metrics": run.metrics})
    else:
        click.echo(_run_summary(run))


def _run(text: str, registry: Registry) -> Run:
    from zoo.runs.directory import find_runs, resolve

    try:
        return resolve(text)
    except UsageError as error:
        names = sorted({plugin.name for plugin in registry.plugins})
        hint = nearest(text, names)
        if find_runs() and not hint:
            raise
        installed = ", ".join(names) or "none"
        raise UsageError(
            f"There is no architecture, data set or run {text!r}. {hint}Installed: {installed}. Runs: zoo runs"
        ) from error


# plugins ------------------------------------------------------------------------------------------------------


def _plugin_json(plugin: Plugin, registry: Registry) -> dict[str, Any]:
    networks = [network.as_dict() for network in packaged.of(plugin)]
    return plugin.as_dict() | {"recipes": _recipes(plugin, registry), "packaged": networks}


def _plugin(plugin: Plugin, registry: Registry) -> str:
    from zoo.runs.request import FOLDER

    head = f"{plugin.name}: {TITLES[plugin.kind]} of {plugin.origin}"
    if plugin.status != "ok":
        return f"{head}\n" + facts([("status", plugin.status), ("reason", plugin.reason)])
    describe = {"architecture": _architecture, "dataset": dataset_facts}.get(plugin.kind)
    pairs = describe(plugin) if describe else []
    lines = [f"on {other}: {', '.join(names)}" for other, names in _recipes(plugin, registry).items()]
    pairs += [("recipes", "\n".join(lines)), ("results", _results(plugin, registry)), ("module", plugin.value)]
    train = {
        "architecture": f"zoo train {plugin.name} DATASET",
        "dataset": f"zoo train ARCH {'./my-images' if plugin.name == FOLDER else plugin.name}",
    }.get(plugin.kind, "")
    return f"{head}\n{facts([('summary', plugin.facts.summary), *pairs, ('train it', train)])}"


def _results(plugin: Plugin, registry: Registry) -> str:
    """The published results, the most accurate first."""
    from zoo.progress import duration
    from zoo.results.published import published

    lines = []
    for result in published(registry.plugins).of(plugin):
        other = result.dataset if plugin.kind == "architecture" else result.architecture
        runs = f", {result.seeds} seeds" if result.seeds > 1 else ""
        took = f", {duration(result.seconds)}" if result.seconds else ""
        lines.append(f"{100 * result.accuracy:.2f} % on {other} ({result.recipe}{runs}{took})")
    return "\n".join(lines)


def _architecture(plugin: Plugin) -> list[tuple[str, str]]:
    card = plugin.facts
    channels = " or ".join(map(str, card.channels))
    size = f"{card.size} x {card.size} pixels" if card.size else "any size"
    least = f", at least {card.min_size}" if card.min_size > 1 else ""
    counted = ""
    if card.parameters is not None:
        of = [f"{card.size} x {card.size} x {card.channels[0]} images"] if card.size else []
        of += [f"{card.classes} classes"] if card.classes else []
        counted = number(card.parameters) + (f" for {', '.join(of)}" if of else "")
    weights = [{"path": "the path of a file"}.get(key, key) for key in card.weights]
    options = "\n".join(f"options.{key} = {value!r}" for key, value in card.options.items())
    return [
        ("paper", card.paper),
        ("parameters", counted),
        ("mult-adds", f"{scaled(card.multiply_adds)} for an image of that size" if card.multiply_adds else ""),
        ("input", f"{size}{least}, {channels} channels"),
        ("options", options),
        ("weights", f"none, {' or '.join(weights)}" if weights else ""),
        ("packaged", "\n".join(_packaged(network.as_dict()) for network in packaged.of(plugin))),
        ("published", _offered(packaged.offered(plugin))),
        ("licence", card.licence),
        ("homepage", card.homepage),
    ]


def _packaged(facts: Mapping[str, Any]) -> str:
    """A network that comes with the package, and how to ask it."""
    licence = f", {facts['licence']}" if facts["licence"] else ""
    return (
        f"{facts['about'] or 'trained'}: {facts['classes']:,} classes, {facts['bytes'] / 1e6:,.1f} MB{licence}\n"
        f"zoo predict {facts['id']} PHOTO.jpg"
    )


def _offered(network: Published | None) -> str:
    """A network whose weights others publish, and how to ask it."""
    return f"ImageNet: 1,000 classes, a download\nzoo predict {network.id} PHOTO.jpg --download" if network else ""


def dataset_facts(plugin: Plugin) -> list[tuple[str, str]]:
    """What a data set's card says, as labels and texts."""
    card = plugin.facts
    names = card.class_names
    classes = f"{len(names)}: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}" if names else ""
    images = number(card.images) if card.images else ""
    if images and card.test_images:
        images += f", of which {card.test_images:,} are a published test part"
    return [
        ("paper", card.paper),
        ("images", images),
        ("classes", classes or (number(card.classes) if card.classes else "")),
        ("size", f"{card.size} x {card.size} pixels" if card.size else "images of many sizes"),
        ("channels", " or ".join(map(str, card.channels))),
        ("download", f"{card.download / 1e6:,.0f} MB" if card.download else ""),
        ("licence", card.licence),
        ("homepage", card.homepage),
    ]


def _recipes(plugin: Plugin, registry: Registry) -> dict[str, list[str]]:
    """The recipes of a plugin with each plugin of the other kind, by that one's name."""
    from zoo.recipes import available

    if plugin.kind == "architecture":
        others = [other for other in registry.of("dataset") if other.status == "ok"]
        return {other.name: available(plugin, other) for other in others}
    if plugin.kind == "dataset":
        others = [other for other in registry.of("architecture") if other.status == "ok"]
        return {other.name: available(other, plugin) for other in others}
    return {}


# runs ---------------------------------------------------------------------------------------------------------


def _run_summary(run: Run) -> str:
    from zoo.progress import duration

    receipt = run.receipt
    seconds = receipt.get("seconds")
    status = receipt["status"] + (f": {receipt['reason']}" if receipt.get("reason") else "")
    pairs = [
        ("status", status),
        ("result", _result(run.metrics)),
        ("parameters", number(receipt["parameters"]) if "parameters" in receipt else ""),
        ("started", f"{receipt['started']}" + (f", took {duration(seconds)}" if seconds else "")),
        ("command", receipt["command"]),
        ("images", _images(receipt)),
        ("recipe", _recipe(receipt)),
        ("precision", f"{receipt['precision']}, seed {receipt['spec']['seed']}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in _versions(receipt).items())),
        ("directory", str(run.directory)),
        ("figures", ", ".join(sorted(path.name for path in (run.directory / "figures").glob("*.[sp][vn]g")))),
        ("next", "\n".join(_next(run, receipt["status"]))),
    ]
    return f"{printable(run.title)}: run {printable(run.id)}\n{facts(pairs)}"


def _result(metrics: Mapping[str, Any] | None) -> str:
    if metrics is None:
        return ""
    if metrics.get("rehearsal"):
        return f"REHEARSAL on {metrics['count']:,} generated images: no accuracy to report"
    images = amount(metrics["count"], f"{metrics['part']} image")
    return f"{percent(metrics['accuracy'], metrics['interval'])} of {images} (95 % interval)"


def _images(receipt: Mapping[str, Any]) -> str:
    counts = receipt["dataset"]["counts"]
    parts = ", ".join(f"{count:,} {part}" for part, count in counts.items() if count)
    return "\n".join([parts, *receipt["dataset"].get("notes", [])])


def _recipe(receipt: Mapping[str, Any]) -> str:
    """The recipe's name and the values that are not core's own."""
    values = receipt["recipe"]["values"]
    changed = [f"{key} = {entry['value']}" for key, entry in values.items() if entry["origin"] != "core"]
    return "\n".join([receipt["recipe"]["name"], *changed])


def _versions(receipt: Mapping[str, Any]) -> dict[str, str]:
    watched = ("zoo", "python", "tensorflow", "keras")
    return {name: receipt["versions"][name] for name in watched if receipt["versions"].get(name)}


def _next(run: Run, status: str) -> list[str]:
    if status == "finished":
        return [f"zoo predict {run.quoted} PHOTO.jpg", f"zoo visualize {run.quoted}"]
    return [f"zoo train --resume {run.quoted}"]
