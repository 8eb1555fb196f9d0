"""The layer table as a picture: what each layer does, the shape it gives, and what it costs (`zoo.network.cost`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from zoo import style
from zoo.figures.scene import Scene
from zoo.network.cost import LayerCost, format_field, table
from zoo.network.diagram import typeset
from zoo.network.graph import Graph, format_shape
from zoo.types import Figure
from zoo.units import scaled, size_of
from zoo.words import amount

_SIZE, _ROW, _PAD, _BAR = 12.5, 24.0, 14.0, 90.0
_FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Column:
    """A column of the table: its heading, the text of a row's cell, and whether it holds numbers."""

    heading: str
    text: Callable[[LayerCost], str]
    number: bool = False


def _field(row: LayerCost) -> str:
    if row.whole_image:
        return "image"
    return format_field(row.receptive_field) if row.receptive_field else "-"


COLUMNS = (
    Column("Layer", lambda row: row.name),
    Column("Operation", lambda row: typeset(row.detail)),
    Column("Output shape", lambda row: format_shape(row.shape, " \N{MULTIPLICATION SIGN} ")),
    Column("Parameters", lambda row: f"{row.parameters:,}" if row.parameters else "-", number=True),
    Column("Multiply-adds", lambda row: "-" if row.multiply_adds == 0 else scaled(row.multiply_adds), number=True),
    Column("Memory", lambda row: size_of(row.memory), number=True),
    Column("Sees", _field, number=True),
)


def layers(scene: Scene) -> Iterator[Figure]:
    """The layer table."""
    yield table_figure(scene.graph)


def table_figure(graph: Graph) -> Figure:
    """The table of a graph ("layers", SVG), with a bar for each layer's share of the parameters."""
    cost = table(graph)
    heaviest = max(cost.layers, key=lambda row: row.parameters)
    share = 100 * heaviest.parameters / max(1, graph.parameters)
    work = f" One image takes {scaled(cost.multiply_adds)} multiply-adds." if cost.multiply_adds is not None else ""
    frozen = f", {graph.frozen:,} of them not trained" if graph.frozen else ""
    caption = (
        f"The {amount(len(cost.layers), 'layer')} of {graph.name} in the order of the data, with "
        f"{amount(graph.parameters, 'parameter')} in all{frozen}. The bars show where they sit: {heaviest.name} alone "
        f"has {share:.0f} %.{work} Memory is that of a layer's output for one image in float32; "
        f"“Sees” is how many pixels of the image, a side, one value depends on."
    )
    return Figure("layers", _page(graph, cost.layers, COLUMNS), "svg", caption)


def _page(graph: Graph, rows: Sequence[LayerCost], columns: tuple[Column, ...]) -> bytes:
    cells = [[column.text(row) for column in columns] for row in rows]
    widths = [
        max(
            style.text_width(column.heading, _SIZE, bold=True),
            *(style.text_width(texts[place], _SIZE, bold=place == 0) for texts in cells),
        )
        for place, column in enumerate(columns)
    ]
    starts = [24.0]
    for width in widths:
        starts.append(starts[-1] + width + 2 * _PAD)
    facts = f"{graph.name}: {amount(len(rows), 'layer')}, {amount(graph.parameters, 'parameter')}"
    width = max(starts[-1] + _BAR + 20, style.text_width(facts, 15, bold=True) + 40)
    height = 48 + _ROW * (len(rows) + 1) + 10
    size = {"width": f"{width:.0f}", "height": f"{height:.0f}", "viewBox": f"0 0 {width:.0f} {height:.0f}"}
    root = ElementTree.Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", **size, "role": "img", "aria-label": facts, "font-family": _FONTS},
    )
    # a plate of its own: readable on a dark page as well
    _add(root, "rect", x=0.5, y=0.5, width=width - 1, height=height - 1, rx=8, fill="#ffffff", stroke=style.GRID)
    _write(root, facts, 16, 30, style.INK, size=15, bold=True)
    top = 48.0
    for place, column in enumerate(columns):
        _cell(root, column, column.heading, starts, place, top, style.FAINT_INK, bold=True)
    _write(root, "share", starts[-1], top + 16, style.FAINT_INK, bold=True)
    most = max((row.parameters for row in rows), default=0) or 1
    for number, (row, texts) in enumerate(zip(rows, cells, strict=True), start=1):
        _row(root, row, texts, columns, starts, top + number * _ROW, width, most)
    return bytes(ElementTree.tostring(root, encoding="utf-8")) + b"\n"


def _row(
    root: Any,
    row: LayerCost,
    texts: list[str],
    columns: tuple[Column, ...],
    starts: list[float],
    top: float,
    width: float,
    most: int,
) -> None:
    colour = style.KIND_COLOURS[row.kind]
    group = _add(root, "g", **{"class": "layer", "data-name": row.name, "data-kind": row.kind})
    _add(group, "rect", x=8, y=top, width=width - 16, height=_ROW - 2, fill=style.tint(colour, 0.09))
    _add(group, "rect", x=8, y=top, width=6, height=_ROW - 2, fill=colour)
    for place, (column, text) in enumerate(zip(columns, texts, strict=True)):
        _cell(group, column, text, starts, place, top, style.INK, bold=place == 0)
    if row.parameters:
        length = max(1.0, _BAR * row.parameters / most)
        bar = {"x": starts[-1], "y": top + 6, "width": length, "height": _ROW - 14, "rx": 2}
        _add(group, "rect", **bar, fill=style.shade(colour))


def _cell(
    parent: Any, column: Column, text: str, starts: list[float], place: int, top: float, colour: str, bold: bool
) -> None:
    if column.number:
        _write(parent, text, starts[place + 1] - 2 * _PAD, top + 16, colour, bold=bold, anchor="end")
    else:
        _write(parent, text, starts[place], top + 16, colour, bold=bold)


def _add(parent: Any, tag: str, /, **attributes: object) -> Any:
    texts = {key: f"{value:g}" if isinstance(value, int | float) else str(value) for key, value in attributes.items()}
    return ElementTree.SubElement(parent, tag, texts)


def _write(
    parent: Any, text: str, x: float, y: float, colour: str, size: float = _SIZE, bold: bool = False, anchor: str = ""
) -> None:
    options = {"font-weight": "bold"} if bold else {}
    options |= {"text-anchor": anchor} if anchor else {}
    _add(parent, "text", x=x, y=y, fill=colour, **{"font-size": size}, **options).text = text
