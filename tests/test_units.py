"""Numbers as people write them."""

from __future__ import annotations

import pytest

from zoo.units import parse_count, parse_duration, scaled, size_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "-"), (0, "0"), (999, "999"), (1000, "1.00 k"), (12_345, "12.3 k"), (99_960, "100 k")),
        *((999_400, "999 k"), (999_600, "1.00 M"), (15_470_264_320, "15.5 G")),
    ],
)
def test_counts_have_three_digits_and_a_unit(value: int | None, text: str) -> None:
    assert scaled(value) == text


def test_bytes_have_theirs() -> None:
    assert [size_of(value) for value in (None, 40, 12_845_056)] == ["-", "40 bytes", "12.8 MB"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("250000", 250_000), ("250k", 250_000), ("30M", 30e6), ("30 m", 30e6), ("1.5G", 1.5e9), ("1,000,000", 1e6)],
)
def test_counts_are_read(text: str, value: float) -> None:
    assert parse_count(text) == value


@pytest.mark.parametrize("text", ["", "M", "30X", "-3", "1.2.3", "30MB", "."])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        parse_count(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("10 min", 600), ("1.5h", 5400), ("2H", 7200)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "3d", "1.2.3s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        parse_duration(text)
