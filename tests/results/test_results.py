"""Published receipts: read from the packages of architectures and data sets; a bad one is a note."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoo.registry import Registry
from zoo.results.published import Published, Result, published, read, receipts

RECEIPT: dict[str, Any] = {
    "architecture": "net",
    "dataset": "photos",
    "part": "test",
    "recipe": {"name": "quick", "values": {"image_size": 48}},
    "seeds": [
        {"seed": 0, "count": 1000, "correct": 900, "seconds": 60.0, "command": "zoo train net photos"},
        {"seed": 1, "count": 1000, "correct": 920, "seconds": 80.0, "forecast": {"images_per_second": 100.0}},
        {"seed": 2, "count": 1000, "correct": 940, "seconds": 70.0, "images_per_second": 200},
    ],
}


def write(folder: Path, content: Any, name: str = "net-photos-quick.json") -> Path:
    (folder / "results").mkdir(exist_ok=True)
    path = folder / "results" / name
    content = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_receipt_gives_means_over_its_seeds(tmp_path: Path) -> None:
    assert read(write(tmp_path, RECEIPT)) == Result(
        architecture="net",
        dataset="photos",
        recipe="quick",
        part="test",
        accuracy=pytest.approx(0.92),
        spread=pytest.approx(0.02),
        count=1000,
        seeds=3,
        seconds=70.0,
        images_per_second=150.0,
        size=48,
        command="zoo train net photos",
        file="net-photos-quick.json",
    )


@pytest.mark.parametrize(
    ("options", "network"),
    [({}, "net"), ({"width": 1.0}, "net"), ({"width": 0.17}, "net (width=0.17)"), ({"width": "odd"}, "net")],
)
def test_a_narrow_network_says_so(tmp_path: Path, options: Any, network: str) -> None:
    recipe = {"name": "quick", "values": {"options": options}}
    assert read(write(tmp_path, RECEIPT | {"recipe": recipe})).network == network


def test_what_is_not_needed_may_be_missing(tmp_path: Path) -> None:
    bare = RECEIPT | {"recipe": {"name": "quick"}, "seeds": [{"count": 10, "correct": 0}]}
    result = read(write(tmp_path, bare))
    assert (result.accuracy, result.spread, result.size) == (0.0, None, None)
    assert (result.seconds, result.images_per_second, result.command) == (None, None, "")


@pytest.mark.parametrize("odd", [float("inf"), float("nan"), -1, 0, True, "fast", None, [1]])
def test_a_time_that_can_not_be_is_unknown(tmp_path: Path, odd: Any) -> None:
    run = {"count": 10, "correct": 9, "seconds": odd, "images_per_second": odd, "forecast": odd}
    result = read(write(tmp_path, RECEIPT | {"seeds": [run]}))
    assert (result.seconds, result.images_per_second) == (None, None)


BAD = [
    ("", "Expecting value"),
    ("[" * 100_000, "recursion"),
    (b'{"\xff": 1}', "can't decode byte"),
    ("[]", "must hold a JSON object"),
    (RECEIPT | {"architecture": 3}, "architecture must be a string. Received: 3"),
    (RECEIPT | {"recipe": "quick"}, "recipe must be an object. Received: 'quick'"),
    (RECEIPT | {"recipe": {}}, "name must be a string. Received: None"),
    (RECEIPT | {"seeds": []}, "seeds must hold an object per run"),
    (RECEIPT | {"seeds": [{"count": 10, "correct": 9}, {"count": 20, "correct": 9}]}, "all seeds must be of as many"),
    (RECEIPT | {"seeds": [{"count": 10, "correct": 9, "hardware": "x86"}]}, "seeds.hardware is not what the zoo"),
    (RECEIPT | {"seeds": [{"count": 10, "correct": 9, "hardware": {}}]}, "hardware must say cores, processor, system"),
    (RECEIPT | {"seeds": [{"count": 10, "correct": 9, "versions": ["a"]}]}, "seeds.versions is not what the zoo"),
    (RECEIPT | {"seeds": [3]}, "seeds must hold an object per run"),
    (RECEIPT | {"seeds": [{"count": 0, "correct": 0}]}, "must be counts of images. Received: 0 and 0"),
    (RECEIPT | {"seeds": [{"count": 10**400, "correct": 1}]}, "must be counts of images. Received: 1000"),
    (RECEIPT | {"seeds": [{"count": 10, "correct": 11}]}, "must be counts of images. Received: 10 and 11"),
    (RECEIPT | {"seeds": [{"count": 10, "correct": 0.9}]}, "must be counts of images. Received: 10 and 0.9"),
    (RECEIPT | {"architecture": "vgg16", "dataset": "mnist"}, "it is of vgg16 on mnist, and the package has net"),
]


class TestPublished:
    @pytest.fixture
    def package(self, site) -> Path:
        folder = site.package("net_package")
        site.install("net-dist", {"net": "net_package"})
        return folder

    @pytest.mark.parametrize(("content", "reason"), BAD)
    def test_a_bad_receipt_is_a_note_and_the_others_count(self, site, package: Path, content: Any, reason: str) -> None:
        write(package, RECEIPT)
        write(package, content, "bad.json")
        found = published(site.registry().plugins)
        assert [result.architecture for result in found.results] == ["net"]
        (note,) = found.notes
        assert note.startswith("results/bad.json of net-dist 1.0 is left out: ")
        assert reason in note

    def test_the_most_accurate_comes_first(self, site, package: Path) -> None:
        write(package, RECEIPT)
        better = {"recipe": {"name": "best"}, "seeds": [{"count": 100, "correct": 99}]}
        write(package, RECEIPT | better, "net-photos-best.json")
        registry = site.registry()
        found = published(registry.plugins)
        assert [result.recipe for result in found.of(registry.get("architecture", "net"))] == ["best", "quick"]

    def test_a_data_set_may_publish_results_of_others_on_itself(self, site, package: Path) -> None:
        folder = site.package("photos_package")
        site.install("photos-dist", {"photos": "photos_package"}, group="zoo.datasets")
        write(folder, RECEIPT)
        registry = site.registry()
        found = published(registry.plugins)
        assert (
            len(found.of(registry.get("architecture", "net"))) == len(found.of(registry.get("dataset", "photos"))) == 1
        )

    def test_plugins_that_can_not_be_used_publish_nothing(self, site, package: Path, monkeypatch) -> None:
        write(package, RECEIPT)
        monkeypatch.setenv("ZOO_DISABLE", "net")
        assert published(site.registry().plugins) == Published((), ())

    def test_other_files_and_missing_folders_are_no_receipts(self, package: Path) -> None:
        assert receipts(package) == []
        write(package, "", "README.md")
        assert receipts(package) == []


def test_ours_can_be_read() -> None:
    shipped = [plugin for plugin in Registry.discover().plugins if plugin.distribution == "image-model-zoo"]
    found = published(shipped)
    assert not found.notes
    assert {(result.architecture, result.dataset) for result in found.results} >= {
        ("cnn", "mnist"),
        ("vgg16", "catsdogs"),
    }
    assert all(result.file.startswith(f"{result.architecture}-{result.dataset}-") for result in found.results)
