"""Weights that a network begins with: which it takes, where published files come from, and how they are loaded.

A card names what an architecture takes (`weights`); its `zoo_build` calls `load` at its end.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import MissingWeights, UsageError, ZooError
from zoo.files import checksum_of, sha256_of

if TYPE_CHECKING:
    from zoo.registry import Plugin
    from zoo.types import Spec

TIMEOUT = 10.0  # seconds without an answer
SUFFIXES = (".h5", ".keras")
"""What Keras is asked to read: of both it takes arrays alone, and runs no code that they may hold."""
_log = logging.getLogger("zoo")
_allowed: ContextVar[bool] = ContextVar("downloads of weights are allowed", default=True)


@contextlib.contextmanager
def downloads(*, allowed: bool) -> Iterator[None]:
    """Whether `load` may download meanwhile. Outside of this it may: who says `weights = "imagenet"` asks for it."""
    token = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


@dataclass(frozen=True)
class PublishedFile:
    """A weight file that Keras can read, at an address, with the MD5 (or SHA-256) of its content in hexadecimal."""

    url: str
    checksum: str

    @property
    def name(self) -> str:
        """The file's name, here and there."""
        return self.url.rpartition("/")[2]

    @property
    def kind(self) -> str:
        """Of the checksum: "MD5" or "SHA-256"."""
        return {32: "MD5", 64: "SHA-256"}[len(self.checksum)]

    def is_at(self, path: Path) -> bool:
        """Whether a file is this one, by its checksum."""
        return path.is_file() and checksum_of(path, self.kind.replace("-", "").lower()) == self.checksum


def check(weights: str, architecture: Plugin) -> None:
    """Raise UsageError for weights that the card does not name, and for a file that does not exist."""
    name, takes = architecture.name, architecture.facts.weights
    if not weights or architecture.card is None or (weights in takes and weights != "path"):
        return
    named = " or ".join(key for key in takes if key != "path")
    if "path" not in takes:
        raise UsageError(f"{name} begins with no weights but {named or 'its own'}. Received: weights = {weights!r}")
    if not Path(weights).is_file():
        also = f"It also takes: {named}" if named else "It takes no others"
        raise UsageError(f"{name}: there is no weight file {weights!r}. {also}")


def describe(weights: str | None) -> dict[str, Any] | None:
    """What a receipt says of weights: their name, and of a file its size in bytes and its SHA-256."""
    if weights is None:
        return None
    path = Path(weights)
    if not path.is_file():
        return {"name": weights}
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def load(model: Any, spec: Spec, head: Sequence[str], imagenet: PublishedFile | None = None) -> None:
    """Give a functional `keras.Model` the weights that `spec.weights` asks for; None changes nothing.

    `spec.weights` is "imagenet", for which `imagenet` is fetched, or the path of a file: `.h5` of Keras 2 (weights
    by position, as keras.applications publishes them), `.weights.h5` or `.keras`. `head` names the layers after
    the body, in order: where one does not fit, it and those after it stay as they were drawn, and a warning
    says so. Raises UsageError if the body does not fit, or if there are no such weights.
    """
    if spec.weights is None:
        return
    if spec.weights == "imagenet":
        if imagenet is None:
            raise UsageError(f"There are no ImageNet weights of {spec.title}. Give the path of a file, or no weights")
        path = fetch(imagenet)
    else:
        path = Path(spec.weights)
    if not path.is_file():
        raise UsageError(f"{spec.name}: there is no weight file {str(path)!r}")
    if not path.name.endswith(SUFFIXES):
        raise UsageError(f"{spec.name}: a weight file ends in {' or '.join(SUFFIXES)}. Received: {str(path)!r}")
    anew = _load(model, spec, head, path)
    if anew:
        _log.warning("%s takes its weights from %s, except for: %s", spec.title, path.name, ", ".join(anew))


def _load(model: Any, spec: Spec, head: Sequence[str], path: Path) -> list[str]:
    """Load what fits and return the layers of the head that did not; the body must."""
    import numpy as np

    drawn = {name: model.get_layer(name).get_weights() for name in head}
    layers = [layer for layer in model.layers if layer.weights]
    # Keras can skip what does not fit, but does not tell what it skipped: what it loads overwrites these
    for variable in model.weights:
        variable.assign(np.full(variable.shape, np.nan, np.float32))
    reason = _read(model, head, path)
    missing = [layer.name for layer in layers if any(np.isnan(value).any() for value in layer.get_weights())]
    foreign = [name for name in missing if name not in head]
    if foreign:
        first = model.get_layer(foreign[0])
        shapes = ", ".join(str(tuple(weight.shape)) for weight in first.weights)
        raise UsageError(
            f"{spec.name}: the weight file {str(path)!r} does not fit {spec.height} x {spec.width} pixels, "
            f"{spec.channels} channels, {spec.classes} classes and these options: "
            + (reason or f"it has no weights for {first.name}, of shape {shapes}")
        )
    anew = list(head[min(head.index(name) for name in missing) :]) if missing else []
    for name in anew:
        model.get_layer(name).set_weights(drawn[name])
    return anew


def _read(model: Any, head: Sequence[str], path: Path) -> str:
    """Let Keras read the file, into the whole network or else into its body; return why nothing was read, or ""."""
    import keras

    body = keras.Model(model.inputs, model.get_layer(head[0]).input)
    reason = ""
    for part in (model, body):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of what does not fit: told in full above
                part.load_weights(path, skip_mismatch=True)
        except Exception as error:  # noqa: BLE001 (Keras and h5py raise anything for a file that is not theirs)
            reason = reason or (str(error).strip() or type(error).__name__).splitlines()[0]
        else:
            return ""
    return reason


def keras_models() -> Path:
    """Where keras.applications keeps the weights that it has fetched."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"


def fetch(file: PublishedFile) -> Path:
    """Return the path of a published file in Keras' own cache, downloading it there if it is not yet.

    Raises MissingWeights where downloads are not allowed, ZooError if one fails; both say which file to fetch and
    where to put it.
    """
    folder = keras_models()
    path = folder / file.name
    if file.is_at(path):
        return path
    yourself = f"Fetch {file.url} ({file.kind} {file.checksum}) on another machine, and put it into {folder}"
    if not _allowed.get():
        there = f"{path} has another {file.kind} than it should" if path.exists() else f"{path} is not there"
        raise MissingWeights(f"Its weights have to be downloaded: {there}.\n{yourself}")
    import keras

    waiting = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras shows its progress on standard output
            return Path(keras.utils.get_file(file.name, file.url, cache_subdir=str(folder), file_hash=file.checksum))
    except Exception as error:
        raise ZooError(
            f"The weights {file.name} can't be downloaded: {error}\n{yourself}. Or give a file: --weights PATH"
        ) from error
    finally:
        socket.setdefaulttimeout(waiting)
