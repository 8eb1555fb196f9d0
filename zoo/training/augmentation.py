"""Order and augmentation of the training images, a pure function of (seed, epoch, example).

NumPy's Philox generator, keyed by (seed, epoch), draws the order of the examples and a table with one row per
example. Flip, random-resized-crop, pad-crop, shift, rotation, shear and zoom are affine maps, so the graph
applies all of them, and the change of size, in one bilinear resampling; brightness, contrast, saturation and
hue are affine maps of the colours, applied as one. Random erasing paints a box, mixup and cutmix blend with
a partner: another row of the same step, by a permutation that depends on (seed, epoch, step) alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator, Philox

from zoo.recipes import Recipe

Array = np.ndarray[Any, Any]
FILL = {"zero": "CONSTANT", "reflect": "REFLECT", "nearest": "NEAREST"}
# a stream of random numbers per quantity, in this order for ever: a new one goes to the end
STREAMS = (
    *("order", "flip", "area", "ratio", "place", "pad", "shift", "angle", "zoom", "shear"),
    *("brightness", "contrast", "saturation", "hue"),
    *("erase", "erase_area", "erase_ratio", "erase_place", "erase_colour"),
    *("partner", "mixup", "cutmix", "cutmix_place", "mix_kind"),
)
LUMA = np.array([0.299, 0.587, 0.114])  # of ITU-R BT.601
MID_GREY = 127.5
ERASE_RATIO = (0.3, 1 / 0.3)  # Zhong et al. (2017)


class Draws:
    """The random numbers of an epoch: that one quantity is switched on changes no other's."""

    def __init__(self, seed: int, epoch: int) -> None:
        self._key = [seed, epoch]

    def __getitem__(self, quantity: str) -> Generator:
        return Generator(Philox(key=self._key, counter=[0, 0, 0, STREAMS.index(quantity)]))


def order(seed: int, epoch: int, examples: int) -> Array:
    """The order of the examples in an epoch, int64 [examples]."""
    return Draws(seed, epoch)["order"].permutation(examples)


@dataclass(frozen=True)
class Columns:
    """Which columns of the table hold what; those that nothing asks for are empty."""

    geometry: slice
    colour: slice
    box: slice
    mix: slice
    weight: slice

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.weight.stop)


def columns(recipe: Recipe, source: int, target: int, channels: int) -> Columns:
    """The table's columns for images of these sizes in pixels."""
    widths = (
        8 * changes_geometry(recipe, source, target),
        (channels**2 + channels) * changes_colour(recipe),
        (4 + channels) * bool(recipe.erase),
        7 * bool(recipe.mixup or recipe.cutmix),
        1 * bool(recipe.class_weights),
    )
    ends = np.cumsum(widths).tolist()
    return Columns(*(slice(end - width, end) for width, end in zip(widths, ends, strict=True)))


def changes_geometry(recipe: Recipe, source: int, target: int) -> bool:
    """Whether the training images have to be resampled at all."""
    geometry = (recipe.flip, recipe.crop_area, recipe.pad_crop, recipe.shift, recipe.rotate, recipe.shear, recipe.zoom)
    return source != target or any(geometry)


def changes_colour(recipe: Recipe) -> bool:
    """Whether the colours of the training images change."""
    return any((recipe.brightness, recipe.contrast, recipe.saturation, recipe.hue))


def table(recipe: Recipe, seed: int, epoch: int, labels: Array, source: int, target: int, channels: int) -> Array:
    """One row per example, float32 [examples, columns], in the order of `labels`, int64 [examples]."""
    where, examples, draws = columns(recipe, source, target, channels), len(labels), Draws(seed, epoch)
    rows = np.zeros((examples, where.width), np.float32)
    if changes_geometry(recipe, source, target):
        rows[:, where.geometry] = geometry(recipe, draws, examples, source, target)
    if changes_colour(recipe):
        rows[:, where.colour] = colours(recipe, draws, examples, channels)
    if recipe.erase:
        rows[:, where.box] = boxes(recipe, draws, examples, target, channels)
    if recipe.mixup or recipe.cutmix:
        rows[:, where.mix] = mixes(recipe, draws, examples, target)
    if recipe.class_weights:
        rows[:, where.weight] = class_weights(recipe, labels)[labels, None]
    return rows


