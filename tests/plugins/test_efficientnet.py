"""EfficientNet-Lite0: its size, what its first layer sees, its weights, and the class of a cat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import zoo_efficientnet

from zoo import Spec, UsageError
from zoo.cards import read_card_file
from zoo.contract import building, check, parameters_of
from zoo.data import images

NAME = "efficientnet-lite0"
THOUSAND = tuple(map(str, range(1000)))
CHELSEA = Path(__file__).parents[1] / "photos" / "chelsea.jpg"
NARROW = {"width": 0.25}


def build(size: int = 32, classes: tuple[str, ...] = ("cat", "dog"), precision: str = "float32", **fields: Any) -> Any:
    spec = Spec(NAME, size, size, 3, classes, **fields)
    with building(spec, precision):
        return zoo_efficientnet.zoo_build(spec)


def test_it_has_the_published_number_of_parameters_and_the_card_counts_the_statistics_too() -> None:
    with keras.StatelessScope(initialize_variables=False):
        model = zoo_efficientnet.zoo_build(Spec(NAME, 224, 224, 3, THOUSAND))
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == 4_652_008
    card = read_card_file(Path(zoo_efficientnet.__file__).parent).card("architecture", NAME)
    assert parameters_of(model) == card.parameters
    assert "4,652,008" in card.summary


def test_the_first_layer_sees_x_minus_127_over_128() -> None:
    model = build(options=NARROW)
    seen = keras.Model(model.inputs, model.get_layer("rescale").output)([np.full((1, 32, 32, 3), [0, 127, 255], "f4")])
    assert np.allclose(seen[0, 0, 0], [-127 / 128, 0, 1], atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("size", [32, 50])
def test_it_keeps_the_contract_at_small_sizes(size: int, precision: str) -> None:
    spec = Spec(NAME, size, size, 3, ("cat", "dog"), options=NARROW)
    check(build(size, precision=precision, options=NARROW), spec, precision, NAME)


def test_width_rounds_filters_to_multiples_of_eight_and_leaves_stem_and_top() -> None:
    model = build(options={"width": 0.5})
    filters = [
        model.get_layer(name).filters for name in ("stem_conv", "block2a_project", "block7a_project", "top_conv")
    ]
    assert filters == [32, 16, 160, 1280]


@pytest.mark.parametrize(("option", "value"), [("width", 0), ("width", "1"), ("dropout", 1.0)])
def test_an_option_out_of_range_is_a_mistake(option: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"option {option} must be a number"):
        build(options={option: value})


def test_imagenet_weights_are_all_taken_but_those_of_other_classes() -> None:
    drawn, given, whole = build(), build(weights="imagenet"), build(classes=THOUSAND, weights="imagenet")
    with np.load(zoo_efficientnet.IMAGENET) as stored:
        for model in (given, whole):
            for variable in model.weights:
                if model is whole or not variable.path.startswith("logits/"):
                    assert np.array_equal(variable, stored[variable.path].astype("f4")), variable.path
    assert np.array_equal(given.get_layer("logits").kernel, drawn.get_layer("logits").kernel)


@pytest.mark.parametrize("weights", ["imagenett", "no/such/file.npz", __file__])
def test_weights_that_are_none_are_a_mistake(weights: str) -> None:
    with pytest.raises(UsageError, match="weights must be 'imagenet' or"):
        build(weights=weights)


def test_weights_of_another_width_are_a_mistake_that_names_the_variable() -> None:
    with pytest.raises(UsageError, match=r"do not fit.*block1a_project/kernel has shape"):
        build(weights="imagenet", options={"width": 2.0})


def test_with_imagenet_weights_it_knows_a_cat() -> None:
    model = build(224, THOUSAND, weights="imagenet")
    photo = images.load(CHELSEA, 224, 224, 3, "crop", "area")[None].astype(np.float32)
    assert int(tf.argmax(model(photo, training=False)[0])) in range(281, 286)  # tabby to Egyptian cat
