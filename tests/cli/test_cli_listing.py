"""The commands that train nothing: fast, plain, with messages that help and exit codes that are documented."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from zoo.cli import COMMANDS, main, root
from zoo.cli.text import table

HEAVY = ("tensorflow", "keras", "numpy", "cv2", "matplotlib")


@pytest.fixture
def zoo(capsys):
    """Run a command line in this process; returns (exit code, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def fresh(code: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, which finds packages in `paths` too."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


class TestNothingHeavyIsImported:
    @pytest.mark.parametrize(
        "arguments",
        [
            *(["list"], ["list", "--json"], ["plugins"], ["--version"]),
            ["list", "vgg*", "--dataset", "catsdogs", "--min-accuracy", "50", "--sort", "images/s"],
        ],
    )
    def test_listing_imports_no_plugin_and_no_framework(self, site, arguments: list[str]) -> None:
        site.package("explosive", init="raise RuntimeError('imported')")
        site.install("explosive-dist", {"explosive": "explosive"})
        code = f"""
import sys
from zoo.cli import main
assert main({arguments}) == 0
heavy = {{name.partition(".")[0] for name in sys.modules}} & {set(HEAVY)}
plugins = sorted(name for name in sys.modules if name.startswith("zoo_") or name == "explosive")
assert not heavy and not plugins, (heavy, plugins)
"""
        done = fresh(code, site.folder)
        assert (done.returncode, done.stderr) == (0, "")

    def test_help_imports_only_the_plugins_that_may_add_commands(self) -> None:
        code = f"""
import sys
from zoo.cli import main
assert main(["--help"]) == 0
assert not {{name.partition(".")[0] for name in sys.modules}} & {set(HEAVY)}
assert [name for name in sys.modules if name.startswith("zoo_")] == ["zoo_tensorboard"]
"""
        done = fresh(code)
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize(
        "module", ["zoo", "zoo.runs.directory", "zoo.cli.train", "zoo.cli.predict", "zoo.cli.data"]
    )
    def test_nor_do_the_modules_that_every_command_needs(self, module: str) -> None:
        code = f"import sys, {module}; print(sorted(set(sys.modules) & {set(HEAVY)}))"
        assert fresh(code).stdout == "[]\n"

    def test_importing_the_package_imports_nothing_of_it(self) -> None:
        done = fresh("import sys, zoo; print([name for name in sys.modules if name.startswith('zoo.')])")
        assert done.stdout == "[]\n"


class TestList:
    def test_it_shows_what_the_cards_say(self, zoo) -> None:
        code, out, err = zoo("list")
        assert (code, err) == (0, "")
        rows = {line.split()[0]: line for line in out.splitlines() if line and not line.startswith(" ")}
        assert rows["cnn"].split()[:5] == ["cnn", "1,199,882", "12.0", "M", "28"]
        assert rows["mnist"].split()[:3] == ["mnist", "70,000", "10"]
        assert "built in" in rows["mnist"]

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("cnn", ["cnn", "cnn-5x5"]),
            ("cnn*", ["cnn", "cnn-5x5"]),
            ("c?n", ["cnn"]),
            ("FC-*", ["fc-keras", "fc-tf"]),
            ("mni", ["mnist"]),
        ],
    )
    def test_a_pattern_selects(self, zoo, monkeypatch, pattern: str, names: list[str]) -> None:
        _, out, _ = zoo("list", pattern, "--json")
        shipped = [row["name"] for row in json.loads(out) if row["distribution"] == "image-model-zoo"]
        assert shipped == names

    def test_no_match_says_what_there_is(self, zoo) -> None:
        code, out, err = zoo("list", "vgg61")
        assert (code, out) == (0, "")
        assert "No architecture or data set matches 'vgg61'. Did you mean 'vgg16'? Installed: " in err
        assert zoo("list", "vgg61", "--json")[:2] == (0, "[]\n")

    def test_json_has_every_fact(self, zoo) -> None:
        _, out, _ = zoo("list", "mnist", "--json")
        (row,) = json.loads(out)
        assert (row["kind"], row["status"], row["value"]) == ("dataset", "ok", "zoo_mnist")
        assert (row["card"]["images"], row["card"]["channels"]) == (70000, [1])

    def test_a_plugin_without_a_card_shows_dashes(self, zoo, site) -> None:
        site.package("net_package")
        site.install("net-dist", {"bare-net": "net_package"})
        _, out, _ = zoo("list", "bare-net")
        assert [line.split() for line in out.splitlines()] == [
            ["architecture", "from"],
            ["bare-net", "net-dist", "1.0"],
        ]
        _, out, _ = zoo("list", "*n*")
        (row,) = [line.split() for line in out.splitlines() if line.startswith("bare-net")]
        assert row[1:4] == ["-", "-", "-"]

    def test_what_cannot_be_used_says_why(self, zoo, site) -> None:
        site.install("net-dist", {"lost-net": "nowhere"})
        code, out, _ = zoo("list", "lost-net")
        assert code == 0
        assert "architecture lost-net (net-dist 1.0) is broken: its package 'nowhere' is not importable" in out


