"""What README shows works as shown."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo.cli import root
from zoo.progress import Reporter
from zoo.registry import Registry
from zoo.results import table
from zoo.runs import pipeline
from zoo.runs.request import Request

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def block(language: str, containing: str) -> str:
    return next(code for kind, code in BLOCKS if kind == language and containing in code)


def commands() -> list[str]:
    lines = [line for kind, code in BLOCKS if kind == "console" for line in code.splitlines()]
    return [line[2:].split("#")[0].strip() for line in lines if line.startswith("$ zoo ")]


@pytest.mark.parametrize("command", commands())
def test_every_zoo_command_exists_with_its_options(command):
    _, name, *arguments = shlex.split(command)
    group = root()
    context = group.make_context("zoo", [name, *arguments], resilient_parsing=True)
    found = group.get_command(context, name)
    assert found is not None
    found.make_context(name, list(arguments), parent=context)


@pytest.mark.parametrize("target", re.findall(r"^\$ make ([\w-]+)", README, re.MULTILINE))
def test_every_make_target_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_link_and_picture_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in target or (ROOT / target).exists(), target


def test_the_network_of_ten_lines_trains_on_mnist(tmp_path, monkeypatch):
    (tmp_path / "my_net.py").write_text(block("python", "my_net.py"))
    info = tmp_path / "my_net-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-net\nVersion: 1.0\n")
    entry_point = re.search(r'\[project.entry-points."(.+)"\]\n(.+) = "(.+)"', block("toml", "my-net"))
    (info / "entry_points.txt").write_text("[{}]\n{} = {}\n".format(*entry_point.groups()))
    monkeypatch.syspath_prepend(tmp_path)
    request = Request("my-net", "mnist", settings=("steps=20",), output=tmp_path / "run", export=False)
    assert pipeline.train(request, Reporter(quiet=True)).metrics["accuracy"] > 0.5
    del sys.modules["my_net"]  # another test's is another


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("digit.png", np.zeros((28, 28), np.uint8))
    exec(compile(block("python", "zoo.train"), "README.md", "exec"), {})
    assert "digit.png" in capsys.readouterr().out


def test_the_table_of_results_is_what_the_receipts_give():
    own = [plugin for plugin in Registry.discover().plugins if plugin.distribution == "image-model-zoo"]
    assert table.with_table(README, own) == README


def test_every_promise_of_security_names_the_tests_that_hold_it():
    lines = (ROOT / "SECURITY.md").read_text(encoding="utf-8").splitlines()
    promises = [line.strip("|").split(" | ") for line in lines if line.startswith("| ")][1:]
    assert len(promises) > 10
    for promise, _, tests in promises:
        named = re.findall(r"`(test_\w+\.py)`", tests)
        assert named, promise
        assert set(named) - {path.name for path in (ROOT / "tests").rglob("test_*.py")} == set(), promise
