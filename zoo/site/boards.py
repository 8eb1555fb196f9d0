"""The pages of results: home, the leaderboard, the chapter today; and the drawing of all results."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from zoo import style
from zoo.markup import escape, figure, table
from zoo.progress import duration
from zoo.registry import Plugin
from zoo.results import chapter
from zoo.results.measurements import amounts
from zoo.runs.directory import captions_of
from zoo.site import measured
from zoo.site.assets import folder_of
from zoo.site.pages import origin_of, pictures, with_spread
from zoo.site.receipts import Result
from zoo.types import Figure
from zoo.units import scaled

_COLOURS = ("blue", "orange", "green", "vermillion", "sky", "purple", "black")
_CHAPTERS = ("curves", "sees", "hidden-units", "features")  # the figures that the chapter draws as well
_MARKS = {"quick": "o", "best": "*", "book": "s"}
_OTHER_MARKS = ("^", "D", "v", "P")
EXCERPT = 3  # results of a data set on the home page


def home(architectures: Sequence[Plugin], datasets: Sequence[Plugin], results: Sequence[Result]) -> str:
    """What it is, on one screen."""
    front = "---\nhide:\n  - navigation\n  - toc\n---\n"
    hero = (
        '<div class="hero"><div><h1>A zoo of image classifiers</h1>'
        "<p>Install a package, and its network or data set joins in. Every network trains on every data set; every "
        "result comes with its pictures and the receipt that gives it again.</p>"
        '<pre class="two"><code>pip install image-model-zoo\nzoo train cnn mnist</code></pre>'
        '<p class="links"><a class="button" href="guide/five-minutes.html">Five minutes</a> '
        '<a class="button plain" href="architectures/index.html">Architectures</a> '
        '<a class="button plain" href="chapter.html">The chapter, today</a></p></div>'
        f"{_hero_picture(architectures)}</div>"
    )
    shown = [result for dataset in datasets for result in _of(results, dataset.name)[:EXCERPT]]
    excerpt = _board(shown, rich=False) if shown else ""
    facts = (
        f"{len(architectures)} architectures, {len(datasets)} data sets and {len(results)} published results, "
        f"over {sum(len(result.seeds) for result in results)} runs."
    )
    cards = "".join(
        f'<a class="card" href="{link}"><b>{title}</b><span>{text}</span></a>'
        for title, text, link in (
            (
                "See a network",
                "Its diagram to zoom into, its cost, what it sees and what it gets wrong.",
                "architectures/index.html",
            ),
            (
                "Understand the parts",
                "Convolution, pooling, dropout, inception and residual, drawn from real numbers.",
                "concepts/index.html",
            ),
            (
                "Write a recipe",
                "How long, how fast, which augmentation: a few lines of TOML, no code.",
                "guide/own-recipe.html",
            ),
            ("Look up a command", "Every command and hook, from the program itself.", "reference/cli.html"),
        )
    )
    best = f"## The best so far\n\n{facts} [The whole leaderboard](leaderboard.md)\n\n{excerpt}"
    return f'{front}\n{hero}\n\n{best}\n\n<div class="cards">{cards}</div>\n'


def _hero_picture(architectures: Sequence[Plugin]) -> str:
    """A committed picture called `hero`, or else the drawing of the results."""
    for plugin in architectures:
        folder = folder_of(plugin)
        for suffix in ("svg", "png"):
            if folder and (folder / "figures" / f"hero.{suffix}").is_file():
                path = f"architectures/{plugin.name}/figures/hero.{suffix}"
                return f'<img class="picture night" src="{path}" alt="What {plugin.name} sees">'
    said = "Every published result: accuracy against the number of parameters"
    return f'<img class="picture" src="images/results.svg" alt="{said}">'


def _of(results: Sequence[Result], dataset: str) -> list[Result]:
    return [result for result in results if result.dataset == dataset]


# leaderboard ----------------------------------------------------------------------------------------------------


def leaderboard(results: Sequence[Result]) -> str:
    """All results in one table that sorts and filters."""
    names = sorted({result.dataset for result in results})
    choices = "".join(f"<option>{escape(name)}</option>" for name in names)
    controls = (
        '<div class="filters" hidden><label>Search <input type="search" placeholder="vgg, quick, ..."></label>'
        f'<label>Data set <select><option value="">all</option>{choices}</select></label><output></output></div>'
    )
    note = (
        "The mean over the seeds, ± their standard deviation; the 95 % interval is Wilson's, of the mean count. "
        "Trials are the trainings of the network on the data until the row was published, its own seeds among them. "
        "“The chapter” is what it printed. Times are wall times of a whole run. A click on a heading sorts. "
        "[What a row means, and how to reproduce it](guide/results.md)."
    )
    machines = "; ".join(sorted({result.hardware for result in results if result.hardware}))
    caption = _results_caption(results)
    measured = f"Measured on: {escape(machines)}.\n" if machines else ""
    return (
        "---\nhide:\n  - toc\n---\n# Leaderboard\n\n"
        f'{note}\n\n<div class="board">{controls}{_board(results, rich=True)}</div>\n\n'
        f"{figure('images/results.svg', caption, caption)}\n\n{measured}"
    )


def _board(results: Sequence[Result], rich: bool) -> str:
    """The table of results; each cell carries the value that it sorts by."""
    columns = [("network", ""), ("data set", ""), ("recipe", ""), ("accuracy", "number"), ("95 % interval", "number")]
    columns += [
        ("seeds", "number"),
        ("trials", "number"),
        ("parameters", "number"),
        ("the chapter", "number"),
        ("time", "number"),
        ("command", ""),
    ] * rich
    head = "".join(f'<th scope="col" class="{kind}">{escape(title)}</th>' for title, kind in columns)
    body = "".join(_row(result, rich) for result in results)
    content = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="table" tabindex="0"><table class="data">{content}</table></div>'


def _row(result: Result, rich: bool) -> str:
    low, high = result.interval
    cells: list[tuple[str, Any]] = [
        (escape(result.dataset), result.dataset),
        (escape(result.recipe), result.recipe),
        (f"<b>{with_spread(result)}</b>", result.accuracy),
        (f"{low:.2f} to {high:.2f}", low),
    ]
    if rich:
        printed = result.printed
        cells += [
            (str(len(result.seeds)), len(result.seeds)),
            ("-" if result.facts.trials is None else str(result.facts.trials), result.facts.trials or 0),
            (f"{result.parameters:,}" if result.parameters else "-", result.parameters or 0),
            ("" if printed is None else f"{printed:.2f} %", printed or 0),
            (duration(result.facts.seconds) if result.facts.seconds else "-", result.facts.seconds or 0),
            (f"<code>{escape(result.facts.command)}</code>", result.facts.command),
        ]
    name = escape(result.architecture)
    network = escape(result.facts.network)
    first = f'<th scope="row" data-value="{network}"><a href="architectures/{name}.html">{network}</a></th>'
    numeric = set(range(2, 9))
    return (
        f'<tr data-dataset="{escape(result.dataset)}">{first}'
        + "".join(
            f'<td data-value="{escape(value)}"{" class=number" * (place in numeric)}>{text}</td>'
            for place, (text, value) in enumerate(cells)
        )
        + "</tr>"
    )


def _results_caption(results: Sequence[Result]) -> str:
    return (
        f"The {len(results)} published results: a colour for each network, a mark for each recipe. Bars are 95 % "
        "intervals, hollow rings what the chapter printed; further left is a smaller network. Compare points of one "
        "panel only: each data set has a scale of its own."
    )


def results_drawing(every: Sequence[Result]) -> Figure:
    """Accuracy against parameters, a panel per data set (SVG); results whose receipt tells no parameters are left
    out."""
    results = [result for result in every if result.parameters]
    sizes = [math.log10(result.parameters or 1) for result in results] or [6.0]
    names = sorted({result.dataset for result in results}, key=lambda name: (name != "mnist", name))
    names_of_all = sorted({result.architecture for result in results})
    colours = dict(zip(names_of_all, cycle(style.PALETTE[name] for name in _COLOURS), strict=False))
    others = cycle(_OTHER_MARKS)
    marks = {name: _MARKS.get(name) or next(others) for name in sorted({result.recipe for result in results})}
    with style.styled():
        figure = style.canvas(8.4, 4.6)
        panels = figure.subplots(1, max(len(names), 1), squeeze=False)[0]
        for axes, name in zip(panels, names, strict=False):
            axes.set_title(name)
            for result in _of(results, name):
                colour = colours[result.architecture]
                low, high = result.interval
                x = math.log10(result.parameters or 1)
                axes.plot([x, x], [low, high], color=colour, linewidth=5, alpha=0.35)
                axes.plot(
                    [x],
                    [result.accuracy],
                    marks[result.recipe],
                    color=colour,
                    markersize=8,
                    label=f"{result.facts.network}, {result.recipe}",
                )
                if result.printed is not None:
                    axes.plot([x], [result.printed], "o", markerfacecolor="none", color=style.FAINT_INK, markersize=11)
            axes.set_xlabel("parameters")
            axes.set_xlim(min(sizes) - 0.25, max(sizes) + 0.25)
            ticks = range(math.ceil(min(sizes) - 0.25), math.floor(max(sizes) + 0.25) + 1)
            axes.set_xticks(list(ticks), [re.sub(r"\.0+", "", scaled(10**tick)) for tick in ticks])
            axes.yaxis.set_major_formatter("{x:g} %")
            axes.legend(loc="best")
        content = style.to_svg(figure)
    return Figure("results", content, "svg", _results_caption(results))


# the chapter ----------------------------------------------------------------------------------------------------


def chapter_today(architectures: Sequence[Plugin], results: Sequence[Result]) -> str:
    """Each experiment of the chapter: what it printed, what the same recipe gives today, how far a good one gets."""
    by_name = {plugin.name: plugin for plugin in architectures}
    parts = [
        "# The chapter, today",
        "This project grew out of a chapter that builds image classifiers one after the other. Each of its experiments "
        "is a recipe called `book`: the same network, the same images, the same optimizer. Beside the figure that it "
        "printed stands what the recipe gives today, and how far a good recipe takes the same network.",
        _overview(results),
    ]
    for experiment in chapter.EXPERIMENTS:
        parts += _experiment(experiment, results, by_name.get(experiment.architecture))
        parts += measured.of_experiment(experiment.architecture, experiment.dataset, architectures)
    if amounts(measured.KEPT):
        parts += [
            "## The claim about the amount of data",
            "The chapter draws, without a measurement, classical methods that level off as data grow and deep networks "
            "that go on improving. [Here is the measurement](concepts/pipelines.md#how-much-data).",
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _pair(experiment: chapter.Experiment, results: Sequence[Result]) -> dict[str, Result]:
    wanted = (experiment.architecture, experiment.dataset)
    return {result.recipe: result for result in results if (result.architecture, result.dataset) == wanted}


def _overview(results: Sequence[Result]) -> str:
    rows = []
    for experiment in chapter.EXPERIMENTS:
        ours = _pair(experiment, results)
        others = [result for name, result in ours.items() if name != "book"]
        best = max(others, key=lambda result: result.accuracy, default=None)
        rows.append(
            (
                f"{experiment.architecture} on {experiment.dataset}",
                f"{100 * experiment.accuracy:.2f} %",
                with_spread(ours["book"]) if "book" in ours else "not measured yet",
                f"{with_spread(best)}, {best.recipe}" if best else "not measured yet",
            )
        )
    return table(("experiment", "printed", "the same, today", "a better recipe"), rows, numeric=(1, 2, 3))


def _experiment(experiment: chapter.Experiment, results: Sequence[Result], plugin: Plugin | None) -> list[str]:
    ours = _pair(experiment, results)
    head = f"## {experiment.architecture} on {experiment.dataset}"
    printed = f"**Printed: {100 * experiment.accuracy:.2f} %** of its {experiment.part} images."
    parts = [head, f"{experiment.told[0].upper()}{experiment.told[1:]}. {printed}", experiment.remark]
    for name, result in sorted(ours.items()):
        low, high = result.interval
        several = f", mean of {len(result.seeds)} seeds" if len(result.seeds) > 1 else ", one seed"
        images = f"{result.facts.count:,} {result.facts.part} images"
        parts.append(
            f"**Today, `{name}`: {with_spread(result)}** of {images}{several}; "
            f"95 % interval {low:.2f} to {high:.2f} %. {_against(result)}"
        )
    if "book" not in ours:
        parts.append("The `book` recipe of this experiment has no published result yet.")
    parts.append(f"```console\n$ {experiment.command}\n```")
    if plugin is not None:
        parts += _drawn(plugin)
        parts.append(f"All about the network: [{plugin.name}](architectures/{plugin.name}.md)")
    return parts


def _drawn(plugin: Plugin) -> list[str]:
    """The pictures that the chapter draws, of a run today, with what they are of."""
    folder = folder_of(plugin)
    place = folder / "figures" if folder else None
    drawn = [(place / name, caption) for name, caption in captions_of(place).items()] if place else []
    shown = [item for item in drawn if item[0].stem.startswith(_CHAPTERS)]
    return [origin_of(folder), pictures(f"architectures/{plugin.name}/figures", shown)] if shown else []


def _against(result: Result) -> str:
    printed = result.printed
    if printed is None:
        return ""
    low, high = result.interval
    if low <= printed <= high:
        return "The printed figure lies inside it."
    points = result.accuracy - printed
    side = "above" if points > 0 else "below"
    return f"That is {abs(points):.2f} points {side} the printed figure, which lies outside it."
