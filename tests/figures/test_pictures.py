"""Pictures of a real run: they show what the run's files say, and what the reader asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

import zoo
from zoo import defaults
from zoo.cli import main
from zoo.errors import DataError, UsageError
from zoo.figures import CATALOGUE, answers, drawing, embedding, features, imagenet, in_order, photos, scores
from zoo.figures.gallery import Picture, gallery
from zoo.figures.scene import Scene
from zoo.network.graph import Graph
from zoo.runs.directory import Run
from zoo.runs.evaluation import predictor, read_predictions
from zoo.types import Photo, View

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short real training: good enough to be right mostly, short enough to make mistakes."""
    folder = tmp_path_factory.mktemp("pictures") / "run"
    overrides = {"steps": 60, "batch_size": 64}
    return zoo.train("cnn-5x5", "mnist", overrides=overrides, output=folder, export=False, quiet=True)


@pytest.fixture(scope="module")
def scene(run: Run) -> Scene:
    from zoo.progress import Reporter
    from zoo.runs.finish import rebuild

    session, data = drawing._images_of(run, None, Reporter(quiet=True))
    context: Any = drawing.DrawnRun(run)
    return Scene(rebuild(run, session), data, context, View(spec=run.spec))


def captions(run: Run) -> dict[str, str]:
    stored: dict[str, str] = json.loads((run.directory / "figures" / "captions.json").read_text())
    return stored


# a finished run -----------------------------------------------------------------------------------------------


def test_a_run_ends_with_every_figure_that_it_can_have_in_the_catalogue_s_order(run: Run) -> None:
    drawn = [Path(name).stem for name in captions(run)]
    assert drawn == [
        *("curves", "confusion", "classes", "reliability", "predictions", "mistakes", "unsure", "gradcam"),
        *("features-conv1", "filters", "embedding", "diagram-folded", "diagram", "layers", "imagenet"),
    ]
    assert drawn == in_order(reversed(drawn))
    assert "not_drawn" not in run.receipt
    assert all(len(caption) > 80 for caption in captions(run).values())


def test_the_layer_graph_is_kept_and_reads_back(run: Run) -> None:
    graph = Graph.from_json((run.directory / "figures" / "graph.json").read_text())
    assert graph.parameters == run.receipt["parameters"] == 924_374
    assert [node.name for node in graph.nodes][-1] == "logits"


def test_the_same_run_is_drawn_to_the_same_bytes(run: Run, tmp_path: Path) -> None:
    only = [
        "curves",
        "confusion",
        "classes",
        "reliability",
        "predictions",
        "gradcam",
        "features",
        "embedding",
        "layers",
    ]
    again = zoo.visualize(run, only=only, output=tmp_path, quiet=True)
    assert len(again) == len(only)
    for path in again:
        assert path.read_bytes() == (run.directory / "figures" / path.name).read_bytes(), path.name
    assert json.loads((tmp_path / "captions.json").read_text()).items() <= captions(run).items()


# scores -------------------------------------------------------------------------------------------------------


def test_confusion_counts_are_those_of_the_metrics(run: Run, scene: Scene) -> None:
    metrics = run.metrics
    assert metrics is not None
    assert scene.answers is not None
    assert scores.counted(scene.answers, 10).tolist() == metrics["confusion"]
    wrong = metrics["count"] - metrics["correct"]
    assert f"{wrong:,} are wrong" in captions(run)["confusion.svg"]
    drawn = (run.directory / "figures" / "confusion.svg").read_text()
    assert f"<!-- {metrics['confusion'][3][3]:,} -->" in drawn, "cells carry their counts"


def test_precision_and_recall_are_those_of_the_metrics(run: Run) -> None:
    metrics = run.metrics
    assert metrics is not None
    drawn = (run.directory / "figures" / "classes.svg").read_text()
    for entry in metrics["classes"]:
        assert f"<!-- {100 * entry['recall']:.1f} % -->" in drawn
        assert f"<!-- {100 * entry['precision']:.1f} % -->" in drawn
    worst = min(metrics["classes"], key=lambda entry: entry["recall"])
    assert (
        f"Least often found is {worst['name']}: {worst['correct']:,} of {worst['count']:,}"
        in (captions(run)["classes.svg"])
    )


def test_the_calibration_error_is_the_one_computed_by_hand() -> None:
    # of bins of a fifth: one image at 0.5, right; two at 0.7, one right; two at 0.9 and 1.0, both right
    found = scores.calibration(np.array([0.5, 0.7, 0.7, 0.9, 1.0]), np.array([True, True, False, True, True]), bins=5)
    assert found.counts.tolist() == [0, 0, 1, 2, 2]
    assert found.accuracy[2:].tolist() == [1.0, 0.5, 1.0]
    assert found.confidence[2:] == pytest.approx([0.5, 0.7, 0.95])
    assert found.ece == pytest.approx((1 * 0.5 + 2 * 0.2 + 2 * 0.05) / 5)


