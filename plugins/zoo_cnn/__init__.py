"""The chapter's two small convolutional networks, `cnn` and `cnn-5x5`.

Chapter 10, "Classification of MNIST using Convolutional neural network with Keras". Both end in two dense
layers; a table says how they differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from zoo import Spec, UsageError, hookimpl


@dataclass(frozen=True)
class Network:
    """Filters and kernel size of the convolutions, units of the dense layer, dropout before and after it."""

    filters: tuple[int, ...]
    kernel: int
    units: int
    dropout: tuple[float, float] = (0.0, 0.0)


NETWORKS = {
    "cnn": Network(filters=(32, 64), kernel=3, units=128, dropout=(0.25, 0.5)),
    "cnn-5x5": Network(filters=(64,), kernel=5, units=100),
}
OPTIONS: dict[str, Any] = {"rescale": True}


@hookimpl
def zoo_build(spec: Spec) -> keras.Model:
    network = NETWORKS[spec.name]
    options = OPTIONS | dict(spec.options)
    if not isinstance(options["rescale"], bool):
        raise UsageError(f"{spec.name}: rescale must be true or false. Received: {options['rescale']!r}")
    x = inputs = keras.Input((spec.height, spec.width, spec.channels))
    if options["rescale"]:
        x = layers.Rescaling(1 / 255, name="rescaling")(x)
    for number, filters in enumerate(network.filters, start=1):
        x = layers.Conv2D(filters, network.kernel, activation="relu", name=f"conv{number}")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = dropped(x, network.dropout[0], "pool_dropout")
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(network.units, activation="relu", name="dense")(x)
    x = dropped(x, network.dropout[1], "dense_dropout")
    return keras.Model(inputs, layers.Dense(spec.classes, name="predictions")(x), name=spec.name)


def dropped(x: Any, rate: float, name: str) -> Any:
    """Dropout, where the network has it."""
    return layers.Dropout(rate, name=name)(x) if rate else x
