"""The chapter's picture of what the network sees: the product of both weight matrices, an image per class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import Figure, RunContext, figures

if TYPE_CHECKING:
    from zoo_fc_tf import OneHiddenLayer


def what_it_sees(model: OneHiddenLayer, run: RunContext, title: str, name: str) -> Figure:
    """W1 @ W2 as images."""
    spec = run.spec
    return figures.weight_images(
        model.weights1.numpy() @ model.weights2.numpy(),
        (spec.height, spec.width, spec.channels),
        title,
        spec.class_names,
        name,
        rehearsal=run.rehearsal,
    )
