"""`zoo build`: build a network and print its layers."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli import verbose
from zoo.cli.text import print_json, terminal_width
from zoo.types import LARGEST_SEED


@click.command(
    "build",
    epilog="""\b
Examples:
  zoo build cnn                                  as its card says
  zoo build vgg16 catsdogs                       as its recipe for this data set would
  zoo build vgg16 --size 64 --set options.width=0.5
  zoo build vgg16 --cost                         multiply-adds, memory, receptive fields
  zoo build resnet50 --weights imagenet          with weights that Keras publishes (a download)
  zoo build vgg16 --json

\b
JSON, all for one image in float32, null is unknown:
  title, note, parameters, multiply_adds, memory and peak_memory in bytes,
  receptive_field as [height, width] in pixels, layers; of each layer name,
  kind, detail, shape, parameters, multiply_adds, memory, receptive_field,
  whole_image.
""",
)
@click.argument("architecture", metavar="ARCH")
@click.argument("dataset", required=False)
@click.option("--size", type=click.IntRange(1), help="Height and width of the input in pixels.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a recipe key. May be repeated.")
@click.option(
    "--weights",
    metavar="NAME|PATH",
    help="Weights to begin with: imagenet (downloaded if not in the package), or a file.",
)
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True, help="Seed of the weights.")
@click.option("--cost", "with_cost", is_flag=True, help="Print what each layer costs for one image.")
@click.option("--json", "as_json", is_flag=True, help="Print layers and costs as JSON.")
def command(
    architecture: str,
    dataset: str | None,
    settings: tuple[str, ...],
    with_cost: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Build ARCH and print its layers, their shapes and parameters; train nothing.

    --cost adds multiply-adds (of convolutions and dense layers), the memory of each output, and its receptive field
    ("image" is all of it).
    """
    from zoo import api
    from zoo.network import cost
    from zoo.network.graph import format_table, from_model

    model, spec = api.build(architecture, dataset, settings=settings, verbose=verbose(), **options)
    graph = from_model(model, spec)
    if as_json:
        print_json(cost.table(graph).as_dict())
    elif with_cost:
        click.echo(cost.format_table(cost.table(graph), terminal_width()), nl=False)
    else:
        click.echo(format_table(graph), nl=False)
