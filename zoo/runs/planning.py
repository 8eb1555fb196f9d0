"""What a training would be, before there is a run: `zoo train --dry-run`, and what a ladder will take."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zoo.hardware import default_threads, resolve_precision
from zoo.progress import Reporter
from zoo.recipes import ResolvedRecipe
from zoo.runs import pipeline
from zoo.runs.pipeline import Prepared
from zoo.runs.request import Request
from zoo.training import budget
from zoo.training.feeder import Plan
from zoo.types import Spec

if TYPE_CHECKING:
    from zoo.training.forecast import Forecast


@dataclass(frozen=True)
class Planned:
    """What a training would be: the resolved recipe, the network's spec, image counts, and the forecast."""

    resolved: ResolvedRecipe
    spec: Spec
    precision: str
    counts: dict[str, int]
    forecast: Forecast


def plan(request: Request, *, quiet: bool = False, verbose: bool = False) -> Planned:
    """Resolve a request, read its images and time a few steps; no run is made."""
    reporter, began = Reporter(quiet=quiet), time.monotonic()
    prepared = Prepared(request)
    data = prepared.data(reporter)
    pipeline.check_asked(prepared, data)
    pipeline.start_frameworks(default_threads(), verbose)
    from zoo.training import distribution, forecast, probe

    devices = distribution.choose(request.devices)
    budget.apply(prepared, data, devices, reporter, began)
    recipe, spec = prepared.resolved.recipe, prepared.spec()
    precision = resolve_precision(recipe, distribution.has_bfloat16())
    reporter.note("Compiling the first step ...")
    # how long a step takes does not depend on the weights; a plan downloads none
    strategy = distribution.strategy_of(devices)
    with distribution.scope(strategy):
        model = prepared.session.build(replace(spec, weights=None), precision)
    if probe.applies(model, recipe):
        measured = probe.forecast(model, data, recipe)
    else:
        steady = replace(recipe, train_sizes=())
        trainer = distribution.make_trainer(model, steady, recipe.image_size, strategy)
        steps = Plan(steady, spec.seed, len(data.train), data.train.images.shape[1])
        known = forecast.measure(steps, trainer, data.train, len(data.monitored), 0)
        whole = replace(steps, recipe=recipe)
        measured = forecast.extrapolate(whole, known.images_per_second, known.size, len(data.monitored))
    counts = {name: len(part) for name, part in data.parts.items()}
    return Planned(prepared.resolved, spec, precision, counts, measured)
