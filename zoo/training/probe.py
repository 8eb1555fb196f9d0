"""A linear probe: the features of a frozen network are computed once and kept, and only its head is trained.

What the engine would compute in every epoch does not change while everything but the head is frozen and the images
are used as they are; so it is computed once, and an epoch takes a fraction of a second. The run is one as any other:
its network is the whole one. Alain and Bengio (2016), Understanding intermediate layers using linear classifier probes,
arXiv:1610.01644.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import defaults
from zoo.data.images import RULE
from zoo.errors import UsageError
from zoo.files import atomic_file, cache_folder, require_space
from zoo.hardware import kernel_settings, peak_memory, processor, versions
from zoo.recipes import Recipe
from zoo.runs.active import ActiveRun
from zoo.runs.evaluation import predictor
from zoo.training import augmentation
from zoo.training.engine import Engine
from zoo.training.forecast import Forecast
from zoo.training.freezing import BACKBONE, layers_of
from zoo.types import Data, History, Model, Part, Spec

Array = np.ndarray[Any, Any]
Compute = Callable[[Array], Array]
VERSION = 1
_PIXELS_AT_ONCE = 8 * 224 * 224  # more at once leave the processor's caches, and cost a third more


def applies(model: Model, recipe: Recipe) -> bool:
    """Whether a recipe trains the head alone, on images as they are, and the network has such a head."""
    if recipe.freeze.strip() != BACKBONE or recipe.train_sizes or not isinstance(model, keras.Model):
        return False
    head = layers_of(model)[-1]
    changed = augmentation.columns(recipe, recipe.cached_size, recipe.image_size, channels=model.input_shape[-1])
    return (
        changed.weight.start == 0  # no column of the table stands before the class weights': images stay as they are
        and isinstance(head, keras.layers.Dense)
        and model.outputs[0] is head.output
        and len(head.input.shape) == 2
    )


def train(model: Any, data: Data, recipe: Recipe, run: ActiveRun) -> History:
    """Train the head of `model` in place, on the features of the data, and return the history.

    Raises UsageError if several epochs are to be kept: what there is of them is heads alone.
    """
    if recipe.keep_best > 1:
        raise UsageError(
            f"A head trained by itself keeps one epoch's weights. Received: keep_best = {recipe.keep_best}"
        )
    head = layers_of(model)[-1]
    backbone = keras.Model(model.inputs, head.input)
    count, compute = head.input.shape[-1], _compiled(backbone)
    name = f"{run.spec.name}-{_key(backbone, data, recipe, run.spec)}"
    paths = [cache_folder() / "features" / f"{name}-{number}.npy" for number in range(2)]
    missing = not all(path.is_file() for path in paths)
    if missing or run.rehearsal:  # the real run of a rehearsal has to compute them
        run.forecast = _measured(compute, data, recipe)
        run.reporter.note(run.forecast.sentence() if missing else "The features are there already.")
    seen: list[Part] = []
    for part, path in zip((data.train, data.monitored), paths, strict=True):
        features = _kept(compute, count, part, path, run)
        if features is None:
            return run.history
        seen.append(Part(features, np.arange(len(part)), part.labels, part.keys))
    train, monitored = seen
    if len(data.validation):
        featured = replace(data, train=train, validation=monitored)
    else:
        featured = replace(data, train=train, test=monitored)
    alone = _alone(head, count, f"{model.name}_head")
    in_float32 = type(head).from_config({**head.get_config(), "dtype": "float32"})
    exact = _alone(in_float32, count, f"{model.name}_float32_head")
    run.validate_with(predictor(defaults.predict, exact, flip_average=False))
    return Engine(alone, featured, replace(recipe, freeze=""), run, recipe.image_size).train()


def _alone(head: Any, count: int, name: str) -> Any:
    """A network of the head by itself, from features [batch, 1, 1, count]."""
    inputs = keras.Input((1, 1, count), name="features")
    return keras.Model(inputs, head(keras.layers.Flatten(name="flatten")(inputs)), name=name)


def forecast(model: Any, data: Data, recipe: Recipe) -> Forecast:
    """What the features will take; the rest is nothing beside it."""
    return _measured(_compiled(model), data, recipe)


def _measured(compute: Compute, data: Data, recipe: Recipe) -> Forecast:
    batch = data.train.take(slice(0, 16))
    compute(batch)  # traces
    began = time.monotonic()
    compute(batch)
    rate = len(batch) / (time.monotonic() - began)
    images = len(data.train) + len(data.monitored)
    return Forecast(rate, recipe.image_size, images, images / rate, peak_memory(), once=True)


def _key(backbone: Any, data: Data, recipe: Recipe, spec: Spec) -> str:
    """Names the features of these images by these weights, as these versions compute them on this processor."""
    made = versions() | {"processor": processor(), "settings": kernel_settings()}
    facts = [VERSION, RULE, made, recipe.resize, recipe.interpolation, data.split_hash, spec.height, spec.channels]
    total = hashlib.sha256(json.dumps([facts, backbone.to_json()]).encode())
    for variable in backbone.weights:
        total.update(np.asarray(variable).tobytes())
    return total.hexdigest()[:16]


def _kept(compute: Compute, count: int, part: Part, path: Path, run: ActiveRun) -> Array | None:
    """The features of a part, float32 [n, 1, 1, count], from the cache or computed; None if the user stopped."""
    shape = (len(part), 1, 1, count)
    try:
        kept: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        if kept.shape == shape and kept.dtype == np.float32:
            return kept
    except (OSError, ValueError, EOFError):
        pass  # none, or not whole: it is made anew
    require_space(path.parent, 4 * int(np.prod(shape)), "The cache of features")
    features = _computed(compute, part, run)
    if features is not None:
        with atomic_file(path) as file:
            np.save(file, features.reshape(shape), allow_pickle=False)
    return None if features is None else features.reshape(shape)


def _computed(compute: Compute, part: Part, run: ActiveRun) -> Array | None:
    """The features of a part, float32 [n, features]; None if the user stopped."""
    height, width = part.images.shape[1:3]
    size = max(1, _PIXELS_AT_ONCE // (height * width))
    batches = []
    run.reporter.start("features", len(part))
    began = time.monotonic()
    try:
        for start in range(0, len(part), size):
            batches.append(compute(part.take(slice(start, start + size))))
            done = min(start + size, len(part))
            rate = done / (time.monotonic() - began)
            run.reporter.advance(done, f"{done:,} of {len(part):,}  {rate:,.0f} images/s")
            if run.stopping:
                return None
    finally:
        run.reporter.stop()
    return np.concatenate(batches)


def _compiled(model: Any) -> Compute:
    """A network's answer without training: uint8 [n, height, width, channels] to a float32 array."""

    compute = tf.function(lambda images: tf.cast(model(tf.cast(images, tf.float32), training=False), tf.float32))
    return lambda images: compute(tf.constant(images)).numpy()
