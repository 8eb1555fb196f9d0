"""How long a run will take on this machine: a few steps are timed, then undone."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zoo.hardware import peak_memory
from zoo.progress import duration

if TYPE_CHECKING:
    from zoo.training.engine import Trainer
    from zoo.training.feeder import Plan
    from zoo.types import Part

TIMED_STEPS = 2
# a forward pass costs a third of a training step; in float32, up to twice that
EVALUATION_COST = 0.5


@dataclass(frozen=True)
class Forecast:
    """`images_per_second` in training at `size` pixels; `images` to train on and `seconds` from here to the end of
    the training; `memory` in bytes (peak so far). `once`: each image is seen once, by a probe, and what is forecast is
    its features; the head that is trained on them comes after."""

    images_per_second: float
    size: int
    images: int
    seconds: float
    memory: int
    once: bool = False

    def sentence(self, which: str = "The") -> str:
        """The forecast in words; `which` begins it, as "The rest of the"."""
        what, then = ("features", ", then the head is trained") if self.once else ("training", "")
        images = f"{self.images:,} images to see"
        memory = f", {self.memory / 2**30:.1f} GiB of memory" if self.memory else ""
        return (
            f"{which} {what} will take about {duration(self.seconds)} on this machine: "
            f"{self.images_per_second:,.0f} images/s at {self.size} pixels, {images}{memory}{then}."
        )

    def as_dict(self) -> dict[str, Any]:
        """The receipt's form."""
        return asdict(self)


def measure(plan: Plan, trainer: Trainer, part: Part, evaluated: int, done: int) -> Forecast:
    """Time a few steps of `trainer` on `part`, put its state back, and extrapolate to the whole plan.

    `evaluated` images are looked at after each epoch; `done` steps lie behind.
    """
    from zoo.training.feeder import Feeder

    state = trainer.state()
    chunks = iter(Feeder(plan, part, done, 1))
    first = next(chunks)
    trainer.run(first)  # traces
    began = time.monotonic()
    for _ in range(TIMED_STEPS):
        trainer.run(first)
    rate = TIMED_STEPS * len(first.labels) / (time.monotonic() - began)
    chunks.close()  # type: ignore[attr-defined]
    trainer.restore(state)
    return extrapolate(plan, rate, trainer.size, evaluated, done)


def extrapolate(plan: Plan, rate: float, size: int, evaluated: int, done: int = 0) -> Forecast:
    """The forecast for a plan after `done` steps, from a rate in images/s at an image size; cost grows with the
    area."""
    seconds, images = 0.0, 0.0
    for epoch in range(plan.epochs):
        first = epoch * plan.steps_per_epoch
        left = max(0, min(first + plan.steps_per_epoch, plan.steps) - max(first, done))
        shown = plan.examples * left / plan.steps_per_epoch
        images += shown
        seconds += shown * (plan.size(epoch) / size) ** 2 / rate
        if left:
            seconds += evaluated * EVALUATION_COST * (plan.recipe.image_size / size) ** 2 / rate
    return Forecast(rate, size, round(images), seconds, peak_memory())
