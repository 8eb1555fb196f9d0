"""The end of a run: the network in float32 is evaluated, exported and drawn; checkpoints give way to `model/`.

`finish` makes the network and its results whole, then says "finished"; `zoo.runs.closing` does what is left.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.cards import Card
from zoo.data import images
from zoo.errors import ZooError
from zoo.figures import drawing
from zoo.files import atomic_write
from zoo.prediction.packaged import Packaged
from zoo.recipes import Recipe
from zoo.runs import closing, report, seal
from zoo.runs.active import ActiveRun
from zoo.runs.directory import Run
from zoo.runs.evaluation import evaluate, metrics, predictor, sentence, write_predictions, write_table
from zoo.runs.export import assign, export_model, load_weights, save_weights
from zoo.session import Session
from zoo.training.feeder import Plan
from zoo.training.forecast import Forecast, extrapolate
from zoo.types import Data, Model, Part, Spec, View
from zoo.words import amount

if TYPE_CHECKING:
    from zoo.runs.pipeline import Prepared

SAMPLES = 64


def finish(active: ActiveRun, trained: Model, data: Data, prepared: Prepared) -> None:
    """Write the network, its results and pictures; the receipt's "finished" last, with what remains to be done."""
    run = active.run
    model = active.build(active.spec.height, "float32")
    assign(model.variables, [np.asarray(variable) for variable in trained.variables])
    save_weights(run.model_directory / "weights.npz", model.variables)
    keep_best(active, model)
    part_name, part = reported_part(data)
    active.reporter.note(f"Evaluating on {amount(len(part), f'{part_name} image')} ...")
    measure(active.session, model, part, active.recipe.flip_average, run, part_name)
    prepare = prepared.dataset.facts.prepare
    write_spec(run, active, prepare, {})
    if run.receipt["export"]:
        active.reporter.note("Exporting the network ...")
        exported = export(run, active.session, model, part)
        write_spec(run, active, prepare, exported)
    active.reporter.note("Drawing the figures ...")
    draw(active, model, data)
    write_quarantine(active, data)
    run.update(
        status="finished",
        finished=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        forecast=forecast_of(active),
        model=seal.seal(run.model_directory),
        remaining=list(closing.STEPS),
    )


def keep_best(active: ActiveRun, model: Model) -> None:
    """Where the recipe keeps several best epochs: write `model/best-1.npz` (the best), `best-2.npz`, ..., of the form
    of `weights.npz`, and into the receipt which epochs they are. The network's own weights stay."""
    if active.recipe.keep_best < 2:
        return
    own = [np.asarray(variable) for variable in model.variables]
    rows = {row["step"]: row for row in active.history}
    kept = []
    for number, step in enumerate(active.ranked, start=1):
        name = f"best-{number}.npz"
        assign(model.variables, active.best(step))
        save_weights(active.run.model_directory / name, model.variables)
        kept.append({"file": name, **{key: rows[step].get(key) for key in ("epoch", "step", "validation_accuracy")}})
    assign(model.variables, own)
    active.run.update(best=kept)


def reported_part(data: Data) -> tuple[str, Part]:
    """The part that the result is of: test; or validation, where the recipe has no test part (vgg16's book)."""
    return ("test", data.test) if len(data.test) else ("validation", data.validation)


def measure(
    session: Session, model: Model, part: Part, flip: bool, run: Run, part_name: str, write: bool = True
) -> dict[str, Any]:
    """Evaluate in float32; both figures where images are flipped. Writes `metrics.json` and `predictions.csv`."""
    names = run.spec.class_names
    labels = part.labels[:]
    probabilities = evaluate(predictor(session.predict, model, flip_average=flip), part)
    result = {"part": part_name, **metrics(probabilities, labels, names)}
    if flip:
        plain = metrics(evaluate(predictor(session.predict, model, flip_average=False), part), labels, names)
        result["without_flip_average"] = {key: plain[key] for key in ("accuracy", "interval", "loss")}
    if run.receipt["rehearsal"]:
        result = {"part": part_name, "count": result["count"], "rehearsal": True}
    elif write:
        write_predictions(run.directory / "predictions.csv", part.keys, labels, probabilities, names)
    if write:
        atomic_write(run.directory / "metrics.json", json.dumps(result, indent=1) + "\n")
    return result


def export(run: Run, session: Session, model: Model, part: Part) -> dict[str, Any]:
    """Write the derived files of `model/`, each checked against the network on real images."""
    return export_on_samples(run, session, model, part.take(slice(0, SAMPLES)))


