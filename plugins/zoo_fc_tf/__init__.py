"""`fc-tf`: one hidden layer of 1024 ReLU units, in TensorFlow's own operations and variables.

Paper: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.
Network, loss and gradient descent are those of S. Dey, Deep Learning Models in Image Processing, chapter 10.
It shows both ends of the contract: a network that is no Keras model, and a `zoo_train` of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import tensorflow as tf

from zoo import Data, Figure, Graph, History, Node, Recipe, RunContext, Spec, defaults, hookimpl, options
from zoo_fc_tf import gradient_descent
from zoo_fc_tf.pictures import what_it_sees

HIDDEN = 1024
INITS = ("he", "truncated_normal_1")


class OneHiddenLayer(tf.Module):
    """float32 images [n, height, width, channels], 0..255, to float32 logits [n, classes]."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(name="one_hidden_layer")
        self.scale = 1 / 255 if options.flag(spec, "rescale", True) else 1.0
        inputs = spec.height * spec.width * spec.channels
        self.graph = _graph(spec, inputs, rescaled=self.scale != 1)
        self.weights1 = _weights(spec, 0, [inputs, HIDDEN], "weights1")
        self.biases1 = tf.Variable(tf.zeros([HIDDEN]), name="biases1")
        self.weights2 = _weights(spec, 1, [HIDDEN, spec.classes], "weights2")
        self.biases2 = tf.Variable(tf.zeros([spec.classes]), name="biases2")

    def __call__(self, images: Any, training: bool = False) -> Any:
        pixels = tf.reshape(images, [-1, self.weights1.shape[0]]) * self.scale
        hidden = tf.nn.relu(pixels @ self.weights1 + self.biases1)
        return hidden @ self.weights2 + self.biases2


def _graph(spec: Spec, inputs: int, rescaled: bool) -> Graph:
    """What diagrams and tables show of it: nothing outside can see into operations on variables."""
    shape = (spec.height, spec.width, spec.channels)
    first = ((inputs + 1) * HIDDEN, inputs * HIDDEN)
    last = ((HIDDEN + 1) * spec.classes, HIDDEN * spec.classes)
    nodes = (
        Node("input", "input", "Input", shape),
        Node("flatten", "reshape", "Flatten", (inputs,)),
        *([Node("scale", "preprocessing", "Rescale by 1/255", (inputs,))] * rescaled),
        Node("hidden", "dense", f"Dense {HIDDEN} + ReLU", (HIDDEN,), first[0], multiply_adds=first[1]),
        Node("logits", "dense", f"Dense {spec.classes}", (spec.classes,), last[0], multiply_adds=last[1]),
    )
    names = [node.name for node in nodes]
    return Graph(spec.title, nodes, tuple(pairwise(names)))


def _weights(spec: Spec, layer: int, shape: list[int], name: str) -> Any:
    """A matrix [inputs, outputs] drawn from a truncated normal distribution, a pure function of the seed."""
    he = options.choice(spec, "init", INITS) == "he"
    stddev = (2 / shape[0]) ** 0.5 if he else 1.0  # He et al. (2015), or the chapter's
    seed = tf.constant([spec.seed, layer], tf.int64)
    return tf.Variable(tf.random.stateless_truncated_normal(shape, seed, stddev=stddev), name=name)


@hookimpl
def zoo_build(spec: Spec) -> OneHiddenLayer:
    """Build the network. Options: `init` and `rescale` (False leaves the input in 0..255)."""
    return OneHiddenLayer(spec)


@hookimpl
def zoo_train(model: OneHiddenLayer, data: Data, recipe: Recipe, run: RunContext) -> History:
    """Train by the chapter's own loop where the recipe asks for it, else by the zoo's engine."""
    if recipe.optimizer == "gradient-descent":
        return gradient_descent.train(model, data, recipe, run)
    return defaults.train(model, data, recipe, run)


@hookimpl
def zoo_watch(model: OneHiddenLayer, run: RunContext, step: int) -> Iterator[Figure]:
    """What the network sees as the zoo's engine trains it; the chapter's loop draws by itself."""
    yield what_it_sees(model, run, f"What {run.spec.name} sees after step {step:,}: W1 @ W2", f"sees-{step:05}")


@hookimpl
def zoo_visualize(model: OneHiddenLayer, run: RunContext | None) -> Iterator[Figure]:
    """What the trained network sees; the 225 hidden units are core's."""
    if run is not None:
        yield what_it_sees(model, run, f"What {run.spec.name} sees: W1 @ W2", "sees")
