"""Results, written from finished runs: one file per (architecture, data set, recipe) in `docs/results/`, and the
table in README.md that is made of them.

    python scripts/results.py add RUN...      take runs over, one per seed
    python scripts/results.py table           write the table into README.md
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.evaluation import wilson
from zoo.progress import duration
from zoo.runs import Run, resolve

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
README = ROOT / "README.md"
BEGIN, END = "<!-- results: begin (scripts/results.py table) -->", "<!-- results: end -->"
# per cent, as printed in the chapter
CHAPTER = {
    "fc-tf mnist": 92.0,
    "cnn mnist": 99.06,
    "cnn-5x5 mnist": 98.90,
    "fc-keras mnist": 98.26,
    "vgg16 catsdogs": 78.38,
}
RECIPES = ("book", "quick")
KEPT = ("command", "started", "precision", "threads", "versions", "hardware", "parameters", "seconds")


def add(run: Run) -> Path:
    """Take a finished run over into the file of its row; a run of the same seed is replaced."""
    receipt, metrics = run.receipt, run.metrics
    if receipt["status"] != "finished" or receipt["rehearsal"] or metrics is None:
        raise UsageError(f"Only finished, real runs have results. Received: {run.title}, {receipt['status']}")
    name = f"{receipt['spec']['name']}-{receipt['dataset']['name']}-{receipt['recipe']['name']}"
    path = RESULTS / f"{name}.json"
    values = {key: entry["value"] for key, entry in receipt["recipe"]["values"].items()}
    row: dict[str, Any] = {
        "architecture": receipt["spec"]["name"],
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
    seeds.append({"seed": seed, **result, **{key: receipt[key] for key in KEPT}})
    row["seeds"] = sorted(seeds, key=lambda entry: entry["seed"])
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    return path


def table() -> str:
    """The table of all results, in Markdown."""
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("*.json")]
    rows.sort(key=lambda row: (row["dataset"] != "mnist", row["architecture"], RECIPES.index(row["recipe"]["name"])))
    lines = [
        "| network | data | recipe | accuracy, % | 95 % interval | seeds | chapter, % | time | command |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        seeds = row["seeds"]
        accuracies = [100 * entry["accuracy"] for entry in seeds]
        spread = f" ± {statistics.stdev(accuracies):.2f}" if len(seeds) > 1 else ""
        low, high = wilson(round(statistics.mean(entry["correct"] for entry in seeds)), seeds[0]["count"])
        chapter = CHAPTER.get(f"{row['architecture']} {row['dataset']}")
        lines.append(
            f"| `{row['architecture']}` | `{row['dataset']}` | {row['recipe']['name']} "
            f"| {statistics.mean(accuracies):.2f}{spread} "
            f"| {100 * low:.2f} to {100 * high:.2f}, {seeds[0]['count']:,} {row['part']} images | {len(seeds)} "
            f"| {'' if chapter is None else f'{chapter:.2f}'} "
            f"| {duration(statistics.median(entry['seconds'] for entry in seeds))} | `{seeds[0]['command']}` |"
        )
    machines = [entry["hardware"] for row in rows for entry in row["seeds"]]
    hardware = sorted({f"{machine['processor']}, {machine['cores']} cores" for machine in machines})
    lines.append("")
    lines.append(
        "Mean over the seeds ± their standard deviation; the Wilson interval is of the mean count. Wall time of one "
        f"run, with evaluation and export, on: {'; '.join(hardware)}. Receipts: `docs/results/`."
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
            print(add(resolve(name)).relative_to(ROOT))
    else:
        README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
