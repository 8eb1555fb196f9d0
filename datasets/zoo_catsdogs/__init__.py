"""Cats and dogs: 25,000 photographs of Kaggle's Dogs vs. Cats, in any of the forms in which people have them.

Kaggle's `train.zip` or `dogs-vs-cats.zip` (with `train.zip` inside), the folder they unpack to, Microsoft's
`kagglecatsanddogs_5340.zip` or its folder `PetImages`. Nothing is unpacked to disk. Kaggle's `test1.zip`, if it
is there too, gives pictures without a label.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from zoo import DataError, Example, Examples, MissingData, Source, hookimpl
from zoo_catsdogs import unlabelled
from zoo_catsdogs.archives import open_archive, read_member

CLASS_NAMES = ("cat", "dog")
COUNT = 25_000
DOWNLOAD = (
    "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip"
)
DOWNLOAD_BYTES = 824_887_076
DOWNLOAD_SHA256 = "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9"
FOLDER = "catsdogs"
CANDIDATES = (
    "train",
    "PetImages",
    "train.zip",
    "dogs-vs-cats.zip",
    "dogs-vs-cats-redux-kernels-edition.zip",
    "kagglecatsanddogs_5340.zip",
)
NESTED = "train.zip"

_KAGGLE = re.compile(r"(cat|dog)\.(\d{1,9})\.jpe?g", re.IGNORECASE)
_MICROSOFT = re.compile(r"(cat|dog)/(\d{1,9})\.jpe?g", re.IGNORECASE)


@hookimpl
def zoo_examples(source: Source) -> Examples:
    """The photographs, cats first, in the order of their numbers; keys "cat.0.jpg" or "Cat/0.jpg".

    Raises MissingData if they are nowhere to be found, DataError if the archive is damaged or not to be trusted.
    """
    place = _find(source)
    if place.is_dir():
        return _from_folder(place)
    return _from_archive(place)


@hookimpl
def zoo_fetch(cache: Path) -> Path:
    """Download Microsoft's archive (825 MB), where `zoo_examples` looks for it."""
    from zoo.downloads import download

    target = cache / FOLDER / DOWNLOAD.rpartition("/")[2]
    return download(DOWNLOAD, target, sha256=DOWNLOAD_SHA256, size=DOWNLOAD_BYTES)


def _find(source: Source) -> Path:
    """The archive or folder to read: what the user gave, else the first candidate in the roots."""
    tried: list[str] = []
    for place in [source.given] if source.given is not None else [root / FOLDER for root in source.roots]:
        try:
            if place.is_file():
                return place
            if not place.is_dir():
                tried.append(f"{place}: {'a broken link' if place.is_symlink() else 'does not exist'}")
                continue
            found = next((place / name for name in CANDIDATES if (place / name).exists()), None)
        except OSError as error:
            tried.append(f"{place}: {error.strerror}")
            continue
        if found is not None:
            return _descend(found)
        if _in_folder(place):
            return place
        tried.append(f"{place}: {_seen(place)}")
    raise MissingData(_missing(tried, source))


def _descend(found: Path) -> Path:
    # the folder that Microsoft's archive unpacks to may lie in one of its own name
    return found / "PetImages" if (found / "PetImages").is_dir() else found


def _in_folder(folder: Path) -> dict[str, Path]:
    """The photographs of a folder by key: those in it, and those in its folders Cat and Dog."""
    names = _names(folder)
    found = {name: folder / name for name in names if _KAGGLE.fullmatch(name)}
    for kind in names:
        if kind.lower() in CLASS_NAMES and (folder / kind).is_dir():
            keys = (f"{kind}/{name}" for name in _names(folder / kind))
            found.update((key, folder / key) for key in keys if _MICROSOFT.fullmatch(key))
    return found


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError as error:
        raise DataError(f"The folder {folder} of catsdogs can't be read: {error.strerror}") from error


def _from_folder(folder: Path) -> Examples:
    files = _in_folder(folder)
    keys = _ordered(files, str(folder))
    state = hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape"))
    for key in keys:
        try:
            status = files[key].stat()
            state.update(f"{key} {status.st_size} {status.st_mtime_ns}\n".encode())
        except OSError:
            state.update(f"{key} unreadable\n".encode())  # decoding will say why

    def iterate() -> Iterator[Example]:
        return (Example(key, _label(key), None, files[key]) for key in keys)

    pictures = unlabelled.beside(folder)
    return Examples(CLASS_NAMES, iterate, state.hexdigest(), len(keys), _note(len(keys)), folder, pictures)


