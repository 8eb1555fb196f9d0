"""What `zoo.testing.fuzz` feeds: each reader of the zoo, with whole files to begin with.

A target's `read` returns True for what was read and False for what was refused with the zoo's own error; anything
that it raises is a finding.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from zoo.errors import ZooError
from zoo.testing.mutations import Sample


@dataclass(frozen=True)
class Target:
    """A reader: whole files to mutate, and what reads a mutant in the folder that `make` was given."""

    samples: Sequence[Sample]
    read: Callable[[Sample], bool]


def _refusing(read: Callable[[Sample], object]) -> Callable[[Sample], bool]:
    def accepted(sample: Sample) -> bool:
        try:
            read(sample)
        except ZooError:
            return False
        return True

    return accepted


# images ---------------------------------------------------------------------------------------------------------


def decoder(folder: Path, extra: Sequence[Path] = ()) -> Target:
    """`zoo.data.images.load`, on every format that it reads, and on files of the user's own."""
    from zoo.data import images

    def read(sample: Sample) -> None:
        with images.quiet_decoders():
            fitted = images.load(sample.content, 32, 24, 3, "crop", "area")
        if fitted.shape != (32, 24, 3) or str(fitted.dtype) != "uint8":
            raise AssertionError(f"load gave {fitted.dtype} {fitted.shape}")

    given = [Sample(path.name, path.read_bytes()) for path in extra]
    return Target([*_pictures(), *given], _refusing(read))


