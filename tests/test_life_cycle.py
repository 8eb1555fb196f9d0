"""The order in which hooks fire is the one that the guide draws."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from zoo import trace
from zoo.cli import main

PAGE = Path(__file__).parent.parent / "docs" / "guide" / "plugins" / "how-it-works.md"
PLUGINS = """
import keras
import numpy as np

from zoo import Example, Examples, Figure, defaults, hookimpl

CALLS = []
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)


class Architecture:
    @hookimpl
    def zoo_build(self, spec):
        CALLS.append(("zoo_build", "architecture"))
        size = spec.height * spec.width * spec.channels
        return keras.Sequential([
            keras.Input((spec.height, spec.width, spec.channels)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(spec.classes),
        ])

    @hookimpl
    def zoo_train(self, model, data, recipe, run):
        CALLS.append(("zoo_train", "architecture"))
        return defaults.train(model, data, recipe, run)

    @hookimpl
    def zoo_predict(self, model, images):
        CALLS.append(("zoo_predict", "architecture"))
        return defaults.predict(model, images)

    @hookimpl
    def zoo_visualize(self, model):
        CALLS.append(("zoo_visualize", "architecture"))
        return []


class Dataset:
    @hookimpl
    def zoo_examples(self, source):
        CALLS.append(("zoo_examples", "data set"))
        examples = [Example(str(i), i % 2, "train", image) for i, image in enumerate(IMAGES)]
        return Examples(("even", "odd"), lambda: iter(examples), "life cycle", len(examples))

    @hookimpl
    def zoo_visualize(self, model):
        CALLS.append(("zoo_visualize", "data set"))
        return []


class Observer:
    @hookimpl
    def zoo_commands(self, group):
        CALLS.append(("zoo_commands", "observers"))

    @hookimpl
    def zoo_run_started(self, run):
        CALLS.append(("zoo_run_started", "observers"))

    @hookimpl
    def zoo_evaluated(self, run):
        CALLS.append(("zoo_evaluated", "observers"))

    @hookimpl
    def zoo_run_finished(self, run):
        CALLS.append(("zoo_run_finished", "observers"))

    @hookimpl
    def zoo_visualize(self, model):
        CALLS.append(("zoo_visualize", "observers"))
        return []


architecture, dataset, observer = Architecture(), Dataset(), Observer()
"""


def drawn() -> list[tuple[str, str]]:
    """The calls in the guide's diagram: hook and who answers."""
    rows = re.findall(r"^ *\d+ +(zoo_\w+) +(architecture|data set|observers|core)", PAGE.read_text(), re.MULTILINE)
    return [(hook, who) for hook, who in rows]


def test_hooks_fire_in_the_order_of_the_diagram(site, tmp_path, monkeypatch, capsys) -> None:
    site.package("cycle_plugins", init=PLUGINS)
    site.install("cycle-net", {"cycle-net": "cycle_plugins:architecture"})
    site.install("cycle-set", {"cycle-set": "cycle_plugins:dataset"}, group="zoo.datasets")
    site.install("cycle-watch", {"cycle-watch": "cycle_plugins:observer"}, group="zoo.plugins")
    monkeypatch.setenv("ZOO_TRACE", "1")
    settings = ["--set", "epochs=1", "--set", "validation=10", "--set", "test=10", "--set", "precision=float32"]
    assert main(["train", "cycle-net", "cycle-set", *settings, "--output", str(tmp_path / "run")]) == 0
    import cycle_plugins

    assert main(["--help"]) == 0  # asks plugins for their commands
    calls = [call for call, _ in groupby(cycle_plugins.CALLS)]
    commands = calls.pop()
    assert [commands, *calls] == drawn()
    traced = re.findall(r"^zoo: (zoo_\w+) +[\d.]+ s  (.*)$", capsys.readouterr().err, re.MULTILINE)
    assert ("zoo_build", "architecture 'cycle-net' of cycle-net 1.0") in traced
    assert ("zoo_visualize", "core") in traced
    assert ("zoo_commands", "plugin 'cycle-watch' of cycle-watch 1.0") in traced
    assert {hook for hook, _ in traced} == {hook for hook, _ in drawn()}


def test_without_the_variable_nothing_is_traced(monkeypatch, capsys) -> None:
    for value in ("", "0"):
        monkeypatch.setenv("ZOO_TRACE", value)
        with trace.traced("zoo_build", "core"):
            pass
    assert capsys.readouterr().err == ""
