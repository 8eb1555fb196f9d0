"""The parameters of all networks; of the chapter's five, contract, seeds, options, weights, and fc-tf's own loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import zoo_cnn
import zoo_fc_keras
import zoo_fc_tf
import zoo_inception
import zoo_resnet
import zoo_vgg

from zoo import Data, Figure, History, Part, Recipe, Spec, UsageError, ZooError
from zoo.cards import read_card_file
from zoo.contract import building, check, parameters_of
from zoo.network.graph import from_model

PLUGINS = {
    "fc-tf": zoo_fc_tf,
    "fc-keras": zoo_fc_keras,
    "cnn": zoo_cnn,
    "cnn-5x5": zoo_cnn,
    "vgg16": zoo_vgg,
    "vgg19": zoo_vgg,
    "vgg16-bn": zoo_vgg,
    "vgg19-bn": zoo_vgg,
    "resnet50": zoo_resnet,
    "inceptionv3": zoo_inception,
}
SMALL = ("fc-tf", "fc-keras", "cnn", "cnn-5x5")
DIGITS = tuple("0123456789")
PETS = ("cat", "dog")
NARROW = {"width": 0.125}


def spec(name: str, size: int = 28, channels: int = 1, classes: tuple[str, ...] = DIGITS, **fields: Any) -> Spec:
    return Spec(name, size, size, channels, classes, **fields)


def narrow(**fields: Any) -> Spec:
    """VGG-16 for cats and dogs at 50x50, at an eighth of its width."""
    return spec("vgg16", 50, 3, PETS, options={**NARROW, **fields.pop("options", {})}, **fields)


def build(wanted: Spec, precision: str = "float32") -> Any:
    """Build as core does: seeded, under a dtype policy."""
    with building(wanted, precision):
        return PLUGINS[wanted.name].zoo_build(wanted)


def some_images(wanted: Spec, count: int = 2) -> np.ndarray[Any, Any]:
    shape = (count, wanted.height, wanted.width, wanted.channels)
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


def layer_names(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


# sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "parameters"),
    [
        (spec("fc-tf"), 784 * 1024 + 1024 + 1024 * 10 + 10),
        (spec("fc-keras"), 199_210),
        (spec("cnn"), 1_199_882),
        (spec("cnn-5x5"), 924_374),
        (spec("vgg16", 50, 3, PETS), 33_605_442),
        (spec("vgg16", 224, 3, tuple(map(str, range(1000)))), 138_357_544),
    ],
    ids=lambda value: f"{value.name}-{value.height}" if isinstance(value, Spec) else "",
)
def test_the_networks_have_the_published_numbers_of_parameters(wanted: Spec, parameters: int) -> None:
    # in this scope Keras' variables have shapes, but no values: VGG-16 takes no half gigabyte
    with keras.StatelessScope(initialize_variables=False):
        model = PLUGINS[wanted.name].zoo_build(wanted)
    assert parameters_of(model) == parameters


@pytest.mark.parametrize("name", PLUGINS)
def test_the_card_counts_the_parameters_at_its_own_size(name: str) -> None:
    card = card_of(name)
    wanted = spec(name, card.size, card.channels[0], tuple(map(str, range(card.classes))))
    with keras.StatelessScope(initialize_variables=False):
        model = PLUGINS[name].zoo_build(wanted)
    assert parameters_of(model) == card.parameters


def card_of(name: str) -> Any:
    card_file = read_card_file(Path(PLUGINS[name].__file__).parent)
    assert card_file is not None
    return card_file.card("architecture", name)


@pytest.mark.parametrize("name", SMALL)
def test_the_defaults_on_the_card_are_those_of_the_network(name: str) -> None:
    given = build(spec(name, options=card_of(name).options))
    assert all(np.array_equal(a, b) for a, b in zip(weights_of(given), weights_of(build(spec(name))), strict=True))
    assert np.array_equal(given(some_images(spec(name))), build(spec(name))(some_images(spec(name))))


def test_the_defaults_on_the_card_of_vgg16_are_those_of_the_network() -> None:
    given, default = build(narrow(options=card_of("vgg16").options | NARROW)), build(narrow())
    assert given.get_config() == default.get_config()


# the contract ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        *(spec(name) for name in SMALL),
        *(spec(name, 50, 3, PETS) for name in SMALL),
        *(spec(name, card_size, 3, PETS) for name, card_size in (("cnn", 6), ("cnn-5x5", 6), ("fc-keras", 1))),
        narrow(),
        spec("vgg16", 32, 3, DIGITS, options=NARROW),
    ],
    ids=lambda wanted: f"{wanted.name}-{wanted.height}x{wanted.channels}",
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_networks_fulfil_the_contract(wanted: Spec, precision: str) -> None:
    model = build(wanted, precision)
    check(model, wanted, precision, wanted.name)
    assert all(variable.dtype == "float32" for variable in model.trainable_variables)


@pytest.mark.parametrize("wanted", [*(spec(name) for name in SMALL), narrow()], ids=lambda wanted: wanted.name)
def test_logits_are_float32(wanted: Spec) -> None:
    for training in (False, True):
        logits = build(wanted)(some_images(wanted, 3), training=training)
        assert (logits.shape, logits.dtype) == ((3, wanted.classes), tf.float32)


@pytest.mark.parametrize("wanted", [*(spec(name) for name in SMALL), narrow()], ids=lambda wanted: wanted.name)
def test_the_seed_alone_decides_the_weights(wanted: Spec) -> None:
    first, second, other = (weights_of(build(replace(wanted, seed=seed))) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1)


def weights_of(model: Any) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(variable) for variable in model.trainable_variables]


@pytest.mark.parametrize("wanted", [*(spec(name) for name in SMALL), narrow()], ids=lambda wanted: wanted.name)
def test_no_layer_has_a_name_that_keras_made_up(wanted: Spec) -> None:
    first, second = build(wanted), build(wanted)
    assert [v.name for v in first.variables] == [v.name for v in second.variables]
    if isinstance(first, keras.Model):
        assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]


@pytest.mark.parametrize("name", ["fc-tf", "cnn", "cnn-5x5"])
def test_rescale_decides_whether_the_input_is_divided_by_255(name: str) -> None:
    scaled, unscaled = build(spec(name)), build(spec(name, options={"rescale": False}))
    for source, target in zip(scaled.trainable_variables, unscaled.trainable_variables, strict=True):
        target.assign(source)
    images = some_images(spec(name))
    np.testing.assert_allclose(scaled(images), unscaled(images / 255), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("wanted", "option", "value"),
    [
        (spec("fc-tf"), "init", "zeros"),
        (spec("fc-tf"), "rescale", "no"),
        (spec("cnn"), "rescale", 1),
        (narrow(), "input", "bgr"),
        (narrow(), "init", "glorot"),
        (narrow(), "width", 0),
        (narrow(), "dropout", True),
    ],
    ids=str,
)
def test_a_wrong_option_is_named_with_what_was_received(wanted: Spec, option: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"{wanted.name}: option {option} .*Received: {value!r}"):
        build(replace(wanted, options={**wanted.options, option: value}))


# vgg16 ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference() -> keras.Model:
    """The VGG-16 of keras.applications for two classes at 50x50, with random weights."""
    keras.utils.set_random_seed(5)
    return keras.applications.VGG16(weights=None, input_shape=(50, 50, 3), classes=2, classifier_activation=None)


@pytest.mark.parametrize("how", ["rgb", "bgr-0-255", "imagenet"])
def test_vgg16_has_the_layer_names_of_keras_applications(reference: keras.Model, how: str) -> None:
    names = layer_names(build(narrow(options={"input": how})))
    assert names[names.index("block1_conv1") :] == layer_names(reference)


def write_legacy(model: keras.Model, path: Path) -> None:
    """A file of the format in which keras.applications publishes weights: one group per layer name."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_weight_files_of_keras_applications_load_and_give_equal_logits(
    reference: keras.Model, tmp_path: Path, suffix: str, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / f"vgg16{suffix}"
    reference.save_weights(path) if suffix == ".weights.h5" else write_legacy(reference, path)
    model = build(spec("vgg16", 50, 3, PETS, options={"input": "bgr-0-255"}, weights=str(path)))
    images = some_images(narrow())
    np.testing.assert_allclose(model(images), reference(images[..., ::-1]), rtol=1e-5, atol=1e-5)
    assert not [warning for warning in recwarn if "container" in str(warning.message)]