class TestListAsATool:
    """Two networks of a third party; `good` reached 96.5 % on photos in 100 s, `better` 98 %."""

    @pytest.fixture(autouse=True)
    def third_party(self, site) -> None:
        facts = "parameters = {}\nmultiply_adds = 1000000\nsize = 64\nsummary = 'Quite a network'\n"
        cards = f"[architectures.good]\n{facts.format(2_000_000)}[architectures.better]\n{facts.format(40_000_000)}"
        folder = site.package("nets", card=cards)
        site.install("net-dist", {"good": "nets", "better": "nets"})
        (folder / "results").mkdir()
        for name, correct in (("good", 965), ("better", 980)):
            runs = [{"count": 1000, "correct": correct, "seconds": 100.0, "images_per_second": 1234.5}]
            receipt = {"architecture": name, "dataset": "photos", "part": "test", "recipe": {"name": "quick"}}
            (folder / "results" / f"{name}.json").write_text(json.dumps(receipt | {"seeds": runs}))

    def test_results_on_a_data_set_are_shown_and_sorted(self, zoo) -> None:
        code, out, err = zoo("list", "*[rd]", "--dataset", "photos", "--sort", "accuracy")
        assert (code, err) == (0, "")
        header, *rows = [line.split() for line in out.splitlines()]
        assert header[:8] == ["architecture", "parameters", "mult-adds", "pixels", "photos", "%", "recipe", "images/s"]
        assert rows[0][:8] == ["better", "40,000,000", "1.00", "M", "64", "98.00", "quick", "1,234"]
        assert rows[0][8:10] == ["2", "min"]
        assert [row[0] for row in rows] == ["better", "good"]

    def test_filters_leave_data_sets_out(self, zoo) -> None:
        _, out, _ = zoo("list", "--min-accuracy", "97", "--dataset", "photos", "--max-params", "50M", "--json")
        assert [row["name"] for row in json.loads(out)] == ["better"]
        _, out, _ = zoo("list", "--dataset", "photos", "--max-params", "2M", "--max-time", "2m", "--json")
        assert [row["name"] for row in json.loads(out) if row["results"]] == ["good"]

    def test_an_empty_result_says_what_was_left_out(self, zoo) -> None:
        code, out, err = zoo("list", "goo*", "--dataset", "photos", "--min-accuracy", "99")
        assert (code, out) == (0, "")
        assert "No architecture is left of " in err
        assert "1 by --min-accuracy (no such published result on photos)." in err
        assert zoo("list", "goo*", "--dataset", "photos", "--min-accuracy", "99", "--json")[:2] == (0, "[]\n")

    def test_json_has_the_documented_keys(self, zoo) -> None:
        _, out, _ = zoo("list", "good", "--json")
        (row,) = json.loads(out)
        keys = {"name", "kind", "value", "distribution", "version", "folder", "status", "reason", "card"}
        assert row.keys() == keys | {"results", "packaged"}
        (result,) = row["results"]
        help_text = zoo("list", "--help")[1]
        assert all(key in help_text for key in (*row, *result, "data"))
        assert (result["accuracy"], result["images_per_second"], result["file"]) == (0.965, 1234.5, "good.json")

    def test_a_bad_receipt_of_a_third_party_is_a_note(self, zoo, site) -> None:
        (site.folder / "nets" / "results" / "good.json").write_text("{}")
        code, out, err = zoo("list", "good")
        assert code == 0
        assert out.splitlines()[1].startswith("good ")
        assert err.startswith("Note: results/good.json of net-dist 1.0 is left out: recipe must be an object")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--sort", "speed"], "to sort by that is called 'speed'"),
            (["--sort", "parameter"], "Did you mean 'parameters'? Keys: name, parameters, multiply-adds, accuracy"),
            (["--max-params", "30X"], "'30X' is no number with a unit such as 250000, 250k, 30M or 1.5G"),
            (["--max-time", "soon"], "'soon' is no duration such as 90s, 10m or 1.5h"),
            (["--min-accuracy", "101"], "101"),
            (["--dataset", "foto"], "There is no data set 'foto'. Did you mean 'photos'?"),
        ],
    )
    def test_a_wrong_option_is_a_usage_error(self, zoo, arguments: list[str], message: str) -> None:
        code, out, err = zoo("list", *arguments)
        assert (code, out) == (2, "")
        assert message in err

    @pytest.mark.parametrize("width", [40, 60, 80, 120])
    @pytest.mark.parametrize("arguments", [[], ["--sort", "time"], ["--dataset", "photos"]])
    def test_it_stays_within_the_terminal(self, zoo, monkeypatch, width: int, arguments: list[str]) -> None:
        monkeypatch.setattr("zoo.cli.list_.terminal_width", lambda: width)
        _, out, _ = zoo("list", *arguments)
        tables = [line for line in out.splitlines() if not line.startswith(("  ", "Best published"))]
        assert max(map(len, tables)) <= width
        assert "\x1b" not in out

    def test_where_the_images_are_is_told_without_asking_the_plugin(self, zoo, site, monkeypatch, tmp_path) -> None:
        card = "[datasets.far]\ndownload = 825000000\n[datasets.near]\nbuilt_in = true\n[datasets.odd]\n"
        site.package("sets", card=card, init="raise RuntimeError('imported')")
        site.install("set-dist", {"far": "sets", "near": "sets", "odd": "sets"}, group="zoo.datasets")
        monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))

        def places() -> dict[str, str]:
            rows = json.loads(zoo("list", "--json")[1])
            return {row["name"]: row["data"] for row in rows if row["distribution"] == "set-dist"}

        assert places() == {"far": "to fetch", "near": "built in", "odd": None}
        assert "to fetch (825 MB)" in zoo("list", "far")[1]
        (tmp_path / "data" / "far").mkdir(parents=True)
        assert places()["far"] == "to fetch", "an empty folder holds no images"
        (tmp_path / "data" / "far" / "train.zip").touch()
        assert places()["far"] == "in place"


