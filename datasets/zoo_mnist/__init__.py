"""MNIST: 70,000 handwritten digits, 28 x 28 pixels, grey. The four files ship inside this package.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits" (see NOTICE).
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo import DataError, Example, Examples, Source, UsageError, hookimpl

if TYPE_CHECKING:
    import numpy as np

CLASS_NAMES = tuple("0123456789")
PARTS: dict[Literal["train", "test"], tuple[str, str, int]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 60_000),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 10_000),
}
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""Of the uncompressed bytes."""


@hookimpl
def zoo_examples(source: Source) -> Examples:
    """The digits: keys "train/00000" to "test/09999", uint8 [28, 28], in the files' order."""
    if source.given is not None:
        raise UsageError(f"mnist ships with the zoo and takes no --source. Received: {source.given}")
    signature = hashlib.sha256("".join(SHA256.values()).encode()).hexdigest()
    return Examples(CLASS_NAMES, _digits, signature, sum(count for *_, count in PARTS.values()))


def _digits() -> Iterator[Example]:
    for part, (images_name, labels_name, count) in PARTS.items():
        images = read_idx(_embedded(images_name), (count, 28, 28))
        labels = read_idx(_embedded(labels_name), (count,))
        for index, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            yield Example(f"{part}/{index:05}", label, part, image)


def _embedded(name: str) -> bytes:
    """The uncompressed content of a file of this package. Raises DataError if it is not MNIST's."""
    limit = 16 + 60_000 * 28 * 28
    content = gunzip(Path(__file__).parent / f"{name}.gz", limit)
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise DataError(f"{name}.gz of mnist is not the original file (SHA-256 differs): install the zoo again")
    return content


def gunzip(path: Path, limit: int) -> bytes:
    """Uncompress a file of at most `limit` bytes. Raises DataError if it is damaged, missing or larger."""
    try:
        with gzip.open(path) as file:
            content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} can't be uncompressed: {error}") from error
    if len(content) > limit:
        raise DataError(f"{path.name} is larger than {limit:,} bytes when uncompressed")
    return content


def read_idx(content: bytes, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Read an IDX file of unsigned bytes: uint8 of exactly this shape.

    The format: two zero bytes, 8 for unsigned bytes, the number of dimensions, each as a big-endian 32-bit
    number, the values. Raises DataError for anything else.
    """
    import numpy as np

    header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    if not content.startswith(header):
        raise DataError(
            f"This is no IDX file of unsigned bytes of shape {list(shape)}. It begins with: {content[:16].hex(' ')}"
        )
    if len(content) != len(header) + math.prod(shape):
        raise DataError(
            f"The IDX file holds {len(content) - len(header):,} values; its header says {math.prod(shape):,}"
        )
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)
