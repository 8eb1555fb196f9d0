"""First party passes the conformance suite: whatever is in the registry, deep networks at a fraction of their width."""

from __future__ import annotations

import json
import runpy

import pytest

from zoo.cli import main
from zoo.deprecation import ZooDeprecation, deprecation, gone
from zoo.registry import Plugin, Registry
from zoo.removal import removal
from zoo.testing import Conformance, checks_of, conformance
from zoo.testing.architecture import BUILD
from zoo.testing.checks import where

DEEP = 2_000_000  # parameters
OWN = [plugin for plugin in Registry.discover().plugins if plugin.distribution == "image-model-zoo"]


def is_deep(plugin: Plugin) -> bool:
    return (plugin.facts.parameters or 0) > DEEP


def case(plugin: Plugin):
    return pytest.param(plugin, marks=[pytest.mark.deep] * is_deep(plugin), id=plugin.name)


@pytest.mark.parametrize("plugin", [case(plugin) for plugin in OWN])
def test_a_first_party_plugin_passes_every_check(plugin: Plugin) -> None:
    narrow = {"width": 0.125} if is_deep(plugin) and "width" in plugin.facts.options else {}
    found = list(conformance(plugin, options=narrow).outcomes())
    assert [str(outcome) for outcome in found if outcome.state == "failed"] == []


