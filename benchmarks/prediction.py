"""A cold `zoo predict` against `import keras`, load, predict: whole processes, in alternating pairs.

Both classify the same photograph and print the most probable class. Prints wall time and peak memory of each, and
the ratios. Each network is rehearsed first: its weights don't matter here, its size does.

    python benchmarks/prediction.py [cnn vgg16] [--pairs 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

DATASETS = {"cnn": "mnist", "vgg16": "catsdogs"}
KERAS = """
import sys, cv2, keras, numpy as np
model = keras.models.load_model(sys.argv[1])
height, width, channels = model.input_shape[1:]
image = cv2.imread(sys.argv[2], cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB)
image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).reshape(1, height, width, channels)
print(int(np.argmax(model.predict(image.astype(np.float32), verbose=0))))
"""
MEGABYTE = 2**20


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MiB of a process, which must succeed."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return seconds, usage.ru_maxrss / 1024


def compare(architecture: str, folder: Path, pairs: int) -> None:
    """Rehearse a network, then time both ways in turn."""
    run = folder / architecture
    train = ["train", architecture, DATASETS[architecture], "--rehearse", "--output", str(run)]
    subprocess.run([sys.executable, "-m", "zoo", *train], check=True, capture_output=True)
    photo = folder / "photo.jpg"
    cv2.imwrite(str(photo), np.random.default_rng(0).integers(0, 256, (375, 500, 3), dtype=np.uint8))
    commands = {
        "zoo predict": [sys.executable, "-m", "zoo", "predict", str(run), str(photo)],
        "import keras": [sys.executable, "-c", KERAS, str(run / "model" / "model.keras"), str(photo)],
    }
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(pairs + 1):
        for name, command in commands.items():
            result = measured(command)
            if number:  # the first pair fills the page cache
                results[name].append(result)
    size = (run / "model" / "model.tflite").stat().st_size / MEGABYTE
    print(f"{architecture}: model file {size:.1f} MiB")
    for name, values in results.items():
        seconds, memory = (statistics.median(column) for column in zip(*values, strict=True))
        print(f"  {name:<13} {seconds:6.2f} s  {memory:7.0f} MiB")
    ratios = [theirs[0] / ours[0] for ours, theirs in zip(*results.values(), strict=True)]
    memory = statistics.median(value[1] for value in results["zoo predict"])
    spread = f"{min(ratios):.1f} to {max(ratios):.1f} in {pairs} pairs"
    print(f"  {statistics.median(ratios):.1f}x faster ({spread}; aim 10x)")
    print(f"  memory {memory:.0f} MiB; aim {3 * size + 60:.0f} MiB (three times the model file and 60)", flush=True)


def main() -> None:
    """Compare the networks that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(DATASETS))
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.names:
            compare(name, Path(folder), arguments.pairs)


if __name__ == "__main__":
    main()
