"""Kill training runs at random instants, resume them, and compare what they end with, bit for bit:
`python -m zoo.testing.crash --kills 200`.

For each case of `zoo.testing.victims` one run is trained without interruption. Others are killed (SIGKILL), each
several times, at an instant drawn from the seed: after a random time, or a random moment into a phase (decoding,
training, a checkpoint, evaluation, export, figures, what follows "finished", the report); resumed as
`zoo train --resume` does; and compared at their end. Exit code 1 if any differs. For Linux. `--log` appends a JSON
line per run: a campaign may be run in parts, and its table counts them all.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from zoo.runs import closing
from zoo.runs.directory import Run
from zoo.testing.victims import CASES, PHASES, Case, attempt, differences, write_images

KILLS_A_RUN = 6
"""The most: then the run is left alone until its end."""
PATIENCE = 600.0
"""Seconds that an attempt may take; longer means that it hangs."""
TARGETS = ("images", "training", "checkpoint", "evaluation", "export", "figures", "closing", "report")
_START = "start"
Plan = tuple[str, float]
"""When to kill: (the phase that has to be met, seconds from then on); "start" is met at once."""


class Broken(RuntimeError):
    """An attempt failed by itself, or hung."""


@dataclass
class Outcome:
    """What came of one run: the phases in which it was killed, and how its end differs from the reference's."""

    case: str
    architecture: str
    precision: str
    kills: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Campaign:
    """Runs of one case in `folder`: the reference first, then victims."""

    def __init__(self, case: Case, folder: Path, images: Path, random: Random) -> None:
        self.case, self.folder, self.images, self.random = case, folder, images, random
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["tensorflow", "keras", "cv2", "matplotlib", "zoo.testing.victims"])
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        self.reference = folder / "reference"
        self._attempt(self.reference, folder / "cache", None)
        self.seconds = time.monotonic() - began

    def victim(self, number: int, plans: Sequence[Plan]) -> Outcome:
        """Train a run to its end, killed as planned, and compare it with the reference. It may end before that."""
        began = time.monotonic()
        waiting = list(plans)
        outcome = Outcome(self.case.name, self.case.architecture, self.case.precision)
        run = self.folder / f"run-{number}"
        # every third decodes the images anew, so that decoding is killed too
        cache = self.folder / (f"cache-{number}" if number % 3 == 0 else "cache")
        while True:
            phase = self._attempt(run, cache, waiting.pop(0) if waiting else None)
            if phase is None:
                break
            outcome.kills.append(phase)
            if not (run / "run.json").exists():  # killed before it was a run: there is nothing to resume
                shutil.rmtree(run, ignore_errors=True)
            elif _is_whole(run):  # killed after its last word
                break
        outcome.differences = differences(self.reference, run)
        outcome.seconds = round(time.monotonic() - began, 1)
        if not outcome.differences:
            shutil.rmtree(run)
            Path(f"{run}.log").unlink(missing_ok=True)
        if cache.name != "cache":
            shutil.rmtree(cache, ignore_errors=True)
        return outcome

    def plan(self) -> Plan:
        """Draw a time or a phase to kill at."""
        if self.random.random() < 0.5:
            return _START, self.random.uniform(0, self.seconds)
        return self.random.choice(TARGETS), self.random.choice((0.0, 0.01, 0.1, 1.0)) * self.random.random()

    def _attempt(self, run: Path, cache: Path, plan: Plan | None) -> str | None:
        """Start or resume a run; return the phase in which it was killed, None if it came to its end."""
        phase = self.context.Value("i", 0, lock=False)
        process = self.context.Process(target=attempt, args=(self.case, self.images, run, cache, phase))
        process.start()
        began = time.monotonic()
        due: float | None = None
        while process.is_alive():
            now = time.monotonic()
            if now - began > PATIENCE:
                process.kill()
                raise Broken(f"{self.case.name}: more than {PATIENCE:.0f} s, see {run}.log")
            if plan is not None and due is None and plan[0] in (_START, PHASES[phase.value]):
                due = now + plan[1]
            if due is not None and now >= due:
                process.kill()
                break
            process.join(0.002 if due is not None or plan is not None else 0.2)
        process.join()
        if process.exitcode == 0:
            return None
        if process.exitcode == -9:
            return PHASES[phase.value]
        raise Broken(f"{self.case.name}: exit code {process.exitcode}, see {run}.log")


