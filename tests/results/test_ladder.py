"""A ladder measures one technique after the other on validation images: a tiny network on real digits."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from zoo.cli import main
from zoo.errors import UsageError, ZooError
from zoo.figures import measured as drawn
from zoo.progress import Reporter
from zoo.registry import Plugin, Registry
from zoo.results import ladder as ladders
from zoo.results import measurements, repeated
from zoo.runs import pipeline
from zoo.runs.directory import Run
from zoo.runs.pipeline import Prepared
from zoo.runs.request import Request
from zoo.site import measured, pages
from zoo.types import Part

CARD = '[architectures.tiny-net]\nsummary = "A layer"\nchannels = [1]\n[architectures.twin-net]\nsummary = "Its twin"\n'
LADDER = """
[tiny-net]
seeds = [0]
keys = { image_size = 8, train = 200, validation = 300, epochs = 2, batch_size = 50, schedule = "constant" }
[[tiny-net.rungs]]
label = "plain"
[[tiny-net.rungs]]
label = "one-cycle"
keys = { schedule = "one-cycle", learning_rate = 0.02 }
"""
OURS = [("cnn", "mnist"), ("vgg16-bn", "catsdogs")]


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory, linear_network: str) -> Any:
    """The package of a stranger with a ladder."""
    site = tmp_path_factory.mktemp("site")
    folder = site / "tiny_net"
    (folder / "ladders").mkdir(parents=True)
    (folder / "__init__.py").write_text(linear_network)
    (folder / "zoo.toml").write_text(CARD)
    (folder / "ladders" / "mnist.toml").write_text(LADDER)
    info = site / "tiny-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[zoo.architectures]\ntiny-net = tiny_net\ntwin-net = tiny_net\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        yield folder


class Killed(BaseException):
    """The end of a process."""


class Killer(Reporter):
    """Ends the process, so to say, before the second run."""

    def note(self, text: str) -> None:
        if text.startswith("== 2 of 2"):
            raise Killed


@pytest.fixture(scope="module")
def climbed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The ladder, killed after a run and called again; every image that anything looked at."""
    folder = tmp_path_factory.mktemp("ladder")
    registry = Registry.discover()
    ladder, plugin = ladders.find("tiny-net", "mnist", registry)
    seen: set[int] = set()
    taken = Part.take

    def take(part: Part, index: Any = slice(None)) -> Any:
        seen.update(part.rows[index].tolist())
        return taken(part, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Part, "take", take)
        with pytest.raises(Killed):
            ladders.climb(ladder, registry, folder, Killer(quiet=True))
        first = {path: path.stat().st_mtime_ns for path in folder.glob("*/run.json")}
        with contextlib.redirect_stderr(io.StringIO()) as told:
            assert main(["results", "ladder", "tiny-net", "mnist", "--output", str(folder)]) == 0
    return {"folder": folder, "ladder": ladder, "plugin": plugin, "seen": seen, "first": first, "told": told}


def test_what_has_finished_is_not_trained_again(climbed: dict[str, Any]) -> None:
    assert len(climbed["first"]) == 1
    assert {path: path.stat().st_mtime_ns for path in climbed["first"]} == climbed["first"]
    assert len(list(climbed["folder"].glob("*/run.json"))) == 2


def test_a_forecast_of_what_is_left_comes_before_the_training(climbed: dict[str, Any]) -> None:
    told = climbed["told"].getvalue()
    assert 0 <= told.find("Trainings that are left: 1, about") < told.find("== 1 of 2")


def test_the_test_part_is_not_looked_at(climbed: dict[str, Any]) -> None:
    ladder = climbed["ladder"]
    request = ladder.request(ladder.rungs[0], 0)
    whole = Prepared(Request("tiny-net", "mnist", overrides=request.overrides)).data(Reporter(quiet=True))
    assert len(whole.test) == 10_000
    assert set(whole.validation.rows.tolist()) <= climbed["seen"]
    assert climbed["seen"].isdisjoint(whole.test.rows.tolist())
    for path in climbed["folder"].glob("*/run.json"):
        run = Run(path.parent)
        assert run.metrics is not None
        assert (run.metrics["part"], run.metrics["count"]) == ("validation", 300)
        assert "--no-test" in run.receipt["command"]


def test_the_result_is_kept_in_the_package_with_its_receipt(climbed: dict[str, Any], package: Path) -> None:
    stored = json.loads((package / "ladders" / "tiny-net-mnist.json").read_text())
    assert stored == json.loads((climbed["folder"] / "ladder.json").read_text())
    assert [rung["label"] for rung in stored["rungs"]] == ["plain", "one-cycle"]
    assert stored["command"] == "zoo results ladder tiny-net mnist"
    assert stored["versions"]["tiny"] == "1.0"
    assert stored["hardware"][0]["cores"] > 0
    runs = [Run(path.parent) for path in climbed["folder"].glob("*/run.json")]
    counts = sorted(run.metrics["correct"] for run in runs if run.metrics)
    assert sorted(seed["correct"] for rung in stored["rungs"] for seed in rung["seeds"]) == counts


