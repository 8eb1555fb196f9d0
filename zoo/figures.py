"""The figures that core draws: curves, diagrams, and grids of what weights look like.

Each function returns `zoo.types.Figure` with a caption that says what to see in it; the same input gives the
same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo import style
from zoo.graph import Graph, from_model
from zoo.types import Data, Figure, History, Model, RunContext

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def standard(model: Model, data: Data | None, run: RunContext | None) -> Iterator[Figure]:
    """Core's own figures: the diagrams, and the curves of a run that has a history."""
    del data
    yield from diagram_figures(from_model(model, run.spec if run else None))
    if run and run.history:
        rehearsal = bool(getattr(run, "rehearsal", False))
        yield curves(run.history, run.spec.title, rehearsal=rehearsal)


def diagram_figures(graph: Graph) -> list[Figure]:
    """The diagram of all layers ("diagram") and the one of its stages ("diagram-folded"), as SVG."""
    from zoo.diagram import svg

    said = f" {graph.note}" if graph.note else ""
    whole = (
        f"{graph.name}, layer by layer, from the image at the top to the class scores at the bottom. Each card "
        f"says what the layer does, the shape it gives and how many weights it learns; colours stand for "
        f"kinds of layers.{said}"
    )
    folded = (
        f"{graph.name} at a glance: blocks of layers folded into stages. See how the image shrinks while the "
        f"channels grow, and where the {graph.parameters:,} parameters sit.{said}"
    )
    return [
        Figure("diagram", svg(graph), "svg", whole),
        Figure("diagram-folded", svg(graph, folded=True), "svg", folded),
    ]


# curves -------------------------------------------------------------------------------------------------------


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

    `reference` is an accuracy in 0..1 with its label, (0.7838, "the chapter"), drawn as a line. A rehearsal is
    stamped and shows no accuracy. Raises ValueError for a history without a loss or an accuracy.
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
        figure.suptitle(title, x=0.01, ha="left")
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
    from matplotlib.ticker import StrMethodFormatter

    axes.set_title("Loss")
    _draw_lines(axes, panel)
    values = [value for points in panel.values() for _, value in points]
    if min(values) > 0 and max(values) > 20 * min(values):
        axes.set_yscale("log")
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
            _mark(
                axes, points, axis, series.colour, max(points, key=lambda point: point[1]), "{:.2f} %".format
            )


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
    axes.axhline(
        percent, color=style.FAINT_INK, linestyle="--", linewidth=1.3, label=f"{label}: {percent:.2f} %"
    )


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
    read = (
        "Training and validation should fall together; a validation loss that turns upwards is overfitting."
    )
    for series, points in accuracies.items():
        if series.key == "validation_accuracy":
            best = max(points, key=lambda point: point[1])
            return (
                f"{title}: validation accuracy ends at {100 * points[-1][1]:.2f} %; its best is "
                f"{100 * best[1]:.2f} % at {axis.label} {best[0]:,.0f}. {read}"
            )
    return f"{title}: how training went. {read}"


# grids --------------------------------------------------------------------------------------------------------


