"""Order and augmentation: a pure function of (seed, epoch, example)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from zoo.recipes import Recipe
from zoo.training import augmentation
from zoo.training.augmentation import Draws
from zoo.training.augmented import augment, resample

GEOMETRY = Recipe(
    image_size=24, flip=True, crop_area=(0.5, 1.0), pad_crop=2, shift=0.1, rotate=15.0, shear=10.0, zoom=(0.8, 1.2)
)
COLOUR = {"brightness": 0.3, "contrast": 0.3, "saturation": 0.5, "hue": 20.0}
OTHERS = {**COLOUR, "erase": 0.5, "mixup": 0.4, "cutmix": 1.0, "class_weights": "balanced"}
EVERYTHING = replace(GEOMETRY, **OTHERS)


def geometry(recipe, examples, source, target, seed=0, epoch=0):
    return augmentation.geometry(recipe, Draws(seed, epoch), examples, source, target)


def resampled(images, recipe, target):
    return resample(images, geometry(recipe, len(images), images.shape[1], target), target, recipe.fill).numpy()


def table(recipe, labels, seed=0, epoch=0, source=32, target=32, channels=3):
    """The table as the feeder makes it for one step of all examples, in the order of the examples."""
    rows = augmentation.table(recipe, seed, epoch, labels, source, target, channels)
    if recipe.mixup or recipe.cutmix:
        where = augmentation.columns(recipe, source, target, channels)
        rows[:, where.mix.start] = augmentation.partners(seed, epoch, len(labels), len(labels))
    return rows


def augmented(images, recipe, labels=None, target=None):
    """Images float32 and targets, all in one step."""
    labels = np.arange(len(images)) % 3 if labels is None else labels
    target = target or images.shape[1]
    rows = table(recipe, labels, source=images.shape[1], target=target, channels=images.shape[3])
    where = augmentation.columns(recipe, images.shape[1], target, images.shape[3])
    step = tf.constant(images.astype(np.uint8)), tf.constant(labels), tf.constant(rows)
    out, targets = augment(*step, where, recipe, target)
    return out.numpy(), targets


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
    labels = np.arange(100) % 3
    rows = table(EVERYTHING, labels, epoch=2, target=24)
    assert rows.shape == (100, 8 + 12 + 7 + 7 + 1)
    assert rows.dtype == np.float32
    assert (rows == table(EVERYTHING, labels, epoch=2, target=24)).all()
    assert (rows != table(EVERYTHING, labels, epoch=3, target=24)).any()
    assert len(np.unique(rows[:, :8], axis=0)) == len(np.unique(rows[:, 8:20], axis=0)) == 100


@pytest.mark.parametrize(
    "off", ["brightness", "contrast", "saturation", "hue", "erase", "mixup", "cutmix", "class_weights"]
)
def test_switching_one_augmentation_on_changes_no_draw_of_another(off):
    labels = np.arange(200) % 3
    less = replace(EVERYTHING, **{off: "" if off == "class_weights" else 0.0})
    for kind in ("geometry", "colour", "box", "mix", "weight"):
        if (off in COLOUR and kind == "colour") or (off == "erase" and kind == "box"):
            continue
        with_all = table(EVERYTHING, labels)[:, getattr(augmentation.columns(EVERYTHING, 32, 32, 3), kind)]
        without = table(less, labels)[:, getattr(augmentation.columns(less, 32, 32, 3), kind)]
        if off in ("mixup", "cutmix") and kind == "mix":  # the partners stay; who is cut, who is blended, changes
            assert (with_all[:, 0] == without[:, 0]).all()
        elif without.shape[1]:
            assert (with_all == without).all()


def test_switching_a_shift_on_changes_no_flip():
    alone = geometry(Recipe(image_size=32, flip=True), 200, 32, 32)
    both = geometry(Recipe(image_size=32, flip=True, shift=0.1), 200, 32, 32)
    assert (np.sign(alone[:, 0]) == np.sign(both[:, 0])).all()


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
    rows = geometry(Recipe(image_size=20, rotate=30.0), 500, 20, 20)
    angles = np.degrees(np.arctan2(rows[:, 3], rows[:, 0]))
    assert 25 < np.abs(angles).max() <= 30
    centre = rows[:, [0, 3]] * 9.5 + rows[:, [1, 4]] * 9.5 + rows[:, [2, 5]]
    assert np.allclose(centre, 9.5, atol=1e-4)


def test_a_crop_lies_inside_the_image_and_covers_the_area_asked_for():
    rows = geometry(Recipe(image_size=32, crop_area=(0.25, 1.0)), 1000, 64, 32)
    corners = np.array([[-0.5, -0.5], [31.5, 31.5]])
    ends = corners[None] * rows[:, None, [0, 4]] + rows[:, None, [2, 5]]
    assert ends.min() >= -0.5 - 1e-3
    assert ends.max() <= 63.5 + 1e-3
    area = (rows[:, 0] * 32 / 64) * (rows[:, 4] * 32 / 64)
    assert 0.2 < area.min() < 0.35
    assert area.max() <= 1.0 + 1e-6


def test_a_shear_slants_as_far_as_it_says():
    rows = geometry(Recipe(image_size=20, shear=20.0), 500, 20, 20)
    slants = np.degrees(np.arctan(rows[:, [1, 3]]))
    assert (np.abs(slants).max(axis=0) > 18).all()
    assert np.abs(slants).max() <= 20 + 1e-4
    assert np.allclose(rows[:, [0, 4]], 1)


def test_everything_together_gives_finite_images_in_range(photos):
    out, targets = augmented(photos, EVERYTHING, target=24)
    assert out.shape == (40, 24, 24, 3)
    assert out.min() >= 0
    assert out.max() <= 255.01
    assert np.isfinite(out).all()
    assert len(targets.terms) == 2


class TestColour:
    def test_brightness_scales_all_channels_alike(self, photos):
        images = np.clip(photos.astype(np.uint8), 1, 150)
        factor = augmented(images, Recipe(brightness=0.3))[0] / images
        spread = factor.max(axis=(1, 2, 3)) - factor.min(axis=(1, 2, 3))
        assert spread.max() < 1e-4
        assert 0.7 <= factor.min() < 0.75
        assert 1.25 < factor.max() <= 1.3 + 1e-4

    def test_contrast_keeps_mid_grey(self):
        images = np.full((50, 8, 8, 3), 127, np.uint8)
        assert np.abs(augmented(images, Recipe(contrast=0.5))[0] - 127).max() <= 0.26

    def test_saturation_and_hue_keep_grey_pixels(self):
        images = np.repeat(np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), np.uint8), 3, axis=3)
        out, _ = augmented(images, Recipe(saturation=0.9, hue=180.0))
        assert np.allclose(out, images, atol=1e-3)

    def test_saturation_keeps_the_luma(self):
        images = np.random.default_rng(0).integers(80, 176, (50, 8, 8, 3)).astype(np.uint8)
        out, _ = augmented(images, Recipe(saturation=0.5))
        assert np.allclose(out @ augmentation.LUMA, images @ augmentation.LUMA, atol=1e-2)
        assert np.abs(out - images).max() > 5

    def test_a_third_of_a_turn_of_the_hue_makes_red_green(self):
        turn = augmentation._turns(np.array([2 * np.pi / 3]))[0]
        assert np.allclose(turn @ [200, 10, 20], [20, 200, 10])

    def test_grey_images_have_brightness_and_contrast(self):
        images = np.full((20, 8, 8, 1), 100, np.uint8)
        out, _ = augmented(images, Recipe(**COLOUR))
        assert out.shape == images.shape
        assert len(np.unique(out[:, 0, 0, 0])) == 20
        assert (augmented(images, Recipe(saturation=0.5, hue=90.0))[0] == images).all()


class TestErasing:
    def test_the_share_asked_for_gets_a_box_of_one_colour_and_the_rest_stays(self):
        images = np.full((400, 20, 20, 3), 255, np.uint8)
        out, _ = augmented(images, Recipe(erase=0.25, erase_area=(0.1, 0.3)), target=20)
        changed = (out != 255).any(axis=3)
        touched = changed.any(axis=(1, 2))
        assert 70 < touched.sum() < 130
        for image, box in zip(out[touched], changed[touched], strict=True):
            down, across = np.flatnonzero(box.any(axis=1)), np.flatnonzero(box.any(axis=0))
            inside = image[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
            assert box.sum() == len(down) * len(across) == np.prod(inside.shape[:2])
            assert (inside == inside[0, 0]).all()
            assert 0.05 < box.mean() < 0.4

    def test_all_places_are_reached(self):
        images = np.full((600, 10, 10, 1), 255, np.uint8)
        out, _ = augmented(images, Recipe(erase=1.0), target=10)
        assert (out != 255).any(axis=(0, 3)).all()


class TestMixing:
    IMAGES = np.arange(60, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 16, 16, 1), np.uint8)

    def partner(self):
        return augmentation.partners(0, 0, 60, 60)

    def test_the_partner_is_another_row_of_the_same_step(self):
        found = augmentation.partners(1, 2, 23, 5)
        for start in range(0, 23, 5):
            rows = found[start : start + 5]
            assert sorted(rows) == list(range(len(rows)))
        assert (found != augmentation.partners(1, 3, 23, 5)).any()

    def test_mixup_blends_pixels_and_targets_by_the_same_share(self):
        labels = np.arange(60)
        out, targets = augmented(self.IMAGES, Recipe(mixup=1.0), labels, target=16)
        (own, share), (theirs, rest) = targets.terms
        assert (theirs.numpy() == labels[self.partner()]).all()
        assert np.allclose(share + rest, 1)
        assert np.ptp(share) > 0.8
        assert np.allclose(out[:, 0, 0, 0], share * own.numpy() + rest * theirs.numpy(), atol=1e-4)
        assert np.ptp(out, axis=(1, 2, 3)).max() < 1e-4

    def test_cutmix_pastes_a_box_and_counts_its_pixels(self):
        labels = np.arange(60)
        out, targets = augmented(self.IMAGES, Recipe(cutmix=1.0), labels, target=16)
        (own, share), (theirs, _) = targets.terms
        is_own = np.isclose(out[..., 0], own.numpy()[:, None, None])
        is_theirs = np.isclose(out[..., 0], theirs.numpy()[:, None, None])
        assert (is_own | is_theirs).all()
        others = own.numpy() != theirs.numpy()
        assert np.allclose(is_own.mean(axis=(1, 2))[others], share.numpy()[others])

    def test_both_take_half_of_the_images_each(self):
        rows = augmentation.mixes(Recipe(mixup=0.4, cutmix=1.0), Draws(0, 0), 1000, 32)
        blended = rows[:, 2] < 1
        assert 430 < blended.sum() < 570
        assert (rows[blended, 3:] == 0).all()

    def test_the_accuracy_counts_the_class_of_the_larger_share(self):
        labels = np.arange(60)
        _, targets = augmented(self.IMAGES, Recipe(mixup=1.0), labels, target=16)
        (own, share), (theirs, _) = targets.terms
        assert (targets.labels.numpy() == np.where(share >= 0.5, own, theirs)).all()

    def test_class_weights_follow_the_labels_into_the_mix(self):
        labels = np.array([0] * 40 + [1] * 20)
        recipe = Recipe(mixup=1.0, class_weights=(1.0, 10.0))
        _, targets = augmented(self.IMAGES, recipe, labels, target=16)
        share = augmented(self.IMAGES, Recipe(mixup=1.0), labels, target=16)[1].terms[0][1]
        (_, own), (theirs, rest) = targets.terms
        assert np.allclose(own, share * np.where(labels == 1, 10, 1))
        assert np.allclose(rest, (1 - share) * np.where(theirs.numpy() == 1, 10, 1))


def test_balanced_class_weights_give_each_class_the_same_total():
    labels = np.array([0] * 30 + [1] * 60 + [3] * 10)
    weights = augmentation.class_weights(Recipe(class_weights="balanced"), labels)
    totals = np.bincount(labels, weights[labels], minlength=4)
    assert np.allclose(totals[[0, 1, 3]], 100 / 3)
    assert weights[labels].mean() == pytest.approx(1)