def test_a_weight_file_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    stored = tmp_path / "two.weights.h5"
    build(narrow()).save_weights(stored)
    assert np.array_equal(
        build(narrow(seed=1, weights=str(stored))).get_layer("fc1").kernel, build(narrow()).get_layer("fc1").kernel
    )
    with pytest.raises(UsageError, match=r"two\.weights\.h5.* does not fit 50 x 50 pixels, 3 channels, 2 classes"):
        build(narrow(weights=str(stored), options={"width": 0.25}))


def test_what_is_no_weight_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no weight file 'nowhere\.h5'"):
        build(narrow(weights="nowhere.h5"))
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(UsageError, match=r"text\.h5.* does not fit"):
        build(narrow(weights=str(tmp_path / "text.h5")))
    with pytest.raises(UsageError, match=r"no ImageNet weights of vgg16 \(width=0\.125\)"):
        build(narrow(weights="imagenet"))


def first_convolution_sees(how: str, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    model = build(narrow(options={"input": how}))
    return np.asarray(keras.Model(model.input, model.get_layer("block1_conv1").input)(images))


def test_the_input_option_decides_what_the_first_convolution_sees() -> None:
    images = some_images(narrow())
    np.testing.assert_allclose(first_convolution_sees("rgb", images), images / 127.5 - 1, atol=1e-5)
    assert np.array_equal(first_convolution_sees("bgr-0-255", images), images[..., ::-1])
    expected = keras.applications.vgg16.preprocess_input(images.copy())
    np.testing.assert_allclose(first_convolution_sees("imagenet", images), expected, atol=1e-4)


@pytest.mark.parametrize("how", ["rgb", "bgr-0-255", "imagenet"])
def test_vgg16_is_reloaded_by_plain_keras_in_safe_mode(tmp_path: Path, how: str) -> None:
    model = build(narrow(options={"input": how}))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    images = some_images(narrow())
    assert np.array_equal(model(images), again(images))


def test_vgg16_dropout_acts_in_training_only() -> None:
    model = build(narrow(options={"dropout": 0.5}))
    images = some_images(narrow())
    assert {"fc1_dropout", "fc2_dropout"} < set(layer_names(model))
    assert np.array_equal(model(images), model(images))
    assert not np.array_equal(model(images, training=True), model(images))


# fc-keras ------------------------------------------------------------------------------------------------------------


def test_fc_keras_draws_what_it_sees_once_there_is_a_run() -> None:
    for wanted in (spec("fc-keras"), spec("fc-keras", 8, 3, PETS)):
        run = Interrupting()
        run.spec = wanted
        assert [figure.name for figure in zoo_fc_keras.zoo_visualize(build(wanted), run)] == ["sees"]
        assert [figure.name for figure in zoo_fc_keras.zoo_watch(build(wanted), run, 430)] == ["sees-00430"]
    assert list(zoo_fc_keras.zoo_visualize(build(spec("fc-keras")), None)) == []


def test_fc_tf_shows_its_relu_and_its_scaling() -> None:
    def details(wanted: Spec) -> list[str]:
        return [node.detail for node in from_model(build(wanted), wanted).nodes]

    assert details(spec("fc-tf")) == ["Input", "Flatten", "Rescale by 1/255", "Dense 1024 + ReLU", "Dense 10"]
    assert details(FC_TF) == ["Input", "Flatten", "Dense 1024 + ReLU", "Dense 10"]


def test_fc_tf_draws_what_it_sees_while_the_engine_trains_it_and_at_the_end() -> None:
    run = Interrupting()
    assert [figure.name for figure in zoo_fc_tf.zoo_watch(build(FC_TF), run, 430)] == ["sees-00430"]
    assert [figure.name for figure in zoo_fc_tf.zoo_visualize(build(FC_TF), run)] == ["sees"]
    assert list(zoo_fc_tf.zoo_visualize(build(FC_TF), None)) == []


# fc-tf: the chapter's loop -------------------------------------------------------------------------------------------

BOOK = Recipe(
    image_size=8,
    batch_size=32,
    steps=602,
    optimizer="gradient-descent",
    learning_rate=0.003,
    schedule="constant",
    l2=0.05,
)
FC_TF = spec("fc-tf", 8, options={"init": "truncated_normal_1", "rescale": False})


class Interrupting:
    """A run (`zoo.RunContext`) in memory that the user stops after some calls of the loop."""

    def __init__(self, recipe: Recipe = BOOK, calls: int | None = None) -> None:
        self.directory, self.spec, self.recipe = Path(), FC_TF, recipe
        self.rehearsal = False
        self.history = History()
        self.figures: list[Figure] = []
        self.saved: tuple[int, dict[str, Any], History] | None = None
        self.calls = calls

    @property
    def stopping(self) -> bool:
        if self.calls is not None:
            self.calls -= 1
        return self.calls is not None and self.calls < 0

    def restore(self) -> dict[str, Any] | None:
        if self.saved is None:
            return None
        self.history[:] = self.saved[2]
        return dict(self.saved[1])

    def checkpoint(self, step: int, state: Any) -> None:
        self.saved = (step, {name: np.array(value) for name, value in state.items()}, History(self.history))

    def log(self, step: int, **metrics: float) -> None:
        self.history.append({"step": step, **metrics})

    def figure(self, figure: Figure) -> None:
        self.figures.append(figure)


@pytest.fixture(scope="module")
def digits() -> Data:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (600, 8, 8, 1), np.uint8)
    labels = generator.integers(0, 10, 600)

    def part(rows: slice) -> Part:
        chosen = np.arange(600)[rows]
        return Part(images, chosen, labels[chosen], [str(row) for row in chosen])

    return Data("digits", DIGITS, part(slice(0, 500)), part(slice(500, 600)), part(slice(0, 0)), "", "")


