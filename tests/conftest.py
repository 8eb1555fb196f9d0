"""Shared by all tests: an environment of their own, and distributions made up on disk."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from zoo.registry import Registry


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded images of the tests are kept apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person who runs the tests has set must not change their outcome."""
    for name in ("ZOO_DISABLE", "ZOO_RUNS", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """An empty folder of a user without privileges; the test runs as that user, so that permissions mean something.

    Root may read and write everything. Where tests run as root, this process is user "nobody" meanwhile.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not hasattr(os, "geteuid") or os.geteuid() != 0:
            yield folder
            return
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(0)


@pytest.fixture(scope="session")
def linear_network() -> str:
    """The module of a plugin whose network is one layer on pixels in 0..1."""
    return """
import keras
from zoo import hookimpl

@hookimpl
def zoo_build(spec):
    return keras.Sequential([
        keras.Input((spec.height, spec.width, spec.channels)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(spec.classes),
    ])
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB of its own, for tests that fill it."""
    place = tmp_path / "small disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"A FULL DISK IS NOT TESTED: a small one can't be mounted here ({mounted.stderr.strip()})")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud how many tests were left out for want of the real photographs."""
    skipped = terminalreporter.stats.get("skipped", [])
    wanting = [report for report in skipped if "CATS AND DOGS" in str(report.longrepr)]
    if wanting:
        terminalreporter.write_line(
            f"LEFT OUT for want of cats and dogs: {len(wanting)} (set ZOO_DATA to a folder with catsdogs/train.zip)"
        )


class Site:
    """A folder of installed distributions and packages, as pip leaves them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packages: set[str] = set()

    def install(
        self,
        distribution: str,
        entry_points: Mapping[str, str],
        version: str = "1.0",
        group: str = "zoo.architectures",
    ) -> None:
        """Write the metadata of a distribution whose entry points are of one group."""
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))

    def package(self, name: str, **files: str) -> Path:
        """Write a package: `init` is its code, `card` its zoo.toml, other keywords are recipes by file name."""
        folder = self.folder / name
        (folder / "recipes").mkdir(parents=True)
        (folder / "__init__.py").write_text(files.pop("init", ""))
        if "card" in files:
            (folder / "zoo.toml").write_text(files.pop("card"))
        for recipe, text in files.items():
            (folder / "recipes" / f"{recipe}.toml").write_text(text)
        self.packages.add(name)
        self.forget()  # another test's package of this name
        return folder

    def forget(self) -> None:
        """Let the packages be imported anew."""
        for module in [name for name in sys.modules if name.partition(".")[0] in self.packages]:
            del sys.modules[module]

    def registry(self) -> Registry:
        """What is installed here, and nothing else."""
        importlib.invalidate_caches()
        return Registry.discover([str(self.folder)])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site folder at the front of `sys.path`; what is imported from it is forgotten afterwards."""
    made = Site(tmp_path / "site")
    made.folder.mkdir()
    monkeypatch.syspath_prepend(str(made.folder))
    yield made
    made.forget()
