"""Published results as the site shows them: the figures of `zoo.results` with the whole receipt behind them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zoo.markup import machine
from zoo.registry import Plugin
from zoo.results import chapter, published


@dataclass(frozen=True)
class Result:
    """One receipt, of one or more seeds. Accuracies are per cent; what the receipt does not say is None or ""."""

    facts: published.Result
    stored: Mapping[str, Any]

    @property
    def architecture(self) -> str:
        return self.facts.architecture

    @property
    def dataset(self) -> str:
        return self.facts.dataset

    @property
    def recipe(self) -> str:
        return self.facts.recipe

    @property
    def seeds(self) -> list[dict[str, Any]]:
        """The runs, one per seed."""
        seeds: list[dict[str, Any]] = self.stored["seeds"]
        return seeds

    @property
    def accuracy(self) -> float:
        """The mean over the seeds."""
        return 100 * self.facts.accuracy

    @property
    def spread(self) -> float | None:
        """The standard deviation over the seeds, None for one seed."""
        return None if self.facts.spread is None else 100 * self.facts.spread

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the mean count."""
        low, high = self.facts.interval
        return 100 * low, 100 * high

    @property
    def parameters(self) -> int | None:
        found = self.seeds[0].get("parameters")
        return found if isinstance(found, int) else None

    @property
    def machines(self) -> set[str]:
        """The machines that its seeds ran on, in words."""
        return {machine(seed["hardware"]) for seed in self.seeds if "hardware" in seed}

    @property
    def printed(self) -> float | None:
        """The chapter's figure for this pair."""
        found = chapter.experiment(self.architecture, self.dataset)
        return None if found is None else 100 * found.accuracy


def read(plugins: Iterable[Plugin]) -> list[Result]:
    """The results that plugins ship, the best first within a data set. For a receipt that can't
    be used there is a warning, and the site is built without it."""
    found, notes = published.read_all(plugins)
    for note in notes:
        logging.getLogger(__name__).warning(note)
    results = [Result(receipt.result, receipt.content) for receipt in found]
    return sorted(results, key=lambda result: (result.dataset, -result.accuracy))
