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

    A RUN is a path, the beginning of its id, last, or ARCH DATASET. The report is one file that needs nothing else.
    """
    from zoo import report
    from zoo.runs import resolve

    click.echo(report.write(resolve(" ".join(run))))
