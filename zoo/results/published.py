"""Published results: the receipts `results/*.json` beside a plugin's card, read without importing the plugin.

A receipt is a JSON object of one (architecture, data set, recipe), with an entry per run of another seed::

    {"architecture": "my-net", "dataset": "mnist", "part": "test",
     "recipe": {"name": "quick", "values": {"image_size": 28}},
     "seeds": [{"seed": 0, "count": 10000, "correct": 9888, "command": "zoo train my-net mnist", "seconds": 402.0}]}

Those keys are needed (`values`, `command` and `seconds` may be missing), with the same `count` for all seeds;
`zoo results publish RUN` writes more. Mean, spread and intervals of a row are not stored: they are computed from the
counts when it is read. A rate is that of training, from the run's `forecast` or measured (`images_per_second`). A
package publishes results of its own architectures and data sets.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeGuard

from zoo.errors import UsageError, ZooError, nearest
from zoo.intervals import Interval, median, spread, wilson
from zoo.registry import Plugin
from zoo.stored import LARGEST, count, shaped, text

FOLDER = "results"
_SEED = {
    "seed": count,
    "parameters": count,
    "command": text,
    "started": text,
    "precision": text,
    "hardware": {"processor": text, "cores": count, "system": text, "features": [text], "memory": count},
    "versions": {...: text},
}
_SHAPE = {"fingerprint": text, "split_hash": text, "seeds": [_SEED]}
_MACHINE = {"processor", "cores", "system"}  # what a receipt that tells of its machine has to say


@dataclass(frozen=True)
class Result:
    """A published result: means over its `seeds`, and the file that it comes from.

    `accuracy` is a share (0..1) of `count` images of `part`, `spread` the standard deviation over the seeds (None
    for one); `seconds` is the median wall time of a run, `images_per_second` that of training; `size` is the
    image's in pixels; `trials` is how many trainings of the network on the data there were when the row was published,
    the row's own among them; `width` is what the network's filters were multiplied by. None is unknown.
    """

    architecture: str
    dataset: str
    recipe: str
    part: str
    accuracy: float
    spread: float | None
    count: int
    seeds: int
    seconds: float | None
    images_per_second: float | None
    size: int | None
    command: str
    file: str
    trials: int | None = None
    width: float = 1.0

    @property
    def network(self) -> str:
        """The architecture, with its width if that is not 1: "vgg16-bn (width=0.17)"."""
        return self.architecture if self.width == 1 else f"{self.architecture} (width={self.width:g})"

    @property
    def row(self) -> str:
        """What the row is called: "cnn/mnist/quick"."""
        return f"{self.architecture}/{self.dataset}/{self.recipe}"

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the mean count, shares 0..1."""
        return wilson(round(self.accuracy * self.count), self.count)

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON has it."""
        return {"row": self.row, **asdict(self), "interval": list(self.interval)}


@dataclass(frozen=True)
class Receipt:
    """A receipt that could be read: its file, what it says, and the whole of its content."""

    path: Path
    result: Result
    content: Mapping[str, Any]

    @property
    def seeds(self) -> list[dict[str, Any]]:
        """Its runs, one per seed."""
        runs: list[dict[str, Any]] = self.content["seeds"]
        return runs

    @property
    def shares(self) -> list[float]:
        """The accuracy of each run, 0..1."""
        return [run["correct"] / run["count"] for run in self.seeds]

    @property
    def seconds(self) -> list[float | None]:
        """The wall time of each run; None is unknown."""
        return [_number(run.get("seconds")) for run in self.seeds]

    @property
    def place(self) -> str:
        """Where it lies, as people are told: "results/cnn-mnist-quick.json of zoo_cnn"."""
        return f"{FOLDER}/{self.path.name} of {self.path.parent.parent.name}"


@dataclass(frozen=True)
class Published:
    """All results, and a sentence for each receipt that could not be read."""

    results: tuple[Result, ...]
    notes: tuple[str, ...]

    def of(self, plugin: Plugin) -> tuple[Result, ...]:
        """The results of an architecture or on a data set, the most accurate first."""
        return tuple(result for result in self.results if getattr(result, plugin.kind, "") == plugin.name)


def published(plugins: Iterable[Plugin]) -> Published:
    """Read the receipts in the packages of `plugins` that can be used. A bad one becomes a note."""
    found, notes = read_all(plugins)
    results = [receipt.result for receipt in found]
    results.sort(key=lambda result: (-result.accuracy, result.architecture, result.dataset, result.recipe))
    return Published(tuple(results), tuple(notes))


def read_all(plugins: Iterable[Plugin]) -> tuple[list[Receipt], list[str]]:
    """The receipts in the packages of `plugins` that can be used, and a sentence for each that can't be read."""
    owned: dict[Path, list[Plugin]] = {}
    for plugin in plugins:
        if plugin.folder is not None and plugin.status == "ok":
            owned.setdefault(plugin.folder, []).append(plugin)
    found, notes = [], []
    for folder, owners in owned.items():
        for path in receipts(folder):
            try:
                receipt = read_receipt(path)
                _check_owner(receipt.result, owners)
                found.append(receipt)
            except (OSError, ValueError, RecursionError) as error:
                notes.append(f"{FOLDER}/{path.name} of {owners[0].origin} is left out: {error}")
    return found, notes


