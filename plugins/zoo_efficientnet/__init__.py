"""`efficientnet-lite0`: the smallest EfficientNet without squeeze-and-excitation, in Keras, with ImageNet weights.

Paper: Tan and Le (2019), EfficientNet: rethinking model scaling for convolutional neural networks,
arXiv:1905.11946. The Lite variant leaves out squeeze-and-excitation, has ReLU6 in place of swish, and scales
neither its stem nor its head. A block is MobileNetV2's inverted bottleneck (Sandler et al., 2018).
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from zoo import Spec, UsageError, hookimpl, options


class Stage(NamedTuple):
    """`repeats` blocks alike, but that the first has the `stride`; `expand` widens a block inside."""

    kernel: int
    repeats: int
    filters: int
    expand: int
    stride: int


STEM, TOP = 32, 1280
STAGES = (
    Stage(3, 1, 16, 1, 1),
    Stage(3, 2, 24, 6, 2),
    Stage(5, 2, 40, 6, 2),
    Stage(3, 3, 80, 6, 2),
    Stage(5, 3, 112, 6, 1),
    Stage(5, 4, 192, 6, 2),
    Stage(3, 1, 320, 6, 1),
)
BATCH_NORM = {"momentum": 0.99, "epsilon": 1e-3}
IMAGENET = Path(__file__).parent / "models" / "efficientnet-lite0" / "imagenet" / "weights.npz"


@hookimpl
def zoo_build(spec: Spec) -> keras.Model:
    """float32 RGB images [n, height, width, 3], 0..255, to logits [n, classes].

    Options: `width` multiplies the filters of the blocks, in steps of 8; `dropout` is the rate before the
    logits. `Spec.weights` is None, "imagenet" (it comes with this package), or the path of a `weights.npz`
    of this network; the weights of the logits are taken over where there are as many classes.
    """
    width = options.number(spec, "width", 1.0, least=0.01, most=4.0)
    dropout = options.number(spec, "dropout", 0.2, least=0.0, most=0.9)
    inputs = keras.Input((spec.height, spec.width, spec.channels), name="image")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale")(inputs)
    x = _conv(x, STEM, "stem_conv", kernel=3, stride=2)
    for number, stage in enumerate(STAGES, start=1):
        for repeat in range(stage.repeats):
            block = stage if repeat == 0 else stage._replace(stride=1)
            x = _block(x, block, _scaled(stage.filters, width), f"block{number}{'abcd'[repeat]}")
    x = _conv(x, TOP, "top_conv")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    model = keras.Model(inputs, layers.Dense(spec.classes, name="logits")(x), name=spec.name)
    if spec.weights is not None:
        _load(model, spec, spec.weights)
    return model


def _block(x: Any, stage: Stage, filters: int, name: str) -> Any:
    """An inverted bottleneck: widen, filter each channel, narrow; added to its input where the shapes agree."""
    before, channels = x, x.shape[-1]
    if stage.expand > 1:
        x = _conv(x, channels * stage.expand, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        stage.kernel,
        strides=stage.stride,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_depthwise",
    )(x)
    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = _conv(x, filters, f"{name}_project", activation=False)
    return layers.Add(name=f"{name}_add")([x, before]) if stage.stride == 1 and filters == channels else x


def _conv(x: Any, filters: int, name: str, kernel: int = 1, stride: int = 1, activation: bool = True) -> Any:
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if activation else x


def _scaled(filters: int, width: float) -> int:
    """The nearest multiple of 8, but not less than nine tenths of what was asked."""
    wanted = filters * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _load(model: keras.Model, spec: Spec, weights: str) -> None:
    """Take all weights from a file by name, or none; those of the logits only for as many classes."""
    path = IMAGENET if weights == "imagenet" else Path(weights)
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{spec.name}: weights must be 'imagenet' or a weights.npz of this network. Received: {weights!r}: {error}"
        ) from error
    wanted = {variable.path: variable for variable in model.weights}
    if np.shape(arrays.get("logits/bias")) != (spec.classes,):
        wanted = {name: variable for name, variable in wanted.items() if not name.startswith("logits/")}
    for name, variable in wanted.items():
        if np.shape(arrays.get(name)) != tuple(variable.shape):
            received = f"shape {np.shape(arrays[name])}" if name in arrays else "no such array"
            raise UsageError(
                f"{spec.name}: the weights {weights!r} do not fit these options: "
                f"{name} has shape {tuple(variable.shape)}. Received: {received}"
            )
    for name, variable in wanted.items():
        variable.assign(arrays[name].astype(np.float32))
