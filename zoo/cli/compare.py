"""`zoo compare`: runs side by side."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.runs import taken
from zoo.cli.text import number, percent, print_json, table, terminal_width
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.runs.directory import Run


@click.command(
    "compare",
    epilog="""\b
Examples:
  zoo compare 1a2b3c 4d5e6f
  zoo compare runs/cnn-mnist/* --json
""",
)
@click.argument("names", nargs=-1, metavar="RUN RUN...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(names: tuple[str, ...], as_json: bool) -> None:
    """Compare runs: accuracy with its 95 % interval, parameters and time.

    Two runs that were tested on the same images are also compared image by image (McNemar's test).
    """
    from zoo import api
    from zoo.runs.directory import resolve

    if len(names) < 2:
        raise UsageError(f"zoo compare takes two runs or more. Received: {len(names)}")
    runs = [resolve(name) for name in names]
    rows = api.compare(*runs)
    if len({run.directory.resolve() for run in runs}) < len(runs):
        raise UsageError(f"zoo compare takes different runs. Received one twice: {', '.join(run.id for run in runs)}")
    tests = [test for pair in combinations(runs, 2) if (test := paired_test(*pair)) is not None]
    if as_json:
        print_json({"runs": rows, "mcnemar": tests})
        return
    header = ("run", "what", "seed", "accuracy (95 % interval)", "images", "parameters", "time")
    cells = [
        (row["id"], row["title"], str(row["seed"]), _accuracy(row), _images(row), number(row["parameters"]), taken(row))
        for row in rows
    ]
    right = ("seed", "images", "parameters", "time")
    click.echo(
        table(header, cells, right=right, gives_way="what", drops=("images", "seed", "time"), width=terminal_width())
    )
    for test in tests:
        click.echo(f"\n{test['first']} (first) against {test['second']} (second): {test['sentence']}")


def paired_test(first: Run, second: Run) -> dict[str, Any] | None:
    """McNemar's test of two runs; None unless both were tested on the same images."""
    from zoo.runs.evaluation import compare_predictions, read_predictions

    paths = [run.directory / "predictions.csv" for run in (first, second)]
    sources = [(run.receipt["dataset"]["name"], run.receipt["dataset"]["fingerprint"]) for run in (first, second)]
    if sources[0] != sources[1] or not all(path.exists() for path in paths):
        return None
    one, other = map(read_predictions, paths)
    if set(one.keys) != set(other.keys):
        return None
    return {"first": first.id, "second": second.id, **compare_predictions(one, other)}


def _accuracy(row: dict[str, Any]) -> str:
    return "-" if row["accuracy"] is None else percent(row["accuracy"], row["interval"])


def _images(row: dict[str, Any]) -> str:
    return "-" if row["count"] is None else f"{row['count']:,} {row['part']}"
