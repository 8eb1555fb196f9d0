"""The split is the recipe's, reproducible, and never lets a published test part or a duplicate leak."""

from __future__ import annotations

import csv
import io
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.loading import find_source, prepare, rehearsal
from zoo.data.splits import repeated, split_rows, subset
from zoo.errors import DataError
from zoo.recipes import Recipe
from zoo.runs.finish import write_quarantine
from zoo.types import Example, Examples, PartName

ALL = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


def digests(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, 32), np.uint8)


def split(rule: Any, count: int, validation: int, test: int, published: int = 0, seed: int = 0) -> Any:
    mask = np.zeros(count, bool)
    mask[count - published :] = True
    return split_rows(rule, seed, validation, test, mask, digests(count))


def sizes(rows: Any) -> list[int]:
    return [len(getattr(rows, part)) for part in ALL]


@given(
    st.sampled_from(["published", "hash", "shuffle", "choice"]),
    st.integers(4, 200),
    st.integers(0, 300),
    st.integers(0, 300),
    st.integers(0, 50),
)
def test_parts_never_overlap_and_leave_nothing_out(
    rule: str, count: int, validation: int, test: int, published: int
) -> None:
    rows = split(rule, count + published, validation, test, published)
    everything = np.concatenate([rows.train, rows.validation, rows.test])
    assert sorted(everything.tolist()) == list(range(count + published))
    assert len(rows.train) >= 1
    assert not validation or len(rows.validation) >= 1
    if published:
        assert rows.test.tolist() == list(range(count, count + published))


@pytest.mark.parametrize("rule", ["published", "hash", "shuffle", "choice"])
def test_a_published_validation_part_is_the_validation_part(rule: Any) -> None:
    published = np.zeros(100, bool)
    published[10:30] = True
    rows = split_rows(rule, 0, 40, 15, np.zeros(100, bool), digests(100), published)
    assert rows.validation.tolist() == list(range(10, 30))
    assert sizes(rows) == [65, 20, 15]
    assert not published[rows.train].any()


def test_hash_gives_exact_counts_and_keeps_the_order() -> None:
    rows = split("hash", 1000, 100, 200)
    assert sizes(rows) == [700, 100, 200]
    assert (np.diff(rows.train) > 0).all()


def test_hash_depends_on_content_and_seed_alone() -> None:
    content = digests(100)
    order = np.random.default_rng(1).permutation(100)
    none = np.zeros(100, bool)
    one, other = (split_rows("hash", 3, 10, 20, none, some) for some in (content, content[order]))
    assert set(one.test.tolist()) == set(order[other.test].tolist())
    assert set(one.test.tolist()) != set(split_rows("hash", 4, 10, 20, none, content).test.tolist())


def test_identical_images_fall_into_one_part() -> None:
    content = np.repeat(digests(50), 2, axis=0)
    rows = split_rows("hash", 0, 15, 15, np.zeros(100, bool), content)
    for part in ALL:
        assert all((row ^ 1) in getattr(rows, part) for row in getattr(rows, part).tolist())


def test_a_subset_has_as_many_of_each_class_and_depends_on_the_seed_and_the_contents_alone() -> None:
    labels, content = np.repeat([0, 1, 2], [300, 100, 7]), digests(407)
    rows = np.arange(5, 407)
    taken = subset(rows, 60, 0, labels, content)
    assert np.bincount(labels[taken]).tolist() == [27, 26, 7] or np.bincount(labels[taken]).tolist() == [26, 27, 7]
    assert np.array_equal(taken, np.sort(taken))
    assert set(taken) < set(rows)
    assert not np.array_equal(taken, subset(rows, 60, 1, labels, content))
    assert set(subset(rows[::-1], 60, 0, labels, content)) == set(taken)
    assert set(subset(rows, 30, 0, labels, content)) < set(taken), "a smaller subset lies in a larger one"
    for count in (0, 402, 1000):
        assert subset(rows, count, 0, labels, content) is rows


def test_rows_come_again_in_turn_until_they_are_enough() -> None:
    rows = np.array([3, 5, 9])
    assert repeated(rows, 8).tolist() == [3, 5, 9, 3, 5, 9, 3, 5]
    for enough in (0, 2, 3):
        assert repeated(rows, enough) is rows
    assert len(repeated(rows[:0], 8)) == 0


