"""`zoo train`: train a network on a data set, or go on with a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import verbose
from zoo.errors import MissingData, UsageError
from zoo.types import LARGEST_SEED

if TYPE_CHECKING:
    from zoo.runs.request import Request


class Devices(click.ParamType[int]):
    """A count of devices, or "all", which becomes 0."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "all":
            return 0
        if not (text := str(value)).isdecimal() or not int(text):
            self.fail(f"--devices takes a whole number from 1 on, or all. Received: {value!r}", param, ctx)
        return int(text)


@click.command(
    epilog="""\b
Examples:
  zoo train cnn mnist                          the quick recipe
  zoo train cnn mnist --recipe book            as in the chapter
  zoo train vgg16 catsdogs --source train.zip  Kaggle's Dogs vs. Cats
  zoo train vgg16 catsdogs --rehearse          the whole path without the data
  zoo train cnn mnist --set batch_size=128 --epochs 3
  zoo train resnet50 catsdogs --weights imagenet
  zoo train vgg16 catsdogs --minutes 30        the schedule fits the time, evaluation and export included
  zoo train cnn mnist --set brightness=0.2 --set erase=0.25 --set cutmix=1
  zoo train cnn mnist --set validation=5000 --set keep_best=3
  zoo train vgg16 catsdogs --devices all --set xla=true
  ZOO_TENSORBOARD=1 zoo train cnn mnist        curves for: tensorboard --logdir runs
  zoo train cnn mnist --no-test --set ema=0.99 for tuning: validation alone is looked at
  zoo train cnn mnist --dry-run                the recipe, where its values come from, the forecast
  zoo train --resume last                      go on with the newest run
"""
)
@click.argument("architecture", required=False, metavar="ARCH")
@click.argument("dataset", required=False)
@click.option("--recipe", default="quick", show_default=True, help="Name of the recipe (zoo show ARCH lists them).")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file of recipe keys, over the recipe.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a recipe key. May be repeated.")
@click.option(
    "--weights",
    metavar="NAME|PATH",
    help="Weights to begin with: imagenet (downloaded if not in the package), or a file.",
)
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training images.")
@click.option("--minutes", type=float, metavar="M", help="Choose the steps so that all is done in M minutes.")
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Seed of weights, order, augmentation.",
)
@click.option("--source", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The run's directory, new or empty.")
@click.option("--rehearse", is_flag=True, help="A few steps of everything on generated images.")
@click.option("--dry-run", is_flag=True, help="Print the resolved recipe and the forecast; train nothing.")
@click.option("--no-export", is_flag=True, help="Skip the LiteRT and Keras files; zoo predict then exports.")
@click.option("--no-test", is_flag=True, help="Leave the test part alone; the result is that of validation.")
@click.option("--strict", is_flag=True, help="A failing observer plugin ends the run.")
@click.option(
    "--devices",
    type=Devices(),
    metavar="N|all",
    default="1",
    show_default=True,
    help="How many GPUs share each batch, or all. Without a GPU: the processor, one device.",
)
@click.option("--resume", metavar="RUN", help="Go on with a run: a path, the beginning of its id, or last.")
@click.option("--inexact", is_flag=True, help="Resume on another machine or version, where bits may differ.")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Train ARCH on DATASET, or go on with a run.

    The run's directory is printed on standard output when it has finished.
    """
    resume = options.pop("resume")
    inexact = options.pop("inexact")
    if resume is not None:
        _resume(context, resume, inexact)
        return
    if inexact:
        raise UsageError("--inexact goes with --resume RUN")
    _train(options)


def _resume(context: click.Context, name: str, inexact: bool) -> None:
    from click.core import ParameterSource

    allowed = {"resume", "inexact"}
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in allowed
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(f"--resume takes no other argument: the run knows them. Received: {', '.join(given)}")
    from zoo import api

    run = api.resume(name, inexact=inexact, verbose=verbose())
    click.echo(run.directory)


def _train(options: dict[str, Any]) -> None:
    if not options["architecture"] or not options["dataset"]:
        raise UsageError("zoo train needs ARCH and DATASET, as in: zoo train cnn mnist   (zoo list shows them)")
    from zoo.recipes import FLAGS
    from zoo.runs.request import Request

    overrides = {key: value for key in FLAGS if (value := options.pop(key)) is not None}
    dry_run, no_export = options.pop("dry_run"), options.pop("no_export")
    options["test"] = not options.pop("no_test")
    options["settings"] = tuple(options["settings"])
    request = Request(**options, overrides=overrides, export=not no_export)
    try:
        _run(request, dry_run)
    except MissingData as error:
        from zoo.cli.data import offer

        offer(MissingData(f"{error}\n{_what_works(request)}"), request.dataset)
        _run(request, dry_run)


def _what_works(request: Request) -> str:
    """What can be trained without the data set that is missing."""
    return (
        f"Works now   zoo train {request.architecture} mnist\n"
        f"            zoo train {request.architecture} {request.dataset} --rehearse"
    )


def _run(request: Request, dry_run: bool) -> None:
    if not dry_run:
        from zoo.progress import Reporter
        from zoo.runs.pipeline import train

        click.echo(train(request, Reporter(), verbose()).directory)
        return
    from zoo.recipes import describe
    from zoo.runs import planning

    planned = planning.plan(request, verbose=verbose())
    click.echo(describe(planned.resolved))
    counts = ", ".join(f"{count:,} {name}" for name, count in planned.counts.items() if count)
    click.echo(f"{counts} images; precision {planned.precision}", err=True)
    click.echo(planned.forecast.sentence(), err=True)
