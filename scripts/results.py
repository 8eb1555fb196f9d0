"""Results, written from finished runs: one receipt per (architecture, data set, recipe) in `results/` beside the
architecture's card, and the table in README.md that is made of them.

    python scripts/results.py add RUN...      take runs over, one per seed
    python scripts/results.py table           write the table into README.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from zoo import chapter
from zoo.errors import UsageError
from zoo.evaluation import wilson
from zoo.progress import duration
from zoo.registry import Registry
from zoo.results import FOLDER, Result, read, receipts
from zoo.runs import Run, resolve

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- results: begin (scripts/results.py table) -->", "<!-- results: end -->"
RECIPES = ("book", "quick", "best")
KEPT = ("command", "started", "precision", "threads", "versions", "hardware", "parameters", "seconds", "forecast")


def add(run: Run) -> Path:
    """Take a finished run over into the receipt of its row; a run of the same seed is replaced."""
    receipt, metrics = run.receipt, run.metrics
    if receipt["status"] != "finished" or receipt["rehearsal"] or metrics is None:
        raise UsageError(f"Only finished, real runs have results. Received: {run.title}, {receipt['status']}")
    plugin = Registry.discover().get("architecture", receipt["spec"]["name"])
    if plugin.folder is None:
        raise UsageError(f"{plugin.title} is a single module: there is no folder to keep results in")
    name = f"{plugin.name}-{receipt['dataset']['name']}-{receipt['recipe']['name']}"
    path = plugin.folder / FOLDER / f"{name}.json"
    values = {key: entry["value"] for key, entry in receipt["recipe"]["values"].items()}
    row: dict[str, Any] = {
        "architecture": plugin.name,
        "dataset": receipt["dataset"]["name"],
        "fingerprint": receipt["dataset"]["fingerprint"],
        "split_hash": receipt["dataset"]["split_hash"],
        "part": metrics["part"],
        "recipe": {"name": receipt["recipe"]["name"], "values": values},
    }
    seeds = []
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        seeds = stored.pop("seeds")
        if stored != json.loads(json.dumps(row)):
            seeds = []  # the recipe or the data have changed: older results are of something else
    seed = receipt["spec"]["seed"]
    result = {key: metrics[key] for key in ("count", "correct", "accuracy", "interval", "loss")}
    seeds = [entry for entry in seeds if entry["seed"] != seed]
    seeds.append({"seed": seed, **result, **{key: receipt.get(key) for key in KEPT}})
    row["seeds"] = sorted(seeds, key=lambda entry: entry["seed"])
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    return path


def published() -> dict[Path, Result]:
    """The receipts in this repository's plugins, in the order of the table."""
    folders = [*ROOT.glob("plugins/*"), *ROOT.glob("datasets/*")]
    found = {path: read(path) for folder in folders for path in receipts(folder)}

    def place(item: tuple[Path, Result]) -> tuple[bool, str, str, int]:
        result = item[1]
        return result.dataset != "mnist", result.dataset, result.architecture, RECIPES.index(result.recipe)

    return dict(sorted(found.items(), key=place))


def table() -> str:
    """The table of all results, in Markdown."""
    lines = [
        "| network | data | recipe | accuracy, % | 95 % interval | seeds | chapter, % | time | command |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    machines = set()
    for path, result in published().items():
        for entry in json.loads(path.read_text(encoding="utf-8"))["seeds"]:
            machines.add(f"{entry['hardware']['processor']}, {entry['hardware']['cores']} cores")
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
        "Mean over the seeds ± their standard deviation; the Wilson interval is of the mean count. Wall time of one "
        f"run, with evaluation and export, on: {'; '.join(sorted(machines))}. Receipts: `results/` in each plugin's "
        "folder; `zoo list --dataset mnist` reads them."
    )
    return "\n".join(lines)


def with_table(readme: str) -> str:
    """README's text with the present table in it."""
    head, _, rest = readme.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise UsageError(f"README.md must hold the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("add").add_argument("runs", nargs="+")
    verbs.add_parser("table")
    arguments = parser.parse_args()
    if arguments.verb == "add":
        for name in arguments.runs:
            print(add(resolve(name)))
    else:
        README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
