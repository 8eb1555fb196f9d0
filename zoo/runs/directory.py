"""Run directories on disk: finding them, reading and writing their receipts.

A run is one directory; everything later needs only it. `run.json` is its receipt. Importing this module
imports no framework.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.boundary import checked_figure
from zoo.errors import UsageError, ZooError
from zoo.files import atomic_write
from zoo.stored import count, number, optional, read_json, text
from zoo.types import Figure, History, Spec

if TYPE_CHECKING:
    from zoo.recipes import ResolvedRecipe
    from zoo.registry import Plugin

FORMAT = 1
COPIES = "packaged"  # below the folder of runs: copies of those that packaged networks come from
RECEIPT = "run.json"
PACKAGED = "zoo:"  # so begins the name of a network that comes with a package (`zoo.prediction.packaged`)
CAPTIONS = "captions.json"
PICTURES = {".png": "image/png", ".svg": "image/svg+xml"}  # the formats of figures by suffix
Status = Literal["training", "interrupted", "failed", "finished"]

# what is relied on, where it is there: a run may come from a stranger
_RECEIPT_SHAPE: dict[str, Any] = {
    **dict.fromkeys(("status", "started", "command", "precision", "reason"), text),
    **dict.fromkeys(("rehearsal", "export", "strict"), lambda value: isinstance(value, bool)),
    **dict.fromkeys(("format", "parameters"), count),
    "seconds": number,
    "spec": {
        "name": text,
        **dict.fromkeys(("height", "width", "channels", "seed"), count),
        "class_names": [text],
        "options": {},
        "weights": optional(text),
    },
    "recipe": {"name": text, "values": {...: {"origin": text}}},
    "dataset": {
        **dict.fromkeys(("name", "fingerprint", "split_hash"), text),
        "counts": {...: count},
        "notes": [text],
    },
    "threads": {...: count},
    "devices": [text],
    "versions": {...: text},
    "hardware": {"features": [text], "system": text},
    "model": {...: {"bytes": count, "sha256": text}},
    "remaining": [text],
}
_METRICS_SHAPE: dict[str, Any] = {
    "part": text,
    "count": count,
    "accuracy": number,
    "interval": lambda value: isinstance(value, list) and len(value) == 2 and all(map(number, value)),
    "rehearsal": lambda value: isinstance(value, bool),
}


class Run:
    """A run directory. Reads are lazy; `update` rewrites the receipt atomically."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def id(self) -> str:
        """The name of the directory, which ends in a short random id."""
        return self.directory.absolute().name

    @property
    def quoted(self) -> str:
        """The directory as a shell's command takes it."""
        return shlex.quote(str(self.directory))

    @property
    def receipt(self) -> dict[str, Any]:
        """The content of `run.json`. Raises ZooError if it is torn, or of a newer version of zoo."""
        receipt = read_json(self.directory / RECEIPT, _RECEIPT_SHAPE)
        if receipt.get("format", 0) > FORMAT:
            raise ZooError(
                f"{self.directory} was written by a newer zoo ({receipt.get('versions', {}).get('zoo')}); "
                f"it has format {receipt['format']}, this zoo reads up to {FORMAT}. "
                "Upgrade: pip install -U image-model-zoo"
            )
        return receipt

    @property
    def status(self) -> Status:
        """ "training" also stands for a run that was killed."""
        status: Status = self.receipt["status"]
        return status

    @property
    def metrics(self) -> dict[str, Any] | None:
        """The content of `metrics.json`, or None before the run has finished."""
        path = self.directory / "metrics.json"
        return read_json(path, _METRICS_SHAPE) if path.exists() else None

    @property
    def history(self) -> History:
        """The rows of `history.csv`. Raises ZooError if they are not numbers."""
        path = self.directory / "history.csv"
        if not path.exists():
            return History()
        try:
            with path.open(newline="", encoding="utf-8") as stream:
                rows = csv.DictReader(stream)
                return History({key: float(value) for key, value in row.items() if value} for row in rows)
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise ZooError(f"{path} can't be read as a history: {error}") from error

    @property
    def spec(self) -> Spec:
        """What the run's network was built for."""
        stored = self.receipt["spec"]
        try:
            # plugins read them: a key that is missing there is not the file's fault
            options = dict(stored.get("options", {}))
            return Spec(**{**stored, "class_names": tuple(stored["class_names"]), "options": options})
        except TypeError as error:
            raise ZooError(f"{self.directory / RECEIPT} describes no network: {error}") from error

    @property
    def resolved(self) -> ResolvedRecipe:
        """The resolved recipe with origins."""
        from zoo.recipes import ResolvedRecipe

        receipt = self.receipt
        return ResolvedRecipe.from_dict(receipt["recipe"]["name"], receipt["recipe"]["values"])

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints that a run in progress keeps."""
        return self.directory / "checkpoints"

    @property
    def model_directory(self) -> Path:
        """The folder that holds the trained network."""
        return self.directory / "model"

    @property
    def title(self) -> str:
        """ "vgg16 on catsdogs, quick" """
        receipt = self.receipt
        stamp = " (REHEARSAL)" if receipt["rehearsal"] else ""
        return f"{self.spec.title} on {self.dataset}, {receipt['recipe']['name']}{stamp}"

    @property
    def dataset(self) -> str:
        """What people call the data: their data set's name, or that of the user's own folder."""
        described = self.receipt["dataset"]
        return str(described.get("title") or described["name"])

    def architecture(self) -> Plugin:
        """The architecture of the run's network. Raises UsageError, which names the distribution that had it, where
        it is not installed here, and PluginError where it can't be used."""
        from zoo.registry import Registry

        try:
            return Registry.discover().get("architecture", self.spec.name)
        except UsageError as error:
            gone = self._gone()
            told = ", ".join(f"{name} {version}" for name, version in gone.items())
            install = f"\nThis run was trained with {told}, not installed here: pip install {' '.join(gone)}"
            raise UsageError(f"{error}{install if gone else ''}") from error

    def _gone(self) -> dict[str, str]:
        """The distributions of plugins that the run was trained with and that are not installed, and their versions."""
        from importlib.metadata import PackageNotFoundError, version

        from zoo.hardware import FRAMEWORKS

        gone = {}
        for name, trained_with in self.receipt.get("versions", {}).items():
            # a run may come from a stranger: what is no distribution's name is nothing to install
            if name in ("python", "zoo", *FRAMEWORKS) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
                continue
            try:
                version(name)
            except PackageNotFoundError:
                gone[name] = str(trained_with)
        return gone

    def require_finished(self) -> None:
        """Raise UsageError, with the command that goes on with it, if the run has not finished."""
        if self.status != "finished":
            raise UsageError(
                f"The run {self.id} is not finished ({self.status}). Go on with it: zoo train --resume {self.quoted}"
            )

    def update(self, **entries: Any) -> None:
        """Change entries of the receipt."""
        self.write(self.receipt | entries)

    def write(self, receipt: Mapping[str, Any]) -> None:
        """Write the whole receipt. The user's home folder, as in the reason of a failure, is written "~", but in the
        network's options: a run that goes on reads them back."""
        told = json.loads(json.dumps(receipt, default=str))
        home = os.path.expanduser("~")  # noqa: PTH111 (Path.home may raise)
        if len(home) > 1:
            told = _without(re.compile(rf"(?<![\w.-]){re.escape(home)}(?![\w.-])"), told)
        atomic_write(self.directory / RECEIPT, json.dumps(told, indent=1) + "\n")


