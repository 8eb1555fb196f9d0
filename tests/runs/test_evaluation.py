"""Evaluation: the numbers are those of the formulas, files survive odd names, any prediction can be evaluated."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from zoo.errors import PluginError, ZooError
from zoo.intervals import wilson
from zoo.runs.evaluation import (
    compare_predictions,
    evaluate,
    mcnemar,
    metrics,
    predictor,
    read_predictions,
    write_predictions,
)
from zoo.types import Part

NAMES = ("cat", "dog", "owl")


def part_of(images: np.ndarray) -> Part:
    count = len(images)
    return Part(images, np.arange(count), np.zeros(count, np.int64), [str(index) for index in range(count)])


def noise(count: int, size: int = 6, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, channels), np.uint8)


def test_importing_it_imports_no_framework():
    code = "import sys, zoo.runs.evaluation; assert not {'tensorflow', 'keras', 'cv2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# metrics ------------------------------------------------------------------------------------------------------


def test_wilsons_interval_is_the_published_one():
    low, high = wilson(81, 263)  # Newcombe (1998), Statistics in Medicine 17, table I
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    low, high = wilson(0, 20)
    assert (low, round(high, 4)) == (0.0, 0.1611)
    assert wilson(20, 20) == (pytest.approx(1 - high), 1.0)
    assert wilson(0, 0) == (0.0, 1.0)


def test_metrics_count_what_is_right_per_class_and_in_all():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]], np.float32)
    result = metrics(probabilities, np.array([0, 0, 0, 1]), NAMES)
    assert (result["count"], result["correct"], result["accuracy"]) == (4, 3, 0.75)
    assert result["interval"] == list(wilson(3, 4))
    assert result["confusion"] == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert result["loss"] == pytest.approx(-np.log([0.7, 0.1, 0.6, 0.7]).mean(), rel=1e-6)
    assert "top5" not in result
    cat, dog, owl = result["classes"]
    assert (cat["recall"], cat["precision"]) == (2 / 3, 1.0)
    assert (dog["recall"], dog["precision"]) == (1.0, 0.5)
    assert (owl["count"], owl["recall"], owl["precision"]) == (0, None, None)
    assert json.loads(json.dumps(result)) == result


def test_top5_agrees_with_argmax_on_equal_probabilities():
    equal = np.full((7, 7), 1 / 7, np.float32)
    result = metrics(equal, np.arange(7), [str(index) for index in range(7)])
    assert (result["correct"], result["top5"]) == (1, 5 / 7)


def test_a_certain_mistake_costs_a_finite_loss():
    result = metrics(np.array([[1.0, 0.0, 0.0]], np.float32), np.array([1]), NAMES)
    assert result["loss"] == pytest.approx(-math.log(1e-12))


def test_no_images_are_refused():
    with pytest.raises(ZooError, match="at least one image"):
        metrics(np.zeros((0, 3), np.float32), np.zeros(0, np.int64), NAMES)
    with pytest.raises(ZooError, match="leaves this part empty"):
        evaluate(lambda images: images, part_of(noise(0)))


# predictions --------------------------------------------------------------------------------------------------


def test_predictions_survive_formulas_line_breaks_commas_and_names_that_are_no_utf8(tmp_path):
    keys = [
        "a.jpg",
        "=cmd|'/C calc'!A0",
        "-1",
        "'quoted'",
        'two\nlines\rand, "more"',
        b"\xff.jpg".decode("utf-8", "surrogateescape"),
    ]
    probabilities = np.tile(np.array([0.25, 0.75], np.float32), (6, 1))
    write_predictions(tmp_path / "p.csv", keys, np.array([0, 1, 0, 1, 0, 1]), probabilities, ["+yes", "no"])
    read = read_predictions(tmp_path / "p.csv")
    assert read.keys == keys
    assert read.truths == ["+yes", "no"] * 3
    assert read.predictions == ["no"] * 6
    assert read.probabilities == [0.75] * 6
    assert read.correct == [False, True] * 3
    cells = (tmp_path / "p.csv").read_bytes().replace(b"\n", b",").split(b",")
    assert not [cell for cell in cells if cell.strip(b'"')[:1] in (b"=", b"+", b"-", b"@") and cell[:1] == b'"']


def test_another_file_is_no_predictions_file(tmp_path):
    (tmp_path / "p.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ZooError, match="not a predictions file"):
        read_predictions(tmp_path / "p.csv")
    with pytest.raises(ZooError, match="can't be read"):
        read_predictions(tmp_path / "none.csv")


# comparison ---------------------------------------------------------------------------------------------------


def disagreeing(only_first: int, only_second: int, both: int) -> tuple[list[bool], list[bool]]:
    first = [True] * only_first + [False] * only_second + [True] * both
    return first, [False] * only_first + [True] * only_second + [True] * both


def test_mcnemars_p_is_the_exact_binomial():
    result = mcnemar(*disagreeing(10, 2, 88))
    assert result["p"] == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert (result["count"], result["only_first"], result["only_second"]) == (100, 10, 2)
    assert mcnemar(*disagreeing(0, 0, 5))["p"] == 1.0
    assert mcnemar(*disagreeing(7, 7, 5))["p"] == 1.0
    assert mcnemar(*disagreeing(30_000, 30_400, 9_600))["p"] == pytest.approx(0.1043, abs=2e-4)  # normal: z = 1.6235


def test_mcnemar_speaks():
    assert mcnemar(*disagreeing(120, 108, 2272))["sentence"] == "not distinguishable on 2,500 images (p = 0.47)"
    assert mcnemar(*disagreeing(40, 90, 370))["sentence"] == (
        "the second is better on 500 images (p < 0.001): it alone is right on 90, the other alone on 40"
    )


def test_runs_are_compared_by_key_and_only_on_the_same_images(tmp_path):
    right, wrong = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
    labels = np.zeros(2, np.int64)
    write_predictions(tmp_path / "a.csv", ["x", "y"], labels, np.concatenate([right, wrong]), ["a", "b"])
    write_predictions(tmp_path / "b.csv", ["y", "x"], labels, np.concatenate([wrong, right]), ["a", "b"])
    write_predictions(tmp_path / "c.csv", ["y", "z"], labels, np.concatenate([wrong, right]), ["a", "b"])
    a, b, c = (read_predictions(tmp_path / f"{name}.csv") for name in "abc")
    assert compare_predictions(a, b) == mcnemar([True, False], [True, False])
    with pytest.raises(ZooError, match="2 and 2 images, 1 in both"):
        compare_predictions(a, c)


# prediction in TensorFlow -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tf():
    from zoo import quiet

    quiet.import_tensorflow()
    import tensorflow

    return tensorflow


def asymmetric(tf, images):
    """Probabilities that depend on which half of the image is bright."""
    left = tf.reduce_mean(images[:, :, :3], axis=[1, 2, 3]) / 255
    return tf.stack([left, 1 - left], axis=1)


def test_one_trace_serves_every_batch_the_partial_one_too(tf):
    traces = []

    def predict(model, images):
        traces.append(images.shape)
        return asymmetric(tf, images)

    images = noise(10)
    predict_batch = predictor(predict, None, flip_average=False)
    found = evaluate(predict_batch, part_of(images), batch_size=4)
    assert len(traces) == 1
    assert predict_batch.traceable
    np.testing.assert_allclose(found, asymmetric(tf, images.astype(np.float32)), rtol=1e-6)


def test_a_prediction_in_numpy_runs_eagerly(tf):
    def predict(model, images):
        return asymmetric(tf, images).numpy()

    images = noise(5)
    predict_batch = predictor(predict, None, flip_average=True)
    found = evaluate(predict_batch, part_of(images), batch_size=2)
    assert predict_batch.traceable is False
    expected = predictor(lambda model, x: asymmetric(tf, x), None, flip_average=True)(images.astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_flip_averaging_is_the_mean_over_the_image_and_its_mirror_image(tf):
    images = noise(4).astype(np.float32)
    found = predictor(lambda model, x: asymmetric(tf, x), None, flip_average=True)(images)
    expected = (asymmetric(tf, images) + asymmetric(tf, images[:, :, ::-1])) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_weights_that_change_are_seen_by_the_compiled_prediction(tf):
    variable = tf.Variable([0.25, 0.75])
    predict_batch = predictor(lambda model, x: tf.ones_like(x[:, 0, 0, :1]) * model, variable, flip_average=False)
    images = noise(2).astype(np.float32)
    assert predict_batch(images).numpy()[0].tolist() == [0.25, 0.75]
    variable.assign([1.0, 0.0])
    assert predict_batch(images).numpy()[0].tolist() == [1.0, 0.0]


def test_logits_and_wrong_shapes_are_refused(tf):
    images = part_of(noise(3))
    with pytest.raises(PluginError, match=r"add up to 1 \(not logits\)"):
        evaluate(predictor(lambda model, x: 9 * asymmetric(tf, x) - 2, None, False), images)
    with pytest.raises(PluginError, match=r"\[n, classes\]. Received: shape \(3, 6, 6, 3\)"):
        evaluate(predictor(lambda model, x: x, None, False), images)
    with pytest.raises(PluginError, match="3 images"):
        evaluate(predictor(lambda model, x: asymmetric(tf, x)[1:], None, False), images)


def test_a_broken_prediction_raises_its_own_error(tf):
    def predict(model, images):
        raise KeyError("a plugin's mistake")

    with pytest.raises(KeyError, match="a plugin's mistake"):
        evaluate(predictor(predict, None, False), part_of(noise(3)))
