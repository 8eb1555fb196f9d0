"""The registry: which architectures, data sets and observers are installed, read from packaging metadata.

Nothing is imported to list: entry points name the plugins, `zoo.toml` cards describe them. A broken plugin
is a row with a status and a reason, never a failure of the listing.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from zoo.cards import API, CHANNELS, Card, CardFile, Kind, read_card_file
from zoo.errors import PluginError, UsageError, nearest

GROUPS: dict[str, Kind] = {
    "zoo.architectures": "architecture",
    "zoo.datasets": "dataset",
    "zoo.plugins": "plugin",
}
KINDS: tuple[Kind, ...] = get_args(Kind)
TITLES: dict[Kind, str] = {"architecture": "architecture", "dataset": "data set", "plugin": "plugin"}
Status = Literal["ok", "clash", "broken", "incompatible", "disabled"]


@dataclass(frozen=True)
class Plugin:
    """One row of the registry: an entry point, where it comes from, its card, and whether it can be used.

    `folder` is that of its top-level package (None for a single module); `reason` says why `status` is not
    "ok".
    """

    name: str
    kind: Kind
    value: str
    distribution: str
    version: str
    folder: Path | None = None
    card: Card | None = None
    status: Status = "ok"
    reason: str = ""

    @property
    def origin(self) -> str:
        """ "distribution version", as error messages name it."""
        return f"{self.distribution} {self.version}"

    @property
    def facts(self) -> Card:
        """The card, or the defaults if the plugin has none."""
        return self.card or Card(channels=CHANNELS[self.kind])

    @property
    def title(self) -> str:
        """ "architecture 'cnn' of image-model-zoo 0.1.0", as error messages name it."""
        return f"{TITLES[self.kind]} {self.name!r} of {self.origin}"

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON has it; `card` is null for a plugin without one."""
        return asdict(self) | {"folder": str(self.folder) if self.folder else None}

    def load(self) -> Any:
        """Import the plugin and return the module or object that carries its hooks.

        Raises PluginError, naming the distribution and how to be rid of it, if that fails.
        """
        try:
            return importlib.metadata.EntryPoint(self.name, self.value, "zoo").load()
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self.title} can't be imported ({self.value}): {type(error).__name__}: {error}\n{self.remedy}"
            ) from error

    @property
    def remedy(self) -> str:
        """The commands that disable or remove the plugin."""
        from zoo.removal import removal  # a listing does without

        remove = removal(self.distribution)
        return f"Disable it: ZOO_DISABLE={self.name}" + f"   Remove it: {remove}" * bool(remove)


class Registry:
    """The installed plugins, in order of kind and name; names that clash appear once per distribution."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        order = get_args(Kind)
        self.plugins = sorted(plugins, key=lambda p: (order.index(p.kind), p.name, p.distribution))

    @classmethod
    def discover(cls, path: list[str] | None = None) -> Registry:
        """Read the metadata of every installed distribution on `path` (default: `sys.path`)."""
        cards = _CardReader()
        rows = [cards.describe(plugin, beside) for plugin, beside in _entry_points(path)]
        return cls(_mark_clashes(_mark_disabled(rows)))

    def of(self, kind: Kind) -> list[Plugin]:
        """All rows of a kind."""
        return [plugin for plugin in self.plugins if plugin.kind == kind]

    def get(self, kind: Kind, name: str) -> Plugin:
        """Return the usable plugin of exactly this name.

        Raises UsageError for an unknown name (the nearest is suggested), PluginError for one that clashes,
        is broken, incompatible or disabled.
        """
        return _usable(self.find(kind, name))

    def find(self, kind: Kind, name: str) -> Plugin:
        """Return the plugin of exactly this name, usable or not; a usable one first.

        Raises UsageError for an unknown name (the nearest is suggested).
        """
        rows = [plugin for plugin in self.of(kind) if plugin.name == name]
        if not rows:
            raise UsageError(self._unknown(kind, name))
        return min(rows, key=lambda row: get_args(Status).index(row.status))

    def _unknown(self, kind: Kind, name: str) -> str:
        known = sorted({plugin.name for plugin in self.of(kind)})
        other: Kind = "dataset" if kind == "architecture" else "architecture"
        if name in {plugin.name for plugin in self.of(other)}:
            hint = f"{name!r} is {'a' if other == 'dataset' else 'an'} {TITLES[other]}: zoo train ARCH DATASET. "
        else:
            hint = nearest(name, known)
        return f"There is no {TITLES[kind]} {name!r}. {hint}Installed: {', '.join(known) or 'none'}"


def _usable(row: Plugin) -> Plugin:
    if row.status == "ok":
        return row
    remedy = f"\n{row.remedy}" if row.status in ("broken", "incompatible") else ""
    raise PluginError(f"{row.title} can't be used ({row.status}): {row.reason}{remedy}")


def _entry_points(path: list[str] | None) -> Iterator[tuple[Plugin, str]]:
    """Yield a bare row for each entry point in our groups, and the folder that its distribution's metadata are in.

    Of one distribution found twice, the first counts.
    """
    found = importlib.metadata.distributions
    seen: set[str] = set()
    for distribution in found() if path is None else found(path=path):
        try:
            text = distribution.read_text("entry_points.txt")
        except (OSError, ValueError):
            continue  # unreadable metadata of a stranger's package: it can't name a plugin
        # parsing the strangers' would take half of the time
        entry_points = list(_parse(text)) if text is not None and "zoo." in text else []
        if not entry_points:
            continue
        name, version = _name_and_version(distribution)
        if _canonical(name) in seen:
            continue
        seen.add(_canonical(name))
        folder = getattr(distribution, "_path", None)
        for group, public_name, value in entry_points:
            yield Plugin(public_name, GROUPS[group], value, name, version), str(folder.parent) if folder else ""


def _parse(text: str) -> Iterator[tuple[str, str, str]]:
    """The (group, name, value) of our groups in an entry_points.txt: importlib's reader takes four times as long."""
    group = ""
    for line in map(str.strip, text.splitlines()):
        name, equals, value = line.partition("=")
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif group in GROUPS and equals and not line.startswith("#"):
            yield group, name.strip(), value.strip()


