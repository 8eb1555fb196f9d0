"""Checks of any plugin: it is listed, its import is quiet, its hooks are spelt right, its recipes are valid."""

from __future__ import annotations

import difflib
import shutil
import tempfile
import weakref
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.cards import CARD_FILE, TABLES, Kind, read_card_file
from zoo.errors import ZooError, nearest
from zoo.hookspecs import HOOKS_OF, hook_names
from zoo.registry import TITLES, Plugin, Registry
from zoo.testing.checks import Fails, Skips, check, where
from zoo.testing.watch import Imported, fresh_import, global_state, restored


class Subject:
    """A plugin under test, and a temporary folder for what its checks write, removed with the subject."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.folder = Path(tempfile.mkdtemp(prefix="zoo-check-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def module(self) -> str:
        """The module that the entry point names."""
        return self.plugin.value.partition("[")[0].partition(":")[0].strip()

    @cached_property
    def imported(self) -> Imported:
        """What importing the plugin does."""
        return fresh_import(self.module)

    @cached_property
    def implementation(self) -> Any:
        """The module or object that carries the hooks; the settings that importing it made are undone."""
        with restored(global_state()):
            return self.plugin.load()


@check(
    "listed",
    "`zoo list` shows it as usable: its entry point, package and card can be read, and nobody else has the name",
    "do what the message says; `zoo plugins` shows it as well",
)
def listed(subject: Subject) -> None:
    plugin = subject.plugin
    if plugin.status != "ok":
        raise Fails(f"{plugin.title} is {plugin.status}: {plugin.reason}")


@check(
    "card-name",
    "the card's table has the public name, the entry point's",
    f"rename the table in {CARD_FILE}, or the entry point in pyproject.toml",
    needs=("listed",),
)
def card_name(subject: Subject) -> None:
    plugin = subject.plugin
    file = read_card_file(plugin.folder) if plugin.folder else None
    if file is None:
        raise Skips("it has no card, which is allowed: the listing shows dashes")
    if plugin.card is None:
        names = ", ".join(file.tables.get(TABLES[plugin.kind], {})) or "none"
        raise Fails(f"{CARD_FILE} has no [{TABLES[plugin.kind]}.{plugin.name}]. It has: {names}")
    if not plugin.card.summary:
        remedy = f'write summary = "..." below [{TABLES[plugin.kind]}.{plugin.name}] in {CARD_FILE}'
        raise Fails(f"{CARD_FILE} has no summary for {plugin.name}", remedy)


@check(
    "imports",
    "it can be imported",
    "mend the error; a package that it needs belongs into `dependencies` in pyproject.toml",
    needs=("listed",),
)
def imports(subject: Subject) -> None:
    try:
        subject.implementation  # noqa: B018 (imports it)
    except ZooError as error:
        raise Fails(f"{str(error).splitlines()[0]}{where(error)}") from error


@check("import-output", "importing it prints nothing", "remove the print or warning", needs=("imports",))
def import_output(subject: Subject) -> None:
    if subject.imported.output:
        raise Fails(f"importing {subject.module} prints: {subject.imported.output[:200]!r}")


@check(
    "import-network",
    "importing it does not reach for the network",
    "download only where the user asks for it: a data set's zoo_fetch, an architecture's `spec.weights`",
    needs=("imports",),
)
def import_network(subject: Subject) -> None:
    if subject.imported.network:
        raise Fails(f"importing {subject.module} uses the network: {subject.imported.network[0]}")


@check(
    "import-state",
    "importing it changes no global state",
    "remove the call, or move it into the hook that needs it; core sets seeds and dtype policies itself",
    needs=("imports",),
)
def import_state(subject: Subject) -> None:
    if subject.imported.state:
        raise Fails(f"importing {subject.module} changes {', '.join(subject.imported.state)}")


@check(
    "hooks",
    "it implements the hooks of its kind, each spelt right, with known arguments and marked with `@zoo.hookimpl`",
    "correct the name or the arguments (zoo/hookspecs.py has them), or add the decorator",
    needs=("imports",),
)
def hooks(subject: Subject) -> None:
    from zoo.session import implemented_hooks

    plugin, implementation = subject.plugin, subject.implementation
    for name in HOOKS_OF[plugin.kind]:
        function = getattr(implementation, name, None)
        if callable(function) and not hasattr(function, "zoo_impl"):  # the mark that `hookimpl` leaves
            raise Fails(
                f"{name} lacks @hookimpl: it is never called", "write @hookimpl above it: from zoo import hookimpl"
            )
    try:
        found = implemented_hooks(plugin, implementation)
    except ZooError as error:
        raise Fails(str(error).splitlines()[0]) from error
    for name in dir(implementation):
        near = difflib.get_close_matches(name, hook_names(), n=1, cutoff=0.85)
        if name in found or not near or not callable(getattr(implementation, name)):
            continue
        raise Fails(f"{name} is no hook. Did you mean {near[0]!r}?")


@check(
    "recipes",
    "every recipe belongs to a name of this plugin, has known keys and values that make sense",
    "correct the file at that line; `zoo train ARCH DATASET --dry-run` shows what a recipe gives",
    needs=("listed",),
)
def recipes(subject: Subject) -> None:
    from zoo.recipes import check_file

    plugin = subject.plugin
    files = sorted((plugin.folder / "recipes").glob("*.toml")) if plugin.folder else []
    if not files:
        raise Skips("it has no recipes, which is allowed: core's values apply")
    kind = plugin.kind
    names = {row.name for row in Registry.discover().of(kind) if row.folder == plugin.folder}
    from zoo.runs.pipeline import check_against_card

    size = max(plugin.facts.size or 32, plugin.facts.min_size)
    try:
        for file in files:
            for owner, recipe in check_file(file, names):
                if owner == plugin.name and kind == "architecture":
                    check_against_card(replace(recipe, image_size=recipe.image_size or size), plugin)
    except ZooError as error:
        raise Fails(str(error)) from error
    other: Kind = "dataset" if kind == "architecture" else "architecture"
    known = {row.name for row in Registry.discover().of(other)}
    for file in files:
        if file.stem not in {"any", *known}:
            where = f"recipes/{file.name} is for the {TITLES[other]} {file.stem!r}, which is not installed here"
            raise Skips(f"they are valid, and {where}. {nearest(file.stem, known)}".rstrip())


GENERAL = (listed, card_name, imports, import_output, import_network, import_state, hooks, recipes)
