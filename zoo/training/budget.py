"""`zoo train --minutes M`: as many steps as fit into the time, with evaluation and export.

The steps are chosen once, before the run begins, and are part of its recipe from then on: the schedule fits the
time, and a run that is resumed takes the same steps. What the choice rests on is measured here and now: the
time to build and compile the network, and the rate once chunks have grown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zoo.errors import UsageError
from zoo.hardware import resolve_precision
from zoo.progress import Reporter, duration
from zoo.recipes import Recipe, asked
from zoo.training.forecast import EVALUATION_COST, extrapolate

if TYPE_CHECKING:
    from zoo.runs.pipeline import Prepared
    from zoo.training.engine import Trainer
    from zoo.training.feeder import Plan
    from zoo.types import Data, Part

SHARE_MEASURED = 0.05  # of the minutes, to find the rate
LEAST_MEASURED, MOST_MEASURED = 1.0, 20.0  # seconds
# export and figures: seconds, and seconds per million parameters (cnn, 1.2 million: 8 s on a busy machine)
EXPORT, EXPORT_PER_MILLION = 6.0, 1.0
MARGIN = 0.97  # of the measured rate: checkpoints and progress between chunks take a little


@dataclass(frozen=True)
class Measured:
    """What a run costs here: `compiling` in seconds, `rate` in images/s of training at `size` pixels."""

    compiling: float
    rate: float
    size: int
    parameters: int


def measure(make: Callable[[], Trainer], plan: Plan, part: Part, seconds: float) -> Measured:
    """Make a trainer (that of `plan`, whose images do not grow) and run it for about so many seconds."""
    from zoo.contract import parameters_of
    from zoo.training.engine import CHUNK_SECONDS
    from zoo.training.feeder import Feeder

    began = time.monotonic()
    trainer = make()
    first = next(iter(Feeder(plan, part, 0, 1)))
    trainer.run(first)
    compiling = time.monotonic() - began
    rates: list[float] = []
    steps, until = 1, time.monotonic() + seconds
    while time.monotonic() < until:
        feeder = Feeder(plan, part, 0, steps)
        for chunk in feeder:
            called = time.monotonic()
            trainer.run(chunk)
            now = time.monotonic()
            rates.append(len(chunk.labels) / (now - called))
            wanted = min(CHUNK_SECONDS, seconds / 4) * chunk.steps / (now - called)
            steps = feeder.steps_per_chunk = max(1, min(int(wanted), 4 * steps))
            if now >= until:
                break
    settled = sorted(rates[len(rates) // 2 :])
    return Measured(compiling, settled[len(settled) // 2], trainer.size, parameters_of(trainer.model))


def overhead(measured: Measured, recipe: Recipe, data: Data, export: bool) -> float:
    """Seconds of the run that are not training: compiling each image size, the last evaluation, the export."""
    sizes = len(set(recipe.train_sizes or (recipe.image_size,)))
    reported = len(data.test) or len(data.validation)
    passes = 3 if recipe.flip_average else 1  # an image, its mirror image, and without the averaging
    evaluating = passes * reported * EVALUATION_COST / measured.rate
    exporting = EXPORT + EXPORT_PER_MILLION * measured.parameters / 1e6 if export else EXPORT / 2
    return measured.compiling * sizes + evaluating + exporting


def fit(plan: Plan, measured: Measured, seconds: float, evaluated: int) -> Recipe:
    """The plan's recipe with the most steps that take at most `seconds`, `evaluated` images looked at after each
    epoch. Less than one step gives steps = 0."""

    def cost(steps: int) -> float:
        recipe = with_steps(plan, steps)
        return extrapolate(replace(plan, recipe=recipe), MARGIN * measured.rate, measured.size, evaluated).seconds

    fitting, too_many = 0, 1
    while cost(too_many) <= seconds:
        fitting, too_many = too_many, 2 * too_many
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        fitting, too_many = (middle, too_many) if cost(middle) <= seconds else (fitting, middle)
    return with_steps(plan, fitting)


def with_steps(plan: Plan, steps: int) -> Recipe:
    """The plan's recipe with exactly so many steps."""
    return replace(plan.recipe, epochs=max(1, -(-steps // plan.steps_per_epoch)), steps=steps)


def refuse(minutes: float, spent: float, needed: float, plan: Plan, measured: Measured) -> UsageError:
    """The error of a budget in which not one step fits."""
    epoch = plan.examples / measured.rate
    least = (spent + needed + epoch) / 60
    return UsageError(
        f"--minutes {minutes:g} is too little: starting, evaluating and exporting take about "
        f"{duration(spent + needed)} here, and one pass over the {plan.examples:,} images {duration(epoch)}. "
        f"Try --minutes {max(1, round(least + 0.5))}"
    )


def check(minutes: float, origins: Mapping[str, str], rehearse: bool) -> None:
    """Raise UsageError if a request for so many minutes contradicts itself."""
    if not 0 < minutes < 1e6:
        raise UsageError(f"--minutes must be more than 0 and less than 1,000,000. Received: {minutes:g}")
    if rehearse:
        raise UsageError("--minutes and --rehearse don't go together: a rehearsal has a few steps of its own")
    if lengths := asked(origins, ("epochs", "steps")):
        raise UsageError(f"--minutes chooses how long to train: leave out {' and '.join(lengths)}")


def apply(prepared: Prepared, data: Data, devices: Sequence[str], reporter: Reporter, began: float) -> None:
    """Measure, and set the epochs and steps of a request for `minutes` counted from `began` (monotonic seconds)."""
    from zoo.training import distribution, probe
    from zoo.training.feeder import Plan

    request, resolved, spec = prepared.request, prepared.resolved, prepared.spec()
    minutes = request.minutes
    if minutes is None:
        return
    recipe = resolved.recipe
    if recipe.optimizer == "gradient-descent" and prepared.session.trains_itself:
        raise UsageError(f"--minutes is for zoo's engine; {spec.name} trains {request.recipe} by a loop of its own")
    plan = Plan(recipe, spec.seed, len(data.train), data.train.images.shape[1])
    precision = resolve_precision(recipe, distribution.has_bfloat16())
    strategy = distribution.strategy_of(devices)
    steady = replace(plan, recipe=replace(recipe, train_sizes=()))

    def make() -> Trainer:
        with distribution.scope(strategy):
            model = prepared.session.build(spec, precision)
        return distribution.make_trainer(model, steady.recipe, recipe.image_size, strategy)

    if recipe.freeze and probe.applies(make().model, recipe):
        raise UsageError("--minutes fits the steps of a whole network; a head alone takes as long as its features do")
    reporter.note(f"Measuring, to fit the training into {minutes:g} minutes ...")
    measuring = min(max(60 * minutes * SHARE_MEASURED, LEAST_MEASURED), MOST_MEASURED)
    measured = measure(make, steady, data.train, measuring)
    spent, needed = time.monotonic() - began, overhead(measured, recipe, data, request.export)
    fitted = fit(plan, measured, 60 * minutes - spent - needed, len(data.monitored))
    if not fitted.steps:
        raise refuse(minutes, spent, needed, plan, measured)
    chosen = {"epochs": fitted.epochs, "steps": fitted.steps}
    origins = {**resolved.origins, **dict.fromkeys(chosen, f"--minutes {minutes:g}")}
    prepared.resolved = replace(resolved, recipe=fitted, origins=origins)
    prepared.request = replace(request, overrides={**(request.overrides or {}), **chosen})
    passes = fitted.steps / plan.steps_per_epoch
    reporter.note(f"  {fitted.steps:,} steps fit, {passes:.2g} passes over the {plan.examples:,} training images.")
