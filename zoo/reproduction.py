"""Reproducing a published row: train it again, and judge what comes of it.

On the same type of machine with the same versions a run ends with the same bits. Elsewhere it is as if another seed
had been drawn, and its accuracy is judged against a *prediction* interval: where one more run is expected, not where
the mean lies. A fair re-run often misses the row's own confidence interval.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, nearest
from zoo.registry import Registry
from zoo.results import FOLDER, receipts

if TYPE_CHECKING:
    from zoo.runs import Run

SPREAD = 0.0015
"""The standard deviation over seeds that is assumed of a row with fewer than three: 0.15 points."""
# Student's t, 0.975, for 2 to 20 degrees of freedom; e.g. NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2
_T = (4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
      2.101, 2.093, 2.086)  # fmt: skip
_MACHINE = ("processor", "features", "cores")
_VERSIONS = ("zoo", "tensorflow", "keras", "numpy")


@dataclass(frozen=True)
class Verdict:
    """What came of a re-run: `passed`, and why in a sentence. Accuracies are shares, 0..1.

    `same_machine` says whether the same bits were expected, `same_bits` whether they came (None: the receipt is too
    old to say).
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


def find(row: str, registry: Registry | None = None) -> tuple[Path, dict[str, Any]]:
    """The receipt of a row, "cnn/mnist/quick", and its content. Raises UsageError, which names the nearest."""
    registry = registry or Registry.discover()
    known: dict[str, tuple[Path, dict[str, Any]]] = {}
    folders = dict.fromkeys(plugin.folder for plugin in registry.plugins if plugin.folder and plugin.status == "ok")
    for folder in folders:
        for path in receipts(folder):
            content = json.loads(path.read_text(encoding="utf-8"))
            known["/".join((content["architecture"], content["dataset"], content["recipe"]["name"]))] = path, content
    if row not in known:
        raise UsageError(
            f"There is no published row {row!r}. {nearest(row, known)}Rows: {', '.join(sorted(known)) or 'none'}"
        )
    return known[row]


def prediction_interval(accuracies: Sequence[float], count: int) -> tuple[float, float]:
    """Where one more run is expected with 95 % probability: shares (0..1) of `count` images.

    Mean ± sqrt(a² + b²). a = t s sqrt(1 + 1/n) is for the seed: n runs of standard deviation s, Student's t with n - 1
    degrees of freedom; below three runs s is taken as SPREAD, and t as the normal's 1.96. b = 1.96 sqrt(p (1 - p) / N)
    is binomial: the images that a network has right by luck are others elsewhere.
    Hahn and Meeker (1991), Statistical Intervals, section 4.7, for the first part.
    """
    runs, mean = len(accuracies), fmean(accuracies)
    normal = NormalDist().inv_cdf(0.975)
    t = normal if runs < 3 or runs - 3 >= len(_T) else _T[runs - 3]
    spread = SPREAD if runs < 3 else stdev(accuracies)
    half = math.hypot(t * spread * math.sqrt(1 + 1 / runs), normal * math.sqrt(mean * (1 - mean) / count))
    return max(0.0, mean - half), min(1.0, mean + half)


def same_machine(entry: Mapping[str, Any], receipt: Mapping[str, Any]) -> bool:
    """Whether a run was made with what a published one was made with: processor, threads, precision, versions."""
    published = [entry["hardware"].get(key) for key in _MACHINE] + [entry["versions"].get(key) for key in _VERSIONS]
    here = [receipt["hardware"].get(key) for key in _MACHINE] + [receipt["versions"].get(key) for key in _VERSIONS]
    return published == here and all(entry.get(key) == receipt[key] for key in ("threads", "precision"))


def judge(row: str, content: Mapping[str, Any], run: Run) -> Verdict:
    """Compare a finished run of a row's recipe with what was published."""
    from zoo.publishing import bits

    accuracies = [entry["correct"] / entry["count"] for entry in content["seeds"]]
    metrics = run.metrics or {}
    accuracy, mean, count = metrics["accuracy"], fmean(accuracies), content["seeds"][0]["count"]
    low, high = prediction_interval(accuracies, count)
    entry = next((entry for entry in content["seeds"] if entry["seed"] == run.spec.seed), None)
    expected = entry is not None and same_machine(entry, run.receipt)
    equal = None if entry is None or "bits" not in entry else entry["bits"] == bits(run)
    figures = f"{100 * accuracy:.2f} %, published {100 * mean:.2f} %, expected {100 * low:.2f} to {100 * high:.2f} %"
    passed = low <= accuracy <= high
    if equal:
        passed, why = True, "the same bits"
    elif expected and equal is False:
        passed, why = False, "other bits, although machine and versions are those of the published run"
    else:
        why = "within the prediction interval" if passed else "outside the prediction interval"
    word = "PASS" if passed else "FAIL"
    return Verdict(row, passed, accuracy, mean, low, high, expected, equal, f"{word} {row}: {figures}: {why}")


def changed_keys(content: Mapping[str, Any]) -> dict[str, Any]:
    """The keys in which a row's recipe differs from what its name means today, with the row's values."""
    from zoo.recipes import KEYS, resolve

    registry = Registry.discover()
    architecture = registry.get("architecture", content["architecture"])
    dataset = registry.get("dataset", content["dataset"])
    values = {key: value for key, value in content["recipe"]["values"].items() if key in KEYS}
    try:
        today = resolve(architecture, dataset, content["recipe"]["name"]).as_dict()
    except UsageError:
        return values  # the recipe is gone, or the row was published under a name of its own
    return {key: value for key, value in values.items() if json.dumps(today[key]["value"]) != json.dumps(value)}


def reproduce(
    row: str, *, seed: int = 0, output: Path | None = None, source: Path | None = None
) -> tuple[Verdict, Run]:
    """Train a published row again and judge. Raises DataError where its data are missing or are others."""
    from zoo import api
    from zoo.errors import DataError

    _, content = find(row)
    changed = changed_keys(content)
    architecture, dataset, recipe = content["architecture"], content["dataset"], content["recipe"]["name"]
    registry = Registry.discover()
    from zoo.recipes import available

    pair = registry.get("architecture", architecture), registry.get("dataset", dataset)
    name = recipe if recipe in available(*pair) else "quick"
    run = api.train(
        architecture, dataset, recipe=name, overrides=changed, seed=seed, output=output, source=source, export=False
    )
    if run.receipt["dataset"]["split_hash"] != content["split_hash"]:
        raise DataError(f"The images of {dataset} here are not those of the row {row}: its accuracy can't be judged")
    return judge(row, content, run), run


def folder_of(path: Path) -> str:
    """Where a receipt lies, as people are told: "results/cnn-mnist-quick.json of zoo_cnn"."""
    return f"{FOLDER}/{path.name} of {path.parent.parent.name}"
