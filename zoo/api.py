"""The verbs of the command line as a typed Python API: `zoo.train("cnn", "mnist")`.

Functions show progress on standard error unless `quiet` is set, and raise `zoo.ZooError` where the command
line would end with a message. What trains is imported when it is needed: a cold prediction needs little.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, nearest
from zoo.hardware import default_threads
from zoo.progress import Reporter
from zoo.runs.directory import PACKAGED, Run
from zoo.runs.directory import resolve as find_run
from zoo.types import Data, Model, Spec

if TYPE_CHECKING:
    from zoo.prediction.cold import Prediction
    from zoo.prediction.imagenet import Published
    from zoo.prediction.packaged import Packaged
    from zoo.recipes import ResolvedRecipe


def train(
    architecture: str,
    dataset: str,
    *,
    recipe: str = "quick",
    config: Path | str | None = None,
    settings: Iterable[str] | str = (),
    overrides: Mapping[str, Any] | None = None,
    seed: int = 0,
    source: Path | str | None = None,
    output: Path | str | None = None,
    rehearse: bool = False,
    export: bool = True,
    strict: bool = False,
    devices: int = 1,
    minutes: float | None = None,
    test: bool = True,
    quiet: bool = False,
    verbose: bool = False,
) -> Run:
    """Train a network on a data set and return the finished run.

    `devices` is how many GPUs share each batch (0: all there are); `minutes` fits the training into a time.
    `settings` are "key=value" strings, or one, `overrides` recipe keys with their values (they win); `config` is a
    TOML file of recipe keys. `rehearse` runs a few steps on generated images. Without `test` the test part is left
    alone and the result is that of the validation part: for tuning.
    """
    from zoo.runs import pipeline
    from zoo.runs.request import Request

    request = Request(
        architecture=architecture,
        dataset=dataset,
        recipe=recipe,
        config=_path(config),
        settings=_several("settings", settings),
        overrides=overrides,
        seed=seed,
        source=_path(source),
        output=_path(output),
        rehearse=rehearse,
        export=export,
        strict=strict,
        devices=devices,
        minutes=minutes,
        test=test,
    )
    return pipeline.train(request, Reporter(quiet=quiet), verbose)


def resume(run: Run | str | Path, *, inexact: bool = False, quiet: bool = False, verbose: bool = False) -> Run:
    """Go on with an interrupted or killed run to its end."""
    from zoo.runs import pipeline

    return pipeline.resume(_run(run), Reporter(quiet=quiet), inexact, verbose)


def build(
    architecture: str,
    dataset: str | None = None,
    *,
    size: int | None = None,
    settings: Iterable[str] | str = (),
    weights: Path | str | None = None,
    seed: int = 0,
    verbose: bool = False,
) -> tuple[Model, Spec]:
    """Build a network in float32: for a data set as its recipe would, else as its card says.

    `weights` is None (drawn from `seed`), a name on its card ("imagenet", which downloads them) or the path of a file.
    """
    from zoo.registry import Registry
    from zoo.runs import pipeline
    from zoo.session import Session

    found = Registry.discover()
    plugin = found.get("architecture", architecture)
    card = plugin.facts
    if dataset is not None:
        target = found.get("dataset", dataset)
        channels = pipeline.channels_of(plugin, target)
        names = target.facts.class_names or tuple(f"class {index}" for index in range(10))
    else:
        target = None
        channels = card.channels[0]
        names = tuple(f"class {index}" for index in range(card.classes or 10))
    overrides = {"image_size": size, "weights": None if weights is None else str(weights)}
    recipe = _resolve(plugin, target, _several("settings", settings), overrides).recipe
    pixels, begins = recipe.image_size, recipe.weights or None
    spec = Spec(architecture, pixels, pixels, channels, names, recipe.options, begins, seed)
    session = Session(plugin)
    pipeline.start_frameworks(default_threads(), verbose)
    return session.build(spec), spec


def _resolve(plugin: Any, target: Any, settings: Sequence[str], overrides: Mapping[str, Any]) -> ResolvedRecipe:
    from zoo.recipes import resolve
    from zoo.runs import pipeline

    given = {key: value for key, value in overrides.items() if value is not None}
    resolved = resolve(plugin, target or plugin, "quick", None, settings, given)
    pipeline.check_against_card(resolved.recipe, plugin)
    return resolved


def prepare(
    dataset: str,
    *,
    size: int,
    channels: int | None = None,
    source: Path | str | None = None,
    quiet: bool = False,
) -> Data:
    """Decode a data set into the cache at an image size in pixels; training then starts at once."""
    from zoo.data.loading import find_source
    from zoo.data.loading import prepare as prepare_data
    from zoo.recipes import Recipe
    from zoo.registry import Registry
    from zoo.runs import pipeline
    from zoo.session import Session

    plugin = Registry.discover().get("dataset", dataset)
    session = Session(plugin, plugin)
    examples = session.examples(find_source(_path(source)))
    reporter = Reporter(quiet=quiet)
    reporter.start("reading images", examples.count)
    try:
        progress = pipeline.reporter_progress(reporter)
        return prepare_data(
            examples, plugin.name, Recipe(image_size=size), channels or plugin.facts.channels[0], progress
        )
    finally:
        reporter.stop()


def predict(
    run: Run | Packaged | Published | str | Path,
    files: Iterable[Path | str] | Path | str,
    *,
    top: int = 5,
    engine: str = "auto",
    download: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> list[Prediction]:
    """Classify image files, and those in folders, with a finished run, a packaged network ("zoo:cnn/mnist") or one
    with published weights ("zoo:resnet50/imagenet"); `top` classes each. `files` is one path, or several.

    `engine` "litert" does not load TensorFlow; "tensorflow" runs the network itself; "auto" is LiteRT, for which a
    run that was not exported is exported first, or TensorFlow where that fails. `download` allows to fetch published
    weights, once; without it, and without them, MissingWeights says which file to put where.
    """
    from zoo import pretrained
    from zoo.prediction import engines
    from zoo.prediction.cold import predict_files

    paths = _paths("files", files)
    found = _network(run)
    with pretrained.downloads(allowed=download):
        predictor = engines.predictor(found, engine, quiet, verbose)
    return predict_files(found.model_directory, paths, top, predictor)


def evaluate(
    run: Run | str | Path,
    *,
    on: Path | str | None = None,
    source: Path | str | None = None,
    quiet: bool = False,
    verbose: bool = False,
) -> dict[str, Any]:
    """Evaluate a finished run again on its own part of the data; the result is that of `metrics.json`.

    Or `on` other images: a folder that holds a folder of images for each of the run's classes, or for some; then
    the result has "on", "fingerprint", "left_out", "learned" (how many of them the run was trained on) and "notes" as
    well. Nothing is written.

    Raises DataError if the images are not those that the run was trained and tested on, or of other classes.
    """
    from zoo.runs import again

    found, reporter = _run(run), Reporter(quiet=quiet)
    if on is None:
        return again.evaluate(found, _path(source), reporter, verbose)
    if source is not None:
        raise UsageError("--on and --source exclude each other: --source says where the run's own images are")
    return again.evaluate_on(found, Path(on), reporter, verbose)


def visualize(
    what: Run | str | Path,
    dataset: str | None = None,
    *,
    output: Path | str | None = None,
    only: Iterable[str] | str = (),
    layers: Iterable[str] | str = (),
    images: Iterable[Path | str] | Path | str = (),
    source: Path | str | None = None,
    quiet: bool = False,
    verbose: bool = False,
) -> list[Path]:
    """Draw a run's figures again, or those of an untrained architecture; return the files written.

    `only` names figures ("confusion"; "features" stands for "features-conv1" as well), `layers` those whose feature
    maps are drawn, `images` files or folders to look at instead of a held-out image. `source` is where the data
    set's files are.
    """
    from zoo.figures.drawing import Wishes, draw_architecture, draw_run
    from zoo.registry import Registry

    names, places = _several("only", only), _several("layers", layers)
    wishes = Wishes(names, places, _paths("images", images), _path(source), _path(output))
    architectures = {plugin.name for plugin in Registry.discover().of("architecture")}
    if what in architectures:
        return draw_architecture(str(what), dataset, wishes, quiet, verbose)
    if dataset is not None:
        raise UsageError(f"A run knows its data set. Received: {dataset!r} after the run {what}")
    try:
        found = _run(what)
    except UsageError as error:
        hint = nearest(str(what), architectures)
        raise UsageError(f"{what!r} is neither an architecture nor a run. {hint}{error}") from error
    found.require_finished()
    written = draw_run(found, wishes, quiet, verbose)
    if output is None:  # the pictures are the run's own
        from zoo.runs import report

        report.write(found)
    return written


def report(run: Run | str | Path) -> Path:
    """Write a finished run's `report.html` again and return its path; pictures that it lacks are drawn first."""
    from zoo.runs import report as reports

    found = _run(run)
    if found.status == "finished" and not (found.directory / "figures").is_dir():
        visualize(found)
    return reports.write(found)


