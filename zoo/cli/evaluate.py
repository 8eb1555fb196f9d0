"""`zoo evaluate`: measure a finished run again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from zoo.cli import verbose
from zoo.cli.text import number, percent, table, terminal_width
from zoo.files import one_line, printable


@click.command(
    epilog="""\b
Examples:
  zoo evaluate last
  zoo evaluate last --source ./flowers         a run on your own images, which it does not keep
  zoo evaluate last --on ./new-flowers         on other images, a folder per class
  zoo evaluate runs/cnn-mnist/20260101T120000-1a2b3c --json
"""
)
@click.argument("run", metavar="RUN")
@click.option("--source", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("--on", type=click.Path(path_type=Path), metavar="FOLDER", help="Other images: a folder of each class.")
@click.option("--json", "as_json", is_flag=True, help="Print all metrics as JSON.")
def command(run: str, source: Path | None, on: Path | None, as_json: bool) -> None:
    """Evaluate RUN again on its own test images, in float32 with the full model.

    With --on: on the images in a folder that holds a folder for each of RUN's classes, or for some of them. Nothing is
    written; RUN's own metrics stay.
    """
    from zoo import api
    from zoo.runs.evaluation import sentence

    result = api.evaluate(run, on=on, source=source, verbose=verbose())
    if as_json:
        click.echo(json.dumps(result, indent=1))
    elif result.get("rehearsal"):
        click.echo(f"REHEARSAL: {result['count']:,} generated images have no accuracy to report")
    elif on is None:
        click.echo(sentence(result, f"{result['part']} image"))
    else:
        _print_by_class(result, sentence(result, where=f" in {result['on']}"))


def _print_by_class(result: Mapping[str, Any], whole: str) -> None:
    """The result as a `whole`, in words, and by class; on standard error, what was not counted."""
    for note in result["notes"]:
        click.echo(printable(note), err=True)
    for entry in result["left_out"]:
        click.echo(one_line(f"{entry['image']} was left out: {entry['reason']}"), err=True)
    click.echo(printable(whole) + "\n")
    rows = [_row(result, index) for index, entry in enumerate(result["classes"]) if entry["count"]]
    header = ("class", "images", "recognised", "precision", "taken for")
    right = ("images", "recognised", "precision")
    click.echo(table(header, rows, right=right, gives_way="taken for", drops=("precision",), width=terminal_width()))


def _row(result: Mapping[str, Any], index: int) -> tuple[str, ...]:
    """A class: how many images, how many of them are recognised, and what the others are taken for."""
    entry, names = result["classes"][index], [other["name"] for other in result["classes"]]
    mistakes = [(count, other) for other, count in enumerate(result["confusion"][index]) if count and other != index]
    most = [f"{names[other]} {count:,}" for count, other in sorted(mistakes, key=lambda pair: (-pair[0], pair[1]))]
    return (
        entry["name"],
        number(entry["count"]),
        percent(entry["recall"], entry["recall_interval"]),
        "-" if entry["precision"] is None else percent(entry["precision"]),
        ", ".join(most) or "-",
    )
