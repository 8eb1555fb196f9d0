"""`zoo report`: write a run's report again."""

from __future__ import annotations

import click


@click.command(
    epilog="""\b
Examples:
  zoo report last          the newest run
  zoo report cnn mnist     the newest run of this pair
"""
)
@click.argument("run", nargs=-1, required=True)
def command(run: tuple[str, ...]) -> None:
    """Write report.html of a finished RUN again, and print where it is.

    A RUN is a path, the beginning of its id, last, or ARCH DATASET; or zoo:ARCH/NAME, a network that comes with a
    package: a copy of its run is then put into runs/packaged. The report is one file that needs nothing else.
    """
    from zoo import api

    click.echo(api.report(" ".join(run)))
