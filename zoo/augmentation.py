"""Order and augmentation of the training images, a pure function of (seed, epoch, example).

NumPy's Philox generator, keyed by (seed, epoch), draws the order of the examples and a table with one row
per example: a geometric transform of eight numbers. Flip, random-resized-crop, pad-crop, shift, rotation and
zoom are affine maps, so the graph applies all of them, and the change of size, in one bilinear resampling.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from numpy.random import Generator, Philox

from zoo.recipes import Recipe

Array = np.ndarray[Any, Any]
FILL = {"zero": "CONSTANT", "reflect": "REFLECT", "nearest": "NEAREST"}


def _streams(seed: int, epoch: int) -> Iterator[Generator]:
    """One independent generator per quantity: that one is switched on changes no other's draws."""
    return (Generator(Philox(key=[seed, epoch], counter=[0, 0, 0, stream])) for stream in count())


def order(seed: int, epoch: int, examples: int) -> Array:
    """The order of the examples in an epoch, int64 [examples]."""
    return next(_streams(seed, epoch)).permutation(examples)


def changes_geometry(recipe: Recipe, source: int, target: int) -> bool:
    """Whether the training images have to be resampled at all."""
    return source != target or bool(
        recipe.flip or recipe.crop_area or recipe.pad_crop or recipe.shift or recipe.rotate or recipe.zoom
    )


def table(recipe: Recipe, seed: int, epoch: int, examples: int, source: int, target: int) -> Array:
    """One row per example, float32 [examples, 8]: the map from a pixel of the `target`-sized image to a
    position in the `source`-sized one, as `tf.raw_ops.ImageProjectiveTransformV3` takes it.

    Coordinates are relative to the centre, in units of the image's size: u_in = matrix @ u_out + offset.
    """
    draws = _streams(seed, epoch)
    next(draws)  # the order's
    flips, areas, ratios, places, pads, shifts, angles, zooms = (next(draws) for _ in range(8))
    matrix = np.zeros((examples, 2, 2))
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1.0
    offset = np.zeros((examples, 2))
    if recipe.pad_crop:
        offset += pads.integers(-recipe.pad_crop, recipe.pad_crop, (examples, 2), endpoint=True) / target
    if recipe.shift:
        offset += shifts.uniform(-recipe.shift, recipe.shift, (examples, 2))
    if recipe.rotate:
        angle = np.deg2rad(angles.uniform(-recipe.rotate, recipe.rotate, examples))
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
        matrix, offset = turn @ matrix, np.einsum("nij,nj->ni", turn, offset)
    if recipe.zoom:
        scale = zooms.uniform(recipe.zoom[0], recipe.zoom[1], examples)
        matrix, offset = matrix / scale[:, None, None], offset / scale[:, None]
    if recipe.crop_area:
        size, centre = _crops(recipe, areas, ratios, places, examples)
        matrix, offset = matrix * size[:, :, None], offset * size + centre
    if recipe.flip:
        matrix[flips.random(examples) < 0.5, :, 0] *= -1
    return _in_pixels(matrix, offset, source, target)


def _crops(
    recipe: Recipe, areas: Generator, ratios: Generator, places: Generator, examples: int
) -> tuple[Array, Array]:
    """Width and height of a random-resized-crop, and its centre, [examples, 2] each (Szegedy et al., 2015)."""
    area = areas.uniform(recipe.crop_area[0], recipe.crop_area[1], examples)
    ratio = np.exp(ratios.uniform(np.log(recipe.crop_ratio[0]), np.log(recipe.crop_ratio[1]), examples))
    size = np.minimum(np.stack([np.sqrt(area * ratio), np.sqrt(area / ratio)], -1), 1.0)
    return size, places.uniform(-0.5, 0.5, (examples, 2)) * (1 - size)


def _in_pixels(matrix: Array, offset: Array, source: int, target: int) -> Array:
    """Turn a map between centred, unit-sized images into one between pixel indices."""
    linear = matrix * (source / target)
    corner = np.full(2, 0.5 / target - 0.5)
    constant = source * (matrix @ corner + offset + 0.5) - 0.5
    rows = np.zeros((len(matrix), 8), np.float32)
    rows[:, 0:2], rows[:, 2] = linear[:, 0], constant[:, 0]
    rows[:, 3:5], rows[:, 5] = linear[:, 1], constant[:, 1]
    return rows


def resample(images: Any, transforms: Any, target: int, fill: str) -> Any:
    """In the graph: float32 images [n, source, source, channels] to [n, target, target, channels]."""
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.constant([target, target]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=FILL[fill],
    )
