"""`zoo predict`: classify image files with a finished run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import verbose
from zoo.files import one_line

if TYPE_CHECKING:
    from zoo.prediction.cold import Prediction
    from zoo.runs.directory import Run


@click.command(
    epilog="""\b
Examples:
  zoo predict last photo.jpg
  zoo predict "cnn mnist" digits/ --top 3
  zoo predict runs/first photo.jpg more/ --json
  zoo predict zoo:efficientnet-lite0/imagenet photo.jpg
  zoo predict zoo:resnet50/imagenet photo.jpg --download

\b
An image that can't be read is reported, the others are answered; the exit code then is 4.
"""
)
@click.argument("run", metavar="RUN")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILES...")
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="Classes to show for each image.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "litert", "tensorflow"]),
    default="auto",
    show_default=True,
    help="What computes; auto is LiteRT where the run was exported.",
)
@click.option("--download", is_flag=True, help="Fetch the weights of zoo:ARCH/imagenet if they are not here yet.")
def command(run: str, files: tuple[Path, ...], top: int, as_json: bool, **options: Any) -> int:
    """Classify FILES, images or folders of them, with RUN's network.

    RUN is a path, the beginning of an id, "last", or "ARCH DATASET"; or zoo:ARCH/NAME, a trained network that
    comes with a package, or whose weights others publish (zoo show ARCH lists them).
    """
    from zoo.runs.directory import PACKAGED, resolve

    found = run if run.startswith(PACKAGED) else resolve(run)
    if not isinstance(found, str) and found.receipt.get("rehearsal"):
        click.echo("REHEARSAL: this network has seen generated images only; its answers mean nothing", err=True)
    predictions = _predict(found, files, top=top, **options)
    if as_json:
        import json

        click.echo(json.dumps([prediction.as_dict() for prediction in predictions], indent=1))
    else:
        _print(predictions)
    return 4 if any(prediction.error for prediction in predictions) else 0


def _predict(network: Run | str, files: tuple[Path, ...], **options: Any) -> list[Prediction]:
    """Predict; where published weights are missing, ask on a terminal whether to download them."""
    from zoo import api
    from zoo.errors import DataError, MissingWeights

    try:
        return api.predict(network, files, verbose=verbose(), **options)
    except MissingWeights as missing:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise MissingWeights(f"{network} is not on this machine yet. {missing}. Or give: --download") from missing
        click.echo(f"{network} is not on this machine yet. {missing}", err=True)
        if not click.confirm("\nDownload them now?", default=False, err=True):
            raise DataError(f"The weights of {network} are not on this machine, and were not downloaded") from missing
    return api.predict(network, files, verbose=verbose(), **options | {"download": True})


def _print(predictions: list[Prediction]) -> None:
    width = max(len(one_line(str(prediction.file))) for prediction in predictions)
    for prediction in predictions:
        if prediction.error:
            click.echo(f"{one_line(str(prediction.file))}: {prediction.error}", err=True)
            continue
        shown = "  ".join(f"{one_line(name)} {100 * probability:.1f} %" for name, probability in prediction.classes)
        click.echo(f"{one_line(str(prediction.file)):<{width}}  {shown}")
