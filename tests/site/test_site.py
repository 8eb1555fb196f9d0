"""The site: built strictly and without TensorFlow, complete over what is installed, current in what is committed."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest
import yaml

from zoo import hookspecs
from zoo.cli import COMMANDS, main
from zoo.errors import UsageError
from zoo.figures.catalogue import entry_of
from zoo.network.graph import Graph
from zoo.recipes import KEYS, resolve
from zoo.registry import Plugin, Registry
from zoo.results import published
from zoo.runs.directory import Run, captions_of
from zoo.site import assets, boards, concepts, pages, receipts, reference

ROOT = Path(__file__).resolve().parents[2]
OURS = [plugin for plugin in Registry.discover().plugins if plugin.distribution == "image-model-zoo"]
ARCHITECTURES = [plugin for plugin in OURS if plugin.kind == "architecture"]
DATASETS = [plugin for plugin in OURS if plugin.kind == "dataset"]
SLOW = 5_000_000  # parameters; a larger network is built among the deep tests
LARGEST = 8_000_000  # bytes of all that is committed for the site

# a machine without the frameworks: whatever imports them fails
WITHOUT_FRAMEWORKS = (
    "import sys; sys.modules.update(tensorflow=None, keras=None); from mkdocs.__main__ import cli; cli(sys.argv[1:])"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of this checkout, built by plain MkDocs."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-c", WITHOUT_FRAMEWORKS, "build", "--strict", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return folder


class Links(HTMLParser):
    """The addresses and the anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if value and key in ("href", "src", "data-folded", "data-whole"):
                self.addresses.append(value)
            if value and key in ("id", "name"):
                self.anchors.add(value)


def test_every_plugin_and_concept_has_a_page(site: Path) -> None:
    wanted = [f"{plugin.kind}s/{plugin.name}.html" for plugin in (*ARCHITECTURES, *DATASETS)]
    wanted += [f"concepts/{name}.html" for name in concepts.PAGES]
    assert [page for page in wanted if not (site / page).is_file()] == []


def test_no_link_picture_or_anchor_leads_nowhere(site: Path) -> None:
    parsed = {path: Links(path) for path in site.rglob("*.html") if path.name != "404.html"}
    broken = []
    for page, links in parsed.items():
        for address in links.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            missing = not target.is_file() or (
                parts.fragment and target in parsed and unquote(parts.fragment) not in parsed[target].anchors
            )
            if missing and parts.fragment != "__skip":
                broken.append(f"{page.relative_to(site)} -> {address}")
    assert broken == []


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    loads = re.compile(
        r'(?:<(?:script|img|iframe|source)[^>]*\ssrc|<link[^>]*rel="(?!canonical)[^>]*href)="(?:https?:)?//'
    )
    assert [path.name for path in site.rglob("*.html") if loads.search(path.read_text(encoding="utf-8"))] == []


def test_the_pages_say_every_published_figure(site: Path) -> None:
    board = (site / "leaderboard.html").read_text(encoding="utf-8")
    results = receipts.read([*ARCHITECTURES, *DATASETS])
    assert results
    for result in results:
        assert pages.with_spread(result) in board
        assert result.facts.command in board
    chapter = (site / "chapter.html").read_text(encoding="utf-8")
    assert all(figure in chapter for figure in ("92.00 %", "98.26 %", "99.06 %", "98.90 %", "78.38 %"))


def test_the_site_of_every_installed_plugin_shows_a_strangers(tmp_path: Path) -> None:
    package = tmp_path / "stranger"
    (package / "site" / "odd-net").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('the site imports no plugin')")
    (package / "zoo.toml").write_text('[architectures.odd-net]\nsummary = "An odd network"\n')
    (package / "site" / "odd-net" / "about.md").write_text("## The idea\n\nTold by [nobody](nobody.md).")
    info = tmp_path / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[zoo.architectures]\nodd-net = stranger\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "zoo", "docs", "build", "--output", str(tmp_path / "site")]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    page = (tmp_path / "site" / "architectures" / "odd-net.html").read_text(encoding="utf-8")
    assert "An odd network" in page
    assert "Told by nobody." in page


# what is committed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plugin", [*ARCHITECTURES, *DATASETS], ids=lambda plugin: plugin.name)
def test_every_plugin_tells_its_story(plugin: Plugin) -> None:
    text = pages.text_of(plugin)
    assert len(text) > 300
    assert plugin.kind == "dataset" or re.findall(r"^## (.*)", text, re.MULTILINE) == ["The idea", "How it came about"]


@pytest.mark.parametrize(
    "plugin",
    [
        pytest.param(plugin, id=plugin.name, marks=[pytest.mark.deep] * ((plugin.facts.parameters or 0) > SLOW))
        for plugin in ARCHITECTURES
    ],
)
def test_the_committed_graph_is_that_of_the_network(plugin: Plugin) -> None:
    assert pages.text_of(plugin, "graph.json") == assets.graph_of(plugin).to_json().strip(), "renew: make docs-assets"


