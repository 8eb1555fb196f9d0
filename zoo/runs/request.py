"""What a person asks to train: names and wishes as they are given, and where a path stands for a data set."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.errors import DataError, UsageError
from zoo.recipes import FLAGS, parse_setting
from zoo.registry import Registry
from zoo.runs.directory import Run
from zoo.types import LARGEST_SEED

FOLDER = "folder"
"""The data set that a path stands for."""


@dataclass(frozen=True)
class Request:
    """What a person asked to train."""

    architecture: str
    dataset: str
    recipe: str = "quick"
    config: Path | None = None
    settings: tuple[str, ...] = ()
    overrides: Mapping[str, Any] | None = None
    seed: int = 0
    source: Path | None = None
    output: Path | None = None
    rehearse: bool = False
    export: bool = True
    strict: bool = False
    devices: int = 1  # 0: all that there are
    minutes: float | None = None  # the run's time; None: as long as the recipe takes
    test: bool = True  # False: the test part is left alone, and the result is that of the validation part

    def __post_init__(self) -> None:
        """Raise UsageError for a seed that the frameworks do not take."""
        if not 0 <= self.seed <= LARGEST_SEED:
            raise UsageError(f"A seed is a whole number from 0 to {LARGEST_SEED}. Received: {self.seed}")

    @property
    def command(self) -> str:
        """The command that gives this run again; of paths only the last part, the rest is left to the reader."""
        own = self.dataset == FOLDER and self.source is not None
        words = ["zoo", "train", self.architecture, f"./{self.source.name}" if own and self.source else self.dataset]
        if self.recipe != "quick":
            words += ["--recipe", self.recipe]
        if self.config:
            words += ["--config", self.config.name]
        for setting in self.settings:
            weights = parse_setting(setting).get("weights")
            words += ["--set", setting if weights is None else f"weights={Path(weights).name}"]
        overrides = dict(self.overrides or {})
        for option, value in overrides.pop("options", {}).items():
            words += ["--set", f"options.{option}={json.dumps(value)}"]
        for key, value in overrides.items():
            shown = Path(value).name if key == "weights" else value
            words += [f"--{key}", str(shown)] if key in FLAGS else ["--set", f"{key}={json.dumps(value)}"]
        if self.seed:
            words += ["--seed", str(self.seed)]
        if self.devices != 1:
            words += ["--devices", str(self.devices or "all")]
        if self.source and not own:
            words += ["--source", self.source.name]
        words += ["--rehearse"] * self.rehearse + ["--no-test"] * (not self.test)
        return shlex.join(words + ["--no-export"] * (not self.export))


def request_of(run: Run, source: Path | None) -> Request:
    """A request for the images that a run was made with; `source` is where they lie now.

    Raises UsageError that says what to install if the run's architecture is not there.
    """
    run.architecture()
    receipt = run.receipt
    return Request(
        architecture=receipt["spec"]["name"],
        dataset=receipt["dataset"]["name"],
        source=source,
        rehearse=receipt["rehearsal"],
        test=receipt.get("test", True),  # receipts of older zoos do not say
    )


def unplaced(run: Run, source: Path | None, verb: str) -> str:
    """What to tell a person who did not say where the folder of the run's images is; "" where nobody need."""
    receipt = run.receipt
    if source is not None or receipt["dataset"]["name"] != FOLDER or receipt["rehearsal"]:
        return ""
    return (
        f"A run holds no path of your machine. Say where the images of {run.dataset} are: "
        f"zoo {verb} {run.quoted} --source FOLDER"
    )


def located(request: Request, registry: Registry) -> Request:
    """The request, with a path in place of a data set's name turned into the data set `folder` and its source.

    A name wins over a path; ./NAME is a path.
    """
    name = request.dataset
    if any(plugin.name == name for plugin in registry.of("dataset")):
        return request
    path = Path(name).expanduser()
    if not (path.is_dir() or "/" in name or os.sep in name):
        return request
    if request.source is not None:
        raise UsageError(f"A folder of images needs no --source. Received: {name} and --source {request.source}")
    if not path.exists():
        raise DataError(
            "Images of your own are one folder of images per class, as flowers/daisy/1.jpg and flowers/rose/1.jpg. "
            f"Received: {name}, which does not exist"
        )
    return replace(request, dataset=FOLDER, source=path)
