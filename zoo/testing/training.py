"""Checks of an architecture that learns: scale, 16 images, resuming, bfloat16, LiteRT, predictions, figures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.testing.checks import Fails, Skips, check
from zoo.testing.network import CLASSES, COUNT, call, images_for, weights_of
from zoo.testing.trial import EPOCHS, RATES, REPEATS, STOP_AT, TrainedSubject
from zoo.types import Figure

FAINTEST = 0.02
"""Less than that (root mean square) no sensible preprocessing leaves of images: -1..1 gives about 0.5."""
WILDEST = 10.0
"""A fresh network's loss is about ln(classes); so many times that means that its logits explode."""


# scale --------------------------------------------------------------------------------------------------------


@check(
    "input-scale",
    "it takes images in 0..255: what it wants is made of them by a layer inside it, once",
    "put one keras.layers.Rescaling(1 / 255) (or what the paper says) first, and remove any other",
    ("gradients",),
)
def input_scale(subject: TrainedSubject) -> None:
    limit = WILDEST * math.log(CLASSES)
    loss = _fresh_loss(subject, 1.0)
    if not loss <= limit and _fresh_loss(subject, 1 / 255) <= limit:
        raise Fails(
            f"the loss of the fresh network is {loss:.3g} for images in 0..255 and sane for 0..1 "
            f"(ln {CLASSES} = {math.log(CLASSES):.2f}): it does not scale its input"
        )
    seen = _first_layer_sees(subject)
    if seen is not None and seen < FAINTEST:
        raise Fails(f"of images in 0..255 its first layer sees a root mean square of {seen:.2g}: is it scaled twice?")
    if seen is None and not _learns(subject, 1.0) and _learns(subject, 255.0):
        raise Fails("it learns images multiplied by 255, not those in 0..255: is it scaled twice?")


def _fresh_loss(subject: TrainedSubject, factor: float) -> float:
    """The loss of the fresh network in training: a normalisation then makes any scale harmless, and counts."""
    import tensorflow as tf

    logits = tf.cast(call(subject.build(subject.spec()), subject.images * factor, training=True), tf.float32)
    return float(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(subject.labels, logits)))


def _first_layer_sees(subject: TrainedSubject) -> float | None:
    """Root mean square of the input of the first layer that has weights; None where there is no such Keras layer,
    or it is a normalisation, which makes any scale harmless."""
    import keras

    seen: list[float] = []
    plain = keras.layers.Layer.__call__

    def recording(layer: Any, *arguments: Any, **others: Any) -> Any:
        own = [weight for weight in layer._trainable_variables if weight is not None]
        if own and arguments and not seen:
            normalises = "Normalization" in type(layer).__name__
            seen.append(math.nan if normalises else float(np.sqrt(np.mean(np.square(np.asarray(arguments[0]))))))
        return plain(layer, *arguments, **others)

    keras.layers.Layer.__call__ = recording
    try:
        call(subject.model, subject.images)
    finally:
        keras.layers.Layer.__call__ = plain
    return seen[0] if seen and not math.isnan(seen[0]) else (math.inf if seen else None)


def _learns(subject: TrainedSubject, factor: float) -> bool:
    """Whether a few steps of Adam bring the loss of the 16 images, multiplied by `factor`, down by half."""
    import keras
    import tensorflow as tf

    model = subject.build(subject.spec())
    weights = list(model.trainable_variables)
    optimizer = keras.optimizers.Adam(RATES[0])
    optimizer.build(weights)
    images = tf.constant(subject.images * factor)

    def descend() -> Any:
        with tf.GradientTape() as tape:
            logits = tf.cast(model(images, training=True), tf.float32)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(subject.labels, logits))
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    step = tf.function(descend)
    losses = [float(step()) for _ in range(REPEATS * EPOCHS)]
    return losses[-1] < 0.5 * losses[0]


