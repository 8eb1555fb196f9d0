"""A folder that holds a folder of images per class: which image is of what class and part, and what else lies there.

    flowers/daisy/1.jpg  flowers/rose/a.png ...              no parts: a recipe splits them
    flowers/train/daisy/1.jpg ... flowers/test/daisy/2.jpg   parts: "train", "test", and "val", "valid" or "validation"

Importing this module imports neither NumPy nor OpenCV.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from zoo.data.imageheaders import format_of
from zoo.errors import DataError
from zoo.files import IMAGE_SUFFIXES, named
from zoo.types import PartName
from zoo.words import amount, are

LAYOUT = "one folder of images per class, as flowers/daisy/1.jpg and flowers/rose/1.jpg"
PARTS: dict[PartName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test",),
}
# what cameras write, and OpenCV does not read
UNREADABLE = frozenset({".arw", ".cr2", ".cr3", ".dng", ".heic", ".heif", ".jxl", ".nef"})
_NOT_THE_USERS = frozenset({"__MACOSX", "@eaDir"})  # a Mac's zip files and Synology's thumbnails


class ImageFile(NamedTuple):
    """An image; `key` is its path below the folder."""

    key: str
    class_name: str
    part: PartName | None
    path: Path


@dataclass
class Contents:
    """What lies in a folder of classes: `images` in natural order, the rest as paths below the folder."""

    images: list[ImageFile] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    nameless: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    about_parts: list[str] = field(default_factory=list)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that have an image, in natural order (2 before 10)."""
        return tuple(sorted({image.class_name for image in self.images}, key=_natural))

    @property
    def notes(self) -> list[str]:
        """What a user should know of it, in words."""
        notes = list(self.about_parts)
        if self.empty:
            notes.append(f"no image is in {named(self.empty)}")
        if count := len(self.loose):
            what = "1 image lies" if count == 1 else f"{count:,} images lie"
            notes.append(f"{what} outside the folders of the classes, not used: {named(self.loose)}")
        if self.unreadable:
            notes.append(self.conversion)
        if count := len(self.nameless):
            what = "1 image has no suffix" if count == 1 else f"{count:,} images have no suffix"
            notes.append(f"{what} (.jpg, .png), not used: {named(self.nameless)}")
        if count := len(self.others):
            what = "1 file that is no image is" if count == 1 else f"{count:,} files that are no images are"
            notes.append(f"{what} passed over: {named(self.others)}")
        return notes

    @property
    def conversion(self) -> str:
        """What to do about the photographs that can't be read."""
        count, suffixes = len(self.unreadable), sorted({Path(key).suffix.lower() for key in self.unreadable})
        what = f"{amount(count, 'photograph')} {are(count)} not used, for {' and '.join(suffixes)} can't be read"
        return f"{what}; convert to JPEG or PNG: {named(self.unreadable)}"


def scan(folder: Path) -> Contents:
    """Look through a folder. Raises DataError if a folder in it can't be read, or its parts make no sense."""
    contents = Contents()
    homes = _homes(folder, contents)
    for home in dict.fromkeys([folder, *(home for home, _ in homes)]):
        contents.loose += [_key(home / name, folder) for name in _list(home)[1] if _is_image(name)]
    for home, part in homes:
        for name in _list(home)[0]:
            before = len(contents.images)
            for path in _walk(home / name, {_identity(folder), _identity(home)}):
                _sort(path, folder, name, part, contents)
            if len(contents.images) == before:
                contents.empty.append(_key(home / name, folder))
    contents.images.sort(key=lambda image: _natural(image.key))
    return contents


def _sort(path: Path, folder: Path, class_name: str, part: PartName | None, contents: Contents) -> None:
    key, suffix = _key(path, folder), path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        contents.images.append(ImageFile(key, class_name, part, path))
    elif suffix in UNREADABLE:
        contents.unreadable.append(key)
    elif not suffix and _begins_like_an_image(path):
        contents.nameless.append(key)
    else:
        contents.others.append(key)


# parts --------------------------------------------------------------------------------------------------------