class TestPlugins:
    def test_every_row_has_a_status(self, zoo, site, monkeypatch) -> None:
        site.package("net_package")
        site.install("first-dist", {"twice": "net_package"})
        site.install("second-dist", {"twice": "net_package"})
        monkeypatch.setenv("ZOO_DISABLE", "vgg16")
        code, out, _ = zoo("plugins")
        assert code == 0
        assert {line.split()[-1] for line in out.splitlines() if " twice " in line} == {"clash"}
        assert [line.split()[-1] for line in out.splitlines() if line.startswith("zoo.") and " vgg16 " in line] == [
            "disabled"
        ]
        assert "first-dist/twice, second-dist/twice" in out

    def test_json(self, zoo, site) -> None:
        site.install("net-dist", {"lost-net": "nowhere"}, version="3")
        rows = {row["name"]: row for row in json.loads(zoo("plugins", "--json")[1])}
        lost = rows["lost-net"]
        assert (lost["status"], lost["version"]) == ("broken", "3")
        assert lost["reason"].startswith("its package 'nowhere' is not importable. ")


class TestShow:
    def test_an_architecture_with_its_options_and_recipes(self, zoo) -> None:
        code, out, _ = zoo("show", "cnn")
        assert code == 0
        assert "1,199,882 for 28 x 28 x 1 images, 10 classes" in out
        assert "12.0 M for an image of that size" in out
        assert "on mnist: quick, best, book" in out
        assert "98.92 % on mnist (book, 5 seeds, 6 min)" in out

    def test_a_data_set(self, zoo) -> None:
        out = zoo("show", "mnist")[1]
        assert "70,000, of which 10,000 are a published test part" in out
        assert "on cnn: quick, best, book" in out
        assert "98.92 % on cnn (book, 5 seeds, 6 min)" in out

    def test_an_unknown_name_suggests_the_nearest(self, zoo, monkeypatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        code, out, err = zoo("show", "mnits")
        assert (code, out) == (2, "")
        assert "There is no architecture, data set or run 'mnits'. Did you mean 'mnist'?" in err

    def test_a_run_in_progress(self, zoo, a_run: Path) -> None:
        out = zoo("show", a_run)[1]
        assert "status      training" in out
        assert f"zoo train --resume {a_run}" in out
        assert "epochs = 3" in out
        assert "batch_size" not in out

    def test_a_run_as_json(self, zoo, a_run: Path) -> None:
        shown = json.loads(zoo("show", a_run, "--json")[1])
        assert shown["receipt"]["command"] == "zoo train cnn mnist --epochs 3"
        assert shown["metrics"] is None


def write_run(directory: Path, seed: int, correct: str) -> Path:
    """A finished run with the parts that comparing reads: `correct` is "1" or "0" per test image."""
    from zoo.recipes import resolve
    from zoo.registry import Registry

    registry = Registry.discover()
    resolved = resolve(registry.get("architecture", "cnn"), registry.get("dataset", "mnist"), overrides={"epochs": 3})
    values = resolved.as_dict() | {"batch_size": {"value": 64, "origin": "core"}}
    directory.mkdir(parents=True)
    receipt = {
        "format": 1,
        "status": "finished" if correct else "training",
        "rehearsal": False,
        "command": "zoo train cnn mnist --epochs 3",
        "started": f"2026-01-0{seed + 1}T00:00:00+00:00",
        "seconds": 75.0,
        "parameters": 1199882,
        "spec": {"name": "cnn", "height": 28, "width": 28, "channels": 1, "class_names": ["0", "1"], "seed": seed},
        "recipe": {"name": "quick", "values": values},
        "dataset": {"name": "mnist", "fingerprint": "f", "counts": {"training": 10, "validation": 0, "test": 8}},
        "precision": "float32",
        "versions": {"zoo": "0.1.0"},
    }
    (directory / "run.json").write_text(json.dumps(receipt))
    if correct:
        share = correct.count("1") / len(correct)
        metrics = {"part": "test", "count": len(correct), "accuracy": share, "interval": [0.1, 0.9]}
        (directory / "metrics.json").write_text(json.dumps(metrics))
        write_predictions_of(directory, correct)
    return directory


def write_predictions_of(directory: Path, correct: str) -> None:
    import numpy as np

    from zoo.runs.evaluation import write_predictions

    keys = [f"test/{index}" for index in range(len(correct))]
    labels = np.zeros(len(correct), np.int64)
    probabilities = np.array([[0.9, 0.1] if right == "1" else [0.1, 0.9] for right in correct], np.float32)
    write_predictions(directory / "predictions.csv", keys, labels, probabilities, ("0", "1"))


@pytest.fixture
def a_run(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    return write_run(tmp_path / "runs" / "cnn-mnist" / "20260101T000000-aaaaaa", 0, "")


class TestRuns:
    def test_without_any_it_says_how_to_get_one(self, zoo, monkeypatch, tmp_path: Path) -> None:
        monkeypatch.setenv("ZOO_RUNS", str(tmp_path))
        code, out, err = zoo("runs")
        assert (code, out) == (0, "")
        assert "There is no run in " in err
        assert json.loads(zoo("runs", "--json")[1]) == []

    def test_the_newest_comes_first(self, zoo, a_run: Path) -> None:
        write_run(a_run.parent / "20260102T000000-bbbbbb", 1, "11101111")
        header, newest, oldest = zoo("runs")[1].splitlines()
        assert header.split() == ["run", "what", "status", "accuracy", "parameters", "time"]
        assert newest.split()[-6:] == ["finished", "87.50", "%", "1,199,882", "75", "s"]
        assert oldest.startswith("20260101T000000-aaaaaa")
        assert " - " in oldest

    def test_a_torn_receipt_is_a_row_too(self, zoo, a_run: Path) -> None:
        (a_run / "run.json").write_text("{")
        code, out, _ = zoo("runs")
        assert code == 0
        assert "unreadable" in out


class TestCompare:
    def test_two_runs_on_the_same_images_are_compared_image_by_image(self, zoo, tmp_path: Path) -> None:
        first = write_run(tmp_path / "first", 0, "1" * 40)
        second = write_run(tmp_path / "second", 1, "1" * 20 + "0" * 20)
        code, out, _ = zoo("compare", first, second)
        assert code == 0
        assert "100.00 % (10.00 to 90.00)" in out
        assert "first (first) against second (second): the first is better on 40 images" in out
        (test,) = json.loads(zoo("compare", first, second, "--json")[1])["mcnemar"]
        assert (test["only_first"], test["only_second"]) == (20, 0)

    def test_other_images_are_not_compared_one_by_one(self, zoo, tmp_path: Path) -> None:
        first = write_run(tmp_path / "first", 0, "1" * 40)
        second = write_run(tmp_path / "second", 1, "1" * 30)
        assert json.loads(zoo("compare", first, second, "--json")[1])["mcnemar"] == []

    def test_one_run_is_too_few(self, zoo, a_run: Path) -> None:
        code, _, err = zoo("compare", a_run)
        assert code == 2
        assert "two runs or more. Received: 1" in err

    def test_a_run_is_not_compared_with_itself(self, zoo, a_run: Path) -> None:
        code, _, err = zoo("compare", a_run, f"{a_run}/.")
        assert code == 2
        assert "takes different runs. Received one twice" in err


class TestData:
    @pytest.fixture(autouse=True)
    def no_data(self, monkeypatch, tmp_path: Path) -> None:
        monkeypatch.delenv("ZOO_DATA", raising=False)
        monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))

    def test_the_list_says_what_is_here(self, zoo) -> None:
        rows = {row["name"]: row for row in json.loads(zoo("data", "list", "--json")[1])}
        assert (rows["mnist"]["found"], rows["catsdogs"]["found"]) == ("yes", "no")

    def test_info_says_where_it_looked_and_what_to_do(self, zoo, tmp_path: Path) -> None:
        code, out, err = zoo("data", "info", "catsdogs")
        assert code == 0
        assert "$ZOO_DATA, which is not set" in out
        assert str(tmp_path / "cache" / "data" / "catsdogs") in out
        assert "--source" in err
        assert "found" in zoo("data", "info", "mnist")[1]

    def test_preparing_missing_data_fails_as_a_data_error(self, zoo) -> None:
        assert zoo("data", "prepare", "catsdogs", "--size", "32")[0] == 4

    def test_a_size_is_needed_where_there_is_no_native_one(self, zoo) -> None:
        code, _, err = zoo("data", "prepare", "catsdogs")
        assert code == 2
        assert "--size 64, or --for ARCH" in err

    def test_preparing_makes_the_cache(self, zoo, tmp_path: Path) -> None:
        code, out, _ = zoo("data", "prepare", "mnist")
        assert (code, out) == (0, "60,000 training, 10,000 test images are ready\n")
        assert list((tmp_path / "cache").rglob("images.npy"))