def test_the_page_of_the_network_shows_it(climbed: dict[str, Any]) -> None:
    del climbed
    plugin = Registry.discover().get("architecture", "tiny-net")
    page = pages.architecture(plugin, [], [], [])
    assert "## What each technique adds" in page
    assert '<img src="tiny-net/ladder-mnist.svg"' in page
    assert "zoo results ladder tiny-net mnist" in page
    made = measured.pictures([plugin])
    assert made["architectures/tiny-net/ladder-mnist.svg"].startswith(b"<?xml")
    assert pages.architecture(Registry.discover().get("architecture", "twin-net"), [], [], []).count("adds") == 0


@pytest.mark.deep
def test_a_trial_stays_among_its_runs(
    climbed: dict[str, Any], package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = package / "ladders" / "tiny-net-mnist.json"
    before = kept.read_bytes()
    words = ["--set", "steps=2", "--seeds", "0", "--output", str(tmp_path)]
    assert main(["results", "ladder", "tiny-net", "mnist", *words]) == 0
    assert kept.read_bytes() == before
    assert (tmp_path / "ladder-mnist.svg").is_file()
    printed = capsys.readouterr().out
    assert "one-cycle" in printed
    assert str(kept) not in printed


def test_a_dry_run_prints_the_rungs_and_the_time_that_is_left(
    climbed: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["results", "ladder", "tiny-net", "mnist", "--dry-run", "--output", str(climbed["folder"])]) == 0
    done = capsys.readouterr()
    assert "schedule = one-cycle, learning_rate = 0.02" in done.out
    assert done.out.count("1 of 1") == 2
    assert "that are left" not in done.err
    assert main(["results", "ladder", "tiny-net", "mnist", "--dry-run", "--output", str(tmp_path)]) == 0
    assert "Trainings that are left: 2, about" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_goes_on_and_one_without_a_receipt_begins_anew(
    climbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[tuple[str, Path]] = []
    monkeypatch.setattr(pipeline, "resume", lambda run, *_, **__: called.append(("resume", run.directory)))
    monkeypatch.setattr(pipeline, "train", lambda request, *_: called.append(("train", request.output)))
    request = climbed["ladder"].request(climbed["ladder"].rungs[1], 0)
    killed, torn = tmp_path / "killed", tmp_path / "torn"
    shutil.copytree(next(climbed["folder"].glob("*/run.json")).parent, killed)
    Run(killed).update(status="training")
    (torn / "checkpoints").mkdir(parents=True)
    for directory in (killed, torn):
        repeated.once(request, directory, Reporter(quiet=True))
    assert called == [("resume", killed), ("train", torn)]
    assert not torn.exists()


def test_two_processes_do_not_train_into_one_folder(tmp_path: Path) -> None:
    refused = pytest.raises(ZooError, match="Another process is training")
    with repeated.alone(tmp_path), refused, repeated.alone(tmp_path):
        pass


# the file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("architecture", "dataset"), OURS)
def test_our_ladders_change_one_thing_at_a_time(architecture: str, dataset: str) -> None:
    ladder, _ = ladders.find(architecture, dataset, Registry.discover())  # raises otherwise
    assert len(ladder.seeds) == 3
    assert len({rung.label for rung in ladder.rungs}) == len(ladder.rungs) > 5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rungs": [{"label": "alone"}]}, "two rungs or more"),
        ({"rungs": [{"label": "a"}, {"label": "b", "keys": 3}]}, "keys .* must be a table. Received: 3"),
        ({"rungs": [{"label": "a"}, {"keys": {"ema": 0.9}}]}, "label .* must be a string. Received: None"),
        ({"rungs": [{"label": "a"}, {"label": "b"}]}, "the rung 'b' changes nothing"),
        ({"rungs": [{"label": "a"}, {"label": "b", "keys": {"emma": 0.9}}]}, "no recipe key 'emma'"),
        ({"seeds": ["0"]}, "seeds must be whole numbers"),
        ({"keys": {"validation": 0}}, "set validation"),
        ({"recipe": "fast"}, "no recipe 'fast'"),
        ({"rungs": [{"label": "a"}, {"label": "b", "architecture": "cnn"}]}, "also .*epochs.* would change"),
    ],
)
def test_what_is_wrong_with_a_ladder_is_told(change: dict[str, Any], said: str) -> None:
    rungs = [{"label": "a"}, {"label": "b", "keys": {"ema": 0.9}}]
    table: dict[str, Any] = {"keys": {"validation": 100}, "rungs": rungs, **change}

    def read() -> None:
        path = Path("mnist.toml")
        ladders.check(ladders.parse("fc-keras", "mnist", table, path), Registry.discover(), path.name)

    with pytest.raises(UsageError, match=said):
        read()


