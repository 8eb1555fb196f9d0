"""Recipe files: TOML tables with the line of each key, which TOML's reader does not keep."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, nearest
from zoo.recipes.keys import KEYS, Recipe
from zoo.recipes.values import check_sense, checked


def check_file(path: Path, owners: Collection[str]) -> list[tuple[str, Recipe]]:
    """Every recipe of a plugin's file with the name that it belongs to, over core's values.

    Raises UsageError, with the line, for a name that is none of `owners`, an unknown key or a wrong value.
    """
    found = []
    for owner, recipes in tables(path).items():
        if owner not in owners:
            known = ", ".join(sorted(owners))
            raise UsageError(f"{path.name}: [{owner}.*] belongs to no plugin. {nearest(owner, owners)}Known: {known}")
        for name, table in recipes.items():
            where = at(path.name, line_numbers(path, (owner, name)))
            values = {key: checked(key, value, where(key)) for key, value in table.items()}
            recipe = Recipe(**values)
            check_sense(recipe, {key: where(key) for key in KEYS})
            found.append((owner, recipe))
    return found


def tables(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The tables of a plugin's file: {name: {recipe: {key: value}}}."""
    content = read_toml(path)
    for owner, recipes in content.items():
        if not isinstance(recipes, dict) or not all(isinstance(table, dict) for table in recipes.values()):
            raise UsageError(f"{path}: [{owner}] must hold one table per recipe, as [{owner}.quick]")
    return content


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises UsageError if it can't be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The recipe file {path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The recipe file {path} is not valid TOML: {error}") from error


_HEADER = re.compile(r"^\s*\[(?P<name>[^\[\]]+)\]\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"^\s*(?P<key>[A-Za-z0-9_-]+)\s*(\.|=)")


def line_numbers(path: Path, table: tuple[str, ...]) -> dict[str, int]:
    """Line of each key of a table (tomllib keeps none); a sub-table counts for the key it hangs from."""
    lines: dict[str, int] = {}
    current: tuple[str, ...] = ()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if header := _HEADER.match(line):
            current = tuple(part.strip().strip("\"'") for part in header["name"].split("."))
            if len(current) > len(table) and current[: len(table)] == table:
                lines.setdefault(current[len(table)], number)
        elif current == table and (assignment := _ASSIGNMENT.match(line)):
            lines.setdefault(assignment["key"], number)
    return lines


def at(file: str, lines: Mapping[str, int]) -> Callable[[str], str]:
    """The origin of a key, as "zoo_cnn/recipes/mnist.toml:12"."""
    return lambda key: f"{file}:{lines.get(key, 1)}"
