"""`vgg16`: the 16 layers with weights of VGG, in Keras, with the layer names of `keras.applications`.

Paper: Simonyan and Zisserman (2014), Very deep convolutional networks for large-scale image recognition,
arXiv:1409.1556, configuration D. Option `input = "bgr-0-255"` with `init = "glorot_uniform"` is how S. Dey,
Deep Learning Models in Image Processing, chapter 10, trains it from scratch.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from keras import layers

from zoo import Spec, UsageError, hookimpl

BLOCKS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "vgg16": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
}
"""Each block's number of 3x3 convolutions and their filters; every block ends with a max-pooling."""
HIDDEN = 4096
INPUTS = ("rgb", "bgr-0-255", "imagenet")
INITS = ("he_normal", "glorot_uniform")
IMAGENET_MEAN = (103.939, 116.779, 123.68)
"""Of blue, green and red in 0..255: the published weights expect them subtracted."""


@hookimpl
def zoo_build(spec: Spec) -> keras.Model:
    """float32 RGB images [n, height, width, 3], 0..255, to logits [n, classes].

    Options: `width` multiplies the filters and hidden units; `input` is what the first convolution sees
    ("rgb": -1..1, "bgr-0-255": reversed and not scaled, "imagenet": reversed, minus the mean); `init` is the
    initialisation of the weights; `dropout` the rate after both hidden layers (the paper: 0.5).
    `Spec.weights` is None or the path of a weight file of `keras.applications.VGG16`.
    """
    width = _number(spec, "width", 1.0, least=0.01, most=4.0)
    dropout = _number(spec, "dropout", 0.0, least=0.0, most=0.9)
    init = _one_of(spec, "init", INITS)
    x = inputs = keras.Input((spec.height, spec.width, spec.channels), name="image")
    x = _prepare(x, _one_of(spec, "input", INPUTS))
    for block, (convolutions, filters) in enumerate(BLOCKS[spec.name], start=1):
        for number in range(1, convolutions + 1):
            x = layers.Conv2D(
                _scaled(filters, width),
                kernel_size=3,
                padding="same",
                activation="relu",
                kernel_initializer=init,
                name=f"block{block}_conv{number}",
            )(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(_scaled(HIDDEN, width), activation="relu", kernel_initializer=init, name=name)(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = layers.Dense(spec.classes, kernel_initializer=init, name="predictions")(x)
    model = keras.Model(inputs, x, name=spec.name)
    if spec.weights is not None:
        _load(model, spec, spec.weights)
    return model


def _prepare(images: Any, what: str) -> Any:
    """From RGB in 0..255 to what the first convolution sees."""
    if what == "rgb":
        return layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(images)
    images = keras.ops.flip(images, axis=-1)
    if what == "imagenet":
        images = layers.Rescaling(1.0, offset=[-mean for mean in IMAGENET_MEAN], name="rescale")(images)
    return images


def _scaled(count: int, width: float) -> int:
    return max(1, round(count * width))


def _one_of(spec: Spec, option: str, values: tuple[str, ...]) -> str:
    """The value of an option, whose first possible value is its default."""
    value = spec.options.get(option, values[0])
    if value not in values:
        known = ", ".join(repr(known) for known in values)
        raise UsageError(f"{spec.name}: option {option} must be one of {known}. Received: {value!r}")
    return str(value)


def _number(spec: Spec, option: str, default: float, least: float, most: float) -> float:
    value = spec.options.get(option, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise UsageError(f"{spec.name}: option {option} must be a number from {least} to {most}. Received: {value!r}")
    return value


def _load(model: keras.Model, spec: Spec, weights: str) -> None:
    """Take all weights from a file, or none: Keras refuses a file with other layers or other shapes."""
    if weights == "imagenet":
        raise UsageError(
            f"{spec.name} does not download weights yet. Received: weights='imagenet'. "
            "Give the path of a weight file of keras.applications.VGG16"
        )
    if not Path(weights).is_file():
        raise UsageError(f"{spec.name}: there is no weight file {weights!r}")
    try:
        with warnings.catch_warnings():
            # Keras 3.15 warns of an inner container of every functional model that no file has
            warnings.filterwarnings("ignore", message="Skipping nested container")
            model.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(
            f"{spec.name}: the weight file {weights!r} does not fit {spec.height} x {spec.width} pixels, "
            f"{spec.channels} channels, {spec.classes} classes and these options: {reason}"
        ) from error
