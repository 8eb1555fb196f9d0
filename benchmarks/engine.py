"""The engine against Keras' `fit`: the same network, optimizer, batch and images, in alternating rounds.

Prints images/s of each, and the ratios: against `fit` at the engine's precision, and against the chapter's
way (`fit` in float32).

    python benchmarks/engine.py [fc-keras cnn vgg16 vgg16-bn resnet50 inceptionv3] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zoo import quiet
from zoo.hardware import has_bfloat16, processor
from zoo.recipes import Recipe
from zoo.registry import Registry
from zoo.session import Session
from zoo.types import Part, Spec


@dataclass(frozen=True)
class Case:
    """A network with its input; `images` are shown in a round, in batches of `batch_size`."""

    architecture: str
    size: int
    channels: int
    classes: int
    images: int
    batch_size: int
    precision: str
    targets: tuple[float, float]


CASES = (
    Case("fc-keras", 28, 1, 10, 60_000, 200, "float32", (2.0, 2.0)),
    Case("cnn", 28, 1, 10, 10_000, 200, "bfloat16", (1.2, 2.0)),
    Case("vgg16", 50, 3, 2, 640, 64, "bfloat16", (1.0, 1.6)),
    Case("vgg16-bn", 48, 3, 2, 640, 64, "bfloat16", (1.5, 2.0)),
    Case("resnet50", 64, 3, 2, 640, 64, "bfloat16", (1.5, 2.0)),
    Case("inceptionv3", 75, 3, 2, 640, 64, "bfloat16", (1.5, 2.0)),
)


def contestants(case: Case) -> dict[str, Callable[[], float]]:
    """Name to a function that trains one round and returns images/s."""
    session = Session(Registry.discover().get("architecture", case.architecture))
    names = tuple(str(index) for index in range(case.classes))
    spec = Spec(case.architecture, case.size, case.size, case.channels, names)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (case.images, case.size, case.size, case.channels), dtype=np.uint8)
    labels = rng.integers(0, case.classes, case.images)
    precision = case.precision if has_bfloat16() else "float32"
    found = {f"engine {precision}": engine(case, session, spec, images, labels, precision)}
    for kind in dict.fromkeys((precision, "float32")):
        found[f"fit {kind}"] = fit(case, session, spec, images, labels, kind)
    return found


def engine(case: Case, session: Session, spec: Spec, images, labels, precision: str) -> Callable[[], float]:
    from zoo.training.engine import CHUNK_SECONDS, Trainer
    from zoo.training.feeder import Feeder, Plan

    recipe = Recipe(
        image_size=case.size, batch_size=case.batch_size, epochs=1000, optimizer="adam", schedule="constant"
    )
    trainer = Trainer(session.build(spec, precision), recipe, case.size)
    plan = Plan(recipe, 0, case.images, case.size)
    part = Part(images, np.arange(case.images), labels, [])
    state = {"step": 0, "steps_per_chunk": 1}

    def round_() -> float:
        began = time.perf_counter()
        feeder = Feeder(plan, part, state["step"], state["steps_per_chunk"])
        for chunk in feeder:
            called = time.perf_counter()
            trainer.run(chunk)
            seconds = time.perf_counter() - called
            wanted = int(chunk.steps * CHUNK_SECONDS / seconds)
            state["steps_per_chunk"] = feeder.steps_per_chunk = max(1, min(wanted, 4 * state["steps_per_chunk"]))
            state["step"] += chunk.steps
        return case.images / (time.perf_counter() - began)

    return round_


def fit(case: Case, session: Session, spec: Spec, images, labels, precision: str) -> Callable[[], float]:
    import keras

    model = session.build(spec, precision)
    model.compile(
        keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    floats = images.astype(np.float32)

    def round_() -> float:
        began = time.perf_counter()
        model.fit(floats, labels, batch_size=case.batch_size, epochs=1, verbose=0)
        return case.images / (time.perf_counter() - began)

    return round_


def compare(case: Case, rounds: int) -> None:
    """Run all contestants in turn, `rounds` times after two rounds to warm up, and print the medians."""
    runners = contestants(case)
    rates: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(rounds + 2):
        for name, run in runners.items():
            rate = run()
            if number >= 2:
                rates[name].append(rate)
    ours, *others = rates
    print(f"{case.architecture}, {case.size}x{case.size}x{case.channels}, batch {case.batch_size}")
    for name, values in rates.items():
        print(f"  {name:<16} {statistics.median(values):10,.0f} images/s  ({min(values):,.0f} to {max(values):,.0f})")
    for name, target in zip((others[0], others[-1]), case.targets, strict=True):
        ratios = [mine / theirs for mine, theirs in zip(rates[ours], rates[name], strict=True)]
        print(
            f"  {ours} / {name}: {statistics.median(ratios):.2f}x "
            f"({min(ratios):.2f} to {max(ratios):.2f} in {rounds} pairs; aim {target:g}x)",
            flush=True,
        )


def main() -> None:
    """Compare the cases that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[case.architecture for case in CASES])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    quiet.import_tensorflow()
    print(processor()[0], *processor()[1])
    for case in CASES:
        if case.architecture in arguments.names:
            compare(case, arguments.rounds)


if __name__ == "__main__":
    main()
