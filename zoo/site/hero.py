"""The picture of the home page: what the layers of a trained network make of some images, a column per class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import api
from zoo.prediction import engines
from zoo.runs.directory import Run
from zoo.types import Figure

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NAME = "hero"
MAPS = 3  # of a layer: those that tell the classes apart best
ZOOM = 3
NIGHT = (15, 19, 24)


def draw(run: Run) -> Figure:
    """The first test image of each class, and below it the most telling feature maps of each convolution (PNG).

    `run` is of a Keras network of grey images.
    """
    _, model = engines.restore(run, False)  # imports the frameworks quietly, before anything else does
    import cv2
    import keras
    import numpy as np
    import tensorflow as tf

    network: Any = model
    spec = run.spec
    part = api.prepare(run.receipt["dataset"]["name"], size=spec.height, channels=spec.channels, quiet=True).test
    chosen = part.take([int(np.flatnonzero(part.labels == index)[0]) for index in range(spec.classes)])
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    outputs = keras.Model(network.inputs, [layer.output for layer in layers])([tf.constant(chosen, tf.float32)])
    outputs = outputs if isinstance(outputs, list) else [outputs]  # Keras unpacks a list of one
    rows = [[_colours(image[:, :, 0], "gray") for image in chosen]]
    for maps in outputs:
        values = np.asarray(maps)
        rows += [[_colours(image, "inferno") for image in values[:, :, :, number]] for number in _telling(values)]
    side, gap = spec.height * ZOOM, 2 * ZOOM
    page = np.full((len(rows) * (side + gap) + gap, len(chosen) * (side + gap) + gap, 3), NIGHT, np.uint8)
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            top, left = gap + y * (side + gap), gap + x * (side + gap)
            page[top : top + side, left : left + side] = cv2.resize(
                image, (side, side), interpolation=cv2.INTER_NEAREST
            )
    encoded = cv2.imencode(".png", page[:, :, ::-1])[1].tobytes()
    names = " and ".join(layer.name for layer in layers)
    caption = (
        f"What {spec.title} sees: {len(chosen)} test images, a column each, and below them {MAPS} feature maps of "
        f"{names}, those that vary most and are least alike. Bright is strong; a deeper layer answers to more "
        "particular strokes."
    )
    return Figure(NAME, encoded, "png", caption)


def _telling(maps: Array) -> list[int]:
    """Of maps [n, h, w, filters], those that vary most and are least like each other."""
    import numpy as np

    flat = maps.reshape(-1, maps.shape[3])
    spread = flat.std(axis=0)
    alike = np.abs(np.corrcoef(flat.T + 1e-6 * np.random.default_rng(0).standard_normal(flat.T.shape)))
    chosen = [int(spread.argmax())]
    while len(chosen) < min(MAPS, maps.shape[3]):
        score = spread * (1 - alike[chosen].max(axis=0))
        score[chosen] = -1
        chosen.append(int(score.argmax()))
    return chosen


def _colours(values: Array, name: str) -> Array:
    """Values [h, w] as RGB, uint8, on a scale of their own."""
    import numpy as np
    from matplotlib import colormaps

    scaled = values.astype(np.float64) / max(float(values.max()), 1e-9)
    result: Array = (colormaps[name](scaled)[:, :, :3] * 255).astype(np.uint8)
    return result
