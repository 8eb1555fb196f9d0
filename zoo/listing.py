"""Choosing among the installed architectures by what their cards say and what their receipts show.

Everything is read from files: no plugin and no framework is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from zoo.errors import UsageError, nearest
from zoo.registry import Plugin, Registry
from zoo.results.published import Published, Result, published

MODELS = "models"  # trained networks inside a package: models/<architecture>/<name>/spec.json


@dataclass(frozen=True)
class Query:
    """What is asked for; None asks for nothing.

    `pattern` is a glob of names, or a part of one. The results that count are those on `dataset`, of at least
    `min_accuracy` (a share, 0..1) and `min_rate` (images/s of training), and of at most `max_seconds` of training;
    an architecture without such a result is left out. `max_size` is pixels, `max_parameters` and
    `max_multiply_adds` are counts, as on the card: an architecture whose card does not say is left out.
    """

    pattern: str | None = None
    dataset: str | None = None
    min_accuracy: float | None = None
    min_rate: float | None = None
    max_seconds: float | None = None
    max_parameters: float | None = None
    max_multiply_adds: float | None = None
    max_size: int | None = None
    sort: str = "name"
    reverse: bool = False

    @property
    def wants_results(self) -> bool:
        """Whether an architecture needs a result to be chosen."""
        return (self.min_accuracy, self.min_rate, self.max_seconds) != (None, None, None)

    @property
    def filters(self) -> bool:
        """Whether more than a name is asked for: then it is about architectures alone."""
        facts = (self.dataset, self.max_parameters, self.max_multiply_adds, self.max_size)
        return self.wants_results or facts != (None,) * len(facts)

    def counts(self, result: Result) -> bool:
        """Whether a result is one of those asked for."""
        return (
            self.dataset in (None, result.dataset)
            and (self.min_accuracy is None or result.accuracy >= self.min_accuracy)
            and (self.min_rate is None or (result.images_per_second or 0) >= self.min_rate)
            and (self.max_seconds is None or (result.seconds is not None and result.seconds <= self.max_seconds))
        )


@dataclass(frozen=True)
class Row:
    """An architecture: its `results` that count, the most accurate first, and the `packaged` trained networks."""

    plugin: Plugin
    results: tuple[Result, ...] = ()
    packaged: tuple[str, ...] = ()

    @property
    def best(self) -> Result | None:
        """The most accurate of the results."""
        return self.results[0] if self.results else None

    def as_dict(self) -> dict[str, Any]:
        """The row as `zoo list --json` has it."""
        results = [result.as_dict() for result in self.results]
        return self.plugin.as_dict() | {"results": results, "packaged": list(self.packaged)}


# what to sort by: the fact of a row, and whether the largest comes first; what is unknown always comes last
KEYS: dict[str, tuple[Callable[[Row], Any], bool]] = {
    "name": (lambda row: row.plugin.name, False),
    "parameters": (lambda row: row.plugin.facts.parameters, False),
    "multiply-adds": (lambda row: row.plugin.facts.multiply_adds, False),
    "accuracy": (lambda row: row.best and row.best.accuracy, True),
    "images/s": (lambda row: row.best and row.best.images_per_second, True),
    "time": (lambda row: row.best and row.best.seconds, False),
    "size": (lambda row: row.plugin.facts.size, False),
}


@dataclass(frozen=True)
class Listing:
    """The rows that were asked for, of `total`; `left_out` says how many each condition left out, in order.

    `results` are all that is published. Its notes tell of receipts that could not be read.
    """

    rows: tuple[Row, ...]
    total: int
    left_out: dict[str, int] = field(default_factory=dict)
    results: Published = field(default_factory=lambda: Published((), ()))


def find_architectures(registry: Registry | None = None, **conditions: Any) -> list[Row]:
    """The architectures that meet the conditions (see `Query`), as `zoo list` shows them.

    `find_architectures(dataset="catsdogs", min_accuracy=0.9, sort="images/s")`
    """
    return list(choose(registry or Registry.discover(), Query(**conditions)).rows)


def choose(registry: Registry, query: Query) -> Listing:
    """Answer a query. Raises UsageError for a data set or a key that does not exist."""
    if query.sort not in KEYS:
        raise UsageError(
            f"There is nothing to sort by that is called {query.sort!r}. {nearest(query.sort, KEYS)}"
            f"Keys: {', '.join(KEYS)}"
        )
    found = published(registry.plugins)
    datasets = {plugin.name for plugin in registry.of("dataset")} | {result.dataset for result in found.results}
    if query.dataset is not None and query.dataset not in datasets:
        raise UsageError(
            f"There is no data set {query.dataset!r}. {nearest(query.dataset, datasets)}"
            f"Known: {', '.join(sorted(datasets)) or 'none'}"
        )
    rows = [_row(plugin, found, query) for plugin in registry.of("architecture") if plugin.status == "ok"]
    total, left_out = len(rows), {}
    for words, holds in _conditions(query):
        kept = [row for row in rows if holds(row)]
        if len(kept) < len(rows):
            left_out[words] = len(rows) - len(kept)
        rows = kept
    return Listing(tuple(_sorted(rows, query)), total, left_out, found)


def matches(name: str, pattern: str | None) -> bool:
    """Whether a name is meant by a glob, or by a part of the name where none of * ? [ is in the pattern."""
    if pattern is None:
        return True
    glob = pattern if set(pattern) & set("*?[") else f"*{pattern}*"
    return fnmatchcase(name.lower(), glob.lower())


def _row(plugin: Plugin, found: Published, query: Query) -> Row:
    return Row(plugin, tuple(filter(query.counts, found.of(plugin))), _packaged(plugin))


def _packaged(plugin: Plugin) -> tuple[str, ...]:
    if plugin.folder is None:
        return ()
    try:
        names = sorted(os.listdir(f"{plugin.folder}/{MODELS}/{plugin.name}"))  # noqa: PTH208 (faster, for 1,000)
    except OSError:
        return ()
    return tuple(f"zoo:{plugin.name}/{name}" for name in names)


def _conditions(query: Query) -> Iterable[tuple[str, Callable[[Row], bool]]]:
    """The conditions of a query, each in the words of the command line."""

    def at_most(limit: float | None, value: float | None) -> bool:
        return limit is None or (value is not None and value <= limit)

    yield f"the name {query.pattern!r}", lambda row: matches(row.plugin.name, query.pattern)
    yield "--max-params", lambda row: at_most(query.max_parameters, row.plugin.facts.parameters)
    yield "--max-multiply-adds", lambda row: at_most(query.max_multiply_adds, row.plugin.facts.multiply_adds)
    yield "--max-size", lambda row: at_most(query.max_size, row.plugin.facts.size)
    if query.wants_results:
        limits = {
            "--min-accuracy": query.min_accuracy,
            "--min-rate": query.min_rate,
            "--max-time": query.max_seconds,
        }
        asked = ", ".join(name for name, limit in limits.items() if limit is not None)
        where = f" on {query.dataset}" if query.dataset else ""
        yield f"{asked} (no such published result{where})", lambda row: bool(row.results)


def _sorted(rows: Sequence[Row], query: Query) -> list[Row]:
    fact, descending = KEYS[query.sort]
    known = [row for row in rows if fact(row) is not None]
    unknown = [row for row in rows if fact(row) is None]
    # sorting is stable: rows that are equal stay in the order of their names
    return sorted(known, key=fact, reverse=descending != query.reverse) + unknown
