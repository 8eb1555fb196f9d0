"""What a person sees of a run on standard error: a live line on a terminal, plain lines otherwise."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

from zoo.files import printable

_PLAIN_SECONDS = 30.0
_ROW_SECONDS = 1.0  # more lines in a second, nobody reads


def duration(seconds: float) -> str:
    """A duration as a person says it: "48 s", "6 min", "1 h 32 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class _Lasting:
    """A stream that may break, as where the reader of a pipe goes away: nobody is shown the rest, and the training,
    which is worth more, goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class Reporter:
    """Shows messages, progress within a stage, and a line per evaluation. `quiet` shows nothing at all."""

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self.stream: Any = _Lasting(stream or sys.stderr)
        self.quiet = quiet
        self._live: Any = None
        self._task: Any = None
        self._shown = 0.0
        self._row = ""  # the last row of the history, while it is not shown
        self._row_shown = 0.0
        self._title = ""
        self._total = 0

    @property
    def interactive(self) -> bool:
        """Whether a live display makes sense."""
        return self.stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")

    def note(self, text: str) -> None:
        """Show a message."""
        if self.quiet:
            return
        text = printable(text)
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=self.stream, flush=True)

    def start(self, title: str, total: int, done: int = 0) -> None:
        """Begin a stage of `total` units, `done` of which are already done."""
        self.stop()
        self._title, self._total, self._shown = title, total, time.monotonic()
        if self.quiet or not self.interactive:
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._live = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=Console(file=self.stream),
            transient=True,
            expand=True,
        )
        self._live.start()
        self._task = self._live.add_task(title, total=total, completed=done, detail="")

    def advance(self, done: int, detail: str = "") -> None:
        """Say how far the stage is."""
        if self._live is not None:
            self._live.update(self._task, completed=done, detail=detail)
        elif not self.quiet and time.monotonic() - self._shown > _PLAIN_SECONDS:
            self._shown = time.monotonic()
            share = f"{done / max(1, self._total):.0%}".replace("%", " %")
            print("  ".join(filter(None, [self._title, share, detail])), file=self.stream, flush=True)

    def row(self, row: Mapping[str, float], epochs: int) -> None:
        """Show a row of the history, unless another was shown just now; the last of a stage is."""
        where = f"epoch {row['epoch']:.0f}/{epochs}" if "epoch" in row else f"step {row['step']:.0f}"
        parts = [where]
        for key, name in (("loss", "loss"), ("validation_loss", "validation loss")):
            if key in row:
                parts.append(f"{name} {row[key]:.4g}")
        for key, name in (("accuracy", "accuracy"), ("validation_accuracy", "validation accuracy")):
            if key in row:
                parts.append(f"{name} {100 * row[key]:.2f} %")
        self._row = "  ".join(parts)
        if time.monotonic() - self._row_shown > _ROW_SECONDS:
            self._show_row()

    def _show_row(self) -> None:
        self.note(self._row)
        self._row, self._row_shown = "", time.monotonic()

    def stop(self) -> None:
        """End the stage."""
        if self._row:
            self._show_row()
        if self._live is not None:
            self._live.stop()
            self._live = None
