"""Figures of a folder of one's own photographs: long names of classes, few images, and sentences about one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text

from zoo import style
from zoo.figures import answers, embedding, features, scores
from zoo.figures.gallery import Picture, gallery
from zoo.figures.scene import Answers, Scene
from zoo.figures.table import table_figure
from zoo.network.graph import Node, chain
from zoo.types import Data, Part, Photo, Spec, View
from zoo.words import amount

SHORT = ("cat", "dog")
LONG = ("daisy", "dandelion", "golden retriever", "german shepherd")
LONGEST = (
    "american staffordshire terrier",
    "american staffordshire terrier puppy",
    "west highland white terrier, old",
    "west highland white terrier, young",
)
DIGITS = tuple("0123456789")


def scene(names: tuple[str, ...], truths: Sequence[int], guesses: Sequence[int], probability: float = 0.81) -> Scene:
    """What a run said of as many small images as there are truths."""
    count = len(truths)
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    empty = Part(images, np.arange(0), np.zeros(0, np.int64), [])
    part = Part(images, np.arange(count), np.array(truths), [f"{number}.jpg" for number in range(count)])

    def unlabelled(most: int) -> tuple[Any, list[str]]:
        return images[:most], [str(number) for number in range(count)][:most]

    data = Data("photos", names, empty, empty, part, "", "", unlabelled=unlabelled)
    spec = Spec("net", 8, 8, 3, names)
    recipe = SimpleNamespace(flip_average=False)
    run: Any = SimpleNamespace(title="net on photos", rehearsal=False, spec=spec, recipe=recipe, directory=Path())
    found = Scene(None, data, run, View(spec=spec))
    said = Answers(np.array(truths), np.array(guesses), np.full(count, probability), np.arange(count))
    found.__dict__["answers"] = said
    return found


def in_turn(names: tuple[str, ...], count: int, wrong: int = 0) -> Scene:
    """The classes in turn; the first `wrong` images are taken for the next class."""
    truths = [number % len(names) for number in range(count)]
    return scene(names, truths, [(truth + (number < wrong)) % len(names) for number, truth in enumerate(truths)])


@pytest.fixture
def canvases(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The Matplotlib figures that were drawn."""
    seen: list[Any] = []
    for name in ("to_png", "to_svg"):
        original = getattr(style, name)
        monkeypatch.setattr(
            style, name, lambda figure, to=original, **more: [seen.append(figure), to(figure, **more)][1]
        )
    return seen


