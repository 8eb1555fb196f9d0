"""Publishing: finished runs become the receipt of a row, `results/<arch>-<dataset>-<recipe>.json` in the package of the
architecture, an entry per seed; and the table of all rows in Markdown. `zoo.results` reads receipts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import chapter
from zoo.errors import UsageError
from zoo.evaluation import wilson
from zoo.files import atomic_write
from zoo.progress import duration
from zoo.recipes import resolve
from zoo.registry import Plugin, Registry
from zoo.results import FOLDER, Result, receipts
from zoo.results import read as read_result
from zoo.runs import Run, find_runs

BEGIN, END = "<!-- results: begin (zoo results table) -->", "<!-- results: end -->"
_RECIPES = ("book", "quick", "best")
_KEPT = ("command", "started", "precision", "threads", "versions", "hardware", "parameters", "seconds", "forecast")
_KEPT_WHERE_THERE = ("inexact", "minutes_taken")
_FAST = 600.0
"""Seconds: rows whose runs take less have three seeds at least, five on MNIST."""


def publish(
    runs: Sequence[Run], *, trials: int | None = None, name: str | None = None, package: Path | None = None
) -> Path:
    """Write finished runs of one row into its receipt and return its path; a run of the same seed is replaced, and
    runs of another recipe or other data are dropped.

    `trials` is how many trainings of the pair were made until these (None: the runs there are beside them), `name`
    the row's recipe where the runs' differs from the plugin's file, `package` the folder to write into (None: the
    architecture's). Raises UsageError for runs that are not of one row, or of none.
    """
    for run in runs:
        _require_real(run)
    first = runs[0]
    plugin = Registry.discover().get("architecture", first.spec.name)
    folder = package or plugin.folder
    if folder is None:
        raise UsageError(f"{plugin.title} is a single module: there is no folder to keep results in. Try: --output DIR")
    recipe = name or first.receipt["recipe"]["name"]
    if name is None:
        _require_the_recipe(first, plugin)
    row = _row(first, recipe)
    for run in runs[1:]:
        if _row(run, recipe) != row:
            raise UsageError(
                f"Runs of one row share recipe and data. Received: {first.title}, and otherwise {run.title}"
            )
    path = folder / FOLDER / f"{plugin.name}-{first.receipt['dataset']['name']}-{recipe}.json"
    seeds = {entry["seed"]: entry for entry in [*_published(path, row), *map(_entry, runs)]}
    row["trials"] = trials if trials is not None else _count_trials(runs)
    row["seeds"] = [seeds[seed] for seed in sorted(seeds)]
    path.parent.mkdir(exist_ok=True)
    atomic_write(path, json.dumps(row, indent=1) + "\n")
    return path


def _require_real(run: Run) -> None:
    receipt = run.receipt
    if receipt["status"] != "finished" or receipt["rehearsal"] or run.metrics is None:
        what = "a rehearsal" if receipt["rehearsal"] else receipt["status"]
        raise UsageError(f"Only finished, real runs have results. Received: {run.title}, {what}")


def _require_the_recipe(run: Run, plugin: Plugin) -> None:
    """Raise UsageError if the run's recipe is not what its name means."""
    name = run.receipt["recipe"]["name"]
    dataset = Registry.discover().get("dataset", run.receipt["dataset"]["name"])
    expected = resolve(plugin, dataset, name).as_dict()
    values = _values(run)
    other = [key for key in expected if json.dumps(expected[key]["value"]) != json.dumps(values.get(key))]
    if other:
        told = ", ".join(f"{key} = {json.dumps(values.get(key))}" for key in other[:4])
        raise UsageError(
            f"The run {run.id} is not of the recipe {name!r} as it stands: it has {told}. "
            "Change the recipe's file, or give the row a name of its own: --as NAME"
        )


def _values(run: Run) -> dict[str, Any]:
    return {key: entry["value"] for key, entry in run.receipt["recipe"]["values"].items()}


def _row(run: Run, recipe: str) -> dict[str, Any]:
    """What all runs of a row have in common."""
    receipt, metrics = run.receipt, run.metrics or {}
    return {
        "architecture": receipt["spec"]["name"],
        "dataset": receipt["dataset"]["name"],
        "fingerprint": receipt["dataset"]["fingerprint"],
        "split_hash": receipt["dataset"]["split_hash"],
        "part": metrics["part"],
        "recipe": {"name": recipe, "values": _values(run)},
    }


