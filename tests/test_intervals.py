"""The prediction interval holds one more run as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.intervals import SPREAD, prediction_interval, student, wilson

TRIES = 2000


@pytest.mark.parametrize(
    ("freedom", "confidence", "expected"),
    [(1, 0.95, 12.706), (2, 0.95, 4.303), (4, 0.95, 2.776), (9, 0.99, 3.250), (30, 0.95, 2.042)],
)
def test_student_is_that_of_the_tables(freedom: int, confidence: float, expected: float) -> None:
    assert student(freedom, confidence) == pytest.approx(expected, abs=5e-4)


def coverage(runs: int, count: int, spread: float, luck: bool, share: float = 0.9) -> float:
    """How often one more run lies within: each run's true share is normal, and its images may be drawn from it."""
    random = np.random.default_rng(7)
    shares = np.clip(random.normal(share, spread, (TRIES, runs + 1)), 0, 1)
    if luck:
        shares = random.binomial(count, shares) / count
    intervals = np.array([prediction_interval(row, count) for row in shares[:, :runs].tolist()])
    return float(np.mean((intervals[:, 0] <= shares[:, runs]) & (shares[:, runs] <= intervals[:, 1])))


@pytest.mark.parametrize("runs", [3, 5])
def test_where_runs_differ_most_it_holds_95_of_100(runs: int) -> None:
    assert 0.935 < coverage(runs, 10_000_000, 0.02, luck=False) < 0.965


@pytest.mark.parametrize("runs", [1, 2, 3, 5])
def test_where_luck_with_images_is_all_it_holds_at_least_95_of_100(runs: int) -> None:
    assert 0.94 < coverage(runs, 2500, 0.0, luck=True) < 0.999


@pytest.mark.parametrize("runs", [1, 2, 3, 5])
def test_with_both_it_holds_at_least_95_of_100(runs: int) -> None:
    assert coverage(runs, 10_000, SPREAD, luck=True, share=0.98) > 0.94


def test_the_confidence_interval_of_the_mean_would_fail_fair_runs() -> None:
    random = np.random.default_rng(7)
    shares = random.normal(0.98, 0.003, (TRIES, 6))
    means = shares[:, :5].mean(axis=1)
    intervals = np.array([wilson(round(mean * 10_000), 10_000) for mean in means])
    within = (intervals[:, 0] <= shares[:, 5]) & (shares[:, 5] <= intervals[:, 1])
    assert np.mean(within) < 0.8


def test_one_run_is_taken_to_spread_as_runs_usually_do() -> None:
    low, high = prediction_interval([0.98], 10**9)
    assert (high - low) / 2 == pytest.approx(1.96 * SPREAD * 2**0.5, rel=1e-3)
    assert prediction_interval([0.97, 0.99], 10**9)[0] < prediction_interval([0.98], 10**9)[0]


def test_it_ends_at_nought_and_one() -> None:
    assert prediction_interval([1.0, 1.0, 1.0], 10)[1] == 1.0
    assert prediction_interval([0.0], 10)[0] == 0.0
