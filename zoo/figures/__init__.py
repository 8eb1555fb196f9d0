"""The figures that core draws of a network and of a run, in the order of `CATALOGUE`.

Each is a `zoo.types.Figure` with a caption that says what to see in it; the same input gives the same bytes.
Plugins may use `curves`, `weight_images` and `filter_grid` for figures of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from zoo.figures import answers, embedding, features, grids, imagenet, scores, table
from zoo.figures.catalogue import CATALOGUE, Entry, entry_of, in_order
from zoo.figures.grids import filter_grid, weight_images
from zoo.figures.history import curves
from zoo.figures.scene import Scene
from zoo.network.graph import Graph
from zoo.types import Data, Figure, Model, RunContext, View

__all__ = [
    "CATALOGUE",
    "Entry",
    "curves",
    "diagram_figures",
    "entry_of",
    "filter_grid",
    "in_order",
    "standard",
    "weight_images",
]

Draw = Callable[[Scene], Iterator[Figure]]


def standard(model: Model, data: Data | None, run: RunContext | None, view: View | None = None) -> Iterator[Figure]:
    """Core's own figures, as far as there is something to draw them from, in the order of `CATALOGUE`."""
    scene = Scene(model, data, run, view or View())
    draws = _draws()
    for entry in CATALOGUE:
        if entry.name in draws and scene.view.wants(entry.name) and (run or entry.needs == ""):
            yield from draws[entry.name](scene)


def _draws() -> Mapping[str, Draw]:
    """What draws each kind of figure; "sees" is drawn by the plugins that have it."""
    return {
        "curves": _curves,
        "confusion": scores.confusion,
        "classes": scores.classes,
        "reliability": scores.reliability,
        "predictions": answers.predictions,
        "unlabelled": answers.unlabelled,
        "mistakes": answers.mistakes,
        "unsure": answers.unsure,
        "gradcam": features.gradcam,
        "features": features.feature_maps,
        "filters": grids.filters,
        "hidden-units": grids.hidden_units,
        "embedding": embedding.embedding,
        "diagram-folded": lambda scene: iter(diagram_figures(scene.graph)[1:]),
        "diagram": lambda scene: iter(diagram_figures(scene.graph)[:1]),
        "layers": table.layers,
        "imagenet": imagenet.imagenet,
    }


def _curves(scene: Scene) -> Iterator[Figure]:
    if scene.run and scene.run.history:
        yield curves(scene.run.history, scene.title, rehearsal=scene.rehearsal)


def diagram_figures(graph: Graph) -> list[Figure]:
    """The diagram of all layers ("diagram") and the one of its stages ("diagram-folded"), as SVG."""
    from zoo.network.diagram import svg

    said = f" {graph.note}" if graph.note else ""
    whole = (
        f"{graph.name}, layer by layer, from the image at the top to the class scores at the bottom. "
        f"Each card says what the layer does, the shape it gives and how many weights it has; "
        f"colours stand for kinds of layers.{said}"
    )
    shrinks = any(node.kind == "convolution" for node in graph.nodes)
    folded = (
        f"{graph.name} at a glance: blocks of layers folded into stages. See "
        f"{'how the image shrinks while the channels grow, and ' * shrinks}"
        f"where the {graph.parameters:,} parameters sit.{said}"
    )
    return [
        Figure("diagram", svg(graph), "svg", whole),
        Figure("diagram-folded", svg(graph, folded=True), "svg", folded),
    ]
