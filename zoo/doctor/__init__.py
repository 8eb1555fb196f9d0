"""What may be wrong with this installation, its cache, its data and its runs, each with the command that mends it.

`diagnose` looks and changes nothing; `zoo doctor` prints what it finds. TensorFlow is not imported: what is installed
is read from the packages' metadata.
"""

from __future__ import annotations

from collections.abc import Iterator

from zoo.doctor.finding import Finding, Section, State

__all__ = ["Finding", "Section", "State", "diagnose"]


def diagnose(path: str | None = None) -> Iterator[Finding]:
    """Look at everything, section by section; of runs at those that `path` names: a run (also by its id, or "last"),
    or a folder of runs. Raises UsageError if that is neither.
    """
    from zoo.doctor import environment, places, runs

    chosen = runs.find(path)  # a mistyped path is told at once
    yield from environment.findings()
    yield from places.plugins()
    yield from places.cache()
    yield from places.data()
    yield from runs.findings(chosen)