class TestCommandLine:
    def test_the_help_lists_every_command_and_the_exit_codes(self, zoo) -> None:
        code, out, err = zoo("--help")
        assert (code, err) == (0, "")
        assert [name for name in COMMANDS if f"\n  {name} " not in out] == []
        assert "Exit codes: 0 done, 1 failed, 2 wrong usage" in out
        assert zoo()[1] == out

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_has_help_with_examples(self, name: str) -> None:
        command = root().get_command(click.Context(root()), name)
        assert command is not None
        commands = [command, *(command.commands.values() if isinstance(command, click.Group) else [])]
        for one in commands:
            text = one.get_help(click.Context(one, info_name=name))
            assert one.help
            assert "Examples:" in text
            assert f"zoo {name}" in text
            assert max(map(len, text.splitlines())) <= 110

    def test_an_unknown_command_suggests_the_nearest(self, zoo) -> None:
        code, out, err = zoo("trian", "cnn")
        assert (code, out) == (2, "")
        assert err.startswith("Error: There is no command 'trian'. Did you mean 'train'? Commands: list, ")

    def test_a_wrong_option_is_a_usage_error_in_two_lines(self, zoo) -> None:
        code, _, err = zoo("list", "--jsn")
        assert code == 2
        assert err == "Error: No such option '--jsn'. Did you mean '--json'?\nTry: zoo list --help\n"

    @pytest.mark.parametrize("name", ["data", "results", "docs"])
    def test_a_group_alone_is_answered_with_its_help(self, zoo, name: str) -> None:
        code, out, err = zoo(name)
        assert (code, out) == (2, "")
        assert err.startswith(f"Usage: zoo {name} [OPTIONS] COMMAND")
        assert "Try:" not in err

    @pytest.mark.parametrize("command", ["train fc-keras mnist", "build fc-keras", "results reproduce cnn/mnist/book"])
    def test_a_seed_is_one_that_the_frameworks_take(self, zoo, command: str) -> None:
        code, _, err = zoo(*command.split(), "--seed", str(2**32))
        assert code == 2
        assert "0<=x<=4294967295" in err

    def test_what_is_neither_an_architecture_nor_a_run_suggests_both(self, zoo) -> None:
        code, _, err = zoo("visualize", "cnnn")
        assert code == 2
        assert "'cnnn' is neither an architecture nor a run. Did you mean 'cnn'? There is no run" in err

    def test_an_unexpected_failure_is_one_line_and_a_traceback_only_on_request(self, zoo, monkeypatch) -> None:
        monkeypatch.setattr("zoo.registry.Registry.discover", lambda: 1 / 0)
        code, _, err = zoo("list")
        assert code == 1
        assert err.startswith("Error: zoo itself failed: ZeroDivisionError: division by zero\n")
        assert "Traceback" not in err
        for arguments in (["--traceback", "list"], ["list", "--traceback"]):
            code, _, err = zoo(*arguments)
            assert code == 1
            assert "Traceback" in err

    def test_ctrl_c_ends_with_130(self, zoo, monkeypatch) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("zoo.registry.Registry.discover", interrupt)
        code, _, err = zoo("list")
        assert (code, err.strip()) == (130, "Error: Interrupted")

    def test_a_reader_that_goes_away_is_no_error(self) -> None:
        command = f"{sys.executable} -m zoo plugins --json | true"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)
        assert done.stderr == ""

    def test_a_terminal_that_lacks_a_character_shows_another(self, site) -> None:
        site.package("net_package", card="[architectures.net]\nsummary = 'Größe ≥ 2'\n")
        site.install("net-dist", {"net": "net_package"})
        environment = os.environ | {"PYTHONPATH": str(site.folder), "PYTHONIOENCODING": "latin-1"}
        command = [sys.executable, "-m", "zoo", "list", "net"]
        done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
        assert "Größe ? 2" in done.stdout.decode("latin-1")


