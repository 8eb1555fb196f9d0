"""From a request to a finished run: data, network, training, evaluation, export, figures, receipt.

Everything that can be wrong with the request is found before a framework is imported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zoo import locks, pretrained, quiet
from zoo.data.rehearsal import rehearsal_examples, rehearsal_recipe
from zoo.errors import DataError, Interrupted, UsageError, ZooError
from zoo.files import require_space, writing
from zoo.hardware import default_threads
from zoo.progress import Reporter
from zoo.recipes import ENGINE_KEYS, Recipe, ResolvedRecipe, asked, resolve
from zoo.registry import Plugin, Registry
from zoo.runs import again, closing, kept, learned
from zoo.runs import receipt as receipts
from zoo.runs.directory import Run, check_new, new_directory
from zoo.runs.request import Request, located, request_of
from zoo.session import Session
from zoo.training import budget
from zoo.types import Data, Examples, Part, Spec

if TYPE_CHECKING:
    from zoo.runs.active import ActiveRun

# three states of four values (weights, two moments, average) while one is replaced, and two sets of weights
SETS_OF_VALUES = 3 * 4 + 2


class Prepared:
    """A request whose names, recipe and data have been found; no framework is imported yet.

    `resolved` is the recipe of a run that exists; by default it is looked up. `planned` is what a rehearsal
    rehearses.
    """

    def __init__(self, request: Request, resolved: ResolvedRecipe | None = None) -> None:
        registry = Registry.discover()
        self.request = request = located(request, registry)
        self.architecture = registry.get("architecture", request.architecture)
        self.dataset = registry.get("dataset", request.dataset)
        self.planned: Recipe | None = None
        self.resolved = resolved or self._look_up()
        observers = [plugin for plugin in registry.of("plugin") if plugin.status == "ok"]
        self.session = Session(self.architecture, self.dataset, observers, request.strict)
        self.channels = channels_of(self.architecture, self.dataset)
        self.examples = self._examples()

    def _look_up(self) -> ResolvedRecipe:
        request = self.request
        resolved = resolve(
            self.architecture,
            self.dataset,
            request.recipe,
            request.config,
            request.settings,
            request.overrides,
        )
        check_against_card(resolved.recipe, self.architecture)
        check_own_loop(resolved)
        if request.minutes is not None:
            budget.check(request.minutes, resolved.origins, request.rehearse)
        if not request.rehearse:
            return resolved
        self.planned = resolved.recipe
        return replace(resolved, recipe=rehearsal_recipe(resolved.recipe))

    def _examples(self) -> Examples:
        if self.request.rehearse:
            return rehearsal_examples(self.dataset, self.resolved.recipe)
        from zoo.data.loading import find_source

        return self.session.examples(find_source(self.request.source))

    def data(self, reporter: Reporter) -> Data:
        """Decode and split the images."""
        from zoo.data.loading import prepare

        recipe = self.resolved.recipe
        reporter.start("reading images", self.examples.count)
        try:
            progress = reporter_progress(reporter)
            data = prepare(self.examples, self.dataset.name, recipe, self.channels, progress, self.asked_parts)
        finally:
            reporter.stop()
        if not self.request.test:
            data = without_test(data)
        check_parts(recipe, data)
        return data

    @property
    def asked_parts(self) -> list[str]:
        """The parts whose size the user asked for, of "validation" and "test"."""
        return asked(self.resolved.origins, ("validation", "test"))

    @property
    def weights(self) -> str | None:
        """What the network begins with; None: weights drawn from the seed."""
        return self.resolved.recipe.weights or None

    def spec(self) -> Spec:
        """What the network is built for."""
        recipe = self.resolved.recipe
        return Spec(
            name=self.architecture.name,
            height=recipe.image_size,
            width=recipe.image_size,
            channels=self.channels,
            class_names=self.examples.class_names,
            options=dict(recipe.options),
            weights=self.weights,
            seed=self.request.seed,
        )


def reporter_progress(reporter: Reporter) -> Any:
    """The progress callback of data preparation."""
    return lambda done, total: reporter.advance(done, f"{done:,} of {total:,}")


def channels_of(architecture: Plugin, dataset: Plugin) -> int:
    """The channels that the network is built for: the data set's where it takes them, else its own first."""
    takes, has = architecture.facts.channels, dataset.facts.channels
    return has[0] if has[0] in takes else takes[0]


def check_against_card(recipe: Recipe, architecture: Plugin) -> None:
    """Raise UsageError for unknown options or weights, and for image sizes below what the network takes."""
    options = architecture.facts.options
    for option in recipe.options:
        if architecture.card is not None and option not in options:
            raise UsageError(f"{architecture.name} has no option {option!r}. It has: {', '.join(options) or 'none'}")
    least = architecture.facts.min_size
    small = [size for size in (recipe.image_size, *recipe.train_sizes) if size < least]
    if small:
        raise UsageError(
            f"{architecture.name} takes images from {least} pixels. Received: {small[0]}. Try --set image_size={least}"
        )
    pretrained.check(recipe.weights, architecture)


