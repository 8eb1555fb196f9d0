"""VGG-16 (Simonyan and Zisserman, 2014, arXiv:1409.1556), configuration D.

Thirteen 3x3 convolutions in five blocks and three dense layers. The chapter trains it from scratch on cats and
dogs at 50x50 pixels. Layers are named as in `keras.applications`, so its weight files load.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers

from zoo import Spec, UsageError, hookimpl

# filters and number of 3x3 convolutions of each block
BLOCKS = {"vgg16": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))}
DENSE = 4096
OPTIONS: dict[str, Any] = {"width": 1.0, "input": "rgb", "init": "he_normal", "dropout": 0.0}
INPUTS = ("rgb", "bgr-0-255")
INITIALIZERS = ("he_normal", "glorot_uniform")


@hookimpl
def zoo_build(spec: Spec) -> keras.Model:
    options = OPTIONS | dict(spec.options)
    check(options)
    inputs = keras.Input((spec.height, spec.width, spec.channels))
    x = preprocessed(inputs, options["input"])
    for block, (filters, convolutions) in enumerate(BLOCKS[spec.name], start=1):
        for number in range(1, convolutions + 1):
            x = layers.Conv2D(
                scaled(filters, options),
                3,
                padding="same",
                activation="relu",
                kernel_initializer=options["init"],
                name=f"block{block}_conv{number}",
            )(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        units = scaled(DENSE, options)
        x = layers.Dense(units, activation="relu", kernel_initializer=options["init"], name=name)(x)
        if options["dropout"]:
            x = layers.Dropout(options["dropout"], name=f"{name}_dropout")(x)
    model = keras.Model(inputs, layers.Dense(spec.classes, name="predictions")(x), name=spec.name)
    if spec.weights is not None:
        load(model, spec.weights)
    return model


def preprocessed(images: Any, kind: str) -> Any:
    """RGB images in 0..255 as the network wants them: "rgb" is scaled to -1..1; "bgr-0-255" is what the
    chapter feeds it, OpenCV's order of the channels and no scaling."""
    if kind == "bgr-0-255":
        return keras.ops.flip(images, axis=-1)
    return layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(images)


def scaled(units: int, options: dict[str, Any]) -> int:
    """Filters or units at the option `width`, a factor for tests and small machines."""
    return max(1, round(units * options["width"]))


def check(options: dict[str, Any]) -> None:
    """Raise UsageError for an option's value that there is not."""
    for key, known in (("input", INPUTS), ("init", INITIALIZERS)):
        if options[key] not in known:
            raise UsageError(f"vgg: {key} must be one of {', '.join(known)}. Received: {options[key]!r}")
    for key, least, most in (("width", 0.01, 4.0), ("dropout", 0.0, 0.9)):
        value = options[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise UsageError(f"vgg: {key} must be a number from {least} to {most}. Received: {value!r}")


def load(model: keras.Model, weights: str) -> None:
    """Load a weight file of `keras.applications` or of this network (`.h5`, `.weights.h5`)."""
    path = Path(weights)
    if not path.is_file():
        raise UsageError(f"weights must be a weight file (.h5). Received: {weights!r}, which is not a file")
    try:
        model.load_weights(path)
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"The weights {path.name} are not of this network: {reason}") from error
