"""Run directories: made, found and read."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from zoo.cli import main
from zoo.errors import UsageError, ZooError
from zoo.recipes import Recipe
from zoo.runs.directory import FORMAT, Run, find_runs, new_directory, resolve
from zoo.runs.pipeline import check_parts
from zoo.runs.request import Request
from zoo.types import Data, Part


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUNS", raising=False)
    return tmp_path


def make(architecture="cnn", dataset="mnist", started="2026-01-01T00:00:00", **entries) -> Run:
    run = Run(new_directory(architecture, dataset, None))
    run.write(
        {
            "format": FORMAT,
            "status": "finished",
            "rehearsal": False,
            "started": started,
            "spec": {
                "name": architecture,
                "height": 28,
                "width": 28,
                "channels": 1,
                "class_names": ["a"],
                "options": {},
            },
            "dataset": {"name": dataset},
            "recipe": {"name": "quick", "values": {}},
            **entries,
        }
    )
    return run


def test_a_new_directory_names_architecture_and_data_set():
    directory = new_directory("cnn", "mnist", None)
    assert directory.parts[:2] == ("runs", "cnn-mnist")
    assert directory.is_dir()


def test_runs_may_be_kept_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "elsewhere"))
    assert new_directory("cnn", "mnist", None).is_relative_to(tmp_path / "elsewhere")


def test_the_home_folder_may_be_written_as_a_tilde_and_a_path_as_a_dot(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ZOO_RUNS", "~/runs")
    directory = new_directory("cnn", "mnist", None)
    assert directory.is_relative_to(tmp_path / "runs")
    monkeypatch.chdir(directory)
    assert Run(Path()).id == directory.name


def test_commands_take_a_directory_with_a_space(tmp_path):
    assert Run(Path("my runs/first")).quoted == "'my runs/first'"


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"overrides": {"options": {"width": 0.5}}}, "--set options.width=0.5"),
        ({"source": Path("/home/ada/data/train.zip")}, "--source train.zip"),
        ({"seed": 3, "rehearse": True}, "--seed 3 --rehearse"),
    ],
)
def test_the_command_of_a_receipt_is_one_that_runs(wishes, words):
    assert Request("vgg16", "catsdogs", **wishes).command == f"zoo train vgg16 catsdogs {words}"


def test_a_seed_that_no_framework_takes_is_refused():
    with pytest.raises(UsageError, match=r"from 0 to 4294967295\. Received: 4294967296"):
        Request("cnn", "mnist", seed=2**32)


def test_a_part_to_report_is_wanted_before_the_training():
    images, labels = np.zeros((3, 8, 8, 1), np.uint8), np.zeros(3, np.int64)
    some, none = (Part(images, np.arange(count), labels[:count], ["0"] * count) for count in (3, 0))
    check_parts(Recipe(), Data("photos", ("a", "b"), some, some, none, "0", "0"))
    with pytest.raises(UsageError, match="neither validation nor test images"):
        check_parts(Recipe(), Data("photos", ("a", "b"), some, none, none, "0", "0"))


def test_an_output_directory_must_be_new_or_empty(tmp_path):
    (tmp_path / "empty").mkdir()
    assert new_directory("cnn", "mnist", tmp_path / "empty") == tmp_path / "empty"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"new or an empty directory\. Received: .*full"):
        new_directory("cnn", "mnist", tmp_path / "full")
    with pytest.raises(UsageError, match="which is a file"):
        new_directory("cnn", "mnist", tmp_path / "full" / "thesis.txt")


def test_an_output_directory_that_holds_a_run_is_refused_with_how_to_go_on(tmp_path):
    run = make()
    with pytest.raises(UsageError, match=f"zoo train --resume {run.directory}"):
        new_directory("cnn", "mnist", run.directory)


def test_a_run_is_found_by_path_beginning_of_id_last_and_pair():
    older, newer = make(started="2026-01-01T00:00:00"), make("vgg16", started="2026-01-02T00:00:00")
    assert resolve(str(older.directory)).directory == older.directory
    assert resolve(older.id.rpartition("-")[2]).directory == older.directory
    assert resolve("last").directory == newer.directory
    assert resolve("cnn mnist").directory == older.directory
    assert [run.id for run in find_runs()] == [newer.id, older.id]


def test_an_unknown_run_lists_those_there_are():
    run = make()
    with pytest.raises(UsageError, match=f"There is no run 'nothing'.*\n  {run.id}  cnn on mnist, quick, finished"):
        resolve("nothing")


def test_the_beginning_of_several_ids_asks_for_more():
    first, second = make(), make()
    with pytest.raises(UsageError, match="beginning of 2 runs"):
        resolve(first.id[:4])
    assert second.id[:4] == first.id[:4]


def test_without_any_run_the_answer_says_how_to_make_one():
    with pytest.raises(UsageError, match="Train one: zoo train cnn mnist"):
        resolve("last")


def test_a_run_of_a_newer_version_is_refused():
    run = make(format=FORMAT + 1)
    with pytest.raises(ZooError, match="written by a newer zoo"):
        run.receipt  # noqa: B018


@pytest.mark.parametrize(
    "command",
    [
        ["show", "last"],
        ["train", "--resume", "last"],
        ["evaluate", "last"],
        ["predict", "last", "photo.jpg"],
        ["visualize", "last"],
        ["report", "last"],
        ["compare", "last", "last"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_says_that_a_run_is_of_a_newer_version_and_leaves_it_as_it_is(command, capsys):
    run = make(format=FORMAT + 1, versions={"zoo": "9.1"})
    content = (run.directory / "run.json").read_bytes()
    assert main(command) == 1
    err = capsys.readouterr().err
    assert "was written by a newer zoo (9.1)" in err
    assert "pip install -U image-model-zoo" in err
    assert "Traceback" not in err
    assert {path.name for path in run.directory.iterdir()} == {"run.json"}
    assert (run.directory / "run.json").read_bytes() == content


def test_a_folder_that_must_not_be_written_takes_no_run(unprivileged, monkeypatch):
    monkeypatch.chdir(unprivileged)
    unprivileged.chmod(0o500)
    with pytest.raises(ZooError, match=r"The run directory .* can't be made: Permission denied"):
        new_directory("cnn", "mnist", None)


def test_a_disk_that_is_full_keeps_the_receipt_as_it_was(small_disk):
    run = Run(small_disk)
    run.write({"format": FORMAT, "status": "training"})
    with suppress(OSError), (small_disk / "filler").open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    with pytest.raises(ZooError, match=r"run\.json can't be written: the disk is full"):
        run.update(status="finished")
    assert run.status == "training"
    assert {path.name for path in small_disk.iterdir()} == {"run.json", "filler"}


@pytest.mark.parametrize("content", ["{", "[1]", "\x00"])
def test_a_torn_receipt_is_an_error_that_names_the_file(content):
    run = make()
    (run.directory / "run.json").write_text(content)
    with pytest.raises(ZooError, match=r"run\.json"):
        run.receipt  # noqa: B018
    assert len(find_runs()) == 1


def test_a_change_of_the_receipt_keeps_the_rest():
    run = make()
    run.update(status="interrupted")
    assert run.status == "interrupted"
    assert json.loads((run.directory / "run.json").read_text())["dataset"]["name"] == "mnist"


def test_a_rehearsal_is_stamped_in_its_title():
    assert make(rehearsal=True).title == "cnn on mnist, quick (REHEARSAL)"


def test_a_receipt_never_holds_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/zaphod")
    run = make(status="failed", reason="/home/zaphod/x can't be written", note=["/home/zaphod", "/home/zaphods/x"])
    text = (run.directory / "run.json").read_text()
    assert "~/x can't be written" in text
    assert "/home/zaphod/" not in text
    assert run.receipt["note"] == ["~", "/home/zaphods/x"]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"status": 3}, "status is not what the zoo writes there. Received: 3"),
        ({"rehearsal": "no"}, "rehearsal is not"),
        ({"seconds": float("nan")}, "seconds is not"),
        ({"parameters": 10**400}, "parameters is not"),
        ({"spec": []}, "spec is not"),
        ({"spec": {"name": "x", "class_names": "ab"}}, "spec.class_names is not"),
        ({"recipe": {"name": "quick", "values": {"epochs": 3}}}, "recipe.values.epochs is not"),
        ({"dataset": {"name": "mnist", "counts": {"test": -1}}}, "dataset.counts.test is not"),
        ({"versions": {"zoo": None}}, "versions.zoo is not"),
    ],
)
def test_a_receipt_of_another_shape_is_an_error_that_names_the_entry(changed, match):
    run = make()
    run.write(run.receipt | changed)
    with pytest.raises(ZooError, match=rf"run\.json: {match}"):
        run.receipt  # noqa: B018


def test_an_entry_that_is_missing_is_named():
    with pytest.raises(ZooError, match=r"run\.json lacks 'command': it was not written by the zoo"):
        make().receipt["command"]
    with pytest.raises(ZooError, match="describes no network"):
        make(spec={"name": "x", "class_names": [], "colour": "red"}).spec  # noqa: B018


@pytest.mark.parametrize("content", [b"step\nx\n", b"step\n1,2\n", b"\xff\xfe", b"a\x00b\n\x00"])
def test_a_history_that_is_none_is_an_error(content):
    run = make()
    (run.directory / "history.csv").write_bytes(content)
    with pytest.raises(ZooError, match=r"history\.csv can't be read as a history"):
        run.history  # noqa: B018


def test_an_option_that_a_plugin_misses_is_not_taken_for_a_damaged_receipt():
    run = make()
    run.update(spec=run.receipt["spec"] | {"options": {"width": 2}})
    assert run.spec.options["width"] == 2
    with pytest.raises(KeyError, match="hidden"):
        run.spec.options["hidden"]


@pytest.mark.parametrize("command", [["visualize"], ["evaluate"], ["predict", "--engine", "tensorflow"]])
def test_a_run_whose_plugin_is_gone_says_what_to_install(command, capsys, root):
    versions = {"python": "3.12.1", "zoo": "0.1.0", "tensorflow": "2.21.0", "own-loop": "1.4", "--index-url=x": "1"}
    run = make("own-loop", versions=versions | {"image-model-zoo": "0.1.0"}, export=True, strict=False)
    (run.model_directory).mkdir()
    spec = {"format": 1, "class_names": ["a", "b"], "flip_average": False}
    (run.model_directory / "spec.json").write_text(json.dumps(spec))
    (root / "photo.jpg").touch()
    name, *options = command
    files = [str(root / "photo.jpg")] if name == "predict" else []
    assert main([name, str(run.directory), *files, *options]) == 2
    said = capsys.readouterr().err
    assert "There is no architecture 'own-loop'." in said
    assert "This run was trained with own-loop 1.4, not installed here: pip install own-loop\n" in said


def test_the_home_folder_is_told_as_a_tilde_but_options_come_back_as_they_were(root, monkeypatch):
    monkeypatch.setenv("HOME", str(root))
    options = {"vocabulary": f"{root}/words.txt"}
    run = make(reason=f"{root}/data is full", spec={"name": "cnn", "options": options})
    assert run.receipt["reason"] == "~/data is full"
    assert run.receipt["spec"]["options"] == options
