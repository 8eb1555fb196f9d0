"""Publishing: finished runs become the receipt of a row, `results/<arch>-<dataset>-<recipe>.json` in the package of the
architecture, an entry per seed. `zoo.results.published` reads receipts, `zoo.results.reproduction` does them again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, ZooError
from zoo.files import atomic_write, lies_in_a_copy
from zoo.recipes import available, complete, resolve
from zoo.registry import Plugin, Registry
from zoo.results.published import FOLDER, Receipt, read_receipt
from zoo.results.reproduction import FAST
from zoo.runs.directory import Run, find_runs
from zoo.runs.request import FOLDER as OWN_FOLDER

SMALL = 3_000_000
"""Parameters of a network that is cheap enough for five."""
_KEPT = ("command", "started", "precision", "threads", "versions", "hardware", "parameters", "seconds", "forecast")
_KEPT_WHERE_THERE = ("devices", "environment", "weights", "inexact", "minutes_taken")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_SHOWN = 4  # keys of a recipe in a message


@dataclass(frozen=True)
class Publication:
    """A receipt that was written, and what its publisher should know."""

    path: Path
    notes: tuple[str, ...]


def publish(
    runs: Sequence[Run], *, trials: int | None = None, name: str | None = None, package: Path | None = None
) -> Publication:
    """Write finished runs of one row, a seed each, into its receipt. A run of the same seed is replaced; the runs that
    are there stay if they are of the same recipe and data.

    `trials` is how many trainings of the network on the data there were until now, these among them (None: the runs
    there are, in the user's folder and beside these). `name` is the row's, where its recipe is none of the plugins'
    files; `package` is the folder to write into (None: the architecture's). Raises UsageError for runs that are not
    of one row, or that nobody else could reproduce.
    """
    for run in runs:
        _require_real(run)
    first, registry = runs[0], Registry.discover()
    plugin = registry.get("architecture", first.spec.name)
    folder = package or plugin.folder
    if folder is None:
        raise UsageError(f"{plugin.title} is a single module: there is no folder to keep results in. Try: --output DIR")
    recipe = _require_recipe(first, plugin, registry.get("dataset", first.receipt["dataset"]["name"]), name)
    row = row_of(first, recipe)
    _require_one_row(runs, row)
    path = folder / FOLDER / f"{plugin.name}-{row['dataset']}-{recipe}.json"
    stored, notes = _stored(path, row)
    entries = [*(stored.seeds if stored else []), *map(_entry, runs)]
    seeds = {entry.get("seed"): entry for entry in entries}
    least = max(len(seeds), (stored and stored.result.trials) or 0)
    if trials is not None and trials < len(seeds):
        raise UsageError(f"--trials counts the row's own {len(seeds)} runs as well. Received: {trials}")
    row["trials"] = max(_count_trials(runs), least) if trials is None else trials
    row["seeds"] = sorted(seeds.values(), key=lambda entry: entry.get("seed") or 0)
    _write(path, row)
    return Publication(path, (*notes, *_inexact(runs), *_advice(read_receipt(path)), *lies_in_a_copy(path)))


# what can be published ------------------------------------------------------------------------------------------


def _has_no_test(run: Run) -> bool:
    """Whether the recipe, as it ships, has no test part: its result is of the validation part (vgg16's `book`)."""
    resolved = run.resolved
    shipped = all("/" in resolved.origins[key] for key in ("validation", "test"))
    return shipped and resolved.recipe.test == 0 and run.receipt.get("test", True)


def _require_real(run: Run) -> None:
    """Raise UsageError for a run that has no result, or one that nobody else can have."""
    receipt = run.receipt
    if receipt["status"] != "finished" or receipt["rehearsal"] or run.metrics is None:
        what = "a rehearsal" if receipt["rehearsal"] else receipt["status"]
        raise UsageError(f"Only finished, real runs have results. Received: {run.title}, {what}")
    if run.metrics["part"] != "test" and not _has_no_test(run):
        raise UsageError(
            f"A result is of the test part. Received: {run.title}, whose is of the {run.metrics['part']} part"
        )
    if receipt["dataset"]["name"] == OWN_FOLDER:
        raise UsageError(f"Results are of data sets that others can install. Received: {run.title}, a folder of yours")
    weights = receipt.get("weights") or {}
    if "sha256" in weights:
        raise UsageError(
            f"Nobody else can reproduce a run that begins with a file of weights. Received: {run.title}, with "
            f"{weights['name']}"
        )
    _require_agreement(run)


def _require_agreement(run: Run) -> None:
    """Raise ZooError if a run's count is not that of its predictions."""
    from zoo.runs.evaluation import read_predictions

    metrics = run.metrics or {}
    predicted = read_predictions(run.directory / "predictions.csv").correct
    if (len(predicted), sum(predicted)) != (metrics["count"], metrics.get("correct")):
        raise ZooError(
            f"The run {run.id} does not agree with itself: predictions.csv has {sum(predicted):,} of "
            f"{len(predicted):,} right, metrics.json {metrics.get('correct')} of {metrics['count']:,}"
        )


def _require_recipe(run: Run, architecture: Plugin, dataset: Plugin, name: str | None) -> str:
    """The row's recipe. Raises UsageError if the run's values are not what the name means."""
    recipe = name or str(run.receipt["recipe"]["name"])
    if not _NAME.fullmatch(recipe):
        raise UsageError(f"A row's name is made of a-z, 0-9 and -. Received: {recipe!r}")
    known = available(architecture, dataset)
    if recipe not in known:
        if name is None:
            raise UsageError(
                f"{architecture.name} on {dataset.name} has no recipe {recipe!r} any more. It has: {', '.join(known)}. "
                "To give the row a name of its own: --as NAME"
            )
        return recipe
    others = differing(values_of(run), resolve(architecture, dataset, recipe).as_dict())
    if others:
        raise UsageError(
            f"The run {run.id} is not of the recipe {recipe!r} as it stands: {in_words(others)}. "
            "Change the recipe's file, or give the row a name of its own: --as NAME"
        )
    return recipe


def _require_one_row(runs: Sequence[Run], row: Mapping[str, Any]) -> None:
    """Raise UsageError unless the runs are of one recipe and the same data, a seed each."""
    seeds: dict[int, Run] = {}
    for run in runs:
        other = row_of(run, row["recipe"]["name"])
        told = [key for key in row if key != "recipe" and row[key] != other[key]]
        values = differing(other["recipe"]["values"], row["recipe"]["values"])
        if told or values:
            what = [f"another {key.replace('_', ' ')}" for key in told] + ([in_words(values)] if values else [])
            raise UsageError(
                f"The runs of a row share network, data and recipe. Received: {runs[0].id}, and {run.id} with "
                f"{', '.join(what)}"
            )
        twin = seeds.setdefault(run.spec.seed, run)
        if twin is not run:
            raise UsageError(
                f"A row has one run of a seed. Received: {twin.id} and {run.id}, both of seed {run.spec.seed}"
            )


def differing(values: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The recipe keys whose values are not as expected: (the value, what was expected).

    Both may lack keys: those that came later have core's value. `expected` may be a recipe with origins.
    """
    plain = {
        key: entry["value"] if isinstance(entry, dict) and "origin" in entry else entry
        for key, entry in expected.items()
    }
    ours, theirs = complete(values), complete(plain)
    return {key: (ours.get(key), theirs.get(key)) for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)}


def in_words(others: Mapping[str, tuple[Any, Any]]) -> str:
    """ "epochs = 3 in place of 20, ema = 0.9 in place of 0" """
    told = [f"{key} = {json.dumps(one)} in place of {json.dumps(other)}" for key, (one, other) in others.items()]
    return ", ".join(told[:_SHOWN]) + f" and {len(told) - _SHOWN} more" * (len(told) > _SHOWN)


# the receipt ----------------------------------------------------------------------------------------------------


def values_of(run: Run) -> dict[str, Any]:
    """The values of a run's recipe, without their origins."""
    return {key: entry["value"] for key, entry in run.receipt["recipe"]["values"].items()}


def row_of(run: Run, recipe: str) -> dict[str, Any]:
    """What all runs of a row have in common."""
    receipt, metrics = run.receipt, run.metrics or {}
    return {
        "architecture": receipt["spec"]["name"],
        "dataset": receipt["dataset"]["name"],
        "fingerprint": receipt["dataset"]["fingerprint"],
        "split_hash": receipt["dataset"]["split_hash"],
        "part": metrics["part"],
        "recipe": {"name": recipe, "values": values_of(run)},
    }


def _stored(path: Path, row: Mapping[str, Any]) -> tuple[Receipt | None, list[str]]:
    """The receipt that is there, if it is of the same recipe and data; and what is said of it if it is not."""
    if not path.exists():
        return None, []
    try:
        stored = read_receipt(path)
        values = stored.content["recipe"].get("values") or {}
    except (ValueError, RecursionError) as error:
        raise ZooError(f"{path} is there and is not a receipt: {error}. Remove it, and publish again") from error
    others = [key for key in ("fingerprint", "split_hash", "part") if stored.content.get(key) != row[key]]
    recipe = differing(values, row["recipe"]["values"])
    if not others and not recipe:
        return stored, []
    what = [key.replace("_", " ") for key in others] + list(recipe)
    return None, [f"The receipt that was there was of another {', '.join(what)}: its {len(stored.seeds)} runs are gone"]


def _entry(run: Run) -> dict[str, Any]:
    """A run's result, what it cost and with what, and its bits."""
    receipt, metrics = run.receipt, run.metrics or {}
    result = {key: metrics[key] for key in ("count", "correct", "accuracy", "interval", "loss")}
    kept = {key: receipt.get(key) for key in _KEPT} | {
        key: receipt[key] for key in _KEPT_WHERE_THERE if receipt.get(key)
    }
    return {"seed": receipt["spec"]["seed"], **result, **kept, "bits": bits(run)}


def bits(run: Run) -> dict[str, str]:
    """SHA-256 of what a run ended with: its weights (names, types, shapes, values) and its predictions."""
    from zoo.runs.export import digest, load_weights

    predictions = (run.directory / "predictions.csv").read_bytes()
    return {
        "weights": digest(load_weights(run.model_directory / "weights.npz")),
        "predictions": hashlib.sha256(predictions).hexdigest(),
    }


def _count_trials(runs: Sequence[Run]) -> int:
    """How many real runs of the pair there are: the published, those beside them, and those in the user's folder."""
    pair = (runs[0].spec.name, runs[0].receipt["dataset"]["name"])
    places = dict.fromkeys([None, *(run.directory.resolve().parent for run in runs)])
    found = {run.directory.resolve() for run in runs}
    for run in (run for place in places for run in find_runs(place)):
        try:
            receipt = run.receipt
            if (receipt["spec"]["name"], receipt["dataset"]["name"]) == pair and not receipt["rehearsal"]:
                found.add(run.directory.resolve())
        except (KeyError, ZooError):
            continue  # what can't be read is no trial that counts
    return len(found)


def _write(path: Path, row: Mapping[str, Any]) -> None:
    try:
        atomic_write(path, json.dumps(row, indent=1) + "\n")
    except ZooError as error:
        raise ZooError(f"{error}. To publish into your checkout of the package: --output DIR") from error


# what to tell ---------------------------------------------------------------------------------------------------


def _inexact(runs: Sequence[Run]) -> list[str]:
    return [
        f"The run {run.id} was resumed inexactly, and the receipt says so: {'; '.join(told)}"
        for run in runs
        if (told := run.receipt.get("inexact"))
    ]


def _advice(receipt: Receipt) -> list[str]:
    """What a row lacks, in a sentence."""
    result = receipt.result
    parameters = receipt.seeds[0].get("parameters")
    small = isinstance(parameters, int) and parameters < SMALL
    wanted = 5 if small else 3
    if result.seconds is None or result.seconds >= FAST or result.seeds >= wanted:
        return []
    of = " of small networks" if small else ""
    return [f"Rows{of} under ten minutes a run have at least {wanted} seeds. Received: {result.seeds}"]
