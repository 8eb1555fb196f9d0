"""`zoo doctor`: what is wrong is found, named with the command that mends it, and nothing else is said to be wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.cli import main
from zoo.doctor import environment
from zoo.locks import locked
from zoo.runs import seal
from zoo.runs.directory import Run
from zoo.training import checkpoints


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of its own, with no data but what is built in, and an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_DATA", raising=False)
    return tmp_path


@pytest.fixture
def doctor(capsys):
    """Run `zoo doctor --json`: its exit code, and its findings as (state, what, mend)."""

    def run(*arguments: str | Path) -> tuple[int, list[tuple[str, str, str]]]:
        code = main(["doctor", *map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        assert out, err
        stored = json.loads(out)
        found = [(one["state"], one["what"], one["mend"]) for one in stored["findings"]]
        assert stored["wrong"] == sum(state == "wrong" for state, _, _ in found)
        assert code == (1 if stored["wrong"] else 0)
        return code, found

    return run


def wrong(found: list[tuple[str, str, str]]) -> tuple[str, str]:
    """The one thing that is wrong, and what mends it."""
    ((what, mend),) = [(what, mend) for state, what, mend in found if state == "wrong"]
    return what, mend


def make(name: str = "run", status: str = "finished", **entries) -> Run:
    """A run's directory as a finished run leaves it, or an unfinished one."""
    run = Run(Path(name))
    run.directory.mkdir(parents=True)
    spec = {"name": "cnn", "height": 28, "width": 28, "channels": 1, "class_names": ["0", "1"], "options": {}}
    receipt = {
        "format": 1,
        "status": status,
        "rehearsal": False,
        "command": "zoo train cnn mnist --seed 3",
        "started": "2026-01-01T00:00:00",
        "spec": spec,
        "dataset": {"name": "mnist"},
        "recipe": {"name": "quick", "values": {}},
        "versions": {"zoo": "0.1.0"},
    }
    if status == "finished":
        run.model_directory.mkdir()
        for file in (seal.WEIGHTS, *seal.DERIVED):
            (run.model_directory / file).write_bytes(file.encode() * 100)
        (run.directory / "report.html").touch()
        receipt |= {"model": seal.seal(run.model_directory), "remaining": []}
    run.write(receipt | entries)
    return run


def a_checkpoint(run: Run, step: int) -> Path:
    arrays = {"weight/0000": np.zeros(3, np.float32)}
    return checkpoints.write(run.checkpoints, "state", step, arrays, {"step": step, "history": []})


def test_a_sound_installation_has_nothing_wrong_and_fits_on_a_screen(capsys) -> None:
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("\nNothing is wrong.\n")
    assert len(out.splitlines()) < 24
    assert [line for line in out.splitlines() if line and line[0] != " "][:4] == [
        *("environment", "plugins", "cache", "data"),
    ]
    assert re.search(r"(\d+) of \1 packages as needed", out)
    assert "mnist: 70,000 images" in out
    assert "note   catsdogs is not on this machine\n         zoo data prepare catsdogs --download\n" in out


