"""The pages of architectures and data sets, as Markdown with tables and figures in HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from zoo.figures.catalogue import Group
from zoo.files import in_words
from zoo.markup import escape, figure, figures, recipe_tables, table
from zoo.network import cost
from zoo.network.graph import Graph, format_shape
from zoo.prediction import packaged
from zoo.progress import duration
from zoo.recipes import available, resolve
from zoo.registry import Plugin
from zoo.runs.directory import captions_of
from zoo.runs.report import group_figures, says
from zoo.runs.request import FOLDER
from zoo.site import measured
from zoo.site.assets import folder_of
from zoo.site.receipts import Result
from zoo.units import scaled, size_of

_GROUPS: tuple[tuple[str, Group], ...] = (
    ("Curves", "training"),
    ("What it sees", "sees"),
    ("What it gets wrong", "result"),
)
_SIBLING = re.compile(r"\[([^\]]+)\]\(([\w.-]+)\.md\)")
LONG = 30  # layers; a longer table is folded away


def text_of(plugin: Plugin, name: str = "about.md") -> str:
    """What the plugin's authors wrote about it, "" if nothing."""
    folder = folder_of(plugin)
    path = folder / name if folder else None
    return path.read_text(encoding="utf-8").strip() if path and path.is_file() else ""


def graph_of(plugin: Plugin) -> Graph | None:
    """The committed layer graph of an architecture."""
    text = text_of(plugin, "graph.json")
    return Graph.from_json(text) if text else None


def pictures(folder: str, found: Sequence[tuple[Path, str]]) -> str:
    """Committed figures, which the site has in `folder`."""
    shown = ((f"{folder}/{path.name}", says(path, caption), caption) for path, caption in found)
    return figures(shown, (path.stem for path, _ in found))


# architectures --------------------------------------------------------------------------------------------------


def architectures(plugins: Sequence[Plugin], results: Sequence[Result]) -> str:
    """The overview: a card per architecture with its best result."""
    cards = []
    for plugin in plugins:
        own = [result for result in results if result.architecture == plugin.name]
        best = "".join(
            f"<li>{result.accuracy:.2f} % on {escape(result.dataset)}, {escape(result.recipe)}</li>"
            for result in own[:2]
        )
        count = f"{plugin.facts.parameters:,} parameters" if plugin.facts.parameters else "parameters not stated"
        cards.append(
            f'<a class="card" href="{plugin.name}.html"><b>{escape(plugin.name)}</b>'
            f"<span>{escape(plugin.facts.summary)}</span><small>{count}</small><ul>{best}</ul></a>"
        )
    intro = (
        "Each of these networks trains on each of the data sets. A page has the idea, the diagram, the cost, the "
        "measured results and what the network sees."
    )
    return f'# Architectures\n\n{intro}\n\n<div class="cards">{"".join(cards)}</div>\n'


def linked(text: str, known: Iterable[str]) -> str:
    """A text whose links to pages of architectures that are not shown here are plain words."""
    names = set(known)
    return _SIBLING.sub(lambda link: link[0] if link[2] in names else link[1], text)