class TestCommandsOfPlugins:
    COMMAND = """
import click
from zoo import hookimpl

@hookimpl
def zoo_commands(group):
    @group.command("{name}")
    def command():
        "Greet."
        click.echo("hello")
"""

    def add(self, site, plugin: str, name: str = "", init: str = "") -> None:
        site.package(f"{plugin}_package", init=init or self.COMMAND.format(name=name))
        site.install(f"{plugin}-dist", {plugin: f"{plugin}_package"}, group="zoo.plugins")

    def test_one_is_found_when_it_is_asked_for(self, zoo, site) -> None:
        self.add(site, "greeter", name="greet")
        assert zoo("greet") == (0, "hello\n", "")
        assert "greet  Greet." in zoo("--help")[1]

    def test_core_commands_do_not_wake_the_plugins(self, zoo, site) -> None:
        self.add(site, "greeter", init="raise RuntimeError('imported')")
        assert zoo("list")[2] == ""

    def test_a_broken_plugin_is_reported_and_breaks_nothing(self, zoo, site) -> None:
        self.add(site, "broken", init="1 / 0")
        self.add(site, "greeter", name="greet")
        code, out, err = zoo("greet")
        assert (code, out) == (0, "hello\n")
        assert "plugin 'broken' of broken-dist 1.0 can't be imported" in err
        assert zoo("--help")[0] == 0

    def test_one_that_fails_names_its_plugin_and_how_to_be_rid_of_it(self, zoo, site) -> None:
        self.add(site, "greeter", init=self.COMMAND.format(name="greet").replace('click.echo("hello")', "1 / 0"))
        code, out, err = zoo("greet")
        assert (code, out) == (3, "")
        assert "plugin 'greeter' of greeter-dist 1.0 failed in its command greet: ZeroDivisionError" in err
        assert "ZOO_DISABLE=greeter" in err

    def test_what_click_raises_stays_clicks(self, zoo, site) -> None:
        raising = 'raise click.ClickException("no greetings")'
        self.add(site, "greeter", init=self.COMMAND.format(name="greet").replace('click.echo("hello")', raising))
        assert zoo("greet") == (1, "", "Error: no greetings\n")

    def test_a_name_of_the_core_is_not_taken_over(self, zoo, site) -> None:
        self.add(site, "greedy", name="list")
        code, out, err = zoo("--help")
        assert code == 0
        assert "Greet." not in out
        assert "greedy-dist 1.0 adds a command 'list', which zoo has itself: left out" in err

    def test_a_name_that_two_plugins_claim_belongs_to_neither(self, zoo, site) -> None:
        self.add(site, "one", name="greet")
        self.add(site, "other", name="greet")
        code, _, err = zoo("greet")
        assert code == 2
        assert "more than one plugin adds a command 'greet': one-dist 1.0, other-dist 1.0: left out" in err


