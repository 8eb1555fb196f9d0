"""How every figure looks: palette, sizes, font, and reproducible files. Nothing here touches pyplot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

# Okabe and Ito's colours, told apart also by the colour-blind (Color Universal Design, 2008)
PALETTE: Mapping[str, str] = MappingProxyType(
    {
        "blue": "#0072B2",
        "orange": "#E69F00",
        "green": "#009E73",
        "vermillion": "#D55E00",
        "sky": "#56B4E9",
        "purple": "#CC79A7",
        "yellow": "#F0E442",
        "black": "#000000",
    }
)
INK = "#1b1f24"
FAINT_INK = "#57606a"
GRID = "#d8dee4"
MID = "#808890"  # stands out from a white and from a dark page alike

KIND_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "input": FAINT_INK,
        "output": FAINT_INK,
        "convolution": PALETTE["blue"],
        "dense": PALETTE["vermillion"],
        "pooling": PALETTE["green"],
        "normalisation": PALETTE["yellow"],
        "activation": PALETTE["orange"],
        "dropout": PALETTE["purple"],
        "merge": PALETTE["sky"],
        "preprocessing": MID,
        "reshape": MID,
        "other": MID,
    }
)

FONT = "DejaVu Sans"  # comes with matplotlib: the same on every machine
DOTS_PER_INCH = 120
STAMP = "REHEARSAL"

_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "font.family": FONT,
        "font.size": 10,
        "text.parse_math": False,  # a class may be called "$1 coin"
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": FAINT_INK,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "xtick.color": FAINT_INK,
        "ytick.color": FAINT_INK,
        "lines.linewidth": 1.8,
        "lines.solid_capstyle": "round",
        "legend.frameon": False,
        "legend.fontsize": 9,
        "figure.facecolor": "white",
        "figure.titlesize": 13,
        "figure.titleweight": "bold",
        "figure.dpi": DOTS_PER_INCH,
        "savefig.dpi": DOTS_PER_INCH,
        "image.interpolation": "nearest",
        "svg.fonttype": "path",
        "svg.hashsalt": "zoo",
    }
)


@contextmanager
def styled() -> Iterator[None]:
    """Within it, figures are drawn in the zoo's style; the process's own settings are put back."""
    from matplotlib import rc_context, rcParamsDefault

    base: dict[Any, Any] = {key: value for key, value in rcParamsDefault.items() if key.partition(".")[0] in _FAMILIES}
    base.update(_SETTINGS)
    with rc_context(base):
        yield


# a user's matplotlibrc must not show: these families of settings begin from matplotlib's own defaults
_FAMILIES = frozenset(
    ("font", "text", "axes", "grid", "xtick", "ytick", "lines", "legend", "figure", "savefig", "image", "svg")
)


def canvas(width: float, height: float) -> Canvas:
    """A figure of `width` x `height` inches on the Agg canvas, laid out without overlaps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.09))
    FigureCanvasAgg(figure)
    return figure


def headline(figure: Canvas, text: str, laid_out: bool = True) -> None:
    """The title of a figure at its left, as large as its width allows; a long one breaks after its colon.

    `laid_out` says whether the figure makes room for it; otherwise it takes the upper 0.45 inches.
    """
    width, height = figure.get_size_inches()
    room = 72 * width - 24
    size = 13 * room / text_width(text, 13, bold=True)
    if size < 10:
        text = text.replace(": ", ":\n", 1)
        size = min(10.5, 13 * room / max(text_width(line, 13, bold=True) for line in text.split("\n")))
    place = {"x": 0.01} if laid_out else {"x": 0.15 / width, "y": 1 - 0.1 / height, "va": "top"}
    title = figure.suptitle(text, ha="left", fontsize=min(13, size), linespacing=1.05, **place)
    # letters fitted to whole pixels are wider than their outlines
    drawn = 72 * title.get_window_extent().width / figure.dpi
    title.set_fontsize(title.get_fontsize() * min(1.0, room / drawn))


def to_png(figure: Canvas, few_colours: bool = False) -> bytes:
    """The figure as PNG; the same figure gives the same bytes.

    `few_colours` keeps 256, which is all that a colour map has, in a quarter of the size.
    """
    from PIL import Image  # Matplotlib writes PNG by it

    target = BytesIO()
    figure.savefig(target, format="png", metadata={"Software": None})
    if not few_colours:
        return target.getvalue()
    image = Image.open(target).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    smaller = BytesIO()
    image.save(smaller, format="png", optimize=True)
    return smaller.getvalue()


def to_svg(figure: Canvas) -> bytes:
    """The figure as SVG with its text as shapes; the same figure gives the same bytes."""
    target = BytesIO()
    figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue()


def stamp(figure: Canvas) -> None:
    """Mark a figure as that of a rehearsal, across all of it."""
    figure.text(
        *(0.5, 0.5, STAMP),
        ha="center",
        va="center",
        rotation=18,
        fontsize=54,
        fontweight="bold",
        color=PALETTE["vermillion"],
        alpha=0.28,
        zorder=100,
    )


def tint(colour: str, share: float) -> str:
    """`colour` ("#rrggbb") mixed with white, of which the result holds 1 - `share`."""
    return _mixed(colour, "#ffffff", 1 - share)


def shade(colour: str) -> str:
    """`colour` darkened, so that even yellow gives a line that is seen on white."""
    return _mixed(colour, INK, 0.3)


def _mixed(colour: str, other: str, share: float) -> str:
    pairs = ((int(colour[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(mine + share * (theirs - mine)):02x}" for mine, theirs in pairs)


@cache
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of `text` in the unit of `size`, set in DejaVu Sans: wider than what most browsers use."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=FONT, weight="bold" if bold else "normal", size=size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width)


def fitted(texts: Iterable[str], room: float, size: float, bold: bool = False) -> dict[str, str]:
    """Each text as it fits into `room`, in the unit of `size`: whole, or else with an ellipsis at one place in all of
    them, in the middle or where more of them stay different."""
    known = tuple(texts)
    tried = [{text: _cut(text, room, size, bold, share) for text in known} for share in (0.5, 1, 0, 0.75, 0.25)]
    return max(tried, key=lambda found: len(set(found.values())))


def _cut(text: str, room: float, size: float, bold: bool, share: float) -> str:
    """`text` with as few letters left out as fit; of those kept `share` stand before the ellipsis."""
    if text_width(text, size, bold) <= room:
        return text
    for kept in range(len(text) - 1, 0, -1):
        head = round(share * kept)
        shorter = f"{text[:head].rstrip()}…{text[len(text) - kept + head :].lstrip()}"
        if text_width(shorter, size, bold) <= room:
            return shorter
    return "…"