def train_fc_tf(run: Interrupting, data: Data) -> Any:
    model = build(FC_TF)
    assert zoo_fc_tf.zoo_train(model, data, run.recipe, run) is run.history
    return model


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take longer than these few steps."""
    picture = Figure("picture", b"", "png", "")
    for name in ("weight_images", "filter_grid"):
        monkeypatch.setattr(f"zoo.figures.{name}", lambda *arguments, **others: picture)


@pytest.fixture(scope="module")
def uninterrupted(digits: Data) -> tuple[Any, Interrupting]:
    run = Interrupting()
    return train_fc_tf(run, digits), run


def test_the_loop_logs_step_0_each_500th_and_the_last(uninterrupted: tuple[Any, Interrupting]) -> None:
    _, run = uninterrupted
    assert [row["step"] for row in run.history] == [0, 500, 601]
    assert all({"loss", "accuracy", "validation_accuracy"} < row.keys() for row in run.history)
    assert run.saved is not None
    assert run.saved[0] == 602


def test_the_loop_draws_the_products_of_the_weights(
    uninterrupted: tuple[Any, Interrupting],
) -> None:
    assert [figure.name for figure in uninterrupted[1].figures] == [
        "sees-00000",
        "sees-00500",
        "sees-00601",
    ]


@pytest.mark.usefixtures("undrawn")
def test_the_loop_is_the_chapters_gradient_descent(digits: Data) -> None:
    """Against the formulas in NumPy, float64: cross-entropy of a softmax, and both matrices' decay."""
    run = Interrupting(replace(BOOK, steps=20))
    model = train_fc_tf(run, digits)
    weights1, weights2 = (np.asarray(v, np.float64) for v in (build(FC_TF).weights1, build(FC_TF).weights2))
    biases1, biases2, rate, decay = np.zeros(1024), np.zeros(10), 0.003, 0.05
    losses = []
    for step in range(20):
        offset = (step * 32) % (500 - 32)
        x = digits.train.take(slice(offset, offset + 32)).reshape(32, 64).astype(np.float64)
        y = np.eye(10)[digits.train.labels[offset : offset + 32]]
        hidden = np.maximum(x @ weights1 + biases1, 0)
        logits = hidden @ weights2 + biases2
        shifted = logits - logits.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        losses.append(-(y * logs).sum(axis=1).mean() + decay * ((weights1**2).sum() + (weights2**2).sum()) / 2)
        error = (np.exp(logs) - y) / 32
        back = (error @ weights2.T) * (hidden > 0)
        weights2 -= rate * (hidden.T @ error + decay * weights2)
        biases2 -= rate * error.sum(axis=0)
        weights1 -= rate * (x.T @ back + decay * weights1)
        biases1 -= rate * back.sum(axis=0)
    np.testing.assert_allclose([row["loss"] for row in run.history], [losses[0], losses[-1]], rtol=1e-3)
    np.testing.assert_allclose(model.weights1, weights1, atol=0.05)
    np.testing.assert_allclose(model.biases1, biases1, atol=0.01)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("calls", [1, 3, 7])
