"""Pictures that a network is shown for its portrait: the reader's own, or one that is at hand everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from zoo.data import images
from zoo.errors import DataError
from zoo.registry import Registry
from zoo.session import Session
from zoo.types import Photo, Source, Spec

SIDE = 224  # pixels, at least, of what is shown to people
CAT = ("skimage", "data/chelsea.png")  # Stefan van der Walt's photograph of Chelsea the cat, CC0


def load(files: Sequence[Path], spec: Spec, resize: str, interpolation: str, prepare: str = "") -> tuple[Photo, ...]:
    """Read files, and the images in folders, as the network is given them; `prepare` as in `images.prepared`.

    Raises UsageError for a folder without an image, DataError for a file that can't be decoded.
    """
    found = []
    with images.quiet_decoders():
        for file in images.image_files(files):
            try:
                found.append(photo(file.name, file, spec, resize, interpolation, prepare))
            except images.UndecodableImage as error:
                raise DataError(f"{file} can't be shown to the network: {error}") from error
    return tuple(found)


def photo(name: str, image: images.Image, spec: Spec, resize: str, interpolation: str, prepare: str = "") -> Photo:
    """One picture, decoded and fitted as the training images were."""
    decoded = images.prepared(images.decode(image), prepare)
    pixels = images.fit(decoded, spec.height, spec.width, spec.channels, resize, interpolation)
    times = -(-SIDE // min(spec.height, spec.width))
    size = (spec.height * times, spec.width * times)
    # a small picture is not blown up: its pixels are what there is to see
    large = min(decoded.shape[:2]) > min(spec.height, spec.width)
    shown = images.fit(decoded, *size, decoded.shape[2], resize, interpolation) if large else pixels
    return Photo(name, pixels, shown)


def default(spec: Spec, resize: str, interpolation: str, trained: bool = False) -> tuple[Photo, ...]:
    """The cat that scikit-image brings along, if it is installed, else the first test digit of MNIST, if that is.

    A network that is `trained` on colour photographs has nothing to say of a digit, and gets none.
    """
    package, path = CAT
    found = find_spec(package)
    if found is not None and found.origin is not None:
        cat = Path(found.origin).parent / path
        if cat.is_file():
            return (photo("Chelsea the cat (scikit-image)", cat, spec, resize, interpolation),)
    if trained and spec.channels > 1:
        return ()
    mnist = [plugin for plugin in Registry.discover().of("dataset") if (plugin.name, plugin.status) == ("mnist", "ok")]
    if not mnist:
        return ()
    examples = Session(mnist[0], mnist[0]).examples(Source(None, ()))
    first = next(example for example in examples.iterate() if example.part == "test")
    return (photo("the first test digit of MNIST", first.image, spec, resize, interpolation),)
