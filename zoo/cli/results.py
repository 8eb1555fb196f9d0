"""`zoo results`: published results: listed, shown, published, and trained again to be judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import ladder
from zoo.cli.text import facts, number, percent, print_json, table, terminal_width
from zoo.errors import Interrupted, MissingData, UsageError, ZooError
from zoo.intervals import wilson
from zoo.types import LARGEST_SEED

if TYPE_CHECKING:
    from zoo.registry import Plugin
    from zoo.results.published import Receipt


@click.group(
    "results",
    epilog="""\b
Examples:
  zoo results list
  zoo results show cnn/mnist/quick
  zoo results reproduce fc-keras/mnist/quick
  zoo results publish runs/cnn-mnist/* --trials 7
  zoo results ladder cnn mnist --dry-run

\b
A ROW is ARCH/DATASET/RECIPE.
""",
)
def command() -> None:
    """Published results: list them, look behind them, reproduce them, publish your own."""


command.add_command(ladder.command)


@command.command(
    "list",
    epilog="""\b
Examples:
  zoo results list
  zoo results list --json

\b
Trials are the trainings of the network on the data until the row was published,
its own seeds among them; - where that was not recorded.
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(as_json: bool) -> None:
    """List the published rows of all installed plugins."""
    from zoo.progress import duration
    from zoo.results.table import rows

    found, notes = rows(_plugins())
    for note in notes:
        click.echo(f"Note: {note}", err=True)
    results = [receipt.result for receipt in found]
    if as_json:
        print_json([result.as_dict() for result in results])
        return
    cells = [
        (
            result.row,
            percent(result.accuracy, result.interval),
            "-" if result.spread is None else f"{100 * result.spread:.2f}",
            str(result.seeds),
            number(result.trials),
            f"{result.count:,} {result.part}",
            "-" if result.seconds is None else duration(result.seconds),
        )
        for result in results
    ]
    header = ("row", "accuracy (95 % interval)", "spread", "seeds", "trials", "images", "time")
    right = ("spread", "seeds", "trials", "images", "time")
    click.echo(
        table(header, cells, right=right, gives_way="row", drops=("images", "trials", "time"), width=terminal_width())
    )


@command.command(
    "show",
    epilog="""\b
Examples:
  zoo results show cnn/mnist/quick
  zoo results show vgg16/catsdogs/quick --json
""",
)
@click.argument("row")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt itself.")
def show_command(row: str, as_json: bool) -> None:
    """Show the receipt of a ROW: each seed's result, commands, machine, versions, and how many trials came before."""
    from zoo.results.published import find

    receipt = find(row, _plugins())
    if as_json:
        print_json(receipt.content)
    else:
        click.echo(f"{receipt.result.row}\n{facts(_facts(receipt))}")


def _facts(receipt: Receipt) -> list[tuple[str, str]]:
    from zoo.intervals import prediction_interval
    from zoo.progress import duration

    result, content = receipt.result, receipt.content
    low, high = prediction_interval(receipt.shares, result.count)
    lines = [
        f"seed {entry.get('seed', '?')}: {percent(share, wilson(entry['correct'], entry['count']))}"
        f"{', ' + duration(seconds) if seconds else ''}   {entry.get('command', '')}".rstrip()
        for entry, share, seconds in zip(receipt.seeds, receipt.shares, receipt.seconds, strict=True)
    ]
    spread = "" if result.spread is None else f", standard deviation of the seeds {100 * result.spread:.2f} points"
    trials = (
        "not recorded"
        if result.trials is None
        else f"{result.trials} trainings until it was published, these among them"
    )
    hashes = [(name, content.get(key)) for name, key in (("fingerprint", "fingerprint"), ("split", "split_hash"))]
    return [
        ("results", "\n".join(lines)),
        ("mean", f"{percent(result.accuracy, result.interval)}{spread}"),
        ("images", f"{result.count:,} {result.part}"),
        ("expected", f"one more run: {100 * low:.2f} to {100 * high:.2f} % (95 % prediction interval)"),
        ("trials", trials),
        ("machine", "\n".join(sorted({_machine(entry) for entry in receipt.seeds if entry.get("hardware")}))),
        ("versions", "\n".join(sorted({_versions(entry) for entry in receipt.seeds if entry.get("versions")}))),
        ("data", ", ".join(f"{name} {value[:16]}" for name, value in hashes if isinstance(value, str))),
        ("receipt", receipt.place),
        ("again", f"zoo results reproduce {result.row}"),
    ]


@command.command(
    "publish",
    epilog="""\b
Examples:
  zoo results publish last
  zoo results publish runs/cnn-mnist/* --trials 7
  zoo results publish runs/longer --as longer
""",
)
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@click.option("--trials", type=click.IntRange(1), help="Trainings until now, these too.  [default: the runs there are]")
@click.option("--as", "name", metavar="NAME", help="Name of the row, for a recipe with keys of your own.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False, exists=True), help="The package's folder."
)
def publish_command(names: tuple[str, ...], trials: int | None, name: str | None, output: Path | None) -> None:
    """Write finished RUNs of one row, a seed each, into the receipt in their architecture's package.

    A RUN is a path, the beginning of an id, or last. The receipt holds command, recipe, seeds, data fingerprint,
    split, versions, hardware, time, and SHA-256 of weights and predictions; and how many trials there were: all
    trainings of the network on the data, these too. It is what zoo list, the site and zoo results read.
    """
    from zoo.results.publishing import publish
    from zoo.runs.directory import resolve

    done = publish([resolve(text) for text in names], trials=trials, name=name, package=output)
    click.echo(done.path)
    for note in done.notes:
        click.echo(f"Note: {note}", err=True)


@command.command(
    "reproduce",
    epilog="""\b
Examples:
  zoo results reproduce fc-keras/mnist/quick
  zoo results reproduce --fast
  zoo results reproduce vgg16/catsdogs/quick --source train.zip --seed 1
""",
)
@click.argument("rows", nargs=-1, metavar="ROW...")
@click.option("--fast", is_flag=True, help="All rows whose runs took less than ten minutes.")
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True, help="Seed of the runs.")
@click.option("--source", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The run's directory, new or empty, of one ROW.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a list with an object per row.")
def reproduce_command(
    rows: tuple[str, ...], fast: bool, seed: int, source: Path | None, output: Path | None, as_json: bool
) -> int:
    """Train published ROWs again, one after the other, and judge each: PASS or FAIL.

    With the same type of machine, versions and seed the same bits are expected. Elsewhere the accuracy has to lie in
    the 95 % prediction interval, made of the seeds' spread and the binomial error. Of several rows, those whose data
    are missing are left out and counted. Exit code 1 means that a row failed, 4 that there were data for none.
    """
    from zoo.results.reproduction import fast_rows

    if bool(rows) == fast:
        raise UsageError("Name the rows to reproduce, or all fast ones: --fast. `zoo results list` lists rows")
    wanted = fast_rows(_plugins()) if fast else list(dict.fromkeys(rows))
    if not wanted:
        raise UsageError("No row that took less than ten minutes is published")
    if output is not None and len(wanted) > 1:
        raise UsageError(f"--output is the directory of one run. Received: {len(wanted)} rows")
    done = [_reproduced(row, len(wanted) == 1, seed=seed, source=source, output=output) for row in wanted]
    judged = [verdict["passed"] for verdict in done if verdict["passed"] is not None]
    if as_json:
        print_json(done)
    else:
        for verdict in done:
            click.echo(verdict["sentence"])
        if len(done) > 1:
            word = "REPRODUCED" if judged and all(judged) else "NOT REPRODUCED"
            left_out = f"; LEFT OUT for want of data: {len(done) - len(judged)}" if len(judged) < len(done) else ""
            click.echo(f"{word}: {sum(judged)} of {len(judged)} rows pass{left_out}")
    return MissingData.exit_code if not judged else int(not all(judged))


def _reproduced(row: str, alone: bool, **options: Any) -> dict[str, Any]:
    """A row's verdict as JSON has it; among several rows one that can't be trained is a failure, and the rest go on.

    Where its data are missing, `passed` is None: nothing was tried.
    """
    from zoo.results.reproduction import reproduce

    try:
        verdict, run = reproduce(row, **options)
    except Interrupted:
        raise
    except ZooError as error:
        if alone:
            raise
        if isinstance(error, MissingData):
            return {"row": row, "passed": None, "sentence": f"LEFT OUT {row}: {str(error).splitlines()[0]}"}
        return {"row": row, "passed": False, "sentence": f"FAIL {row}: {error}"}
    if not alone:
        click.echo(verdict.sentence, err=True)  # now; the summary comes when all are done
    return verdict.as_dict() | {"run": str(run.directory)}


@command.command(
    "table",
    epilog="""\b
Examples:
  zoo results table
  zoo results table --write README.md
""",
)
@click.option("--write", "file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Put it in here.")
def table_command(file: Path | None) -> None:
    """Print the table of all rows in Markdown, or write it between the two marks in a file."""
    from zoo.files import atomic_write
    from zoo.results.table import table as markdown
    from zoo.results.table import with_table

    plugins = _plugins()
    if not any(plugin.folder for plugin in plugins):
        raise UsageError("No plugin is installed that could have results")
    if file is None:
        click.echo(markdown(plugins))
        return
    atomic_write(file, with_table(file.read_text(encoding="utf-8"), plugins))
    click.echo(file)


def _plugins() -> list[Plugin]:
    from zoo.registry import Registry

    return Registry.discover().plugins


def _machine(entry: dict[str, Any]) -> str:
    hardware = entry["hardware"]
    features = ", ".join(hardware.get("features", ()))
    cores, precision = hardware.get("cores", "?"), entry.get("precision", "?")
    return f"{hardware.get('processor', '?')}, {cores} cores ({features}), {precision}"


def _versions(entry: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
