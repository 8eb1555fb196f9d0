"""Accuracy against the amount of data: the features, the experiment on a few digits, and its drawing."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.figures import measured as drawn
from zoo.progress import Reporter
from zoo.results import measurements
from zoo.runs.directory import Run
from zoo.runs.pipeline import Prepared
from zoo.site import boards, build, measured

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXPERIMENTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as beside the script that runs
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hog() -> Iterator[ModuleType]:
    yield load("hog")
    del sys.modules["hog"]


@pytest.fixture(scope="module")
def script(hog: ModuleType) -> Iterator[ModuleType]:
    del hog
    yield load("accuracy_against_data")
    del sys.modules["accuracy_against_data"]


# the features ---------------------------------------------------------------------------------------------------


def test_an_edge_votes_for_its_orientation_alone_with_its_height(hog: ModuleType) -> None:
    image = np.zeros((1, 8, 8, 1), np.float32)
    image[:, :, 4:] = 90  # an upright edge: its gradient points along x, halfway between the first and the last bin
    histograms = hog.cells(*hog.gradients(image), cell=8)
    assert histograms.shape == (1, 1, 1, 9)
    assert histograms[0, 0, 0].tolist() == pytest.approx([8 * 2 * 90 / 2, *[0] * 7, 8 * 2 * 90 / 2])
    lying = hog.cells(*hog.gradients(image.transpose(0, 2, 1, 3)), cell=8)
    assert lying[0, 0, 0].argmax() == 4
    assert lying.sum() == pytest.approx(8 * 2 * 90)


def test_the_steepest_channel_counts(hog: ModuleType) -> None:
    image = np.zeros((1, 8, 8, 3), np.float32)
    image[:, :, 4:, 0] = 10
    image[:, 4:, :, 1] = 50
    magnitude, angle = hog.gradients(image)
    assert magnitude[0, 4, 3] == 50
    assert angle[0, 4, 3] == pytest.approx(np.pi / 2)


def test_features_have_the_length_of_the_paper_and_do_not_depend_on_contrast_or_batches(
    hog: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 120, (5, 28, 28, 1), np.uint8)
    found = hog.features(images, 4)
    assert found.shape == (5, 6 * 6 * 4 * 9)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found.reshape(5, 36, 36), axis=-1), 1, atol=1e-3)
    assert np.allclose(hog.features(images * 2 + 7, 4), found, atol=1e-4)
    monkeypatch.setattr(hog, "AT_ONCE", 2)
    assert np.array_equal(hog.features(images, 4), found)


# the experiment -------------------------------------------------------------------------------------------------

TRIAL = ["--shares", "1", "--seeds", "1", "--keys", '{"validation": 300, "steps": 20}']


@pytest.fixture(scope="module")
def trial(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """550 digits: the classical pipeline, and twenty steps of a network."""
    folder = tmp_path_factory.mktemp("amount")
    words = ["mnist", *TRIAL, "--output", str(folder / "runs"), "--keep", str(folder / "kept.json")]
    script.main([*words, "--methods", "hog", "fc-keras"])
    return {"words": words, "folder": folder, "kept": json.loads((folder / "kept.json").read_text())}


def test_both_methods_are_tested_on_the_same_test_images_after_seeing_the_same_training_images(
    script: ModuleType, trial: dict[str, Any]
) -> None:
    classical, network = trial["kept"]["curves"]
    assert (classical["method"], network["method"]) == ("HOG + logistic regression", "fc-keras")
    assert [run["count"] for run in (*classical["runs"], *network["runs"])] == [10_000, 10_000]
    assert classical["runs"][0]["correct"] > 9000
    assert classical["runs"][0]["chosen"]["C"] in script.PENALTIES
    asked, *_ = script.arguments(trial["words"])
    parts = [Prepared(asked.request(name, 550, 1)).data(Reporter(quiet=True)) for name in ("hog", "fc-keras")]
    assert [len(data.train) for data in parts] == [550, 55_000]
    assert set(parts[0].train.rows.tolist()) == set(parts[1].train.rows.tolist())
    assert parts[0].test.keys == parts[1].test.keys
    other = Prepared(asked.request("hog", 550, 2)).data(Reporter(quiet=True))
    assert set(other.train.rows.tolist()) != set(parts[0].train.rows.tolist())
    assert other.validation.keys == parts[0].validation.keys
    assert np.bincount(other.train.labels).tolist() == [55] * 10


def test_a_network_takes_as_many_steps_on_few_images_as_on_all(trial: dict[str, Any]) -> None:
    (path,) = (trial["folder"] / "runs").glob("*/run.json")
    receipt = Run(path.parent).receipt
    assert receipt["dataset"]["counts"]["training"] == 55_000
    assert "an epoch shows the 550 training images 100 times" in receipt["dataset"]["notes"]


def test_what_is_measured_is_not_measured_again(
    script: ModuleType, trial: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    files = [*(trial["folder"] / "runs").glob("*.json"), *(trial["folder"] / "runs").glob("*/run.json")]
    before = [path.stat().st_mtime_ns for path in files]
    script.main([*trial["words"], "--methods", "hog", "fc-keras"])
    assert capsys.readouterr().err.count("done already") == 2
    assert [path.stat().st_mtime_ns for path in files] == before
    assert len(files) == 2
    script.main([*trial["words"], "--methods", "hog", "fc-keras", "--dry-run"])
    assert capsys.readouterr().out == "hog: 0 left of 1\nfc-keras: 0 left of 1\n"


def test_a_trial_never_becomes_the_sites_result(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in ((["mnist", *TRIAL], "say --keep FILE"), (["mnist", "--methods", "vgg"], "Received: vgg")):
        with pytest.raises(SystemExit):
            script.arguments(words)
        assert said in capsys.readouterr().err


def test_it_is_drawn(trial: dict[str, Any]) -> None:
    assert drawn.amount(measurements.parse_amount(trial["kept"])).content.startswith(b"<?xml")


# the picture ----------------------------------------------------------------------------------------------------


def stored(**curves: dict[int, list[int]]) -> dict[str, Any]:
    """A measurement on 1,000 test images: right answers of each method by training images."""
    return {
        "dataset": "mnist",
        "count": 1000,
        "available": 10_000,
        "command": "python experiments/accuracy_against_data.py mnist",
        "told": {"images": "three choices"},
        "versions": {"zoo": "1"},
        "hardware": [{"processor": "P", "cores": 2, "system": "Linux"}],
        "curves": [
            {
                "method": method,
                "runs": [
                    {"images": images, "seed": seed, "correct": correct, "count": 1000}
                    for images, row in sizes.items()
                    for seed, correct in enumerate(row)
                ],
            }
            for method, sizes in curves.items()
        ],
    }


@pytest.mark.parametrize(
    ("classical", "deep", "verdict"),
    [
        ((900, 940), (850, 980), "As the claim has it, hog is ahead with the fewest images, and cnn with the most."),
        ((900, 940), (910, 980), "Against the claim, cnn is ahead of hog even with the fewest images."),
        ((900, 940), (850, 930), "Against the claim, hog is still ahead with all images."),
    ],
)
def test_the_caption_sets_the_measurement_against_the_claim(
    classical: tuple[int, int], deep: tuple[int, int], verdict: str
) -> None:
    curves = {
        name: {100: [few, few + 2], 10_000: [many, many + 2]}
        for name, (few, many) in (("hog", classical), ("cnn", deep))
    }
    one = measurements.parse_amount(stored(**curves))
    assert one.curves[0].points[0].spread == pytest.approx(0.002**0.5 * 0.001**0.5)
    caption = drawn.amount_caption(one)
    assert caption.endswith(verdict)
    assert "With 100 and with 10,000 images: hog 90.1 %" in caption
    assert drawn.amount(one) == drawn.amount(one)


@pytest.mark.parametrize(("most", "said"), [(910, "does show here"), (960, "does not show here")])
def test_the_caption_says_whether_the_classical_method_levels_off(most: int, said: str) -> None:
    curves = {"hog": {10: [800], 100: [900], 1000: [most]}, "cnn": {10: [800], 100: [900], 1000: [960]}}
    caption = drawn.amount_caption(measurements.parse_amount(stored(**curves) | {"note": "A last word."}))
    assert f"fall: hog by {most - 900} %, cnn by 60 %; that the classical method levels off before" in caption
    assert said in caption
    assert caption.endswith("A last word.")


def test_what_one_seed_can_not_tell_is_not_told() -> None:
    curves = {"hog": {100: [900], 1000: [902]}, "cnn": {100: [920], 1000: [930]}}
    caption = drawn.amount_caption(measurements.parse_amount(stored(**curves)))
    assert "these gains may be chance, and whether the classical method levels off" in caption
    many = {"hog": {100: [900, 901], 1000: [902, 901]}, "cnn": {100: [920, 921], 1000: [930, 931]}}
    assert "does show here" in drawn.amount_caption(measurements.parse_amount(stored(**many)))


def test_seeds_that_change_nothing_are_one_measurement() -> None:
    measurement = stored(hog={100: [900, 910], 10_000: [940, 940]})
    for run in measurement["curves"][0]["runs"]:
        run["chosen"] = {"C": 1.0}
    few, every = measurements.parse_amount(measurement).curves[0].points
    assert (len(few.shares), len(every.shares)) == (2, 1)


def test_the_page_shows_what_was_measured_and_says_so_where_nothing_was(tmp_path: Path) -> None:
    assert measured.amount(tmp_path) == "The zoo has not measured this yet, so there is no curve here."
    content = stored(hog={100: [900], 10_000: [940]}, cnn={10_000: [980]})
    (tmp_path / "amount-mnist.json").write_text(json.dumps(content))
    page = measured.amount(tmp_path)
    assert '<img src="images/amount-mnist.svg"' in page
    assert "<td" in page
    assert "90.00<" in page
    assert "±" not in page
    assert ">-<" in page
    assert list(measured.pictures([], tmp_path)) == ["concepts/images/amount-mnist.svg"]
    (tmp_path / "amount-mnist.json").write_text("{}")
    with pytest.raises(ZooError, match=r"amount-mnist\.json is not a measurement: KeyError"):
        measured.amount(tmp_path)


def test_the_site_draws_the_committed_measurement_and_the_chapters_page_leads_to_it() -> None:
    (one, *_) = measurements.amounts(measured.KEPT)
    assert one.dataset == "mnist"
    chosen = [point for curve in one.curves for point in curve.points if point.images < one.available]
    assert all(len(point.shares) >= 3 for point in chosen)
    assert "images/amount-mnist.svg" in build.with_drawings("<!-- measured: amount of data -->")
    assert "concepts/pipelines.md#how-much-data" in boards.chapter_today([], [])


def test_the_caption_says_that_one_seed_may_be_chance_and_that_nothing_was_gained() -> None:
    curves = {"hog": {100: [900], 1000: [899]}, "cnn": {100: [890], 1000: [960]}}
    caption = drawn.amount_caption(measurements.parse_amount(stored(**curves)))
    assert "one seed with one choice of the training images: a difference of a point or two may be chance." in caption
    assert "hog not at all, cnn by 64 %" in caption
    assert "standard deviation" not in caption
