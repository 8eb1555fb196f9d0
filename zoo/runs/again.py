"""A finished run measured again: on its own images, or on others that a person has sorted by its classes."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError, UsageError, nearest
from zoo.files import named, sha256_of
from zoo.folders import LAYOUT, Contents, scan
from zoo.progress import Reporter
from zoo.runs import learned
from zoo.runs.directory import Run
from zoo.runs.request import request_of, unplaced
from zoo.words import amount

if TYPE_CHECKING:
    from zoo.prediction.cold import Prediction
    from zoo.runs.pipeline import Prepared
    from zoo.types import Data, Examples


# on its own images --------------------------------------------------------------------------------------------


def evaluate(run: Run, source: Path | None, reporter: Reporter, verbose: bool = False) -> dict[str, Any]:
    """The content of `metrics.json`, measured anew. Raises DataError if the images are others than the run's."""
    from zoo.prediction import engines
    from zoo.runs.pipeline import Prepared

    run.require_finished()
    receipt = run.receipt
    if missing := unplaced(run, source, "evaluate"):
        raise UsageError(missing)
    prepared = Prepared(request_of(run, source), run.resolved)
    data = prepared.data(reporter)
    if data.split_hash != receipt["dataset"]["split_hash"]:
        raise DataError(
            f"The images of {run.dataset} are not those the run was tested on: {changes(run, prepared, data)}. "
            "To measure the run on images that it did not learn from, a folder per class: "
            f"zoo evaluate {run.quoted} --on FOLDER"
        )
    session, model = engines.restore(run, verbose)
    from zoo.runs.finish import measure, reported_part  # it imports TensorFlow, which is quiet by now

    name, part = reported_part(data)
    return measure(session, model, part, run.resolved.recipe.flip_average, run, name, write=False)


def changes(run: Run, prepared: Prepared, data: Data) -> str:
    """What is not as it was when the run was made, as far as the run knows, with the names of some images."""
    classes = run.spec.class_names
    if data.class_names != classes:
        return f"the classes are {named(data.class_names)}, and were {named(classes)}"
    then, now = sum(run.receipt["dataset"]["counts"].values()), sum(map(len, data.parts.values()))
    what = f"{now:,} images now, {then:,} then"
    if gone := _gone(run, data):
        return f"{what}; gone: {named(gone)}"
    newer = _newer(prepared.examples, run.receipt["started"]) if now > then else []
    if len(newer) == now - then > 0:
        return f"{what}; new: {named(newer)}"
    return f"{what}; some are others" if now == then else what


def _gone(run: Run, data: Data) -> list[str]:
    """The images that were tested and are there no more; those that it learned from, the run does not name."""
    from zoo.runs.evaluation import read_predictions

    path = run.directory / "predictions.csv"
    here = {key for part in data.parts.values() for key in part.keys}
    return [key for key in read_predictions(path).keys if key not in here] if path.exists() else []


def _newer(examples: Examples, started: str) -> list[str]:
    """The files that came after the run began."""
    began = datetime.fromisoformat(started).timestamp() + 1  # it is told to the second
    files = [(example.key, example.image) for example in examples.iterate() if isinstance(example.image, Path)]
    return [key for key, path in files if path.exists() and max(path.stat().st_mtime, path.stat().st_ctime) > began]


# on others ----------------------------------------------------------------------------------------------------


def evaluate_on(run: Run, folder: Path, reporter: Reporter, verbose: bool = False) -> dict[str, Any]:
    """The metrics of the images in a folder of classes, by the full model in float32; nothing is written.

    Besides those of `metrics.json`: `on`, the folder's name; `fingerprint`, a SHA-256 over classes and contents in
    the order of the images; `left_out`, the images that can't be decoded, with the reason; `learned`, how many of
    them the run was trained on; `notes` in words.
    """
    run.require_finished()
    if run.receipt["rehearsal"]:
        raise UsageError(f"The run {run.id} is a rehearsal: it has seen generated images only, and can't be measured")
    contents = _labelled(run, folder)
    from zoo.prediction import engines
    from zoo.prediction.cold import predict_files

    classes, images = run.spec.class_names, contents.images
    reporter.note(f"Evaluating on {amount(len(images), 'image')} ...")
    predictor = engines.predictor(run, "tensorflow", verbose=verbose)
    predictions = predict_files(run.model_directory, [image.path for image in images], len(classes), predictor)
    answered = [(image, answer) for image, answer in zip(images, predictions, strict=True) if not answer.error]
    left_out = {image.key: answer.error for image, answer in zip(images, predictions, strict=True) if answer.error}
    if not answered:
        reasons = named([f"{key} ({reason})" for key, reason in left_out.items()])
        raise DataError(f"No image in {folder} can be decoded: {reasons}")
    labels = [classes.index(image.class_name) for image, _ in answered]
    fingerprint, contents_of = hashlib.sha256(), [sha256_of(image.path) for image, _ in answered]
    for (image, _), content in zip(answered, contents_of, strict=True):
        fingerprint.update(f"{image.class_name}\0{content}\n".encode("utf-8", "surrogateescape"))
    known = learned.known(run, contents_of)
    return {
        "on": folder.resolve().name,
        "fingerprint": fingerprint.hexdigest(),
        **_metrics([answer for _, answer in answered], labels, classes),
        "left_out": [{"image": key, "reason": reason} for key, reason in left_out.items()],
        "learned": known,
        "notes": contents.notes + _told(known, len(answered)),
    }


def _told(known: int, count: int) -> list[str]:
    """What a reader must know of images that the run learned from: of these it was told the answers."""
    if not known:
        return []
    which = "all of them" if known == count else f"{known:,} of the {count:,} images"
    return [f"the run learned from {which}, and was told their classes: this is no measure of what it does with others"]


def _labelled(run: Run, folder: Path) -> Contents:
    """What lies in the folder. Raises DataError unless it holds images of the run's classes alone, without parts."""
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "does not exist"
        raise DataError(f"--on takes {LAYOUT}. Received: {folder}, which {what}")
    contents, classes = scan(folder), run.spec.class_names
    if any(image.part for image in contents.images):
        raise DataError(f"--on takes {LAYOUT}. Received: {folder}, which holds parts. Give one: {folder / 'test'}")
    if not contents.images:
        notes = f" ({'; '.join(contents.notes)})" if contents.notes else ""
        raise DataError(f"--on takes {LAYOUT}. Received: {folder}, which holds no such image{notes}")
    if strangers := [name for name in contents.class_names if name not in classes]:
        raise DataError(
            f"The run knows the classes {', '.join(classes[:12])}{', ...' if len(classes) > 12 else ''}. Received: "
            f"{folder}, with {named(strangers)}. {nearest(strangers[0], classes)}"
            "Call the folders as the run calls the classes, or move them away"
        )
    return contents


def _metrics(answers: list[Prediction], labels: list[int], classes: tuple[str, ...]) -> dict[str, Any]:
    import numpy as np

    from zoo.runs.evaluation import metrics

    rows = [[dict(answer.classes)[name] for name in classes] for answer in answers]
    return metrics(np.array(rows), np.array(labels), classes)