def geometry(recipe: Recipe, draws: Draws, examples: int, source: int, target: int) -> Array:
    """float32 [examples, 8]: the map from a pixel of the `target`-sized image to a position in the
    `source`-sized one, as `tf.raw_ops.ImageProjectiveTransformV3` takes it.

    Coordinates are relative to the centre, in units of the image's size: u_in = matrix @ u_out + offset.
    """
    matrix = np.zeros((examples, 2, 2))
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1.0
    offset = np.zeros((examples, 2))
    if recipe.pad_crop:
        offset += draws["pad"].integers(-recipe.pad_crop, recipe.pad_crop, (examples, 2), endpoint=True) / target
    if recipe.shift:
        offset += draws["shift"].uniform(-recipe.shift, recipe.shift, (examples, 2))
    if recipe.rotate:
        angle = np.deg2rad(draws["angle"].uniform(-recipe.rotate, recipe.rotate, examples))
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
        matrix, offset = turn @ matrix, np.einsum("nij,nj->ni", turn, offset)
    if recipe.shear:
        slant = np.tan(np.deg2rad(draws["shear"].uniform(-recipe.shear, recipe.shear, (examples, 2))))
        along = np.zeros((examples, 2, 2))
        along[:, 0, 0] = along[:, 1, 1] = 1.0
        along[:, 0, 1], along[:, 1, 0] = slant.T
        matrix, offset = along @ matrix, np.einsum("nij,nj->ni", along, offset)
    if recipe.zoom:
        scale = draws["zoom"].uniform(recipe.zoom[0], recipe.zoom[1], examples)
        matrix, offset = matrix / scale[:, None, None], offset / scale[:, None]
    if recipe.crop_area:
        size, centre = _crops(recipe, draws, examples)
        matrix, offset = matrix * size[:, :, None], offset * size + centre
    if recipe.flip:
        matrix[draws["flip"].random(examples) < 0.5, :, 0] *= -1
    return _in_pixels(matrix, offset, source, target)


def _crops(recipe: Recipe, draws: Draws, examples: int) -> tuple[Array, Array]:
    """Width and height of a random-resized-crop, and its centre, [examples, 2] each (Szegedy et al., 2015)."""
    area = draws["area"].uniform(recipe.crop_area[0], recipe.crop_area[1], examples)
    ratio = np.exp(draws["ratio"].uniform(np.log(recipe.crop_ratio[0]), np.log(recipe.crop_ratio[1]), examples))
    size = np.minimum(np.stack([np.sqrt(area * ratio), np.sqrt(area / ratio)], -1), 1.0)
    return size, draws["place"].uniform(-0.5, 0.5, (examples, 2)) * (1 - size)


def _in_pixels(matrix: Array, offset: Array, source: int, target: int) -> Array:
    """Turn a map between centred, unit-sized images into one between pixel indices."""
    linear = matrix * (source / target)
    corner = np.full(2, 0.5 / target - 0.5)
    constant = source * (matrix @ corner + offset + 0.5) - 0.5
    rows = np.zeros((len(matrix), 8), np.float32)
    rows[:, 0:2], rows[:, 2] = linear[:, 0], constant[:, 0]
    rows[:, 3:5], rows[:, 5] = linear[:, 1], constant[:, 1]
    return rows


def colours(recipe: Recipe, draws: Draws, examples: int, channels: int) -> Array:
    """float32 [examples, channels**2 + channels]: a matrix, by rows, and an offset: out = matrix @ in + offset.

    Hue turns about the grey axis and saturation moves to and from the grey of the same luma; contrast moves
    to and from mid-grey (the image's own mean would have to be looked at), then brightness scales.
    """

    def factors(quantity: str, greatest: float) -> Array:
        if not greatest:
            return np.ones(examples)
        return draws[quantity].uniform(1 - greatest, 1 + greatest, examples)

    matrix = np.broadcast_to(np.eye(channels), (examples, channels, channels))
    if channels == 3 and recipe.hue:
        matrix = _turns(np.deg2rad(draws["hue"].uniform(-recipe.hue, recipe.hue, examples)))
    if channels == 3 and recipe.saturation:
        kept = factors("saturation", recipe.saturation)[:, None, None]
        matrix = (kept * np.eye(3) + (1 - kept) * np.outer(np.ones(3), LUMA)) @ matrix
    contrast = factors("contrast", recipe.contrast)
    brightness = factors("brightness", recipe.brightness)
    offset = np.repeat((brightness * (1 - contrast) * MID_GREY)[:, None], channels, axis=1)
    matrix = (brightness * contrast)[:, None, None] * matrix
    return np.concatenate([matrix.reshape(examples, -1), offset], axis=1).astype(np.float32)