@check(
    "predicts",
    "zoo_predict gives float32 probabilities [n, classes]: rows of 0..1 that add up to 1",
    "apply the softmax, or leave zoo_predict to core",
    ("logits-finite",),
)
def predicts(subject: TrainedSubject) -> None:
    probabilities = np.asarray(subject.session.predict(subject.model, subject.images))
    if probabilities.shape != (COUNT, CLASSES) or probabilities.dtype != np.float32:
        raise Fails(f"it gives {probabilities.dtype} {list(probabilities.shape)}; wanted: float32 [{COUNT}, {CLASSES}]")
    if probabilities.min() < 0 or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise Fails(f"it gives {probabilities[0].round(3).tolist()}, which are no probabilities")


# learning -----------------------------------------------------------------------------------------------------


@check(
    "overfits",
    "it learns 16 images by heart",
    "try it by hand: zoo train NAME mnist; look for a missing activation, a frozen layer, too strong a regularisation",
    ("input-scale", "predicts"),
)
def overfits(subject: TrainedSubject) -> None:
    best = -1.0
    for rate in RATES:
        trial = subject.trained if rate == RATES[0] else subject.train(rate)
        logits = np.asarray(call(trial.model, subject.images), np.float32)
        best = max(best, float((logits.argmax(axis=1) == subject.labels).mean()))
        row = trial.history[-1] if trial.history else {}
        if best >= 15 / 16 or float(row.get("accuracy", 0)) >= 15 / 16:
            return
    steps = REPEATS * EPOCHS
    raise Fails(f"after {steps} steps it knows {best:.0%} of 16 images in {CLASSES} classes (rates {RATES})")


@check(
    "history",
    "zoo_train returns the rows that it logged",
    "call run.log(step, loss=..., accuracy=...) and return run.history",
    ("gradients", "predicts"),
)
def history(subject: TrainedSubject) -> None:
    rows = subject.trained.history
    if not rows or list(rows) != list(subject.trained.run.history):
        raise Fails(f"it returned {len(rows)} rows; the run has {len(subject.trained.run.history)}")
    if not all(math.isfinite(row.get("loss", 0.0)) for row in rows):
        raise Fails("a loss is NaN or infinite")


@check(
    "resumes",
    "an interrupted run goes on and ends with the weights of the uninterrupted one, bit for bit",
    "in zoo_train begin with run.restore(); keep every variable with run.checkpoint; return when run.stopping; "
    "draw random numbers from the seed and the step. Or leave zoo_train to core",
    ("gradients", "predicts", "seed-same"),
)
def resumes(subject: TrainedSubject) -> None:
    from zoo.training import checkpoints

    stopped = subject.train(stop_at=STOP_AT)
    if stopped.run.asked < STOP_AT:
        raise Fails("zoo_train does not look at run.stopping: Ctrl-C could not end it")
    if checkpoints.newest(stopped.run.run.checkpoints) is None:
        raise Fails("the interrupted run left no checkpoint")
    resumed = subject.train(directory=stopped.run.directory)
    if not resumed.run.restored:
        raise Fails("zoo_train does not call run.restore: an interrupted run begins anew")
    whole, again = weights_of(subject.trained.model), weights_of(resumed.model)
    names = [str(getattr(v, "path", v.name)) for v in resumed.model.variables]
    differing = [name for name, a, b in zip(names, whole, again, strict=True) if not np.array_equal(a, b)]
    if differing:
        raise Fails(f"the resumed run ends with other values of {len(differing)} variables, {differing[0]} first")
    if len(resumed.history) != len(subject.trained.history):
        raise Fails(f"its history has {len(resumed.history)} rows; uninterrupted: {len(subject.trained.history)}")


