"""The engine, on a small network and a small data set installed as a stranger's package."""

from __future__ import annotations

import io
import json
from contextlib import suppress

import numpy as np
import pytest
import tensorflow as tf

from zoo import api
from zoo.errors import Interrupted, PluginError, UsageError, ZooError
from zoo.progress import Reporter
from zoo.runs import active, pipeline
from zoo.runs.directory import Run
from zoo.runs.export import load_weights
from zoo.runs.request import Request
from zoo.session import Session
from zoo.training import budget, engine

PLUGINS = {
    "toy_net.py": """
import keras
from keras import layers
from zoo import hookimpl

@hookimpl
def zoo_build(spec):
    return keras.Sequential([
        keras.Input((None, None, spec.channels)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(4, 3, padding="same", name="conv"),
        layers.BatchNormalization(momentum=0.5, name="norm"),
        layers.ReLU(),
        layers.Dropout(0.2, name="drop"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(spec.classes, name="head"),
    ])
""",
    "broken_net.py": """
import tensorflow as tf
from zoo import hookimpl

class Broken(tf.Module):
    def __init__(self, spec):
        self.weights = tf.Variable(tf.ones([spec.height * spec.width * spec.channels, spec.classes]))

    def __call__(self, images, training=False):
        if training:
            raise RuntimeError("no training today")
        return tf.reshape(images, [-1, self.weights.shape[0]]) @ self.weights

@hookimpl
def zoo_build(spec):
    return Broken(spec)
""",
    "toy_set.py": """
import numpy as np
from zoo import Example, Examples, hookimpl

def examples():
    rng = np.random.default_rng(0)
    for index in range(420):
        label = index % 3
        image = rng.integers(0, 120, (10, 10, 3), dtype=np.uint8)
        image[..., label] += 90
        yield Example(f"{index:03}.png", label, "test" if index >= 300 else "train", image)

@hookimpl
def zoo_examples(source):
    return Examples(("red", "green", "blue"), examples, "toy-1", 420)
""",
}
ENTRY_POINTS = "[zoo.architectures]\ntoy-net = toy_net\nbroken-net = broken_net\n[zoo.datasets]\ntoy-set = toy_set\n"
BASE = ["image_size=10", "batch_size=16", "epochs=3", "validation=30", "learning_rate=0.03"]
AUGMENTATIONS = [
    "flip=true",
    "rotate=20",
    "shear=5",
    "crop_area=[0.5,1]",
    "brightness=0.2",
    "contrast=0.2",
    "saturation=0.2",
    "hue=5",
    "erase=0.3",
    "mixup=0.4",
    "cutmix=1",
]
EVERYTHING = [
    *BASE,
    *AUGMENTATIONS,
    "ema=0.9",
    "label_smoothing=0.1",
    "class_weights=balanced",
    "weight_decay=0.05",
    "clip_norm=1",
    "train_sizes=[6,8,10]",
    "keep_best=2",
]


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    """Install the two plugins for this module, with a cache of its own."""
    site = tmp_path_factory.mktemp("site")
    for name, code in PLUGINS.items():
        (site / name).write_text(code)
    info = site / "toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setenv("ZOO_CACHE", str(site / "cache"))
        yield


def train(output, settings, **request) -> Run:
    request = {"settings": tuple(settings), "export": False, **request}
    return pipeline.train(Request("toy-net", "toy-set", output=output, **request), Reporter(quiet=True))


def bits(run: Run) -> tuple[dict[str, bytes], str, dict]:
    with np.load(run.model_directory / "weights.npz") as stored:
        weights = {name: stored[name].tobytes() for name in stored.files}
    return weights, (run.directory / "history.csv").read_text(), run.metrics


def stop_after(monkeypatch, step: int, how: type[BaseException]) -> None:
    """Make the run end abruptly once `step` steps are done."""
    progress = active.ActiveRun.progress

    def until(self, done, *rest):
        if done >= step:
            raise how("stopped by the test")
        progress(self, done, *rest)

    monkeypatch.setattr(active.ActiveRun, "progress", until)


@pytest.fixture(scope="module", params=[pytest.param(BASE, id="plain"), pytest.param(EVERYTHING, id="everything")])
def finished(request, tmp_path_factory):
    """An uninterrupted run, and its settings."""
    return train(tmp_path_factory.mktemp("finished") / "run", request.param), request.param


