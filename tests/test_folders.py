"""A folder of images per class: every image has its class and its part, and what is not used is told."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo.errors import DataError
from zoo.folders import scan

PNG = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def parts(folder: Path) -> dict[str, str | None]:
    return {image.key: image.part for image in scan(folder).images}


# parts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("validation", ["val", "Valid", "validation"])
def test_folders_of_parts_are_the_parts(tmp_path: Path, validation: str) -> None:
    touch(tmp_path, *(f"{part}/{name}/1.png" for part in ("train", validation, "test") for name in "ab"))
    expected = {"train": "train", validation: "validation", "test": "test"}
    assert parts(tmp_path) == {f"{home}/{name}/1.png": part for home, part in expected.items() for name in "ab"}
    assert scan(tmp_path).class_names == ("a", "b")
    assert scan(tmp_path).notes == []


def test_a_folder_without_images_beside_the_parts_changes_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/2.png", "test/b/2.png", "annotations/a/1.xml")
    assert scan(tmp_path).class_names == ("a", "b")


def test_images_beside_the_parts_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/1.png", "extra/c/1.png")
    with pytest.raises(DataError, match=r"Beside train/ there may be .* Received: .*, with images in extra\. Move"):
        scan(tmp_path)


def test_a_validation_part_alone_is_the_test_part_and_that_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/1.png", "val/a/2.png", "val/b/2.png")
    assert parts(tmp_path)["val/a/2.png"] == "test"
    assert scan(tmp_path).notes == ["val/ is the test part, for there is no other"]


def test_test_images_without_classes_are_told_and_left_alone(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/1.png", "test/1.png", "test/2.png")
    assert set(parts(tmp_path)) == {"train/a/1.png", "train/b/1.png"}
    assert scan(tmp_path).notes == ["test/ is not used: 2 images without a folder per class"]


def test_a_part_without_an_image_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/.keep")
    assert scan(tmp_path).notes == ["no image is in test"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (("train/1.png", "test/2.png"), "train/ and test/ would be"),
        (("test/a/1.png", "val/a/2.png"), "val/ and test/ would be"),
        (("cat/1.png", "dog/1.png", "Validation/1.png"), "Validation/ would be"),
    ],
)
def test_a_part_is_no_class(tmp_path: Path, files: tuple[str, ...], says: str) -> None:
    touch(tmp_path, *files)
    with pytest.raises(DataError, match=says):
        scan(tmp_path)


def test_a_train_beside_a_bus_is_a_class(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.png", "bus/1.png")
    assert scan(tmp_path).class_names == ("bus", "train")


# what is found, and what is left out --------------------------------------------------------------------------


def test_hidden_folders_and_those_of_other_programs_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/1.png", "a/.thumbnails/1.png", "b/@eaDir/1.png", ".git/a.png", "__MACOSX/b/1.png")
    assert set(parts(tmp_path)) == {"a/1.png", "b/1.png"}
    assert scan(tmp_path).notes == []


def test_links_are_followed_wherever_they_are_and_end_where_they_lead_in_circles(tmp_path: Path) -> None:
    photos, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    touch(photos, "a/1.png", "b/1.png")
    touch(elsewhere, "2.png", "deep/3.png")
    (photos / "c").symlink_to(elsewhere)
    (photos / "a" / "more").symlink_to(elsewhere)
    (photos / "a" / "again").symlink_to(photos / "a")
    (photos / "a" / "all").symlink_to(photos)
    (elsewhere / "deep" / "up").symlink_to(elsewhere)
    found = ["a/1.png", "a/more/2.png", "a/more/deep/3.png", "b/1.png", "c/2.png", "c/deep/3.png"]
    assert [image.key for image in scan(photos).images] == found


def test_a_folder_that_cannot_be_read_is_an_error(unprivileged: Path) -> None:
    touch(unprivileged, "a/1.png", "b/deep/1.png")
    locked = unprivileged / "b" / "deep"
    locked.chmod(0)
    with pytest.raises(
        DataError, match=rf"The folder {re.escape(str(locked))} can't be read: Permission denied\. Mend"
    ):
        scan(unprivileged)
    locked.chmod(0o700)


def test_what_is_not_used_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/1.png", "empty/.keep", "loose.jpg", "a/pic.HEIC", "b/raw.nef", "readme.txt")
    touch(tmp_path, *(f"a/{name}.txt" for name in ("1", "2", "bad\n\x1b", "3")), "b/notes")
    (tmp_path / "a" / "no suffix").write_bytes(PNG)
    assert scan(tmp_path).notes == [
        "no image is in empty",
        "1 image lies outside the folders of the classes, not used: loose.jpg",
        "2 photographs are not used, for .heic and .nef can't be read; convert to JPEG or PNG: a/pic.HEIC, b/raw.nef",
        "1 image has no suffix (.jpg, .png), not used: a/no suffix",
        "5 files that are no images are passed over: a/1.txt, a/2.txt, a/3.txt and 2 more",
    ]
    (tmp_path / "a" / "2.txt").unlink()
    assert scan(tmp_path).notes[-1].endswith("a/1.txt, a/3.txt, a/bad??.txt and 1 more")
