"""Keras' layers with quicker kernels, while a training step is traced.

The network stays Keras' own, on disk too: only what its layers call is another, for as long as it is traced.

BatchNormalization (Ioffe and Szegedy, 2015, arXiv:1502.03167): Keras casts the input to float32, and takes moments,
normalization and their gradients operation by operation, each over the whole input; in bfloat16 on a processor this
can cost more than the convolutions between. TensorFlow's fused kernel does it in a pass or two, its statistics in
float32 as well.

Convolutions on a processor: the gradient of a filter is summed along the rows of a map. A matrix unit (AMX) takes 32
positions at once, so that for the small maps of a deep network most of its work is on padding. As one matrix product
for each position of the filter, over all images, it is up to ten times as fast. That of a 1x1 filter is one product on
any processor, no slower; with strides and few channels TensorFlow's own writes past its memory (2.21, AVX-512).

`benchmarks/engine.py` measures both, against Keras' `fit`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any

import keras
import tensorflow as tf

from zoo import hardware
from zoo.training.freezing import layers_of
from zoo.types import Model

SMALL_MAP = 8
"""Up to this width in pixels, the matrix products of filters larger than 1x1 are faster on a matrix unit."""


@contextmanager
def quick(model: Model) -> Iterator[None]:
    """Within it, the layers of a Keras model for which there is a quicker kernel call that."""
    layers = layers_of(model)
    replaced = [(layer, "call", partial(_normalize, layer)) for layer in layers if _is_batch_normalization(layer)]
    if not tf.config.list_physical_devices("GPU"):
        small = SMALL_MAP if hardware.has_matrix_unit() else 0
        replaced += [
            (layer, "convolution_op", partial(_convolve, layer, small)) for layer in layers if _is_convolution(layer)
        ]
    for layer, name, function in replaced:
        vars(layer)[name] = function  # not by assignment, which Keras takes for a part of the layer
    try:
        yield
    finally:
        for layer, name, _ in replaced:
            del vars(layer)[name]


def _is_batch_normalization(layer: Any) -> bool:
    """One over [batch, height, width, channels] that takes its batch's statistics, on this device alone."""
    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.trainable
        and layer.input_spec.ndim == 4
        and layer.axis in (-1, 3)
        and not layer.renorm
        and not layer.synchronized
        and layer.compute_dtype in ("bfloat16", "float16", "float32")
    )


def _normalize(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    """As `keras.layers.BatchNormalization.call`."""
    if not training or mask is not None:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    channels = inputs.shape[-1]
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones([channels]),
        offset=tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros([channels]),
        mean=tf.zeros([0]),
        variance=tf.zeros([0]),
        epsilon=layer.epsilon,
        is_training=True,
    )
    count = tf.cast(tf.size(inputs) // channels, tf.float32)
    variance *= tf.maximum(count - 1.0, 1.0) / count  # the kernel divides by one less, Keras by the count
    for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + value * (1.0 - layer.momentum))
    return outputs


def _is_convolution(layer: Any) -> bool:
    """One over [batch, height, width, channels] whose filter sees each position, or is 1x1."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.trainable
        and layer.data_format == "channels_last"
        and layer.groups == 1
        and layer.dilation_rate == (1, 1)
        and (layer.strides == (1, 1) or layer.kernel_size == (1, 1))
    )


def _convolve(layer: Any, small: int, inputs: Any, kernel: Any) -> Any:
    """As the `convolution_op` of `keras.layers.Conv2D`; `small` is the greatest width of a small map."""
    sides = layer.compute_output_shape(inputs.shape)[1:3]
    if None in sides or not (layer.kernel_size == (1, 1) or (inputs.dtype == tf.bfloat16 and sides[1] <= small)):
        return type(layer).convolution_op(layer, inputs, kernel)
    strides, padding = [1, *layer.strides, 1], layer.padding.upper()

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolve(images: Any, filters: Any) -> Any:
        maps = tf.nn.conv2d(images, filters, strides, padding)

        def gradient(above: Any) -> tuple[Any, Any]:
            below = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(images), filter=filters, out_backprop=above, strides=strides, padding=padding
            )
            return below, _filter_gradient(images, above, filters.shape, layer.strides, padding)

        return maps, gradient

    return convolve(inputs, tf.convert_to_tensor(kernel))


def _filter_gradient(images: Any, above: Any, shape: Any, strides: tuple[int, int], padding: str) -> Any:
    """The gradient [height, width, in, out] of a filter, from its input and the gradient of its output."""
    high, wide, channels, filters = shape
    if padding == "SAME":
        images = tf.pad(images, [[0, 0], [(high - 1) // 2, high // 2], [(wide - 1) // 2, wide // 2], [0, 0]])
    down, right = strides
    rows, columns = above.shape[1:3]
    flat = tf.reshape(above, [-1, filters])
    products = []
    for top, left in product(range(high), range(wide)):
        seen = images[:, top : top + down * rows : down, left : left + right * columns : right]
        products.append(tf.matmul(tf.reshape(seen, [-1, channels]), flat, transpose_a=True))
    return tf.reshape(tf.stack(products), shape)