def _turns(angles: Array) -> Array:
    """Rotations of RGB about the grey axis by angles in radians, [n, 3, 3] (Rodrigues' formula)."""
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    along = np.full((3, 3), 1 / 3)
    turned: Array = cosine * np.eye(3) + sine * across + (1 - cosine) * along
    return turned


def boxes(recipe: Recipe, draws: Draws, examples: int, target: int, channels: int) -> Array:
    """float32 [examples, 4 + channels]: top, left, bottom, right in pixels and the colour, 0..255, of the box that
    random erasing paints (Zhong et al., 2017); an image that is spared has an empty box."""
    area = draws["erase_area"].uniform(recipe.erase_area[0], recipe.erase_area[1], examples)
    ratio = np.exp(draws["erase_ratio"].uniform(np.log(ERASE_RATIO[0]), np.log(ERASE_RATIO[1]), examples))
    shape = np.stack([np.sqrt(area * ratio), np.sqrt(area / ratio)], -1)
    size = np.clip(np.rint(shape * target), 1, target)
    corner = np.floor(draws["erase_place"].random((examples, 2)) * (target - size + 1))
    box = np.concatenate([corner, corner + size], axis=1)
    box[draws["erase"].random(examples) >= recipe.erase] = 0
    colour = draws["erase_colour"].uniform(0, 255, (examples, 3))[:, :channels]
    return np.concatenate([box, colour], axis=1).astype(np.float32)


def mixes(recipe: Recipe, draws: Draws, examples: int, target: int) -> Array:
    """float32 [examples, 7]: a place for the partner's row (`partners` fills it), the own share of the target, the
    own share of a pixel, and the box in pixels that is the partner's.

    Mixup (Zhang et al., 2018) blends all pixels by a share from Beta(alpha, alpha); cutmix (Yun et al., 2019)
    pastes a box of the partner's whose area is such a share, and counts its pixels.
    """
    rows = np.zeros((examples, 7), np.float32)
    rows[:, 1:3] = 1.0
    cut = draws["mix_kind"].random(examples) < 0.5 if recipe.mixup and recipe.cutmix else bool(recipe.cutmix)
    if recipe.cutmix:
        share = draws["cutmix"].beta(recipe.cutmix, recipe.cutmix, examples)
        half = np.sqrt(1 - share)[:, None] / 2
        centre = draws["cutmix_place"].random((examples, 2))
        box = np.clip(np.rint(np.concatenate([centre - half, centre + half], axis=1) * target), 0, target)
        rows[:, 1] = 1 - (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) / target**2
        rows[:, 3:] = box
    if recipe.mixup:
        blended = ~np.broadcast_to(cut, examples)
        share = draws["mixup"].beta(recipe.mixup, recipe.mixup, examples)
        rows[blended, 1] = rows[blended, 2] = share[blended]
        rows[blended, 3:] = 0
    return rows


def partners(seed: int, epoch: int, examples: int, batch_size: int) -> Array:
    """The row, within the step, of the partner of each position of the epoch's order: int64 [examples].

    Within each step it is a random permutation of the step's rows.
    """
    keys = Draws(seed, epoch)["partner"].random(examples)
    step = np.arange(examples) // batch_size
    return np.lexsort((keys, step)) - step * batch_size


def class_weights(recipe: Recipe, labels: Array) -> Array:
    """The weight of each class in the loss, float64 [classes]; "balanced": such that each class weighs the same
    in total, and an example 1 on average."""
    if recipe.class_weights != "balanced":
        return np.array(recipe.class_weights)
    counts = np.bincount(labels)
    return np.array(len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)))
