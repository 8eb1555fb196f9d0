"""Weights that a network begins with: what is taken, fetched and loaded, and what is said when it can't be."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from zoo import Spec, UsageError, ZooError, pretrained
from zoo.cards import Card
from zoo.pretrained import PublishedFile
from zoo.progress import Reporter
from zoo.registry import Plugin
from zoo.runs import pipeline
from zoo.runs.directory import Run
from zoo.runs.request import Request
from zoo.training import checkpoints

SPEC = Spec("net", 8, 8, 3, ("cat", "dog"))
HEAD = ("hidden", "predictions")
PRETRAINED = Card(weights={"imagenet": {}, "path": {}})


def network(wanted: Spec = SPEC, filters: int = 4, seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((wanted.height, wanted.width, wanted.channels))
    x = layers.Conv2D(filters, 3, name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(5, name="hidden")(x)
    model = keras.Model(inputs, layers.Dense(wanted.classes, name="predictions")(x))
    for variable in model.get_layer("norm").weights:
        variable.assign(np.random.default_rng(seed).uniform(0.5, 1.5, variable.shape))
    return model


def write(model: keras.Model, path: Path) -> Path:
    """A weight file of any of the formats, by its suffix; .h5 is that of the files of keras.applications."""
    if path.name.endswith((".weights.h5", ".keras")):
        (model.save if path.suffix == ".keras" else model.save_weights)(path)
        return path
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


def equal(one: keras.Model, other: keras.Model, *names: str) -> list[bool]:
    """Whether the weights of these layers are the same in both."""
    pairs = [(one.get_layer(name).get_weights(), other.get_layer(name).get_weights()) for name in names]
    return [all(np.array_equal(a, b) for a, b in zip(*pair, strict=True)) for pair in pairs]


SUFFIXES = pytest.mark.parametrize("suffix", [".h5", ".weights.h5", ".keras"])


class TestLoad:
    def test_without_weights_nothing_changes(self) -> None:
        model = network()
        pretrained.load(model, SPEC, HEAD)
        assert all(equal(model, network(), "conv", "norm", *HEAD))

    @SUFFIXES
    def test_a_file_that_fits_gives_every_weight(self, tmp_path: Path, suffix: str, caplog: Any) -> None:
        stored, model = network(seed=1), network()
        path = write(stored, tmp_path / f"net{suffix}")
        pretrained.load(model, replace(SPEC, weights=str(path)), HEAD)
        assert all(equal(model, stored, "conv", "norm", *HEAD))
        assert not caplog.records

    @SUFFIXES
    def test_other_classes_leave_the_last_layer_as_it_was_drawn_and_that_is_said(
        self, tmp_path: Path, suffix: str, caplog: Any, recwarn: pytest.WarningsRecorder
    ) -> None:
        stored, wanted = network(seed=1), replace(SPEC, class_names=("a", "b", "c"))
        path = write(stored, tmp_path / f"net{suffix}")
        model = network(wanted)
        pretrained.load(model, replace(wanted, weights=str(path)), HEAD)
        assert equal(model, stored, "conv", "norm", "hidden") == [True, True, True]
        assert equal(model, network(wanted), "predictions") == [True]
        assert [record.getMessage() for record in caplog.records] == [
            f"net takes its weights from net{suffix}, except for: predictions"
        ]
        assert not [warning for warning in recwarn if warning.category is UserWarning]

    @SUFFIXES
    def test_a_layer_of_the_head_that_does_not_fit_leaves_those_after_it(
        self, tmp_path: Path, suffix: str, caplog: Any
    ) -> None:
        stored, wanted = network(seed=1), replace(SPEC, height=9, width=9)
        path = write(stored, tmp_path / f"net{suffix}")
        model = network(wanted)
        pretrained.load(model, replace(wanted, weights=str(path)), HEAD)
        assert equal(model, stored, "conv", "norm") == [True, True]
        assert all(equal(model, network(wanted), *HEAD)), "its second layer fits, but not to a first drawn anew"
        assert "except for: hidden, predictions" in caplog.text

    @SUFFIXES
    def test_a_file_without_a_head_serves_the_body(self, tmp_path: Path, suffix: str, caplog: Any) -> None:
        stored, model = network(seed=1), network()
        body = keras.Model(stored.inputs, stored.get_layer("flatten").output)
        path = write(body, tmp_path / f"body{suffix}")
        pretrained.load(model, replace(SPEC, weights=str(path)), HEAD)
        assert equal(model, stored, "conv", "norm") == [True, True]
        assert all(equal(model, network(), *HEAD))
        assert "except for: hidden, predictions" in caplog.text

    @SUFFIXES
    def test_a_body_that_does_not_fit_is_refused_by_its_layer_and_shape(self, tmp_path: Path, suffix: str) -> None:
        path = write(network(filters=6), tmp_path / f"net{suffix}")
        with pytest.raises(UsageError) as caught:
            pretrained.load(network(), replace(SPEC, weights=str(path)), HEAD)
        assert f"net: the weight file '{path}' does not fit 8 x 8 pixels, 3 channels, 2 classes" in str(caught.value)
        assert "no weights for conv, of shape (3, 3, 3, 4)" in str(caught.value)

    @pytest.mark.parametrize(("name", "reason"), [("text.h5", "signature"), ("text.keras", "zip")])
    def test_what_is_no_weight_file_is_refused_with_the_reason(self, tmp_path: Path, name: str, reason: str) -> None:
        (tmp_path / name).write_text("no HDF5")
        with pytest.raises(UsageError, match=rf"{name}.* does not fit .*{reason}"):
            pretrained.load(network(), replace(SPEC, weights=str(tmp_path / name)), HEAD)

    def test_a_file_that_is_not_there_is_named(self) -> None:
        with pytest.raises(UsageError, match=r"net: there is no weight file 'nowhere\.h5'"):
            pretrained.load(network(), replace(SPEC, weights="nowhere.h5"), HEAD)

    def test_a_network_without_published_weights_says_so(self) -> None:
        wanted = replace(SPEC, weights="imagenet", options={"width": 0.5})
        with pytest.raises(UsageError, match=r"no ImageNet weights of net \(width=0\.5\)\. Give the path of a file"):
            pretrained.load(network(), wanted, HEAD)


class TestFetch:
    """From a folder in place of the address: the machinery is the same, and no network is used."""

    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
        return tmp_path / "home" / "models"

    @pytest.fixture
    def published(self, tmp_path: Path) -> PublishedFile:
        path = write(network(seed=1), tmp_path / "net.h5")
        return PublishedFile(path.as_uri(), hashlib.md5(path.read_bytes()).hexdigest())

    def test_imagenet_is_fetched_once_into_the_cache_of_keras(
        self, published: PublishedFile, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture
    ) -> None:
        model = network()
        pretrained.load(model, replace(SPEC, weights="imagenet"), HEAD, published)
        assert all(equal(model, network(seed=1), "conv", "norm", *HEAD))
        assert capsys.readouterr().out == "", "its progress belongs on standard error"
        (tmp_path / "net.h5").unlink()
        assert pretrained.fetch(published) == home / "net.h5"

    def test_a_file_that_the_user_put_there_is_taken(self, published: PublishedFile, home: Path) -> None:
        home.mkdir(parents=True)
        path = write(network(seed=1), home / "net.h5")
        there = PublishedFile("http://localhost:1/net.h5", hashlib.md5(path.read_bytes()).hexdigest())
        assert pretrained.fetch(there) == path

    def test_a_file_with_another_checksum_is_refused(self, published: PublishedFile) -> None:
        with pytest.raises(ZooError, match=r"net\.h5 can't be downloaded: Incomplete or corrupted"):
            pretrained.fetch(replace(published, checksum="0" * 32))

    @pytest.mark.parametrize(("digits", "kind"), [(32, "MD5"), (64, "SHA-256")])
    def test_offline_it_says_what_to_fetch_and_where_to_put_it(self, home: Path, digits: int, kind: str) -> None:
        file = PublishedFile("http://localhost:1/folder/net.h5", "a" * digits)  # nobody listens there
        with pytest.raises(ZooError) as caught:
            pretrained.fetch(file)
        text = str(caught.value)
        assert "The weights net.h5 can't be downloaded" in text
        assert f"Fetch http://localhost:1/folder/net.h5 ({kind} {'a' * digits})" in text
        assert f"put it into {home}. Or give a file: --weights PATH" in text


class TestCheck:
    @staticmethod
    def plugin(card: Card | None) -> Plugin:
        return Plugin("net", "architecture", "net", "nets", "1", card=card)

    def test_what_the_card_names_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "file.h5").touch()
        for weights in ("", "imagenet", str(tmp_path / "file.h5")):
            pretrained.check(weights, self.plugin(PRETRAINED))

    def test_a_network_without_a_card_says_itself_what_it_takes(self) -> None:
        pretrained.check("anything", self.plugin(None))

    @pytest.mark.parametrize(
        ("card", "message"),
        [
            (Card(), "net begins with no weights but its own. Received: weights = 'nowhere.h5'"),
            (Card(weights={"imagenet": {}}), "net begins with no weights but imagenet. Received: "),
            (PRETRAINED, "net: there is no weight file 'nowhere.h5'. It also takes: imagenet"),
            (Card(weights={"path": {}}), "net: there is no weight file 'nowhere.h5'. It takes no others"),
        ],
    )
    def test_others_are_refused_with_what_there_is(self, card: Card, message: str) -> None:
        with pytest.raises(UsageError) as caught:
            pretrained.check("nowhere.h5", self.plugin(card))
        assert str(caught.value).startswith(message)


# in a run ----------------------------------------------------------------------------------------------------------

NARROW = ("options.width=0.02", "train_sizes=[]", "image_size=32", "precision=float32")


@pytest.fixture(scope="module")
def narrow_vgg16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file of a very narrow VGG-16 for digits."""
    from zoo import api

    folder = tmp_path_factory.mktemp("weights")
    model, _ = api.build("vgg16", "mnist", settings=NARROW, seed=5)
    return write(model, folder / "narrow.weights.h5")


