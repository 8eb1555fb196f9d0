"""`zoo evaluate`: measure a finished run again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from zoo.cli import verbose


@click.command(
    epilog="""\b
Examples:
  zoo evaluate last
  zoo evaluate runs/cnn-mnist/20260101T120000-1a2b3c --json
"""
)
@click.argument("run", metavar="RUN")
@click.option("--source", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("--json", "as_json", is_flag=True, help="Print all metrics as JSON.")
def command(run: str, source: Path | None, as_json: bool) -> None:
    """Evaluate RUN again on its own test images, in float32 with the full model."""
    from zoo import api

    result = api.evaluate(run, source=source, verbose=verbose())
    if as_json:
        click.echo(json.dumps(result, indent=1))
    elif result.get("rehearsal"):
        click.echo(f"REHEARSAL: {result['count']:,} generated images have no accuracy to report")
    else:
        low, high = result["interval"]
        click.echo(
            f"{100 * result['accuracy']:.2f} % of {result['count']:,} {result['part']} images "
            f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %)"
        )
