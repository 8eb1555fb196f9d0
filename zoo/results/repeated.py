"""Trainings that are done once: many runs in one folder, found again by what was asked, resumed where they stopped."""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.files import writing
from zoo.locks import locked
from zoo.recipes import ResolvedRecipe
from zoo.runs.directory import RECEIPT, Run

if TYPE_CHECKING:
    from zoo.progress import Reporter
    from zoo.runs.request import Request


def place(folder: Path, request: Request, resolved: ResolvedRecipe) -> Path:
    """The directory of a request's run in `folder`: another one for another recipe, network, data set or seed."""
    values = {key: entry["value"] for key, entry in resolved.as_dict().items()}
    asked = [request.architecture, request.dataset, request.seed, request.test, values]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:10]
    return folder / f"{request.architecture}-{request.dataset}-{digest}-seed{request.seed}"


def finished(directory: Path) -> bool:
    """Whether a run's directory holds a finished run."""
    return (directory / RECEIPT).is_file() and Run(directory).status == "finished"


def once(request: Request, directory: Path, reporter: Reporter, verbose: bool = False) -> Run:
    """The finished run of a request in `directory`: as it is, resumed, or trained now."""
    from zoo.runs import pipeline

    run = Run(directory)
    if finished(directory):
        return run
    if (directory / RECEIPT).is_file():
        run = pipeline.resume(run, reporter, verbose=verbose)
    else:
        shutil.rmtree(directory, ignore_errors=True)  # killed before it had a receipt
        run = pipeline.train(replace(request, output=directory), reporter, verbose)
    gc.collect()  # the graphs of a training hold each other: many in one process would fill the memory
    return run


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder of runs. Raises ZooError if another process trains into it."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock", f"is training in {folder}", wait=False):
        yield
