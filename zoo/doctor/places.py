"""Plugins, the cache of decoded images and downloads, and the data sets."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.doctor.finding import Finding
from zoo.errors import DataError, MissingData, ZooError
from zoo.files import cache_folder, free_space, in_words, is_folder
from zoo.locks import is_held
from zoo.registry import TITLES, Plugin, Registry
from zoo.words import amount

LEAST_FREE = 1_000_000_000
"""Bytes: decoded images and the checkpoints of a deep network take about as much."""


def plugins() -> Iterator[Finding]:
    """Plugins that can't be used, with the reason; nothing is imported."""
    rows = Registry.discover().plugins
    usable = [row for row in rows if row.status == "ok"]
    titles = TITLES | {"plugin": "other plugin"}
    counts = {title: sum(row.kind == kind for row in usable) for kind, title in titles.items()}
    told = ", ".join(amount(count, title) for title, count in counts.items())
    yield Finding("plugins", "ok", f"{told} can be used")
    for row in rows:
        if row.status == "disabled":
            yield Finding("plugins", "note", f"{row.title} is disabled: ZOO_DISABLE names it", "unset ZOO_DISABLE")
        elif row.status == "clash":
            mend = f"export ZOO_DISABLE={row.distribution}/{row.name}"
            yield Finding("plugins", "wrong", f"{row.title} clashes: {row.reason.partition('. ')[0]}", mend)
        elif row.status != "ok":
            yield Finding("plugins", "wrong", f"{row.title} is {row.status}: {row.reason}", _remove(row))


def _remove(row: Plugin) -> str:
    from zoo.removal import removal

    return removal(row.distribution) or f"export ZOO_DISABLE={row.name}"


# the cache -----------------------------------------------------------------------------------------------------------


def cache() -> Iterator[Finding]:
    """The cache: where it is, how large, whether it can be written, and what a kill left there."""
    folder = cache_folder()
    try:
        is_there = folder.is_dir()
    except OSError as error:  # a folder above can't be entered, or the name is too long
        what = f"{folder}: {error.strerror}: nothing can be decoded or downloaded"
        yield Finding("cache", "wrong", what, "export ZOO_CACHE=FOLDER")
        return
    size = sum(_size(path) for path in folder.rglob("*")) if is_there else 0
    free = free_space(folder)
    yield Finding("cache", "ok", f"{folder}: {in_words(size)}, {in_words(free)} free")
    existing = next((place for place in (folder, *folder.absolute().parents) if place.exists()), folder)
    if not existing.is_dir() or not _writable(existing):
        what = "is no folder" if not existing.is_dir() else "can't be written"
        mend = "export ZOO_CACHE=FOLDER"
        yield Finding("cache", "wrong", f"{existing} {what}: nothing can be decoded or downloaded", mend)
    if free < LEAST_FREE:
        what = f"{in_words(free)} are free, and a deep network's run wants {in_words(LEAST_FREE)}"
        mend = f"rm -r {_quoted([folder / 'images'])}" if (folder / "images").is_dir() else "export ZOO_CACHE=FOLDER"
        yield Finding("cache", "wrong", f"{what}. Decoded images are made again when they are needed", mend)
    yield from _images(folder / "images")
    yield from _downloads(folder / "data")


def _writable(folder: Path) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)


