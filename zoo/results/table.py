"""The table of all published rows in Markdown, as README has it."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.errors import UsageError
from zoo.progress import duration
from zoo.registry import Plugin
from zoo.results import chapter
from zoo.results.published import Receipt, Result, read_all

BEGIN, END = "<!-- results: begin (zoo results table) -->", "<!-- results: end -->"
_RECIPES = ("book", "quick", "best")


def rows(plugins: Sequence[Plugin]) -> tuple[list[Receipt], list[str]]:
    """The receipts of `plugins` in the order of the table, and a sentence for each that can't be read."""
    found, notes = read_all(plugins)
    return sorted(found, key=lambda receipt: _place(receipt.result)), notes


def table(plugins: Sequence[Plugin]) -> str:
    """The table of all rows, in Markdown."""
    lines = [
        "| network | data | recipe | accuracy, % | 95 % interval | seeds | trials | chapter, % | time | command |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    receipts, _ = rows(plugins)
    hardware = [run["hardware"] for receipt in receipts for run in receipt.seeds if run.get("hardware")]
    machines = {f"{found['processor']}, {found['cores']} cores" for found in hardware}
    lines += [_line(receipt.result) for receipt in receipts]
    lines.append("")
    measured = f", on: {'; '.join(sorted(machines))}, other work beside it" if machines else ""
    lines.append(
        "Mean over the seeds ± their standard deviation; the Wilson interval is of the mean count. Trials: how many "
        "trainings of the network on the data there were until the row was published, its own among them; empty where "
        f"that was not recorded. Wall time: the median run, with evaluation and export{measured}. "
        "`zoo results show ROW` prints a row's receipt, `zoo results reproduce ROW` trains it again and judges."
    )
    return "\n".join(lines)


def with_table(text: str, plugins: Sequence[Plugin]) -> str:
    """A Markdown text with the present table between its two marks. Raises UsageError if it has none."""
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise UsageError(f"The file must hold the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{table(plugins)}\n{END}{tail}"


def _place(result: Result) -> tuple[bool, str, str, int, str]:
    known = _RECIPES.index(result.recipe) if result.recipe in _RECIPES else len(_RECIPES)
    return result.dataset != "mnist", result.dataset, result.architecture, known, result.recipe


def _line(result: Result) -> str:
    spread = "" if result.spread is None else f" ± {100 * result.spread:.2f}"
    low, high = result.interval
    printed = chapter.experiment(result.architecture, result.dataset)
    cells = (
        f"`{result.network}`",
        f"`{result.dataset}`",
        result.recipe,
        f"{100 * result.accuracy:.2f}{spread}",
        f"{100 * low:.2f} to {100 * high:.2f}, {result.count:,} {result.part} images",
        str(result.seeds),
        "" if result.trials is None else str(result.trials),
        "" if printed is None else f"{100 * printed.accuracy:.2f}",
        "" if result.seconds is None else duration(result.seconds),
        f"`{result.command}`" if result.command else "",
    )
    return f"| {' | '.join(cells)} |"
