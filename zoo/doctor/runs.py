"""Runs: whether each can be read, its weights and checkpoints are those that it wrote, and what it still has to do."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.doctor.finding import Finding
from zoo.errors import UsageError, ZooError
from zoo.files import in_words, sha256_of
from zoo.locks import is_held
from zoo.runs import closing, kept, report, seal
from zoo.runs.directory import RECEIPT, Run, find_runs, resolve, runs_root
from zoo.training import checkpoints

_UNSEALED = "the receipt names no SHA-256: an older zoo wrote it"


def find(text: str | None) -> list[Run] | None:
    """The runs that `text` names: a run, or all in a folder; None for no text. Raises UsageError if there are none."""
    if text is None:
        return None
    folder = Path(text)
    if not folder.is_dir() or (folder / RECEIPT).is_file():
        return [resolve(text)]
    found = find_runs(folder)
    if not found:
        raise UsageError(f"There is no run in {folder}. Received: {text}. zoo runs lists those there are")
    return found


def findings(chosen: list[Run] | None) -> Iterator[Finding]:
    """What is wrong with each run, or that nothing is. Without a choice, only what there is to choose from."""
    if chosen is None:
        root = runs_root()
        try:
            count = len(find_runs())
        except OSError as error:
            what = f"{root.absolute()} can't be looked into: {error.strerror}"
            yield Finding("runs", "wrong", what, "export ZOO_RUNS=FOLDER")
            return
        if count:
            yield Finding("runs", "ok", f"{count} in {root}, not looked into", f"zoo doctor {shlex.quote(str(root))}")
        return
    whole = []
    for run in chosen:
        found = list(_run(run))
        yield from found
        if not found:
            whole.append(run)
    sealed = [run for run in whole if run.receipt.get("model")]
    if len(whole) == 1:
        said = f"{', '.join(whole[0].receipt['model'])} are those that it wrote" if sealed else _UNSEALED
        yield Finding("runs", "ok", f"{whole[0].directory}: {whole[0].title}, finished; {said}")
    elif whole:
        said = f"{len(whole)} runs are finished. The weights of {len(sealed)} are those that the run wrote"
        rest = len(whole) - len(sealed)
        yield Finding("runs", "ok", said + f"; of {rest} {_UNSEALED}" * bool(rest))


def _run(run: Run) -> Iterator[Finding]:
    """What is to be said of a run; nothing if it is finished and whole. It may be a stranger's."""
    try:
        receipt, title = run.receipt, run.title
        if is_held(run.checkpoints / "lock"):
            yield Finding("runs", "note", f"{run.directory}: {title}; another process trains it now")
        elif receipt["status"] != "finished":
            yield from _unfinished(run, receipt, title)
        else:
            yield from _files(run)
            yield from _finished(run, receipt)
    except ZooError as error:
        newer = "pip install -U" in str(error)
        trained = (run.model_directory / "weights.npz").is_file()  # worth more than its receipt
        mend = "pip install -U image-model-zoo" if newer else "" if trained else f"rm -r {run.quoted}"
        yield Finding("runs", "wrong", f"{run.directory}: {error}", mend)


def _files(run: Run) -> Iterator[Finding]:
    """The files that are not those that the run wrote; one that is made anew when it is needed may be missing."""
    for name, reason in seal.faults(run):
        path = run.model_directory / name
        if name == seal.LITERT and not path.exists():
            mend = f"zoo predict {run.quoted} PHOTO.jpg"
            yield Finding("runs", "note", f"{path} is missing; the next prediction makes it anew", mend)
        elif name in seal.DERIVED and not path.exists():
            what = f"{path} is missing; it is made anew together with {seal.LITERT}"
            yield Finding("runs", "note", what, seal.mend(run, name))
        else:
            yield Finding("runs", "wrong", f"{path}: {reason}", seal.mend(run, name))


def _finished(run: Run, receipt: dict[str, Any]) -> Iterator[Finding]:
    left = closing.remaining(run)
    if left and "remaining" in receipt:
        what = f"{run.directory} was killed at the very last; what remains: {', '.join(left)}"
        yield Finding("runs", "wrong", what, f"zoo train --resume {run.quoted}")
    elif not (run.directory / report.NAME).is_file():
        yield Finding("runs", "note", f"{run.directory} has no report", f"zoo report {run.quoted}")
    if not (run.model_directory / seal.WEIGHTS).is_file() and not receipt.get("model"):
        yield Finding("runs", "wrong", f"{run.model_directory / seal.WEIGHTS} is missing", seal.again(run))
    try:
        _ = run.metrics, run.history
    except ZooError as error:
        yield Finding("runs", "wrong", str(error), seal.again(run))
    if not left and run.checkpoints.is_dir():
        size = in_words(sum(path.stat().st_size for path in run.checkpoints.rglob("*") if path.is_file()))
        what = f"{run.directory} is finished, and still keeps checkpoints, {size}"
        yield Finding("runs", "note", what, f"rm -r {shlex.quote(str(run.checkpoints))}")
    torn = [*run.directory.rglob(".*.tmp"), *run.directory.rglob(".writing.keras")]
    if torn:
        what = f"{run.directory}: a kill left {len(torn)} unfinished files"
        yield Finding("runs", "note", what, shlex.join(["rm", *map(str, torn)]))


def _unfinished(run: Run, receipt: dict[str, Any], title: str) -> Iterator[Finding]:
    """An interrupted, failed or killed run: what it goes on from, and whether that is sound."""
    resume = f"zoo train --resume {run.quoted}"
    states = checkpoints.files(run.checkpoints, "state")
    sound = [path for path in states if checkpoints.is_whole(path)]
    older = "; the one before is used" if sound else "; training begins anew"
    damaged = [(path, older, resume) for path in states if path not in sound]
    damaged += [
        (path, "", seal.again(run))
        for path in checkpoints.files(run.checkpoints, "best")
        if not checkpoints.is_whole(path)
    ]
    for path, then, mend in damaged:
        yield Finding("runs", "wrong", f"{path} is damaged: its SHA-256 is not the one in its name{then}", mend)
    frozen = receipt["recipe"]["values"].get("freeze", {}).get("value")
    yield from _begins_with(run, receipt, bool(sound) and not frozen)
    how = {"training": "was killed", "interrupted": "was interrupted", "failed": "failed"}.get(receipt["status"], "?")
    reason = f": {receipt['reason']}" if receipt["status"] == "failed" and receipt.get("reason") else ""
    steps = checkpoints.step_of(sound[0]) if sound else 0
    after = f"after step {steps:,}" if sound else "before its first checkpoint"
    yield Finding("runs", "note", f"{run.directory}: {title} {how} {after}{reason}", resume)


def _begins_with(run: Run, receipt: dict[str, Any], has_state: bool) -> Iterator[Finding]:
    """The weight file that the run begins with, where it still needs it."""
    weights = receipt.get("weights")
    if has_state or not weights or not weights.get("sha256"):
        return
    try:
        path = Path(kept.recipe(run).recipe.weights)
        changed = "is missing" if not path.is_file() else sha256_of(path) != weights["sha256"] and "has changed"
    except (OSError, ZooError, KeyError, ValueError) as error:
        path, changed = Path(str(weights.get("name"))), f"can't be checked ({error})"
    if changed:
        what = f"the weight file {path}, which {run.directory} begins with, {changed}"
        yield Finding("runs", "wrong", what, seal.again(run))
