"""Feed mutated files to every reader of the zoo: `python -m zoo.testing.fuzz --inputs 100000`.

Each input is a pure function of (seed, target, number). It is read in a worker process with a limit on its memory
and its time; a worker that crashes or hangs is replaced, and the input that did it is reported with the command
that reads it again. Exit code 1 if anything was found. For Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from zoo.testing.mutations import Sample, mutate
from zoo.testing.targets import TARGETS, Target, decoder

SECONDS = 20.0
"""The most that one input may take."""
STARTING = 120.0
"""The most that a worker may take to import what it needs, and to write its samples."""
MEMORY = 1_500_000_000
"""The most bytes that one input may add to the process; an image of 100 megapixels and 16 bits needs 1.1 GB."""

WORKER = (sys.executable, "-m", "zoo.testing.fuzz")


@dataclass
class Outcome:
    """What came of a target: how many inputs were read and refused, and findings by their description."""

    target: str
    read: int = 0
    refused: int = 0
    findings: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, what: str, index: int) -> None:
        """Record a finding."""
        self.findings.setdefault(what, []).append(index)


def mutant(target: Target, name: str, seed: int, index: int) -> Sample:
    """Input number `index` of a target."""
    return mutate(Random(f"{seed}/{name}/{index}"), target.samples)  # noqa: S311 (repeatable, not secret)


def fuzz(name: str, seed: int, inputs: int, files: Path | None = None) -> Outcome:
    """Feed `inputs` mutants to a target in worker processes."""
    outcome, begin, began = Outcome(name), 0, time.monotonic()
    while begin < inputs:
        begin = _run_worker(outcome, seed, begin, inputs, files)
    outcome.seconds = time.monotonic() - began
    return outcome


def _run_worker(outcome: Outcome, seed: int, begin: int, end: int, files: Path | None) -> int:
    """Run one worker until it ends, crashes or hangs; return the number of the next input."""
    command = [*WORKER, "--worker", str(begin), str(end), "--target", outcome.target, "--seed", str(seed)]
    command += ["--files", str(files)] if files else []
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TMPDIR": folder, "PYTHONFAULTHANDLER": "1"}
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment)  # noqa: S603
        current = begin - 1
        hung = False
        for line in _lines(worker):
            if line is None:
                hung = True
                worker.kill()
                break
            number, _, rest = line.partition(" ")
            current = int(number)
            if rest == "read":
                outcome.read += 1
            elif rest == "refused":
                outcome.refused += 1
            elif rest:
                outcome.add(json.loads(rest), current)
        code = worker.wait()
        if current < begin and code:
            errors.seek(0)
            raise RuntimeError(f"The worker for {outcome.target} did not start:\n{errors.read().decode()[-2000:]}")
    if hung:
        outcome.add(f"hang: more than {SECONDS:.0f} s", current)
    elif code:
        outcome.add(f"crash: {signal.Signals(-code).name if code < 0 else f'exit code {code}'}", current)
    return current + 1


def _lines(worker: subprocess.Popen[bytes]) -> Iterator[str | None]:
    """Yield the worker's lines; None when it says nothing for too long."""
    assert worker.stdout is not None  # noqa: S101 (it was opened with a pipe)
    descriptor, pending = worker.stdout.fileno(), b""
    limit = STARTING
    while True:
        ready, _, _ = select.select([descriptor], [], [], limit)
        if not ready:
            yield None
            return
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            return
        *lines, pending = (pending + piece).split(b"\n")
        limit = SECONDS
        yield from (line.decode() for line in lines)


# in the worker ----------------------------------------------------------------------------------------------------


def _make(name: str, folder: Path, files: Path | None) -> Target:
    if name == "decoder" and files is not None:
        return decoder(folder, sorted(path for path in files.iterdir() if path.is_file()))
    return TARGETS[name](folder)


def _work(name: str, seed: int, begin: int, end: int, files: Path | None) -> None:
    """Read inputs one by one, saying on standard output which is read and what came of it."""
    report = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory() as folder:
        target = _make(name, Path(folder), files)
        limit = _address_space() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for index in range(begin, end):
            report.write(f"{index}\n")
            report.write(f"{index} {_outcome(target, mutant(target, name, seed, index))}\n")


def _outcome(target: Target, sample: Sample) -> str:
    try:
        return "read" if target.read(sample) else "refused"
    except Exception as error:  # noqa: BLE001 (whatever a reader raises is what is looked for)
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "testing" not in frame.filename]
        where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        return json.dumps(f"{type(error).__name__}{where}: {str(error)[:150]}")


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


# command line -----------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m zoo.testing.fuzz", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--inputs", type=int, default=6_000, help="inputs in all, or a few more: equally many of each")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="default: all of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", type=Path, help="folder of images of your own, to be mutated too")
    parser.add_argument("--input", type=int, metavar="NUMBER", help="read this input alone, and show what it does")
    parser.add_argument("--worker", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    names = given.target or list(TARGETS)
    if given.worker:
        _work(names[0], given.seed, given.worker[0], given.worker[1], given.files)
        return 0
    if given.input is not None:
        return _again(names[0], given.seed, given.input, given.files)
    outcomes = []
    for name in names:
        outcomes.append(fuzz(name, given.seed, -(-given.inputs // len(names)), given.files))
        _print(outcomes[-1], given.seed)
    total = sum(outcome.read + outcome.refused for outcome in outcomes)
    found = sum(len(outcome.findings) for outcome in outcomes)
    print(f"{total:,} inputs were read or refused, {found} findings")
    return 1 if found else 0


def _print(outcome: Outcome, seed: int) -> None:
    print(
        f"{outcome.target:<9} {outcome.read:>7,} read  {outcome.refused:>7,} refused  "
        f"{sum(map(len, outcome.findings.values())):>5,} failed  {outcome.seconds:.0f} s",
        flush=True,
    )
    for what, inputs in outcome.findings.items():
        print(f"  {len(inputs)} x {what}", flush=True)
        print(f"    python -m zoo.testing.fuzz --target {outcome.target} --seed {seed} --input {inputs[0]}", flush=True)


def _again(name: str, seed: int, index: int, files: Path | None) -> int:
    with tempfile.TemporaryDirectory() as folder:
        target = _make(name, Path(folder), files)
        sample = mutant(target, name, seed, index)
        print(f"{sample.name}: {len(sample.content):,} bytes, {sample.content[:60]!r}")
        print("read" if target.read(sample) else "refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
