"""The report of a run: what it says, and that it needs and gives away nothing else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from zoo.cli import main
from zoo.errors import UsageError
from zoo.intervals import wilson
from zoo.markup import escape, figure, plain
from zoo.recipes import KEYS, Recipe
from zoo.results import chapter
from zoo.runs import report
from zoo.runs.directory import Run, write_figures
from zoo.types import Figure


def receipt(**changed: Any) -> dict[str, Any]:
    values = {key: {"value": getattr(Recipe(), key), "origin": "core"} for key in KEYS}
    values["epochs"] = {"value": 3, "origin": "zoo_cnn/recipes/mnist.toml:24"}
    return {
        "format": 1,
        "status": "finished",
        "rehearsal": False,
        "command": "zoo train cnn mnist --set options.note=/home/ada/secret/file.toml",
        "started": "2026-11-25T10:00:00+00:00",
        "seconds": 75.0,
        "parameters": 1199882,
        "spec": {"name": "cnn", "height": 28, "width": 28, "channels": 1, "class_names": ["0", "1"], "seed": 0},
        "recipe": {"name": "quick", "values": values},
        "dataset": {
            "name": "mnist",
            "fingerprint": "ab" * 32,
            "split_hash": "cd" * 32,
            "counts": {"training": 900, "test": 200},
            "notes": ["<i>adapted</i>"],
        },
        "precision": "float32",
        "threads": {"intra": 2, "inter": 2},
        "versions": {"python": "3.11.7", "zoo": "0.1.0"},
        "hardware": {"processor": "A & B", "features": [], "cores": 2, "memory": 8e9, "system": "Linux x86_64"},
        **changed,
    }


def metrics(correct: int = 196, count: int = 200) -> dict[str, Any]:
    entry = {
        "name": "0",
        "count": 100,
        "correct": 99,
        "recall": 0.99,
        "recall_interval": [0.94, 0.99],
        "precision": 0.97,
    }
    return {
        "part": "test",
        "count": count,
        "correct": correct,
        "accuracy": correct / count,
        "interval": list(wilson(correct, count)),
        "loss": 0.05,
        "classes": [entry, {**entry, "name": "1", "recall": 0.97}],
        "confusion": [[99, 1], [3, 97]],
    }


@pytest.fixture
def run(tmp_path: Path):
    def made(result: dict[str, Any] | None = None, **changed: Any) -> Run:
        directory = tmp_path / "20261125T100000-abc123"
        directory.mkdir(exist_ok=True)
        Run(directory).write(receipt(**changed))
        (directory / "metrics.json").write_text(json.dumps(result or metrics()))
        pictures = [
            Figure("diagram", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg", "every layer"),
            Figure("diagram-folded", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg", "the stages"),
            Figure("curves", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg", "how training went"),
            Figure("features-conv1", b"\x89PNG", "png", "what the first convolution sees"),
            Figure("confusion", b"\x89PNG", "png", "what is taken for what"),
        ]
        write_figures(pictures, directory / "figures")
        return Run(directory)

    return made


class Page(HTMLParser):
    """What a page loads and links to, and its sections in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.sections: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.addresses += [value for key in ("src", "href") if (value := found.get(key))]
        if tag == "img":
            self.pictures.append(found)
        if tag == "section":
            self.sections.append(found.get("id"))


def test_the_verdict_comes_first_with_its_interval_and_the_chapters_figure(run) -> None:
    text = report.page(run())
    low, high = wilson(196, 200)
    assert "98.00<small> %</small>" in text
    assert f"{100 * low:.2f} to {100 * high:.2f}&nbsp;%" in text
    assert "The chapter printed <b>99.06 %</b>: it lies inside the interval" in text
    assert text.index("98.00<small>") < text.index('id="curves"')


@pytest.mark.parametrize(("correct", "said"), [(9990, "0.84 points above it"), (9700, "2.06 points below it")])
def test_a_figure_outside_the_interval_is_called_different(run, correct, said) -> None:
    assert f"this run is {said}, outside its interval" in report.page(run(metrics(correct, 10000)))


def test_a_pair_that_the_chapter_does_not_have_is_compared_with_nothing(run) -> None:
    spec = receipt()["spec"] | {"name": "my-net"}
    assert "The chapter" not in report.page(run(spec=spec))


def test_sections_follow_in_order_and_each_figure_stands_in_its_own(run) -> None:
    text = report.page(run())
    page = Page(text)
    assert page.sections == ["curves", "what-it-gets-wrong", "what-it-sees", "the-network", "the-receipt"]
    captions = [picture["alt"] for picture in page.pictures]
    assert captions == [
        "Loss and accuracy as training went on",
        "Which class was taken for which",
        "What each filter of a layer makes of an image",
        "The network at a glance, layers folded into stages",
        "The network, layer by layer",
    ]
    assert "1 taken for 0 (3 times); 0 taken for 1 (1 time)" in text


def test_it_asks_for_nothing_outside_of_itself(run) -> None:
    text = report.page(run())
    assert all(address.startswith(("data:", "#")) for address in Page(text).addresses)
    assert "url(" not in text
    assert "@import" not in text


