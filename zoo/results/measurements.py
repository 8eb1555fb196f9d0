"""Measurements that the site draws: ladders of techniques, and accuracy against the amount of data.

Read from their JSON files without a framework; a file that is none is an error that names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from zoo import intervals
from zoo.errors import ZooError
from zoo.registry import Plugin

FOLDER = "ladders"
AMOUNT = "amount-*.json"
T = TypeVar("T")


@dataclass(frozen=True)
class Shares:
    """Shares of the images that were right (0..1), one a seed."""

    shares: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of the seeds."""
        return sum(self.shares) / len(self.shares)

    @property
    def wrong(self) -> float:
        """Mean share of wrong answers."""
        return 1 - self.mean

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds; 0 for one."""
        return intervals.spread(self.shares) or 0.0

    def variance(self, count: int) -> float:
        """Variance of the mean: over the seeds, or for a single one that of the answers to `count` images."""
        if len(self.shares) > 1:
            return self.spread**2 / len(self.shares)
        return self.mean * self.wrong / count


@dataclass(frozen=True)
class Step(Shares):
    """A measured rung of a ladder; `seconds` is the median of its runs."""

    label: str
    seconds: float


@dataclass(frozen=True)
class MeasuredLadder:
    """A measured ladder: `count` validation images; `stored` is all that the file says."""

    architecture: str
    dataset: str
    title: str
    command: str
    count: int
    steps: tuple[Step, ...]
    stored: Mapping[str, Any]

    def unclear(self) -> list[str]:
        """Labels of the steps whose difference from the one before is less than twice its standard error."""
        found = []
        for before, after in pairwise(self.steps):
            noise = sum(step.spread**2 / len(step.shares) for step in (before, after)) ** 0.5
            if abs(after.mean - before.mean) < 2 * noise or len(after.shares) == 1:
                found.append(after.label)
        return found


@dataclass(frozen=True)
class Point(Shares):
    """A method's accuracy with so many training images."""

    images: int


@dataclass(frozen=True)
class Curve:
    """A method with its points, the fewest images first."""

    method: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class MeasuredAmount:
    """Accuracy on `count` test images against training images, of which there are `available`; the first curve is
    that of the classical method."""

    dataset: str
    count: int
    available: int
    curves: tuple[Curve, ...]
    stored: Mapping[str, Any]


def parse_ladder(stored: Mapping[str, Any]) -> MeasuredLadder:
    """The ladder that `zoo.results.ladder.result` gives."""
    steps = []
    for rung in stored["rungs"]:
        seconds = intervals.median([float(seed["seconds"]) for seed in rung["seeds"]])
        steps.append(Step(_shares(rung["seeds"]), str(rung["label"]), seconds))
    return MeasuredLadder(
        architecture=str(stored["architecture"]),
        dataset=str(stored["dataset"]),
        title=str(stored["title"]),
        command=str(stored["command"]),
        count=int(stored["rungs"][0]["seeds"][0]["count"]),
        steps=tuple(steps),
        stored=stored,
    )


def parse_amount(stored: Mapping[str, Any]) -> MeasuredAmount:
    """What `experiments/accuracy_against_data.py` writes."""
    count, available = int(stored["count"]), int(stored["available"])
    curves = []
    for curve in stored["curves"]:
        by_size: dict[int, list[Mapping[str, Any]]] = {}
        for run in curve["runs"]:
            by_size.setdefault(int(run["images"]), []).append(run)
        if "chosen" in curve["runs"][0] and available in by_size:  # without chance: all seeds are one measurement
            by_size[available] = by_size[available][:1]
        points = tuple(Point(_shares(runs), images) for images, runs in sorted(by_size.items()))
        curves.append(Curve(str(curve["method"]), points))
    return MeasuredAmount(str(stored["dataset"]), count, available, tuple(curves), stored)


def _shares(runs: Any) -> tuple[float, ...]:
    return tuple(int(run["correct"]) / int(run["count"]) for run in runs)


def ladders(plugin: Plugin) -> list[MeasuredLadder]:
    """The measured ladders of an architecture, by data set. Raises ZooError for a file that is none."""
    folder = plugin.folder / FOLDER if plugin.folder else None
    paths = sorted(folder.glob(f"{plugin.name}-*.json")) if folder and folder.is_dir() else []
    found = [read(path, parse_ladder) for path in paths]
    return [one for one in found if one.architecture == plugin.name]


def amounts(folder: Path) -> list[MeasuredAmount]:
    """The measurements of accuracy against the amount of data that `folder` keeps, mnist first."""
    found = [read(path, parse_amount) for path in sorted(folder.glob(AMOUNT))]
    return sorted(found, key=lambda one: (one.dataset != "mnist", one.dataset))


def read(path: Path, parse: Callable[[Mapping[str, Any]], T]) -> T:
    """Read a measurement. Raises ZooError that says what is wrong with it."""
    try:
        return parse(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, IndexError, TypeError, ZeroDivisionError, RecursionError) as error:
        raise ZooError(f"{path} is not a measurement: {type(error).__name__}: {error}") from error
