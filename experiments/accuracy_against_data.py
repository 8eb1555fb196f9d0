"""Accuracy against the amount of training data: a classical pipeline against networks, on the same images.

    python experiments/accuracy_against_data.py mnist --dry-run     what is left, and how long it takes
    python experiments/accuracy_against_data.py mnist               all of it; called again it goes on
    python experiments/accuracy_against_data.py catsdogs --methods hog

The chapter claims that classical methods level off as data grow, and that deep ones go on improving. Here histograms
of oriented gradients with logistic regression meet networks of the zoo at 1, 3, 10, 30 and 100 % of the training
images, with as many of each class, three choices of them. Every network takes as many steps, on whatever number of
images: an epoch shows few images several times, augmented anew. The strength of the regression's penalty is chosen on
the validation part; the test part is looked at once for each figure. The result is kept for the site.

Needs the extra `experiments` (scikit-learn).
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files import atomic_write
from zoo.hardware import describe, versions
from zoo.progress import Reporter, duration
from zoo.results import repeated
from zoo.results.ladder import forecast
from zoo.runs.directory import Run, runs_root
from zoo.runs.pipeline import Prepared
from zoo.runs.request import Request
from zoo.site.measured import KEPT

SHARES = (1, 3, 10, 30, 100)  # per cent
SEEDS = (0, 1, 2)
HOG = "hog"
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)  # scikit-learn's C: the greater, the weaker
ITERATIONS = 300
NOTE = "The networks' recipes augment their images; the classical pipeline sees each image as it is."


@dataclass(frozen=True)
class Network:
    """A network with what its `quick` recipe is changed by, and how the page calls it."""

    name: str
    title: str
    keys: dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """A data set with `available` training images; `size` of the image and `cell` of the histograms are in pixels."""

    dataset: str
    available: int
    size: int
    cell: int
    networks: tuple[Network, ...]


EXPERIMENTS = {
    "mnist": Experiment(
        "mnist", 55_000, 28, 4, (Network("fc-keras", "fc-keras", {}), Network("cnn", "cnn", {"epochs": 4}))
    ),
    "catsdogs": Experiment(
        "catsdogs",
        20_000,
        64,
        8,
        (Network("vgg16-bn", "vgg16-bn (width=0.25)", {"options": {"width": 0.25}}),),
    ),
}


@dataclass(frozen=True)
class Asked:
    """What the command line asks for: `keys` are recipe keys for all methods (a trial)."""

    experiment: Experiment
    methods: tuple[str, ...]
    shares: tuple[int, ...]
    seeds: tuple[int, ...]
    folder: Path
    source: Path | None
    keys: dict[str, Any]

    def images(self, share: int) -> int:
        """How many images a share in per cent is."""
        return max(1, self.experiment.available * share // 100)

    def cases(self, every: bool = False) -> Iterator[tuple[str, int, int]]:
        """(method, training images, seed) of what was asked, or of all that there may be."""
        known = (HOG, *(network.name for network in self.experiment.networks))
        for method in known if every else self.methods:
            for share in SHARES if every else self.shares:
                for seed in SEEDS if every else self.seeds:
                    yield method, self.images(share), seed

    def request(self, method: str, images: int, seed: int) -> Request:
        """A network's training; of `hog`, the images that it sees."""
        experiment = self.experiment
        network = next((one for one in experiment.networks if one.name == method), None)
        keys: dict[str, Any] = {"train": images, "train_seed": seed, **self.keys}
        if network is None:
            keys |= {"image_size": experiment.size, "source_size": 0}
        else:
            keys = {**network.keys, "epoch_images": experiment.available, **keys}
        name = network.name if network else experiment.networks[0].name
        return Request(
            name, experiment.dataset, overrides=keys, seed=seed if network else 0, source=self.source, export=False
        )

    def place(self, method: str, images: int, seed: int) -> Path:
        """Where a result lies: a run's directory, or a file of the histograms' result."""
        request = self.request(method, images, seed)
        resolved = Prepared(request).resolved
        directory = repeated.place(self.folder, request, resolved)
        return directory if method != HOG else directory.with_name(f"{HOG}-{directory.name}.json")


