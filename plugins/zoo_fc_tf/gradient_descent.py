"""Plain gradient descent over sliding minibatches, as in chapter 10: the training loop of the recipe `book`.

It uses only what a run offers in public: `restore`, `checkpoint`, `log`, `figure` and `stopping`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from zoo import Data, History, Part, Recipe, RunContext, ZooError
from zoo_fc_tf.pictures import what_it_sees

if TYPE_CHECKING:
    from zoo_fc_tf import OneHiddenLayer

Array = np.ndarray[Any, Any]
LOG_EVERY = 500
STEPS_PER_CALL = 100  # a part of a second, so that Ctrl-C is soon answered
IMAGES_PER_CALL = 1000


def train(model: OneHiddenLayer, data: Data, recipe: Recipe, run: RunContext) -> History:
    """Train `model` in place for `recipe.steps` steps, or for `recipe.epochs` where that is 0.

    Steps count from 0, as in the chapter. Steps 0, 500, 1000, ... and the last are logged: the minibatch's
    loss and accuracy before the step's update, and the accuracy on the validation images after it.
    Raises ZooError if the loss is no longer a finite number.
    """
    done = _restore(model, run.restore())
    steps = recipe.steps or max(1, recipe.epochs * len(data.train) // recipe.batch_size)
    held_out = data.validation if len(data.validation) else data.test
    descend = _descent(model, recipe)
    while done < steps and not run.stopping:
        end = min(_end_of_call(done), steps)
        images, labels = _minibatches(data.train, recipe.batch_size, range(done, end))
        loss, accuracy = (float(value) for value in descend(images, labels))
        done, step = end, end - 1
        if not math.isfinite(loss):
            raise ZooError(f"The training diverged: the loss became {loss} by step {step}. Try a lower learning_rate")
        logged = step % LOG_EVERY == 0 or done == steps
        if logged:
            run.log(step, loss=loss, accuracy=accuracy, validation_accuracy=_accuracy(model, held_out))
            title = f"What {run.spec.name} sees after step {step:,}, lambda = {recipe.l2:g}"
            run.figure(what_it_sees(model, run, title, f"sees-{step:05}"))
        if logged or run.stopping:
            run.checkpoint(done, _state(model, done))
    return run.history


def _end_of_call(done: int) -> int:
    """Where the call that begins with step `done` ends: before step 1, 101, 201, ..., never beyond a logged one."""
    return ((done - 1) // STEPS_PER_CALL + 1) * STEPS_PER_CALL + 1


def _minibatches(train: Part, batch_size: int, steps: range) -> tuple[Array, Array]:
    """Images uint8 [steps, batch, height, width, channels] and labels int64 [steps, batch].

    The minibatch slides through the training images, always in the same order, and starts again near the end.
    """
    offsets = [(step * batch_size) % max(1, len(train) - batch_size) for step in steps]
    rows = [slice(offset, offset + batch_size) for offset in offsets]
    return np.stack([train.take(row) for row in rows]), np.stack([train.labels[row] for row in rows])


def _descent(model: OneHiddenLayer, recipe: Recipe) -> Callable[[Array, Array], tuple[Any, Any]]:
    """A function that takes a step per minibatch and returns the last one's loss and accuracy (0..1)."""

    def take_a_step(images: Any, labels: Any) -> tuple[Any, Any]:
        weights = model.trainable_variables
        with tf.GradientTape() as tape:
            logits = model(tf.cast(images, tf.float32), training=True)
            errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            norms = tf.nn.l2_loss(model.weights1) + tf.nn.l2_loss(model.weights2)
            loss = tf.reduce_mean(errors) + recipe.l2 * norms
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(recipe.learning_rate * gradient)
        return loss, tf.reduce_mean(tf.cast(tf.argmax(logits, axis=-1) == labels, tf.float32))

    @tf.function(input_signature=[tf.TensorSpec([None] * 5, tf.uint8), tf.TensorSpec([None, None], tf.int64)])
    def descend(images: Any, labels: Any) -> tuple[Any, Any]:
        loss, accuracy = tf.constant(0.0), tf.constant(0.0)
        for step in tf.range(tf.shape(images)[0]):
            loss, accuracy = take_a_step(images[step], labels[step])
        return loss, accuracy

    return descend


def _accuracy(model: OneHiddenLayer, part: Part) -> float:
    """The share of a part's images that the network gets right, 0..1."""
    hits = 0
    for start in range(0, len(part), IMAGES_PER_CALL):
        rows = slice(start, start + IMAGES_PER_CALL)
        answers = tf.argmax(model(tf.cast(part.take(rows), tf.float32)), axis=-1).numpy()
        hits += int((answers == part.labels[rows]).sum())
    return hits / max(1, len(part))


# the state of a run: all that it needs to go on -----------------------------------------------------------------


def _state(model: OneHiddenLayer, done: int) -> dict[str, Array]:
    return {"step": np.array(done), **{variable.name: variable.numpy() for variable in model.variables}}


def _restore(model: OneHiddenLayer, state: Mapping[str, Array] | None) -> int:
    """Take a state over; return how many steps are done."""
    if state is None:
        return 0
    for variable in model.variables:
        variable.assign(state[variable.name])
    return int(state["step"])
