"""Recipes: how a network is trained on a data set, as data, with the origin of each value.

A recipe is a table in a TOML file of a plugin: an architecture keeps `recipes/<data set>.toml` with tables
`[<architecture>.<recipe>]`, a data set keeps `recipes/<architecture>.toml` with `[<data set>.<recipe>]`;
`any.toml` serves every other side. The most specific is taken whole, over core's values.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from zoo.cards import Card
from zoo.errors import UsageError, nearest

if TYPE_CHECKING:
    from zoo.registry import Plugin
from zoo.stored import LARGEST

Resize = Literal["stretch", "crop"]
Interpolation = Literal["area", "linear"]
Split = Literal["published", "hash", "shuffle", "choice"]
Optimizer = Literal["adamw", "adam", "sgd", "gradient-descent"]
Schedule = Literal["constant", "cosine", "one-cycle"]
Precision = Literal["auto", "float32", "bfloat16"]
Keep = Literal["last", "best"]
Fill = Literal["zero", "reflect", "nearest"]
ClassWeights = Literal["", "balanced"] | tuple[float, ...]
FLAGS = ("epochs", "weights")  # keys that have an option of their own on the command line


def _key(default: Any, meaning: str) -> Any:
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata={"help": meaning})
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Recipe:
    """Every key of a recipe, with core's value. `zoo train --dry-run` prints the resolved ones."""

    # images
    image_size: int = _key(0, "height and width of the network's input in pixels; 0: the card's size")
    source_size: int = _key(0, "height and width of the cached training images; 0: image_size")
    train_sizes: tuple[int, ...] = _key((), "sizes to train at, growing by equal shares of the epochs")
    resize: Resize = _key("stretch", "stretch to the square, or crop its centre")
    interpolation: Interpolation = _key("area", "area (anti-aliased) or linear (OpenCV's default)")
    split: Split = _key("published", "published parts, by content hash, NumPy shuffle, or NumPy choice")
    split_seed: int = _key(0, "seed of the split, apart from the run's seed")
    validation: int = _key(0, "images split off the training part for validation")
    test: int = _key(0, "images split off for the test, where none is published")
    train: int = _key(0, "images to train on, a seeded subset with as many of each class; 0: all")
    train_seed: int = _key(0, "another choice of those images, from the same split")
    epoch_images: int = _key(0, "least images in an epoch: fewer come again, augmented anew; 0: each comes once")
    # network
    options: dict[str, Any] = _key({}, "the architecture's own options")
    weights: str = _key("", "weights to begin with: a name on the card (imagenet), or the path of a file")
    freeze: str = _key("", "layers that stay as they are: globs of names (stem*,*_bn), or backbone: all but the head")
    precision: Precision = _key("auto", "auto, float32 or bfloat16 (variables stay float32)")
    auto_precision: Literal["float32", "bfloat16"] = _key(
        "float32", "what auto means on a processor with bfloat16 (measured); float32 on others"
    )
    xla: bool = _key(False, "compile the step with XLA: for GPUs; measured slower on processors")
    # optimisation
    epochs: int = _key(5, "passes over the training part")
    steps: int = _key(0, "stop after this many steps; 0: by epochs")
    batch_size: int = _key(64, "images in a step")
    optimizer: Optimizer = _key("adamw", "adamw, adam, sgd or gradient-descent (fc-tf's own loop)")
    learning_rate: float = _key(1e-3, "the highest learning rate")
    momentum: float = _key(0.9, "momentum of sgd (Nesterov), beta_1 of adam and adamw")
    beta_2: float = _key(0.999, "beta_2 of adam and adamw")
    epsilon: float = _key(1e-7, "epsilon of adam and adamw")
    layer_decay: float = _key(0.0, "the rate's factor from each block to the one before it; 0: the same for all")
    schedule: Schedule = _key("one-cycle", "constant, cosine (after a warm-up) or one-cycle")
    warmup: float = _key(0.25, "share of the steps in which the learning rate rises")
    weight_decay: float = _key(0.0, "decoupled weight decay; norms and biases are spared")
    l2: float = _key(0.0, "loss term l2 * sum(w**2) / 2 over the weight matrices")
    label_smoothing: float = _key(0.0, "share of the target spread evenly over the classes")
    class_weights: ClassWeights = _key("", "weights of the classes in the loss: balanced, or one number a class")
    clip_norm: float = _key(0.0, "largest global norm of the gradient; 0: no clipping")
    ema: float = _key(0.0, "decay of the moving average of the weights; 0: none")
    early_stopping: int = _key(0, "epochs without a better validation accuracy before stopping; 0: never")
    keep: Keep = _key("last", "the weights kept at the end: the last epoch's or the best one's")
    keep_best: int = _key(1, "how many best epochs' weights to keep; from 2 on they stay in model/best-N.npz")
    # augmentation, all from (seed, epoch, example)
    flip: bool = _key(False, "mirror half of the training images left to right")
    flip_average: bool = _key(False, "average the probabilities of an image and its mirror image")
    crop_area: tuple[float, ...] = _key((), "[least, greatest] area share of a random-resized-crop")
    crop_ratio: tuple[float, ...] = _key((0.75, 1.3333333333), "[least, greatest] aspect ratio of that crop")
    pad_crop: int = _key(0, "pixels of padding before a random crop back to the size")
    shift: float = _key(0.0, "greatest shift, as a share of the size")
    rotate: float = _key(0.0, "greatest rotation in degrees")
    shear: float = _key(0.0, "greatest shear along each axis in degrees")
    zoom: tuple[float, ...] = _key((), "[least, greatest] scale")
    fill: Fill = _key("reflect", "what lies beyond the border: zero, reflect or nearest")
    brightness: float = _key(0.0, "greatest change of brightness, as a share (0.2: 0.8 to 1.2 times)")
    contrast: float = _key(0.0, "greatest change of contrast, as a share")
    saturation: float = _key(0.0, "greatest change of saturation, as a share; RGB only")
    hue: float = _key(0.0, "greatest turn of the hue in degrees; RGB only")
    erase: float = _key(0.0, "share of the images that get a box of one random colour (random erasing)")
    erase_area: tuple[float, ...] = _key((0.02, 0.2), "[least, greatest] area share of that box")
    mixup: float = _key(0.0, "alpha of mixup; 0: none. With cutmix as well, each takes half of the images")
    cutmix: float = _key(0.0, "alpha of cutmix; 0: none. Training accuracy then counts the larger share's class")

    @property
    def cached_size(self) -> int:
        """Height and width of the cached training images in pixels."""
        return self.source_size or self.image_size


