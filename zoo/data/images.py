"""Image files to arrays: decoding, and fitting to a network's input. The cache and prediction share `load`.

OpenCV decodes. An image that can't be decoded correctly raises `UndecodableImage` with the reason.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np

from zoo.data import imageheaders
from zoo.errors import DataError, UsageError, ZooError
from zoo.files import IMAGE_SUFFIXES, in_words, is_folder
from zoo.folders import images_below
from zoo.prediction import digits

Array: TypeAlias = np.ndarray[Any, Any]
Image: TypeAlias = Path | bytes | Array

RULE = "fit-1"
"""Names what `load` does, for receipts and the cache's key. To be changed whenever a pixel could change.

fit-1: EXIF rotation applied, transparency on white, 16 bit scaled to 8; "crop" cuts the largest centred
rectangle of the target's shape, "stretch" cuts nothing; "area" shrinks with INTER_AREA and enlarges with
INTER_CUBIC, "linear" is INTER_LINEAR; colour to grey before resizing (ITU-R 601), grey to colour after.
"""

UNREADABLE = "unreadable: "
"""So begins the reason of a file that is there and can't be read, which may pass: permissions, a disk's fault."""

MAX_PIXELS = 100_000_000
MAX_BYTES = 256_000_000
_MAX_SCANS = 200
# one of 100 megapixels and 16 bits takes 1.1 GB while it is decoded: of such, one at a time
_LARGE_PIXELS = 25_000_000
_LARGE = threading.Lock()


class UndecodableImage(DataError):
    """An image that can't be decoded correctly; the message is the reason alone ("a truncated JPEG")."""


def load(
    image: Image, height: int, width: int, channels: int, resize: str, interpolation: str, prepare: str = ""
) -> Array:
    """Decode an image and fit it to a network's input: `fit(prepared(decode(image), prepare), ...)`.

    Returns uint8 [height, width, channels]. Raises UndecodableImage with the reason.
    """
    return fit(prepared(decode(image), prepare), height, width, channels, resize, interpolation)


def prepared(image: Array, prepare: str) -> Array:
    """Make a reader's picture, decoded, into one of the kind that a network was trained on.

    `prepare` is "" (it is of that kind) or, as data sets' cards name it, "digit": uint8 [28, 28, 1]. Raises
    UndecodableImage where that can't be done.
    """
    if not prepare:
        return image
    if prepare != "digit":
        raise ZooError(f"This network wants its images prepared as {prepare!r}, which this zoo does not know")
    try:
        return digits.normalise(image)
    except digits.NoDigit as error:
        raise UndecodableImage(str(error)) from error


def read(image: Image) -> bytes | Array:
    """Return the raw content of an image: a file's bytes, or what was given if it is no path.

    Raises UndecodableImage for what is no regular file, can't be read, or is larger than MAX_BYTES.
    """
    if not isinstance(image, Path):
        return image
    try:
        # a pipe or a device would block or never end
        status = image.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UndecodableImage("a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file")
        if status.st_size > MAX_BYTES:
            raise UndecodableImage(f"a file of {in_words(status.st_size)}; the limit is {in_words(MAX_BYTES)}")
        return image.read_bytes()
    except FileNotFoundError as error:
        raise UndecodableImage("a link to a file that is missing" if image.is_symlink() else "no such file") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UndecodableImage(f"{UNREADABLE}{reason}") from error


def decode(image: Image) -> Array:
    """Decode an image file, a file's bytes, or check an array: uint8 [height, width, 1 (grey) or 3 (RGB)].

    EXIF rotation is applied, transparency composited on white, 16 bit scaled to 8; of an animation the
    first frame counts. Raises UndecodableImage with the reason: truncated, empty, a web page, too large, ...;
    ZooError where memory is short, which is no fault of the image.
    """
    content = read(image)
    return _decode(content) if isinstance(content, bytes) else _checked_array(content)


