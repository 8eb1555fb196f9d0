"""Networks that come in a package: found without importing it, asked without TensorFlow and without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from zoo import api, defaults, quiet
from zoo.cli import main
from zoo.data import images
from zoo.errors import UsageError, ZooError
from zoo.prediction import packaged
from zoo.registry import Registry
from zoo.runs import seal
from zoo.runs.directory import Run, find_runs
from zoo.runs.evaluation import predictor

CHELSEA = Path(__file__).parents[1] / "photos" / "chelsea.jpg"
IMAGENET = "zoo:efficientnet-lite0/imagenet"
CATS = {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"}
CONTENT = {
    "format": 1,
    "about": "flowers of a garden",
    "licence": "CC0-1.0",
    "architecture": "my-net",
    "height": 6,
    "width": 6,
    "channels": 3,
    "class_names": ["rose", "tulip"],
    "options": {},
    "seed": 0,
    "resize": "stretch",
    "interpolation": "area",
    "rule": images.RULE,
    "flip_average": False,
    "rehearsal": False,
}
MY_NET = """
import keras
from zoo import hookimpl

@hookimpl
def zoo_build(spec):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(spec.classes)]
    return keras.Sequential([keras.Input((spec.height, spec.width, spec.channels)), *layers])
"""


def test_a_fresh_machine_without_a_network_names_a_cat_and_loads_no_tensorflow(tmp_path):
    code = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise OSError('there is no network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from zoo.cli import main\n"
        "code = main()\n"
        # _hashlib is OpenSSL, 4 MB that a cold answer does without
        "print(sorted({'tensorflow', 'keras', 'zoo_efficientnet', '_hashlib'} & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "predict", IMAGENET, str(CHELSEA), "--top", "3", "--json"]
    environment = os.environ | {"ZOO_CACHE": str(tmp_path / "cache"), "ZOO_RUNS": str(tmp_path / "runs")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    assert len(answer["classes"]) == 3
    assert answer["classes"][0]["name"] in CATS
    assert done.stderr.splitlines() == ["[]"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.deep
def test_the_full_network_gives_the_same_answer_but_for_rounding():
    litert, full = (api.predict(IMAGENET, [CHELSEA], engine=engine)[0] for engine in ("litert", "tensorflow"))
    assert dict(litert.classes) == pytest.approx(dict(full.classes), abs=packaged.TOLERANCE)


def test_imagenets_classes_have_names_of_their_own():
    names = packaged.find(IMAGENET, Registry.discover()).spec.class_names
    assert len(set(names)) == len(names) == 1000


def test_the_small_network_of_cats_and_dogs_tells_a_cat_and_says_how_it_was_tested(capsys):
    assert main(["predict", "zoo:vgg16-bn/catsdogs", str(CHELSEA), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["classes"][0]["name"] == "cat"
    network = packaged.find("zoo:vgg16-bn/catsdogs", Registry.discover())
    metrics = json.loads((network.model_directory / packaged.RUN / "metrics.json").read_text())
    assert metrics["accuracy"] >= 0.9
    assert metrics["count"] == 2500


def test_the_networks_that_we_trained_are_small():
    networks = [network for plugin in Registry.discover().of("architecture") for network in packaged.of(plugin)]
    ours = [network for network in networks if (network.model_directory / packaged.RUN).is_dir()]
    assert {network.id for network in ours} >= {"zoo:cnn/mnist", "zoo:vgg16-bn/catsdogs"}
    assert sum(network.as_dict()["bytes"] for network in ours) < 10e6


def test_an_unknown_network_is_a_mistake_that_lists_those_that_exist(capsys):
    assert main(["predict", "zoo:efficientnet-lite0/imagnet", str(CHELSEA)]) == 2
    assert f"Did you mean '{IMAGENET}'? Packaged: " in capsys.readouterr().err


def test_show_lists_them(capsys):
    main(["show", "efficientnet-lite0"])
    assert f"zoo predict {IMAGENET} PHOTO.jpg" in capsys.readouterr().out
    main(["show", "efficientnet-lite0", "--json"])
    (network,) = json.loads(capsys.readouterr().out)[0]["packaged"]
    assert (network["id"], network["classes"], network["licence"]) == (IMAGENET, 1000, "Apache-2.0")
    main(["show", "fc-keras"])
    assert "packaged" not in capsys.readouterr().out


SAMPLES = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3)).astype(np.float32)


@pytest.fixture
def flowers(site):
    """A stranger's package that ships a network."""
    quiet.import_tensorflow()
    import keras

    site.install("my-net", {"my-net": "my_net"})
    folder = site.package("my_net", init=MY_NET) / "models" / "my-net" / "flowers"
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((6, 6, 3)), *layers])
    packaged.pack(folder, model, predictor(defaults.predict, model, flip_average=False), CONTENT, SAMPLES)
    return model, folder


def test_a_strangers_package_ships_one_the_same_way_and_is_not_imported_to_find_it(flowers, site):
    (found,) = packaged.of(site.registry().get("architecture", "my-net"))
    assert "my_net" not in sys.modules
    assert found.id == "zoo:my-net/flowers"
    assert found.as_dict()["about"] == "flowers of a garden"
    photo = images.load(CHELSEA, 6, 6, 3, "stretch", "area")
    model, _ = flowers
    expected = np.asarray(defaults.predict(model, photo[None].astype(np.float32)))[0]
    for engine in ("litert", "tensorflow"):
        (answer,) = api.predict("zoo:my-net/flowers", [CHELSEA], engine=engine)
        shares = dict(answer.classes)
        assert [shares["rose"], shares["tulip"]] == pytest.approx(expected, abs=1e-2), engine