def _without(home: re.Pattern[str], value: Any) -> Any:
    match value:
        case str():
            return home.sub("~", value)
        case list():
            return [_without(home, item) for item in value]
        case dict():
            return {key: item if key == "options" else _without(home, item) for key, item in value.items()}
    return value


def write_figures(figures: Iterable[Figure], folder: Path) -> list[Path]:
    """Write figures into `folder`, and their captions into its `captions.json`; return the figures' paths.

    The captions stand in the order in which a reader meets the figures (`zoo.figures.CATALOGUE`). Raises ValueError
    for a figure that is none, or whose name would lead out of the folder.
    """
    from zoo.figures import in_order

    captions = captions_of(folder)
    written = []
    for figure in map(checked_figure, figures):
        path = folder / f"{figure.name}.{figure.format}"
        atomic_write(path, figure.content)
        captions[path.name] = figure.caption
        written.append(path)
    ordered = {name: captions[name] for name in in_order(captions)}
    atomic_write(folder / CAPTIONS, json.dumps(ordered, indent=1) + "\n")
    return written


def captions_of(folder: Path) -> dict[str, str]:
    """The captions of the figures in `folder`, by file name, in the order in which they were drawn.

    A name that is no picture's, or leads out of the folder, is left out: a run may come from a stranger.
    """
    path = folder / CAPTIONS
    stored = read_json(path) if path.exists() else {}
    return {
        name: str(caption)
        for name, caption in stored.items()
        if Path(name).name == name and Path(name).suffix in PICTURES
    }


