"""Every architecture trains on every data set: a few steps of everything, for each pair that is installed."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo import api, cli
from zoo.recipes import resolve
from zoo.registry import Registry
from zoo.runs.directory import Run

NAMES = {kind: [plugin.name for plugin in Registry.discover().of(kind)] for kind in ("architecture", "dataset")}
DEEP = ("inceptionv3", "resnet50", "vgg16", "vgg16-bn", "vgg19", "vgg19-bn")
NARROW = dict.fromkeys(DEEP, ("--set", "options.width=0.0625"))
NORMALISED = ("efficientnet-lite0", "inceptionv3", "resnet50", "vgg16-bn", "vgg19-bn")


@pytest.mark.deep
@pytest.mark.parametrize("dataset", NAMES["dataset"])
@pytest.mark.parametrize("architecture", NAMES["architecture"])
def test_a_pair_rehearses_is_kept_exported_and_predicts(architecture: str, dataset: str, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    narrow = NARROW.get(architecture, ())
    assert cli.main(["train", architecture, dataset, "--rehearse", "--output", str(directory), *narrow]) == 0
    run = Run(directory)
    assert run.status == "finished"
    assert run.history
    assert (run.directory / "figures" / "diagram.svg").exists()
    exported = json.loads((run.model_directory / "spec.json").read_text())["export"]
    assert exported["tflite"]["status"] == "ok", exported

    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    litert, full = (api.predict(run, [photo], engine=engine, quiet=True)[0] for engine in ("litert", "tensorflow"))
    assert len(litert.classes) == min(5, run.spec.classes)
    assert dict(litert.classes) == pytest.approx(dict(full.classes), abs=1e-4)

    with np.load(run.model_directory / "weights.npz") as weights:
        moving = [weights[name] for name in weights.files if "moving_mean" in name]
    assert bool(moving) == (architecture in NORMALISED)
    assert all(np.any(mean) for mean in moving), "the statistics of the training are kept"


@pytest.mark.parametrize("architecture", NAMES["architecture"])
@pytest.mark.parametrize("dataset", NAMES["dataset"])
def test_every_pair_has_a_quick_recipe_of_its_own(architecture: str, dataset: str) -> None:
    registry = Registry.discover()
    resolved = resolve(registry.get("architecture", architecture), registry.get("dataset", dataset))
    assert any(".toml:" in origin for origin in resolved.origins.values())
