"""Kaggle's 12,500 test pictures, `1.jpg` ... `12500.jpg`, which have no label: where they are, beside the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from zoo_catsdogs.archives import open_archive, read_member

NAMES = ("test1", "test")
"""Of the archive (`test1.zip`) and the folder; the second is that of the Redux edition."""

Pictures: TypeAlias = Callable[[], Iterator[tuple[str, Path | bytes]]]

_NUMBERED = re.compile(r"(\d{1,9})\.jpe?g", re.IGNORECASE)


def beside(place: Path) -> Pictures | None:
    """The test pictures in the folder that also holds `place`, unpacked or not; None if there are none."""
    for name in NAMES:
        folder, archive = place.parent / name, place.parent / f"{name}.zip"
        with suppress(OSError):  # one that can't be read is of no use, and does no harm
            if folder.is_dir() and folder != place and (files := _numbered(path.name for path in folder.iterdir())):
                return _from_folder(folder, files)
        if archive.is_file() and archive != place:
            return _from_archive(archive, None)
    return None


def inside(path: Path, members: list[str]) -> Pictures | None:
    """The test pictures of `test1.zip` inside an archive that has these members."""
    wanted = [f"{name}.zip" for name in NAMES]
    nested = next((member for member in members if PurePosixPath(member).name in wanted), None)
    return _from_archive(path, nested) if nested else None


def _from_folder(folder: Path, files: list[str]) -> Pictures:
    return lambda: ((name, folder / name) for name in files)


def _from_archive(path: Path, nested: str | None) -> Pictures:
    def iterate() -> Iterator[tuple[str, Path | bytes]]:
        with open_archive(path, nested) as archive:
            members = {PurePosixPath(name).name: name for name in archive.namelist() if "__MACOSX" not in name}
            for key in _numbered(members):
                yield key, read_member(archive, archive.getinfo(members[key]))

    return iterate


def _numbered(names: Iterator[str] | dict[str, str]) -> list[str]:
    """Those names that are a number, in the order of the numbers."""
    found = [(int(match[1]), name) for name in names if (match := _NUMBERED.fullmatch(name))]
    return [name for _, name in sorted(found)]
