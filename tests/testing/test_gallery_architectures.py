"""A gallery of wrong architectures: each is a right one with one fault, and is caught by the check meant for it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

import pytest

from zoo import testing
from zoo.testing import ArchitectureSuite, checks_of, conformance

RIGHT = """
import keras
import numpy as np
import tensorflow as tf

from zoo import Figure, History, defaults, hookimpl


@hookimpl
def zoo_build(spec):
    inputs = keras.Input((spec.height, spec.width, spec.channels))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(32, activation="relu")(x)
    outputs = keras.layers.Dense(spec.classes)(x)
    return keras.Model(inputs, outputs)
"""
RAW = """
import tensorflow as tf

from zoo import hookimpl


class Net(tf.Module):
    def __init__(self, spec):
        super().__init__()
        self.inputs = spec.height * spec.width * spec.channels
        self.w1 = self.draw(spec, 0, [self.inputs, 32])
        self.b1 = tf.Variable(tf.zeros([32]), name="b1")
        self.w2 = self.draw(spec, 1, [32, spec.classes])

    def draw(self, spec, layer, shape):
        seed = tf.constant([spec.seed, layer])
        return tf.Variable(tf.random.stateless_normal(shape, seed, stddev=(2 / shape[0]) ** 0.5), name=f"w{layer}")

    def __call__(self, images, training=False):
        x = tf.reshape(images, [-1, self.inputs]) / 255.0
        return tf.nn.relu(x @ self.w1 + self.b1) @ self.w2


@hookimpl
def zoo_build(spec):
    return Net(spec)
"""
CARD = "api = 1\n[architectures.net]\nsummary = 'A net'\n"
HOOK = "\n@hookimpl\ndef "


@dataclass(frozen=True)
class Wrong:
    """`change` is (old, new) on the code of a right plugin, `more` is added at its end."""

    check: str
    fault: str
    change: tuple[str, str] = ("", "")
    more: str = ""
    card: str = CARD
    base: str = RIGHT
    recipes: dict[str, str] = field(default_factory=dict)
    value: str = "net_package"

    @property
    def code(self) -> str:
        assert self.change[0] in self.base
        old, new = self.change
        code = self.base.replace(old, new, 1) if old else self.base
        return code + textwrap.dedent(self.more)


DENSE = "outputs = keras.layers.Dense(spec.classes)(x)"
RETURN = "return keras.Model(inputs, outputs)"
RESCALE = "x = keras.layers.Rescaling(1 / 255)(inputs)"
FLATTEN = "x = keras.layers.Flatten()(x)"
TRAIN = HOOK + "zoo_train(model, data, recipe, run):\n"
LOOP = (
    TRAIN
    + """
    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    {restore}
    for step in range(done, 60):
        with tf.GradientTape() as tape:
            logits = model(tf.cast(data.train.take(), tf.float32), training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(data.train.labels, logits))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        run.log(step, loss=float(loss))
        stopping = {stop}
        if stopping or step == 59:
            state = {{str(index): np.asarray(variable) for index, variable in enumerate(variables)}}
            run.checkpoint(step + 1, state | {{"done": np.array(step + 1)}})
        if stopping:
            break
    return run.history
