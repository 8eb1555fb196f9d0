"""A gallery of wrong data sets: each is a right one with one fault, and is caught by the check meant for it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pytest

from zoo.testing import DatasetSuite, checks_of, conformance

RIGHT = """
import numpy as np

from zoo import DataError, Example, Examples, hookimpl


def image(index):
    return np.random.default_rng(index).integers(0, 256, (12, 12), np.uint8)


@hookimpl
def zoo_examples(source):
    places = [source.given] if source.given else [root / "blobs" for root in source.roots]
    place = next((place for place in places if place.is_dir()), None)
    if place is None:
        raise DataError(f"blobs: not found in {places}; make a folder there")

    def iterate():
        for index in range(40):
            yield Example(f"{index:02}", index % 2, "test" if index >= 30 else "train", image(index))

    return Examples(("round", "square"), iterate, str(place.absolute()), 40)
"""
CARD = """
api = 1
[datasets.blobs]
summary = "Blobs"
images = 40
test_images = 10
class_names = ["round", "square"]
size = 12
channels = [1]
"""
YIELD = """yield Example(f"{index:02}", index % 2, "test" if index >= 30 else "train", image(index))"""
MISSING = """raise DataError(f"blobs: not found in {places}; make a folder there")"""
RETURN = """return Examples(("round", "square"), iterate, str(place.absolute()), 40)"""
IMAGE = "return np.random.default_rng(index).integers(0, 256, (12, 12), np.uint8)"


@dataclass(frozen=True)
class Wrong:
    """`change` is (old, new) on the code of the right data set, `more` is added at its end."""

    check: str
    fault: str
    change: tuple[str, str] = ("", "")
    more: str = ""
    card: str = CARD

    @property
    def code(self) -> str:
        old, new = self.change
        assert old in RIGHT
        return (RIGHT.replace(old, new) if old else RIGHT) + textwrap.dedent(self.more)


WRONG = [
    Wrong("framework-free", "it imports Matplotlib", more="import matplotlib\n"),
    Wrong("no-data", "it raises what Python raises", (MISSING, "raise FileNotFoundError(places)")),
    Wrong("no-data", "its message helps nobody", (MISSING, "raise DataError('missing')")),
    Wrong("no-data", "it goes on without a place", (f"if place is None:\n        {MISSING}", "pass")),
    Wrong(
        "no-data",
        "it downloads unasked",
        (MISSING, "import urllib.request; urllib.request.urlopen('http://localhost:1/')"),
    ),
    Wrong(
        "describes", "its classes are a list", (RETURN, RETURN.replace('("round", "square")', '["round", "square"]'))
    ),
    Wrong("describes", "a class comes twice", (RETURN, RETURN.replace('"square")', '"round")'))),
    Wrong("describes", "it has no signature", (RETURN, RETURN.replace("str(place.absolute())", '""'))),
    Wrong(
        "signature",
        "the signature is the time",
        (RETURN, RETURN.replace("str(", "str(__import__('time').time_ns()) + str(")),
    ),
    Wrong("count", "it promises too many", (RETURN, RETURN.replace("40", "41"))),
    Wrong("count", "it promises too few", (RETURN, RETURN.replace("40", "39"))),
    Wrong("keys", "a key comes twice", (YIELD, YIELD.replace("{index:02}", "{index // 2:02}"))),
    Wrong("labels", "labels count from 1", (YIELD, YIELD.replace("index % 2", "index % 2 + 1"))),
    Wrong("labels", "a class has no image", (YIELD, YIELD.replace("index % 2", "0"))),
    Wrong("labels", "labels are names", (YIELD, YIELD.replace("index % 2", "('round', 'square')[index % 2]"))),
    Wrong("parts", "a part has a name of its own", (YIELD, YIELD.replace('"train"', '"holdout"'))),
    Wrong("parts", "all is for the test", (YIELD, YIELD.replace('"train"', '"test"'))),
    Wrong("images", "images are floats", (IMAGE, IMAGE.replace("np.uint8)", "np.uint8).astype(np.float32)"))),
    Wrong("images", "images are scaled to 0..1", (IMAGE, IMAGE.replace("256", "2"))),
    Wrong("images", "images have an alpha channel", (IMAGE, IMAGE.replace("(12, 12)", "(12, 12, 4)"))),
    Wrong("images", "images are names of files", (YIELD, YIELD.replace("image(index)", "f'{index}.png'"))),
    Wrong("quarantine", "files are not images", (YIELD, YIELD.replace("image(index)", "b'not an image'"))),
    Wrong(
        "same-pass",
        "a second pass gives nothing",
        ("    return Examples(", "    passed = iterate()\n    iterate = lambda: passed\n    return Examples("),
    ),
    Wrong("same-pass", "the order is random", ("range(40)", "np.random.permutation(40).tolist()")),
    Wrong("same-pass", "images are augmented", (IMAGE, IMAGE.replace("default_rng(index)", "default_rng()"))),
    Wrong(
        "two-passes-at-once",
        "passes share a position",
        (
            "for index in range(40):",
            """AT[0] = 0
        while AT[0] < 40:
            index = AT[0]
            AT[0] += 1""",
        ),
        more="AT = [0]\n",
    ),
    Wrong("splits", "test images are training images", (YIELD, YIELD.replace("image(index)", "image(index % 30)"))),
    Wrong(
        "splits",
        "test images are training images, as files",
        (YIELD, YIELD.replace("image(index)", "written(index)")),
        more="""
        from pathlib import Path

        import cv2

        def written(index):
            path = Path(__file__).parent / f"{index}.png"
            path.exists() or cv2.imwrite(str(path), image(index % 30))
            return path
        """,
    ),
    Wrong(
        "fingerprint",
        "its images drift",
        ("for index in range(40):", "PASSES.append(1)\n        for index in range(40):"),
        more="""
        PASSES = []
        def image(index):
            return np.random.default_rng(index + 99 * (len(PASSES) > 5)).integers(0, 256, (12, 12), np.uint8)
        """,
    ),
    Wrong(
        "prepare-idempotent",
        "reading touches what the signature is made of",
        ("for index in range(40):", "(place / 'unpacked').write_text('x')\n        for index in range(40):"),
        more="""
        _right = zoo_examples
        @hookimpl
        def zoo_examples(source):
            from dataclasses import replace
            found = _right(source)
            place = source.given or source.roots[0]
            return replace(found, signature=str(sorted(path.name for path in place.iterdir())))
        """,
    ),
    Wrong(
        "prepare-concurrent",
        "the signature names the process",
        (RETURN, RETURN.replace("str(", "str(__import__('os').getpid()) + str(")),
    ),
    Wrong(
        "card-classes", "the card has another order", card=CARD.replace('["round", "square"]', '["square", "round"]')
    ),
    Wrong("card-classes", "the card counts other classes", card=CARD.replace("size", "classes = 3\nsize")),
    Wrong("card-counts", "the card counts other images", card=CARD.replace("40", "50")),
    Wrong("card-counts", "the card knows no test part", card=CARD.replace("test_images = 10", "")),
    Wrong("card-images", "the card has another size", card=CARD.replace("12", "14")),
    Wrong("card-images", "the card says colour", card=CARD.replace("[1]", "[3]")),
]


def checked(site, code: str, card: str = CARD):
    site.package("blobs_package", init=code, card=card)
    site.install("their-dist", {"blobs": "blobs_package"}, group="zoo.datasets")
    place = site.folder / "place"
    place.mkdir()
    return conformance(site.registry().find("dataset", "blobs"), source=place)


def test_the_right_one_passes_every_check(site) -> None:
    found = list(checked(site, RIGHT).outcomes())
    assert [str(outcome) for outcome in found if outcome.state == "failed"] == []
    assert [outcome.check.name for outcome in found if outcome.state == "skipped"] == ["recipes"]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.check}: {wrong.fault}")
def test_the_check_that_is_meant_for_it_catches(site, wrong: Wrong) -> None:
    outcomes = list(checked(site, wrong.code, wrong.card).outcomes())
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    assert failed, "nothing was caught"
    assert failed[0].check.name == wrong.check
    assert failed[0].detail


def test_every_check_of_data_sets_has_a_wrong_one() -> None:
    shared = {check.name for check in checks_of("plugin")}  # the gallery of architectures has those
    assert {wrong.check for wrong in WRONG} == {check.name for check in checks_of("dataset")} - shared


def test_missing_data_skip_what_needs_them(site) -> None:
    site.package("blobs_package", init=RIGHT, card=CARD)
    site.install("their-dist", {"blobs": "blobs_package"}, group="zoo.datasets")
    found = {o.check.name: o for o in conformance(site.registry().find("dataset", "blobs")).outcomes()}
    assert found["no-data"].state == "ok"
    assert found["describes"].state == "skipped"
    assert "--source" in found["describes"].detail


def test_the_suite_has_a_test_per_check() -> None:
    tests = {name for name in dir(DatasetSuite) if name.startswith("test_")}
    assert tests == {f"test_{check.name.replace('-', '_')}" for check in checks_of("dataset")}
