"""What makes a result worth less is told: copies in two parts or classes, classes that the test does not show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zoo.data.findings import copies, untested
from zoo.data.loading import prepare
from zoo.recipes import Recipe
from zoo.types import Example, Examples

KEYS = ("a/1", "a/2", "b/3", "b/4", "b/5")
LABELS = (0, 0, 1, 1, 1)


def told(contents: str, **parts: tuple[int, ...]) -> list[str]:
    return copies(KEYS, LABELS, [letter.encode() for letter in contents], parts)


def test_copies_of_training_images_in_the_other_parts_are_named() -> None:
    assert told("vwxyx", training=(0, 1, 2), validation=(3,), test=(4,)) == [
        "1 test image is also among the training images: b/5 is b/3"
    ]
    assert told("xxyyy", training=(0, 2), validation=(1,), test=(3, 4)) == [
        "1 validation image is also among the training images: a/2 is a/1",
        "2 test images are also among the training images: b/4 is b/3, b/5 is b/3",
    ]


def test_copies_in_two_classes_are_named() -> None:
    assert told("vwwyv", training=(0, 1, 2, 3, 4)) == ["2 images lie in two classes: a/2 is b/3, a/1 is b/5"]


def test_copies_in_one_part_and_class_are_nobodys_concern() -> None:
    assert told("vvxxx", training=(0, 1, 2, 3, 4), validation=(), test=()) == []


def test_only_the_first_of_many_are_named() -> None:
    (note,) = copies(
        [f"{n}\x1b" for n in range(8)],
        [0] * 8,
        [b"1234"[n % 4 :][:1] for n in range(8)],
        {
            "training": range(4),
            "test": range(4, 8),
        },
    )
    assert note == "4 test images are also among the training images: 4? is 0?, 5? is 1?, 6? is 2? and 1 more"


def test_classes_that_no_test_image_shows_are_named_with_what_they_have() -> None:
    names = ("a", "solo", "none", "two")
    assert untested(names, [0, 0, 1, 3, 3], [0]) == ["no test image shows solo (of 1 image), two (of 2 images)"]
    assert untested(names, [0, 1, 3], [0, 1, 2]) == []
    assert untested(names, [0, 1], []) == [], "a recipe without a test part"


def test_the_notes_of_prepared_data_say_so() -> None:
    def iterate() -> Iterator[Example]:
        for row, part in enumerate(("train", "train", "train", "test", "test")):
            yield Example(KEYS[row], LABELS[row], part, np.full((4, 4), row % 4, np.uint8))  # type: ignore[arg-type]

    data = prepare(Examples(("a", "b"), iterate, "copies", 5), "copies", Recipe(image_size=4), 1)
    assert data.notes == (
        "no test image shows a (of 2 images)",
        "1 test image is also among the training images: b/5 is a/1",
        "1 image lies in two classes: a/1 is b/5",
    )
