"""Packaged networks: trained networks that come inside a plugin's package, as `zoo:ARCH/NAME`.

A package ships one by holding a folder of the shape of a run's `model/`, with less in it::

    my_package/zoo.toml
    my_package/models/my-net/flowers/spec.json      what prediction needs to know, and "about", "licence"
    my_package/models/my-net/flowers/weights.npz    the network's variables, matrices in float16
    my_package/models/my-net/flowers/model.tflite   the same network for LiteRT, in float16

and naming the files in its package data. `zoo show my-net` then lists it, and `zoo predict zoo:my-net/flowers
photo.jpg` answers without TensorFlow. `pack` writes the folder. The architecture's entry point tells where the
package is: nothing is imported to find a network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, ZooError, nearest
from zoo.registry import Plugin, Registry
from zoo.runs import PACKAGED
from zoo.types import Model, Spec

FOLDER = "models"
_SPEC = "spec.json"
# of probabilities: the weights are rounded to float16, and again once they are folded for LiteRT
TOLERANCE = 0.02
_FIELDS = ("height", "width", "channels", "options", "seed")


@dataclass(frozen=True)
class Packaged:
    """A network in a plugin's package: its architecture, its name there, and its folder."""

    plugin: Plugin
    name: str
    model_directory: Path

    @property
    def id(self) -> str:
        """What it is asked for by: "zoo:cnn/mnist"."""
        return f"{PACKAGED}{self.plugin.name}/{self.name}"

    @property
    def content(self) -> dict[str, Any]:
        """The content of its `spec.json`. Raises ZooError if that can't be read."""
        from zoo.prediction import read_spec

        return read_spec(self.model_directory)

    @property
    def spec(self) -> Spec:
        """What the network is built for."""
        content = self.content
        fields = {key: content[key] for key in _FIELDS}
        return Spec(content["architecture"], class_names=tuple(content["class_names"]), **fields)

    def as_dict(self) -> dict[str, Any]:
        """The listing facts: id, about, licence, number of classes, bytes of all files."""
        content = self.content
        return {
            "id": self.id,
            "about": content.get("about", ""),
            "licence": content.get("licence", ""),
            "classes": len(content["class_names"]),
            "bytes": sum(path.stat().st_size for path in self.model_directory.iterdir()),
        }


def of(plugin: Plugin) -> list[Packaged]:
    """The networks that the package of an architecture ships, by name."""
    if plugin.kind != "architecture" or plugin.status != "ok" or plugin.folder is None:
        return []
    found = sorted((plugin.folder / FOLDER / plugin.name).glob(f"*/{_SPEC}"))
    return [Packaged(plugin, path.parent.name, path.parent) for path in found]


def find(name: str, registry: Registry) -> Packaged:
    """The packaged network of a name as "zoo:cnn/mnist". Raises UsageError, which lists those that exist."""
    known = {packaged.id: packaged for plugin in registry.of("architecture") for packaged in of(plugin)}
    if name not in known:
        raise UsageError(
            f"There is no packaged network {name!r}. {nearest(name, known)}Packaged: {', '.join(known) or 'none'}"
        )
    return known[name]


def pack(folder: Path, model: Model, predictor: Callable[[Any], Any], content: Mapping[str, Any], samples: Any) -> None:
    """Write a network's folder: `content` is that of a run's `model/spec.json`, with "about" and "licence".

    `predictor` maps float32 images [n, height, width, channels] to probabilities; `samples` are such images, on
    which the LiteRT file is measured. Raises ZooError if that is not the network.
    """
    from zoo.export import save_weights, to_litert
    from zoo.files import atomic_write

    save_weights(folder / "weights.npz", model.variables, half=True)
    shape = (content["height"], content["width"], content["channels"])
    difference = to_litert(folder / "model.tflite", predictor, shape, samples, half=True)
    if not difference <= TOLERANCE:
        raise ZooError(f"{folder / 'model.tflite'} differs from the network by {difference:.2g}")
    size = (folder / "model.tflite").stat().st_size
    exported = {"tflite": {"status": "ok", "max_difference": difference, "bytes": size}}
    text = json.dumps({**content, "export": exported}, indent=1, ensure_ascii=False)
    atomic_write(folder / _SPEC, text + "\n")
