"""The contract of `zoo_build`: what core sets around the call, and what it asks of the result."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.utils.naming import reset_uids  # public in Keras 2; pinned by the range in pyproject.toml

from zoo.errors import PluginError
from zoo.types import Model, Spec

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


@contextmanager
def building(spec: Spec, precision: str) -> Iterator[None]:
    """Set the Keras dtype policy, and seed what Keras' layers without a seed draw theirs from.

    The process's own random states and policy are put back: building a network changes nothing else.
    """
    policy = keras.config.dtype_policy()
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 (Keras seeds the global one)
    keras.config.set_dtype_policy(POLICIES[precision])
    keras.utils.set_random_seed(spec.seed)
    # layers without a name are numbered per process: a network's names must not depend on what was built before
    reset_uids()
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


def check(model: Any, spec: Spec, precision: str, owner: str, remedy: str = "") -> str:
    """Raise PluginError, with what was received, if `model` breaks the contract of `zoo_build`.

    Returns a warning of what is allowed and seldom meant, "" for none. `owner` is the title of the architecture,
    `remedy` how to be rid of it.
    """

    def broken(wanted: str, received: object) -> PluginError:
        return PluginError(f"{owner}: zoo_build must return {wanted}. Received: {received}\n{remedy}".rstrip())

    if isinstance(model, type) or not isinstance(model, Model):
        received = f"the class {model.__name__} itself" if isinstance(model, type) else type(model).__name__
        raise broken("a keras.Model or a tf.Module with __call__(images, training)", received)
    if isinstance(model, keras.Model) and type(model).train_step is not keras.Model.train_step:
        raise PluginError(
            f"{owner}: its model has a train_step of its own, which the engine would ignore. "
            f"Implement the hook zoo_train instead\n{remedy}".rstrip()
        )
    if not model.variables:
        raise broken("a model whose variables exist", "a model without variables: create them in zoo_build")
    count = len(model.variables)
    shape = (2, spec.height, spec.width, spec.channels)
    ramp = np.linspace(0, 255, num=int(np.prod(shape)), dtype=np.float32).reshape(shape)
    try:
        logits = model(tf.constant(ramp), training=False)
    except Exception as error:
        raise broken(f"a model of float32 images {list(shape)}", f"{type(error).__name__}: {error}") from error
    if len(model.variables) != count:
        raise broken("a model whose variables exist", "a model that makes variables when first called")
    if not hasattr(logits, "shape") or tuple(logits.shape) != (2, spec.classes):
        raise broken(
            f"a model of logits [batch, {spec.classes}]",
            f"shape {tuple(logits.shape)}" if hasattr(logits, "shape") else type(logits).__name__,
        )
    dtypes = {"float32"} if precision == "float32" else {"float32", "bfloat16"}
    dtype = tf.as_dtype(logits.dtype).name
    if dtype not in dtypes:
        raise broken(f"a model of {' or '.join(sorted(dtypes))} logits", dtype)
    values = tf.cast(logits, tf.float32).numpy()
    if not np.isfinite(values).all():
        raise broken("a model of finite logits", "logits with NaN or infinity for images in 0..255")
    if (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3):
        return "each row adds up to 1: these look like probabilities; the network should return logits"
    return ""


def parameters_of(model: Model) -> int:
    """The number of parameters, trained or not; random states and counters are none."""
    return sum(int(np.prod(v.shape)) for v in model.variables if tf.as_dtype(v.dtype).is_floating)
