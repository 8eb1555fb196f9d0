"""The linear probe, on MNIST: the head alone is trained, on features that are computed once; the run is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import zoo_efficientnet

from zoo.errors import Interrupted, UsageError
from zoo.progress import Reporter
from zoo.registry import Registry
from zoo.runs import active, pipeline
from zoo.runs.directory import Run
from zoo.runs.finish import real_forecast
from zoo.runs.planning import plan
from zoo.runs.request import Request
from zoo.training import engine, probe
from zoo.training.forecast import Forecast

# the digits as they are, for the recipe's own shifts and turns would have to be computed anew in each epoch
STILL = ("precision=float32", "shift=0", "rotate=0", "zoom=[]")
SETTINGS = (
    *STILL,
    "freeze=backbone",
    "train=2000",
    "validation=500",
    "epochs=6",
    "batch_size=50",
    "learning_rate=0.02",
)


def request(*settings, architecture="cnn-5x5", **fields) -> Request:
    return Request(architecture, "mnist", settings=(*SETTINGS, *settings), export=False, **fields)


def train(output, *settings, **fields) -> Run:
    return pipeline.train(request(*settings, output=output, **fields), Reporter(quiet=True))


def weights(run: Run) -> dict[str, np.ndarray]:
    with np.load(run.model_directory / "weights.npz") as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture
def computed(monkeypatch) -> list[int]:
    """How many images' features were computed, for each part in turn."""
    counts: list[int] = []
    compute = probe._computed

    def counting(backbone, part, run):
        counts.append(len(part))
        return compute(backbone, part, run)

    monkeypatch.setattr(probe, "_computed", counting)
    return counts