def weight_images(
    matrix: Array,
    size: tuple[int, int, int],
    title: str,
    class_names: Sequence[str] | None = None,
    name: str = "class-weights",
    rehearsal: bool = False,
) -> Figure:
    """What a fully connected network sees: an image per class (PNG).

    `matrix` is float [height * width * channels, classes], the product of the weight matrices (W1 @ W2);
    `size` is (height, width, channels). One scale, symmetric about zero, serves all images.
    """
    import numpy as np

    classes = matrix.shape[1]
    images = np.moveaxis(np.asarray(matrix, np.float64).reshape(*size, classes), -1, 0)
    labels = class_names or [str(index) for index in range(classes)]
    limit = _limit(images)
    columns = min(classes, 5)
    rows = -(-classes // columns)
    with style.styled():
        figure = style.canvas(max(1.75 * columns + 1.1, 5.2), 1.9 * rows + 0.5)
        figure.suptitle(title, x=0.01, ha="left")
        panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
        for axes in panels:
            axes.set_axis_off()
        shown = None
        for axes, image, label in zip(panels, images, labels, strict=False):
            shown = _show(axes, image, limit)
            axes.set_title(label, loc="center")
        if size[2] == 1:
            bar = figure.colorbar(shown, ax=list(panels), shrink=0.7, aspect=28, ticks=[-limit, 0, limit])
            bar.ax.set_yticklabels(["speaks\nagainst", "0", "speaks\nfor it"])
            bar.outline.set_visible(False)
        if rehearsal:
            style.stamp(figure)
        content = style.to_png(figure)
    sign = "Red pixels speak for the class, blue against it" if size[2] == 1 else "Grey has no say"
    caption = (
        f"{title}. What the network sees: the weights from every pixel to every class, multiplied through. "
        f"{sign}; where shapes emerge, they have been learned, and noise is where learning did not reach."
    )
    return Figure(name, content, "png", caption)


def filter_grid(
    images: Array,
    rows: int,
    cols: int,
    title: str,
    name: str = "filters",
    caption: str = "",
    rehearsal: bool = False,
) -> Figure:
    """A grid of small images, weights of units or maps of features, each on a scale of its own (PNG).

    `images` is float [n, height, width] or [n, height, width, 3]; the first `rows` * `cols` are drawn. If any
    value is negative the scale is symmetric about zero, red for positive; otherwise dark is zero.
    """
    import numpy as np
    from matplotlib import colormaps

    chosen = np.asarray(images, np.float64)[: rows * cols]
    signed = bool((chosen < 0).any())
    mosaic = _mosaic(_normalised(chosen, signed), rows, cols)
    # whole screen pixels per image pixel keep every square as large as the next
    zoom = max(1, round(900 / max(mosaic.shape[:2])))
    height, width = (side * zoom / style.DOTS_PER_INCH for side in mosaic.shape[:2])
    with style.styled():
        figure = style.canvas(max(width + 0.3, 4.0), height + 0.55)
        figure.set_layout_engine("none")
        page_width, page_height = figure.get_size_inches()
        figure.suptitle(title, x=0.15 / page_width, y=1 - 0.12 / page_height, ha="left", va="top")
        place = (
            (page_width - width) / 2 / page_width,
            0.12 / page_height,
            width / page_width,
            height / page_height,
        )
        axes = figure.add_axes(place)
        axes.set_axis_off()
        colours = colormaps["RdBu_r" if signed else "cividis"].with_extremes(bad=style.GRID)
        pixels = np.clip(mosaic, 0, 1) if mosaic.ndim == 3 else mosaic
        axes.imshow(pixels, aspect="auto", cmap=colours, vmin=-1 if signed else 0, vmax=1)
        if rehearsal:
            style.stamp(figure)
        content = style.to_png(figure)
    scale = "red is positive, blue negative, white zero" if signed else "bright is strong, dark is zero"
    said = caption or "Look for strokes, edges and blobs; a square that is only noise has learned nothing."
    return Figure(name, content, "png", f"{title}. {said} Each square has a scale of its own: {scale}.")


def _limit(images: Array) -> float:
    """What counts as full colour: a few outliers must not make all the rest pale."""
    import numpy as np

    return float(np.quantile(np.abs(images), 0.995)) or 1.0


def _show(axes: Any, image: Array, limit: float) -> Any:
    import numpy as np

    if image.shape[2] == 1:
        return axes.imshow(image[:, :, 0], cmap="RdBu_r", vmin=-limit, vmax=limit)
    return axes.imshow(np.clip(0.5 + image / (2 * limit), 0, 1))


def _normalised(images: Array, signed: bool) -> Array:
    """Each image on a scale of its own: -1..1 (grey) or 0..1 around 0.5 (RGB) if signed, else 0..1."""
    import numpy as np

    greatest = np.abs(images).max(axis=tuple(range(1, images.ndim)), keepdims=True)
    scaled: Array = images / np.where(greatest > 0, greatest, 1)
    return 0.5 + scaled / 2 if signed and images.ndim == 4 else scaled


def _mosaic(images: Array, rows: int, cols: int) -> Array:
    """Images side by side, two pixels apart where they are large and one where small; NaN or white between."""
    import numpy as np

    count, height, width, *rest = images.shape
    gap = 2 if height >= 24 else 1
    empty = 1.0 if rest else np.nan
    mosaic: Array = np.full((rows * (height + gap) - gap, cols * (width + gap) - gap, *rest), empty)
    for index in range(count):
        top, left = (index // cols) * (height + gap), (index % cols) * (width + gap)
        mosaic[top : top + height, left : left + width] = images[index]
    return mosaic
