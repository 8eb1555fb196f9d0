"""Frozen layers stay as they are to the last bit; the rate falls with the distance from the output."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from zoo.errors import UsageError
from zoo.recipes import Recipe
from zoo.training import augmentation
from zoo.training.engine import Trainer
from zoo.training.feeder import Chunk
from zoo.training.freezing import freeze, rate_shares

STEPS, BATCH = 4, 8


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((6, 6, 3))
    x = layers.Rescaling(1 / 255, name="rescale")(x)
    for block in ("one", "two"):
        x = layers.Conv2D(4, 3, name=f"{block}_conv")(x)
        x = layers.BatchNormalization(momentum=0.5, name=f"{block}_bn")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, layers.Dense(3, name="head")(x))


def trained(model: keras.Model, **recipe: Any) -> dict[str, float]:
    """How far each variable moved in a few steps."""
    trainer = Trainer(model, Recipe(image_size=6, batch_size=BATCH, **recipe), 6)
    before = {variable.path: variable.numpy() for variable in model.weights}
    generator = np.random.default_rng(0)
    chunk = Chunk(
        0,
        STEPS,
        BATCH,
        generator.integers(0, 256, (STEPS * BATCH, 6, 6, 3), np.uint8),
        generator.integers(0, 3, STEPS * BATCH),
        np.full(STEPS, 1e-3, np.float32),
        np.zeros((STEPS * BATCH, 0), np.float32),
        augmentation.columns(Recipe(), 6, 6, 3),
    )
    trainer.run(chunk)
    return {variable.path: float(np.abs(variable.numpy() - before[variable.path]).max()) for variable in model.weights}


def still(moved: dict[str, float]) -> set[str]:
    return {path.partition("/")[0] for path, distance in moved.items() if distance == 0}


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        ("", set()),
        ("one*", {"one_conv", "one_bn"}),
        ("*_bn", {"one_bn", "two_bn"}),
        ("one_conv, *_bn", {"one_conv", "one_bn", "two_bn"}),
        ("backbone", {"one_conv", "one_bn", "two_conv", "two_bn"}),
    ],
)
def test_what_matches_stays_statistics_included_and_all_else_moves(patterns, frozen):
    moved = trained(network(), freeze=patterns, weight_decay=0.1, l2=0.1)
    assert still(moved) == frozen
    assert all(distance == 0 for path, distance in moved.items() if path.partition("/")[0] in frozen)


def test_a_frozen_normalisation_normalises_by_its_statistics_in_training_too():
    model = network()
    images = np.random.default_rng(0).uniform(0, 255, (8, 6, 6, 3)).astype(np.float32)
    assert not np.allclose(model(images, training=True), model(images, training=False), atol=1e-3)
    freeze(model, "*_bn")
    assert np.array_equal(model(images, training=True), model(images, training=False))


def test_freezing_does_not_change_the_order_in_which_variables_are_kept():
    model = network()
    before = [variable.path for variable in model.variables]
    freeze(model, "backbone")
    assert [variable.path for variable in model.variables] == before


def test_a_pattern_that_matches_nothing_is_a_mistake_that_names_the_nearest():
    with pytest.raises(UsageError, match=r"no layer with weights matches 'one_con'.*Did you mean 'one_conv'"):
        freeze(network(), "one_con")


def test_freezing_everything_is_a_mistake():
    with pytest.raises(UsageError, match="nothing to train"):
        freeze(network(), "*")


@pytest.mark.parametrize("key", [{"freeze": "backbone"}, {"layer_decay": 0.5}])
def test_a_network_without_layers_is_refused_in_words(key):
    class Raw(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable(tf.zeros([3]))

        trainable_variables = property(lambda self: (self.w,))
        variables = trainable_variables

    with pytest.raises(UsageError, match="network of Keras layers"):
        Trainer(Raw(), Recipe(image_size=6, **key), 6)


def test_the_rate_falls_by_a_factor_with_each_block():
    model = network()
    shares = dict(zip([v.path for v in model.trainable_variables], rate_shares(model, 0.5), strict=True))
    assert shares["head/kernel"] == shares["head/bias"] == 1
    assert shares["two_conv/kernel"] == shares["two_bn/gamma"] == 0.5
    assert shares["one_conv/kernel"] == 0.25


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_steps_are_as_small_as_the_shares_say(optimizer):
    plain = trained(network(), optimizer=optimizer)
    decayed = trained(network(), optimizer=optimizer, layer_decay=1e-3)
    assert decayed["head/kernel"] == pytest.approx(plain["head/kernel"], rel=0.3)
    assert decayed["two_conv/kernel"] == pytest.approx(plain["two_conv/kernel"] * 1e-3, rel=0.5)
    assert decayed["one_conv/kernel"] < plain["one_conv/kernel"] * 1e-5


def test_weight_decay_falls_with_the_rate():
    model = network()
    kernel = model.get_layer("one_conv").kernel
    before = kernel.numpy()
    trained(model, layer_decay=1e-3, weight_decay=100.0)
    assert np.abs(kernel.numpy()).sum() > 0.99 * np.abs(before).sum()