def _published(path: Path, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of the receipt that is there, if it is of the same recipe and data."""
    if not path.exists():
        return []
    stored = json.loads(path.read_text(encoding="utf-8"))
    same = all(stored.get(key) == json.loads(json.dumps(value)) for key, value in row.items())
    return list(stored["seeds"]) if same else []


def _entry(run: Run) -> dict[str, Any]:
    """A run's result, what it cost and with what, and its bits."""
    receipt, metrics = run.receipt, run.metrics or {}
    result = {key: metrics[key] for key in ("count", "correct", "accuracy", "interval", "loss")}
    kept = {key: receipt.get(key) for key in _KEPT} | {key: receipt[key] for key in _KEPT_WHERE_THERE if key in receipt}
    return {"seed": receipt["spec"]["seed"], **result, **kept, "bits": bits(run)}


def bits(run: Run) -> dict[str, str]:
    """SHA-256 of what a run ended with: its weights (names, types, shapes, values) and its predictions."""
    from zoo.export import digest, load_weights

    predictions = (run.directory / "predictions.csv").read_bytes()
    return {
        "weights": digest(load_weights(run.model_directory / "weights.npz")),
        "predictions": hashlib.sha256(predictions).hexdigest(),
    }


def _count_trials(runs: Sequence[Run]) -> int:
    """How many runs of the pair there are: among the user's, and beside those that are published."""
    pair = (runs[0].spec.name, runs[0].receipt["dataset"]["name"])
    places = dict.fromkeys([None, *(run.directory.resolve().parent for run in runs)])
    found = {run.directory.resolve() for run in runs}
    for place in places:
        for run in find_runs(place):
            try:
                if (run.spec.name, run.receipt["dataset"]["name"]) == pair and not run.receipt["rehearsal"]:
                    found.add(run.directory.resolve())
            except (KeyError, ValueError, UsageError):
                continue  # what can't be read is no trial that counts
    return len(found)


def advice(path: Path) -> str:
    """What a row lacks, in a sentence, or ""."""
    result = read_result(path)
    wanted = 5 if result.dataset == "mnist" else 3
    if result.seconds is None or result.seconds >= _FAST or result.seeds >= wanted:
        return ""
    return f"A row of runs under ten minutes has {wanted} seeds at least. Received: {result.seeds}"


# the table ----------------------------------------------------------------------------------------------------------


def rows(plugins: Sequence[Plugin]) -> list[tuple[Result, dict[str, Any]]]:
    """The rows that plugins publish with their receipts, in the order of the table."""
    folders = dict.fromkeys(plugin.folder for plugin in plugins if plugin.folder and plugin.status == "ok")
    found = [(read_result(path), json.loads(path.read_text())) for folder in folders for path in receipts(folder)]

    def place(item: tuple[Result, dict[str, Any]]) -> tuple[bool, str, str, int, str]:
        result = item[0]
        known = _RECIPES.index(result.recipe) if result.recipe in _RECIPES else len(_RECIPES)
        return result.dataset != "mnist", result.dataset, result.architecture, known, result.recipe

    return sorted(found, key=place)


def table(plugins: Sequence[Plugin]) -> str:
    """The table of all rows, in Markdown."""
    lines = [
        "| network | data | recipe | accuracy, % | 95 % interval | seeds | chapter, % | time | command |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    machines = set()
    for result, stored in rows(plugins):
        for entry in stored["seeds"]:
            if hardware := entry.get("hardware"):
                machines.add(f"{hardware['processor']}, {hardware['cores']} cores")
        spread = "" if result.spread is None else f" ± {100 * result.spread:.2f}"
        low, high = wilson(round(result.accuracy * result.count), result.count)
        printed = chapter.experiment(result.architecture, result.dataset)
        lines.append(
            f"| `{result.architecture}` | `{result.dataset}` | {result.recipe} "
            f"| {100 * result.accuracy:.2f}{spread} "
            f"| {100 * low:.2f} to {100 * high:.2f}, {result.count:,} {result.part} images | {result.seeds} "
            f"| {'' if printed is None else f'{100 * printed.accuracy:.2f}'} "
            f"| {'' if result.seconds is None else duration(result.seconds)} | `{result.command}` |"
        )
    lines.append("")
    lines.append(
        "Mean over the seeds ± their standard deviation; the Wilson interval is of the mean count. Wall time: the "
        f"median run, with evaluation and export, on: {'; '.join(sorted(machines))}, other work beside it. "
        "`zoo results show ROW` prints a row's receipt, `zoo results reproduce ROW` trains it again and judges."
    )
    return "\n".join(lines)


def with_table(text: str, plugins: Sequence[Plugin]) -> str:
    """A Markdown text with the present table between its two marks. Raises UsageError if it has none."""
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise UsageError(f"The file must hold the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{table(plugins)}\n{END}{tail}"