def test_shuffle_is_numpys_permutation_with_validation_last() -> None:
    rows = split("shuffle", 25_000, 5_000, 0, seed=7)
    drawn = np.random.default_rng(7).permutation(25_000)
    np.testing.assert_array_equal(rows.train, drawn[:20_000])
    np.testing.assert_array_equal(rows.validation, drawn[20_000:])


def test_choice_is_the_chapters() -> None:
    rows = split("choice", 70_000, 10_000, 0, published=10_000)
    np.random.seed(0)  # noqa: NPY002
    drawn = np.random.choice(60_000, 50_000, replace=False)  # noqa: NPY002
    np.testing.assert_array_equal(rows.train, drawn)
    np.testing.assert_array_equal(rows.validation, sorted(set(range(60_000)) - set(drawn.tolist())))
    np.testing.assert_array_equal(rows.test, range(60_000, 70_000))


def test_without_a_published_test_part_one_is_split_off_and_told() -> None:
    rows = split("published", 200, 0, 0)
    assert sizes(rows) == [180, 0, 20]
    assert rows.notes == ("no test part is published: 20 images were split off by content hash",)


def test_a_small_data_set_gets_proportional_shares_and_a_note() -> None:
    rows = split("hash", 200, 2500, 2500)
    assert sizes(rows) == [160, 20, 20]
    assert "the recipe expects more than the 200 images" in rows.notes[0]
    assert sizes(split("shuffle", 10, 5000, 0)) == [8, 2, 0]
    assert sizes(split("hash", 3, 1000, 1)) == [1, 1, 1]


@pytest.mark.parametrize(
    ("validation", "test", "asked", "expected"),
    [
        (2500, 50, ["test"], [130, 20, 50]),
        (50, 2500, ["validation"], [130, 50, 20]),
        (2500, 99, ["test"], [100, 1, 99]),
    ],
)
def test_a_part_that_the_user_asked_for_keeps_its_size(
    validation: int, test: int, asked: list[str], expected: list[int]
) -> None:
    rows = split_rows("hash", 0, validation, test, np.zeros(200, bool), digests(200), asked=asked)
    assert sizes(rows) == expected


def test_more_than_half_is_scaled_even_if_asked_for() -> None:
    rows = split_rows("hash", 0, 20, 150, np.zeros(200, bool), digests(200), asked=["test"])
    assert len(rows.test) < 150


def test_too_few_images_for_the_parts_are_an_error() -> None:
    with pytest.raises(DataError, match=r"at least 3 images to make 3 parts\. Received: 2"):
        split("hash", 2, 1, 1)


# preparing ------------------------------------------------------------------------------------------------


def grey(count: int = 60, bad: int = 0, parts: bool = True) -> Examples:
    def iterate() -> Iterator[Example]:
        for index in range(count):
            part: PartName | None = ("test" if index >= count - 10 else "train") if parts else None
            image: Any = b"" if index < bad else np.full((28, 28), index, np.uint8)
            yield Example(f"{index:03}", index % 3, part, image)

    return Examples(("a", "b", "c"), iterate, f"{count} {bad} {parts}", count)


def test_parts_carry_images_labels_and_keys() -> None:
    data = prepare(grey(), "grey", Recipe(image_size=28, validation=5), 1)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [45, 5, 10]
    for part in (data.train, data.validation, data.test):
        images = part.take()
        assert images.shape == (len(part), 28, 28, 1)
        assert images[:, 0, 0, 0].tolist() == [int(key) for key in part.keys]
        assert part.labels.tolist() == [int(key) % 3 for key in part.keys]
    assert data.notes == ()


def test_adaptations_are_told_in_words() -> None:
    data = prepare(grey(bad=2), "grey", Recipe(image_size=32), 3)
    assert data.notes == (
        "images are stretched from 28x28 to 32x32 pixels",
        "grey images are repeated to 3 channels",
        "2 images were left out: 000 (empty), 001 (empty)",
    )
    assert data.quarantine == (("000", "empty"), ("001", "empty"))
    assert data.test.take(0).shape == (32, 32, 3)


