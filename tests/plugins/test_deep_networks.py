"""VGG, ResNet and Inception: as published, as keras.applications builds them, and at every width and size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import zoo_inception
import zoo_resnet
import zoo_vgg

from zoo import Spec, UsageError
from zoo.cards import read_card_file
from zoo.contract import building, check, parameters_of
from zoo.network.graph import fold, from_model

PLUGINS = {
    "vgg16": zoo_vgg,
    "vgg19": zoo_vgg,
    "vgg16-bn": zoo_vgg,
    "vgg19-bn": zoo_vgg,
    "resnet50": zoo_resnet,
    "inceptionv3": zoo_inception,
}
LEAST = dict.fromkeys(PLUGINS, 32) | {"inceptionv3": 75}
NARROW = {"width": 0.0625}
PETS = ("cat", "dog")
every_network = pytest.mark.parametrize("name", PLUGINS)


def narrow(name: str, channels: int = 3, **fields: Any) -> Spec:
    """A sixteenth of the width, at the least size."""
    return Spec(name, LEAST[name], LEAST[name], channels, **{"class_names": PETS, "options": NARROW, **fields})


def build(wanted: Spec, precision: str = "float32") -> Any:
    """Build as core does: seeded, under a dtype policy."""
    with building(wanted, precision):
        return PLUGINS[wanted.name].zoo_build(wanted)


def outline(wanted: Spec) -> Any:
    """The same without values: Keras' variables have shapes alone, which is soon made at any width."""
    with building(wanted, "float32"), keras.StatelessScope(initialize_variables=False):
        return PLUGINS[wanted.name].zoo_build(wanted)


def card_of(name: str) -> Any:
    card_file = read_card_file(Path(PLUGINS[name].__file__).parent)
    assert card_file is not None
    return card_file.card("architecture", name)


def some_images(wanted: Spec, count: int = 2) -> np.ndarray[Any, Any]:
    shape = (count, wanted.height, wanted.width, wanted.channels)
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


# sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [
        ("vgg16", 224, 138_357_544),
        ("vgg19", 224, 143_667_240),
        # torchvision's 138,365,992 and 143,678,248, and two moving averages for each of 4,224 and 5,504 filters
        ("vgg16-bn", 224, 138_365_992 + 2 * 4224),
        ("vgg19-bn", 224, 143_678_248 + 2 * 5504),
        ("resnet50", 224, 25_636_712),
        ("inceptionv3", 299, 23_851_784),
    ],
)
def test_the_cards_give_the_published_numbers_of_parameters(name: str, size: int, parameters: int) -> None:
    # that the networks have those of their cards is tested with all others in test_architectures.py
    card = card_of(name)
    assert (card.size, card.classes, card.parameters, card.min_size) == (size, 1000, parameters, LEAST[name])


@every_network
def test_width_is_on_the_card_and_its_default_is_that_of_the_network(name: str) -> None:
    options = card_of(name).options
    assert options["width"] == 1.0
    given, default = outline(narrow(name, options=options)), outline(narrow(name, options={}))
    assert given.get_config() == default.get_config()


@pytest.mark.parametrize("width", [0, -1, 5, True, "1"], ids=repr)
@pytest.mark.parametrize("name", ["resnet50", "inceptionv3"])
def test_a_wrong_width_is_named_with_what_was_received(name: str, width: object) -> None:
    with pytest.raises(UsageError, match=rf"{name}: option width must be a number .*Received: {width!r}"):
        PLUGINS[name].zoo_build(narrow(name, options={"width": width}))


# the contract ------------------------------------------------------------------------------------------------------


@every_network
def test_a_narrow_network_fulfils_the_contract_at_the_least_size(name: str) -> None:
    wanted = narrow(name)
    model = build(wanted)
    check(model, wanted, "float32", name)
    assert parameters_of(model) < card_of(name).parameters / 100
    first = model(some_images(wanted))
    assert not np.allclose(first[0], first[1]), "its answer depends on the image"


@pytest.mark.deep
@every_network
@pytest.mark.parametrize(
    ("precision", "size", "channels", "classes"),
    [("bfloat16", 0, 3, 2), ("float32", 0, 1, 10), ("float32", 96, 3, 10), ("float32", 101, 3, 1000)],
)
def test_the_networks_fulfil_the_contract(name: str, precision: str, size: int, channels: int, classes: int) -> None:
    wanted = narrow(name, channels, class_names=tuple(map(str, range(classes))))
    wanted = replace(wanted, height=size or wanted.height, width=size or wanted.width)
    model = build(wanted, precision)
    check(model, wanted, precision, name)
    assert all(variable.dtype == "float32" for variable in model.trainable_variables)


@every_network
def test_the_seed_alone_decides_the_weights(name: str) -> None:
    first, second, other = (
        [np.asarray(variable) for variable in build(narrow(name, seed=seed)).trainable_variables] for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1)


@pytest.mark.parametrize("name", ["vgg16-bn", "resnet50", "inceptionv3"])
def test_the_statistics_of_the_normalisation_move_in_training_alone(name: str) -> None:
    wanted = narrow(name)
    model, images = build(wanted), some_images(wanted)
    moving = [variable for variable in model.non_trainable_variables if "moving" in variable.path]
    before = [variable.numpy() for variable in moving]
    assert np.array_equal(model(images), model(images))
    assert all(np.array_equal(a, b) for a, b in zip(before, moving, strict=True))
    model(images, training=True)
    assert not any(np.array_equal(a, b) for a, b in zip(before, moving, strict=True))


