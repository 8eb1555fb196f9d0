"""The cache is made once, whole or not at all, whoever asks and whatever the images are like."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo.data.cache import Cache, Form, open_cache
from zoo.data.images import load
from zoo.errors import DataError, PluginError, ZooError
from zoo.types import Example, Examples

FORM = Form(8, 8, 3, "stretch", "area")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def some(count: int = 100, signature: str = "1", **contents: bytes | Path) -> Examples:
    """Examples 0.jpg ... of two classes; keywords replace contents: k3=b"" spoils 3.jpg."""

    def iterate() -> Iterator[Example]:
        for index in range(count):
            part = "test" if index % 10 == 9 else "train"
            yield Example(f"{index}.jpg", index % 2, part, contents.get(f"k{index}", jpeg(index)))

    return Examples(("even", "odd"), iterate, signature, count)


def test_the_cache_holds_what_load_gives() -> None:
    cache = open_cache(some(), "some", FORM)
    expected = [load(jpeg(index), 8, 8, 3, "stretch", "area") for index in range(100)]
    np.testing.assert_array_equal(cache.images, expected)
    assert isinstance(cache.images, np.memmap)
    assert not cache.images.flags.writeable
    assert cache.keys[:2] == ("0.jpg", "1.jpg")
    assert cache.labels.tolist() == [index % 2 for index in range(100)]
    assert np.flatnonzero(cache.published("test")).tolist() == list(range(9, 100, 10))
    assert cache.raw.least == cache.raw.greatest == (12, 16)


def test_a_second_opening_reads_no_image() -> None:
    first = open_cache(some(), "some", FORM)

    def never() -> Iterator[Example]:
        raise AssertionError

    second = open_cache(Examples(("even", "odd"), never, "1", 100), "some", FORM)
    np.testing.assert_array_equal(first.images, second.images)
    assert same_index(first, second)


def same_index(one: Cache, other: Cache) -> bool:
    arrays = ("labels", "parts", "digests")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays) and (
        (one.keys, one.quarantine, one.fingerprint, one.raw)
        == (other.keys, other.quarantine, other.fingerprint, other.raw)
    )


def test_another_signature_form_or_name_is_another_cache(folder: Path) -> None:
    open_cache(some(), "some", FORM)
    open_cache(some(signature="2"), "some", FORM)
    open_cache(some(), "some", Form(8, 8, 1, "stretch", "area"))
    open_cache(some(), "some", Form(8, 8, 3, "crop", "area"))
    open_cache(some(), "../other/some", FORM)
    assert len([entry for entry in folder.iterdir() if entry.is_dir()]) == 5


def test_the_fingerprint_is_of_contents_not_of_places(tmp_path: Path) -> None:
    here = open_cache(some(), "some", FORM).fingerprint
    (tmp_path / "x.jpg").write_bytes(jpeg(3))
    there = open_cache(some(signature="2", k3=tmp_path / "x.jpg"), "some", FORM).fingerprint
    changed = open_cache(some(signature="3", k3=jpeg(4)), "some", FORM).fingerprint
    assert here == there != changed
    assert open_cache(some(), "some", Form(4, 4, 1, "crop", "linear")).fingerprint == here


def test_bad_images_are_quarantined_by_name_with_the_reason(tmp_path: Path) -> None:
    cache = open_cache(some(k3=b"", k70=jpeg(70)[:300], k99=tmp_path / "gone.jpg"), "some", FORM)
    assert [key for key, _ in cache.quarantine] == ["3.jpg", "70.jpg", "99.jpg"]
    for (_, reason), word in zip(cache.quarantine, ("empty", "truncated JPEG", "no such file"), strict=True):
        assert word in reason
    assert len(cache.images) == len(cache.keys) == 97
    assert "3.jpg" not in cache.keys
    row = cache.keys.index("98.jpg")
    np.testing.assert_array_equal(cache.images[row], load(jpeg(98), 8, 8, 3, "stretch", "area"))
    assert same_index(cache, open_cache(some(), "some", FORM))


def test_too_many_bad_images_are_an_error_that_leaves_nothing(folder: Path) -> None:
    bad = {f"k{index}": b"<html>" for index in range(51)}
    with pytest.raises(DataError, match=r"51 of 100 images can't be decoded.*0\.jpg: an HTML page"):
        open_cache(some(**bad), "some", FORM)
    assert not [entry for entry in folder.iterdir() if entry.is_dir()]


@pytest.mark.parametrize(
    ("example", "match"),
    [
        (Example("0.jpg", 0, None, b""), "unique"),
        (Example("", 0, None, b""), "unique"),
        (Example("x", 2, None, b""), "label 2; there are 2 classes"),
        (Example("x", 0, "holdout", b""), "part must be"),  # type: ignore[arg-type]
    ],
)
def test_a_data_set_that_breaks_its_contract_is_named(example: Example, match: str) -> None:
    def iterate() -> Iterator[Example]:
        yield Example("0.jpg", 0, None, jpeg(0))
        yield example

    with pytest.raises(PluginError, match=match):
        open_cache(Examples(("a", "b"), iterate, "1", 2), "some", FORM)


@pytest.mark.parametrize("promised", [99, 101])
def test_a_wrong_count_is_refused(promised: int) -> None:
    examples = some()
    with pytest.raises(PluginError, match=f"promised {promised} examples"):
        open_cache(Examples(examples.class_names, examples.iterate, "1", promised), "some", FORM)


def test_a_source_that_vanishes_is_a_data_error() -> None:
    def iterate() -> Iterator[Example]:
        yield Example("0.jpg", 0, None, jpeg(0))
        Path("/no/such/archive.zip").read_bytes()

    with pytest.raises(DataError, match=r"can't be read: /no/such/archive\.zip"):
        open_cache(Examples(("a", "b"), iterate, "1", 2), "some", FORM)


def test_a_damaged_cache_is_made_anew(folder: Path) -> None:
    whole = np.array(open_cache(some(), "some", FORM).images)
    (place,) = [entry for entry in folder.iterdir() if entry.is_dir()]
    for name in ("images.npy", "index.npz", "index.json"):
        content = (place / name).read_bytes()
        for broken in (content[: len(content) // 2], b"", None):
            (place / name).unlink()
            if broken is not None:
                (place / name).write_bytes(broken)
            np.testing.assert_array_equal(open_cache(some(), "some", FORM).images, whole)


def test_no_pickle_is_loaded(folder: Path) -> None:
    open_cache(some(), "some", FORM)
    (place,) = [entry for entry in folder.iterdir() if entry.is_dir()]
    np.save(place / "images.npy", np.array([{}], object), allow_pickle=True)
    assert open_cache(some(), "some", FORM).images.dtype == np.uint8


def test_odd_keys_survive() -> None:
    keys = ["new\nline", os.fsdecode(b"\xff\xfe.jpg"), "Kätzchen", "trailing "]
    examples = Examples(("a",), lambda: (Example(key, 0, None, jpeg(i)) for i, key in enumerate(keys)), "1", len(keys))
    open_cache(examples, "some", FORM)
    assert list(open_cache(examples, "some", FORM).keys) == keys


def test_a_full_disk_is_told_before_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(ZooError, match=r"The cache of decoded images needs .* and 0 bytes are free"):
        open_cache(some(), "some", FORM)
    assert not [entry for entry in folder.iterdir() if entry.is_dir()]


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, small_disk: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(small_disk))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 0, 10**9))
    large = Form(100, 100, 3, "stretch", "area")
    with pytest.raises(ZooError, match=r"images\.npy can't be written: the disk is full"):
        open_cache(some(), "some", large)
    assert [path.name for path in (small_disk / "images").iterdir() if not path.name.endswith(".lock")] == []
    assert len(open_cache(some(), "some", FORM).images) == 100  # there is room again


def test_a_folder_that_must_not_be_written_is_told(monkeypatch: pytest.MonkeyPatch, unprivileged: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(unprivileged / "cache"))
    open_cache(some(), "some", FORM)
    (unprivileged / "cache" / "images").chmod(0o500)
    assert len(open_cache(some(), "some", FORM).images) == 100  # what is there can be used
    with pytest.raises(ZooError, match="can't be written: permission denied"):
        open_cache(some(signature="2"), "some", FORM)
    (unprivileged / "cache" / "images").chmod(0o700)
    unprivileged.chmod(0o500)
    monkeypatch.setenv("ZOO_CACHE", str(unprivileged / "other"))
    with pytest.raises(ZooError, match="can't be written: permission denied"):
        open_cache(some(), "some", FORM)
    unprivileged.chmod(0o700)


def test_a_file_that_vanishes_while_it_is_read_is_quarantined(tmp_path: Path) -> None:
    path = tmp_path / "brief.jpg"
    path.write_bytes(jpeg(50))
    examples = some(k50=path)

    def iterate() -> Iterator[Example]:
        for example in examples.iterate():
            if example.key == "40.jpg":
                path.unlink()
            yield example

    cache = open_cache(Examples(examples.class_names, iterate, "1", 100), "some", FORM)
    assert cache.quarantine == (("50.jpg", "no such file"),)


def test_a_file_that_could_not_be_read_is_looked_at_again_the_next_time(
    monkeypatch: pytest.MonkeyPatch, unprivileged: Path
) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(unprivileged / "cache"))
    path = unprivileged / "private.jpg"
    path.write_bytes(jpeg(50))
    path.chmod(0)
    assert open_cache(some(k50=path), "some", FORM).quarantine == (("50.jpg", "unreadable: Permission denied"),)
    path.chmod(0o600)
    assert open_cache(some(k50=path), "some", FORM).quarantine == ()


def test_progress_counts_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    open_cache(some(), "some", FORM, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (100, 100)
    assert seen == sorted(seen)


PROGRAM = """
import json, sys, time
import numpy as np
from zoo.data.cache import Form, open_cache
from zoo.types import Example, Examples

def iterate():
    print("begun", flush=True)
    for index in range(400):
        time.sleep(0.002)
        yield Example(str(index), 0, None, np.full((6, 6), index % 256, np.uint8))

cache = open_cache(Examples(("a",), iterate, "1", 400), "slow", Form(8, 8, 1, "stretch", "area"))
print(json.dumps([len(cache.images), int(cache.images[399, 0, 0, 0]), cache.fingerprint]), flush=True)
"""


def start() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)


def test_two_processes_make_one_cache() -> None:
    outputs = [process.communicate(timeout=60)[0].split("\n", 1) for process in (start(), start())]
    begun = [lines for lines in outputs if lines[0] == "begun"]
    assert len(begun) == 1
    results = {lines[1].strip() if lines[0] == "begun" else lines[0] for lines in outputs}
    assert len(results) == 1
    assert json.loads(results.pop())[:2] == [400, 399 % 256]


def test_a_killed_process_leaves_nothing_torn(folder: Path) -> None:
    for delay in (0.0, 0.2, 0.5):
        process = start()
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    output, _ = start().communicate(timeout=60)
    assert json.loads(output.split("\n")[1])[0] == 400
    assert [entry.name for entry in folder.iterdir() if entry.name.startswith(".")] == []
