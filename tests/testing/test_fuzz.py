"""The fuzzer finds what it should, can be repeated, and finds nothing in the zoo's own readers."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

from zoo.testing import fuzz as fuzzing
from zoo.testing.fuzz import fuzz, main
from zoo.testing.mutations import Sample, mutate
from zoo.testing.targets import TARGETS

INPUTS = {"decoder": 400, "archives": 300, "idx": 200, "cards": 200, "recipes": 200, "results": 200, "runs": 150}


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_finds_nothing(name: str) -> None:
    outcome = fuzz(name, seed=2026, inputs=INPUTS[name])
    assert outcome.findings == {}
    assert outcome.read + outcome.refused == INPUTS[name]
    assert outcome.read > INPUTS[name] // 25  # the mutants are near enough to whole files
    assert outcome.refused > INPUTS[name] // 25  # and far enough from them


def test_every_whole_file_is_read(tmp_path: Path) -> None:
    for name, make in TARGETS.items():
        (tmp_path / name).mkdir()
        target = make(tmp_path / name)
        refused = [sample.name for sample in target.samples if not target.read(sample)]
        assert refused == [], name


def test_an_input_is_a_function_of_its_number(tmp_path: Path) -> None:
    target = TARGETS["decoder"](tmp_path)
    first, again, second, other = (
        fuzzing.mutant(target, "decoder", seed, index) for seed, index in ((1, 5), (1, 5), (1, 6), (2, 5))
    )
    assert first == again
    assert len({first, second, other}) == 3


def test_mutants_differ_from_their_sample() -> None:
    samples = [Sample("a.json", b'{"a": [1, {"b": "c"}], "d": null}'), Sample("b.bin", bytes(range(200)))]
    mutants = [mutate(Random(index), samples) for index in range(300)]
    contents = {sample.name: sample.content for sample in samples}
    changed = [mutant for mutant in mutants if mutant.content != contents[mutant.name]]
    assert len(changed) > 250
    assert len({mutant.content for mutant in changed}) > 200
    # none depends on those before it
    assert [mutate(Random(index), samples) for index in reversed(range(300))] == mutants[::-1]


# A reader with faults stands in for the zoo's, in a worker process of its own.
FAULTY = """
import os, resource, sys, time
from pathlib import Path
from zoo.testing import fuzz, targets
from zoo.testing.mutations import Sample

def faulty(folder):
    def read(sample):
        number = int.from_bytes(sample.content[:2], "little")
        match number:
            case 3: os.abort()
            case 5: time.sleep(60)
            case 7: bytearray(10**10)
            case 9: raise KeyError("x")
            case 11: os._exit(4)
        return number % 2 == 0
    return targets.Target([Sample("x", b"")], read)

targets.TARGETS["decoder"] = faulty
fuzz.mutant = lambda target, name, seed, index: Sample("x", index.to_bytes(2, "little"))
fuzz.main(sys.argv[1:])
"""


def test_crashes_hangs_and_memory_are_found_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "faulty.py"
    program.write_text(FAULTY)
    monkeypatch.setattr(fuzzing, "SECONDS", 3.0)
    monkeypatch.setattr(fuzzing, "WORKER", (sys.executable, str(program)))
    assert main(["--target", "decoder", "--inputs", "20"]) == 1
    shown = capsys.readouterr().out
    for what, number in (
        ("crash: SIGABRT", 3),
        ("hang: more than 3 s", 5),
        ("MemoryError", 7),
        ("KeyError", 9),
        ("crash: exit code 4", 11),
    ):
        lines = shown.splitlines()
        (at,) = [index for index, line in enumerate(lines) if what in line]
        assert lines[at + 1].endswith(f"--input {number}")
    assert "15 inputs were read or refused, 5 findings" in shown