def _is_whole(run: Path) -> bool:
    """Whether a run has come to its end, report and all: then there is nothing to resume."""
    return Run(run).status == "finished" and not closing.remaining(Run(run))


# the table ----------------------------------------------------------------------------------------------------------


def table(outcomes: Sequence[Outcome]) -> str:
    """A line per case, and the sums: runs, kills, in which phases, differences."""
    lines = [f"{'case':<22} {'precision':<9} {'runs':>4} {'kills':>5} {'different':>9}  killed in"]
    for case in dict.fromkeys(outcome.case for outcome in outcomes):
        of = [outcome for outcome in outcomes if outcome.case == case]
        lines.append(_line(case, of[0].precision, of))
    lines.append(_line("all", "", outcomes))
    networks = {outcome.architecture for outcome in outcomes}
    kills = sum(len(outcome.kills) for outcome in outcomes)
    different = sum(bool(outcome.differences) for outcome in outcomes)
    lines.append(f"{kills} kills over {len(networks)} architectures, {different} of {len(outcomes)} runs different")
    return "\n".join(lines)


def _line(name: str, precision: str, outcomes: Sequence[Outcome]) -> str:
    phases = Counter(phase for outcome in outcomes for phase in outcome.kills)
    told = ", ".join(f"{phase} {phases[phase]}" for phase in PHASES if phases[phase])
    kills, different = sum(phases.values()), sum(bool(outcome.differences) for outcome in outcomes)
    return f"{name:<22} {precision:<9} {len(outcomes):>4} {kills:>5} {different:>9}  {told}"


def read_log(path: Path) -> list[Outcome]:
    """The outcomes that a log holds."""
    return [Outcome(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


# command line -------------------------------------------------------------------------------------------------------


def campaign(cases: Sequence[Case], kills: int, seed: int, folder: Path, log: Path | None = None) -> list[Outcome]:
    """Kill until there are `kills` kills, shared evenly among the cases; print a line per run."""
    images = write_images(folder / "images")
    outcomes = []
    for index, case in enumerate(cases):
        wanted = kills * (index + 1) // len(cases) - kills * index // len(cases)
        if not wanted:
            continue
        random = Random(f"{seed}/{index}")  # noqa: S311 (repeatable, not secret)
        runs = Campaign(case, folder / case.name.replace(", ", "-").replace(" ", "-"), images, random)
        number = 0
        while wanted > 0:
            outcome = runs.victim(number, [runs.plan() for _ in range(min(KILLS_A_RUN, wanted))])
            number, wanted = number + 1, wanted - len(outcome.kills)
            outcomes.append(outcome)
            told = ", ".join(outcome.kills) or "not killed: it ended first"
            end = "the same bits" if not outcome.differences else f"DIFFERENT: {', '.join(outcome.differences)}"
            print(f"{case.name}: {told}: {end}, {outcome.seconds:.0f} s", flush=True)
            if log is not None:
                with log.open("a") as file:
                    file.write(json.dumps(vars(outcome)) + "\n")
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(prog="python -m zoo.testing.crash", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--kills", type=int, default=200, help="kills in all, shared evenly among the cases")
    parser.add_argument("--only", action="append", choices=names, help="default: all cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="append a JSON line per run; the table is of the whole log")
    parser.add_argument("--keep", type=Path, help="work in this folder, and leave there what differs")
    given = parser.parse_args(arguments)
    if given.keep and given.keep.is_dir() and any(given.keep.iterdir()):
        parser.error(f"--keep wants a new folder; {given.keep} is not empty")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    cases = [case for case in CASES if given.only is None or case.name in given.only]
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            outcomes = campaign(cases, given.kills, given.seed, folder, given.log)
        except Broken as error:
            log = Path(str(error).rpartition("see ")[2])
            print(f"{error}\n{log.read_text(errors='replace')[-3000:] if log.is_file() else ''}", file=sys.stderr)
            return 1
    found = read_log(given.log) if given.log else outcomes
    print(table(found))
    return int(any(outcome.differences for outcome in found))


if __name__ == "__main__":
    sys.exit(main())
