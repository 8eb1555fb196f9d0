"""Ladders: what each technique of training adds, one after the other, measured on validation images alone.

An architecture keeps `ladders/<data set>.toml` beside its card, with a table of its name::

    [my-net]
    recipe = "quick"                     # what all rungs begin with
    seeds = [0, 1, 2]
    keys = { epochs = 5, validation = 5000, flip = false, ema = 0.0 }
    [[my-net.rungs]]
    label = "no augmentation"
    [[my-net.rungs]]
    label = "flip"
    keys = { flip = true }               # the one technique of this rung; it stays for those that follow

A rung may name another `architecture` of the package, which stays as well. The measured result is
`ladders/<architecture>-<data set>.json`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, ZooError
from zoo.files import atomic_write
from zoo.recipes import KEYS, ResolvedRecipe, parse_setting, resolve
from zoo.registry import Plugin, Registry
from zoo.results import repeated
from zoo.results.measurements import FOLDER

if TYPE_CHECKING:
    from zoo.progress import Reporter
    from zoo.runs.directory import Run
    from zoo.runs.request import Request


@dataclass(frozen=True)
class Rung:
    """A technique: `keys` are those of the recipe that it changes, `all_keys` with those of the rungs before it."""

    label: str
    architecture: str
    keys: Mapping[str, Any]
    all_keys: Mapping[str, Any]


@dataclass(frozen=True)
class Ladder:
    """Rungs in order over a recipe of a pair; `keys` are common to all of them."""

    architecture: str
    dataset: str
    recipe: str
    seeds: tuple[int, ...]
    keys: Mapping[str, Any]
    rungs: tuple[Rung, ...]

    @property
    def title(self) -> str:
        """ "vgg16-bn (width=0.25) on catsdogs": with the options that all rungs share."""
        options = ", ".join(f"{key}={value}" for key, value in sorted(self.keys.get("options", {}).items()))
        return f"{self.architecture}{f' ({options})' * bool(options)} on {self.dataset}"

    @property
    def command(self) -> str:
        """The command that measures it again."""
        return f"zoo results ladder {self.architecture} {self.dataset}"

    def request(self, rung: Rung, seed: int, source: Path | None = None) -> Request:
        """What is trained for a rung: without a look at the test part, and not exported."""
        from zoo.runs.request import Request

        return Request(
            architecture=rung.architecture,
            dataset=self.dataset,
            recipe=self.recipe,
            overrides=rung.all_keys,
            seed=seed,
            source=source,
            export=False,
            test=False,
        )

    def trained(self, number: int) -> int:
        """The rung whose training gives the figure of a rung: the next one, where that averages over flips and is
        the same otherwise, for it measures both."""
        if number + 1 == len(self.rungs):
            return number
        rung, follows = self.rungs[number], self.rungs[number + 1]
        averaged = {**rung.all_keys, "flip_average": True}
        same = (rung.architecture, averaged) == (follows.architecture, dict(follows.all_keys))
        return number + 1 if same and "flip_average" in follows.keys else number

    def resolved(self, rung: Rung, registry: Registry) -> ResolvedRecipe:
        """The whole recipe of a rung."""
        pair = registry.get("architecture", rung.architecture), registry.get("dataset", self.dataset)
        return resolve(*pair, self.recipe, overrides=rung.all_keys)

    def trial(self, settings: Sequence[str], seeds: Sequence[int]) -> Ladder:
        """The same ladder with other keys ("key=value") for all rungs, or other seeds."""
        changed: dict[str, Any] = {}
        for setting in settings:
            changed = _merged(changed, parse_setting(setting))
        rungs = tuple(replace(rung, all_keys=_merged(rung.all_keys, changed)) for rung in self.rungs)
        return replace(
            self, seeds=tuple(dict.fromkeys(seeds)) or self.seeds, keys=_merged(self.keys, changed), rungs=rungs
        )


def _merged(keys: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Keys with more keys over them; options join those that there are."""
    merged = {**keys, **more}
    if "options" in keys and "options" in more:
        merged["options"] = {**keys["options"], **more["options"]}
    return merged


# the file -------------------------------------------------------------------------------------------------------


