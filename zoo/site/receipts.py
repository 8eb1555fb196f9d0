"""Published results: the receipts that plugins keep in `results/*.json`, and the figures made of them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo import chapter
from zoo.errors import ZooError
from zoo.markup import machine
from zoo.registry import Plugin


@dataclass(frozen=True)
class Result:
    """One receipt: a network on a data set under a recipe, over one or more seeds. Accuracies are per cent."""

    path: Path
    stored: dict[str, Any]

    @property
    def architecture(self) -> str:
        return str(self.stored["architecture"])

    @property
    def dataset(self) -> str:
        return str(self.stored["dataset"])

    @property
    def recipe(self) -> str:
        return str(self.stored["recipe"]["name"])

    @property
    def seeds(self) -> list[dict[str, Any]]:
        seeds: list[dict[str, Any]] = self.stored["seeds"]
        return seeds

    @cached_property
    def accuracy(self) -> float:
        """The mean over the seeds."""
        return float(100 * statistics.mean(seed["accuracy"] for seed in self.seeds))

    @property
    def spread(self) -> float | None:
        """The standard deviation over the seeds, None for one seed."""
        shares = [100 * seed["accuracy"] for seed in self.seeds]
        return statistics.stdev(shares) if len(shares) > 1 else None

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the mean count."""
        from zoo.evaluation import wilson

        low, high = wilson(round(statistics.mean(seed["correct"] for seed in self.seeds)), self.count)
        return 100 * low, 100 * high

    @property
    def count(self) -> int:
        """The number of images that it was measured on."""
        return int(self.seeds[0]["count"])

    @property
    def part(self) -> str:
        return str(self.stored["part"])

    @property
    def parameters(self) -> int:
        return int(self.seeds[0]["parameters"])

    @property
    def seconds(self) -> float:
        """The median wall time of a run."""
        return float(statistics.median(seed["seconds"] for seed in self.seeds))

    @property
    def command(self) -> str:
        return str(self.seeds[0]["command"])

    @property
    def hardware(self) -> str:
        return "; ".join(sorted({machine(seed["hardware"]) for seed in self.seeds}))

    @property
    def printed(self) -> float | None:
        """The chapter's figure for this pair."""
        found = chapter.experiment(self.architecture, self.dataset)
        return None if found is None else 100 * found.accuracy


def read(plugins: Iterable[Plugin]) -> list[Result]:
    """The results that plugins ship, the best first within a data set. Raises ZooError for a torn receipt."""
    folders = dict.fromkeys(plugin.folder / "results" for plugin in plugins if plugin.folder)
    results = [_read(path) for folder in folders for path in sorted(folder.glob("*.json"))]
    return sorted(results, key=lambda result: (result.dataset, -result.accuracy))


def _read(path: Path) -> Result:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        result = Result(path, stored)
        _ = result.architecture, result.dataset, result.recipe, result.accuracy
    except (ValueError, KeyError, TypeError, statistics.StatisticsError) as error:
        raise ZooError(f"{path} is not a receipt that zoo wrote: {type(error).__name__}: {error}") from error
    return result