def begin(path: Path, output: Path, **fields: Any) -> Request:
    overrides = {"weights": str(path)}
    return Request("vgg16", "mnist", settings=NARROW, overrides=overrides, rehearse=True, output=output, **fields)


def test_a_run_begins_with_its_weights_and_its_receipt_names_them_without_the_path(
    narrow_vgg16: Path, tmp_path: Path
) -> None:
    run = pipeline.train(begin(narrow_vgg16, tmp_path / "run", export=False), Reporter(quiet=True))
    receipt = run.receipt
    digest = hashlib.sha256(narrow_vgg16.read_bytes()).hexdigest()
    size = narrow_vgg16.stat().st_size
    assert receipt["weights"] == {"name": "narrow.weights.h5", "bytes": size, "sha256": digest}
    assert run.resolved.recipe.weights == run.spec.weights == "narrow.weights.h5"
    assert "--weights narrow.weights.h5" in receipt["command"]
    assert str(narrow_vgg16.parent) not in json.dumps(receipt)
    # the weights of a file want the input that they were trained on, and the run keeps it
    assert run.spec.options == {"width": 0.02, "input": "imagenet"}
    from zoo import api
    from zoo.prediction import engines

    restored = engines.restore(run, verbose=False)[1]
    begun = api.build("vgg16", "mnist", settings=NARROW, weights=narrow_vgg16)[0]
    moved = np.abs(restored.get_layer("fc1").kernel - begun.get_layer("fc1").kernel)
    drawn = np.abs(
        restored.get_layer("fc1").kernel - api.build("vgg16", "mnist", settings=NARROW)[0].get_layer("fc1").kernel
    )
    assert moved.mean() < 0.2 * drawn.mean(), "a few steps from the file, far from the seed's weights"


