"""The SHA-256 of what a finished run trained: written into its receipt, and asked for before a file is loaded.

The receipt's "model" holds, for each file of `model/` with weights in it, {"bytes": ..., "sha256": ...}. A damaged
or changed file is then refused by name before anything reads it. It is no signature: who can write the receipt as
well can make it agree. Importing this module imports no framework.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import sha256_of
from zoo.runs.directory import Run

WEIGHTS = "weights.npz"
LITERT = "model.tflite"
DERIVED = ("model.keras", LITERT)
"""Files that are made anew from the weights."""


def seal(folder: Path) -> dict[str, dict[str, Any]]:
    """What the receipt says of the files of a `model/` folder that hold weights, by name."""
    paths = [*sorted(folder.glob("*.npz")), *(folder / name for name in DERIVED)]
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in paths
        if path.is_file() and not path.name.startswith(".")
    }


def renew(run: Run) -> None:
    """Seal the derived files of a run anew, once they were made anew; a run without a seal stays without."""
    sealed = run.receipt.get("model")
    if sealed is not None:
        kept = {name: entry for name, entry in sealed.items() if name not in DERIVED}
        made = {name: entry for name, entry in seal(run.model_directory).items() if name in DERIVED}
        run.update(model=kept | made)


def is_sealed(run: Run, name: str) -> bool:
    """Whether the receipt vouches for a file of `model/`; True of a run by an older zoo, which sealed nothing."""
    sealed = run.receipt.get("model")
    return sealed is None or name in sealed


def require(run: Run, name: str) -> None:
    """Raise ZooError, with what mends it, if a file of `model/` is not the one that the receipt names."""
    for broken, reason in faults(run, [name]):
        raise ZooError(f"{run.model_directory / broken} is not loaded: {reason}. {remedy(run, broken)}")


def faults(run: Run, names: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """The files of `model/` (default: all that are sealed) that are not as the receipt says, each with the reason."""
    sealed = run.receipt.get("model")
    if sealed is None:
        return []
    found = []
    for name in sealed if names is None else names:
        reason = _fault(run.model_directory, name, sealed.get(name))
        if reason:
            found.append((name, reason))
    return found


def _fault(folder: Path, name: str, sealed: dict[str, Any] | None) -> str:
    path = folder / name
    if Path(name).name != name:
        return "its name leads out of the run"  # the receipt may be a stranger's
    if sealed is None:
        return "the run's receipt does not name it"
    if not path.is_file():
        return "it is missing" if not path.exists() else "it is no file"
    try:
        size = path.stat().st_size
        if size != sealed["bytes"]:
            return f"it has {size:,} bytes, and the run wrote {sealed['bytes']:,}"
        now = sha256_of(path)
    except OSError as error:
        return f"it can't be read ({error.strerror})"
    if now != sealed["sha256"]:
        return f"its SHA-256 is {now[:16]}, and the run wrote {sealed['sha256'][:16]}"
    return ""


def remedy(run: Run, name: str) -> str:
    """What to do about a file of `model/` that is not the run's, in a sentence with the command."""
    if name in DERIVED:
        return f"zoo predict makes it anew from the weights once it is removed: {mend(run, name)}"
    return f"Take the run again from where it came, or train it again: {mend(run, name)}"


def mend(run: Run, name: str) -> str:
    """The command that mends a file of `model/`: derived ones are exported anew together, where LiteRT's is gone."""
    if name not in DERIVED:
        return again(run)
    return shlex.join(["rm", "-f", *(str(run.model_directory / derived) for derived in DERIVED)])


def again(run: Run) -> str:
    """The command that trains a run again. A stranger's receipt may name any: what is no `zoo train` is not told."""
    command = str(run.receipt["command"])
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if words[:2] == ["zoo", "train"] and shlex.join(words) == command:
        return command
    return shlex.join(["zoo", "train", run.spec.name, run.receipt["dataset"]["name"]])
