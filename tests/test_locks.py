"""One lock for two processes: the second waits and says so, or is refused; a kill lets go of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zoo import locks
from zoo.errors import ZooError
from zoo.progress import Reporter
from zoo.runs import pipeline
from zoo.runs.directory import Run

HOLD = """
import sys
from pathlib import Path
from zoo.locks import locked
with locked(Path(sys.argv[1]), "holds it"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock file `path` until its input ends."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_is_refused_where_it_must_not_wait(tmp_path) -> None:
    with (
        another_process(tmp_path / "lock"),
        pytest.raises(ZooError, match="Another process paints the wall"),
        locks.locked(tmp_path / "lock", "paints the wall", wait=False),
    ):
        pytest.fail("the lock was taken twice")


def test_the_second_says_that_it_waits_and_is_next(tmp_path, monkeypatch) -> None:
    with another_process(tmp_path / "lock") as process:
        told: list[str] = []

        def warning(text: str, *arguments: object) -> None:
            told.append(text % arguments)
            process.stdin.close()  # only now does the first end

        monkeypatch.setattr(locks._log, "warning", warning)
        with locks.locked(tmp_path / "lock", "prepares mnist"):
            assert told == ["another process prepares mnist: waiting for it"]


def test_a_kill_lets_go_of_it(tmp_path) -> None:
    with another_process(tmp_path / "lock") as process:
        assert locks.is_held(tmp_path / "lock")
        process.kill()
        process.wait()
        assert not locks.is_held(tmp_path / "lock")
        with locks.locked(tmp_path / "lock", "goes on", wait=False):
            assert locks.is_held(tmp_path / "lock")


def test_two_processes_cannot_train_into_one_directory(tmp_path) -> None:
    run = Run(tmp_path)
    run.write({"format": 1, "status": "training"})
    run.checkpoints.mkdir()
    refused = pytest.raises(ZooError, match=f"Another process is training in {tmp_path}")
    with another_process(run.checkpoints / "lock"), refused:
        pipeline.resume(run, Reporter(quiet=True))


def test_a_run_in_a_folder_that_must_not_be_written_is_told(unprivileged) -> None:
    unprivileged.chmod(0o500)
    with (
        pytest.raises(ZooError, match="checkpoints can't be written: permission denied"),
        pipeline.locked(Run(unprivileged)),
    ):
        pytest.fail("there is no lock")


def test_what_is_no_lock_is_not_held(tmp_path) -> None:
    assert not locks.is_held(tmp_path / "none")
    assert not locks.is_held(tmp_path)
