"""What a network costs, layer by layer: parameters, multiply-adds, activation memory, receptive field.

**Multiply-adds** are those of one image in the forward pass: one multiplication with the addition that goes with
it counts 1 (some papers count it as 2 operations). Convolutions of every sort (depthwise, separable, grouped,
transposed) and dense layers are counted. Biases, BatchNormalization (at inference it folds into the convolution
before it), pooling, activations and element-wise sums are not: they multiply by no matrix, and the published
figures leave them out. So VGG-16 has 15.5 G at 224 pixels.

**Memory** is the size of a layer's output for one image in float32, in bytes. The sum of all is about what training
keeps per image for the way back. The peak is what inference needs at once, layer after layer in this order, if
each output is freed when its last reader is done; software that works in place or fuses layers needs less.

**Receptive field**: the pixels of the image, (height, width), that one output depends on, were the image large
enough: r' = r + (window - 1) * jump, jump' = jump * stride; of several inputs the largest counts (Araujo, Norris
and Sim (2019), Computing receptive fields of convolutional neural networks, Distill). After Flatten and global
pooling it is the whole image.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from zoo.network.graph import Graph, Node, Shape, format_shape
from zoo.units import scaled, size_of

BYTES = 4  # of a float32


@dataclass(frozen=True)
class LayerCost:
    """One layer: `name` to `parameters` as in `zoo.network.graph.Node`, the rest as this module defines it.

    What is unknown is None. `whole_image`: each output depends on all of the image; `receptive_field` then is
    the image's size.
    """

    name: str
    kind: str
    detail: str
    shape: Shape
    parameters: int
    multiply_adds: int | None
    memory: int | None
    receptive_field: tuple[int, int] | None
    whole_image: bool


@dataclass(frozen=True)
class Cost:
    """A network's layers in order, and the totals for one image; a total is None if a layer's part is unknown.

    `memory` and `peak_memory` are bytes. `note` is the graph's.
    """

    title: str
    layers: tuple[LayerCost, ...]
    parameters: int
    multiply_adds: int | None
    memory: int | None
    peak_memory: int | None
    note: str = ""

    @property
    def last_feature_map(self) -> LayerCost | None:
        """The last layer whose output has pixels: its receptive field is the network's. None for dense networks."""
        rank = len(self.layers[0].shape) if self.layers else 0
        maps = [layer for layer in self.layers if len(layer.shape) == rank == 3 and layer.kind != "input"]
        # a map of one pixel that sees everything is what a global pooling leaves
        maps = [layer for layer in maps if not layer.whole_image or layer.shape[:2] != (1, 1)]
        convolved = any(layer.kind == "convolution" for layer in maps)
        return maps[-1] if convolved else None

    def as_dict(self) -> dict[str, Any]:
        """The form of `zoo build ARCH --cost --json`: the totals, then a dictionary per layer."""
        stored = asdict(self)
        layers, last = stored.pop("layers"), self.last_feature_map
        return {**stored, "receptive_field": last and last.receptive_field, "layers": list(layers)}


def table(graph: Graph) -> Cost:
    """The cost of the network that `graph` was read from."""
    fields = _receptive_fields(graph)
    image = graph.nodes[0].shape if graph.nodes else ()
    layers = []
    for node in graph.nodes:
        seen = fields[node.name]
        field = (_pixels(image) if seen.whole else seen.size) if seen else None
        layers.append(
            LayerCost(
                node.name,
                node.kind,
                node.detail,
                node.shape,
                node.parameters,
                node.multiply_adds,
                _bytes(node),
                field,
                bool(seen and seen.whole),
            )
        )
    return Cost(
        title=graph.name,
        layers=tuple(layers),
        parameters=graph.parameters,
        multiply_adds=_sum([layer.multiply_adds for layer in layers]),
        memory=_sum([layer.memory for layer in layers]),
        peak_memory=_peak(graph),
        note=graph.note,
    )


def _sum(values: list[int | None]) -> int | None:
    return None if None in values else sum(value or 0 for value in values)


def _bytes(node: Node) -> int | None:
    if not node.shape or None in node.shape:
        return None
    return BYTES * math.prod(size or 0 for size in node.shape)


def _peak(graph: Graph) -> int | None:
    """The most bytes alive at once: what is still to be read, and what is being written."""
    sizes = {node.name: _bytes(node) for node in graph.nodes}
    if None in sizes.values():
        return None
    readers = {node.name: 0 for node in graph.nodes}
    for tail, _ in graph.edges:
        readers[tail] += 1
    alive, peak = 0, 0
    for node in graph.nodes:
        alive += sizes[node.name] or 0
        peak = max(peak, alive)
        for feeding in graph.inputs[node.name]:
            readers[feeding] -= 1
            if not readers[feeding]:
                alive -= sizes[feeding] or 0
    return peak