def test_the_command_of_a_run_holds_no_path() -> None:
    path = "/home/someone/narrow.h5"
    for fields in ({"overrides": {"weights": path}}, {"settings": (f'weights="{path}"',)}):
        command = Request("vgg16", "mnist", **fields).command
        assert "narrow.h5" in command
        assert "someone" not in command


class Stopping(Exception):
    """The run ends here, as if it were killed."""


@pytest.mark.deep
@pytest.mark.parametrize("checkpoint", ["none", "whole", "damaged"])
def test_a_killed_run_goes_on_from_its_weights(
    narrow_vgg16: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: str
) -> None:
    path = tmp_path / "moved.weights.h5"
    path.write_bytes(narrow_vgg16.read_bytes())
    whole = pipeline.train(begin(path, tmp_path / "whole", export=False), Reporter(quiet=True))
    with monkeypatch.context() as patch:
        patch.setattr("zoo.training.engine.Engine._evaluate", kill_after(checkpoint != "none"))
        with pytest.raises(Stopping):
            pipeline.train(begin(path, tmp_path / "killed", export=False), Reporter(quiet=True))
    states = checkpoints.files(tmp_path / "killed" / "checkpoints", "state")
    if checkpoint == "whole":
        path.unlink()  # no longer needed
    if checkpoint == "damaged":
        for state in states:
            state.write_bytes(state.read_bytes()[:-1])
    assert bool(states) == (checkpoint != "none")
    resumed = pipeline.resume(Run(tmp_path / "killed"), Reporter(quiet=True))
    with (
        np.load(whole.model_directory / "weights.npz") as one,
        np.load(resumed.model_directory / "weights.npz") as other,
    ):
        assert all(np.array_equal(one[name], other[name]) for name in one.files)


def kill_after(checkpoint: bool) -> Any:
    def evaluate(engine: Any) -> None:
        if checkpoint:
            engine._checkpoint()
        raise Stopping

    return evaluate


def test_logging_is_quiet_unless_something_is_drawn_anew(narrow_vgg16: Path, caplog: pytest.LogCaptureFixture) -> None:
    from zoo import api

    with caplog.at_level(logging.WARNING, "zoo"):
        api.build("vgg16", "mnist", settings=NARROW, weights=narrow_vgg16)
    assert not caplog.records