def found(asked: Asked, method: str, images: int, seed: int) -> dict[str, Any] | None:
    """The result of a case, if it is there."""
    place = asked.place(method, images, seed)
    if method == HOG:
        return json.loads(place.read_text(encoding="utf-8")) if place.is_file() else None
    if not repeated.finished(place):
        return None
    run = Run(place)
    metrics, receipt = run.metrics or {}, run.receipt
    kept = {key: metrics[key] for key in ("count", "correct")}
    return {"images": images, "seed": seed, **kept, "seconds": receipt["seconds"], "command": receipt["command"]}


# the classical pipeline -----------------------------------------------------------------------------------------


class Histograms:
    """Features of images, computed once each; `rows` are those of a data set's cache."""

    def __init__(self, cell: int) -> None:
        self.cell = cell
        self.known: dict[int, np.ndarray[Any, Any]] = {}

    def of(self, part: Any) -> np.ndarray[Any, Any]:
        """Features of a part, float32 [n, features]."""
        from hog import features

        missing = [row for row in part.rows.tolist() if row not in self.known]
        for row, values in zip(missing, features(part.images[missing], self.cell) if missing else (), strict=True):
            self.known[row] = values
        return np.stack([self.known[row] for row in part.rows.tolist()])


def regress(data: Any, histograms: Histograms) -> dict[str, Any]:
    """Fit a logistic regression for each penalty, choose by the validation part, and look at the test part once."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    train, validation = histograms.of(data.train), histograms.of(data.validation)
    best: tuple[float, float, Any] | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the limit is part of the method, and reported
        for penalty in PENALTIES:
            model = LogisticRegression(C=penalty, max_iter=ITERATIONS).fit(train, data.train.labels)
            share = float((model.predict(validation) == data.validation.labels).mean())
            if best is None or share > best[0]:
                best = share, penalty, model
    assert best is not None
    correct = int((best[2].predict(histograms.of(data.test)) == data.test.labels).sum())
    return {
        "count": len(data.test),
        "correct": correct,
        "chosen": {"C": best[1], "validation_accuracy": best[0], "iterations": int(max(best[2].n_iter_))},
    }


def measure_hog(asked: Asked, images: int, seed: int, histograms: Histograms) -> None:
    """Measure the classical pipeline on a choice of images, and keep the result."""
    began = time.monotonic()
    data = Prepared(asked.request(HOG, images, seed)).data(Reporter(quiet=True))
    result = {"images": images, "seed": seed, **regress(data, histograms)}
    result["seconds"] = round(time.monotonic() - began, 1)
    atomic_write(asked.place(HOG, images, seed), json.dumps(result, indent=1) + "\n")


# all of it ------------------------------------------------------------------------------------------------------


def run(asked: Asked, reporter: Reporter) -> None:
    """Measure what is asked and not there yet."""
    histograms = Histograms(asked.experiment.cell)
    cases = list(asked.cases())
    with repeated.alone(asked.folder):
        for number, (method, images, seed) in enumerate(cases, start=1):
            before = found(asked, method, images, seed)
            if before is None and method == HOG:
                measure_hog(asked, images, seed, histograms)
            elif before is None:
                place = asked.place(method, images, seed)
                repeated.once(asked.request(method, images, seed), place, reporter)
            after = found(asked, method, images, seed)
            assert after is not None
            share = 100 * after["correct"] / after["count"]
            note = "done already, " * (before is not None)
            reporter.note(f"== {number} of {len(cases)}: {method}, {images:,} images, seed {seed}: {note}{share:.2f} %")


def gathered(asked: Asked) -> dict[str, Any]:
    """All results that there are, as the site reads them."""
    experiment = asked.experiment
    titles = {HOG: "HOG + logistic regression", **{one.name: one.title for one in experiment.networks}}
    runs: dict[str, list[dict[str, Any]]] = {method: [] for method in titles}
    cases = dict.fromkeys([*asked.cases(every=True), *asked.cases()])
    for method, images, seed in cases:
        result = found(asked, method, images, seed)
        if result is not None:
            runs[method].append(result)
    counts = {result["count"] for results in runs.values() for result in results}
    return {
        "format": 1,
        "dataset": experiment.dataset,
        "part": "test",
        "count": counts.pop(),
        "available": experiment.available,
        "command": f"python experiments/accuracy_against_data.py {experiment.dataset}",
        "told": told(experiment, [method for method, results in runs.items() if results]),
        "note": NOTE,
        "curves": [{"method": titles[method], "runs": results} for method, results in runs.items() if results],
        "versions": versions([]) | {"scikit-learn": _scikit_learn()},
        "hardware": [describe()],
    }


def told(experiment: Experiment, measured: Sequence[str]) -> dict[str, str]:
    """How it was measured, in words, of the methods that were."""
    networks = "; ".join(
        f"{one.title}: the quick recipe" + (f" with epochs = {one.keys['epochs']}" if "epochs" in one.keys else "")
        for one in experiment.networks
        if one.name in measured
    )
    return {
        "images": "as many of each class, another choice of them for each seed, except of all; validation and test "
        "parts stay",
        "HOG": f"{experiment.size} x {experiment.size} pixels, cells of {experiment.cell}, nine orientations; C of "
        f"{', '.join(f'{value:g}' for value in PENALTIES)} chosen on the validation part, at most {ITERATIONS} "
        "iterations of L-BFGS",
        "networks": f"{networks}; as many steps for every number of images, an epoch shows few images several times",
    }


def _scikit_learn() -> str:
    from importlib.metadata import version

    return version("scikit-learn")


def plan(asked: Asked) -> None:
    """Print what is left and how long the networks take."""
    left = [case for case in asked.cases() if found(asked, *case) is None]
    total = len(asked.shares) * len(asked.seeds)
    for method in asked.methods:
        print(f"{method}: {sum(case[0] == method for case in left)} left of {total}")
    requests = [asked.request(*case) for case in left if case[0] != HOG]
    if requests:
        print(f"The networks take about {duration(forecast(requests))} on this machine.")


def arguments(given: Sequence[str] | None) -> tuple[Asked, Path, bool]:
    """What the command line says: what to measure, where the result is kept, whether only to plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=EXPERIMENTS)
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="hog, or networks of the experiment; all")
    parser.add_argument("--shares", nargs="+", type=int, default=SHARES, help="per cent of the training images")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--output", type=Path, help="folder of the runs")
    parser.add_argument("--source", type=Path, help="where the data set's files are")
    parser.add_argument("--keep", type=Path, help="file of the result; the site's own")
    parser.add_argument("--keys", type=json.loads, default={}, help="a trial: recipe keys for all, as a JSON object")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args(given)
    experiment = EXPERIMENTS[options.dataset]
    known = (HOG, *(network.name for network in experiment.networks))
    methods = tuple(options.methods or known)
    if unknown := [method for method in methods if method not in known]:
        parser.error(f"--methods takes {', '.join(known)}. Received: {', '.join(unknown)}")
    folder = options.output or runs_root() / "amount" / options.dataset
    kept = options.keep or KEPT / f"amount-{options.dataset}.json"
    if options.keys and options.keep is None:
        parser.error("a trial (--keys) is not the site's result: say --keep FILE")
    shares, seeds = tuple(options.shares), tuple(options.seeds)
    asked = Asked(experiment, methods, shares, seeds, folder, options.source, options.keys)
    return asked, kept, options.dry_run


def main(given: Sequence[str] | None = None) -> None:
    """Run the command line."""
    asked, kept, only_plan = arguments(given)
    if only_plan:
        plan(asked)
        return
    run(asked, Reporter())
    atomic_write(kept, json.dumps(gathered(asked), indent=1) + "\n")
    print(kept)


if __name__ == "__main__":
    main()
