"""What a run does once its receipt says "finished": tell the observers, write the report, remove the checkpoints.

The receipt's "remaining" names what is still to do. Each step is struck off when it is done: a run that is killed in
between loses nothing, and `zoo train --resume` does the rest. A step that was cut short is done again from its
beginning: an observer may be told twice, and is told in any case. Importing this module imports no framework.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from zoo.errors import Interrupted, UsageError
from zoo.progress import Reporter
from zoo.runs import report
from zoo.runs.directory import Run

STEPS = ("observers", "report", "checkpoints")


def remaining(run: Run) -> list[str]:
    """What a finished run still has to do. A run by an older zoo, which noted nothing, may lack its report."""
    named = run.receipt.get("remaining")
    if named is None:
        return [] if (run.directory / report.NAME).exists() else ["report"]
    return [step for step in STEPS if step in named]


def close(run: Run, tell: Callable[[], object]) -> None:
    """Do what remains of a finished run, whose lock is held; `tell` tells the observers."""
    steps: dict[str, Callable[[], object]] = {
        "observers": tell,
        "report": lambda: report.write(run),
        "checkpoints": lambda: shutil.rmtree(run.checkpoints, ignore_errors=True),
    }
    try:
        while left := remaining(run):
            steps[left[0]]()
            run.update(remaining=left[1:])
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted. The rest is done by: zoo train --resume {run.quoted}") from None


def resume(run: Run, reporter: Reporter, verbose: bool = False) -> Run:
    """Do what a finished run, killed at the very last, still has to do. Raises UsageError if that is nothing."""
    if not remaining(run):
        raise UsageError(f"The run {run.id} has finished; there is nothing to resume. See: zoo show {run.quoted}")
    from zoo.runs import pipeline

    with pipeline.locked(run):
        reporter.note(f"The run {run.id} has finished but for: {', '.join(remaining(run)) or 'nothing any more'}.")
        close(run, lambda: _tell(run, verbose))
    return run


def _tell(run: Run, verbose: bool) -> None:
    """Tell the observers of a run whose process is gone."""
    from zoo.figures.drawing import DrawnRun
    from zoo.registry import Registry
    from zoo.runs import pipeline
    from zoo.session import Session

    registry, receipt = Registry.discover(), run.receipt
    observers = [plugin for plugin in registry.of("plugin") if plugin.status == "ok"]
    architecture = registry.get("architecture", receipt["spec"]["name"])
    session = Session(architecture, observers=observers, strict=receipt["strict"])
    pipeline.start_frameworks(receipt["threads"], verbose)  # a plugin may import them
    session.load()
    session.notify("zoo_run_finished", run=DrawnRun(run))