def texts(canvas: Any) -> list[Text]:
    """The texts of a figure, measured as on the screen; ticks beyond an axis's limits are not drawn."""
    canvas.draw_without_rendering()
    beyond = {
        tick.label1
        for axes in canvas.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    return [text for text in canvas.findobj(Text) if text.get_text() and text.get_visible() and text not in beyond]


def assert_apart(canvas: Any) -> None:
    """No text of a figure covers another, and none is cut off at the figure's edge."""
    shown = texts(canvas)
    boxes = [text.get_window_extent() for text in shown]
    for (one, box), (other, its) in combinations(zip(shown, boxes, strict=True), 2):
        overlap = min(box.x1, its.x1) - max(box.x0, its.x0), min(box.y1, its.y1) - max(box.y0, its.y0)
        # the box of a line is a little higher than its letters
        assert overlap[0] <= 0 or overlap[1] <= 4, (one.get_text(), other.get_text())
    assert all(box.x0 >= 0 and box.x1 <= canvas.bbox.width for box in boxes)


# names --------------------------------------------------------------------------------------------------------


def test_names_of_two_words_are_drawn_whole_above_their_pictures(canvases: list[Any]) -> None:
    list(answers.predictions(in_turn(LONG, 12, wrong=4)))
    shown = [text.get_text() for text in texts(canvases[0])]
    assert set(LONG) <= set(shown)
    assert shown.count("prob=0.81") == 12
    bold = [text.get_text() for text in texts(canvases[0]) if text.get_color() == style.PALETTE["vermillion"]]
    assert bold.count("prob=0.81") == 4
    assert_apart(canvases[0])


@pytest.mark.parametrize("draw", [answers.predictions, answers.mistakes, answers.unsure])
def test_names_wider_than_their_pictures_are_told_apart(draw: Any, canvases: list[Any]) -> None:
    list(draw(in_turn(LONGEST, 12, wrong=12)))
    names = {text.get_text() for text in texts(canvases[0])} - {"prob=0.81"}
    assert len({name for name in names if "…" in name and not name.startswith("is ")}) == 4
    assert_apart(canvases[0])


def test_where_every_title_fits_it_stays_on_one_line(canvases: list[Any]) -> None:
    list(answers.predictions(in_turn(SHORT, 4)))
    assert {"cat, prob=0.81", "dog, prob=0.81"} <= {text.get_text() for text in texts(canvases[0])}


def test_a_long_second_line_does_not_break_the_title(canvases: list[Any]) -> None:
    picture = Picture(
        np.zeros((8, 8, 3), np.uint8), ("cat, prob=0.81", "a photograph from the garden behind the house.jpg")
    )
    gallery([picture, picture], 2, "x", size=1.5)
    first, second, *_ = (text.get_text() for text in texts(canvases[0]))
    assert first == "cat, prob=0.81"
    assert second.startswith("a photo")
    assert second.endswith("house.jpg")
    assert_apart(canvases[0])


@pytest.mark.parametrize(
    "names",
    [
        LONGEST,
        ("a name that goes on and on, as of 2012", "a name that goes on and on, as of 2013"),
        ("2012, a name that goes on and on and on", "2013, a name that goes on and on and on"),
        ("audi a4 (2012), one with four doors", "audi a4 (2013), one with four doors"),
    ],
)
def test_shortened_names_stay_different(names: tuple[str, ...]) -> None:
    for bold in (False, True):
        fitted = style.fitted([*names, "cat"], 72, 7.5, bold)
        assert len(set(fitted.values())) == len(names) + 1
        assert fitted["cat"] == "cat"
        assert all("…" in fitted[name] and style.text_width(fitted[name], 7.5, bold) <= 72 for name in names)


def test_a_name_for_which_there_is_no_room_is_an_ellipsis() -> None:
    assert style.fitted(["daisy"], 1, 10) == {"daisy": "…"}
    assert style.fitted([], 1, 10) == {}


@pytest.mark.parametrize("names", [SHORT, DIGITS, LONG, LONGEST, ("x" * 90, "y" * 90)])
def test_the_columns_of_precision_and_recall_keep_apart(names: tuple[str, ...], canvases: list[Any]) -> None:
    list(scores.classes(in_turn(names, 3 * len(names), wrong=1)))
    shown = {text.get_text(): text.get_window_extent() for text in texts(canvases[0])}
    assert shown["precision"].x1 + 5 < shown["recall"].x0
    assert_apart(canvases[0])


@pytest.mark.parametrize("names", [LONG, LONGEST])
def test_slanting_names_end_below_their_columns(names: tuple[str, ...], canvases: list[Any]) -> None:
    list(scores.confusion(in_turn(names, 12)))
    axes = canvases[0].axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == list(names)
    for column, label in enumerate(axes.get_xticklabels()):
        middle = axes.transData.transform((column, 0))[0]
        assert label.get_window_extent().x1 == pytest.approx(middle, abs=12)
    cell = np.diff(axes.transData.transform([(0, 0), (1, 0)])[:, 0])[0] / canvases[0].dpi
    assert cell > 0.4, "long names leave the matrix its size"


# points -------------------------------------------------------------------------------------------------------


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of a class lie together, whatever the network."""

    def penultimate(_model: Any, images: Any) -> tuple[Any, str]:
        rng = np.random.default_rng(1)
        return rng.normal(size=(len(images), 5)), "values that the last layer is given"

    monkeypatch.setattr("zoo.network.inspection.penultimate", penultimate)


@pytest.mark.usefixtures("clusters")
@pytest.mark.parametrize(("names", "count"), [(LONG, 12), (LONGEST, 30), (DIGITS, 60), (LONGEST, 1000)])
def test_no_name_covers_points_of_which_there_are_few_or_stands_too_wide(
    names: tuple[str, ...], count: int, canvases: list[Any]
) -> None:
    (figure,) = embedding.embedding(in_turn(names, count))
    axes, legend = canvases[0].axes[0], canvases[0].legends[0]
    assert not axes.texts
    assert [text.get_text() for text in legend.get_texts()] == list(names)
    assert "Colour and mark are the true class: see" in figure.caption
    assert axes.bbox.width > canvases[0].bbox.width / 2
    assert_apart(canvases[0])


@pytest.mark.usefixtures("clusters")
@pytest.mark.parametrize("names", [SHORT, DIGITS])
def test_short_names_stand_among_many_points(names: tuple[str, ...], canvases: list[Any]) -> None:
    (figure,) = embedding.embedding(in_turn(names, 1000))
    assert [text.get_text() for text in canvases[0].axes[0].texts] == list(names)
    assert "the names stand at the classes' medians" in figure.caption


@pytest.mark.usefixtures("clusters")
def test_few_points_are_drawn_larger(canvases: list[Any]) -> None:
    list(embedding.embedding(in_turn(LONG, 12)))
    list(embedding.embedding(in_turn(SHORT, 1000)))
    few, many = (canvas.axes[0].collections[0].get_sizes()[0] for canvas in canvases)
    assert few > 2 * many


@pytest.mark.usefixtures("clusters")
def test_of_one_class_nothing_is_said_about_others() -> None:
    (figure,) = embedding.embedding(scene(LONG, [1, 1, 1], [1, 1, 1]))
    assert figure.caption.endswith("All of them are of one class, dandelion.")


# sentences ----------------------------------------------------------------------------------------------------


def test_an_amount_has_its_plural() -> None:
    assert [amount(count, "image") for count in (0, 1, 2, 1000)] == ["0 images", "1 image", "2 images", "1,000 images"]


@pytest.mark.parametrize("count", [1, 2, 12, 101])
@pytest.mark.parametrize("wrong", [0, 1, 101])
@pytest.mark.usefixtures("clusters")
def test_sentences_agree_with_their_numbers(
    count: int, wrong: int, canvases: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "zoo.network.inspection.probabilities_of", lambda _, images: np.full((len(images), 2), 0.5, np.float32)
    )
    shown = in_turn(SHORT, count, min(wrong, count))
    draws = (scores.confusion, scores.classes, scores.reliability, answers.predictions, answers.unlabelled)
    figures = [figure for draw in (*draws, answers.mistakes, answers.unsure) for figure in draw(shown)]
    assert len(figures) == 6 + (wrong > 0)
    said = [figure.caption for figure in figures] + [text.get_text() for canvas in canvases for text in texts(canvas)]
    for sentence in said:
        assert not re.search(r"\b1 (\w+-out )?(images|predictions|mistakes)\b|\b1 (are|were)\b", sentence), sentence
        assert not re.search(r"\b(the|of) 0 |\b0 (are|were|was)\b|\ball 1\b|first 1\b", sentence, re.IGNORECASE), (
            sentence
        )
        assert not re.search(r"\b([02-9]|\d\d+) (\w+-out )?(image|prediction|mistake)\b", sentence), sentence


def caption(draw: Any, shown: Scene) -> str:
    (figure,) = draw(shown)
    said: str = figure.caption
    return said


def test_one_mistake_is_told_as_one() -> None:
    shown = in_turn(LONG, 12, wrong=1)
    assert caption(scores.confusion, shown).endswith("1 is wrong: daisy taken for dandelion.")
    assert "Of 12 held-out images 11 were predicted right; all are shown." in caption(answers.predictions, shown)
    assert caption(answers.predictions, shown).endswith("in bold, is the one that is wrong.")
    assert caption(answers.mistakes, shown).startswith(
        "The only mistake on 12 held-out images, made with a probability"
    )
    assert caption(answers.unsure, shown).startswith("All 12 held-out images, the least probable predictions first")
    assert caption(answers.unsure, shown).endswith("11 of them are right all the same; the other is framed.")


def test_no_mistake_and_nothing_else_are_told_as_such() -> None:
    right, wrong = in_turn(LONG, 12), in_turn(LONG, 12, wrong=12)
    assert caption(answers.predictions, right).endswith("None of these is wrong.")
    assert "Of 12 held-out images all were predicted right" in caption(answers.predictions, right)
    assert "Of 12 held-out images none was predicted right" in caption(answers.predictions, wrong)
    assert caption(answers.unsure, right).endswith("All of them are right.")
    assert caption(answers.unsure, wrong).endswith("None of them is right: all are framed.")
    assert caption(scores.classes, right).endswith("Every image was found, and every prediction is right.")
    assert "; none was made with a probability of 0.90 or more" in caption(answers.mistakes, wrong)


def test_mistakes_that_are_all_different_have_no_most_frequent_one() -> None:
    assert caption(scores.confusion, in_turn(LONG, 12, wrong=3)).endswith("3 are wrong, no two of them alike.")
    assert "3 are wrong; the most frequent" in caption(scores.confusion, scene(SHORT, [0, 0, 0], [1, 1, 1]))


def test_one_image_is_told_as_one() -> None:
    shown = scene(LONG, [0], [0])
    assert caption(scores.confusion, shown).startswith(
        "Rows are what 1 held-out image is, columns what it was taken for"
    )
    assert caption(answers.predictions, shown).startswith("The only held-out image was predicted right. Its title")
    assert caption(answers.unsure, shown).endswith("0.81; chance alone would give 0.25. It is right.")
    assert "how many images each bar stands for" in caption(scores.reliability, shown)
    missed = scene(LONG, [0, 0], [0, 1])
    assert "All images are of daisy; found: 1 of 2 (50.0 %)." in caption(scores.classes, missed)


def test_a_network_as_sure_as_right_claims_what_it_keeps() -> None:
    assert "it claims 100.0 %, as much as it keeps" in caption(scores.reliability, scene(SHORT, [0, 1], [0, 1], 1.0))


def test_one_map_and_one_layer_are_told_as_one() -> None:
    photo = Photo("mine.jpg", np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8))
    shown = in_turn(SHORT, 2)
    said = features._maps(shown, photo, "conv", np.ones((8, 8, 1)), "").caption
    assert said.startswith("What the 1 filter of conv makes of mine.jpg")
    assert "1 of 1 is the same everywhere: nothing in this image wakes it." in said
    assert features._cam_caption("conv", [np.zeros((2, 2))]).startswith("The image and, right of it,")
    assert "1 of 2 maps is empty" in features._cam_caption("conv", [np.zeros((2, 2)), np.ones((2, 2))])
    table = table_figure(chain("net", Node("out", "dense", "Dense 1", (1,), 1)))
    assert "The 1 layer of net in the order of the data, with 1 parameter in all" in table.caption
    assert "net: 1 layer, 1 parameter" in table.content.decode()
