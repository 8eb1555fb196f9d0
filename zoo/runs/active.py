"""A run in progress: what `zoo_train` is given, and what the engine asks of a run besides."""

from __future__ import annotations

import csv
import io
import logging
import signal
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.files import atomic_write
from zoo.progress import Reporter
from zoo.recipes import Recipe, ResolvedRecipe
from zoo.runs.directory import Run, write_figures
from zoo.runs.evaluation import Predictor, evaluate, metrics, predictor
from zoo.runs.export import assign
from zoo.session import Session
from zoo.training import checkpoints, distribution
from zoo.training.forecast import Forecast
from zoo.types import Data, Figure, History, Model, Part

if TYPE_CHECKING:
    from zoo.training.engine import Trainer
    from zoo.training.feeder import Plan

Array = np.ndarray[Any, Any]
_ACCURACIES = ("accuracy", "validation_accuracy")
_log = logging.getLogger("zoo")


class ActiveRun:
    """The run that hooks see (`zoo.types.RunContext`), and the services that core's engine uses."""

    def __init__(
        self,
        run: Run,
        session: Session,
        resolved: ResolvedRecipe,
        precision: str,
        reporter: Reporter,
        devices: Sequence[str] = (),
    ) -> None:
        self.run = run
        self.session = session
        self.resolved = resolved
        self.precision = precision
        self.reporter = reporter
        self.strategy = distribution.strategy_of(devices)
        self.spec = run.spec
        self.rehearsal = bool(run.receipt["rehearsal"])
        self.history = History()
        self.forecast: Forecast | None = None
        self.used_the_engine = False
        self.ranked: list[int] = []  # steps after which the best epochs' weights were kept, the best first
        self._stopping = threading.Event()
        self._trained = False
        self._evaluator: tuple[Model, Any] | None = None
        self._watched = True
        self._images_per_second = 0.0
        self._began, self._earlier = time.monotonic(), float(run.receipt.get("seconds", 0.0))

    # what hooks may use ---------------------------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        return self.run.directory

    @property
    def title(self) -> str:
        return self.run.title

    @property
    def recipe(self) -> Recipe:
        return self.resolved.recipe

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def restore(self) -> dict[str, Array] | None:
        stored = checkpoints.newest(self.run.checkpoints)
        if stored is None:
            return None
        state, meta = stored
        self.history[:] = meta["history"]
        self._write_history()
        self.reporter.note(f"Going on after step {meta['step']:,}.")
        return state

    def checkpoint(self, step: int, state: Mapping[str, Array]) -> None:
        checkpoints.write(self.run.checkpoints, "state", step, state, {"step": step, "history": self.history})
        self.note_time()

    def note_time(self) -> None:
        """Write into the receipt how many seconds the run has taken, those before it was interrupted or killed too."""
        self.run.update(seconds=round(self._earlier + time.monotonic() - self._began, 1))

    def log(self, step: int, **values: float) -> None:
        if self.rehearsal:
            values = {key: value for key, value in values.items() if key not in _ACCURACIES}
        values = {key: float(value) for key, value in values.items()}  # a plugin's may be NumPy's
        row = {"step": step, **values}
        self.history.append(row)
        self._write_history()
        self.reporter.row(row, self.recipe.epochs)
        self.session.notify("zoo_evaluated", run=self, step=step, metrics=dict(values))
        if self._evaluator is not None and self._watched and _is_watched(values.get("epoch", 0)):
            for figure in self.session.watched(self._evaluator[0], self, step).values():
                self.figure(figure)

    def figure(self, figure: Figure) -> None:
        write_figures([figure], self.directory / "figures")

    def _write_history(self) -> None:
        columns = list(dict.fromkeys(key for row in self.history for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        atomic_write(self.directory / "history.csv", text.getvalue())

    # what the engine uses -------------------------------------------------------------------------------------

    def build(self, size: int, precision: str | None = None, weights: str | None = None) -> Model:
        """Build the run's network at an image size, to be trained, or in the given precision for one device.

        Only its first building has `weights` to load.
        """
        spec = replace(self.spec, height=size, width=size, weights=weights)
        if precision is not None:
            return self.session.build(spec, precision)
        with distribution.scope(self.strategy):
            return self.session.build(spec, self.precision)

    def trainer(self, model: Model, recipe: Recipe, size: int, dtype: Any = np.uint8) -> Trainer:
        """The trainer of a network that `build` made, on the run's devices; `dtype` is that of its images."""
        return distribution.make_trainer(model, recipe, size, self.strategy, dtype)

    def begin(self, plan: Plan, trainer: Trainer, data: Data, done: int) -> None:
        """Measure a few steps, say how long the run will take, and start the progress display."""
        from zoo.training import forecast

        self.used_the_engine = True
        if done >= plan.steps:
            return
        self.reporter.note("Compiling the first step ...")
        if self.forecast is None or not self.forecast.once:
            self.forecast = forecast.measure(plan, trainer, data.train, len(data.monitored), done)
            self.reporter.note(self.forecast.sentence("The rest of the" if done else "The"))
        self.reporter.start("training", plan.steps, done)

    def progress(self, step: int, loss: float, accuracy: float, images: int, seconds: float) -> None:
        """Show how far the training is: the present epoch's mean loss and accuracy (0..1), and the rate."""
        rate = images / max(seconds, 1e-9)
        self._images_per_second = rate if not self._images_per_second else 0.7 * self._images_per_second + 0.3 * rate
        shown = "" if self.rehearsal else f"  accuracy {100 * accuracy:.1f} %"
        self.reporter.advance(step, f"loss {loss:.4g}{shown}  {self._images_per_second:,.0f} images/s")

    def validate(self, weights: Sequence[Array], part: Part) -> tuple[float, float]:
        """Loss and accuracy (0..1) of these weights in float32, at the recipe's image size."""
        if self._evaluator is None:
            model = self.build(self.spec.height, "float32")
            self._evaluator = model, predictor(self.session.predict, model, flip_average=False)
        model, predict = self._evaluator
        assign(model.variables, weights)
        result = metrics(evaluate(predict, part), part.labels[:], self.spec.class_names)
        return float(result["loss"]), float(result["accuracy"])

    def validate_with(self, predict: Predictor) -> None:
        """Validate by this network in place of the run's own: its head alone, say, where the data are features."""
        self._evaluator = predict.model, predict
        self._watched = False  # it is not the network that `zoo_watch` is promised

    def keep_best(self, step: int, weights: Sequence[Array]) -> None:
        """Keep the weights after `step` steps."""
        arrays = {f"weight/{index:04d}": weight for index, weight in enumerate(weights)}
        checkpoints.write(self.run.checkpoints, "best", step, arrays, {"step": step})

    def forget_best_but(self, steps: Collection[int]) -> None:
        """Forget all weights that were kept as best but those after `steps`."""
        checkpoints.discard_best(self.run.checkpoints, lambda step: step not in steps)

    def best(self, step: int) -> list[Array]:
        """The weights kept after `step` steps, in the order of `model.variables`."""
        arrays = checkpoints.read_best(self.run.checkpoints, step)
        return [arrays[name] for name in sorted(arrays)]

    def discard_best_after(self, step: int) -> None:
        """Forget best weights that a resumed run will come to again."""
        checkpoints.discard_best(self.run.checkpoints, lambda kept: kept > step)

    # stopping -------------------------------------------------------------------------------------------------

    def trained(self) -> None:
        """The training is over: from here on, the first Ctrl-C ends the run at once."""
        self._trained = True

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM end the training cleanly; a second Ctrl-C ends it at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: object) -> None:
            if self._trained or self._stopping.is_set():
                raise KeyboardInterrupt
            self._stopping.set()
            self.reporter.note("Stopping after this step; once more to stop at once.")

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _is_watched(epoch: float) -> bool:
    """True for epochs 1, 2, 5, 10, 20, 50, ...: pictures of each would cost a small network much of its time."""
    while epoch >= 10 and epoch % 10 == 0:
        epoch /= 10
    return epoch in (1, 2, 5)
