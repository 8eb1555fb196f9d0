"""Downloads for data sets: resumed, checked by SHA-256, retried, through the user's proxies.

A data-set plugin calls `download` in its `zoo_fetch`; nothing else in the zoo opens a network connection.
"""

from __future__ import annotations

import http.client
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from zoo import __version__
from zoo.errors import DataError
from zoo.files import in_words, require_space, sha256_of, sync_folder, writing
from zoo.locks import locked
from zoo.progress import Reporter

ATTEMPTS = 5
"""How often in a row a connection may fail without bringing a single new byte."""
TIMEOUT = 30.0
"""Seconds of silence after which a connection counts as lost."""
FIRST_WAIT = 1.0
"""Seconds before the second attempt; each further wait is twice as long."""

_PIECE = 1 << 18
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Refused(DataError):
    """What no further attempt would change."""


class _Lost(Exception):
    """A connection that failed, or ended early: another attempt may go on."""


def download(url: str, target: Path, *, sha256: str, size: int, reporter: Reporter | None = None) -> Path:
    """Download `url` to `target`, unless it is there, and return `target`.

    The file has `size` bytes and the SHA-256 `sha256` (hexadecimal), or `target` is not made. What has come
    is kept beside it as `target.part`: a connection that breaks or is silent for 30 seconds is tried again,
    with growing waits, and an interrupted download goes on where it stopped. Two processes take turns.
    The proxies of the environment (`https_proxy`, ...) are used. Progress is shown on standard error.

    Raises DataError if the server does not have this file, answers with a page, or can't be reached.
    """
    reporter = reporter or Reporter()
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with locked(Path(f"{target}.lock"), f"downloads {target.name}"):
        if target.is_file() and target.stat().st_size == size and sha256_of(target) == sha256:
            return target
        part = target.with_name(f"{target.name}.part")
        resumed = _size_of(part) > 0
        require_space(target.parent, size - min(size, _size_of(part)), "The download")
        reporter.start(f"downloading {target.name}", size, _size_of(part))
        try:
            found = _fetched(url, part, sha256, size, reporter)
            if found != sha256 and resumed:
                # the beginning was of another file, or its end never reached the disk
                reporter.note("What was there already does not belong to this file: downloading it anew.")
                found = _fetched(url, part, sha256, size, reporter)
        finally:
            reporter.stop()
        if found != sha256:
            raise DataError(f"{url} is not the file that it was: its SHA-256 is {found}, and should be {sha256}")
        with writing(target):
            part.replace(target)
            sync_folder(target.parent)
    return target


def _fetched(url: str, part: Path, sha256: str, size: int, reporter: Reporter) -> str:
    """Bring `part` to its full size and return its SHA-256; a file of another sum is removed."""
    _complete(url, part, size, reporter)
    reporter.advance(size, "checking")
    found = sha256_of(part)
    if found != sha256:
        part.unlink()
    return found


def _complete(url: str, part: Path, size: int, reporter: Reporter) -> None:
    """Connect as often as it takes to bring `part` to `size` bytes."""
    have = _size_of(part)
    furthest, failures = have if have <= size else 0, 0  # what is too long begins anew
    while _size_of(part) != size:
        try:
            _receive(url, part, size, reporter)
        except _Lost as error:
            failures = 0 if _size_of(part) > furthest else failures + 1
            furthest = max(furthest, _size_of(part))
            if failures == ATTEMPTS:
                kept = f" {in_words(furthest)} of {in_words(size)} are kept in {part}." if furthest else ""
                raise DataError(
                    f"{url} can't be downloaded: {error}, {ATTEMPTS} times in a row.{kept} "
                    "The same command goes on; or fetch the file yourself and give it as --source"
                ) from error
            wait = FIRST_WAIT * 2 ** max(failures - 1, 0)
            reporter.note(f"The download stopped: {error}. Going on in {wait:.0f} s ...")
            time.sleep(wait)


def _receive(url: str, part: Path, size: int, reporter: Reporter) -> None:
    """One connection: append to `part` what it brings. Raises _Lost if that is not all."""
    have = _size_of(part)
    if have > size:
        part.unlink()
        have = 0
    with _connection(url, part, have) as response, writing(part):
        begin = _begin(url, response, have, size)
        with part.open("r+b" if begin else "wb") as file:
            file.seek(begin)
            file.truncate()
            done = begin
            while piece := _piece(response):
                done += len(piece)
                if done > size:
                    raise _Refused(f"{url} sends more than the {size:,} bytes of the file: it is another file")
                file.write(piece)
                reporter.advance(done, f"{in_words(done)} of {in_words(size)}")
            file.flush()
            os.fsync(file.fileno())
    if done < size:
        raise _Lost(f"the connection ended after {in_words(done)} of {in_words(size)}")


def _begin(url: str, response: Any, have: int, size: int) -> int:
    """At which byte of the file an answer begins. Raises _Refused if it is an answer with something else."""
    kind = response.headers.get_content_type()
    if kind in ("text/html", "application/xhtml+xml"):
        raise _Refused(
            f"{url} was answered with a web page, not with the file: a login, or a network that asks for a "
            "consent first? Open it in a browser, or give the file as --source"
        )
    begin, total = 0, response.headers.get("Content-Length", "")
    if response.status == 206:
        unit, _, span = response.headers.get("Content-Range", "").partition(" ")
        span, _, total = span.partition("/")
        if unit != "bytes" or span.partition("-")[0] != str(have):
            raise _Lost(f"the server sent another part than was asked for ({span or 'unknown'})")
        begin = have
    if total.isdigit() and int(total) != size:
        raise _Refused(f"{url} has {int(total):,} bytes now; the file that is known has {size:,}")
    return begin


@contextmanager
def _connection(url: str, part: Path, have: int) -> Iterator[Any]:
    """Open a connection that asks for what comes after the `have` bytes of `part`."""
    headers = {"User-Agent": f"image-model-zoo/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    if urlsplit(url).scheme not in ("http", "https"):
        raise _Refused(f"Only http and https addresses are downloaded. Received: {url}")
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (checked above)
    try:
        response = urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # the file has fewer bytes than are here
            part.unlink()
            raise _Lost("the file on the server has changed") from error
        if error.code not in _PASSING:
            raise _Refused(f"{url} can't be downloaded: the server says {error.code} {error.reason}") from error
        raise _Lost(f"the server says {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Lost(_reason(error)) from error
    with response:
        yield response


def _piece(response: Any) -> bytes:
    try:
        piece: bytes = response.read1(_PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise _Lost(_reason(error)) from error
    return piece


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"the server was silent for {TIMEOUT:.0f} s"
    if isinstance(cause, socket.gaierror):
        return "the server's name can't be resolved (no network?)"
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirects, but none from https to an address without encryption, and none to other protocols."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (urlsplit(req.full_url).scheme == "https" and scheme != "https"):
            raise _Refused(f"{req.full_url} leads to {newurl}, which is not safe to follow")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
