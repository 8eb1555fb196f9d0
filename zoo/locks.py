"""One lock for whatever two processes must not make at once: a cache, a download, a run.

The operating system holds it, and lets go of it when the process ends, also by a kill: a lock file that lies about
locks nothing. Importing this module imports no framework.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from zoo.errors import ZooError
from zoo.files import writing

_log = logging.getLogger("zoo")


@contextmanager
def locked(path: Path, doing: str, wait: bool = True) -> Iterator[None]:
    """Hold the lock file `path`; its folder exists. `doing` is what its holder does: "prepares mnist".

    If another process holds it, say so and wait until it is done; or, without `wait`, raise ZooError at once.
    Raises ZooError too if the file can't be written.
    """
    lock = filelock.FileLock(path)
    with writing(path):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if not wait:
                raise ZooError(f"Another process {doing}") from None
            _log.warning("another process %s: waiting for it", doing)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock file `path` at this moment; False for one that may not be opened.

    To ask is to take it for an instant: there is no other way.
    """
    if not path.is_file():
        return False
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False
