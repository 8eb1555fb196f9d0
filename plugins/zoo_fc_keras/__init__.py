"""The chapter's fully connected network in Keras: two hidden layers of 200 units.

Chapter 10, "Classification of MNIST using FC network with Keras".
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
from keras import layers

from zoo import Figure, Model, RunContext, Spec, hookimpl

HIDDEN = 200
DROPOUT = 0.15


@hookimpl
def zoo_build(spec: Spec) -> keras.Model:
    inputs = keras.Input((spec.height, spec.width, spec.channels))
    x = layers.Rescaling(1 / 255, name="rescaling")(inputs)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(HIDDEN, activation="relu", name="hidden1")(x)
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    x = layers.Dense(HIDDEN, activation="relu", name="hidden2")(x)
    return keras.Model(inputs, layers.Dense(spec.classes, name="predictions")(x), name=spec.name)


@hookimpl
def zoo_visualize(model: Model, run: RunContext | None) -> Iterator[Figure]:
    """The chapter's "What NN sees": W1 @ W2 @ W3 as one image per class."""
    from zoo.figures import weight_images

    if run is None or run.spec.channels != 1 or run.spec.classes > 10:
        return
    product = np.linalg.multi_dot([np.asarray(model.get_layer(name).kernel) for name in ("hidden1", "hidden2", "predictions")])
    yield weight_images(product, run.spec.height, run.spec.width, "What the network sees: W1 @ W2 @ W3", "weights")