def fit(image: Array, height: int, width: int, channels: int, resize: str, interpolation: str) -> Array:
    """Resize uint8 [h, w, 1 or 3] to uint8 [height, width, channels], as `RULE` says.

    `resize` is "stretch" or "crop", `interpolation` "area" or "linear", `channels` 1 or 3.
    """
    if channels == 1 and image.shape[2] == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    if resize == "crop":
        image = _centre(image, height, width)
    if image.shape[:2] != (height, width):
        image = _resized(image, height, width, interpolation)
    return np.repeat(image, channels, axis=2) if image.shape[2] != channels else image


def image_files(paths: Sequence[Path]) -> list[Path]:
    """Expand files and folders (recursively, sorted) to files.

    A path that is no folder counts whatever its name is, and whether it exists or not: decoding says what
    is wrong with it. In a folder only `IMAGE_SUFFIXES` count, hidden files and folders do not, and links are
    followed; DataError says which folder can't be read. A folder without an image raises UsageError if it is the
    only path; among others it counts itself, so that one folder named x.jpg does not keep the rest from an answer.
    """
    found: list[Path] = []
    for path in paths:
        if not is_folder(path):
            found.append(path)
            continue
        inside = sorted(images_below(path))
        if not inside and len(paths) > 1:
            found.append(path)
        elif not inside:
            known = " ".join(sorted(IMAGE_SUFFIXES))
            raise UsageError(f"There is no image in the folder {path}. Known suffixes: {known}")
        found += inside
    return found


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep what libjpeg, libpng and OpenCV print about odd files off the terminal while images are decoded.

    The libraries print to C's `stderr`, which leads elsewhere meanwhile, for the whole process; Python's
    `sys.stderr` is untouched, so that progress is seen. Does nothing where C's `stderr` can't be set.
    """
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    streams = _c_streams()
    if streams is not None:
        streams.current.value = streams.null
    try:
        yield
    finally:
        if streams is not None:
            streams.current.value = streams.terminal
        cv2.utils.logging.setLogLevel(before)


class _CStreams(NamedTuple):
    current: ctypes.c_void_p
    terminal: int | None
    null: int


@cache
def _c_streams() -> _CStreams | None:
    """C's `stderr`, its value, and a stream to nowhere: opened once, for a thread may still use it."""
    try:
        c = ctypes.CDLL(None)
        current = ctypes.c_void_p.in_dll(c, "__stderrp" if sys.platform == "darwin" else "stderr")
        c.fopen.restype = ctypes.c_void_p
        null = c.fopen(os.fsencode(os.devnull), b"w")
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return _CStreams(current, current.value, null) if null else None


def _decode(data: bytes) -> Array:
    name = imageheaders.format_of(data)
    if name is None:
        raise UndecodableImage(imageheaders.what_it_is(data))
    with _LARGE if _declared_pixels(data, name) > _LARGE_PIXELS else nullcontext():
        try:
            pixels, kinds, metadata = cv2.imdecodeWithMetadata(
                np.frombuffer(data, np.uint8), flags=cv2.IMREAD_UNCHANGED
            )
        except (cv2.error, MemoryError) as error:
            if isinstance(error, MemoryError) or error.code == cv2.Error.StsNoMem:
                raise ZooError(
                    "There is too little memory to decode images. Close other programs, and try again"
                ) from error
            raise UndecodableImage(f"a damaged {name}") from error
        if pixels is None or pixels.size == 0:
            raise UndecodableImage(f"a damaged or truncated {name}")
        exif = next((bytes(block) for kind, block in zip(kinds, metadata, strict=False) if kind == 0), b"")
        return _turned(_to_rgb(pixels, name), data, name, exif)


