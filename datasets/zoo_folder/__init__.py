"""Photographs of your own: a folder that holds a folder of images per class.

    flowers/daisy/1.jpg  flowers/rose/a.png ...            the recipe splits them
    flowers/train/daisy/1.jpg ... flowers/test/daisy/2.jpg  "test" (or "val", "valid", "validation") is the test part

`zoo train ARCH ./flowers` is `zoo train ARCH folder --source flowers`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from zoo import DataError, Example, Examples, Source, hookimpl
from zoo.files import IMAGE_SUFFIXES

TRAIN = ("train", "training")
TEST = ("test", "val", "valid", "validation")
LAYOUT = "one folder of images per class, as flowers/daisy/1.jpg and flowers/rose/1.jpg"


class _File(NamedTuple):
    key: str
    class_name: str
    part: Literal["train", "test"] | None
    path: Path


@hookimpl
def zoo_examples(source: Source) -> Examples:
    """The images in the folder that the user gave; classes are its folders in natural order (2 before 10).

    Raises DataError if there is no such folder, or it holds fewer than two classes.
    """
    folder = source.given
    if folder is None:
        raise DataError(f"Say where your images are: zoo train ARCH ./flowers, where flowers holds {LAYOUT}")
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "does not exist"
        raise DataError(f"Images of your own are {LAYOUT}. Received: {folder}, which {what}")
    files, others = _files(folder)
    names = sorted({file.class_name for file in files}, key=_natural)
    if len(names) < 2:
        found = f"holds images of {names[0]!r} alone" if names else f"holds {_seen(folder)}"
        raise DataError(f"Images of your own are {LAYOUT}; two classes at least. Received: {folder}, which {found}")
    _check_parts(files, names, folder)
    labels = {name: label for label, name in enumerate(names)}

    def iterate() -> Iterator[Example]:
        return (Example(file.key, labels[file.class_name], file.part, file.path) for file in files)

    note = "1 file that is no image is" if others == 1 else f"{others:,} files that are no images are"
    title = folder.resolve().name or "folder"
    return Examples(
        tuple(names),
        iterate,
        _signature(folder, files),
        len(files),
        f"{note} passed over" if others else "",
        folder,
        title=title,
    )


def _files(folder: Path) -> tuple[list[_File], int]:
    """Every image below a class's folder, in natural order, and how many other files there are."""
    found: list[_File] = []
    others = 0
    for home, part in _homes(folder):
        for class_name in _folders(home):
            for path in _walk(home / class_name):
                if path.suffix.lower() in IMAGE_SUFFIXES:
                    found.append(_File(path.relative_to(folder).as_posix(), class_name, part, path))
                else:
                    others += 1
    return sorted(found, key=lambda file: _natural(file.key)), others


def _homes(folder: Path) -> list[tuple[Path, Literal["train", "test"] | None]]:
    """Where the folders of the classes are: in `folder`, or in its folders of parts."""
    inside = {name.lower(): name for name in _folders(folder)}
    train = next((inside[name] for name in TRAIN if name in inside), None)
    test = next((inside[name] for name in TEST if name in inside), None)
    if train is None or set(inside) - {*TRAIN, *TEST}:
        return [(folder, None)]
    return [(folder / train, "train"), *([(folder / test, "test")] if test else [])]  # type: ignore[list-item]


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"The folder {folder} can't be read: {error.strerror}") from error


def _walk(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        yield from (Path(where, name) for name in names if not name.startswith("."))


def _check_parts(files: list[_File], names: list[str], folder: Path) -> None:
    for part in {file.part for file in files if file.part}:
        has = {file.class_name for file in files if file.part == part}
        if missing := [name for name in names if name not in has]:
            raise DataError(f"The {part} part of {folder} has no image of {', '.join(missing)}")


def _signature(folder: Path, files: list[_File]) -> str:
    state = hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape"))
    for file in files:
        try:
            status = file.path.stat()
            line = f"{file.key} {status.st_size} {status.st_mtime_ns}\n"
        except OSError:
            line = f"{file.key} unreadable\n"  # decoding will say why
        state.update(line.encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts "img2" before "img10", and capitals with small letters."""
    parts = re.split(r"(\d+)", text.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts] + [(2, 0, text)]


def _seen(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    return f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else "nothing"