def test_notes_are_the_same_when_the_cache_is_opened_again() -> None:
    recipe = Recipe(image_size=28)
    assert prepare(grey(), "grey", recipe, 1).notes == prepare(grey(), "grey", recipe, 1).notes == ()


def test_training_images_may_be_larger() -> None:
    data = prepare(grey(), "grey", Recipe(image_size=20, source_size=24, validation=5), 1)
    assert data.train.take([0, 1]).shape == (2, 24, 24, 1)
    assert data.validation.take().shape == (5, 20, 20, 1)
    assert data.test.take().shape == (10, 20, 20, 1)


def spoilt(first: bool | Iterator[bool]) -> Examples:
    """Images without published parts, of which the first can't be decoded in passes for which `first` says so."""

    def iterate() -> Iterator[Example]:
        bad = first if isinstance(first, bool) else next(first)
        return grey(bad=int(bad), parts=False).iterate()

    return Examples(("a", "b", "c"), iterate, "spoilt", 60)


def test_an_image_that_one_of_two_caches_lacks_moves_no_test_image_into_training() -> None:
    recipe = Recipe(image_size=20, split="hash", validation=5, test=10)
    assert len(prepare(spoilt(first=True), "grey", recipe, 1).quarantine) == 1
    data = prepare(spoilt(first=False), "grey", replace(recipe, source_size=24), 1)
    for part in (data.train, data.validation, data.test):
        assert part.take()[:, 0, 0, 0].tolist() == [int(key) for key in part.keys]
    assert data.quarantine == ()
    assert not set(data.train.keys) & {*data.test.keys, *data.validation.keys}


def test_images_that_change_between_two_passes_are_an_error() -> None:
    recipe = Recipe(image_size=20, source_size=24, split="hash", validation=5, test=10)
    with pytest.raises(DataError, match=r"images of grey change while they are read.* Received, .*: 000\."):
        prepare(spoilt(itertools.cycle([True, False])), "grey", recipe, 1)


def test_few_images_fill_an_epoch_and_another_choice_of_them_leaves_the_other_parts() -> None:
    base = {"image_size": 8, "validation": 5, "train": 12, "epoch_images": 30}
    first, second = (prepare(grey(), "grey", Recipe(**base, train_seed=seed), 1) for seed in (0, 1))
    assert (len(first.train), len(set(first.train.keys))) == (30, 12)
    assert first.notes[-2:] == (
        "12 of 45 training images are used",
        "an epoch shows the 12 training images 2.5 times",
    )
    assert first.train.take()[12:24].tolist() == first.train.take()[:12].tolist()
    assert set(first.train.keys) != set(second.train.keys)
    assert (first.validation.keys, first.test.keys) == (second.validation.keys, second.test.keys)


def test_a_class_without_training_images_is_told() -> None:
    examples = Examples(
        ("a", "b"), lambda: (Example(str(i), 0, None, np.full((4, 4), i, np.uint8)) for i in range(9)), "1", 9
    )
    assert "no training image shows 'b'" in prepare(examples, "one", Recipe(image_size=4, split="hash"), 1).notes


def test_the_split_hash_knows_the_parts_and_their_order() -> None:
    hashes = [
        prepare(grey(parts=False), "grey", Recipe(image_size=8, **changes), 1).split_hash
        for changes in (
            {"split": "hash", "validation": 5},
            {"split": "hash", "validation": 6},
            {"split": "hash", "validation": 5, "split_seed": 1},
            {"split": "shuffle", "validation": 5},
            {"split": "hash", "validation": 5},
        )
    ]
    assert len(set(hashes)) == 4
    assert hashes[0] == hashes[4]


# sources and rehearsal ------------------------------------------------------------------------------------


def test_sources_are_looked_for_in_the_variable_then_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))
    assert find_source(None).roots == (tmp_path / "data", tmp_path / "cache" / "data")
    monkeypatch.delenv("ZOO_DATA")
    assert find_source(Path("x")).roots == (tmp_path / "cache" / "data",)


