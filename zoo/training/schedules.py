"""Learning-rate schedules."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.recipes import Recipe

START, END = 1 / 25, 1e-4  # one-cycle's first and last rate as shares of the highest (Smith, 2018)


def learning_rates(recipe: Recipe, steps: int) -> np.ndarray[Any, Any]:
    """The learning rate of each step, float32 [steps].

    "constant" never changes; "cosine" rises linearly from 0 over the share `warmup`, then falls to 0 by half
    a cosine, and each step has the rate in its middle, which is never 0; "one-cycle" rises and falls by half
    cosines, from 1/25 of the rate and to 1/10,000 of it.
    """
    if recipe.schedule == "constant":
        return np.full(steps, recipe.learning_rate, np.float32)
    cosine = recipe.schedule == "cosine"
    position = (np.arange(steps) + 0.5) / steps if cosine else np.arange(steps) / max(1, steps - 1)
    warmup = max(recipe.warmup, 1e-9)
    up = np.clip(position / warmup, 0, 1)
    down = np.clip((position - recipe.warmup) / max(1 - recipe.warmup, 1e-9), 0, 1)
    if cosine:
        first, last, rise = 0.0, 0.0, up
    else:
        first, last, rise = START, END, (1 - np.cos(np.pi * up)) / 2
    fall = (1 + np.cos(np.pi * down)) / 2
    rate = np.where(position < recipe.warmup, first + (1 - first) * rise, last + (1 - last) * fall)
    return (recipe.learning_rate * rate).astype(np.float32)
