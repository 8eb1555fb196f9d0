"""Counts in sentences."""

from __future__ import annotations


def amount(count: int, noun: str) -> str:
    """ "1 image", "12 images", "1,000 images"; the plural takes an s."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def are(count: int) -> str:
    """ "is" of one thing, "are" of any other number."""
    return "is" if count == 1 else "are"


def were(count: int) -> str:
    """ "was" of one thing, "were" of any other number."""
    return "was" if count == 1 else "were"
