"""What a run's `model/` folder holds: the weights, and what is derived from them and checked against them."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import quiet
from zoo.errors import ZooError
from zoo.files import atomic_write
from zoo.stored import read_arrays
from zoo.types import Model, Spec

Array = np.ndarray[Any, Any]
# of probabilities and of logits: more than rounding can explain means that the file is not the network
TOLERANCE = 1e-3
REASON_LENGTH = 300


def save_weights(path: Path, variables: Sequence[Any], half: bool = False) -> None:
    """Write named arrays, in the order of the variables; a name that comes again gets "#2".

    `half` rounds all but vectors to float16: they take half of the room, and little is lost.
    """
    arrays: dict[str, Array] = {}
    for variable in variables:
        name = str(getattr(variable, "path", variable.name)).removesuffix(":0")
        unique, number = name, 2
        while unique in arrays:
            unique, number = f"{name}#{number}", number + 1
        array = np.asarray(variable)
        arrays[unique] = array.astype(np.float16) if half and array.ndim > 1 else array
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    atomic_write(path, buffer.getvalue())


def load_weights(path: Path) -> dict[str, Array]:
    """Read back what `save_weights` wrote, float16 as float32. Nothing is unpickled. Raises ZooError if the file is
    not whole."""
    arrays = read_arrays(path, f"The weights {path}")
    return {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in arrays.items()}


def digest(arrays: Mapping[str, Array]) -> str:
    """SHA-256 over the names, types, shapes and bits of arrays: equal if, and only if, they are."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def assign(variables: Sequence[Any], arrays: Sequence[Array]) -> None:
    """Put arrays into variables, by position. Raises ZooError, naming the variable, if they do not fit."""
    if len(variables) != len(arrays):
        raise ZooError(f"The network has {len(variables)} variables. Received: {len(arrays)} arrays")
    for variable, array in zip(variables, arrays, strict=True):
        if tuple(variable.shape) != np.shape(array):
            name = getattr(variable, "path", variable.name)
            raise ZooError(f"{name} has shape {tuple(variable.shape)}. Received: {np.shape(array)}")
        variable.assign(array)


def export_model(
    folder: Path, model: Model, predictor: Callable[[Any], Any], spec: Spec, samples: Array
) -> dict[str, dict[str, Any]]:
    """Write `model.keras`, `model.tflite` and `labels.txt`; return the status of each derived file.

    `predictor` maps float32 images [n, height, width, channels] to probabilities, `samples` are such images: on them
    each file is measured against the network ("max_difference"). A file that fails is not kept, and its "reason"
    is recorded; that fails no run.
    """
    shape = (spec.height, spec.width, spec.channels)
    atomic_write(folder / "labels.txt", "\n".join(spec.class_names) + "\n")
    with quiet.frameworks():
        return {
            "keras": _recorded(folder / "model.keras", lambda path: _to_keras(path, model, samples)),
            "tflite": _recorded(folder / "model.tflite", lambda path: to_litert(path, predictor, shape, samples)),
        }


def _recorded(path: Path, write: Callable[[Path], float]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        difference = write(path)
        if not difference <= TOLERANCE:
            raise ZooError(f"its outputs differ from the network's by {difference:.2g}")
    except Exception as error:  # noqa: BLE001 (converters raise anything; it is recorded and shown)
        path.unlink(missing_ok=True)
        return {"status": "failed", "reason": _reason(error)}
    return {
        "status": "ok",
        "max_difference": difference,
        "bytes": path.stat().st_size,
        "seconds": round(time.monotonic() - began, 1),
    }


def _reason(error: Exception) -> str:
    """What went wrong, in a line. TensorFlow tells it last when tracing fails; the converter after "error: "."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    told = [line.partition("error: ")[2] for line in lines if "error: " in line]
    line = told[0] if told else lines[-1] if lines[0].startswith("in user code") else lines[0]
    return (line if isinstance(error, ZooError) else f"{type(error).__name__}: {line}")[:REASON_LENGTH]


def _to_keras(path: Path, model: Any, samples: Array) -> float:
    """Save for plain `keras.models.load_model`; return the largest difference of the logits."""
    import keras

    if not isinstance(model, keras.Model):
        raise ZooError("the network is not a Keras model")
    temporary = path.with_name(".writing.keras")
    try:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            foreign = sorted(set(_foreign(json.loads(archive.read("config.json")))))
        if foreign:
            raise ZooError(f"plain Keras can't load it: {', '.join(foreign)} is not Keras' own")
        with temporary.open("rb") as file:
            atomic_write(path, file.read())
    finally:
        temporary.unlink(missing_ok=True)
    loaded = keras.models.load_model(path, compile=False, safe_mode=True)
    return _largest(np.asarray(loaded(samples, training=False)), np.asarray(model(samples, training=False)))


def _foreign(config: Any) -> Iterator[str]:
    """Names of the classes and functions in a Keras configuration that are not Keras' own.

    Loading in this process does not tell: the plugin's code is imported here, and may have registered itself.
    """
    if isinstance(config, Mapping):
        if "class_name" in config and "module" in config:
            own = str(config["module"]).partition(".")[0] == "keras"
            if not own or config.get("registered_name") not in (None, config["class_name"]):
                yield str(config["config"] if config["class_name"] == "function" else config["class_name"])
        config = list(config.values())
    if isinstance(config, list):
        for item in config:
            yield from _foreign(item)


def to_litert(
    path: Path, predictor: Callable[[Any], Any], shape: tuple[int, int, int], samples: Array, half: bool = False
) -> float:
    """Convert the prediction of images of a shape, any number at once, with weights in float16 if `half`; return the
    largest difference of probabilities."""
    import tensorflow as tf

    from zoo.prediction.cold import litert

    images = tf.TensorSpec([None, *shape], tf.float32, name="images")
    traced = tf.function(predictor).get_concrete_function(images)
    # The tf.Variables alone, in a module: without one the converter takes a deprecated path that needs five times the
    # time and twice the memory; with a Keras model in its place it makes, without complaint, a file without weights.
    kept = tf.Module()
    kept.kept = list(traced.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], kept)
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    atomic_write(path, converter.convert())
    return _largest(litert(path)(samples), np.asarray(predictor(tf.constant(samples))))


def _largest(one: Array, other: Array) -> float:
    return float(np.max(np.abs(one.astype(np.float64) - other)))
