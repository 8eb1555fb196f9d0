"""Numbers as people write them: "15.5 G", "30M", "10 min"."""

from __future__ import annotations

import re

from zoo.files import in_words

_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600}


def scaled(value: float | None) -> str:
    """A count with three digits and its unit: "15.5 G", "87.1 M", "640"; a dash for None."""
    if value is None:
        return "-"
    for unit in ("G", "M", "k"):
        share = value / _FACTORS[unit.lower()]
        if share >= 0.9995:  # 999,600 is 1.00 M, not 1000 k
            digits = 2 if share < 9.995 else 1 if share < 99.95 else 0
            return f"{share:.{digits}f} {unit}"
    return f"{value:.0f}"


def size_of(value: int | None) -> str:
    """Bytes in decimal units: "12.8 MB"; a dash for None."""
    return "-" if value is None else in_words(value)


def parse_count(text: str) -> float:
    """The number that "30M", "1.5 G" or "250000" is. Raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9.,_]+)\s*([kmg]?)", text.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f"{text!r} is no number with a unit such as 250000, 250k, 30M or 1.5G")
    return _number(match[1], text) * _FACTORS[match[2].lower()]


def parse_duration(text: str) -> float:
    """The seconds that "90", "90s", "10m", "10 min" or "1.5h" are. Raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9.]+)\s*(s|min|m|h)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f"{text!r} is no duration such as 90s, 10m or 1.5h")
    return _number(match[1], text) * _SECONDS[(match[2] or "s").lower()]


def _number(digits: str, text: str) -> float:
    try:
        return float(digits.replace(",", "").replace("_", ""))
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
