"""A finished run is measured again on its own images, or on others; who gives it wrong ones is told what is wrong."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import zoo_mnist

import zoo
from zoo.cli import main
from zoo.errors import DataError, UsageError, ZooError
from zoo.runs.directory import Run
from zoo.runs.evaluation import read_predictions

MNIST = Path(zoo_mnist.__file__).parent
NAMES = {"one": 1, "seven": 7, "zero": 0}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per class, with 40 digits each."""

    def read(name: str, offset: int) -> np.ndarray:
        return np.frombuffer(gzip.decompress((MNIST / name).read_bytes()), np.uint8, offset=offset)

    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    labels = read("t10k-labels-idx1-ubyte.gz", 8)
    home = tmp_path_factory.mktemp("own") / "digits"
    for name, label in NAMES.items():
        (home / name).mkdir(parents=True)
        for number, index in enumerate(np.flatnonzero(labels == label)[:40]):
            cv2.imwrite(str(home / name / f"{number}.png"), images[index])
    return home


@pytest.fixture(scope="module")
def run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    output = tmp_path_factory.mktemp("runs") / "run"
    settings = ("image_size=28", "source_size=0", "epochs=2", "learning_rate=0.01")
    return zoo.train("fc-keras", "folder", source=digits, settings=settings, output=output, export=False, quiet=True)


@pytest.fixture
def copy(digits: Path, tmp_path: Path) -> Path:
    """The run's images again, in a folder of another name, for tests that change them."""
    return Path(shutil.copytree(digits, tmp_path / "digits"))


@pytest.fixture
def tested(run: Run, digits: Path, tmp_path: Path) -> Path:
    """The run's test images alone."""
    folder = tmp_path / "tested"
    for key in read_predictions(run.directory / "predictions.csv").keys:
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(digits / key, folder / key)
    return folder


# on other images ----------------------------------------------------------------------------------------------


def test_its_own_test_images_in_folders_give_its_own_metrics(run: Run, tested: Path) -> None:
    before = {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()}
    result = zoo.evaluate(run, on=tested, quiet=True)
    own = run.metrics
    assert own is not None
    for key in ("count", "correct", "accuracy", "interval", "confusion", "classes"):
        assert result[key] == own[key], key
    assert result["loss"] == pytest.approx(own["loss"], abs=1e-4)
    assert (result["on"], result["left_out"], result["learned"], result["notes"]) == ("tested", [], 0, [])
    assert {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()} == before
    again = zoo.evaluate(run, on=tested, quiet=True)
    assert again == result
    next(tested.rglob("*.png")).unlink()
    assert zoo.evaluate(run, on=tested, quiet=True)["fingerprint"] != result["fingerprint"]


def test_images_that_it_learned_from_are_known_again_whatever_they_are_called(run: Run, copy: Path, capsys) -> None:
    counts = run.receipt["dataset"]["counts"]
    everything = zoo.evaluate(run, on=copy, quiet=True)
    assert (everything["learned"], everything["count"]) == (counts["training"], 120)
    assert f"learned from {counts['training']} of the 120 images" in everything["notes"][-1]
    tested = set(read_predictions(run.directory / "predictions.csv").keys)
    for path in copy.rglob("*.png"):
        if path.relative_to(copy).as_posix() in tested:
            path.unlink()
        else:
            path.rename(path.with_name(f"other-{path.name}"))
    shutil.rmtree(copy / "zero")
    shutil.rmtree(copy / "one")
    (copy / "seven" / "new.png").write_bytes(b"")
    assert main(["evaluate", str(run.directory), "--on", str(copy)]) == 0
    assert re.search(r"the run learned from \d+ of the \d+ images, and was told their classes", capsys.readouterr().err)
    (run.directory / "learned.npz").rename(copy.parent / "moved")
    try:
        assert zoo.evaluate(run, on=copy, quiet=True)["learned"] == 0
        (run.directory / "learned.npz").write_bytes(b"torn")
        with pytest.raises(ZooError, match=r"learned\.npz can't be read"):
            zoo.evaluate(run, on=copy, quiet=True)
    finally:
        (copy.parent / "moved").replace(run.directory / "learned.npz")


