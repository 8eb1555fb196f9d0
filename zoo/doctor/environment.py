"""The environment: the interpreter, the packages that the zoo needs, OpenCV's wheels, the processor.

All of it is read from metadata: nothing is imported that is slow to import.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shlex
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from zoo.doctor.finding import Finding
from zoo.hardware import processor
from zoo.removal import OWN, removal

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
_MODULES = {"opencv-python-headless": "cv2", "ai-edge-litert": "ai_edge_litert", "graphviz-pure": ""}
_SHOWN = ("tensorflow", "keras", "numpy", "opencv-python-headless", "ai-edge-litert")


def findings() -> Iterator[Finding]:
    """Everything about the environment."""
    if find_spec("packaging") is None:
        what = "packaging is not installed; the versions of the others can't be compared"
        yield Finding("environment", "wrong", what, f"{_install()} packaging")
        return
    yield from interpreter()
    yield from packages()
    yield from opencv()
    yield from cpu()


def interpreter() -> Iterator[Finding]:
    """Whether the zoo's metadata allow this Python."""
    import zoo

    version, wanted = platform.python_version(), _requires_python()
    if within(version, wanted):
        yield Finding("environment", "ok", f"zoo {zoo.__version__} on Python {version} ({sys.executable})")
    else:
        newest = _newest(wanted)
        yield Finding(
            "environment",
            "wrong",
            f"Python {version} is not one that the zoo is for ({wanted})",
            f"python{newest} -m venv .venv && .venv/bin/python -m pip install {OWN}",
        )


def packages() -> Iterator[Finding]:
    """Whether each package that the zoo needs is there, in a version that it is for."""
    bad, shown, count = [], [], 0
    if installed(OWN) is None:
        what = f"{OWN} is not installed, only its code is here: no plugin can be found"
        yield Finding("environment", "wrong", what, f"{_install()} .")
    for requirement in requirements():
        name, wanted = requirement.name, str(requirement.specifier)
        count += 1
        version = installed(name)
        module = _MODULES.get(name, name.replace("-", "_"))
        install = f"{_install()} {shlex.quote(name + wanted)}"
        if version is None:
            bad.append(Finding("environment", "wrong", f"{name} is not installed; the zoo needs {wanted}", install))
        elif not within(version, wanted):
            what = f"{name} {version} is not one that the zoo is for ({wanted})"
            bad.append(Finding("environment", "wrong", what, install))
        elif module and find_spec(module) is None:
            what = f"{name} {version} is installed in name only: its module {module} is not there"
            bad.append(Finding("environment", "wrong", what, f"{install} --force-reinstall --no-deps"))
        elif name in _SHOWN:
            shown.append(f"{name} {version}")
    yield from bad
    if shown:
        yield Finding("environment", "ok", f"{', '.join(shown)}; {count - len(bad)} of {count} packages as needed")


def opencv() -> Iterator[Finding]:
    """Whether two wheels of OpenCV write into one another's folder."""
    others = [name for name in OPENCV[1:] if installed(name)]
    if not others:
        return
    there = [name for name in OPENCV if installed(name)]
    wanted = next((str(each.specifier) for each in requirements() if each.name == OPENCV[0]), "")
    remove = [removal(name) for name in others]
    again = f"{_install()} --force-reinstall --no-deps {shlex.quote(OPENCV[0] + wanted)}"
    yield Finding(
        "environment",
        "wrong",
        f"{' and '.join(there)} share the folder cv2: which of them runs is chance. Keep {OPENCV[0]} alone",
        " && ".join([*remove, again]),
    )


def cpu() -> Iterator[Finding]:
    """What the processor lacks of what makes training fast; no fault."""
    name, features = processor()
    if "amx_bf16" in features:
        yield Finding("environment", "ok", f"{name}: bfloat16 in matrices (AMX)")
    elif {"avx512_bf16", "bf16"} & set(features):
        yield Finding("environment", "ok", f"{name}: bfloat16 in vectors, no AMX")
    else:
        yield Finding("environment", "note", f"{name}: no bfloat16. Networks train in float32, more slowly; no fault")


# metadata ------------------------------------------------------------------------------------------------------------


def installed(distribution: str) -> str | None:
    """The version of an installed distribution, None if there is none."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def requirements() -> list[Requirement]:
    """The distributions that the zoo needs here in any case, with their versions, from its own metadata."""
    from packaging.requirements import Requirement

    try:
        needed = map(Requirement, importlib.metadata.requires(OWN) or [])
        return [each for each in needed if each.marker is None or each.marker.evaluate()]
    except importlib.metadata.PackageNotFoundError:
        return []


def within(version: str, wanted: str) -> bool:
    """Whether a version, that of a prerelease as well, is in a range as ">=3.11,<3.14"."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(wanted).contains(version, prereleases=True)
    except InvalidVersion:
        return False


def _requires_python() -> str:
    try:
        return str(importlib.metadata.metadata(OWN).json.get("requires_python", ""))
    except importlib.metadata.PackageNotFoundError:
        return ""


def _newest(wanted: str) -> str:
    """The newest Python of a range: "3.13" for <3.14."""
    match = re.search(r"<3\.(\d+)", wanted)
    return f"3.{int(match[1]) - 1}" if match else "3"


def _install() -> str:
    """The command that installs packages here: pip's, or uv's where it made the environment."""
    python = shlex.quote(sys.executable)
    return f"uv pip install --python {python}" if removal("any").startswith("uv pip") else f"{python} -m pip install"
