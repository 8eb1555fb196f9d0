"""Rows are published from real runs, and reproduced: the same bits, or an accuracy that one more run may have."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

import zoo
from zoo.cli import main, root
from zoo.errors import DataError, Interrupted, MissingData, UsageError, ZooError
from zoo.registry import Registry
from zoo.results import reproduction
from zoo.results.published import find, read_receipt
from zoo.results.publishing import publish
from zoo.results.reproduction import Verdict, fast_rows, judge
from zoo.runs.directory import Run

ROOT = Path(__file__).resolve().parents[2]
ROW = "receipt-net/mnist/quick"
RECIPE = '[receipt-net.quick]\nimage_size = 28\nsteps = 20\nbatch_size = 32\nsplit = "published"\nvalidation = 0\n'


@dataclass
class Bench:
    """A package that somebody installed, and two finished runs of its network: seeds 0 and 1."""

    package: Path
    runs: list[Run]


@pytest.fixture(scope="module")
def bench(linear_network: str) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        place = Path(name)
        place.chmod(0o755)  # for the test that runs as another user
        package, info = place / "receipt_net", place / "receipt_net-1.0.dist-info"
        (package / "recipes").mkdir(parents=True)
        (package / "__init__.py").write_text(linear_network)
        (package / "recipes" / "mnist.toml").write_text(RECIPE)
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: receipt-net\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[zoo.architectures]\nreceipt-net = receipt_net\n")
        patch.syspath_prepend(str(place))
        importlib.invalidate_caches()
        options: dict[str, Any] = {"export": False, "quiet": True}
        runs = [
            zoo.train("receipt-net", "mnist", seed=seed, output=place / "runs" / f"seed-{seed}", **options)
            for seed in (0, 1)
        ]
        yield Bench(package, runs)
        sys.modules.pop("receipt_net", None)


@pytest.fixture(autouse=True)
def own_runs(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    yield
    shutil.rmtree(bench.package / "results", ignore_errors=True)


def copy(run: Run, place: Path, change: Callable[[dict[str, Any]], None] = lambda receipt: None) -> Run:
    """A copy of a run, whose receipt says something else."""
    shutil.copytree(run.directory, place)
    receipt = json.loads((place / "run.json").read_text())
    change(receipt)
    (place / "run.json").write_text(json.dumps(receipt))
    return Run(place)


def setting(*keys: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(receipt: dict[str, Any]) -> None:
        for key in keys[:-1]:
            receipt = receipt[key]
        receipt[keys[-1]] = to

    return change


class TestPublish:
    def test_writes_a_receipt_with_an_entry_per_seed(self, bench: Bench, capsys) -> None:
        assert main(["results", "publish", *(str(run.directory) for run in bench.runs)]) == 0
        out, err = capsys.readouterr()
        path = bench.package / "results" / "receipt-net-mnist-quick.json"
        assert out == f"{path}\n"
        assert "under ten minutes a run have at least 5 seeds. Received: 2" in err
        content = json.loads(path.read_text())
        assert content["trials"] == 2
        for entry, run in zip(content["seeds"], bench.runs, strict=True):
            assert (entry["correct"], entry["command"]) == (run.metrics["correct"], run.receipt["command"])
            assert {"versions", "hardware", "seconds", "threads", "bits", "precision"} <= set(entry)
        assert content["fingerprint"] == bench.runs[0].receipt["dataset"]["fingerprint"]
        assert content["recipe"]["values"]["steps"] == 20

    def test_list_and_show_tell_what_is_published_and_how_many_trials_there_were(self, bench: Bench, capsys) -> None:
        publish(bench.runs, trials=7)
        assert main(["results", "list"]) == 0
        assert re.search(rf"^{ROW} .* 2 +7 +10,000 test", capsys.readouterr().out, re.MULTILINE)
        assert main(["results", "show", ROW]) == 0
        shown = capsys.readouterr().out
        assert "7 trainings until it was published, these among them" in shown
        assert "one more run: " in shown
        assert "results/receipt-net-mnist-quick.json of receipt_net" in shown
        assert main(["results", "table"]) == 0
        assert "| `receipt-net` | `mnist` | quick |" in capsys.readouterr().out

    def test_a_new_seed_joins_and_the_same_seed_replaces(self, bench: Bench) -> None:
        path = publish(bench.runs[:1]).path
        publish(bench.runs[1:])
        publish(bench.runs[:1])
        receipt = read_receipt(path)
        assert [entry["seed"] for entry in receipt.seeds] == [0, 1]

    def test_runs_of_another_recipe_give_way_and_it_is_said(self, bench: Bench, tmp_path: Path) -> None:
        other = copy(bench.runs[0], tmp_path / "a", setting("recipe", "values", "steps", "value", to=30))
        publish([other], name="longer")
        done = publish(bench.runs[1:], name="longer")
        assert [entry["seed"] for entry in read_receipt(done.path).seeds] == [1]
        assert "was of another steps: its 1 runs are gone" in done.notes[0]

    def test_into_another_copy_of_the_package(self, bench: Bench, tmp_path: Path) -> None:
        assert publish(bench.runs, package=tmp_path).path == tmp_path / "results" / "receipt-net-mnist-quick.json"
        assert not (bench.package / "results").exists()

    def test_other_runs_of_the_pair_are_trials(self, bench: Bench, tmp_path: Path) -> None:
        copy(bench.runs[0], tmp_path / "runs" / "tuning" / "one", setting("status", to="stopped"))
        copy(bench.runs[0], tmp_path / "runs" / "tuning" / "two", setting("rehearsal", to=True))
        copy(bench.runs[0], tmp_path / "runs" / "packaged" / "receipt-net-mnist")  # `zoo show zoo:receipt-net/mnist`
        assert read_receipt(publish(bench.runs).path).result.trials == 3

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (setting("status", to="running"), "Only finished, real runs have results. Received: .*running"),
            (setting("rehearsal", to=True), "Only finished, real runs have results. Received: .*a rehearsal"),
            (setting("dataset", "name", to="folder"), "that others can install"),
            (setting("recipe", "values", "steps", "value", to=30), "steps = 30 in place of 20.*--as NAME"),
            (setting("recipe", "name", to="gone"), "has no recipe 'gone' any more"),
            (setting("weights", to={"name": "mine.npz", "sha256": "0"}), "with mine.npz"),
        ],
    )
    def test_refuses_what_is_no_result_of_its_name(self, bench: Bench, tmp_path: Path, change, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            publish([copy(bench.runs[0], tmp_path / "run", change)])

    def test_refuses_a_run_that_never_looked_at_the_test_part(self, bench: Bench, tmp_path: Path) -> None:
        run = copy(bench.runs[0], tmp_path / "run")
        metrics = json.loads((run.directory / "metrics.json").read_text())
        (run.directory / "metrics.json").write_text(json.dumps(metrics | {"part": "validation"}))
        with pytest.raises(UsageError, match=r"A result is of the test part\. .* of the validation part"):
            publish([run])

    def test_takes_the_validation_part_where_the_recipe_has_no_other(self, bench: Bench, tmp_path: Path) -> None:
        origin = setting("recipe", "values", "test", "origin", to="receipt_net/recipes/mnist.toml:3")
        run = copy(bench.runs[0], tmp_path / "run", origin)
        metrics = json.loads((run.directory / "metrics.json").read_text())
        (run.directory / "metrics.json").write_text(json.dumps(metrics | {"part": "validation"}))
        assert read_receipt(publish([run]).path).result.part == "validation"
        run.update(test=False)  # --no-test
        with pytest.raises(UsageError, match="A result is of the test part"):
            publish([run])

    def test_refuses_figures_that_the_predictions_do_not_give(self, bench: Bench, tmp_path: Path) -> None:
        run = copy(bench.runs[0], tmp_path / "run")
        metrics = json.loads((run.directory / "metrics.json").read_text())
        (run.directory / "metrics.json").write_text(json.dumps(metrics | {"correct": metrics["correct"] + 1}))
        with pytest.raises(ZooError, match="does not agree with itself"):
            publish([run])

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (setting("recipe", "values", "steps", "value", to=30), "steps = 30 in place of 20"),
            (setting("dataset", "fingerprint", to="0"), "another fingerprint"),
            (setting("dataset", "split_hash", to="0"), "another split hash"),
            (setting("dataset", "name", to="catsdogs"), "another dataset"),
            (setting("spec", "name", to="cnn"), "another architecture"),
        ],
    )
    def test_refuses_runs_of_different_rows(self, bench: Bench, tmp_path: Path, change, said: str) -> None:
        with pytest.raises(UsageError, match=f"The runs of a row share .*{said}"):
            publish([bench.runs[0], copy(bench.runs[1], tmp_path / "run", change)])

    def test_refuses_a_seed_twice(self, bench: Bench, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"one run of a seed.*both of seed 0"):
            publish([bench.runs[0], copy(bench.runs[0], tmp_path / "twin")])

    def test_refuses_fewer_trials_than_seeds(self, bench: Bench) -> None:
        with pytest.raises(UsageError, match="Received: 1"):
            publish(bench.runs, trials=1)

    def test_a_package_that_is_not_writable_is_named_with_what_to_do(
        self, bench: Bench, unprivileged: Path, monkeypatch
    ) -> None:
        monkeypatch.setenv("ZOO_RUNS", str(unprivileged))
        with pytest.raises(ZooError, match=r"receipt_net.* can't be written: .*--output DIR"):
            publish(bench.runs)

    def test_a_receipt_that_is_none_is_not_overwritten(self, bench: Bench) -> None:
        (bench.package / "results").mkdir()
        (bench.package / "results" / "receipt-net-mnist-quick.json").write_text("[")
        with pytest.raises(ZooError, match="is not a receipt"):
            publish(bench.runs)


class TestReproduce:
    def test_gives_the_same_bits_on_the_same_machine(self, bench: Bench, tmp_path: Path, capsys) -> None:
        publish(bench.runs)
        assert main(["results", "reproduce", ROW, "--seed", "1", "--output", str(tmp_path / "again"), "--json"]) == 0
        (verdict,) = json.loads(capsys.readouterr().out)
        assert (verdict["passed"], verdict["same_machine"], verdict["same_bits"]) == (True, True, True)
        assert verdict["sentence"].endswith(": the same bits")

    def test_other_bits_fail_on_the_same_machine_alone(self, bench: Bench) -> None:
        path = publish(bench.runs).path
        content = json.loads(path.read_text())
        content["seeds"][0]["bits"]["weights"] = "0"
        path.write_text(json.dumps(content))
        verdict = judge(read_receipt(path), bench.runs[0])
        assert (verdict.passed, verdict.same_machine, verdict.same_bits) == (False, True, False)
        assert "other bits, although machine and versions are those of the published run" in verdict.sentence
        content["seeds"][0]["versions"]["tensorflow"] = "1.0"
        path.write_text(json.dumps(content))
        verdict = judge(read_receipt(path), bench.runs[0])
        assert (verdict.passed, verdict.same_machine) == (True, False)
        assert verdict.sentence.endswith("within the prediction interval")

    @pytest.mark.parametrize(("correct", "passed"), [(0, True), (2000, False)])
    def test_elsewhere_the_prediction_interval_judges(self, bench: Bench, correct: int, passed: bool) -> None:
        path = publish(bench.runs).path
        content = json.loads(path.read_text())
        count = bench.runs[0].metrics["correct"] - correct
        content["seeds"] = [{"seed": seed, "count": 10_000, "correct": count + seed} for seed in (5, 6, 7)]
        path.write_text(json.dumps(content))
        verdict = judge(read_receipt(path), bench.runs[0])
        assert (verdict.passed, verdict.same_bits) == (passed, None)
        assert verdict.sentence.startswith("PASS" if passed else "FAIL")

    def test_other_images_are_refused_before_training(self, bench: Bench, tmp_path: Path) -> None:
        path = publish(bench.runs).path
        path.write_text(path.read_text().replace(bench.runs[0].receipt["dataset"]["split_hash"], "0"))
        with pytest.raises(DataError, match=f"are not those of the row {ROW}"):
            reproduction.reproduce(ROW, output=tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_the_recipe_is_the_row_s_where_the_file_has_changed(self, bench: Bench) -> None:
        path = publish(bench.runs).path
        content = json.loads(path.read_text())
        content["recipe"]["values"]["steps"] = 25
        path.write_text(json.dumps(content))
        registry = Registry.discover()
        pair = registry.get("architecture", "receipt-net"), registry.get("dataset", "mnist")
        assert reproduction.changed_keys(read_receipt(path), *pair, "quick") == {"steps": 25}
        content["recipe"]["values"]["dropped"] = 1
        path.write_text(json.dumps(content))
        with pytest.raises(UsageError, match="does not know: dropped"):
            reproduction.changed_keys(read_receipt(path), *pair, "quick")

    def test_many_rows_end_with_a_summary_and_a_miss_with_an_error(self, bench: Bench, monkeypatch, capsys) -> None:
        def reproduce(row: str, **_: Any) -> tuple[Verdict, Run]:
            if row == "b/mnist/quick":
                raise DataError("no images")
            return Verdict(row, True, 0.9, 0.9, 0.8, 1.0, False, None, f"PASS {row}"), bench.runs[0]

        monkeypatch.setattr(reproduction, "reproduce", reproduce)
        assert main(["results", "reproduce", "a/mnist/quick", "b/mnist/quick"]) == 1
        assert capsys.readouterr().out.splitlines() == [
            "PASS a/mnist/quick",
            "FAIL b/mnist/quick: no images",
            "NOT REPRODUCED: 1 of 2 rows pass",
        ]
        assert main(["results", "reproduce", "a/mnist/quick", "c/mnist/quick"]) == 0
        assert capsys.readouterr().out.endswith("REPRODUCED: 2 of 2 rows pass\n")

    def test_rows_without_their_data_are_left_out_and_counted(self, bench: Bench, monkeypatch, capsys) -> None:
        def reproduce(row: str, **_: Any) -> tuple[Verdict, Run]:
            if row.startswith("b/"):
                raise MissingData("no images")
            return Verdict(row, True, 0.9, 0.9, 0.8, 1.0, False, None, f"PASS {row}"), bench.runs[0]

        monkeypatch.setattr(reproduction, "reproduce", reproduce)
        assert main(["results", "reproduce", "a/mnist/quick", "b/mnist/quick"]) == 0
        assert capsys.readouterr().out.splitlines()[1:] == [
            "LEFT OUT b/mnist/quick: no images",
            "REPRODUCED: 1 of 1 rows pass; LEFT OUT for want of data: 1",
        ]
        assert main(["results", "reproduce", "b/mnist/quick", "b/mnist/book"]) == 4
        assert "NOT REPRODUCED: 0 of 0 rows pass" in capsys.readouterr().out

    def test_ctrl_c_stops_them_all(self, monkeypatch) -> None:
        asked = []

        def reproduce(row: str, **_: Any) -> tuple[Verdict, Run]:
            asked.append(row)
            raise Interrupted("Interrupted")

        monkeypatch.setattr(reproduction, "reproduce", reproduce)
        assert main(["results", "reproduce", "a/mnist/quick", "b/mnist/quick"]) == 130
        assert asked == ["a/mnist/quick"]

    def test_a_recipe_that_is_gone_and_not_in_the_receipt_is_no_other_one(self, bench: Bench, tmp_path: Path) -> None:
        path = publish(bench.runs).path
        content = json.loads(path.read_text())
        content["recipe"] = {"name": "mine"}
        path.write_text(json.dumps(content))
        with pytest.raises(UsageError, match="there is no 'mine' any more"):
            reproduction.reproduce("receipt-net/mnist/mine", output=tmp_path / "run")

    def test_another_device_is_another_machine(self, bench: Bench) -> None:
        entry = read_receipt(publish(bench.runs).path).seeds[0]
        receipt = bench.runs[0].receipt
        assert reproduction.same_machine(entry, receipt)
        assert reproduction.same_machine(entry, receipt | {"devices": []})  # a receipt of an older zoo
        assert not reproduction.same_machine({**entry, "devices": ["GPU:0 NVIDIA H100"]}, receipt)

    def test_fast_are_the_rows_under_ten_minutes(self) -> None:
        rows = fast_rows(Registry.discover().plugins)
        assert rows[0] == "fc-keras/mnist/book"
        assert "cnn/mnist/quick" in rows
        assert "vgg16/catsdogs/quick" not in rows

    @pytest.mark.parametrize("arguments", [[], ["--fast", ROW], ["--output", "x", "a", "b"], ["fc-kera/mnist/book"]])
    def test_a_wrong_command_is_a_usage_error(self, arguments: list[str], capsys) -> None:
        assert main(["results", "reproduce", *arguments]) == 2
        assert "Traceback" not in capsys.readouterr().err

    def test_an_unknown_row_names_the_nearest(self) -> None:
        with pytest.raises(UsageError, match=r"no published row 'fc-kera/mnist/book'\. .*fc-keras/mnist/book"):
            find("fc-kera/mnist/book", Registry.discover().plugins)

    @pytest.mark.deep
    def test_a_published_row_is_reproduced(self, tmp_path: Path, capsys) -> None:
        code = main(["results", "reproduce", "fc-keras/mnist/book", "--output", str(tmp_path / "run")])
        out = capsys.readouterr().out
        assert out.startswith("PASS fc-keras/mnist/book: "), out
        assert code == 0


GUIDE = (ROOT / "zoo" / "site" / "docs" / "guide" / "results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", re.findall(r"^\$ zoo (.+)$", GUIDE, re.MULTILINE))
def test_the_commands_of_the_guide_exist_with_their_options(line: str) -> None:
    group: click.Command = root()
    context = group.make_context("zoo", ["results"], resilient_parsing=True)
    arguments = shlex.split(line)
    while isinstance(group, click.Group):
        name = arguments.pop(0)
        found = group.get_command(context, name)
        assert found is not None
        group = found
        if not isinstance(group, click.Group):
            group.make_context(name, list(arguments), parent=context)