def test_it_learns(finished):
    run, _ = finished
    assert run.status == "finished"
    assert run.metrics["count"] == 120
    assert run.metrics["accuracy"] > 0.75
    assert [row["epoch"] for row in run.history] == [1, 2, 3]


def test_a_network_that_fails_in_cores_engine_is_named(tmp_path):
    request = Request("broken-net", "toy-set", output=tmp_path / "run", settings=("image_size=10", "validation=30"))
    with pytest.raises(PluginError) as caught:
        pipeline.train(request, Reporter(quiet=True))
    assert "architecture 'broken-net' of toy 1.0 failed in zoo_train: RuntimeError" in str(caught.value)
    assert "no training today" in str(caught.value)
    assert "ZOO_DISABLE=broken-net" in str(caught.value)


def test_an_observer_with_a_misspelt_hook_is_told_before_there_is_a_run(site, tmp_path):
    site.package("watcher", init="from zoo import hookimpl\n@hookimpl\ndef zoo_run_begun(run): pass\n")
    site.install("watcher", {"watcher": "watcher"}, group="zoo.plugins")
    with pytest.raises(PluginError, match=r"of watcher 1.0 implements an unknown hook(.|\n)*ZOO_DISABLE=watcher"):
        train(tmp_path / "run", BASE)
    assert not (tmp_path / "run").exists()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(finished, tmp_path):
    run, settings = finished
    assert bits(train(tmp_path / "same", settings)) == bits(run)
    assert bits(train(tmp_path / "other", settings, seed=1))[0] != bits(run)[0]


def test_the_bits_do_not_depend_on_how_steps_are_cut_into_chunks(finished, tmp_path, monkeypatch):
    run, settings = finished
    monkeypatch.setattr(engine, "CHUNK_SECONDS", 0.0)
    assert bits(train(tmp_path / "run", settings)) == bits(run)