class TestTables:
    HEADER = ("name", "count", "summary")
    ROWS = (("a", "1,000", "a rather long summary of it all"), ("bb", "1", "short"))

    def test_columns_are_aligned(self) -> None:
        assert table(self.HEADER, self.ROWS, right=("count",)).splitlines() == [
            "name  count  summary",
            "a     1,000  a rather long summary of it all",
            "bb        1  short",
        ]

    def test_wide_characters_take_two_columns(self) -> None:
        lines = table(("class", "n"), [("猫の写真", "1"), ("dog", "22")], right=("n",)).splitlines()
        assert lines == ["class      n", "猫の写真   1", "dog       22"]
        assert (
            table(("class", "n"), [("猫" * 20, "1")], gives_way="class", width=30).splitlines()[1]
            == "猫" * 12 + "...  1"
        )

    def test_a_narrow_terminal_cuts_then_drops_then_stacks(self) -> None:
        def shown(width: int) -> list[str]:
            return table(self.HEADER, self.ROWS, gives_way="summary", drops=("count",), width=width).splitlines()

        assert shown(30)[1] == "a     1,000  a rather long..."
        assert shown(24)[1] == "a     a rather long s..."
        assert shown(20)[:3] == ["a", "  count: 1,000", "  summary: a rather long summary of it all"]
        for width in (24, 30, 60):
            assert max(map(len, shown(width))) <= width
