"""Every architecture trains on every data set: a few steps of everything, for each pair that is installed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zoo import api, pipeline
from zoo.pipeline import Request
from zoo.progress import Reporter
from zoo.registry import Registry

NAMES = {kind: [plugin.name for plugin in Registry.discover().of(kind)] for kind in ("architecture", "dataset")}
DEEP = ("inceptionv3", "resnet50", "vgg16", "vgg16-bn", "vgg19", "vgg19-bn")
NARROW = dict.fromkeys(DEEP, ("options.width=0.125",))


@pytest.mark.deep
@pytest.mark.parametrize("dataset", NAMES["dataset"])
@pytest.mark.parametrize("architecture", NAMES["architecture"])
def test_a_pair_trains_is_kept_exported_and_predicts(architecture, dataset, tmp_path):
    request = Request(
        architecture,
        dataset,
        settings=NARROW.get(architecture, ()),
        rehearse=True,
        output=tmp_path / "run",
    )
    run = pipeline.train(request, Reporter(quiet=True))
    assert run.status == "finished"
    assert run.history
    assert (run.directory / "figures" / "diagram.svg").exists()

    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    litert, full = (api.predict(run, [photo], engine=engine, quiet=True)[0] for engine in ("litert", "tensorflow"))
    assert len(litert.classes) == min(5, run.spec.classes)
    assert dict(litert.classes) == pytest.approx(dict(full.classes), abs=1e-4)


@pytest.mark.deep
@pytest.mark.parametrize("architecture", NAMES["architecture"])
@pytest.mark.parametrize("dataset", NAMES["dataset"])
def test_every_pair_has_a_quick_recipe_of_its_own(architecture, dataset):
    registry = Registry.discover()
    from zoo.recipes import resolve

    resolved = resolve(registry.get("architecture", architecture), registry.get("dataset", dataset))
    assert any(".toml:" in origin for origin in resolved.origins.values())
