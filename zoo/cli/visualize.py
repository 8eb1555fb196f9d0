"""`zoo visualize`: draw a run or an untrained architecture."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli import verbose
from zoo.files import printable


@click.command(
    epilog="""\b
Examples:
  zoo visualize last                            all figures of a run
  zoo visualize last --only confusion,gradcam
  zoo visualize last --image photo.jpg --only features --layers conv1,conv2
  zoo visualize vgg16                           an architecture, untrained
  zoo visualize vgg16 catsdogs -o pictures
  zoo visualize --list                          the names of the figures

\b
A name stands for all that begin with it and a hyphen: features for features-conv1.
"""
)
@click.argument("what", metavar="RUN|ARCH", required=False)
@click.argument("dataset", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the pictures.")
@click.option("--only", multiple=True, metavar="NAME,...", help="Draw these figures only.")
@click.option("--layers", multiple=True, metavar="LAYER,...", help="Feature maps of these; Grad-CAM at the last.")
@click.option("--image", "images", multiple=True, type=click.Path(path_type=Path), help="Look at this file or folder.")
@click.option("--source", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("--list", "listing", is_flag=True, help="List the figures that there are, or a run's.")
def command(
    what: str | None,
    dataset: str | None,
    output: Path | None,
    only: tuple[str, ...],
    layers: tuple[str, ...],
    images: tuple[Path, ...],
    source: Path | None,
    listing: bool,
) -> None:
    """Draw a run's figures, or those of an architecture; print the files written."""
    from zoo import api

    if listing:
        _list(what)
        return
    if what is None:
        raise click.UsageError("Missing argument 'RUN|ARCH'.")
    written = api.visualize(
        what,
        dataset,
        output=output,
        only=_split(only),
        layers=_split(layers),
        images=images,
        source=source,
        verbose=verbose(),
    )
    for path in written:
        click.echo(path)


def _split(values: tuple[str, ...]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _list(what: str | None) -> None:
    """Print a line per figure: those that can be drawn, or, with their captions, those that a run has."""
    from zoo.figures import CATALOGUE
    from zoo.registry import Registry
    from zoo.runs.directory import captions_of, resolve

    needs = {"": "", "run": " (of a run)", "images": " (of a run with its images)"}
    rows = {entry.name: entry.says + needs[entry.needs] for entry in CATALOGUE}
    if what is not None and what in {plugin.name for plugin in Registry.discover().of("architecture")}:
        rows = {entry.name: entry.says for entry in CATALOGUE if not entry.needs}
    elif what is not None:
        run = resolve(what)
        if drawn := captions_of(run.directory / "figures"):
            rows = {name.rpartition(".")[0]: caption for name, caption in drawn.items()}
        else:
            click.echo(f"No figure of {what} is drawn yet: zoo visualize {run.quoted} draws what it can of", err=True)
    width = max(map(len, rows), default=0)
    for name, says in rows.items():
        click.echo(printable(f"{name:<{width}}  {says}"))
