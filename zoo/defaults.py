"""Core's own answers to the working hooks, each an object of its own.

A plugin that overrides a hook and wants the default as well calls the function: `zoo.defaults.train(...)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.hookspecs import hookimpl
from zoo.types import Data, Figures, History, Model, RunContext, View

if TYPE_CHECKING:
    from zoo.recipes import Recipe


def train(model: Model, data: Data, recipe: Recipe, run: RunContext) -> History:
    """Train `model` in place with the zoo's engine, or as a probe where the recipe trains the head alone."""
    from zoo.runs.active import ActiveRun
    from zoo.training import probe
    from zoo.training.engine import Engine

    if not isinstance(run, ActiveRun):
        raise TypeError(f"run must be the one that zoo_train was given. Received: {type(run).__name__}")
    if run.strategy is None and probe.applies(model, recipe):
        return probe.train(model, data, recipe, run)
    return Engine(model, data, recipe, run).train()


def predict(model: Model, images: Any) -> Any:
    """Forward pass and softmax: float32 [n, height, width, channels], 0..255, to float32 [n, classes]."""
    import tensorflow as tf

    return tf.nn.softmax(tf.cast(model(images, training=False), tf.float32))


def visualize(model: Model, data: Data | None, run: RunContext | None, view: View | None = None) -> Figures:
    """Core's own figures: see `zoo.figures.CATALOGUE`."""
    from zoo import figures

    yield from figures.standard(model, data, run, view)


class TrainDefault:
    """Core's `zoo_train`."""

    hook = "zoo_train"

    @hookimpl
    def zoo_train(self, model: Model, data: Data, recipe: Recipe, run: RunContext) -> History:
        return train(model, data, recipe, run)


class PredictDefault:
    """Core's `zoo_predict`."""

    hook = "zoo_predict"

    @hookimpl
    def zoo_predict(self, model: Model, images: Any) -> Any:
        return predict(model, images)


class VisualizeDefault:
    """Core's `zoo_visualize`; it never replaces a plugin's, its figures come first."""

    hook = "zoo_visualize"

    @hookimpl
    def zoo_visualize(self, model: Model, data: Data | None, run: RunContext | None, view: View) -> Figures:
        return visualize(model, data, run, view)
