"""What a plugin hands over, checked where it crosses into core: each mistake is told in the words of the contract.

Every check raises `Broken`, a ValueError; whoever knows the plugin (`zoo.session`) makes it an error that names it.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any, get_args

from zoo.types import Example, Examples, Figure, History, PartName

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


def checked_examples(examples: Any) -> Examples:
    """Return a data set's description; its images are checked one by one as `checked_pass` comes to them."""
    if not isinstance(examples, Examples):
        raise Broken(f"it must return zoo.Examples. Received: {_shown(examples)}")
    names = examples.class_names
    if not isinstance(names, tuple) or not all(isinstance(name, str) and name for name in names):
        raise Broken(f"class_names is a tuple of names. Received: {_shown(names)}")
    if len(set(names)) != len(names) or len(names) < 2:
        raise Broken(f"class_names are two or more, all different. Received: {_shown(names)}")
    if not callable(examples.iterate):
        raise Broken(f"iterate is a function that starts a pass over all. Received: {_shown(examples.iterate)}")
    if not isinstance(examples.signature, str) or not examples.signature:
        raise Broken(f"signature is a text that changes with the source. Received: {_shown(examples.signature)}")
    if not isinstance(examples.count, int) or isinstance(examples.count, bool) or examples.count < 0:
        raise Broken(f"count is a whole number. Received: {_shown(examples.count)}")
    if not isinstance(examples.note, str) or not isinstance(examples.title, str):
        raise Broken(f"note and title are texts. Received: {_shown(examples.note)}, {_shown(examples.title)}")
    if not isinstance(examples.place, Path | None):
        raise Broken(f"place is a pathlib.Path or None. Received: {_shown(examples.place)}")
    if not (examples.unlabelled is None or callable(examples.unlabelled)):
        raise Broken(f"unlabelled is a function or None. Received: {_shown(examples.unlabelled)}")
    return examples


def checked_pass(examples: Examples) -> Iterator[Example]:
    """A pass over a data set's examples, each checked, its label a plain int; keys are unique, `count` is kept."""
    seen: set[str] = set()
    for example in examples.iterate():
        checked = _checked_example(example, len(examples.class_names))
        if checked.key in seen:
            raise Broken(f"each key comes once. Received: {checked.key!r} again")
        seen.add(checked.key)
        if len(seen) > examples.count:
            raise Broken(f"count is that of all examples. Received: count {examples.count:,}, and more examples")
        yield checked
    if len(seen) < examples.count:
        raise Broken(f"count is that of all examples. Received: count {examples.count:,}, and {len(seen):,} examples")


def checked_unlabelled(examples: Examples) -> Iterator[tuple[str, Any]]:
    """A pass over a data set's images without a label, each checked."""
    assert examples.unlabelled is not None  # noqa: S101 (only then is this asked)
    for pair in examples.unlabelled():
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise Broken(f"unlabelled gives pairs of key and image. Received: {_shown(pair)}")
        _check_image(*pair)
        yield pair


def checked_history(rows: list[Any]) -> History:
    """Return the history that a loop of its own gave; curves are drawn of it, and the run's report."""
    if not rows:
        raise Broken(
            "a history has a row or more: run.log(step, loss=...) adds one; return run.history. Received: none"
        )
    before = -math.inf
    for row in rows:
        if not isinstance(row, Mapping):
            raise Broken(f"a row of the history is a dict of names and numbers. Received: {_shown(row)}")
        for name, value in row.items():
            if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, Real):
                raise Broken(f"a row of the history holds names and numbers. Received: {name!r}: {_shown(value)}")
        step = float(row.get("step", math.nan))
        if not step.is_integer():
            raise Broken(f"each row of the history has a whole number as its step. Received: {_shown(dict(row))}")
        if step < before:
            raise Broken(f"the steps of a history do not go back. Received: step {step:g} after {before:g}")
        before = step
    return rows if isinstance(rows, History) else History(rows)


def _checked_example(example: Any, classes: int) -> Example:
    if not isinstance(example, Example):
        raise Broken(f"it must give zoo.Example. Received: {_shown(example)}")
    if not isinstance(example.key, str) or not example.key or "\x00" in example.key:
        raise Broken(f"a key is a text, not empty. Received: {_shown(example.key)}")
    label = _whole(example.label)
    if label is None or not 0 <= label < classes:
        raise Broken(
            f"the label of example {example.key!r} is a whole number from 0 to {classes - 1}, the last class. "
            f"Received: {_shown(example.label)}"
        )
    if not (example.part is None or example.part in get_args(PartName)):
        raise Broken(
            f"the part of example {example.key!r} is 'train', 'validation', 'test' or None. Received: {example.part!r}"
        )
    _check_image(example.key, example.image)
    return example if type(example.label) is int else replace(example, label=label)


def _whole(value: Any) -> int | None:
    """A whole number, NumPy's too; None for anything else, as 0.5 or True."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def _check_image(key: str, image: Any) -> None:
    import numpy as np  # a data set that is missing is told without it

    if not isinstance(image, Path | bytes | np.ndarray):
        hint = ". A file is a pathlib.Path" if isinstance(image, str) else ""
        raise Broken(f"the image of example {key!r} is a path, bytes or a uint8 array. Received: {_shown(image)}{hint}")


def _shown(value: Any) -> str:
    """A value in short: its type, and itself where that is a few characters."""
    if value is None:
        return "None"
    text = repr(value)
    return f"{type(value).__name__} {text}" if len(text) <= 60 else type(value).__name__
