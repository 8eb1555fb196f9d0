"""Photographs of your own: a folder that holds a folder of images per class.

    flowers/daisy/1.jpg  flowers/rose/a.png ...              the recipe splits them
    flowers/train/daisy/1.jpg ... flowers/test/daisy/2.jpg   "val" (or "valid", "validation") beside them is validation

`zoo train ARCH ./flowers` is `zoo train ARCH folder --source flowers`; `zoo.folders` says what lies where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo import DataError, Example, Examples, Source, hookimpl
from zoo.files import one_line
from zoo.folders import LAYOUT, Contents, ImageFile, scan


@hookimpl
def zoo_examples(source: Source) -> Examples:
    """The images in the folder that the user gave; classes are its folders in natural order (2 before 10).

    Raises DataError if there is no such folder, or it holds fewer than two classes.
    """
    folder = source.given
    if folder is None:
        raise DataError(
            "Say where your images are: zoo train ARCH ./flowers (or zoo data info ./flowers), "
            f"where flowers holds {LAYOUT}"
        )
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "does not exist"
        raise DataError(f"Images of your own are {LAYOUT}. Received: {folder}, which {what}")
    contents = scan(folder)
    names = contents.class_names
    if len(names) < 2:
        raise DataError(
            f"Images of your own are {LAYOUT}; two classes at least. "
            f"Received: {folder}, which {_what_it_holds(folder, contents)}"
        )
    if odd := [name for name in names if not name.isprintable()]:
        raise DataError(f"A class's folder needs a name that can be written (UTF-8). Received: {odd[0]!r} in {folder}")
    _check_parts(contents.images, names, folder)
    labels = {name: label for label, name in enumerate(names)}

    def iterate() -> Iterator[Example]:
        return (Example(image.key, labels[image.class_name], image.part, image.path) for image in contents.images)

    return Examples(
        names,
        iterate,
        _signature(folder, contents.images),
        len(contents.images),
        "\n".join(contents.notes),
        folder,
        title=one_line(folder.resolve().name) or "folder",
    )


def _check_parts(images: Sequence[ImageFile], names: Sequence[str], folder: Path) -> None:
    """Every class is there to learn, and in the test; that it lacks in the validation part does no harm."""
    for part in ("train", "test"):
        has = {image.class_name for image in images if image.part == part}
        missing = [name for name in names if name not in has]
        if has and missing:
            raise DataError(f"The {part} part of {folder} has no image of {', '.join(missing)}")


def _signature(folder: Path, images: Sequence[ImageFile]) -> str:
    state = hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape"))
    for image in images:
        try:
            status = image.path.stat()
            line = f"{image.key} {status.st_size} {status.st_mtime_ns}\n"
        except OSError:
            line = f"{image.key} unreadable\n"  # decoding will say why
        state.update(line.encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def _what_it_holds(folder: Path, contents: Contents) -> str:
    notes = f" ({contents.conversion})" if contents.unreadable else ""
    if contents.images:
        return f"holds images of {contents.class_names[0]!r} alone{notes}"
    names = sorted(entry.name for entry in folder.iterdir())
    seen = f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else "nothing"
    return f"holds {seen}{notes}"
