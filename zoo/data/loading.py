"""From a data set's description to data ready for a network: find, cache, split, and say what was adapted.

Importing this module imports neither NumPy nor OpenCV: a data set that is missing is to be told at once.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError
from zoo.files import NAMED, cache_folder, in_words, named
from zoo.types import Data, Example, Examples, Part, PartName, Source

if TYPE_CHECKING:
    import numpy as np

    from zoo.data.cache import Cache, Form
    from zoo.data.splits import Rows
    from zoo.recipes import Recipe

REHEARSAL_PARTS: Mapping[PartName, int] = {"train": 512, "test": 128}


def find_source(given: Path | None) -> Source:
    """Return where a data set may be: what the user gave, `$ZOO_DATA`, and the cache."""
    configured = os.environ.get("ZOO_DATA")
    roots = [Path(configured).expanduser()] if configured else []
    return Source(given, (*roots, cache_folder() / "data"))


def prepare(
    examples: Examples,
    name: str,
    recipe: Recipe,
    channels: int,
    progress: Callable[[int, int], None] | None = None,
    asked: Collection[str] = (),
) -> Data:
    """Decode the examples into the cache, unless they are there, and split them as the recipe says.

    Validation and test have the recipe's `image_size`, training its `cached_size`; `channels` is 1 or 3.
    `progress` is called with (done, total) while images are decoded; `asked` names the parts ("validation", "test")
    whose size the user asked for, which others give way to. Raises DataError if too few images can
    be decoded or split.
    """
    from zoo.data.cache import Form
    from zoo.data.splits import repeated, split_rows, subset

    def form(size: int) -> Form:
        return Form(size, size, channels, recipe.resize, recipe.interpolation)

    held_out, train = _caches(examples, name, form(recipe.image_size), form(recipe.cached_size), progress)
    rows = split_rows(
        recipe.split,
        recipe.split_seed,
        recipe.validation,
        recipe.test,
        held_out.published("test"),
        held_out.digests,
        held_out.published("validation"),
        asked,
    )
    available = len(rows.train)
    seed = recipe.split_seed + recipe.train_seed
    chosen = subset(rows.train, recipe.train, seed, held_out.labels, held_out.digests)
    learned = held_out.digests[chosen]
    rows = replace(rows, train=repeated(chosen, recipe.epoch_images))
    return Data(
        name=name,
        class_names=examples.class_names,
        train=_part(train, rows.train),
        validation=_part(held_out, rows.validation),
        test=_part(held_out, rows.test),
        fingerprint=held_out.fingerprint,
        split_hash=_split_hash(held_out, rows),
        notes=(
            *examples.note.splitlines(),
            *_adaptations(held_out, form(recipe.image_size)),
            *rows.notes,
            *_part_of(available, len(chosen), len(rows.train)),
            *_missing_classes(examples.class_names, train, rows),
            *_findings(examples.class_names, held_out, rows),
        ),
        quarantine=held_out.quarantine,
        unlabelled=partial(_unlabelled, examples, form(recipe.image_size)) if examples.unlabelled else None,
        learned=learned,
    )


def _caches(
    examples: Examples, name: str, held_out: Form, train: Form, progress: Callable[[int, int], None] | None
) -> tuple[Cache, Cache]:
    """The caches of both forms, whose rows are the same examples. Raises DataError if they can't be brought to be."""
    from zoo.data.cache import open_cache

    if held_out == train:
        both = open_cache(examples, name, train, progress)
        return both, both
    for anew in (False, True):  # one may have been made while an image of the other could not be read
        found = [open_cache(examples, name, form, progress, anew) for form in (held_out, train)]
        if found[0].fingerprint == found[1].fingerprint:
            return found[0], found[1]
    differ = sorted({key for key, _ in {*found[0].quarantine} ^ {*found[1].quarantine}})
    received = f" Received, of one size only: {named(differ)}." if differ else ""
    raise DataError(
        f"The images of {name} change while they are read: they were not the same for training and for testing."
        f"{received} Try again once nothing else writes to them, and each can be read"
    )


def _unlabelled(examples: Examples, form: Form, count: int) -> tuple[np.ndarray[Any, Any], list[str]]:
    """The first `count` images without a label that can be decoded, and their keys."""
    import numpy as np

    from zoo.data import images

    fitted: list[np.ndarray[Any, Any]] = []
    keys: list[str] = []
    shape = (form.height, form.width, form.channels)
    assert examples.unlabelled is not None  # noqa: S101 (only then is this asked)
    with images.quiet_decoders():
        for key, image in examples.unlabelled():
            if len(keys) == count:
                break
            with suppress(images.UndecodableImage):  # the grid shows the next one
                fitted.append(images.load(image, *shape, form.resize, form.interpolation))
                keys.append(key)
    return np.stack(fitted) if fitted else np.zeros((0, *shape), np.uint8), keys


def prepared_forms(name: str, examples: Examples) -> list[str]:
    """The forms in which these images are in the cache: "28x28x1-stretch-area: 70,000 images, 54.9 MB"."""
    from zoo.data.cache import Form, cache_key

    found = []
    for path in sorted((cache_folder() / "images").glob(f"{safe_name(name)}-*/images.npy")):
        title, _, key = path.parent.name.removeprefix(f"{safe_name(name)}-").rpartition("-")
        # of a data set whose name only begins like this one's, the rest is no form
        if not (match := re.match(r"(\d+)x(\d+)x(\d)-([a-z]+)-([a-z]+)$", title)):
            continue
        height, width, channels = map(int, match.groups()[:3])
        # other keys are those of other images: another folder, or this one as it was before
        if cache_key(examples, name, Form(height, width, channels, match[4], match[5])).startswith(key):
            size = path.stat().st_size
            found.append(f"{title}: {size // (height * width * channels):,} images, {in_words(size)}")
    return found