# receptive fields ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """What an output sees: `exact` pixels (they may be fractions where images grow), outputs `jump` pixels apart."""

    exact: tuple[float, float] = (1.0, 1.0)
    jump: tuple[float, float] = (1.0, 1.0)
    whole: bool = False

    @property
    def size(self) -> tuple[int, int]:
        return math.ceil(self.exact[0]), math.ceil(self.exact[1])


def _receptive_fields(graph: Graph) -> dict[str, _Seen | None]:
    """What each node's outputs see; None if unknown."""
    fields: dict[str, _Seen | None] = {}
    rank = len(graph.nodes[0].shape) if graph.nodes else 0
    for node in graph.nodes:
        given = [fields[name] for name in graph.inputs[node.name]]
        gathers = node.window == (0, 0) or 0 < len(node.shape) < rank
        if not given or rank != 3:
            fields[node.name] = _Seen() if node.kind == "input" and rank == 3 else None
        elif gathers or any(seen is not None and seen.whole for seen in given):
            fields[node.name] = _Seen(whole=True)
        else:
            fields[node.name] = _grown(node, given)
    return fields


def _grown(node: Node, given: list[_Seen | None]) -> _Seen | None:
    known = [seen for seen in given if seen is not None]
    if node.window is None or len(known) < len(given):
        return None
    exact, jump = [], []
    for side in (0, 1):
        apart = max(seen.jump[side] for seen in known)
        exact.append(max(seen.exact[side] for seen in known) + (node.window[side] - 1) * apart)
        jump.append(apart * node.stride[side])
    return _Seen((exact[0], exact[1]), (jump[0], jump[1]))


def _pixels(image: Shape) -> tuple[int, int] | None:
    height, width, *_ = image
    return None if height is None or width is None else (height, width)


# text -----------------------------------------------------------------------------------------------------------

_HEADER = ("layer", "operation", "output", "parameters", "mult-adds", "memory", "field")
_LEFT = 3  # the first columns are text, the others figures


def format_table(cost: Cost, width: int | None = 80) -> str:
    """The table as plain text, with the totals below it.

    Within `width` columns (None: as wide as it takes) names are shortened in their middle; operations are shown
    where there is room for them.
    """
    rows = [_HEADER, *map(_row, cost.layers)]
    rows.append(("total", "", "", f"{cost.parameters:,}", scaled(cost.multiply_adds), size_of(cost.memory), ""))
    sizes = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    excess = 0 if width is None else sum(sizes) + 2 * (len(sizes) - 1) - width
    columns = [column for column in range(len(_HEADER)) if column != 1 or excess <= 0]
    if excess > 0:
        excess -= sizes[1] + 2
        sizes[0] = max(8, sizes[0] - max(excess, 0))

    def line(row: tuple[str, ...]) -> str:
        cells = [_cut(row[0], sizes[0]), *row[1:]]
        padded = [cells[c].ljust(sizes[c]) if c < _LEFT else cells[c].rjust(sizes[c]) for c in columns]
        return "  ".join(padded).rstrip()

    rule = "-" * (sum(sizes[column] for column in columns) + 2 * (len(columns) - 1))
    header, *body, total = map(line, rows)
    return "\n".join([cost.title, rule, header, rule, *body, rule, total, "", *_remarks(cost)]) + "\n"


def _row(layer: LayerCost) -> tuple[str, ...]:
    if layer.whole_image:
        field = "image"
    else:
        field = "-" if layer.receptive_field is None else format_field(layer.receptive_field)
    counted = "" if layer.multiply_adds == 0 else scaled(layer.multiply_adds)
    parameters = f"{layer.parameters:,}" if layer.parameters else ""
    shape = format_shape(layer.shape)
    return layer.name, layer.detail, shape, parameters, counted, size_of(layer.memory), field


def _remarks(cost: Cost) -> list[str]:
    """What is to be said below the table."""
    said = ["Multiply-adds and memory are for one image, memory in float32."]
    if cost.peak_memory is not None:
        said.append(f"Peak at inference: {size_of(cost.peak_memory)}, in this order of the layers.")
    last = cost.last_feature_map
    if last is not None and last.receptive_field is not None:
        pixels = "the whole image" if last.whole_image else f"{format_field(last.receptive_field)} pixels"
        said.append(f"Receptive field of the last feature map: {pixels}.")
    unknown = [layer.name for layer in cost.layers if layer.multiply_adds is None]
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        said.append(f"The multiply-adds of {', '.join(unknown[:3])}{more} can't be told.")
    return [*said, *([cost.note] if cost.note else [])]


def format_field(size: tuple[int, int]) -> str:
    """ "212" pixels on both sides, or "height x width"."""
    return str(size[0]) if size[0] == size[1] else f"{size[0]} x {size[1]}"


def _cut(text: str, size: int) -> str:
    """The text, shortened in its middle: layers of one block differ in their last letters."""
    head = (size - 3) // 2
    return text if len(text) <= size else f"{text[:head]}...{text[head + 3 - size :]}"