def _declared_pixels(data: bytes, name: str) -> int:
    """How many pixels the header declares. Raises UndecodableImage if it, or what follows, is not to be decoded."""
    size = imageheaders.declared_size(data, name)
    if size is None:
        raise UndecodableImage(f"a {name} without a size in its header")
    width, height = size
    if width < 1 or height < 1:
        raise UndecodableImage(f"a {name} that declares {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        limit = f"{MAX_PIXELS // 1_000_000} megapixels"
        raise UndecodableImage(f"a {name} that declares {width} x {height} pixels; the limit is {limit}")
    if fault := imageheaders.fault_of(data, name):
        raise UndecodableImage(f"a {fault} {name}")
    if name == "JPEG" and imageheaders.scans(data) > _MAX_SCANS:
        raise UndecodableImage(f"a JPEG of {imageheaders.scans(data)} scans; the limit is {_MAX_SCANS}")
    return width * height


def _to_rgb(pixels: Array, name: str) -> Array:
    """Turn OpenCV's BGR, BGRA or grey of 8 or 16 bits into uint8 [h, w, 1 or 3], RGB."""
    if pixels.dtype not in (np.uint8, np.uint16):
        raise UndecodableImage(f"a {name} of {pixels.dtype} pixels; 8 and 16 bits are read")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.dtype == np.uint8 and pixels.shape[2] in (1, 3):
        return np.ascontiguousarray(pixels[..., ::-1])
    # libtiff gives 8-bit colours already multiplied by their alpha; all others come as stored
    multiplied = name == "TIFF" and pixels.dtype == np.uint8
    # in bands, for the sums need several times the memory of the image
    bands = np.array_split(pixels, -(-len(pixels) // 256))
    return np.concatenate([_rgb_band(band, multiplied) for band in bands])


def _rgb_band(pixels: Array, multiplied: bool) -> Array:
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 257).reshape(pixels.shape)  # rounded, never a tie
    if pixels.shape[2] == 4:
        colour, alpha = pixels[..., :3].astype(np.uint16), pixels[..., 3:].astype(np.uint16)
        weighted = colour if multiplied else (colour * alpha + 127) // 255
        pixels = np.minimum(weighted + (255 - alpha), 255)
    return np.ascontiguousarray(pixels[..., ::-1].astype(np.uint8))


def _turned(pixels: Array, data: bytes, name: str, exif: bytes) -> Array:
    """Apply the rotation that the file declares: EXIF's (1..8), or the two properties of an AVIF."""
    if name == "TIFF":  # libtiff has applied it
        return pixels
    if name == "AVIF":
        turns, mirror = imageheaders.avif_turns(data)
        pixels = np.rot90(pixels, turns)
        return np.ascontiguousarray(pixels if mirror is None else np.flip(pixels, axis=mirror))
    orientation = imageheaders.exif_orientation(exif)
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _checked_array(pixels: Array) -> Array:
    shape = pixels.shape
    good = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
    if pixels.dtype != np.uint8 or not good or not pixels.size:
        raise UndecodableImage(
            f"an array must be uint8 [height, width] or [height, width, 1 or 3]. Received: {pixels.dtype} {list(shape)}"
        )
    return np.ascontiguousarray(pixels[..., None] if len(shape) == 2 else pixels)


def _centre(image: Array, height: int, width: int) -> Array:
    """Cut out the largest centred rectangle with the proportions of [height, width]."""
    have_height, have_width = image.shape[:2]
    scale = min(have_height / height, have_width / width)
    cut_height = min(max(round(height * scale), 1), have_height)
    cut_width = min(max(round(width * scale), 1), have_width)
    top, left = (have_height - cut_height) // 2, (have_width - cut_width) // 2
    return image[top : top + cut_height, left : left + cut_width]


def _resized(image: Array, height: int, width: int, interpolation: str) -> Array:
    if interpolation == "linear":
        steps = [((width, height), cv2.INTER_LINEAR)]
    else:
        # INTER_AREA is anti-aliased only if both directions shrink: enlarging waits for the second step
        smaller = (min(width, image.shape[1]), min(height, image.shape[0]))
        steps = [(smaller, cv2.INTER_AREA), ((width, height), cv2.INTER_CUBIC)]
    for size, method in steps:
        if size != (image.shape[1], image.shape[0]):
            resized = cv2.resize(image, size, interpolation=method)
            image = resized[..., None] if resized.ndim == 2 else resized
    return image
