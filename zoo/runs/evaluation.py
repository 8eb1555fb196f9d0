"""Evaluation: probabilities of a part of the data, metrics with intervals, `predictions.csv`, paired comparison.

Importing this module imports NumPy and no framework.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from zoo.errors import PluginError, ZooError
from zoo.files import atomic_write
from zoo.intervals import wilson
from zoo.types import Part
from zoo.words import amount

Array: TypeAlias = np.ndarray[Any, Any]
Interval: TypeAlias = tuple[float, float]

_PIXELS_AT_ONCE = 250_000  # 64 feature maps of them take 64 MB in float32
_BATCH_LIMIT = 500
_LEAST_PROBABILITY = 1e-12
_SIGNIFICANT = 0.05
_COLUMNS = ("key", "truth", "prediction", "probability", "correct")


# probabilities ------------------------------------------------------------------------------------------------


class Predictor:
    """A network's probabilities: float32 images [n, h, w, c], 0..255, to a float32 tensor [n, classes].

    `traceable` says whether the prediction consists of TensorFlow operations; None before the first call.
    Within another `tf.function` a call traces into that function: so it is exported.
    """

    def __init__(self, predict: Callable[[Any, Any], Any], model: Any, flip_average: bool) -> None:
        self.predict = predict
        self.model = model
        self.flip_average = flip_average
        self.traceable: bool | None = None
        self._compiled: dict[tuple[int, ...], Any] = {}

    def __call__(self, images: Any) -> Any:
        import tensorflow as tf

        if not tf.executing_eagerly():
            return self._probabilities(images)
        images = tf.convert_to_tensor(images, tf.float32)
        if self.traceable is not False:
            compiled = self._compile(tuple(images.shape[1:]))
            if compiled is not None:
                return compiled(images)
        return self._probabilities(images)

    def _compile(self, shape: tuple[int, ...]) -> Any:
        """The compiled prediction of any number of images of one shape; None if it can't be traced."""
        import tensorflow as tf

        if shape not in self._compiled:
            signature = tf.TensorSpec([None, *shape], tf.float32)
            try:
                self._compiled[shape] = tf.function(self._probabilities).get_concrete_function(signature)
            except Exception:
                # a plugin's own prediction may raise anything when traced (`.numpy()`, a Python `if`);
                # one that is truly broken raises again when it is run eagerly
                if self.traceable:
                    raise
                self.traceable = False
                return None
            self.traceable = True
        return self._compiled[shape]

    def _probabilities(self, images: Any) -> Any:
        import tensorflow as tf

        if not self.flip_average:
            return self._checked(self.predict(self.model, images))
        # one batch, not two calls: an exported network would hold, and pack, its weights twice
        both = tf.concat([images, tf.reverse(images, axis=[2])], axis=0)
        probabilities = self._checked(self.predict(self.model, both))
        return tf.reduce_mean(tf.reshape(probabilities, [2, -1, probabilities.shape[-1]]), axis=0)

    @staticmethod
    def _checked(probabilities: Any) -> Any:
        import tensorflow as tf

        shape = getattr(probabilities, "shape", ())
        if len(shape) != 2:
            received = f"shape {tuple(shape)}" if len(shape) else type(probabilities).__name__
            raise PluginError(f"zoo_predict must return probabilities [n, classes]. Received: {received}")
        return tf.cast(probabilities, tf.float32)


def predictor(predict: Callable[[Any, Any], Any], model: Any, flip_average: bool) -> Predictor:
    """Bind a session's `predict(model, images)` to a network.

    It is compiled where it consists of TensorFlow operations, else run as it is. With `flip_average` the
    result is the mean of the probabilities of each image and of its left-right mirror image.
    """
    return Predictor(predict, model, flip_average)


