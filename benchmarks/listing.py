"""How long `zoo list` takes, against the imports that a plugin-based command line can't do without.

Each round runs both commands in fresh interpreters, in turns; the ratio of the medians is what counts on a
machine that others use too. Then the same with 1,000 more distributions, each with an architecture and a card.

usage: python benchmarks/listing.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = 3.0
DISTRIBUTIONS = 1000
BASELINE = [sys.executable, "-c", "import click, pluggy"]
COMMANDS = {
    "zoo list": [sys.executable, "-m", "zoo", "list"],
    "zoo plugins": [sys.executable, "-m", "zoo", "plugins"],
}


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of a command."""
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def compare(command: list[str], environment: dict[str, str], rounds: int) -> tuple[float, float]:
    """Median wall times of the baseline and of `command`, run in turns."""
    seconds(BASELINE, environment), seconds(command, environment)  # files are in memory from here on
    pairs = [(seconds(BASELINE, environment), seconds(command, environment)) for _ in range(rounds)]
    baseline, measured = (statistics.median(times) for times in zip(*pairs, strict=True))
    return baseline, measured


def install(folder: Path, count: int) -> None:
    """Write `count` distributions of one architecture each, as pip leaves them."""
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
            'size = 32\nmin_size = 8\nlicence = "MIT"\noptions = { width = 1.0 }\n'
        )


def main(rounds: int) -> int:
    """Print a line per command; 0 if the target is met in the plain environment."""
    met = True
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder), DISTRIBUTIONS)
        for title, environment in (
            ("as installed", plain),
            (f"with {DISTRIBUTIONS:,} more", plain | {"PYTHONPATH": folder}),
        ):
            for name, command in COMMANDS.items():
                baseline, measured = compare(command, environment, rounds)
                ratio = measured / baseline
                verdict = ""
                if environment is plain:
                    met &= ratio <= TARGET
                    verdict = f"  target <= {TARGET:.0f}: {'met' if ratio <= TARGET else 'MISSED'}"
                print(
                    f"{title:<16} {name:<12} {1000 * measured:6.0f} ms, imports alone {1000 * baseline:4.0f} ms,"
                    f" ratio {ratio:5.2f}{verdict}"
                )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
