"""The quicker kernels do Keras' arithmetic, and leave no trace in the network."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from zoo import hardware
from zoo.recipes import Recipe
from zoo.training import kernels
from zoo.training.engine import Trainer
from zoo.training.feeder import Feeder, Plan
from zoo.training.freezing import layers_of
from zoo.types import Part


@pytest.fixture
def amx(monkeypatch):
    """As on a processor with a matrix unit; the products themselves are right on any."""
    monkeypatch.setattr(hardware, "has_matrix_unit", lambda: True)


def net(dtype="float32", **normalization):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 12, 3), dtype="float32")
    x = layers.Conv2D(8, 3, padding="same", dtype=dtype)(inputs)
    x = layers.BatchNormalization(dtype=dtype, **normalization)(x)
    x = layers.Activation("relu", dtype=dtype)(x)
    x = layers.MaxPooling2D(2, dtype=dtype)(x)
    x = layers.Conv2D(8, (1, 3), dtype=dtype)(x)
    x = layers.Conv2D(8, 1, strides=2, use_bias=False, dtype=dtype)(x)
    return keras.Model(inputs, layers.Dense(2, dtype="float32")(layers.GlobalAveragePooling2D()(x)))


def step(model, images, faster):
    """The outputs of a training step, its gradients, and the moving statistics after it."""

    @tf.function
    def take():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(tf.square(logits - 1.0))
        return logits, tape.gradient(loss, model.trainable_variables)

    if faster:
        with kernels.quick(model):
            logits, gradients = take()
    else:
        logits, gradients = take()
    return [np.asarray(value) for value in (logits, *gradients, *model.non_trainable_variables)]


def images(count=6):
    return tf.constant(np.random.default_rng(0).normal(0, 3, (count, 12, 12, 3)), tf.float32)


def assert_close(ours, theirs, tolerance):
    for own, other in zip(ours, theirs, strict=True):
        assert own.shape == other.shape
        scale = max(0.1, np.abs(other).max())  # the gradient of a bias before a normalization is but rounding
        assert np.abs(own - other).max() <= tolerance * scale


@pytest.mark.parametrize("normalization", [{}, {"scale": False, "center": False, "momentum": 0.5, "epsilon": 1e-5}])
@pytest.mark.parametrize("count", [1, 6])
def test_a_fused_batch_normalization_is_that_of_keras(normalization, count):
    theirs = step(net(**normalization), images(count), faster=False)
    assert_close(step(net(**normalization), images(count), faster=True), theirs, 1e-4)


def test_in_bfloat16_it_is_as_near_to_float32_as_that_of_keras(amx):
    exact = step(net(), images(), faster=False)
    keras_own, ours = (step(net("mixed_bfloat16"), images(), faster) for faster in (False, True))
    assert_close(keras_own, exact, 0.1)
    assert_close(ours, exact, 0.1)


@pytest.mark.parametrize("size", [2, 3, 8, 12])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kernel", "strides"), [(1, 1), (1, 2), (3, 1), (2, 1), ((1, 7), 1), ((7, 1), 1)])
def test_matrix_products_are_the_gradient_of_a_filter(kernel, strides, padding, size):
    rng = np.random.default_rng(0)
    high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
    size = max(size, high, wide) if padding == "valid" else size
    shape = (high, wide, 5, 4)
    seen = tf.constant(rng.normal(size=(3, size, size, 5)), tf.float32)
    # the maps are linear in the filter, so that its gradient along any direction is the maps of that direction
    # (TensorFlow's own gradient of a 1x1 filter with strides writes past its memory where channels are few: 2.21)
    for direction in rng.normal(size=(3, *shape)).astype("float32"):
        maps = tf.nn.conv2d(seen, direction, strides, padding.upper())
        above = tf.constant(rng.normal(size=maps.shape), tf.float32)
        ours = kernels._filter_gradient(seen, above, shape, (strides, strides), padding.upper())
        assert np.isclose(np.sum(ours * direction), np.sum(above * maps), rtol=1e-4, atol=1e-3)


def test_only_what_is_quicker_is_replaced(amx):
    model = net("mixed_bfloat16")
    frozen = net("mixed_bfloat16")
    frozen.trainable = False
    before = [dict(vars(layer)) for layer in model.layers]
    with kernels.quick(model), kernels.quick(frozen):
        replaced = [layer for layer in model.layers if {"call", "convolution_op"} & set(vars(layer))]
        assert [type(layer).__name__ for layer in replaced] == ["Conv2D", "BatchNormalization", "Conv2D", "Conv2D"]
        assert not [layer for layer in frozen.layers if {"call", "convolution_op"} & set(vars(layer))]
    assert [dict(vars(layer)) for layer in model.layers] == before


def test_an_error_within_leaves_the_network_as_it_was():
    model = net()
    with pytest.raises(RuntimeError), kernels.quick(model):
        raise RuntimeError
    assert not [layer for layer in model.layers if "call" in vars(layer)]


def test_large_maps_keep_their_own_gradient(amx):
    model = net("mixed_bfloat16")
    with kernels.quick(model):
        graph = tf.function(lambda x: tf.gradients(model(x, training=True), model.trainable_variables))
        kinds = [node.type for node in graph.get_concrete_function(images()).graph.get_operations()]
    assert kinds.count("Conv2DBackpropFilter") == 1  # 12 pixels wide; the others are 4 and 2
    assert kinds.count("FusedBatchNormV3") == 1


def test_maps_of_unknown_size_keep_their_own_gradient(amx):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layers.Conv2D(4, 1)(inputs))
    with kernels.quick(model):
        graph = tf.function(lambda x: tf.gradients(model(x), model.trainable_variables))
        shape = tf.TensorSpec([None, None, None, 3])
        kinds = [node.type for node in graph.get_concrete_function(shape).graph.get_operations()]
    assert "Conv2DBackpropFilter" in kinds


def test_layers_of_inner_models_are_found_once():
    inner = net()
    inputs = keras.Input((12, 12, 3))
    outer = keras.Model(inputs, inner(inputs) + inner(inputs))
    found = layers_of(outer)
    assert len({id(layer) for layer in found}) == len(found)
    assert {id(layer) for layer in inner.layers if layer.weights} <= set(map(id, found))
    assert layers_of(tf.Module()) == []
    with kernels.quick(outer), kernels.quick(tf.Module()):
        assert [layer for layer in inner.layers if "call" in vars(layer)] == [inner.layers[2]]
    assert not [layer for layer in inner.layers if "call" in vars(layer)]


def test_the_engine_s_step_calls_them():
    recipe = Recipe(image_size=12, batch_size=2)
    trainer = Trainer(net(), recipe, 12)
    part = Part(np.zeros((2, 12, 12, 3), np.uint8), np.arange(2), np.array([0, 1]), [])
    trainer.run(next(iter(Feeder(Plan(recipe, 0, 2, 12), part, 0, 1))))
    (traced,) = trainer._run._list_all_concrete_functions()
    assert 'op: "FusedBatchNormV3"' in str(traced.graph.as_graph_def())
