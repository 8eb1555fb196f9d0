"""Looking into a network: the outputs of its layers, Grad-CAM, the values before the last layer, projections."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from zoo.errors import UsageError
from zoo.figures.embedding import principal_components
from zoo.figures.features import grid_of, overlay
from zoo.network import inspection


def detector() -> keras.Model:
    """One filter that passes the image on; class 0 likes brightness, class 1 dislikes it."""
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(1, 1, use_bias=False, name="conv1"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(2, use_bias=False, name="logits"),
        ]
    )
    model.get_layer("conv1").set_weights([np.ones((1, 1, 1, 1))])
    model.get_layer("logits").set_weights([np.array([[2.0, -2.0]])])
    return model


def spot(row: int, column: int) -> np.ndarray:
    image = np.zeros((12, 12, 1), np.uint8)
    image[row - 1 : row + 2, column - 1 : column + 2] = 200
    return image


def test_activations_are_what_the_layers_give() -> None:
    image = spot(3, 4)[None]
    found = inspection.activations(detector(), image, ["conv1", "mean"])
    assert np.array_equal(found["conv1"], image.astype(np.float32))
    assert found["mean"] == pytest.approx(np.array([[image.mean()]]))


@pytest.mark.parametrize(("row", "column"), [(2, 2), (2, 9), (9, 2), (6, 7)])
def test_grad_cam_moves_with_the_object_and_is_never_negative(row: int, column: int) -> None:
    (cam,) = inspection.class_activation(detector(), spot(row, column)[None], "conv1", np.array([0]))
    assert cam.shape == (12, 12)
    assert cam.min() >= 0
    rows, columns = np.nonzero(cam)
    assert (rows.mean(), columns.mean()) == (row, column)
    # the gradient of 2 * mean(image) is 2 / 144 everywhere
    assert cam.max() == pytest.approx(200 * 2 / 144, rel=1e-5)


def test_grad_cam_is_of_the_class_asked_for() -> None:
    images = np.stack([spot(3, 3), spot(8, 8)])
    likes, dislikes = inspection.class_activation(detector(), images, "conv1", np.array([0, 1]))
    assert likes.max() > 0
    assert dislikes.max() == 0, "what speaks against a class is cut off"


def test_a_map_is_laid_over_its_image_where_it_is_hot() -> None:
    cam = np.zeros((3, 3), np.float32)
    cam[2, 0] = 1
    mixed = overlay(np.full((12, 12, 3), 90, np.uint8), cam)
    assert mixed.shape[0] >= 200
    colourful = np.ptp(mixed, axis=2)
    height, width = colourful.shape
    assert colourful[5 * height // 6, width // 6] > 0.3
    assert colourful[: height // 2, width // 2 :].max() < 0.05


def staged_model() -> keras.Model:
    """Three stages, each with two convolutions and a pooling, as VGG has them."""
    model = keras.Sequential([keras.Input((48, 48, 3)), layers.Rescaling(1 / 255, name="rescale")])
    for block in ("block1", "block2", "block3", "block4"):
        for number in (1, 2):
            conv = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"{block}_conv{number}")
            model.add(conv)
        model.add(layers.MaxPooling2D(name=f"{block}_pool"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(6, activation="relu", name="hidden"))
    model.add(layers.Dense(2, name="logits"))
    return model


def test_the_last_convolution_of_each_early_stage_is_looked_at() -> None:
    found = inspection.map_layers(staged_model())
    assert inspection.default_layers(found) == ["block1_conv2", "block2_conv2", "block3_conv2"]
    assert inspection.cam_layer(found) == "block4_conv2"
    assert found[0].name == "block1_conv1", "what prepares the image is left out"


def test_without_stages_the_first_two_convolutions_are_looked_at() -> None:
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for number in (1, 2, 3):
        model.add(layers.Conv2D(2, 3, padding="same", name=f"conv{number}"))
        model.add(layers.Dropout(0.5, name=f"drop{number}"))
    found = inspection.map_layers(model)
    assert inspection.default_layers(found) == ["conv1", "conv2"]
    assert inspection.cam_layer(found) == "conv3", "neither pooling nor dropout made the maps"


def test_maps_too_coarse_to_show_a_place_are_passed_over() -> None:
    model = keras.Sequential([keras.Input((16, 16, 1))])
    for number in (1, 2, 3):
        model.add(layers.Conv2D(2, 3, strides=2, padding="same", name=f"conv{number}"))
    assert inspection.cam_layer(inspection.map_layers(model)) == "conv1"


def test_a_network_without_convolutions_has_no_maps_and_says_so() -> None:
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)])
    assert inspection.chosen_layers(model, ()) == []
    assert inspection.cam_layer([]) is None
    with pytest.raises(UsageError, match=r"no layer 'x'.*no convolutions to look at"):
        inspection.chosen_layers(model, ["x"])


def test_the_values_before_the_last_layer_are_those_that_it_weighs() -> None:
    model = staged_model()
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), np.uint8)
    values, what = inspection.penultimate(model, images)
    weights, biases = model.get_layer("logits").get_weights()
    assert values @ weights + biases == pytest.approx(inspection.logits_of(model, images), abs=1e-4)
    assert "logits" in what


def test_of_a_network_that_hides_its_layers_the_class_scores_are_taken() -> None:
    class Hidden(tf.Module):
        def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
            return tf.reshape(images, (-1, 4))[:, :2]

    values, what = inspection.penultimate(Hidden(), np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1))
    assert values.tolist() == [[0, 1], [4, 5]]
    assert "class scores" in what


def test_the_first_weights_are_found_where_they_see_the_image() -> None:
    assert inspection.first_kernel(staged_model())[0] == "block1_conv1"
    assert inspection.first_matrix(staged_model(), 48 * 48 * 3) is None
    dense = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3, name="hidden")])
    name, matrix = inspection.first_matrix(dense, 16)
    assert name.endswith("hidden")
    assert matrix.shape == (16, 3)
    assert inspection.first_kernel(dense) is None


def test_grids_are_the_chapter_s() -> None:
    assert [grid_of(count) for count in (32, 64, 128, 256)] == [(4, 8), (8, 8), (13, 10), (16, 16)]
    for count in (1, 3, 7, 37, 48, 80, 2048):
        rows, columns = grid_of(count)
        assert rows * columns >= min(count, 256)
        assert columns <= 4 * rows


def test_principal_components_find_the_line_that_points_lie_on() -> None:
    along = np.array([-3.0, -1.0, 0.0, 4.0])
    found = principal_components(along[:, None] * np.array([0.6, 0.8, 0.0]) + 5)
    assert found.explained == pytest.approx((1, 0))
    assert found.points[:, 0] == pytest.approx(along - along.mean())
    assert found.points[:, 1] == pytest.approx(np.zeros(4), abs=1e-9)


def test_principal_components_are_the_same_from_either_side_and_for_either_sign() -> None:
    features = np.random.default_rng(0).normal(size=(20, 5)) * [5, 3, 1, 1, 1]
    found = principal_components(features)
    # columns of zeros change nothing but which matrix is the smaller
    wider = principal_components(np.pad(features, ((0, 0), (0, 40))))
    assert wider.points == pytest.approx(found.points)
    assert wider.explained == pytest.approx(found.explained)
    assert principal_components(-features).points == pytest.approx(found.points)
    assert np.cov(found.points.T)[0, 1] == pytest.approx(0, abs=1e-9)
    assert principal_components(np.ones((4, 1))).points.shape == (4, 2)
