"""Networks with weights that others publish: fetched when asked for, made once, asked as `zoo:ARCH/imagenet`."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import zoo_resnet

from zoo import api, defaults
from zoo.cli import main
from zoo.data import images
from zoo.errors import MissingWeights, UsageError
from zoo.prediction import imagenet, packaged
from zoo.pretrained import PublishedFile
from zoo.registry import Registry

CHELSEA = Path(__file__).parents[1] / "photos" / "chelsea.jpg"
NAME = "zoo:my-net/imagenet"
CARD = """
api = 1
[architectures.my-net]
classes = 1000
channels = [3]
size = 8
options = { input = "rgb" }
weights = { imagenet = { input = "bgr" } }
"""
MY_NET = """
import keras
from zoo import hookimpl, pretrained

PUBLISHED = None

@hookimpl
def zoo_build(spec):
    inputs = x = keras.Input((spec.height, spec.width, spec.channels))
    if spec.options.get("input") == "bgr":
        x = keras.ops.flip(x, axis=-1)
    x = keras.layers.Conv2D(4, 3, name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(spec.classes, name="predictions")(x))
    pretrained.load(model, spec, ["predictions"], PUBLISHED)
    return model
"""


def write(model: keras.Model, path: Path) -> Path:
    """A file of the format in which keras.applications publishes weights."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


def checksum(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Keras keeps weight files; the zoo's cache is the test's own too."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "keras" / "models"


@pytest.fixture
def trained() -> keras.Model:
    """What a stranger has trained on ImageNet, with an input in BGR; its answers are far apart."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(1000, name="predictions")(x))


@pytest.fixture
def weights(site, home: Path, trained: keras.Model, tmp_path: Path) -> Path:
    """The stranger's package is installed, and its weight file is where it is published."""
    path = write(trained, tmp_path / "published" / "my_net.h5")
    site.install("my-net", {"my-net": "my_net"})
    published = f"PUBLISHED = pretrained.PublishedFile({path.as_uri()!r}, {checksum(path)!r})"
    site.package("my_net", init=MY_NET.replace("PUBLISHED = None", published), card=CARD)
    return path


def shares(model: keras.Model) -> dict[str, float]:
    photo = images.load(CHELSEA, 8, 8, 3, "crop", "area")[..., ::-1]
    answer = np.asarray(defaults.predict(model, photo[None].astype(np.float32)))[0]
    return dict(zip(imagenet.class_names(), answer, strict=True))


def test_there_are_a_thousand_names_in_the_order_of_published_weights() -> None:
    names = imagenet.class_names()
    assert len(set(names)) == len(names) == 1000
    # ILSVRC2012's numbers, as every list of them has it
    assert [names[index] for index in (0, 281, 285, 999)] == ["tench", "tabby", "Egyptian cat", "toilet tissue"]


def test_without_the_weights_it_says_which_file_to_fetch_and_where_to_put_it(weights, home, capsys) -> None:
    assert main(["predict", NAME, str(CHELSEA)]) == 4
    said = capsys.readouterr().err
    assert f"{NAME} is not on this machine yet. Its weights have to be downloaded: {home / 'my_net.h5'} is not" in said
    assert f"Fetch {weights.as_uri()} (MD5 {checksum(weights)}) on another machine, and put it into {home}" in said
    assert "Or give: --download" in said
    assert not home.exists()


def test_a_file_of_another_checksum_is_not_used(weights, home) -> None:
    home.mkdir(parents=True)
    (home / "my_net.h5").write_bytes(weights.read_bytes() + b"more")
    with pytest.raises(MissingWeights, match=r"my_net\.h5 has another MD5 than it should"):
        api.predict(NAME, [CHELSEA], quiet=True)


@pytest.mark.parametrize("given", ["the file is put there", "--download"])
def test_with_the_weights_it_names_imagenets_classes(given, weights, home, trained, capsys) -> None:
    if given != "--download":
        home.mkdir(parents=True)
        weights.rename(home / weights.name)
    asked = ["predict", NAME, str(CHELSEA), "--top", "1000", "--json"]
    assert main([*asked, *["--download"] * (given == "--download")]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    found = {entry["name"]: entry["probability"] for entry in answer["classes"]}
    assert found == pytest.approx(shares(trained), abs=1e-4)
    assert max(found.values()) > 0.01, "its answers are not all alike"
    assert (home / "my_net.h5").is_file()


def test_it_is_made_once_and_then_needs_neither_weights_nor_plugin_code(weights, home, capsys) -> None:
    first = api.predict(NAME, [CHELSEA], download=True, quiet=True)
    (home / "my_net.h5").unlink()
    del sys.modules["my_net"]
    assert api.predict(NAME, [CHELSEA]) == first
    assert "my_net" not in sys.modules
    assert "Building" not in capsys.readouterr().err
    with pytest.raises(MissingWeights):
        api.predict(NAME, [CHELSEA], engine="tensorflow")


def test_tensorflow_answers_the_same(weights) -> None:
    full, litert = (
        dict(api.predict(NAME, [CHELSEA], engine=engine, download=True, quiet=True)[0].classes)
        for engine in ("tensorflow", "litert")
    )
    assert full == pytest.approx(litert, abs=1e-5)


def test_show_says_how_to_ask_it_and_a_wrong_name_lists_it(weights, capsys) -> None:
    main(["show", "my-net"])
    assert f"zoo predict {NAME} PHOTO.jpg --download" in capsys.readouterr().out
    with pytest.raises(UsageError, match=rf"no network 'zoo:my-net/imagnet'. Did you mean '{NAME}'\?.*to download: "):
        api.predict("zoo:my-net/imagnet", [CHELSEA])


def test_those_of_the_zoo_are_vgg_resnet_and_inception_as_published() -> None:
    plugins = Registry.discover().of("architecture")
    found = {network.plugin.name: network.spec for plugin in plugins if (network := packaged.offered(plugin))}
    bgr = {"input": "imagenet"}
    assert {name: (spec.height, spec.options) for name, spec in found.items()} == {
        "vgg16": (224, bgr),
        "vgg19": (224, bgr),
        "resnet50": (224, {}),
        "inceptionv3": (299, {}),
    }


@pytest.mark.deep
def test_resnet50_answers_as_keras_does_with_the_same_file(home, monkeypatch) -> None:
    keras.utils.set_random_seed(5)
    reference = keras.applications.ResNet50(weights=None)
    last = reference.get_layer("predictions")
    last.kernel.assign(30 * last.kernel)
    path = write(reference, home / zoo_resnet.IMAGENET.name)
    monkeypatch.setattr(zoo_resnet, "IMAGENET", PublishedFile(zoo_resnet.IMAGENET.url, checksum(path)))
    photo = images.load(CHELSEA, 224, 224, 3, "crop", "area")[None].astype(np.float32)
    expected = np.asarray(reference(keras.applications.resnet50.preprocess_input(photo)))[0]
    answer = dict(api.predict("zoo:resnet50/imagenet", [CHELSEA], top=1000, quiet=True)[0].classes)
    assert answer == pytest.approx(dict(zip(imagenet.class_names(), expected, strict=True)), abs=1e-4)
    assert max(answer.values()) > 0.01
