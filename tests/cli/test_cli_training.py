"""The command line trains, stops, resumes, explains: real processes on real digits."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from zoo.api import predict
from zoo.prediction import packaged
from zoo.registry import Registry
from zoo.runs.directory import Run

ROOT = Path(__file__).resolve().parents[2]
# fc-keras in well under a minute, long enough to be killed in the middle
SHORT = ["fc-keras", "mnist", "--epochs", "4", "--set", "batch_size=256"]


def zoo(*arguments, cwd, **environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "zoo", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def start(*arguments, cwd) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", *map(str, arguments)],
        cwd=cwd,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, process, seconds=120) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"it ended on its own: {process.communicate()}"
        assert time.monotonic() < limit, "it did not get there in time"
        time.sleep(0.02)


def weights(directory: Path) -> dict[str, bytes]:
    with np.load(directory / "model" / "weights.npz") as stored:
        return {name: stored[name].tobytes() for name in stored.files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def finished(folder):
    done = zoo("train", *SHORT, "--output", "whole", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done


def test_results_go_to_standard_output_and_the_rest_to_standard_error(finished):
    assert finished.stdout == "whole\n"
    assert "fc-keras on mnist, quick: 55,000 training, 5,000 validation, 10,000 test images" in finished.stderr
    assert "The training will take about" in finished.stderr
    assert "epoch 4/4" in finished.stderr
    assert "95 % interval" in finished.stderr


def test_the_frameworks_chatter_does_not_reach_the_terminal(finished):
    for word in ("oneDNN", "absl", "cuda", "CUDA", "WARNING", "port.cc", "XNNPACK", "Traceback"):
        assert word not in finished.stderr


def test_the_run_keeps_what_it_takes(finished, folder):
    run = Run(folder / "whole")
    assert run.status == "finished"
    assert run.metrics["count"] == 10_000
    assert run.metrics["accuracy"] > 0.95
    low, high = run.metrics["interval"]
    assert low < run.metrics["accuracy"] < high
    names = {path.relative_to(run.directory).as_posix() for path in run.directory.rglob("*") if path.is_file()}
    assert {
        *("run.json", "history.csv", "metrics.json", "predictions.csv", "quarantine.csv"),
        *("model/spec.json", "model/weights.npz", "model/model.keras", "model/model.tflite"),
    } <= names
    assert any(name.startswith("figures/") for name in names)
    assert not any(name.startswith("checkpoints/") for name in names)
    assert (run.directory / "predictions.csv").read_text().count("\n") == 10_001


def test_the_receipt_holds_no_path_of_the_machine(finished, folder):
    text = (folder / "whole" / "run.json").read_text()
    assert str(Path.home()) not in text
    assert str(folder) not in text


@pytest.mark.parametrize(
    ("number", "sign"),
    [
        (signal.SIGKILL, "checkpoints/state-*"),
        (signal.SIGINT, "checkpoints/state-*"),
        (signal.SIGINT, "model/weights.npz"),
    ],
    ids=["SIGKILL", "Ctrl-C", "Ctrl-C after the training"],
)
def test_a_stopped_run_resumes_to_the_same_bits(finished, folder, number, sign):
    name = f"stopped-{number}-{Path(sign).parent}"
    process = start("train", *SHORT, "--output", name, cwd=folder)
    wait_for(lambda: list((folder / name).glob(sign)), process)
    time.sleep(0.3)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert f"zoo train --resume {name}" in stderr
        assert Run(folder / name).status == "interrupted"
    before = Run(folder / name).receipt["seconds"]
    assert before > 0
    resumed = zoo("train", "--resume", name, cwd=folder)
    assert resumed.returncode == 0, resumed.stderr
    assert Run(folder / name).receipt["seconds"] > before  # of all its sittings
    assert "Going on after step" in resumed.stderr
    assert weights(folder / name) == weights(folder / "whole")
    for file in ("history.csv", "metrics.json", "predictions.csv"):
        assert (folder / name / file).read_bytes() == (folder / "whole" / file).read_bytes()


def test_evaluate_gives_the_metrics_again(finished, folder):
    again = zoo("evaluate", "whole", "--json", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == Run(folder / "whole").metrics
    assert again.stderr == "", "the frameworks' chatter"


def test_the_files_are_of_use_without_the_zoo_as_the_guide_says(finished, folder, tmp_path):
    guide = (ROOT / "zoo" / "site" / "docs" / "guide" / "ship.md").read_text(encoding="utf-8")
    for code in re.findall(r"```python\n(.*?)```", guide, re.DOTALL):
        name = re.match(r"# (\S+)", code)
        assert name is not None
        (tmp_path / name[1]).write_text(code)

    def answer(script, *arguments):
        command = [sys.executable, tmp_path / script, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    photo = ROOT / "tests" / "photos" / "chelsea.jpg"
    network = packaged.find("zoo:vgg16-bn/catsdogs", Registry.discover())
    (files := tmp_path / "model").mkdir()
    for kept in ("spec.json", "model.tflite"):
        (files / kept).write_bytes((network.model_directory / kept).read_bytes())
    (files / "labels.txt").write_text("\n".join(network.content["class_names"]))
    (expected,) = predict("zoo:vgg16-bn/catsdogs", [photo])
    label, probability = expected.classes[0]
    assert answer("answer.py", files, photo) == f"{label} {100 * probability:.1f} %\n"
    # a run's own files: the grey digit is not prepared as `zoo predict` would, and is the same for both engines
    assert answer("answer.py", folder / "whole" / "model", photo).split()[0] in "0123456789"
    assert "tf.Tensor" in answer("answer_keras.py", folder / "whole" / "model")


def test_dry_run_prints_recipe_origins_and_forecast_and_leaves_nothing(tmp_path):
    done = zoo("train", "cnn-5x5", "mnist", "--dry-run", "--set", "batch_size=100", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert lines["batch_size"].endswith("--set")
    assert "zoo_cnn/recipes/mnist.toml:" in lines["epochs"]
    assert lines["beta_2"].endswith("core")
    assert "images/s" in done.stderr
    assert list(tmp_path.iterdir()) == []


def children_seconds() -> float:
    """Processor time of the processes that ended: how busy the machine is does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", ["vgg16", "cnn"])
