"""Digits as people give them, dark on light, anywhere, of any size, become what MNIST's are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import zoo_mnist

from zoo.cli import main
from zoo.data import images
from zoo.prediction import digits

FOLDER = Path(zoo_mnist.__file__).parent


@pytest.fixture(scope="module")
def mnist():
    content = gzip.decompress((FOLDER / "t10k-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28, 1)


def photographed(digit, *, times=6, place=(40, 70), size=(400, 300), paper=220, ink=40, slope=0.0, noise=0.0):
    """The digit in ink on paper, enlarged; `slope` is by how much the light falls from left to right."""
    stroke = np.zeros(size, np.float32)
    large = cv2.resize(digit[..., 0], None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC) / 255
    stroke[place[0] : place[0] + large.shape[0], place[1] : place[1] + large.shape[1]] = large
    light = np.linspace(1, 1 - slope, size[1])
    picture = (paper + (ink - paper) * stroke) * light + np.random.default_rng(0).normal(0, noise, size)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)[..., None]


def likeness(first, second):
    """Correlation of two images, -1..1."""
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


def test_mnists_own_digits_stay_as_they_are(mnist):
    assert all(np.array_equal(digits.normalise(digit), digit) for digit in mnist)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"paper": 15, "ink": 230},
        {"place": (220, 120)},
        {"times": 10, "place": (0, 10)},
        {"times": 2, "place": (300, 200)},
        {"slope": 0.5},
        {"noise": 6.0},
        {"paper": 150, "ink": 110},
    ],
    ids=["dark on light", "light on dark", "off centre", "large", "small", "uneven light", "noisy", "pale"],
)
def test_a_photographed_digit_becomes_the_digit(mnist, how):
    found = [likeness(digits.normalise(photographed(digit, **how)), digit) for digit in mnist[:40]]
    assert np.median(found) > 0.88  # a pixel aside already costs as much
    assert min(found) > 0.7


def test_colours_do_not_matter(mnist):
    grey = photographed(mnist[0])
    assert np.array_equal(digits.normalise(np.repeat(grey, 3, axis=2)), digits.normalise(grey))


def test_a_thin_line_becomes_as_thick_as_a_pen_draws():
    drawn = np.full((400, 300, 3), 250, np.uint8)
    cv2.circle(drawn, (150, 200), 100, (10, 10, 10), 1, cv2.LINE_AA)
    normal = digits.normalise(drawn)[..., 0]
    assert (normal[14] > 127).sum() >= 4  # both sides of the ring, two pixels each


def test_the_digit_fills_a_box_of_20_and_its_mass_is_in_the_middle(mnist):
    normal = digits.normalise(photographed(mnist[3], place=(200, 20)))[..., 0]
    rows, columns = (np.flatnonzero(normal.any(axis=axis)) for axis in (1, 0))
    assert max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 == 20
    moments = cv2.moments(normal)
    assert moments["m10"] / moments["m00"] == pytest.approx(14, abs=0.6)
    assert moments["m01"] / moments["m00"] == pytest.approx(14, abs=0.6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (28, 28, 1), (300, 2, 3), (200, 200, 3)])
def test_a_blank_sheet_holds_no_digit(shape):
    with pytest.raises(images.UndecodableImage, match="nothing stands out"):
        images.prepared(np.full(shape, 200, np.uint8), "digit")


def test_specks_of_dust_do_not_count(mnist):
    picture = photographed(mnist[0])
    clean = digits.normalise(picture)
    picture[5:8, 5:8] = picture[390:393, 20:22] = 30
    assert likeness(digits.normalise(picture), clean) > 0.99


def test_an_unknown_preparation_is_named():
    with pytest.raises(images.ZooError, match="prepared as 'plate'"):
        images.prepared(np.zeros((4, 4, 1), np.uint8), "plate")


def test_the_packaged_network_reads_photographed_digits(mnist, tmp_path, capsys):
    content = gzip.decompress((FOLDER / "t10k-labels-idx1-ubyte.gz").read_bytes())
    labels = np.frombuffer(content, np.uint8, offset=8)
    ways = ({}, {"paper": 15, "ink": 230}, {"place": (220, 100), "slope": 0.4}, {"times": 3, "place": (9, 9)})
    files = []
    for index in range(60):
        files.append(tmp_path / f"{index}.png")
        cv2.imwrite(str(files[-1]), photographed(mnist[index], **ways[index % len(ways)]))
    assert main(["predict", "zoo:cnn/mnist", *map(str, files), "--top", "1", "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    right = [answer["classes"][0]["name"] == str(label) for answer, label in zip(answers, labels, strict=False)]
    assert sum(right) >= 59