@contextmanager
def killed(step: int) -> Iterator[None]:
    """Runs end abruptly once `step` steps are done."""
    progress = active.ActiveRun.progress

    def until(self, done, *rest):
        if done >= step:
            raise RuntimeError("stopped by the test")
        progress(self, done, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CHUNK_SECONDS", 0.0)
        patch.setattr(engine, "CHECKPOINT_SECONDS", 0.0)
        patch.setattr(active.ActiveRun, "progress", until)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Run:
    return train(tmp_path_factory.mktemp("finished") / "run")


def test_it_learns_and_the_run_is_whole(finished):
    assert finished.status == "finished"
    assert finished.metrics["count"] == 10_000
    assert finished.metrics["accuracy"] > 0.7
    assert [row["epoch"] for row in finished.history] == list(range(1, 7))
    assert {row["image_size"] for row in finished.history} == {28}
    assert finished.receipt["dataset"]["counts"] == {"training": 2000, "validation": 500, "test": 10_000}
    assert "2,000 of 59,500 training images are used" in finished.receipt["dataset"]["notes"]
    assert (finished.directory / "figures" / "diagram.svg").exists()
    assert not finished.checkpoints.exists()


def test_it_ends_where_the_engine_ends_that_computes_the_features_in_each_step(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "applies", lambda model, recipe: False)
    slow = weights(train(tmp_path / "run"))
    fast = weights(finished)
    assert slow.keys() == fast.keys()
    for name, array in fast.items():
        assert np.allclose(array, slow[name], atol=2e-3), name


@pytest.mark.deep
def test_features_are_kept_and_computed_again_only_for_other_weights_or_images(finished, tmp_path, computed):
    train(tmp_path / "same", "learning_rate=0.01", "epochs=1")
    assert computed == []
    train(tmp_path / "fewer", "train=1000")
    assert computed == [1000, 500]


def test_a_killed_probe_ends_where_the_uninterrupted_one_ends(finished, tmp_path, computed):
    with pytest.raises(RuntimeError, match="stopped by the test"), killed(50):
        train(tmp_path / "run")
    resumed = pipeline.resume(Run(tmp_path / "run"), Reporter(quiet=True))
    assert computed == []
    assert {name: array.tobytes() for name, array in weights(resumed).items()} == {
        name: array.tobytes() for name, array in weights(finished).items()
    }
    assert resumed.metrics == finished.metrics


@pytest.mark.deep
def test_a_killed_probe_of_given_weights_goes_on_with_them(tmp_path):
    settings = ("weights=imagenet", "image_size=32", "train=200", "validation=50")
    whole = train(tmp_path / "whole", *settings, architecture="efficientnet-lite0")
    with pytest.raises(RuntimeError, match="stopped by the test"), killed(10):
        train(tmp_path / "run", *settings, architecture="efficientnet-lite0")
    resumed = weights(pipeline.resume(Run(tmp_path / "run"), Reporter(quiet=True)))
    with np.load(zoo_efficientnet.IMAGENET) as given:
        assert np.array_equal(resumed["stem_conv/kernel"], given["stem_conv/kernel"].astype(np.float32))
    assert {name: array.tobytes() for name, array in resumed.items()} == {
        name: array.tobytes() for name, array in weights(whole).items()
    }


def test_ctrl_c_among_the_features_ends_the_run_and_it_can_go_on(tmp_path, monkeypatch):
    settings = ("split_seed=7",)  # features of their own
    with monkeypatch.context() as patch:
        patch.setattr(active.ActiveRun, "stopping", property(lambda self: True))
        with pytest.raises(Interrupted, match="zoo train --resume"):
            train(tmp_path / "run", *settings)
    assert pipeline.resume(Run(tmp_path / "run"), Reporter(quiet=True)).status == "finished"


@pytest.mark.deep
def test_a_damaged_file_of_features_is_made_anew(tmp_path, monkeypatch, computed):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    train(tmp_path / "one", "epochs=1")
    (tmp_path / "cache" / "features").mkdir(exist_ok=True)
    for path in (tmp_path / "cache" / "features").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    train(tmp_path / "two", "epochs=1")
    assert computed == [2000, 500] * 2


def test_several_epochs_weights_of_a_head_are_refused_before_the_features(tmp_path, computed):
    with pytest.raises(UsageError, match=r"one epoch's weights\. Received: keep_best = 2"):
        train(tmp_path / "run", "keep_best=2")
    assert computed == []


def test_minutes_are_not_for_a_head_alone(tmp_path):
    settings = tuple(setting for setting in SETTINGS if not setting.startswith("epochs"))
    asked = Request("cnn-5x5", "mnist", settings=settings, output=tmp_path / "run", minutes=5.0)
    with pytest.raises(UsageError, match="a head alone takes as long as its features do"):
        pipeline.train(asked, Reporter(quiet=True))


def test_validation_is_in_float32_where_training_is_not(tmp_path, monkeypatch):
    seen = []
    validate_with = active.ActiveRun.validate_with

    def watched(self, predict):
        seen.extend(layer.compute_dtype for layer in predict.model.layers if layer.weights)
        validate_with(self, predict)

    monkeypatch.setattr(active.ActiveRun, "validate_with", watched)
    assert train(tmp_path / "run", "precision=bfloat16", "epochs=1").status == "finished"
    assert seen == ["float32"]


def test_a_head_is_not_watched_as_if_it_were_the_network(tmp_path):
    asked = Request("fc-keras", "mnist", settings=(*SETTINGS, "epochs=1"), export=False, strict=True, output=tmp_path)
    run = pipeline.train(asked, Reporter(quiet=True))
    assert not list((run.directory / "figures").glob("sees-0*"))


def test_the_receipts_forecast_counts_the_features_and_foretells_the_real_run(finished):
    told = finished.receipt["forecast"]
    assert (told["images"], told["once"]) == (2500, True)
    recipe = finished.resolved.recipe
    measured = Forecast(**told)
    card = Registry.discover().get("dataset", "mnist").facts
    said = real_forecast(finished.spec, measured, recipe, card)
    assert "2,500 images to see" in said
    said = real_forecast(finished.spec, measured, replace(recipe, train=0), card)
    assert "60,000 images to see" in said  # 59,500 and 500


def test_features_that_are_there_already_are_not_foretold(finished, tmp_path, monkeypatch, computed):
    monkeypatch.setattr(probe, "_measured", None)  # what would trace the whole network once more
    again = train(tmp_path / "run", "epochs=1")
    assert computed == []
    assert again.receipt["forecast"]["once"] is False


def test_images_that_change_in_each_epoch_leave_it_to_the_engine(tmp_path, computed):
    run = train(tmp_path / "run", "shift=0.1", "epochs=1")
    assert (run.status, computed) == ("finished", [])


def test_a_dry_run_forecasts_the_features(finished):
    forecast = plan(request(), quiet=True).forecast
    assert forecast.images == 2500
    assert json.dumps(forecast.as_dict())