def test_it_loads_no_framework() -> None:
    code = (
        "import sys; from zoo.cli import main; main(['doctor']);"
        "sys.exit(bool({'tensorflow', 'keras', 'matplotlib', 'cv2', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


# environment ---------------------------------------------------------------------------------------------------------


def test_two_wheels_of_opencv_are_named_with_what_leaves_one(site, doctor) -> None:
    site.install("opencv-python", {}, version="4.10.0.84")
    what, mend = wrong(doctor()[1])
    assert what.startswith("opencv-python-headless and opencv-python share the folder cv2")
    assert "uninstall opencv-python &&" in mend
    assert mend.endswith("--force-reinstall --no-deps 'opencv-python-headless<6,>=5'")


def test_a_python_that_the_zoo_is_not_for_is_named(monkeypatch, doctor) -> None:
    monkeypatch.setattr("platform.python_version", lambda: "3.10.14")
    what, mend = wrong(doctor()[1])
    assert what == "Python 3.10.14 is not one that the zoo is for (<3.14,>=3.11)"
    assert mend.startswith("python3.13 -m venv .venv")


def test_a_tensorflow_of_another_version_is_named(site, doctor) -> None:
    site.install("tensorflow", {}, version="2.15.0")
    what, mend = wrong(doctor()[1])
    assert what == "tensorflow 2.15.0 is not one that the zoo is for (<2.22,>=2.21)"
    assert mend == f"{sys.executable} -m pip install 'tensorflow<2.22,>=2.21'"


def test_a_tensorflow_that_is_gone_is_named(monkeypatch, doctor) -> None:
    find = environment.find_spec
    monkeypatch.setattr(environment, "find_spec", lambda name: None if name == "tensorflow" else find(name))
    what, mend = wrong(doctor()[1])
    assert "its module tensorflow is not there" in what
    assert mend.endswith("--force-reinstall --no-deps")
    known = environment.installed
    monkeypatch.setattr(environment, "installed", lambda name: None if name == "tensorflow" else known(name))
    assert wrong(doctor()[1])[0].startswith("tensorflow is not installed; the zoo needs ")


def test_without_the_package_that_compares_versions_it_says_so(monkeypatch, doctor) -> None:
    find = environment.find_spec
    monkeypatch.setattr(environment, "find_spec", lambda name: None if name == "packaging" else find(name))
    what, mend = wrong(doctor()[1])
    assert what.startswith("packaging is not installed")
    assert mend == f"{sys.executable} -m pip install packaging"


def test_a_processor_without_bfloat16_is_no_fault(monkeypatch, doctor) -> None:
    for features, state, said in (
        ((), "note", "no bfloat16"),
        (("avx512_bf16",), "ok", "no AMX"),
        (("amx_bf16",), "ok", "AMX"),
    ):
        monkeypatch.setattr(environment, "processor", lambda features=features: ("A chip", features))
        code, found = doctor()
        assert code == 0
        assert [(one, said in what) for one, what, _ in found if what.startswith("A chip")] == [(state, True)]


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("3.11.0", ">=3.11,<3.14", True),
        ("3.11", ">=3.11", True),
        ("3.14.0rc1", ">=3.11,<3.14", False),
        ("3.9.18", ">=3.11", False),
        ("2.21.0", ">=2.21,<2.22", True),
        ("5.0.0.93", ">=5,<6", True),
        ("6.0", "<6,>=5", False),
        ("1.7", "==1.7.0", True),
        ("1.8", "==1.7", False),
        ("2", "<=2.0,>1.9", True),
        ("2.21.0rc0", ">=2.20", True),
        ("anything", ">=1", False),
    ],
)
def test_versions_are_compared_as_numbers(version, wanted, expected) -> None:
    assert environment.within(version, wanted) is expected


# plugins -------------------------------------------------------------------------------------------------------------


def test_plugins_that_cant_be_used_are_named_with_the_reason(site, doctor, monkeypatch) -> None:
    site.install("bad-net", {"bad-net": "no_such_module"})
    what, mend = wrong(doctor()[1])
    assert what.startswith("architecture 'bad-net' of bad-net 1.0 is broken: its package 'no_such_module' is not impor")
    assert mend.endswith("uninstall bad-net")
    monkeypatch.setenv("ZOO_DISABLE", "bad-net")
    code, found = doctor()
    assert code == 0
    assert (
        "note",
        "architecture 'bad-net' of bad-net 1.0 is disabled: ZOO_DISABLE names it",
        "unset ZOO_DISABLE",
    ) in found


def test_plugins_that_claim_one_name_are_named_and_the_command_tells_them_apart(site, doctor, monkeypatch) -> None:
    site.package("mine")
    site.install("my-cnn", {"cnn": "mine"})
    found = [(what, mend) for state, what, mend in doctor()[1] if state == "wrong"]
    assert [what.partition(":")[0] for what, _ in found] == [
        "architecture 'cnn' of image-model-zoo 0.1.0 clashes",
        "architecture 'cnn' of my-cnn 1.0 clashes",
    ]
    monkeypatch.setenv(*found[1][1].removeprefix("export ").split("="))
    assert doctor()[0] == 0


# cache and data ------------------------------------------------------------------------------------------------------


def partial(name: str = "mnist-28x28x1-stretch-area-0123") -> Path:
    path = Path("cache/images") / f".{name}.partial"
    path.mkdir(parents=True)
    (path / "images.npy").write_bytes(bytes(5000))
    return path


