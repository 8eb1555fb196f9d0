"""Which images a run learned from: it keeps the beginnings of their SHA-256, to know them again wherever they lie."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.files import atomic_file
from zoo.runs.directory import Run
from zoo.types import Data

FILE = "learned.npz"
"""Array "sha256", uint64 [n], ascending: the first eight bytes of that of each training image's raw content."""


def write(run: Run, data: Data) -> None:
    """Keep what a run that begins will learn from; nothing of data that do not say."""
    import numpy as np

    if data.learned is None:
        return
    with atomic_file(run.directory / FILE) as file:
        np.savez(file, sha256=np.unique(np.ascontiguousarray(data.learned[:, :8]).view(">u8").astype(np.uint64)))


def known(run: Run, contents: Iterable[str]) -> int:
    """How many of these images, each given by its SHA-256 in hexadecimal, the run learned from; 0 of a run that does
    not say, as one by an older zoo. Raises ZooError if what it says can't be read."""
    from zoo.stored import read_arrays

    path = run.directory / FILE
    if not path.exists():
        return 0
    arrays = read_arrays(path, f"The list of training images {path}")
    learned = {number for array in arrays.values() if array.dtype.kind == "u" for number in array.ravel().tolist()}
    return sum(int(content[:16], 16) in learned for content in contents)
