"""The forecast of a run, from a measured rate."""

from __future__ import annotations

import pytest

from zoo.recipes import Recipe
from zoo.training.feeder import Plan
from zoo.training.forecast import EVALUATION_COST, Forecast, extrapolate


def plan(**recipe) -> Plan:
    return Plan(Recipe(**{"image_size": 40, "batch_size": 10, "epochs": 4, **recipe}), 0, 1000, 40)


def test_time_is_images_by_rate():
    forecast = extrapolate(plan(), rate=100.0, size=40, evaluated=0)
    assert forecast.images == 4000
    assert forecast.seconds == pytest.approx(40)


def test_evaluation_after_each_epoch_is_counted():
    forecast = extrapolate(plan(), rate=100.0, size=40, evaluated=200)
    assert forecast.seconds == pytest.approx(40 + 4 * 200 * EVALUATION_COST / 100)


def test_larger_images_cost_by_their_area():
    growing = extrapolate(plan(train_sizes=(20, 40)), rate=100.0, size=20, evaluated=0)
    assert growing.seconds == pytest.approx(20 + 20 * 4)


def test_a_resumed_run_counts_what_is_left():
    forecast = extrapolate(plan(), rate=100.0, size=40, evaluated=0, done=250)
    assert forecast.images == 1500
    assert forecast.seconds == pytest.approx(15)


def test_a_run_cut_short_by_steps_counts_those():
    assert extrapolate(plan(steps=150), rate=100.0, size=40, evaluated=0).images == 1500


def test_the_sentence_says_time_rate_size_and_memory():
    text = Forecast(141.4, 48, 120_000, 600.0, 2 * 2**30).sentence()
    assert text == (
        "The training will take about 10 min on this machine: 141 images/s at 48 pixels, 120,000 images to see, "
        "2.0 GiB of memory."
    )