def test_a_probability_on_an_edge_belongs_to_the_lower_bin_and_none_is_lost() -> None:
    found = scores.calibration(np.array([0.0, 0.25, 0.5, 1.0]), np.ones(4, bool), bins=4)
    assert found.counts.tolist() == [2, 1, 0, 1]


def test_a_network_as_sure_as_it_is_right_has_no_calibration_error() -> None:
    right = np.arange(100) < 80
    assert scores.calibration(np.full(100, 0.8), right).ece == pytest.approx(0)


def test_the_reliability_caption_says_the_error_and_every_bin_its_count(run: Run, scene: Scene) -> None:
    assert scene.answers is not None
    found = scores.calibration(scene.answers.probabilities, scene.answers.correct)
    assert found.counts.sum() == 10_000
    assert f"Expected calibration error {100 * found.ece:.1f} %" in captions(run)["reliability.svg"]
    drawn = (run.directory / "figures" / "reliability.svg").read_text()
    assert all(f"<!-- {count:,} -->" in drawn for count in found.counts if count)


# image by image -----------------------------------------------------------------------------------------------


@pytest.fixture
def pictured(monkeypatch: pytest.MonkeyPatch) -> list[Picture]:
    """The pictures that a figure puts into its gallery."""
    seen: list[Picture] = []

    def keep(pictures: Any, *arguments: Any, **others: Any) -> bytes:
        seen.extend(pictures)
        return gallery(pictures, *arguments, **others)

    monkeypatch.setattr(answers, "gallery", keep)
    return seen


def test_a_hundred_predictions_are_shown_with_class_and_probability(
    run: Run, scene: Scene, pictured: list[Picture]
) -> None:
    (figure,) = answers.predictions(scene)
    assert len(pictured) == 100
    stored = read_predictions(run.directory / "predictions.csv")
    titles = {f"{name}, prob={share:.2f}" for name, share in zip(stored.predictions, stored.probabilities, strict=True)}
    assert {picture.lines[0] for picture in pictured} <= titles
    wrong = sum(picture.wrong for picture in pictured)
    assert f"the {wrong} that are wrong" in figure.caption
    assert "Of 1,000 held-out images" in figure.caption
    assert frames(figure.content) == wrong > 0


def test_a_class_may_be_called_like_a_formula() -> None:
    picture = Picture(np.zeros((8, 8, 1), np.uint8), (r"$\frac$, prob=0.97",))
    assert gallery([picture], 1, "costs $1 or $2", size=1.5).startswith(b"\x89PNG")


