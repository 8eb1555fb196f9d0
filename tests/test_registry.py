"""The registry lists what is installed from metadata alone, and says of each plugin whether it can be used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zoo.errors import PluginError, UsageError
from zoo.registry import Plugin, Registry

CARD = """
api = 1

[architectures.net]
summary = "A net"
parameters = 12
"""
EXPLODES = "raise RuntimeError('a listing executed the package')"


def only(registry: Registry) -> Plugin:
    (plugin,) = registry.plugins
    return plugin


def test_a_row_says_where_it_comes_from_and_what_its_card_says(site) -> None:
    folder = site.package("net_package", card=CARD)
    site.install("net-dist", {"net": "net_package"}, version="2.1")
    plugin = only(site.registry())
    assert (plugin.name, plugin.kind, plugin.value) == ("net", "architecture", "net_package")
    assert (plugin.distribution, plugin.version, plugin.status) == ("net-dist", "2.1", "ok")
    assert plugin.folder == folder
    assert plugin.card is not None
    assert (plugin.card.summary, plugin.card.parameters) == ("A net", 12)


def test_listing_never_executes_the_package(site) -> None:
    site.package("net_package", init=EXPLODES, card=CARD)
    site.install("net-dist", {"net": "net_package.deeper.module:thing"})
    assert only(site.registry()).status == "ok"
    assert "net_package" not in sys.modules


def test_a_card_is_optional(site) -> None:
    site.package("net_package")
    (site.folder / "one_module.py").write_text("")
    site.install("net-dist", {"bare": "net_package", "module": "one_module"})
    bare, module = site.registry().plugins
    assert (bare.status, bare.card, module.status, module.card) == ("ok", None, "ok", None)
    assert bare.facts.channels == (1, 3)
    assert module.folder is None


def test_names_can_share_a_package(site) -> None:
    site.package("nets", card=CARD + '[architectures.net-2]\nsummary = "Another"\n')
    site.install("nets", {"net": "nets", "net-2": "nets", "net-3": "nets"})
    summaries = [plugin.facts.summary for plugin in site.registry().of("architecture")]
    assert summaries == ["A net", "Another", ""]


def test_kinds_are_apart(site) -> None:
    site.package("things")
    site.install("nets", {"same": "things"})
    site.install("sets", {"same": "things"}, group="zoo.datasets")
    site.install("watchers", {"same": "things"}, group="zoo.plugins")
    site.install("strangers", {"same": "things"}, group="console_scripts")
    registry = site.registry()
    assert [(plugin.kind, plugin.status) for plugin in registry.plugins] == [
        ("architecture", "ok"),
        ("dataset", "ok"),
        ("plugin", "ok"),
    ]
    assert registry.get("dataset", "same").distribution == "sets"


def test_a_distribution_that_is_found_twice_counts_once(site, tmp_path: Path) -> None:
    site.package("net_package")
    site.install("net-dist", {"net": "net_package"}, version="2.0")
    older = type(site)(tmp_path / "older")
    older.install("Net_Dist", {"net": "net_package"}, version="1.0")
    plugin = only(Registry.discover([str(site.folder), str(older.folder)]))
    assert (plugin.status, plugin.version) == ("ok", "2.0")


def test_strangers_with_damaged_metadata_do_no_harm(site) -> None:
    site.package("net_package")
    site.install("net-dist", {"net": "net_package"})
    for name, content in (("empty", b""), ("binary", b"zoo.\xff\xfe\x00"), ("torn", b"[zoo.architectures\nx")):
        info = site.folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_bytes(content)
    assert [plugin.name for plugin in site.registry().plugins] == ["net"]


class TestClash:
    @pytest.fixture(autouse=True)
    def two_of_one_name(self, site) -> None:
        site.package("net_package")
        site.install("first-dist", {"net": "net_package", "other": "net_package"})
        site.install("second-dist", {"net": "net_package"})

    def test_two_distributions_of_one_name_are_an_error_that_lists_both(self, site) -> None:
        registry = site.registry()
        statuses = {(plugin.distribution, plugin.name): plugin.status for plugin in registry.plugins}
        assert statuses == {
            ("first-dist", "net"): "clash",
            ("second-dist", "net"): "clash",
            ("first-dist", "other"): "ok",
        }
        with pytest.raises(PluginError, match=r"first-dist/net, second-dist/net.*ZOO_DISABLE=second-dist/net"):
            registry.get("architecture", "net")

    @pytest.mark.parametrize("disabled", ["second-dist", "second-dist/net", "Second_Dist, whatever"])
    def test_disabling_one_of_them_resolves_it(self, site, monkeypatch: pytest.MonkeyPatch, disabled: str) -> None:
        monkeypatch.setenv("ZOO_DISABLE", disabled)
        assert site.registry().get("architecture", "net").distribution == "first-dist"


def test_one_distribution_that_claims_a_name_twice_clashes_with_itself(site) -> None:
    site.package("net_package")
    site.install("net-dist", {"net": "net_package", "net ": "net_package:other"})
    assert {plugin.status for plugin in site.registry().plugins} == {"clash"}


def test_a_disabled_plugin_is_a_row_that_cannot_be_used(site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_DISABLE", "net")
    site.package("net_package")
    site.install("net-dist", {"net": "net_package"})
    registry = site.registry()
    assert only(registry).status == "disabled"
    with pytest.raises(PluginError, match=r"'net' of net-dist 1\.0 can't be used \(disabled\): ZOO_DISABLE names it"):
        registry.get("architecture", "net")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nowhere", "its package 'nowhere' is not importable. Was it installed? A single module is named in "),
        ("nowhere.inner", 'pyproject.toml: py-modules = ["nowhere"]'),
        ("net package", "its entry point must be module or module:object. Received: 'net package'"),
        ("net_package:", "its entry point must be module or module:object"),
        (":thing", "its entry point must be module or module:object"),
    ],
)
def test_what_cannot_be_imported_is_broken(site, value: str, reason: str) -> None:
    site.install("net-dist", {"net": value})
    plugin = only(site.registry())
    assert plugin.status == "broken"
    assert reason in plugin.reason
    with pytest.raises(PluginError, match=r"net-dist 1\.0 can't be used(.|\n)*pip uninstall net-dist"):
        site.registry().get("architecture", "net")


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("api = ", "its card zoo.toml is not valid TOML"),
        ("api = 'one'", "`api` must be an integer"),
        ("[architecture.net]\nsummary = 'x'", "unknown table [architecture]"),
        ("[architectures.net]\nsumary = 'x'", "unknown key 'sumary'. Did you mean 'summary'?"),
        ("[architectures.net]\nparameters = 'many'", "parameters has the wrong type. Received: 'many'"),
    ],
)
def test_a_broken_card_makes_a_broken_plugin(site, card: str, reason: str) -> None:
    site.package("net_package", card=card)
    site.install("net-dist", {"net": "net_package"})
    plugin = only(site.registry())
    assert plugin.status == "broken"
    assert reason in plugin.reason


def test_a_broken_card_of_one_name_leaves_the_others(site) -> None:
    site.package("nets", card=CARD + "[architectures.bad]\nsize = 'large'\n")
    site.install("nets", {"net": "nets", "bad": "nets"})
    assert {plugin.name: plugin.status for plugin in site.registry().plugins} == {"net": "ok", "bad": "broken"}


def test_a_plugin_for_another_api_is_incompatible(site) -> None:
    site.package("net_package", card="api = 2\n[architectures.net]\nanything = 1\n")
    site.install("net-dist", {"net": "net_package"})
    plugin = only(site.registry())
    assert (plugin.status, plugin.reason) == ("incompatible", "needs api 2; this zoo has api 1")


class TestUnknownNames:
    @pytest.fixture
    def registry(self, site) -> Registry:
        site.package("things")
        site.install("nets", {"vgg16": "things", "cnn": "things"})
        site.install("sets", {"mnist": "things"}, group="zoo.datasets")
        return site.registry()

    def test_the_nearest_name_is_suggested(self, registry: Registry) -> None:
        with pytest.raises(UsageError, match=r"no architecture 'vgg61'\. Did you mean 'vgg16'\? Installed: cnn, vgg16"):
            registry.get("architecture", "vgg61")

    def test_names_are_exact(self, registry: Registry) -> None:
        with pytest.raises(UsageError, match="Did you mean 'vgg16'"):
            registry.get("architecture", "vgg1")

    def test_a_name_of_the_other_kind_is_recognised(self, registry: Registry) -> None:
        with pytest.raises(UsageError, match="'mnist' is a data set: zoo train ARCH DATASET"):
            registry.get("architecture", "mnist")
        with pytest.raises(UsageError, match="'cnn' is an architecture"):
            registry.get("dataset", "cnn")


class TestLoading:
    def test_a_module_or_an_object_in_one_carries_the_hooks(self, site) -> None:
        site.package("net_package", init="thing = 'the object'")
        site.install("net-dist", {"module": "net_package", "object": "net_package:thing"})
        module, thing = site.registry().plugins
        assert module.load().thing == "the object"
        assert thing.load() == "the object"

    @pytest.mark.parametrize("init", ["import nonsense_that_is_missing", "1 / 0", "raise SystemExit(3)"])
    def test_a_failing_import_names_plugin_distribution_version_and_remedy(self, site, init: str) -> None:
        site.package("net_package", init=init)
        site.install("net-dist", {"net": "net_package"}, version="2.1")
        with pytest.raises(PluginError) as caught:
            site.registry().get("architecture", "net").load()
        message = str(caught.value)
        assert "architecture 'net' of net-dist 2.1 can't be imported (net_package)" in message
        assert "ZOO_DISABLE=net " in message
        assert "-m pip uninstall net-dist" in message

    def test_a_missing_object_is_a_failing_import(self, site) -> None:
        site.package("net_package")
        site.install("net-dist", {"net": "net_package:absent"})
        with pytest.raises(PluginError, match="AttributeError"):
            site.registry().get("architecture", "net").load()


class TestThisRepository:
    def test_what_we_ship_is_usable(self) -> None:
        shipped = [plugin for plugin in Registry.discover().plugins if plugin.distribution == "image-model-zoo"]
        assert {plugin.name for plugin in shipped} >= {"cnn", "cnn-5x5", "fc-keras", "fc-tf", "vgg16", "mnist"}
        assert [plugin.reason for plugin in shipped if plugin.status != "ok"] == []
        assert [plugin.name for plugin in shipped if not plugin.facts.summary] == []
