"""`zoo data` on a folder of one's own, and on data sets whose plugins fail."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo.cli import main


@pytest.fixture
def zoo(capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Run a command line in this process, with a cache of its own; returns (exit code, output, errors)."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_DATA", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def draw(folder: Path, *names: str) -> None:
    """Write images, each of its own grey."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((8, 8, 3), len(list(folder.rglob("*.png"))), np.uint8))


@pytest.fixture
def flowers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "flowers", *(f"train/{name}/{number}.png" for name in ("daisy", "rose") for number in range(4)))
    draw(tmp_path / "flowers", "test/daisy/8.png", "test/rose/9.png", "val/rose/7.png")
    return tmp_path / "flowers"


def fact(out: str, label: str) -> str:
    """What stands beside a label, its lines joined by "; "."""
    lines = out.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(f"  {label} "))
    column = len(lines[start]) - len(lines[start].strip().removeprefix(label).lstrip())
    rest = lines[start + 1 :]
    more = next((index for index, line in enumerate(rest) if line[:column].strip()), len(rest))
    return "; ".join([lines[start][column:], *(line[column:] for line in rest[:more])])


@pytest.mark.usefixtures("flowers")
@pytest.mark.parametrize("words", [["./flowers"], ["flowers"], ["folder", "--source", "flowers"]])
def test_info_of_a_folder_counts_the_images_of_each_class_and_part(zoo, words: list[str]) -> None:
    code, out, err = zoo("data", "info", *words)
    assert (code, err) == (0, "")
    assert fact(out, "found") == "yes: 11 images of 2 classes; in flowers"
    assert fact(out, "classes") == "daisy: 5 images (4 train, 1 test); rose: 6 images (4 train, 1 validation, 1 test)"
    assert "notes" not in out
    assert "looked in" not in out


def test_info_of_a_folder_names_what_is_not_used_and_copies(zoo, flowers: Path) -> None:
    draw(flowers, "loose.png")
    shutil.copy(flowers / "train" / "daisy" / "0.png", flowers / "test" / "daisy" / "0.png")
    shutil.copy(flowers / "train" / "daisy" / "1.png", flowers / "train" / "rose" / "10.png")
    assert fact(zoo("data", "info", "./flowers")[1], "notes") == (
        "1 image lies outside the folders of the classes, not used: loose.png; "
        "1 test image is also among the training images: test/daisy/0.png is train/daisy/0.png; "
        "1 image lies in two classes: train/daisy/1.png is train/rose/10.png"
    )


def test_of_many_classes_the_first_are_counted(zoo, tmp_path: Path) -> None:
    draw(tmp_path / "many", *(f"{number}/1.png" for number in range(53)))
    counted = fact(zoo("data", "info", tmp_path / "many")[1], "classes").split("; ")
    assert (counted[0], counted[49:]) == ("0: 1 image", ["49: 1 image", "and 3 more"])


def test_info_shows_what_is_prepared_of_these_images_alone(zoo, flowers: Path) -> None:
    other = Path(shutil.copytree(flowers, flowers.parent / "other"))
    assert zoo("data", "prepare", "./flowers", "--size", "16")[0] == 0
    assert zoo("data", "prepare", "./other", "--size", "12")[0] == 0
    assert fact(zoo("data", "info", "./flowers")[1], "prepared") == "16x16x3-stretch-area: 11 images, 8.6 kB"
    assert fact(zoo("data", "info", "./other")[1], "prepared").startswith("12x12x3-stretch-area")
    os.utime(other / "train" / "rose" / "0.png", (1, 1))
    assert "prepared" not in zoo("data", "info", "./other")[1]
    assert "prepared" not in zoo("data", "info", "folder")[1]


@pytest.mark.usefixtures("flowers")
def test_a_folder_is_prepared_by_its_path(zoo) -> None:
    code, out, err = zoo("data", "prepare", "./flowers", "--size", "4")
    assert (code, out) == (0, "8 training, 1 validation, 2 test images are ready\n")
    assert err.endswith("zoo data info ./flowers shows them\n")
    assert "The images of ./flowers have many sizes" in zoo("data", "prepare", "./flowers")[2]
    assert "A folder of images needs no --source" in zoo("data", "info", "./flowers", "--source", "x")[2]
    assert "There is no data set 'nowhere'" in zoo("data", "info", "nowhere")[2]


def test_the_folder_is_shown_with_the_command_that_trains_on_one(zoo) -> None:
    assert "zoo train ARCH ./my-images" in zoo("show", "folder")[1]


def test_one_data_set_whose_plugin_fails_hides_no_other(zoo, site, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = "from zoo import hookimpl\n@hookimpl\ndef zoo_examples(source):\n    {}\n"
    for name, code in (("raises", "raise KeyError('x')"), ("returns", "return 3")):
        site.package(f"p_{name}", init=hook.format(code), card=f'api = 1\n[datasets.{name}]\nsummary = "{name}"\n')
        site.install(f"{name}-dist", {name: f"p_{name}"}, group="zoo.datasets")
    code, out, err = zoo("data", "list")
    assert code == 0
    found = {line.split()[0]: line.split()[1] for line in out.splitlines()[1:]}
    assert (found["raises"], found["returns"], found["mnist"]) == ("broken", "broken", "yes")
    assert "raises is broken: " in err
    assert "failed in zoo_examples: KeyError: 'x'" in err
    assert "it must return zoo.Examples. Received: int" in err
    rows = {row["name"]: row for row in json.loads(zoo("data", "list", "--json")[1])}
    assert (rows["raises"]["found"], rows["mnist"]["found"], rows["mnist"]["reason"]) == ("broken", "yes", "")
    assert "KeyError" in rows["raises"]["reason"]
    code, out, err = zoo("data", "info", "raises")
    assert (code, fact(out, "found")) == (0, "broken")
    assert "KeyError" in err
