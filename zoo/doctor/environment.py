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

from zoo.doctor.finding import Finding
from zoo.hardware import processor
from zoo.removal import OWN, removal

OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
_MODULES = {"opencv-python-headless": "cv2", "ai-edge-litert": "ai_edge_litert", "graphviz-pure": ""}
_SHOWN = ("tensorflow", "keras", "numpy", "opencv-python-headless", "ai-edge-litert")


def findings() -> Iterator[Finding]:
    """Everything about the environment."""
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
    for name, wanted in requirements():
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
    wanted = dict(requirements()).get(OPENCV[0], "")
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


def requirements() -> list[tuple[str, str]]:
    """The (distribution, versions as ">=2.21,<2.22") that the zoo needs in any case, from its own metadata."""
    found: list[tuple[str, str]] = []
    try:
        lines = importlib.metadata.requires(OWN) or []
    except importlib.metadata.PackageNotFoundError:
        return found
    for line in lines:
        requirement, _, marker = line.partition(";")
        match = re.match(r"([A-Za-z0-9._-]+)\s*(.*)", requirement.strip())
        if match and not marker.strip():
            found.append((match[1], match[2].replace(" ", "")))
    return found


def within(version: str, wanted: str) -> bool:
    """Whether a version is in a range as ">=3.11,<3.14". Only the numbers before a suffix as "rc1" are compared;
    a condition of another kind is passed over."""
    compared = {"<": -1, "<=": -1, ">": 1, ">=": 1, "==": 0}
    for condition in filter(None, wanted.replace(" ", "").split(",")):
        match = re.match(r"(<=|>=|==|<|>)([\d.]+)$", condition)
        if match is None:
            continue
        one, other = _numbers(version), _numbers(match[2])
        size = max(len(one), len(other))
        left, right = one + (0,) * (size - len(one)), other + (0,) * (size - len(other))
        order = (left > right) - (left < right)
        if order != compared[match[1]] and not (order == 0 and "=" in match[1]):
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


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