def _homes(folder: Path, contents: Contents) -> list[tuple[Path, PartName | None]]:
    """Where the folders of the classes are: in `folder`, or in its folders of parts."""
    inside = _list(folder)[0]
    found = {part: name for part, names in PARTS.items() for name in inside if name.lower() in names}
    if "train" not in found or not _has_classes(folder / found["train"]):
        _refuse_parts_as_classes(folder, found)
        return [(folder, None)]
    _refuse_images_beside_parts(folder, [name for name in inside if name not in found.values()], found["train"])
    labelled = {part: name for part, name in found.items() if _has_classes(folder / name)}
    for part in found.keys() - labelled.keys():
        name = found[part]
        if count := sum(1 for _ in images_below(folder / name)):
            contents.about_parts.append(f"{name}/ is not used: {amount(count, 'image')} without a folder per class")
        else:
            contents.empty.append(name)
    if "test" not in labelled and "validation" in labelled:
        labelled["test"] = labelled.pop("validation")
        contents.about_parts.append(f"{labelled['test']}/ is the test part, for there is no other")
    return [(folder / name, part) for part, name in labelled.items()]


def _refuse_parts_as_classes(folder: Path, found: dict[PartName, str]) -> None:
    # a train is a vehicle as well
    held_out = [name for part, name in found.items() if part != "train" and _has_image(folder / name)]
    if not held_out:
        return
    train = [name for part, name in found.items() if part == "train" and _has_image(folder / name)]
    what = " and ".join(f"{name}/" for name in [*train, *held_out])
    raise DataError(
        "Parts hold a folder per class, as flowers/train/daisy/1.jpg, flowers/train/rose/1.jpg and "
        f"flowers/test/daisy/2.jpg. Received: {folder}, where {what} would be the name of a class. Sort the images "
        "into such folders; or rename what is truly a class"
    )


def _refuse_images_beside_parts(folder: Path, others: Sequence[str], train: str) -> None:
    if beside := [name for name in others if _has_image(folder / name)]:
        raise DataError(
            f"Beside {train}/ there may be images in val/ and test/ alone. Received: {folder}, with images in "
            f"{named(beside)}. Move them elsewhere; or, if {train!r} is a class, put its images right into its folder"
        )


def _has_classes(folder: Path) -> bool:
    return any(_has_image(folder / name) for name in _list(folder)[0])


def _has_image(folder: Path) -> bool:
    return any(True for _ in images_below(folder))


# files --------------------------------------------------------------------------------------------------------


def images_below(folder: Path) -> Iterator[Path]:
    """Every file with an image's suffix in a folder and its folders, but for hidden ones; links are followed. Raises
    DataError if a folder can't be read."""
    return (path for path in _walk(folder, set()) if _is_image(path.name))


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Every file below a folder; links are followed, but to no folder that was `seen`: they may lead in circles."""
    identity = _identity(folder)
    if identity in seen:
        return
    seen.add(identity)
    folders, files = _list(folder)
    yield from (folder / name for name in files)
    for name in folders:
        yield from _walk(folder / name, seen)


def _list(folder: Path) -> tuple[list[str], list[str]]:
    """The names of the folders (a link to one is one) and of the files in a folder, sorted, without hidden ones."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name not in _NOT_THE_USERS:
                    (folders if _is_folder(entry) else files).append(entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from error
    return sorted(folders), sorted(files)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: decoding will say so
        return False


def _identity(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        raise _unreadable(folder, error) from error
    return status.st_dev, status.st_ino


def _unreadable(folder: Path, error: OSError) -> DataError:
    return DataError(f"The folder {folder} can't be read: {error.strerror}. Mend its permissions, or move it elsewhere")


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGE_SUFFIXES


def _begins_like_an_image(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would block
            return False
        with path.open("rb") as file:
            return format_of(file.read(32)) is not None
    except OSError:
        return False


def _key(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts "img2" before "img10", and capitals with small letters."""
    parts = re.split(r"(\d+)", text.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts] + [(2, 0, text)]
