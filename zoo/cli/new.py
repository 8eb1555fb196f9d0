"""`zoo new`: start a project for an architecture or a data set."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import cast

import click

from zoo import scaffold


@click.command(
    "new",
    epilog="""\b
Examples:
  zoo new architecture my-net
  zoo new dataset my-data --output projects/my-data
""",
)
@click.argument("kind", type=click.Choice(["architecture", "dataset"]))
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The folder to make. Default: NAME.")
def command(kind: str, name: str, output: Path | None) -> None:
    """Write a complete small project for an architecture or a data set called NAME.

    A package, its card, pyproject.toml with the entry point, README, tests on the conformance suite and a
    CI workflow. Its tests pass and it trains on MNIST at once; then it is yours to change.
    """
    folder = output or Path(name)
    for path in scaffold.create(cast(scaffold.Kind, kind), name, folder):
        click.echo(str(path))
    where = shlex.quote(str(folder))
    trains = f"zoo train {name} mnist" if kind == "architecture" else f"zoo train cnn {name} --rehearse"
    click.echo(f"\nNext:\n  cd {where}\n  pip install -e .\n  zoo check {name}\n  {trains}", err=True)
