"""`zoo visualize`: draw a run or an untrained architecture."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli import verbose


@click.command(
    epilog="""\b
Examples:
  zoo visualize last                     a run's curves and diagrams
  zoo visualize vgg16                    an architecture, untrained
  zoo visualize vgg16 catsdogs -o pictures
"""
)
@click.argument("what", metavar="RUN|ARCH")
@click.argument("dataset", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the pictures.")
def command(what: str, dataset: str | None, output: Path | None) -> None:
    """Draw a run's figures, or those of an architecture; print the files written."""
    from zoo import api

    for path in api.visualize(what, dataset, output=output, verbose=verbose()):
        click.echo(path)
