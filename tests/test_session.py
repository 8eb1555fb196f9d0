"""The session: one implementation of each working hook, contracts enforced, failures that name the plugin."""

from __future__ import annotations

import logging
import textwrap
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from zoo.errors import DataError, PluginError
from zoo.recipes import Recipe
from zoo.registry import Plugin
from zoo.runs.directory import write_figures
from zoo.session import Session
from zoo.types import Data, Figure, History, Part, Source, Spec, View

SPEC = Spec("net", 8, 8, 1, ("a", "b", "c"))

NET = """
import keras
from zoo import hookimpl

@hookimpl
def zoo_build(spec):
    return keras.Sequential([
        keras.Input((spec.height, spec.width, spec.channels)),
        keras.layers.Flatten(),
        keras.layers.Dense(spec.classes),
    ])
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Write a module and return it as an installed plugin."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def make(code: str, kind: str = "architecture", name: str = "net") -> Plugin:
        module = f"{tmp_path.name.replace('-', '_')}_{len(made)}"
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(code))
        made.append(module)
        return Plugin(name, kind, module, "their-dist", "1.2")

    return make


def empty_data() -> Data:
    part = Part(np.zeros((0, 8, 8, 1), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64), [])
    return Data("set", SPEC.class_names, part, part, part, "", "")


def build_with(plugin, body: str):
    imports = "import keras\nimport tensorflow as tf\nfrom zoo import hookimpl\n"
    code = f"{imports}\n@hookimpl\ndef zoo_build(spec):\n{textwrap.indent(textwrap.dedent(body), '    ')}"
    return Session(plugin(code)).build(SPEC)


def test_a_network_of_ten_lines_is_built(plugin):
    model = Session(plugin(NET)).build(SPEC)
    assert model(np.zeros((5, 8, 8, 1), np.float32)).shape == (5, 3)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_processs_random_state_alone(plugin):
    import random

    session = Session(plugin(NET))
    state = random.getstate()
    first, second = session.build(SPEC), session.build(SPEC)
    other = session.build(Spec("net", 8, 8, 1, ("a", "b", "c"), seed=1))
    assert random.getstate() == state
    assert (np.asarray(first.variables[0]) == np.asarray(second.variables[0])).all()
    assert (np.asarray(first.variables[0]) != np.asarray(other.variables[0])).any()


def test_precision_is_set_around_the_build_and_put_back(plugin):
    import keras

    model = Session(plugin(NET)).build(SPEC, "bfloat16")
    assert model.layers[-1].compute_dtype == "bfloat16"
    assert model.layers[-1].kernel.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return None", "Received: NoneType"),
        ("return 'a network'", "Received: str"),
        (
            "return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(7)])",
            r"logits \[batch, 3\].*Received: shape \(2, 7\)",
        ),
        (
            "return keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])",
            r"float32 images \[2, 8, 8, 1\]",
        ),
        (
            """
            class Late(tf.Module):
                def __call__(self, images, training=False):
                    return tf.zeros((len(images), 3))
            return Late()
            """,
            "variables exist",
        ),
        (
            """
            class Half(tf.Module):
                def __init__(self): self.w = tf.Variable(tf.ones((64, 3)))
                def __call__(self, images, training=False):
                    return tf.cast(tf.reshape(images, (-1, 64)) @ self.w, tf.float16)
            return Half()
            """,
            "Received: float16",
        ),
        (
            """
            class Bad(tf.Module):
                def __init__(self): self.w = tf.Variable(tf.ones((64, 3)))
                def __call__(self, images, training=False):
                    return tf.math.log(-1 - tf.reshape(images, (-1, 64)) @ self.w)
            return Bad()
            """,
            "finite logits",
        ),
        ("return keras.Sequential", r"zoo_build must return a keras.Model.*Received: the class Sequential itself"),
        (
            """
            class Raising(tf.Module):
                def __init__(self): self.w = tf.Variable(tf.ones((64, 3)))
                def __call__(self, images, training=False): return {}["hidden"]
            return Raising()
            """,
            "Received: KeyError: 'hidden'",
        ),
        (
            """
            class Odd(tf.Module):
                def __call__(self, images, training=False): return images
                @property
                def variables(self): raise RuntimeError("not yet")
            return Odd()
            """,
            "RuntimeError: not yet",
        ),
        (
            """
            class Own(keras.Model):
                def train_step(self, data): return {}
            inputs = keras.Input((8, 8, 1))
            return Own(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
            """,
            "zoo_train instead",
        ),
    ],
)
def test_what_breaks_the_contract_of_build_is_refused_with_what_was_received(plugin, body, message):
    with pytest.raises(PluginError, match=message) as caught:
        build_with(plugin, body)
    assert "'net' of their-dist 1.2" in str(caught.value)
    assert "ZOO_DISABLE=net" in str(caught.value)


def test_a_failure_inside_a_plugin_names_it_and_how_to_be_rid_of_it(plugin):
    with pytest.raises(PluginError, match=r"failed in zoo_build: ZeroDivisionError.*\n.*ZOO_DISABLE=net.*their-dist"):
        build_with(plugin, "return 1 / 0")


def test_a_plugin_that_cant_be_imported_is_named(plugin):
    with pytest.raises(PluginError, match=r"their-dist 1\.2 can't be imported"):
        Session(plugin("import nonexistent_package")).build(SPEC)


def test_an_architecture_without_zoo_build_is_refused(plugin):
    with pytest.raises(PluginError, match="does not implement zoo_build"):
        Session(plugin("x = 1")).build(SPEC)


def test_a_misspelt_hook_is_refused(plugin):
    with pytest.raises(PluginError, match="unknown hook zoo_predicts"):
        Session(plugin(NET + "\n@hookimpl\ndef zoo_predicts(model): pass\n")).build(SPEC)


def test_an_observer_that_trains_is_refused_by_name(plugin):
    observer = plugin("from zoo import hookimpl\n@hookimpl\ndef zoo_train(model): pass\n", "plugin", "watcher")
    with pytest.raises(PluginError, match=r"'watcher'.*implements zoo_train, which is not for pl.*\n.*ZOO_DISABLE="):
        Session(plugin(NET), observers=[observer]).build(SPEC)


def test_an_overriding_zoo_train_runs_alone_and_what_it_returns_is_final(plugin):
    code = NET + (
        "\nfrom zoo import History\nCALLS = []\n"
        "@hookimpl\ndef zoo_train(model, recipe):\n"
        "    CALLS.append(recipe.epochs)\n    return History([{'step': 1.0}])\n"
    )
    session = Session(plugin(code))
    history = session.train(session.build(SPEC), empty_data(), Recipe(epochs=7), None)
    assert history == History([{"step": 1.0}])
    assert session.architecture.load().CALLS == [7]


def test_an_overriding_hook_that_returns_nothing_is_an_error_and_core_does_not_step_in(plugin):
    session = Session(plugin(NET + "\n@hookimpl\ndef zoo_train(model): pass\n"))
    with pytest.raises(PluginError, match=r"zoo_train must return a zoo.History. Received: NoneType"):
        session.train(session.build(SPEC), empty_data(), Recipe(), None)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("[]", "a history has a row or more"),
        ("[3]", "a row of the history is a dict of names and numbers. Received: int 3"),
        ("[{'loss': 1.0}]", "each row of the history has a whole number as its step. Received: dict {'loss': 1.0}"),
        ("[{'step': 0.5}]", "each row of the history has a whole number as its step"),
        ("[{'step': 1, 'loss': 'low'}]", "a row of the history holds names and numbers. Received: 'loss': str 'low'"),
        ("[{'step': 2}, {'step': 1}]", "the steps of a history do not go back. Received: step 1 after 2"),
    ],
)
def test_a_history_that_breaks_the_contract_is_refused(plugin, rows, said):
    session = Session(plugin(NET + f"\n@hookimpl\ndef zoo_train(model): return {rows}\n"))
    running = SimpleNamespace(stopping=False)
    with pytest.raises(PluginError) as caught:
        session.train(session.build(SPEC), empty_data(), Recipe(), running)
    assert f"'net' of their-dist 1.2 failed in zoo_train: {said}" in str(caught.value)


def test_a_training_that_is_stopped_before_its_first_row_has_no_history(plugin):
    session = Session(plugin(NET + "\n@hookimpl\ndef zoo_train(model): return []\n"))
    assert session.train(session.build(SPEC), empty_data(), Recipe(), SimpleNamespace(stopping=True)) == []


def test_a_network_that_ends_in_a_softmax_is_warned_of_once(plugin, caplog):
    session = Session(plugin(NET.replace("Dense(spec.classes)", "Dense(spec.classes, activation='softmax')")))
    with caplog.at_level(logging.WARNING, "zoo"):
        session.build(SPEC)
        session.build(SPEC)
        Session(plugin(NET)).build(SPEC)
    assert [record.getMessage() for record in caplog.records] == [
        "architecture 'net' of their-dist 1.2: each row adds up to 1: these look like probabilities; "
        "the network should return logits"
    ]


def test_core_predicts_by_forward_pass_and_softmax(plugin):
    session = Session(plugin(NET))
    model = session.build(SPEC)
    images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 1)).astype(np.float32)
    probabilities = np.asarray(session.predict(model, images))
    logits = np.asarray(model(images))
    expected = np.exp(logits - logits.max(1, keepdims=True))
    assert np.allclose(probabilities, expected / expected.sum(1, keepdims=True), atol=1e-6)


def test_two_sessions_side_by_side_do_not_see_each_other(plugin):
    one = Session(plugin(NET))
    two = Session(plugin(NET.replace("Dense(spec.classes)", "Dense(spec.classes, name='mine')")))
    assert one.build(SPEC).layers[-1].name != "mine"
    assert two.build(SPEC).layers[-1].name == "mine"


DATASET = """
from zoo import DataError, Examples, hookimpl

@hookimpl
def zoo_examples(source):
    {body}
"""


def test_a_data_sets_error_reaches_the_user_as_it_is(plugin):
    missing = plugin(DATASET.format(body="raise DataError('nowhere to be found')"), "dataset", "set")
    with pytest.raises(DataError, match="nowhere to be found"):
        Session(plugin(NET), missing).examples(Source(None, ()))


def test_a_data_set_that_returns_something_else_is_refused(plugin):
    wrong = plugin(DATASET.format(body="return [1, 2]"), "dataset", "set")
    with pytest.raises(PluginError, match="Received: list"):
        Session(plugin(NET), wrong).examples(Source(None, ()))


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("('a', 'b'), lambda: iter(()), 'x', None", "count is a whole number. Received: None"),
        (
            "('a', 'b'), lambda: iter(()), None, 0",
            "signature is a text that changes with the source",
        ),
        ("['a', 'b'], lambda: iter(()), 'x', 0", "class_names is a tuple of names. Received: list"),
        ("('a',), lambda: iter(()), 'x', 0", "class_names are two or more, all different. Received: tuple"),
        ("('a', 'a'), lambda: iter(()), 'x', 0", "class_names are two or more, all different. Received: tuple"),
        ("('a', 'b'), iter(()), 'x', 0", "iterate is a function that starts a pass over all. Received: tuple_iterator"),
    ],
)
def test_a_description_that_breaks_the_contract_is_refused_before_anything_is_read(plugin, returned, said):
    wrong = plugin(DATASET.format(body=f"return Examples({returned})"), "dataset", "set")
    with pytest.raises(PluginError) as caught:
        Session(plugin(NET), wrong).examples(Source(None, ()))
    assert f"data set 'set' of their-dist 1.2 failed in zoo_examples: {said}" in str(caught.value)
    assert "ZOO_DISABLE=set" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("yield ('k', 0, None, b'')", "it must give zoo.Example. Received: tuple"),
        ("yield Example(7, 0, None, b'')", "a key is a text, not empty. Received: int 7"),
        ("yield Example('k', 0.9, None, b'')", "from 0 to 1, the last class. Received: float 0.9"),
        ("yield Example('k', '1', None, b'')", "the label of example 'k' is a whole number from 0 to 1"),
        ("yield Example('k', 2, None, b'')", "Received: int 2"),
        (
            "yield Example('k', 0, 'valid', b'')",
            "is 'train', 'validation', 'test' or None. Received: 'valid'",
        ),
        ("yield Example('k', 0, None, 'k.png')", "Received: str 'k.png'. A file is a pathlib.Path"),
        ("for _ in range(2): yield Example('k', 0, None, b'')", "each key comes once. Received: 'k' again"),
        ("yield Example('k', 0, None, b'')", "count is that of all examples. Received: count 2, and 1 examples"),
        ("yield 1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_an_example_that_breaks_the_contract_names_its_data_set(plugin, given, said):
    body = f"def iterate():\n        {given}\n    return Examples(('a', 'b'), iterate, 'x', 2)"
    code = "from zoo import Example\n" + DATASET.format(body=body)
    examples = Session(plugin(NET), plugin(code, "dataset", "set")).examples(Source(None, ()))
    with pytest.raises(PluginError) as caught:
        list(examples.iterate())
    assert "data set 'set' of their-dist 1.2 failed in Examples.iterate: " in str(caught.value)
    assert said in str(caught.value)
    assert "ZOO_DISABLE=set" in str(caught.value)


def test_a_label_may_be_numpys_and_becomes_a_plain_number(plugin):
    body = "return Examples(('a', 'b'), lambda: iter([Example('k', np.uint8(1), None, b'')]), 'x', 1)"
    code = "import numpy as np\nfrom zoo import Example\n" + DATASET.format(body=body)
    (example,) = Session(plugin(NET), plugin(code, "dataset", "set")).examples(Source(None, ())).iterate()
    assert (example.label, type(example.label)) == (1, int)


def test_a_file_that_cant_be_read_is_no_fault_of_the_plugins(plugin):
    body = "def iterate():\n        yield open('/nowhere/at/all')\n    return Examples(('a', 'b'), iterate, 'x', 2)"
    examples = Session(plugin(NET), plugin(DATASET.format(body=body), "dataset", "set")).examples(Source(None, ()))
    with pytest.raises(FileNotFoundError):
        list(examples.iterate())


def test_a_network_that_fails_in_cores_own_prediction_is_named(plugin):
    code = (
        NET
        + """
import tensorflow as tf

class Later(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.ones((64, 3)))
    def __call__(self, images, training=False):
        if len(images) != 2:
            raise RuntimeError("only two")
        return tf.reshape(images, (-1, 64)) @ self.w
"""
    )
    session = Session(plugin(code.replace("def zoo_build", "def zoo_build(spec):\n    return Later()\n\ndef unused")))
    model = session.build(SPEC)
    with pytest.raises(PluginError, match=r"'net' of their-dist 1.2 failed in zoo_predict: RuntimeError: only two\n"):
        session.predict(model, np.zeros((3, 8, 8, 1), np.float32))


def test_a_data_set_is_asked_before_the_architecture_is_imported(plugin):
    set_ = plugin(DATASET.format(body="return Examples(('a', 'b'), lambda: iter(()), 'x', 0)"), "dataset", "set")
    session = Session(plugin("raise RuntimeError('imported too early')"), set_)
    assert session.examples(Source(None, ())).count == 0


OBSERVER = """
from zoo import hookimpl
SEEN = []

@hookimpl
def zoo_evaluated(step, metrics):
    SEEN.append((step, metrics))
    {then}
"""


def test_observers_are_told(plugin):
    observer = plugin(OBSERVER.format(then=""), "plugin", "watcher")
    session = Session(plugin(NET), observers=[observer])
    session.load()
    session.notify("zoo_evaluated", run=None, step=5, metrics={"loss": 1.0})
    assert observer.load().SEEN == [(5, {"loss": 1.0})]


def test_two_names_of_one_observer_are_told_once(plugin):
    observer = plugin(OBSERVER.format(then=""), "plugin", "watcher")
    session = Session(plugin(NET), observers=[observer, replace(observer, name="second")])
    session.load()
    session.notify("zoo_evaluated", run=None, step=5, metrics={})
    assert observer.load().SEEN == [(5, {})]


@pytest.mark.parametrize("error", ["ValueError", "SystemExit"])
def test_an_observer_that_raises_is_logged_with_its_origin_and_stops_nothing(plugin, caplog, error):
    observer = plugin(OBSERVER.format(then=f"raise {error}('no disk')"), "plugin", "watcher")
    session = Session(plugin(NET), observers=[observer])
    session.load()
    with caplog.at_level(logging.WARNING, "zoo"):
        session.notify("zoo_evaluated", run=None, step=5, metrics={})
    assert f"'watcher' of their-dist 1.2 raised in zoo_evaluated: {error}: no disk" in caplog.text


def test_strict_makes_an_observers_error_fatal(plugin):
    observer = plugin(OBSERVER.format(then="raise ValueError('no disk')"), "plugin", "watcher")
    session = Session(plugin(NET), observers=[observer], strict=True)
    session.load()
    with pytest.raises(PluginError, match=r"'watcher' of their-dist 1.2 failed in zoo_evaluated: ValueError: no disk"):
        session.notify("zoo_evaluated", run=None, step=5, metrics={})


def test_a_plugins_figure_replaces_cores_of_the_same_name(plugin):
    code = NET + (
        "\nfrom zoo import Figure\n@hookimpl\ndef zoo_visualize(model):\n"
        "    yield Figure('diagram', b'<svg>mine</svg>', 'svg', 'Mine.')\n    yield Figure('own', b'', 'svg', 'Own.')\n"
    )
    session = Session(plugin(code))
    figures = session.figures(session.build(SPEC), None, None)
    assert figures["diagram"].caption == "Mine."
    assert "own" in figures


DRAWING = (
    NET
    + """
from zoo import Figure, ZooError

@hookimpl
def {hook}(model):
    yield Figure('own', b'<svg/>', 'svg', 'Own.')
    {then}
"""
)

BAD_FIGURES = [
    ("yield 3", "a figure is a zoo.Figure. Received: int 3"),
    (
        "yield Figure('../../mine x/y', b'<svg/>', 'svg', 'A')",
        "a figure's name is letters, digits, '.', '_' and '-'. Received: '../../mine x/y'",
    ),
    ("yield Figure('a', '<svg/>', 'svg', 'A')", "the content of figure 'a' is bytes. Received: str '<svg/>'"),
    ("yield Figure('a', b'', 'exe', 'A')", "the format of figure 'a' is 'svg' or 'png'. Received: 'exe'"),
    ("yield Figure('a', b'', 'svg', None)", "the caption of figure 'a' is text. Received: None"),
    ("raise ZooError('no colours today')", "no colours today"),
    ("raise SystemExit(3)", "SystemExit: 3"),
]


@pytest.mark.parametrize(("then", "said"), BAD_FIGURES)
def test_a_bad_figure_is_reported_with_its_plugin_and_takes_no_other_with_it(plugin, caplog, then, said):
    session = Session(plugin(DRAWING.format(hook="zoo_visualize", then=then)))
    with caplog.at_level(logging.WARNING, "zoo"):
        assert set(session.figures(session.build(SPEC), None, None, View(only=("layers",)))) == {"layers", "own"}
    assert f"architecture 'net' of their-dist 1.2 failed to draw: {said}" in caplog.text


@pytest.mark.parametrize(("then", "said"), BAD_FIGURES)
def test_a_bad_figure_of_a_network_in_training_stops_no_run(plugin, caplog, then, said):
    session = Session(plugin(DRAWING.format(hook="zoo_watch", then=then)))
    with caplog.at_level(logging.WARNING, "zoo"):
        assert set(session.watched(session.build(SPEC), None, 5)) == {"own"}
    assert f"'net' of their-dist 1.2 failed to draw: {said}" in caplog.text


def test_strict_makes_a_bad_figure_fatal(plugin):
    session = Session(plugin(DRAWING.format(hook="zoo_visualize", then="yield 3")), strict=True)
    with pytest.raises(PluginError, match=r"'net' of their-dist 1.2 failed in zoo_visualize: a fig.*\n.*ZOO_DISABLE"):
        session.figures(session.build(SPEC), None, None)


def test_a_figure_that_a_loop_of_its_own_writes_outside_the_run_names_the_plugin(plugin, tmp_path):
    code = NET + (
        "\nfrom zoo import Figure\n@hookimpl\ndef zoo_train(model, run):\n"
        "    run.figure(Figure('../mine', b'<svg/>', 'svg', 'Mine.'))\n"
    )
    session = Session(plugin(code))

    class Drawing:
        def figure(self, figure: Figure) -> None:
            write_figures([figure], tmp_path / "run" / "figures")

    with pytest.raises(PluginError, match=r"'net' of their-dist 1.2 failed in zoo_train: .*Received: '../mine'"):
        session.train(session.build(SPEC), empty_data(), Recipe(), Drawing())
    assert not list(tmp_path.rglob("mine.svg"))
