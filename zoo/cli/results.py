"""`zoo results`: published results: listed, shown, published, and trained again to be judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import ladder
from zoo.cli.text import facts, percent, print_json, table, terminal_width
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.registry import Plugin


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
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(as_json: bool) -> None:
    """List the published rows of all installed plugins."""
    from zoo.evaluation import wilson
    from zoo.progress import duration
    from zoo.publishing import rows

    found = rows(_plugins())
    if as_json:
        print_json([result.as_dict() | {"row": _name(content)} for result, content in found])
        return
    cells = [
        (
            _name(content),
            percent(result.accuracy, wilson(round(result.accuracy * result.count), result.count)),
            "-" if result.spread is None else f"{100 * result.spread:.2f}",
            str(result.seeds),
            f"{result.count:,} {result.part}",
            "-" if result.seconds is None else duration(result.seconds),
        )
        for result, content in found
    ]
    header = ("row", "accuracy (95 % interval)", "spread", "seeds", "images", "time")
    right = ("spread", "seeds", "images", "time")
    click.echo(table(header, cells, right=right, gives_way="row", drops=("images", "time"), width=terminal_width()))


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
    from zoo.progress import duration
    from zoo.reproduction import find, folder_of, prediction_interval

    path, content = find(row)
    if as_json:
        print_json(content)
        return
    seeds = content["seeds"]
    shares = [entry["correct"] / entry["count"] for entry in seeds]
    low, high = prediction_interval(shares, seeds[0]["count"])
    lines = [
        f"seed {entry.get('seed', '?')}: {percent(share, entry.get('interval'))}"
        f"{', ' + duration(entry['seconds']) if entry.get('seconds') else ''}   {entry.get('command', '')}"
        for entry, share in zip(seeds, shares, strict=True)
    ]
    machines = sorted({_machine(entry) for entry in seeds if "hardware" in entry})
    versions = sorted({_versions(entry) for entry in seeds if "versions" in entry})
    pairs = [
        ("results", "\n".join(lines)),
        ("images", f"{seeds[0]['count']:,} {content['part']}"),
        ("expected", f"one more run: {100 * low:.2f} to {100 * high:.2f} % (95 % prediction interval)"),
        ("trials", str(content.get("trials", "not recorded"))),
        ("machine", "\n".join(machines)),
        ("versions", "\n".join(versions)),
        ("data", f"fingerprint {content['fingerprint'][:16]}, split {content['split_hash'][:16]}"),
        ("receipt", folder_of(path)),
        ("again", f"zoo results reproduce {row}"),
    ]
    click.echo(f"{row}\n{facts(pairs)}")


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
@click.option("--trials", type=click.IntRange(1), help="Trainings made until these.  [default: the runs beside them]")
@click.option("--as", "name", metavar="NAME", help="Name of the row, for a recipe with keys of your own.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="The package's folder.")
def publish_command(names: tuple[str, ...], trials: int | None, name: str | None, output: Path | None) -> None:
    """Write finished RUNs of one row, a seed each, into the receipt in their architecture's package.

    A RUN is a path, the beginning of an id, or last. The receipt holds command, recipe, seeds, data fingerprint,
    split, versions, hardware, time, trials, and SHA-256 of weights and predictions. It is what zoo list, the site
    and zoo results read.
    """
    from zoo.publishing import advice, publish
    from zoo.runs import resolve

    path = publish([resolve(text) for text in names], trials=trials, name=name, package=output)
    click.echo(path)
    if told := advice(path):
        click.echo(f"Note: {told}", err=True)


@command.command(
    "reproduce",
    epilog="""\b
Examples:
  zoo results reproduce fc-keras/mnist/quick
  zoo results reproduce vgg16/catsdogs/quick --source train.zip --seed 1
""",
)
@click.argument("row")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the run.")
@click.option("--source", type=click.Path(path_type=Path), help="Where the data set's files are.")
@click.option("--output", type=click.Path(path_type=Path), help="The run's directory, new or empty.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reproduce_command(row: str, seed: int, source: Path | None, output: Path | None, as_json: bool) -> int:
    """Train a published ROW again, and judge: PASS or FAIL.

    With the same type of machine, versions and seed the same bits are expected. Elsewhere the accuracy has to lie in
    the 95 % prediction interval, made of the seeds' spread and the binomial error. Exit code 1 means FAIL.
    """
    from zoo.reproduction import reproduce

    verdict, run = reproduce(row, seed=seed, output=output, source=source)
    if as_json:
        print_json(verdict.as_dict() | {"run": str(run.directory)})
    else:
        click.echo(verdict.sentence)
    return 0 if verdict.passed else 1


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
    from zoo.publishing import table as markdown
    from zoo.publishing import with_table

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


def _name(content: dict[str, Any]) -> str:
    return "/".join((content["architecture"], content["dataset"], content["recipe"]["name"]))


def _machine(entry: dict[str, Any]) -> str:
    hardware = entry["hardware"]
    features = ", ".join(hardware.get("features", ()))
    return f"{hardware['processor']}, {hardware['cores']} cores ({features}), {entry.get('precision', '?')}"


def _versions(entry: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