@check(
    "restores",
    "built again and given its variables, it computes the same",
    "make the network a function of spec and its variables: no random constants, no state in Python attributes",
    ("deterministic",),
)
def restores(subject: TrainedSubject) -> None:
    from zoo.runs.export import assign, load_weights, save_weights

    path = subject.folder / "weights.npz"
    save_weights(path, subject.model.variables)
    rebuilt = subject.build(subject.spec(seed=2))
    assign(rebuilt.variables, list(load_weights(path).values()))
    logits = np.asarray(call(subject.model, subject.images))  # other checks may have moved its statistics
    difference = float(np.abs(np.asarray(call(rebuilt, subject.images)) - logits).max())
    if difference:
        raise Fails(f"with the same variables the logits differ by {difference:.2g}")


@check(
    "bfloat16",
    "under the mixed bfloat16 policy it builds, its variables stay float32, and its logits are finite and close",
    "remove explicit dtypes; cast constants to the input's; keep sums of large numbers in float32",
    ("logits-finite",),
)
def bfloat16(subject: TrainedSubject) -> None:
    from zoo.runs.export import assign

    model = subject.build(subject.spec(), "bfloat16")
    dtypes = {str(np.asarray(variable).dtype) for variable in model.trainable_variables}
    if dtypes != {"float32"}:
        raise Fails(f"its variables are {', '.join(sorted(dtypes))}")
    assign(model.variables, weights_of(subject.model))
    logits = np.asarray(call(model, subject.images)).astype(np.float32)
    if not np.isfinite(logits).all():
        raise Fails("some logits are NaN or infinite")
    exact = np.asarray(call(subject.model, subject.images))  # other checks may have moved its statistics
    scale = float(np.abs(exact).max())
    difference = float(np.abs(logits - exact).max())
    if difference > 0.15 * scale + 1e-3:
        raise Fails(f"the logits differ by {difference:.2g} from those in float32, which reach {scale:.2g}")


@check(
    "litert",
    "it exports to LiteRT, and the file predicts the same: prediction without TensorFlow",
    "use TensorFlow or Keras operations only: no py_function, numpy_function or .numpy()",
    ("predicts", "any-batch"),
)
def litert(subject: TrainedSubject) -> None:
    from zoo.runs.evaluation import predictor
    from zoo.runs.export import export_model

    spec = subject.spec()
    predict = predictor(subject.session.predict, subject.model, flip_average=False)
    exported = export_model(subject.folder, subject.model, predict, spec, images_for(spec, 4))["tflite"]
    if exported["status"] != "ok":
        raise Fails(str(exported["reason"]))


# figures ------------------------------------------------------------------------------------------------------


@check(
    "diagram",
    "its diagram can be drawn, untrained",
    "see what the message names; layers want names, operations want shapes",
    ("logits-finite",),
)
def diagram(subject: TrainedSubject) -> None:
    from zoo.network.diagram import find_dot

    try:
        find_dot()
    except ZooError as error:
        raise Skips(str(error).splitlines()[0]) from error
    figures = subject.session.figures(subject.model, None, None)
    _check_figures(figures.values())
    if "diagram" not in figures:
        raise Fails(f"there is no figure 'diagram' among {', '.join(figures)}")


@check(
    "figures",
    "its figures of a run are drawn: files of their format, named and captioned",
    "return zoo.Figure(name, content, format, caption); the name is a file's, without suffix",
    ("diagram", "history"),
)
def figures(subject: TrainedSubject) -> None:
    trial = subject.trained
    _check_figures(subject.session.figures(trial.model, subject.data, trial.run).values())


def _check_figures(figures: Iterable[Figure]) -> None:
    for figure in figures:
        begins = {"svg": b"<", "png": b"\x89PNG"}[figure.format]
        if not figure.content.lstrip().startswith(begins):
            raise Fails(f"the content of figure {figure.name!r} is not {figure.format}")
        if not figure.caption.strip():
            raise Fails(f"figure {figure.name!r} has no caption")


TRAINING = (input_scale, predicts, overfits, history, resumes, restores, bfloat16, litert, diagram, figures)
