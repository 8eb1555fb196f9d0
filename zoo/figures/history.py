"""The curves of a run: loss, accuracy and learning rate as training goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from zoo import style
from zoo.types import Figure, History


class _Series(NamedTuple):
    key: str
    label: str
    colour: str


class _Axis(NamedTuple):
    key: str
    label: str


_LOSSES = (
    _Series("loss", "training", style.PALETTE["blue"]),
    _Series("validation_loss", "validation", style.PALETTE["vermillion"]),
)
_ACCURACIES = (
    _Series("accuracy", "training", style.PALETTE["blue"]),
    _Series("validation_accuracy", "validation", style.PALETTE["vermillion"]),
)
_RATE = _Series("learning_rate", "learning rate", style.PALETTE["green"])


def curves(
    history: History,
    title: str,
    rehearsal: bool = False,
    reference: tuple[float, str] | None = None,
) -> Figure:
    """Loss and accuracy, and the learning rate if it changes, against epochs or else steps ("curves", SVG).

    `reference` is an accuracy in 0..1 with its label, (0.7838, "the chapter"), drawn as a line. A rehearsal
    is stamped and shows no accuracy. Raises ValueError for a history without a loss or an accuracy.
    """
    axis = _axis(history)
    losses = _present(history, axis, _LOSSES)
    accuracies = {} if rehearsal else _present(history, axis, _ACCURACIES)
    panels = [panel for panel in (losses, accuracies) if panel]
    if not panels:
        raise ValueError("the history has neither losses nor accuracies")
    rates = _present(history, axis, (_RATE,)).get(_RATE, [])
    scheduled = len({rate for _, rate in rates}) > 1
    with style.styled():
        figure = style.canvas(4.9 * len(panels), 4.3 + 1.3 * scheduled)
        style.headline(figure, title)
        grid = figure.add_gridspec(1 + scheduled, len(panels), height_ratios=(4.6, 1)[: 1 + scheduled])
        for column, panel in enumerate(panels):
            axes = figure.add_subplot(grid[0, column])
            (_draw_accuracies if panel is accuracies else _draw_losses)(axes, panel, axis)
            if panel is accuracies and reference:
                _draw_reference(axes, *reference)
            _finish_panel(axes, panel, axis)
        if scheduled:
            _draw_rates(figure.add_subplot(grid[1, :]), rates, axis)
        if rehearsal:
            style.stamp(figure)
        content = style.to_svg(figure)
    return Figure("curves", content, "svg", _curves_caption(title, axis, accuracies, rehearsal))


def _axis(history: History) -> _Axis:
    epochs = {row["epoch"] for row in history if "epoch" in row}
    known = all("epoch" in row for row in history)
    # some loops count steps only, and a short run may end within its first epoch
    return _Axis("epoch", "epoch") if known and len(epochs) == len(history) else _Axis("step", "step")


_Panel = dict[_Series, list[tuple[float, float]]]


def _present(history: History, axis: _Axis, wanted: Sequence[_Series]) -> _Panel:
    """The points (x, y) of those series that have any; values that are not finite are left out."""
    found = {
        series: [
            (row.get(axis.key, float(number)), row[series.key])
            for number, row in enumerate(history, start=1)
            if math.isfinite(row.get(series.key, math.nan))
        ]
        for series in wanted
    }
    return {series: points for series, points in found.items() if points}


def _draw_losses(axes: Any, panel: _Panel, axis: _Axis) -> None:
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    axes.set_title("Loss")
    _draw_lines(axes, panel)
    values = [value for points in panel.values() for _, value in points]
    if min(values) > 0 and max(values) > 20 * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif max(values) >= 1000:
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    for series, points in panel.items():
        if series.key == "validation_loss":
            _mark(axes, points, axis, series.colour, min(points, key=lambda point: point[1]), _loss_text)


def _draw_accuracies(axes: Any, panel: _Panel, axis: _Axis) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.set_title("Accuracy")
    shares = {series: [(x, 100 * y) for x, y in points] for series, points in panel.items()}
    _draw_lines(axes, shares)
    axes.yaxis.set_major_formatter(PercentFormatter(symbol=" %"))
    for series, points in shares.items():
        if series.key == "validation_accuracy":
            _mark(axes, points, axis, series.colour, max(points, key=lambda point: point[1]), "{:.2f} %".format)


def _draw_lines(axes: Any, panel: _Panel) -> None:
    for series, points in panel.items():
        alone = "o" if len(points) < 3 else None
        axes.plot(*zip(*points, strict=True), label=series.label, color=series.colour, marker=alone)


def _loss_text(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:#.3g}"


def _mark(
    axes: Any,
    points: list[tuple[float, float]],
    axis: _Axis,
    colour: str,
    best: tuple[float, float],
    text: Callable[[float], str],
) -> None:
    """Mark the best and the final point; the legend says their values, where no curve can cover them."""
    look: dict[str, Any] = {"color": colour, "linestyle": "none", "zorder": 5, "clip_on": False}
    final = points[-1]
    where = f"{axis.label} {best[0]:,.0f}"
    if best == final:
        axes.plot(*final, "o", markersize=7, label=f"final, best: {text(final[1])}", **look)
        return
    ring = {"markerfacecolor": "white", "markeredgewidth": 1.8}
    axes.plot(*best, "o", markersize=8, label=f"best: {text(best[1])} ({where})", **ring, **look)
    axes.plot(*final, "o", markersize=7, label=f"final: {text(final[1])}", **look)


def _draw_reference(axes: Any, accuracy: float, label: str) -> None:
    percent = 100 * accuracy
    axes.axhline(percent, color=style.FAINT_INK, linestyle="--", linewidth=1.3, label=f"{label}: {percent:.2f} %")


def _finish_panel(axes: Any, panel: _Panel, axis: _Axis) -> None:
    _scale_x(axes, [x for points in panel.values() for x, _ in points], axis)
    axes.set_xlabel(axis.label)
    # below the axes: nothing is ever drawn there
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, columnspacing=1.4, handlelength=1.6)


def _draw_rates(axes: Any, rates: list[tuple[float, float]], axis: _Axis) -> None:
    axes.plot(*zip(*rates, strict=True), color=_RATE.colour)
    axes.set_title("Learning rate", fontsize=10)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(axis.label)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    _scale_x(axes, [x for x, _ in rates], axis)


def _scale_x(axes: Any, xs: Sequence[float], axis: _Axis) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    if axis.key == "step":
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    if len(set(xs)) == 1:
        axes.set_xlim(xs[0] - 1, xs[0] + 1)


def _curves_caption(title: str, axis: _Axis, accuracies: _Panel, rehearsal: bool) -> str:
    if rehearsal:
        return f"{title}: a rehearsal on generated images. The curves only show that training runs."
    read = "Training and validation should fall together; a validation loss that turns upwards is overfitting."
    for series, points in accuracies.items():
        if series.key == "validation_accuracy":
            best = max(points, key=lambda point: point[1])
            return (
                f"{title}: validation accuracy ends at {100 * points[-1][1]:.2f} %; its best is "
                f"{100 * best[1]:.2f} % at {axis.label} {best[0]:,.0f}. {read}"
            )
    return f"{title}: how training went. {read}"