def test_it_holds_no_path_of_the_machine_and_no_markup_of_the_receipt(run, monkeypatch) -> None:
    made = run()
    text = report.page(made)
    assert "/home/ada" not in text
    assert "…/file.toml" in text
    assert str(made.directory) not in text
    assert "<i>adapted</i>" not in text
    assert "A &amp; B" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ada/a/b.zip", "…/b.zip"),
        ("--x=C:\\Users\\ada\\b.zip", "--x=…/b.zip"),
        ("~/runs/last one", "…/last one"),
        ("'/home/Max M/my photos/cats' and more", "&#x27;…/cats&#x27; and more"),
        ('"C:\\Users\\Max M\\x y" z', "&quot;…/x y&quot; z"),
        ("file:///home/max/data/x", "…/x"),
        ("it's /home/max/x, isn't it", "it&#x27;s …/x, isn&#x27;t it"),
        ("https://a.org/b/c, and/or 1/255", "https://a.org/b/c, and/or 1/255"),
        ("zoo_cnn/recipes/mnist.toml:24", "zoo_cnn/recipes/mnist.toml:24"),
    ],
)
def test_of_a_path_only_the_last_name_is_left(text, shown) -> None:
    assert escape(text) == shown


def test_a_strangers_picture_can_bring_neither_script_nor_another_format(run) -> None:
    made = run()
    folder = made.directory / "figures"
    hostile = 'gradcam.png" onerror="alert(1)" x="'
    for name in (hostile, "a.html"):
        (folder / name).write_bytes(b"<script>alert(1)</script>")
    quoted = 'a" onerror="alert(1).png'
    (folder / quoted).write_bytes(b"\x89PNG")
    captions = json.loads((folder / "captions.json").read_text())
    (folder / "captions.json").write_text(json.dumps(captions | dict.fromkeys((hostile, "a.html", quoted), "x")))
    pictures = Page(report.page(made)).pictures
    assert len(pictures) == 6  # the five of the run, and the one with an odd name
    assert all(set(picture) == {"src", "alt"} for picture in pictures)
    address = figure('a" onerror="alert(1)', "alt", "caption")
    assert Page(address).pictures == [{"src": 'a" onerror="alert(1)', "alt": "alt"}]


def test_naming_the_most_frequent_class_is_the_least_that_a_network_must_beat(run) -> None:
    assert "Always to say “0”, the most frequent class, is right for 50.00 %" in report.page(run())


def test_a_network_is_shown_at_a_glance_and_its_layers_on_demand(run) -> None:
    text = report.page(run())
    assert text.index("folded into stages") < text.index("<summary>Layer by layer") < text.index("every layer")


def test_the_receipt_has_the_command_fingerprint_versions_and_each_recipe_value_with_its_origin(run) -> None:
    text = report.page(run())
    for expected in ("ab" * 32, "cd" * 32, "python 3.11.7", "75 s", "900 training, 200 test", "8.0 GB"):
        assert expected in text
    row = re.search(r'<th scope="row">epochs</th>(.*?)</tr>', text)
    assert row is not None
    assert "<td>3</td><td>zoo_cnn/recipes/mnist.toml:24</td>" in row[1]
    assert all(f'<th scope="row">{key}</th>' in text for key in KEYS)


def test_a_rehearsal_is_stamped_and_shows_no_accuracy(run) -> None:
    text = report.page(run({"part": "test", "count": 200, "rehearsal": True}, rehearsal=True))
    assert "REHEARSAL on generated images" in text
    assert "no accuracy" in text
    assert "Wilson):" not in text
    assert "The chapter printed" not in text


def test_pictures_of_steps_are_one_series_that_begins_with_the_last(run) -> None:
    made = run()
    steps = [Figure(f"sees-{step:05}", b"\x89PNG", "png", f"after step {step}") for step in (0, 500, 1000)]
    write_figures(steps, made.directory / "figures")
    text = report.page(made)
    assert text.count('<figure class="series">') == 1
    assert re.findall(r'class="frame"( hidden)? data-step="(\d+)"', text) == [
        (" hidden", "0"),
        (" hidden", "500"),
        ("", "1000"),
    ]


def test_a_run_without_pictures_still_has_a_report(run) -> None:
    made = run()
    for picture in (made.directory / "figures").iterdir():
        picture.unlink()
    assert Page(report.page(made)).sections == ["what-it-gets-wrong", "the-receipt"]


def test_the_command_writes_it_and_prints_where(run, capsys) -> None:
    made = run()
    assert main(["report", str(made.directory)]) == 0
    out = capsys.readouterr().out
    assert out == f"{made.directory / 'report.html'}\n"
    assert (made.directory / "report.html").read_text() == report.page(made)


def test_an_unfinished_run_has_none(run) -> None:
    with pytest.raises(UsageError, match=r"Only a finished run has a report\. Received: .*interrupted"):
        report.write(run(status="interrupted"))


def test_values_are_written_as_a_reader_writes_them() -> None:
    assert [plain(value) for value in (True, [0.5, 1.0], [], {"rescale": False}, 1e-07, [32, 40, 48])] == [
        "yes",
        "0.5 to 1.0",
        "none",
        "rescale = no",
        "1e-07",
        "32, 40, 48",
    ]


def test_the_chapters_experiments_name_recipes_that_exist() -> None:
    from zoo.recipes import available
    from zoo.registry import Registry

    registry = Registry.discover()
    for one in chapter.EXPERIMENTS:
        pair = registry.get("architecture", one.architecture), registry.get("dataset", one.dataset)
        assert "book" in available(*pair)