def find(architecture: str, dataset: str, registry: Registry) -> tuple[Ladder, Plugin]:
    """The ladder of a pair and the plugin that keeps it. Raises UsageError if there is none, or for what is wrong."""
    plugin = registry.get("architecture", architecture)
    registry.get("dataset", dataset)
    path = plugin.folder / FOLDER / f"{dataset}.toml" if plugin.folder else None
    table = _read_toml(path).get(architecture) if path and path.is_file() else None
    if path is None or table is None:
        known = [f"{name} {path.stem}" for name, path in _all(registry)]
        raise UsageError(
            f"There is no ladder of {architecture} on {dataset}. There are: {', '.join(known) or 'none'}. A ladder of "
            f"your own: {FOLDER}/{dataset}.toml beside the card of {architecture}"
        )
    ladder = parse(architecture, dataset, table, path)
    check(ladder, registry, path.name)
    return ladder, plugin


def _all(registry: Registry) -> list[tuple[str, Path]]:
    """Architectures with the files of their ladders."""
    return [
        (plugin.name, path)
        for plugin in registry.of("architecture")
        if plugin.folder
        for path in sorted((plugin.folder / FOLDER).glob("*.toml"))
        if plugin.name in _read_toml(path)
    ]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"The ladder file {path} can't be read: {error}") from error


def parse(architecture: str, dataset: str, table: Any, path: Path) -> Ladder:
    """The ladder that a table of a file describes. Raises UsageError for what is missing or ill-typed."""

    def part(owner: Any, key: str, kind: type, default: Any = None) -> Any:
        value = owner.get(key, default) if isinstance(owner, dict) else None
        if not isinstance(value, kind):
            words = {"dict": "a table", "str": "a string", "list": "a list"}[kind.__name__]
            raise UsageError(f"{path.name}: {key} of the ladder of {architecture} must be {words}. Received: {value!r}")
        return value

    common, seeds = part(table, "keys", dict, {}), part(table, "seeds", list, [0, 1, 2])
    if not seeds or not all(isinstance(seed, int) and seed >= 0 for seed in seeds) or len(set(seeds)) < len(seeds):
        raise UsageError(f"{path.name}: seeds must be whole numbers, 0 or more, each once. Received: {seeds!r}")
    rungs: list[Rung] = []
    name, so_far = architecture, dict(common)
    for entry in part(table, "rungs", list):
        keys = part(entry, "keys", dict, {})
        name, so_far = part(entry, "architecture", str, name), _merged(so_far, keys)
        rungs.append(Rung(part(entry, "label", str), name, keys, so_far))
    if len(rungs) < 2:
        raise UsageError(f"{path.name}: a ladder has two rungs or more. Received: {len(rungs)}")
    return Ladder(architecture, dataset, part(table, "recipe", str, "quick"), tuple(seeds), common, tuple(rungs))


def check(ladder: Ladder, registry: Registry, where: str) -> None:
    """Raise UsageError, which begins with `where` the ladder is from, unless each rung changes what it says, and
    nothing else; each has validation images."""
    recipes = [ladder.resolved(rung, registry).recipe for rung in ladder.rungs]
    if not all(recipe.validation for recipe in recipes):
        raise UsageError(f"{where}: the keys of a ladder set validation: its figures are those of that part")
    for (before, after), (lower, upper) in zip(pairwise(recipes), pairwise(ladder.rungs), strict=True):
        changed = {key for key in KEYS if getattr(before, key) != getattr(after, key)}
        if not changed and upper.architecture == lower.architecture:
            raise UsageError(f"{where}: the rung {upper.label!r} changes nothing")
        if silent := sorted(changed - upper.keys.keys()):
            raise UsageError(
                f"{where}: from {lower.label!r} to {upper.label!r} also {', '.join(silent)} would change. "
                "Set them in keys, for all rungs"
            )


# the measurement ------------------------------------------------------------------------------------------------


def left(
    ladder: Ladder, registry: Registry, folder: Path, source: Path | None = None
) -> dict[tuple[int, int], tuple[Request, Path]]:
    """The trainings that `folder` has no finished run of, by (rung, seed), with their directories; each once."""
    found: dict[tuple[int, int], tuple[Request, Path]] = {}
    for number in dict.fromkeys(map(ladder.trained, range(len(ladder.rungs)))):
        rung = ladder.rungs[number]
        resolved = ladder.resolved(rung, registry)
        for seed in ladder.seeds:
            request = ladder.request(rung, seed, source)
            directory = repeated.place(folder, request, resolved)
            if not repeated.finished(directory):
                found[number, seed] = request, directory
    return found


