"""Cats and dogs are read from every form in which people have them; archives are not trusted."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import zoo_catsdogs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zoo_catsdogs import archives

from zoo import DataError, Examples, Source
from zoo.cards import read_card_file
from zoo.data.images import load
from zoo.data.loading import find_source, prepare
from zoo.data.splits import split_rows
from zoo.progress import Reporter
from zoo.recipes import Recipe
from zoo.runs import kept, receipt
from zoo.runs.directory import Run
from zoo.runs.pipeline import Prepared, resume
from zoo.runs.request import Request

NUMBERS = (0, 1, 2, 10, 11)


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (20, 24, 3), np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


PHOTOS = {f"{kind}.{n}.jpg": jpeg(n + 100 * i) for i, kind in enumerate(("cat", "dog")) for n in NUMBERS}
ORDER = [f"{kind}.{n}.jpg" for kind in ("cat", "dog") for n in NUMBERS]


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names
        # not in the order in which they are read
        for name, content in sorted(files.items(), reverse=True):
            # without a date the bytes are the same each time
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def kaggle_zip(path: Path) -> Path:
    path.write_bytes(zipped({"train/": b"", **{f"train/{name}": data for name, data in PHOTOS.items()}}))
    return path


def nested_zip(path: Path, method: int) -> Path:
    inner = zipped({f"train/{name}": data for name, data in PHOTOS.items()})
    path.write_bytes(zipped({"train.zip": inner, "test1.zip": b"PK", "sampleSubmission.csv": b"id"}, method))
    return path


def flat_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    for name, content in PHOTOS.items():
        (path / name).write_bytes(content)
    (path / "notes.txt").touch()
    return path


def microsoft(name: str) -> str:
    kind, number, _ = name.split(".")
    return f"PetImages/{kind.title()}/{number}.jpg"


def microsoft_folder(path: Path) -> Path:
    for name, content in PHOTOS.items():
        target = path / microsoft(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (path / "PetImages" / "Cat" / "Thumbs.db").touch()
    return path


def microsoft_zip(path: Path) -> Path:
    files = {microsoft(name): content for name, content in PHOTOS.items()}
    path.write_bytes(zipped({**files, "readme[1].txt": b"", "PetImages/Cat/Thumbs.db": b""}, zipfile.ZIP_DEFLATED))
    return path


FORMS: dict[str, Callable[[Path], Path]] = {
    "Kaggle's train.zip": lambda tmp: kaggle_zip(tmp / "anything.zip"),
    "Kaggle's outer zip, stored": lambda tmp: nested_zip(tmp / "dogs-vs-cats.zip", zipfile.ZIP_STORED),
    "Kaggle's outer zip, deflated": lambda tmp: nested_zip(tmp / "dogs-vs-cats.zip", zipfile.ZIP_DEFLATED),
    "the folder train itself": lambda tmp: flat_folder(tmp / "train"),
    "the folder with train inside": lambda tmp: flat_folder(tmp / "data" / "train").parent,
    "a folder that holds train.zip": lambda tmp: kaggle_zip(tmp / "train.zip").parent,
    "Microsoft's zip": lambda tmp: microsoft_zip(tmp / "kagglecatsanddogs_5340.zip"),
    "Microsoft's folder": lambda tmp: microsoft_folder(tmp / "pets"),
    "PetImages itself": lambda tmp: microsoft_folder(tmp / "pets") / "PetImages",
}


def given_source(path: Path) -> Examples:
    return zoo_catsdogs.zoo_examples(Source(path, ()))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_photographs_in_the_same_order(form: str, tmp_path: Path) -> None:
    examples = given_source(FORMS[form](tmp_path))
    found = list(examples.iterate())
    assert examples.class_names == ("cat", "dog")
    assert examples.count == len(found) == 10
    contents = [e.image.read_bytes() if isinstance(e.image, Path) else e.image for e in found]
    assert contents == [PHOTOS[name] for name in ORDER]
    assert [e.label for e in found] == [0] * 5 + [1] * 5
    assert {e.part for e in found} == {None}
    wanted = [microsoft(name).removeprefix("PetImages/") for name in ORDER] if "M" in form or "Pet" in form else ORDER
    assert [e.key for e in found] == wanted
    assert [e.key for e in examples.iterate()] == wanted


def test_zip_and_folder_have_the_same_fingerprint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    recipe = Recipe(image_size=8, split="hash", validation=2, test=2)
    places = (kaggle_zip(tmp_path / "train.zip"), flat_folder(tmp_path / "train"))
    one, other = (prepare(given_source(place), "catsdogs", recipe, 3) for place in places)
    assert one.fingerprint == other.fingerprint
    assert one.split_hash == other.split_hash
    assert one.notes[0] == "10 photographs; the whole data set has 25,000"


def test_the_signature_changes_with_the_source(tmp_path: Path) -> None:
    folder = flat_folder(tmp_path / "train")
    before = given_source(folder).signature
    assert given_source(folder).signature == before
    (folder / "cat.0.jpg").write_bytes(jpeg(5) + b"\0")
    assert given_source(folder).signature != before


def test_bad_photographs_are_quarantined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    folder = flat_folder(tmp_path / "train")
    (folder / "cat.1.jpg").write_bytes(b"")
    (folder / "dog.3.jpg").symlink_to("gone")
    (folder / "dog.4.jpg").mkdir()
    data = prepare(given_source(folder), "catsdogs", Recipe(image_size=8, split="hash"), 3)
    assert data.quarantine == (
        ("cat.1.jpg", "empty"),
        ("dog.3.jpg", "a link to a file that is missing"),
        ("dog.4.jpg", "a folder"),
    )


def test_microsofts_two_bad_files_are_left_out_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    bad = {"PetImages/Cat/666.jpg": b"", "PetImages/Dog/11702.jpg": b""}
    files = {microsoft(name): content for name, content in PHOTOS.items()}
    (tmp_path / "pets.zip").write_bytes(zipped({**files, **bad}))
    recipe = Recipe(image_size=8, split="hash", validation=2, test=2)
    data = prepare(given_source(tmp_path / "pets.zip"), "catsdogs", recipe, 3)
    assert data.quarantine == (("Cat/666.jpg", "empty"), ("Dog/11702.jpg", "empty"))
    assert [len(part) for part in data.parts.values()] == [6, 2, 2]
    assert "2 images were left out: Cat/666.jpg (empty), Dog/11702.jpg (empty)" in data.notes


def test_the_split_of_microsofts_archive() -> None:
    digests = np.random.default_rng(0).integers(0, 256, (25_000 - 2, 32), np.uint8)
    rows = split_rows("hash", 0, 2_500, 2_500, np.zeros(len(digests), bool), digests)
    assert [len(part) for part in (rows.train, rows.validation, rows.test)] == [19_998, 2_500, 2_500]


def test_a_run_does_not_go_on_with_other_photographs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    folder = flat_folder(tmp_path / "train")
    prepared = Prepared(Request("fc-keras", "catsdogs", source=folder))
    data = prepared.data(Reporter(quiet=True))
    run = Run(tmp_path / "run")
    run.write(receipt.make(prepared, data, datetime.now(UTC), {"intra": 1, "inter": 1}, ["CPU:0"]))
    run.checkpoints.mkdir()
    kept.keep(run, folder, None)
    (folder / "cat.0.jpg").write_bytes(jpeg(77))
    with pytest.raises(
        DataError, match=r"\d+ images now, \d+ then; some are others\. Put them back and resume, or begin"
    ):
        resume(run, Reporter(quiet=True))
    shutil.rmtree(folder)
    with pytest.raises(DataError, match="train: does not exist"):
        resume(run, Reporter(quiet=True))
    assert run.status == "training"  # it can go on once they are back


# without labels -------------------------------------------------------------------------------------------


TEST_PICTURES = {f"{number}.jpg": jpeg(1_000 + number) for number in (1, 2, 3, 10, 12)}


def pictures_folder(place: Path, name: str = "test1") -> None:
    (place / name).mkdir()
    for key, content in TEST_PICTURES.items():
        (place / name / key).write_bytes(content)


def pictures_zip(name: str = "test1") -> bytes:
    return zipped({f"{name}/": b"", **{f"{name}/{key}": content for key, content in TEST_PICTURES.items()}})


def with_test_pictures(form: str, tmp: Path) -> Path:
    """Kaggle's files in one of the forms in which people have them, as --source."""
    if form.startswith("nested"):
        method = zipfile.ZIP_DEFLATED if "deflated" in form else zipfile.ZIP_STORED
        inner = {"train.zip": kaggle_zip(tmp / "t.zip").read_bytes(), "test1.zip": pictures_zip()}
        (tmp / "dogs-vs-cats.zip").write_bytes(zipped(inner, method))
        return tmp / "dogs-vs-cats.zip"
    if form == "zips side by side":
        (tmp / "test1.zip").write_bytes(pictures_zip())
        return kaggle_zip(tmp / "train.zip")
    if form == "the Redux edition's zips":
        (tmp / "test.zip").write_bytes(pictures_zip("test"))
        return kaggle_zip(tmp / "train.zip")
    pictures_folder(tmp)
    return kaggle_zip(tmp / "train.zip") if "zip and" in form else flat_folder(tmp / "train")


