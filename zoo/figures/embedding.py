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
        _draw_classes(axes, found.points, labels, scene.class_names)
        first, second = (100 * share for share in found.explained)
        axes.set_xlabel(f"first principal component, {first:.0f} % of the variance")
        axes.set_ylabel(f"second, {second:.0f} %")
        axes.set_xticklabels([])
        axes.set_yticklabels([])
        figure.legend(loc="outside right center", markerscale=1.6, handletextpad=0.3)
        if scene.rehearsal:
            style.stamp(figure)
        content = style.to_png(figure)
    caption = (
        f"Each point is a held-out image, placed by the {features.shape[1]:,} {what}, flattened to two dimensions by "
        f"principal component analysis; both together hold {100 * sum(found.explained):.0f} % of the variance, so "
        f"classes that overlap here may still be apart. Colour and mark are the true class, the names stand at the "
        f"classes' medians: see which classes lie close together, and which points lie among strangers."
    )
    yield Figure("embedding", content, "png", caption)


def _draw_classes(axes: Any, points: Array, labels: Array, names: tuple[str, ...]) -> None:
    import numpy as np
    from matplotlib.patheffects import withStroke

    present = np.unique(labels)
    for place, label in enumerate(present):
        mine = points[labels == label]
        colour = _COLOURS[place % len(_COLOURS)]
        marker = _MARKERS[place % len(_MARKERS)]
        look = {"s": 22, "alpha": 0.7, "linewidths": 0.4, "edgecolors": "white"}
        axes.scatter(*mine.T, color=colour, marker=marker, label=names[label] if place < 25 else None, **look)
    for place, label in enumerate(present[:25]):
        middle = np.median(points[labels == label], axis=0)
        halo = [withStroke(linewidth=4, foreground="white")]
        words = {"fontsize": 14, "fontweight": "bold", "ha": "center", "va": "center", "path_effects": halo}
        axes.text(*middle, names[label], color=style.shade(_COLOURS[place % len(_COLOURS)]), **words)
