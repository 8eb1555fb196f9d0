"""Every key of a recipe, with core's value and what it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

Resize = Literal["stretch", "crop"]
Interpolation = Literal["area", "linear"]
Split = Literal["published", "hash", "shuffle", "choice"]
Optimizer = Literal["adamw", "adam", "sgd", "gradient-descent"]
Schedule = Literal["constant", "cosine", "one-cycle"]
Precision = Literal["auto", "float32", "bfloat16"]
Keep = Literal["last", "best"]
Fill = Literal["zero", "reflect", "nearest"]
ClassWeights = Literal["", "balanced"] | tuple[float, ...]
FLAGS = ("epochs", "weights")  # keys that have an option of their own on the command line


def _key(default: Any, meaning: str) -> Any:
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata={"help": meaning})
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Recipe:
    """Every key of a recipe, with core's value. `zoo train --dry-run` prints the resolved ones."""

    # images
    image_size: int = _key(0, "height and width of the network's input in pixels; 0: the card's size")
    source_size: int = _key(0, "height and width of the cached training images; 0: image_size")
    train_sizes: tuple[int, ...] = _key((), "sizes to train at, growing by equal shares of the epochs")
    resize: Resize = _key("stretch", "stretch to the square, or crop its centre")
    interpolation: Interpolation = _key("area", "area (anti-aliased) or linear (OpenCV's default)")
    split: Split = _key("published", "published parts, by content hash, NumPy shuffle, or NumPy choice")
    split_seed: int = _key(0, "seed of the split, apart from the run's seed")
    validation: int = _key(0, "images split off the training part for validation")
    test: int = _key(0, "images split off for the test, where none is published")
    train: int = _key(0, "images to train on, a seeded subset with as many of each class; 0: all")
    train_seed: int = _key(0, "another choice of those images, from the same split")
    epoch_images: int = _key(0, "least images in an epoch: fewer come again, augmented anew; 0: each comes once")
    # network
    options: dict[str, Any] = _key({}, "the architecture's own options")
    weights: str = _key("", "weights to begin with: a name on the card (imagenet), or the path of a file")
    freeze: str = _key("", "layers that stay as they are: globs of names (stem*,*_bn), or backbone: all but the head")
    precision: Precision = _key("auto", "auto, float32 or bfloat16 (variables stay float32)")
    auto_precision: Literal["float32", "bfloat16"] = _key(
        "float32", "what auto means on a processor with bfloat16 (measured); float32 on others"
    )
    xla: bool = _key(False, "compile the step with XLA: for GPUs; measured slower on processors")
    # optimisation
    epochs: int = _key(5, "passes over the training part")
    steps: int = _key(0, "stop after this many steps; 0: by epochs")
    batch_size: int = _key(64, "images in a step")
    optimizer: Optimizer = _key("adamw", "adamw, adam, sgd or gradient-descent (fc-tf's own loop)")
    learning_rate: float = _key(1e-3, "the highest learning rate")
    momentum: float = _key(0.9, "momentum of sgd (Nesterov), beta_1 of adam and adamw")
    beta_2: float = _key(0.999, "beta_2 of adam and adamw")
    epsilon: float = _key(1e-7, "epsilon of adam and adamw")
    layer_decay: float = _key(0.0, "the rate's factor from each block to the one before it; 0: the same for all")
    schedule: Schedule = _key("one-cycle", "constant, cosine (after a warm-up) or one-cycle")
    warmup: float = _key(0.25, "share of the steps in which the learning rate rises")
    weight_decay: float = _key(0.0, "decoupled weight decay; norms and biases are spared")
    l2: float = _key(0.0, "loss term l2 * sum(w**2) / 2 over the weight matrices")
    label_smoothing: float = _key(0.0, "share of the target spread evenly over the classes")
    class_weights: ClassWeights = _key("", "weights of the classes in the loss: balanced, or one number a class")
    clip_norm: float = _key(0.0, "largest global norm of the gradient; 0: no clipping")
    ema: float = _key(0.0, "decay of the moving average of the weights; 0: none")
    early_stopping: int = _key(0, "epochs without a better validation accuracy before stopping; 0: never")
    keep: Keep = _key("last", "the weights kept at the end: the last epoch's or the best one's")
    keep_best: int = _key(1, "how many best epochs' weights to keep; from 2 on they stay in model/best-N.npz")
    # augmentation, all from (seed, epoch, example)
    flip: bool = _key(False, "mirror half of the training images left to right")
    flip_average: bool = _key(False, "average the probabilities of an image and its mirror image")
    crop_area: tuple[float, ...] = _key((), "[least, greatest] area share of a random-resized-crop")
    crop_ratio: tuple[float, ...] = _key((0.75, 1.3333333333), "[least, greatest] aspect ratio of that crop")
    pad_crop: int = _key(0, "pixels of padding before a random crop back to the size")
    shift: float = _key(0.0, "greatest shift, as a share of the size")
    rotate: float = _key(0.0, "greatest rotation in degrees")
    shear: float = _key(0.0, "greatest shear along each axis in degrees")
    zoom: tuple[float, ...] = _key((), "[least, greatest] scale")
    fill: Fill = _key("reflect", "what lies beyond the border: zero, reflect or nearest")
    brightness: float = _key(0.0, "greatest change of brightness, as a share (0.2: 0.8 to 1.2 times)")
    contrast: float = _key(0.0, "greatest change of contrast, as a share")
    saturation: float = _key(0.0, "greatest change of saturation, as a share; RGB only")
    hue: float = _key(0.0, "greatest turn of the hue in degrees; RGB only")
    erase: float = _key(0.0, "share of the images that get a box of one random colour (random erasing)")
    erase_area: tuple[float, ...] = _key((0.02, 0.2), "[least, greatest] area share of that box")
    mixup: float = _key(0.0, "alpha of mixup; 0: none. With cutmix as well, each takes half of the images")
    cutmix: float = _key(0.0, "alpha of cutmix; 0: none. Training accuracy then counts the larger share's class")

    @property
    def cached_size(self) -> int:
        """Height and width of the cached training images in pixels."""
        return self.source_size or self.image_size


# what only the engine does: an architecture's own zoo_train is told these keys and may pass them over
ENGINE_KEYS = (
    *("train_sizes", "xla", "schedule", "warmup", "weight_decay", "label_smoothing", "class_weights", "clip_norm"),
    *("ema", "early_stopping", "keep", "keep_best", "flip", "crop_area", "pad_crop", "shift", "rotate", "shear"),
    *("zoom", "brightness", "contrast", "saturation", "hue", "erase", "mixup", "cutmix"),
)
KEYS: dict[str, str] = {item.name: item.metadata["help"] for item in fields(Recipe)}


def complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values of a recipe with core's for the keys that they lack, of the types that JSON has: a key that comes
    later leaves what is older as it was."""
    whole: dict[str, Any] = json.loads(json.dumps(asdict(Recipe()) | dict(values)))
    return whole