@pytest.mark.parametrize(
    "form",
    [
        "nested",
        "nested, deflated",
        "zips side by side",
        "the Redux edition's zips",
        "a zip and a folder",
        "two folders",
    ],
)
def test_kaggles_test_pictures_come_without_labels(form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    examples = given_source(with_test_pictures(form, tmp_path))
    assert examples.count == 10
    assert examples.unlabelled is not None
    found = [(key, image.read_bytes() if isinstance(image, Path) else image) for key, image in examples.unlabelled()]
    assert found == list(TEST_PICTURES.items())
    data = prepare(examples, "catsdogs", Recipe(image_size=8, split="hash", validation=2, test=2), 3)
    assert data.unlabelled is not None
    images, keys = data.unlabelled(3)
    assert keys == ["1.jpg", "2.jpg", "3.jpg"]
    np.testing.assert_array_equal(images, [load(TEST_PICTURES[key], 8, 8, 3, "stretch", "area") for key in keys])
    assert len(data.unlabelled(100)[1]) == 5
    assert sum(map(len, data.parts.values())) == 10


def test_a_bad_picture_without_a_label_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    folder = with_test_pictures("two folders", tmp_path)
    (tmp_path / "test1" / "2.jpg").write_bytes(b"<html>")
    data = prepare(given_source(folder), "catsdogs", Recipe(image_size=8, split="hash"), 3)
    assert data.unlabelled is not None
    assert data.unlabelled(2)[1] == ["1.jpg", "3.jpg"]


@pytest.mark.parametrize("form", FORMS)
def test_without_test_pictures_there_are_none(form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    examples = given_source(FORMS[form](tmp_path))
    assert (examples.unlabelled is None) == ("outer zip" not in form)  # those have a test1.zip, a broken one
    assert prepare(examples, "catsdogs", Recipe(image_size=8, split="hash"), 3).parts["training"]


# missing --------------------------------------------------------------------------------------------------


def test_missing_data_are_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_DATA", raising=False)
    with pytest.raises(DataError) as caught:
        zoo_catsdogs.zoo_examples(find_source(None))
    message = str(caught.value)
    for part in (
        "$ZOO_DATA: not set",
        f"{tmp_path}/cache/data/catsdogs: does not exist",
        "zoo data prepare catsdogs --download     (825 MB",
        "kagglecatsanddogs_5340.zip",
        "--source FILE",
        "$ZOO_DATA/catsdogs/train.zip",
    ):
        assert part in message


def test_it_says_what_it_found_instead(tmp_path: Path) -> None:
    (tmp_path / "catsdogs").mkdir()
    source = Source(None, (tmp_path,))
    with pytest.raises(DataError, match="catsdogs: an empty folder"):
        zoo_catsdogs.zoo_examples(source)
    for name in ("a.txt", "b", "c", "d"):
        (tmp_path / "catsdogs" / name).touch()
    with pytest.raises(DataError, match=r"holds no cats and dogs, but a\.txt, b, c, \.\.\."):
        zoo_catsdogs.zoo_examples(source)


def test_a_given_source_is_never_replaced_by_another(tmp_path: Path) -> None:
    (tmp_path / "catsdogs").mkdir()
    kaggle_zip(tmp_path / "catsdogs" / "train.zip")
    assert zoo_catsdogs.zoo_examples(Source(None, (tmp_path,))).count == 10
    with pytest.raises(DataError, match=r"gone\.zip: does not exist"):
        zoo_catsdogs.zoo_examples(Source(tmp_path / "gone.zip", (tmp_path,)))


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cat.0.jpg").write_bytes(jpeg(0))
    with pytest.raises(DataError, match="which holds only cats"):
        given_source(tmp_path)


def test_the_answer_imports_no_framework(tmp_path: Path) -> None:
    program = """
import sys
from zoo.data.loading import find_source
import zoo_catsdogs
try:
    zoo_catsdogs.zoo_examples(find_source(None))
except Exception as error:
    print(type(error).__name__, sorted({"numpy", "cv2", "tensorflow", "keras"} & set(sys.modules)))
"""
    environment = {**os.environ, "ZOO_CACHE": str(tmp_path), "ZOO_DATA": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout == "MissingData []\n"


# archives -------------------------------------------------------------------------------------------------


def with_member(path: Path, name: str, content: bytes = b"x", **attributes: int) -> Path:
    """A good archive with one more member."""
    kaggle_zip(path)
    member = zipfile.ZipInfo(name)
    for key, value in attributes.items():
        setattr(member, key, value)
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(member, content)
    return path


@pytest.mark.parametrize(
    ("name", "attributes", "match"),
    [
        ("../../evil.jpg", {}, "climbs out"),
        ("train/../../evil.jpg", {}, "climbs out"),
        ("..\\evil.jpg", {}, "climbs out"),
        ("/etc/passwd", {}, "absolute"),
        ("C:\\evil.jpg", {}, "absolute"),
        ("C:evil.jpg", {}, "absolute"),
        ("\\\\host\\share\\evil.jpg", {}, "absolute"),
        ("train/cat.7.jpg", {"external_attr": 0o120777 << 16}, "is a link"),
        ("train/cat.0.jpg", {}, "is in it twice"),
        ("train/cat.7.jpg", {"compress_type": zipfile.ZIP_LZMA}, "compressed by method 14"),
    ],
)
def test_hostile_members_are_refused(tmp_path: Path, name: str, attributes: dict[str, int], match: str) -> None:
    with pytest.raises(DataError, match=rf"bad\.zip is refused: .*{match}"):
        given_source(with_member(tmp_path / "bad.zip", name, **attributes))


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(kaggle_zip(tmp_path / "bad.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(DataError, match="is encrypted"):
        given_source(tmp_path / "bad.zip")


def test_the_same_photograph_in_two_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds cat\.0\.jpg twice"):
        given_source(with_member(tmp_path / "bad.zip", "copy/cat.0.jpg"))


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deflated = {"compress_type": zipfile.ZIP_DEFLATED}
    zeros = b"\0" * 50_000_000
    with pytest.raises(DataError, match="a bomb"):
        given_source(with_member(tmp_path / "a.zip", "train/cat.7.jpg", zeros, **deflated))
    with pytest.raises(DataError, match=r"is 70,000,000 bytes large; the limit is 64,000,000"):
        given_source(with_member(tmp_path / "b.zip", "train/cat.7.jpg", b"\0" * 70_000_000, **deflated))
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1_000)
    with pytest.raises(DataError, match="the limits are"):
        given_source(kaggle_zip(tmp_path / "c.zip"))
    monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
    with pytest.raises(DataError, match="members of"):
        given_source(kaggle_zip(tmp_path / "d.zip"))


def test_a_bomb_in_an_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    inner = zipped({"train/cat.0.jpg": b"\0" * 30_000_000, "train/dog.0.jpg": b"x"})
    (tmp_path / "outer.zip").write_bytes(zipped({"train.zip": inner}, zipfile.ZIP_DEFLATED))
    with pytest.raises(DataError, match=r"its member 'train\.zip' is compressed 20-fold or more: a bomb"):
        given_source(tmp_path / "outer.zip")


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    content = zipped({f"train/cat.{n}.jpg": bytes(1_000) for n in range(3)} | {"train/dog.0.jpg": b"x"})
    directory = content.index(b"PK\x01\x02")
    entries = content[directory:]
    # every entry of the directory leads to the first member
    while (at := entries.find(b"PK\x01\x02")) >= 0:
        entries = entries[:at] + b"XX" + entries[at + 2 : at + 42] + bytes(4) + entries[at + 46 :]
    entries = entries.replace(b"XX\x01\x02", b"PK\x01\x02")
    small = content[:1_500] + entries
    end = small.rindex(b"PK\x05\x06")
    (tmp_path / "bad.zip").write_bytes(small[: end + 16] + (1_500).to_bytes(4, "little") + small[end + 20 :])
    with pytest.raises(DataError, match=r"bad\.zip is refused: its members overlap"):
        given_source(tmp_path / "bad.zip")


def test_nothing_is_written_outside_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A nested archive that is compressed is copied, into the cache and without a name."""
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere"
    source.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere / "unwritable"))
    monkeypatch.chdir(elsewhere)
    place = nested_zip(source / "dogs-vs-cats.zip", zipfile.ZIP_DEFLATED)
    prepare(given_source(place), "catsdogs", Recipe(image_size=8, split="hash"), 3)
    assert list(elsewhere.iterdir()) == []
    assert list(source.iterdir()) == [place]
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"images"}


def test_a_hostile_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    inner = with_member(tmp_path / "inner.zip", "../evil").read_bytes()
    (tmp_path / "outer.zip").write_bytes(zipped({"train.zip": inner}))
    with pytest.raises(DataError, match=r"outer\.zip, train\.zip is refused: .*climbs out"):
        given_source(tmp_path / "outer.zip")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_archive_is_a_clear_error(tmp_path: Path, share: float) -> None:
    content = kaggle_zip(tmp_path / "train.zip").read_bytes()
    (tmp_path / "train.zip").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"train\.zip can't be read: .*fetch it again"):
        given_source(tmp_path / "train.zip")


def test_a_wrong_checksum_names_the_member(tmp_path: Path) -> None:
    content = bytearray(kaggle_zip(tmp_path / "train.zip").read_bytes())
    content[content.index(PHOTOS["cat.10.jpg"]) + 200] ^= 0xFF
    (tmp_path / "train.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"damaged at 'train/cat\.10\.jpg'"):
        list(given_source(tmp_path / "train.zip").iterate())


def test_an_archive_without_cats_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(zipped({"train/bird.0.jpg": b"x", "__MACOSX/train/cat.0.jpg": b"x"}))
    with pytest.raises(DataError, match="which holds none"):
        given_source(tmp_path / "x.zip")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["flat", "nested", "deflated"]), st.data())
def test_mutated_archives_are_read_or_refused(tmp_path: Path, form: str, data: st.DataObject) -> None:
    small = {name: b"\xff\xd8\xff" + name.encode() for name in ("cat.0.jpg", "dog.0.jpg")}
    content = zipped(small)
    if form != "flat":
        content = zipped({"train.zip": content}, zipfile.ZIP_DEFLATED if form == "deflated" else zipfile.ZIP_STORED)
    mutated = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutated.zip"
    path.write_bytes(mutated)
    with suppress(DataError):
        list(given_source(path).iterate())


def test_the_card_agrees_with_the_data() -> None:
    card_file = read_card_file(Path(zoo_catsdogs.__file__).parent)
    assert card_file is not None
    card = card_file.card("dataset", "catsdogs")
    assert card is not None
    assert (card.images, card.class_names) == (zoo_catsdogs.COUNT, zoo_catsdogs.CLASS_NAMES)
    assert card.channels == (3,)
    assert card.download == zoo_catsdogs.DOWNLOAD_BYTES


# the real photographs -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Examples:
    place = Path(os.environ.get("ZOO_DATA", "/nowhere")) / "catsdogs"
    if not place.is_dir():
        pytest.skip("THE REAL CATS AND DOGS ARE NOT TESTED: set ZOO_DATA to a folder with catsdogs/train.zip")
    return zoo_catsdogs.zoo_examples(find_source(None))


def test_the_real_photographs_split_without_leaks(
    real: Examples, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    recipe = Recipe(image_size=32, split="hash", validation=2_500, test=2_500)
    data = prepare(real, "catsdogs", recipe, 3)
    assert real.count == 25_000
    assert data.quarantine == ()
    parts = (data.train, data.validation, data.test)
    assert [len(part) for part in parts] == [20_000, 2_500, 2_500]
    where = {key: part for part in parts for key in part.keys}
    contents: dict[int, list[str]] = {}
    for example in real.iterate():
        contents.setdefault(hash(example.image), []).append(example.key)
    duplicates = [keys for keys in contents.values() if len(keys) > 1]
    assert len(duplicates) >= 1
    assert all(len({id(where[key]) for key in keys}) == 1 for keys in duplicates)
    again = prepare(real, "catsdogs", recipe, 3)
    assert (again.fingerprint, again.split_hash) == (data.fingerprint, data.split_hash)
    book = prepare(real, "catsdogs", Recipe(image_size=32, split="shuffle", validation=5_000), 3)
    assert [len(part) for part in (book.train, book.validation, book.test)] == [20_000, 5_000, 0]
