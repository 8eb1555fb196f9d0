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


def test_cosine_warms_up_linearly_from_zero_and_ends_at_zero():
    cosine = rates("cosine", warmup=0.1)
    assert cosine[0] == 0
    assert cosine[5] == pytest.approx(0.05)
    assert cosine[10] == pytest.approx(0.1)
    assert cosine[55] == pytest.approx(0.05)
    assert cosine[-1] == pytest.approx(0, abs=1e-9)


def test_cosine_without_warm_up_begins_at_the_highest_rate():
    assert rates("cosine", warmup=0.0)[0] == pytest.approx(0.1)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle"])
def test_a_single_step_has_a_rate(schedule):
    assert np.isfinite(rates(schedule, steps=1)).all()