def safe_name(name: str) -> str:
    """A data set's name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def rehearsal(
    name: str,
    class_names: Sequence[str],
    channels: int,
    size: int,
    parts: Mapping[PartName, int] = REHEARSAL_PARTS,
) -> Examples:
    """Describe generated images of size x size pixels in place of a data set, the same ones each time.

    The class shows in each image, as the direction of stripes, so that training has something to learn.
    """
    names = tuple(class_names)

    def iterate() -> Iterator[Example]:
        for part, count in parts.items():
            for index in range(count):
                label = index % len(names)
                yield Example(
                    f"{part}/{index:04}",
                    label,
                    part,
                    _striped(label, len(names), index, part, channels, size),
                )

    counts = ",".join(f"{part}:{count}" for part, count in parts.items())
    signature = f"rehearsal-1 {name} {len(names)} classes {size}x{size}x{channels} {counts}"
    return Examples(names, iterate, signature, sum(parts.values()), "rehearsal: generated images, not the data set")


def _striped(label: int, classes: int, index: int, part: str, channels: int, size: int) -> np.ndarray[Any, Any]:
    """uint8 [size, size, channels]: noisy stripes in the direction of the class, phase and pitch random."""
    import numpy as np

    random = np.random.default_rng([label, index, part == "test"])
    angle = np.pi * label / classes
    y, x = np.mgrid[0:size, 0:size] / size
    waves = np.sin(2 * np.pi * (random.uniform(3, 5) * (x * np.cos(angle) + y * np.sin(angle)) + random.random()))
    tint = random.uniform(0.5, 1.0, channels)
    pixels = 127.5 + 80 * waves[..., None] * tint + random.normal(0, 15, (size, size, channels))
    drawn: np.ndarray[Any, Any] = pixels.clip(0, 255).astype(np.uint8)
    return drawn


def _part(cache: Cache, rows: np.ndarray[Any, Any]) -> Part:
    return Part(cache.images, rows, cache.labels[rows], [cache.keys[row] for row in rows.tolist()])


def _split_hash(cache: Cache, rows: Rows) -> str:
    """SHA-256 over the parts: names and contents of their images, in order."""
    total = hashlib.sha256()
    for part in ("train", "validation", "test"):
        for row in getattr(rows, part).tolist():
            total.update(f"{part}\0{cache.keys[row]}\0".encode("utf-8", "surrogateescape"))
            total.update(cache.digests[row].tobytes())
    return total.hexdigest()


def _adaptations(cache: Cache, form: Form) -> list[str]:
    """Say in words what the pipeline did to the images."""
    raw, count, notes = cache.raw, len(cache.keys), []
    if raw.least is not None and raw.greatest is not None:
        target = (form.height, form.width)
        how = "cropped at the centre and resized" if form.resize == "crop" else "stretched"
        least, greatest, wanted = _pixels(raw.least), _pixels(raw.greatest), _pixels(target)
        if raw.least != raw.greatest:
            notes.append(f"images of {least} to {greatest} pixels are {how} to {wanted}")
        elif raw.least != target:
            notes.append(f"images are {how} from {least} to {wanted} pixels")
    if form.channels == 3 and raw.grey:
        which = "grey images" if raw.grey == count else f"{raw.grey:,} grey images"
        notes.append(f"{which} are repeated to 3 channels")
    if form.channels == 1 and raw.grey < count:
        notes.append("colour images are turned to grey")
    if cache.quarantine:
        notes.append(_left_out(cache.quarantine))
    return notes


def _left_out(quarantine: Sequence[tuple[str, str]]) -> str:
    """Name the first images that were left out, with the reason."""
    count, shown = len(quarantine), named([f"{key} ({reason})" for key, reason in quarantine])
    more = ", see quarantine.csv" if count > NAMED else ""
    return f"{count:,} {'image was' if count == 1 else 'images were'} left out: {shown}{more}"


def _pixels(size: tuple[int, int]) -> str:
    """(height, width) as people write it: width x height."""
    return f"{size[1]}x{size[0]}"


def _part_of(available: int, used: int, shown: int) -> list[str]:
    notes = [f"{used:,} of {available:,} training images are used"] if used < available else []
    return notes + [f"an epoch shows the {used:,} training images {shown / used:.4g} times"] * (used < shown)


def _findings(class_names: Sequence[str], cache: Cache, rows: Rows) -> list[str]:
    from zoo.data.findings import copies, untested

    labels, tested = cache.labels.tolist(), rows.test.tolist()
    parts = {"training": rows.train.tolist(), "validation": rows.validation.tolist(), "test": tested}
    contents = [digest.tobytes() for digest in cache.digests]
    return [*untested(class_names, labels, tested), *copies(cache.keys, labels, contents, parts)]


def _missing_classes(class_names: Sequence[str], cache: Cache, rows: Rows) -> list[str]:
    present = set(cache.labels[rows.train].tolist())
    return [f"no training image shows {name!r}" for label, name in enumerate(class_names) if label not in present]