"""
)
RESTORE = """state = run.restore()
    done = int(state["done"]) if state else 0
    for index, variable in enumerate(variables if state else ()):
        variable.assign(state[str(index)])"""

WRONG = [
    Wrong("listed", "its module is not in the wheel", value="another_package"),
    Wrong("listed", "it was written for another zoo", card="api = 2\n"),
    Wrong("listed", "a key of its card is misspelt", card=CARD + "sumary = 'x'\n"),
    Wrong(
        "card-name", "its card has the name of the module", card=CARD.replace("architectures.net", "architectures.n_t")
    ),
    Wrong("card-name", "its card says nothing", card="api = 1\n[architectures.net]\nsize = 20\n"),
    Wrong("imports", "it needs a package that is not there", more="import a_package_that_is_not_there\n"),
    Wrong("import-output", "it greets", more="print('thank you for using net')\n"),
    Wrong("import-output", "it warns", more="import warnings\nwarnings.warn('net is experimental', stacklevel=1)\n"),
    Wrong(
        "import-network",
        "it looks for a newer version of itself",
        more="""
        import urllib.request
        try:
            urllib.request.urlopen("http://localhost:1/version", timeout=1)
        except OSError:
            pass
        """,
    ),
    Wrong("import-state", "it seeds everything", more="keras.utils.set_random_seed(42)\n"),
    Wrong("import-state", "it sets the dtype policy", more="keras.config.set_dtype_policy('mixed_bfloat16')\n"),
    Wrong(
        "import-state", "it sets an environment variable", more="import os\nos.environ['TF_DETERMINISTIC_OPS'] = '1'\n"
    ),
    Wrong("hooks", "a hook lacks its decorator", more="def zoo_predict(model, images):\n    return None\n"),
    Wrong("hooks", "a hook is misspelt", more="def zoo_visualise(model):\n    return []\n"),
    Wrong("hooks", "a hook that does not exist is marked", more=HOOK + "zoo_score(model):\n    return 1\n"),
    Wrong("hooks", "an argument is misspelt", more=HOOK + "zoo_visualize(network):\n    return []\n"),
    Wrong("hooks", "it has a data set's hook", more=HOOK + "zoo_examples(source):\n    return None\n"),
    Wrong("recipes", "a key is misspelt", recipes={"mnist": "[net.quick]\nepoch = 3\n"}),
    Wrong("recipes", "a value makes no sense", recipes={"mnist": "[net.quick]\nlabel_smoothing = 1.5\n"}),
    Wrong("recipes", "it belongs to a name that does not exist", recipes={"any": "[nets.quick]\nepochs = 3\n"}),
    Wrong(
        "recipes", "it sets an option that the card does not name", recipes={"any": "[net.book]\noptions.depth = 3\n"}
    ),
    Wrong(
        "builds", "zoo_build forgets to return", ("return keras.Model(inputs, outputs)", "keras.Model(inputs, outputs)")
    ),
    Wrong("builds", "zoo_build raises", ("return keras.Model", "assert spec.weights\n    return keras.Model")),
    Wrong(
        "variables",
        "the network is built when it is first called",
        (
            "return keras.Model(inputs, outputs)",
            "return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(spec.classes)])",
        ),
    ),
    Wrong("logits-shape", "logits have a dimension too many", (DENSE, DENSE + "[:, None]")),
    Wrong("logits-shape", "it keeps ImageNet's classes", (DENSE, "outputs = keras.layers.Dense(1000)(x)")),
    Wrong(
        "logits-dtype",
        "logits are float64",
        (DENSE, DENSE.replace("(x)", "(x)\n    outputs = keras.ops.cast(outputs, 'float64')")),
    ),
    Wrong("logits-finite", "it takes the logarithm of 0", (FLATTEN, "x = keras.ops.log(keras.layers.Flatten()(x))")),
    Wrong(
        "logits-not-probabilities",
        "it ends with a softmax",
        (DENSE, DENSE.replace("classes)", "classes, activation='softmax')")),
    ),
    Wrong(
        "logits-not-probabilities",
        "it ends with a sigmoid",
        (DENSE, DENSE.replace("classes)", "classes, activation='sigmoid')")),
    ),
    Wrong("any-batch", "the batch size is a constant", ("[-1, self.inputs]", "[16, self.inputs]"), base=RAW),
    Wrong(
        "size-smallest",
        "it halves the image further than the card says",
        (FLATTEN, "x = keras.layers.MaxPooling2D(4)(x)\n    " + FLATTEN),
    ),
    Wrong(
        "size-default",
        "it takes no image as large as the card says",
        (FLATTEN, FLATTEN + "\n    assert spec.height < 40"),
        card=CARD + "size = 64\nmin_size = 8\n",
    ),
    Wrong("size-odd", "it swaps height and width", ("(spec.height, spec.width,", "(spec.width, spec.height,")),
    Wrong(
        "size-odd",
        "it takes even sizes only",
        (FLATTEN, FLATTEN + "\n    assert spec.height % 2 == 0"),
        card=CARD + "min_size = 8\n",
    ),
    Wrong(
        "channels-1",
        "it takes RGB alone, and the card says both",
        ("spec.channels))", "3))"),
        card=CARD + "channels = [3, 1]\n",
    ),
    Wrong("channels-3", "it takes grey alone, and has no card", ("spec.channels))", "1))"), card=""),
    Wrong(
        "classes-2",
        "two classes get one logit",
        (DENSE, DENSE.replace("spec.classes", "spec.classes if spec.classes > 2 else 1")),
    ),
    Wrong(
        "classes-1000",
        "it has a hundred classes at most",
        (DENSE, DENSE.replace("spec.classes", "min(spec.classes, 100)")),
    ),
    Wrong("card-parameters", "the card counts parameters of another size", card=CARD + "parameters = 1234\n"),
    Wrong(
        "card-options",
        "the card's default is not the code's",
        ("Dense(32", "Dense(spec.options.get('hidden', 32)"),
        card=CARD + "[architectures.net.options]\nhidden = 64\n",
    ),
    Wrong(
        "seed-same",
        "weights are drawn from an unseeded generator",
        (
            RETURN,
            """model = keras.Model(inputs, outputs)
    random = np.random.default_rng()
    model.set_weights([random.normal(size=weight.shape, scale=0.1) for weight in model.get_weights()])
    return model""",
        ),
    ),
    Wrong("seed-other", "it seeds by itself", ("    inputs =", "    keras.utils.set_random_seed(0)\n    inputs =")),
    Wrong(
        "build-state",
        "it sets the dtype policy",
        ("    inputs =", "    keras.config.set_dtype_policy('float32')\n    inputs ="),
    ),
    Wrong(
        "build-state",
        "it sets the image format",
        ("    inputs =", "    keras.config.set_image_data_format('channels_first')\n    inputs ="),
        card=CARD,
    ),
    Wrong(
        "two-instances",
        "its hidden layer is made once and kept",
        (FLATTEN, "x = shared()(keras.layers.GlobalAveragePooling2D()(x))"),
        more="""
        import functools

        @functools.cache
        def shared():
            return keras.layers.Dense(8, name="shared")
        """,
    ),
    Wrong(
        "deterministic",
        "noise stays on",
        (FLATTEN, FLATTEN + "\n    x = Noise()(x)"),
        more="""
        class Noise(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.seeds = keras.random.SeedGenerator(1)

            def call(self, x):
                return x + keras.random.normal(keras.ops.shape(x), stddev=0.1, dtype=x.dtype, seed=self.seeds)
        """,
    ),
    Wrong(
        "batch-independent",
        "the normalisation uses the batch's statistics",
        (FLATTEN, "x = x - keras.ops.mean(x, axis=0, keepdims=True)\n    " + FLATTEN),
    ),
    Wrong(
        "own-train-step",
        "its model trains itself",
        ("return keras.Model(", "return Own("),
        more="\nclass Own(keras.Model):\n    def train_step(self, data):\n        return {}\n",
    ),
    Wrong("gradients", "a layer is cut off", (FLATTEN, "x = keras.ops.stop_gradient(keras.layers.Flatten()(x))")),
    Wrong(
        "gradients",
        "a variable is never used",
        (
            RETURN,
            """model = keras.Model(inputs, outputs)
    model.unused = model.add_weight(shape=(2, 2), name="unused")
    return model""",
        ),
    ),
    Wrong("input-scale", "it expects 0..1", (RESCALE, "x = inputs")),
    Wrong(
        "input-scale",
        "it scales twice",
        (RESCALE, RESCALE.replace("(inputs)", "(keras.layers.Rescaling(1 / 255)(inputs))")),
    ),
    Wrong("input-scale", "raw operations expect 0..1", (" / 255.0", ""), base=RAW),
    Wrong("input-scale", "raw operations scale twice", (" / 255.0", " / 255.0 / 255.0"), base=RAW),
    Wrong(
        "overfits",
        "all that it sees goes through one linear unit",
        (
            FLATTEN,
            """x = keras.layers.Dense(1)(keras.ops.mean(x, axis=(1, 2, 3))[:, None])
    outputs = keras.layers.Dense(spec.classes)(x)
    return keras.Model(inputs, outputs)""",
        ),
    ),
    Wrong(
        "history",
        "zoo_train returns a new history",
        more=TRAIN + "    defaults.train(model, data, recipe, run)\n    return History([{'step': 1, 'loss': 0.5}])\n",
    ),
    Wrong("resumes", "zoo_train begins anew", more=LOOP.format(restore="done = 0", stop="run.stopping")),
    Wrong("resumes", "zoo_train can't be stopped", more=LOOP.format(restore=RESTORE, stop="False")),
    Wrong(
        "resumes",
        "zoo_train forgets the optimizer",
        more=LOOP.format(restore=RESTORE, stop="run.stopping").replace(
            "[*model.variables, *optimizer.variables]", "list(model.variables)"
        ),
    ),
    Wrong(
        "restores",
        "a random constant is no variable",
        (
            FLATTEN,
            FLATTEN + "\n    x = x * np.random.default_rng(spec.seed).normal(size=(1, x.shape[-1])).astype('float32')",
        ),
    ),
    Wrong(
        "bfloat16",
        "it loses what is small beside what is large",
        (FLATTEN, "x = keras.layers.Flatten()(x) + 1000.0\n    x = x - 1000.0"),
    ),
    Wrong(
        "bfloat16",
        "its variables are bfloat16",
        ("Dense(32,", "Dense(32, dtype=keras.config.dtype_policy().compute_dtype,"),
    ),
    Wrong(
        "predicts", "zoo_predict gives logits", more=HOOK + "zoo_predict(model, images):\n    return model(images)\n"
    ),
    Wrong(
        "predicts",
        "zoo_predict gives classes",
        more=HOOK + "zoo_predict(model, images):\n    return tf.argmax(model(images), axis=-1)\n",
    ),
    Wrong(
        "litert",
        "it computes in NumPy",
        more=HOOK
        + """zoo_predict(model, images):
    logits = model(images)
    probabilities = tf.numpy_function(lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True), [logits], tf.float32)
    return tf.ensure_shape(probabilities, logits.shape)
