"""The Python API takes what people write: one path or string alone, or several; and says what else is wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import zoo
from zoo.cli import main
from zoo.errors import UsageError

PHOTO = Path(__file__).parent / "photos" / "chelsea.jpg"


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    path = tmp_path / "digit.png"
    pixels = np.full((60, 60), 255, np.uint8)
    cv2.line(pixels, (30, 12), (30, 48), 0, 6)
    cv2.imwrite(str(path), pixels)
    return path


def test_one_file_alone_is_one_file(digit: Path) -> None:
    several = zoo.predict("zoo:cnn/mnist", [digit])
    assert len(several) == 1
    assert zoo.predict("zoo:cnn/mnist", str(digit)) == several
    assert zoo.predict("zoo:cnn/mnist", digit) == several
    assert zoo.predict("zoo:cnn/mnist", (path for path in [digit])) == several


@pytest.mark.parametrize(
    ("files", "received"),
    [
        (np.zeros((28, 28), np.uint8), "Received: ndarray, and in it ndarray"),
        ([np.zeros((28, 28), np.uint8)], "Received: list, and in it ndarray"),
        (7, "Received: int"),
        (None, "Received: NoneType"),
    ],
)
def test_what_is_no_path_is_refused_in_words(files: object, received: str) -> None:
    with pytest.raises(UsageError, match=rf"'files' takes the path of an image or a folder, or several\. {received}$"):
        zoo.predict("zoo:cnn/mnist", files)  # type: ignore[arg-type]


def test_no_file_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="No file is given"):
        zoo.predict("zoo:cnn/mnist", [])


def test_one_setting_alone_is_one_setting() -> None:
    model, spec = zoo.build("vgg16-bn", "mnist", settings="options.width=0.125")
    assert spec.options["width"] == 0.125
    assert model.layers
    with pytest.raises(UsageError, match=r"'settings' takes a string, or several\. Received: int"):
        zoo.train("cnn", "mnist", settings=3)  # type: ignore[arg-type]


def test_one_figure_alone_is_one_figure(tmp_path: Path) -> None:
    written = zoo.visualize("fc-tf", only="layers", images=str(PHOTO), output=tmp_path, quiet=True)
    assert [path.name for path in written] == ["layers.svg"]


def test_names_that_are_far_off_are_not_suggested() -> None:
    with pytest.raises(UsageError) as caught:
        zoo.visualize("cnn", only="nonsense", quiet=True)
    assert "Did you mean" not in str(caught.value)
    with pytest.raises(UsageError, match="Did you mean 'fc-"):
        zoo.build("fc")


def test_figures_of_a_packaged_network_are_listed_before_they_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    assert main(["visualize", "zoo:cnn/mnist", "--list"]) == 0
    out, err = capsys.readouterr()
    assert "confusion" in out
    assert "No figure of zoo:cnn/mnist is drawn yet: zoo visualize" in err
    assert main(["runs"]) == 0
    assert "mnist" not in capsys.readouterr().out
    assert main(["show", "last"]) == 2
