"""The training engine: one loop for every recipe, whose interrupted runs resume bit for bit.

A chunk of steps runs in one call of a `tf.function`, sized to take about a second; between two calls there
is time for Ctrl-C, progress and checkpoints. The state after a step is a dictionary of named arrays.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from zoo.errors import ZooError
from zoo.recipes import Recipe
from zoo.training import freezing, kernels
from zoo.training.augmented import Targets, augment
from zoo.training.feeder import Chunk, Feeder, Plan
from zoo.training.losses import penalty, summed
from zoo.training.optimizers import decay, make_optimizer
from zoo.types import Data, History, Model

if TYPE_CHECKING:
    from zoo.runs.active import ActiveRun

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

CHUNK_SECONDS = 1.0
CHECKPOINT_SECONDS = 300.0


class Diverged(ZooError):
    """The loss or a weight is no longer a finite number."""


class Trainer:
    """A network at one image size with its optimizer and moving average: runs chunks, gives and takes state.

    `dtype` is that of the images, or of the features that stand for them.
    """

    def __init__(self, model: Model, recipe: Recipe, size: int, dtype: Any = np.uint8) -> None:
        freezing.freeze(model, recipe.freeze)
        self.model = model
        self.recipe = recipe
        self.size = size
        self.weights = list(model.trainable_variables)
        self.variables = list(model.variables)
        self.shares = freezing.rate_shares(model, recipe.layer_decay) if recipe.layer_decay else ()
        self.optimizer = make_optimizer(recipe, self.weights, self.shares)
        self.averaged = [v for v in self.variables if recipe.ema and tf.as_dtype(v.dtype).is_floating]
        self.averages = [tf.Variable(tf.convert_to_tensor(v), trainable=False) for v in self.averaged]
        self._take = tf.function(self._step, jit_compile=True) if recipe.xla else self._step
        self._run = tf.function(
            self._steps,
            input_signature=[
                tf.TensorSpec([None, None, None, None], dtype),
                tf.TensorSpec([None], tf.int64),
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([None, None], tf.float32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.int64),
            ],
        )

    def run(self, chunk: Chunk) -> tuple[Array, Array]:
        """Run a chunk; return each step's summed loss float32 [steps] and correct answers int64 [steps]."""
        self._source = chunk.images.shape[1:]
        self._columns = chunk.columns
        losses, correct = self._run(chunk.images, chunk.labels, chunk.rates, chunk.table, chunk.batch_size, chunk.step)
        return losses.numpy(), correct.numpy()

    def _steps(self, images: Any, labels: Any, rates: Any, table: Any, batch: Any, first: Any) -> Any:
        steps = tf.size(rates)
        losses = tf.TensorArray(tf.float32, size=steps)
        correct = tf.TensorArray(tf.int64, size=steps)
        with kernels.quick(self.model):  # here, once: devices trace their share of a step side by side
            for step in tf.range(steps):
                rows = slice(step * batch, (step + 1) * batch)
                x = tf.ensure_shape(images[rows], [None, *self._source])
                drawn = table[rows] if self._columns.width else None
                loss, hits = self._advance(x, labels[rows], drawn, rates[step], first + tf.cast(step, tf.int64))
                losses = losses.write(step, loss)
                correct = correct.write(step, hits)
        return losses.stack(), correct.stack()

    def _advance(self, images: Any, labels: Any, table: Any, rate: Any, step: Any) -> tuple[Any, Any]:
        """Augment a step's images and take the step; return its summed loss and correct answers."""
        x, targets = augment(images, labels, table, self._columns, self.recipe, self.size)
        return self._take(x, targets, rate, step)

    def _step(self, images: Any, targets: Targets, rate: Any, step: Any) -> tuple[Any, Any]:
        count = tf.cast(tf.size(targets.labels), tf.float32)
        objective, hits, gradients = self._gradients(images, targets, count)
        self.optimizer.learning_rate.assign(rate)
        if self.recipe.weight_decay:
            decay(self.weights, rate * self.recipe.weight_decay, self.shares)
        self.optimizer.apply(gradients, self.weights)
        self._average(step)
        return objective * count, hits

    def _gradients(self, images: Any, targets: Targets, count: Any, replicas: int = 1) -> tuple[Any, Any, list[Any]]:
        """The mean loss over the global batch of `count`, correct answers, and gradients; those of several
        replicas add up."""
        with tf.GradientTape() as tape:
            logits = tf.cast(self.model(images, training=True), tf.float32)
            extra = penalty(self.recipe, self.model, self.weights)
            objective = summed(self.recipe, logits, targets) / count + (extra / replicas if replicas > 1 else extra)
        hits = tf.reduce_sum(tf.cast(tf.equal(tf.argmax(logits, axis=-1), targets.labels), tf.int64))
        return objective, hits, tape.gradient(objective, self.weights)

    def _average(self, step: Any) -> None:
        """Move the averages; early on the decay is less, so that the first weights are soon forgotten."""
        if not self.averages:
            return
        done = tf.cast(step, tf.float32)
        decay = tf.minimum(self.recipe.ema, (1.0 + done) / (10.0 + done))
        for average, variable in zip(self.averages, self.averaged, strict=True):
            average.assign_add((1.0 - decay) * (tf.convert_to_tensor(variable) - average))

    # state --------------------------------------------------------------------------------------------------

    def state(self) -> Arrays:
        """Every variable: the network's, the optimizer's and the averages."""
        return {
            **_named("model", self.variables),
            **_named("optimizer", self.optimizer.variables),
            **_named("average", self.averages),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take a state over. Raises ZooError if it is not of this network and recipe."""
        _assign("model", self.variables, state)
        _assign("optimizer", self.optimizer.variables, state)
        _assign("average", self.averages, state)

    def published(self) -> list[Array]:
        """The values to evaluate and keep, in the order of `model.variables`: the averages where there are."""
        averages = iter(self.averages)
        averaged = {id(variable) for variable in self.averaged}
        return [
            next(averages).numpy() if id(variable) in averaged else np.asarray(variable) for variable in self.variables
        ]


def _named(kind: str, variables: Sequence[Any]) -> Arrays:
    return {f"{kind}/{index:04d}": np.asarray(variable) for index, variable in enumerate(variables)}


def _assign(kind: str, variables: Sequence[Any], state: Mapping[str, Array]) -> None:
    stored = [name for name in state if name.startswith(f"{kind}/")]
    if len(stored) != len(variables):
        raise ZooError(f"The checkpoint holds {len(stored)} {kind} variables; this run has {len(variables)}")
    for index, variable in enumerate(variables):
        value = state[f"{kind}/{index:04d}"]
        if value.shape != tuple(variable.shape):
            path = getattr(variable, "path", variable.name)
            raise ZooError(
                f"The {kind} variable {path} has shape {tuple(variable.shape)} here and {value.shape} in the state. "
                "Does the network's shape depend on the image size? Then leave out train_sizes"
            )
        variable.assign(value)


@dataclass
class Progressing:
    """What the loop carries from step to step besides the weights; part of every checkpoint."""

    step: int = 0
    loss: float = 0.0  # sums over the present epoch
    correct: int = 0
    count: int = 0
    best: tuple[tuple[float, int], ...] = ()  # (validation accuracy, step) of the best epochs, the best first

    def add(self, losses: Array, correct: Array, examples: int) -> None:
        """Add the sums of a chunk, step by step in float64: the bits do not depend on the chunk."""
        for value in losses:
            self.loss += float(value)
        self.correct += int(correct.sum())
        self.count += examples
        self.step += len(losses)

    def new_epoch(self) -> None:
        self.loss, self.correct, self.count = 0.0, 0, 0

    def is_among_the_best(self, accuracy: float, keep: int) -> bool:
        """Take the accuracy of the epoch that ends here in if it is one of the `keep` best; an equal one that came
        earlier goes before it."""
        ranked = sorted([*self.best, (accuracy, self.step)], key=lambda entry: (-entry[0], entry[1]))[:keep]
        self.best = tuple(ranked)
        return (accuracy, self.step) in self.best

    def to_array(self) -> Array:
        best = [value for entry in self.best for value in entry]
        return np.array([self.step, self.loss, self.correct, self.count, *best], np.float64)

    @classmethod
    def from_array(cls, values: Array) -> Progressing:
        step, loss, correct, count, *best = (float(value) for value in values)
        pairs = zip(best[::2], map(int, best[1::2]), strict=True)
        return cls(int(step), loss, int(correct), int(count), tuple(pairs))


class Engine:
    """One training run: the loop, its evaluations and checkpoints.

    `source_size` is the size of the training images in pixels, where `data` does not hold themselves.
    """

    def __init__(self, model: Model, data: Data, recipe: Recipe, run: ActiveRun, source_size: int = 0) -> None:
        self.data, self.recipe, self.run = data, recipe, run
        self.model = model
        self.plan = Plan(recipe, run.spec.seed, len(data.train), source_size or data.train.images.shape[1])
        self.at = Progressing()
        self.steps_per_chunk = 1
        self.trainer = run.trainer(model, recipe, recipe.image_size, data.train.images.dtype)
        self._saved = time.monotonic()
        state = run.restore()
        if state is not None:
            self.at = Progressing.from_array(state.pop("progress"))
            run.discard_best_after(self.at.step)
        self._enter_epoch(state)

    def _enter_epoch(self, state: Arrays | None = None) -> None:
        """Rebuild the network at the epoch's image size where it differs, and go on from the state."""
        size = self.plan.size(min(self.at.step, self.plan.steps - 1) // self.plan.steps_per_epoch)
        if size != self.trainer.size:
            state = state or self.trainer.state()
            self.trainer = self.run.trainer(self.run.build(size), self.recipe, size)
            self.steps_per_chunk = 1
        if state is not None:
            self.trainer.restore(state)

    def train(self) -> History:
        """Train to the end, or until the user or early stopping stops it."""
        self.run.begin(self.plan, self.trainer, self.data, self.at.step)
        while self.at.step < self.plan.steps and not self._patience_is_over():
            self._epoch()
            if self.run.stopping:
                break
        if not self.run.stopping:
            self._publish()
            self.run.ranked = self._ranked()
        return self.run.history

    def _publish(self) -> None:
        """Put the weights that the recipe keeps into the network that was to be trained."""
        best = self.run.best(self._ranked()[0]) if self.recipe.keep == "best" else None
        for variable, value in zip(self.model.variables, best or self.trainer.published(), strict=True):
            variable.assign(value)

    def _epoch(self) -> None:
        self._enter_epoch()
        end = self.plan.end_of_epoch(self.at.step)
        feeder = Feeder(self.plan, self.data.train, self.at.step, self.steps_per_chunk)
        for chunk in feeder:
            self._chunk(chunk)
            feeder.steps_per_chunk = self.steps_per_chunk
            if self.at.step < end and (self.run.stopping or self._checkpoint_is_due()):
                self._checkpoint()
                if self.run.stopping:
                    return
        self._evaluate()
        self.at.new_epoch()
        self._checkpoint()
        # only now: a run that is killed before the checkpoint needs those of the one before
        self.run.forget_best_but(self._ranked())

    def _chunk(self, chunk: Chunk) -> None:
        began = time.monotonic()
        losses, correct = self.trainer.run(chunk)
        seconds = time.monotonic() - began
        if not np.isfinite(losses).all():
            step = chunk.step + int(np.argmin(np.isfinite(losses))) + 1
            raise self._diverged(f"the loss became {losses[~np.isfinite(losses)][0]} at step {step}")
        self.at.add(losses, correct, len(chunk.labels))
        # grow slowly: the first call also traces
        wanted = chunk.steps * CHUNK_SECONDS / max(seconds, 1e-4)
        self.steps_per_chunk = max(1, min(int(wanted), 4 * self.steps_per_chunk))
        self.run.progress(
            self.at.step,
            self.at.loss / self.at.count,
            self.at.correct / self.at.count,
            len(chunk.labels),
            seconds,
        )

    def _evaluate(self) -> None:
        """End of an epoch: validate, add a row to the history, keep the best weights."""
        epoch = math.ceil(self.at.step / self.plan.steps_per_epoch)
        row = {
            "epoch": epoch,
            "loss": self.at.loss / self.at.count,
            "accuracy": self.at.correct / self.at.count,
            "learning_rate": float(self.plan.rates()[self.at.step - 1]),
            "image_size": self.trainer.size,
        }
        part = self.data.monitored
        if len(part):
            weights = self.trainer.published()
            loss, accuracy = self.run.validate(weights, part)
            if not math.isfinite(loss):
                raise self._diverged(f"the validation loss became {loss} after epoch {epoch}")
            row |= {"validation_loss": loss, "validation_accuracy": accuracy}
            if len(self.data.validation) and self.at.is_among_the_best(accuracy, self.recipe.keep_best):
                self.run.keep_best(self.at.step, weights)
        self.run.log(self.at.step, **row)

    def _ranked(self) -> list[int]:
        return [step for _, step in self.at.best]

    def _patience_is_over(self) -> bool:
        patience = self.recipe.early_stopping
        best = max(self._ranked()[:1], default=0)
        return bool(patience) and (self.at.step - best) // self.plan.steps_per_epoch >= patience

    def _checkpoint_is_due(self) -> bool:
        return time.monotonic() - self._saved > CHECKPOINT_SECONDS

    def _checkpoint(self) -> None:
        state = self.trainer.state()
        if not all(np.isfinite(value).all() for value in state.values() if value.dtype.kind == "f"):
            raise self._diverged(f"a weight is no longer a finite number at step {self.at.step}")
        self.run.checkpoint(self.at.step, state | {"progress": self.at.to_array()})
        self._saved = time.monotonic()

    def _diverged(self, what: str) -> Diverged:
        return Diverged(
            f"The training diverged: {what}. The last good checkpoint is kept. "
            f"Try a lower rate: --set learning_rate={self.recipe.learning_rate / 3:.1g}, or --set clip_norm=1"
        )