""",
    ),
    Wrong(
        "diagram",
        "its figure needs a run",
        more=HOOK + "zoo_visualize(model, run):\n    yield Figure('own', b'<svg/>', 'svg', run.spec.title)\n",
    ),
    Wrong(
        "figures",
        "its figure has no caption",
        more=HOOK + "zoo_visualize(model, run):\n    if run:\n        yield Figure('own', b'<svg/>', 'svg', '')\n",
    ),
    Wrong(
        "figures",
        "its figure is no PNG",
        more=HOOK + "zoo_visualize(model, run):\n    if run:\n        yield Figure('own', b'<svg/>', 'png', 'Own.')\n",
    ),
]


def checked(site, wrong: Wrong):
    files = {"init": wrong.code, **wrong.recipes}
    site.package("net_package", **(files | ({"card": wrong.card} if wrong.card else {})))
    site.install("their-dist", {"net": wrong.value})
    return conformance(site.registry().find("architecture", "net"))


@pytest.mark.parametrize(
    "base", [RIGHT, RAW, RIGHT + LOOP.format(restore=RESTORE, stop="run.stopping")], ids=["keras", "raw", "loop"]
)
def test_the_right_one_passes_every_check(site, base) -> None:
    found = list(checked(site, Wrong("", "", base=base, card=CARD + "[architectures.net.options]\nx = 1\n")).outcomes())
    assert [str(outcome) for outcome in found if outcome.state == "failed"] == []
    assert {outcome.check.name for outcome in found if outcome.state == "skipped"} == {"recipes", "card-parameters"}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.check}: {wrong.fault}")
def test_the_check_that_is_meant_for_it_catches(site, wrong: Wrong) -> None:
    found = checked(site, wrong)
    outcome = found.outcome(wrong.check)
    assert outcome.state == "failed", outcome
    assert outcome.detail
    assert outcome.check.remedy


@pytest.mark.gallery
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.check}: {wrong.fault}")
def test_no_other_check_fails_before_it(site, wrong: Wrong) -> None:
    first = next(outcome for outcome in checked(site, wrong).outcomes() if outcome.state == "failed")
    assert first.check.name == wrong.check


def test_two_distributions_of_one_name_are_not_listed(site) -> None:
    site.package("net_package", init=RIGHT)
    site.install("one", {"net": "net_package"})
    site.install("two", {"net": "net_package"})
    outcome = conformance(site.registry().find("architecture", "net")).outcome("listed")
    assert outcome.state == "failed"
    assert "one/net, two/net" in outcome.detail


def test_every_check_of_an_architecture_has_a_wrong_plugin() -> None:
    assert {wrong.check for wrong in WRONG} == {check.name for check in checks_of("architecture")}
    assert len(WRONG) >= 30


def test_the_suite_has_a_test_per_check() -> None:
    tests = {name for name in dir(ArchitectureSuite) if name.startswith("test_")}
    assert tests == {f"test_{check.name.replace('-', '_')}" for check in testing.checks_of("architecture")}
