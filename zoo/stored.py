"""Files of a run as strangers may have made them: JSON of a known shape, arrays without pickle or compression.

Whatever such a file holds, reading it gives what its shape says or a ZooError that names the file and the entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np

LARGEST = 1e15
"""Far beyond any count or time that the zoo writes, and safe to format; whole numbers may be beyond any float."""
Shape = Any
"""A type, a number's check, [shape] for lists of it, {name: shape} for objects that may have more, {...: shape}
for objects of any names."""


class Stored(dict[str, Any]):
    """A JSON object of a file; an entry that is missing is a ZooError that says so."""

    source = ""

    def __missing__(self, key: str) -> Any:
        raise ZooError(f"{self.source} lacks {key!r}: it was not written by the zoo, or was changed since")


def number(value: Any) -> bool:
    """Whether a value is a number of a size that the zoo may have written."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def count(value: Any) -> bool:
    """Whether a value is a whole number, 0 or more."""
    return isinstance(value, int) and number(value) and value >= 0


def optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A check that null passes too."""
    return lambda value: value is None or check(value)


def text(value: Any) -> bool:
    """Whether a value is a string."""
    return isinstance(value, str)


def read_json(path: Path, shape: Mapping[Any, Shape] | None = None) -> Stored:
    """Read a JSON object, and check the entries that `shape` names and the object has.

    Raises ZooError if it can't be read, is no JSON object, or an entry is not of its shape.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ZooError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ZooError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ZooError(f"{path} must hold a JSON object. Received: {type(content).__name__}")
    checked: Stored = shaped(content, shape or {}, str(path))
    return checked


def shaped(value: Any, shape: Shape, source: str, where: str = "") -> Any:
    """A value of a JSON file, `source`, that is of a shape, its objects as `Stored`.

    Raises ZooError that names the first entry that is not; `where` is the value's own place in the file.
    """
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            raise _misshapen(value, source, where)
        every = shape.get(...)
        made = Stored()
        made.source = source
        for key, entry in value.items():
            inner = shape.get(key, every)
            made[key] = entry if inner is None else shaped(entry, inner, source, f"{where}.{key}" if where else key)
        return made
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise _misshapen(value, source, where)
        return [shaped(entry, shape[0], source, where) for entry in value]
    if not shape(value):
        raise _misshapen(value, source, where)
    return value


def _misshapen(value: Any, source: str, where: str) -> ZooError:
    shown = json.dumps(value)
    return ZooError(f"{source}: {where} is not what the zoo writes there. Received: {shown[:80]}")


def read_arrays(file: Path | IO[bytes], what: str) -> dict[str, np.ndarray[Any, Any]]:
    """Read an `.npz` of named arrays. Nothing is unpickled; compressed members are refused, so that a file takes
    no more memory than disk. Raises ZooError, which begins with `what`, if it is not whole."""
    import tokenize
    import zipfile
    import zlib

    import numpy as np

    # what NumPy and zipfile raise besides, for a header or a directory that makes no sense
    odd = (tokenize.TokenError, KeyError, TypeError, RuntimeError, MemoryError, OverflowError, SyntaxError)
    try:
        with zipfile.ZipFile(file) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("it is compressed, and the zoo's are not")
        with np.load(file, allow_pickle=False) as stored:
            return {name: _array(stored[name], name) for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, *odd) as error:
        raise ZooError(f"{what} can't be read: {error or type(error).__name__}") from error


def _array(value: Any, name: str) -> np.ndarray[Any, Any]:
    import numpy as np

    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} is no array")
    return value
