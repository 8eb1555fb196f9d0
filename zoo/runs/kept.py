"""What a run in progress remembers outside its receipt, which holds no path of the machine: where its data and the
weights that it began with lie."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from zoo.files import atomic_write
from zoo.recipes import ResolvedRecipe
from zoo.runs.directory import Run

FILE = "paths.json"


def keep(run: Run, source: Path | None, weights: str | None) -> None:
    """Remember the paths of a run that begins; `weights` may also be a name."""
    file = weights is not None and Path(weights).is_file()
    paths = {
        "source": None if source is None else str(source.absolute()),
        "weights": str(Path(weights).absolute()) if weights and file else weights,
    }
    atomic_write(run.checkpoints / FILE, json.dumps(paths))


def source(run: Run) -> Path | None:
    """Where the data lay; None if the user did not say."""
    where = _read(run, "source")
    return None if where is None else Path(where)


def recipe(run: Run) -> ResolvedRecipe:
    """The run's recipe, whose weights are the whole path again."""
    resolved = run.resolved
    return replace(resolved, recipe=replace(resolved.recipe, weights=_read(run, "weights") or ""))


def _read(run: Run, what: str) -> str | None:
    path = run.checkpoints / FILE
    where: str | None = json.loads(path.read_text(encoding="utf-8"))[what] if path.exists() else None
    return where