def export_on_samples(run: Run, session: Session, model: Model, samples: Any) -> dict[str, Any]:
    """As `export`, on given uint8 images [n, height, width, channels]."""
    flip = run.resolved.recipe.flip_average
    predict = predictor(session.predict, model, flip_average=flip)
    return export_model(run.model_directory, model, predict, run.spec, samples.astype(np.float32))


def random_images(spec: Spec) -> Any:
    """uint8 images [16, height, width, channels]: the data may be far away, and any show whether two files agree."""
    return np.random.default_rng(0).integers(0, 256, (16, spec.height, spec.width, spec.channels), np.uint8)


def write_spec(run: Run, active: ActiveRun, prepare: str, exported: dict[str, Any]) -> None:
    """Write `model/spec.json`: all that prediction needs to know besides the weights. `prepare` is the card's."""
    recipe, spec = active.recipe, asdict(active.spec)
    content = {
        "format": 1,
        "architecture": spec.pop("name"),
        **spec,
        "resize": recipe.resize,
        "interpolation": recipe.interpolation,
        "rule": images.RULE,
        "flip_average": recipe.flip_average,
        "prepare": prepare,
        "rehearsal": active.rehearsal,
        "export": exported,
    }
    atomic_write(run.model_directory / "spec.json", json.dumps(content, indent=1) + "\n")


def draw(active: ActiveRun, model: Model, data: Data) -> None:
    """Write everyone's figures, with their captions. A run that can't be drawn (no Graphviz, say) is whole all the
    same: the receipt says why, and `zoo visualize` draws it later."""
    try:
        drawing.draw(active.session, model, data, active, View(spec=active.spec), active.directory / "figures")
    except Exception as error:
        if active.run.receipt["strict"]:
            raise
        reason = str(error) if isinstance(error, ZooError) else f"{type(error).__name__}: {error}"
        active.reporter.note(f"No figures were drawn: {reason}")
        active.run.update(not_drawn=reason)


def write_quarantine(active: ActiveRun, data: Data) -> None:
    """Write `quarantine.csv`: each image that was left out, with the reason."""
    write_table(active.directory / "quarantine.csv", ("image", "reason"), data.quarantine)


def forecast_of(active: ActiveRun) -> dict[str, Any] | None:
    """The forecast as it goes into the receipt."""
    return active.forecast.as_dict() if active.forecast else None


def rebuild(run: Run | Packaged, session: Session) -> Model:
    """Build a finished run's network, or a packaged one, in float32, with its weights. Raises ZooError if they are
    not those that the run's receipt names."""
    if isinstance(run, Run):
        seal.require(run, seal.WEIGHTS)
    model = session.build(replace(run.spec, weights=None), "float32")
    assign(model.variables, list(load_weights(run.model_directory / "weights.npz").values()))
    return model


def conclude(active: ActiveRun, prepared: Prepared) -> None:
    """Say what came of it, and what can be done with it."""
    run, note = active.run, active.reporter.note
    if active.rehearsal:
        note("REHEARSAL done: the whole path works on this machine; generated images have no accuracy to report.")
        if active.forecast is not None and prepared.planned is not None:
            note(real_forecast(active.spec, active.forecast, prepared.planned, prepared.dataset.facts))
    else:
        result = run.metrics or {}
        note(f"{run.title}: " + sentence(result, f"{result['part']} image"))
    note(f"The run is in {run.directory}\n  zoo show {run.quoted}\n  zoo predict {run.quoted} PHOTO.jpg")
    note(f"All about it on one page: {run.directory / report.NAME}")


def real_forecast(spec: Spec, measured: Forecast, recipe: Recipe, card: Card) -> str:
    """What the real run's training would take, from the rehearsal's rate."""
    tested = card.test_images or recipe.test
    examples = max(recipe.batch_size, (card.images or 10_000) - tested - recipe.validation)
    examples = max(min(examples, recipe.train or examples), recipe.epoch_images)
    monitored = recipe.validation or tested
    if measured.once:
        images = examples + monitored
        real = replace(measured, images=images, seconds=images / measured.images_per_second)
    else:
        plan = Plan(recipe, spec.seed, examples, recipe.cached_size)
        real = extrapolate(plan, measured.images_per_second, measured.size, monitored)
    return replace(real, memory=measured.memory).sentence("The real")