@pytest.mark.parametrize("plugin", ARCHITECTURES, ids=lambda plugin: plugin.name)
def test_the_committed_graph_has_the_parameters_of_the_card(plugin: Plugin) -> None:
    graph = pages.graph_of(plugin)
    assert graph is not None
    assert graph.parameters == plugin.facts.parameters


def test_the_samples_and_facts_of_mnist_are_current() -> None:
    plugin = next(plugin for plugin in DATASETS if plugin.name == "mnist")
    folder = assets.folder_of(plugin)
    assert folder is not None
    for name, content in assets.dataset_files(plugin).items():
        assert (folder / name).read_bytes() == content, "renew: make docs-assets"


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("plugins/*/site/*/figures/run.json")), ids=lambda path: path.parts[-3]
)
def test_published_pictures_are_of_todays_recipe_and_images_that_may_be_shown(path: Path) -> None:
    from zoo.recipes import resolve

    stored = json.loads(path.read_text())
    registry = Registry.discover()
    dataset = registry.get("dataset", stored["dataset"]["name"])
    free = dataset.facts.licence.startswith(assets.FREE)
    assert stored["images_shown"] == free
    if free:
        assert stored["dataset"]["fingerprint"] == json.loads(pages.text_of(dataset, "facts.json"))["fingerprint"]
    else:
        captions = captions_of(path.parent)
        kinds = {entry.name: entry.needs for name in captions if (entry := entry_of(Path(name).stem))}
        assert {"curves", "filters", "features"} <= set(kinds)
        assert "images" not in kinds.values()
        assert all("chelsea.jpg" in text for name, text in captions.items() if name.startswith("features"))
    assert not stored["rehearsal"]
    recipe = resolve(registry.get("architecture", path.parts[-3]), dataset, stored["recipe"]["name"])
    values = json.loads(json.dumps(recipe.as_dict()))
    changed = [
        key
        for key, entry in stored["recipe"]["values"].items()
        if key in values and not entry["origin"].startswith("--") and entry["value"] != values[key]["value"]
    ]
    assert changed == [], "draw them again: zoo train ..., then zoo docs figures RUN"


def test_what_is_committed_is_small_and_no_picture_is_made_from_cats_and_dogs() -> None:
    committed = [
        path for kind in ("plugins", "datasets") for path in ROOT.glob(f"{kind}/*/site/**/*") if path.is_file()
    ]
    assert sum(path.stat().st_size for path in committed) < LARGEST
    assert [path for path in committed if "catsdogs" in path.parts and path.suffix in (".png", ".svg", ".jpg")] == []


# generated texts ------------------------------------------------------------------------------------------------


def test_the_page_of_ones_own_photographs_gives_commands_that_can_work() -> None:
    pages_of = {plugin.name: pages.dataset(plugin, [], []) for plugin in Registry.discover().of("dataset")}
    own = pages_of["folder"]
    assert "$ zoo data info ./flowers\n$ zoo train efficientnet-lite0 ./flowers\n" in own
    assert "zoo train cnn folder" not in own
    assert "ships with the package" not in own
    assert "## Samples" not in own
    assert "none: it ships with the package" in pages_of["mnist"]
    assert "$ zoo data prepare catsdogs --download\n$ zoo data prepare catsdogs --size" in pages_of["catsdogs"]


def test_the_command_line_page_has_every_command_and_option() -> None:
    text = reference.command_line()
    assert [name for name in COMMANDS if f"\n## zoo {name}\n" not in text] == []
    assert "### zoo docs build" in text
    from zoo.cli import root

    train = root().get_command(click.Context(root()), "train")
    assert train is not None
    assert [option for parameter in train.params for option in parameter.opts if option not in text] == []


def test_the_hook_page_has_every_hook_with_its_signature() -> None:
    text = reference.hooks()
    source = ast.parse(Path(hookspecs.__file__).read_text())
    specs = next(node for node in source.body if isinstance(node, ast.ClassDef) and node.name == "ZooSpecs")
    hooks = [node.name for node in specs.body if isinstance(node, ast.FunctionDef)]
    assert hooks
    assert [hook for hook in hooks if f"## {hook}\n\n`{hook}(" not in text] == []


def test_the_recipe_page_has_every_key() -> None:
    text = reference.recipe_keys()
    assert [key for key in KEYS if f'<th scope="row">{key}</th>' not in text] == []