def mended(mend: str, doctor) -> None:
    """Do what a finding says, and see that nothing is wrong any more."""
    subprocess.run(["bash", "-c", mend], check=True)
    assert doctor()[0] == 0


def test_what_a_kill_left_in_the_cache_is_named_and_its_command_removes_it(doctor) -> None:
    partial()
    what, mend = wrong(doctor()[1])
    assert what.startswith("1 caches that were not finished, 5.0 kB")
    mended(mend, doctor)


def test_a_cache_that_another_process_makes_is_left_alone(doctor) -> None:
    path = partial()
    with locked(path.with_name(f"{path.name[1:].removesuffix('.partial')}.lock"), "decodes"):
        code, found = doctor()
    assert code == 0
    assert ("note", "another process decodes mnist-28x28x1-stretch-area-0123 now", "") in found


def test_a_damaged_cache_is_named_and_its_command_removes_it(doctor) -> None:
    folder = Path("cache/images/mnist-28x28x1-stretch-area-0123")
    folder.mkdir(parents=True)
    (folder / "images.npy").touch()
    (folder / "index.json").write_text("{")
    what, mend = wrong(doctor()[1])
    assert what.startswith("1 caches can't be read")
    mended(mend, doctor)


def test_a_lock_file_of_nothing_and_an_unfinished_download_are_no_fault(doctor) -> None:
    (Path("cache/images")).mkdir(parents=True)
    Path("cache/images/gone-8x8x1-stretch-area-0.lock").touch()
    Path("cache/data/catsdogs").mkdir(parents=True)
    Path("cache/data/catsdogs/cats.zip.part").write_bytes(bytes(2000))
    code, found = doctor()
    assert code == 0
    (lock,) = [mend for _, what, mend in found if what == "1 lock files of caches that are gone"]
    assert ("stopped after 2.0 kB", "zoo data prepare catsdogs --download") in [
        (what[-20:], mend) for _, what, mend in found
    ]
    mended(lock, doctor)
    assert not list(Path("cache/images").iterdir())


def test_a_cache_that_cant_be_written_is_named(doctor, unprivileged: Path, monkeypatch) -> None:
    monkeypatch.chdir(unprivileged)
    (unprivileged / "cache").mkdir(mode=0o500)
    monkeypatch.setenv("ZOO_CACHE", str(unprivileged / "cache"))
    what, mend = wrong(doctor()[1])
    assert what == f"{unprivileged / 'cache'} can't be written: nothing can be decoded or downloaded"
    assert mend == "export ZOO_CACHE=FOLDER"


def test_a_file_in_place_of_the_cache_is_named(doctor) -> None:
    Path("cache").touch()
    assert "cache is no folder" in wrong(doctor()[1])[0]


def test_a_cache_whose_place_cant_be_looked_at_is_named(doctor, monkeypatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", "x" * 300)
    what, mend = wrong(doctor()[1])
    assert what.endswith("File name too long: nothing can be decoded or downloaded")
    assert mend == "export ZOO_CACHE=FOLDER"


def test_a_disk_that_is_nearly_full_is_named(doctor, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 0, 10**8))
    assert wrong(doctor()[1])[0].startswith("100 MB are free, and a deep network's run wants 1.0 GB")


@pytest.mark.parametrize("count", ["None", "1 / 0", "exit()"])
def test_a_data_set_that_is_broken_is_a_line_and_the_others_are_told_all_the_same(site, doctor, count) -> None:
    code = "from zoo import Examples, hookimpl\n@hookimpl\ndef zoo_examples(source):\n"
    site.package("bad_set", init=f"{code}    return Examples(('a', 'b'), list, 'x', {count})\n")
    site.install("bad-set", {"a-bad-set": "bad_set"}, group="zoo.datasets")
    found = doctor()[1]
    what, mend = wrong(found)
    assert what.startswith("a-bad-set: data set 'a-bad-set' of bad-set 1.0 failed in zoo_examples: ")
    assert mend.endswith("uninstall bad-set")
    assert any(what.startswith("mnist: 70,000 images") for _, what, _ in found)