def _from_archive(path: Path) -> Examples:
    members, nested, pictures = _members(path), None, unlabelled.beside(path)
    if not members:
        names = _names_of(path)
        nested = next((name for name in names if PurePosixPath(name).name == NESTED), None)
        members = _members(path, nested) if nested else {}
        pictures = unlabelled.inside(path, names) or pictures
    keys = _ordered(members, str(path))
    status = path.stat()
    signature = f"{path.absolute()} {status.st_size} {status.st_mtime_ns}"

    def iterate() -> Iterator[Example]:
        with open_archive(path, nested) as archive:
            for key in keys:
                content = read_member(archive, archive.getinfo(members[key]))
                yield Example(key, _label(key), None, content)

    return Examples(CLASS_NAMES, iterate, signature, len(keys), _note(len(keys)), path, pictures)


def _names_of(path: Path, nested: str | None = None) -> list[str]:
    with open_archive(path, nested) as archive:
        return archive.namelist()


def _members(path: Path, nested: str | None = None) -> dict[str, str]:
    """The names of the photographs in an archive by key. Raises DataError if two have the same key."""
    members: dict[str, str] = {}
    for name in _names_of(path, nested):
        key = _key_of(name)
        if key in members:
            raise DataError(f"The archive {path} holds {key} twice: as {members[key]} and as {name}")
        if key:
            members[key] = name
    return members


def _key_of(name: str) -> str:
    """The key of a member: "cat.0.jpg" of "train/cat.0.jpg", "Cat/0.jpg" of "PetImages/Cat/0.jpg", or ""."""
    parts = PurePosixPath(name).parts
    if not parts or name.endswith("/") or parts[0] == "__MACOSX":
        return ""
    if _KAGGLE.fullmatch(parts[-1]):
        return parts[-1]
    key = "/".join(parts[-2:])
    return key if _MICROSOFT.fullmatch(key) else ""


def _ordered(keys: Iterable[str], where: str) -> list[str]:
    """Cats, then dogs, by number. Raises DataError unless there are both."""
    ordered = sorted(keys, key=lambda key: (_label(key), _number(key), key))
    labels = {_label(key) for key in ordered}
    if len(labels) < len(CLASS_NAMES):
        found = f"only {CLASS_NAMES[labels.pop()]}s" if labels else "none"
        raise DataError(
            f"catsdogs needs photographs named cat.0.jpg ... dog.0.jpg ..., or Cat/0.jpg and Dog/0.jpg. "
            f"Received: {where}, which holds {found}"
        )
    return ordered


def _label(key: str) -> int:
    return CLASS_NAMES.index(key[:3].lower())


def _number(key: str) -> int:
    return int(re.split(r"[./]", key)[1])


def _note(count: int) -> str:
    return "" if count == COUNT else f"{count:,} photographs; the whole data set has {COUNT:,}"


def _seen(folder: Path) -> str:
    """What a folder without photographs holds, in words."""
    names = sorted(name for name in _names(folder) if not name.endswith(".lock"))
    if not names:
        return "an empty folder"
    if names == [f"{DOWNLOAD.rpartition('/')[2]}.part"]:
        return "a download that was interrupted; --download goes on with it"
    return f"holds no cats and dogs, but {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"


def _missing(tried: list[str], source: Source) -> str:
    looked = "; ".join(tried)
    if source.given is None and not os.environ.get("ZOO_DATA"):
        looked = f"$ZOO_DATA: not set; {looked}"
    return "\n".join(
        [
            "catsdogs: the photographs of cats and dogs are not on this machine.",
            f"Looked in   {looked}",
            "Get them    zoo data prepare catsdogs --download     (825 MB, from Microsoft, without a login)",
            f"            that fetches {DOWNLOAD}",
            "            or Kaggle's train.zip or dogs-vs-cats.zip: https://www.kaggle.com/competitions/dogs-vs-cats/data",
            f"Put them    anywhere, and say --source FILE; or $ZOO_DATA/{FOLDER}/train.zip",
        ]
    )