def frames(content: bytes) -> int:
    """How many orange-red frames a picture has."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    blue, green, red = np.moveaxis(image.astype(int), -1, 0)
    marked = ((red > 180) & (green > 60) & (green < 130) & (blue < 60)).astype(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(marked)
    return int(((boxes[1:, cv2.CC_STAT_WIDTH] > 60) & (boxes[1:, cv2.CC_STAT_HEIGHT] > 60)).sum())


def test_mistakes_are_the_wrong_ones_and_the_most_confident_first(scene: Scene, pictured: list[Picture]) -> None:
    list(answers.mistakes(scene))
    assert scene.answers is not None
    said = [picture.lines for picture in pictured]
    assert len(said) == 24
    assert all(second == f"is {second[3:]}" and first[0] != second[3:] for first, second in said)
    wrong = np.sort(scene.answers.probabilities[~scene.answers.correct])[::-1][:24]
    assert [float(first.split("=")[1]) for first, _ in said] == pytest.approx(wrong, abs=0.0051)


def test_the_least_sure_come_first_and_are_framed_where_they_are_wrong(scene: Scene, pictured: list[Picture]) -> None:
    (figure,) = answers.unsure(scene)
    assert scene.answers is not None
    least = np.sort(scene.answers.probabilities)[:24]
    assert [float(picture.lines[0].split("=")[1]) for picture in pictured] == pytest.approx(least, abs=0.0051)
    right = [picture for picture in pictured if not picture.wrong]
    assert all(picture.lines[1] == "right" for picture in right)
    assert f"{len(right)} of them are right all the same" in figure.caption


@pytest.mark.parametrize("flip_average", [False, True])
def test_images_without_a_label_get_the_prediction_of_the_run(
    scene: Scene, pictured: list[Picture], flip_average: bool
) -> None:
    assert scene.data is not None
    assert scene.run is not None
    images = scene.data.test.images[:5]
    data = replace(scene.data, unlabelled=lambda count: (images[:count], [str(n) for n in range(len(images))]))
    recipe = replace(scene.run.recipe, flip_average=flip_average)
    context: Any = SimpleNamespace(**{**vars(scene.run), "recipe": recipe, "title": scene.title, "rehearsal": False})
    (figure,) = answers.unlabelled(Scene(scene.model, data, context, scene.view))
    assert "Nobody has said which are right" in figure.caption
    shares = np.asarray(predictor(defaults.predict, scene.model, flip_average)(images.astype("float32")))
    said = [f"{scene.class_names[row.argmax()]}, prob={row.max():.2f}" for row in shares]
    assert [picture.lines[0] for picture in pictured] == said


def test_a_rehearsal_s_pictures_are_stamped_and_tell_no_accuracy(scene: Scene) -> None:
    context: Any = SimpleNamespace(**{**vars(scene.run), "rehearsal": True})
    rehearsed = Scene(scene.model, scene.data, context, scene.view)
    (figure,) = answers.predictions(rehearsed)
    assert "rehearsal" in figure.caption
    assert "right" not in figure.caption
    assert frames(figure.content) == 0
    (real,) = answers.predictions(scene)
    assert figure.content != real.content
    for draw in (scores.confusion, scores.classes, scores.reliability, answers.mistakes, answers.unsure):
        assert list(draw(rehearsed)) == []


def test_without_images_there_are_scores_and_no_galleries(scene: Scene) -> None:
    blind = Scene(scene.model, None, scene.run, scene.view)
    assert [figure.name for figure in scores.confusion(blind)] == ["confusion"]
    for draw in (answers.predictions, answers.mistakes, answers.unsure, embedding.embedding, features.gradcam):
        assert list(draw(blind)) == []


# what the reader asks for -------------------------------------------------------------------------------------


def test_a_name_stands_for_those_that_begin_with_it() -> None:
    assert View().wants("anything")
    assert View(only=("features",)).wants("features-conv1")
    assert View(only=("features-conv1",)).wants("features")
    assert not View(only=("features-conv1",)).wants("features-conv2")
    assert not View(only=("feature",)).wants("features")


def test_the_reader_s_own_picture_and_layers_are_drawn(run: Run, tmp_path: Path) -> None:
    photo = tmp_path / "mine.png"
    drawn = np.full((40, 60, 3), 240, np.uint8)
    cv2.putText(drawn, "7", (20, 33), cv2.FONT_HERSHEY_SIMPLEX, 1, (30, 30, 30), 3)
    cv2.imwrite(str(photo), drawn)
    options: dict[str, Any] = {"output": tmp_path / "out", "quiet": True}
    written = zoo.visualize(run, only=["features", "gradcam"], layers=["pool"], images=[photo], **options)
    assert [path.name for path in written] == ["gradcam.png", "features-pool.png"]
    said = json.loads((tmp_path / "out" / "captions.json").read_text())
    assert "make of mine.png" in said["features-pool.png"]
    assert "at pool, 12 x 12 places" in said["gradcam.png"]


@pytest.mark.parametrize(
    ("wishes", "error", "message"),
    [
        ({"only": ["confusoin"]}, UsageError, r"no figure 'confusoin'. Did you mean 'confusion'\?"),
        ({"only": ["hidden-units"]}, UsageError, "nothing to draw for 'hidden-units'"),
        (
            {"only": ["features"], "layers": ["conv7"]},
            UsageError,
            r"no layer 'conv7'.*Did you mean 'conv1'\?.*conv1, pool",
        ),
        ({"images": ["absent.jpg"]}, DataError, "absent.jpg can't be shown to the network: no such file"),
        ({"dataset": "mnist"}, UsageError, "A run knows its data set"),
    ],
)
def test_a_wish_that_can_t_be_met_is_explained(
    run: Run, tmp_path: Path, wishes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        zoo.visualize(run, output=tmp_path / "out", quiet=True, **wishes)
    assert not (tmp_path / "out").exists()


def test_a_run_whose_images_are_gone_is_drawn_as_far_as_it_can_be(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: Any) -> None:
        raise DataError("mnist is nowhere to be found")

    monkeypatch.setattr("zoo.runs.pipeline.Prepared.data", gone)
    only = ["confusion", "features"]
    written = zoo.visualize(run, only=only, output=tmp_path)
    assert [path.name for path in written] == ["confusion.svg", "features-conv1.png"]
    assert "left out: mnist is nowhere to be found" in capsys.readouterr().err
    with pytest.raises(UsageError, match="without the data set's images"):
        zoo.visualize(run, only=["mistakes"], output=tmp_path, quiet=True)


def test_an_architecture_without_a_run_is_drawn_untrained(tmp_path: Path) -> None:
    written = zoo.visualize("fc-tf", "mnist", output=tmp_path, quiet=True)
    assert [path.stem for path in written] == ["hidden-units", "diagram-folded", "diagram", "layers", "imagenet"]
    assert "Untrained" in json.loads((tmp_path / "captions.json").read_text())["hidden-units.png"]
    assert Graph.from_json((tmp_path / "graph.json").read_text()).name == "fc-tf"
    with pytest.raises(UsageError, match="'confusion' needs a run, not an architecture"):
        zoo.visualize("fc-tf", only=["confusion"], output=tmp_path, quiet=True)


def test_pictures_are_fitted_as_the_network_s_own_and_shown_large(run: Run) -> None:
    spec = run.spec
    array = np.zeros((300, 300), np.uint8)
    array[:, 150:] = 255
    photo = photos.photo("half", array, spec, "stretch", "area")
    assert photo.pixels.shape == (28, 28, 1)
    assert min(photo.shown.shape[:2]) >= photos.SIDE
    assert photo.pixels[:, :13].max() == 0
    (default,) = photos.default(spec, "stretch", "area")
    assert isinstance(default, Photo)
    assert default.pixels.shape == (28, 28, 1)


def test_a_network_trained_on_photographs_is_not_shown_a_digit(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(photos, "find_spec", lambda name: None)  # without scikit-image
    colour = replace(run.spec, channels=3)
    assert photos.default(colour, "stretch", "area", trained=True) == ()
    assert len(photos.default(colour, "stretch", "area")) == 1
    assert len(photos.default(run.spec, "stretch", "area", trained=True)) == 1
    of_photographs: Any = SimpleNamespace(spec=colour, resolved=run.resolved)
    with pytest.raises(UsageError, match=r"no free photograph .* \(--image PATH\).* pip install scikit-image"):
        drawing.draw_without_data(of_photographs, (), tmp_path)


def test_every_entry_of_the_catalogue_says_what_it_is() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names)
    assert all(len(entry.says) > 15 for entry in CATALOGUE)
    assert in_order(["mine.svg", "diagram.svg", "diagram-folded.svg", "features-b.png", "curves.svg"]) == [
        *("curves.svg", "features-b.png", "diagram-folded.svg", "diagram.svg", "mine.svg"),
    ]


def test_a_network_is_watched_as_the_engine_trains_it(tmp_path: Path) -> None:
    overrides = {"epochs": 3, "batch_size": 5000}
    watched = zoo.train("fc-keras", "mnist", overrides=overrides, output=tmp_path / "run", export=False, quiet=True)
    steps = [int(row["step"]) for row in watched.history]
    seen = sorted(path.stem for path in (tmp_path / "run" / "figures").glob("sees*"))
    assert seen == ["sees", *(f"sees-{step:05}" for step in steps[:2])], "epochs 1 and 2, and the end"
    assert f"after step {steps[0]:,}" in captions(watched)[f"sees-{steps[0]:05}.png"]


def test_the_figures_are_listed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["visualize", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [entry.name for entry in CATALOGUE]
    assert main(["visualize", str(run.directory), "--list"]) == 0
    said = capsys.readouterr().out
    assert "features-conv1" in said
    assert "Expected calibration error" in said
    assert main(["visualize"]) == 2


def test_the_layer_table_has_a_row_per_layer_with_its_cost(run: Run) -> None:
    table = run.directory / "figures" / "layers.svg"
    groups = list(ElementTree.fromstring(table.read_bytes()).iter(f"{SVG}g"))
    rows = [[text.text for text in group.iter(f"{SVG}text")] for group in groups]
    graph = Graph.from_json((run.directory / "figures" / "graph.json").read_text())
    assert [row[0] for row in rows] == [node.name for node in graph.nodes]
    times = "\N{MULTIPLICATION SIGN}"
    # 24 x 24 places, 64 filters of 5 x 5 values: 921,600 multiply-adds; 36,864 values of four bytes
    wanted = ["conv1", f"Conv 5{times}5, 64 + ReLU", f"24 {times} 24 {times} 64", "1,664", "922 k", "147 kB", "5"]
    assert wanted in rows
    assert "hidden alone has 100 %" in captions(run)["layers.svg"]


def test_published_networks_have_a_source_each_and_the_caption_counts() -> None:
    figure = imagenet.published()
    assert all("arXiv:" in network.source for network in imagenet.NETWORKS)
    first, best = imagenet.NETWORKS[0], max(imagenet.NETWORKS, key=lambda network: network.top1)
    assert f"rose by {best.top1 - first.top1:.1f} points" in figure.caption
    assert "not measured here" in figure.caption
    drawn = figure.content.decode()
    assert all(f"<!-- {network.name} ({network.year})" in drawn for network in imagenet.NETWORKS)
    assert figure == imagenet.published()
