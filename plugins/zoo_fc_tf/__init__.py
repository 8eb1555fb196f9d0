"""The chapter's first network, in raw TensorFlow: one hidden layer of 1024 units, no Keras.

Chapter 10, "Classification of MNIST using FC network with TF". The recipe `book` trains it with the chapter's own
gradient descent (`chapter.py`); every other recipe leaves that to the zoo's engine.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

import zoo
from zoo import Data, History, Recipe, RunContext, Spec, UsageError, hookimpl

HIDDEN = 1024
OPTIONS: dict[str, Any] = {"rescale": True, "init": "he"}
INITIALIZERS = ("he", "truncated_normal_1")


class FullyConnected(tf.Module):
    """relu(x @ W1 + b1) @ W2 + b2, of the flattened image x."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(name="fc_tf")
        options = OPTIONS | dict(spec.options)
        if options["init"] not in INITIALIZERS:
            raise UsageError(f"fc-tf: init must be one of {', '.join(INITIALIZERS)}. Received: {options['init']!r}")
        self.scale = 1 / 255 if options["rescale"] else 1.0
        self.pixels = spec.height * spec.width * spec.channels
        self.weights1 = tf.Variable(_weights(self.pixels, HIDDEN, (spec.seed, 1), options["init"]), name="weights1")
        self.biases1 = tf.Variable(tf.zeros(HIDDEN), name="biases1")
        self.weights2 = tf.Variable(_weights(HIDDEN, spec.classes, (spec.seed, 2), options["init"]), name="weights2")
        self.biases2 = tf.Variable(tf.zeros(spec.classes), name="biases2")

    def __call__(self, images: Any, training: bool = False) -> Any:
        """Float32 [batch, height, width, channels] in 0..255 to float32 logits [batch, classes]."""
        x = tf.reshape(images, (-1, self.pixels)) * self.scale
        hidden = tf.nn.relu(tf.matmul(x, self.weights1) + self.biases1)
        return tf.matmul(hidden, self.weights2) + self.biases2


def _weights(inputs: int, outputs: int, seed: tuple[int, int], init: str) -> Any:
    """Truncated normal of standard deviation 1 (the chapter's), or sqrt(2 / inputs) (He et al., 2015)."""
    deviation = 1.0 if init == "truncated_normal_1" else (2 / inputs) ** 0.5
    return tf.random.stateless_truncated_normal((inputs, outputs), seed=seed, stddev=deviation)


@hookimpl
def zoo_build(spec: Spec) -> FullyConnected:
    return FullyConnected(spec)


@hookimpl
def zoo_train(model: FullyConnected, data: Data, recipe: Recipe, run: RunContext) -> History:
    if recipe.optimizer != "gradient-descent":
        return zoo.defaults.train(model, data, recipe, run)
    from zoo_fc_tf import chapter

    return chapter.train(model, data, recipe, run)