# what only the engine does: an architecture's own zoo_train is told these keys and may pass them over
ENGINE_KEYS = (
    *("train_sizes", "xla", "schedule", "warmup", "weight_decay", "label_smoothing", "class_weights", "clip_norm"),
    *("ema", "early_stopping", "keep", "keep_best", "flip", "crop_area", "pad_crop", "shift", "rotate", "shear"),
    *("zoom", "brightness", "contrast", "saturation", "hue", "erase", "mixup", "cutmix"),
)
KEYS: dict[str, str] = {item.name: item.metadata["help"] for item in fields(Recipe)}
_HINTS = get_type_hints(Recipe)


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
            values = {key: _checked(key, entry["value"], file) for key, entry in stored.items()}
            origins = {key: str(entry["origin"]) for key, entry in stored.items()}
        except (KeyError, TypeError) as error:
            raise UsageError(f"{file}: the recipe has an entry without a value or an origin: {error}") from error
        return cls(name, Recipe(**values), {**dict.fromkeys(KEYS, "core"), **origins})


def complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values of a recipe with core's for the keys that they lack, of the types that JSON has: a key that comes
    later leaves what is older as it was."""
    whole: dict[str, Any] = json.loads(json.dumps(asdict(Recipe()) | dict(values)))
    return whole


def available(architecture: Plugin, dataset: Plugin) -> list[str]:
    """Names of the recipes that this pair has; "quick" always is one."""
    names = {"quick"}
    for path, owner in _candidates(architecture, dataset):
        names.update(_tables(path).get(owner, {}))
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
            origin = where(key)
            checked = _checked(key, value, origin)
            if key == "options":
                checked = {**values.get("options", {}), **checked}
            values[key] = checked
            origins[key] = origin

    _layer_recipe(architecture, dataset, name, layer)
    if config is not None:
        table = _read_toml(config)
        lines = _line_numbers(config, ())
        layer(table, _at(config.name, lines))
    for setting in settings:
        layer(parse_setting(setting), lambda _key: "--set")
    layer(overrides or {}, lambda key: f"--{key}" if key in FLAGS else "argument")
    _finish(values, origins, architecture, dataset)
    recipe = Recipe(**values)
    check_sense(recipe, origins)
    return ResolvedRecipe(name, recipe, origins)


def _layer_recipe(architecture: Plugin, dataset: Plugin, name: str, layer: Any) -> None:
    for path, owner in _candidates(architecture, dataset):
        table = _tables(path).get(owner, {}).get(name)
        if table is not None:
            lines = _line_numbers(path, (owner, name))
            layer(table, _at("/".join(path.parts[-3:]), lines))
            return
    if name != "quick":
        known = available(architecture, dataset)
        raise UsageError(
            f"{architecture.name} on {dataset.name} has no recipe {name!r}. "
            f"{nearest(name, known)}It has: {', '.join(known)}"
        )


def _at(file: str, lines: Mapping[str, int]) -> Callable[[str], str]:
    return lambda key: f"{file}:{lines.get(key, 1)}"


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


def check_file(path: Path, owners: Collection[str]) -> list[tuple[str, Recipe]]:
    """Every recipe of a plugin's file with the name that it belongs to, over core's values.

    Raises UsageError, with the line, for a name that is none of `owners`, an unknown key or a wrong value.
    """
    found = []
    for owner, recipes in _tables(path).items():
        if owner not in owners:
            known = ", ".join(sorted(owners))
            raise UsageError(f"{path.name}: [{owner}.*] belongs to no plugin. {nearest(owner, owners)}Known: {known}")
        for name, table in recipes.items():
            where = _at(path.name, _line_numbers(path, (owner, name)))
            values = {key: _checked(key, value, where(key)) for key, value in table.items()}
            recipe = Recipe(**values)
            check_sense(recipe, {key: where(key) for key in KEYS})
            found.append((owner, recipe))
    return found


def _tables(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    tables = _read_toml(path)
    for owner, recipes in tables.items():
        if not isinstance(recipes, dict) or not all(isinstance(table, dict) for table in recipes.values()):
            raise UsageError(f"{path}: [{owner}] must hold one table per recipe, as [{owner}.quick]")
    return tables


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The recipe file {path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The recipe file {path} is not valid TOML: {error}") from error


_HEADER = re.compile(r"^\s*\[(?P<name>[^\[\]]+)\]\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"^\s*(?P<key>[A-Za-z0-9_-]+)\s*(\.|=)")


def _line_numbers(path: Path, table: tuple[str, ...]) -> dict[str, int]:
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


def _checked(key: str, value: Any, origin: str) -> Any:
    """Return `value` as the type of `key`. Raises UsageError for an unknown key or a wrong type."""
    if key not in KEYS:
        hint = nearest(key, KEYS) or f"Keys: {', '.join(KEYS)}"
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
        if pair and (len(pair) != 2 or pair[0] > pair[1]):
            raise UsageError(f"{origins[key]}: {key} must be [least, greatest]. Received: {list(pair)}")
    limits: dict[str, tuple[tuple[str, ...], Callable[[Any], bool]]] = {
        "more than 0": (("epochs", "batch_size", "learning_rate", "keep_best"), lambda value: value > 0),
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


def describe(resolved: ResolvedRecipe) -> str:
    """The recipe as text, a line per key: value and origin."""
    rows = [(key, json.dumps(entry["value"]), entry["origin"]) for key, entry in resolved.as_dict().items()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {origin}" for key, value, origin in rows)
