"""`zoo compare`: runs side by side."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import click

from zoo.cli.runs import taken
from zoo.cli.text import number, percent, print_json, table, terminal_width
from zoo.errors import UsageError


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
    from zoo.runs import resolve

    if len(names) < 2:
        raise UsageError(f"zoo compare takes two runs or more. Received: {len(names)}")
    runs = [resolve(name) for name in names]
    rows = api.compare(*runs)
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
    click.echo(table(header, cells, right=right, gives_way="what", width=terminal_width()))
    for test in tests:
        click.echo(f"\n{_sentence(test)}")
