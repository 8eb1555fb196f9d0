"""The cache of decoded images: memory-mapped uint8 and an index; made once, under a lock, whole or absent.

One folder per (data set, its signature, size, channels, resize rule)::

    images.npy   uint8 [images, height, width, channels]
    index.npz    keys, labels, parts, and the SHA-256 of each image's raw content
    index.json   version, classes, fingerprint, quarantine, what the raw images are like
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import cv2
import numpy as np

from zoo.data.images import RULE, UNREADABLE, Array, UndecodableImage, decode, fit, quiet_decoders, read
from zoo.data.loading import safe_name
from zoo.errors import DataError, PluginError
from zoo.files import atomic_file, atomic_write, cache_folder, require_space, sync_folder, writing
from zoo.locks import locked
from zoo.types import Example, Examples, PartName

VERSION = 1
PARTS: tuple[str | None, ...] = (None, "train", "test", "validation")  # caches hold the index: append
Progress: TypeAlias = Callable[[int, int], None]

_CHUNK = 32
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Form:
    """What cached images are like: `height`, `width` in pixels, 1 or 3 `channels`, and how they were made."""

    height: int
    width: int
    channels: int
    resize: str
    interpolation: str

    @property
    def title(self) -> str:
        """The form as part of a folder's name: "50x50x3-stretch-area"."""
        return f"{self.height}x{self.width}x{self.channels}-{self.resize}-{self.interpolation}"


@dataclass
class Raw:
    """What raw images are like: the least and greatest (height, width) in pixels, and how many are grey."""

    least: tuple[int, int] | None = None
    greatest: tuple[int, int] | None = None
    grey: int = 0

    def add(self, height: int, width: int, channels: int) -> None:
        """Count one image."""
        size = (height, width)
        if self.least is None or self.greatest is None:
            self.least = self.greatest = size
        self.least = (min(self.least[0], height), min(self.least[1], width))
        self.greatest = (max(self.greatest[0], height), max(self.greatest[1], width))
        self.grey += channels == 1


@dataclass(frozen=True)
class Cache:
    """An open cache. Row i of every array is the same example, in the data set's order.

    `images` uint8 [n, height, width, channels], memory-mapped; `labels` int64 [n]; `parts` uint8 [n] indexes
    `PARTS`; `digests` uint8 [n, 32] is the SHA-256 of each raw content. `quarantine` lists (key, reason) of
    the images left out. `fingerprint` is a SHA-256 over classes, keys, labels, parts and contents.
    """

    images: Array
    keys: tuple[str, ...]
    labels: Array
    parts: Array
    digests: Array
    quarantine: tuple[tuple[str, str], ...]
    fingerprint: str
    raw: Raw

    def published(self, part: PartName) -> Array:
        """Which rows are of a published part, bool [n]."""
        chosen: Array = self.parts == PARTS.index(part)
        return chosen


def open_cache(
    examples: Examples, name: str, form: Form, progress: Progress | None = None, anew: bool = False
) -> Cache:
    """Open the cache of data set `name` in this form, and make it first if there is none, or if `anew`.

    A cache some of whose files could not be read serves once: what kept them from being read may have passed.
    Two processes may ask at once: one makes it, the other waits. `progress` is called with (done, total).
    Raises DataError if no image, or less than half of them, can be decoded; ZooError if the disk is full.
    """
    key = cache_key(examples, name, form)
    folder = cache_folder() / "images" / f"{safe_name(name)}-{form.title}-{key[:16]}"
    found = None if anew else _open_again(folder, key)
    if found is not None:
        return found
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(Path(f"{folder}.lock"), f"prepares {folder.name}"):
        found = None if anew else _open_again(folder, key)
        if found is None:
            _make(folder, key, examples, form, progress)
            found = _open(folder, key)
    if found is None:
        raise DataError(f"The cache {folder} was made and can't be read back: is its disk sound?")
    return found


