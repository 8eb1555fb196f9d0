"""Diagrams: every node tells its facts, the SVG stands alone, and the bytes are always the same."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from zoo.errors import ZooError
from zoo.network import diagram
from zoo.network.graph import Graph, Node, chain
from zoo.style import KIND_COLOURS, text_width

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def graph() -> Graph:
    """A small residual network with an awkward name in it."""
    nodes = (
        Node("image", "input", "Input", (8, 8, 3)),
        Node("block1_conv1", "convolution", "Conv 3x3, 16 + ReLU", (8, 8, 16), 448, "block1"),
        Node("block1_conv2", "convolution", "Conv 3x3, 16", (8, 8, 16), 2320, "block1"),
        Node("a<b & 'c'", "merge", "Add", (8, 8, 16)),
        Node("scores", "dense", "Dense 2", (2,), 2050),
    )
    names = [node.name for node in nodes]
    edges = (*pairwise(names), ("block1_conv1", "a<b & 'c'"))
    return Graph("tiny (width=2)", nodes, tuple(sorted(edges, key=lambda edge: names.index(edge[1]))))


def texts(element: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in element.iter(f"{SVG}text")]


def nodes_of(page: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {g.get("data-name", ""): g for g in page.iter(f"{SVG}g") if g.get("class") == "node"}


def box(group: ElementTree.Element) -> tuple[float, float, float, float]:
    rect = group.find(f"{SVG}rect")
    assert rect is not None
    x, y, width, height = (float(rect.get(key, "nan")) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def test_each_node_says_name_operation_shape_and_parameters(graph: Graph) -> None:
    page = ElementTree.fromstring(diagram.svg(graph))
    drawn = nodes_of(page)
    assert list(drawn) == [node.name for node in graph.nodes]
    multiplied = "3\N{MULTIPLICATION SIGN}3"
    assert texts(drawn["block1_conv1"]) == [
        "block1_conv1",
        "8 \N{MULTIPLICATION SIGN} 8 \N{MULTIPLICATION SIGN} 16",
        "448 parameters",
        f"Conv {multiplied}, 16 + ReLU",
    ]
    assert texts(drawn["scores"]) == ["scores", "2", "2,050 parameters", "Dense 2"]
    assert drawn["block1_conv2"].get("data-kind") == "convolution"
    assert drawn["block1_conv2"].get("data-stage") == "block1"
    shown = texts(page)
    assert "tiny (width=2)" in shown
    assert any("4,818 parameters" in text for text in shown)
    assert "block1" in shown, "a stage of several layers is framed and named"


def test_each_edge_is_drawn_once(graph: Graph) -> None:
    page = ElementTree.fromstring(diagram.svg(graph))
    drawn = [(g.get("data-from"), g.get("data-to")) for g in page.iter(f"{SVG}g") if g.get("class") == "edge"]
    assert sorted(drawn) == sorted(graph.edges)


def test_folded_it_shows_the_stages(graph: Graph) -> None:
    drawn = nodes_of(ElementTree.fromstring(diagram.svg(graph, folded=True)))
    assert list(drawn) == ["image", "block1", "a<b & 'c'", "scores"]
    assert "2,768 parameters" in texts(drawn["block1"])


def test_data_flow_downwards_in_cards_that_do_not_overlap_and_lie_on_the_page(graph: Graph) -> None:
    page = ElementTree.fromstring(diagram.svg(graph))
    boxes = [box(group) for group in nodes_of(page).values()]
    assert all(above[3] < below[1] for above, below in pairwise(boxes))
    move = next(g.get("transform", "") for g in page.iter(f"{SVG}g") if g.get("transform"))
    dx, dy = (float(part) for part in move.removeprefix("translate(").removesuffix(")").split())
    width, height = float(page.get("width", "0")), float(page.get("height", "0"))
    for left, top, right, bottom in boxes:
        assert left + dx >= 0
        assert top + dy >= 0
        assert right + dx <= width
        assert bottom + dy <= height


def test_text_fits_its_card_even_in_a_wide_font() -> None:
    long = Node("a_long_name_of_a_layer_in_a_module", "convolution", "Conv 3x3, 512, stride 2 + ReLU", (7, 7, 512), 1)
    group = nodes_of(ElementTree.fromstring(diagram.svg(chain("wide", long))))[long.name]
    left, _, right, _ = box(group)
    name, shape, count, detail = texts(group)
    for first, second, bold in ((name, shape, True), (detail, count, False)):
        needed = text_width(first, 13 if bold else 12, bold) + text_width(second, 12)
        assert needed < right - left


def test_the_svg_asks_for_nothing_and_has_no_background(graph: Graph) -> None:
    page = diagram.svg(graph)
    assert b"href" not in page
    assert b"@import" not in page
    assert b"url(" not in page
    assert page.count(b"http") == 1, "only the namespace"
    root = ElementTree.fromstring(page)
    assert root.find(f"{SVG}rect") is None
    assert root.get("role") == "img"
    assert "tiny" in root.get("aria-label", "")


def test_the_same_graph_gives_the_same_bytes(graph: Graph) -> None:
    assert diagram.svg(graph) == diagram.svg(Graph.from_json(graph.to_json()))


def test_every_kind_has_a_colour() -> None:
    nodes = [Node(kind, kind, kind.title()) for kind in KIND_COLOURS]
    drawn = nodes_of(ElementTree.fromstring(diagram.svg(chain("kinds", *nodes))))
    for kind, group in drawn.items():
        band = group.find(f"{SVG}path")
        assert band is not None
        assert band.get("fill") == KIND_COLOURS[kind]


# Graphviz ---------------------------------------------------------------------------------------------


def test_this_environments_graphviz_is_found_without_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = diagram.find_dot()
    assert found.is_absolute()
    assert found.parent == Path(sysconfig.get_path("scripts"))
    assert found.stem == "graphviz-pure"


def test_else_a_dot_on_the_path_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, graph: Graph) -> None:
    expected = diagram.svg(graph)
    (tmp_path / "dot").symlink_to(diagram.find_dot())
    hide_environment(monkeypatch, tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert diagram.find_dot() == tmp_path / "dot"
    assert diagram.svg(graph) == expected


def test_without_graphviz_the_error_names_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide_environment(monkeypatch, tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ZooError, match=r"(?s)graphviz-pure.*dot.*pip install graphviz-pure.*graphviz"):
        diagram.find_dot()


def test_a_graphviz_that_fails_is_reported_and_stdout_stays_clean(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, graph: Graph, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "dot"
    broken.write_text("#!/bin/sh\necho no fonts >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(diagram, "find_dot", lambda: broken)
    with pytest.raises(ZooError, match="no fonts"):
        diagram.svg(graph)
    assert capsys.readouterr().out == ""


def hide_environment(monkeypatch: pytest.MonkeyPatch, empty: Path) -> None:
    monkeypatch.setattr(diagram.sysconfig, "get_path", lambda *_: str(empty / "nothing"))
    monkeypatch.setattr(diagram.sys, "executable", str(empty / "nothing" / "python"))


@pytest.mark.skipif(not shutil.which("rsvg-convert"), reason="needs rsvg-convert")
def test_a_renderer_shows_it(graph: Graph, tmp_path: Path) -> None:
    import cv2

    source, target = tmp_path / "a.svg", tmp_path / "a.png"
    source.write_bytes(diagram.svg(graph))
    subprocess.run(["rsvg-convert", str(source), "-o", str(target)], check=True)
    pixels = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    assert pixels.shape[2] == 4
    assert pixels[0, 0, 3] == 0, "transparent where nothing is drawn"
    assert (pixels[:, :, 3] == 255).mean() > 0.3
