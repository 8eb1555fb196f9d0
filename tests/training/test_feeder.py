"""The plan of a run, and the chunks that feed it."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.recipes import Recipe
from zoo.training.feeder import Feeder, Plan
from zoo.types import Part


@pytest.fixture
def part() -> Part:
    """23 one-pixel images whose value is their index."""
    values = np.arange(23, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return Part(values, np.arange(23), np.arange(23) % 3, [str(index) for index in range(23)])


def plan(**recipe) -> Plan:
    return Plan(Recipe(**{"image_size": 1, "batch_size": 5, "epochs": 2, **recipe}), 0, 23, 1)


def seen(plan, part, first, steps_per_chunk):
    return list(Feeder(plan, part, first, steps_per_chunk))


def test_an_epoch_shows_every_image_once(part):
    chunks = seen(plan(), part, 0, 2)
    assert sorted(np.concatenate([chunk.images.ravel() for chunk in chunks])) == list(range(23))
    assert all((chunk.labels == chunk.images.ravel() % 3).all() for chunk in chunks)


def test_the_last_step_of_an_epoch_takes_what_is_left(part):
    chunks = seen(plan(), part, 0, 99)
    assert [(chunk.steps, chunk.batch_size) for chunk in chunks] == [(4, 5), (1, 3)]


@pytest.mark.parametrize("steps_per_chunk", [1, 2, 3, 50])
def test_the_order_does_not_depend_on_the_chunks(part, steps_per_chunk):
    images = np.concatenate([c.images.ravel() for c in seen(plan(), part, 0, steps_per_chunk)])
    assert images.tolist() == np.concatenate([c.images.ravel() for c in seen(plan(), part, 0, 4)]).tolist()


def test_it_goes_on_in_the_middle_of_an_epoch(part):
    whole = np.concatenate([chunk.images.ravel() for chunk in seen(plan(), part, 5, 1)])
    rest = np.concatenate([chunk.images.ravel() for chunk in seen(plan(), part, 7, 1)])
    assert rest.tolist() == whole[10:].tolist()


def test_steps_ends_a_run_in_the_middle_of_an_epoch(part):
    short = plan(steps=7)
    assert (short.steps, short.epochs) == (7, 2)
    assert sum(chunk.steps for chunk in seen(short, part, 5, 99)) == 2


def test_image_sizes_grow_by_equal_shares_of_the_epochs():
    growing = plan(train_sizes=(8, 16, 32), epochs=6)
    assert [growing.size(epoch) for epoch in range(6)] == [8, 8, 16, 16, 32, 32]


def test_the_table_has_columns_only_for_what_is_on(part):
    assert seen(plan(), part, 0, 1)[0].table.shape == (5, 0)
    assert seen(plan(flip=True), part, 0, 1)[0].table.shape == (5, 8)
    assert seen(plan(brightness=0.2), part, 0, 1)[0].table.shape == (5, 2)
    assert seen(plan(flip=True, erase=0.5, mixup=1.0, class_weights="balanced"), part, 0, 1)[0].table.shape == (5, 21)


def test_an_error_in_the_thread_reaches_the_consumer(part):
    part.rows = np.arange(100, 123)
    with pytest.raises(IndexError):
        seen(plan(), part, 0, 1)


def test_leaving_early_ends_the_thread(part):
    import threading

    before = threading.active_count()
    chunks = iter(Feeder(plan(), part, 0, 1))
    next(chunks)
    chunks.close()
    assert threading.active_count() == before
