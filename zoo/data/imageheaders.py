"""What the first bytes of an image file declare: its format, its size, whether it is whole, how it is turned.

Read before any decoder sees the file, so that a tiny file that declares a giant image is refused, and a
refusal can say what the file is. Sources: the formats' own specifications. Needs neither NumPy nor OpenCV.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator

_SIGNATURES: tuple[tuple[bytes, int, str], ...] = (
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"GIF87a", 0, "GIF"),
    (b"GIF89a", 0, "GIF"),
    (b"WEBP", 8, "WebP"),
    (b"BM", 0, "BMP"),
    (b"II*\x00", 0, "TIFF"),
    (b"MM\x00*", 0, "TIFF"),
    (b"ftypavif", 4, "AVIF"),
)
_STRANGERS: tuple[tuple[bytes, int, str], ...] = (
    (b"ftypheic", 4, "a HEIC photograph"),
    (b"ftypheix", 4, "a HEIC photograph"),
    (b"ftypmif1", 4, "a HEIF image"),
    (b"ftypavis", 4, "an AVIF animation"),
    (b"jP  \r\n\x87\n", 4, "a JPEG 2000 image"),
    (b"\xff\x0a", 0, "a JPEG XL image"),
    (b"JXL \r\n\x87\n", 4, "a JPEG XL image"),
    (b"II+\x00", 0, "a BigTIFF image"),
    (b"MM\x00+", 0, "a BigTIFF image"),
    (b"8BPS", 0, "a Photoshop file"),
    (b"%PDF", 0, "a PDF"),
    (b"PK\x03\x04", 0, "a zip archive"),
    (b"\x1f\x8b", 0, "a gzip file"),
)
_PNM = re.compile(rb"P[1-6]\s")
_PNM_SIZE = re.compile(rb"P[1-6](?:\s+|#[^\n]*\n)+(\d{1,9})(?:\s+|#[^\n]*\n)+(\d{1,9})\s")
_EXIF_ORIENTATION = 0x0112


def format_of(data: bytes) -> str | None:
    """Return the name of the image format of a file's content ("JPEG"), or None if the zoo reads it not."""
    for magic, offset, name in _SIGNATURES:
        if data.startswith(magic, offset):
            return name
    return "PNM" if _PNM.match(data) else None


def what_it_is(data: bytes) -> str:
    """Say in words what a file that is no supported image is: "an HTML page", "empty"."""
    if not data:
        return "empty"
    for magic, offset, words in _STRANGERS:
        if data.startswith(magic, offset):
            return words
    if not data.strip(b"\x00"):
        return "nothing but zero bytes"
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "an SVG drawing"
    if start.startswith((b"<!doctype html", b"<html")) or b"<html" in start:
        return "an HTML page"
    if start.startswith(b"<?xml"):
        return "an XML document"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in data[:512]):
        return "text"
    return "of no known image format"


def declared_size(data: bytes, name: str) -> tuple[int, int] | None:
    """Return (width, height) in pixels as the header of a `name` declares them, or None."""
    try:
        return _SIZES[name](data)
    except (struct.error, IndexError, ValueError):
        return None


def fault_of(data: bytes, name: str) -> str:
    """Return "truncated" or "damaged" if a `name` visibly is, without decoding it; else ""."""
    if name == "JPEG":
        scan = next((at for marker, at in _jpeg_segments(data) if marker == 0xDA), len(data))
        return "truncated" if data.find(b"\xff\xd9", scan) < 0 else ""
    if name == "PNG":
        return _png_fault(data)
    if name == "WebP":
        return "truncated" if len(data) < 8 + int.from_bytes(data[4:8], "little") else ""
    return ""


def _png_fault(data: bytes) -> str:
    # OpenCV believes a chunk's length, up to gigabytes, and does not check its sum
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            return "truncated"
        critical = kind[:1].isupper()
        if critical and zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return "damaged"
        if kind == b"IEND":
            return ""
        at = end + 4
    return "truncated"


def scans(data: bytes) -> int:
    """Count the scans that a JPEG holds; each costs a pass over the whole image."""
    return data.count(b"\xff\xda")


def exif_orientation(exif: bytes) -> int:
    """Return the orientation 1..8 that an EXIF block (a TIFF header and a directory) declares, or 1."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        for tag, kind, _, value in _tiff_entries(exif, order):
            if tag == _EXIF_ORIENTATION and kind == 3:
                turned: int = struct.unpack(f"{order}H", value[:2])[0]
                return turned if 1 <= turned <= 8 else 1
    except struct.error:
        pass  # a damaged EXIF block: the picture itself is as good as any without one
    return 1


def avif_turns(data: bytes) -> tuple[int, int | None]:
    """Return (quarter turns anticlockwise, mirror axis or None) of an AVIF; OpenCV does not apply them.

    Axis 0 swaps top and bottom, 1 left and right; the turn comes first (MIAF, ISO/IEC 23000-22).
    """
    properties = data[: data.find(b"mdat")]
    turn, mirror = properties.find(b"irot"), properties.find(b"imir")
    turns = properties[turn + 4] & 3 if 0 <= turn < len(properties) - 4 else 0
    return turns, properties[mirror + 4] & 1 if 0 <= mirror < len(properties) - 4 else None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (marker, offset of its content) up to the first scan (ITU T.81, annex B)."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without content
            at += 2
            continue
        yield marker, at + 4
        if marker in (0xDA, 0xD9):
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    for marker, at in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 1)
            return width, height
    return None


def _png_size(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from(">II", data, 16)
    return (width, height) if data[12:16] == b"IHDR" else None


def _gif_size(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _bmp_size(data: bytes) -> tuple[int, int] | None:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # the header of OS/2
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # a negative height: stored from the top down


def _tiff_entries(data: bytes, order: str) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield (tag, type, count, value field) of the first directory (TIFF 6.0, section 2)."""
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, entry)
        yield tag, kind, values, data[entry + 8 : entry + 12]


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    order = "<" if data.startswith(b"II") else ">"
    found: dict[int, int] = {}
    for tag, kind, _, value in _tiff_entries(data, order):
        if tag in (256, 257) and kind in (3, 4):
            (found[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", value)
    return (found[256], found[257]) if len(found) == 2 else None


def _avif_size(data: bytes) -> tuple[int, int] | None:
    """The largest of all declared sizes: an image may be a grid of tiles, each with a size of its own."""
    properties = data[: data.find(b"mdat")]
    sizes = [struct.unpack_from(">II", properties, m.end() + 4) for m in re.finditer(b"ispe", properties)]
    return max(sizes, key=lambda size: size[0] * size[1]) if sizes else None


def _pnm_size(data: bytes) -> tuple[int, int] | None:
    found = _PNM_SIZE.match(data[:4096])
    return (int(found[1]), int(found[2])) if found else None


_SIZES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "JPEG": _jpeg_size,
    "PNG": _png_size,
    "GIF": _gif_size,
    "WebP": _webp_size,
    "BMP": _bmp_size,
    "TIFF": _tiff_size,
    "AVIF": _avif_size,
    "PNM": _pnm_size,
}