def without_test(data: Data) -> Data:
    """The data for tuning: nothing of the test part is looked at. Raises UsageError without a validation part."""
    if not len(data.validation):
        raise UsageError("--no-test needs a validation part to report: --set validation=5000")
    kept = Part(data.test.images, data.test.rows[:0], data.test.labels[:0], [])
    return replace(data, test=kept, notes=(*data.notes, f"the {len(data.test):,} test images are left alone"))


def check_parts(recipe: Recipe, data: Data) -> None:
    """Raise UsageError if the recipe asks for what the split of the data does not have."""
    if not len(data.train):
        raise UsageError(f"{data.name} has no training images left after the split")
    if not len(data.test) and not len(data.validation):
        raise UsageError(
            f"{data.name} has neither validation nor test images, of which a result could be told: --set validation=500"
        )
    if (recipe.early_stopping or recipe.keep == "best" or recipe.keep_best > 1) and not len(data.validation):
        raise UsageError("early_stopping, keep = best and keep_best need a validation part: --set validation=5000")
    weights = recipe.class_weights
    if isinstance(weights, tuple) and len(weights) != len(data.class_names):
        raise UsageError(
            f"class_weights needs one number for each of the {len(data.class_names)} classes of {data.name}. "
            f"Received: {len(weights)}"
        )


def check_asked(prepared: Prepared, data: Data) -> None:
    """Raise UsageError if a part is smaller than the user asked for; a recipe's wish is scaled, and that is noted."""
    if prepared.request.rehearse:
        return
    for key in prepared.asked_parts:
        if key == "test" and not prepared.request.test:
            continue  # it was left alone
        wanted = getattr(prepared.resolved.recipe, key)
        if len(getattr(data, key)) < wanted:
            images = sum(map(len, data.parts.values()))
            raise UsageError(
                f"{key} takes at most half of the images that train, and {data.name} has {images:,} in all. "
                f"Received: {key} = {wanted:,}"
            )


def check_own_loop(resolved: ResolvedRecipe) -> None:
    """Raise UsageError for keys that the user set and gradient descent's own loop would pass over."""
    passed_over = _set_by_user(resolved)
    if resolved.recipe.optimizer == "gradient-descent" and passed_over:
        raise UsageError(
            f"optimizer = gradient-descent is a loop of its own, which knows no {', '.join(passed_over)}. "
            "Leave that out, or train in the zoo's engine: --set optimizer=adamw"
        )


# training -----------------------------------------------------------------------------------------------------


def train(
    request: Request, reporter: Reporter, verbose: bool = False, check: Callable[[Data], None] | None = None
) -> Run:
    """Train a new run to its end and return it. `check` may refuse the data before there is a run."""
    started, began = datetime.now(UTC), time.monotonic()
    if request.output is not None:
        check_new(request.output)
    prepared = Prepared(request)
    data = prepared.data(reporter)
    check_asked(prepared, data)
    if check is not None:
        check(data)
    threads = start_frameworks(default_threads(), verbose)
    prepared.session.load()  # a plugin that can't be used leaves no run behind
    from zoo.training import distribution

    devices = distribution.choose(request.devices)
    budget.apply(prepared, data, devices, reporter, began)
    request = prepared.request
    run = Run(new_directory(request.architecture, request.dataset, request.output))
    with locked(run):
        run.write(receipts.make(prepared, data, started, threads, devices))
        kept.keep(run, request.source, prepared.weights)
        learned.write(run, data)
        _go(run, prepared, data, reporter, devices)
        if request.minutes is not None:
            minutes = (time.monotonic() - began) / 60
            run.update(minutes_taken=round(minutes, 2))
            reporter.note(f"It took {minutes:.1f} of the {request.minutes:g} minutes.")
        return run


def resume(run: Run, reporter: Reporter, inexact: bool = False, verbose: bool = False) -> Run:
    """Go on with an interrupted or killed run; on the same machine it ends bit for bit as if uninterrupted."""
    receipt = run.receipt
    if receipt["status"] == "finished":
        return closing.resume(run, reporter, verbose)
    with locked(run):
        request = replace(
            request_of(run, kept.source(run)),
            recipe=receipt["recipe"]["name"],
            seed=receipt["spec"]["seed"],
            export=receipt["export"],
            strict=receipt["strict"],
        )
        prepared = Prepared(request, kept.recipe(run))
        data = prepared.data(reporter)
        if data.fingerprint != receipt["dataset"]["fingerprint"]:
            raise DataError(
                f"The images of {data.name} are not those the run began with: {again.changes(run, prepared, data)}. "
                f"Put them back and resume, or begin anew: {receipt['command']}"
            )
        threads = start_frameworks(receipt["threads"], verbose)
        from zoo.training import distribution

        wanted = len(receipt["devices"])
        devices = distribution.choose(wanted if wanted <= len(distribution.devices()) else distribution.ALL)
        differences = receipts.differences(receipt, prepared, threads, distribution.describe(devices))
        if differences and not inexact:
            raise ZooError(
                "This run can't be resumed exactly here: " + "; ".join(differences) + ". "
                "To go on all the same: --inexact (the receipt will say so)"
            )
        if differences:
            run.update(inexact=[*receipt.get("inexact", []), *differences])
        return _go(run, prepared, data, reporter, devices)


