"""`vgg16`, `vgg19`, `vgg16-bn` and `vgg19-bn`: VGG in Keras, with the layer names of `keras.applications`.

Paper: Simonyan and Zisserman (2014), Very deep convolutional networks for large-scale image recognition,
arXiv:1409.1556, configurations D and E. In the -bn networks each convolution, which keeps its bias, is followed by
BatchNormalization (Ioffe and Szegedy, 2015, arXiv:1502.03167) and then ReLU, as torchvision builds them.
Option `input = "bgr-0-255"` with `init = "glorot_uniform"` is how S. Dey, Deep Learning Models in Image
Processing, chapter 10, trains `vgg16` from scratch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from zoo import Spec, hookimpl, options, pretrained
from zoo.pretrained import PublishedFile

FILTERS = (64, 128, 256, 512, 512)
"""Of the 3x3 convolutions in each of the five blocks; every block ends with a max-pooling."""
CONVOLUTIONS: Mapping[str, tuple[int, ...]] = {
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
"""How many there are in each block."""
HIDDEN = 4096
HEAD = ("fc1", "fc2", "predictions")
INPUTS = ("rgb", "bgr-0-255", "imagenet")
INITS = ("he_normal", "glorot_uniform")
IMAGENET_MEAN = (103.939, 116.779, 123.68)
"""Of blue, green and red in 0..255: the published weights expect them subtracted."""
ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications"
WHOLE: Mapping[str, PublishedFile] = {
    "vgg16": PublishedFile(
        f"{ADDRESS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5", "64373286793e3c8b2b4e3219cbf3544b"
    ),
    "vgg19": PublishedFile(
        f"{ADDRESS}/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels.h5", "cbe5617147190e668d6c5d5026f83318"
    ),
}
"""The files that keras.applications fetches, with their MD5."""
BODY: Mapping[str, PublishedFile] = {
    "vgg16": PublishedFile(
        f"{ADDRESS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"
    ),
    "vgg19": PublishedFile(
        f"{ADDRESS}/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "253f8cb515780f3b799900260a226db6"
    ),
}
"""The same without the fully connected layers, a tenth of the size."""


@hookimpl
def zoo_build(spec: Spec) -> keras.Model:
    """float32 images [n, height, width, channels], 0..255, to logits [n, classes].

    Options: `width` multiplies the filters and hidden units; `input` is what the first convolution sees
    ("rgb": -1..1, "bgr-0-255": reversed and not scaled, "imagenet": reversed, minus the mean); `init` is the
    initialisation of the weights; `dropout` the rate after both hidden layers (the paper: 0.5).
    `Spec.weights` is None, "imagenet" (`vgg16`, `vgg19`), or the path of a weight file of the same network, such as
    those of keras.applications, which want `input = "imagenet"`.
    """
    width = options.number(spec, "width", 1.0, least=0.01, most=4.0)
    dropout = options.number(spec, "dropout", 0.0, least=0.0, most=0.9)
    init = options.choice(spec, "init", INITS)
    plain = spec.name.removesuffix("-bn")
    x = inputs = keras.Input((spec.height, spec.width, spec.channels), name="image")
    x = _prepare(x, options.choice(spec, "input", INPUTS))
    for block, (count, filters) in enumerate(zip(CONVOLUTIONS[plain], FILTERS, strict=True), start=1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            x = _convolution(x, _scaled(filters, width), init, name, normalised=plain != spec.name)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for name in HEAD[:-1]:
        x = layers.Dense(_scaled(HIDDEN, width), activation="relu", kernel_initializer=init, name=name)(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = layers.Dense(spec.classes, kernel_initializer=init, name=HEAD[-1])(x)
    model = keras.Model(inputs, x, name=spec.name)
    pretrained.load(model, spec, HEAD, _published(spec, width))
    return model


def _convolution(x: Any, filters: int, init: str, name: str, normalised: bool) -> Any:
    activation = None if normalised else "relu"
    x = layers.Conv2D(filters, 3, padding="same", activation=activation, kernel_initializer=init, name=name)(x)
    if normalised:
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.Activation("relu", name=f"{name}_relu")(x)
    return x


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


def _published(spec: Spec, width: float) -> PublishedFile | None:
    """The file with the fully connected layers only where they fit: images of 224 to 255 pixels leave 7x7 positions."""
    fit = (spec.height // 32, spec.width // 32) == (7, 7)
    return (WHOLE if fit else BODY).get(spec.name) if width == 1 else None
