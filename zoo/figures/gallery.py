"""Pictures side by side, each with a line or two above it: predictions, mistakes, what the network looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import style

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

WRONG = style.PALETTE["vermillion"]
_LINE = 0.155  # inches that a line of text takes
_GAP = 0.12


@dataclass(frozen=True)
class Picture:
    """One picture: uint8 [h, w, 1 or 3] or float [h, w, 3] in 0..1, the lines above it, and whether it is framed
    as wrong."""

    pixels: Array
    lines: tuple[str, ...] = ()
    wrong: bool = False


def gallery(
    pictures: Sequence[Picture],
    columns: int,
    title: str,
    *,
    size: float,
    font: float = 8,
    rehearsal: bool = False,
) -> bytes:
    """Draw pictures, each `size` inches wide, as PNG. Lines too long for their picture are shortened."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    lines = max(len(picture.lines) for picture in pictures)
    step_x, step_y = size + _GAP, size + _LINE * lines + _GAP + 0.04
    width, height = max(columns * step_x + _GAP, 4.6), rows * step_y + 0.5
    with style.styled():
        figure = style.canvas(width, height)
        figure.set_layout_engine("none")
        style.headline(figure, title, laid_out=False)
        axes = figure.add_axes((0, 0, 1, 1), frameon=False)
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        left = (width - columns * step_x + _GAP) / 2
        for number, picture in enumerate(pictures):
            x, y = left + number % columns * step_x, 0.48 + number // columns * step_y
            _draw(axes, picture, x, y + _LINE * lines, size, font)
        axes.set_aspect("auto")
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        if rehearsal:
            style.stamp(figure)
        return style.to_png(figure)


def _draw(axes: Any, picture: Picture, x: float, y: float, size: float, font: float) -> None:
    colour = WRONG if picture.wrong else style.INK
    for number, line in enumerate(picture.lines):
        place = (x, y - 0.04 - _LINE * (len(picture.lines) - 1 - number))
        weight = "bold" if picture.wrong and number == 0 else "normal"
        shown = shortened(line, size * 72, font, bold=weight == "bold")
        axes.text(*place, shown, fontsize=font, color=colour, fontweight=weight, ha="left", va="baseline")
    height, width = picture.pixels.shape[:2]
    # whole pictures keep their proportions within the square
    share = size / max(height, width)
    box = (x, x + width * share, y + height * share, y)
    smooth = "antialiased" if min(height, width) > 100 else "nearest"
    axes.imshow(displayable(picture.pixels), extent=box, cmap="gray", vmin=0, vmax=255, interpolation=smooth)
    if picture.wrong:
        from matplotlib.patches import Rectangle

        frame = Rectangle((x, y), width * share, height * share, fill=False, edgecolor=WRONG, linewidth=2.4)
        axes.add_patch(frame)


def displayable(pixels: Array) -> Array:
    """As Matplotlib takes it: grey images without their last axis."""
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def shortened(text: str, points: float, size: float, bold: bool = False) -> str:
    """`text`, cut with an ellipsis if it is wider than `points` at this font size; "a long name, prob=0.97" loses of
    its name, not of its probability."""
    if style.text_width(text, size, bold) <= points:
        return text
    name, comma, probability = text.rpartition(", prob=")
    head, tail = (name, comma + probability) if comma else (text, "")
    while head and style.text_width(f"{head}…{tail}", size, bold) > points:
        head = head[:-1]
    return f"{head.rstrip()}…{tail}"
