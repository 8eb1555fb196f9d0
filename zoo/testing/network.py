"""An architecture under test, and the generated images that its checks share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from zoo import quiet
from zoo.registry import Plugin
from zoo.session import Session
from zoo.testing.plugin import Subject
from zoo.testing.watch import global_state, restored
from zoo.types import Spec

Array = np.ndarray[Any, Any]
COUNT = 16
CLASSES = 4
BLOCKS = 4
WORKING_SIZE = 16
"""Pixels of the images that most checks use, where the card allows as few."""


class ArchitectureSubject(Subject):
    """An architecture under test. `options` are given to every build, to narrow a deep network, say."""

    def __init__(self, plugin: Plugin, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(plugin)
        quiet.import_tensorflow()
        self.options = dict(options or {})
        self.session = Session(plugin, strict=True)
        self.card = plugin.facts

    def spec(self, size: int | None = None, channels: int | None = None, classes: int = CLASSES, seed: int = 1) -> Spec:
        """A spec of this architecture; by default at the size at which most checks run."""
        size = size or max(self.card.min_size, WORKING_SIZE)
        names = tuple(f"class {index}" for index in range(classes))
        return Spec(self.plugin.name, size, size, channels or self.card.channels[0], names, self.options, None, seed)

    def build(self, spec: Spec, precision: str = "float32") -> Any:
        """Call `zoo_build` as core does; its contract is what the checks are for."""
        from zoo.contract import building

        self.session.load()
        with restored(global_state()), building(spec, precision):
            return self.session.hook("zoo_build", spec=spec)

    @cached_property
    def model(self) -> Any:
        """The network that most checks share; they leave its weights as they are."""
        return self.build(self.spec())

    @cached_property
    def images(self) -> Array:
        """Different images of the working size, float32 [16, height, width, channels], 0..255."""
        return images_for(self.spec())

    @cached_property
    def labels(self) -> Array:
        """Their classes, int64 [16]."""
        return np.arange(COUNT) % CLASSES

    @cached_property
    def logits(self) -> Array:
        """What the network makes of them, in inference."""
        return np.asarray(call(self.model, self.images))


def images_for(spec: Spec, count: int = COUNT) -> Array:
    """Generated images, each with a pattern of its own that is easy to tell: blocks of colours, and noise."""
    generator = np.random.default_rng(7)
    blocks = generator.uniform(0, 255, (count, BLOCKS, BLOCKS, spec.channels))
    rows = np.arange(spec.height) * BLOCKS // spec.height
    columns = np.arange(spec.width) * BLOCKS // spec.width
    pixels = blocks[:, rows][:, :, columns]
    drawn: Array = (pixels + generator.normal(0, 10, pixels.shape)).clip(0, 255).round().astype(np.float32)
    return drawn


def call(model: Any, images: Array, training: bool = False) -> Any:
    """The logits of float32 images."""
    import tensorflow as tf

    return model(tf.constant(images), training=training)


def weights_of(model: Any) -> list[Array]:
    """Every variable's value."""
    return [np.asarray(variable) for variable in model.variables]
