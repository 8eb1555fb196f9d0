"""The values of a recipe's keys: read from text, checked for type and for sense."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from zoo.errors import UsageError, nearest
from zoo.recipes.keys import KEYS, Recipe
from zoo.stored import LARGEST
from zoo.types import LARGEST_SEED

_HINTS = get_type_hints(Recipe)
_ELSEWHERE = {"seed": "The seed of a run is given as --seed N", "recipe": "A recipe is chosen by --recipe NAME"}


def parse_setting(setting: str) -> dict[str, Any]:
    """Parse "key=value" or "options.key=value"; the value is TOML, or else a plain string."""
    key, separator, text = setting.partition("=")
    key = key.strip()
    if not separator or not key:
        raise UsageError(f"--set takes key=value. Received: {setting!r}")
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()
    owner, dot, option = key.partition(".")
    return {owner: {option: value}} if dot else {key: value}


def checked(key: str, value: Any, origin: str) -> Any:
    """Return `value` as the type of `key`. Raises UsageError for an unknown key or a wrong type."""
    if key not in KEYS:
        hint = _ELSEWHERE.get(key) or nearest(key, KEYS) or f"Keys: {', '.join(KEYS)}"
        raise UsageError(f"{origin}: there is no recipe key {key!r}. {hint}".rstrip())
    kind = _HINTS[key]
    fits, wanted, convert = _rule(kind, value)
    if not fits:
        raise UsageError(f"{origin}: {key} must be {wanted}. Received: {value!r}")
    return convert(value)


def _rule(kind: Any, value: Any) -> tuple[bool, str, Callable[[Any], Any]]:
    """Whether `value` fits a recipe key of type `kind`, what such a key takes in words, and the conversion."""
    if get_origin(kind) in (Union, UnionType):
        rules = [_rule(arm, value) for arm in get_args(kind)]
        fitting = next((rule for rule in rules if rule[0]), rules[0])
        return fitting[0], " or ".join(rule[1] for rule in rules), fitting[2]
    if get_origin(kind) is Literal:
        names = ", ".join(name or '""' for name in get_args(kind))
        return value in get_args(kind), f"one of {names}", str
    if kind is bool:
        return isinstance(value, bool), "true or false", bool
    if kind is int:
        return _is_number(value, whole=True) and value >= 0, "a whole number, 0 or more", int
    if kind is float:
        return _is_number(value, whole=False) and value >= 0, "a number, 0 or more", float
    if kind is str:
        return isinstance(value, str), "a string", str
    if kind == dict[str, Any]:
        return isinstance(value, dict), "a table of options (--set options.key=value)", dict
    item = get_args(kind)[0]
    whole = item is int
    fits = isinstance(value, list | tuple) and all(_is_number(number, whole) and number > 0 for number in value)
    words = f"a list of {'whole numbers' if whole else 'numbers'}, each more than 0"
    return fits, words, lambda numbers: tuple(item(number) for number in numbers)


def _is_number(value: Any, whole: bool) -> bool:
    kinds = int if whole else (int, float)
    # a whole number may be too large for any float
    return isinstance(value, kinds) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def check_sense(recipe: Recipe, origins: Mapping[str, str]) -> None:
    """Raise UsageError for values that are each well-formed but make no sense, with where they came from."""
    for key in ("crop_area", "crop_ratio", "zoom", "erase_area"):
        pair = getattr(recipe, key)
        off = not pair and key in ("crop_area", "zoom")
        if not off and (len(pair) != 2 or pair[0] > pair[1]):
            raise UsageError(f"{origins[key]}: {key} must be [least, greatest]. Received: {list(pair)}")
    limits: dict[str, tuple[tuple[str, ...], Callable[[Any], bool]]] = {
        "more than 0": (("epochs", "batch_size", "learning_rate", "keep_best"), lambda value: value > 0),
        f"at most {LARGEST_SEED}": (("split_seed",), lambda value: value <= LARGEST_SEED),
        "less than 1": (("label_smoothing", "ema", "momentum", "beta_2"), lambda value: value < 1),
        "at most 1, a share": (
            ("warmup", "shift", "brightness", "contrast", "saturation", "erase", "layer_decay"),
            lambda value: value <= 1,
        ),
        "at most 60 degrees": (("shear",), lambda value: value <= 60),
        "at most 180 degrees": (("rotate", "hue"), lambda value: value <= 180),
        "between 0 and 1, shares of the area": (("crop_area", "erase_area"), lambda pair: max(pair, default=0) <= 1),
    }
    for words, (keys, holds) in limits.items():
        for key in keys:
            value = getattr(recipe, key)
            if not holds(value):
                shown = list(value) if isinstance(value, tuple) else value
                raise UsageError(f"{origins[key]}: {key} must be {words}. Received: {shown}")
