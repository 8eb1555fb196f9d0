"""What the kill campaign (`zoo.testing.crash`) trains and kills: its cases, and the process of one attempt.

Every case is small, so that a kill costs seconds: a few hundred digits on coloured paper, of many sizes, as PNG
files in a folder per class; networks of the deep families at an eighth of their width.
"""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PHASES = ("start", "images", "training", "checkpoint", "evaluation", "export", "figures", "closing", "report", "end")
"""What an attempt is about, in the order in which a run meets it; "images" is decoding into the cache, "closing" what
is done once the receipt says "finished"."""
STATES = "states.txt"
CHECKPOINT_SECONDS = 0.5  # so that runs of seconds have checkpoints within an epoch as well


@dataclass(frozen=True)
class Case:
    """A training that is killed: `settings` over the recipe; `dataset` None stands for the campaign's own folder."""

    name: str
    architecture: str
    settings: tuple[str, ...]
    recipe: str = "quick"
    dataset: str | None = None

    @property
    def precision(self) -> str:
        """The precision that its settings ask for."""
        found = dict(setting.split("=", 1) for setting in self.settings)
        return found.get("precision", "float32")


_SMALL = ("epochs=4", "train=256", "validation=64", "test=64", "batch_size=32", "image_size=32", "source_size=40")
_COLOUR = ("brightness=0.2", "contrast=0.2", "saturation=0.3", "hue=10", "erase=0.3")
_SHAPE = ("flip=true", "crop_area=[0.5, 1.0]", "shift=0.1", "rotate=10", "zoom=[0.9, 1.1]", "shear=5")
_NARROW = "options.width=0.125"

CASES = (
    Case("fc-tf, its own loop", "fc-tf", ("steps=1500", "train=4000", "validation=2000"), "book", "mnist"),
    Case("fc-tf", "fc-tf", (*_SMALL, "ema=0.99", "mixup=0.2", "schedule=cosine", "optimizer=adam")),
    Case("fc-keras", "fc-keras", (*_SMALL, *_SHAPE, "keep=best", "class_weights=balanced")),
    Case("cnn", "cnn", (*_SMALL, *_SHAPE, *_COLOUR, "mixup=0.2", "cutmix=1", "ema=0.99")),
    Case("cnn-5x5", "cnn-5x5", (*_SMALL, "pad_crop=4", "optimizer=sgd", "schedule=constant", "precision=bfloat16")),
    Case("vgg16", "vgg16", (*_SMALL, _NARROW, *_SHAPE, "clip_norm=1", "precision=bfloat16")),
    Case("vgg16-bn", "vgg16-bn", (*_SMALL, _NARROW, *_COLOUR, "cutmix=1", "train_sizes=[32, 40]", "ema=0.99")),
    Case("resnet50", "resnet50", (*_SMALL, _NARROW, "mixup=0.2", "ema=0.99", "keep_best=2", "precision=bfloat16")),
    Case("inceptionv3", "inceptionv3", (*_SMALL, _NARROW, "image_size=75", "source_size=80", *_SHAPE)),
)


def write_images(folder: Path, each: int = 120) -> Path:
    """Write the images of the campaign: digits of MNIST's test part, a folder for each of four, uint8 PNG files."""
    import cv2
    import numpy as np

    spec = find_spec("zoo_mnist")
    home = Path(str(spec and spec.origin)).parent
    content = gzip.decompress((home / "t10k-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(gzip.decompress((home / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    random = np.random.default_rng(0)
    for digit in range(4):
        (folder / f"digit {digit}").mkdir(parents=True)
        for number, index in enumerate(np.flatnonzero(labels == digit)[:each].tolist()):
            paper, ink = random.integers(0, 256, (2, 3))
            share = images[index][..., None] / 255
            size = tuple(random.integers(24, 72, 2).tolist())
            picture = cv2.resize((paper + (ink - paper) * share).astype(np.uint8), size)
            cv2.imwrite(str(folder / f"digit {digit}" / f"{number}.png"), picture)
    return folder


def attempt(case: Case, images: Path, output: Path, cache: Path, phase: Any) -> None:
    """Start a case's run, or go on with it where it was left, in this process; `phase` is a shared integer.

    It ends with exit code 0, or 1 and a traceback in `<output>.log`.
    """
    with Path(f"{output}.log").open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ["ZOO_CACHE"] = str(cache)
    from zoo import api, quiet

    quiet.import_tensorflow()
    _watch(phase, output)
    if (output / "run.json").exists():
        api.resume(output, quiet=True)
    else:
        dataset = case.dataset or str(images)
        api.train(case.architecture, dataset, recipe=case.recipe, settings=case.settings, output=output, quiet=True)
    phase.value = PHASES.index("end")
    sys.exit(0)


def _watch(phase: Any, output: Path) -> None:
    """Say in `phase` what the process is about, and write down the bits of each state that becomes a checkpoint."""
    from zoo.data import loading
    from zoo.figures import drawing
    from zoo.runs import active, closing, finish, report
    from zoo.runs.export import digest
    from zoo.training import checkpoints, engine

    def watched(module: Any, name: str, of: str) -> None:
        function = getattr(module, name)

        @wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            before, phase.value = phase.value, PHASES.index(of)
            try:
                return function(*arguments, **keywords)
            finally:
                phase.value = before

        setattr(module, name, call)

    for module, name, of in (
        (loading, "prepare", "images"),
        (engine.Engine, "train", "training"),
        (checkpoints, "write", "checkpoint"),
        (finish, "measure", "evaluation"),
        (finish, "export", "export"),
        (drawing, "draw", "figures"),
        (closing, "close", "closing"),
        (report, "write", "report"),
    ):
        watched(module, name, of)
    engine.CHECKPOINT_SECONDS = CHECKPOINT_SECONDS
    checkpoint = active.ActiveRun.checkpoint

    def noted(self: Any, step: int, state: Mapping[str, Any]) -> None:
        checkpoint(self, step, state)
        with (output / STATES).open("a") as file:
            file.write(f"{step} {digest(state)}\n")

    active.ActiveRun.checkpoint = noted  # type: ignore[method-assign]


def differences(reference: Path, run: Path) -> list[str]:
    """What of a finished run is not, bit for bit, as in the reference: files of results, weights, and every state
    (weights, optimizer, averages, progress) that both made a checkpoint of."""
    import json

    from zoo.runs.export import digest, load_weights

    found = []
    for name in ("history.csv", "metrics.json", "predictions.csv"):
        if (reference / name).read_bytes() != (run / name).read_bytes():
            found.append(name)
    if digest(load_weights(reference / "model/weights.npz")) != digest(load_weights(run / "model/weights.npz")):
        found.append("weights")
    for name in ("model/model.tflite", "report.html"):
        if (reference / name).is_file() and not (run / name).is_file():
            found.append(f"{name} is missing")
    receipt = json.loads((run / "run.json").read_text())
    if receipt["status"] != "finished" or receipt["remaining"]:
        found.append("the receipt does not say that it has finished")
    expected, states = _states(reference), _states(run)
    wrong = sorted(step for step in expected.keys() & states.keys() if expected[step] != states[step])
    return found + [f"the state after step {step}" for step in wrong]


def _states(run: Path) -> dict[int, set[str]]:
    """The digests of the states after each step; a step is met twice where a kill threw the run back."""
    found: dict[int, set[str]] = {}
    with suppress(FileNotFoundError):
        for line in (run / STATES).read_text().splitlines():
            step, _, bits = line.partition(" ")
            if len(bits) == 64:  # the last line may be torn
                found.setdefault(int(step), set()).add(bits)
    return found
