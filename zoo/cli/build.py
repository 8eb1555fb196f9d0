"""`zoo build`: build a network and print its layers."""

from __future__ import annotations

import click

from zoo.cli import verbose


@click.command(
    "build",
    epilog="""\b
Examples:
  zoo build cnn                                  as its card says
  zoo build vgg16 catsdogs                       as its recipe for this data set would
  zoo build vgg16 --size 64 --set options.width=0.5
""",
)
@click.argument("architecture", metavar="ARCH")
@click.argument("dataset", required=False)
@click.option("--size", type=click.IntRange(1), help="Height and width of the input in pixels.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a recipe key. May be repeated.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the weights.")
def command(architecture: str, dataset: str | None, size: int | None, settings: tuple[str, ...], seed: int) -> None:
    """Build ARCH and print its layers, their shapes and parameters; train nothing."""
    from zoo import api
    from zoo.graph import format_table, from_model

    model, spec = api.build(architecture, dataset, size=size, settings=settings, seed=seed, verbose=verbose())
    click.echo(format_table(from_model(model, spec)), nl=False)
