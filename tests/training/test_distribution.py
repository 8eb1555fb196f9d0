"""Training on several devices: two logical ones of the processor give what one gives, up to rounding."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from zoo import quiet
quiet.import_tensorflow()
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.threading.set_intra_op_parallelism_threads(1)
import keras
from keras import layers
from zoo import contract
from zoo.errors import UsageError, ZooError
from zoo.progress import Reporter
from zoo.recipes import Recipe
from zoo.runs import active, pipeline, planning
from zoo.runs.directory import Run
from zoo.runs.request import Request
from zoo.training import distribution, engine
from zoo.training.feeder import Feeder, Plan
from zoo.types import Part, Spec

folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
labels = np.arange(63) % 3
images = rng.integers(0, 150, (63, 8, 8, 3), dtype=np.uint8)
images[np.arange(63), :, :, labels] += 80
spec = Spec("net", 8, 8, 3, ("a", "b", "c"))
GEOMETRY = dict(flip=True, rotate=20.0, brightness=0.2, erase=0.5)
CASES = {
    "plain": {},
    "sgd": dict(optimizer="sgd", learning_rate=0.05),
    "augmented": GEOMETRY,
    "mixed": dict(**GEOMETRY, mixup=1.0, cutmix=1.0, class_weights="balanced"),
    "everything": dict(
        ema=0.9, clip_norm=0.05, weight_decay=0.1, l2=1e-3, label_smoothing=0.1, schedule="one-cycle"),
    "xla": dict(xla=True),
    "batch_norm": dict(norm=True, batch_size=16),
}

def network(norm):
    with contract.building(spec, "float32"):
        return keras.Sequential([
            keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3, use_bias=not norm),
            *([layers.BatchNormalization(momentum=0.8)] if norm else []),
            layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(3)])

def trained(names, options):
    options = dict(options)
    norm = options.pop("norm", False)
    base = dict(image_size=8, batch_size=31, epochs=4, learning_rate=0.01, schedule="constant")
    recipe = Recipe(**(base | options))
    # the last step of an epoch has one image, which leaves one of two devices without; BatchNormalization
    # gives each device the same say, so it is compared on steps that are shared evenly
    part = Part(images, np.arange(48 if norm else 63), labels, [])
    plan = Plan(recipe, 0, len(part), 8)
    strategy = distribution.strategy_of(names)
    with distribution.scope(strategy):
        model = network(norm)
    trainer = distribution.make_trainer(model, recipe, 8, strategy)
    sums = []
    for epoch in range(4):
        for chunk in Feeder(plan, part, epoch * plan.steps_per_epoch, 2):
            losses, correct = trainer.run(chunk)
            sums.append([float(losses.sum()), int(correct.sum())])
    return type(trainer).__name__, sums, trainer.published()

result = {}
for name, options in CASES.items():
    one, sums1, weights1 = trained(["CPU:0"], options)
    two, sums2, weights2 = trained(["CPU:0", "CPU:1"], options)
    assert (one, two) == ("Trainer", "MirroredTrainer")
    result[name] = {
        "loss": max(abs(a[0] - b[0]) / abs(a[0]) for a, b in zip(sums1, sums2)),
        "correct": max(abs(a[1] - b[1]) for a, b in zip(sums1, sums2)),
        "weights": max(float(np.abs(a.astype(float) - b).max()) for a, b in zip(weights1, weights2)),
        "moved": sums1[0][0] / 31 - sums1[-2][0] / 31,
    }

engine.CHUNK_SECONDS = engine.CHECKPOINT_SECONDS = 0.0
settings = ("validation=500", "steps=12", "train_sizes=[]", "ema=0.9", "rotate=10", "cutmix=1", "batch_size=50")
def train(output):
    return pipeline.train(
        Request("cnn", "mnist", output=output, settings=settings, export=False, devices=2), Reporter(quiet=True))
def bits(run):
    with np.load(run.model_directory / "weights.npz") as stored:
        return {name: stored[name].tobytes() for name in stored.files}, (run.directory / "history.csv").read_text()
whole = train(folder / "whole")
progress = active.ActiveRun.progress
def until(self, done, *rest):
    if done >= 7:
        raise RuntimeError("stopped")
    progress(self, done, *rest)
active.ActiveRun.progress = until
try:
    train(folder / "run")
except RuntimeError:
    active.ActiveRun.progress = progress
resumed = pipeline.resume(Run(folder / "run"), Reporter(quiet=True))
result["resumed to the same bits"] = bits(resumed) == bits(whole)
result["receipt"] = whole.receipt["devices"], whole.receipt["command"]
make_trainer = distribution.make_trainer
def noting(*given):
    trainer = make_trainer(*given)
    result["planned with"] = type(trainer).__name__
    return trainer
distribution.make_trainer = noting
planning.plan(Request("cnn", "mnist", settings=settings, devices=2), quiet=True)
try:
    distribution.choose(3)
except UsageError as error:
    result["too many"] = str(error)
print(json.dumps(result))
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """What a process with two logical devices measured."""
    folder = tmp_path_factory.mktemp("devices")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", ["plain", "sgd", "augmented", "mixed", "everything", "xla", "batch_norm"])
def test_two_devices_train_as_one_does(result, case):
    measured = result[case]
    assert measured["loss"] < 1e-4
    assert measured["correct"] == 0
    assert measured["weights"] < 1e-4
    assert measured["moved"] > 0.01, "nothing was learned: the test shows nothing"


def test_a_run_on_two_devices_resumes_to_the_same_bits(result):
    assert result["resumed to the same bits"]


def test_the_receipt_names_the_devices(result):
    devices, command = result["receipt"]
    assert devices == ["CPU:0", "CPU:1"]
    assert command.endswith("--devices 2 --no-export")


def test_a_dry_run_measures_the_devices_that_were_asked_for(result):
    assert result["planned with"] == "MirroredTrainer"


def test_more_devices_than_there_are_is_refused(result):
    assert result["too many"] == "--devices 3 is more than this machine has: 2 CPU"
