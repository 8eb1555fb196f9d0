"""MNIST ships whole, is checked, and needs no network and no data folder."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import zoo_mnist
from hypothesis import given
from hypothesis import strategies as st

from zoo import DataError, Source, UsageError
from zoo.cards import read_card_file
from zoo.data.loading import prepare
from zoo.recipes import Recipe

TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
NOWHERE = Source(None, ())


def test_all_digits_are_there_in_their_published_parts() -> None:
    examples = zoo_mnist.zoo_examples(NOWHERE)
    everything = list(examples.iterate())
    assert len(everything) == examples.count == 70_000
    for part, counts in (("train", TRAIN), ("test", TEST)):
        assert np.bincount([e.label for e in everything if e.part == part]).tolist() == counts
    first = everything[0]
    assert (first.key, first.label) == ("train/00000", 5)
    assert (first.image.dtype, first.image.shape) == (np.uint8, (28, 28))


def test_preparing_keeps_the_published_test_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    data = prepare(zoo_mnist.zoo_examples(NOWHERE), "mnist", Recipe(image_size=28, validation=5_000), 1)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [55_000, 5_000, 10_000]
    assert np.bincount(data.test.labels).tolist() == TEST
    assert data.fingerprint == "b0c303daa3eff9d037d040c05a02dc068e7c2c422babb1815f76a9b0c8834f8f"
    assert data.notes == ()
    assert data.quarantine == ()


def test_a_source_is_refused() -> None:
    with pytest.raises(UsageError, match=r"takes no --source\. Received: elsewhere"):
        zoo_mnist.zoo_examples(Source(Path("elsewhere"), ()))


def test_a_changed_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "t10k-labels-idx1-ubyte"
    monkeypatch.setitem(zoo_mnist.SHA256, name, "0" * 64)
    with pytest.raises(DataError, match="not the original file"):
        list(zoo_mnist.zoo_examples(NOWHERE).iterate())


def test_a_damaged_or_giant_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    whole = gzip.compress(bytes(range(256)) * 3)
    for content, match in (
        (b"hello", "can't be uncompressed"),
        (whole[:-10], "can't be uncompressed"),
        (whole[:20] + b"\xff" * 20 + whole[40:], "can't be uncompressed"),
        (whole[:-8] + b"\0" * 8, "can't be uncompressed"),
        (gzip.compress(b"\0" * 1_000_000), "larger than 1,000 bytes"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=match):
            zoo_mnist.gunzip(path, 1_000)
    with pytest.raises(DataError, match="can't be uncompressed"):
        zoo_mnist.gunzip(tmp_path / "gone.gz", 1_000)


IDX = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(6))


def test_an_idx_file_is_read() -> None:
    np.testing.assert_array_equal(zoo_mnist.read_idx(IDX, (2, 3)), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("content", [b"", IDX[:3], IDX[:12], IDX[:-1], IDX + b"\0", b"\x01" + IDX[1:], b"\xff" * 40])
def test_what_is_no_such_idx_file_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="IDX"):
        zoo_mnist.read_idx(content, (2, 3))


@given(st.binary(max_size=64))
def test_any_bytes_are_refused_as_idx(content: bytes) -> None:
    with pytest.raises(DataError):
        zoo_mnist.read_idx(content, (7, 28, 28))


def test_the_card_agrees_with_the_data() -> None:
    card_file = read_card_file(Path(zoo_mnist.__file__).parent)
    assert card_file is not None
    card = card_file.card("dataset", "mnist")
    assert card is not None
    assert card.images == zoo_mnist.zoo_examples(NOWHERE).count
    assert card.class_names == zoo_mnist.CLASS_NAMES
    assert (card.size, card.channels) == (28, (1,))