def climb(
    ladder: Ladder,
    registry: Registry,
    folder: Path,
    reporter: Reporter,
    source: Path | None = None,
    verbose: bool = False,
) -> dict[str, Any]:
    """Train every rung for every seed, as far as `folder` has no finished run of it; return the result."""
    runs: dict[tuple[int, int], Run] = {}
    total = len(ladder.seeds) * len(ladder.rungs)
    with repeated.alone(folder):
        for seed in ladder.seeds:
            for number, rung in enumerate(ladder.rungs):
                trained = ladder.rungs[ladder.trained(number)]
                request = ladder.request(trained, seed, source)
                directory = repeated.place(folder, request, ladder.resolved(trained, registry))
                done = ", done already" if repeated.finished(directory) else ""
                reporter.note(f"== {len(runs) + 1} of {total}: {rung.label}, seed {seed}{done}")
                runs[number, seed] = repeated.once(request, directory, reporter, verbose)
    return result(ladder, runs)


STARTING = 8.0
"""Seconds of a run beside its training: reading images, building, compiling, figures (cnn on two busy cores)."""


def forecast(requests: Sequence[Request], verbose: bool = False) -> float:
    """Seconds that these runs take here: the rate of each network is measured once, at the size of its first."""
    from zoo.runs import planning
    from zoo.runs.pipeline import Prepared
    from zoo.training.feeder import Plan
    from zoo.training.forecast import extrapolate

    rates: dict[str, planning.Planned] = {}
    seconds = 0.0
    for request in requests:
        if request.architecture not in rates:
            rates[request.architecture] = planning.plan(request, quiet=True, verbose=verbose)
        planned = rates[request.architecture]
        recipe = Prepared(request).resolved.recipe
        plan = Plan(recipe, request.seed, planned.counts["training"], recipe.cached_size)
        known = planned.forecast
        evaluated = planned.counts["validation"]
        seconds += extrapolate(plan, known.images_per_second, known.size, evaluated).seconds + STARTING
    return seconds


def result(ladder: Ladder, runs: Mapping[tuple[int, int], Run]) -> dict[str, Any]:
    """The result of runs by (rung, seed), as it is kept. Raises ZooError if they are not of the same images."""
    receipts = [run.receipt for run in runs.values()]
    splits = {receipt["dataset"]["fingerprint"] for receipt in receipts}
    if len(splits) > 1:
        raise ZooError(f"The runs of {ladder.title} are not of the same images. Remove the folder of the older ones")
    hardware = {json.dumps(receipt["hardware"], sort_keys=True): receipt["hardware"] for receipt in receipts}
    rungs = []
    for number, rung in enumerate(ladder.rungs):
        entries = []
        for seed in ladder.seeds:
            receipt, metrics = runs[number, seed].receipt, runs[number, seed].metrics or {}
            entry = {key: metrics[key] for key in ("part", "count", "correct")}
            if ladder.trained(number) != number:
                entry["correct"] = round(metrics["without_flip_average"]["accuracy"] * metrics["count"])
            entries.append({"seed": seed, **entry, "seconds": receipt["seconds"], "command": receipt["command"]})
        parts = {entry.pop("part") for entry in entries}
        if parts != {"validation"}:
            raise ZooError(f"A ladder reports validation images alone. Received: {', '.join(sorted(parts))}")
        rungs.append(
            {"label": rung.label, "architecture": rung.architecture, "keys": dict(rung.keys), "seeds": entries}
        )
    return {
        "format": 1,
        "architecture": ladder.architecture,
        "dataset": ladder.dataset,
        "title": ladder.title,
        "command": ladder.command,
        "part": "validation",
        "fingerprint": splits.pop(),
        "recipe": ladder.recipe,
        "keys": dict(ladder.keys),
        "training_images": receipts[0]["dataset"]["counts"]["training"],
        "precision": receipts[0]["precision"],
        "rungs": rungs,
        "versions": receipts[-1]["versions"],
        "hardware": list(hardware.values()),
    }


def path_of(plugin: Plugin, ladder: Ladder) -> Path:
    """Where the measured ladder of a plugin is kept. Raises UsageError for a plugin of a single module."""
    if plugin.folder is None:
        raise UsageError(f"{plugin.title} is a single module: there is no folder to keep a ladder in")
    return plugin.folder / FOLDER / f"{ladder.architecture}-{ladder.dataset}.json"


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a result."""
    atomic_write(path, json.dumps(content, indent=1) + "\n")
