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
_GAP, _WIDE_GAP = 0.12, 0.25  # inches between pictures, and where long names reach into it
_APART = 10  # points that names keep from one another
_PROBABILITY = ", prob="


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
    """Draw pictures, each `size` inches wide, as PNG.

    If a first line "cat, prob=0.97" is too wide for its picture, all of them stand on two lines; names that are still
    too wide are shortened.
    """
    broken = any(
        _PROBABILITY in line and style.text_width(line, font, picture.wrong) > 72 * size
        for picture in pictures
        for line in picture.lines[:1]
    )
    gap = _WIDE_GAP if broken else _GAP
    written = _written(pictures, broken, 72 * (size + gap) - _APART if broken else 72 * size, font)
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    lines = max(map(len, written))
    step_x, step_y = size + gap, size + _LINE * lines + _GAP + 0.04
    width, height = max(columns * step_x + gap, 4.6), rows * step_y + 0.5
    with style.styled():
        figure = style.canvas(width, height)
        figure.set_layout_engine("none")
        style.headline(figure, title, laid_out=False)
        axes = figure.add_axes((0, 0, 1, 1), frameon=False)
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        left = (width - columns * step_x + gap) / 2
        for number, (picture, words) in enumerate(zip(pictures, written, strict=True)):
            x, y = left + number % columns * step_x, 0.48 + number // columns * step_y
            _draw(axes, picture, words, x, y + _LINE * lines, size, font)
        axes.set_aspect("auto")
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        if rehearsal:
            style.stamp(figure)
        return style.to_png(figure)


_Line = tuple[str, bool]


def _written(pictures: Sequence[Picture], broken: bool, room: float, font: float) -> list[list[_Line]]:
    """The lines above each picture as they fit into `room` points, and whether they are bold."""
    lines = [_lines(picture, broken) for picture in pictures]
    shown = {
        bold: style.fitted({text for each in lines for text, weight in each if weight == bold}, room, font, bold)
        for bold in (False, True)
    }
    return [[(shown[bold][text], bold) for text, bold in each] for each in lines]


def _lines(picture: Picture, broken: bool) -> list[_Line]:
    """A picture's lines, those of a wrong one's title bold; "cat, prob=0.97" is two if it is `broken`."""
    title, others = picture.lines[:1], picture.lines[1:]
    if broken and title and _PROBABILITY in title[0]:
        name, _, probability = title[0].rpartition(_PROBABILITY)
        title = (name, f"prob={probability}")
    return [(line, picture.wrong) for line in title] + [(line, False) for line in others]


def _draw(axes: Any, picture: Picture, lines: list[_Line], x: float, y: float, size: float, font: float) -> None:
    colour = WRONG if picture.wrong else style.INK
    for number, (line, bold) in enumerate(lines):
        place = (x, y - 0.04 - _LINE * (len(lines) - 1 - number))
        weight = "bold" if bold else "normal"
        axes.text(*place, line, fontsize=font, color=colour, fontweight=weight, ha="left", va="baseline")
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
