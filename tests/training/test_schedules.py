"""Learning-rate schedules, step by step."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.recipes import Recipe
from zoo.training.schedules import learning_rates


def rates(schedule: str, warmup: float = 0.25, steps: int = 101) -> np.ndarray:
    return learning_rates(Recipe(learning_rate=0.1, schedule=schedule, warmup=warmup), steps)


def test_constant_never_changes():
    assert (rates("constant") == np.float32(0.1)).all()


def test_one_cycle_rises_from_a_25th_to_the_highest_rate_and_falls_to_almost_nothing():
    cycle = rates("one-cycle")
    assert cycle[0] == pytest.approx(0.1 / 25)
    assert cycle.argmax() == 25
    assert cycle.max() == pytest.approx(0.1)
    assert cycle[-1] == pytest.approx(1e-5)
    assert (np.diff(cycle[:26]) > 0).all()
    assert (np.diff(cycle[25:]) < 0).all()


def test_cosine_warms_up_linearly_from_zero_and_falls_to_zero():
    cosine = rates("cosine", warmup=0.1, steps=100)
    assert cosine[:10] == pytest.approx(0.01 * (np.arange(10) + 0.5))
    assert cosine[10:] == pytest.approx(0.05 * (1 + np.cos(np.pi * (np.arange(90) + 0.5) / 90)), abs=1e-8)


def test_cosine_without_warm_up_begins_at_the_highest_rate():
    assert rates("cosine", warmup=0.0, steps=1000)[0] == pytest.approx(0.1, rel=1e-5)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_each_of_a_few_steps_trains(schedule, steps):
    assert (rates(schedule, steps=steps) > 0).all()