def test_a_trial_whose_rung_changes_nothing_is_told_before_it_trains(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["results", "ladder", "vgg16-bn", "catsdogs", "--set", "flip=false", "--seeds", "0", "--dry-run"]
    assert main(arguments) == 2
    assert "With --set: the rung 'flip" in capsys.readouterr().err


def test_a_seed_counts_once() -> None:
    ladder, _ = ladders.find("cnn", "mnist", Registry.discover())
    assert ladder.trial((), [0, 0, 1]).seeds == (0, 1)


def test_a_rung_of_another_network_is_trained_itself() -> None:
    table = {
        "keys": {"validation": 100},
        "rungs": [
            {"label": "a", "architecture": "cnn"},
            {"label": "b", "architecture": "cnn-5x5", "keys": {"flip_average": True}},
        ],
    }
    assert ladders.parse("cnn", "mnist", table, Path("mnist.toml")).trained(0) == 0


def test_a_pair_without_a_ladder_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match=r"no ladder of resnet50 on mnist.*cnn mnist.*vgg16-bn catsdogs"):
        ladders.find("resnet50", "mnist", Registry.discover())


def test_flip_averaging_is_measured_on_the_network_that_the_rung_before_it_trains(tmp_path: Path) -> None:
    ladder, _ = ladders.find("vgg16-bn", "catsdogs", Registry.discover())
    last = len(ladder.rungs) - 1
    assert ladder.trained(last) == ladder.trained(last - 1) == last
    assert [ladder.trained(number) for number in range(last - 1)] == list(range(last - 1))
    trained = {number for number, _ in ladders.left(ladder, Registry.discover(), tmp_path)}
    assert trained == set(range(len(ladder.rungs))) - {last - 1}


# what was measured ----------------------------------------------------------------------------------------------


def stored(*rungs: tuple[str, list[int]]) -> dict[str, Any]:
    """A result of 1,000 images whose rungs have so many right answers, a number a seed."""
    entries = [
        {
            "label": label,
            "architecture": "tiny-net",
            "keys": {},
            "seeds": [{"seed": n, "count": 1000, "correct": c, "seconds": 60.0 + n} for n, c in enumerate(correct)],
        }
        for label, correct in rungs
    ]
    names = {"architecture": "tiny-net", "dataset": "mnist", "title": "tiny-net on mnist", "command": "zoo results"}
    return {**names, "rungs": entries}


def test_the_caption_says_what_adds_the_most_and_what_may_be_chance() -> None:
    rungs = [("plain", [900, 902, 904]), ("flip", [950, 952, 954]), ("colour", [951, 952, 956])]
    one = measurements.parse_ladder(stored(*rungs))
    assert [round(step.mean, 4) for step in one.steps] == [0.902, 0.952, 0.953]
    assert one.steps[0].spread == pytest.approx(0.002)
    assert one.steps[0].seconds == 61
    assert one.unclear() == ["colour"]
    picture = drawn.ladder(one)
    assert picture == drawn.ladder(one)
    assert "From 90.20 % to 95.30 %; the most comes from “flip” (+5.00 points)." in picture.caption
    assert picture.caption.endswith("What these add may be chance: “colour”.")
    assert "1,000 validation images, and the test images were not looked at" in picture.caption


def test_the_caption_says_what_made_it_worse() -> None:
    rungs = [("plain", [950, 952, 954]), ("noise", [900, 902, 904]), ("flip", [960, 962, 964])]
    caption = drawn.ladder_caption(measurements.parse_ladder(stored(*rungs)))
    assert caption.endswith("this made it worse, and what stands below was measured with it: “noise” (-5.00).")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rungs": []}', json.dumps(stored(("a", [])))])
def test_a_file_that_is_no_measured_ladder_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "ladders").mkdir()
    (tmp_path / "ladders" / "net-mnist.json").write_text(content)
    with pytest.raises(ZooError, match=r"net-mnist\.json is not a measurement"):
        measurements.ladders(Plugin("net", "architecture", "x", "d", "1", folder=tmp_path))


@pytest.mark.parametrize(("architecture", "dataset"), OURS)
def test_a_published_ladder_is_that_of_its_file(architecture: str, dataset: str) -> None:
    ladder, plugin = ladders.find(architecture, dataset, Registry.discover())
    for one in measurements.ladders(plugin):
        if one.dataset == dataset:
            assert [step.label for step in one.steps] == [rung.label for rung in ladder.rungs]
            assert one.stored["keys"] == json.loads(json.dumps(ladder.keys)), "measure it again: zoo results ladder"
            changes = [json.loads(json.dumps(rung.keys)) for rung in ladder.rungs]
            assert [rung["keys"] for rung in one.stored["rungs"]] == changes, "measure it again"
