"""The observer `tensorboard` writes event files that hold what `history.csv` holds, and only where asked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf
import zoo_tensorboard

from zoo.errors import UsageError
from zoo.registry import Registry

ROW = {"epoch": 2, "loss": 0.25, "accuracy": 0.875, "validation_loss": 0.5, "validation_accuracy": 0.75}


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    """(step, tag, value) of all the event files of a folder, in the order in which TensorBoard reads them."""
    return [
        (event.step, value.tag, value.simple_value)
        for path in sorted(folder.glob("*tfevents*"))
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_TENSORBOARD", "1")
    return SimpleNamespace(directory=tmp_path)


def test_it_is_installed_as_a_plugin():
    assert Registry.discover().get("plugin", "tensorboard").status == "ok"


def test_an_evaluation_becomes_scalars_of_training_and_of_validation(run):
    zoo_tensorboard.zoo_evaluated(run, 200, ROW)
    folder = run.directory / "tensorboard"
    assert scalars(folder / "train") == [(200, "epoch", 2), (200, "loss", 0.25), (200, "accuracy", 0.875)]
    assert scalars(folder / "validation") == [(200, "loss", 0.5), (200, "accuracy", 0.75)]


def test_files_are_read_in_the_order_of_their_steps_and_a_step_that_comes_again_replaces_the_first(run):
    for step, loss in ((900, 3.0), (1000, 2.0), (900, 1.5)):
        zoo_tensorboard.zoo_evaluated(run, step, {"loss": loss})
    assert scalars(run.directory / "tensorboard" / "train") == [(900, "loss", 1.5), (1000, "loss", 2.0)]


@pytest.mark.parametrize("value", ["", "0"])
def test_nothing_is_written_unless_asked_for(run, monkeypatch, value):
    monkeypatch.setenv("ZOO_TENSORBOARD", value)
    zoo_tensorboard.zoo_evaluated(run, 1, ROW)
    assert list(run.directory.iterdir()) == []


def test_another_value_is_a_mistake(run, monkeypatch):
    monkeypatch.setenv("ZOO_TENSORBOARD", "yes please")
    with pytest.raises(UsageError, match=r"must be 1 .* Received: 'yes please'"):
        zoo_tensorboard.zoo_evaluated(run, 1, ROW)
