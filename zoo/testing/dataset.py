"""Checks of a data set: what it promises, what it gives, twice, at once, without a network, and prepared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np

from zoo import boundary
from zoo.data.images import UndecodableImage, decode, read
from zoo.errors import DataError, UsageError
from zoo.testing.checks import Fails, Skips, check, raised
from zoo.testing.examples import SAMPLE, DatasetSubject, digest_of, one_pass, sampled
from zoo.types import Source

LEAST_SHARE = 0.01
"""A fault of fewer images than that is the world's, not the plugin's."""
FRAMEWORKS = ("tensorflow", "keras", "torch", "jax", "matplotlib")


@check(
    "framework-free",
    "describing it imports no framework: missing data are told at once",
    "import TensorFlow, Keras and the like inside the function that needs them, if at all",
    ("imports",),
)
def framework_free(subject: DatasetSubject) -> None:
    code = f"import sys, {subject.module}; print(*[name for name in {FRAMEWORKS!r} if name in sys.modules])"
    process = _start(code, {})
    out, errors = process.communicate()
    if process.returncode:
        raise Fails(f"it can't be imported alone: {errors.strip().splitlines()[-1]}")
    if out.strip():
        raise Fails(f"importing it imports {', '.join(out.split())}")


@check(
    "no-data",
    "where its data are missing it raises zoo.MissingData (or UsageError for a --source that it does not take)",
    "look in source.given, else in each of source.roots; then raise zoo.MissingData: where you looked, what to do",
    ("hooks",),
)
def no_data(subject: DatasetSubject) -> None:
    nowhere = subject.folder / "nowhere"
    embedded = False
    for source in (Source(None, (nowhere,)), Source(nowhere / "given", ())):
        try:
            subject.describe(source)
            embedded = True
        except (DataError, UsageError) as error:
            if len(str(error)) < 20:
                raise Fails(f"its message says neither where it looked nor what to do: {str(error)!r}") from error
        except Fails:
            raise
        except Exception as error:
            remedy = "raise zoo.MissingData where the data are missing: where you looked, what to do"
            raise raised(error, remedy, "it raises ") from error
        if source.given is not None and embedded:
            return  # its data are built in


@check(
    "describes",
    "zoo_examples returns zoo.Examples: unique class names, a count and a signature",
    "class_names is a tuple of different names, count a whole number, signature a text that changes with the source",
    ("no-data",),
)
def describes(subject: DatasetSubject) -> None:
    try:
        examples = subject.examples
    except DataError as error:
        wanted = f"zoo check {subject.plugin.name} --source PATH, or `source` of the suite"
        raise Skips(f"its data are not here ({str(error).splitlines()[0]}): {wanted}") from error
    if examples is None:
        raise Fails("zoo_examples returned None", "return zoo.Examples: the `return` is missing")
    try:
        boundary.checked_examples(examples)
    except boundary.Broken as error:
        raise Fails(str(error)) from error
    if not examples.count:
        raise Fails("count is 0")


@check(
    "signature", "the signature is the same when asked again", "derive it from paths, sizes and times", ("describes",)
)
def signature(subject: DatasetSubject) -> None:
    again = subject.describe().signature
    if again != subject.examples.signature:
        raise Fails(f"{subject.examples.signature[:40]!r}, then {again[:40]!r}: every run would decode anew")


@check("count", "it gives as many examples as it promises", "count what iterate gives", ("describes",))
def count(subject: DatasetSubject) -> None:
    promised, given = subject.examples.count, len(subject.whole.keys)
    if given != promised:
        raise Fails(f"it promises {promised:,} and gives {'more' if given > promised else f'{given:,}'}")


@check("keys", "every key is a text of its own", "use the part and the file's name or number", ("count",))
def keys(subject: DatasetSubject) -> None:
    for key, times in Counter(subject.whole.keys).most_common(1):
        if times > 1:
            raise Fails(f"{key!r} comes {times} times")
    if not all(isinstance(key, str) and key for key in subject.whole.keys):
        raise Fails("a key is empty or no text")


@check("labels", "labels index the class names, and each class has an image", "count from 0", ("count",))
def labels(subject: DatasetSubject) -> None:
    names = subject.examples.class_names
    for key, label in zip(subject.whole.keys, subject.whole.labels, strict=True):
        if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < len(names):
            raise Fails(f"{key!r} has label {label!r}; there are {len(names)} classes")
    missing = [name for index, name in enumerate(names) if index not in set(subject.whole.labels)]
    if missing:
        raise Fails(f"no image shows {missing[0]!r}")


@check(
    "parts",
    "parts are 'train', 'validation', 'test' or None, and some images are to train on",
    "see zoo.Example",
    ("count",),
)
def parts(subject: DatasetSubject) -> None:
    found = set(subject.whole.parts)
    wrong = found - {"train", "validation", "test", None}
    if wrong:
        raise Fails(f"a part is {wrong.pop()!r}")
    if found <= {"validation", "test"}:
        raise Fails("every image is held out: nothing is left to train on")


@check(
    "images",
    "images are files, their bytes, or uint8 arrays [height, width] or [height, width, 3] in 0..255",
    "give files as they are, each a pathlib.Path; an array is RGB, unsigned bytes",
    ("count",),
)
def images(subject: DatasetSubject) -> None:
    greatest = 0
    for example in subject.whole.sample:
        image = example.image
        if not isinstance(image, Path | bytes | np.ndarray):
            raise Fails(f"the image of {example.key!r} is a {type(image).__name__}")
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
                raise Fails(f"the image of {example.key!r} is {image.dtype} {list(image.shape)}")
            greatest = max(greatest, int(image.max(initial=0)))
        else:
            greatest = 255
    if greatest <= 1:
        raise Fails(f"no pixel is more than {greatest}: they are scaled to 0..1")


@check(
    "quarantine",
    "its images can be decoded; the few that can't are left out by name",
    "look at these files; leave known bad ones out of iterate and count",
    ("images",),
)
def quarantine(subject: DatasetSubject) -> None:
    bad = []
    for example in subject.whole.sample:
        try:
            decode(read(example.image))
        except UndecodableImage as error:
            bad.append(f"{example.key}: {error}")
    if len(bad) > LEAST_SHARE * len(subject.whole.sample):
        raise Fails(f"{len(bad)} of {len(subject.whole.sample)} images can't be decoded: {'; '.join(bad[:2])}")


@check(
    "same-pass",
    "every pass gives the same examples in the same order",
    "iterate must start anew each time it is called, and sort what a file system lists",
    ("count",),
)
def same_pass(subject: DatasetSubject) -> None:
    first, second = subject.whole, one_pass(subject.examples.iterate(), subject.examples.count)
    if first.keys != second.keys:
        raise Fails(f"{len(first.keys):,} keys in the first pass, {len(second.keys):,} in the second, or another order")
    if first.labels != second.labels or first.contents != second.contents:
        raise Fails("the same key has another label or image in the second pass")


@check(
    "two-passes-at-once",
    "two passes side by side do not disturb each other",
    "let each iterate() open files of its own",
    ("same-pass",),
)
def two_passes_at_once(subject: DatasetSubject) -> None:
    one, two = subject.examples.iterate(), subject.examples.iterate()
    for index, (a, b) in enumerate(islice(zip(one, two, strict=False), SAMPLE)):
        if a.key != b.key or digest_of(a) != digest_of(b) or a.key != subject.whole.keys[index]:
            raise Fails(f"side by side, example {index} is {a.key!r} and {b.key!r}")


@check(
    "splits",
    "the published parts share no image",
    "give each image to one part",
    ("quarantine", "keys", "labels", "parts"),
)
def splits(subject: DatasetSubject) -> None:
    whole = subject.whole
    train = {content for content, part in zip(whole.contents, whole.parts, strict=True) if part != "test" and content}
    test = [content for content, part in zip(whole.contents, whole.parts, strict=True) if part == "test" and content]
    shared = sum(content in train for content in test)
    if shared > LEAST_SHARE * len(test):
        raise Fails(f"{shared:,} of {len(test):,} test images are training images as well")
    keys_of = {name: set(part.keys) for name, part in subject.prepared.parts.items()}
    if keys_of["training"] & keys_of["test"] or keys_of["training"] & keys_of["validation"]:
        raise Fails("the prepared parts share examples")


@check(
    "fingerprint",
    "prepared twice, into different caches, it has one fingerprint and one split",
    "give the same bytes each time; nothing may depend on the time, the machine or the order of a set",
    ("splits", "same-pass"),
)
def fingerprint(subject: DatasetSubject) -> None:
    again = subject.prepare("other-cache")
    if (again.fingerprint, again.split_hash) != (subject.prepared.fingerprint, subject.prepared.split_hash):
        raise Fails(f"{subject.prepared.fingerprint[:16]}, then {again.fingerprint[:16]}")


@check(
    "prepare-idempotent",
    "preparing it again reads no image again",
    "keep the signature as long as the source is the same: iterate must not touch what it is derived from",
    ("splits", "signature"),
)
def prepare_idempotent(subject: DatasetSubject) -> None:
    subject.prepared  # noqa: B018 (prepares it)
    subject.prepare("cache", sampled(subject.describe()))
    if len(_caches(subject.folder / "cache")) != 1:
        raise Fails("asked again, it has another signature, and is decoded a second time")


@check(
    "prepare-concurrent",
    "two processes that prepare it at once get the same, and one of them waits for the other",
    "derive the signature from the source alone, not from the process or a set's order; let iterate() write nothing",
    ("splits",),
)
def prepare_concurrent(subject: DatasetSubject) -> None:
    cache = subject.folder / "shared-cache"
    given = None if subject.given is None else str(subject.given)
    code = f"from zoo.testing.dataset import print_fingerprint as p; p({subject.plugin.name!r}, {given!r})"
    both = [_start(code, {"ZOO_CACHE": str(cache)}) for _ in range(2)]
    said = [process.communicate() for process in both]
    for process, (_, errors) in zip(both, said, strict=True):
        if process.returncode:
            raise Fails(f"one of them failed: {errors.strip().splitlines()[-1]}")
    if len({out for out, _ in said}) != 1 or len(_caches(cache)) != 1:
        raise Fails("each made a cache of its own")


def print_fingerprint(name: str, given: str | None) -> None:
    """What each of the two processes does."""
    from zoo.registry import Registry

    subject = DatasetSubject(Registry.discover().find("dataset", name), None if given is None else Path(given))
    print(subject.prepare(None).fingerprint)


def _start(code: str, variables: dict[str, str]) -> subprocess.Popen[str]:
    """Start Python with what this process can import."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603


