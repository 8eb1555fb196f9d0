"""`inceptionv3`: Inception of the third version, in Keras, as `keras.applications` builds it.

Paper: Szegedy, Vanhoucke, Ioffe, Shlens and Wojna (2015), Rethinking the Inception architecture for computer vision,
arXiv:1512.00567; without its auxiliary classifier. The layers stand in the order of keras.applications, so that
its weight files fit, and have names of their own: there, Keras numbers them per process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from zoo import Spec, hookimpl, options, pretrained
from zoo.pretrained import PublishedFile

STEM = "32:3x3/2 32:3x3v 64:3x3 max/2 80:1x1 192:3x3v max/2"
"""Filters and size of each convolution; "/2": with stride 2, "v": both without padding. "avg" and "max" pool 3x3."""
DOUBLE = "64:1x1 96:3x3 96:3x3"


def _seven(narrow: int) -> Mapping[str, str]:
    """The branches of a block at 17x17: 7x7 convolutions in pairs of 1x7 and 7x1, of which the first are narrow."""
    return {
        "1x1": "192:1x1",
        "7x7": f"{narrow}:1x1 {narrow}:1x7 192:7x1",
        "7x7dbl": f"{narrow}:1x1 {narrow}:7x1 {narrow}:1x7 {narrow}:7x1 192:1x7",
        "pool": "avg 192:1x1",
    }


_EIGHT: Mapping[str, str] = {
    "1x1": "320:1x1",
    "3x3": "384:1x1 384:1x3|384:3x1",
    "3x3dbl": "448:1x1 384:3x3 384:1x3|384:3x1",
    "pool": "avg 192:1x1",
}
BLOCKS: Mapping[str, Mapping[str, str]] = {
    # 35x35 positions for images of 299 pixels
    "mixed0": {"1x1": "64:1x1", "5x5": "48:1x1 64:5x5", "3x3dbl": DOUBLE, "pool": "avg 32:1x1"},
    "mixed1": {"1x1": "64:1x1", "5x5": "48:1x1 64:5x5", "3x3dbl": DOUBLE, "pool": "avg 64:1x1"},
    "mixed2": {"1x1": "64:1x1", "5x5": "48:1x1 64:5x5", "3x3dbl": DOUBLE, "pool": "avg 64:1x1"},
    # 17x17
    "mixed3": {"3x3": "384:3x3/2", "3x3dbl": f"{DOUBLE}/2", "pool": "max/2"},
    "mixed4": _seven(128),
    "mixed5": _seven(160),
    "mixed6": _seven(160),
    "mixed7": _seven(192),
    # 8x8
    "mixed8": {"3x3": "192:1x1 320:3x3/2", "7x7x3": "192:1x1 192:1x7 192:7x1 192:3x3/2", "pool": "max/2"},
    "mixed9": _EIGHT,
    "mixed10": _EIGHT,
}
"""Each block's branches, side by side, joined at its end; a step with "|" does both and joins them."""
HEAD = ("predictions",)
IMAGENET = PublishedFile(
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
    "inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
    "9a0d58056eeedaa3f26cb7ebd46da564",
)
"""The file that keras.applications fetches, with its MD5."""


@hookimpl
def zoo_build(spec: Spec) -> keras.Model:
    """float32 images [n, height, width, channels], 0..255, to logits [n, classes]; from 75 pixels.

    The first convolution sees -1..1. Option `width` multiplies the filters. `Spec.weights` is None, "imagenet", or
    the path of a weight file of the same network, such as those of keras.applications.
    """
    width = options.number(spec, "width", 1.0, least=0.01, most=4.0)
    inputs = keras.Input((spec.height, spec.width, spec.channels), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(inputs)
    x = _steps(x, STEM, "stem", width)
    for block, branches in BLOCKS.items():
        joined = [_steps(x, steps, f"{block}_{branch}", width) for branch, steps in branches.items()]
        x = layers.Concatenate(name=block)(joined)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dense(spec.classes, name=HEAD[-1])(x)
    model = keras.Model(inputs, x, name=spec.name)
    pretrained.load(model, spec, HEAD, IMAGENET if width == 1 else None)
    return model


def _steps(x: Any, steps: str, name: str, width: float) -> Any:
    """One step of the table after the other; names are numbered from 1."""
    for number, step in enumerate(steps.split(), start=1):
        both = [_step(x, half, f"{name}_{number}{letter}", width) for half, letter in _halves(step)]
        x = layers.Concatenate(name=f"{name}_{number}_join")(both) if len(both) > 1 else both[0]
    return x


def _halves(step: str) -> list[tuple[str, str]]:
    halves = step.split("|")
    return list(zip(halves, "ab" if len(halves) > 1 else [""], strict=True))


def _step(x: Any, step: str, name: str, width: float) -> Any:
    """ "64:3x3": convolution, BatchNormalization and ReLU; or a pooling."""
    stride = 2 if "/2" in step else 1
    padding = "valid" if stride == 2 or step.endswith("v") else "same"
    if step.startswith("max"):
        return layers.MaxPooling2D(3, stride, padding, name=f"{name}_pool")(x)
    if step.startswith("avg"):
        return layers.AveragePooling2D(3, stride, padding, name=f"{name}_pool")(x)
    filters, rows, columns = map(int, re.findall(r"\d+", step)[:3])
    x = layers.Conv2D(
        max(1, round(filters * width)), (rows, columns), stride, padding, use_bias=False, name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(scale=False, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)