def _images(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        return
    partial = sorted(folder.glob(".*.partial"))
    busy = [path for path in partial if is_held(folder / f"{path.name[1:].removesuffix('.partial')}.lock")]
    left = [path for path in partial if path not in busy]
    whole = [path.parent for path in sorted(folder.glob("*/images.npy")) if path.parent not in partial]
    damaged = [path for path in whole if _index(path) is None]
    locks = [path for path in sorted(folder.glob("*.lock")) if not path.with_suffix("").exists()]
    stale = [path for path in locks if not is_held(path)]
    for path in busy:
        yield Finding("cache", "note", f"another process decodes {path.name[1:].removesuffix('.partial')} now")
    if left:
        size = in_words(sum(_size(inner) for path in left for inner in path.rglob("*")))
        what = f"{len(left)} caches that were not finished, {size}; they are made anew when they are needed"
        yield Finding("cache", "wrong", what, f"rm -r {_quoted(left)}")
    if damaged:
        what = f"{len(damaged)} caches can't be read; they are made anew when they are needed"
        yield Finding("cache", "wrong", what, f"rm -r {_quoted(damaged)}")
    if stale and not left:
        yield Finding("cache", "note", f"{len(stale)} lock files of caches that are gone", f"rm {_quoted(stale)}")


def _downloads(folder: Path) -> Iterator[Finding]:
    for part in sorted(folder.rglob("*.part")) if folder.is_dir() else ():
        name = part.relative_to(folder).parts[0]
        if is_held(part.with_name(f"{part.name.removesuffix('.part')}.lock")):
            yield Finding("cache", "note", f"another process downloads {part.name.removesuffix('.part')} now")
        else:
            what = f"the download {part} stopped after {in_words(_size(part))}"
            yield Finding("cache", "note", what, f"zoo data prepare {shlex.quote(name)} --download")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() and not path.is_symlink() else 0
    except OSError:
        return 0


def _quoted(paths: Iterable[Path]) -> str:
    return " ".join(shlex.quote(str(path)) for path in paths)


# data ----------------------------------------------------------------------------------------------------------------


def data() -> Iterator[Finding]:
    """Each data set: whether it is on this machine, and the fingerprints of what was decoded of it."""
    from zoo.runs.request import FOLDER

    for plugin in Registry.discover().of("dataset"):
        if plugin.status == "ok" and plugin.name != FOLDER:
            yield _data_set(plugin)


def _data_set(plugin: Plugin) -> Finding:
    from zoo.data.loading import find_source
    from zoo.session import Session

    name = plugin.name
    fetch = f"zoo data prepare {name} --download" if plugin.facts.download else f"zoo data info {name}"
    try:
        examples = Session(plugin, plugin).examples(find_source(None))
    except MissingData:
        return Finding("data", "note", f"{name} is not on this machine", fetch)
    except DataError as error:
        return Finding("data", "wrong", f"{name} can't be used: {_first_line(error)}", fetch)
    except ZooError as error:
        return Finding("data", "wrong", f"{name}: {_first_line(error)}", _remove(plugin))
    where = f" in {examples.place}" if examples.place else ""
    prints = fingerprints(name, examples.count)
    decoded = f"; decoded: fingerprint {', '.join(prints)}" if prints else "; not decoded yet"
    return Finding("data", "ok", f"{name}: {examples.count:,} images{where}{decoded}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def fingerprints(name: str, count: int) -> list[str]:
    """The different fingerprints (their first 16 digits) of the decoded images of a data set of `count` images.

    A rehearsal's generated images are cached under the same name, and are fewer or more.
    """
    from zoo.data.loading import safe_name

    found = []
    form = re.compile(rf"{re.escape(safe_name(name))}-(\d+)x(\d+)x(\d)-[a-z]+-[a-z]+-[0-9a-f]+$")
    decoded = cache_folder() / "images"
    for folder in sorted(decoded.glob("*")) if is_folder(decoded) else ():
        match = form.match(folder.name)
        if match and (index := _index(folder)):
            images = _size(folder / "images.npy") // math.prod(map(int, match.groups()))
            if images + index[1] == count:
                found.append(index[0][:16])
    return list(dict.fromkeys(found))


def _index(folder: Path) -> tuple[str, int] | None:
    """The fingerprint of a decoded cache, and how many images were left out; None if its index can't be read."""
    try:
        index = json.loads((folder / "index.json").read_bytes())
        found = str(index["fingerprint"]), len(index["quarantine"])
        return found if (folder / "index.npz").is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
