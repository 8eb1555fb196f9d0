"""Look into a network: the outputs of named layers, and how a class score depends on them.

It works on the network as rebuilt in float32. Layers can be seen in functional and Sequential Keras models;
of any other network only its class scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from zoo.errors import UsageError, nearest
from zoo.network.layers import calls, kind_of, traced
from zoo.network.stages import stage_of
from zoo.types import Model

Array: TypeAlias = np.ndarray[Any, Any]
BATCH = 100
LEAST_POSITIONS = 5  # a side of the maps that Grad-CAM looks at by default: coarser ones show no place


class MapLayer(NamedTuple):
    """A layer whose output is maps [height, width, channels]; `stage` is "" for none, kinds as in `graph`."""

    name: str
    kind: str
    stage: str
    height: int
    width: int
    channels: int


def map_layers(model: Model) -> list[MapLayer]:
    """The layers that give maps of features, in the data's order; none of a network that hides its layers.

    What only prepares the image is left out, as is a layer whose output varies in size.
    """
    found: list[MapLayer] = []
    for name, (operation, tensor) in _outputs(model).items():
        kind = kind_of(operation)
        shape = tuple(tensor.shape[1:])
        if (found or kind == "convolution") and len(shape) == 3 and None not in shape:
            found.append(MapLayer(name, kind, stage_of(name), *shape))
    return found


def _outputs(model: Any) -> dict[str, tuple[Any, Any]]:
    """Each operation of a model and its symbolic output, by name in the data's order; of a shared one the last."""
    return {op.name: (op, call.output_tensors[0]) for op, call in calls(model)} if traced(model) else {}


def default_layers(layers: Sequence[MapLayer]) -> list[str]:
    """The first convolution's maps and the last of each of the first stages, three in all, pooled ones left out.

    Where layers have no stages, the first two convolutions.
    """
    deep = [layer for layer in layers if layer.kind in ("convolution", "activation", "merge", "normalisation")]
    staged = [layer for layer in deep if layer.stage]
    if not staged:
        return [layer.name for layer in deep if layer.kind == "convolution"][:2]
    lasts = [list(members)[-1].name for _, members in groupby(staged, key=lambda layer: layer.stage)]
    return lasts[:3]


def chosen_layers(model: Model, wanted: Sequence[str]) -> list[str]:
    """The layers asked for, or the default ones. Raises UsageError, with the layers there are, for an unknown one."""
    layers = map_layers(model)
    names = [layer.name for layer in layers]
    for name in wanted:
        if name not in names:
            there = (
                f"Layers with maps of features: {', '.join(names)}" if names else "It has no convolutions to look at"
            )
            raise UsageError(f"There is no layer {name!r} with maps of features. {nearest(name, names)}{there}")
    return list(wanted) or default_layers(layers)


def cam_layer(layers: Sequence[MapLayer]) -> str | None:
    """The layer that Grad-CAM looks at: the last maps that no pooling made and that still show places."""
    deep = [layer for layer in layers if layer.kind not in ("pooling", "dropout", "reshape")]
    placed = [layer for layer in deep if min(layer.height, layer.width) >= LEAST_POSITIONS]
    return (placed or deep)[-1].name if deep else None


def activations(model: Any, images: Array, names: Sequence[str]) -> dict[str, Array]:
    """Outputs float32 [n, ...] of named layers for images [n, height, width, channels], 0..255."""
    import keras

    outputs = _outputs(model)
    inside = keras.Model(model.inputs, {name: outputs[name][1] for name in names})
    return {name: np.asarray(output) for name, output in inside(_tensor(images), training=False).items()}


def class_activation(model: Any, images: Array, layer: str, classes: Array) -> Array:
    """Grad-CAM of `classes` int64 [n] for images [n, height, width, channels], 0..255: float32 [n, h, w], 0 or more.

    The maps of `layer`, weighted each by the mean gradient of the class score (the logit) with respect to it,
    summed, and cut off below zero. Selvaraju et al. (2017), "Grad-CAM: Visual explanations from deep networks
    via gradient-based localization".
    """
    import keras
    import tensorflow as tf

    inside = keras.Model(model.inputs, [_outputs(model)[layer][1], model.outputs[0]])
    with tf.GradientTape() as tape:
        maps, logits = inside(_tensor(images), training=False)
        tape.watch(maps)
        scores = tf.gather(logits, tf.constant(classes, tf.int64), axis=1, batch_dims=1)
    weights = tf.reduce_mean(tape.gradient(scores, maps), axis=(1, 2), keepdims=True)
    return np.asarray(tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)))


def penultimate(model: Any, images: Array) -> tuple[Array, str]:
    """What the last layer with weights is given, float32 [n, features], and in words what that is.

    Maps are averaged over their positions. Of a network that hides its layers: the class scores.
    """
    import keras

    if not traced(model):
        return logits_of(model, images), "class scores, for the network shows no inner layer"
    last, given = [(op, call.input_tensors[0]) for op, call in calls(model) if getattr(op, "weights", ())][-1]
    inside = keras.Model(model.inputs, given)
    found = [np.asarray(inside(_tensor(images[rows]), training=False)) for rows in _batches(len(images))]
    features = np.concatenate(found)
    features = features.mean(axis=tuple(range(1, features.ndim - 1))) if features.ndim > 2 else features
    return features, f"values that the last layer ({last.name}) is given"


def logits_of(model: Any, images: Array) -> Array:
    """Class scores float32 [n, classes] of images [n, height, width, channels], 0..255."""
    found = [np.asarray(model(_tensor(images[rows]), training=False)) for rows in _batches(len(images))]
    return np.concatenate(found).astype(np.float32)


def probabilities_of(model: Any, images: Array) -> Array:
    """The softmax of the class scores, float32 [n, classes]."""
    logits = logits_of(model, images)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def first_kernel(model: Model) -> tuple[str, Array] | None:
    """The first convolution's name and weights [height, width, channels, filters]; None if there is none."""
    for layer in getattr(model, "layers", ()):
        kernel = getattr(layer, "kernel", None)
        if kind_of(layer) == "convolution" and kernel is not None and len(kernel.shape) == 4:
            return layer.name, np.asarray(kernel)
    return None


def first_matrix(model: Model, pixels: int) -> tuple[str, Array] | None:
    """The name and weights [pixels, units] of a first dense layer that sees all of the image's values; else None."""
    for variable in model.trainable_variables:
        if len(variable.shape) == 2 and int(variable.shape[0]) == pixels:
            name = str(getattr(variable, "path", variable.name)).split(":")[0]
            return name.removesuffix("/kernel"), np.asarray(variable)
        if len(variable.shape) > 1:
            return None
    return None


def _tensor(images: Array) -> Any:
    import tensorflow as tf

    return tf.constant(np.asarray(images, np.float32))


def _batches(count: int) -> list[slice]:
    return [slice(start, start + BATCH) for start in range(0, count, BATCH)]
