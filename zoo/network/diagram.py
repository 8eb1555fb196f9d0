"""Draw a layer graph as SVG: Graphviz places the nodes and routes the edges, the zoo draws them.

Text and shapes are the zoo's own so that the picture looks the same whichever `dot` laid it out, reads well
on light and on dark pages, and asks for no font. Lengths are CSS pixels, which dot takes for points.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import sys
import sysconfig
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from zoo.errors import ZooError
from zoo.network.graph import Graph, Node, fold, format_shape
from zoo.style import FAINT_INK, INK, KIND_COLOURS, MID, shade, text_width, tint

_FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
_TIMES = "\N{MULTIPLICATION SIGN}"
_NAME_SIZE, _TEXT_SIZE, _TITLE_SIZE = 13.0, 12.0, 15.0
_LINE, _MARGIN, _BAND, _GAP = 17.0, 12.0, 6.0, 22.0
_WRAP = 300.0  # details longer than this go on in a second line
_HEADER = 58.0
_BORDER = 8.0


def svg(graph: Graph, folded: bool = False) -> bytes:
    """Draw `graph`, or with `folded` its stages, as SVG (UTF-8). The same graph gives the same bytes.

    Each node says name, operation, output shape and parameters; groups carry `data-name`, `data-kind` and
    `data-stage`. Raises ZooError if there is no Graphviz, or if it fails.
    """
    drawn = fold(graph) if folded else graph
    cards = _cards(drawn)
    layout = _layout(drawn, cards, clusters=not folded)
    inputs = [format_shape(node.shape, f" {_TIMES} ") for node in graph.nodes if node.kind == "input"]
    facts = f"{graph.parameters:,} parameters" + f" · input {', '.join(inputs)}" * bool(inputs)
    return _page(graph.name, facts, layout, cards)


# cards ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Card:
    node: Node
    lines: tuple[str, ...]
    shape: str
    parameters: str
    width: float

    @property
    def height(self) -> float:
        return _LINE * (1 + len(self.lines)) + 13


def _cards(graph: Graph) -> dict[str, _Card]:
    """A card per node; all are as wide as the widest needs."""
    texts = {}
    widest = 0.0
    for node in graph.nodes:
        head, colon, tail = typeset(node.detail).partition(": ")
        lines = (*_wrapped(head + colon.strip()), *(_wrapped(tail) if tail else ()))
        shape = format_shape(node.shape, f" {_TIMES} ")
        count = f"{node.parameters:,} parameters" if node.parameters else "no parameters"
        first = text_width(node.name, _NAME_SIZE, bold=True) + _GAP + text_width(shape, _TEXT_SIZE)
        second = text_width(lines[0], _TEXT_SIZE) + _GAP + text_width(count, _TEXT_SIZE)
        rest = [text_width(line, _TEXT_SIZE) for line in lines[1:]]
        widest = max(widest, first, second, *rest)
        texts[node.name] = (node, lines, shape, count)
    width = float(round(widest + _BAND + 2 * _MARGIN))
    return {name: _Card(*text, width) for name, text in texts.items()}


def typeset(text: str) -> str:
    """A graph's ASCII text with its signs: 3x3 with a multiplication sign, -> as an arrow."""
    text = re.sub(r"(?<=\d)x(?=\d)|(?<=\d )x(?= )", _TIMES, text)
    return text.replace("->", "→")


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, _TEXT_SIZE) > _WRAP:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


# layout -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """Where things are, in pixels, y downwards: centres of nodes, cubic splines of edges, boxes of stages."""

    width: float
    height: float
    centres: dict[str, tuple[float, float]]
    edges: list[tuple[str, str, list[tuple[float, float]]]]
    stages: list[tuple[str, float, float, float, float]]


def find_dot() -> Path:
    """The Graphviz to use: this environment's `graphviz-pure`, or else a `dot` on the PATH.

    Raises ZooError, naming both, if there is neither.
    """
    # PATH may lack the environment's scripts, so its folder is asked for by name
    folders = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    with contextlib.suppress(KeyError):  # no user scheme on this platform
        folders.append(Path(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))))
    for folder in folders:
        if found := shutil.which("graphviz-pure", path=str(folder)):
            return Path(found).absolute()
    if found := shutil.which("graphviz-pure") or shutil.which("dot"):
        return Path(found).absolute()
    raise ZooError(
        "Drawing a diagram needs Graphviz. "
        f"Received: no `graphviz-pure` in {folders[0]} and no `dot` on the PATH.\n"
        "Install one of them: `pip install graphviz-pure`, or your system's package `graphviz`"
    )


