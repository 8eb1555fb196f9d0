"""What a plugin hands over, checked where it crosses into core: each mistake is told in the words of the contract.

Every check raises `Broken`, a ValueError; whoever knows the plugin (`zoo.session`) makes it an error that names it.
"""

from __future__ import annotations

import re
from typing import Any

from zoo.types import Figure

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
FORMATS = ("svg", "png")


class Broken(ValueError):
    """What was handed over is not what the hook promises; the message says what was wanted and received."""


def checked_figure(figure: Any) -> Figure:
    """Return the figure. Its name becomes a file's: one with a slash would be written elsewhere."""
    if not isinstance(figure, Figure):
        raise Broken(f"a figure is a zoo.Figure. Received: {_shown(figure)}")
    if not isinstance(figure.name, str) or not FILE_NAME.fullmatch(figure.name):
        raise Broken(f"a figure's name is letters, digits, '.', '_' and '-'. Received: {figure.name!r}")
    if figure.format not in FORMATS:
        raise Broken(f"the format of figure {figure.name!r} is 'svg' or 'png'. Received: {figure.format!r}")
    if not isinstance(figure.content, bytes):
        raise Broken(f"the content of figure {figure.name!r} is bytes. Received: {_shown(figure.content)}")
    if not isinstance(figure.caption, str):
        raise Broken(f"the caption of figure {figure.name!r} is text. Received: {_shown(figure.caption)}")
    return figure


def _shown(value: Any) -> str:
    """A value in short: its type, and itself where that is a few characters."""
    text = repr(value)
    return f"{type(value).__name__} {text}" if len(text) <= 60 else type(value).__name__
