"""Plain text for terminals: aligned tables without colour, and JSON."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click

from zoo.files import one_line, printable

SHORTEST = 16  # a column that gives way keeps so many characters


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None if it is a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Collection[str] = (),
    gives_way: str = "",
    drops: Sequence[str] = (),
    width: int | None = None,
    least: int = SHORTEST,
) -> str:
    """Align `rows` under `header`; the columns in `right` to the right.

    Within `width` characters the column `gives_way` is cut, to `least` characters, then the columns `drops` are
    left out one by one; where that is not enough, each row becomes a small block of its own.
    """
    rows = [[one_line(cell) for cell in row] for row in rows]
    columns = {title: [row[index] for row in rows] for index, title in enumerate(header)}
    for dropped in (None, *drops):
        columns.pop(dropped or "", None)
        sizes = {title: max(map(width_of, [title, *cells])) for title, cells in columns.items()}
        excess = 0 if width is None else sum(sizes.values()) + 2 * (len(sizes) - 1) - width
        if gives_way in sizes:
            spare = max(0, sizes[gives_way] - least)
            sizes[gives_way] -= min(max(excess, 0), spare)
            excess -= spare
        if excess <= 0:
            return _aligned(columns, sizes, right)
    return "\n".join(_block(header, row) for row in rows)


def _aligned(columns: Mapping[str, Sequence[str]], sizes: Mapping[str, int], right: Collection[str]) -> str:
    padded = []
    for title, cells in columns.items():
        padded.append([_padded(_cut(cell, sizes[title]), sizes[title], title in right) for cell in [title, *cells]])
    return "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))


def width_of(text: str) -> int:
    """The columns of a terminal that a text takes: two for each wide character, none for an accent by itself."""
    if text.isascii():
        return len(text)
    import unicodedata

    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def _padded(text: str, size: int, right: bool) -> str:
    space = " " * (size - width_of(text))
    return space + text if right else text + space


def _cut(text: str, size: int) -> str:
    if width_of(text) <= size:
        return text
    while width_of(text) > size - 3:
        text = text[:-1]
    return text.rstrip() + "..."


def _block(header: Sequence[str], row: Sequence[str]) -> str:
    return "\n".join([row[0], *(f"  {title}: {cell}" for title, cell in zip(header[1:], row[1:], strict=True))])


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Lines of "label  value", aligned; pairs without a value are left out, further lines are indented."""
    shown = [(label, printable(value)) for label, value in pairs if value]
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
