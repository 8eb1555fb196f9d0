"""`tensorboard`: an observer that writes a run's curves for TensorBoard, where `ZOO_TENSORBOARD=1` asks for it.

    ZOO_TENSORBOARD=1 zoo train cnn mnist
    tensorboard --logdir runs

Each evaluation becomes two small event files in the run's `tensorboard/`, in `train` and `validation` as Keras'
callback has them, so that TensorBoard draws the two curves in one chart. A file is named for its step: a run
that is resumed writes those it comes to again anew, and nothing twice. Only TensorFlow is needed to write them.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from zoo import RunContext, UsageError, hookimpl

VARIABLE = "ZOO_TENSORBOARD"
FOLDER = "tensorboard"


def is_wanted() -> bool:
    """Whether the environment asks for event files. Raises UsageError for a value that is neither yes nor no."""
    value = os.environ.get(VARIABLE, "")
    if value not in ("", "0", "1"):
        raise UsageError(f"{VARIABLE} must be 1 (write event files into each run) or 0. Received: {value!r}")
    return value == "1"


@hookimpl
def zoo_evaluated(run: RunContext, step: int, metrics: dict[str, float]) -> None:
    """Write the evaluation's figures as scalars."""
    if not is_wanted():
        return
    parts: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
    for name, value in metrics.items():
        part = "validation" if name.startswith("validation_") else "train"
        parts[part][name.removeprefix("validation_")] = value
    for part, scalars in parts.items():
        if scalars:
            write(run.directory / FOLDER / part, step, scalars)


def write(folder: Path, step: int, scalars: dict[str, float]) -> Path:
    """Write an event file of scalars at a step; its name sorts by step, as TensorBoard reads a folder's files."""
    import tensorflow as tf

    event, summary = tf.compat.v1.Event, tf.compat.v1.Summary
    values = [summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
    now = time.time()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{step:010d}.zoo"
    with tf.io.TFRecordWriter(str(path)) as records:
        records.write(event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        records.write(event(wall_time=now, step=step, summary=summary(value=values)).SerializeToString())
    return path
