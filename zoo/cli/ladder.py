"""`zoo results ladder`: what each technique of training adds, measured."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli import verbose
from zoo.cli.text import table, terminal_width

if TYPE_CHECKING:
    from zoo.results.ladder import Ladder
    from zoo.results.measurements import MeasuredLadder


@click.command(
    "ladder",
    epilog="""\b
Examples:
  zoo results ladder cnn mnist --dry-run               the rungs, and how long they take
  zoo results ladder cnn mnist                         all rungs, all seeds; called again it goes on
  zoo results ladder cnn mnist --set steps=20 --seeds 0    a trial: its result stays among the runs
""",
)
@click.argument("architecture", metavar="ARCH")
@click.argument("dataset")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder of the runs.  [default: runs/ladders/...]"
)
@click.option("--source", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A trial: a key for all rungs.")
@click.option("--seeds", metavar="N,N,...", help="A trial: other seeds.")
@click.option("--dry-run", is_flag=True, help="Print the rungs and the forecast; train nothing.")
def command(
    architecture: str,
    dataset: str,
    output: Path | None,
    source: Path | None,
    settings: tuple[str, ...],
    seeds: str | None,
    dry_run: bool,
) -> None:
    """Train ARCH on DATASET with one technique after the other, and measure what each adds.

    A ladder is a file of the architecture's package, ladders/DATASET.toml. Every rung is trained for every seed and
    measured on validation images; test images are not looked at. A forecast comes first. What has finished is not
    trained again. The result goes into the package, from where the site draws it, unless it is a trial.
    """
    from zoo.figures.measured import ladder as draw
    from zoo.files import atomic_write
    from zoo.progress import Reporter, duration
    from zoo.registry import Registry
    from zoo.results import ladder as ladders
    from zoo.results.measurements import parse_ladder
    from zoo.runs.directory import runs_root

    registry = Registry.discover()
    found, plugin = ladders.find(architecture, dataset, registry)
    asked = found.trial(settings, _numbers(seeds))
    ladders.check(asked, registry, "With --set")
    folder = output or runs_root() / "ladders" / f"{architecture}-{dataset}"
    kept = ladders.path_of(plugin, asked)
    left = ladders.left(asked, registry, folder, source)
    if dry_run:
        _plan(asked, set(left))
    reporter = Reporter()
    if left:
        seconds = ladders.forecast([request for request, _ in left.values()], verbose())
        reporter.note(f"Trainings that are left: {len(left)}, about {duration(seconds)} on this machine.")
    if dry_run:
        return
    content = ladders.climb(asked, registry, folder, reporter, source, verbose())
    measured = parse_ladder(content)
    drawn = draw(measured)
    paths = [folder / "ladder.json", folder / f"{drawn.name}.svg"]
    ladders.write(paths[0], content)
    atomic_write(paths[1], drawn.content)
    if asked == found:
        ladders.write(kept, content)
        paths.append(kept)
    click.echo(_table(measured))
    click.echo(f"\n{drawn.caption}\n")
    for path in paths:
        click.echo(path)


def _numbers(text: str | None) -> list[int]:
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise click.UsageError(f"--seeds takes whole numbers with commas, as in 0,1,2. Received: {text!r}")
    return [int(word) for word in words]


def _table(measured: MeasuredLadder) -> str:
    rows = []
    before = None
    for step in measured.steps:
        spread = f" ± {100 * step.spread:.2f}" if len(step.shares) > 1 else ""
        gain = "" if before is None else f"{100 * (step.mean - before):+.2f}"
        rows.append((step.label, f"{100 * step.mean:.2f} %{spread}", gain, f"{step.seconds:.0f} s"))
        before = step.mean
    header = ("technique", "validation accuracy", "adds", "a run")
    return table(header, rows, right=header[1:], gives_way="technique", width=terminal_width())


def _plan(asked: Ladder, left: Set[tuple[int, int]]) -> None:
    """Print the rungs with the keys that they change, and how many of their runs are done."""
    from zoo.markup import plain

    rows = []
    total = len(asked.seeds)
    for number, rung in enumerate(asked.rungs):
        done = sum((asked.trained(number), seed) not in left for seed in asked.seeds)
        changes = ", ".join(f"{key} = {plain(value)}" for key, value in rung.keys.items())
        rows.append((rung.label, rung.architecture, changes or "-", f"{done} of {total}"))
    header = ("technique", "network", "changes", "done")
    click.echo(table(header, rows, right=("done",), gives_way="changes", width=terminal_width()))
    shared = ", ".join(f"{key} = {plain(value)}" for key, value in asked.keys.items())
    click.echo(f"\nAll of them: recipe {asked.recipe}, {shared}; seeds {', '.join(map(str, asked.seeds))}")