def test_data_that_are_there_have_their_fingerprint_and_damaged_data_are_named(doctor, monkeypatch) -> None:
    for key, digits, images in (("0123", "b0c3", 69_999), ("4567", "4e11", 640)):  # the second is a rehearsal's
        folder = Path(f"cache/images/mnist-28x28x1-stretch-area-{key}")
        folder.mkdir(parents=True)
        with (folder / "images.npy").open("wb") as file:
            file.truncate(128 + 28 * 28 * images)
        (folder / "index.npz").touch()
        (folder / "index.json").write_text(json.dumps({"fingerprint": digits * 16, "quarantine": [["1.png", "torn"]]}))
    assert "mnist: 70,000 images; decoded: fingerprint b0c3b0c3b0c3b0c3" in [what for _, what, _ in doctor()[1]]
    monkeypatch.setenv("ZOO_DATA", "data")
    Path("data/catsdogs").mkdir(parents=True)
    Path("data/catsdogs/train.zip").write_text("<html>")
    what, mend = wrong(doctor()[1])
    assert what.startswith("catsdogs can't be used: ")
    assert "train.zip" in what
    assert mend == "zoo data prepare catsdogs --download"


# runs ----------------------------------------------------------------------------------------------------------------


def test_a_whole_run_is_said_to_be_what_it_wrote(doctor) -> None:
    make("runs/a")
    code, found = doctor("runs/a")
    assert code == 0
    said = "runs/a: cnn on mnist, quick, finished; weights.npz, model.keras, model.tflite are those that it wrote"
    assert ("ok", said, "") in found
    assert ("ok", "1 in runs, not looked into", "zoo doctor runs") in doctor()[1]


def test_a_folder_of_runs_is_looked_through(doctor) -> None:
    make("runs/cnn-mnist/a")
    make("runs/cnn-mnist/b", status="interrupted")
    run = make("runs/cnn-mnist/c")
    (run.model_directory / "model.tflite").write_bytes(b"another")
    code, found = doctor("runs")
    assert code == 1
    assert wrong(found)[0].startswith("runs/cnn-mnist/c/model/model.tflite: it has 7 bytes, and the run wrote 1,200")
    notes = [(what, mend) for state, what, mend in found if state == "note" and what.startswith("runs/")]
    assert notes == [
        (
            "runs/cnn-mnist/b: cnn on mnist, quick was interrupted before its first checkpoint",
            "zoo train --resume runs/cnn-mnist/b",
        )
    ]


@pytest.mark.parametrize("file", ["weights.npz", "model.tflite", "model.keras"])
def test_a_file_that_is_not_the_runs_is_named_with_what_mends_it(doctor, file) -> None:
    path = make().model_directory / file
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    what, mend = wrong(doctor("run")[1])
    assert what.startswith(f"run/model/{file}: its SHA-256 is ")
    if file == "weights.npz":
        assert mend == "zoo train cnn mnist --seed 3"
    else:
        mended(mend, doctor)
        notes = [told for state, what, told in doctor("run")[1] if what.startswith(f"run/model/{file} is missing")]
        assert notes == ["zoo predict run PHOTO.jpg" if file == "model.tflite" else mend]


def test_weights_that_are_missing_are_a_fault(doctor) -> None:
    (make().model_directory / "weights.npz").unlink()
    assert wrong(doctor("run")[1]) == ("run/model/weights.npz: it is missing", "zoo train cnn mnist --seed 3")


def test_a_killed_run_is_named_with_its_step_and_the_command_that_goes_on(doctor) -> None:
    run = make("a run", status="training")
    a_checkpoint(run, 100)
    a_checkpoint(run, 200)
    code, found = doctor("a run")
    assert code == 0
    assert ("note", "a run: cnn on mnist, quick was killed after step 200", "zoo train --resume 'a run'") in found


def test_a_failed_run_says_why(doctor) -> None:
    make(status="failed", reason="Diverged: the loss is nan")
    assert any(
        what.endswith("failed before its first checkpoint: Diverged: the loss is nan")
        for _, what, _ in doctor("run")[1]
    )


def test_a_damaged_checkpoint_is_named_and_which_one_is_used(doctor) -> None:
    run = make(status="training")
    older = a_checkpoint(run, 100)
    newest = a_checkpoint(run, 200)
    newest.write_bytes(newest.read_bytes()[:-1] + b"x")
    what, mend = wrong(doctor("run")[1])
    assert what == f"{newest} is damaged: its SHA-256 is not the one in its name; the one before is used"
    assert mend == "zoo train --resume run"
    older.write_bytes(b"")
    found = [what for state, what, _ in doctor("run")[1] if state == "wrong"]
    assert [what.endswith("; training begins anew") for what in found] == [True, True]


