"""Checkpoints: one `.npz` of named arrays each, whose SHA-256 is in its name, written atomically.

`state-<step>.<sha256>.npz` is the whole state after `step` steps: the newest two are kept.
`best-<step>.<sha256>.npz` holds the weights of one of the best epochs. No pickle is read or written.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from zoo.errors import ZooError
from zoo.files import atomic_write, sha256_of
from zoo.stored import read_arrays

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray[Any, Any]]
Kind = Literal["state", "best"]
META = "meta.json"
STATES = 2
_log = logging.getLogger("zoo")


def write(
    folder: Path, kind: Kind, step: int, arrays: Mapping[str, np.ndarray[Any, Any]], meta: Mapping[str, Any]
) -> Path:
    """Write arrays and a JSON object, then remove the states that are older than the newest two."""
    import numpy as np

    buffer = io.BytesIO()
    encoded = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(buffer, **{META: encoded, **arrays})  # type: ignore[arg-type]
    content = buffer.getvalue()
    path = folder / f"{kind}-{step:09d}.{hashlib.sha256(content).hexdigest()}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content)
    for old in files(folder, "state")[STATES:]:
        if old != path:
            old.unlink(missing_ok=True)
    return path


def read_best(folder: Path, step: int) -> Arrays:
    """Read the weights that were kept after `step` steps. Raises ZooError if they are not there, or not whole."""
    found = [path for path in files(folder, "best") if step_of(path) == step]
    if not found:
        raise ZooError(f"The weights of the best epoch, after step {step}, are no longer in {folder}")
    return read(found[0])[0]


def read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Read back what `write` wrote. Raises ZooError if the file is not whole or was tampered with."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ZooError(f"The checkpoint {path} can't be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != _sha256_in(path):
        raise ZooError(f"The checkpoint {path} is damaged: its SHA-256 is not the one in its name")
    arrays = read_arrays(io.BytesIO(content), f"The checkpoint {path}")
    try:
        meta = json.loads(arrays.pop(META).tobytes())
        steps = int(meta["step"])
    except (KeyError, ValueError, TypeError) as error:
        raise ZooError(f"The checkpoint {path} does not say what step it is of: {error}") from error
    return arrays, {**meta, "step": steps}


def newest(folder: Path) -> tuple[Arrays, dict[str, Any]] | None:
    """Read the newest whole state; a damaged one is reported and the older one tried."""
    for path in files(folder, "state"):
        try:
            return read(path)
        except ZooError as error:
            _log.warning("%s. Trying an older one", error)
    return None


def has_whole_state(folder: Path) -> bool:
    """Whether there is a state to go on from."""
    return any(is_whole(path) for path in files(folder, "state"))


def size(folder: Path) -> int:
    """Bytes that the checkpoints take."""
    return sum(path.stat().st_size for kind in get_args(Kind) for path in files(folder, kind))


def discard_best(folder: Path, unwanted: Callable[[int], bool]) -> None:
    """Remove the best weights whose step is not wanted."""
    for path in files(folder, "best"):
        if unwanted(step_of(path)):
            path.unlink(missing_ok=True)


def files(folder: Path, kind: Kind) -> list[Path]:
    """The checkpoints of a kind, the newest first."""
    return sorted(folder.glob(f"{kind}-*.*.npz"), key=lambda path: path.name, reverse=True)


def step_of(path: Path) -> int:
    """How many steps a checkpoint has behind it."""
    return int(path.name.split(".")[0].rpartition("-")[2])


def is_whole(path: Path) -> bool:
    """Whether the file can be read, and has the SHA-256 in its name."""
    try:
        return sha256_of(path) == _sha256_in(path)
    except OSError:
        return False


def _sha256_in(path: Path) -> str:
    return path.name.split(".")[1]
