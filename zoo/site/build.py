"""The site as a whole: which plugins it shows, its menu, and every generated file by path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import zoo
from zoo.markup import figure
from zoo.network.diagram import svg
from zoo.network.graph import Graph
from zoo.registry import Plugin, Registry
from zoo.runs.directory import captions_of
from zoo.site import boards, concepts, measured, pages, receipts, reference
from zoo.site.assets import folder_of
from zoo.types import Figure

PACKAGE = Path(zoo.__file__).parent
_MEASURED = "<!-- measured: amount of data -->"
_SLOT = re.compile(r"^<!-- drawing: ([\w-]+) -->$", re.MULTILINE)


@dataclass(frozen=True)
class Site:
    """What there is to show: usable plugins and their results."""

    architectures: tuple[Plugin, ...]
    datasets: tuple[Plugin, ...]
    results: tuple[receipts.Result, ...]

    @classmethod
    def discover(cls, distribution: str | None = None) -> Site:
        """The installed plugins, or those of one distribution."""
        usable = [
            plugin
            for plugin in Registry.discover().plugins
            if plugin.status == "ok" and distribution in (None, plugin.distribution)
        ]
        architectures = tuple(plugin for plugin in usable if plugin.kind == "architecture")
        datasets = tuple(plugin for plugin in usable if plugin.kind == "dataset")
        return cls(architectures, datasets, tuple(receipts.read((*architectures, *datasets))))

    def navigation(self, config_file: str | None, docs: str) -> list[Any]:
        """The menu, as mkdocs.yml would have it."""
        folder = Path(docs) / "guide"
        guide = {f"guide/{path.relative_to(folder)}" for path in folder.rglob("*.md")} | set(guides(config_file))
        opening = ("five-minutes", "own-photographs", "own-recipe", "ship", "results")
        first = [f"guide/{name}.md" for name in opening]
        for_authors = sorted(
            (page for page in guide if page.startswith("guide/plugins")), key=lambda page: ("/index." not in page, page)
        )
        rest = sorted(guide - {*first, *for_authors})
        return [
            {"Home": "index.md"},
            {"Architectures": ["architectures/index.md", *_entries(self.architectures, "architectures")]},
            {"Data sets": ["datasets/index.md", *_entries(self.datasets, "datasets")]},
            {"Results": ["leaderboard.md", "chapter.md"]},
            {"Concepts": ["concepts/index.md", *(f"concepts/{name}.md" for name in concepts.PAGES)]},
            {"Guide": [*first, *rest, *([{"Write a plugin": for_authors}] if for_authors else [])]},
            {"Reference": ["reference/cli.md", "reference/recipe.md", "reference/api.md", "reference/hooks.md"]},
            {"Rights": "rights.md"},
        ]

    def contents(self) -> dict[str, str | bytes]:
        """Every generated file that is not copied, by its path in the site's sources."""
        made: dict[str, str | bytes] = {
            "index.md": boards.home(self.architectures, self.datasets, self.results),
            "leaderboard.md": boards.leaderboard(self.results),
            "chapter.md": boards.chapter_today(self.architectures, self.results),
            "architectures/index.md": pages.architectures(self.architectures, self.results),
            "datasets/index.md": pages.datasets(self.datasets),
            "reference/cli.md": reference.command_line(),
            "reference/recipe.md": reference.recipe_keys(),
            "reference/api.md": reference.api(),
            "reference/hooks.md": reference.hooks(),
            "images/results.svg": boards.results_drawing(self.results).content,
        }
        for plugin in self.architectures:
            made[f"architectures/{plugin.name}.md"] = pages.architecture(
                plugin, self.architectures, self.datasets, self.results
            )
            if graph := pages.graph_of(plugin):
                for view, content in drawn(graph).items():
                    made[f"architectures/{plugin.name}/{view}.svg"] = content
        for plugin in self.datasets:
            made[f"datasets/{plugin.name}.md"] = pages.dataset(plugin, self.architectures, self.results)
        made |= measured.pictures(self.architectures)
        for drawing in drawings().values():
            made[f"concepts/images/{drawing.name}.{drawing.format}"] = drawing.content
        return made

    def pictures(self) -> dict[str, Path]:
        """The committed pictures of the plugins, by their path in the site's sources."""
        found: dict[str, Path] = {}
        for plugin in (*self.architectures, *self.datasets):
            folder = folder_of(plugin)
            if folder is None:
                continue
            place = f"{plugin.kind}s/{plugin.name}"
            for name in captions_of(folder):
                found[f"{place}/{name}"] = folder / name
            for name in captions_of(folder / "figures"):
                found[f"{place}/figures/{name}"] = folder / "figures" / name
        return found


def _entries(plugins: tuple[Plugin, ...], folder: str) -> list[dict[str, str]]:
    return [{plugin.name: f"{folder}/{plugin.name}.md"} for plugin in plugins]


@cache
def drawn(graph: Graph) -> dict[str, bytes]:
    """The diagrams of a network, whole and folded."""
    return {"diagram": svg(graph), "diagram-folded": svg(graph, folded=True)}


@cache
def drawings() -> dict[str, Figure]:
    """The drawings of the concepts, by name; made once, however often a page is built again."""
    return {figure.name: figure for figure in concepts.draw()}


def guides(config_file: str | None) -> dict[str, Path]:
    """The guides that a checkout keeps in `docs/guide`, beside its mkdocs.yml."""
    folder = Path(config_file).parent / "docs" if config_file else None
    return {str(path.relative_to(folder)): path for path in sorted(folder.glob("guide/**/*.md"))} if folder else {}


def with_drawings(markdown: str) -> str:
    """A page with its drawings where it says `<!-- drawing: NAME -->`, and the measurement where it asks for that."""

    def drawing(slot: re.Match[str]) -> str:
        drawn = drawings()[slot[1]]
        return figure(f"images/{drawn.name}.{drawn.format}", drawn.caption, drawn.caption)

    markdown = _SLOT.sub(drawing, markdown)
    return markdown.replace(_MEASURED, measured.amount()) if _MEASURED in markdown else markdown


def footer() -> str:
    """The line at the foot of every page."""
    return f"zoo {zoo.__version__}, Apache-2.0. Results come from receipts, diagrams and costs from layer graphs."
