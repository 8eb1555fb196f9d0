"""Frozen layers, and learning rates that fall with the distance from the output: training from given weights.

A frozen layer keeps its weights; a frozen BatchNormalization also keeps its statistics and normalises by them, in
training as in prediction. Howard and Ruder (2018), Universal language model fine-tuning for text classification.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any

import keras

from zoo.errors import UsageError, nearest
from zoo.types import Model

BACKBONE = "backbone"
"""The value of `freeze` for everything but the last layer with weights, the head."""


def freeze(model: Model, patterns: str) -> None:
    """Freeze the layers whose names match: globs, separated by commas, or "backbone"; "" freezes none.

    Raises UsageError for a network without Keras layers, a pattern that matches none, and if nothing is left to train.
    """
    wanted = [pattern.strip() for pattern in patterns.split(",") if pattern.strip()]
    if not wanted:
        return
    layers = layers_of(model)
    if not layers:
        raise UsageError("freeze needs a network of Keras layers, which this one is not. Try: --set freeze=''")
    matching = [layers[:-1]] if wanted == [BACKBONE] else [_matching(pattern, layers) for pattern in wanted]
    for layer in chain.from_iterable(matching):
        layer.trainable = False
    if not model.trainable_variables:
        raise UsageError(f"freeze leaves nothing to train. Received: {patterns!r}")


def _matching(pattern: str, layers: Sequence[Any]) -> list[Any]:
    found = [layer for layer in layers if fnmatchcase(layer.name, pattern)]
    if not found:
        names = [layer.name for layer in layers]
        hint = nearest(pattern, [*names, BACKBONE])
        raise UsageError(
            f"freeze: no layer with weights matches {pattern!r}. {hint}"
            f"There are {names[0]} to {names[-1]} (zoo build shows all), and {BACKBONE!r}"
        )
    return found


def layers_of(model: Any) -> list[Any]:
    """The layers with weights of a Keras network, from the input to the output, those of nested networks included."""
    if not isinstance(model, keras.Model):
        return []
    leaves = [layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]
    return [layer for layer in leaves if layer.weights]


def rate_shares(model: Model, decay: float) -> list[float]:
    """For each trainable variable the share of the learning rate that it gets: `decay` to the power of its depth.

    Depth counts groups of layers from the output, 0, 1, 2, ...: layers whose names agree up to the first "_" form one.
    Raises UsageError for a network without Keras layers.
    """
    layers = layers_of(model)
    if not layers:
        raise UsageError("layer_decay needs a network of Keras layers, which this one is not. Try: --set layer_decay=0")
    groups = list(dict.fromkeys(layer.name.partition("_")[0] for layer in layers))
    depth = {group: len(groups) - 1 - index for index, group in enumerate(groups)}
    owner = {id(weight): layer.name.partition("_")[0] for layer in layers for weight in layer.weights}
    return [decay ** depth[owner[id(variable)]] for variable in model.trainable_variables]