def cache_key(examples: Examples, name: str, form: Form) -> str:
    """What decoded images depend on, in hexadecimal; the name of their folder ends in its beginning."""
    # decoders differ between versions of OpenCV in the last bit
    facts = [
        VERSION,
        RULE,
        cv2.__version__,
        name,
        examples.signature,
        examples.class_names,
        asdict(form),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _open_again(folder: Path, key: str) -> Cache | None:
    """As `_open`; None also if an image could not be read when the cache was made."""
    found = _open(folder, key)
    passing = found is not None and any(reason.startswith(UNREADABLE) for _, reason in found.quarantine)
    return None if passing else found


def _open(folder: Path, key: str) -> Cache | None:
    """Open a whole cache of this key; None if there is none, or it is damaged (it is then made anew)."""
    try:
        about = json.loads((folder / "index.json").read_bytes())
        if about["key"] != key:
            return None
        with np.load(folder / "index.npz", allow_pickle=False) as index:
            arrays = {name: index[name] for name in ("keys", "labels", "parts", "digests")}
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        if images.dtype != np.uint8 or {len(array) for array in arrays.values()} != {len(images)}:
            return None
        least, greatest = (tuple(size) for size in about["raw"]["sizes"])
        return Cache(
            images=images,
            keys=tuple(arrays["keys"].tolist()),
            labels=arrays["labels"],
            parts=arrays["parts"],
            digests=arrays["digests"],
            quarantine=tuple((key, reason) for key, reason in about["quarantine"]),
            fingerprint=about["fingerprint"],
            raw=Raw(least, greatest, about["raw"]["grey"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        _LOGGER.warning("the cache %s is damaged (%s) and is made anew", folder, error)
        return None


def _make(folder: Path, key: str, examples: Examples, form: Form, progress: Progress | None) -> None:
    """Make the cache beside its place, then rename it there. The lock is held, so what a kill left can go."""
    row = form.height * form.width * form.channels
    require_space(folder.parent, examples.count * (row + 600) + 1_000_000, "The cache of decoded images")
    partial = folder.with_name(f".{folder.name}.partial")
    with writing(folder):
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        partial.mkdir()
    try:
        index = _Index(examples)
        with quiet_decoders(), atomic_file(partial / "images.npy") as file:
            _write_images(file, index, examples, form, progress)
        with atomic_file(partial / "index.npz") as file:
            np.savez(file, **index.arrays())
        atomic_write(partial / "index.json", json.dumps({"key": key, **index.about()}))
        with writing(folder):
            partial.replace(folder)
            sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class _Index:
    """Gathers what the cache says of its examples, in their order."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples
        self._rows: list[tuple[str, int, int]] = []
        self._digests: list[bytes] = []
        self._seen: set[str] = set()
        self._raw = Raw()
        self.quarantine: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def check(self, example: Example) -> Example:
        """Return the example. Raises PluginError if it is not what the data set promised."""
        classes = len(self._examples.class_names)
        if not 0 <= example.label < classes:
            raise PluginError(f"Example {example.key!r} has label {example.label}; there are {classes} classes")
        if example.part not in PARTS:
            known = ", ".join(map(repr, PARTS[1:]))
            raise PluginError(f"Example {example.key!r}: part must be None or one of {known}: {example.part!r}")
        if example.key in self._seen or not example.key or "\x00" in example.key:
            raise PluginError(f"The data set's keys must be unique and not empty. Received: {example.key!r}")
        self._seen.add(example.key)
        if len(self._seen) > self._examples.count:
            raise PluginError(f"The data set promised {self._examples.count} examples, and gives more")
        return example

    def add(self, decoded: _Decoded) -> None:
        """Count an example, or quarantine it."""
        example = decoded.example
        if decoded.pixels is None:
            self.quarantine.append((example.key, decoded.reason))
            return
        self._rows.append((example.key, example.label, PARTS.index(example.part)))
        self._digests.append(decoded.digest)
        self._raw.add(*decoded.shape)

    def finish(self) -> None:
        """Raises if the data set gave too few examples, or too few that can be decoded."""
        promised, bad = self._examples.count, len(self.quarantine)
        if len(self._seen) != promised:
            raise PluginError(f"The data set promised {promised} examples, and gives {len(self._seen)}")
        if not self._rows or bad > promised // 2:
            examples = "; ".join(f"{key}: {reason}" for key, reason in self.quarantine[:3])
            raise DataError(f"{bad} of {promised} images can't be decoded, too many to go on. {examples}")

    def arrays(self) -> dict[str, Any]:
        """The arrays of index.npz."""
        keys, labels, parts = zip(*self._rows, strict=True)
        return {
            "keys": np.array(keys, dtype=np.str_),
            "labels": np.array(labels, np.int64),
            "parts": np.array(parts, np.uint8),
            "digests": np.frombuffer(b"".join(self._digests), np.uint8).reshape(-1, 32),
        }

    def about(self) -> dict[str, Any]:
        """The content of index.json, but for the key."""
        fingerprint = hashlib.sha256(json.dumps(self._examples.class_names).encode())
        for row, digest in zip(self._rows, self._digests, strict=True):
            fingerprint.update(json.dumps(row).encode() + digest)
        return {
            "classes": self._examples.class_names,
            "fingerprint": fingerprint.hexdigest(),
            "quarantine": self.quarantine,
            "raw": {"sizes": [self._raw.least, self._raw.greatest], "grey": self._raw.grey},
        }


@dataclass(frozen=True)
class _Decoded:
    """An example with its fitted pixels, or None and the reason; `shape` is that of the raw image."""

    example: Example
    pixels: Array | None
    digest: bytes = b""
    shape: tuple[int, int, int] = (0, 0, 0)
    reason: str = ""


def _write_images(file: BinaryIO, index: _Index, examples: Examples, form: Form, progress: Progress | None) -> None:
    """Write images.npy in order. Plain writes: a full disk under a memory map would kill the process."""
    shape = (form.height, form.width, form.channels)
    _write_header(file, (examples.count, *shape))
    begin = file.tell()
    done = 0
    with closing(_decoded(_read(examples, index), form)) as chunks:
        for chunk in chunks:
            for decoded in chunk:
                index.add(decoded)
            file.write(b"".join(item.pixels.tobytes() for item in chunk if item.pixels is not None))
            done += len(chunk)
            if progress is not None:
                progress(done, examples.count)
    index.finish()
    file.seek(0)
    _write_header(file, (len(index), *shape))
    if file.tell() != begin:
        raise AssertionError("NumPy keeps room in the header for the number of rows to change")


def _read(examples: Examples, index: _Index) -> Iterator[Example]:
    """Iterate, and keep a source that fails apart from a cache that can't be written."""
    try:
        for example in examples.iterate():
            yield index.check(example)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise DataError(f"The data set can't be read: {where}{error.strerror or error}") from error


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _decoded(examples: Iterator[Example], form: Form) -> Generator[list[_Decoded], None, None]:
    """Decode in a few threads (OpenCV releases the interpreter lock), in order, a bounded number ahead."""
    threads = min(os.cpu_count() or 1, 8)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    pending: list[Future[list[_Decoded]]] = []
    try:
        while chunk := list(islice(examples, _CHUNK)):
            pending.append(pool.submit(_decode_chunk, chunk, form))
            if len(pending) > 2 * threads:
                yield pending.pop(0).result()
        for future in pending:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _decode_chunk(chunk: Sequence[Example], form: Form) -> list[_Decoded]:
    return [_decode_one(example, form) for example in chunk]


def _decode_one(example: Example, form: Form) -> _Decoded:
    try:
        content = read(example.image)
        pixels = decode(content)
    except UndecodableImage as error:
        return _Decoded(example, None, reason=str(error))
    fitted = fit(pixels, form.height, form.width, form.channels, form.resize, form.interpolation)
    height, width, channels = pixels.shape
    return _Decoded(example, fitted, _digest(content), (height, width, channels))


def _digest(content: bytes | Array) -> bytes:
    """SHA-256 of a file's content, or of an array's shape and pixels."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).digest()
    return hashlib.sha256(json.dumps(content.shape).encode() + content.tobytes()).digest()