class TestTheCommand:
    GOOD = """
from zoo import hookimpl
@hookimpl
def zoo_run_started(run):
    pass
"""

    NETWORK = "import keras\nfrom zoo import hookimpl\n@hookimpl\ndef zoo_build(spec):\n    {}\n"

    def test_prints_a_row_per_check_and_ends_well(self, site, capsys) -> None:
        site.package("watch_package", init=self.GOOD)
        site.install("their-dist", {"watch": "watch_package"}, group="zoo.plugins")
        assert main(["check", "watch"]) == 0
        out = capsys.readouterr().out
        assert "plugin 'watch' of their-dist 1.0" in out
        assert "ok       hooks" in out
        assert "skipped  card-name                 it has no card" in out
        assert "6 ok, 0 failed, 2 skipped" in out

    def test_ends_with_3_and_says_what_was_found_and_how_to_mend_it(self, site, capsys) -> None:
        site.package("watch_package", init=self.GOOD.replace("(run)", "(runs)"))
        site.install("their-dist", {"watch": "watch_package"}, group="zoo.plugins")
        assert main(["check", "watch"]) == 3
        out = capsys.readouterr().out
        assert (
            "found: plugin 'watch' of their-dist 1.0: zoo_run_started has no argument 'runs'. It may take: run" in out
        )
        assert "remedy: correct the name" in out

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("vgg16", "--set", "options.widht=0.5"), "vgg16 has no option 'widht'. Did you mean 'width'? It has: "),
            (("vgg16", "--set", "widht=0.5"), "vgg16 has no option 'widht'. Did you mean 'width'? It has: "),
            (("mnist", "--set", "width=1"), "--set is an option of an architecture, and mnist is none"),
            (("cnn", "--source", "."), "--source says where a data set lies, and cnn is none"),
            (("folder", "--source", "nowhere"), "Received: nowhere, which does not exist"),
            (("vgg16", "--set", "options.width=99"), "option width must be a number from 0.01 to 4.0. Received: 99"),
            (("mnist", "--source", "."), "mnist ships with the zoo and takes no --source"),
        ],
    )
    def test_what_is_asked_wrongly_is_no_fault_of_the_plugin(self, arguments, says, capsys) -> None:
        assert main(["check", *arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert says in err

    def test_a_source_without_its_data_is_no_fault_of_the_data_set(self, tmp_path, capsys) -> None:
        assert main(["check", "folder", "--source", str(tmp_path)]) == 4
        out, err = capsys.readouterr()
        assert out == ""
        assert str(tmp_path) in err

    def test_a_card_without_options_has_none(self, site, capsys) -> None:
        site.package("net_package", init="", card="api = 1\n[architectures.net]\nsummary = 'A net'\n")
        site.install("their-dist", {"net": "net_package"})
        assert main(["check", "net", "--set", "width=1"]) == 2
        assert "net has no option 'width'. It has: none" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("body", "found", "remedy"),
        [
            ("keras.Sequential([])", "zoo_build returned None", "return the network: the `return` is missing"),
            ("return keras.layers.Flaten()", "no attribute 'Flaten' ({package}, line 5)", "mend that line"),
            (
                "raise ValueError('no')",
                "ValueError: no ({package}, line 5)",
                "look at that line; if it is right, build",
            ),
        ],
    )
    def test_a_network_that_is_not_built_is_told_by_its_cause(self, site, body, found, remedy) -> None:
        checks = self.network(site, body)
        outcome = checks.outcome("builds")
        assert (outcome.state, outcome.remedy[: len(remedy)]) == ("failed", remedy)
        assert found.format(package=checks.subject.plugin.folder / "__init__.py") in outcome.detail

    def network(self, site, body: str, card: str = "", more: str = "") -> Conformance:
        """The checks of a network whose `zoo_build` has this body."""
        site.package("net_package", init=self.NETWORK.format(body) + more, **({"card": card} if card else {}))
        site.install("their-dist", {"net": "net_package"})
        return conformance(site.registry().find("architecture", "net"))

    LAYERS = "[keras.Input((spec.height, spec.width, spec.channels)), keras.layers.Flatten(), keras.layers.Dense({})]"

    def test_what_hangs_on_a_failure_is_not_failed_again(self, site, capsys) -> None:
        checks = self.network(site, f"return keras.Sequential({self.LAYERS.format(10)})")
        found = list(checks.outcomes())
        assert [outcome.check.name for outcome in found if outcome.state == "failed"] == ["logits-shape"]
        hanging = [outcome for outcome in found if outcome.cause]
        assert {outcome.detail for outcome in hanging} == {"not checked, because logits-shape failed"}
        assert {"logits-finite", "overfits", "card-parameters"} <= {outcome.check.name for outcome in hanging}
        assert main(["check", "net"]) == 3
        out = capsys.readouterr().out
        assert out.count("not checked, because") == 1
        assert "skipped  not checked, because logits-shape failed: logits-dtype, logits-finite" in out

    def test_constant_sizes_are_told_as_such_where_the_network_is_first_called(self, site) -> None:
        layers = self.LAYERS.format("spec.classes").replace("spec.height, spec.width, spec.channels", "28, 28, 1")
        outcome = self.network(site, f"return keras.Sequential({layers})").outcome("variables")
        assert outcome.detail.startswith("called with images [16, 16, 16, 1]: ValueError")
        assert "\x1b" not in outcome.detail
        assert outcome.remedy == BUILD

    def test_what_is_raised_while_tensorflow_traces_is_told_with_its_line(self, site) -> None:
        more = """
import tensorflow as tf
class Net(tf.Module):
    def __init__(self, spec):
        self.w = tf.Variable(tf.zeros([spec.height * spec.width * spec.channels, spec.classes]))
    def __call__(self, images, training=False):
        if images.shape[0] is None:
            raise ValueError("no batch")
        return tf.reshape(images, [-1, self.w.shape[0]]) @ self.w
"""
        checks = self.network(site, "return Net(spec)", more=more)
        module = checks.subject.plugin.folder / "__init__.py"
        assert checks.outcome("any-batch").detail == f"ValueError: no batch ({module}, line 13)"

    def test_small_logits_that_are_positive_by_chance_are_no_probabilities(self, site) -> None:
        layers = self.LAYERS.format("spec.classes, kernel_initializer='zeros', bias_initializer=Near(spec.seed)")
        body = f"return keras.Sequential({layers})"
        more = """
class Near(keras.initializers.Initializer):
    def __init__(self, seed):
        self.seed = seed
    def __call__(self, shape, dtype=None):
        return keras.ops.arange(shape[0], dtype="float32") / 20 + (0.1 if self.seed == 1 else -0.3)
"""
        assert self.network(site, body, more=more).outcome("logits-not-probabilities").state == "ok"

    def test_each_remedy_fits_what_was_found(self, site) -> None:
        body = f"return keras.Sequential({self.LAYERS.format('spec.classes')})"
        checks = self.network(site, body, "api = 1\n[architectures.net]\nsize = 28\n")
        assert checks.outcome("card-name").remedy == 'write summary = "..." below [architectures.net] in zoo.toml'
        bare = self.NETWORK.format(body).replace("@hookimpl\n", "")
        site.package("bare_package", init=bare)
        site.install("bare-dist", {"bare": "bare_package"})
        outcome = conformance(site.registry().find("architecture", "bare")).outcome("hooks")
        assert outcome.detail == "zoo_build lacks @hookimpl: it is never called"
        assert outcome.remedy.startswith("write @hookimpl above it")
        remedies = {check.name: check.remedy for check in checks_of("architecture")}
        assert remedies["channels-1"].endswith("channels = [3]")
        assert remedies["channels-3"].endswith("channels = [1]")

    def test_unseeded_weights_are_told_once(self, site) -> None:
        drawn = "spec.classes, kernel_initializer=lambda shape, dtype=None: np.random.default_rng().normal(size=shape)"
        body = f"import numpy as np; return keras.Sequential({self.LAYERS.format(drawn)})"
        checks = self.network(site, body)
        assert checks.outcome("seed-same").detail.endswith("/kernel first")
        assert checks.outcome("resumes").cause == "seed-same"

    def test_builds_of_other_sizes_are_told_as_such(self, site) -> None:
        layers = self.LAYERS.format("spec.classes").replace("Flatten(), ", "Flatten(), *more, ")
        body = f"BUILT.append(1); more = [keras.layers.Dense(3) for _ in BUILT]; return keras.Sequential({layers})"
        detail = self.network(site, body, more="BUILT = []\n").outcome("seed-same").detail
        assert detail.startswith("two builds with seed 1 have ")
        assert detail.endswith(" variables")

    def test_an_import_that_fails_is_told_with_its_line(self, site) -> None:
        checks = self.network(site, "pass", more="from keras import layer\n")
        assert checks.outcome("imports").detail.endswith(f"({checks.subject.plugin.folder / '__init__.py'}, line 6)")

    def test_a_data_set_that_forgets_to_return_is_told_so(self, site) -> None:
        site.package("data_package", init="from zoo import hookimpl\n@hookimpl\ndef zoo_examples(source):\n    pass\n")
        site.install("their-dist", {"data": "data_package"}, group="zoo.datasets")
        outcome = conformance(site.registry().find("dataset", "data")).outcome("describes")
        assert (outcome.state, outcome.detail) == ("failed", "zoo_examples returned None")

    @pytest.mark.parametrize("folder", ["lib/python3.11/site-packages", "keras"])
    def test_the_line_is_found_wherever_a_plugin_is_installed(self, folder, tmp_path) -> None:
        module = tmp_path / folder / "my_net.py"
        module.parent.mkdir(parents=True)
        module.write_text("import json\n\njson.loads('nothing')\n")
        with pytest.raises(ValueError, match="Expecting value") as caught:
            runpy.run_path(str(module))
        assert where(caught.value) == f" ({module}, line 3)"

    @pytest.mark.parametrize(("file", "state"), [("minst", "skipped"), ("mnist", "ok"), ("any", "ok")])
    def test_a_recipe_for_a_data_set_that_is_not_there_is_told_with_the_nearest(self, site, file, state) -> None:
        site.package("net_package", **{file: "[net.quick]\nepochs = 3\n"})
        site.install("their-dist", {"net": "net_package"})
        outcome = conformance(site.registry().find("architecture", "net")).outcome("recipes")
        assert outcome.state == state
        told = "recipes/minst.toml is for the data set 'minst', which is not installed here. Did you mean 'mnist'?"
        assert (told in outcome.detail) is (state == "skipped")

    def test_json_has_every_check(self, site, capsys) -> None:
        site.install("their-dist", {"watch": "nowhere"}, group="zoo.plugins")
        assert main(["check", "watch", "--json"]) == 3
        answer = json.loads(capsys.readouterr().out)
        states = {check["name"]: check["state"] for check in answer["checks"]}
        assert (states["listed"], states["hooks"]) == ("failed", "skipped")

    def test_an_unknown_name_suggests_the_nearest(self, capsys) -> None:
        assert main(["check", "cn"]) == 2
        assert "Did you mean 'cnn'?" in capsys.readouterr().err

    def test_plugins_check_imports_each_and_names_the_broken_with_the_line_that_removes_it(self, site, capsys) -> None:
        site.package("watch_package", init="1 / 0")
        site.install("their-dist", {"watch": "watch_package"}, group="zoo.plugins")
        assert main(["plugins"]) == 0
        capsys.readouterr()
        assert main(["plugins", "--check"]) == 3
        out = capsys.readouterr().out
        assert "watch of their-dist 1.0 is broken" in out
        assert "ZeroDivisionError" in out
        assert removal("their-dist") in out


class TestRemoval:
    def test_pip_unless_something_else_made_the_environment(self, tmp_path) -> None:
        assert removal("net", tmp_path, "/env/bin/python") == "/env/bin/python -m pip uninstall net"
        assert removal("net", tmp_path, "/my env/python") == "'/my env/python' -m pip uninstall net"

    def test_pipx(self, tmp_path) -> None:
        (tmp_path / "pipx_metadata.json").write_text(json.dumps({"main_package": {"package": "image-model-zoo"}}))
        assert removal("net", tmp_path) == "pipx uninject image-model-zoo net"

    def test_an_environment_of_uv(self, tmp_path) -> None:
        (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.8.0\n")
        assert removal("net", tmp_path, "/env/python") == "uv pip uninstall --python /env/python net"

    def test_a_tool_of_uv(self, tmp_path) -> None:
        names = ["image-model-zoo", "net", "other"]
        lines = ", ".join(f'{{ name = "{name}" }}' for name in names)
        (tmp_path / "uv-receipt.toml").write_text(f"[tool]\nrequirements = [{lines}]\n")
        assert removal("net", tmp_path) == "uv tool install --force image-model-zoo --with other"

    def test_uv_keeps_extras_and_versions(self, tmp_path) -> None:
        lines = '{ name = "image-model-zoo", extras = ["cuda", "docs"], specifier = "==2.1" }, { name = "zoo-b" }'
        (tmp_path / "uv-receipt.toml").write_text(f"[tool]\nrequirements = [{lines}]\n")
        assert removal("Zoo_B", tmp_path) == "uv tool install --force 'image-model-zoo[cuda,docs]==2.1'"

    def test_a_receipt_that_cant_be_read_is_taken_for_the_zoos_own(self, tmp_path) -> None:
        (tmp_path / "uv-receipt.toml").write_text("not TOML")
        assert removal("net", tmp_path) == "uv tool install --force image-model-zoo"

    def test_the_zoo_is_not_removed_for_a_plugin_of_its_own(self, tmp_path) -> None:
        assert removal("image-model-zoo", tmp_path) == ""
        (plugin,) = [plugin for plugin in OWN if plugin.name == "cnn"]
        assert plugin.remedy == "Disable it: ZOO_DISABLE=cnn"


class TestDeprecation:
    def test_an_old_name_works_and_warns_for_one_minor_release(self, monkeypatch) -> None:
        import zoo

        monkeypatch.setitem(zoo._DEPRECATED, "fit", ("0.2", "train"))
        with pytest.warns(
            ZooDeprecation, match=r"zoo.fit is deprecated since zoo 0.2 and gone in zoo 0.3: use zoo.train"
        ):
            assert zoo.fit is zoo.train

    def test_a_deprecated_argument_of_a_hook_warns_at_the_plugins_own_line(self, site) -> None:
        import pluggy

        from zoo.hookspecs import hookspec

        class Specs:
            @hookspec(warn_on_impl_args={"network": deprecation("network", "0.2", "model")})
            def zoo_visualize(self, model, network):
                """Draw."""

        site.package("old_package", init="from zoo import hookimpl\n@hookimpl\ndef zoo_visualize(network):\n    pass\n")
        import old_package

        manager = pluggy.PluginManager("zoo")
        manager.add_hookspecs(Specs)
        with pytest.warns(ZooDeprecation, match="use model") as caught:
            manager.register(old_package)
        assert caught[0].filename == old_package.__file__

    def test_nothing_is_overdue(self) -> None:
        import zoo

        present = tuple(int(part) for part in zoo.__version__.split(".")[:2])
        for since, _ in zoo._DEPRECATED.values():
            assert present < tuple(int(part) for part in gone(since).split("."))
