"""`cnn` and `cnn-5x5`: the two small convolutional networks, in Keras.

Paper: LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition.
The layers are those of S. Dey, Deep Learning Models in Image Processing, chapter 10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
from keras import layers

from zoo import Spec, hookimpl, options


@dataclass(frozen=True)
class Network:
    """Convolutions, each (filters, kernel size), then one max-pooling, then one hidden layer.

    `dropout` holds the rates after the pooling and after the hidden layer; 0: none.
    """

    convolutions: tuple[tuple[int, int], ...]
    hidden: int
    dropout: tuple[float, float] = (0.0, 0.0)


NETWORKS: Mapping[str, Network] = {
    "cnn": Network(convolutions=((32, 3), (64, 3)), hidden=128, dropout=(0.25, 0.5)),
    "cnn-5x5": Network(convolutions=((64, 5),), hidden=100),
}


@hookimpl
def zoo_build(spec: Spec) -> keras.Model:
    """float32 images [n, height, width, channels], 0..255, to logits [n, classes].

    Option `rescale`: False leaves the input in 0..255, as the chapter's `cnn` does.
    """
    network = NETWORKS[spec.name]
    after_pooling, after_hidden = network.dropout
    rescale = options.flag(spec, "rescale", True)
    model = keras.Sequential(name=spec.name)
    model.add(keras.Input((spec.height, spec.width, spec.channels), name="image"))
    if rescale:
        model.add(layers.Rescaling(1 / 255, name="rescale"))
    for number, (filters, size) in enumerate(network.convolutions, start=1):
        model.add(layers.Conv2D(filters, size, activation="relu", name=f"conv{number}"))
    model.add(layers.MaxPooling2D(2, name="pool"))
    if after_pooling:
        model.add(layers.Dropout(after_pooling, name="pool_dropout"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(network.hidden, activation="relu", name="hidden"))
    if after_hidden:
        model.add(layers.Dropout(after_hidden, name="hidden_dropout"))
    model.add(layers.Dense(spec.classes, name="logits"))
    return model
