"""`zoo.options`: a plugin reads its options with checks, and a wrong one is the user's error."""

from __future__ import annotations

from typing import Any

import pytest

from zoo import Spec, UsageError, options


def spec(**given: Any) -> Spec:
    return Spec("net", 8, 8, 3, ("cat", "dog"), given)


def test_what_is_not_given_is_the_default() -> None:
    assert options.number(spec(), "width", 1.0, least=0.1, most=4.0) == 1.0
    assert options.choice(spec(), "init", ("he", "glorot")) == "he"
    assert options.flag(spec(), "rescale", True) is True


def test_what_is_given_counts() -> None:
    assert options.number(spec(width=2), "width", 1.0, least=0.1, most=4.0) == 2
    assert options.number(spec(width=4.0), "width", 1.0, least=0.1, most=4.0) == 4.0
    assert options.choice(spec(init="glorot"), "init", ("he", "glorot")) == "glorot"
    assert options.flag(spec(rescale=False), "rescale", True) is False


@pytest.mark.parametrize("value", [0, 5, True, "1", None, float("nan"), [1.0]], ids=repr)
def test_a_number_out_of_range_or_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(UsageError) as caught:
        options.number(spec(width=value), "width", 1.0, least=0.1, most=4.0)
    assert str(caught.value) == f"net: option width must be a number from 0.1 to 4.0. Received: {value!r}"


@pytest.mark.parametrize("value", ["He", 1, None, ["he"]], ids=repr)
def test_a_choice_that_there_is_not_is_refused(value: object) -> None:
    with pytest.raises(UsageError) as caught:
        options.choice(spec(init=value), "init", ("he", "glorot"))
    assert str(caught.value) == f"net: option init must be one of 'he', 'glorot'. Received: {value!r}"


@pytest.mark.parametrize("value", [1, 0, "true", None], ids=repr)
def test_a_flag_is_true_or_false_and_no_number(value: object) -> None:
    with pytest.raises(UsageError) as caught:
        options.flag(spec(rescale=value), "rescale", True)
    assert str(caught.value) == f"net: option rescale must be true or false. Received: {value!r}"
