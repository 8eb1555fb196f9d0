"""Drawings of measurements: a ladder of techniques as bars, accuracy against the amount of data as lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from zoo import style
from zoo.types import Figure

if TYPE_CHECKING:
    from zoo.results.measurements import Curve, MeasuredAmount, MeasuredLadder

_COLOURS = ("blue", "vermillion", "green", "orange")
_MARKS = ("o", "s", "^", "D")


def ladder(measured: MeasuredLadder) -> Figure:
    """The share of validation images that are wrong, a bar per rung from the top down, dots for seeds (SVG)."""
    steps = measured.steps
    wrong = [100 * step.wrong for step in steps]
    worst = max(100 * (1 - min(min(step.shares), step.mean - step.spread)) for step in steps)
    with style.styled():
        figure = style.canvas(9.0, 1.5 + 0.46 * len(steps))
        style.headline(figure, f"{measured.title}: what each technique adds")
        axes = figure.subplots()
        for row, (step, error) in enumerate(zip(steps, wrong, strict=True)):
            colour = style.MID if row == 0 else style.PALETTE["blue"]
            axes.barh(row, error, height=0.62, color=style.tint(colour, 0.55), edgecolor=colour, linewidth=0.8)
            if len(step.shares) > 1:
                axes.errorbar(error, row, xerr=100 * step.spread, color=style.INK, capsize=3.5, linewidth=1.4)
            dots = [100 * (1 - share) for share in step.shares]
            axes.plot(dots, [row] * len(dots), "o", color=style.INK, markersize=3, alpha=0.75)
            axes.text(1.015 * worst, row, f"  {_percent(step.mean, step.spread, len(step.shares))}", va="center")
        labels = [("" if row == 0 else "+ ") + step.label for row, step in enumerate(steps)]
        axes.set_yticks(range(len(steps)), labels, color=style.INK)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.32 * worst)
        axes.set_xlabel("wrong answers, % of the validation images; beside the bars the accuracy")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        content = style.to_svg(figure)
    return Figure(f"ladder-{measured.dataset}", content, "svg", ladder_caption(measured))


def _percent(mean: float, spread: float, seeds: int) -> str:
    return f"{100 * mean:.2f} %" + f" ± {100 * spread:.2f}" * (seeds > 1)


def ladder_caption(measured: MeasuredLadder) -> str:
    """What the drawing shows, and what it does not prove."""
    steps, seeds = measured.steps, len(measured.steps[0].shares)
    gains = [(after.mean - before.mean, after.label) for before, after in pairwise(steps)]
    gain, label = max(gains)
    over = f"Bars are means of {seeds} seeds, whiskers their standard deviation, dots the seeds" * (seeds > 1)
    text = (
        f"{measured.title}: techniques of training, one after the other; each bar keeps all those above it. "
        f"{over or 'One seed'}; {measured.count:,} validation images, and the test images were not looked at. "
        f"From {100 * steps[0].mean:.2f} % to {100 * steps[-1].mean:.2f} %; the most comes from "
        f"“{label}” ({100 * gain:+.2f} points)."
    )
    unclear = measured.unclear()
    if worse := [f"“{label}” ({100 * gain:+.2f})" for gain, label in gains if gain < 0 and label not in unclear]:
        text += f" By itself this made it worse, and what stands below was measured with it: {', '.join(worse)}."
    if unclear:
        named = ", ".join(f"“{label}”" for label in unclear)
        text += f" What these add may be chance: {named}."
    return text


def amount(measurement: MeasuredAmount) -> Figure:
    """Test accuracy against the number of training images, a line per method with its spread (SVG)."""
    with style.styled():
        figure = style.canvas(8.4, 4.8)
        style.headline(figure, f"{measurement.dataset}: accuracy against the amount of data")
        axes = figure.subplots()
        for number, curve in enumerate(measurement.curves):
            colour = style.PALETTE[_COLOURS[number % len(_COLOURS)]]
            x = [point.images for point in curve.points]
            mean = [100 * point.mean for point in curve.points]
            spread = [100 * point.spread for point in curve.points]
            low = [middle - width for middle, width in zip(mean, spread, strict=True)]
            high = [middle + width for middle, width in zip(mean, spread, strict=True)]
            axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
            mark = _MARKS[number % len(_MARKS)]
            axes.errorbar(x, mean, yerr=spread, color=colour, marker=mark, capsize=3, label=curve.method)
        sizes = sorted({point.images for curve in measurement.curves for point in curve.points})
        axes.set_xscale("log")
        axes.set_xticks(sizes, _ticks(sizes, measurement.available))
        axes.minorticks_off()
        axes.set_xlabel("training images (and the share of all that they are)")
        axes.set_ylabel(f"accuracy on {measurement.count:,} test images, %")
        axes.legend(loc="lower right")
        content = style.to_svg(figure)
    return Figure(f"amount-{measurement.dataset}", content, "svg", amount_caption(measurement))


def _ticks(sizes: Sequence[int], available: int) -> list[str]:
    shares = [100 * size / available for size in sizes]
    return [
        f"{size:,}\n{share:.{0 if share >= 1 or math.isclose(share, round(share)) else 1}f} %"
        for size, share in zip(sizes, shares, strict=True)
    ]


def amount_caption(measurement: MeasuredAmount) -> str:
    """What was measured, what is to be seen, and whether the usual claim holds in this range."""
    curves = measurement.curves
    few, many = curves[0].points[0].images, curves[0].points[-1].images
    chosen = [point for curve in curves for point in curve.points if point.images < measurement.available]
    seeds = min((len(point.shares) for point in chosen), default=1)
    ends = "; ".join(
        f"{curve.method} {100 * curve.points[0].mean:.1f} % and {100 * curve.points[-1].mean:.1f} %" for curve in curves
    )
    several = (
        f"{seeds} seeds, each with another choice of the training images (all of them are no choice); bars and bands "
        "are the standard deviation"
    )
    one = "one seed with one choice of the training images: a difference of a point or two may be chance"
    text = (
        f"Accuracy on {measurement.count:,} test images of {measurement.dataset}, {several if seeds > 1 else one}. "
        f"With {few:,} and with {many:,} images: {ends}."
    )
    note = measurement.stored.get("note", "")
    return " ".join(filter(None, (text, _tail(curves, measurement.count), _verdict(curves), note)))


def _tail(curves: Sequence[Curve], count: int) -> str:
    """What the last step in the amount of data still gives, and whether the classical method levels off; nobody is
    said to go on whose gain is less than twice its standard error."""
    if len(curves) < 2 or any(len(curve.points) < 2 or not curve.points[-2].wrong for curve in curves):
        return ""
    fall = {curve.method: 1 - curve.points[-1].wrong / curve.points[-2].wrong for curve in curves}
    listed = ", ".join(
        f"{method} {f'by {100 * share:.0f} %' if share > 0 else 'not at all'}" for method, share in fall.items()
    )
    before, after = (point.images for point in curves[0].points[-2:])
    claim = "the classical method levels off before the networks do"
    going_on = [curve for curve in curves if _goes_on(curve, count)]
    if not going_on:
        told = f"these gains may be chance, and whether {claim} can't be told"
    elif curves[0] in going_on or fall[curves[0].method] >= max(fall[curve.method] for curve in going_on) / 2:
        told = f"that {claim} does not show here"
    else:
        told = f"that {claim} does show here"
    return f"From {before:,} to {after:,} images the wrong answers fall: {listed}; {told}."


def _goes_on(curve: Curve, count: int) -> bool:
    """Whether the last step in the amount of data gives more than twice the standard error of what it gives."""
    before, after = curve.points[-2:]
    return after.mean - before.mean > 2 * math.sqrt(before.variance(count) + after.variance(count))


def _verdict(curves: Sequence[Curve]) -> str:
    """Who is ahead at both ends, set against the claim."""
    if len(curves) < 2:
        return ""
    classical = curves[0].method
    with_few = max(curves, key=lambda curve: curve.points[0].mean).method
    with_many = max(curves, key=lambda curve: curve.points[-1].mean).method
    if with_few == classical != with_many:
        return f"As the claim has it, {classical} is ahead with the fewest images, and {with_many} with the most."
    if with_few != classical:
        return f"Against the claim, {with_few} is ahead of {classical} even with the fewest images."
    return f"Against the claim, {classical} is still ahead with all images."
