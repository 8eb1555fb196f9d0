"""Model and weight files of strangers run no code: nothing unpickles, no `model.keras` is loaded, Lambda or not."""

from __future__ import annotations

import ast
import json
import pickle
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from zoo import pretrained, quiet
from zoo.cli import main
from zoo.errors import UsageError
from zoo.prediction import packaged
from zoo.registry import Registry
from zoo.types import Spec

ROOT = Path(__file__).parents[2]
UNPICKLERS = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


class Hostile:
    """What unpickles to a call that makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """The file that hostile code makes."""
    return tmp_path / "the code ran"


@cache
def sources() -> dict[str, ast.Module]:
    """The code of the core, of the plugins and of the data sets, by file."""
    paths = sorted(path for folder in ("zoo", "plugins", "datasets") for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@cache
def calls() -> list[tuple[str, ast.Call, str]]:
    """Every call in them: the file, the call, and the last part of the name that is called."""
    found = [(path, node) for path, tree in sources().items() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [(path, call, getattr(call.func, "attr", "") or getattr(call.func, "id", "")) for path, call in found]


def keyword(call: ast.Call, name: str) -> object:
    return next((word.value.value for word in call.keywords if word.arg == name), None)  # type: ignore[attr-defined]


# what the code may call ----------------------------------------------------------------------------------------------


def test_a_keras_file_is_loaded_only_to_check_what_was_just_written_and_in_safe_mode() -> None:
    found = [(path, call) for path, call, name in calls() if name == "load_model"]
    assert [path for path, _ in found] == ["zoo/runs/export.py"]
    assert keyword(found[0][1], "safe_mode") is True


def test_nothing_can_unpickle() -> None:
    for path, tree in sources().items():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & UNPICKLERS, path
    loads = [(path, keyword(call, "allow_pickle")) for path, call, name in calls() if name == "load" and is_numpy(call)]
    assert len(loads) >= 5
    assert [path for path, allowed in loads if allowed is not False] == []
    unsafe = ("deserialize_keras_object", "enable_unsafe_deserialization")
    assert [path for path, _, name in calls() if name in unsafe] == []


def is_numpy(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "np"


# what the commands do ------------------------------------------------------------------------------------------------


def keras_file_with_a_lambda(path: Path, ran: Path) -> Path:
    """A `model.keras` whose Lambda layer makes a file when it is loaded without care."""
    quiet.import_tensorflow()
    import keras

    code = f"open({str(ran)!r}, 'w')"
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Lambda(eval(f"lambda x: ({code}, x)[1]")), keras.layers.Flatten()]
    )
    ran.unlink(missing_ok=True)  # it ran when the network was made
    model.save(path)
    return path


def test_the_lambda_would_run_where_no_care_is_taken(tmp_path: Path, ran: Path) -> None:
    path = keras_file_with_a_lambda(tmp_path / "model.keras", ran)
    assert not ran.exists()
    import keras

    with pytest.raises(ValueError, match="Lambda"):
        keras.models.load_model(path, compile=False, safe_mode=True)
    assert not ran.exists()
    keras.models.load_model(path, compile=False, safe_mode=False)(np.zeros((1, 28, 28, 1), np.float32))
    assert ran.exists()


@pytest.mark.deep
def test_a_strangers_run_with_a_lambda_in_its_keras_file_runs_no_code(
    tmp_path: Path, ran: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    run = packaged.as_run(packaged.find("zoo:cnn/mnist", Registry.discover()))
    keras_file_with_a_lambda(run.model_directory / "model.keras", ran)
    (run.model_directory / "best-1.npz").write_bytes(pickle.dumps(Hostile(ran)))
    digit = tmp_path / "digit.png"
    cv2.imwrite(str(digit), cv2.line(np.full((80, 80), 230, np.uint8), (40, 15), (40, 65), 10, 6))
    place = str(run.directory)
    for arguments in (
        ["predict", place, str(digit)],
        ["predict", place, str(digit), "--engine", "tensorflow"],
        ["evaluate", place],
        ["visualize", place, "--only", "filters"],
        ["show", place],
        ["report", place],
        ["doctor", place],
    ):
        assert main(arguments) == 0, capsys.readouterr().err
    assert not ran.exists()


def weights_of_a_pickle(path: Path, ran: Path) -> None:
    path.write_bytes(pickle.dumps(Hostile(ran)))


def weights_of_pickled_arrays(path: Path, ran: Path) -> None:
    np.savez(path, **{"stem_conv/kernel": np.array([Hostile(ran)], object)})
    ran.unlink(missing_ok=True)


def weights_with_a_lambda(path: Path, ran: Path) -> None:
    keras_file_with_a_lambda(path, ran)


def weights_that_are_a_torn_archive(path: Path, ran: Path) -> None:
    path.write_bytes(b"PK\x03\x04" + bytes(100))


def weights_in_an_archive_without_weights(path: Path, ran: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"module": "os", "class_name": "system"}))


def weights_in_an_archive_of_pickles(path: Path, ran: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", pickle.dumps(Hostile(ran)))


def weights_that_are_a_page(path: Path, ran: Path) -> None:
    path.write_text("<html>")


def network() -> Any:
    """A network of two layers, the second its head."""
    import keras

    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3, name="conv")(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, name="predictions")(x))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.pkl", weights_of_a_pickle),
        ("a.h5", weights_of_a_pickle),
        ("a.weights.h5", weights_of_a_pickle),
        ("a.npz", weights_of_pickled_arrays),
        ("a.npy", weights_of_a_pickle),
        ("a.keras", weights_with_a_lambda),
        ("a.keras", weights_that_are_a_torn_archive),
        ("a.keras", weights_in_an_archive_without_weights),
        ("a.keras", weights_in_an_archive_of_pickles),
        ("a.weights.json", weights_that_are_a_page),
        ("a.h5", weights_that_are_a_page),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_weights_of_a_stranger_are_refused_in_words_and_run_no_code(tmp_path: Path, ran: Path, name: str, make) -> None:
    make(tmp_path / name, ran)
    spec = Spec("net", 8, 8, 3, ("cat", "dog"), weights=str(tmp_path / name))
    with pytest.raises(UsageError) as caught:
        pretrained.load(network(), spec, ["predictions"])
    assert str(caught.value).startswith("net: ")
    assert str(tmp_path / name) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not ran.exists()


@pytest.mark.parametrize(
    ("architecture", "name", "make"),
    [
        ("vgg16", "a.pkl", weights_of_a_pickle),
        ("efficientnet-lite0", "a.npz", weights_of_a_pickle),
        ("efficientnet-lite0", "a.npz", weights_of_pickled_arrays),
    ],
)
def test_the_command_line_refuses_them_too(
    tmp_path: Path, ran: Path, capsys, architecture: str, name: str, make
) -> None:
    make(tmp_path / name, ran)
    narrow = ["--set", "options.width=0.02", "--size", "32", "--set", f"weights={tmp_path / name}"]
    assert main(["build", architecture, *narrow]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"Error: {architecture}: ")
    assert name in err
    assert len(err.splitlines()) == 1
    assert not ran.exists()