def test_a_drawing_of_a_convolution_is_what_the_layer_computes() -> None:
    import numpy as np
    import tensorflow as tf

    image, kernel = np.array(concepts.IMAGE), np.array(concepts.EDGE)
    for padding, stride in ((0, 1), (1, 1), (1, 2)):
        padded = np.pad(image, padding).astype(np.float32)[None, :, :, None]
        expected = tf.nn.conv2d(padded, kernel.astype(np.float32)[:, :, None, None], stride, "VALID")
        assert np.array_equal(concepts.convolve(image, kernel, padding, stride), np.asarray(expected)[0, :, :, 0])


def test_drawings_are_the_same_each_time_and_say_what_to_see() -> None:
    first, second = list(concepts.draw()), list(concepts.draw())
    assert first == second
    assert all(len(figure.caption) > 40 for figure in first)
    written = "".join(path.read_text() for path in (ROOT / "zoo/site/docs/concepts").glob("*.md"))
    assert sorted(re.findall(r"<!-- drawing: ([\w-]+) -->", written)) == sorted(figure.name for figure in first)


def test_links_to_networks_that_are_not_shown_become_words() -> None:
    assert pages.linked("see [a](a.md), [b](b.md), [c](../c.md)", ["a"]) == "see [a](a.md), b, [c](../c.md)"


def test_the_guides_file_of_values_is_one_that_trains(tmp_path: Path) -> None:
    guide = (ROOT / "zoo" / "site" / "docs" / "guide" / "own-recipe.md").read_text(encoding="utf-8")
    values = re.search(r"```toml\n# calm.toml\n(.*?)```", guide, re.DOTALL)
    assert values is not None
    (tmp_path / "calm.toml").write_text(values[1])
    registry = Registry.discover()
    cnn, mnist = registry.get("architecture", "cnn"), registry.get("dataset", "mnist")
    recipe = resolve(cnn, mnist, config=tmp_path / "calm.toml").recipe
    assert recipe.epochs == 20
    assert set(recipe.options) <= set(cnn.facts.options)


def test_a_long_layer_table_is_folded_away() -> None:
    from zoo.network.graph import Node, chain

    def graph(count: int) -> Graph:
        return chain("net", *(Node(f"layer{number}", "dense", "Dense 1", (1,), 2) for number in range(count)))

    assert "<details>" not in pages.layers(graph(pages.LONG))
    assert f"All {pages.LONG + 1} layers" in pages.layers(graph(pages.LONG + 1))


# results --------------------------------------------------------------------------------------------------------


def _result(
    tmp_path: Path, correct: tuple[int, ...] = (90, 94), parameters: int | None = 1000, **changed: object
) -> receipts.Result:
    seed = {
        "count": 100,
        **({} if parameters is None else {"parameters": parameters}),
        "seconds": 5.0,
        "command": "zoo train cnn mnist",
        "hardware": {"processor": "P", "cores": 2, "system": "Linux"},
    }
    stored = {
        "architecture": "cnn",
        "dataset": "mnist",
        "part": "test",
        "recipe": {"name": "book", "values": {}},
        "seeds": [{**seed, "seed": n, "correct": right, "accuracy": right / 100} for n, right in enumerate(correct)],
        **changed,
    }
    path = tmp_path / "results" / "r.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(stored))
    return receipts.Result(published.read(path), stored)


def test_a_result_is_the_mean_with_its_spread_and_the_interval_of_the_mean_count(tmp_path: Path) -> None:
    from zoo.intervals import wilson

    result = _result(tmp_path)
    assert pages.with_spread(result) == "92.00 % ± 2.83"
    assert result.interval == tuple(100 * share for share in wilson(92, 100))
    assert pages.with_spread(_result(tmp_path, (90,))) == "90.00 %"


def test_the_leaderboard_names_a_machine_once_whichever_rows_share_it(tmp_path: Path) -> None:
    def row(*processors: str) -> receipts.Result:
        result = _result(tmp_path, tuple(90 for _ in processors))
        for seed, processor in zip(result.seeds, processors, strict=True):
            seed["hardware"] = {**seed["hardware"], "processor": processor}
        return result

    text = boards.leaderboard([row("P"), row("P", "Q"), row("Q")])
    measured = text.partition("Measured on: ")[2].splitlines()[0].split("; ")
    assert [machine.partition(",")[0].partition(" ")[0] for machine in measured] == ["P", "Q"]


def test_results_that_the_chapter_has_are_set_beside_it(tmp_path: Path) -> None:
    text = boards.chapter_today(ARCHITECTURES, [_result(tmp_path)])
    assert "**Today, `book`: 92.00 % ± 2.83** of 100 test images, mean of 2 seeds" in text
    assert "That is 7.06 points below the printed figure, which lies outside it." in text
    assert "The `book` recipe of this experiment has no published result yet." in text