def find(row: str, plugins: Iterable[Plugin]) -> Receipt:
    """The receipt of the row that is called "cnn/mnist/quick", "cnn mnist quick" or as its file, "cnn-mnist-quick".

    Raises UsageError, which names the nearest, if there is none.
    """
    found, notes = read_all(plugins)
    known = {receipt.result.row: receipt for receipt in found}
    wanted = "/".join(row.split())
    matches = [receipt for name, receipt in known.items() if wanted in (name, receipt.path.stem)]
    if not matches:
        unread = "".join(f"\n{note}" for note in notes)
        raise UsageError(
            f"There is no published row {row!r}. {nearest(wanted, known)}"
            f"Rows: {', '.join(sorted(known)) or 'none'}{unread}"
        )
    return matches[0]


def receipts(folder: Path) -> list[Path]:
    """The receipts of the package in `folder`, by name."""
    try:
        names = os.listdir(f"{folder}/{FOLDER}")  # noqa: PTH208 (pathlib takes five times as long for each package)
    except OSError:
        return []
    return [folder / FOLDER / name for name in sorted(names) if name.endswith(".json")]


def read(path: Path) -> Result:
    """Read what a receipt says. Raises ValueError that tells what is wrong with it, OSError if it can't be read."""
    return read_receipt(path).result


def read_receipt(path: Path) -> Receipt:
    """Read a receipt. Raises ValueError that tells what is wrong with it, OSError if it can't be read."""
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        raise ValueError("it must hold a JSON object")
    result = _result(content, path.name)
    try:
        return Receipt(path, result, shaped(content, _SHAPE, path.name))
    except ZooError as error:
        raise ValueError(str(error)) from error


def _result(content: Mapping[str, Any], file: str) -> Result:
    recipe = _field(content, "recipe", dict)
    runs = _field(content, "seeds", list)
    if not runs or not all(isinstance(run, dict) for run in runs):
        raise ValueError("seeds must hold an object per run")
    shares = [_share(run) for run in runs]
    if len({run["count"] for run in runs}) > 1:
        raise ValueError("all seeds must be of as many images")
    if any(isinstance(run.get("hardware"), dict) and not run["hardware"].keys() >= _MACHINE for run in runs):
        raise ValueError(f"hardware must say {', '.join(sorted(_MACHINE))}")
    values = recipe.get("values")
    values = values if isinstance(values, dict) else {}
    size, options = values.get("image_size"), values.get("options")
    width = _number(options.get("width")) if isinstance(options, dict) else None
    return Result(
        architecture=_field(content, "architecture", str),
        dataset=_field(content, "dataset", str),
        recipe=_field(recipe, "name", str),
        part=_field(content, "part", str),
        accuracy=sum(shares) / len(shares),
        spread=spread(shares),
        count=runs[0]["count"],
        seeds=len(runs),
        seconds=_median([_number(run.get("seconds")) for run in runs]),
        images_per_second=_median([_rate(run) for run in runs]),
        size=size if _is_count(size) and size else None,
        command=str(runs[0].get("command", "")),
        file=file,
        trials=trials if _is_count(trials := content.get("trials")) else None,
        width=width or 1.0,
    )


def _check_owner(result: Result, owners: list[Plugin]) -> None:
    names = {(owner.kind, owner.name) for owner in owners}
    if not names & {("architecture", result.architecture), ("dataset", result.dataset)}:
        raise ValueError(
            f"it is of {result.architecture} on {result.dataset}, and the package has "
            f"{', '.join(sorted(name for _, name in names))}"
        )


def _field(content: Mapping[str, Any], key: str, kind: type) -> Any:
    if not isinstance(content.get(key), kind):
        name = {"dict": "an object", "list": "a list", "str": "a string"}[kind.__name__]
        raise ValueError(f"{key} must be {name}. Received: {content.get(key)!r}")
    return content[key]


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST


def _share(run: Mapping[str, Any]) -> float:
    """The accuracy of a run, from its counts."""
    count, correct = run.get("count"), run.get("correct")
    if not _is_count(count) or not _is_count(correct) or not 0 < count >= correct:
        raise ValueError(f"count and correct must be counts of images. Received: {count!r} and {correct!r}")
    return correct / count


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < LARGEST:
        return None
    return float(value)


def _rate(run: Mapping[str, Any]) -> float | None:
    forecast = run.get("forecast")
    given = forecast if isinstance(forecast, dict) else {}
    return _number(run.get("images_per_second")) or _number(given.get("images_per_second"))


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
