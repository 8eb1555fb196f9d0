"""The kill campaign: what it kills ends in the same bits, and it would see it if it didn't."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from zoo.testing import crash
from zoo.testing.crash import Campaign, Outcome
from zoo.testing.victims import CASES, PHASES, STATES, differences


def test_its_cases_cover_the_networks_precisions_and_augmentations() -> None:
    assert len({case.architecture for case in CASES}) >= 6
    assert {case.precision for case in CASES} == {"float32", "bfloat16"}
    settings = " ".join(setting for case in CASES for setting in case.settings)
    keys = ("ema", "mixup", "cutmix", "flip", "crop_area", "hue", "erase", "train_sizes", "keep_best", "class_weights")
    assert [key for key in keys if key not in settings] == []


def test_the_table_counts_what_the_log_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = (Outcome("a", "cnn", "float32", ["training", "report"]), Outcome("b", "vgg16", "bfloat16", ["training"]))
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(vars(outcome)) + "\n" for outcome in outcomes))
    assert crash.main(["--kills", "0", "--log", str(log), "--only", "cnn"]) == 0
    assert "3 kills over 2 architectures, 0 of 2 runs different" in capsys.readouterr().out
    with log.open("a") as file:
        file.write(json.dumps(vars(Outcome("c", "cnn", "float32", ["end"], ["weights"]))) + "\n")
    assert crash.main(["--kills", "0", "--log", str(log), "--only", "cnn"]) == 1
    assert "4 kills over 2 architectures, 1 of 3 runs different" in capsys.readouterr().out


def test_a_folder_with_another_campaign_in_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(SystemExit, match="2"):
        crash.main(["--keep", str(tmp_path)])
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.deep
def test_killed_runs_end_in_the_same_bits_and_a_difference_is_seen(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "fc-keras")
    runs = Campaign(case, tmp_path / "runs", crash.write_images(tmp_path / "images"), crash.Random(3))
    plans = [("training", 0.0), ("checkpoint", 0.0), runs.plan()]
    outcome = runs.victim(0, plans)
    assert outcome.differences == []
    assert 1 <= len(outcome.kills) <= len(plans)  # training lasts, and is met; the rest may be missed
    assert set(outcome.kills) <= set(PHASES)

    other = tmp_path / "other"
    shutil.copytree(runs.reference, other)
    assert differences(runs.reference, other) == []
    with np.load(other / "model" / "weights.npz") as file:
        weights = dict(file)
    first = next(iter(weights))
    weights[first].flat[0] = np.nextafter(weights[first].flat[0], 9)
    np.savez(other / "model" / "weights.npz", **weights)
    step, bits = (other / STATES).read_text().splitlines()[0].split()
    (other / STATES).write_text(f"{step} {'0' * len(bits)}\n")
    (other / "report.html").unlink()
    assert differences(runs.reference, other) == ["weights", "report.html is missing", f"the state after step {step}"]
