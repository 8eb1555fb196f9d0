"""The chapter's own training: plain gradient descent over minibatches in a fixed order.

It is also the example of a plugin that brings a training loop of its own: all it uses of the run are
`restore`, `checkpoint`, `log`, `figure` and `stopping`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from zoo import Data, History, Part, Recipe, RunContext
from zoo.figures import filter_grid, weight_images

EVERY = 500
UNITS = 225


def train(model: Any, data: Data, recipe: Recipe, run: RunContext) -> History:
    """Train for `recipe.steps` steps; every 500th is evaluated and drawn, before its checkpoint."""
    variables = {variable.name: variable for variable in model.trainable_variables}
    state = run.restore()
    step = 0
    if state is not None:
        step = int(state.pop("step"))
        for name, value in state.items():
            variables[name].assign(value)
    images = tf.constant(data.train.take(), tf.uint8)
    labels = tf.constant(data.train.labels)
    descend = tf.function(lambda first, last: _descend(model, images, labels, recipe, first, last))
    while step < recipe.steps:
        # the evaluated steps are 0, 500, 1000, ...: each ends a call
        last = min(-(-step // EVERY) * EVERY + 1, recipe.steps)
        loss, accuracy = descend(tf.constant(step), tf.constant(last))
        step = last
        if (step - 1) % EVERY == 0:
            _report(model, step - 1, float(loss), float(accuracy), data.validation, recipe, run)
        run.checkpoint(step, {"step": np.array(step), **{name: v.numpy() for name, v in variables.items()}})
        if run.stopping:
            return run.history
    run.figure(_hidden_units(model, run))
    return run.history


def _descend(model: Any, images: Any, labels: Any, recipe: Recipe, first: Any, last: Any) -> Any:
    """Run the steps from `first` to before `last`; return the last one's minibatch loss and accuracy."""
    loss, accuracy = tf.constant(0.0), tf.constant(0.0)
    for step in tf.range(first, last):
        offset = (step * recipe.batch_size) % (tf.shape(labels)[0] - recipe.batch_size)
        x = tf.cast(images[offset : offset + recipe.batch_size], tf.float32)
        y = labels[offset : offset + recipe.batch_size]
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
            norms = tf.nn.l2_loss(model.weights1) + tf.nn.l2_loss(model.weights2)
            loss = tf.reduce_mean(losses) + recipe.l2 * norms
        for variable, gradient in zip(
            model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
        ):
            variable.assign_sub(recipe.learning_rate * gradient)
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))
    return loss, accuracy


def _report(
    model: Any, step: int, loss: float, accuracy: float, validation: Part, recipe: Recipe, run: RunContext
) -> None:
    logits = model(tf.cast(validation.take(), tf.float32))
    right = float(np.mean(np.argmax(logits, 1) == validation.labels))
    run.log(step, loss=loss, accuracy=accuracy, validation_accuracy=right)
    title = f"W1 @ W2 after step {step}, lambda = {recipe.l2:g}"
    product = np.asarray(model.weights1) @ np.asarray(model.weights2)
    run.figure(weight_images(product, run.spec.height, run.spec.width, title, f"weights-step-{step:04}"))


def _hidden_units(model: Any, run: RunContext) -> Any:
    """The weights of 225 hidden units, chosen at random, as images in a 15x15 grid."""
    chosen = np.random.default_rng(run.spec.seed).choice(model.weights1.shape[1], UNITS, replace=False)
    images = np.asarray(model.weights1).T[chosen].reshape(UNITS, run.spec.height, run.spec.width, -1)
    return filter_grid(images, 15, 15, "225 of the 1,024 hidden units: their weights W1", "hidden-units")