def test_a_run_in_training_is_left_alone(doctor) -> None:
    run = make(status="training")
    a_checkpoint(run, 100).write_bytes(b"")
    with locked(run.checkpoints / "lock", "is training"):
        code, found = doctor("run")
    assert code == 0
    assert ("note", "run: cnn on mnist, quick; another process trains it now", "") in found


def test_weights_that_an_unfinished_run_begins_with_are_checked(doctor) -> None:
    path = Path("begin.weights.h5")
    path.write_bytes(b"weights")
    weights = {"name": path.name, "bytes": 7, "sha256": seal.sha256_of(path)}
    run = make(status="interrupted", weights=weights)
    run.checkpoints.mkdir()
    (run.checkpoints / "paths.json").write_text(json.dumps({"source": None, "weights": str(path.absolute())}))
    assert doctor("run")[0] == 0
    path.write_bytes(b"weightz")
    assert wrong(doctor("run")[1])[0] == f"the weight file {path.absolute()}, which run begins with, has changed"
    path.unlink()
    assert wrong(doctor("run")[1])[0].endswith("is missing")


def test_a_run_that_was_killed_at_the_very_last_is_named(doctor) -> None:
    make(remaining=["report", "checkpoints"])
    assert wrong(doctor("run")[1]) == (
        "run was killed at the very last; what remains: report, checkpoints",
        "zoo train --resume run",
    )


def test_what_lies_about_in_a_finished_run_is_no_fault_and_its_commands_remove_it(doctor) -> None:
    run = make()
    (run.directory / "report.html").unlink()
    a_checkpoint(run, 100)
    (run.directory / ".0123456789abcdef.tmp").touch()
    code, found = doctor("run")
    assert code == 0
    mends = [mend for state, what, mend in found if state == "note" and what.startswith("run")]
    assert [mend.split()[:2] for mend in mends] == [
        ["zoo", "report"],
        ["rm", "-r"],
        ["rm", "run/.0123456789abcdef.tmp"],
    ]
    for mend in mends[1:]:
        subprocess.run(["bash", "-c", mend], check=True)
    assert sum(what.startswith("run") for state, what, _ in doctor("run")[1] if state == "note") == 1


@pytest.mark.parametrize(
    ("content", "said", "mend"),
    [
        ("{", "is not valid JSON", "rm -r run"),
        ('{"format": 99}', "was written by a newer zoo", "pip install -U image-model-zoo"),
        ('{"format": 1, "status": "finished"}', "lacks 'rehearsal'", "rm -r run"),
    ],
)
def test_a_receipt_that_cant_be_read_is_named(doctor, content, said, mend) -> None:
    run = make()
    (run.directory / "run.json").write_text(content)
    what, told = wrong(doctor("run")[1])
    assert said in what
    assert told == ("" if mend.startswith("rm") else mend), "its weights are there, and worth more than a receipt"
    (run.model_directory / "weights.npz").unlink()
    assert wrong(doctor("run")[1])[1] == mend


def test_a_strangers_receipt_makes_it_read_nothing_outside_and_tell_no_command_of_its_own(doctor) -> None:
    entries = {name: {"bytes": 0, "sha256": "0"} for name in ("../../secret", "/dev/zero", "zero")}
    run = make(model=entries, command="zoo train cnn mnist; rm -rf ~")
    (run.model_directory / "zero").symlink_to("/dev/zero")
    found = [(what, mend) for state, what, mend in doctor("run")[1] if state == "wrong"]
    assert [what.partition(": ")[2] for what, _ in found] == [
        "its name leads out of the run",
        "its name leads out of the run",
        "it is no file",
    ]
    assert {mend for _, mend in found} == {"zoo train cnn mnist"}


def test_what_is_no_run_is_a_mistake(capsys) -> None:
    Path("empty").mkdir()
    assert main(["doctor", "empty"]) == 2
    assert capsys.readouterr().err.startswith("Error: There is no run in empty. ")
    assert main(["doctor", "nowhere"]) == 2
    assert not list(Path("empty").iterdir())
