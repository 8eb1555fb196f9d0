"""Cards: the listing facts that a plugin keeps in `zoo.toml`, in its top-level package.

A card is read without importing the plugin. One table per public name, under `architectures` or `datasets`::

    api = 1

    [architectures.my-net]
    summary = "One line for the listing"
    paper = "Author et al. (2014), arXiv:1409.1556"
    parameters = 138357544
    channels = [1, 3]
    size = 224
    min_size = 32
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zoo.errors import PluginError, nearest
from zoo.stored import LARGEST

API = 1
CARD_FILE = "zoo.toml"
Kind = Literal["architecture", "dataset", "plugin"]
CHANNELS: dict[Kind, tuple[int, ...]] = {"architecture": (1, 3), "dataset": (3,), "plugin": ()}
PREPARATIONS = ("digit",)
TABLES: dict[Kind, str] = {"architecture": "architectures", "dataset": "datasets", "plugin": "plugins"}


@dataclass(frozen=True)
class Card:
    """Listing facts of one plugin; every field is optional (`channels` then is 1 or 3 for an architecture, 3 for
    a data set).

    Architectures: `parameters` is the count at `size` pixels, `channels[0]` channels and `classes` classes, and
    `multiply_adds` those of one image (`zoo build NAME --json` prints both);
    `channels` are the numbers of input channels that it takes, `min_size` the least height and width;
    `options` maps each option of `Spec.options` to its default. `weights` names the published weights that it can
    begin with ("imagenet"), and "path" if it takes files, each with the options that such weights need.
    Data sets: `images` is the count of images, `test_images` of which are a published test part,
    `class_names` their classes, `size` the native size in pixels if there is one, `channels` what the
    images have, `prepare` what is done to a reader's picture before prediction ("digit": see `zoo.prediction.digits`),
    `built_in` whether they are inside the package, `download` the size of the download in bytes.
    """

    summary: str = ""
    paper: str = ""
    parameters: int | None = None
    multiply_adds: int | None = None
    classes: int | None = None
    channels: tuple[int, ...] = ()
    size: int | None = None
    min_size: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: int | None = None
    test_images: int = 0
    prepare: str = ""
    class_names: tuple[str, ...] = ()
    built_in: bool = False
    download: int | None = None
    licence: str = ""
    homepage: str = ""


_TYPES: dict[str, Any] = {
    "summary": str,
    "paper": str,
    "parameters": int,
    "multiply_adds": int,
    "classes": int,
    "channels": list,
    "size": int,
    "min_size": int,
    "options": dict,
    "weights": dict,
    "images": int,
    "test_images": int,
    "prepare": str,
    "class_names": list,
    "built_in": bool,
    "download": int,
    "licence": str,
    "homepage": str,
}


@dataclass(frozen=True)
class CardFile:
    """A whole `zoo.toml`: its path, the API version that it was written for, and its tables."""

    path: Path
    api: int
    tables: dict[str, Any]

    def card(self, kind: Kind, name: str) -> Card | None:
        """Return the card of `name`, or None if the file has none. Raises PluginError for an invalid one."""
        table = self.tables.get(TABLES[kind], {}).get(name)
        return None if table is None else _card(kind, table, f"{self.path.name}, [{TABLES[kind]}.{name}]")


def read_card_file(folder: Path) -> CardFile | None:
    """Read the card file of the package in `folder`; None if there is none.

    Raises PluginError if it is not valid TOML, or its top level is not as documented.
    """
    path = folder / CARD_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        tables = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise PluginError(f"its card {CARD_FILE} is not valid TOML: {error}") from error
    api = tables.pop("api", API)
    if not isinstance(api, int) or isinstance(api, bool):
        raise PluginError(f"its card's `api` must be an integer. Received: {api!r}")
    for name, table in tables.items():
        if name not in TABLES.values():
            raise PluginError(f"its card has an unknown table [{name}]. Known: {', '.join(TABLES.values())}")
        if not isinstance(table, dict) or not all(isinstance(card, dict) for card in table.values()):
            raise PluginError(f"its card's [{name}] must hold one table per public name")
    return CardFile(path, api, tables)


def _card(kind: Kind, table: dict[str, Any], where: str) -> Card:
    for key, value in table.items():
        if key not in _TYPES:
            raise PluginError(f"{where}: unknown key {key!r}. {nearest(key, _TYPES)}Known: {', '.join(_TYPES)}")
        if wrong := _wrong(key, value):
            raise PluginError(f"{where}: {key} {wrong}. Received: {value!r}")
    values: dict[str, Any] = {"channels": CHANNELS[kind]}
    for key, value in table.items():
        values[key] = tuple(value) if isinstance(value, list) else value
    return Card(**values)


def _wrong(key: str, value: Any) -> str:
    """What is wrong with a fact, in words, or ""."""
    if not isinstance(value, _TYPES[key]) or isinstance(value, bool) is not (_TYPES[key] is bool):
        return "has the wrong type"
    if _TYPES[key] is int and value < (1 if key in ("size", "min_size", "classes") else 0):
        return "is too small"
    if isinstance(value, int) and value > LARGEST:
        return "is too large"
    if key == "channels" and (not value or not all(number in (1, 3) for number in value)):
        return "must be a list of 1, 3 or both"
    if key == "prepare" and value not in PREPARATIONS:
        return f"must be one of {', '.join(map(repr, PREPARATIONS))}"
    if key == "weights" and not all(isinstance(options, dict) for options in value.values()):
        return "must hold one table of options per name"
    if key == "class_names" and not all(isinstance(name, str) for name in value):
        return "must be a list of strings"
    return ""
