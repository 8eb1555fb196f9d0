"""The loss of a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from zoo.recipes import Recipe
from zoo.training.augmented import Targets
from zoo.types import Model


def summed(recipe: Recipe, logits: Any, targets: Targets) -> Any:
    """The sum of the examples' losses, a float32 scalar: softmax cross-entropy of float32 logits [n, classes]."""
    terms = [
        losses if weights is None else weights * losses
        for losses, weights in ((_cross_entropy(recipe, logits, labels), weights) for labels, weights in targets.terms)
    ]
    return tf.reduce_sum(terms[0] if len(terms) == 1 else tf.add_n(terms))


def _cross_entropy(recipe: Recipe, logits: Any, labels: Any) -> Any:
    smoothing, classes = recipe.label_smoothing, logits.shape[-1]
    if not smoothing:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    targets = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)


def penalty(recipe: Recipe, model: Model, weights: Sequence[Any]) -> Any:
    """What the weights add to the mean loss: the model's own losses, and the recipe's l2."""
    total = tf.add_n([tf.cast(loss, tf.float32) for loss in getattr(model, "losses", [])] or [0.0])
    if recipe.l2:
        matrices = [tf.convert_to_tensor(v) for v in weights if len(v.shape) > 1]
        total += recipe.l2 * tf.add_n([tf.nn.l2_loss(matrix) for matrix in matrices])
    return total
