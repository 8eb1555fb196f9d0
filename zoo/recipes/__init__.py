"""Recipes: how a network is trained on a data set, as data, with the origin of each value.

A recipe is a table in a TOML file of a plugin: an architecture keeps `recipes/<data set>.toml` with tables
`[<architecture>.<recipe>]`, a data set keeps `recipes/<architecture>.toml` with `[<data set>.<recipe>]`;
`any.toml` serves every other side. The most specific is taken whole, over core's values.
"""

from zoo.recipes.files import check_file
from zoo.recipes.keys import ENGINE_KEYS, FLAGS, KEYS, Recipe, Split, complete
from zoo.recipes.resolution import ResolvedRecipe, asked, available, describe, resolve
from zoo.recipes.values import parse_setting

__all__ = [
    "ENGINE_KEYS",
    "FLAGS",
    "KEYS",
    "Recipe",
    "ResolvedRecipe",
    "Split",
    "asked",
    "available",
    "check_file",
    "complete",
    "describe",
    "parse_setting",
    "resolve",
]