def test_cats_and_dogs_without_the_data_are_answered_at_once(tmp_path, name):
    began = children_seconds()
    done = zoo("train", name, "catsdogs", cwd=tmp_path, ZOO_DATA="", ZOO_CACHE=str(tmp_path / "cache"))
    assert children_seconds() - began < 1
    assert done.returncode == 4
    assert f"Works now   zoo train {name} mnist\n            zoo train {name} catsdogs --rehearse" in done.stderr


def test_weights_that_cannot_be_downloaded_are_named_with_where_to_put_them(tmp_path):
    nobody = "http://localhost:1"
    done = zoo(
        *("build", "resnet50", "--weights", "imagenet"),
        cwd=tmp_path,
        KERAS_HOME=str(tmp_path / "keras"),
        https_proxy=nobody,
        HTTPS_PROXY=nobody,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "resnet50_weights_tf_dim_ordering_tf_kernels.h5 (MD5 2cb95161c43110f7111970584f804107)" in done.stderr
    assert f"put it into {tmp_path / 'keras' / 'models'}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_rehearsal_runs_the_whole_path_without_the_data(tmp_path):
    done = zoo(
        *("train", "vgg16", "catsdogs", "--rehearse", "--output", "run", "--set", "options.width=0.125"),
        cwd=tmp_path,
        ZOO_DATA="",
        ZOO_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr
    assert "REHEARSAL" in done.stderr
    assert "The real training will take about" in done.stderr
    assert "accuracy" not in done.stderr.replace("have no accuracy", "")
    run = Run(tmp_path / "run")
    assert "accuracy" not in run.metrics
    assert all("accuracy" not in row for row in run.history)
    assert run.receipt["rehearsal"] is True
    assert (run.model_directory / "model.tflite").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "vgg61", "mnist"], 2, "Did you mean 'vgg16'?"),
        (["train", "cnn", "mnits"], 2, "Did you mean 'mnist'?"),
        (["train", "mnist", "cnn"], 2, "'mnist' is a data set"),
        (["train", "cnn"], 2, "needs ARCH and DATASET"),
        (["train", "cnn", "mnist", "--recipe", "boko"], 2, "Did you mean 'book'?"),
        (["train", "cnn", "mnist", "--set", "epoch=3"], 2, "Did you mean 'epochs'?"),
        (["train", "cnn", "mnist", "--set", "epochs=many"], 2, "Received: 'many'"),
        (["train", "cnn", "mnist", "--set", "options.colour=1"], 2, "has no option 'colour'"),
        (["train", "vgg16", "mnist", "--set", "image_size=28"], 2, "takes images from 32 pixels"),
        (["train", "cnn", "mnist", "--weights", "imagenet"], 2, "cnn begins with no weights but its own"),
        (["train", "vgg16", "mnist", "--weights", "absent.h5"], 2, "there is no weight file 'absent.h5'"),
        (["build", "vgg16-bn", "--weights", "imagenet"], 2, "there is no weight file 'imagenet'"),
        (["train", "cnn", "mnist", "--output", "/dev/null/x"], 2, "--output must be a directory"),
        (["train", "cnn", "mnist", "--set", "validation=70000", "--dry-run"], 2, "at most half of the images"),
        (["train", "fc-tf", "mnist", "--recipe", "book", "--set", "shift=0.1"], 2, "which knows no shift"),
        (["train", "--resume", "nothing"], 2, "There is no run 'nothing'"),
        (["train", "--resume", "last", "--epochs", "3"], 2, "Received: --epochs"),
        (["train", "cnn", "mnist", "--inexact"], 2, "--inexact goes with --resume"),
        (["train", "cnn", "mnist", "--config", "absent.toml"], 2, "can't be read"),
        (["evaluate", "absent"], 2, "There is no run 'absent'"),
        (["visualize", "vgg61"], 2, "vgg61"),
    ],
)
def test_a_users_mistake_is_a_message_and_an_exit_code(tmp_path, arguments, code, message):
    done = zoo(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--devices", "0"], "--devices takes a whole number from 1 on, or all. Received: '0'"),
        (["--minutes", "0"], "--minutes must be more than 0 and less than 1,000,000. Received: 0"),
        (["--minutes", "5", "--epochs", "3"], "--minutes chooses how long to train: leave out epochs"),
        (["--minutes", "5", "--rehearse"], "--minutes and --rehearse don't go together"),
    ],
)
def test_options_that_make_no_sense_are_told_before_a_framework_is_imported(folder, options, message):
    done = zoo("train", "cnn", "mnist", *options, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""
