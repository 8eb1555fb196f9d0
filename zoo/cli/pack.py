"""`zoo pack`: a run's network into a plugin's package."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  zoo pack "cnn mnist" mnist --about "handwritten digits" --licence Apache-2.0
  zoo predict zoo:cnn/mnist digit.png
"""
)
@click.argument("run")
@click.argument("name")
@click.option("--about", default="", help="What it tells apart, in a line.")
@click.option("--licence", default="", help="Under what terms the weights are given, as Apache-2.0.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="The package's folder.  [default: that of the architecture]",
)
def command(run: str, name: str, about: str, licence: str, output: Path | None) -> None:
    """Put RUN's network into its architecture's package as zoo:ARCH/NAME, in float16.

    RUN is a path, the beginning of an id, last, or "ARCH DATASET". The files go into models/ARCH/NAME; name them in
    the package data, and whoever installs the package can predict with it.
    """
    from zoo.files import lies_in_a_copy
    from zoo.prediction import packaged
    from zoo.runs.directory import resolve

    folder = packaged.pack_run(resolve(run), name, about=about, licence=licence, package=output)
    click.echo(folder)
    for note in lies_in_a_copy(folder):
        click.echo(f"Note: {note}", err=True)
