"""Keras' optimizers, with Adam's update in TensorFlow's one fused kernel, and decoupled weight decay.

Keras writes Adam as about ten elementwise operations over each variable and its two moments; for a network
with many weights (VGG-16) memory traffic then takes a good part of a step. The fused kernel does the same
arithmetic in one pass. `benchmarks/optimizer.py` measures the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import keras
import tensorflow as tf

from zoo.recipes import Recipe


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # Keras is Any here
    """Adam (Kingma and Ba, 2015) whose update of a variable is one kernel."""

    def begin_step(self) -> None:
        """Compute the bias corrections, alike for all variables, once; `apply` does it."""
        step = tf.cast(self.iterations + 1, tf.float32)
        self._powers = tf.pow(tf.constant(self.beta_1), step), tf.pow(tf.constant(self.beta_2), step)

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """Update all variables."""
        self.begin_step()
        return super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable and its moments in place; a sparse gradient is left to Keras."""
        if isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        beta1_power, beta2_power = self._powers
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=beta1_power,
            beta2_power=beta2_power,
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class _Layered:
    """Gives each variable its own share of the learning rate."""

    shares: Sequence[float] = ()

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if self.shares:
            learning_rate = learning_rate * self.shares[self._get_variable_index(variable)]  # type: ignore[attr-defined]
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]


class LayeredAdam(_Layered, FusedAdam):
    """Adam with a share of the rate for each variable."""


class LayeredSGD(_Layered, keras.optimizers.SGD):  # type: ignore[misc]  # Keras is Any here
    """Stochastic gradient descent with a share of the rate for each variable."""


def make_optimizer(recipe: Recipe, variables: Sequence[Any], shares: Sequence[float] = ()) -> Any:
    """The optimizer of a recipe, built for `variables`. The engine sets its rate before each step; `shares` are the
    variables' shares of it, all 1 if there are none."""
    clip = recipe.clip_norm or None
    if recipe.optimizer in ("sgd", "gradient-descent"):
        momentum = recipe.momentum if recipe.optimizer == "sgd" else 0.0
        made = LayeredSGD(recipe.learning_rate, momentum=momentum, nesterov=momentum > 0, global_clipnorm=clip)
    else:
        made = LayeredAdam(
            recipe.learning_rate,
            beta_1=recipe.momentum,
            beta_2=recipe.beta_2,
            epsilon=recipe.epsilon,
            global_clipnorm=clip,
        )
    made.shares = shares
    made.build(list(variables))
    return made


def decay(variables: Sequence[Any], share: Any, shares: Sequence[float] = ()) -> None:
    """Shrink each weight matrix by a share, in place; norms and biases (vectors) are spared.

    With share = learning rate x weight decay this is AdamW's decoupled decay (Loshchilov and Hutter, 2019), which
    falls with the rate: `shares` are those of `make_optimizer`.
    """
    for variable, own in zip(variables, shares or repeat(1.0), strict=False):
        if len(variable.shape) > 1:
            value = tf.convert_to_tensor(variable)
            tf.raw_ops.ResourceApplyGradientDescent(var=_handle(variable), alpha=share * own, delta=value)


def _handle(variable: Any) -> Any:
    """The resource of a Keras or a TensorFlow variable."""
    return variable.value.handle if isinstance(variable, keras.Variable) else variable.handle
