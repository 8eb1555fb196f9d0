"""What `make` finds on a machine, and what the distribution's metadata promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
class TestFindingPython:
    """scripts/find-python, with made-up interpreters: each answers for its version and its modules."""

    @pytest.fixture
    def machine(self, tmp_path: Path):
        def interpreters(**answers: str) -> subprocess.CompletedProcess[str]:
            for name, answer in answers.items():
                program = tmp_path / name.replace("_", ".")
                program.write_text(f'#!/bin/sh\nname={program}\ncase "$2" in\n{answer}\nesac\n')
                program.chmod(0o755)
            environment = {key: value for key, value in os.environ.items() if key != "PYTHON"}
            return subprocess.run(
                ["/bin/sh", ROOT / "scripts" / "find-python"],
                env=environment | {"PATH": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
            )

        return interpreters

    @staticmethod
    def whole(version: str) -> str:
        return f"*version_info*) echo {version} ;;\n*executable*) echo $name ;;"

    @staticmethod
    def without_venv(version: str) -> str:
        return f"*version_info*) echo {version} ;;\n*) exit 1 ;;"

    def test_the_newest_that_works_is_taken(self, machine) -> None:
        found = machine(python3_13="*) exit 127 ;;", python3_12=self.whole("3.12"), python3=self.whole("3.11"))
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout.endswith("python3.12\n")

    def test_one_without_venv_is_passed_over_for_a_whole_one(self, machine) -> None:
        found = machine(python3_13=self.without_venv("3.13"), python3=self.whole("3.11"))
        assert found.stdout.endswith("python3\n")

    def test_a_missing_venv_is_named_with_its_package(self, machine) -> None:
        found = machine(python3=self.without_venv("3.11"))
        assert found.returncode == 1
        assert found.stderr.count("\n") == 1
        assert "venv module of Python 3.11, which is missing here" in found.stderr
        assert "apt install python3.11-venv" in found.stderr

    def test_without_any_it_says_in_one_line_what_it_found_and_needs(self, machine) -> None:
        found = machine(python3=self.whole("3.9"), python=self.whole("2.7"))
        assert found.returncode == 1
        assert found.stderr.count("\n") == 1
        assert "zoo needs Python 3.11, 3.12 or 3.13" in found.stderr
        assert "Found: python3 (3.9) python (2.7)." in found.stderr


def test_the_lock_pins_every_dependency_within_its_range() -> None:
    pinned: dict[str, str] = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            (pin,) = requirement.specifier
            assert pin.operator == "==", line
            pinned[canonicalize_name(requirement.name)] = pin.version
    wanted = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    for extra in ("test", "dev", "docs", "experiments"):
        wanted += [Requirement(text) for text in PROJECT["project"]["optional-dependencies"][extra]]
    outside = [str(want) for want in wanted if pinned[canonicalize_name(want.name)] not in want.specifier]
    assert outside == []


def test_every_plugin_folder_has_an_entry_point_and_each_entry_point_a_folder() -> None:
    groups = PROJECT["project"]["entry-points"]
    packages = {value for group in groups.values() for value in group.values()}
    folders = {path.parent.name for kind in ("plugins", "datasets") for path in (ROOT / kind).glob("*/__init__.py")}
    assert packages == folders


def test_the_supported_pythons_are_the_same_everywhere() -> None:
    script = (ROOT / "scripts" / "find-python").read_text()
    classifiers = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    assert classifiers == ["3.11", "3.12", "3.13"]
    assert all(version in script for version in classifiers)


def test_the_licence_of_the_embedded_digits_is_declared() -> None:
    assert "CC-BY-SA-3.0" in PROJECT["project"]["license"].split(" AND ")
    assert "by-sa/3.0" in (ROOT / "datasets" / "zoo_mnist" / "NOTICE").read_text()
    assert "zoo_mnist" in (ROOT / "NOTICE").read_text()


def test_the_licences_of_the_packaged_imagenet_network_are_declared() -> None:
    weights, names = ((ROOT / folder / "NOTICE").read_text() for folder in ("plugins/zoo_efficientnet", "zoo"))
    assert {"plugins/zoo_efficientnet/NOTICE", "zoo/NOTICE"} <= set(PROJECT["project"]["license-files"])
    assert "BSD-3-Clause" in PROJECT["project"]["license"].split(" AND ")
    assert "Apache License, Version 2.0" in weights
    assert "Redistribution and use in source and binary forms" in names
    assert all(name in (ROOT / "NOTICE").read_text() for name in ("zoo_efficientnet", "zoo/prediction/imagenet.txt"))


def test_nothing_shadows_the_package_datasets() -> None:
    assert not (ROOT / "datasets" / "__init__.py").exists()
    assert not (ROOT / "plugins" / "__init__.py").exists()
