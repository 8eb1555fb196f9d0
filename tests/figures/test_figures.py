"""Core's figures: real pictures, the same bytes each time, and captions that say what to see."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import cv2
import keras
import matplotlib as mpl
import numpy as np
import pytest

from zoo import style
from zoo.figures import curves, diagram_figures, filter_grid, standard, weight_images
from zoo.network.graph import Node, chain
from zoo.types import Figure, History, Spec, View


def history(count: int = 6, **changes: float) -> History:
    """Falling losses and rising accuracies; the best validation is the last but one."""
    rows = []
    for epoch in range(1, count + 1):
        dip = 0.05 * (epoch == count)
        row = {"step": 100 * epoch, "epoch": epoch, "loss": 1 / epoch, "accuracy": 1 - 0.4 / epoch}
        row |= {"validation_loss": 1.1 / epoch + dip, "validation_accuracy": 0.95 - 0.4 / epoch - dip}
        rows.append({**row, "learning_rate": 0.001, **changes})
    return History(rows)


def words(figure: Figure) -> set[str]:
    """The texts of a matplotlib SVG, which it draws as shapes and repeats in comments."""
    ElementTree.fromstring(figure.content)
    return {match.strip() for match in re.findall(r"<!-- (.*?) -->", figure.content.decode())}


def pixels(figure: Figure) -> np.ndarray[Any, Any]:
    assert figure.format == "png"
    decoded = cv2.imdecode(np.frombuffer(figure.content, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


# curves -----------------------------------------------------------------------------------------------


def test_curves_show_both_panels_with_final_and_best_validation() -> None:
    figure = curves(history(), "cnn on mnist")
    shown = words(figure)
    assert (figure.name, figure.format) == ("curves", "svg")
    assert {"cnn on mnist", "Loss", "Accuracy", "training", "validation", "epoch"} <= shown
    assert {"best: 87.00 % (epoch 5)", "final: 83.33 %"} <= shown
    assert {"best: 0.220 (epoch 5)", "final: 0.233"} <= shown
    assert "ends at 83.33 %; its best is 87.00 % at epoch 5" in figure.caption
    assert "Learning rate" not in shown, "a constant rate needs no panel"


def test_the_learning_rate_is_shown_where_it_changes() -> None:
    rows = history()
    for number, row in enumerate(rows):
        row["learning_rate"] = 0.01 / (1 + number)
    assert "Learning rate" in words(curves(rows, "x"))


def test_the_reference_is_a_labelled_line() -> None:
    assert "the chapter: 78.38 %" in words(curves(history(), "x", reference=(0.7838, "the chapter")))


def test_a_history_of_steps_is_drawn_against_steps() -> None:
    rows = History({"step": step, "loss": 70188 / (1 + step), "accuracy": 0.9} for step in range(0, 6001, 500))
    shown = words(curves(rows, "fc-tf"))
    assert {"step", "6,000"} <= shown
    assert "epoch" not in shown
    assert "validation" not in shown


def test_several_rows_in_an_epoch_are_drawn_against_steps() -> None:
    assert "step" in words(curves(history(epoch=1), "x"))


def test_one_row_and_values_that_are_not_finite_are_drawn() -> None:
    assert "final, best: 50.00 %" in words(curves(history(1), "x"))
    rows = history()
    rows[-1]["validation_loss"] = float("nan")
    rows[-1]["loss"] = float("inf")
    assert "final, best: 0.220" in words(curves(rows, "x"))


def test_a_single_kind_of_value_gives_a_single_panel() -> None:
    only_loss = History({"step": row["step"], "loss": row["loss"]} for row in history())
    assert "Accuracy" not in words(curves(only_loss, "x"))
    with pytest.raises(ValueError, match="neither"):
        curves(History([{"step": 1}]), "x")


def test_a_rehearsal_is_stamped_and_shows_no_accuracy() -> None:
    figure = curves(history(), "cnn", rehearsal=True)
    shown = words(figure)
    assert "REHEARSAL" in shown
    assert "Accuracy" not in shown
    assert "%" not in "".join(shown) + figure.caption
    assert "rehearsal" in figure.caption


# grids ------------------------------------------------------------------------------------------------


def test_weight_images_are_one_image_per_class() -> None:
    matrix = np.zeros((28 * 28, 10))
    matrix[: 14 * 28] = 1  # the upper halves speak for each class, the lower against it
    matrix[14 * 28 :] = -1
    image = pixels(weight_images(matrix, (28, 28, 1), "fc-tf after 500 steps", name="weights-000500"))
    height, width, _ = image.shape
    assert width > 2 * height, "two rows of five"
    red = (image[:, :, 0] > image[:, :, 2].astype(int) + 60).mean()
    blue = (image[:, :, 2] > image[:, :, 0].astype(int) + 60).mean()
    assert red == pytest.approx(blue, rel=0.1)
    assert red > 0.2


def test_weight_images_of_colour_networks_are_in_colour() -> None:
    rng = np.random.default_rng(0)
    figure = weight_images(rng.normal(size=(8 * 8 * 3, 2)), (8, 8, 3), "x", ("cat", "dog"))
    image = pixels(figure)
    greens = (image[:, :, 1] > image[:, :, [0, 2]].max(axis=2).astype(int) + 20).mean()
    assert greens > 0.05
    assert "Grey has no say" in figure.caption


def test_weights_that_are_all_zero_are_drawn_too() -> None:
    assert pixels(weight_images(np.zeros((16, 3)), (4, 4, 1), "x")).std() > 0


@pytest.mark.parametrize("shape", [(225, 28, 28), (225, 28, 28, 3)])
def test_a_filter_grid_has_its_rows_and_columns(shape: tuple[int, ...]) -> None:
    images = np.ones(shape)
    images[:, 0] = -1
    image = pixels(filter_grid(images, 15, 15, "225 hidden units", name="units"))
    assert image.shape[0] > 900
    assert image.shape[1] == pytest.approx(image.shape[0], rel=0.05)
    middle = image[:, image.shape[1] // 2]
    # one change from the background of a square to its first row for each of 15 squares
    first_rows = np.all(middle == middle[np.argmin(middle.sum(axis=1))], axis=1)
    assert np.count_nonzero(np.diff(first_rows.astype(int)) == 1) == 15


def test_features_without_negative_values_go_from_dark_to_bright() -> None:
    figure = filter_grid(np.random.default_rng(0).random((32, 5, 5)), 4, 8, "maps", caption="Edges light up.")
    assert "Edges light up." in figure.caption
    assert "dark is zero" in figure.caption
    assert pixels(figure).std() > 20


def test_missing_and_surplus_images_are_allowed() -> None:
    assert pixels(filter_grid(np.ones((3, 5, 5)), 2, 2, "x")).size
    assert filter_grid(np.ones((9, 5, 5)), 2, 2, "x").content == filter_grid(np.ones((4, 5, 5)), 2, 2, "x").content


# all --------------------------------------------------------------------------------------------------


def every_figure() -> list[Figure]:
    rng = np.random.default_rng(0)
    graph = chain("net", Node("in", "input", "Input", (4, 4, 1)), Node("out", "dense", "Dense 2", (2,), 34))
    return [
        curves(history(), "x"),
        *diagram_figures(graph),
        weight_images(rng.normal(size=(16, 3)), (4, 4, 1), "x"),
        filter_grid(rng.normal(size=(4, 5, 5)), 2, 2, "x"),
    ]


def test_the_same_input_gives_the_same_bytes_and_every_figure_a_caption() -> None:
    first, second = every_figure(), every_figure()
    assert first == second
    assert all(len(figure.caption) > 60 for figure in first)
    assert [figure.name for figure in first] == [*("curves", "diagram", "diagram-folded", "class-weights", "filters")]


def test_a_user_s_own_matplotlib_settings_change_nothing_and_are_kept() -> None:
    expected = every_figure()
    with mpl.rc_context({"font.size": 31, "axes.facecolor": "black", "lines.linewidth": 9, "savefig.dpi": 10}):
        before = dict(mpl.rcParams)
        assert every_figure() == expected
        assert dict(mpl.rcParams) == before


def test_drawing_uses_no_pyplot(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert every_figure()


def test_yellow_is_darkened_to_a_line_seen_on_white() -> None:
    assert style.tint("#0072B2", 0.0) == "#ffffff"
    assert style.tint("#0072B2", 1.0) == "#0072b2"
    assert style.shade(style.PALETTE["yellow"]) < "#c"


def test_core_draws_what_can_be_drawn_of_an_untrained_network() -> None:
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    names = ["diagram-folded", "diagram", "layers", "imagenet"]
    assert [figure.name for figure in standard(model, None, None)] == names


def test_a_rehearsal_s_curves_are_stamped() -> None:
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    spec = Spec("net", 4, 4, 1, ("a", "b"), {"width": 2})
    run: Any = SimpleNamespace(title="net (width=2) on x", spec=spec, history=history(), rehearsal=True)
    drawn = list(standard(model, None, run, View(only=("curves", "diagram"))))
    assert [figure.name for figure in drawn] == ["curves", "diagram-folded", "diagram"]
    assert "REHEARSAL" in words(drawn[0])
    assert "net (width=2)" in drawn[-1].content.decode()


def test_a_title_is_never_wider_than_its_figure() -> None:
    long = "fc-tf (init=truncated_normal_1, rescale=False) on mnist, book: 225 of the 1,024 units of weights1"
    for width in (4.6, 7.5, 12):
        figure = style.canvas(width, 3)
        style.headline(figure, long)
        title = figure._suptitle
        widest = max(style.text_width(line, title.get_fontsize(), bold=True) for line in title.get_text().split("\n"))
        assert widest <= 72 * width
        assert title.get_fontsize() >= 7


@pytest.mark.parametrize("laid_out", [False, True])
def test_a_title_is_not_wider_as_drawn_either(laid_out: bool) -> None:
    long = "vgg16-bn (dropout=0.5) on catsdogs, best: block2_conv2_relu, 128 maps of 31 x 31"
    for width in np.arange(7, 8.5, 0.05):  # at some sizes the letters, fitted to whole pixels, grow by a twentieth
        with style.styled():
            figure = style.canvas(width, 3)
            style.headline(figure, long, laid_out)
            style.to_png(figure)
            assert figure._suptitle.get_window_extent().x1 <= figure.bbox.width
