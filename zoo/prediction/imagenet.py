"""ImageNet's classes, and networks with published weights for them, asked as `zoo:ARCH/imagenet`.

Where a card names the weights "imagenet" and 1,000 classes, and the package holds no such network, one is made when
it is first asked for: from the published weight file, once, into the cache, for LiteRT. The network begins with what
those weights want done to an image (the card's options for them), and sees the middle of it at the card's size.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.files import atomic_write, cache_folder, require_space
from zoo.runs.directory import PACKAGED

if TYPE_CHECKING:
    from zoo.registry import Plugin
    from zoo.types import Spec

NAME = "imagenet"
CLASSES = 1000
SPEC = "spec.json"
# of probabilities: more than rounding can explain
TOLERANCE = 1e-3
_HOW = {"resize": "crop", "interpolation": "area", "prepare": "", "flip_average": False}


@cache
def class_names() -> tuple[str, ...]:
    """The names of ILSVRC2012's classes, in the order of their WordNet numbers, which is that of published weights."""
    return tuple((Path(__file__).parent / "imagenet.txt").read_text(encoding="utf-8").splitlines())


@dataclass(frozen=True)
class Published:
    """A network whose weights others publish: its architecture, and the folder where it is, or will be, kept."""

    plugin: Plugin
    model_directory: Path

    @property
    def id(self) -> str:
        """What it is asked for by: "zoo:resnet50/imagenet"."""
        return f"{PACKAGED}{self.plugin.name}/{NAME}"

    @property
    def spec(self) -> Spec:
        """What the network is built for: all that its card says, with the options that its weights need."""
        from zoo.types import Spec

        card = self.plugin.facts
        options = {key: value for key, value in card.weights[NAME].items() if card.options.get(key) != value}
        size = card.size or card.min_size
        return Spec(self.plugin.name, size, size, card.channels[0], class_names(), options, NAME)

    @property
    def is_made(self) -> bool:
        """Whether it can answer: it was made before, by this version of its architecture and of decoding."""
        from zoo.data import images
        from zoo.prediction.cold import has_litert, read_spec

        if not (has_litert(self.model_directory) and (self.model_directory / SPEC).is_file()):
            return False
        return bool(read_spec(self.model_directory)["rule"] == images.RULE)

    def build(self) -> Any:
        """The network itself, in float32. TensorFlow has been imported.

        Raises MissingWeights if its weight file is not here and may not be fetched (`zoo.pretrained.downloads`),
        ZooError if it can't be.
        """
        from zoo.session import Session

        return Session(self.plugin).build(self.spec, "float32")

    def make(self, verbose: bool = False) -> None:
        """Build the network, and keep it for LiteRT.

        Raises as `build`, and ZooError if what was exported does not answer as the network does.
        """
        from zoo.hardware import default_threads
        from zoo.runs import pipeline

        pipeline.start_frameworks(default_threads(), verbose)
        from zoo import quiet
        from zoo.data import images
        from zoo.runs.evaluation import predictor
        from zoo.runs.export import to_litert
        from zoo.runs.finish import random_images
        from zoo.session import Session

        spec, model = self.spec, self.build()
        predict = predictor(Session(self.plugin).predict, model, flip_average=False)
        samples = random_images(spec)[:2].astype("float32")
        target = self.model_directory / "model.tflite"
        self.model_directory.mkdir(parents=True, exist_ok=True)
        require_space(self.model_directory, 4 * (self.plugin.facts.parameters or 0), "The network")
        shape = (spec.height, spec.width, spec.channels)
        with quiet.frameworks():
            difference = to_litert(target, predict, shape, samples)
        if not difference <= TOLERANCE:
            target.unlink()
            raise ZooError(f"{self.id} can't be exported to LiteRT: it differs from the network by {difference:.2g}")
        facts = asdict(spec) | {"class_names": NAME}
        content = {
            "format": 1,
            "about": "ImageNet (ILSVRC2012)",
            "architecture": facts.pop("name"),
            **facts,
            **_HOW,
            "rule": images.RULE,
            "export": {"tflite": {"status": "ok", "max_difference": difference, "bytes": target.stat().st_size}},
        }
        atomic_write(self.model_directory / SPEC, json.dumps(content, indent=1) + "\n")


def published(plugin: Plugin) -> Published | None:
    """The network of an architecture with published weights, made or not; None if its card names none."""
    card = plugin.facts
    if plugin.kind != "architecture" or plugin.status != "ok" or card.classes != CLASSES or NAME not in card.weights:
        return None
    # another version may build another network
    folder = f"{plugin.name}-{NAME}-{plugin.version}"
    return Published(plugin, cache_folder() / "networks" / folder)