def _name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    """Take both from the name of the dist-info folder: parsing METADATA is 40 times slower."""
    folder = getattr(distribution, "_path", None)
    if folder is not None and folder.name.endswith(".dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        if name and version:
            return name.replace("_", "-"), version
    return distribution.metadata["Name"] or "unknown", distribution.version


def _canonical(distribution: str) -> str:
    return distribution.lower().replace("_", "-").replace(".", "-")


class _CardReader:
    """Completes rows with their cards, reading each package's card file once."""

    def __init__(self) -> None:
        self._packages: dict[str, tuple[Path | None, CardFile | None, str]] = {}

    def describe(self, plugin: Plugin, beside: str = "") -> Plugin:
        value = plugin.value.partition("[")[0].strip()
        if not all(name.isidentifier() for part in value.split(":", 1) for name in part.split(".")):
            reason = f"its entry point must be module or module:object. Received: {plugin.value!r}"
            return replace(plugin, status="broken", reason=reason)
        package = value.partition(":")[0].partition(".")[0]
        if package not in self._packages:
            self._packages[package] = self._read(package, beside)
        folder, card_file, reason = self._packages[package]
        if reason:
            return replace(plugin, folder=folder, status="broken", reason=reason)
        if card_file is None:
            return replace(plugin, folder=folder)
        if card_file.api != API:
            reason = f"needs api {card_file.api}; this zoo has api {API}"
            return replace(plugin, folder=folder, status="incompatible", reason=reason)
        try:
            return replace(plugin, folder=folder, card=card_file.card(plugin.kind, plugin.name))
        except PluginError as error:
            return replace(plugin, folder=folder, status="broken", reason=str(error))

    @staticmethod
    def _read(package: str, beside: str) -> tuple[Path | None, CardFile | None, str]:
        # where pip puts it: looking there spares a search of every folder on the path
        if beside and os.path.isfile(f"{beside}/{package}/__init__.py"):  # noqa: PTH113 (faster)
            folder = Path(beside, package)
        else:
            try:
                # a top-level name is found without executing the package; a dotted one would import its parent
                spec = find_spec(package)
            except (ImportError, ValueError) as error:
                return None, None, f"its package {package!r} can't be found: {error}"
            if spec is None:
                # setuptools takes a folder beside a single module, `runs/` say, for the package that is meant
                cause = f'Was it installed? A single module is named in pyproject.toml: py-modules = ["{package}"]'
                return None, None, f"its package {package!r} is not importable. {cause}"
            if not spec.submodule_search_locations:
                return None, None, ""
            folder = Path(next(iter(spec.submodule_search_locations)))
        try:
            return folder, read_card_file(folder), ""
        except (PluginError, OSError) as error:
            return folder, None, str(error)


def _mark_disabled(rows: list[Plugin]) -> list[Plugin]:
    """Mark the rows that `$ZOO_DISABLE` names: by name, by distribution, or as distribution/name."""
    disabled = set(os.environ.get("ZOO_DISABLE", "").replace(",", " ").split())

    def mark(row: Plugin) -> Plugin:
        owner = _canonical(row.distribution)
        named = row.name in disabled or any(
            _canonical(text) in (owner, f"{owner}/{_canonical(row.name)}") for text in disabled
        )
        return replace(row, status="disabled", reason="ZOO_DISABLE names it") if named else row

    return [mark(row) for row in rows] if disabled else rows


def _mark_clashes(rows: list[Plugin]) -> list[Plugin]:
    """Mark every row whose kind and name another enabled distribution claims as well."""
    owners: dict[tuple[Kind, str], list[str]] = {}
    for row in rows:
        if row.status != "disabled":
            owners.setdefault((row.kind, row.name), []).append(row.distribution)
    return [_clash(row, sorted(owners.get((row.kind, row.name), []))) for row in rows]


def _clash(row: Plugin, owners: list[str]) -> Plugin:
    if row.status == "disabled" or len(owners) < 2:
        return row
    claims = [f"{owner}/{row.name}" for owner in owners]
    reason = f"these claim the name: {', '.join(claims)}. Disable all but one: ZOO_DISABLE={claims[-1]}"
    return replace(row, status="clash", reason=reason)
