"""`zoo runs`: the runs that there are."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.text import number, percent, print_json, table, terminal_width
from zoo.errors import ZooError


@click.command(
    "runs",
    epilog="""\b
Examples:
  zoo runs
  zoo runs --json
  ZOO_RUNS=/data/runs zoo runs
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List the runs in $ZOO_RUNS, or in the folder runs, the newest first."""
    from zoo.runs.directory import find_runs, runs_root

    rows = [_row(run) for run in find_runs()]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(f"There is no run in {runs_root()}. Train one: zoo train cnn mnist", err=True)
        return
    header = ("run", "what", "status", "accuracy", "parameters", "time")
    cells = [
        (row["id"], row["title"], row["status"], accuracy(row), number(row["parameters"]), taken(row)) for row in rows
    ]
    click.echo(
        table(
            header,
            cells,
            right=("accuracy", "parameters", "time"),
            gives_way="what",
            drops=("parameters", "time"),
            width=terminal_width(),
        )
    )


def _row(run: Any) -> dict[str, Any]:
    from zoo.api import comparison_row

    try:
        row = comparison_row(run)
    except ZooError as error:
        empty = dict.fromkeys(("part", "count", "accuracy", "interval", "parameters", "seconds", "seed"))
        row = {"id": run.id, "title": f"unreadable: {error}", "status": "unreadable", **empty}
    return row | {"directory": str(run.directory)}


def accuracy(row: dict[str, Any]) -> str:
    """The accuracy of a row of `zoo.api.compare`, or a dash."""
    return "-" if row["accuracy"] is None else percent(row["accuracy"])


def taken(row: dict[str, Any]) -> str:
    """The time that the run of a row took, or a dash."""
    from zoo.progress import duration

    return "-" if row["seconds"] is None else duration(row["seconds"])