def test_an_interrupted_loop_ends_bit_for_bit_as_an_uninterrupted_one(
    digits: Data, uninterrupted: tuple[Any, Interrupting], calls: int
) -> None:
    model, whole = uninterrupted
    run = Interrupting(calls=calls)
    train_fc_tf(run, digits)
    assert run.saved is not None
    assert run.saved[0] < 602
    run.calls = None
    resumed = train_fc_tf(run, digits)
    assert run.history == whole.history
    assert all(np.array_equal(a, b) for a, b in zip(model.variables, resumed.variables, strict=True))


@pytest.mark.usefixtures("undrawn")
def test_the_bits_do_not_depend_on_the_steps_of_a_call(
    digits: Data, uninterrupted: tuple[Any, Interrupting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo_fc_tf.gradient_descent, "STEPS_PER_CALL", 25)
    model = train_fc_tf(Interrupting(), digits)
    assert all(np.array_equal(a, b) for a, b in zip(model.variables, uninterrupted[0].variables, strict=True))


def test_colour_images_are_drawn_in_colour(digits: Data) -> None:
    wanted = spec("fc-tf", 4, 3, PETS)
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), np.uint8)
    rows = np.arange(40)
    pets = replace(digits, train=Part(images, rows, rows % 2, []), validation=Part(images, rows, rows % 2, []))
    run = Interrupting(replace(BOOK, steps=2, learning_rate=1e-6))
    run.spec = wanted
    zoo_fc_tf.zoo_train(build(wanted), pets, run.recipe, run)
    assert len(run.figures) == 2


@pytest.mark.usefixtures("undrawn")
def test_fewer_images_than_a_minibatch_are_one_minibatch(digits: Data) -> None:
    run = Interrupting(replace(BOOK, batch_size=1000, steps=3))
    train_fc_tf(run, digits)
    assert [row["step"] for row in run.history] == [0, 2]


@pytest.mark.usefixtures("undrawn")
def test_a_loss_that_is_no_number_stops_the_loop(digits: Data) -> None:
    run = Interrupting(replace(BOOK, learning_rate=1e3))
    with pytest.raises(ZooError, match="diverged"):
        train_fc_tf(run, digits)


def test_another_optimizer_is_left_to_the_engine(digits: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.defaults.train", lambda *arguments: "the engine")
    run = Interrupting(Recipe(image_size=28))
    assert zoo_fc_tf.zoo_train(build(FC_TF), digits, run.recipe, run) == "the engine"
