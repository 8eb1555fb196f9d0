"""Photographs of one's own: a folder with a folder of images per class, named by its path."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import zoo_folder
import zoo_mnist

from zoo import DataError, Source, api
from zoo.cli import main
from zoo.registry import Registry
from zoo.runs.request import Request, located

MNIST = Path(zoo_mnist.__file__).parent


@pytest.fixture(scope="module")
def digits():
    def read(name, offset):
        return np.frombuffer(gzip.decompress((MNIST / name).read_bytes()), np.uint8, offset=offset)

    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    return images, read("t10k-labels-idx1-ubyte.gz", 8)


@pytest.fixture(scope="module")
def folder(digits, tmp_path_factory):
    """400 digits as PNG files: ones and sevens, a folder each."""
    images, labels = digits
    home = tmp_path_factory.mktemp("own") / "digits"
    for name, label in (("one", 1), ("seven", 7)):
        (home / name).mkdir(parents=True)
        for number, index in enumerate(np.flatnonzero(labels == label)[:200]):
            cv2.imwrite(str(home / name / f"{number}.png"), images[index])
    return home


def described(folder):
    return zoo_folder.zoo_examples(Source(folder, ()))


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_classes_are_folders_in_natural_order_and_images_lie_anywhere_below(tmp_path):
    touch(
        tmp_path, "b10/x.jpg", "b2/deep/er/2.JPG", "b2/10.png", "A/.hidden.jpg", "A/1.webp", "A/notes.txt", ".git/c.png"
    )
    examples = described(tmp_path)
    assert examples.class_names == ("A", "b2", "b10")
    found = [(example.key, example.label, example.part) for example in examples.iterate()]
    assert found == [
        ("A/1.webp", 0, None),
        ("b2/10.png", 1, None),
        ("b2/deep/er/2.JPG", 1, None),
        ("b10/x.jpg", 2, None),
    ]
    assert (examples.count, examples.note) == (4, "1 file that is no image is passed over: A/notes.txt")
    assert examples.title == tmp_path.name


@pytest.mark.parametrize("test", ["test", "val", "Validation"])
def test_a_folder_of_parts_publishes_its_test_part(tmp_path, test):
    touch(tmp_path, "train/a/1.png", "train/b/1.png", f"{test}/a/2.png", f"{test}/b/2.png")
    parts = {example.key: example.part for example in described(tmp_path).iterate()}
    assert parts == {
        "train/a/1.png": "train",
        "train/b/1.png": "train",
        f"{test}/a/2.png": "test",
        f"{test}/b/2.png": "test",
    }


def test_a_validation_part_of_ones_own_is_used_and_need_not_hold_every_class(folder, tmp_path):
    home = tmp_path / "parted"
    for part, first, count in (("train", 0, 20), ("val", 20, 5), ("test", 25, 5)):
        for name in ("one", "seven"):
            (home / part / name).mkdir(parents=True)
            for number in range(first, first + count):
                shutil.copy(folder / name / f"{number}.png", home / part / name)
    shutil.rmtree(home / "val" / "seven")
    data = api.prepare("folder", size=28, source=home, quiet=True)
    assert {part: len(rows) for part, rows in data.parts.items()} == {"training": 40, "validation": 5, "test": 10}
    assert all(key.startswith("val/one/") for key in data.validation.keys)


def test_the_signature_changes_with_any_file(tmp_path):
    touch(tmp_path, "a/1.png", "b/1.png")
    before = described(tmp_path).signature
    assert described(tmp_path).signature == before
    os.utime(tmp_path / "a" / "1.png", (1, 1))
    assert described(tmp_path).signature != before


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ((), "holds nothing"),
        (("1.jpg", "2.jpg"), "holds 1.jpg, 2.jpg"),
        (("a/1.jpg",), "holds images of 'a' alone"),
        (("train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg"), "The test part of"),
        (("a/1.heic", "b/2.heic"), r"\.heic can't be read; convert to JPEG or PNG: a/1\.heic, b/2\.heic"),
    ],
)
def test_another_layout_is_told_what_is_expected(tmp_path, files, says):
    touch(tmp_path, *files)
    with pytest.raises(DataError, match=says):
        described(tmp_path)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["cnn", "folder"], "Say where your images are: zoo train ARCH ./flowers"),
        (["cnn", "./nowhere"], "Received: ./nowhere, which does not exist"),
        (["cnn", "nowhere"], "There is no data set 'nowhere'"),
        (["cnn", "./pictures", "--source", "x"], "A folder of images needs no --source"),
    ],
)
def test_a_mistake_is_named_before_anything_is_loaded(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *words]) in (2, 4)
    assert says in capsys.readouterr().err


def test_a_name_wins_over_a_folder_and_a_path_says_that_it_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    registry = Registry.discover()
    assert located(Request("cnn", "mnist"), registry).dataset == "mnist"
    found = located(Request("cnn", "./mnist"), registry)
    assert (found.dataset, found.source) == ("folder", Path("mnist"))
    assert located(Request("cnn", "mnist/"), registry).command == "zoo train cnn ./mnist"


def test_it_trains_and_the_run_is_called_after_the_folder(folder, tmp_path, capsys):
    output = tmp_path / "run"
    settings = ["--set", "image_size=28", "--set", "source_size=0", "--set", "epochs=8", "--no-export"]
    assert main(["train", "fc-keras", str(folder), "--output", str(output), *settings]) == 0
    run = api.find_run(str(output))
    assert run.title == "fc-keras on digits, quick"
    assert run.receipt["command"].startswith("zoo train fc-keras ./digits --set")
    assert str(folder.parent) not in (output / "run.json").read_text()
    assert run.spec.class_names == ("one", "seven")
    assert run.receipt["dataset"]["counts"] == {"training": 320, "validation": 40, "test": 40}
    assert run.metrics["accuracy"] > 0.9
    capsys.readouterr()
    assert main(["evaluate", str(output), "--source", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == run.metrics["accuracy"]
