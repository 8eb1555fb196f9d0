"""The guide for plugin authors: every snippet runs, every link leads somewhere, every hook is documented."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from zoo import reference
from zoo.cli import main
from zoo.hookspecs import ZooSpecs, hook_names

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide" / "plugins"
PAGES = sorted(GUIDE.glob("*.md"))
CHECKS_EVERYTHING = {
    "index.md",
    "testing.md",
    "publishing.md",
}  # more than one `zoo check`, or pip and pytest themselves


class Block(NamedTuple):
    """A fenced block: its language, its code, and the file that its first line names."""

    language: str
    code: str
    file: str


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    named = re.compile(r"# ([\w./-]+\.(?:py|toml))\n")
    return [Block(language, code, match[1] if (match := named.match(code)) else "") for language, code in found]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_project_names_what_setuptools_installs(page) -> None:
    """Left to guess, it takes a folder that a training or a data set made beside the module."""
    found = blocks(page)
    projects = [tomllib.loads(block.code) for block in found if block.file == "pyproject.toml"]
    files = [Path(block.file) for block in found if block.language == "python" and block.file]
    for project in projects:
        named = project["tool"]["setuptools"]
        assert named.get("py-modules", []) == [file.stem for file in files if len(file.parts) == 1]
        assert named.get("packages", []) == [file.parts[0] for file in files if file.name == "__init__.py"]


@pytest.fixture
def workshop(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty folder to follow the guide in; what is installed there is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUN_LOG", str(tmp_path / "log.txt"))
    monkeypatch.setenv("HOME", str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def pip_install(folder: Path, monkeypatch) -> None:
    """What `pip install -e` does: metadata with the entry points, and the folder on the path."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    name, version = project["name"], project["version"]
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join([*lines, ""]))
    monkeypatch.syspath_prepend(str(folder))


def follow(command: str, monkeypatch) -> None:
    """Do what a line of a console block says."""
    program, *arguments = shlex.split(command)
    if program == "cd":
        monkeypatch.chdir(arguments[0])
    elif program == "zoo":
        assert main(arguments) == 0, command
    elif (program, arguments[0]) == ("pip", "install"):
        pip_install(Path.cwd(), monkeypatch)
    else:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        options = ["--no-build-isolation"] if program == "pip" else ["-q", "-k", "imports or listed"]
        done = subprocess.run([sys.executable, "-m", program, *arguments, *options], env=environment, check=False)
        assert done.returncode == 0, command


def run_page(page: Path, monkeypatch) -> None:
    for block in blocks(page):
        if block.file:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.code)
        elif block.language == "python":
            exec(compile(block.code, page.name, "exec"), {"__name__": "__main__"})
        elif block.language == "console":
            for line in block.code.splitlines():
                assert line.startswith("$ "), line
                follow(line.removeprefix("$ "), monkeypatch)
        else:
            assert block.language == "text", block
        if block.file.endswith(".toml"):
            tomllib.loads(block.code)


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.deep] * (page.name in CHECKS_EVERYTHING)) for page in PAGES],
    ids=lambda page: page.name,
)
def test_the_snippets_of_a_page_run_in_order(page, workshop, monkeypatch) -> None:
    run_page(page, monkeypatch)
    if page.name == "observers.md":
        assert "is done" in (workshop / "log.txt").read_text()
    if page.name == "publishing.md":
        assert list(Path("dist").glob("published_net-*.whl"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


def test_every_page_is_in_the_index() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (GUIDE / "index.md").read_text()))
    assert linked == {page.name for page in PAGES} - {"index.md"}


class TestTheHookReference:
    def test_is_up_to_date(self) -> None:
        assert (GUIDE / "hooks.md").read_text() == reference.hooks_markdown()

    @pytest.mark.parametrize("name", hook_names())
    def test_documents_a_hook_and_each_of_its_arguments(self, name) -> None:
        (hook,) = [found for found in reference.hook_references() if found.name == name]
        arguments = [
            argument for argument in inspect.signature(getattr(ZooSpecs, name)).parameters if argument != "self"
        ]
        assert list(hook.arguments) == arguments
        assert all(len(meaning) > 10 for meaning in hook.arguments.values())
        assert hook.text
        assert hook.groups
