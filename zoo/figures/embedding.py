"""A map of held-out images: as the last hidden layer arranges them, flattened to two dimensions by PCA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo import style
from zoo.figures.scene import Scene
from zoo.types import Figure

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

IMAGES = 1000
_NAMED = 25  # classes that the legend tells
_EACH, _ROOM = 40, 300  # images of a class from which, and points in all up to which, names stand among the points
_BOLD, _LEGEND = 14, 170  # points: the size of such a name, and the width of one in the legend at most
_MARKERS = "os^Dv<>Pp*hX"
_COLOURS = tuple(style.PALETTE[name] for name in ("blue", "vermillion", "green", "purple", "orange", "sky", "black"))


class Projection(NamedTuple):
    """Principal components: `points` float64 [n, 2], `explained` the share of the variance along each, 0..1."""

    points: Array
    explained: tuple[float, float]


def principal_components(features: Array) -> Projection:
    """Project float [n, features] on its two directions of most variance; the signs are fixed, so that the same
    input gives the same picture. Pearson (1901), "On lines and planes of closest fit to systems of points in space".
    """
    import numpy as np

    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    if centred.shape[1] > len(centred):  # many features of few images: their products are the smaller matrix
        left, squares, _ = np.linalg.svd(centred @ centred.T, hermitian=True)
        values = np.sqrt(squares)
    else:
        left, values, _ = np.linalg.svd(centred, full_matrices=False)
    left, values = np.pad(left, ((0, 0), (0, 2)))[:, :2], np.append(values, [0, 0])
    signs = np.where(left[np.abs(left).argmax(axis=0), [0, 1]] < 0, -1, 1)
    shares = values**2 / max(float((values**2).sum()), 1e-30)
    return Projection(left * signs * values[:2], (float(shares[0]), float(shares[1])))


def embedding(scene: Scene) -> Iterator[Figure]:
    """Held-out images as points, coloured and marked by their true class."""
    import numpy as np

    from zoo.network.inspection import penultimate

    part = scene.held_out
    if part is None or len(part) < 3 or scene.run is None:
        return
    seed = scene.spec.seed if scene.spec else 0
    rows = np.sort(np.random.default_rng(seed).permutation(len(part))[:IMAGES])
    features, what = penultimate(scene.model, part.take(rows))
    labels = np.asarray(part.labels[rows])
    found = principal_components(features)
    with style.styled():
        figure = style.canvas(7.4, 6.2)
        style.headline(figure, f"{scene.title}: a map of {len(rows):,} held-out images")
        axes = figure.subplots()
        named = _draw_classes(axes, found.points, labels, scene.class_names)
        first, second = (100 * share for share in found.explained)
        axes.set_xlabel(f"first principal component, {first:.0f} % of the variance")
        axes.set_ylabel(f"second, {second:.0f} %")
        axes.set_xticklabels([])
        axes.set_yticklabels([])
        scale = 1.6 * (22 / _mark_area(len(rows))) ** 0.5
        figure.legend(loc="outside right center", markerscale=scale, handletextpad=0.3)
        if scene.rehearsal:
            style.stamp(figure)
        content = style.to_png(figure)
    caption = (
        f"Each point is a held-out image, placed by the {features.shape[1]:,} {what}, flattened to two dimensions by "
        f"principal component analysis; both together hold {100 * sum(found.explained):.0f} % of the variance, so "
        f"classes that overlap here may still be apart. {_classes_caption(labels, scene.class_names, named)}"
    )
    yield Figure("embedding", content, "png", caption)


def _classes_caption(labels: Array, names: tuple[str, ...], named: bool) -> str:
    if len(set(labels)) == 1:
        return f"All of them are of one class, {names[labels[0]]}."
    where = ", the names stand at the classes' medians" * named
    return (
        f"Colour and mark are the true class{where}: see which classes lie close together, and which points lie among "
        f"strangers."
    )


def _draw_classes(axes: Any, points: Array, labels: Array, names: tuple[str, ...]) -> bool:
    """Draw the points, and write the names at their medians if they hide few of them; returns whether they stand
    there. A legend tells them in any case."""
    import numpy as np

    present = np.unique(labels)
    shown = style.fitted([names[label] for label in present[:_NAMED]], _LEGEND, 9)
    for place, label in enumerate(present):
        mine = points[labels == label]
        colour = _COLOURS[place % len(_COLOURS)]
        marker = _MARKERS[place % len(_MARKERS)]
        look = {"s": _mark_area(len(points)), "alpha": 0.7, "linewidths": 0.4, "edgecolors": "white"}
        axes.scatter(
            *mine.T, color=colour, marker=marker, label=shown[names[label]] if place < _NAMED else None, **look
        )
    widths = [style.text_width(names[label], _BOLD, bold=True) for label in present[:_NAMED]]
    if len(points) < _EACH * len(present) or sum(widths) > _ROOM:
        return False
    for place, label in enumerate(present[:_NAMED]):
        middle = np.median(points[labels == label], axis=0)
        _write_name(axes, middle, names[label], style.shade(_COLOURS[place % len(_COLOURS)]))
    return True


def _mark_area(count: int) -> float:
    """Square points of a mark, of which there are `count`: few are drawn larger."""
    return min(70.0, max(22.0, 8000 / count))


def _write_name(axes: Any, middle: Array, name: str, colour: str) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=4, foreground="white")]
    words = {"fontsize": _BOLD, "fontweight": "bold", "ha": "center", "va": "center", "path_effects": halo}
    axes.text(*middle, name, color=colour, **words)
