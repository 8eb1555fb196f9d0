"""A data set under test: its description, a pass over it, and a sample of it prepared."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from zoo.registry import Plugin
from zoo.session import Session
from zoo.testing.checks import Fails
from zoo.testing.plugin import Subject
from zoo.testing.watch import offline
from zoo.types import Data, Example, Examples, Source

SAMPLE = 600
"""About so many images are decoded and prepared; all are counted."""
SIZE = 16


@dataclass
class Pass:
    """What one pass over all examples gives; `contents` holds a digest where the image is at hand."""

    keys: list[str]
    labels: list[Any]
    parts: list[Any]
    contents: list[bytes | None]
    sample: list[Example]


class DatasetSubject(Subject):
    """A data set under test; `given` is where its data lie, `complete` whether they are all of them."""

    def __init__(self, plugin: Plugin, given: Path | None = None, complete: bool = True) -> None:
        super().__init__(plugin)
        self.given = given
        self.complete = complete

    @cached_property
    def session(self) -> Session:
        """A session of the data set alone."""
        return Session(self.plugin, self.plugin)

    def describe(self, source: Source | None = None) -> Examples:
        """Call `zoo_examples`, with the network forbidden."""
        from zoo.data.loading import find_source

        with offline() as tried:
            try:
                examples: Examples = self.session.data_hook("zoo_examples", source=source or find_source(self.given))
            finally:
                if tried:
                    raise Fails(f"zoo_examples uses the network, unasked: {tried[0]}")
        return examples

    @cached_property
    def examples(self) -> Examples:
        """The data set's description."""
        return self.describe()

    @cached_property
    def whole(self) -> Pass:
        """The first pass."""
        return one_pass(self.examples.iterate(), self.examples.count)

    def prepare(self, cache: str | None, examples: Examples | None = None) -> Data:
        """Decode and split a sample, as a training would; into a cache of its own, or the user's."""
        from zoo.data.loading import prepare
        from zoo.recipes import Recipe

        recipe = Recipe(image_size=SIZE, split="hash", validation=1, test=1)
        with _cache(self.folder / cache if cache else None):
            return prepare(examples or sampled(self.examples), self.plugin.name, recipe, self.plugin.facts.channels[0])

    @cached_property
    def prepared(self) -> Data:
        """The data set, or a sample of it, prepared."""
        return self.prepare("cache")


def sampled(examples: Examples) -> Examples:
    """The examples as they are, or every n-th of them."""
    every = max(1, examples.count // SAMPLE)
    if every == 1:
        return examples

    def iterate() -> Iterator[Example]:
        return (example for index, example in enumerate(examples.iterate()) if index % every == 0)

    signature = f"{examples.signature} every {every}"
    return replace(examples, iterate=iterate, count=len(range(0, examples.count, every)), signature=signature)


@contextmanager
def _cache(folder: Path | None) -> Iterator[None]:
    if folder is None:
        yield
        return
    before = os.environ.get("ZOO_CACHE")
    os.environ["ZOO_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["ZOO_CACHE"]
        else:
            os.environ["ZOO_CACHE"] = before


def one_pass(iterator: Iterator[Example], count: int) -> Pass:
    """Go through the examples once; every n-th is kept."""
    found = Pass([], [], [], [], [])
    every = max(1, count // SAMPLE)
    for index, example in enumerate(islice(iterator, 2 * count + 100)):
        if not isinstance(example, Example):
            raise Fails(f"iterate() gives a {type(example).__name__}; wanted: zoo.Example")
        found.keys.append(example.key)
        found.labels.append(example.label)
        found.parts.append(example.part)
        found.contents.append(digest_of(example))
        if index % every == 0:
            found.sample.append(example)
    return found


def digest_of(example: Example) -> bytes | None:
    image = example.image
    if isinstance(image, Path):
        try:
            image = image.read_bytes()
        except OSError:
            return None  # the checks of images tell
    return hashlib.sha256(image if isinstance(image, bytes) else np.ascontiguousarray(image).tobytes()).digest()
