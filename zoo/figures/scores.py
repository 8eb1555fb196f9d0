"""What the held-out images say of a run: confusion, precision and recall, and calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo import style
from zoo.figures.scene import Answers, Scene
from zoo.types import Figure
from zoo.words import amount, are

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BINS = 15  # as in Guo et al. (2017)
_NUMBERED, _NAMED = 16, 40  # classes up to which cells carry numbers, and rows names
_NAME = 190  # points that a name takes at most
RIGHT, WRONG = style.PALETTE["blue"], style.PALETTE["vermillion"]


class Calibration(NamedTuple):
    """Bins of equal width over the predicted probability, each float64 or int64 [bins].

    `confidence` and `accuracy` are means over a bin's images (NaN in an empty one); `ece` is in 0..1.
    """

    edges: Array
    counts: Array
    confidence: Array
    accuracy: Array
    ece: float


def calibration(probabilities: Array, correct: Array, bins: int = BINS) -> Calibration:
    """The expected calibration error and what it is made of.

    `probabilities` float [n] are those of the predicted classes, `correct` bool [n]. Bin k of K holds k/K < p <=
    (k+1)/K, the first also 0; ECE is the mean gap between accuracy and mean probability, weighted by the bins'
    counts. Guo, Pleiss, Sun and Weinberger (2017), "On calibration of modern neural networks".
    """
    import numpy as np

    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, probabilities, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    some = np.where(counts, counts, np.nan)
    confidence = np.bincount(place, probabilities, minlength=bins) / some
    accuracy = np.bincount(place, np.asarray(correct, np.float64), minlength=bins) / some
    ece = float(np.nansum(counts * np.abs(accuracy - confidence)) / max(1, len(probabilities)))
    return Calibration(edges, counts, confidence, accuracy, ece)


def counted(answers: Answers, classes: int) -> Array:
    """The confusion matrix int64 [truth, prediction]."""
    import numpy as np

    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (answers.truths, answers.guesses), 1)
    return matrix


# confusion ----------------------------------------------------------------------------------------------------


def confusion(scene: Scene) -> Iterator[Figure]:
    """The confusion matrix; right answers and mistakes on a scale of their own each."""
    answers = _answers(scene)
    if answers is None:
        return
    names = scene.class_names
    matrix = counted(answers, len(names))
    classes = len(names)
    side = min(max(0.56 * classes, 2.6), 8.5)
    with style.styled():
        shown = _ticks(names) if classes <= _NAMED else []
        widest = max((style.text_width(name, 10) for name in shown), default=0) / 72
        figure = style.canvas(max(side + 1.2, 5.4) + max(0, widest - 1), side + 1.25 + max(0, 0.65 * widest - 0.5))
        style.headline(figure, f"{scene.title}: which class is taken for which")
        axes = figure.subplots()
        axes.imshow(_colours(matrix), interpolation="nearest")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        if shown:
            level = max(map(len, names)) < 6
            # a slanting name ends below its column: about its own middle it would lie across others
            slant: dict[str, Any] = {} if level else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
            axes.set_xticks(range(classes), shown, **slant)
            axes.set_yticks(range(classes), shown)
        axes.tick_params(length=0)
        if classes <= _NUMBERED:
            _write_counts(axes, matrix)
        content = style.to_svg(figure)
    yield Figure("confusion", content, "svg", _confusion_caption(matrix, names))


def _colours(matrix: Array) -> Array:
    """RGB [classes, classes, 3] in 0..1: blue for right answers by the share of their row, orange-red for mistakes
    by that of the worst."""
    import numpy as np
    from matplotlib.colors import to_rgb

    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(matrix), dtype=bool)
    worst = shares[~right].max(initial=0) or 1
    strength = np.where(right, shares, 0.85 * (shares / worst) ** 0.7)[..., None]
    full = np.where(right[..., None], to_rgb(RIGHT), to_rgb(WRONG))
    coloured: Array = 1 - strength * (1 - full)
    return coloured


def _write_counts(axes: Any, matrix: Array) -> None:
    colours = _colours(matrix)
    for truth, row in enumerate(matrix):
        for guess, count in enumerate(row):
            red, green, blue = colours[truth, guess]
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            colour = "white" if dark else (style.INK if count else style.GRID)
            size = 10 if len(matrix) > 4 else 13
            axes.text(guess, truth, f"{count:,}", ha="center", va="center", color=colour, fontsize=size)


def _confusion_caption(matrix: Array, names: tuple[str, ...]) -> str:
    import numpy as np

    off = matrix.copy()
    np.fill_diagonal(off, 0)
    total, wrong = int(matrix.sum()), int(off.sum())
    text = (
        f"Rows are what {amount(total, 'held-out image')} {are(total)}, columns what "
        f"{'it was' if total == 1 else 'they were'} taken for; blue on the diagonal is right, orange-red is wrong, "
        f"each colour on its own scale. "
    )
    if not wrong:
        return text + "There is no mistake."
    truth, guess = np.unravel_index(int(off.argmax()), off.shape)
    taken = f"{names[truth]} taken for {names[guess]}"
    if wrong == 1:
        return text + f"1 is wrong: {taken}."
    if off.max() == 1:
        return text + f"{wrong:,} are wrong, no two of them alike."
    return text + (
        f"{wrong:,} are wrong; the most frequent mistake is {taken}, "
        f"{int(off[truth, guess]):,} of {int(matrix[truth].sum()):,}."
    )


# precision and recall -----------------------------------------------------------------------------------------


def classes(scene: Scene) -> Iterator[Figure]:
    """Precision and recall of each class with their 95 % intervals; of many classes the worst are drawn."""
    from zoo.intervals import wilson

    answers = _answers(scene)
    if answers is None:
        return
    names = scene.class_names
    matrix = counted(answers, len(names))
    recalls = [(int(matrix[i, i]), int(matrix[i].sum())) for i in range(len(names))]
    precisions = [(int(matrix[i, i]), int(matrix[:, i].sum())) for i in range(len(names))]
    shown = list(range(len(names)))
    if len(shown) > _NAMED:
        shown = sorted(shown, key=lambda i: recalls[i][0] / max(1, recalls[i][1]))[:_NAMED]
    with style.styled():
        figure = style.canvas(7.2, 1.55 + 0.42 * len(shown))
        style.headline(figure, f"{scene.title}: precision and recall")
        axes = figure.subplots()
        axes.grid(visible=False, axis="y")
        for offset, pairs, label, colour, marker in (
            (-0.14, precisions, "precision: right among those predicted", style.PALETTE["blue"], "o"),
            (0.14, recalls, "recall: found among those there are", style.PALETTE["vermillion"], "s"),
        ):
            drawn = [(place, pairs[index]) for place, index in enumerate(shown) if pairs[index][1]]
            shares = [100 * hits / count for _, (hits, count) in drawn]
            ends = [[100 * end for end in wilson(hits, count)] for _, (hits, count) in drawn]
            spread = [
                [max(0.0, share - low) for share, (low, _) in zip(shares, ends, strict=True)],
                [max(0.0, high - share) for share, (_, high) in zip(shares, ends, strict=True)],
            ]
            places = [place + offset for place, _ in drawn]
            axes.errorbar(shares, places, xerr=spread, fmt=marker, color=colour, markersize=6, capsize=3, label=label)
        _write_shares(axes, shown, precisions, recalls)
        axes.set_yticks(range(len(shown)), _ticks([names[index] for index in shown]))
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlabel("% with the 95 % interval (Wilson)")
        figure.legend(loc="outside lower left", ncols=2, handlelength=1.2)
        content = style.to_svg(figure)
    yield Figure("classes", content, "svg", _classes_caption(names, precisions, recalls))


def _write_shares(
    axes: Any, shown: list[int], precisions: list[tuple[int, int]], recalls: list[tuple[int, int]]
) -> None:
    """The two figures of each class, in columns right of the axes, coloured as their marks."""
    # in points: shares of the axes shrink where long names leave them little room
    columns = ((12, precisions, style.PALETTE["blue"], "precision"), (60, recalls, WRONG, "recall"))
    words = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "annotation_clip": False}
    for x, pairs, colour, heading in columns:
        axes.annotate(heading, (1, -0.62), (x, 0), color=style.FAINT_INK, fontsize=8, va="bottom", **words)
        for place, index in enumerate(shown):
            hits, count = pairs[index]
            text = f"{100 * hits / count:.1f} %" if count else "none"
            axes.annotate(text, (1, place), (x, 0), color=style.shade(colour), fontsize=9, va="center", **words)


def _classes_caption(names: tuple[str, ...], precisions: list[tuple[int, int]], recalls: list[tuple[int, int]]) -> str:
    seen = [index for index in range(len(names)) if recalls[index][1]]
    worst = min(seen, key=lambda i: recalls[i][0] / recalls[i][1])
    hits, count = recalls[worst]
    often = max(range(len(names)), key=lambda i: precisions[i][1] - recalls[i][1])
    text = "Recall is the share of a class that was found, precision the share of its predictions that are right. "
    if hits == count:
        return text + "Every image was found, and every prediction is right."
    least = f"Least often found is {names[worst]}:" if len(seen) > 1 else f"All images are of {names[worst]}; found:"
    text += f"{least} {hits:,} of {count:,} ({100 * hits / count:.1f} %)."
    extra = precisions[often][1] - recalls[often][1]
    return text + (f" Predicted too often by {extra:,} is {names[often]}." if extra > 0 else "")


# calibration --------------------------------------------------------------------------------------------------


def reliability(scene: Scene) -> Iterator[Figure]:
    """The reliability diagram, with the count of images in each bin."""
    answers = _answers(scene)
    if answers is None:
        return
    found = calibration(answers.probabilities, answers.correct)
    with style.styled():
        figure = style.canvas(6.4, 6.2)
        style.headline(figure, f"{scene.title}: can its probabilities be trusted?")
        upper, lower = figure.subplots(2, 1, height_ratios=(3.2, 1.2), sharex=True)
        _draw_reliability(upper, found)
        _draw_counts(lower, found)
        figure.legend(loc="outside lower left", ncols=3, columnspacing=1.4, handlelength=1.6)
        first = int(found.counts.nonzero()[0][0])
        lower.set_xlim(max(0.0, found.edges[first] - 0.03), 1.01)
        content = style.to_svg(figure)
    mean = float(answers.probabilities.mean())
    gap = mean - float(answers.correct.mean())
    images = f"of the {len(answers):,} images" if len(answers) > 1 else "images"
    points = f"{100 * abs(gap):.1f}"
    kept = f"{points} points {'more' if gap > 0 else 'less'} than" if float(points) else "as much as"
    caption = (
        f"Expected calibration error {100 * found.ece:.1f} % over {BINS} bins of equal width (Guo et al. 2017). "
        f"Bars are the share that was right among predictions of about the same probability; on the dashed line "
        f"probability and accuracy agree, below it the network is too sure of itself. On average it claims "
        f"{100 * mean:.1f} %, {kept} it keeps. Below: how many {images} each bar stands for; bars of few images mean "
        f"little."
    )
    yield Figure("reliability", content, "svg", caption)


def _draw_reliability(axes: Any, found: Calibration) -> None:
    from matplotlib.ticker import PercentFormatter

    width = found.edges[1] - found.edges[0]
    some = found.counts > 0
    left, accuracy, confidence = found.edges[:-1][some], found.accuracy[some], found.confidence[some]
    bars = {"width": 0.92 * width, "align": "edge"}
    axes.bar(left, accuracy, color=style.tint(RIGHT, 0.75), label="right among them", **bars)
    axes.bar(
        *(left, confidence - accuracy),
        bottom=accuracy,
        color="none",  # the gap of one too unsure lies within its bar
        edgecolor=WRONG,
        linewidth=0.8,
        hatch="///",
        label="gap to their mean probability",
        **bars,
    )
    axes.plot([0, 1], [0, 1], linestyle="--", color=style.INK, linewidth=1.3, label="as sure as right")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.set_ylabel("accuracy")
    axes.set_title(f"ECE {100 * found.ece:.1f} %")


def _draw_counts(axes: Any, found: Calibration) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

    width = found.edges[1] - found.edges[0]
    axes.bar(found.edges[:-1], found.counts, width=0.92 * width, align="edge", color=style.MID)
    for left, count in zip(found.edges[:-1], found.counts, strict=True):
        if count:
            axes.text(left + 0.46 * width, count, f"{count:,}", ha="center", va="bottom", fontsize=8)
    axes.set_ylim(0, 1.25 * found.counts.max())
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_ylabel("images")
    axes.set_xlabel("probability of the predicted class")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))


def _ticks(names: Sequence[str]) -> list[str]:
    fitted = style.fitted(names, _NAME, 10)
    return [fitted[name] for name in names]


def _answers(scene: Scene) -> Answers | None:
    """What was said of held-out images; of a rehearsal nothing is told."""
    return None if scene.rehearsal or not scene.answers else scene.answers
