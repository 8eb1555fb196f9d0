"""Measurements on the site, drawn from their files: ladders of techniques, accuracy against the amount of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.figures import measured as drawn
from zoo.markup import escape, figure, machine, plain, table
from zoo.progress import duration
from zoo.registry import Plugin
from zoo.results.measurements import MeasuredAmount, MeasuredLadder, Point, amounts, ladders

KEPT = Path(__file__).parent / "docs" / "concepts"
HEADING = "What each technique adds"
ANCHOR = "what-each-technique-adds"


def pictures(architectures: Sequence[Plugin], folder: Path = KEPT) -> dict[str, bytes]:
    """The drawings of all measurements, by their path in the site's sources."""
    made = {}
    for plugin in architectures:
        for one in ladders(plugin):
            picture = drawn.ladder(one)
            made[f"architectures/{plugin.name}/{picture.name}.svg"] = picture.content
    for measurement in amounts(folder):
        picture = drawn.amount(measurement)
        made[f"concepts/images/{picture.name}.svg"] = picture.content
    return made


def ladders_of(plugin: Plugin) -> list[str]:
    """What an architecture's page says of its ladders; nothing without one."""
    found = ladders(plugin)
    return [f"## {HEADING}", *(_ladder(one) for one in found)] if found else []


def _ladder(one: MeasuredLadder) -> str:
    caption = drawn.ladder_caption(one)
    rows = []
    for step, rung in zip(one.steps, one.stored["rungs"], strict=True):
        changes = [f"{key} = {plain(value)}" for key, value in rung["keys"].items()]
        shares = ", ".join(f"{100 * share:.2f} %" for share in step.shares)
        rows.append((step.label, "; ".join(changes) or "-", f"{100 * step.mean:.2f} %", shares, duration(step.seconds)))
    header = ("technique", "changes", "mean", "seeds", "a run")
    common = "; ".join(f"{key} = {plain(value)}" for key, value in one.stored["keys"].items())
    facts = [
        ("command", one.command),
        ("all rungs", f"recipe {one.stored['recipe']}; {common}"),
        ("training images", f"{one.stored['training_images']:,}, {one.stored['precision']}"),
        *_made_with(one.stored),
    ]
    inside = f"{table(header, rows, numeric=(2, 4))}{table((), facts)}"
    address = f"{one.architecture}/ladder-{one.dataset}.svg"
    return (
        f"{figure(address, f'{one.title}: validation accuracy of each rung', caption)}\n\n"
        f"<details><summary>The figures and the receipt: {escape(one.title)}</summary>{inside}</details>"
    )


def amount(folder: Path = KEPT) -> str:
    """The drawings of accuracy against the amount of data, for the concept page."""
    found = amounts(folder)
    return "\n\n".join(map(_amount, found)) or "The zoo has not measured this yet, so there is no curve here."


def _amount(one: MeasuredAmount) -> str:
    caption = drawn.amount_caption(one)
    alternative = f"{one.dataset}: test accuracy of each method against the number of training images"
    sizes = [point.images for point in one.curves[0].points]
    rows = []
    for curve in one.curves:
        known = {point.images: _with_spread(point) for point in curve.points}
        rows.append((curve.method, *(known.get(size, "-") for size in sizes)))
    header = ("accuracy, %", *(f"{size:,} images" for size in sizes))
    facts = [
        ("command", one.stored["command"]),
        *one.stored["told"].items(),
        *_made_with(one.stored),
    ]
    inside = f"{table(header, rows, numeric=range(1, len(header)))}{table((), facts)}"
    return (
        f"{figure(f'images/amount-{one.dataset}.svg', alternative, caption)}\n\n"
        f"<details><summary>The figures and how they came about: {escape(one.dataset)}</summary>{inside}</details>"
    )


def _with_spread(point: Point) -> str:
    spread = f" ± {100 * point.spread:.2f}" if len(point.shares) > 1 else ""
    return f"{100 * point.mean:.2f}{spread}"


def _made_with(stored: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The machines and the versions of a measurement."""
    return [
        ("hardware", "; ".join(map(machine, stored["hardware"]))),
        ("versions", ", ".join(f"{name} {version}" for name, version in stored["versions"].items())),
    ]


def of_experiment(architecture: str, dataset: str, architectures: Sequence[Plugin]) -> list[str]:
    """Links to the ladders in which a network of the chapter has a rung."""
    found = []
    for plugin in architectures:
        for one in ladders(plugin):
            networks = {rung["architecture"] for rung in one.stored["rungs"]}
            if one.dataset == dataset and architecture in networks:
                found.append(f"[What each technique adds to it](architectures/{plugin.name}.md#{ANCHOR}), measured.")
    return found
