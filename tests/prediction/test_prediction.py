"""Prediction: the trained network's answers, cold, without TensorFlow; one bad image spoils no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo import defaults, quiet
from zoo.data import images
from zoo.errors import UsageError, ZooError
from zoo.prediction.cold import BATCH, litert, predict_files
from zoo.runs.evaluation import predictor
from zoo.runs.export import export_model
from zoo.types import Spec

SPEC = Spec("net", 10, 10, 3, ("cat", "dog", "owl"))


@pytest.fixture(scope="module")
def network():
    quiet.import_tensorflow()
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((10, 10, 3)), layers.Rescaling(1 / 255), layers.Conv2D(6, 3), layers.Flatten(), layers.Dense(3)]
    )
    return predictor(defaults.predict, model, flip_average=True), model


@pytest.fixture(scope="module")
def run(network, tmp_path_factory) -> Path:
    """A finished run's directory, as prediction needs it."""
    directory = tmp_path_factory.mktemp("run")
    samples = np.random.default_rng(0).integers(0, 256, (8, 10, 10, 3)).astype(np.float32)
    exported = export_model(directory / "model", network[1], network[0], SPEC, samples)
    assert exported["tflite"]["status"] == "ok"
    content = {
        "format": 1,
        "architecture": "net",
        "height": 10,
        "width": 10,
        "channels": 3,
        "class_names": list(SPEC.class_names),
        "resize": "stretch",
        "interpolation": "area",
        "rule": images.RULE,
        "flip_average": True,
        "rehearsal": False,
        "export": exported,
    }
    (directory / "model" / "spec.json").write_text(json.dumps(content))
    receipt = {"format": 1, "status": "finished", "rehearsal": True}
    (directory / "run.json").write_text(json.dumps(receipt))
    return directory


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(1)
    for index in range(BATCH + 3):
        photo = generator.integers(0, 256, (20 + index, 30, 3), np.uint8)
        cv2.imwrite(str(folder / f"{index:02d}.png"), photo)
    return folder


def zoo(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command line; its last line on standard error names the heavy modules that were imported."""
    code = (
        "import sys; from zoo.cli import main; code = main();"
        "print(sorted({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_answers_are_the_trained_networks(run, photos, network):
    answers = predict_files(run / "model", [photos])
    batch = np.stack([images.load(answer.file, 10, 10, 3, "stretch", "area") for answer in answers])
    expected = np.asarray(network[0](batch.astype(np.float32)))
    assert len(answers) == BATCH + 3
    for answer, row in zip(answers, expected, strict=True):
        assert [name for name, _ in answer.classes] == [SPEC.class_names[index] for index in np.argsort(-row)]
        assert [share for _, share in answer.classes] == pytest.approx(sorted(row, reverse=True), abs=1e-5)


def test_top_limits_the_classes(run, photos):
    assert {len(answer.classes) for answer in predict_files(run / "model", [photos], top=2)} == {2}
    assert {len(answer.classes) for answer in predict_files(run / "model", [photos], top=99)} == {3}


def test_a_bad_image_does_not_keep_the_others_from_an_answer(run, photos, tmp_path):
    (tmp_path / "page.jpg").write_text("<html>")
    files = [tmp_path / "page.jpg", photos / "00.png", tmp_path / "none.png"]
    bad, good, missing = predict_files(run / "model", files)
    assert (bad.classes, missing.classes) == ((), ())
    assert bad.error
    assert "no such file" in missing.error
    assert good.classes == predict_files(run / "model", [photos / "00.png"])[0].classes
    assert not good.error


def test_a_file_that_is_named_twice_shifts_no_answer(run, photos):
    files = [photos / "00.png", photos / "01.png", photos / "00.png", photos / "02.png"]
    answers = predict_files(run / "model", files)
    assert [answer.file for answer in answers] == files
    assert answers == [predict_files(run / "model", [file])[0] for file in files]


def test_a_name_that_is_too_long_does_not_keep_the_others_from_an_answer(run, photos):
    bad, good = predict_files(run / "model", [Path("x" * 300 + ".png"), photos / "00.png"])
    assert bad.error
    assert good == predict_files(run / "model", [photos / "00.png"])[0]


def test_only_bad_images_are_only_errors(run, tmp_path):
    (answer,) = predict_files(run / "model", [tmp_path / "none.png"])
    assert answer.error


def test_a_folder_without_images_is_a_mistake(run, tmp_path):
    with pytest.raises(UsageError, match="no image"):
        predict_files(run / "model", [tmp_path])


def test_a_run_without_a_network_says_how_to_go_on(tmp_path, photos):
    with pytest.raises(ZooError, match="zoo train --resume"):
        predict_files(tmp_path / "model", [photos])


def test_a_network_of_a_newer_version_is_refused(tmp_path, photos):
    (tmp_path / "spec.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(ZooError, match=r"spec\.json is of a format that this zoo does not read\. Upgrade: "):
        predict_files(tmp_path, [photos])


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"no flatbuffer")
    with pytest.raises(ZooError, match=r"model\.tflite"):
        litert(tmp_path / "model.tflite")


def test_litert_plans_its_memory_once_for_batches_of_one_size(run, photos, monkeypatch):
    from ai_edge_litert.interpreter import Interpreter

    planned = []
    allocate = Interpreter.allocate_tensors
    monkeypatch.setattr(Interpreter, "allocate_tensors", lambda self: (planned.append(1), allocate(self))[1])
    predict_files(run / "model", [photos])
    assert len(planned) == 1


# the command --------------------------------------------------------------------------------------------------


def test_the_command_prints_json_on_stdout_and_loads_no_tensorflow(run, photos):
    done = zoo("predict", run, photos / "00.png", photos / "01.png", "--top", "2", "--json")
    assert done.returncode == 0
    first, second = json.loads(done.stdout)
    assert first["file"] == str(photos / "00.png")
    assert [len(answer["classes"]) for answer in (first, second)] == [2, 2]
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_command_answers_in_lines_marks_a_rehearsal_and_ends_with_4_for_a_bad_image(run, photos, tmp_path):
    bad = tmp_path / "bad\x1b[31m.png"
    bad.write_bytes(b"")
    done = zoo("predict", run, photos / "00.png", bad)
    assert done.returncode == 4
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{photos / '00.png'}")
    assert line.count("%") == 3
    assert "REHEARSAL" in done.stderr
    assert "bad?[31m.png" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_hostile_names_are_answered_and_shown_without_control_characters(run, photos, tmp_path):
    content = (photos / "00.png").read_bytes()
    for name in (b"new\nline.png", b"\xff\xfe.png", b"\x1b[31mred.png", "K\u00e4tzchen\u202e.png".encode(), b"-v.png"):
        (tmp_path / os.fsdecode(name)).write_bytes(content)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "page.png").write_text("<svg/>")
    done = zoo("predict", run, tmp_path)
    assert done.returncode == 4
    assert len(done.stdout.splitlines()) == 5
    shown = done.stdout + done.stderr
    assert not [character for character in shown if not character.isprintable() and character != "\n"]
    assert "loop.png: unreadable: Too many levels of symbolic links" in done.stderr
    assert "page.png: an SVG drawing" in done.stderr
    answers = json.loads(zoo("predict", run, tmp_path, "--json").stdout)
    assert len(answers) == 7
    assert {os.fsencode(Path(answer["file"]).name) for answer in answers} >= {b"new\nline.png", b"\xff\xfe.png"}
