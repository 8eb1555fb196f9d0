"""Deprecations: what goes warns for one minor release, and names what replaces it.

A name of `import zoo` is listed in `zoo._DEPRECATED`; a hook or one of its arguments gets the warning as
`warn_on_impl` or `warn_on_impl_args` of its `hookspec`, and pluggy shows it at the plugin's own line.
"""

from __future__ import annotations


class ZooDeprecation(FutureWarning):
    """Something of the zoo's interface goes; shown to users by default, so that plugins are mended in time."""


def deprecation(what: str, since: str, instead: str) -> ZooDeprecation:
    """The warning: `since` is the release that warns ("0.2"); the next minor release does without."""
    return ZooDeprecation(f"{what} is deprecated since zoo {since} and gone in zoo {gone(since)}: use {instead}")


def gone(since: str) -> str:
    """The first release without what is deprecated since `since`: "0.2" gives "0.3"."""
    major, minor, *_ = since.split(".")
    return f"{major}.{int(minor) + 1}"
