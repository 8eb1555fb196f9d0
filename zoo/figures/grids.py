"""Weights as images: what each class, each hidden unit or each filter answers to.

The same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zoo import style
from zoo.figures.scene import Scene
from zoo.types import Figure
from zoo.words import amount

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


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
        style.headline(figure, title)
        panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
        for axes in panels:
            axes.set_axis_off()
        shown: Any = None
        for axes, image, label in zip(panels, images, labels, strict=False):
            shown = _show(axes, image, limit)
            axes.set_title(label, loc="center")
        if size[2] == 1:
            bar = figure.colorbar(shown, ax=list(panels), shrink=0.7, aspect=28, ticks=[-limit, 0, limit])
            bar.ax.set_yticklabels(["speaks\nagainst", "0", "speaks\nfor it"])
            bar.outline.set_visible(False)
        if rehearsal:
            style.stamp(figure)
        content = style.to_png(figure, few_colours=True)
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
    if chosen.shape[1] < 12:  # between small images the gap would be wide
        chosen = chosen.repeat(4, axis=1).repeat(4, axis=2)
    grid = mosaic(normalised(chosen, signed), rows, cols)
    # whole screen pixels per image pixel keep every square as large as the next
    zoom = max(1, round(900 / max(grid.shape[:2])))
    height, width = (side * zoom / style.DOTS_PER_INCH for side in grid.shape[:2])
    with style.styled():
        figure = style.canvas(max(width + 0.3, 4.0), height + 0.55)
        figure.set_layout_engine("none")
        page_width, page_height = figure.get_size_inches()
        style.headline(figure, title, laid_out=False)
        place = (
            (page_width - width) / 2 / page_width,
            0.12 / page_height,
            width / page_width,
            height / page_height,
        )
        axes = figure.add_axes(place)
        axes.set_axis_off()
        colours = colormaps["RdBu_r" if signed else "cividis"].with_extremes(bad=style.GRID)
        pixels = np.clip(grid, 0, 1) if grid.ndim == 3 else grid
        axes.imshow(pixels, aspect="auto", cmap=colours, vmin=-1 if signed else 0, vmax=1)
        if rehearsal:
            style.stamp(figure)
        content = style.to_png(figure, few_colours=True)
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


def normalised(images: Array, signed: bool) -> Array:
    """Each image on a scale of its own: -1..1 (grey) or 0..1 around 0.5 (RGB) if signed, else 0..1."""
    import numpy as np

    greatest = np.abs(images).max(axis=tuple(range(1, images.ndim)), keepdims=True)
    scaled: Array = images / np.where(greatest > 0, greatest, 1)
    return 0.5 + scaled / 2 if signed and images.ndim == 4 else scaled


def mosaic(images: Array, rows: int, cols: int) -> Array:
    """Images side by side, one or, if they are large, two pixels apart; NaN or white between."""
    import numpy as np

    count, height, width, *rest = images.shape
    gap = 2 if height >= 24 else 1
    empty = 1.0 if rest else np.nan
    grid: Array = np.full((rows * (height + gap) - gap, cols * (width + gap) - gap, *rest), empty)
    for index in range(count):
        top, left = (index // cols) * (height + gap), (index % cols) * (width + gap)
        grid[top : top + height, left : left + width] = images[index]
    return grid


# of a network ---------------------------------------------------------------------------------------------------


def filters(scene: Scene) -> Iterator[Figure]:
    """The weights of the first convolution, an image per filter; none where there is no convolution."""
    import numpy as np

    from zoo.figures.features import grid_of
    from zoo.network.inspection import first_kernel

    found = first_kernel(scene.model)
    if found is None:
        return
    layer, kernel = found
    height, width, channels, count = kernel.shape
    images = np.moveaxis(kernel, -1, 0)
    # three channels are shown as a colour; of any other number the mean
    images = images if channels == 3 else images.mean(axis=-1)
    colours = " The three channels that it is given are shown as red, green and blue." if channels == 3 else ""
    if scene.run is None:
        caption = "Untrained: all of this is chance. Compare it with the same picture of a trained network."
    else:
        caption = "Look for edges, spots and colours that oppose one another; what looks like noise has learned little."
    yield filter_grid(
        images,
        *grid_of(count),
        f"{scene.title}: the {amount(count, 'filter')} of {layer}, {height}x{width}",
        "filters",
        caption + colours,
        rehearsal=scene.rehearsal,
    )


def hidden_units(scene: Scene) -> Iterator[Figure]:
    """The weights of hidden units that see the whole image, chosen at random by the network's seed."""
    import numpy as np

    from zoo.network.inspection import first_matrix

    spec = scene.spec
    if spec is None:
        return
    found = first_matrix(scene.model, spec.height * spec.width * spec.channels)
    if found is None or found[1].shape[1] <= spec.classes:
        return
    layer, weights = found
    side = min(15, int(weights.shape[1] ** 0.5))
    chosen = np.random.default_rng(spec.seed).choice(weights.shape[1], side * side, replace=False)
    images = weights[:, chosen].T.reshape(len(chosen), spec.height, spec.width, spec.channels)
    untrained = "Untrained: all of this is chance." if scene.run is None else ""
    yield filter_grid(
        images[..., 0] if spec.channels == 1 else images,
        side,
        side,
        f"{scene.title}: {len(chosen)} of the {weights.shape[1]:,} units of {layer}",
        "hidden-units",
        untrained,
        rehearsal=scene.rehearsal,
    )
