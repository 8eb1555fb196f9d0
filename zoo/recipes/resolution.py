"""From the name of a recipe to its values: which file counts for a pair, and what is laid over it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards import Card
from zoo.errors import UsageError, nearest
from zoo.recipes.files import at, line_numbers, read_toml, tables
from zoo.recipes.keys import FLAGS, KEYS, Recipe
from zoo.recipes.values import check_sense, checked, parse_setting

if TYPE_CHECKING:
    from zoo.registry import Plugin


@dataclass(frozen=True)
class ResolvedRecipe:
    """A recipe with where each value came from: "zoo_cnn/recipes/mnist.toml:12", "--set", "core"."""

    name: str
    recipe: Recipe
    origins: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The receipt's form: {key: {"value": ..., "origin": ...}}."""
        values = asdict(self.recipe)
        return {key: {"value": values[key], "origin": self.origins[key]} for key in KEYS}

    @classmethod
    def from_dict(cls, name: str, stored: Mapping[str, Any], file: str = "run.json") -> ResolvedRecipe:
        """Read back what `as_dict` wrote into `file`."""
        try:
            values = {key: checked(key, entry["value"], file) for key, entry in stored.items()}
            origins = {key: str(entry["origin"]) for key, entry in stored.items()}
        except (KeyError, TypeError) as error:
            raise UsageError(f"{file}: the recipe has an entry without a value or an origin: {error}") from error
        return cls(name, Recipe(**values), {**dict.fromkeys(KEYS, "core"), **origins})


def asked(origins: Mapping[str, str], keys: Sequence[str]) -> list[str]:
    """Those of `keys` that the user set: by --set, by an option of the key's own (--epochs), or in Python."""
    return [key for key in keys if origins[key] in ("--set", f"--{key}", "argument")]


def available(architecture: Plugin, dataset: Plugin) -> list[str]:
    """Names of the recipes that this pair has; "quick" always is one."""
    names = {"quick"}
    for path, owner in _candidates(architecture, dataset):
        names.update(tables(path).get(owner, {}))
    first = {"quick": 0, "best": 1, "book": 2}
    return sorted(names, key=lambda name: (first.get(name, len(first)), name))


def resolve(
    architecture: Plugin,
    dataset: Plugin,
    name: str = "quick",
    config: Path | None = None,
    settings: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> ResolvedRecipe:
    """Resolve a recipe for a pair: `overrides` (flags) over `settings` ("key=value") over the file `config`
    over the plugins' recipe over core's values.

    Raises UsageError for a recipe that the pair does not have and for unknown or ill-typed keys.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = dict.fromkeys(KEYS, "core")

    def layer(table: Mapping[str, Any], where: Callable[[str], str]) -> None:
        for key, value in table.items():
            origins[key] = where(key)
            taken = checked(key, value, origins[key])
            values[key] = values.get("options", {}) | taken if key == "options" else taken

    _layer_recipe(architecture, dataset, name, layer)
    shipped = dict(origins)
    if config is not None:
        table = read_toml(config)
        lines = line_numbers(config, ())
        layer(table, at(config.name, lines))
    for setting in settings:
        layer(parse_setting(setting), lambda _key: "--set")
    layer(overrides or {}, lambda key: f"--{key}" if key in FLAGS else "argument")
    if values.get("steps") and origins["steps"] == shipped["steps"] and origins["epochs"] != shipped["epochs"]:
        # who asks for epochs does not want the recipe's steps to decide
        values["steps"], origins["steps"] = 0, f"by epochs ({origins['epochs']})"
    _finish(values, origins, architecture, dataset)
    recipe = Recipe(**values)
    check_sense(recipe, origins)
    return ResolvedRecipe(name, recipe, origins)


def _layer_recipe(architecture: Plugin, dataset: Plugin, name: str, layer: Any) -> None:
    for path, owner in _candidates(architecture, dataset):
        table = tables(path).get(owner, {}).get(name)
        if table is not None:
            lines = line_numbers(path, (owner, name))
            layer(table, at("/".join(path.parts[-3:]), lines))
            return
    if name != "quick":
        known = available(architecture, dataset)
        raise UsageError(
            f"{architecture.name} on {dataset.name} has no recipe {name!r}. "
            f"{nearest(name, known)}It has: {', '.join(known)}"
        )


def _finish(values: dict[str, Any], origins: dict[str, str], architecture: Plugin, dataset: Plugin) -> None:
    """Where no recipe says the size of the input: the images' own, or the network's; never less than it takes.

    Options that the weights need are added; those that are the card's defaults change nothing and are left out.
    """
    card = architecture.facts
    given = values.get("options", {})
    needed = _options_for(values.get("weights", ""), card)
    if needed.keys() - given.keys():
        origins["options"] = f"card of {architecture.name}"
    values["options"] = {key: value for key, value in (needed | given).items() if not _is_default(card, key, value)}
    if values.get("image_size"):
        return
    owner = dataset if dataset.facts.size else architecture
    values["image_size"] = max(owner.facts.size or 32, architecture.facts.min_size)
    origins["image_size"] = f"card of {owner.name}" if owner.facts.size else "core"


def _options_for(weights: str, card: Card) -> dict[str, Any]:
    """The options that the card says these weights need."""
    return card.weights.get(weights, card.weights.get("path", {})) if weights else {}


def _is_default(card: Card, option: str, value: Any) -> bool:
    default = card.options.get(option)
    # to Python, True equals 1
    return option in card.options and isinstance(value, bool) == isinstance(default, bool) and bool(value == default)


def _candidates(architecture: Plugin, dataset: Plugin) -> list[tuple[Path, str]]:
    """The recipe files of a pair that exist, most specific first, with the table that counts in each."""
    order = (
        (architecture, dataset.name),
        (dataset, architecture.name),
        (architecture, "any"),
        (dataset, "any"),
    )
    found = [(plugin.folder / "recipes" / f"{side}.toml", plugin.name) for plugin, side in order if plugin.folder]
    return [(path, owner) for path, owner in found if path.is_file()]


def describe(resolved: ResolvedRecipe) -> str:
    """The recipe as text, a line per key: value and origin."""
    rows = [(key, json.dumps(entry["value"]), entry["origin"]) for key, entry in resolved.as_dict().items()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {origin}" for key, value, origin in rows)
