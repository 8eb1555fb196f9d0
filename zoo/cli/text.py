"""Plain text for terminals: aligned tables without colour, and JSON."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Collection, Sequence
from typing import Any

import click

SHORTEST = 16  # a column that gives way keeps at least this many characters


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None if it is a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Collection[str] = (),
    gives_way: str | None = None,
    width: int | None = None,
) -> str:
    """Align `rows` under `header`; the columns in `right` to the right.

    Within `width` characters the column `gives_way` is cut; where that is not enough, each row becomes a
    small block of its own.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    room = 10**9 if width is None else width
    excess = sum(widths) + 2 * (len(widths) - 1) - room
    if excess > 0 and gives_way is not None:
        column = header.index(gives_way)
        widths[column] -= min(excess, max(0, widths[column] - SHORTEST))
        excess = sum(widths) + 2 * (len(widths) - 1) - room
    if excess > 0:
        return "\n".join(_block(header, row) for row in rows)
    lines = []
    for row in [header, *rows]:
        cells = [_cut(text, size) for text, size in zip(row, widths, strict=True)]
        aligned = [
            cell.rjust(size) if title in right else cell.ljust(size)
            for title, cell, size in zip(header, cells, widths, strict=True)
        ]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 3].rstrip() + "..."


def _block(header: Sequence[str], row: Sequence[str]) -> str:
    return "\n".join([row[0], *(f"  {title}: {cell}" for title, cell in zip(header[1:], row[1:], strict=True))])


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Lines of "label  value", aligned; pairs without a value are left out, further lines are indented."""
    shown = [(label, value) for label, value in pairs if value]
    size = max((len(label) for label, _ in shown), default=0)
    indent = "\n" + " " * (size + 4)
    return "\n".join(f"  {label:<{size}}  {value}".replace("\n", indent) for label, value in shown)


def number(value: int | float | None) -> str:
    """A number with thousands separated by commas, or a dash."""
    return "-" if value is None else f"{value:,}"


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output."""
    click.echo(json.dumps(value, indent=2, default=str))


def percent(share: float, interval: Sequence[float] | None = None) -> str:
    """A share as "99.31 %", with its interval "99.31 % (99.13 to 99.45)"."""
    text = f"{100 * share:.2f} %"
    return text if interval is None else f"{text} ({100 * interval[0]:.2f} to {100 * interval[1]:.2f})"