def test_a_receipt_that_is_torn_or_of_anothers_network_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _result(tmp_path)  # of cnn, in the package of another network
    (tmp_path / "results" / "torn.json").write_text('{"architecture": "cnn"')
    assert receipts.read([Plugin("other", "architecture", "x", "d", "1", folder=tmp_path)]) == []
    torn, foreign = sorted(caplog.messages, key=lambda said: "torn" not in said)
    assert "torn.json of d 1 is left out" in torn
    assert "the package has other" in foreign


def test_pictures_of_rehearsals_are_refused_and_photographs_where_the_images_may_be_shown(tmp_path: Path) -> None:
    base = {"format": 1, "status": "finished", "spec": {"name": "cnn", "height": 1, "width": 1, "channels": 1}}
    base["spec"]["class_names"] = ["a"]
    base |= {"dataset": {"name": "mnist"}, "recipe": {"name": "quick", "values": {}}}
    for rehearsal, said in ((True, "Only a finished, real run"), (False, "Images of mnist may be shown, and are")):
        Run(tmp_path).write(base | {"rehearsal": rehearsal})
        with pytest.raises(UsageError, match=said):
            assets.adopt(Run(tmp_path), (Path("mine.jpg"),))


def test_only_a_folder_that_is_a_site_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["docs", "build", "--output", str(tmp_path)]) == 2
    assert "what it holds is removed. Received:" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert main(["docs", "build", "--output", str(tmp_path / "thesis.txt")]) == 2


def test_pictures_are_not_replaced_by_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "package" / "site" / "cnn" / "figures" / "curves.svg"
    kept.parent.mkdir(parents=True)
    kept.write_text("<svg/>")
    spec = {"name": "cnn", "height": 1, "width": 1, "channels": 3, "class_names": ["a"]}
    receipt = {"format": 1, "status": "finished", "spec": spec, "rehearsal": False}
    Run(tmp_path).write(receipt | {"dataset": {"name": "mnist"}, "recipe": {"name": "quick", "values": {}}})
    monkeypatch.setattr(assets, "folder_of", lambda plugin: kept.parent.parent)
    with pytest.raises(UsageError, match="has no figures to publish"):
        assets.adopt(Run(tmp_path))
    assert kept.read_text() == "<svg/>"


def test_the_drawing_has_a_row_for_each_network_and_a_mark_for_each_recipe(tmp_path: Path) -> None:
    own = {"name": "own", "values": {}}
    results = [_result(tmp_path), _result(tmp_path, recipe=own), _result(tmp_path, dataset="aa", parameters=None)]
    drawn = boards.results_drawing(results)
    assert drawn.caption.startswith("The 3 published results")
    told = re.findall(r"<!-- (.*?) -->", drawn.content.decode())
    rest = [text for text in told if not text.endswith("%")]
    assert rest == ["cnn  1.00 k", "mnist", "cnn", "aa", "book", "own", "the chapter"]
    whole = _result(tmp_path, (100, 100))
    assert boards.results_drawing([whole]).content.startswith(b"<?xml"), "all right is drawn, too"
    assert boards.results_drawing([]).caption.startswith("The 0 published results")


def test_images_that_may_not_be_passed_on_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2
    import numpy as np

    from zoo import api

    generator = np.random.default_rng(0)
    for number in range(60):
        own = tmp_path / "own" / ("light" if number % 2 else "dark") / f"{number}.png"
        own.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(own), generator.integers(120 * (number % 2), 120 + 120 * (number % 2), (28, 28, 3), np.uint8))
    settings = ["steps=4", "batch_size=8", "image_size=28"]
    run = api.train("cnn", str(tmp_path / "own"), settings=settings, output=tmp_path / "run", export=False, quiet=True)
    shutil.rmtree(tmp_path / "own")
    monkeypatch.setattr(assets, "folder_of", lambda _: tmp_path / "package")
    written = {path.name for path in assets.adopt(run, (ROOT / "tests" / "photos" / "chelsea.jpg",))}
    assert {"curves.svg", "confusion.svg", "filters.png", "features-conv1.png", "gradcam.png"} <= written
    assert not {"predictions.png", "mistakes.png", "unsure.png", "embedding.png", "diagram.svg"} & written
    folder = tmp_path / "package" / "figures"
    assert {path.name for path in folder.iterdir()} == written | {"captions.json", "run.json"}
    captions = captions_of(folder)
    assert "make of chelsea.jpg" in captions["features-conv1.png"]
    assert "may not be passed on" in pages.origin_of(tmp_path / "package")


def test_the_settings_ask_no_other_host() -> None:
    text = (ROOT / "zoo" / "site" / "mkdocs.yml").read_text()
    settings = yaml.safe_load(text)
    assert settings["theme"]["font"] is False
    assert "repo_url" not in settings
    assert "offline" in settings["plugins"]
    assert "mermaid" not in text
    assert "emoji" not in text