def _pictures() -> list[Sample]:
    import cv2
    import numpy as np

    y, x = np.mgrid[0:40, 0:60]
    colour = np.stack([x * 4, y * 6, x + y, np.full_like(x, 128)], axis=2).astype(np.uint8)
    bgr = np.ascontiguousarray(colour[..., :3])
    kinds: list[tuple[str, str, Any, tuple[int, ...]]] = [
        ("rgb", ".jpg", bgr, ()),
        ("grey", ".jpg", bgr[..., 0], ()),
        ("progressive", ".jpg", bgr, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        ("rgb", ".png", bgr, ()),
        ("alpha", ".png", colour, ()),
        ("deep", ".png", colour.astype(np.uint16) * 257, ()),
        ("rgb", ".webp", bgr, ()),
        ("alpha", ".webp", colour, (cv2.IMWRITE_WEBP_QUALITY, 101)),
        *(("rgb", suffix, bgr, ()) for suffix in (".gif", ".bmp", ".tiff", ".avif", ".ppm")),
        ("alpha", ".tiff", colour, ()),
        ("deep", ".tiff", bgr.astype(np.uint16) * 257, ()),
        ("grey", ".pgm", bgr[..., 0], ()),
    ]
    samples = [
        Sample(f"{kind}{suffix}", cv2.imencode(suffix, pixels, options)[1].tobytes())
        for kind, suffix, pixels, options in kinds
    ]
    jpeg = samples[0].content
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    animation: Any = cv2.Animation()
    animation.frames, animation.durations = [bgr, bgr[::-1].copy()], np.array([100, 100])
    moving = [
        Sample(f"moving{kind}", cv2.imencodeanimation(kind, animation)[1].tobytes()) for kind in (".gif", ".webp")
    ]
    return [*samples, Sample("turned.jpg", turned), *moving]


# data sets ------------------------------------------------------------------------------------------------------


def archives(folder: Path) -> Target:
    """The reader of catsdogs' archives: all members of a mutated zip, and of one inside another."""
    from zoo.types import Source

    catsdogs = import_module("zoo_catsdogs")  # it need not be installed to use the rest

    def read(sample: Sample) -> None:
        path = folder / "mutant.zip"
        path.write_bytes(sample.content)
        for _ in catsdogs.zoo_examples(Source(path, ())).iterate():
            pass

    photos = {
        f"{kind}.{number}.jpg": f"\xff\xd8 {kind}{number}".encode() for kind in ("cat", "dog") for number in (0, 1)
    }
    flat = _zipped({f"train/{name}": content for name, content in photos.items()})
    pets = {f"PetImages/{name[:3].title()}/{name[4:]}": content for name, content in photos.items()}
    samples = [
        Sample("kaggle.zip", flat),
        Sample("microsoft.zip", _zipped(pets, zipfile.ZIP_DEFLATED)),
        Sample("nested.zip", _zipped({"train.zip": flat, "sampleSubmission.csv": b"id"})),
        Sample("deflated.zip", _zipped({"train.zip": flat}, zipfile.ZIP_DEFLATED)),
    ]
    return Target(samples, _refusing(read))


def _zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def idx(folder: Path) -> Target:
    """The reader of MNIST's IDX files, plain and compressed."""
    mnist = import_module("zoo_mnist")

    def read(sample: Sample) -> None:
        content = sample.content
        if sample.name.endswith(".gz"):
            (folder / "mutant.gz").write_bytes(content)
            content = mnist.gunzip(folder / "mutant.gz", 10_000)
        mnist.read_idx(content, (5, 28, 28) if "images" in sample.name else (60,))

    labels = bytes([0, 0, 8, 1, 0, 0, 0, 60]) + bytes(range(60))
    images = bytes([0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(range(245)) * 16
    samples = [Sample("labels", labels), Sample("images", images)]
    return Target([*samples, *(Sample(f"{name}.gz", gzip.compress(data)) for name, data in samples)], _refusing(read))


# cards and recipes ------------------------------------------------------------------------------------------------


def cards(folder: Path) -> Target:
    """Cards: the reader, and every card of the file."""
    from zoo.cards import TABLES, read_card_file
    from zoo.registry import Registry

    def read(sample: Sample) -> None:
        (folder / "zoo.toml").write_bytes(sample.content)
        found = read_card_file(folder)
        assert found is not None  # noqa: S101 (it was written above)
        for kind, table in TABLES.items():
            for name in found.tables.get(table, {}):
                found.card(kind, name)

    folders = {plugin.folder for plugin in Registry.discover().plugins if plugin.folder and plugin.card}
    return Target([Sample("zoo.toml", (owner / "zoo.toml").read_bytes()) for owner in sorted(folders)], _refusing(read))


def recipes(folder: Path) -> Target:
    """Recipe files, read as a plugin's own and as `--config`."""
    from zoo.recipes import available, describe, resolve
    from zoo.registry import Registry

    registry = Registry.discover()
    (folder / "recipes").mkdir(exist_ok=True)
    path = folder / "recipes" / "mnist.toml"
    network = replace(registry.get("architecture", "cnn"), folder=folder)
    digits = replace(registry.get("dataset", "mnist"), folder=None)

    def read(sample: Sample) -> None:
        path.write_bytes(sample.content)
        if sample.name == "config.toml":
            describe(resolve(network, replace(digits, name="none"), config=path))
            return
        for name in available(network, digits):
            describe(resolve(network, digits, name))

    folders = [plugin.folder for plugin in registry.of("architecture") if plugin.folder]
    files = sorted({file for owner in folders for file in (owner / "recipes").glob("*.toml")})
    # mutants of the network's own tables come into play, of others only their syntax
    samples = [Sample("mnist.toml", file.read_bytes()) for file in files]
    values = asdict(resolve(network, digits).recipe)
    config = [f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, dict)]
    return Target([*samples, Sample("config.toml", "\n".join(config).encode())], _refusing(read))


def results(folder: Path) -> Target:
    """Published results, as `zoo list` reads them: a bad receipt is told, and left out."""
    from zoo.registry import Registry
    from zoo.results.published import published

    (folder / "results").mkdir()
    architectures = [plugin for plugin in Registry.discover().of("architecture") if plugin.folder]
    owners = [replace(plugin, folder=folder) for plugin in architectures]

    def read(sample: Sample) -> bool:
        (folder / "results" / "mutant.json").write_bytes(sample.content)
        found = published(owners)
        json.dumps([result.as_dict() for result in found.results])
        return bool(found.results)

    files = {file for plugin in architectures if plugin.folder for file in (plugin.folder / "results").glob("*.json")}
    return Target([Sample(file.name, file.read_bytes()) for file in sorted(files)], read)


# run directories --------------------------------------------------------------------------------------------------


def runs(folder: Path) -> Target:
    """A run directory with one file mutated: what reads receipts, metrics, checkpoints and weights, and `zoo show`,
    `zoo runs` and `zoo compare`, which must end with a message and never with a failure of the zoo's own."""
    os.environ["ZOO_RUNS"] = str(folder)
    whole = folder / "whole"
    _write_run(whole)
    names = [str(path.relative_to(whole)) for path in sorted(whole.rglob("*")) if path.is_file()]
    mutant = folder / "mutant"
    shutil.copytree(whole, mutant)

    def read(sample: Sample) -> bool:
        path = mutant / sample.name
        path.unlink()
        if sample.name.startswith("checkpoints/state"):
            # a stranger's checkpoint has the right sum in its name
            path = path.with_name(f"state-000000012.{hashlib.sha256(sample.content).hexdigest()}.npz")
        path.write_bytes(sample.content)
        try:
            return _read_run(mutant, whole, sample.name)
        finally:
            path.unlink()
            (mutant / sample.name).write_bytes((whole / sample.name).read_bytes())

    return Target([Sample(name, (whole / name).read_bytes()) for name in names], read)


def _write_run(directory: Path) -> None:
    """A small run as training writes it, without a framework."""
    import numpy as np

    from zoo.progress import Reporter
    from zoo.runs import learned, receipt
    from zoo.runs.directory import Run, write_figures
    from zoo.runs.evaluation import metrics, write_predictions
    from zoo.runs.export import save_weights
    from zoo.runs.pipeline import Prepared
    from zoo.runs.request import Request
    from zoo.training import checkpoints
    from zoo.types import Figure

    prepared = Prepared(Request("fc-keras", "mnist", rehearse=True))
    data = prepared.data(Reporter(quiet=True))
    run = Run(directory)
    made = receipt.make(prepared, data, datetime.now(UTC), {"intra": 2, "inter": 2}, ["CPU:0"])
    run.write(made | {"status": "finished", "rehearsal": False, "parameters": 9, "seconds": 3.5})
    learned.write(run, replace(data, learned=np.arange(96, dtype=np.uint8).reshape(3, 32)))
    labels, names = data.test.labels[:20], data.class_names
    probabilities = np.random.default_rng(0).dirichlet(np.ones(len(names)), len(labels)).astype(np.float32)
    result = {"part": "test", **metrics(probabilities, labels, names)}
    (directory / "metrics.json").write_text(json.dumps(result))
    write_predictions(directory / "predictions.csv", data.test.keys[:20], labels, probabilities, names)
    (directory / "history.csv").write_text("step,epoch,loss,accuracy\n6,0.5,2.1,0.4\n12,1,1.7,0.6\n")
    write_figures([Figure("curves", b"<svg/>", "svg", "a caption")], directory / "figures")
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    checkpoints.write(run.checkpoints, "state", 12, {"weight/0000": array}, {"step": 12, "history": []})
    (directory / "model").mkdir()
    weights = [_Variable("dense/kernel", array), _Variable("dense/bias", array[0])]
    save_weights(directory / "model" / "weights.npz", weights)
    spec = {"format": 1, "height": 28, "width": 28, "channels": 1, "class_names": list(names), "flip_average": False}
    more = {"resize": "stretch", "interpolation": "area", "rule": "fit-1", "rehearsal": False, "export": {}}
    (directory / "model" / "spec.json").write_text(json.dumps(spec | more))


class _Variable(SimpleNamespace):
    """What `save_weights` needs of a variable."""

    def __init__(self, path: str, value: Any) -> None:
        super().__init__(path=path, name=path)
        self.value = value

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.value


def _read_run(directory: Path, whole: Path, changed: str) -> bool:
    from zoo.prediction.cold import read_spec
    from zoo.runs import learned
    from zoo.runs.directory import Run
    from zoo.runs.evaluation import read_predictions
    from zoo.runs.export import load_weights
    from zoo.training import checkpoints

    run = Run(directory)
    refused = 0
    for read in (
        lambda: (run.receipt, run.status, run.spec, run.resolved, run.title),
        lambda: run.metrics,
        lambda: run.history,
        lambda: read_spec(run.model_directory),
        lambda: load_weights(run.model_directory / "weights.npz"),
        lambda: checkpoints.newest(run.checkpoints),
        lambda: read_predictions(run.directory / "predictions.csv"),
        lambda: learned.known(run, []),
    ):
        try:
            read()
        except ZooError:
            refused += 1
    if changed.endswith((".json", ".csv")):
        commands: list[list[str]] = [["show", str(directory)], ["show", "--json", str(directory)], ["runs"]]
        commands.append(["doctor", str(directory)])
        commands.append(["compare", str(directory), str(whole)])
        # each takes a while: one of them, which depends on nothing but the mutant
        refused += _command(commands[zlib.crc32((directory / changed).read_bytes()) % len(commands)]) != 0
    return not refused


def _command(arguments: list[str]) -> int:
    """Run a command line in this process. Raises AssertionError if the zoo itself failed."""
    from zoo.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    if "zoo itself failed" in err.getvalue():
        reason = err.getvalue().partition("zoo itself failed: ")[2].splitlines()[0]
        raise AssertionError(f"zoo {arguments[0]}: {reason}")
    if "\x1b" in out.getvalue() + err.getvalue():
        raise AssertionError(f"zoo {arguments[0]} printed a control character")
    return code


TARGETS: dict[str, Callable[[Path], Target]] = {
    "decoder": decoder,
    "archives": archives,
    "idx": idx,
    "cards": cards,
    "recipes": recipes,
    "results": results,
    "runs": runs,
}
