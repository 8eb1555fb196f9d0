"""The drawings of the concept pages, each computed: the numbers in a cell are those that the operation gives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from zoo import style
from zoo.network.graph import Graph, Node
from zoo.types import Figure

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PAGES = ("pipelines", "convolution", "pooling", "activation", "dropout", "inception", "residual")
# a vertical stroke with a foot, in 0..9
IMAGE = (
    (0, 0, 6, 7, 0, 0),
    (0, 0, 8, 8, 0, 0),
    (0, 0, 7, 9, 0, 0),
    (0, 0, 8, 8, 0, 0),
    (0, 0, 6, 9, 0, 0),
    (0, 5, 7, 8, 6, 0),
)
EDGE = ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1))
# Szegedy et al. (2014), table 1, "inception (3a)": input, 1x1, 3x3 reduce and 3x3, 5x5 reduce and 5x5, projection
MODULE = {"size": 28, "input": 192, "1x1": 64, "3x3": (96, 128), "5x5": (16, 32), "pool": 32}
# He et al. (2015), table 1, 34 layers: blocks of two 3x3 convolutions, their channels and the side of their images
STAGES = ((3, 64, 56), (4, 128, 28), (6, 256, 14), (3, 512, 7))


def draw() -> Iterator[Figure]:
    """Every drawing, as SVG."""
    with style.styled():
        yield _pipelines()
        yield _convolution()
        yield _stride()
        yield _pooling()
        yield _relu()
        yield _dropout()
        yield _residual()
    yield from _inception()


# operations -----------------------------------------------------------------------------------------------------


def convolve(image: Array, kernel: Array, padding: int = 0, stride: int = 1) -> Array:
    """What a convolution layer computes (no flipping): image [h, w], kernel [k, k] to [h', w']."""
    import numpy as np

    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, padding), kernel.shape)
    result: Array = (windows * kernel).sum(axis=(2, 3))[::stride, ::stride]
    return result


def _arrays() -> tuple[Array, Array]:
    import numpy as np

    return np.array(IMAGE), np.array(EDGE)


def _grid(axes: Any, matrix: Array, title: str, mark: tuple[int, int, int] | None = None, text: str = "{:g}") -> None:
    """A matrix as cells with their numbers; `mark` is (row, column, side) of a window to frame."""
    limit = max(abs(float(matrix.max())), abs(float(matrix.min())), 1e-9)
    signed = bool((matrix < 0).any())
    axes.imshow(
        matrix, cmap="RdBu_r" if signed else "Blues", vmin=-limit if signed else 0, vmax=limit * (1.6, 1.0)[signed]
    )
    for (row, column), value in _cells(matrix):
        strong = abs(value) > 0.62 * limit * (1.3, 1.0)[signed]
        axes.text(
            column,
            row,
            text.format(value),
            ha="center",
            va="center",
            color="white" if strong else style.INK,
            fontsize=9,
        )
    if mark:
        from matplotlib.patches import Rectangle

        row, column, side = mark
        place = (column - 0.5, row - 0.5)
        axes.add_patch(
            Rectangle(place, side, side, fill=False, edgecolor=style.PALETTE["orange"], linewidth=2.6, zorder=5)
        )
    axes.set_title(title, fontsize=10, fontweight="normal", loc="center")
    axes.set_axis_off()


def _cells(matrix: Array) -> Iterator[tuple[tuple[int, int], Any]]:
    return ((divmod(index, matrix.shape[1]), value) for index, value in enumerate(matrix.ravel().tolist()))


def _convolution() -> Figure:
    image, kernel = _arrays()
    result = convolve(image, kernel)
    row, column = (int(place) for place in divmod(int(result.argmax()), result.shape[1]))
    figure = style.canvas(9.0, 3.2)
    axes = figure.subplots(1, 3, width_ratios=[6, 3, 4])
    _grid(axes[0], image, "image, 6 x 6", (row, column, 3))
    _grid(axes[1], kernel, "filter, 3 x 3")
    _grid(axes[2], result, "feature map, 4 x 4", (row, column, 1))
    window = image[row : row + 3, column : column + 3]
    sums = " + ".join(f"({value})" if value < 0 else str(value) for value in (window * kernel).sum(axis=0).tolist())
    caption = (
        f"A filter that looks for an edge from dark to bright. Framed: the window's columns times the filter's give "
        f"{sums} = {result[row, column]}, one number of the feature map. Red is strongly positive, blue negative."
    )
    return Figure("convolution", style.to_svg(figure), "svg", caption)


def _stride() -> Figure:
    image, kernel = _arrays()
    import numpy as np

    cases = [("no padding, stride 1", 0, 1), ("padding 1, stride 1", 1, 1), ("padding 1, stride 2", 1, 2)]
    figure = style.canvas(9.0, 5.6)
    axes = figure.subplots(2, 3)
    sizes = []
    for column, (title, padding, stride) in enumerate(cases):
        result = convolve(image, kernel, padding, stride)
        _grid(axes[0][column], np.pad(image, padding), title, (0, 0, 3))
        _grid(axes[1][column], result, " x ".join(map(str, result.shape)))
        sizes.append(
            f"{title}: ({image.shape[0]} + 2 x {padding} - 3) / {stride} + 1, rounded down, is {result.shape[0]}"
        )
    caption = f"The same filter with padding and stride. {'; '.join(sizes)}."
    return Figure("stride", style.to_svg(figure), "svg", caption)


def _pooling() -> Figure:
    image, kernel = _arrays()
    import numpy as np

    feature = np.maximum(convolve(image, kernel), 0)
    blocks = feature.reshape(2, 2, 2, 2)
    figure = style.canvas(8.0, 3.1)
    axes = figure.subplots(1, 3, width_ratios=[4, 2.6, 2.6])
    _grid(axes[0], feature, "feature map after ReLU", (0, 0, 2))
    _grid(axes[1], blocks.max(axis=(1, 3)), "max pooling 2 x 2", (0, 0, 1))
    _grid(axes[2], blocks.mean(axis=(1, 3)), "average pooling 2 x 2", (0, 0, 1))
    caption = (
        f"Of each 2 x 2 block, max pooling keeps the greatest ({feature[:2, :2].max()} of the framed one), average "
        f"pooling the mean ({feature[:2, :2].mean():g}): {feature.size} numbers become {feature.size // 4}, and no "
        "weight is learned."
    )
    return Figure("pooling", style.to_svg(figure), "svg", caption)


def _relu() -> Figure:
    import numpy as np

    image, kernel = _arrays()
    before = convolve(image, kernel)
    after = np.maximum(before, 0)
    figure = style.canvas(9.0, 3.2)
    axes = figure.subplots(1, 3, width_ratios=[1.25, 1, 1])
    x = np.linspace(-3, 3, 121)
    axes[0].plot(x, np.maximum(x, 0), color=style.PALETTE["blue"], label="ReLU")
    axes[0].plot(x, np.tanh(x), color=style.PALETTE["orange"], label="tanh")
    axes[0].plot(x, 1 / (1 + np.exp(-x)), color=style.PALETTE["green"], label="sigmoid")
    axes[0].legend()
    _grid(axes[1], before, "before")
    _grid(axes[2], after, "after ReLU")
    caption = (
        f"ReLU leaves what is positive as it is and makes the rest zero: {int((before < 0).sum())} of {before.size} "
        "numbers of this feature map. Its slope stays 1 however large the input, where those of tanh and sigmoid fade."
    )
    return Figure("relu", style.to_svg(figure), "svg", caption)


def _dropout() -> Figure:
    import numpy as np

    random = np.random.default_rng(0)
    rate, units = 0.5, np.round(random.uniform(1, 9, (1, 10)))
    masks = random.random((4, 10)) >= rate
    figure = style.canvas(8.4, 3.6)
    axes = figure.subplots(2, 1, height_ratios=[1, 4])
    _grid(axes[0], units, "ten hidden units, in prediction")
    _grid(axes[1], units * masks / (1 - rate), "the same in four training steps, at a rate of 0.5")
    mean = float((units * masks / (1 - rate)).sum(axis=1).mean())
    caption = (
        f"In each step a fresh half of the units is silent, on average, and the rest count {1 / (1 - rate):g} times. "
        f"Their sum is {units.sum():g} in prediction and {mean:g} in the mean of these four steps: over many steps, "
        "what follows sees inputs of the same size."
    )
    return Figure("dropout", style.to_svg(figure), "svg", caption)


# architectures --------------------------------------------------------------------------------------------------


def _weights(size: int, inputs: int, outputs: int) -> int:
    return size * size * inputs * outputs + outputs


def _inception() -> Iterator[Figure]:
    from zoo.network.diagram import svg

    side, inputs = MODULE["size"], MODULE["input"]
    assert isinstance(side, int) and isinstance(inputs, int)  # noqa: S101, PT018 (a table of mixed values)
    reduced = _module("inception module with 1x1 reductions", side, inputs, MODULE["3x3"][0], MODULE["5x5"][0])  # type: ignore[index]
    naive = _module("the same without them", side, inputs, 0, 0)
    said = {graph.name: (graph.parameters, graph.parameters * side * side) for graph in (reduced, naive)}
    (few, cheap), (many, dear) = said.values()
    caption = (
        f"Filters of several sizes side by side; their maps are stacked. With 1x1 convolutions that first reduce the "
        f"{inputs} channels it has {few:,} parameters and about {cheap / 1e6:,.0f} million multiply-adds; without them "
        f"the module below has {many:,} and {dear / 1e6:,.0f} million."
    )
    yield Figure("inception", svg(reduced), "svg", caption)
    yield Figure(
        "inception-naive",
        svg(naive),
        "svg",
        f"The same module without reductions: {many / few:.1f} times the parameters.",
    )


def _module(name: str, side: int, inputs: int, reduce3: int, reduce5: int) -> Graph:
    """One inception module as a graph, with (`reduce` channels) or without its 1x1 reductions."""
    nodes = [Node("input", "input", "the module before", (side, side, inputs))]
    edges: list[tuple[str, str]] = []

    def conv(title: str, size: int, before: str, depth: int, filters: int) -> str:
        shape = (side, side, filters)
        nodes.append(
            Node(title, "convolution", f"Conv {size}x{size}, {filters}", shape, _weights(size, depth, filters))
        )
        edges.append((before, title))
        return title

    wide3, wide5 = MODULE["3x3"][1], MODULE["5x5"][1]  # type: ignore[index]
    ends = [conv("1x1", 1, "input", inputs, MODULE["1x1"])]  # type: ignore[arg-type]
    for size, reduce, filters in ((3, reduce3, wide3), (5, reduce5, wide5)):
        before = conv(f"{size}x{size} reduce", 1, "input", inputs, reduce) if reduce else "input"
        ends.append(conv(f"{size}x{size}", size, before, reduce or inputs, filters))
    nodes.append(Node("pool", "pooling", "MaxPool 3x3, stride 1", (side, side, inputs)))
    edges.append(("input", "pool"))
    ends.append(conv("projection", 1, "pool", inputs, MODULE["pool"]) if reduce3 else "pool")  # type: ignore[arg-type]
    depth = sum(node.shape[2] or 0 for node in nodes if node.name in ends)
    nodes.append(Node("stack", "merge", "Concatenate", (side, side, depth)))
    edges += [(end, "stack") for end in ends]
    return Graph(name, tuple(nodes), tuple(edges))


def _residual() -> Figure:
    """34 layers, plain and with shortcuts: a bar per layer, as tall as its image, as dark as it is deep."""
    from matplotlib.patches import FancyArrowPatch, Rectangle

    layers = [(0, 112, _weights(7, 3, 64))]
    before = 64
    for stage, (blocks, channels, side) in enumerate(STAGES, start=1):
        for _ in range(blocks * 2):
            layers.append((stage, side, _weights(3, before, channels)))
            before = channels
    layers.append((5, 1, before * 1000 + 1000))
    colours = [style.PALETTE[name] for name in ("black", "sky", "blue", "green", "orange", "vermillion")]
    figure = style.canvas(9.4, 4.6)
    for number, (axes, title) in enumerate(zip(figure.subplots(2, 1, sharex=True), ("plain", "residual"), strict=True)):
        for x, (stage, side, _) in enumerate(layers):
            height = max(side, 6) ** 0.5
            axes.add_patch(Rectangle((x - 0.36, -height / 2), 0.72, height, facecolor=colours[stage], alpha=0.85))
        if number:
            for x in range(1, len(layers) - 1, 2):
                top = max(layers[x][1], 6) ** 0.5 / 2 + 0.4
                arc: dict[str, Any] = {"connectionstyle": "arc3,rad=-0.55", "arrowstyle": "-|>", "mutation_scale": 7}
                axes.add_patch(
                    FancyArrowPatch((x - 0.5, top), (x + 1.5, top), color=style.FAINT_INK, linewidth=1.2, **arc)
                )
        axes.set_xlim(-1, len(layers))
        axes.set_ylim(-6, 7.5)
        axes.set_title(f"{len(layers)} layers, {title}")
        axes.set_axis_off()
    total = sum(count for _, _, count in layers)
    caption = (
        f"Two networks of {len(layers)} layers with weights, from the image (left) to 1,000 classes: a bar is the "
        f"taller the larger its image, a colour stands for a stage. Both have {total / 1e6:.1f} million parameters, "
        f"shortcuts have none where the shape stays; {sum(blocks for blocks, _, _ in STAGES)} arcs let the gradient "
        "pass by two layers."
    )
    return Figure("residual", style.to_svg(figure), "svg", caption)


def _pipelines() -> Figure:
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    rows = [
        (
            "classical",
            [
                ("image", 0),
                ("features that a person\ndesigned: edges,\ncorners, histograms", 0),
                ("classifier", 1),
                ("class", 0),
            ],
        ),
        (
            "deep",
            [("image", 0), ("layers that find edges,\nthen parts,\nthen objects", 1), ("last layer", 1), ("class", 0)],
        ),
    ]
    figure = style.canvas(9.0, 3.6)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(-0.2, 10)
    axes.set_ylim(-0.2, 3.6)
    places = ((1.1, 1.0), (2.6, 2.5), (5.7, 1.7), (8.2, 1.2))
    for number, (title, boxes) in enumerate(rows):
        y = 2.0 * (1 - number)
        axes.text(-0.1, y + 0.6, title, fontweight="bold", va="center")
        for (x, width), (text, learned) in zip(places, boxes, strict=True):
            colour = style.PALETTE["vermillion" if learned else "sky"]
            box = FancyBboxPatch(
                (x, y), width, 1.15, boxstyle="round,pad=0.05", facecolor=style.tint(colour, 0.25), edgecolor=colour
            )
            axes.add_patch(box)
            axes.text(x + width / 2, y + 0.57, text, ha="center", va="center", fontsize=9)
        for (x, width), (following, _) in pairwise(places):
            axes.add_patch(
                FancyArrowPatch(
                    (x + width + 0.08, y + 0.57),
                    (following - 0.08, y + 0.57),
                    arrowstyle="-|>",
                    mutation_scale=12,
                    color=style.FAINT_INK,
                )
            )
    caption = (
        "What is learned from examples is red. The classical pipeline learns the last step; a deep network learns "
        "every step, from the pixels on."
    )
    return Figure("pipelines", style.to_svg(figure), "svg", caption)