def compare(*names: Run | str | Path) -> list[dict[str, Any]]:
    """One row per run: title, accuracy (0..1) with its interval, parameters, seconds."""
    return [comparison_row(_run(name)) for name in names]


def comparison_row(run: Run) -> dict[str, Any]:
    """What `zoo compare` and `zoo runs` show of a run; figures that it does not have are None."""
    receipt, result = run.receipt, run.metrics or {}
    return {
        "id": run.id,
        "title": run.title,
        "status": receipt["status"],
        "part": result.get("part"),
        "count": result.get("count"),
        "accuracy": result.get("accuracy"),
        "interval": result.get("interval"),
        "parameters": receipt.get("parameters"),
        "seconds": receipt.get("seconds"),
        "seed": receipt["spec"]["seed"],
    }


def _network(run: Run | Packaged | Published | str | Path) -> Run | Packaged | Published:
    if isinstance(run, str) and run.startswith(PACKAGED):
        from zoo.prediction import packaged
        from zoo.registry import Registry

        return packaged.find(run, Registry.discover())
    return _run(run) if isinstance(run, str | Path) else run


def _run(run: Run | str | Path) -> Run:
    return run if isinstance(run, Run) else find_run(str(run))


def _several(argument: str, values: object, what: str = "a string, or several") -> tuple[str, ...]:
    """The strings or paths of an argument. One alone is meant as such: it would be read letter by letter."""
    given = (values,) if isinstance(values, str | os.PathLike) else values
    found = []
    for value in given if isinstance(given, Iterable) else (given,):
        if not isinstance(value, str | os.PathLike):
            inside = "" if value is values else f", and in it {type(value).__name__}"
            raise UsageError(f"{argument!r} takes {what}. Received: {type(values).__name__}{inside}")
        found.append(os.fspath(value))
    return tuple(found)


def _paths(argument: str, values: object) -> tuple[Path, ...]:
    return tuple(map(Path, _several(argument, values, "the path of an image or a folder, or several")))


def _path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)
