"""The input side of training: chunks of rows, gathered from the memory-mapped cache by a thread ahead of use."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.recipes import Recipe
from zoo.training import augmentation
from zoo.training.augmentation import Columns
from zoo.training.schedules import learning_rates
from zoo.types import Part

Array = np.ndarray[Any, Any]
_AHEAD = 2


@dataclass(frozen=True)
class Plan:
    """How many steps a run has, and what each of them is given: a pure function of recipe, seed and data."""

    recipe: Recipe
    seed: int
    examples: int
    source_size: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch; the last may be smaller than the others."""
        return math.ceil(self.examples / self.recipe.batch_size)

    @property
    def steps(self) -> int:
        """Steps in the whole run."""
        planned = self.steps_per_epoch * self.recipe.epochs
        return min(planned, self.recipe.steps) if self.recipe.steps else planned

    @property
    def epochs(self) -> int:
        """Epochs that the run begins."""
        return math.ceil(self.steps / self.steps_per_epoch)

    def size(self, epoch: int) -> int:
        """Height and width of the images in an epoch, in pixels."""
        sizes = self.recipe.train_sizes or (self.recipe.image_size,)
        return sizes[min(epoch * len(sizes) // self.epochs, len(sizes) - 1)]

    def rates(self) -> Array:
        """The learning rate of each step, float32 [steps]."""
        return learning_rates(self.recipe, self.steps)

    def end_of_epoch(self, step: int) -> int:
        """The step that ends the epoch in which `step` lies."""
        return min((step // self.steps_per_epoch + 1) * self.steps_per_epoch, self.steps)


@dataclass(frozen=True)
class Chunk:
    """The next `steps` steps of an epoch: images uint8 [n, s, s, c], labels int64 [n], learning rates
    float32 [steps], and the images' rows of the augmentation table float32 [n, columns] (none if they are used
    as they are), whose columns `columns` names."""

    step: int
    steps: int
    batch_size: int
    images: Array
    labels: Array
    rates: Array
    table: Array
    columns: Columns


class Feeder:
    """Yields an epoch's chunks from `first` on; `steps_per_chunk` may be changed at any time.

    The bits of the training do not depend on how its steps are cut into chunks.
    """

    def __init__(self, plan: Plan, part: Part, first: int, steps_per_chunk: int) -> None:
        self.plan = plan
        self.part = part
        self.first = first
        self.steps_per_chunk = steps_per_chunk
        self._rates = plan.rates()

    def __iter__(self) -> Iterator[Chunk]:
        ready: queue.Queue[Chunk | BaseException | None] = queue.Queue(maxsize=_AHEAD)
        stop = threading.Event()

        def gather() -> None:
            item: Chunk | BaseException | None = None
            try:
                for item in self._chunks():
                    if not _put(ready, item, stop):
                        return
                item = None
            except BaseException as error:  # noqa: BLE001 (handed to the consumer, which raises it)
                item = error
            _put(ready, item, stop)

        thread = threading.Thread(target=gather, name="zoo-feeder", daemon=True)
        thread.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            thread.join()

    def _chunks(self) -> Iterator[Chunk]:
        plan, recipe = self.plan, self.plan.recipe
        epoch = self.first // plan.steps_per_epoch
        size = plan.size(epoch)
        order = augmentation.order(plan.seed, epoch, plan.examples)
        where = augmentation.columns(recipe, plan.source_size, size, self.part.images.shape[-1])
        table = self._table(epoch, size, order, where)
        step, end = self.first, plan.end_of_epoch(self.first)
        while step < end:
            start = (step % plan.steps_per_epoch) * recipe.batch_size
            whole = (plan.examples - start) // recipe.batch_size
            steps = min(max(1, self.steps_per_chunk), end - step, max(1, whole))
            rows = order[start : start + steps * recipe.batch_size]
            yield Chunk(
                step=step,
                steps=steps,
                batch_size=min(recipe.batch_size, len(rows)),
                images=self.part.take(rows),
                labels=self.part.labels[rows],
                rates=self._rates[step : step + steps],
                table=table[rows],
                columns=where,
            )
            step += steps

    def _table(self, epoch: int, size: int, order: Array, where: Columns) -> Array:
        """The epoch's augmentation table, float32 [examples, columns]."""
        plan, recipe, part = self.plan, self.plan.recipe, self.part
        channels = part.images.shape[-1]
        table = augmentation.table(recipe, plan.seed, epoch, part.labels[:], plan.source_size, size, channels)
        if recipe.mixup or recipe.cutmix:
            table[order, where.mix.start] = augmentation.partners(plan.seed, epoch, plan.examples, recipe.batch_size)
        return table


def _put(ready: queue.Queue[Any], item: object, stop: threading.Event) -> bool:
    """Put `item` unless the consumer has gone; return whether it was put."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False