def test_some_of_the_classes_are_enough_and_what_is_not_counted_is_told(run: Run, copy: Path, capsys) -> None:
    shutil.rmtree(copy / "one")
    shutil.rmtree(copy / "seven")
    (copy / "zero" / "empty.png").touch()
    (copy / "zero" / "pic.heic").touch()
    assert main(["evaluate", str(run.directory), "--on", str(copy)]) == 0
    out, err = capsys.readouterr()
    sentence, _, header, row = out.splitlines()
    assert "of 40 images in digits (95 % interval" in sentence
    assert header.split() == ["class", "images", "recognised", "precision", "taken", "for"]
    assert row.split()[:2] == ["zero", "40"]
    assert "zero/empty.png was left out: empty" in err
    assert ".heic can't be read; convert to JPEG or PNG: zero/pic.heic" in err
    assert main(["evaluate", str(run.directory), "--on", str(copy), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["count"], printed["left_out"]) == (40, [{"image": "zero/empty.png", "reason": "empty"}])
    assert np.sum(printed["confusion"]) == 40


def test_other_classes_than_the_runs_are_refused(run: Run, copy: Path) -> None:
    (copy / "seven").rename(copy / "sevens")
    with pytest.raises(
        DataError, match=r"knows the classes one, seven, zero\. Received: .*, with sevens\. Did you mean"
    ):
        zoo.evaluate(run, on=copy, quiet=True)


def test_a_folder_of_parts_is_refused_and_told_to_give_one(run: Run, copy: Path, tested: Path) -> None:
    home = copy.parent / "parted"
    home.mkdir()
    copy.rename(home / "train")
    tested.rename(home / "test")
    with pytest.raises(DataError, match=r"which holds parts\. Give one: .*test"):
        zoo.evaluate(run, on=home, quiet=True)
    assert zoo.evaluate(run, on=home / "test", quiet=True)["count"] == run.metrics["count"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("what", "says"),
    [("nowhere", "does not exist"), ("file", "is a file"), ("bare", "holds no such image")],
)
def test_what_is_no_folder_of_images_is_refused(run: Run, tmp_path: Path, what: str, says: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match=says):
        zoo.evaluate(run, on=tmp_path / what, quiet=True)


def test_other_images_and_the_runs_own_exclude_each_other(run: Run, digits: Path) -> None:
    with pytest.raises(UsageError, match="--on and --source exclude each other"):
        zoo.evaluate(run, on=digits, source=digits)


# on its own images --------------------------------------------------------------------------------------------


def test_a_run_on_a_folder_asks_where_the_folder_is(run: Run, capsys) -> None:
    assert main(["evaluate", str(run.directory)]) == 2
    assert f"Say where the images of digits are: zoo evaluate {run.quoted} --source FOLDER" in capsys.readouterr().err


def test_drawing_a_run_on_a_folder_asks_for_it_only_where_a_figure_needs_it(
    run: Run, digits: Path, tmp_path: Path, capsys
) -> None:
    command = ["visualize", str(run.directory), "--output", str(tmp_path)]
    assert main([*command, "--only", "confusion"]) == 0
    assert f"are: zoo visualize {run.quoted} --source FOLDER" in capsys.readouterr().err
    assert main([*command, "--only", "confusion", "--image", str(digits / "one" / "1.png")]) == 0
    assert "--source" not in capsys.readouterr().err


def refusal(run: Run, source: Path) -> str:
    with pytest.raises(DataError) as caught:
        zoo.evaluate(run, source=source, quiet=True)
    message = str(caught.value)
    assert message.startswith("The images of digits are not those the run was tested on: ")
    assert message.endswith(f"a folder per class: zoo evaluate {run.quoted} --on FOLDER")
    return message


def test_images_that_came_later_are_counted_and_named(run: Run, copy: Path, digits: Path) -> None:
    cv2.imwrite(str(digits / "one" / "new.png"), np.full((28, 28), 90, np.uint8))
    try:
        assert "121 images now, 120 then; new: one/new.png." in refusal(run, digits)
    finally:
        (digits / "one" / "new.png").unlink()
    cv2.imwrite(str(copy / "one" / "new.png"), np.full((28, 28), 90, np.uint8))
    assert "121 images now, 120 then." in refusal(run, copy), "a copy is newer as a whole"


def test_images_that_are_gone_are_counted_and_those_that_were_tested_named(run: Run, copy: Path) -> None:
    key = read_predictions(run.directory / "predictions.csv").keys[0]
    (copy / key).unlink()
    assert f"119 images now, 120 then; gone: {key}." in refusal(run, copy)


def test_images_that_were_replaced_are_told(run: Run, copy: Path) -> None:
    cv2.imwrite(str(copy / "one" / "0.png"), np.full((28, 28), 90, np.uint8))
    assert "120 images now, 120 then; some are others." in refusal(run, copy)


def test_classes_that_were_renamed_are_told(run: Run, copy: Path) -> None:
    (copy / "seven").rename(copy / "sieben")
    assert "the classes are one, sieben, zero, and were one, seven, zero." in refusal(run, copy)
