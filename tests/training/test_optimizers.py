"""The fused Adam does Keras' arithmetic; decay spares vectors."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.recipes import Recipe
from zoo.training.optimizers import FusedAdam, decay, make_optimizer


def trained(optimizer, steps=20):
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=shape).astype("float32")) for shape in ((7, 5), (5,))]
    optimizer.build(variables)
    for _ in range(steps):
        optimizer.apply([tf.constant(rng.normal(size=v.shape).astype("float32")) for v in variables], variables)
    return [np.asarray(v) for v in variables]


@pytest.mark.parametrize("clip", [None, 0.5])
def test_the_fused_adam_agrees_with_keras(clip):
    options = {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-6, "global_clipnorm": clip}
    for ours, theirs in zip(trained(FusedAdam(**options)), trained(keras.optimizers.Adam(**options)), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_it_trains_plain_tensorflow_variables_as_well():
    variable = tf.Variable([[3.0, -2.0]])
    optimizer = make_optimizer(Recipe(optimizer="adam", learning_rate=0.1), [variable])
    for _ in range(200):
        optimizer.apply([2 * variable], [variable])
    assert np.abs(variable.numpy()).max() < 0.05


def test_decay_shrinks_matrices_and_spares_vectors():
    matrix, vector = keras.Variable(np.ones((3, 2), "float32")), keras.Variable(np.ones(2, "float32"))
    decay([matrix, vector], tf.constant(0.1))
    assert np.allclose(matrix, 0.9)
    assert np.allclose(vector, 1.0)


@pytest.mark.parametrize(("name", "momentum"), [("sgd", 0.9), ("gradient-descent", 0.0)])
def test_plain_gradient_descent_has_no_momentum(name, momentum):
    optimizer = make_optimizer(Recipe(optimizer=name), [tf.Variable([1.0])])
    assert optimizer.momentum == momentum