@pytest.mark.parametrize("step", [1, 7, 17, 20, 34, 50])
def test_a_run_killed_at_any_step_ends_where_the_uninterrupted_one_ends(finished, tmp_path, monkeypatch, step):
    run, settings = finished
    monkeypatch.setattr(engine, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        stop_after(patch, step, RuntimeError)
        with pytest.raises(RuntimeError, match="stopped by the test"):
            train(tmp_path / "run", settings)
    resumed = pipeline.resume(Run(tmp_path / "run"), Reporter(quiet=True))
    assert bits(resumed) == bits(run)
    assert not resumed.checkpoints.exists()


def test_ctrl_c_keeps_what_was_reached_and_says_how_to_go_on(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 20, KeyboardInterrupt)
        with pytest.raises(Interrupted, match="zoo train --resume"):
            train(tmp_path / "run", BASE)
    run = Run(tmp_path / "run")
    assert run.status == "interrupted"
    assert pipeline.resume(run, Reporter(quiet=True)).status == "finished"


def test_a_finished_run_is_not_resumed(finished):
    with pytest.raises(UsageError, match="nothing to resume"):
        pipeline.resume(finished[0], Reporter(quiet=True))


def test_a_run_of_other_versions_is_resumed_only_inexactly(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 20, KeyboardInterrupt)
        with pytest.raises(Interrupted):
            train(tmp_path / "run", BASE)
    run = Run(tmp_path / "run")
    run.update(versions=run.receipt["versions"] | {"tensorflow": "2.0"})
    with pytest.raises(ZooError, match=r"tensorflow was 2\.0.*--inexact"):
        pipeline.resume(run, Reporter(quiet=True))
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")  # other kernels, which round otherwise
    finished = pipeline.resume(run, Reporter(quiet=True), inexact=True)
    versions, settings = finished.receipt["inexact"]
    assert "tensorflow was 2.0" in versions
    assert "none of TensorFlow's settings in the environment, here it is TF_ENABLE_ONEDNN_OPTS=0" in settings


@pytest.mark.deep
def test_a_disk_that_fills_up_stops_the_run_which_goes_on_later_to_the_same_bits(small_disk, tmp_path, monkeypatch):
    settings = [*BASE, "epochs=1"]
    filler = small_disk / "filler"
    monkeypatch.setattr(engine, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0.0)
    progress = active.ActiveRun.progress

    def until_the_disk_is_full(self, done, *rest):
        progress(self, done, *rest)
        if done >= 8:
            with suppress(OSError), filler.open("ab", buffering=0) as file:
                while file.write(bytes(512)):
                    pass

    with monkeypatch.context() as patch:
        patch.setattr(active.ActiveRun, "progress", until_the_disk_is_full)
        with pytest.raises(ZooError, match="can't be written: the disk is full"):
            train(small_disk / "run", settings)
    assert not list(small_disk.rglob("*.tmp"))
    filler.unlink()
    resumed = pipeline.resume(Run(small_disk / "run"), Reporter(quiet=True))
    assert bits(resumed) == bits(train(tmp_path / "whole", settings))


def test_a_run_killed_at_the_very_last_is_told_reported_and_tidied_by_a_resume(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Session, "notify", stop_at("zoo_run_finished", Session.notify))
        with pytest.raises(RuntimeError, match="stopped by the test"):
            train(tmp_path / "run", [*BASE, "epochs=1"])
    run = Run(tmp_path / "run")
    assert run.status == "finished"
    assert run.receipt["remaining"] == ["observers", "report", "checkpoints"]
    assert list(run.checkpoints.glob("state-*"))
    told = []
    monkeypatch.setattr(Session, "notify", lambda self, hook, run: told.append((hook, run.directory, run.history)))
    assert pipeline.resume(run, Reporter(quiet=True)) is run
    assert told == [("zoo_run_finished", run.directory, run.history)]
    assert (run.directory / "report.html").exists()
    assert not run.checkpoints.exists()
    with pytest.raises(UsageError, match="nothing to resume"):
        pipeline.resume(run, Reporter(quiet=True))


def stop_at(name, notify):
    def stopping(self, hook, **arguments):
        if hook == name:
            raise RuntimeError("stopped by the test")
        notify(self, hook, **arguments)

    return stopping


def test_a_diverging_run_stops_with_a_clear_word_and_keeps_the_last_good_checkpoint(tmp_path):
    with pytest.raises(engine.Diverged, match=r"diverged.*learning_rate"):
        train(tmp_path / "run", [*BASE, "learning_rate=1e14", "optimizer=sgd", "schedule=constant"])
    run = Run(tmp_path / "run")
    assert run.status == "failed"
    assert "diverged" in run.receipt["reason"]


def test_early_stopping_ends_before_the_last_epoch(tmp_path):
    settings = [*BASE, "epochs=30", "early_stopping=2", "learning_rate=1e-9", "schedule=constant"]
    assert len(train(tmp_path / "run", settings).history) <= 5


def test_keep_best_publishes_the_weights_of_the_best_epoch(tmp_path, monkeypatch):
    kept = []
    keep_best = active.ActiveRun.keep_best

    def remember(self, step, weights):
        kept.append((step, [weight.tobytes() for weight in weights]))
        keep_best(self, step, weights)

    monkeypatch.setattr(active.ActiveRun, "keep_best", remember)
    settings = [*BASE, "keep=best", "learning_rate=2", "schedule=constant", "epochs=5"]
    run = train(tmp_path / "run", settings)
    accuracies = [row["validation_accuracy"] for row in run.history]
    best_step = run.history[int(np.argmax(accuracies))]["step"]
    assert best_step < run.history[-1]["step"], "the last epoch is the best one: the test shows nothing"
    assert kept[-1][0] == best_step
    assert list(bits(run)[0].values()) == kept[-1][1]


def test_the_weights_of_the_best_epochs_stay_with_the_network(tmp_path, monkeypatch):
    settings = [*BASE, "keep_best=3", "keep=best", "learning_rate=2", "schedule=constant", "epochs=6"]
    monkeypatch.setattr(engine, "CHUNK_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        stop_after(patch, 70, RuntimeError)
        with pytest.raises(RuntimeError):
            train(tmp_path / "run", settings)
    run = pipeline.resume(Run(tmp_path / "run"), Reporter(quiet=True))
    ranked = sorted(run.history, key=lambda row: (-row["validation_accuracy"], row["step"]))[:3]
    assert [entry["epoch"] for entry in run.receipt["best"]] == [row["epoch"] for row in ranked]
    stored = [load_weights(run.model_directory / entry["file"]) for entry in run.receipt["best"]]
    own = load_weights(run.model_directory / "weights.npz")
    assert all((stored[0][name] == own[name]).all() for name in own)
    first = next(iter(own))
    assert len({weights[first].tobytes() for weights in stored}) == 3


@pytest.mark.deep
def test_class_weights_weigh_the_loss(tmp_path):
    weights = ("[1,1,1]", "[2,2,2]", "[1,1,50]")
    plain, double, tilted = (train(tmp_path / name, [*BASE, "steps=1", f"class_weights={name}"]) for name in weights)
    assert double.history[0]["loss"] == pytest.approx(2 * plain.history[0]["loss"], rel=1e-5)
    assert tilted.history[0]["loss"] > 5 * plain.history[0]["loss"]
    assert bits(plain)[0] == bits(train(tmp_path / "none", [*BASE, "steps=1"]))[0]


def test_class_weights_must_be_one_for_each_class(tmp_path):
    with pytest.raises(UsageError, match=r"one number for each of the 3 classes of toy-set\. Received: 2"):
        train(tmp_path / "run", [*BASE, "class_weights=[1,2]"])


@pytest.mark.deep
def test_xla_compiles_the_step_and_learns_the_same(tmp_path):
    plain, compiled = (train(tmp_path / xla, [*BASE, "epochs=1", f"xla={xla}"]) for xla in ("false", "true"))
    assert compiled.receipt["recipe"]["values"]["xla"]["value"] is True
    for before, after in zip(plain.history, compiled.history, strict=True):
        assert after["loss"] == pytest.approx(before["loss"], rel=1e-2)


@pytest.mark.parametrize("setting", ["early_stopping=2", "keep=best", "keep_best=2"])
def test_what_needs_a_validation_part_is_refused_without_one(tmp_path, setting):
    with pytest.raises(UsageError, match="need a validation part"):
        train(tmp_path / "run", [*BASE, "validation=0", setting])


def test_without_the_test_part_the_result_is_that_of_validation_also_after_a_resume(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="--no-test needs a validation part"):
        train(tmp_path / "none", [*BASE, "validation=0"], test=False)
    with monkeypatch.context() as patch:
        stop_after(patch, 5, RuntimeError)
        with pytest.raises(RuntimeError):
            train(tmp_path / "run", [*BASE, "epochs=1"], test=False)
    run = pipeline.resume(Run(tmp_path / "run"), Reporter(quiet=True))
    assert (run.metrics["part"], run.metrics["count"]) == ("validation", 30)
    assert run.receipt["dataset"]["counts"] == {"training": 270, "validation": 30, "test": 0}
    assert run.receipt["command"].endswith("--no-test --no-export")
    assert api.evaluate(run, quiet=True)["correct"] == run.metrics["correct"]


def test_the_moving_average_is_what_is_published(tmp_path):
    plain, averaged = (train(tmp_path / str(ema), [*BASE, f"ema={ema}"]) for ema in (0.0, 0.999))
    assert bits(plain)[0] != bits(averaged)[0]


def test_images_that_grow_are_in_the_history(tmp_path):
    run = train(tmp_path / "run", [*BASE, "train_sizes=[6,8,10]"])
    assert [row["image_size"] for row in run.history] == [6, 8, 10]


def test_steps_ends_a_run(tmp_path):
    assert train(tmp_path / "run", [*BASE, "steps=11"]).history[-1]["step"] == 11


def killed_and_resumed(tmp_path, monkeypatch, settings):
    """The bits of a run that is killed after step 11 and resumed."""
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(engine, "CHUNK_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        stop_after(patch, 11, RuntimeError)
        with pytest.raises(RuntimeError):
            train(tmp_path / "run", settings)
    return bits(pipeline.resume(Run(tmp_path / "run"), Reporter(quiet=True)))


@pytest.mark.parametrize("augmentations", [[], AUGMENTATIONS], ids=["plain", "augmented"])
def test_bfloat16_trains_and_resumes_to_the_same_bits(tmp_path, monkeypatch, augmentations):
    settings = [*BASE, "precision=bfloat16", *augmentations]
    whole = train(tmp_path / "whole", settings)
    assert killed_and_resumed(tmp_path, monkeypatch, settings) == bits(whole)


@pytest.mark.deep
@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_each_augmentation_alone_resumes_within_an_epoch_to_the_same_bits(tmp_path, monkeypatch, augmentation):
    settings = [*BASE, "epochs=1", augmentation]
    whole = train(tmp_path / "whole", settings)
    assert bits(train(tmp_path / "without", [*BASE, "epochs=1"]))[0] != bits(whole)[0]
    assert killed_and_resumed(tmp_path, monkeypatch, settings) == bits(whole)


def test_frozen_layers_and_their_rates_resume_to_the_same_bits(tmp_path, monkeypatch):
    settings = [*BASE, "freeze=conv,norm", "layer_decay=0.5", "flip=true", "ema=0.9", "train=200"]
    whole = train(tmp_path / "whole", settings)
    assert whole.receipt["dataset"]["counts"]["training"] == 200
    assert killed_and_resumed(tmp_path, monkeypatch, settings) == bits(whole)


def test_event_files_hold_the_history_once_also_of_a_run_that_was_killed(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_TENSORBOARD", "1")
    checkpoint = active.ActiveRun.checkpoint

    def killed(self, step, state):
        if step == 34:  # the second epoch was evaluated, its checkpoint not yet written
            raise RuntimeError("stopped by the test")
        checkpoint(self, step, state)

    with monkeypatch.context() as patch:
        patch.setattr(active.ActiveRun, "checkpoint", killed)
        with pytest.raises(RuntimeError):
            train(tmp_path / "run", BASE)
    run = pipeline.resume(Run(tmp_path / "run"), Reporter(quiet=True))
    found = [
        (event.step, value.simple_value)
        for path in sorted((run.directory / "tensorboard" / "validation").iterdir())
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "accuracy"
    ]
    assert found == [(row["step"], pytest.approx(row["validation_accuracy"])) for row in run.history]


def test_minutes_choose_the_steps_and_the_receipt_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "LEAST_MEASURED", 0.2)
    monkeypatch.setattr(budget, "fit", lambda plan, measured, seconds, evaluated: budget.with_steps(plan, 20))
    settings = [setting for setting in BASE if not setting.startswith("epochs")]
    run = train(tmp_path / "run", settings, minutes=2.0)
    values = run.receipt["recipe"]["values"]
    assert values["steps"] == {"value": 20, "origin": "--minutes 2"}
    assert values["epochs"] == {"value": 2, "origin": "--minutes 2"}
    assert [row["step"] for row in run.history] == [17, 20]
    assert run.receipt["command"].endswith("--epochs 2 --set steps=20 --no-export")
    assert run.receipt["minutes"] == 2.0
    assert 0 < run.receipt["minutes_taken"] < 2
    assert bits(train(tmp_path / "again", [*BASE, "epochs=2", "steps=20"])) == bits(run)


def test_too_few_minutes_make_no_run(tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "LEAST_MEASURED", 0.2)
    with pytest.raises(UsageError, match=r"--minutes 0\.01 is too little.*Try --minutes \d"):
        train(tmp_path / "run", [setting for setting in BASE if not setting.startswith("epochs")], minutes=0.01)
    assert not (tmp_path / "run").exists()


def test_keys_that_a_loop_of_its_own_may_pass_over_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Session, "train", lambda self, model, data, recipe, run: run.history)
    told = io.StringIO()
    request = Request(
        "toy-net", "toy-set", output=tmp_path / "run", settings=(*BASE, "ema=0.9", "erase=0.1"), export=False
    )
    pipeline.train(request, Reporter(told))
    assert "toy-net trained by its own loop (zoo_train)" in told.getvalue()
    assert "these keys of the recipe: ema, erase\n" in told.getvalue()


def test_the_receipt_says_what_was_done(finished):
    run, _ = finished
    receipt = run.receipt
    assert receipt["command"].startswith("zoo train toy-net toy-set --set image_size=10")
    assert receipt["recipe"]["values"]["batch_size"] == {"value": 16, "origin": "--set"}
    assert receipt["dataset"]["counts"] == {"training": 270, "validation": 30, "test": 120}
    assert receipt["versions"]["toy"] == "1.0"
    assert receipt["devices"] == ["CPU:0"]
    assert receipt["parameters"] == (27 * 4 + 4) + 16 + (4 * 3 + 3)
    assert receipt["seconds"] > 0
    assert receipt["forecast"]["images_per_second"] > 0
    assert "/" not in json.dumps(receipt["dataset"]["name"])