def runs_root() -> Path:
    """Where runs are kept: `$ZOO_RUNS`, or `runs` in the current folder."""
    return Path(os.environ.get("ZOO_RUNS") or "runs").expanduser()


def check_new(output: Path) -> None:
    """Raise UsageError unless `output` is a directory that is new, or can be made, or is empty."""
    above = next((place for place in output.absolute().parents if place.exists()), None)
    if above is not None and not above.is_dir():
        raise UsageError(f"--output must be a directory. Received: {output}, and {above} is a file")
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output must be a directory. Received: {output}, which is a file")
    if output.is_dir() and any(output.iterdir()):
        is_run = (output / RECEIPT).exists()
        hint = f" To go on with it: zoo train --resume {Run(output).quoted}" if is_run else ""
        raise UsageError(f"--output must be a new or an empty directory. Received: {output}.{hint}")


def new_directory(architecture: str, dataset: str, output: Path | None) -> Path:
    """Make and return the directory of a new run: `output`, which must be new or empty, or a fresh one."""
    if output is None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        output = runs_root() / f"{architecture}-{dataset}" / f"{stamp}-{os.urandom(3).hex()}"
    check_new(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ZooError(f"The run directory {output} can't be made: {error.strerror}") from error
    return output


def find_runs(root: Path | None = None) -> list[Run]:
    """All runs below `root` (default: `runs_root()`), the newest first; copies of packaged networks' are not the
    user's."""
    root = root or runs_root()
    found = [(_started(run), run) for run in _walk(root) if run.directory.parent != root / COPIES]
    return [run for _, run in sorted(found, key=lambda item: item[0], reverse=True)]


def resolve(text: str) -> Run:
    """Return the run that `text` names: a path, the beginning of an id, "last", or "ARCH DATASET" (the newest).

    Of a packaged network, "zoo:cnn/mnist", it is a copy of the run that it comes from.
    Raises UsageError that lists the runs there are.
    """
    if text.startswith(PACKAGED):
        from zoo.prediction import packaged
        from zoo.registry import Registry

        return packaged.as_run(packaged.find(text, Registry.discover()))
    path = Path(text)
    if (path / RECEIPT).is_file():
        return Run(path)
    runs = find_runs()
    if text == "last" and runs:
        return runs[0]
    pair = text.split()
    if len(pair) == 2 and runs:
        for run in runs:
            if _pair(run) == tuple(pair):
                return run
    matches = [run for run in runs if text and _matches(run, text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(run.id for run in matches[:8])
        raise UsageError(f"{text!r} is the beginning of {len(matches)} runs: {names}. Give more of the id")
    if not runs:
        raise UsageError(f"There is no run {text!r}, and none in {runs_root()}. Train one: zoo train cnn mnist")
    listed = "\n".join(f"  {run.id}  {_label(run)}" for run in runs[:10])
    raise UsageError(f"There is no run {text!r}. A path, the beginning of an id or 'last' names one of:\n{listed}")


def _matches(run: Run, text: str) -> bool:
    return run.id.startswith(text) or run.id.rpartition("-")[2].startswith(text)


def _walk(root: Path) -> Iterator[Run]:
    for pattern in (RECEIPT, f"*/{RECEIPT}", f"*/*/{RECEIPT}"):
        for path in root.glob(pattern):
            yield Run(path.parent)


def _started(run: Run) -> str:
    try:
        return str(run.receipt.get("started", ""))
    except ZooError:
        return ""


def _pair(run: Run) -> tuple[str, str] | None:
    try:
        receipt = run.receipt
        return receipt["spec"]["name"], receipt["dataset"]["name"]
    except ZooError:
        return None


def _label(run: Run) -> str:
    try:
        return f"{run.title}, {run.status}"
    except ZooError:
        return "unreadable"