def evaluate(predictor: Callable[[Any], Any], part: Part, batch_size: int | None = None) -> Array:
    """Return float32 probabilities [n, classes] of all images of a part, in its order.

    `batch_size` None chooses one by the size of the images. Raises PluginError if the results are no
    probabilities, one row per image.
    """
    if not len(part):
        raise ZooError("There are no images to evaluate on: the recipe leaves this part empty")
    height, width = part.images.shape[1:3]
    size = batch_size or max(1, min(_BATCH_LIMIT, _PIXELS_AT_ONCE // (height * width)))
    batches = [
        np.asarray(predictor(part.take(slice(start, start + size)).astype(np.float32)), np.float32)
        for start in range(0, len(part), size)
    ]
    probabilities = np.concatenate(batches)
    if len(probabilities) != len(part):
        raise PluginError(
            f"zoo_predict must return a row per image: {len(part)} images. Received: {len(probabilities)} rows"
        )
    sums = probabilities.sum(axis=1)
    # a network that diverged gives NaN: that is for the caller to see in the loss
    off = np.isfinite(sums) & ((np.abs(sums - 1) > 1e-2) | (probabilities.min(axis=1) < 0))
    if off.any():
        raise PluginError(
            "zoo_predict must return probabilities, rows that add up to 1 (not logits). "
            f"Received: {probabilities[off][0][:5].tolist()}"
        )
    return probabilities


# metrics ------------------------------------------------------------------------------------------------------


def sentence(result: Mapping[str, Any], image: str = "image", where: str = "") -> str:
    """A result of `metrics` in words: "98.00 % of 200 test images (95 % interval 94.97 to 99.22 %)", where `image` is
    "test image"; `where` may follow it."""
    low, high = result["interval"]
    return (
        f"{100 * result['accuracy']:.2f} % of {amount(result['count'], image)}{where} "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %)"
    )


def metrics(probabilities: Array, labels: Array, class_names: Sequence[str]) -> dict[str, Any]:
    """Return the content of `metrics.json` for probabilities [n, classes] and int labels [n].

    Shares are 0..1, intervals Wilson's at 95 %. `loss` is the mean cross-entropy in nats, with probabilities
    below 1e-12 counted as that. Per class: `recall` is the share of its images that were recognised,
    `precision` the share of the images taken for it that are of it; None where there are no such images.
    `confusion` counts images, a row per true class, a column per prediction. `top5` only beyond 5 classes.
    """
    count, classes = len(labels), len(class_names)
    if not count or probabilities.shape != (count, classes):
        raise ZooError(
            f"Metrics need probabilities [{count or 'n'}, {classes}] of at least one image. "
            f"Received: {list(probabilities.shape)}"
        )
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    correct = int(np.trace(confusion))
    own = probabilities[np.arange(count), labels].astype(np.float64)
    result: dict[str, Any] = {
        "count": count,
        "correct": correct,
        "accuracy": correct / count,
        "interval": list(wilson(correct, count)),
        "loss": float(-np.log(np.maximum(own, _LEAST_PROBABILITY)).mean()),
    }
    if classes > 5:
        result["top5"] = float((_ranks(probabilities, labels) < 5).mean())
    result["classes"] = [_class_metrics(confusion, index, name) for index, name in enumerate(class_names)]
    result["confusion"] = confusion.tolist()
    return result


def _ranks(probabilities: Array, labels: Array) -> Array:
    """Rank of the true class, 0 the most probable; among equals the first counts as more probable, as in argmax."""
    own = probabilities[np.arange(len(labels)), labels][:, None]
    before = np.arange(probabilities.shape[1]) < labels[:, None]
    ranks: Array = ((probabilities > own) | ((probabilities == own) & before)).sum(axis=1)
    return ranks


def _class_metrics(confusion: Array, index: int, name: str) -> dict[str, Any]:
    correct = int(confusion[index, index])
    count, taken = int(confusion[index].sum()), int(confusion[:, index].sum())
    return {
        "name": name,
        "count": count,
        "correct": correct,
        "recall": correct / count if count else None,
        "recall_interval": list(wilson(correct, count)),
        "precision": correct / taken if taken else None,
    }


# predictions --------------------------------------------------------------------------------------------------


class Predictions(NamedTuple):
    """The content of `predictions.csv`, an entry per image: `probability` is that of the predicted class."""

    keys: list[str]
    truths: list[str]
    predictions: list[str]
    probabilities: list[float]
    correct: list[bool]


def write_predictions(
    path: Path, keys: Sequence[str], labels: Array, probabilities: Array, class_names: Sequence[str]
) -> None:
    """Write `predictions.csv`, a row per image: key, truth, prediction, its probability, correct (0 or 1).

    A cell that a spreadsheet would run as a formula gets a leading apostrophe; `read_predictions` removes it.
    """
    predicted = probabilities.argmax(axis=1)
    rows = [
        (key, class_names[label], class_names[guess], float(f"{row[guess]:.6g}"), int(label == guess))
        for key, label, guess, row in zip(keys, labels, predicted, probabilities, strict=True)
    ]
    write_table(path, _COLUMNS, rows)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str | float]]) -> None:
    """Write a CSV file; a cell that a spreadsheet would run as a formula gets a leading apostrophe."""
    text = io.StringIO()
    # text is quoted, for a name may hold line breaks: Python 3.11 and 3.12 do not quote a carriage return otherwise
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    writer.writerows([_safe(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    # a file name need not be UTF-8
    atomic_write(path, text.getvalue().encode("utf-8", "surrogateescape"))


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote. Raises ZooError if the file is missing or of another form."""
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise ZooError(f"{path} can't be read: {error.strerror}") from error
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        if tuple(header) != _COLUMNS:
            raise ValueError(f"columns {header}")
        read = [(_plain(k), _plain(t), _plain(p), float(share), right == "1") for k, t, p, share, right in rows]
    except (ValueError, csv.Error) as error:
        raise ZooError(f"{path} is not a predictions file of zoo: {error}") from error
    columns = zip(*read, strict=True) if read else ([] for _ in _COLUMNS)
    return Predictions(*map(list, columns))


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "'")) else cell


def _plain(cell: str) -> str:
    return cell.removeprefix("'")


# paired comparison --------------------------------------------------------------------------------------------


def mcnemar(correct_a: Sequence[bool] | Array, correct_b: Sequence[bool] | Array) -> dict[str, Any]:
    """Compare two classifiers on the same images, in the same order, by McNemar's exact test.

    Returns `count`, `only_first` and `only_second` (images that one alone has right), the two-sided `p`
    (0..1) of the null hypothesis that both are equally good, and a `sentence` about "the first" and
    "the second". McNemar (1947), "Note on the sampling error of the difference between correlated proportions".
    """
    first, second = np.asarray(correct_a, bool), np.asarray(correct_b, bool)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ZooError(
            f"McNemar's test needs the same images for both. Received: {list(first.shape)} and {list(second.shape)}"
        )
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    p = _two_sided_binomial(only_first, only_second)
    count = int(first.size)
    shown = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    if p >= _SIGNIFICANT:
        sentence = f"not distinguishable on {count:,} images ({shown})"
    else:
        better = "first" if only_first > only_second else "second"
        most, least = max(only_first, only_second), min(only_first, only_second)
        sentence = (
            f"the {better} is better on {count:,} images ({shown}): it alone is right on {most:,}, "
            f"the other alone on {least:,}"
        )
    return {"count": count, "only_first": only_first, "only_second": only_second, "p": p, "sentence": sentence}


def compare_predictions(first: Predictions, second: Predictions) -> dict[str, Any]:
    """Compare two runs by `mcnemar`, matching the images by key. Raises ZooError if they are not the same."""
    by_key = dict(zip(second.keys, second.correct, strict=True))
    if set(first.keys) != set(by_key):
        shared = len(set(first.keys) & set(by_key))
        raise ZooError(
            "Only runs that were tested on the same images can be compared image by image. "
            f"Received: {len(first.keys):,} and {len(second.keys):,} images, {shared:,} in both"
        )
    return mcnemar(first.correct, [by_key[key] for key in first.keys])


def _two_sided_binomial(successes: int, failures: int) -> float:
    """Probability of a split at least as uneven as this one, were both outcomes equally likely."""
    trials, least = successes + failures, min(successes, failures)
    logs = [math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) for k in range(least + 1)]
    tail = math.fsum(math.exp(value - trials * math.log(2)) for value in logs)
    return min(1.0, 2 * tail)
