"""The pages of results: home, the leaderboard, the chapter today; and the drawing of all results."""

from __future__ import annotations

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

_CHAPTERS = ("curves", "sees", "hidden-units", "features")  # the figures that the chapter draws as well
_MARKS = {
    "book": ("s", style.PALETTE["black"]),
    "quick": ("o", style.PALETTE["blue"]),
    "best": ("*", style.PALETTE["vermillion"]),
}
_OTHER_MARKS = tuple(zip("^DvP", (style.PALETTE[name] for name in ("green", "orange", "purple", "sky")), strict=True))
_TICKS = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)
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
    machines = "; ".join(sorted({machine for result in results for machine in result.machines}))
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
        f"The {len(results)} published results: a row for each network, the best first, with its number of parameters; "
        "a mark for each recipe. Bars are 95 % intervals, hollow rings what the chapter printed. Equal steps to the "
        "right take away equal shares of the wrong answers; each data set has a scale of its own."
    )


def results_drawing(results: Sequence[Result]) -> Figure:
    """The accuracy of each result with its interval, a panel per data set and a row per network (SVG)."""
    names = sorted({result.dataset for result in results}, key=lambda name: (name != "mnist", name))
    recipes = {result.recipe for result in results}
    others = cycle(_OTHER_MARKS)
    looks = {name: look for name, look in _MARKS.items() if name in recipes}
    looks |= {name: next(others) for name in sorted(recipes - set(looks))}
    panels = {name: _rows(_of(results, name)) for name in names}
    heights = [len(rows) + 2 for rows in panels.values()] or [1]
    with style.styled():
        figure = style.canvas(8.4, 0.7 + 0.36 * sum(heights))
        grid = figure.subplots(max(len(names), 1), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
        for axes, (name, rows) in zip(grid[:, 0], panels.items(), strict=False):
            axes.set_title(name)
            _draw_rows(axes, rows, looks)
        marks = [_mark(recipe, look) for recipe, look in looks.items()]
        if any(result.printed is not None for result in results):
            marks.append(_mark("the chapter", ("o", style.FAINT_INK), hollow=True))
        figure.legend(handles=marks, loc="outside upper right", ncols=len(marks) or 1)
        content = style.to_svg(figure)
    return Figure("results", content, "svg", _results_caption(results))


def _rows(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each network, that with the most accurate one first."""
    rows: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda result: -result.accuracy):
        size = "" if result.parameters is None else f"  {scaled(result.parameters)}"
        rows.setdefault(result.facts.network + size, []).append(result)
    return rows


def _draw_rows(axes: Any, rows: dict[str, list[Result]], looks: dict[str, tuple[str, str]]) -> None:
    """A row of marks for each network, on an axis that is as logarithmic in the wrong answers as in the right ones."""
    reached = []
    for place, results in enumerate(rows.values()):
        for number, result in enumerate(sorted(results, key=lambda result: list(looks).index(result.recipe))):
            y = place + 0.2 * (number - (len(results) - 1) / 2)
            mark, colour = looks[result.recipe]
            interval = [share / 100 for share in result.interval]
            reached += interval
            axes.plot(interval, [y, y], color=colour, linewidth=4, alpha=0.35)
            axes.plot([result.accuracy / 100], [y], mark, color=colour, markersize=11 if mark == "*" else 8)
        printed = results[0].printed
        if printed is not None:
            reached.append(printed / 100)
            axes.plot([printed / 100], [place], "o", markerfacecolor="none", color=style.FAINT_INK, markersize=12)
    low, high = max(min(reached), 1e-3), min(max(reached), 1 - 1e-5)
    axes.set_xscale("logit", nonpositive="clip")
    axes.set_xlim(low - 0.15 * low * (1 - low), 1 - 0.85 * (1 - high))
    ticks = [tick for tick in _TICKS if axes.get_xlim()[0] < tick / 100 < axes.get_xlim()[1]]
    axes.set_xticks([tick / 100 for tick in ticks], [f"{tick:g} %" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _mark(label: str, look: tuple[str, str], hollow: bool = False) -> Any:
    """An entry of the legend."""
    from matplotlib.lines import Line2D

    mark, colour = look
    inside = "none" if hollow else colour
    return Line2D(
        [], [], marker=mark, color=colour, markerfacecolor=inside, linestyle="none", markersize=9, label=label
    )


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
