"""`fc-keras`: two hidden layers of 200 ReLU units with dropout between them, in Keras.

Papers: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors, for the
network; Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting.
The widths and the dropout rate are those of S. Dey, Deep Learning Models in Image Processing, chapter 10.
"""

from __future__ import annotations

import keras
from keras import layers

from zoo import Spec, hookimpl


@hookimpl
def zoo_build(spec: Spec) -> keras.Model:
    """float32 images [n, height, width, channels], 0..255, to logits [n, classes]."""
    return keras.Sequential(
        [
            keras.Input((spec.height, spec.width, spec.channels), name="image"),
            layers.Rescaling(1 / 255, name="rescale"),
            layers.Flatten(name="flatten"),
            layers.Dense(200, activation="relu", name="hidden1"),
            layers.Dropout(0.15, name="dropout"),
            layers.Dense(200, activation="relu", name="hidden2"),
            layers.Dense(spec.classes, name="logits"),
        ],
        name=spec.name,
    )