def _go(run: Run, prepared: Prepared, data: Data, reporter: Reporter, devices: Sequence[str]) -> Run:
    """Train, or go on with, a run whose receipt is written; finish it."""
    from zoo.contract import parameters_of
    from zoo.runs.active import ActiveRun
    from zoo.runs.finish import conclude, finish
    from zoo.training import checkpoints

    active = ActiveRun(run, prepared.session, prepared.resolved, run.receipt["precision"], reporter, devices)
    try:
        with active.stoppable():
            run.update(status="training", reason="")
            _announce(run, data, reporter)
            # a checkpoint holds the weights as they have become; that of a probe its head's alone
            weights = prepared.weights
            if weights and not active.recipe.freeze and checkpoints.has_whole_state(run.checkpoints):
                weights = None
            model = active.build(run.spec.height, weights=weights)
            parameters = parameters_of(model)
            run.update(parameters=parameters)
            sets = SETS_OF_VALUES + 2 * active.recipe.keep_best
            require_space(run.directory, 4 * sets * parameters - checkpoints.size(run.checkpoints), "This run")
            prepared.session.notify("zoo_run_started", run=active)
            history = prepared.session.train(model, data, active.recipe, active)
            reporter.stop()
            _note_passed_over(active, prepared)
            if active.stopping:
                raise Interrupted("Interrupted")
            active.trained()
            active.history[:] = history
            finish(active, model, data, prepared)
    except (Interrupted, KeyboardInterrupt):
        reporter.stop()
        run.update(status="interrupted")
        raise Interrupted(f"Interrupted. Go on with: zoo train --resume {run.quoted}") from None
    except BaseException as error:
        reporter.stop()
        run.update(status="failed", reason=f"{type(error).__name__}: {error}".splitlines()[0])
        raise
    finally:
        active.note_time()
    # the report says how long all before it took
    closing.close(run, lambda: prepared.session.notify("zoo_run_finished", run=active))
    conclude(active, prepared)
    return run


def _set_by_user(resolved: ResolvedRecipe) -> list[str]:
    """The engine's keys that the user set."""
    origins = resolved.origins
    # a recipe of a plugin names its file with folders ("zoo_cnn/recipes/mnist.toml:3"): it knows its own loop
    return [key for key in ENGINE_KEYS if origins[key] != "core" and "/" not in origins[key]]


def _note_passed_over(active: ActiveRun, prepared: Prepared) -> None:
    """Say which keys that the user set may have had no effect, where the architecture trained by a loop of its own."""
    changed = _set_by_user(active.resolved)
    if changed and not active.used_the_engine:
        active.reporter.note(
            f"{prepared.architecture.name} trained by its own loop (zoo_train), which may pass over "
            f"these keys of the recipe: {', '.join(changed)}"
        )


def _announce(run: Run, data: Data, reporter: Reporter) -> None:
    receipt = run.receipt
    parts = ", ".join(f"{len(part):,} {name}" for name, part in data.parts.items() if len(part))
    reporter.note(f"{run.title}: {parts} images, {receipt['precision']}, seed {receipt['spec']['seed']}")
    for note in data.notes:
        reporter.note(f"  {note}")
    if not len(data.validation):
        reporter.note("  there is no validation part: what is called validation below is measured on the test images")
    reporter.note(f"  {run.directory}")


def start_frameworks(threads: Mapping[str, int], verbose: bool = False) -> dict[str, int]:
    """Import TensorFlow quietly and set its thread counts; return those in force.

    They are part of what makes runs repeatable, and can't be changed once TensorFlow has computed something.
    """
    quiet.import_tensorflow(verbose)
    import tensorflow as tf

    setting = tf.config.threading
    with suppress(RuntimeError):
        setting.set_intra_op_parallelism_threads(threads["intra"])
        setting.set_inter_op_parallelism_threads(threads["inter"])
    return {
        "intra": setting.get_intra_op_parallelism_threads(),
        "inter": setting.get_inter_op_parallelism_threads(),
    }


# what only a run in progress needs ----------------------------------------------------------------------------


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Hold the run's lock, or say at once that another process trains into this directory."""
    with writing(run.checkpoints):
        run.checkpoints.mkdir(exist_ok=True)
    with locks.locked(run.checkpoints / "lock", f"is training in {run.directory}", wait=False):
        yield
