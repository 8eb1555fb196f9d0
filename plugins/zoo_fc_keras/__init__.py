"""`fc-keras`: two hidden layers of 200 ReLU units with dropout between them, in Keras.

Papers: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors, for the
network; Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting.
The widths and the dropout rate are those of S. Dey, Deep Learning Models in Image Processing, chapter 10.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
from keras import layers

from zoo import Figure, RunContext, Spec, figures, hookimpl


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


@hookimpl
def zoo_watch(model: keras.Model, run: RunContext, step: int) -> Iterator[Figure]:
    """What the network sees as training goes on."""
    yield _what_it_sees(model, run, f"What {run.spec.name} sees after step {step:,}", f"sees-{step:05}")


@hookimpl
def zoo_visualize(model: keras.Model, run: RunContext | None) -> Iterator[Figure]:
    """The chapter's "What NN sees", once there is a run."""
    if run is not None:
        yield _what_it_sees(model, run, f"What {run.spec.name} sees: W1 @ W2 @ W3", "sees")


def _what_it_sees(model: keras.Model, run: RunContext, title: str, name: str) -> Figure:
    """The product of the three weight matrices, an image per class."""
    spec = run.spec
    matrices = [np.asarray(model.get_layer(layer).kernel) for layer in ("hidden1", "hidden2", "logits")]
    size = (spec.height, spec.width, spec.channels)
    product = np.linalg.multi_dot(matrices)
    return figures.weight_images(product, size, title, spec.class_names, name, rehearsal=run.rehearsal)
