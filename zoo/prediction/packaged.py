"""Packaged networks: trained networks that come inside a plugin's package, as `zoo:ARCH/NAME`.

A package ships one by holding a folder of the shape of a run's `model/`, with less in it::

    my_package/zoo.toml
    my_package/models/my-net/flowers/spec.json      what prediction needs to know, and "about", "licence"
    my_package/models/my-net/flowers/weights.npz    the network's variables, matrices in float16
    my_package/models/my-net/flowers/model.tflite   the same network for LiteRT, in float16
    my_package/models/my-net/flowers/run/           where it is a run's: its receipt, history, metrics, predictions

and naming the files in its package data; ImageNet's classes need no list, but "class_names": "imagenet". `zoo show
my-net` then lists it, and `zoo predict zoo:my-net/flowers photo.jpg` answers without TensorFlow. `zoo pack RUN NAME`
writes the folder. The architecture's entry point tells where the package is: nothing is imported to find a network.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, ZooError, nearest
from zoo.files import atomic_write
from zoo.prediction.imagenet import Published, published
from zoo.registry import Plugin, Registry
from zoo.runs.directory import COPIES, PACKAGED, RECEIPT, Run, runs_root
from zoo.types import Model, Spec

FOLDER = "models"
RUN = "run"
_KEPT = (RECEIPT, "metrics.json", "history.csv", "predictions.csv")
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
        from zoo.prediction.cold import read_spec

        return read_spec(self.model_directory)

    @property
    def spec(self) -> Spec:
        """What the network is built for."""
        content = self.content
        fields = {key: content[key] for key in _FIELDS} | {"options": dict(content["options"])}
        return Spec(content["architecture"], class_names=tuple(content["class_names"]), **fields)

    def as_dict(self) -> dict[str, Any]:
        """The listing facts: id, about, licence, number of classes, bytes of all files."""
        content = self.content
        return {
            "id": self.id,
            "about": content.get("about", ""),
            "licence": content.get("licence", ""),
            "classes": len(content["class_names"]),
            "bytes": sum(path.stat().st_size for path in self.model_directory.rglob("*") if path.is_file()),
        }


def of(plugin: Plugin) -> list[Packaged]:
    """The networks that the package of an architecture ships, by name."""
    if plugin.kind != "architecture" or plugin.status != "ok" or plugin.folder is None:
        return []
    found = sorted((plugin.folder / FOLDER / plugin.name).glob(f"*/{_SPEC}"))
    return [Packaged(plugin, path.parent.name, path.parent) for path in found]


def offered(plugin: Plugin) -> Published | None:
    """The network of an architecture whose weights others publish, if its package does not ship it."""
    found = published(plugin)
    return None if found is None or any(network.id == found.id for network in of(plugin)) else found


def find(name: str, registry: Registry) -> Packaged | Published:
    """The network of a name as "zoo:cnn/mnist", in a package or with published weights.

    Raises UsageError, which lists those that exist.
    """
    plugins = registry.of("architecture")
    known = {packaged.id: packaged for plugin in plugins for packaged in of(plugin)}
    others = {found.id: found for plugin in plugins if (found := offered(plugin))}
    if name in known:
        return known[name]
    if name in others:
        return others[name]
    listed = [f"Packaged: {', '.join(known) or 'none'}"]
    if others:
        listed.append(f"With weights to download: {', '.join(others)}")
    raise UsageError(f"There is no network {name!r}. {nearest(name, [*known, *others])}{'. '.join(listed)}")


def pack_run(run: Run, name: str, *, about: str = "", licence: str = "", package: Path | None = None) -> Path:
    """Put a finished run's network into its architecture's package (or into `package`) and return its folder.

    `about` says in a line what it tells apart, `licence` under what terms it is given. Raises UsageError for a
    rehearsal or an unfinished run, ZooError if float16 changes what the network answers.
    """
    from zoo.prediction import engines
    from zoo.runs import seal

    receipt = run.receipt
    if receipt["status"] != "finished" or receipt["rehearsal"]:
        what = "a rehearsal" if receipt["rehearsal"] else receipt["status"]
        raise UsageError(f"Only a finished run can be packed. Received: {run.title}, {what}")
    if not name or Path(name).name != name:
        raise UsageError(f"NAME is that of a folder, as mnist in zoo:cnn/mnist. Received: {name!r}")
    if missing := [name for name in _KEPT if not (run.directory / name).is_file()]:
        raise ZooError(
            f"{run.directory} has lost {missing[0]}, and can't be packed. zoo doctor {run.quoted} says what it lacks"
        )
    home = package or Registry.discover().get("architecture", run.spec.name).folder
    if home is None:
        raise UsageError(f"{run.spec.name} is a single module: there is no package to put networks into. Try: --output")
    session, model = engines.restore(run, verbose=False)
    from zoo.runs.evaluation import predictor
    from zoo.runs.finish import random_images  # it imports TensorFlow, which is quiet by now

    content = json.loads((run.model_directory / _SPEC).read_text(encoding="utf-8"))
    content = {"format": content.pop("format"), "about": about, "licence": licence, **content}
    predict = predictor(session.predict, model, flip_average=content["flip_average"])
    folder = home / FOLDER / run.spec.name / name
    pack(folder, model, predict, content, random_images(run.spec).astype("float32"))
    for kept in _KEPT:
        atomic_write(folder / RUN / kept, (run.directory / kept).read_bytes())
    Run(folder / RUN).update(model=seal.seal(folder))  # it vouches for what is packed
    return folder


def as_run(network: Packaged | Published) -> Run:
    """A copy of the run that a packaged network comes from, to be drawn and reported like any other; it lies beside the
    user's runs, and is none of them.

    Raises UsageError for a network that is of no run.
    """
    kept = network.model_directory / RUN
    if not (kept / RECEIPT).is_file():
        raise UsageError(f"{network.id} comes without a run: it can answer (zoo predict), and has nothing to report")
    directory = runs_root() / COPIES / f"{network.plugin.name}-{network.model_directory.name}"
    if not _is_copy(directory / RECEIPT, kept / RECEIPT):  # or that of an older package, whose pictures are others
        shutil.rmtree(directory / "figures", ignore_errors=True)
        (directory / "report.html").unlink(missing_ok=True)
        for path in filter(Path.is_file, network.model_directory.iterdir()):
            atomic_write(directory / "model" / path.name, path.read_bytes())
        for name in reversed(_KEPT):  # the receipt last: what has one is whole
            atomic_write(directory / name, (kept / name).read_bytes())
    return Run(directory)


def _is_copy(path: Path, original: Path) -> bool:
    return path.is_file() and path.read_bytes() == original.read_bytes()


def pack(folder: Path, model: Model, predictor: Callable[[Any], Any], content: Mapping[str, Any], samples: Any) -> None:
    """Write a network's folder: `content` is that of a run's `model/spec.json`, with "about" and "licence".

    `predictor` maps float32 images [n, height, width, channels] to probabilities; `samples` are such images, on
    which the LiteRT file is measured. Raises ZooError if that is not the network.
    """
    from zoo.runs.export import save_weights, to_litert

    shape = (content["height"], content["width"], content["channels"])
    with tempfile.TemporaryDirectory() as made:  # a network that is there stays until this one is known to be good
        weights, network = Path(made) / "weights.npz", Path(made) / "model.tflite"
        save_weights(weights, model.variables, half=True)
        difference = to_litert(network, predictor, shape, samples, half=True)
        if not difference <= TOLERANCE:
            raise ZooError(f"{folder / network.name} would differ from the network by {difference:.2g}")
        size = network.stat().st_size
        for path in (weights, network):
            atomic_write(folder / path.name, path.read_bytes())
    exported = {"tflite": {"status": "ok", "max_difference": difference, "bytes": size}}
    text = json.dumps({**content, "export": exported}, indent=1, ensure_ascii=False)
    atomic_write(folder / _SPEC, text + "\n")
