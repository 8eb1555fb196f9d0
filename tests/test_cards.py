"""A card is checked when it is read: a plugin's author learns what is wrong, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.cards import Card, read_card_file
from zoo.errors import PluginError

FULL = """
api = 1

[architectures.net]
summary = "A net"
paper = "Someone (2014)"
parameters = 1000
classes = 10
channels = [3, 1]
size = 64
min_size = 32
licence = "MIT"
homepage = "https://example.org"

[architectures.net.options]
width = 1.0
bias = true

[architectures.net.weights]
imagenet = { bias = false }
path = {}

[datasets.photos]
summary = "Photos"
images = 100
class_names = ["cat", "dog"]
channels = [3]
download = 1000000
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, text: str) -> Card | None:
    (folder / "zoo.toml").write_text(text)
    card_file = read_card_file(folder)
    assert card_file is not None
    return card_file.card("architecture", "net")


def test_a_package_without_a_card_has_none(folder: Path) -> None:
    assert read_card_file(folder) is None


def test_facts_are_read_by_kind_and_name(folder: Path) -> None:
    assert read(folder, FULL) == Card(
        summary="A net",
        paper="Someone (2014)",
        parameters=1000,
        classes=10,
        channels=(3, 1),
        size=64,
        min_size=32,
        licence="MIT",
        homepage="https://example.org",
        options={"width": 1.0, "bias": True},
        weights={"imagenet": {"bias": False}, "path": {}},
    )
    card_file = read_card_file(folder)
    assert card_file is not None
    photos = card_file.card("dataset", "photos")
    assert photos is not None
    assert photos.class_names == ("cat", "dog")
    assert card_file.card("dataset", "net") is None
    assert card_file.card("architecture", "photos") is None


def test_every_fact_is_optional(folder: Path) -> None:
    assert read(folder, "[architectures.net]\n[datasets.photos]") == Card(channels=(1, 3))
    card_file = read_card_file(folder)
    assert card_file is not None
    assert card_file.card("dataset", "photos") == Card(channels=(3,))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("parameter = 3", "unknown key 'parameter'. Did you mean 'parameters'?"),
        ("summary = 3", "summary has the wrong type. Received: 3"),
        ("size = true", "size has the wrong type. Received: True"),
        ("parameters = 1.5", "parameters has the wrong type. Received: 1.5"),
        ("channels = 3", "channels has the wrong type. Received: 3"),
        ('channels = ["rgb"]', "channels must be a list of 1, 3 or both. Received: ['rgb']"),
        ("channels = []", "channels must be a list of 1, 3 or both. Received: []"),
        ("channels = [4]", "channels must be a list of 1, 3 or both. Received: [4]"),
        ("class_names = [0, 1]", "class_names must be a list of strings. Received: [0, 1]"),
        ('weights = ["imagenet"]', "weights has the wrong type. Received: ['imagenet']"),
        (
            "weights = { imagenet = true }",
            "weights must hold one table of options per name. Received: {'imagenet': True}",
        ),
        ("size = 0", "size is too small. Received: 0"),
        ("parameters = -1", "parameters is too small. Received: -1"),
        (f"parameters = {10**400}", "parameters is too large. Received: 1000"),
        ("multiply_adds = true", "multiply_adds has the wrong type. Received: True"),
        ("built_in = 1", "built_in has the wrong type. Received: 1"),
    ],
)
def test_a_wrong_fact_is_named_with_its_place(folder: Path, line: str, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        read(folder, f"[architectures.net]\n{line}")
    assert str(caught.value).startswith("zoo.toml, [architectures.net]: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[architectures.net", "not valid TOML"),
        ("x = " + "[" * 5_000, "not valid TOML"),
        ("api = " + "9" * 5_000, "not valid TOML"),
        ("[networks.net]", "unknown table [networks]. Known: architectures, datasets, plugins"),
        ("[architectures]\nnet = 1", "[architectures] must hold one table per public name"),
        ("architectures = 1", "[architectures] must hold one table per public name"),
        ("api = '1'", "`api` must be an integer. Received: '1'"),
        ("api = true", "`api` must be an integer. Received: True"),
    ],
)
def test_a_file_that_is_not_as_documented_is_refused(folder: Path, text: str, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        read(folder, text)
    assert message in str(caught.value)


def test_a_file_that_is_not_text_is_refused(folder: Path) -> None:
    (folder / "zoo.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PluginError, match="not valid TOML"):
        read_card_file(folder)
