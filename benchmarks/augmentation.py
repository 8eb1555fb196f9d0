"""What each augmentation costs: the share of a training step of VGG-16 at 50x50, batch 64, in alternating rounds.

The same steps are taken with an augmentation and without any, in turn; printed is the median of the pairs'
differences as a share of the step without. The aim is at most 5 %, for all of them together.

    python benchmarks/augmentation.py [--rounds 5] [--steps 4] [--architecture vgg16]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from zoo import quiet
from zoo.hardware import has_bfloat16, processor
from zoo.recipes import Recipe
from zoo.registry import Registry
from zoo.session import Session
from zoo.types import Part, Spec

SIZE, BATCH, AIM = 50, 64, 5.0
GEOMETRY = {"flip": True, "crop_area": (0.5, 1.0), "rotate": 10.0, "shear": 5.0, "shift": 0.05}
COLOUR = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 10.0}
CASES = {
    "flip, crop, rotate, shear, shift": GEOMETRY,
    "colour": COLOUR,
    "erasing": {"erase": 0.25},
    "mixup": {"mixup": 0.2},
    "cutmix": {"cutmix": 1.0},
    "class weights": {"class_weights": "balanced"},
    "all together": {**GEOMETRY, **COLOUR, "erase": 0.25, "mixup": 0.2, "cutmix": 1.0, "class_weights": "balanced"},
}


def contestant(architecture: str, options: dict[str, object], steps: int) -> Callable[[], float]:
    """A function that trains a round of so many steps and returns seconds per step."""
    from zoo.training.engine import Trainer
    from zoo.training.feeder import Feeder, Plan

    rng = np.random.default_rng(0)
    count = BATCH * steps
    images = rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    part = Part(images, np.arange(count), rng.integers(0, 2, count), [])
    recipe = Recipe(image_size=SIZE, batch_size=BATCH, optimizer="adam", schedule="constant", epochs=1000, **options)
    session = Session(Registry.discover().get("architecture", architecture))
    precision = "bfloat16" if has_bfloat16() else "float32"
    trainer = Trainer(session.build(Spec(architecture, SIZE, SIZE, 3, ("a", "b")), precision), recipe, SIZE)
    plan = Plan(recipe, 0, count, SIZE)

    def round_() -> float:
        began = time.perf_counter()
        for chunk in Feeder(plan, part, 0, steps):
            trainer.run(chunk)
        return (time.perf_counter() - began) / steps

    return round_


def compare(name: str, architecture: str, steps: int, plain: Callable[[], float], rounds: int) -> float:
    """Print and return what an augmentation adds to a step, in per cent."""
    other = contestant(architecture, CASES[name], steps)
    other()  # traces
    shares, added = [], []
    for number in range(rounds):
        # who comes first changes: what else the machine does then hits both alike
        if number % 2:
            without, with_it = plain(), other()
        else:
            with_it, without = other(), plain()
        shares.append(100 * (with_it / without - 1))
        added.append(1000 * (with_it - without))
    share = statistics.median(shares)
    print(
        f"  {name:<33} {share:+5.1f} %  ({min(shares):+.1f} to {max(shares):+.1f}; "
        f"{statistics.median(added):+.1f} ms a step)",
        flush=True,
    )
    return share


def main() -> None:
    """Compare each augmentation with none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--architecture", default="vgg16")
    arguments = parser.parse_args()
    quiet.import_tensorflow()
    print(processor()[0], *processor()[1])
    plain = contestant(arguments.architecture, {}, arguments.steps)
    plain()
    step = statistics.median(plain() for _ in range(3))
    print(f"{arguments.architecture}, {SIZE}x{SIZE}, batch {BATCH}: {1000 * step:.0f} ms a step without augmentation")
    for name in CASES:
        share = compare(name, arguments.architecture, arguments.steps, plain, arguments.rounds)
    print(f"all together {share:+.1f} % of a step; aim at most {AIM:g} %")


if __name__ == "__main__":
    main()
