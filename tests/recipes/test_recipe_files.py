"""The recipe files of the architectures: all resolve, `book` holds the chapter's values."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from zoo.cards import read_card_file
from zoo.errors import UsageError
from zoo.recipes import ResolvedRecipe, available, resolve
from zoo.registry import Plugin

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ARCHITECTURES = (
    *("fc-tf", "fc-keras", "cnn", "cnn-5x5", "vgg16"),
    *("vgg19", "vgg16-bn", "vgg19-bn", "resnet50", "inceptionv3", "efficientnet-lite0"),
)
DATASETS = ("mnist", "catsdogs")
PAIRS = [(architecture, dataset) for architecture in ARCHITECTURES for dataset in DATASETS]
FILES = sorted(ROOT.glob("plugins/*/recipes/*.toml"))
BOOKS = [(name, "mnist") for name in ARCHITECTURES[:4]] + [("vgg16", "catsdogs")]


def plugin(kind: Any, name: str) -> Plugin:
    """The registry's row of one of the project's own plugins, without an installation."""
    group = "zoo.architectures" if kind == "architecture" else "zoo.datasets"
    package = EntryPoint(name, PROJECT["entry-points"][group][name], group).module
    folder = ROOT / ("plugins" if kind == "architecture" else "datasets") / package
    cards = read_card_file(folder)
    assert cards is not None
    return Plugin(name, kind, package, "image-model-zoo", "0", folder, cards.card(kind, name))


def recipe(architecture: str, dataset: str, name: str, *settings: str) -> ResolvedRecipe:
    return resolve(plugin("architecture", architecture), plugin("dataset", dataset), name, settings=settings)


@pytest.mark.parametrize(("architecture", "dataset"), PAIRS)
def test_every_pair_has_a_quick_recipe_of_its_own(architecture: str, dataset: str) -> None:
    resolved = recipe(architecture, dataset, "quick")
    folder = plugin("architecture", architecture).folder
    assert folder is not None
    assert resolved.origins["epochs"].startswith(f"{folder.name}/recipes/{dataset}.toml:")
    assert resolved.recipe.image_size >= plugin("architecture", architecture).facts.min_size


@pytest.mark.parametrize(("architecture", "dataset"), PAIRS)
def test_quick_never_sees_the_test_part_while_it_trains(architecture: str, dataset: str) -> None:
    values = recipe(architecture, dataset, "quick").recipe
    assert values.validation > 0
    if dataset == "mnist":
        assert (values.split, values.validation) == ("published", 5000)
    else:
        assert (values.split, values.validation, values.test) == ("hash", 2500, 2500)


@pytest.mark.parametrize(("architecture", "dataset"), PAIRS)
def test_digits_are_never_mirrored(architecture: str, dataset: str) -> None:
    values = recipe(architecture, dataset, "quick").recipe
    probe = values.freeze == "backbone"  # whose images stay as they are
    assert values.flip == values.flip_average == (dataset == "catsdogs" and not probe)


@pytest.mark.parametrize(("architecture", "dataset"), PAIRS)
def test_only_networks_whose_shape_is_the_same_at_every_size_train_at_several(architecture: str, dataset: str) -> None:
    values = recipe(architecture, dataset, "quick").recipe
    sizes = (*values.train_sizes, values.image_size) if values.train_sizes else ()
    if architecture.startswith("vgg"):
        # it halves five times, and then counts positions: from 32 to 63 pixels a single one is left
        assert all(32 <= size < 64 for size in sizes)
    else:
        # these average over all positions
        assert not sizes or architecture in ("resnet50", "inceptionv3")
    assert values.image_size == (sizes or (values.image_size,))[-1], "it ends at the size that it predicts at"


@pytest.mark.parametrize(
    ("architecture", "dataset"), [pair for pair in PAIRS if pair[0].startswith(("vgg", "resnet", "inception"))]
)
def test_no_recipe_downloads_weights_unasked(architecture: str, dataset: str) -> None:
    for name in available(plugin("architecture", architecture), plugin("dataset", dataset)):
        assert recipe(architecture, dataset, name).recipe.weights == ""


@pytest.mark.parametrize(("architecture", "dataset"), PAIRS)
def test_the_options_of_every_recipe_are_on_the_card(architecture: str, dataset: str) -> None:
    card = plugin("architecture", architecture).facts
    for name in available(plugin("architecture", architecture), plugin("dataset", dataset)):
        options = recipe(architecture, dataset, name).recipe.options
        assert options.keys() <= card.options.keys()
        assert all(type(value) is type(card.options[option]) for option, value in options.items())


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("plugins/*/recipes/*.toml")), ids=lambda path: path.parent.parent.name
)
def test_every_table_of_a_recipe_file_belongs_to_a_network_of_its_package(path: Path) -> None:
    cards = read_card_file(path.parents[1])
    assert cards is not None
    assert tomllib.loads(path.read_text(encoding="utf-8")).keys() <= cards.tables["architectures"].keys()


@pytest.mark.parametrize(("architecture", "dataset"), PAIRS)
def test_book_exists_for_the_chapters_five_experiments_alone(architecture: str, dataset: str) -> None:
    names = available(plugin("architecture", architecture), plugin("dataset", dataset))
    assert ("book" in names) == ((architecture, dataset) in BOOKS)


# what every book recipe has: as far as the chapter trained, in float32, without what came later
EVERY_BOOK = {
    "precision": "float32",
    "schedule": "constant",
    "keep": "last",
    "train_sizes": (),
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "clip_norm": 0.0,
    "ema": 0.0,
    "early_stopping": 0,
    "flip": False,
    "flip_average": False,
    "crop_area": (),
    "pad_crop": 0,
    "shift": 0.0,
    "rotate": 0.0,
    "zoom": (),
}
ADAM = {"optimizer": "adam", "momentum": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "l2": 0.0, "steps": 0}
KERAS_ON_MNIST = ADAM | {
    "image_size": 28,
    "split": "published",
    "validation": 0,
    "epochs": 10,
    "batch_size": 200,
    "learning_rate": 1e-3,
}
THE_CHAPTERS: dict[str, dict[str, Any]] = {
    "fc-tf": {
        "image_size": 28,
        "options": {"init": "truncated_normal_1", "rescale": False},
        "optimizer": "gradient-descent",
        "learning_rate": 0.003,
        "batch_size": 256,
        "steps": 6001,
        "l2": 0.05,
        "split": "choice",
        "split_seed": 0,
        "validation": 10_000,
    },
    "fc-keras": KERAS_ON_MNIST | {"options": {}},
    "cnn": KERAS_ON_MNIST | {"options": {"rescale": False}},
    "cnn-5x5": KERAS_ON_MNIST | {"options": {}},
    "vgg16": ADAM
    | {
        "image_size": 50,
        "resize": "stretch",
        "interpolation": "linear",
        "options": {"input": "bgr-0-255", "init": "glorot_uniform"},
        "split": "shuffle",
        "validation": 5000,
        "test": 0,
        "epochs": 20,
        "batch_size": 256,
        "learning_rate": 1e-6,
    },
}


@pytest.mark.parametrize(("architecture", "dataset"), BOOKS)
def test_book_holds_the_chapters_values(architecture: str, dataset: str) -> None:
    values = recipe(architecture, dataset, "book").recipe
    expected = EVERY_BOOK | THE_CHAPTERS[architecture]
    assert {key: getattr(values, key) for key in expected} == expected


def test_book_of_fc_tf_has_epochs_for_all_of_its_steps() -> None:
    values = recipe("fc-tf", "mnist", "book").recipe
    assert values.epochs - 1 < values.steps * values.batch_size / 50_000 <= values.epochs


def test_the_lambda_of_the_chapters_text_can_be_tried() -> None:
    resolved = recipe("fc-tf", "mnist", "book", "l2=1")
    assert (resolved.recipe.l2, resolved.origins["l2"], resolved.recipe.steps) == (1.0, "--set", 6001)


def test_an_option_can_be_set_without_losing_the_others() -> None:
    resolved = recipe("vgg16", "catsdogs", "book", "options.width=0.125")
    assert resolved.recipe.options == {"input": "bgr-0-255", "init": "glorot_uniform", "width": 0.125}


def test_a_pair_without_a_book_says_what_it_has() -> None:
    with pytest.raises(UsageError, match="cnn on catsdogs has no recipe 'book'"):
        recipe("cnn", "catsdogs", "book")
