"""Files that are whole or absent: atomic writes, checksums, free space, clear words for a full disk; images' suffixes.

Importing this module imports no NumPy and no framework.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from zoo.errors import ZooError

IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Suffixes, in lower case, of the files that count as images in a folder."""

NAMED = 3
"""So many of a list's names are told."""

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space, or choose another place",
    errno.EDQUOT: "the disk quota is used up: free some space, or choose another place",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.EACCES: "permission denied: choose another place, or mend its permissions",
    errno.EPERM: "permission denied: choose another place, or mend its permissions",
    errno.EFBIG: "the file is larger than the file system or a limit (ulimit -f) allows",
    errno.EMFILE: "too many files are open (ulimit -n)",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the body (disk full or read-only, no permission) into a ZooError naming `path`."""
    try:
        yield
    except OSError as error:
        reason = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        raise ZooError(f"{path} can't be written: {reason}") from error


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the body ends well, with its content on the disk.

    It is written beside `path`, synchronised and renamed: a reader, a kill or a power cut meets the old
    file or the new one, never a part. If the body raises, the old file stays and nothing is left behind.
    Missing folders are made. Raises ZooError if the disk is full or read-only, or permission is lacking.
    """
    path = Path(path)
    # a name of fixed length: one made from the file's own could be too long for the file system
    temporary = path.parent / f".{os.urandom(8).hex()}.tmp"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write `content` (text as UTF-8) to `path` as `atomic_file` does."""
    with atomic_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the disk, so that a rename in it outlives a power cut."""
    # some systems can't open or synchronise a folder (Windows, some network shares); the rename stands anyway
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal, reading it in pieces."""
    return checksum_of(path, "sha256")


def checksum_of(path: Path, algorithm: str) -> str:
    """Return a checksum ("sha256", "md5") of a file's content in hexadecimal, reading it in pieces."""
    import hashlib  # OpenSSL takes 5 MB, which a cold prediction can do without

    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def free_space(folder: Path) -> int:
    """Return the bytes free for the user where `folder` is, or would be made."""
    existing = next((place for place in (folder, *folder.absolute().parents) if place.is_dir()), Path())
    return shutil.disk_usage(existing).free


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise ZooError, naming both figures, if fewer than `needed` bytes are free where `folder` is."""
    free = free_space(folder)
    if free < needed:
        raise ZooError(
            f"{what} needs {in_words(needed)} in {folder}, and {in_words(free)} are free. "
            "Free some space, or choose another place"
        )


def in_words(count: int) -> str:
    """Return a number of bytes as people read it: "512 bytes", "11.4 MB" (decimal units)."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:  # 999,960 bytes are 1.0 MB, not 1000 kB
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def printable(text: str) -> str:
    """Text as a terminal may be given it: names of files and entries of receipts can hold control characters."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)


def one_line(text: str) -> str:
    """`printable` text within a line."""
    return printable(text).replace("\n", "?")


def named(names: Sequence[str]) -> str:
    """The first of some names, as a terminal may be given them, and how many more there are."""
    shown = ", ".join(map(one_line, names[:NAMED]))
    return f"{shown} and {len(names) - NAMED:,} more" if len(names) > NAMED else shown


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; False where `Path.is_dir` raises: one above can't be entered, a name is too long."""
    return os.path.isdir(path)  # noqa: PTH112


def cache_folder() -> Path:
    """Return the folder of what can be made or fetched again: `$ZOO_CACHE`, or the user's cache folder."""
    given = os.environ.get("ZOO_CACHE")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("image-model-zoo", appauthor=False))


def lies_in_a_copy(path: Path) -> list[str]:
    """A note for who writes into a package, where that is an installed copy and no checkout (`pip install -e`)."""
    if "site-packages" not in path.parts:
        return []
    return ["It lies in an installed copy of the package, and the next installation removes it. Better: --output DIR"]
