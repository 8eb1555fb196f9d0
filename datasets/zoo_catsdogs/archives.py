"""Zip archives from strangers, read in place: nothing is unpacked under a name that an archive chooses.

`open_archive` refuses an archive before any member is read: absolute names and names that climb out, links,
duplicates, encrypted members, members that are too many, too large or too well compressed.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from zoo import DataError
from zoo.files import cache_folder, require_space

MAX_MEMBERS = 200_000
MAX_IMAGE_BYTES = 64_000_000
MAX_NESTED_BYTES = 4_000_000_000
MAX_TOTAL_BYTES = 16_000_000_000
MAX_RATIO = 1000
"""Uncompressed to compressed size; deflate itself can't exceed 1032."""
MAX_NESTED_RATIO = 20
"""The same of an archive in an archive, which is compressed already."""

_READ = 1 << 20
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, ValueError, OSError)


@contextmanager
def open_archive(path: Path, nested: str | None = None) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive, or the archive `nested` inside it, after checking all its members.

    Raises DataError, naming the archive and the member, if it is damaged or refused.
    """
    with _explained(path), zipfile.ZipFile(path) as outer:
        check_members(outer, path.name, path.stat().st_size)
        if nested is None:
            yield outer
            return
        with _nested(path, outer, outer.getinfo(nested)) as file, zipfile.ZipFile(file) as inner:
            check_members(inner, f"{path.name}, {nested}", outer.getinfo(nested).file_size)
            yield inner


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a member, checked by its checksum. Raises DataError if it is damaged."""
    try:
        with archive.open(member) as file:
            # the size bounds what is uncompressed at once, also of a bomb that lies about its size
            content = file.read(member.file_size)
            if len(content) < member.file_size:
                raise EOFError(f"{len(content)} of {member.file_size} bytes")
            return content
    except (*_DAMAGED, RuntimeError) as error:
        raise DataError(f"The archive {archive.filename} is damaged at {member.filename!r}: {error}") from error


def check_members(archive: zipfile.ZipFile, name: str, size: int) -> None:
    """Raise DataError, naming the first member that is at fault, for an archive that is not to be trusted.

    `size` is that of the archive in bytes.
    """
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or total > MAX_TOTAL_BYTES:
        raise DataError(
            f"The archive {name} is refused: {len(members):,} members of {total:,} bytes; "
            f"the limits are {MAX_MEMBERS:,} and {MAX_TOTAL_BYTES:,}"
        )
    if sum(member.compress_size for member in members) > size:
        raise DataError(f"The archive {name} is refused: its members overlap, as those of a bomb do")
    seen: set[str] = set()
    for member in members:
        reason = _fault(member)
        if member.filename in seen:
            reason = "is in it twice"
        if reason:
            raise DataError(f"The archive {name} is refused: its member {member.filename!r} {reason}")
        seen.add(member.filename)


def _fault(member: zipfile.ZipInfo) -> str:
    # zipfile cuts a name at a zero byte and keeps the whole one in orig_filename
    names = (member.filename, member.orig_filename.replace("\\", "/"))
    if any(name.startswith("/") or re.match(r"[A-Za-z]:", name) for name in names):
        return "has an absolute name"
    if any(".." in name.split("/") for name in names):
        return "climbs out of the archive"
    if "\x00" in member.orig_filename:
        return "has a name with a zero byte"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {member.compress_type}; stored and deflated ones are read"
    nested = member.filename.lower().endswith(".zip")
    limit, ratio = (MAX_NESTED_BYTES, MAX_NESTED_RATIO) if nested else (MAX_IMAGE_BYTES, MAX_RATIO)
    if member.file_size > limit and not member.is_dir():
        return f"is {member.file_size:,} bytes large; the limit is {limit:,}"
    if member.file_size > ratio * max(member.compress_size, 1):
        return f"is compressed {ratio}-fold or more: a bomb"
    return ""


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"The archive {path} can't be read: {error.strerror or error}") from error
    except _DAMAGED as error:
        raise DataError(
            f"The archive {path} can't be read: {error}. It may be damaged or cut off: fetch it again"
        ) from error


@contextmanager
def _nested(path: Path, outer: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """Give the archive in an archive as a seekable file: a stretch of the outer file, or a nameless copy."""
    if member.compress_type == zipfile.ZIP_STORED:
        with path.open("rb") as file:
            yield io.BufferedReader(_Stretch(file, _content_offset(file, member), member.file_size))
        return
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    require_space(folder, member.file_size, f"Unpacking {member.filename}")
    with tempfile.TemporaryFile(dir=folder) as copy:
        try:
            with outer.open(member) as packed:
                while piece := packed.read(_READ):
                    copy.write(piece)
            copy.seek(0)
        except OSError as error:
            raise DataError(
                f"{member.filename} of {path} can't be unpacked to a temporary file in "
                f"{folder} ({error.strerror}): unpack it yourself, and give it as --source"
            ) from error
        yield copy


def _content_offset(file: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Where a stored member's content begins: after its local header (PKWARE's APPNOTE, 4.3.7)."""
    file.seek(member.header_offset)
    header = file.read(30)
    if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
        raise zipfile.BadZipFile(f"no local header of {member.filename}")
    name, extra = struct.unpack_from("<HH", header, 26)
    return member.header_offset + 30 + int(name) + int(extra)


class _Stretch(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, file: IO[bytes], begin: int, size: int) -> None:
        super().__init__()
        self._file, self._begin, self._size, self._at = file, begin, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._begin + self._at)
        data = self._file.read(min(len(buffer), max(0, self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
