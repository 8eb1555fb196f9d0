"""Files are whole or absent, and a disk that refuses is told in words."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.files import atomic_file, atomic_write, cache_folder, in_words, require_space, sha256_of, writing


def test_atomic_write_makes_folders_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    atomic_write(path, "one")
    atomic_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.txt"]


def test_a_failing_body_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write(path, "old")
    with pytest.raises(TypeError), atomic_file(path) as file:
        file.writelines([b"new", None])
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_in_words() -> None:
    with pytest.raises(ZooError, match=r"out can't be written: the disk is full"), writing(Path("out")):
        Path("/dev/full").write_bytes(b"x")


def test_a_folder_without_permission_is_told_in_words(unprivileged: Path) -> None:
    unprivileged.chmod(0o500)
    with pytest.raises(ZooError, match="permission denied"):
        atomic_write(unprivileged / "file", "x")
    assert list(unprivileged.iterdir()) == []


def test_a_disk_that_fills_up_keeps_the_old_file_and_nothing_else(small_disk: Path) -> None:
    atomic_write(small_disk / "file", "old")
    with pytest.raises(ZooError, match="file can't be written: the disk is full"):
        atomic_write(small_disk / "file", bytes(3_000_000))
    assert [(path.name, path.read_text()) for path in small_disk.iterdir()] == [("file", "old")]
    atomic_write(small_disk / "file", bytes(1_500_000))  # there is room again


def test_a_file_in_place_of_a_folder_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ZooError, match="can't be written"):
        atomic_write(tmp_path / "file" / "inside", "x")


def test_require_space_names_needed_and_free(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "yet", 1, "A thing")
    with pytest.raises(ZooError, match=r"A thing needs 1000\.0 TB in .*, and .* are free"):
        require_space(tmp_path, 10**15, "A thing")


def test_sha256_of(tmp_path: Path) -> None:
    atomic_write(tmp_path / "file", b"abc" * 1_000_000)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


def test_sizes_are_given_in_decimal_units() -> None:
    assert [in_words(n) for n in (0, 999, 11_400_000, 824_887_076, 5 * 10**12)] == [
        "0 bytes",
        "999 bytes",
        "11.4 MB",
        "825 MB",
        "5.0 TB",
    ]


def test_the_cache_is_where_the_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ZOO_CACHE")
    assert cache_folder().name == "image-model-zoo"
