"""What a network makes of an image: feature maps of chosen layers, and Grad-CAM."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zoo import style
from zoo.figures.gallery import Picture, displayable, gallery
from zoo.figures.grids import mosaic, normalised
from zoo.figures.scene import Scene
from zoo.types import Figure, Photo
from zoo.words import amount, are

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MAPS = 256  # drawn at most
_PIXELS = 720  # the side of a grid of maps, about
_LARGEST = 1000
_WATCHED = 8


def grid_of(count: int) -> tuple[int, int]:
    """Rows and columns for so many maps: 4x8 for 32, 8x8 for 64, 16x16 for 256, and the chapter's 13x10 for 128."""
    count = min(count, MAPS)
    if count == 128:
        return 13, 10
    rows = next(rows for rows in range(math.isqrt(count), 0, -1) if count % rows == 0)
    if count > 3 * rows * rows:  # a prime number of maps would be one long row
        rows = math.isqrt(count)
    return rows, -(-count // rows)


def feature_maps(scene: Scene) -> Iterator[Figure]:
    """Each photo's maps at the layers that the reader chose, or at the first ones of the network."""
    from zoo.network.inspection import activations, chosen_layers

    layers = chosen_layers(scene.model, scene.view.layers)
    for number, photo in enumerate(scene.photos if layers else (), start=1):
        found = activations(scene.model, photo.pixels[None], layers)
        for layer, maps in found.items():
            yield _maps(scene, photo, layer, maps[0], "" if number == 1 else f"-{number}")


def _maps(scene: Scene, photo: Photo, layer: str, maps: Array, suffix: str) -> Figure:
    """The photo and, right of it, its maps [height, width, channels] at one layer."""
    import numpy as np
    from matplotlib import colormaps

    height, width, channels = maps.shape
    rows, columns = grid_of(channels)
    images = _reduced(np.moveaxis(maps, -1, 0)[:MAPS].astype(np.float64), _LARGEST // max(rows, columns))
    signed = bool((images < 0).any())
    grid = mosaic(normalised(images, signed), rows, columns)
    zoom = max(1, round(_PIXELS / max(grid.shape)))
    grid_height, grid_width = (side * zoom / style.DOTS_PER_INCH for side in grid.shape)
    side = 1.7
    page = (grid_width + side + 0.45, max(grid_height, side + 1.0) + 0.6)
    with style.styled():
        figure = style.canvas(*page)
        figure.set_layout_engine("none")
        title = f"{scene.title}: {layer}, {amount(channels, 'map')} of {height} x {width}"
        style.headline(figure, title, laid_out=False)
        _draw_photo(figure, page, photo, side, _shown_count(channels))
        box = (
            (side + 0.3) / page[0],
            (page[1] - 0.48 - grid_height) / page[1],
            grid_width / page[0],
            grid_height / page[1],
        )
        axes = figure.add_axes(box)
        axes.set_axis_off()
        colours = colormaps["RdBu_r" if signed else "cividis"].with_extremes(bad="white")
        axes.imshow(grid, aspect="auto", cmap=colours, vmin=-1 if signed else 0, vmax=1)
        if scene.rehearsal:
            style.stamp(figure)
        content = style.to_png(figure, few_colours=True)
    name = f"features-{re.sub(r'[^A-Za-z0-9_.-]', '_', layer)}{suffix}"
    return Figure(name, content, "png", _maps_caption(scene, photo, layer, images, channels, signed))


def _reduced(images: Array, side: int) -> Array:
    """Maps [n, height, width] in at most `side` pixels, averaged."""
    import cv2
    import numpy as np

    share = side / max(images.shape[1:])
    if share >= 1:
        return images
    size = (max(1, int(images.shape[2] * share)), max(1, int(images.shape[1] * share)))
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def _shown_count(channels: int) -> str:
    return f"first {MAPS} of {channels:,} maps" if channels > MAPS else ""


def _draw_photo(figure: Any, page: tuple[float, float], photo: Photo, side: float, note: str) -> None:
    axes = figure.add_axes((0.15 / page[0], (page[1] - 0.48 - side) / page[1], side / page[0], side / page[1]))
    axes.set_axis_off()
    axes.set_anchor("NW")
    axes.imshow(displayable(photo.pixels), cmap="gray", vmin=0, vmax=255)
    height, width = photo.pixels.shape[:2]
    lines = ["what it was given:", f"{height} x {width} pixels", *([note] if note else [])]
    figure.text(0.15 / page[0], (page[1] - 0.55 - side) / page[1], "\n".join(lines), va="top", fontsize=8.5)


def _maps_caption(scene: Scene, photo: Photo, layer: str, images: Array, channels: int, signed: bool) -> str:
    silent = int((images.max(axis=(1, 2)) == images.min(axis=(1, 2))).sum())
    scale = "red is positive, blue negative" if signed else "bright where the filter answers, dark where it does not"
    untrained = " The filters are untrained: all of them are chance." if scene.run is None else ""
    them = "it" if silent == 1 else "them"
    quiet = f" {silent} of {len(images)} {are(silent)} the same everywhere: nothing in this image wakes {them}."
    whole = f"{amount(channels, 'filter')} of {layer} make{'s' * (channels == 1)}"
    return (
        f"What the {whole} of {photo.name}, a map each on a scale of its own; {scale}. "
        f"Early layers keep the image's shapes and pick edges and colours; deeper maps are coarser and answer to "
        f"parts.{quiet if silent else ''}{untrained}"
    )


# Grad-CAM -----------------------------------------------------------------------------------------------------


def gradcam(scene: Scene) -> Iterator[Figure]:
    """Where the network looked for the class that it predicted: the reader's photos, or held-out images."""
    from zoo.network.inspection import cam_layer, class_activation, map_layers, probabilities_of

    layers = map_layers(scene.model)
    chosen = [name for name in scene.view.layers if name in {layer.name for layer in layers}]
    layer = chosen[-1] if chosen else cam_layer(layers)
    photos = _watched(scene)
    if layer is None or not photos:
        return
    import numpy as np

    pixels = np.stack([photo.pixels for photo, _ in photos])
    probabilities = probabilities_of(scene.model, pixels)
    guesses = probabilities.argmax(axis=1)
    cams = class_activation(scene.model, pixels, layer, guesses)
    pictures = []
    for (photo, truth), guess, row, cam in zip(photos, guesses, probabilities, cams, strict=True):
        names = scene.class_names
        wrong = truth is not None and truth != guess and not scene.rehearsal
        second = f"is {names[truth]}" if truth is not None and not scene.rehearsal else photo.name
        lines = (f"{names[guess]}, prob={row[guess]:.2f}", second)
        pictures += [Picture(photo.shown, lines, wrong), Picture(overlay(photo.shown, cam), ("", ""))]
    title = f"{scene.title}: where it looked (Grad-CAM, {layer})"
    columns = 4 if len(pictures) > 2 else 2
    content = gallery(pictures, columns, title, size=1.75, font=8.5, rehearsal=scene.rehearsal)
    yield Figure("gradcam", content, "png", _cam_caption(layer, cams))


def _watched(scene: Scene) -> list[tuple[Photo, int | None]]:
    """The photos to explain with their true classes: the reader's, or the first held-out images of each class."""
    part = scene.held_out
    if scene.view.photos or part is None:
        return [(photo, None) for photo in scene.view.photos]
    import numpy as np

    labels = np.asarray(part.labels[:])
    classes = np.unique(labels)[:_WATCHED]
    each = max(1, _WATCHED // len(classes))
    rows = np.concatenate([np.flatnonzero(labels == label)[:each] for label in classes])
    images = part.take(rows)
    return [(Photo(part.keys[row], image, image), int(labels[row])) for row, image in zip(rows, images, strict=True)]


def overlay(pixels: Array, cam: Array, least: int = 200) -> Array:
    """The image in grey, with the map laid over it, float [h, w, 3] in 0..1; at least `least` pixels a side.

    `pixels` is uint8 [h, w, 1 or 3]; `cam` float [h', w'], 0 or more, stretched to the image.
    """
    import cv2
    import numpy as np
    from matplotlib import colormaps

    zoom = max(1, -(-least // min(pixels.shape[:2])))
    size = (pixels.shape[1] * zoom, pixels.shape[0] * zoom)
    large = cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST).reshape(size[1], size[0], -1)
    grey = large.astype(np.float64).mean(axis=2, keepdims=True) / 255
    greatest = float(cam.max())
    heat = np.clip(cv2.resize(cam.astype(np.float32), size, interpolation=cv2.INTER_CUBIC), 0, None)
    strength = (np.clip(heat / greatest, 0, 1) if greatest > 0 else heat)[..., None]
    colour = colormaps["inferno"](0.25 + 0.7 * strength[..., 0])[..., :3]
    mixed: Array = (1 - 0.72 * strength) * (0.25 + 0.6 * grey) + 0.72 * strength * colour
    return np.clip(mixed, 0, 1)


def _cam_caption(layer: str, cams: Sequence[Array] | Array) -> str:
    height, width = cams[0].shape
    empty = sum(1 for cam in cams if not cam.max() > 0)
    maps = f"{empty} of {len(cams)} maps {are(empty)}" if len(cams) > 1 else "The map is"
    nothing = f" {maps} empty: no place speaks for the class at this layer." if empty else ""
    return (
        f"{'Each' if len(cams) > 1 else 'The'} image and, right of it, where the evidence for the predicted class "
        f"lies: bright is much, dark is none (Grad-CAM, Selvaraju et al. 2017, at {layer}, {height} x {width} places, "
        f"each map on a scale of its own; the probability is that of one pass). A network that looks at the background "
        f"has learned the wrong thing.{nothing}"
    )
