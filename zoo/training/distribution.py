"""Devices: which there are, and the training step on several of them at once.

Each device holds the network and takes its share of every batch; the gradients are added up and the same update
made on each (`tf.distribute.MirroredStrategy`). The loss is over the global batch and BatchNormalization
looks at all of it, so that the result is that of one device, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from zoo import hardware
from zoo.errors import UsageError
from zoo.recipes import Recipe
from zoo.training.augmented import Targets, augment
from zoo.training.engine import Trainer
from zoo.training.freezing import layers_of
from zoo.training.optimizers import FusedAdam, decay
from zoo.types import Model

ALL = 0


def devices() -> list[Any]:
    """The devices that networks are trained on: the GPUs, or where there is none the processor."""
    return list(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU"))


def choose(wanted: int) -> list[str]:
    """The names of `wanted` devices, or of all of them (0). Raises UsageError if there are fewer."""
    found = devices()
    if wanted > len(found):
        kind = found[0].device_type
        raise UsageError(f"--devices {wanted} is more than this machine has: {len(found)} {kind}")
    return [f"{device.device_type}:{device.name.rpartition(':')[2]}" for device in found[: wanted or None]]


def describe(names: Sequence[str]) -> list[str]:
    """The devices as the receipt has them, with the product's name where TensorFlow knows it."""
    products = {}
    for index, device in enumerate(tf.config.list_physical_devices("GPU")):
        products[f"GPU:{index}"] = tf.config.experimental.get_device_details(device).get("device_name", "")
    return [f"{name} {products.get(name, '')}".strip() for name in names]


def has_bfloat16() -> bool:
    """Whether the devices multiply bfloat16 matrices natively: GPUs from compute capability 8.0 on."""
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    if not gpus:
        return hardware.has_bfloat16()
    return all(gpu.get("compute_capability", (0, 0)) >= (8, 0) for gpu in gpus)


def strategy_of(names: Sequence[str]) -> Any:
    """The strategy for several devices; None for one, which needs none."""
    if len(names) < 2:
        return None
    # the default, collective operations, mixes up those of synchronized BatchNormalization and of the gradients
    # within a loop (TensorFlow 2.21); adding up on one device is right everywhere
    return tf.distribute.MirroredStrategy(list(names), tf.distribute.ReductionToOneDevice())


def scope(strategy: Any) -> AbstractContextManager[Any]:
    """Where variables are made, so that each device gets its own copy."""
    return nullcontext() if strategy is None else strategy.scope()


def make_trainer(model: Model, recipe: Recipe, size: int, strategy: Any = None, dtype: Any = "uint8") -> Trainer:
    """The trainer for one device, or for those of a strategy in whose scope the model was built."""
    if strategy is None:
        return Trainer(model, recipe, size, dtype)
    with strategy.scope():
        return MirroredTrainer(model, recipe, size, strategy)


class MirroredTrainer(Trainer):
    """Takes each step on all devices of a strategy."""

    def __init__(self, model: Model, recipe: Recipe, size: int, strategy: Any) -> None:
        self.strategy = strategy
        for layer in layers_of(model):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        super().__init__(model, recipe, size)

    def _advance(self, images: Any, labels: Any, table: Any, rate: Any, step: Any) -> tuple[Any, Any]:
        count = tf.cast(tf.size(labels), tf.float32)
        work = tf.function(self._share, jit_compile=True) if self.recipe.xla else self._share

        def replica() -> Any:
            x, targets, weight = self._shard(images, labels, table)
            return work(x, targets, weight, count)

        objectives, hits, gradients = self.strategy.run(replica)
        self._update(gradients, rate)
        self._average(step)
        total = self.strategy.reduce(tf.distribute.ReduceOp.SUM, objectives, axis=None)
        return total * count, self.strategy.reduce(tf.distribute.ReduceOp.SUM, hits, axis=None)

    def _shard(self, images: Any, labels: Any, table: Any) -> tuple[Any, Targets, Any]:
        """This device's share of a step, augmented, and its weight: 0 for one that has no image of its own, as a
        last step smaller than the number of devices leaves it; it looks at another's then."""
        device = tf.distribute.get_replica_context().replica_id_in_sync_group
        replicas, rows = self.strategy.num_replicas_in_sync, tf.size(labels)
        first, end = device * rows // replicas, (device + 1) * rows // replicas
        mine = slice(first, tf.maximum(end, first + 1))
        weight = tf.cast(end > first, tf.float32)
        where = self._columns
        if where.mix.start == where.mix.stop:
            drawn = None if table is None else table[mine]
            return *augment(images[mine], labels[mine], drawn, where, self.recipe, self.size), weight
        x, targets = augment(images, labels, table, where, self.recipe, self.size)  # partners may be another device's
        terms = tuple((own[mine], share[mine]) for own, share in targets.terms)
        return x[mine], Targets(targets.labels[mine], terms), weight

    def _share(self, images: Any, targets: Targets, weight: Any, count: Any) -> tuple[Any, Any, Any]:
        replicas = self.strategy.num_replicas_in_sync
        # a loss weighed by 0 or 1: only the examples' part of it, the penalty is shared by all
        terms = tuple((labels, weight if own is None else own * weight) for labels, own in targets.terms)
        objective, hits, gradients = self._gradients(images, Targets(targets.labels, terms), count, replicas)
        return objective, tf.cast(weight, tf.int64) * hits, gradients

    def _update(self, gradients: Any, rate: Any) -> None:
        """Add the devices' gradients up, clip them, and make Keras' update on each device's copy."""
        present = [(g, v) for g, v in zip(gradients, self.weights, strict=True) if g is not None]
        raw = [(gradient, _raw(variable)) for gradient, variable in present]
        summed = self.strategy.extended.batch_reduce_to(tf.distribute.ReduceOp.SUM, raw)
        self.optimizer.learning_rate.assign(rate)
        if isinstance(self.optimizer, FusedAdam):
            self.optimizer.begin_step()
        scale = 1.0
        if self.recipe.clip_norm:
            norm = tf.linalg.global_norm([self.strategy.experimental_local_results(g)[0] for g in summed])
            scale = self.recipe.clip_norm / tf.maximum(norm, self.recipe.clip_norm)
        shares = {id(variable): share for variable, share in zip(self.weights, self.shares, strict=False)}
        for (_, variable), gradient in zip(present, summed, strict=True):
            own = shares.get(id(variable), 1.0)

            def update(copy: Any, gradient: Any, own: float = own) -> None:
                if self.recipe.weight_decay:
                    decay([copy], rate * self.recipe.weight_decay * own)
                self.optimizer.update_step(gradient * scale if self.recipe.clip_norm else gradient, copy, rate)

            self.strategy.extended.update(_raw(variable), update, args=(gradient,), group=False)
        self.optimizer.iterations.assign_add(1)


def _raw(variable: Any) -> Any:
    """The TensorFlow variable of a Keras variable."""
    return variable.value if isinstance(variable, keras.Variable) else variable
