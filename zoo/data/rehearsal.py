"""What a rehearsal trains on: a few steps of a recipe, on generated images of a data set's true shape."""

from __future__ import annotations

from dataclasses import replace

from zoo.recipes import Recipe
from zoo.registry import Plugin
from zoo.types import Examples

STEPS = 12


def rehearsal_examples(dataset: Plugin, recipe: Recipe) -> Examples:
    """Generated images of the data set's true shape, a few batches of them."""
    from zoo.data.loading import rehearsal

    card = dataset.facts
    names = card.class_names or tuple(f"class {index}" for index in range(card.classes or 2))
    return rehearsal(dataset.name, names, card.channels[0], card.size or recipe.cached_size)


def rehearsal_recipe(recipe: Recipe) -> Recipe:
    """The recipe with a few steps on the parts that a rehearsal has; sizes, batch and all else stay."""
    return replace(
        recipe,
        epochs=max(1, len(recipe.train_sizes)),
        steps=STEPS,
        split="published",
        validation=64,
        test=0,
    )
