"""What in the images themselves makes a result worth less, in words: copies in two parts or two classes, classes that
no test image shows. Importing this module imports no NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from zoo.files import named, sha256_of
from zoo.types import Example
from zoo.words import amount, are


def copies(
    keys: Sequence[str], labels: Sequence[int], digests: Sequence[bytes], parts: Mapping[str, Iterable[int]]
) -> list[str]:
    """Notes on images whose contents are identical. `parts` are rows by the part's name; "training" is one."""
    notes = []
    trained = {digests[row]: row for row in parts["training"]}
    for part in parts.keys() - {"training"}:
        twins = [(row, trained[digests[row]]) for row in parts[part] if digests[row] in trained]
        if twins:
            what = f"{amount(len(twins), f'{part} image')} {are(len(twins))}"
            pairs = named([f"{keys[row]} is {keys[other]}" for row, other in twins])
            notes.append(f"{what} also among the training images: {pairs}")
    return sorted(notes) + _in_two_classes(keys, labels, digests)


def copies_of_files(examples: Sequence[Example]) -> list[str]:
    """As `copies`, of image files that are not decoded yet: only those of one size are read."""
    paths = [example.image for example in examples if isinstance(example.image, Path)]
    sizes = [path.stat().st_size if path.is_file() else -1 for path in paths]
    times = Counter(sizes)
    digests = [
        (sha256_of(path) if size >= 0 and times[size] > 1 else example.key).encode("utf-8", "surrogateescape")
        for example, path, size in zip(examples, paths, sizes, strict=True)
    ]
    parts: dict[str, list[int]] = {"training": [], "validation": [], "test": []}
    for row, example in enumerate(examples):
        parts[example.part if example.part in parts else "training"].append(row)
    return copies([example.key for example in examples], [example.label for example in examples], digests, parts)


def _in_two_classes(keys: Sequence[str], labels: Sequence[int], digests: Sequence[bytes]) -> list[str]:
    first: dict[bytes, int] = {}
    twice: dict[bytes, str] = {}
    for row, digest in enumerate(digests):
        other = first.setdefault(digest, row)
        if labels[other] != labels[row]:
            twice.setdefault(digest, f"{keys[other]} is {keys[row]}")
    if not twice:
        return []
    what = "1 image lies" if len(twice) == 1 else f"{len(twice):,} images lie"
    return [f"{what} in two classes: {named(list(twice.values()))}"]


def untested(class_names: Sequence[str], labels: Sequence[int], tested: Iterable[int]) -> list[str]:
    """A note on the classes that have images but none among the `tested` rows, if there are such rows at all."""
    shown = {labels[row] for row in tested}
    counts = [0] * len(class_names)
    for label in labels:
        counts[label] += 1
    lacking = [
        f"{name} (of {amount(count, 'image')})"
        for label, (name, count) in enumerate(zip(class_names, counts, strict=True))
        if count and label not in shown
    ]
    return [f"no test image shows {named(lacking)}"] if shown and lacking else []
