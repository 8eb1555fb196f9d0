"""Errors that a user can act on, each with the exit code of the command line.

A message says what was wrong, what was received, what exists and what to do, in one or two lines.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ZooError(Exception):
    """Something failed, and the message says what to do. Exit code 1."""

    exit_code = 1


class UsageError(ZooError):
    """The request itself is wrong: an unknown name, key or value. Exit code 2."""

    exit_code = 2


class PluginError(ZooError):
    """A plugin is broken, clashes with another or broke its contract. Exit code 3."""

    exit_code = 3


class DataError(ZooError):
    """Data are missing, unreadable or not those the run began with. Exit code 4."""

    exit_code = 4


class MissingData(DataError):
    """A data set is nowhere to be found; its `zoo_examples` raises this. On a terminal, `zoo train` then asks
    whether to download it."""


class MissingWeights(DataError):
    """Published weights are not on this machine, and were not asked for. On a terminal, `zoo predict` then asks
    whether to download them."""


class Interrupted(ZooError):
    """The user stopped the command; what was reached is kept. Exit code 130."""

    exit_code = 130


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "Did you mean 'x'? " for the known name closest to `name`, or one that holds it, or "" if none does."""
    names = list(known)
    matches = difflib.get_close_matches(name, names)
    if name and not matches:
        matches = [longer for longer in names if name in longer]
    # one whose characters were only swapped comes first: vgg16, not vgg19, for vgg61
    matches.sort(key=lambda match: sorted(match) != sorted(name))
    return f"Did you mean {matches[0]!r}? " if matches else ""
