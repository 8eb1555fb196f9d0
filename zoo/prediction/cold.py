"""Cold prediction: a run's `model/` folder answers for image files through LiteRT, without TensorFlow.

Nothing is imported but NumPy, OpenCV and the LiteRT interpreter; decoding and resizing are the one function that
made the training images.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo import quiet
from zoo.data import images
from zoo.errors import UsageError, ZooError
from zoo.files import IMAGE_SUFFIXES
from zoo.prediction import imagenet
from zoo.stored import count, read_json, text

Array = np.ndarray[Any, Any]
Engine = Literal["auto", "litert", "tensorflow"]
BATCH = 16
_SPEC_SHAPE: dict[str, Any] = {
    **dict.fromkeys(("height", "width", "channels"), count),
    **dict.fromkeys(("resize", "interpolation", "rule", "prepare"), text),
    "class_names": lambda value: value == imagenet.NAME or (isinstance(value, list) and all(map(text, value))),
    "flip_average": lambda value: isinstance(value, bool),
}
_PIXELS_AT_ONCE = 80_000  # large images in smaller batches: the memory is for feature maps


@dataclass(frozen=True)
class Prediction:
    """The answer for one file: (class name, probability) pairs, the most probable first; or why there is none."""

    file: Path
    classes: tuple[tuple[str, float], ...] = ()
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        if self.error:
            return {"file": str(self.file), "error": self.error}
        return {
            "file": str(self.file),
            "classes": [{"name": name, "probability": round(probability, 6)} for name, probability in self.classes],
        }


def read_spec(model_directory: Path) -> dict[str, Any]:
    """Read `model/spec.json`, with ImageNet's classes where its "class_names" are "imagenet".

    Raises ZooError if the run has none, or of a newer version.
    """
    path = model_directory / "spec.json"
    if not path.exists():
        raise ZooError(
            f"{model_directory.parent} has no trained network yet ({path.name} is missing). "
            f"Go on with it: zoo train --resume {shlex.quote(str(model_directory.parent))}"
        )
    spec = read_json(path, _SPEC_SHAPE)
    if spec.get("format") != 1:
        raise ZooError(f"{path} is of a format that this zoo does not read. Upgrade: pip install -U image-model-zoo")
    if spec["class_names"] == imagenet.NAME:
        spec["class_names"] = list(imagenet.class_names())
    return spec


def has_litert(model_directory: Path) -> bool:
    """Whether the network was exported to LiteRT."""
    return (model_directory / "model.tflite").is_file()


def predict_files(
    model_directory: Path,
    files: Sequence[Path],
    top: int = 5,
    predictor: Callable[[Array], Array] | None = None,
) -> list[Prediction]:
    """Classify files and the images in folders. `predictor` replaces LiteRT: uint8 [n, h, w, c] to float32
    [n, classes]. A file that can't be decoded has an `error`, the others are answered all the same.

    Raises UsageError if there is no image among `files`.
    """
    if not files:
        raise UsageError("No file is given. Name images, or folders of them")
    spec = read_spec(model_directory)
    found = images.image_files(files)
    if not found:
        raise UsageError(
            f"There is no image in {', '.join(map(str, files))}. Suffixes: {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    if spec["rule"] != images.RULE:
        raise ZooError(f"This network's images were made by rule {spec['rule']}; this zoo has {images.RULE}")
    run = predictor or litert(model_directory / "model.tflite")
    names = spec["class_names"]
    with images.quiet_decoders():
        return list(_predictions(spec, found, run, names, min(top, len(names))))


def _predictions(
    spec: dict[str, Any], files: Sequence[Path], run: Callable[[Array], Array], names: Sequence[str], top: int
) -> Iterator[Prediction]:
    shape = (spec["height"], spec["width"], spec["channels"])
    how = (spec["resize"], spec["interpolation"], spec.get("prepare", ""))  # runs of older zoos prepare nothing
    size = max(1, min(BATCH, len(files), _PIXELS_AT_ONCE // (shape[0] * shape[1])))
    for start in range(0, len(files), size):
        decoded: dict[Path, Array] = {}
        errors: dict[Path, str] = {}
        for file in files[start : start + size]:
            try:
                decoded[file] = images.load(file, *shape, *how)
            except images.UndecodableImage as error:
                errors[file] = str(error)
        whole = list(decoded.values())
        # every batch has the same size, so that LiteRT plans its memory once
        rows = run(np.stack(whole + whole[-1:] * (size - len(whole)))) if whole else ()
        answers = dict(zip(decoded, rows, strict=False))  # a file that is named twice was decoded once
        for file in files[start : start + size]:
            yield Prediction(file, error=errors[file]) if file in errors else _ranked(file, answers[file], names, top)


def _ranked(file: Path, probabilities: Array, names: Sequence[str], top: int) -> Prediction:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return Prediction(file, tuple((names[index], float(probabilities[index])) for index in order))


def litert(path: Path) -> Callable[[Array], Array]:
    """A LiteRT network: uint8 [n, height, width, channels] to float32 probabilities [n, classes]."""
    from zoo.hardware import cores

    try:
        with quiet.frameworks():
            from ai_edge_litert.interpreter import Interpreter

            interpreter = Interpreter(model_path=str(path), num_threads=cores())
    except (ValueError, ImportError) as error:
        raise ZooError(f"{path} can't be loaded by LiteRT: {error}. Try: --engine tensorflow") from error
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    planned: tuple[int, ...] = ()

    def run(batch: Array) -> Array:
        nonlocal planned
        if batch.shape != planned:
            with quiet.frameworks():  # LiteRT announces its delegate when it first allocates
                interpreter.resize_tensor_input(source, batch.shape)
                interpreter.allocate_tensors()
            planned = batch.shape
        interpreter.set_tensor(source, batch.astype(np.float32))
        interpreter.invoke()
        result: Array = interpreter.get_tensor(target)
        return result

    return run
