"""Separate distributions: the examples, what `zoo new` writes, and a first-party plugin copied out and renamed."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from zoo import scaffold
from zoo.cli import main
from zoo.errors import UsageError, ZooError
from zoo.registry import Registry
from zoo.testing import conformance
from zoo.testing.architecture import BUILDING

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PACKAGES = sorted(path.parent for kind in ("plugins", "datasets") for path in (ROOT / kind).glob("*/__init__.py"))
PUBLIC_MODULES = {
    *("defaults", "downloads", "errors", "figures", "files", "folders", "hookspecs"),
    *("options", "pretrained", "recipes", "testing", "types"),
}


def build_wheel(project: Path, folder: Path) -> Path:
    """Build the wheel of a copy of the project: a build leaves files behind."""
    copy = folder / "source"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    pip(["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "dist"), str(copy)])
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def pip(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, env=os.environ | {"PIP_NO_INDEX": "1"})


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Build a project's wheel and install it into a folder on the path; what is imported is forgotten."""
    before = set(sys.modules)
    target = tmp_path / "target"
    monkeypatch.syspath_prepend(str(target))

    def install(project: Path) -> Path:
        wheel = build_wheel(project, tmp_path / project.name)
        pip(["install", "--no-deps", "--target", str(target), str(wheel)])
        importlib.invalidate_caches()
        return target

    yield install
    for name in set(sys.modules) - before:
        if str(target) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run_tests(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(target)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


# the examples --------------------------------------------------------------------------------------------------------


def test_the_examples_are_listed_only_once_they_are_installed() -> None:
    names = {plugin.name for plugin in Registry.discover().plugins}
    assert not names & {"mobilenet", "fashion-mnist"}
    text = (ROOT / "pyproject.toml").read_text()
    assert "examples" not in text.split("[tool.setuptools.packages.find]")[1].split("[tool.")[0]


def write_fashion(folder: Path) -> Path:
    """Tiny IDX files of the layout of Fashion-MNIST's."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 20)):
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        sizes = [size.to_bytes(4, "big") for size in images.shape]
        (folder / f"{part}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + b"".join(sizes) + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + sizes[0] + labels.tobytes())
    return folder


def test_fashion_mnist_passes_the_suite_and_trains(installed, tmp_path) -> None:
    installed(EXAMPLES / "zoo_fashion_mnist")
    source = write_fashion(tmp_path / "files")
    row = Registry.discover().find("dataset", "fashion-mnist")
    found = list(conformance(row, source=source, complete=False).outcomes())
    assert [str(outcome) for outcome in found if outcome.state == "failed"] == []
    arguments = ["--source", str(source), "--set", "steps=2", "--no-export", "--output", str(tmp_path / "run")]
    assert main(["train", "fc-keras", "fashion-mnist", *arguments]) == 0


def test_several_names_share_the_module_that_wraps_keras_applications(installed) -> None:
    installed(EXAMPLES / "zoo_keras_applications")
    found = [row for row in Registry.discover().of("architecture") if row.distribution == "zoo-keras-applications"]
    assert len(found) == 5
    assert {row.value for row in found} == {"zoo_keras_applications"}
    checks = conformance(Registry.discover().find("architecture", "mobilenet"))
    for name in ("listed", "hooks", "recipes", "logits-not-probabilities", "size-smallest", "seed-same"):
        assert checks.outcome(name).state in ("ok", "skipped"), checks.outcome(name)


@pytest.mark.deep
@pytest.mark.parametrize("name", ["mobilenet", "mobilenet-v2", "densenet121", "efficientnet-b0", "xception"])
def test_each_of_them_keeps_the_contract(installed, name) -> None:
    installed(EXAMPLES / "zoo_keras_applications")
    checks = conformance(Registry.discover().find("architecture", name))
    found = [checks.outcome(check.name) for check in BUILDING]
    assert [str(outcome) for outcome in found if outcome.state == "failed"] == []


# zoo new -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["My-Net", "my_net", "2net", "", "net-", "import", "keras"])
def test_a_name_that_cant_be_published_is_refused(tmp_path, name) -> None:
    with pytest.raises(UsageError, match="Try: "):
        scaffold.create("architecture", name, tmp_path / "project")
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize(("kind", "name"), [("architecture", "cnn-5x5"), ("dataset", "mnist")])
def test_a_name_that_an_installed_plugin_has_is_refused(tmp_path, kind, name) -> None:
    with pytest.raises(UsageError, match=f"{name!r} comes with image-model-zoo .* Try: my-{name}"):
        scaffold.create(kind, name, tmp_path / "project")
    assert not (tmp_path / "project").exists()
    scaffold.create("dataset" if kind == "architecture" else "architecture", name, tmp_path / "project")


def test_a_plugin_of_the_name_is_told_before_its_package(tmp_path, site) -> None:
    site.package("my_net", init="")
    site.install("their-dist", {"my-net": "my_net"})
    with pytest.raises(UsageError, match=r"'my-net' comes with their-dist 1.0, .* Try: my-net-2"):
        scaffold.create("architecture", "my-net", tmp_path / "project")
    with pytest.raises(UsageError, match=r"'my_net': another package has the name. Try: my-net-2"):
        scaffold.create("dataset", "my-net", tmp_path / "project")
    with pytest.raises(UsageError, match=r"'import': Python has the word. Try: my-import"):
        scaffold.create("dataset", "import", tmp_path / "project")


def test_without_a_kind_the_kinds_are_shown_each_on_its_line(capsys) -> None:
    assert main(["new"]) == 2
    err = capsys.readouterr().err
    assert "  architecture,\n  dataset\n" in err
    assert "?" not in err


def test_a_new_architecture_takes_what_the_zoo_writes_into_packages_along(tmp_path) -> None:
    scaffold.create("architecture", "my-net", tmp_path)
    data = tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["my_net"]
    assert {"results/*.json", "ladders/*", "models/*/*/*", "models/*/*/run/*"} <= set(data)


def test_a_folder_that_holds_something_is_left_alone(tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ZooError, match="not an empty folder"):
        scaffold.create("architecture", "my-net", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("kind", ["architecture", "dataset"])
def test_a_new_project_is_complete_and_names_itself_everywhere(tmp_path, kind) -> None:
    written = {path.relative_to(tmp_path).as_posix() for path in scaffold.create(kind, "my-net", tmp_path)}
    assert written >= {"pyproject.toml", "README.md", "my_net/__init__.py", "my_net/zoo.toml", "tests/test_my_net.py"}
    assert ".github/workflows/tests.yml" in written
    for path in tmp_path.rglob("*.*"):
        if path.is_file():
            assert not re.search(r"@[A-Z]+@", path.read_text()), path


def test_a_new_architecture_trains_on_mnist_from_its_wheel(installed, tmp_path) -> None:
    scaffold.create("architecture", "new-net", tmp_path / "new-net")
    target = installed(tmp_path / "new-net")
    assert (target / "new_net" / "recipes" / "mnist.toml").exists()
    output = tmp_path / "run"
    assert main(["train", "new-net", "mnist", "--set", "steps=30", "--no-export", "--output", str(output)]) == 0
    assert "zoo-new" not in (output / "run.json").read_text()
    checks = conformance(Registry.discover().find("architecture", "new-net"))
    for name in ("card-name", "recipes", "card-parameters", "card-options"):
        assert checks.outcome(name).state in ("ok", "skipped"), checks.outcome(name)


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["architecture", "dataset"])
def test_the_tests_of_a_new_project_pass(installed, tmp_path, kind) -> None:
    scaffold.create(kind, "fresh-one", tmp_path / "fresh-one")
    target = installed(tmp_path / "fresh-one")
    done = run_tests(tmp_path / "fresh-one" / "tests", target)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


# first party gets no favours -----------------------------------------------------------------------------------------


@pytest.mark.deep
def test_zoo_cnn_copied_out_renamed_and_built_passes_its_tests(installed, tmp_path) -> None:
    project = tmp_path / "their-cnn"
    package = project / "their_cnn"
    shutil.copytree(ROOT / "plugins" / "zoo_cnn", package, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (package / "__init__.py", package / "zoo.toml", *package.glob("recipes/*.toml")):
        text = path.read_text().replace("cnn-5x5", "their-5x5").replace('"cnn"', '"their-cnn"')
        path.write_text(re.sub(r"\bcnn(?=[.\]])", "their-cnn", text))
    pyproject = (ROOT / "zoo" / "templates" / "pyproject_architecture.toml.txt").read_text()
    pyproject = pyproject.replace("@NAME@", "their-cnn").replace("@PACKAGE@", "their_cnn").replace("@ZOO@", "0.1")
    (project / "README.md").write_text("# their-cnn\n")
    (project / "pyproject.toml").write_text(
        pyproject.replace('= "their_cnn"\n', '= "their_cnn"\n"their-5x5" = "their_cnn"\n')
    )
    tests = project / "tests"
    tests.mkdir()
    (tests / "test_theirs.py").write_text(
        "from zoo.testing import ArchitectureSuite\n\n\n"
        "class TestCnn(ArchitectureSuite):\n    name = 'their-cnn'\n\n\n"
        "class Test5x5(ArchitectureSuite):\n    name = 'their-5x5'\n"
    )
    done = run_tests(tests, installed(project))
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_first_party_uses_the_public_api_and_no_other_plugin(package) -> None:
    others = {other.name for other in PACKAGES} - {package.name}
    for path in package.rglob("*.py"):
        for module, names in imports_of(path):
            top, *rest = module.split(".")
            assert top not in others, f"{path}: imports {module}"
            if top != "zoo":
                continue
            assert not rest or (rest[0] in PUBLIC_MODULES and len(rest) == 1), f"{path}: imports {module}"
            private = [name for name in names if name.startswith("_")]
            assert not private, f"{path}: imports {private} of {module}"
            if not rest:
                import zoo

                unknown = set(names) - set(zoo.__all__) - PUBLIC_MODULES
                assert not unknown, f"{path}: imports {unknown} of zoo"


def imports_of(path: Path) -> list[tuple[str, list[str]]]:
    """What a file imports: modules, with the names taken from them."""
    found: list[tuple[str, list[str]]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found.append((str(node.module), [alias.name for alias in node.names]))
    return found
