"""Reproducing a published row: train it again, and judge what comes of it.

On the same type of machine with the same versions a run ends with the same bits. Elsewhere it is as if another seed
had been drawn, and its accuracy is judged against a *prediction* interval: where one more run is expected, not where
the mean lies. A fair re-run often misses the row's own confidence interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError, UsageError
from zoo.intervals import prediction_interval
from zoo.registry import Plugin, Registry
from zoo.results.published import Receipt, find, read_all

if TYPE_CHECKING:
    from zoo.runs.directory import Run
    from zoo.types import Data

FAST = 600.0
"""Seconds: rows whose runs took less are fast."""
_MACHINE = ("processor", "features", "cores", "system")
_VERSIONS = ("zoo", "tensorflow", "keras", "numpy", "opencv-python-headless")
_SETTINGS = ("threads", "precision")


@dataclass(frozen=True)
class Verdict:
    """What came of a re-run: `passed`, and why in a sentence. Accuracies are shares, 0..1.

    `low` to `high` is the prediction interval. `same_machine` says whether the same bits were expected, `same_bits`
    whether they came (None: the receipt has no bits of this seed).
    """

    row: str
    passed: bool
    accuracy: float
    published: float
    low: float
    high: float
    same_machine: bool
    same_bits: bool | None
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def fast_rows(plugins: Iterable[Plugin]) -> list[str]:
    """The published rows whose runs took less than FAST, the fastest first."""
    results = [receipt.result for receipt in read_all(plugins)[0]]
    fast = sorted((result.seconds, result.row) for result in results if result.seconds and result.seconds < FAST)
    return [row for _, row in fast]


def reproduce(
    row: str, *, seed: int = 0, output: Path | None = None, source: Path | None = None
) -> tuple[Verdict, Run]:
    """Train a published row again and judge.

    Raises UsageError for a row that is not published or whose recipe this version can't train, and DataError, before
    it trains, where the row's data are missing or are others.
    """
    from zoo.progress import Reporter
    from zoo.recipes import available
    from zoo.runs import pipeline
    from zoo.runs.request import Request

    registry = Registry.discover()
    receipt = find(row, registry.plugins)
    result = receipt.result
    architecture = registry.get("architecture", result.architecture)
    dataset = registry.get("dataset", result.dataset)
    name = result.recipe if result.recipe in available(architecture, dataset) else "quick"
    if name != result.recipe and not isinstance(receipt.content["recipe"].get("values"), dict):
        raise UsageError(
            f"The receipt of {result.row} names its recipe alone, and there is no {result.recipe!r} any more: "
            "it can't be trained again"
        )
    request = Request(
        architecture=architecture.name,
        dataset=dataset.name,
        recipe=name,
        overrides=changed_keys(receipt, architecture, dataset, name),
        seed=seed,
        source=source,
        output=output,
        export=False,
    )

    def check(data: Data) -> None:
        if receipt.content.get("split_hash") not in (None, data.split_hash):
            raise DataError(f"The images of {data.name} here are not those of the row {result.row}: it can't be judged")

    run = pipeline.train(request, Reporter(), check=check)
    return judge(receipt, run), run


def changed_keys(receipt: Receipt, architecture: Plugin, dataset: Plugin, recipe: str) -> dict[str, Any]:
    """The keys in which a row's recipe differs from what `recipe` means today, with the row's values."""
    from zoo.recipes import KEYS, resolve
    from zoo.results.publishing import differing

    values = receipt.content["recipe"].get("values")
    if not isinstance(values, dict):
        return {}  # a receipt that was written by hand may name its recipe alone
    today = resolve(architecture, dataset, recipe).as_dict()
    changed = {key: published for key, (published, _) in differing(values, today).items()}
    if gone := [key for key in changed if key not in KEYS]:
        raise UsageError(
            f"The row {receipt.result.row} has recipe keys that this version does not know: {', '.join(gone)}. "
            f"It was published with {_published_with(receipt)}"
        )
    return changed


def same_machine(entry: Mapping[str, Any], receipt: Mapping[str, Any]) -> bool:
    """Whether a run was made with what a published one was: machine, devices, versions and settings."""

    def told(facts: Mapping[str, Any]) -> list[Any]:
        hardware, versions = facts.get("hardware") or {}, facts.get("versions") or {}
        return [
            *(hardware.get(key) for key in _MACHINE),
            *(versions.get(key) for key in _VERSIONS),
            *(facts.get(key) for key in _SETTINGS),
            facts.get("devices") or ["CPU:0"],  # older receipts do not say
            facts.get("environment") or {},
        ]

    return "hardware" in entry and told(entry) == told(receipt) and not entry.get("inexact")


def judge(receipt: Receipt, run: Run) -> Verdict:
    """Compare a finished run of a row's recipe with what was published."""
    from zoo.results.publishing import bits

    result, metrics = receipt.result, run.metrics or {}
    accuracy = metrics["correct"] / metrics["count"]
    low, high = prediction_interval(receipt.shares, result.count)
    entry = next((entry for entry in receipt.seeds if entry.get("seed") == run.spec.seed), {})
    expected = "bits" in entry and same_machine(entry, run.receipt)
    equal = entry["bits"] == bits(run) if "bits" in entry else None
    inside = low <= accuracy <= high
    where = f"{'within' if inside else 'outside'} the prediction interval"
    if equal:
        passed, why = True, "the same bits"
    elif expected:
        passed, why = False, f"other bits, although machine and versions are those of the published run; {where}"
    else:
        passed, why = inside, where
    word = "PASS" if passed else "FAIL"
    sentence = (
        f"{word} {result.row}: {100 * accuracy:.2f} %, published {100 * result.accuracy:.2f} %, "
        f"expected {100 * low:.2f} to {100 * high:.2f} %: {why}"
    )
    return Verdict(result.row, passed, accuracy, result.accuracy, low, high, expected, equal, sentence)


def _published_with(receipt: Receipt) -> str:
    versions = receipt.seeds[0].get("versions") or {}
    return f"zoo {versions.get('zoo', 'of an unknown version')}"