def _caches(folder: Path) -> list[Path]:
    return [path for path in (folder / "images").iterdir() if path.is_dir()]


@check(
    "card-classes",
    "the card's classes are those of the data",
    "write class_names on the card as zoo_examples gives them, in this order",
    ("describes", "card-name"),
)
def card_classes(subject: DatasetSubject) -> None:
    card, names = subject.plugin.facts, subject.examples.class_names
    if card.class_names and card.class_names != names:
        raise Fails(f"the card says {', '.join(card.class_names)}; the data have {', '.join(names)}")
    if card.classes is not None and card.classes != len(names):
        raise Fails(f"the card says {card.classes} classes; the data have {len(names)}")


@check(
    "card-counts",
    "the card's counts of images are true",
    "write `images` (all) and `test_images` on the card; or say in Examples.note what is missing",
    ("count", "card-name"),
)
def card_counts(subject: DatasetSubject) -> None:
    card = subject.plugin.facts
    if card.images is None:
        raise Skips("the card does not say")
    if not subject.complete or subject.examples.note:
        raise Skips(subject.examples.note or "only a part of the data is here")
    counted = len(subject.whole.keys), sum(part == "test" for part in subject.whole.parts)
    if counted != (card.images, card.test_images):
        raise Fails(
            f"the card says {card.images:,} and {card.test_images:,}; counted {counted[0]:,} and {counted[1]:,}"
        )


@check(
    "card-images",
    "the card's size and channels are those of the images",
    "write size (of all images; leave it out where they differ) and channels ([1] grey, [3] colour)",
    ("quarantine", "card-name"),
)
def card_images(subject: DatasetSubject) -> None:
    card = subject.plugin.facts
    shapes = {decode(read(example.image)).shape for example in islice(subject.whole.sample, 100)}
    if card.size is not None:
        other = [shape for shape in shapes if shape[:2] != (card.size, card.size)]
        if other:
            raise Fails(f"the card says {card.size} pixels; an image has {other[0][1]} x {other[0][0]}")
    if card.channels == (1,) and any(shape[2] == 3 for shape in shapes):
        raise Fails("the card says grey; an image is in colour")
    if card.channels == (3,) and all(shape[2] == 1 for shape in shapes):
        raise Fails("the card says colour; all images are grey")


DATA = (
    *(framework_free, no_data, describes, signature, count, keys, labels, parts, images, quarantine),
    *(same_pass, two_passes_at_once, splits, fingerprint, prepare_idempotent, prepare_concurrent),
    *(card_classes, card_counts, card_images),
)