# layers ------------------------------------------------------------------------------------------------------------


@every_network
def test_no_layer_has_a_name_that_keras_made_up(name: str) -> None:
    with keras.StatelessScope(initialize_variables=False):  # as not in core, without numbering anew
        names = [{layer.name for layer in PLUGINS[name].zoo_build(narrow(name)).layers} for _ in range(2)]
    # the operation that reverses the channels is no layer that could be given one
    assert all(name.startswith("flip") for name in names[0] ^ names[1])


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("vgg16-bn", {f"block{block}" for block in range(1, 6)}),
        ("resnet50", {f"conv{stage}" for stage in range(1, 6)} | {"pool1"}),
        ("inceptionv3", {f"stem_{step}" for step in range(1, 8)} | {f"mixed{block}" for block in range(11)}),
    ],
)
def test_the_layers_fold_into_stages(name: str, stages: set[str]) -> None:
    graph = from_model(outline(narrow(name)), narrow(name))
    assert {node.stage for node in graph.nodes} - {""} == stages
    assert len(fold(graph).nodes) < 30, "on one screen"


def test_a_normalised_convolution_keeps_its_bias_and_comes_before_norm_and_relu() -> None:
    model = build(narrow("vgg16-bn"))
    names = [layer.name for layer in model.layers if layer.name.startswith("block1_conv1")]
    assert names == ["block1_conv1", "block1_conv1_bn", "block1_conv1_relu"]
    assert model.get_layer("block1_conv1").bias is not None
    assert model.get_layer("block1_conv1").activation is keras.activations.linear


@pytest.mark.deep
@every_network
def test_plain_keras_reloads_the_network_in_safe_mode(name: str, tmp_path: Path) -> None:
    model = build(narrow(name))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    images = some_images(narrow(name))
    assert np.array_equal(model(images), again(images))


# keras.applications ------------------------------------------------------------------------------------------------

APPLICATIONS = {
    "vgg16": (keras.applications.VGG16, keras.applications.vgg16),
    "vgg19": (keras.applications.VGG19, keras.applications.vgg19),
    "resnet50": (keras.applications.ResNet50, keras.applications.resnet50),
    "inceptionv3": (keras.applications.InceptionV3, keras.applications.inception_v3),
}


@pytest.mark.parametrize(("name", "channels"), [*((name, 3) for name in APPLICATIONS), ("resnet50", 1)])
def test_a_network_sees_what_its_published_weights_want(name: str, channels: int) -> None:
    wanted = narrow(name, channels, options=NARROW | card_of(name).weights["imagenet"])
    model, images = build(wanted), some_images(wanted)
    first = next(layer for layer in model.layers if "Conv2D" in type(layer).__name__ or layer.name == "conv1_pad")
    seen = keras.Model(model.input, first.input)(images)
    expected = APPLICATIONS[name][1].preprocess_input(np.repeat(images, 3 // channels, axis=-1))
    np.testing.assert_allclose(seen, expected.mean(axis=-1, keepdims=True) if channels == 1 else expected, atol=1e-3)


def reference_network(name: str) -> tuple[keras.Model, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The network of keras.applications for two classes, images, and its logits of them.

    Its statistics are those of these images: with random ones, Inception's answer would not depend on the image.
    """
    make, module = APPLICATIONS[name]
    size = LEAST[name]
    keras.utils.set_random_seed(5)
    model = make(weights=None, input_shape=(size, size, 3), classes=2, classifier_activation=None)
    images = some_images(narrow(name))
    prepared = module.preprocess_input(images.copy())
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    model(prepared, training=True)
    generator = np.random.default_rng(5)
    for variable in model.trainable_variables:  # all of one shape would otherwise be alike
        if len(variable.shape) == 1:
            variable.assign_add(generator.normal(0, 0.05, variable.shape))
    logits = np.asarray(model(prepared))
    assert np.abs(logits[0] - logits[1]).max() > 0.01 * np.abs(logits).max(), "its answer depends on the image"
    return model, images, logits


def write_legacy(model: keras.Model, path: Path) -> None:
    """A file of the format in which keras.applications publishes weights."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


@pytest.mark.deep
@pytest.mark.parametrize("name", APPLICATIONS)
def test_weight_files_of_keras_applications_give_its_logits(name: str, tmp_path: Path) -> None:
    reference, images, logits = reference_network(name)
    options = card_of(name).weights["path"]
    for path in (tmp_path / "new.weights.h5", tmp_path / "published.h5"):
        write_legacy(reference, path) if path.name == "published.h5" else reference.save_weights(path)
        wanted = narrow(name, options=options, weights=str(path))
        model = build(wanted)
        np.testing.assert_allclose(model(images), logits, rtol=1e-4, atol=1e-4)
    weighted = [[layer.name for layer in network.layers if layer.weights] for network in (model, reference)]
    assert name == "inceptionv3" or weighted[0] == weighted[1]
    # the same body for another number of classes
    other = build(replace(wanted, class_names=("a", "b", "c")))
    body = [keras.Model(network.inputs, network.layers[-1].input) for network in (model, other)]
    assert np.array_equal(body[0](images), body[1](images))
    assert other(images).shape == (2, 3)
