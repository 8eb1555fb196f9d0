"""`resnet50`: the residual network of 50 layers, in Keras, with the layer names of `keras.applications`.

Paper: He, Zhang, Ren and Sun (2015), Deep residual learning for image recognition, arXiv:1512.03385. As in
keras.applications, the first convolution of a stage's first block has the stride, and convolutions keep their bias.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from zoo import Spec, hookimpl, options, pretrained
from zoo.pretrained import PublishedFile

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""The filters of a stage's narrow convolutions, a quarter of those of its output, and its number of blocks."""
EPSILON = 1.001e-5
HEAD = ("predictions",)
IMAGENET_MEAN = (103.939, 116.779, 123.68)
"""Of blue, green and red in 0..255: the published weights expect them subtracted."""
IMAGENET = PublishedFile(
    "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
    "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
    "2cb95161c43110f7111970584f804107",
)
"""The file that keras.applications fetches, with its MD5."""


@hookimpl
def zoo_build(spec: Spec) -> keras.Model:
    """float32 images [n, height, width, channels], 0..255, to logits [n, classes].

    The first convolution sees BGR (or grey) minus ImageNet's mean. Option `width` multiplies the filters.
    `Spec.weights` is None, "imagenet", or the path of a weight file of the same network, such as those of
    keras.applications.
    """
    width = options.number(spec, "width", 1.0, least=0.01, most=4.0)
    inputs = keras.Input((spec.height, spec.width, spec.channels), name="image")
    x = _prepare(inputs, spec.channels)
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = _convolution(x, _scaled(64, width), 7, "conv1", stride=2)
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, (filters, blocks) in enumerate(STAGES, start=2):
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stage > 2 else 1
            x = _block(x, _scaled(filters, width), f"conv{stage}_block{block}", stride, projects=block == 1)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dense(spec.classes, name=HEAD[-1])(x)
    model = keras.Model(inputs, x, name=spec.name)
    pretrained.load(model, spec, HEAD, IMAGENET if width == 1 else None)
    return model


def _block(x: Any, filters: int, name: str, stride: int, projects: bool) -> Any:
    """1x1, 3x3 and 1x1 convolutions, added to their input, which a 1x1 convolution `projects` to their shape.

    The last normalisation's scale begins at 0, the block thus as its shortcut (Goyal et al., 2017, arXiv:1706.02677).
    """
    shortcut = _convolution(x, 4 * filters, 1, f"{name}_0", stride) if projects else x
    x = layers.Activation("relu", name=f"{name}_1_relu")(_convolution(x, filters, 1, f"{name}_1", stride))
    x = layers.Activation("relu", name=f"{name}_2_relu")(_convolution(x, filters, 3, f"{name}_2"))
    x = layers.Add(name=f"{name}_add")([shortcut, _convolution(x, 4 * filters, 1, f"{name}_3", gamma="zeros")])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _convolution(x: Any, filters: int, size: int, name: str, stride: int = 1, gamma: str = "ones") -> Any:
    padding = "same" if size == 3 else "valid"
    init = "he_normal"  # as the paper's
    x = layers.Conv2D(filters, size, stride, padding, kernel_initializer=init, name=f"{name}_conv")(x)
    return layers.BatchNormalization(epsilon=EPSILON, gamma_initializer=gamma, name=f"{name}_bn")(x)


def _prepare(images: Any, channels: int) -> Any:
    """From RGB or grey in 0..255 to what the first convolution sees."""
    if channels == 1:
        mean = sum(IMAGENET_MEAN) / len(IMAGENET_MEAN)
        return layers.Rescaling(1.0, offset=-mean, name="rescale")(images)
    images = keras.ops.flip(images, axis=-1)
    return layers.Rescaling(1.0, offset=[-mean for mean in IMAGENET_MEAN], name="rescale")(images)


def _scaled(filters: int, width: float) -> int:
    return max(1, round(filters * width))
