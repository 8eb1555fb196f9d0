"""Checks of an architecture before any training: card against truth, builds, logits, seeds, instances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from zoo.testing.checks import Fails, Skips, check, raised
from zoo.testing.network import CLASSES, COUNT, WORKING_SIZE, ArchitectureSubject, Array, call, images_for, weights_of
from zoo.testing.watch import changed, global_state, restored
from zoo.types import Spec


def _built(subject: ArchitectureSubject, spec: Spec) -> None:
    """Build for a spec and see that an image of it gives logits of it."""
    logits = call(subject.build(spec), images_for(spec, 2))
    if tuple(logits.shape) != (2, spec.classes):
        raise Fails(
            f"at {spec.height} x {spec.width} pixels, {spec.channels} channels and {spec.classes} classes the logits "
            f"have shape {tuple(logits.shape)}; wanted: (2, {spec.classes})"
        )


BUILD = "build from `spec` alone: height, width, channels and classes are its, never constants"
CLASSIFIER = "flatten or pool to [batch, features], then end with Dense(spec.classes)"
SIZES = "use spec.height and spec.width, in this order; or raise `min_size` on the card"


@check("builds", "`zoo_build` returns a keras.Model or a tf.Module with __call__(images, training)", BUILD, ("hooks",))
def builds(subject: ArchitectureSubject) -> None:
    from zoo.types import Model

    if subject.model is None:
        raise Fails("zoo_build returned None", "return the network: the `return` is missing")
    if not isinstance(subject.model, Model):
        raise Fails(f"zoo_build returned a {type(subject.model).__name__}")


@check(
    "variables",
    "the network has its variables when zoo_build returns",
    "create them in zoo_build: begin with keras.Input, call model.build, or make tf.Variables in __init__",
    ("builds",),
)
def variables(subject: ArchitectureSubject) -> None:
    model = subject.build(subject.spec())
    before = len(model.variables)
    try:
        call(model, subject.images)
    except Exception as error:
        raise raised(error, BUILD, f"called with images {list(subject.images.shape)}: ") from error
    if not before or len(model.variables) != before:
        raise Fails(f"{before} variables after zoo_build, {len(model.variables)} after the first call")
    if not model.trainable_variables:
        raise Fails("none of its variables is trainable")


@check("logits-shape", "logits are [batch, classes]", CLASSIFIER, ("variables",))
def logits_shape(subject: ArchitectureSubject) -> None:
    shape = tuple(call(subject.model, subject.images).shape)
    if shape != (COUNT, CLASSES):
        raise Fails(f"{COUNT} images and {CLASSES} classes give shape {shape}; wanted: ({COUNT}, {CLASSES})")


@check("logits-dtype", "logits are float32", "remove the cast or the dtype; core sets the policy", ("logits-shape",))
def logits_dtype(subject: ArchitectureSubject) -> None:
    if subject.logits.dtype != np.float32:
        raise Fails(f"they are {subject.logits.dtype}")


@check(
    "logits-finite",
    "logits are finite for images in 0..255",
    "look for a logarithm or a division of what may be 0",
    ("logits-shape",),
)
def logits_finite(subject: ArchitectureSubject) -> None:
    if not np.isfinite(subject.logits.astype(np.float32)).all():
        raise Fails("some are NaN or infinite")


@check(
    "logits-not-probabilities",
    "the network ends with logits, not probabilities: the loss and zoo_predict apply the softmax",
    "remove the softmax or sigmoid from the last layer",
    ("logits-finite",),
)
def logits_not_probabilities(subject: ArchitectureSubject) -> None:
    values = subject.logits
    if np.allclose(values.sum(axis=1), 1, atol=1e-3) and (values >= 0).all():
        raise Fails("each row adds up to 1: these are probabilities")
    if len(np.unique(values.round(4))) > 1 and _within_0_and_1(values):
        # those of one fresh network may be there by chance
        others = [np.asarray(call(subject.build(subject.spec(seed=seed)), subject.images)) for seed in (2, 3)]
        if not all(map(_within_0_and_1, others)):
            return
        raise Fails("every logit is within 0..1: these look like the outputs of a sigmoid")


def _within_0_and_1(values: Array) -> bool:
    return bool((values >= 0).all() and (values <= 1).all())


@check(
    "any-batch", "it takes any number of images at once", "use -1 or None for the batch, not a number", ("variables",)
)
def any_batch(subject: ArchitectureSubject) -> None:
    import tensorflow as tf

    for count in (1, 3):
        shape = tuple(call(subject.model, subject.images[:count]).shape)
        if shape[0] != count:
            raise Fails(f"{count} images give logits of shape {shape}")
    signature = tf.TensorSpec([None, *subject.images.shape[1:]], tf.float32)
    tf.function(lambda images: subject.model(images, training=False)).get_concrete_function(signature)


@check("size-smallest", "it builds at the least size on the card", SIZES, ("logits-shape",))
def size_smallest(subject: ArchitectureSubject) -> None:
    _built(subject, subject.spec(subject.card.min_size))


@check("size-default", "it builds at the size on the card", SIZES, ("logits-shape",))
def size_default(subject: ArchitectureSubject) -> None:
    _built(subject, subject.spec(max(subject.card.size or 32, subject.card.min_size)))


@check("size-odd", "it builds for images of odd sizes, taller than wide", SIZES, ("logits-shape",))
def size_odd(subject: ArchitectureSubject) -> None:
    size = max(subject.card.min_size, WORKING_SIZE) | 1
    _built(subject, replace(subject.spec(size), height=size + 4))


def _channels(subject: ArchitectureSubject, channels: int) -> None:
    if channels not in subject.card.channels:
        raise Skips(f"its card says that it takes {' and '.join(map(str, subject.card.channels))} channels")
    _built(subject, subject.spec(channels=channels))


CHANNELS = "use spec.channels; or say on the card which it takes: channels = "
GREY, COLOUR = f"{CHANNELS}[1]", f"{CHANNELS}[3]"


@check("channels-1", "it builds for grey images, unless its card says otherwise", COLOUR, ("logits-shape",))
def channels_1(subject: ArchitectureSubject) -> None:
    _channels(subject, 1)


@check("channels-3", "it builds for RGB images, unless its card says otherwise", GREY, ("logits-shape",))
def channels_3(subject: ArchitectureSubject) -> None:
    _channels(subject, 3)


@check("classes-2", "it builds for 2 classes, with a logit for each", CLASSIFIER, ("logits-shape",))
def classes_2(subject: ArchitectureSubject) -> None:
    _built(subject, subject.spec(classes=2))


@check("classes-1000", "it builds for 1,000 classes", CLASSIFIER, ("logits-shape",))
def classes_1000(subject: ArchitectureSubject) -> None:
    _built(subject, subject.spec(classes=1000))


@check(
    "card-parameters",
    "the card's number of parameters is that of the network at the card's size, first channels and classes",
    "write the number that was counted, or leave the line out",
    ("logits-shape",),
)
def card_parameters(subject: ArchitectureSubject) -> None:
    import keras

    from zoo.contract import parameters_of

    card = subject.card
    if card.parameters is None:
        raise Skips("the card does not say")
    size = max(card.size or 32, card.min_size)
    spec = replace(subject.spec(size, card.channels[0], card.classes or 10), options={})
    # in this scope Keras' variables have shapes but no values: a deep network takes no gigabyte
    with keras.StatelessScope(initialize_variables=False):
        counted = parameters_of(subject.build(spec))
    if counted != card.parameters:
        raise Fails(
            f"the card says {card.parameters:,}; counted {counted:,} at {size} pixels, {spec.channels} channels "
            f"and {spec.classes} classes"
        )


@check(
    "card-options",
    "the options on the card, at their defaults, give the network that no options give",
    "make the card's defaults those of `spec.options.get(name, default)`",
    ("deterministic",),
)
def card_options(subject: ArchitectureSubject) -> None:
    if not subject.card.options:
        raise Skips("the card names no options")
    unknown = [name for name in subject.options if name not in subject.card.options]
    if unknown:
        raise Fails(f"the card has no option {unknown[0]!r}")
    spec = subject.spec()
    given = subject.build(replace(spec, options={**subject.card.options, **subject.options}))
    if not _same(weights_of(given), weights_of(subject.build(spec))):
        raise Fails(f"the weights differ with {subject.card.options}")
    if not np.array_equal(call(given, subject.images), call(subject.build(spec), subject.images)):
        raise Fails(f"the logits differ with {subject.card.options}")


def _same(one: list[Array], other: list[Array]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@check(
    "seed-same",
    "the same seed gives the same weights",
    "draw from Keras' initializers, or from stateless random operations with spec.seed",
    ("variables",),
)
def seed_same(subject: ArchitectureSubject) -> None:
    first, second = subject.build(subject.spec()), subject.build(subject.spec())
    if len(first.variables) != len(second.variables):
        raise Fails(f"two builds with seed 1 have {len(first.variables)} and {len(second.variables)} variables")
    for one, other in zip(first.variables, second.variables, strict=True):
        if not np.array_equal(np.asarray(one), np.asarray(other)):
            raise Fails(f"two builds with seed 1 have different weights, {getattr(one, 'path', one.name)} first")


@check(
    "seed-other",
    "another seed gives other weights",
    "remove the constant seed: core seeds Keras with spec.seed before it calls zoo_build",
    ("variables",),
)
def seed_other(subject: ArchitectureSubject) -> None:
    first, second = subject.build(subject.spec(seed=1)), subject.build(subject.spec(seed=2))
    matrices = [
        (np.asarray(a), np.asarray(b))
        for a, b in zip(first.trainable_variables, second.trainable_variables, strict=True)
        if len(a.shape) > 1
    ]
    if matrices and all(np.array_equal(a, b) for a, b in matrices):
        raise Fails("seeds 1 and 2 give the same weights")


@check(
    "build-state",
    "building changes no global state: no dtype policy, image format or environment variable",
    "remove the call; core sets the dtype policy around zoo_build",
    ("builds",),
)
def build_state(subject: ArchitectureSubject) -> None:
    from zoo.contract import building

    ignored = {"Python's random state", "NumPy's random state"}  # core seeds them and puts them back
    with building(subject.spec(), "bfloat16"), _watched() as found:
        subject.session.hook("zoo_build", spec=subject.spec())
    differing = [name for name in found if name not in ignored]
    if differing:
        raise Fails(f"zoo_build changes {', '.join(differing)}")


@contextmanager
def _watched() -> Iterator[list[str]]:
    found: list[str] = []
    before = global_state()
    with restored(before):
        yield found
        found += changed(before, global_state())


@check(
    "two-instances",
    "two networks side by side share nothing",
    "make layers and variables inside zoo_build, never at the top of the module",
    ("deterministic",),
)
def two_instances(subject: ArchitectureSubject) -> None:
    one, two = subject.build(subject.spec()), subject.build(subject.spec())
    before = np.asarray(call(two, subject.images))
    shared = {id(variable) for variable in one.variables} & {id(variable) for variable in two.variables}
    for variable in one.trainable_variables:
        variable.assign(np.asarray(variable) + 1)
    if shared or not np.array_equal(before, call(two, subject.images)):
        raise Fails("changing the weights of one changes the other")


@check(
    "deterministic",
    "in inference the same images give the same logits",
    "pass `training` on: dropout and noise belong to training alone",
    ("logits-finite",),
)
def deterministic(subject: ArchitectureSubject) -> None:
    if not np.array_equal(subject.logits, call(subject.model, subject.images)):
        raise Fails("two calls with training=False differ")


@check(
    "batch-independent",
    "in inference an image's logits do not depend on the other images of the batch",
    "pass `training` on: a normalisation uses its moving statistics in inference",
    ("deterministic", "any-batch"),
)
def batch_independent(subject: ArchitectureSubject) -> None:
    alone = np.asarray(call(subject.model, subject.images[:1]))
    difference = float(np.abs(alone - subject.logits[:1]).max())
    if difference > 1e-3 * max(1.0, float(np.abs(subject.logits).max())):
        raise Fails(f"the logits of an image alone and in a batch differ by {difference:.2g}")


@check(
    "own-train-step",
    "it has no train_step of its own, which the engine would ignore",
    "implement the hook zoo_train",
    ("builds",),
)
def own_train_step(subject: ArchitectureSubject) -> None:
    import keras

    model = subject.model
    if isinstance(model, keras.Model) and type(model).train_step is not keras.Model.train_step:
        raise Fails(f"{type(model).__name__} has a train_step")


@check(
    "gradients",
    "every trainable variable gets a finite gradient",
    "look for tf.stop_gradient, argmax, rounding or NumPy between it and the logits; else make it not trainable",
    ("logits-finite",),
)
def gradients(subject: ArchitectureSubject) -> None:
    import tensorflow as tf

    weights = list(subject.model.trainable_variables)
    with tf.GradientTape() as tape:
        logits = tf.cast(call(subject.model, subject.images, training=True), tf.float32)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(subject.labels, logits))
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        name = getattr(weight, "path", weight.name)
        if gradient is None:
            raise Fails(f"{name} gets no gradient")
        if not np.isfinite(tf.convert_to_tensor(gradient).numpy()).all():
            raise Fails(f"the gradient of {name} is NaN or infinite")


BUILDING = (
    *(builds, variables, logits_shape, logits_dtype, logits_finite, logits_not_probabilities, any_batch),
    *(deterministic, batch_independent, own_train_step, gradients),
    *(size_smallest, size_default, size_odd, channels_1, channels_3, classes_2, classes_1000),
    *(card_parameters, card_options, seed_same, seed_other, build_state, two_instances),
)
