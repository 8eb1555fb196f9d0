"""Splits: which rows of a data set are for training, validation and test. Pure functions of their arguments.

A published validation or test part stays whole and is that part; everything else is the pool that a recipe splits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from zoo.errors import DataError
from zoo.recipes import Split

Array: TypeAlias = np.ndarray[Any, Any]

HELD_OUT_SHARE = 5
"""One image in so many is held out where a recipe asks for more than the data set has to give."""


@dataclass(frozen=True)
class Rows:
    """The rows of each part, int64, in the order in which they count; `notes` says what was adapted."""

    train: Array
    validation: Array
    test: Array
    notes: tuple[str, ...] = field(default=())


def split_rows(
    rule: Split,
    seed: int,
    validation: int,
    test: int,
    published_test: Array,
    digests: Array,
    published_validation: Array | None = None,
    asked: Collection[str] = (),
) -> Rows:
    """Split the rows of a data set by a rule.

    `published_test` and `published_validation` are bool [n]; `digests` uint8 [n, 32] are the SHA-256 of the
    contents. `validation` and `test` count images; each counts only where no such part is published.
    Where they leave too few to train they are scaled down, those of "validation" and "test" that are in `asked` last.

    - "hash" and "published": the pool in the order of SHA-256(seed, content) gives `test`, then
      `validation`; the rest trains, in the data set's order. Identical images fall into one part.
    - "shuffle": NumPy's `default_rng(seed).permutation`; its end is validation, before that test.
    - "choice": NumPy's `RandomState(seed).choice` without replacement trains, in the order drawn; the rest,
      in the data set's order, is validation, then test.

    Raises DataError if there are too few images for the parts.
    """
    if published_validation is None:
        published_validation = np.zeros_like(published_test)
    pool = np.flatnonzero(~(published_test | published_validation))
    has_test, has_validation = bool(published_test.any()), bool(published_validation.any())
    if has_test:
        test = 0
    if has_validation:
        validation = 0
    notes = []
    if rule == "published" and not has_test and not test:
        test = max(1, len(pool) // 10)
        notes.append(f"no test part is published: {test:,} images were split off by content hash")
    wanted = (validation, test)
    validation, test = _affordable(len(pool), validation, test, asked)
    if (validation, test) != wanted:
        notes.append(_scaled_note(len(pool), wanted, (validation, test)))
    train_rows, validation_rows, test_rows = _split(rule, seed, validation, test, pool, digests)
    if has_test:
        test_rows = np.flatnonzero(published_test)
    if has_validation:
        validation_rows = np.flatnonzero(published_validation)
    return Rows(train_rows, validation_rows, test_rows, tuple(notes))


def subset(rows: Array, count: int, seed: int, labels: Array, digests: Array) -> Array:
    """`count` of the rows, with as many of each class as there are, in the same order; all of them if count is 0.

    The order of SHA-256(seed, content) says which. `labels` int64 [n] and `digests` are those of all rows.
    """
    if not count or count >= len(rows):
        return rows
    ranks: list[tuple[int, bytes, int]] = []
    seen: dict[int, int] = {}
    keyed = ((hashlib.sha256(f"{seed}:".encode() + digests[row].tobytes()).digest(), row) for row in rows.tolist())
    for key, row in sorted(keyed):
        label = int(labels[row])
        ranks.append((seen.get(label, 0), key, row))
        seen[label] = seen.get(label, 0) + 1
    chosen = {row for _, _, row in sorted(ranks)[:count]}
    taken: Array = np.array([row for row in rows.tolist() if row in chosen], np.int64)
    return taken


def repeated(rows: Array, least: int) -> Array:
    """The rows again and again, in the same order, until they are at least `least`; no row comes twice more often."""
    if not len(rows) or len(rows) >= least:
        return rows
    again: Array = np.resize(rows, least)
    return again


def _affordable(count: int, validation: int, test: int, asked: Collection[str]) -> tuple[int, int]:
    """Scale both down, in proportion, if they leave less than half of the images for training; where one of them was
    `asked` for, the other alone."""
    parts = 1 + bool(validation) + bool(test)
    if count < parts:
        raise DataError(f"The split needs at least {parts} images to make {parts} parts. Received: {count}")
    wanted = validation + test
    if 2 * wanted <= count:
        return validation, test
    held_out = max(count // HELD_OUT_SHARE, parts - 1)
    if validation and test and len(asked) == 1:
        kept = validation if "validation" in asked else test
        other = min(held_out // 2, count // 2 - kept)
        if other > 0:
            return (kept, other) if "validation" in asked else (other, kept)
    scaled = min(max(held_out * validation // wanted, 1), held_out - bool(test)) if validation else 0
    return scaled, held_out - scaled if test else 0


def _scaled_note(count: int, asked: tuple[int, int], given: tuple[int, int]) -> str:
    changes = [
        f"{new:,} instead of {old:,} for {part}"
        for part, old, new in zip(("validation", "the test"), asked, given, strict=True)
        if new != old
    ]
    return f"the recipe expects more than the {count:,} images: {' and '.join(changes)}"


def _split(
    rule: Split, seed: int, validation: int, test: int, pool: Array, digests: Array
) -> tuple[Array, Array, Array]:
    count = len(pool)
    if rule == "shuffle":
        drawn = pool[np.random.default_rng(seed).permutation(count)]
        first, second = count - validation - test, count - validation
        return drawn[:first], drawn[second:], drawn[first:second]
    if rule == "choice":
        # the legacy generator: its stream is frozen, and the chapter's own
        generator = np.random.RandomState(seed)
        drawn = generator.choice(count, count - validation - test, replace=False)
        rest = np.setdiff1d(np.arange(count), drawn)
        return pool[drawn], pool[rest[:validation]], pool[rest[validation:]]
    return _by_hash(seed, validation, test, pool, digests)


def _by_hash(seed: int, validation: int, test: int, pool: Array, digests: Array) -> tuple[Array, Array, Array]:
    taken: dict[str, list[int]] = {"test": [], "validation": [], "train": []}
    room = {"test": test, "validation": validation, "train": len(pool)}
    for group in _identical(seed, pool, digests):
        part = next(part for part in taken if len(taken[part]) + len(group) <= room[part])
        taken[part] += group
    parts = {part: np.sort(np.array(rows, np.int64)) for part, rows in taken.items()}
    return parts["train"], parts["validation"], parts["test"]


def _identical(seed: int, pool: Array, digests: Array) -> Iterator[list[int]]:
    """Yield the rows of each content, in the order of SHA-256(seed, content)."""
    groups: dict[bytes, list[int]] = {}
    for row in pool.tolist():
        groups.setdefault(digests[row].tobytes(), []).append(row)
    order = sorted(groups, key=lambda digest: hashlib.sha256(f"{seed}:".encode() + digest).digest())
    return (groups[digest] for digest in order)