def test_matrices_are_kept_in_half_of_the_room(flowers):
    with np.load(flowers[1] / "weights.npz") as stored:
        assert {array.dtype.name for array in stored.values()} == {"float16", "float32"}
        assert {array.ndim for array in stored.values() if array.dtype == np.float32} == {1}


def test_a_folder_without_a_spec_is_no_network_and_one_without_litert_says_what_works(flowers, site):
    _, folder = flowers
    (folder / "model.tflite").unlink()
    with pytest.raises(ZooError, match="--engine tensorflow"):
        api.predict("zoo:my-net/flowers", [CHELSEA])
    (folder / "spec.json").unlink()
    with pytest.raises(UsageError, match="There is no network"):
        api.predict("zoo:my-net/flowers", [CHELSEA])


def test_a_litert_file_that_is_not_the_network_is_refused(flowers, tmp_path):
    model, _ = flowers
    samples = np.full((1, 6, 6, 3), 255, np.float32)

    def fickle(batch):
        """Another network in what is exported than otherwise."""
        answer = tf.one_hot(int(tf.executing_eagerly()), 2)
        return 0 * defaults.predict(model, batch) + answer

    with pytest.raises(ZooError, match=r"would differ from the network by"):
        packaged.pack(tmp_path, model, fickle, CONTENT, samples)
    assert not (tmp_path / "spec.json").exists()


def test_a_network_that_is_refused_leaves_the_one_that_was_there(flowers, monkeypatch):
    model, folder = flowers
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model.variables[0].assign_add(np.ones(model.variables[0].shape))
    monkeypatch.setattr(packaged, "TOLERANCE", -1.0)
    with pytest.raises(ZooError, match=r"would differ from the network by"):
        packaged.pack(folder, model, predictor(defaults.predict, model, flip_average=False), CONTENT, SAMPLES)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.fixture
def digits_run(site, tmp_path, monkeypatch):
    """A run of a stranger's network, trained for a few steps, and the stranger's package."""
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    site.install("my-net", {"my-net": "my_net"})
    package = site.package("my_net", init=MY_NET)
    settings = ["steps=30", "train=600", "validation=200", "image_size=28"]
    return api.train("my-net", "mnist", settings=settings, quiet=True), package


def test_a_run_is_packed_and_then_asked_drawn_and_reported_without_it(digits_run, capsys):
    run, package = digits_run
    command = ["pack", run.id, "digits", "--about", "handwritten digits", "--licence", "CC0-1.0"]
    assert main(command) == 0
    folder = package / "models" / "my-net" / "digits"
    assert capsys.readouterr().out.strip() == str(folder)
    shutil.rmtree(run.directory)
    (found,) = packaged.of(Registry.discover().get("architecture", "my-net"))
    assert (found.as_dict()["about"], found.content["prepare"]) == ("handwritten digits", "digit")
    assert main(["report", found.id]) == 0
    report = Path(capsys.readouterr().out.strip())
    text = report.read_text(encoding="utf-8")
    assert f"{100 * run_accuracy(folder):.2f}" in text
    assert "data:image" in text
    # it is made once, and none of the user's runs
    assert find_runs() == []
    again = packaged.as_run(found)
    assert again.directory == report.parent
    # of an older package: its pictures go with it
    again.update(started="2026-01-01T00:00:00+00:00")
    assert not (packaged.as_run(found).directory / "figures").exists()
    assert (set(again.receipt["model"]), seal.faults(again)) == ({"weights.npz", "model.tflite"}, [])
    assert main(["show", found.id]) == 0
    assert "my-net on mnist" in capsys.readouterr().out


@pytest.mark.parametrize(("place", "warned"), [("lib/site-packages/my_net", True), ("src/my_net", False)])
def test_who_packs_into_an_installed_copy_is_warned(place, warned, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(packaged, "pack_run", lambda run, name, **options: tmp_path / place / name)
    assert main(["pack", "zoo:cnn/mnist", "digits"]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(tmp_path / place / "digits")
    assert ("Note: It lies in an installed copy of the package" in err) is warned


def run_accuracy(folder):
    return json.loads((folder / "run" / "metrics.json").read_text())["accuracy"]


def test_what_is_no_finished_run_is_not_packed(site, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    rehearsal = api.train("fc-tf", "mnist", rehearse=True, export=False, quiet=True)
    assert main(["pack", rehearsal.id, "digits"]) == 2
    assert "Only a finished run can be packed. Received: " in capsys.readouterr().err
    monkeypatch.setattr(Run, "receipt", {"status": "finished", "rehearsal": False})
    assert main(["pack", str(rehearsal.directory), "../digits"]) == 2
    assert "NAME is that of a folder" in capsys.readouterr().err


def test_a_network_of_no_run_says_that_it_has_nothing_to_report(capsys):
    assert main(["report", IMAGENET]) == 2
    assert f"{IMAGENET} comes without a run" in capsys.readouterr().err


def test_a_disk_that_fills_up_while_a_network_becomes_a_run_leaves_no_torn_run(small_disk, monkeypatch, capsys):
    monkeypatch.setenv("ZOO_RUNS", str(small_disk / "runs"))
    assert main(["show", "zoo:cnn/mnist"]) == 1
    assert "can't be written: the disk is full" in capsys.readouterr().err
    assert not list(small_disk.rglob("run.json"))
    monkeypatch.setenv("ZOO_RUNS", str(small_disk.parent / "runs"))
    assert main(["show", "zoo:cnn/mnist"]) == 0
