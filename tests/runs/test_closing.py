"""A run that has finished loses nothing if it is killed before its last word: a resume does what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import Interrupted, UsageError, ZooError
from zoo.locks import locked
from zoo.progress import Reporter
from zoo.runs import closing, report
from zoo.runs.directory import Run

RECEIPT = {
    "format": 1,
    "status": "finished",
    "rehearsal": False,
    "strict": False,
    "started": "2026-11-25T10:00:00+00:00",
    "spec": {
        "name": "cnn",
        "height": 28,
        "width": 28,
        "channels": 1,
        "class_names": ["0", "1"],
        "options": {},
        "weights": None,
        "seed": 0,
    },
    "dataset": {"name": "mnist"},
    "recipe": {"name": "quick", "values": {}},
    "versions": {"zoo": "0.1.0"},
    "remaining": list(closing.STEPS),
}


class Killed(BaseException):
    """The process is no more."""


class Watched:
    """A run's end: what its steps did, and the run's death before or after one of them."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run = Run(directory)
        self.done: list[str] = []
        self.die = ("", "")
        directory.mkdir()
        self.run.write(RECEIPT)
        self.run.checkpoints.mkdir()
        (self.run.checkpoints / "state").touch()
        remove = closing.shutil.rmtree
        monkeypatch.setattr(report, "write", lambda run: self.step("report", (run.directory / report.NAME).touch))
        monkeypatch.setattr(
            closing.shutil, "rmtree", lambda *place, **how: self.step("checkpoints", lambda: remove(*place, **how))
        )

    def tell(self) -> None:
        self.step("observers", lambda: None)

    def step(self, name: str, do) -> None:
        if self.die == ("before", name):
            raise Killed
        do()
        self.done.append(name)
        if self.die == ("after", name):
            raise Killed

    def close(self) -> None:
        closing.close(self.run, self.tell)


@pytest.fixture
def watched(tmp_path, monkeypatch) -> Watched:
    return Watched(tmp_path / "run", monkeypatch)


def test_the_end_of_a_run_is_told_reported_and_tidied_in_that_order(watched) -> None:
    watched.close()
    assert watched.done == ["observers", "report", "checkpoints"]
    assert watched.run.receipt["remaining"] == []
    assert (watched.run.directory / "report.html").exists()
    assert not watched.run.checkpoints.exists()


@pytest.mark.parametrize("step", closing.STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_instant_leaves_nothing_undone_and_nothing_is_done_twice_but_what_was_cut_short(
    watched, when, step
) -> None:
    watched.die = (when, step)
    with pytest.raises(Killed):
        watched.close()
    assert watched.run.status == "finished"
    assert watched.run.receipt["remaining"][0] == step
    watched.die = ("", "")
    watched.close()
    twice = [step] if when == "after" else []
    assert sorted(watched.done) == sorted([*closing.STEPS, *twice])
    assert closing.remaining(watched.run) == []


def test_ctrl_c_says_how_to_do_the_rest(watched, monkeypatch) -> None:
    monkeypatch.setattr(report, "write", lambda run: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(Interrupted, match=r"The rest is done by: zoo train --resume .*run"):
        watched.close()
    assert closing.remaining(watched.run) == ["report", "checkpoints"]


def test_a_resume_does_the_rest_and_loads_no_framework_for_a_report(watched, monkeypatch, capsys) -> None:
    watched.run.update(remaining=["report", "checkpoints"])
    monkeypatch.setattr("zoo.runs.pipeline.start_frameworks", lambda *_: pytest.fail("nobody needs TensorFlow"))
    closing.resume(watched.run, Reporter())
    assert watched.done == ["report", "checkpoints"]
    assert "has finished but for: report, checkpoints." in capsys.readouterr().err
    with pytest.raises(UsageError, match="nothing to resume"):
        closing.resume(watched.run, Reporter(quiet=True))


def test_the_rest_is_done_by_one_process_only(watched) -> None:
    with (
        locked(watched.run.checkpoints / "lock", "is training"),
        pytest.raises(ZooError, match="Another process is training in"),
    ):
        closing.resume(watched.run, Reporter(quiet=True))
    assert watched.done == []


def test_a_run_of_an_older_zoo_may_lack_its_report(watched) -> None:
    receipt = dict(watched.run.receipt)
    del receipt["remaining"]
    watched.run.write(receipt)
    assert closing.remaining(watched.run) == ["report"]
    (watched.run.directory / "report.html").touch()
    assert closing.remaining(watched.run) == []