def architecture(
    plugin: Plugin, others: Sequence[Plugin], datasets: Sequence[Plugin], results: Sequence[Result]
) -> str:
    """All about one architecture; `others` are those that its text may link to."""
    card, graph = plugin.facts, graph_of(plugin)
    own = [result for result in results if result.architecture == plugin.name]
    folder = folder_of(plugin)
    grouped = group_figures(folder / "figures") if folder else {}
    parts = [
        f"# {plugin.name}",
        f'<p class="lead">{escape(card.summary)}</p>',
        linked(text_of(plugin), (other.name for other in others)),
        "## Facts",
        _facts(plugin),
    ]
    if graph:
        parts += ["## Diagram", diagram(plugin.name, graph), "## Layers and cost", layers(graph)]
    parts += ["## Results", results_table(own) if own else _no_results(plugin)]
    parts += measured.ladders_of(plugin)
    origin = origin_of(folder)
    for title, part in _GROUPS:
        if found := grouped.get(part):
            parts += [f"## {title}", *([origin] if origin else []), pictures(f"{plugin.name}/figures", found)]
            origin = ""
    parts += ["## Recipes", *recipes(plugin, datasets), "## Use it", _commands(plugin, datasets)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(plugin: Plugin) -> str:
    card = plugin.facts
    of = [f"{card.size} x {card.size} x {card.channels[0]} images"] if card.size else []
    of += [f"{card.classes:,} classes"] if card.classes else []
    least = f", at least {card.min_size} pixels a side" if card.min_size > 1 else ""
    rows = [
        ("paper", card.paper),
        ("parameters", f"{card.parameters:,}" + f" for {', '.join(of)}" * bool(of) if card.parameters else ""),
        ("takes", f"images of {' or '.join(map(str, card.channels))} channels{least}"),
        ("options", ", ".join(f"{key} = {value}" for key, value in card.options.items())),
        ("licence", card.licence),
        ("from", f"{plugin.distribution} {plugin.version}"),
    ]
    return table((), [row for row in rows if row[1]])


def diagram(name: str, graph: Graph) -> str:
    """The interactive diagram: folded and whole, to zoom, pan and switch; without scripts, the folded picture."""
    said = f"Layers of {name}: {graph.parameters:,} parameters."
    return (
        f'<div class="diagram" data-folded="{name}/diagram-folded.svg" data-whole="{name}/diagram.svg">'
        f'<img src="{name}/diagram-folded.svg" alt="{escape(said)} The table below has every layer.">'
        "</div>"
    )


def layers(graph: Graph) -> str:
    """The layer table with what each layer costs, and the totals."""
    costs = cost.table(graph)
    header = ("layer", "operation", "output", "parameters", "multiply-adds", "memory", "sees")
    rows = [
        (
            layer.name,
            layer.detail,
            format_shape(layer.shape),
            f"{layer.parameters:,}",
            scaled(layer.multiply_adds),
            size_of(layer.memory),
            _field(layer),
        )
        for layer in costs.layers
    ]
    shown = table(header, rows, numeric=(3, 4, 5, 6))
    if len(rows) > LONG:
        shown = f"<details><summary>All {len(rows)} layers</summary>{shown}</details>"
    last = costs.last_feature_map
    frozen = f", of which {graph.frozen:,} are not trained" if graph.frozen else ""
    totals = [
        ("parameters", f"{costs.parameters:,}{frozen}"),
        ("multiply-adds", f"{scaled(costs.multiply_adds)} for one image" if costs.multiply_adds else ""),
        (
            "memory",
            f"{size_of(costs.peak_memory)} at once, {size_of(costs.memory)} for all outputs" if costs.memory else "",
        ),
        ("sees", f"{_field(last)} pixels a side, in the last feature map" if last and last.receptive_field else ""),
    ]
    note = "Of one image in float32. “Sees” is the receptive field: the pixels that an output depends on."
    return f"{table((), [row for row in totals if row[1]])}\n\n{note}\n\n{shown}"


def _field(layer: cost.LayerCost) -> str:
    if layer.whole_image:
        return "all"
    return cost.format_field(layer.receptive_field) if layer.receptive_field else "-"


def results_table(results: Sequence[Result]) -> str:
    """Results with their intervals and receipts."""
    header = ("data set", "recipe", "accuracy", "95 % interval", "images", "seeds", "trials", "wall time", "images/s")
    rows = [
        (
            result.dataset,
            result.recipe,
            with_spread(result),
            "{:.2f} to {:.2f}".format(*result.interval),
            f"{result.facts.count:,} {result.facts.part}",
            str(len(result.seeds)),
            "-" if result.facts.trials is None else str(result.facts.trials),
            duration(result.facts.seconds) if result.facts.seconds else "-",
            f"{result.facts.images_per_second:,.0f}" if result.facts.images_per_second else "-",
        )
        for result in results
    ]
    receipts = "".join(receipt(result) for result in results)
    return f"{table(header, rows, numeric=range(2, 9))}\n{receipts}"


def with_spread(result: Result) -> str:
    """A result's accuracy, and where there are several seeds their standard deviation."""
    return f"{result.accuracy:.2f} %" + ("" if result.spread is None else f" ± {result.spread:.2f}")


def receipt(result: Result) -> str:
    """A result's receipt, folded away; what it does not say is left out."""
    stored, last = result.stored, result.seeds[-1]
    rows = [
        (
            f"seed {seed.get('seed', '-')}",
            f"{100 * seed['correct'] / seed['count']:.2f} %: {seed['correct']:,} of {seed['count']:,}; "
            f"{seed.get('command', '')}",
        )
        for seed in result.seeds
    ]
    rows += [
        ("images", f"{result.dataset}, fingerprint {stored['fingerprint']}" if "fingerprint" in stored else ""),
        ("split", stored.get("split_hash", "")),
        ("started", ", ".join(seed["started"] for seed in result.seeds if "started" in seed)),
        ("hardware", "; ".join(sorted(result.machines))),
        ("precision", last.get("precision", "")),
        ("versions", ", ".join(f"{name} {version}" for name, version in last.get("versions", {}).items())),
    ]
    name = f"{result.architecture} on {result.dataset}, {result.recipe}"
    shown = table((), [row for row in rows if row[1]])
    return f"<details><summary>Receipt: {escape(name)}</summary>{shown}</details>"


def _no_results(plugin: Plugin) -> str:
    command = f"zoo train {plugin.name} mnist --rehearse"
    return f"No result is published yet. A rehearsal shows what a run would take on your machine: `{command}`."


def origin_of(folder: Path | None) -> str:
    """What the committed pictures are of."""
    path = folder / "figures" / "run.json" if folder else None
    if path is None or not path.is_file():
        return ""
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    result = stored["result"]
    shown = "A run of your own draws them for your images into its `report.html`."
    if not stored["images_shown"]:
        shown = (
            f"The images of `{stored['dataset']['name']}` may not be passed on: what the network sees is drawn of a "
            "free photograph, which it may well get wrong. A run of your own shows all of them in its `report.html`."
        )
    return (
        f"The pictures below are of the run `{stored['command']}`: {100 * result['accuracy']:.2f} % of "
        f"{result['count']:,} {result['part']} images, {duration(stored['seconds'])} on "
        f"{stored['hardware']['processor']}, {stored['hardware']['cores']} cores. {shown}"
    )


def recipes(plugin: Plugin, datasets: Sequence[Plugin]) -> list[str]:
    """Every recipe of an architecture for every data set, folded away."""
    parts = ["What each sets, and where; everything else is core's. `zoo train ... --dry-run` prints the same."]
    for dataset in datasets:
        for name in available(plugin, dataset):
            tables = recipe_tables({"name": name, "values": resolve(plugin, dataset, name).as_dict()}, heading=False)
            parts.append(
                f"<details><summary><b>{escape(name)}</b> on {escape(dataset.name)}</summary>{tables}</details>"
            )
    return parts


def _commands(plugin: Plugin, datasets: Sequence[Plugin]) -> str:
    target = next((dataset.name for dataset in datasets if dataset.name == "mnist"), "DATASET")
    lines = [f"zoo train {plugin.name} {target}", "zoo predict last photo.png", f"zoo visualize {plugin.name}"]
    lines += [f"zoo predict {network.id} photo.jpg" for network in packaged.of(plugin)]
    if other := packaged.offered(plugin):
        lines.append(f"zoo predict {other.id} photo.jpg --download")
    return _console(lines)


# data sets ------------------------------------------------------------------------------------------------------


def datasets(plugins: Sequence[Plugin]) -> str:
    """The overview of the data sets."""
    cards = "".join(
        f'<a class="card" href="{plugin.name}.html"><b>{escape(plugin.name)}</b>'
        f"<span>{escape(plugin.facts.summary)}</span>"
        f"<small>{f'{plugin.facts.images:,} images' if plugin.facts.images else ''}</small></a>"
        for plugin in plugins
    )
    return f'# Data sets\n\nEvery network trains on every one of them.\n\n<div class="cards">{cards}</div>\n'


def dataset(plugin: Plugin, architectures: Sequence[Plugin], results: Sequence[Result]) -> str:
    """All about one data set."""
    own = [result for result in results if result.dataset == plugin.name]
    stored = json.loads(text_of(plugin, "facts.json") or "{}")
    parts = [f"# {plugin.name}", f'<p class="lead">{escape(plugin.facts.summary)}</p>', text_of(plugin), "## Facts"]
    fingerprint = stored.get("fingerprint") or next((result.stored.get("fingerprint", "") for result in own), "")
    parts.append(_dataset_facts(plugin, stored, fingerprint))
    folder = folder_of(plugin)
    captions = captions_of(folder) if folder else {}
    if captions:
        parts += [
            "## Samples",
            *(figure(f"{plugin.name}/{name}", text, text, "pixels") for name, text in captions.items()),
        ]
    elif plugin.facts.licence:
        parts += ["## Samples", f"None here: the licence ({plugin.facts.licence}) does not allow it."]
    if stored.get("classes"):
        parts += ["## Images per class", _class_counts(stored["classes"])]
    parts += ["## Splits", _splits(plugin, architectures)]
    if own:
        header = ("network", "recipe", "accuracy", "95 % interval")
        rows = [
            (one.architecture, one.recipe, with_spread(one), "{:.2f} to {:.2f}".format(*one.interval)) for one in own
        ]
        parts += ["## Results", table(header, rows, numeric=(2, 3))]
    parts += ["## Get it", _console(_dataset_commands(plugin))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _dataset_commands(plugin: Plugin) -> list[str]:
    """From the images to a trained network."""
    if plugin.name == FOLDER:
        return ["zoo data info ./flowers", "zoo train efficientnet-lite0 ./flowers", "zoo predict last photo.jpg"]
    prepare = f"zoo data prepare {plugin.name}"
    download = [f"{prepare} --download"] if plugin.facts.download else []
    size = plugin.facts.size or 64
    return [f"zoo data info {plugin.name}", *download, f"{prepare} --size {size}", f"zoo train cnn {plugin.name}"]


def _console(lines: Iterable[str]) -> str:
    return "```console\n" + "\n".join(f"$ {line}" for line in lines) + "\n```"


def _dataset_facts(plugin: Plugin, stored: dict[str, Any], fingerprint: str) -> str:
    card = plugin.facts
    counts = ", ".join(f"{count:,} {part}" for part, count in stored.get("counts", {}).items())
    rows = [
        ("images", counts or (f"{card.images:,}" if card.images else "")),
        ("classes", ", ".join(card.class_names)),
        ("size", f"{card.size} x {card.size} pixels" if card.size else "many sizes"),
        ("channels", " or ".join(map(str, card.channels))),
        ("source", card.paper),
        ("licence", card.licence),
        ("homepage", card.homepage),
        ("download", in_words(card.download) if card.download else "none: it ships with the package" * card.built_in),
        ("fingerprint", fingerprint),
    ]
    return table((), [row for row in rows if row[1]])


def _class_counts(classes: dict[str, dict[str, int]]) -> str:
    parts = list(classes)
    names: Iterable[str] = classes[parts[0]]
    rows = [(name, *(f"{classes[part][name]:,}" for part in parts)) for name in names]
    return table(("class", *parts), rows, numeric=range(1, len(parts) + 1))


def _splits(plugin: Plugin, architectures: Sequence[Plugin]) -> str:
    """How the recipes split this data set."""
    rows: dict[tuple[str, int, int, int], list[str]] = {}
    for architecture in architectures:
        for name in available(architecture, plugin):
            recipe = resolve(architecture, plugin, name).recipe
            key = (recipe.split, recipe.split_seed, recipe.validation, recipe.test)
            rows.setdefault(key, []).append(f"{architecture.name} {name}")
    lines = [
        (
            split,
            str(seed),
            f"{validation:,}",
            "published" if plugin.facts.test_images else f"{test:,}",
            ", ".join(users),
        )
        for (split, seed, validation, test), users in rows.items()
    ]
    return table(("split", "seed", "validation", "test", "recipes"), lines, numeric=(1, 2, 3))
