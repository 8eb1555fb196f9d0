"""`--minutes`: the most steps that fit, chosen once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from zoo.errors import UsageError
from zoo.recipes import Recipe
from zoo.training import budget
from zoo.training.budget import MARGIN, Measured
from zoo.training.feeder import Plan
from zoo.training.forecast import EVALUATION_COST, extrapolate

MEASURED = Measured(compiling=10.0, rate=100.0, size=40, parameters=2_000_000)


def plan(**recipe) -> Plan:
    return Plan(Recipe(**{"image_size": 40, "batch_size": 10, "epochs": 4, **recipe}), 0, 1000, 40)


def seconds(recipe: Recipe, evaluated: int = 0) -> float:
    return extrapolate(Plan(recipe, 0, 1000, 40), MARGIN * MEASURED.rate, MEASURED.size, evaluated).seconds


@pytest.mark.parametrize("time", [1.5, 5, 47, 100, 3600])
@pytest.mark.parametrize("recipe", [{}, {"train_sizes": (20, 40)}, {"steps": 7}])
def test_one_step_more_would_not_fit(time, recipe):
    fitted = budget.fit(plan(**recipe), MEASURED, time, evaluated=200)
    assert seconds(fitted, 200) <= time
    assert seconds(budget.with_steps(plan(**recipe), fitted.steps + 1), 200) > time


def test_the_steps_are_cut_at_them_and_the_epochs_hold_them():
    fitted = budget.fit(plan(), MEASURED, 25.0, evaluated=0)
    assert fitted.steps == int(25 * MARGIN * MEASURED.rate / 10)
    assert fitted.epochs == 3
    assert Plan(fitted, 0, 1000, 40).steps == fitted.steps


def test_where_not_one_step_fits_there_is_none():
    assert budget.fit(plan(), MEASURED, 0.01, evaluated=0).steps == 0
    assert budget.fit(plan(), MEASURED, -5.0, evaluated=0).steps == 0


def test_what_is_not_training_is_counted():
    data = SimpleNamespace(test=range(400), validation=range(100))
    evaluating = 400 * EVALUATION_COST / 100
    plain = budget.overhead(MEASURED, Recipe(image_size=40), data, export=True)
    assert plain == pytest.approx(10 + evaluating + budget.EXPORT + 2 * budget.EXPORT_PER_MILLION)
    growing = budget.overhead(MEASURED, Recipe(image_size=40, train_sizes=(20, 30, 30)), data, export=True)
    assert growing == pytest.approx(plain + 10)
    flipped = budget.overhead(MEASURED, Recipe(image_size=40, flip_average=True), data, export=True)
    assert flipped == pytest.approx(plain + 2 * evaluating)
    assert budget.overhead(MEASURED, Recipe(image_size=40), data, export=False) < plain


def test_too_few_minutes_are_refused_with_what_would_do():
    error = budget.refuse(0.2, spent=20.0, needed=20.0, plan=plan(), measured=MEASURED)
    assert str(error) == (
        "--minutes 0.2 is too little: starting, evaluating and exporting take about 40 s here, and one pass over "
        "the 1,000 images 10 s. Try --minutes 1"
    )


@pytest.mark.parametrize(
    ("minutes", "origins", "rehearse", "message"),
    [
        (0, {}, False, "more than 0 and less than 1,000,000. Received: 0"),
        (float("nan"), {}, False, "more than 0 and less than 1,000,000. Received: nan"),
        (5, {}, True, "--minutes and --rehearse don't go together"),
        (5, {"epochs": "--epochs"}, False, "leave out epochs"),
        (5, {"epochs": "--set", "steps": "--set"}, False, "leave out epochs and steps"),
    ],
)
def test_a_request_that_contradicts_itself_is_refused(minutes, origins, rehearse, message):
    with pytest.raises(UsageError) as caught:
        budget.check(minutes, {"epochs": "core", "steps": "core", **origins}, rehearse)
    assert message in str(caught.value)
