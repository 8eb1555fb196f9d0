"""A recipe is looked up most specific first, checked key by key, and knows where each value came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zoo.errors import UsageError
from zoo.recipes import ENGINE_KEYS, KEYS, Recipe, ResolvedRecipe, available, describe, parse_setting, resolve
from zoo.registry import Plugin, Registry

CARD = "[architectures.net]\nsize = 40\n"


@pytest.fixture
def pair(site):
    """Install an architecture "net" and a data set "photos" with the given recipe files; return both rows."""

    def install(net: dict[str, str] | None = None, photos: dict[str, str] | None = None) -> tuple[Plugin, Plugin]:
        site.package("net_package", card=CARD, **net or {})
        site.package("photos_package", **photos or {})
        site.install("nets", {"net": "net_package"})
        site.install("sets", {"photos": "photos_package"}, group="zoo.datasets")
        registry = site.registry()
        return registry.get("architecture", "net"), registry.get("dataset", "photos")

    return install


class TestLookup:
    @pytest.mark.parametrize(
        ("net", "photos", "origin"),
        [
            (("photos", "any"), ("net", "any"), "net_package/recipes/photos.toml:2"),
            (("any",), ("net", "any"), "photos_package/recipes/net.toml:2"),
            (("any",), ("any",), "net_package/recipes/any.toml:2"),
            ((), ("any",), "photos_package/recipes/any.toml:2"),
            ((), (), "core"),
        ],
    )
    def test_the_most_specific_file_wins(self, pair, net, photos, origin: str) -> None:
        architecture, dataset = pair(
            dict.fromkeys(net, "[net.quick]\nepochs = 7\n"),
            dict.fromkeys(photos, "[photos.quick]\nepochs = 7\n"),
        )
        resolved = resolve(architecture, dataset)
        assert resolved.origins["epochs"] == origin
        assert resolved.recipe.epochs == (7 if origin != "core" else Recipe().epochs)

    def test_it_is_taken_whole_over_the_core_values(self, pair) -> None:
        architecture, dataset = pair(
            {"photos": "[net.quick]\nepochs = 7\n", "any": "[net.quick]\nbatch_size = 8\n[net.best]\nepochs = 9\n"}
        )
        resolved = resolve(architecture, dataset)
        assert (resolved.recipe.epochs, resolved.recipe.batch_size) == (7, Recipe().batch_size)
        assert resolve(architecture, dataset, "best").recipe.epochs == 9

    def test_who_asks_for_epochs_gets_them_where_the_recipe_counts_steps(self, pair) -> None:
        architecture, dataset = pair({"photos": "[net.quick]\nepochs = 31\nsteps = 6001\n"})
        assert resolve(architecture, dataset).recipe.steps == 6001
        asked = resolve(architecture, dataset, overrides={"epochs": 2})
        assert (asked.recipe.epochs, asked.recipe.steps, asked.origins["steps"]) == (2, 0, "by epochs (--epochs)")
        assert resolve(architecture, dataset, settings=["epochs=2"]).recipe.steps == 0
        both = resolve(architecture, dataset, settings=["steps=50"], overrides={"epochs": 2})
        assert (both.recipe.epochs, both.recipe.steps) == (2, 50)

    def test_a_table_of_another_name_does_not_count(self, pair) -> None:
        architecture, dataset = pair({"photos": "[net-2.quick]\nepochs = 7\n"})
        assert resolve(architecture, dataset).origins["epochs"] == "core"

    def test_quick_is_always_there_and_others_only_where_declared(self, pair) -> None:
        architecture, dataset = pair({"photos": "[net.book]\n"}, {"any": "[photos.zzz]\n[photos.best]\n"})
        assert available(architecture, dataset) == ["quick", "best", "book", "zzz"]
        with pytest.raises(
            UsageError, match=r"net on photos has no recipe 'bok'\. Did you mean 'book'\? It has: quick"
        ):
            resolve(architecture, dataset, "bok")

    def test_the_image_size_is_that_of_the_card_unless_said_otherwise(self, pair) -> None:
        architecture, dataset = pair()
        resolved = resolve(architecture, dataset)
        assert (resolved.recipe.image_size, resolved.origins["image_size"]) == (40, "card of net")
        assert resolve(architecture, dataset, settings=["image_size=48"]).recipe.image_size == 48


class TestOrigins:
    def test_every_key_has_one(self, pair) -> None:
        assert resolve(*pair()).origins.keys() == KEYS.keys()

    def test_lines_are_counted_through_comments_and_tables(self, pair) -> None:
        text = "# a comment\n\n[net.book]\nepochs = 1\n[net.quick]  # fast\n\nepochs = 2\n[net.quick.options]\nw = 1\n"
        resolved = resolve(*pair({"photos": text}))
        assert resolved.origins["epochs"].endswith("photos.toml:7")
        assert resolved.origins["options"].endswith("photos.toml:8")

    def test_flags_win_over_settings_over_a_file_over_the_recipe(self, pair, tmp_path: Path) -> None:
        text = "[net.quick]\nepochs = 1\nbatch_size = 1\nsteps = 1\nvalidation = 1\n"
        config = tmp_path / "mine.toml"
        config.write_text("\nepochs = 2\nbatch_size = 2\nsteps = 2\n")
        resolved = resolve(
            *pair({"photos": text}),
            config=config,
            settings=["epochs=3", "batch_size=3"],
            overrides={"epochs": 4},
        )
        keys = ("epochs", "batch_size", "steps", "validation")
        assert [getattr(resolved.recipe, key) for key in keys] == [4, 3, 2, 1]
        origins = [resolved.origins[key] for key in keys]
        assert origins == ["--epochs", "--set", "mine.toml:4", "net_package/recipes/photos.toml:5"]

    def test_options_are_merged_key_by_key(self, pair, tmp_path: Path) -> None:
        architecture, dataset = pair({"photos": "[net.quick]\noptions.width = 1.0\noptions.bias = true\n"})
        resolved = resolve(architecture, dataset, settings=["options.width=0.5", "options.kind=small"])
        assert resolved.recipe.options == {"width": 0.5, "bias": True, "kind": "small"}

    def test_a_receipt_gives_the_recipe_back(self, pair) -> None:
        resolved = resolve(*pair(), settings=["zoom=[0.9, 1.1]", "options.a=1", "train_sizes=[32, 40]"])
        stored = json.loads(json.dumps(resolved.as_dict()))
        assert ResolvedRecipe.from_dict("quick", stored) == resolved

    def test_describing_shows_every_value_with_its_origin(self, pair) -> None:
        lines = describe(resolve(*pair(), settings=["flip=true"])).splitlines()
        assert len(lines) == len(KEYS)
        assert [line.split() for line in lines if line.startswith("flip ")] == [["flip", "true", "--set"]]


class TestOptionsAndWeights:
    """Options that say nothing new are left out of titles; weights bring the options that they need."""

    CARD = (
        "[architectures.net]\nsize = 40\n"
        "options = { width = 1.0, depth = 3, bias = true, input = 'rgb' }\n"
        "weights = { imagenet = { input = 'bgr' }, path = { input = 'file' } }\n"
    )

    @pytest.fixture
    def rows(self, site) -> tuple[Plugin, Plugin]:
        site.package("net_package", card=self.CARD)
        site.package("photos_package")
        site.install("nets", {"net": "net_package"})
        site.install("sets", {"photos": "photos_package"}, group="zoo.datasets")
        registry = site.registry()
        return registry.get("architecture", "net"), registry.get("dataset", "photos")

    @pytest.mark.parametrize(
        ("setting", "options"),
        [
            ("options.width=1.0", {}),
            ("options.width=1", {}),
            ("options.width=0.5", {"width": 0.5}),
            ("options.bias=true", {}),
            ("options.bias=false", {"bias": False}),
            ("options.bias=1", {"bias": 1}),  # not what the card says: the network will refuse it
            ("options.width=true", {"width": True}),
            ("options.other=1", {"other": 1}),
        ],
    )
    def test_an_option_that_is_the_default_of_the_card_is_left_out(self, rows, setting: str, options: dict) -> None:
        assert resolve(*rows, settings=[setting]).recipe.options == options

    @pytest.mark.parametrize(
        ("settings", "options"),
        [
            ([], {}),
            (["weights=imagenet"], {"input": "bgr"}),
            (["weights=some/file.h5"], {"input": "file"}),
            (["weights=imagenet", "options.width=0.5"], {"input": "bgr", "width": 0.5}),
            (["weights=imagenet", "options.input=other"], {"input": "other"}),
            (["weights=imagenet", "options.input=rgb"], {}),
        ],
    )
    def test_weights_bring_the_options_that_the_card_gives_them(self, rows, settings: list, options: dict) -> None:
        assert resolve(*rows, settings=settings).recipe.options == options

    def test_their_origin_is_the_card(self, rows) -> None:
        resolved = resolve(*rows, overrides={"weights": "imagenet"})
        assert (resolved.origins["weights"], resolved.origins["options"]) == ("--weights", "card of net")

    def test_weights_are_a_string(self, rows) -> None:
        with pytest.raises(UsageError, match=r"--set: weights must be a string\. Received: 3"):
            resolve(*rows, settings=["weights=3"])


class TestSettings:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("flip=true", {"flip": True}),
            (" epochs = 3 ", {"epochs": 3}),
            ("learning_rate=1e-3", {"learning_rate": 1e-3}),
            ("optimizer=adam", {"optimizer": "adam"}),
            ('optimizer="adam"', {"optimizer": "adam"}),
            ("zoom=[0.9, 1.1]", {"zoom": [0.9, 1.1]}),
            ("options.name=a=b", {"options": {"name": "a=b"}}),
        ],
    )
    def test_a_value_is_toml_or_else_text(self, text: str, value: dict[str, object]) -> None:
        assert parse_setting(text) == value

    @pytest.mark.parametrize("text", ["epochs", "=3", ""])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(UsageError, match=r"--set takes key=value\. Received: "):
            parse_setting(text)


class TestMistakes:
    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("epoch=3", "--set: there is no recipe key 'epoch'. Did you mean 'epochs'?"),
            ("seed=3", "--set: there is no recipe key 'seed'. The seed of a run is given as --seed N"),
            ("qqqq=3", "--set: there is no recipe key 'qqqq'. Keys: image_size, "),
            ("epochs=many", "epochs must be a whole number, 0 or more. Received: 'many'"),
            ("epochs=1.5", "epochs must be a whole number, 0 or more. Received: 1.5"),
            ("epochs=-1", "epochs must be a whole number, 0 or more. Received: -1"),
            (f"learning_rate={10**400}", "learning_rate must be a number, 0 or more. Received: 1000"),
            ("epochs=true", "epochs must be a whole number, 0 or more. Received: True"),
            ("epochs.x=1", "epochs must be a whole number, 0 or more. Received: {'x': 1}"),
            ("learning_rate=nan", "learning_rate must be a number, 0 or more. Received: nan"),
            ("learning_rate=inf", "learning_rate must be a number, 0 or more. Received: inf"),
            ("flip=1", "flip must be true or false. Received: 1"),
            ("schedule=linear", "schedule must be one of constant, cosine, one-cycle. Received: 'linear'"),
            ("schedule=[1]", "schedule must be one of constant, cosine, one-cycle. Received: [1]"),
            ("train_sizes=[32, 4.5]", "train_sizes must be a list of whole numbers, each more than 0"),
            ("zoom=1", "zoom must be a list of numbers, each more than 0. Received: 1"),
            ("keep_best=2.5", "keep_best must be a whole number, 0 or more. Received: 2.5"),
            ("class_weights=even", 'class_weights must be one of "", balanced or a list of numbers, each more than 0'),
            ("class_weights=[1, 0]", "each more than 0. Received: [1, 0]"),
            ("options=1", "options must be a table of options (--set options.key=value). Received: 1"),
        ],
    )
    def test_an_unknown_key_or_a_wrong_type_is_named(self, pair, setting: str, message: str) -> None:
        with pytest.raises(UsageError) as caught:
            resolve(*pair(), settings=[setting])
        assert message in str(caught.value)
        assert str(caught.value).startswith("--set: ")

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("epochs=0", "epochs must be more than 0. Received: 0"),
            ("learning_rate=0", "learning_rate must be more than 0. Received: 0.0"),
            ("label_smoothing=1", "label_smoothing must be less than 1. Received: 1.0"),
            ("ema=1.5", "ema must be less than 1. Received: 1.5"),
            ("warmup=25", "warmup must be at most 1, a share. Received: 25.0"),
            ("crop_area=[0.5]", "crop_area must be [least, greatest]. Received: [0.5]"),
            ("crop_area=[0.5, 2]", "crop_area must be between 0 and 1, shares of the area. Received: [0.5, 2.0]"),
            ("crop_ratio=[]", "crop_ratio must be [least, greatest]. Received: []"),
            ("erase_area=[]", "erase_area must be [least, greatest]. Received: []"),
            ("split_seed=9999999999", "split_seed must be at most 4294967295. Received: 9999999999"),
            ("keep_best=0", "keep_best must be more than 0. Received: 0"),
            ("brightness=2", "brightness must be at most 1, a share. Received: 2.0"),
            ("erase=50", "erase must be at most 1, a share. Received: 50.0"),
            ("erase_area=[0.5, 2]", "erase_area must be between 0 and 1, shares of the area. Received: [0.5, 2.0]"),
            ("shear=90", "shear must be at most 60 degrees. Received: 90.0"),
            ("hue=270", "hue must be at most 180 degrees. Received: 270.0"),
            ("zoom=[1.1, 0.9]", "zoom must be [least, greatest]. Received: [1.1, 0.9]"),
        ],
    )
    def test_a_value_that_makes_no_sense_is_refused(self, pair, setting: str, message: str) -> None:
        with pytest.raises(UsageError) as caught:
            resolve(*pair(), settings=[setting])
        assert str(caught.value) == f"--set: {message}"

    def test_a_mistake_in_a_plugin_is_told_with_its_line(self, pair) -> None:
        with pytest.raises(UsageError, match=r"net_package/recipes/photos\.toml:3: there is no recipe key 'epoch'"):
            resolve(*pair({"photos": "[net.quick]\n\nepoch = 3\n"}))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[net.quick", "is not valid TOML"),
            ("[net.quick]\nepochs = " + "9" * 5_000, "is not valid TOML"),
            ("[net.quick]\ntrain_sizes = " + "[" * 5_000, "is not valid TOML"),
            ("[net]\nepochs = 3\n", r"must hold one table per recipe"),
        ],
    )
    def test_a_broken_recipe_file_is_named(self, pair, text: str, message: str) -> None:
        with pytest.raises(UsageError, match=r"photos\.toml.*" + message):
            resolve(*pair({"photos": text}))

    def test_a_config_file_that_is_missing_is_named(self, pair, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"absent\.toml can't be read: No such file or directory"):
            resolve(*pair(), config=tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("setting", "value"), [("balanced", "balanced"), ('""', ""), ("[1, 2.5]", (1.0, 2.5))], ids=["name", "none", "list"]
)
def test_class_weights_are_a_name_or_a_list_and_come_back_from_a_receipt(pair, setting: str, value) -> None:
    resolved = resolve(*pair(), settings=[f"class_weights={setting}"])
    assert resolved.recipe.class_weights == value
    assert ResolvedRecipe.from_dict("quick", json.loads(json.dumps(resolved.as_dict()))) == resolved


def test_the_engines_keys_are_keys() -> None:
    assert set(ENGINE_KEYS) <= set(KEYS)


def test_the_core_values_make_sense_and_each_key_says_what_it_means(pair) -> None:
    assert resolve(*pair()).recipe.cached_size == 40
    assert [key for key, meaning in KEYS.items() if not meaning] == []


def test_every_recipe_that_we_ship_resolves_for_every_pair() -> None:
    registry = Registry.discover()
    shipped = [row for row in registry.plugins if row.distribution == "image-model-zoo"]
    pairs = [(a, d) for a in shipped if a.kind == "architecture" for d in shipped if d.kind == "dataset"]
    assert len(pairs) >= 10
    for architecture, dataset in pairs:
        for name in available(architecture, dataset):
            resolve(architecture, dataset, name)
