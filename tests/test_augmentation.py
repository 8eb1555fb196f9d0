"""Order and augmentation: a pure function of (seed, epoch, example)."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import augmentation
from zoo.recipes import Recipe

EVERYTHING = Recipe(image_size=24, flip=True, crop_area=(0.5, 1.0), pad_crop=2, shift=0.1, rotate=15.0, zoom=(0.8, 1.2))


def resampled(images, recipe, target, seed=0, epoch=0):
    rows = augmentation.table(recipe, seed, epoch, len(images), images.shape[1], target)
    return augmentation.resample(images, rows, target, recipe.fill).numpy()


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    """Smooth random images, float32 [40, 32, 32, 3], 0..255."""
    coarse = np.random.default_rng(0).uniform(0, 255, (40, 5, 5, 3))
    return np.kron(coarse, np.ones((1, 8, 8, 1)))[:, :32, :32].astype(np.float32)


def test_an_epochs_order_is_a_permutation_that_depends_on_seed_and_epoch_alone():
    first = augmentation.order(3, 5, 1000)
    assert sorted(first) == list(range(1000))
    assert (first == augmentation.order(3, 5, 1000)).all()
    assert (first != augmentation.order(3, 6, 1000)).any()
    assert (first != augmentation.order(4, 5, 1000)).any()


def test_an_example_has_its_own_row_wherever_it_comes_in_the_order():
    rows = augmentation.table(EVERYTHING, 0, 2, 100, 32, 24)
    again = augmentation.table(EVERYTHING, 0, 2, 100, 32, 24)
    assert rows.shape == (100, 8)
    assert rows.dtype == np.float32
    assert (rows == again).all()
    assert len(np.unique(rows, axis=0)) == 100


def test_switching_one_augmentation_on_changes_no_draw_of_another():
    flips_alone = augmentation.table(Recipe(image_size=32, flip=True), 0, 0, 200, 32, 32)
    with_shift = augmentation.table(Recipe(image_size=32, flip=True, shift=0.1), 0, 0, 200, 32, 32)
    assert (np.sign(flips_alone[:, 0]) == np.sign(with_shift[:, 0])).all()


def test_without_augmentation_images_pass_unchanged(photos):
    recipe = Recipe(image_size=32)
    assert not augmentation.changes_geometry(recipe, 32, 32)
    assert np.allclose(resampled(photos, recipe, 32), photos, atol=1e-3)


def test_half_of_the_images_are_mirrored_and_the_others_are_not(photos):
    out = resampled(photos, Recipe(image_size=32, flip=True), 32)
    mirrored = np.isclose(out, photos[:, :, ::-1], atol=1e-2).all(axis=(1, 2, 3))
    same = np.isclose(out, photos, atol=1e-2).all(axis=(1, 2, 3))
    assert (mirrored ^ same).all()
    assert 10 <= mirrored.sum() <= 30


def test_a_change_of_size_alone_keeps_the_mean_and_the_orientation(photos):
    out = resampled(photos, Recipe(image_size=16), 16)
    assert out.shape == (40, 16, 16, 3)
    assert np.allclose(out.mean(axis=(1, 2)), photos.mean(axis=(1, 2)), atol=2.0)
    assert np.abs(out[:, 0, 0] - photos[:, 0, 0]).max() < 1


def test_a_shift_moves_a_dot_at_most_as_far_as_it_says():
    dot = np.zeros((200, 21, 21, 1), np.float32)
    dot[:, 10, 10] = 255
    out = resampled(dot, Recipe(image_size=21, shift=0.1, fill="zero"), 21)
    weights = out[..., 0] / out.sum(axis=(1, 2, 3))[:, None, None]
    rows = (weights.sum(axis=2) * np.arange(21)).sum(axis=1) - 10
    assert 1.5 < np.abs(rows).max() <= 2.1 + 1e-3
    assert abs(rows.mean()) < 0.3


def test_a_rotation_turns_as_far_as_it_says_about_the_centre():
    rows = augmentation.table(Recipe(image_size=20, rotate=30.0), 0, 0, 500, 20, 20)
    angles = np.degrees(np.arctan2(rows[:, 3], rows[:, 0]))
    assert 25 < np.abs(angles).max() <= 30
    centre = rows[:, [0, 3]] * 9.5 + rows[:, [1, 4]] * 9.5 + rows[:, [2, 5]]
    assert np.allclose(centre, 9.5, atol=1e-4)


def test_a_crop_lies_inside_the_image_and_covers_the_area_asked_for():
    rows = augmentation.table(Recipe(image_size=32, crop_area=(0.25, 1.0)), 0, 0, 1000, 64, 32)
    corners = np.array([[-0.5, -0.5], [31.5, 31.5]])
    ends = corners[None] * rows[:, None, [0, 4]] + rows[:, None, [2, 5]]
    assert ends.min() >= -0.5 - 1e-3
    assert ends.max() <= 63.5 + 1e-3
    area = (rows[:, 0] * 32 / 64) * (rows[:, 4] * 32 / 64)
    assert 0.2 < area.min() < 0.35
    assert area.max() <= 1.0 + 1e-6


def test_everything_together_gives_finite_images_in_range(photos):
    out = resampled(photos, EVERYTHING, 24)
    assert out.shape == (40, 24, 24, 3)
    assert out.min() >= 0
    assert out.max() <= 255.01
