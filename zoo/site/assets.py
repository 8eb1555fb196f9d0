"""What the site shows that needs a built network: made here, committed in the plugin's package, proven by a test.

`site/<architecture>/` holds `graph.json`, of which diagrams and costs are made; `figures/`, taken over from a
finished run, its pictures with `captions.json` and `run.json` (what they are of); `site/<data set>/` samples.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.figures.catalogue import entry_of
from zoo.files import atomic_write
from zoo.network.graph import Graph, Node, from_model
from zoo.registry import Plugin, Registry
from zoo.runs.directory import CAPTIONS, Run, captions_of
from zoo.types import Figure

FREE = ("CC", "public domain", "Apache", "MIT", "BSD")
KEPT = ("command", "started", "seconds", "rehearsal", "precision", "versions", "hardware")
COLUMNS = 20


def folder_of(plugin: Plugin) -> Path | None:
    """Where a plugin keeps what the site shows of it; None for a module without a folder."""
    return plugin.folder / "site" / plugin.name if plugin.folder else None


def graph_of(plugin: Plugin) -> Graph:
    """The layer graph of an architecture as its card describes it. Builds the network."""
    from zoo import api

    model, spec = api.build(plugin.name)
    return from_model(model, spec)


def write(names: tuple[str, ...]) -> list[Path]:
    """Write the files of the installed architectures and data sets that are named, by default of all."""
    registry = Registry.discover()
    written = []
    for plugin in registry.plugins:
        folder = folder_of(plugin)
        if plugin.status != "ok" or folder is None or (names and plugin.name not in names):
            continue
        if plugin.kind == "architecture":
            contents = {"graph.json": graph_of(plugin).to_json().encode()}
        elif plugin.kind == "dataset" and plugin.facts.licence.startswith(FREE):
            contents = dataset_files(plugin)
        else:
            continue
        for name, content in contents.items():
            atomic_write(folder / name, content)
            written.append(folder / name)
    return written


def adopt(run: Run, photos: tuple[Path, ...] = ()) -> list[Path]:
    """Take a finished run's figures over into the package of its architecture.

    Where the licence of its images does not allow that, none of them is shown: what the network sees is drawn anew
    of `photos`, which may be passed on (default: those of `photos.default`), and only charts come from the run.
    Raises UsageError for a rehearsal and an unfinished run, and for photos where the run's own images may be shown.
    """
    receipt = run.receipt
    registry = Registry.discover()
    dataset = registry.get("dataset", receipt["dataset"]["name"])
    if receipt["status"] != "finished" or receipt["rehearsal"]:
        raise UsageError(f"Only a finished, real run has figures to publish. Received: {run.title}")
    free = dataset.facts.licence.startswith(FREE)
    if free and photos:
        raise UsageError(f"Images of {dataset.name} may be shown, and are. Received: --image {photos[0]}")
    folder = folder_of(registry.get("architecture", run.spec.name))
    if folder is None:
        raise UsageError(f"{run.spec.name} is a single module: it has no package to keep figures in")
    target = folder / "figures"
    with tempfile.TemporaryDirectory() as drawn_anew:
        source = run.directory / "figures" if free else Path(drawn_anew)
        if not free:
            from zoo.figures.drawing import draw_without_data

            draw_without_data(run, photos, source)
        captions, contents = _taken(source)
    if free and run.spec.channels == 1 and any(node.kind == "convolution" for node in _committed_nodes(folder)):
        from zoo.site import hero

        drawn = hero.draw(run)
        captions[f"{drawn.name}.{drawn.format}"] = drawn.caption
        contents[f"{drawn.name}.{drawn.format}"] = drawn.content
    if not captions:
        raise UsageError(f"{run.title} has no figures to publish. Draw them first: zoo visualize {run.id}")
    origin: dict[str, Any] = {key: receipt[key] for key in KEPT if key in receipt}
    origin |= {"dataset": receipt["dataset"], "recipe": receipt["recipe"], "spec": receipt["spec"]}
    origin["images_shown"] = free
    metrics = run.metrics or {}
    origin["result"] = {key: metrics[key] for key in ("part", "count", "correct", "accuracy", "interval")}
    shutil.rmtree(target, ignore_errors=True)
    for name, content in contents.items():
        atomic_write(target / name, content)
    atomic_write(target / CAPTIONS, json.dumps(captions, indent=1) + "\n")
    atomic_write(target / "run.json", json.dumps(origin, indent=1) + "\n")
    return [target / name for name in captions]


def _taken(source: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """The captions and the contents of the figures in a folder that the site takes.

    Left out are those of the network, which the site draws itself, and those that are the same for all.
    """
    captions, contents = {}, {}
    for name, caption in captions_of(source).items():
        entry = entry_of(Path(name).stem)
        if entry is None or entry.group not in ("network", "context"):
            captions[name] = caption
            contents[name] = (source / name).read_bytes()
    return captions, contents


def _committed_nodes(folder: Path) -> tuple[Node, ...]:
    path = folder / "graph.json"
    return Graph.from_json(path.read_text(encoding="utf-8")).nodes if path.is_file() else ()


# data sets ------------------------------------------------------------------------------------------------------


def dataset_files(plugin: Plugin) -> dict[str, bytes]:
    """Samples of a data set's test part (or of all), and the fingerprint and counts of the whole."""
    from zoo import api

    size = plugin.facts.size or 64
    data = api.prepare(plugin.name, size=size, quiet=True)
    part = data.test if len(data.test) else data.train
    facts = {
        "fingerprint": data.fingerprint,
        "counts": {name: len(part) for name, part in data.parts.items() if len(part)},
        "classes": {
            name: {label: int((part.labels == index).sum()) for index, label in enumerate(data.class_names)}
            for name, part in data.parts.items()
            if len(part)
        },
    }
    drawn = samples(part, data.class_names, plugin.name)
    return {
        "facts.json": (json.dumps(facts, indent=1) + "\n").encode(),
        f"{drawn.name}.{drawn.format}": drawn.content,
        CAPTIONS: (json.dumps({f"{drawn.name}.{drawn.format}": drawn.caption}, indent=1) + "\n").encode(),
    }


def samples(part: Any, class_names: tuple[str, ...], title: str) -> Figure:
    """The first images of each class, a row per class (PNG)."""
    import cv2
    import numpy as np

    shown = class_names[:10]
    rows = [part.take(np.flatnonzero(part.labels == index)[:COLUMNS]) for index in range(len(shown))]
    height, width = rows[0].shape[1:3]
    mosaic = np.full((len(rows) * (height + 2) - 2, COLUMNS * (width + 2) - 2, rows[0].shape[3]), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            top, left = y * (height + 2), x * (width + 2)
            mosaic[top : top + height, left : left + width] = image
    encoded = cv2.imencode(".png", cv2.cvtColor(mosaic, cv2.COLOR_RGB2BGR) if mosaic.shape[2] == 3 else mosaic)[1]
    caption = f"The first {COLUMNS} images of each class of {title}, a row per class: {', '.join(shown)}."
    return Figure("samples", encoded.tobytes(), "png", caption)
