"""What the graph does with the table of `zoo.training.augmentation`: a step's images and targets."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from zoo.recipes import Recipe
from zoo.training.augmentation import FILL, Columns


class Targets(NamedTuple):
    """What a step's logits are measured against.

    The loss of an example is the sum over `terms` of weight x loss against the label; a weight of None is 1.
    `labels` int64 [n] are those of the larger share: the accuracy counts them.
    """

    labels: Any
    terms: tuple[tuple[Any, Any], ...]


def augment(images: Any, labels: Any, rows: Any, where: Columns, recipe: Recipe, size: int) -> tuple[Any, Targets]:
    """A step's images uint8 [n, source, source, channels], labels int64 [n] and rows of the table (None without
    columns, which `where` names), to float32 [n, size, size, channels] in 0..255, and the targets.

    What is off adds no operation.
    """
    images = tf.cast(images, tf.float32)
    if _is_on(where.geometry):
        images = resample(images, rows[:, where.geometry], size, recipe.fill)
        images = tf.ensure_shape(images, [None, size, size, images.shape[-1]])
    if _is_on(where.colour):
        images = recolour(images, rows[:, where.colour])
    if _is_on(where.box):
        images = erase(images, rows[:, where.box])
    weights = rows[:, where.weight.start] if _is_on(where.weight) else None
    if not _is_on(where.mix):
        return images, Targets(labels, ((labels, weights),))
    partner = tf.cast(rows[:, where.mix.start], tf.int32)
    share = rows[:, where.mix.start + 1]
    images = mix(images, partner, rows[:, where.mix])
    others = tf.gather(labels, partner)
    own, theirs = share, 1 - share
    if weights is not None:
        own, theirs = own * weights, theirs * tf.gather(weights, partner)
    return images, Targets(tf.where(share >= 0.5, labels, others), ((labels, own), (others, theirs)))


def _is_on(part: slice) -> bool:
    return bool(part.start < part.stop)


def resample(images: Any, transforms: Any, target: int, fill: str) -> Any:
    """float32 images [n, source, source, channels] to [n, target, target, channels], by transforms [n, 8]."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.constant([target, target]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=FILL[fill],
    )


def recolour(images: Any, maps: Any) -> Any:
    """Map the colours of images float32 [n, size, size, channels] by the rows of `augmentation.colours`."""
    size, channels = images.shape[1], images.shape[3]
    matrix = tf.reshape(maps[:, : channels**2], [-1, channels, channels])
    pixels = tf.reshape(images, [-1, size * size, channels])
    mapped = tf.matmul(pixels, matrix, transpose_b=True) + maps[:, None, channels**2 :]
    return tf.reshape(tf.clip_by_value(mapped, 0.0, 255.0), [-1, size, size, channels])


def erase(images: Any, boxes: Any) -> Any:
    """Paint the box of each image in its colour: rows of `augmentation.boxes`."""
    inside = _inside(boxes[:, :4], images.shape[1])
    return (1 - inside) * images + inside * boxes[:, None, None, 4:]  # tf.where takes four times as long here


def mix(images: Any, partner: Any, rows: Any) -> Any:
    """Blend each image with its partner's: rows of `augmentation.mixes`."""
    own = (1 - _inside(rows[:, 3:7], images.shape[1])) * rows[:, 2, None, None, None]
    others = tf.gather(images, partner)
    return own * images + (1 - own) * others


def _inside(boxes: Any, size: int) -> Any:
    """1 for the pixels that lie in a box (top, left, bottom, right; [n, 4]), else 0: float32 [n, size, size, 1]."""
    pixel = tf.range(size, dtype=tf.float32)
    down = (pixel >= boxes[:, 0, None]) & (pixel < boxes[:, 2, None])
    across = (pixel >= boxes[:, 1, None]) & (pixel < boxes[:, 3, None])
    return tf.cast(down[:, :, None] & across[:, None, :], tf.float32)[..., None]