def _layout(graph: Graph, cards: dict[str, _Card], clusters: bool) -> _Layout:
    names = [node.name for node in graph.nodes]
    ids = {name: f"n{index}" for index, name in enumerate(names)}
    placed = _run_dot(_dot_graph(graph, cards, ids, clusters))
    left, bottom, right, top = _numbers(placed["bb"])
    objects = placed.get("objects", [])
    by_number = {item["_gvid"]: item["name"] for item in objects}
    back = {identity: name for name, identity in ids.items()}

    def point(x: float, y: float) -> tuple[float, float]:
        return round(x - left, 1), round(top - y, 1)

    centres, stages = {}, []
    for item in objects:
        if item["name"] in back:
            x, y = _numbers(item["pos"])
            centres[back[item["name"]]] = point(x, y)
        elif "bb" in item:
            x0, y0, x1, y1 = _numbers(item["bb"])
            stages.append((str(item["label"]), *point(x0, y1), round(x1 - x0, 1), round(y1 - y0, 1)))
    edges = []
    for item in placed.get("edges", []):
        tail, head = (back[by_number[item[end]]] for end in ("tail", "head"))
        end, *points = (_numbers(pair.removeprefix("e,")) for pair in item["pos"].split(" "))
        edges.append((tail, head, [point(x, y) for x, y in (*points, end)]))
    return _Layout(round(right - left, 1), round(top - bottom, 1), centres, edges, stages)


def _dot_graph(graph: Graph, cards: dict[str, _Card], ids: dict[str, str], clusters: bool) -> Any:
    import pydot

    drawing = pydot.Dot("zoo", graph_type="digraph", ranksep="0.28", nodesep="0.3", splines="spline")
    drawing.set_node_defaults(shape="box", fixedsize="true", label='""')
    sizes = {name: {"width": card.width / 72, "height": card.height / 72} for name, card in cards.items()}
    members: dict[str, list[str]] = {}
    for node in graph.nodes:
        members.setdefault(node.stage, []).append(node.name)
    for number, (stage, inside) in enumerate(members.items()):
        home = drawing
        if clusters and stage and len(inside) > 1:
            home = pydot.Cluster(str(number), label=pydot.quote_id_if_necessary(stage), fontsize="12")
            home.set("margin", "10")
            drawing.add_subgraph(home)
        for name in inside:
            width, height = (f"{sizes[name][side]:.4f}" for side in ("width", "height"))
            home.add_node(pydot.Node(ids[name], width=width, height=height))
    feeds = Counter(tail for tail, _ in graph.edges)
    for tail, head in graph.edges:
        alone = feeds[tail] == 1 and len(graph.inputs[head]) == 1  # keep a chain straight
        drawing.add_edge(pydot.Edge(ids[tail], ids[head], weight="20" if alone else "2"))
    return drawing


def _run_dot(drawing: Any) -> dict[str, Any]:
    program = find_dot()
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):  # pydot prints a failure; stdout is for results
            answer = drawing.create(prog=str(program), format="json0")
        placed: dict[str, Any] = json.loads(answer)
    except (OSError, AssertionError, ValueError) as error:
        reason = said.getvalue().strip() or str(error)
        raise ZooError(f"Graphviz ({program}) could not lay out the diagram. Received: {reason}") from error
    return placed


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


# drawing ----------------------------------------------------------------------------------------------------


def _page(name: str, facts: str, layout: _Layout, cards: dict[str, _Card]) -> bytes:
    title_width = max(text_width(name, _TITLE_SIZE, bold=True), text_width(facts, _TEXT_SIZE)) + 40
    inner = max(layout.width, title_width)
    width, height = inner + 2 * _BORDER, layout.height + _HEADER + 2 * _BORDER
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": _text(width),
            "height": _text(height),
            "viewBox": f"0 0 {_text(width)} {_text(height)}",
            "role": "img",
            "aria-label": f"Layers of {name}: {facts}",
            "font-family": _FONTS,
            "font-size": _text(_TEXT_SIZE),
        },
    )
    move = (_BORDER + (inner - layout.width) / 2, _HEADER + _BORDER)
    first = next((layout.centres[node_name] for node_name in cards), (layout.width / 2, 0.0))
    middle = min(max(move[0] + first[0], _BORDER + title_width / 2), width - _BORDER - title_width / 2)
    _header(root, name, facts, middle, title_width)
    body = _add(root, "g", transform=f"translate({_text(move[0])} {_text(move[1])})")
    for label, x, y, box_width, box_height in layout.stages:
        _stage(body, label, x, y, box_width, box_height)
    for tail, head, points in layout.edges:
        _edge(body, tail, head, points)
    for node_name, card in cards.items():  # in the data's order, as a screen reader reads them
        _draw_card(body, card, *layout.centres[node_name])
    return bytes(ElementTree.tostring(root, encoding="utf-8")) + b"\n"


