"""Trainings of an architecture under test: 16 images, to the end or interrupted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.progress import Reporter
from zoo.recipes import KEYS, Recipe, ResolvedRecipe
from zoo.registry import Plugin
from zoo.testing.network import COUNT, ArchitectureSubject, Array
from zoo.types import Data, History, Part

REPEATS = 12
EPOCHS = 6
RATES = (1e-3, 3e-3, 2e-4)
STOP_AT = 3
"""The run that is interrupted is told so when it asks for the third time."""


@dataclass
class Trial:
    """A training of the 16 images: the network afterwards, its run and history."""

    model: Any
    run: Any
    history: History

    @property
    def loss(self) -> float:
        """The training loss of the last row."""
        return float(self.history[-1].get("loss", math.nan)) if self.history else math.nan


class TrainedSubject(ArchitectureSubject):
    """An architecture under test, with trainings that checks share."""

    def __init__(self, plugin: Plugin, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(plugin, options)
        self.trials = 0

    @cached_property
    def data(self) -> Data:
        """The 16 images, each several times an epoch; the same ones draw the curve."""
        pixels = self.images.astype(np.uint8)
        keys = [str(index) for index in range(COUNT)]

        def part(rows: Array) -> Part:
            return Part(pixels, rows, self.labels[rows], [keys[row] for row in rows])

        every = np.arange(COUNT)
        train = part(np.tile(every, REPEATS))
        return Data("generated", self.spec().class_names, train, part(every), part(every), "0" * 64, "0" * 64)

    def recipe(self, rate: float) -> Recipe:
        """A plain recipe: Adam at a constant rate."""
        return Recipe(
            image_size=self.spec().height,
            options=self.options,
            precision="float32",
            epochs=EPOCHS,
            batch_size=COUNT,
            optimizer="adam",
            learning_rate=rate,
            schedule="constant",
        )

    def train(self, rate: float = RATES[0], directory: Path | None = None, stop_at: int = 0) -> Trial:
        """Train on the 16 images, or go on with what `directory` holds; stop when asked for the n-th time."""
        self.trials += 1
        folder = directory or self.folder / f"run-{self.trials}"
        run = _active_run(folder, self, self.recipe(rate), stop_at)
        model = run.build(self.spec().height)
        history = self.session.train(model, self.data, run.recipe, run)
        return Trial(model, run, history)

    @cached_property
    def trained(self) -> Trial:
        """The training at the first rate, to its end."""
        return self.train()


def _active_run(folder: Path, subject: TrainedSubject, recipe: Recipe, stop_at: int) -> Any:
    from zoo.runs.active import ActiveRun
    from zoo.runs.directory import Run

    class Stopped(ActiveRun):
        """A run whose user asks to stop at a moment of the test's choice."""

        asked = 0
        restored = False

        @property
        def stopping(self) -> bool:
            self.asked += 1
            return bool(stop_at) and self.asked >= stop_at

        def restore(self) -> dict[str, Array] | None:
            self.restored = True
            return super().restore()

    folder.mkdir(exist_ok=True)
    resolved = ResolvedRecipe("check", recipe, dict.fromkeys(KEYS, "zoo check"))
    run = Run(folder)
    run.write(
        {
            "format": 1,
            "status": "training",
            "rehearsal": False,
            "spec": asdict(subject.spec()),
            "recipe": {"name": "check", "values": resolved.as_dict()},
            "dataset": {"name": "generated"},
            "precision": "float32",
        }
    )
    return Stopped(run, subject.session, resolved, "float32", Reporter(quiet=True))
