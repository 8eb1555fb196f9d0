"""How long `zoo list` takes, against the imports that a plugin-based command line can't do without.

Each round runs both commands in fresh interpreters, in turns; the ratio of the medians is what counts on a
machine that others use too. Then the same with 1,000 more distributions, each with an architecture and a card,
every tenth with a receipt; there the time itself counts. The processor's time says more than the clock's where others
keep the machine busy.

usage: python benchmarks/listing.py [ROUNDS]
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = 3.0
TARGET_SECONDS = 0.4
DISTRIBUTIONS = 1000
RECEIPTS = 10  # a receipt in every so many
BASELINE = [sys.executable, "-c", "import click, pluggy"]
COMMANDS = {
    "zoo list": [sys.executable, "-m", "zoo", "list"],
    "zoo plugins": [sys.executable, "-m", "zoo", "plugins"],
    "zoo list, filters": [
        *(sys.executable, "-m", "zoo", "list", "*1*", "--dataset", "mnist", "--min-accuracy", "90"),
        *("--max-params", "30M", "--sort", "images/s"),
    ],
}


def seconds(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and processor time of a command."""
    began, spent = time.perf_counter(), processor_seconds()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began, processor_seconds() - spent


def processor_seconds() -> float:
    """What all finished child processes used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(command: list[str], environment: dict[str, str], rounds: int) -> tuple[float, float, float]:
    """Medians: wall time of the baseline, wall time and processor time of `command`, run in turns."""
    seconds(BASELINE, environment), seconds(command, environment)  # files are in memory from here on
    rows = [(seconds(BASELINE, environment)[0], *seconds(command, environment)) for _ in range(rounds)]
    baseline, measured, processor = (statistics.median(times) for times in zip(*rows, strict=True))
    return baseline, measured, processor


def install(folder: Path, count: int) -> None:
    """Write `count` distributions of one architecture each, as pip leaves them."""
    recipe = {"name": "quick", "values": {f"key_{number}": number for number in range(40)}}
    for index in range(count):
        info = folder / f"made_up_{index}-1.{index}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: made-up-{index}\nVersion: 1.{index}\n")
        (info / "entry_points.txt").write_text(f"[zoo.architectures]\nmade-up-{index} = made_up_{index}\n")
        package = folder / f"made_up_{index}"
        package.mkdir()
        (package / "__init__.py").write_text("raise RuntimeError('a listing imports no plugin')\n")
        (package / "zoo.toml").write_text(
            f'api = 1\n\n[architectures.made-up-{index}]\nsummary = "Made up, number {index}"\n'
            f'paper = "Nobody (2020)"\nparameters = {1000 * index}\nclasses = 10\nchannels = [1, 3]\n'
            f"multiply_adds = {100000 * index}\nsize = 32\nmin_size = 8\noptions = {{ width = 1.0 }}\n"
        )
        if index % RECEIPTS == 0:
            runs = [
                {"seed": seed, "count": 10000, "correct": 9000 + index, "seconds": 60.0, "images_per_second": 1000.0}
                for seed in range(3)
            ]
            receipt = {"architecture": f"made-up-{index}", "dataset": "mnist", "part": "test", "recipe": recipe}
            (package / "results").mkdir()
            (package / "results" / "mnist-quick.json").write_text(json.dumps(receipt | {"seeds": runs}))


def main(rounds: int) -> int:
    """Print a line per command; 0 if the targets are met: a ratio as installed, seconds with many plugins."""
    met = True
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder), DISTRIBUTIONS)
        for title, environment in (
            ("as installed", plain),
            (f"with {DISTRIBUTIONS:,} more", plain | {"PYTHONPATH": folder}),
        ):
            for name, command in COMMANDS.items():
                baseline, measured, processor = compare(command, environment, rounds)
                ratio = measured / baseline
                holds = ratio <= TARGET if environment is plain else measured <= TARGET_SECONDS
                target = f"{TARGET:.0f} times" if environment is plain else f"{1000 * TARGET_SECONDS:.0f} ms"
                met &= holds
                print(
                    f"{title:<16} {name:<18} {1000 * measured:5.0f} ms, {1000 * processor:4.0f} of the processor's,"
                    f" imports alone {1000 * baseline:4.0f} ms, ratio {ratio:5.2f}"
                    f"  target {target}: {'met' if holds else 'MISSED'}"
                )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