def _header(root: Any, name: str, facts: str, middle: float, width: float) -> None:
    """The title, on a plate of its own so that it reads on any page."""
    group = _add(root, "g", **{"class": "title"})
    _add(group, "rect", x=middle - width / 2, y=_BORDER, width=width, height=46, rx=8, fill=INK, stroke=MID)
    text = {"text-anchor": "middle", "fill": "#ffffff"}
    _write(group, name, middle, _BORDER + 20, **text, **{"font-size": _TITLE_SIZE, "font-weight": "bold"})
    _write(group, facts, middle, _BORDER + 37, **{**text, "fill": "#d0d7de"})


def _stage(body: Any, label: str, x: float, y: float, width: float, height: float) -> None:
    group = _add(body, "g", **{"class": "stage", "data-stage": label})
    box = {"fill": MID, "fill-opacity": 0.14, "stroke": MID, "stroke-opacity": 0.45}
    _add(group, "rect", x=x, y=y, width=width, height=height, rx=10, **box)
    tab = text_width(label, _TEXT_SIZE, bold=True) + 20
    _add(
        group,
        "path",
        d=f"M{_text(x)},{_text(y + 20)}v-10a10,10 0 0 1 10,-10h{_text(tab - 10)}v14a6,6 0 0 1 -6,6z",
        fill=FAINT_INK,
    )
    _write(group, label, x + 10, y + 14.5, fill="#ffffff", **{"font-weight": "bold"})


def _edge(body: Any, tail: str, head: str, points: list[tuple[float, float]]) -> None:
    """A spline with an arrow head; the last of `points` is the arrow's tip."""
    *curve, (tip_x, tip_y) = points
    base_x, base_y = curve[-1]
    start, *rest = (f"{_text(x)},{_text(y)}" for x, y in curve)
    length = max(((tip_x - base_x) ** 2 + (tip_y - base_y) ** 2) ** 0.5, 0.1)
    side_x, side_y = (3.6 * (tip_y - base_y) / length, -3.6 * (tip_x - base_x) / length)
    corners = [(base_x + side_x, base_y + side_y), (tip_x, tip_y), (base_x - side_x, base_y - side_y)]
    group = _add(body, "g", **{"class": "edge", "data-from": tail, "data-to": head})
    _add(group, "path", d=f"M{start}C{' '.join(rest)}", fill="none", stroke=MID, **{"stroke-width": 1.6})
    _add(group, "polygon", points=" ".join(f"{_text(x)},{_text(y)}" for x, y in corners), fill=MID)


def _draw_card(body: Any, card: _Card, x: float, y: float) -> None:
    node, colour = card.node, KIND_COLOURS[card.node.kind]
    left, top = x - card.width / 2, y - card.height / 2
    right = left + card.width - _MARGIN
    group = _add(
        body,
        "g",
        **{"class": "node", "data-name": node.name, "data-kind": node.kind, "data-stage": node.stage},
    )
    _add(group, "title").text = f"{node.name} ({node.kind}): {typeset(node.detail)}"
    box = {"width": card.width, "height": card.height, "rx": 6}
    _add(group, "rect", x=left, y=top, **box, fill=tint(colour, 0.1), stroke=shade(colour))
    band = f"M{_text(left + _BAND)},{_text(top)}h-{_text(_BAND - 6)}a6,6 0 0 0 -6,6v{_text(card.height - 12)}"
    _add(group, "path", d=f"{band}a6,6 0 0 0 6,6h{_text(_BAND - 6)}z", fill=colour)
    start, line = left + _BAND + _MARGIN - 2, top + 19
    bold = {"font-weight": "bold", "font-size": _NAME_SIZE}
    _write(group, node.name, start, line, fill=INK, **bold)
    _write(group, card.shape, right, line, fill=INK, **{"text-anchor": "end"})
    faint = FAINT_INK
    _write(group, card.parameters, right, line + _LINE, fill=faint, **{"text-anchor": "end"})
    for number, text in enumerate(card.lines, start=1):
        _write(group, text, start, line + number * _LINE, fill=faint)


def _add(parent: Any, tag: str, /, **attributes: object) -> Any:
    texts = {key: _text(value) if isinstance(value, int | float) else str(value) for key, value in attributes.items()}
    return ElementTree.SubElement(parent, tag, texts)


def _write(parent: Any, text: str, x: float, y: float, **attributes: object) -> None:
    _add(parent, "text", x=x, y=y, **attributes).text = text


def _text(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
