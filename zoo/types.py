"""The domain's own types, shared by core and plugins. Importing this module imports no framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from zoo.recipes import Recipe

PartName = Literal["train", "validation", "test"]


LARGEST_SEED = 2**32 - 1
"""The greatest seed that TensorFlow, Keras and NumPy all take."""


@dataclass(frozen=True)
class Spec:
    """What a network is built for. `zoo_build` is a pure function of it.

    `height`, `width` are pixels, `channels` is 1 (grey) or 3 (RGB). `options` are the architecture's own
    (the card names them), as far as they were asked for: defaults are not filled in; `weights` is None, or what
    the network begins with: a name on the card ("imagenet"), or the path of a file. Core asks for them once, when
    a run begins.
    """

    name: str
    height: int
    width: int
    channels: int
    class_names: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = None
    seed: int = 0

    @property
    def classes(self) -> int:
        """The number of classes, the length of a row of logits."""
        return len(self.class_names)

    @property
    def title(self) -> str:
        """The name, with every option that changes the network: "vgg16 (width=0.5)"."""
        changed = ", ".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return f"{self.name} ({changed})" if changed else self.name


@runtime_checkable
class Model(Protocol):
    """What the engine needs of a network: a `keras.Model` or a `tf.Module` with `__call__(x, training)`."""

    @property
    def trainable_variables(self) -> Sequence[Any]: ...

    @property
    def variables(self) -> Sequence[Any]: ...

    def __call__(self, images: Any, training: bool = False) -> Any: ...


@dataclass(frozen=True)
class Example:
    """One labelled image, described and not yet decoded.

    `key` is unique in its data set ("train/cat.0.jpg"); `label` indexes `Examples.class_names`; `part` is
    the published part, or None where the recipe splits. `image` is a file, the file's bytes, or
    uint8 [height, width] or [height, width, 3] (RGB).
    """

    key: str
    label: int
    part: PartName | None
    image: Path | bytes | np.ndarray[Any, Any]


@dataclass(frozen=True)
class Examples:
    """A data set as its plugin describes it.

    `iterate` starts a fresh pass over all examples, always in the same order. `signature` changes whenever
    the source does and is cheap (paths, sizes, modification times): it keys the cache of decoded images.
    `note` says in words, a line each, what a user should know of what was found: what is missing or left out.
    `place` is the file or folder that they are read from, for `zoo data info`. `unlabelled`, where the data
    set has such images, starts a pass over (key, image): they are drawn with the network's answers, and are no
    part of the data. `title` is what a run's title calls the data, where that is not the data set's name.
    """

    class_names: tuple[str, ...]
    iterate: Callable[[], Iterator[Example]]
    signature: str
    count: int
    note: str = ""
    place: Path | None = None
    unlabelled: Callable[[], Iterator[tuple[str, Path | bytes | np.ndarray[Any, Any]]]] | None = None
    title: str = ""


@dataclass(frozen=True)
class Source:
    """Where a data set may be: what the user gave, and the places to look, in this order.

    `given` is `--source`; `roots` are `$ZOO_DATA` and the cache (a data set looks in `root / name`).
    """

    given: Path | None
    roots: tuple[Path, ...]


class Part:
    """Some examples of a prepared data set: rows of its memory-mapped cache of decoded images.

    `images` is uint8 [all, height, width, channels], shared by all parts; `rows` int64 [n] says which are
    this part's, in order; `labels` is int64 [n]; `keys` names the examples.
    """

    def __init__(
        self,
        images: np.ndarray[Any, Any],
        rows: np.ndarray[Any, Any],
        labels: np.ndarray[Any, Any],
        keys: Sequence[str],
    ) -> None:
        self.images = images
        self.rows = rows
        self.labels = labels
        self.keys = keys

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Any = slice(None)) -> np.ndarray[Any, Any]:
        """Return images `index` (a slice or integers) of this part, uint8 [n, height, width, channels]."""
        taken: np.ndarray[Any, Any] = self.images[self.rows[index]]
        return taken


@dataclass(frozen=True)
class Data:
    """A data set ready for a network: the parts that a recipe's split makes.

    `train` may hold larger images than `validation` and `test` (the recipe's `source_size`).
    `fingerprint` is a SHA-256 over keys, labels and contents; `split_hash` one over the parts.
    A part that the split leaves out is empty. `notes` says in words what was adapted; `quarantine` lists
    (key, reason) of the images that were left out. `unlabelled(n)` gives the first n images without a label that
    the data set has, fitted as the others: uint8 [n or fewer, height, width, channels] and their keys; it is None
    where the data set has none. `learned` is uint8 [n, 32], the SHA-256 of each training image's raw content.
    """

    name: str
    class_names: tuple[str, ...]
    train: Part
    validation: Part
    test: Part
    fingerprint: str
    split_hash: str
    notes: tuple[str, ...] = ()
    quarantine: tuple[tuple[str, str], ...] = ()
    unlabelled: Callable[[int], tuple[np.ndarray[Any, Any], list[str]]] | None = None
    learned: np.ndarray[Any, Any] | None = None

    @property
    def parts(self) -> dict[str, Part]:
        """The parts by name."""
        return {"training": self.train, "validation": self.validation, "test": self.test}

    @property
    def monitored(self) -> Part:
        """The part that draws the curve: validation, or the test part where a recipe has none (the chapter's)."""
        return self.validation if len(self.validation) else self.test


@dataclass(frozen=True)
class Figure:
    """A picture: `name` is its file name without suffix (letters, digits, ".", "_" and "-"), `caption` says what to
    see in it."""

    name: str
    content: bytes
    format: Literal["svg", "png"]
    caption: str


@dataclass(frozen=True)
class Photo:
    """A picture that a reader chose: `pixels` is uint8 [height, width, channels] as the network takes it.

    `shown` is the same picture, uint8 [height, width, 1 or 3], fitted alike and large enough to look at.
    """

    name: str
    pixels: np.ndarray[Any, Any]
    shown: np.ndarray[Any, Any]


@dataclass(frozen=True)
class View:
    """What a reader asked `zoo visualize` to draw; every field has a default that suits most.

    `spec` is what an untrained network was built for; `photos` are looked at by feature maps and Grad-CAM
    instead of a held-out image; `layers` are those whose feature maps are drawn (none: a choice is made);
    `only` names the figures to draw (none: all; "features" stands for "features-conv1" as well).
    """

    spec: Spec | None = None
    photos: tuple[Photo, ...] = ()
    layers: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Whether the figure, or one whose name begins with it and a hyphen, was asked for."""
        # either way round: "features-conv1" asks for a figure of the kind "features"
        return not self.only or any(
            name == asked or name.startswith(f"{asked}-") or asked.startswith(f"{name}-") for asked in self.only
        )


class History(list[dict[str, float]]):
    """One row per evaluation: "step", "epoch", "loss", "accuracy", "validation_loss", ... (accuracies 0..1)."""


class RunContext(Protocol):
    """What a run offers to `zoo_train`, `zoo_visualize` and observers."""

    @property
    def directory(self) -> Path:
        """The run's own directory."""

    @property
    def title(self) -> str:
        """ "vgg16 on catsdogs, quick" """

    @property
    def spec(self) -> Spec:
        """What the network was built for."""

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe."""

    @property
    def history(self) -> History:
        """All rows logged so far."""

    @property
    def rehearsal(self) -> bool:
        """True for a rehearsal: what is drawn is stamped, and no accuracy is shown."""

    @property
    def stopping(self) -> bool:
        """True once the user asked to stop (Ctrl-C): checkpoint and return."""

    def restore(self) -> dict[str, np.ndarray[Any, Any]] | None:
        """Return the state of the newest whole checkpoint, or None if the run begins."""

    def checkpoint(self, step: int, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Keep named arrays as the state after `step` steps, atomically."""

    def log(self, step: int, **metrics: float) -> None:
        """Add a row to the history, and show it to progress and observers."""

    def figure(self, figure: Figure) -> None:
        """Write a figure into the run at once."""


Figures = Iterable[Figure]