def test_finding_a_source_imports_no_numpy() -> None:
    program = (
        "import sys, zoo.data.loading; zoo.data.loading.find_source(None); print({'numpy', 'cv2'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "set()\n"


def test_a_rehearsal_has_parts_classes_and_the_true_shape() -> None:
    examples = rehearsal("mnist", [str(digit) for digit in range(10)], 1, 28)
    data = prepare(examples, "mnist", Recipe(image_size=28, validation=64), 1)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [448, 64, 128]
    assert set(data.train.labels.tolist()) == set(range(10))
    assert any("rehearsal" in note for note in data.notes)
    again = rehearsal("mnist", [str(digit) for digit in range(10)], 1, 28)
    first, second = (np.stack([e.image for e in each.iterate()]) for each in (examples, again))
    np.testing.assert_array_equal(first, second)


def test_the_class_shows_in_rehearsal_images() -> None:
    data = prepare(rehearsal("x", ("cat", "dog"), 3, 32), "x", Recipe(image_size=32), 3)
    steep = [np.abs(np.diff(part.take().astype(float), axis=1)).mean((1, 2, 3)) for part in (data.train, data.test)]
    flat = [np.abs(np.diff(part.take().astype(float), axis=2)).mean((1, 2, 3)) for part in (data.train, data.test)]
    for part, down, across in zip((data.train, data.test), steep, flat, strict=True):
        assert ((down > across) == (part.labels == 1)).mean() > 0.99


def test_a_rehearsal_never_meets_the_real_cache() -> None:
    assert rehearsal("mnist", ("a",), 1, 28).signature != rehearsal("mnist", ("a",), 3, 28).signature


# odd files --------------------------------------------------------------------------------------------------------


def odd_files(folder: Path) -> dict[str, str]:
    """Write odd files among good ones; return the reason for which each that is no image is to be left out."""
    good = cv2.imencode(".png", np.full((9, 12, 3), 80, np.uint8))[1].tobytes()
    names = [b"good.jpg", b"new\nline.png", b"\xff\xfe.png", b"=cmd().png", b"really a png.jpg", b"\x1b[2J.gif"]
    names += [b"%d.png" % number for number in range(6)]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(good)
    (folder / "empty.jpg").touch()
    (folder / "truncated.png").write_bytes(good[:-20])
    (folder / "page.jpg").write_text("<!doctype html><html>404")
    (folder / "drawing.jpg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "folder.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to("gone.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "giant.gif").write_bytes(b"GIF89a" + (20_000).to_bytes(2, "little") * 2 + bytes(9))
    (folder / os.fsdecode(b"bad\xff\n\x1b.jpg")).write_bytes(b"words")
    return {
        "empty.jpg": "empty",
        "truncated.png": "a truncated PNG",
        "page.jpg": "an HTML page",
        "drawing.jpg": "an SVG drawing",
        "folder.jpg": "a folder",
        "dangling.jpg": "a link to a file that is missing",
        "loop.jpg": "unreadable: Too many levels of symbolic links",
        "giant.gif": "a GIF that declares 20000 x 20000 pixels; the limit is 100 megapixels",
        os.fsdecode(b"bad\xff\n\x1b.jpg"): "text",
    }


def test_odd_files_are_decoded_or_left_out_by_name_with_the_reason(tmp_path: Path) -> None:
    folder, run = tmp_path / "photos", tmp_path / "run"
    folder.mkdir()
    reasons = odd_files(folder)
    files = sorted(folder.iterdir())
    examples = Examples(("a",), lambda: (Example(path.name, 0, None, path) for path in files), "odd", len(files))
    data = prepare(examples, "odd", Recipe(image_size=8, split="hash"), 3)
    assert dict(data.quarantine) == reasons
    assert len(data.train) == len(files) - len(reasons) == 12
    (note,) = (note for note in data.notes if "left out" in note)
    assert note.startswith("9 images were left out: ")
    assert note.endswith("and 6 more, see quarantine.csv")
    assert "bad?" in note
    assert note.isprintable()
    write_quarantine(SimpleNamespace(directory=run), data)  # type: ignore[arg-type]
    written = (run / "quarantine.csv").read_bytes().decode("utf-8", "surrogateescape")
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert rows[0] == ["image", "reason"]
    assert dict(rows[1:]) == reasons
