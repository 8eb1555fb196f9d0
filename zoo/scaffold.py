"""`zoo new`: a complete small project for an architecture or a data set, from the templates beside this module."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from zoo import __version__
from zoo.errors import UsageError, ZooError
from zoo.registry import TITLES, Registry

Kind = Literal["architecture", "dataset"]
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def create(kind: Kind, name: str, folder: Path) -> list[Path]:
    """Write the project into `folder`, which must be new or empty; return the files written.

    `name` is the public name, lower-case words joined by hyphens ("my-net"). Raises UsageError for another
    name or one that an installed plugin has, ZooError for a folder that holds something.
    """
    if not _NAME.fullmatch(name):
        suggestion = "-".join(re.findall(r"[a-z0-9]+", name.lower())).lstrip("0123456789-") or "my-net"
        raise UsageError(
            f"A name is lower-case words and numbers joined by hyphens. Received: {name!r}. Try: {suggestion}"
        )
    another = f"{name}-2" if name.startswith("my-") else f"my-{name}"
    for row in Registry.discover().of(kind):
        if row.name == name:
            clash = f"{TITLES[kind]} {name!r} comes with {row.origin}, and of two with one name none could be used"
            raise UsageError(f"The {clash}. Received: {name!r}. Try: {another}")
    package = name.replace("-", "_")
    words = keyword.iskeyword(package) or package in sys.stdlib_module_names
    if words or package == "tests" or find_spec(package):
        reason = "Python has the word" if words else "another package has the name"
        raise UsageError(f"A package can't be called {package!r}: {reason}. Try: {another}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ZooError(f"{folder} exists and is not an empty folder. Choose another: --output FOLDER")
    written = []
    for source, target in _plan(kind, package):
        text = files("zoo").joinpath("templates", source).read_text(encoding="utf-8")
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(text, name, package), encoding="utf-8")
        written.append(path)
    return written


def _plan(kind: Kind, package: str) -> list[tuple[str, str]]:
    """Which template becomes which file of the project."""
    plan = [
        (f"{kind}.py.txt", f"{package}/__init__.py"),
        (f"{kind}.toml.txt", f"{package}/zoo.toml"),
        (f"test_{kind}.py.txt", f"tests/test_{package}.py"),
        (f"{kind}.md.txt", "README.md"),
        (f"pyproject_{kind}.toml.txt", "pyproject.toml"),
        ("ci.yml.txt", ".github/workflows/tests.yml"),
        ("gitignore.txt", ".gitignore"),
    ]
    recipes = [("recipe.toml.txt", f"{package}/recipes/mnist.toml")] if kind == "architecture" else []
    return plan + recipes


def _filled(text: str, name: str, package: str) -> str:
    api = ".".join(__version__.split(".")[:2])
    words = {
        "NAME": name,
        "PACKAGE": package,
        "CLASS": "".join(part.capitalize() for part in name.split("-")),
        "ZOO": api,
    }
    return re.sub(r"@([A-Z]+)@", lambda found: words[found[1]], text)
