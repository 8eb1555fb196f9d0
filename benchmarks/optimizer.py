"""Adam's update as one kernel against Keras' own, on VGG-16's weights at 50x50 pixels.

python benchmarks/optimizer.py
"""

from __future__ import annotations

import statistics
import time
from itertools import pairwise

import numpy as np

from zoo import quiet

WIDTHS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
SHAPES = [(3, 3, a, b) for a, b in pairwise(WIDTHS)] + [(512, 4096), (4096, 4096), (4096, 2)]
ROUNDS = 7


def main() -> None:
    """Time one update of each in turn and print the medians."""
    quiet.import_tensorflow()
    import keras
    import tensorflow as tf

    from zoo.training.optimizers import FusedAdam

    rng = np.random.default_rng(0)
    gradients = [tf.constant(rng.normal(0, 0.01, shape), tf.float32) for shape in SHAPES]
    updates = {}
    for kind in (FusedAdam, keras.optimizers.Adam):
        variables = [keras.Variable(rng.normal(0, 0.05, shape).astype("float32")) for shape in SHAPES]
        optimizer = kind(1e-3)
        optimizer.build(variables)
        updates[kind.__name__] = tf.function(lambda o=optimizer, v=variables: o.apply(gradients, v))
    seconds: dict[str, list[float]] = {name: [] for name in updates}
    for number in range(ROUNDS + 1):
        for name, update in updates.items():
            began = time.perf_counter()
            update()
            if number:
                seconds[name].append(time.perf_counter() - began)
    medians = {name: 1000 * statistics.median(values) for name, values in seconds.items()}
    print("  ".join(f"{name} {value:.0f} ms" for name, value in medians.items()))
    print(f"ratio {medians['Adam'] / medians['FusedAdam']:.2f}x in {ROUNDS} pairs")


if __name__ == "__main__":
    main()
