"""What a finished run trained is what is loaded: a changed file is refused by its SHA-256 before anything reads it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo import api
from zoo.cli import main
from zoo.errors import ZooError
from zoo.prediction import cold, packaged
from zoo.registry import Registry
from zoo.runs import seal
from zoo.runs.directory import Run


@pytest.fixture
def run(monkeypatch, tmp_path) -> Run:
    """A finished run with its seal: that of the packaged network cnn/mnist."""
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    found = packaged.as_run(packaged.find("zoo:cnn/mnist", Registry.discover()))
    found.update(model=seal.seal(found.model_directory), command="zoo train cnn mnist")
    return found


@pytest.fixture
def digit(tmp_path) -> Path:
    path = tmp_path / "digit.png"
    paper = np.full((80, 80), 230, np.uint8)
    cv2.imwrite(str(path), cv2.line(paper, (40, 15), (40, 65), 10, 6))
    return path


def change(path: Path) -> None:
    """Change one bit in the middle of a file, and not its size."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_seal_names_every_file_with_weights_and_only_those(run) -> None:
    model = run.receipt["model"]
    assert set(model) == {"weights.npz", "model.tflite"}
    for name, entry in model.items():
        path = run.model_directory / name
        assert entry == {"bytes": path.stat().st_size, "sha256": seal.sha256_of(path)}
    assert seal.faults(run) == []


def test_a_changed_litert_file_is_refused_before_it_is_loaded_and_the_named_command_mends_it(
    run, digit, monkeypatch, capsys
) -> None:
    before = api.predict(run, [digit])[0].classes[0]
    path = run.model_directory / "model.tflite"
    change(path)
    with monkeypatch.context() as patch:
        patch.setattr(cold, "litert", lambda path: pytest.fail("it was loaded"))
        assert main(["predict", str(run.directory), str(digit)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"Error: {path} is not loaded: its SHA-256 is ")
    mend = err.rstrip().rpartition(": ")[2]
    assert mend == f"rm -f {run.model_directory / 'model.keras'} {path}"
    for name in mend.split()[2:]:
        Path(name).unlink(missing_ok=True)
    name, share = api.predict(run, [digit], quiet=True)[0].classes[0]
    assert (name, share) == (before[0], pytest.approx(before[1], abs=0.02))  # the weights are rounded once less
    assert seal.faults(run) == []
    assert api.predict(run, [digit], quiet=True)[0].classes[0] == (name, share)


def test_a_litert_file_that_the_receipt_does_not_name_is_made_anew(run, digit, capsys) -> None:
    """As it is where a kill came between the file and the receipt."""
    model = {name: entry for name, entry in run.receipt["model"].items() if name != "model.tflite"}
    run.update(model=model)
    (run.model_directory / "model.tflite").write_bytes(b"a stranger's")
    assert not api.predict(run, [digit])[0].error
    assert "exporting it once" in capsys.readouterr().err
    assert seal.faults(run) == []
    assert "model.tflite" in run.receipt["model"]


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate"],
        ["predict", "--engine", "tensorflow", "digit.png"],
        ["visualize", "--only", "filters"],
        ["pack", "x"],
    ],
    ids=lambda command: command[0],
)
def test_changed_weights_are_refused_before_they_are_loaded(run, digit, monkeypatch, capsys, command) -> None:
    monkeypatch.chdir(digit.parent)
    change(run.model_directory / "weights.npz")
    monkeypatch.setattr("zoo.runs.finish.load_weights", lambda path: pytest.fail("they were loaded"))
    name, *rest = command
    assert main([name, str(run.directory), *rest]) == 1
    err = capsys.readouterr().err
    assert f"{run.model_directory / 'weights.npz'} is not loaded: its SHA-256 is " in err
    assert err.endswith("Take the run again from where it came, or train it again: zoo train cnn mnist\n")


def test_weights_of_another_size_are_refused_without_a_sum(run, monkeypatch) -> None:
    with (run.model_directory / "weights.npz").open("ab") as file:
        file.write(b"more")
    monkeypatch.setattr(seal, "sha256_of", lambda path: pytest.fail("the size tells already"))
    with pytest.raises(ZooError, match="bytes, and the run wrote"):
        seal.require(run, seal.WEIGHTS)


def test_a_run_by_an_older_zoo_is_taken_as_it_is(run, digit) -> None:
    receipt = {key: value for key, value in run.receipt.items() if key != "model"}
    run.write(receipt)
    change(run.model_directory / "weights.npz")
    seal.require(run, seal.WEIGHTS)
    assert not api.predict(run, [digit])[0].error


@pytest.mark.parametrize("entry", [{"sha256": 7, "bytes": 3}, {"bytes": -1}, "text", None])
def test_a_seal_that_makes_no_sense_is_an_error_that_names_the_receipt(run, entry) -> None:
    path = run.directory / "run.json"
    path.write_text(json.dumps(run.receipt | {"model": {"weights.npz": entry}}))
    with pytest.raises(ZooError, match=r"run\.json"):
        seal.require(run, seal.WEIGHTS)
