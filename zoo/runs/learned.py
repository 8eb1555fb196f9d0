"""Which images a run learned from: it keeps the beginnings of their SHA-256, to know them again wherever they lie."""

from __future__ import annotations

import io
from collections.abc import Iterable

from zoo.errors import ZooError
from zoo.files import atomic_write
from zoo.runs.directory import Run
from zoo.types import Data

FILE = "learned.npy"
"""uint64 [n], ascending: the first eight bytes of the SHA-256 of each training image's raw content."""


def write(run: Run, data: Data) -> None:
    """Keep what a run that begins will learn from; nothing of data that do not say."""
    import numpy as np

    if data.learned is None:
        return
    file = io.BytesIO()
    np.save(file, np.unique(np.ascontiguousarray(data.learned[:, :8]).view(">u8").astype(np.uint64)))
    atomic_write(run.directory / FILE, file.getvalue())


def known(run: Run, contents: Iterable[str]) -> int:
    """How many of these images, each given by its SHA-256 in hexadecimal, the run learned from; 0 of a run that does
    not say, as one by an older zoo."""
    import numpy as np

    path = run.directory / FILE
    if not path.exists():
        return 0
    try:
        learned = set(np.load(path, allow_pickle=False).tolist())
    except (OSError, ValueError, EOFError) as error:
        raise ZooError(
            f"{path} can't be read: {error}. Without it (move it away) nothing is said of known images"
        ) from error
    return sum(int(content[:16], 16) in learned for content in contents)
