"""The layer graph: read from models, kept as JSON, shown as a table, folded into stages."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import keras
import pytest
import tensorflow as tf
from keras import layers

from zoo.errors import PluginError, ZooError
from zoo.network.graph import Graph, Node, chain, fold, format_shape, format_table, from_model, layer_table
from zoo.network.stages import stage_of
from zoo.types import Spec


def spec(name: str = "net", **changes: object) -> Spec:
    return Spec(**{"name": name, "height": 8, "width": 8, "channels": 1, "class_names": ("a", "b"), **changes})


def chapter_cnn() -> keras.Model:
    """The chapter's CNN with a scaling layer."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )


def vgg_like() -> keras.Model:
    model = keras.Sequential([keras.Input((16, 16, 3))])
    for block, count in (("block1", 2), ("block2", 3)):
        for number in range(1, count + 1):
            conv = layers.Conv2D(8, 3, padding="same", activation="relu", name=f"{block}_conv{number}")
            model.add(conv)
        model.add(layers.MaxPooling2D(name=f"{block}_pool"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(2, name="predictions"))
    return model


class RawNet(tf.Module):
    """Two layers in raw TensorFlow, as fc-tf is; attributes not in the order of the data."""

    def __init__(self) -> None:
        super().__init__(name="raw")
        self.W2 = tf.Variable(tf.zeros((4, 2)))
        self.b2 = tf.Variable(tf.zeros(2))
        self.W1 = tf.Variable(tf.zeros((64, 4)))
        self.b1 = tf.Variable(tf.zeros(4), trainable=False)

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        hidden = tf.nn.relu(tf.reshape(images, (-1, 64)) @ self.W1 + self.b1)
        return hidden @ self.W2 + self.b2


# reading ----------------------------------------------------------------------------------------------


def test_a_sequential_model_is_a_chain_with_shapes_and_parameters() -> None:
    graph = from_model(chapter_cnn(), spec("cnn", options={"width": 2}))
    assert graph.name == "cnn (width=2)"
    assert graph.parameters == 1_199_882
    assert [(node.kind, node.detail) for node in graph.nodes] == [
        ("input", "Input"),
        ("preprocessing", "Rescale by 1/255"),
        ("convolution", "Conv 3x3, 32 + ReLU"),
        ("convolution", "Conv 3x3, 64 + ReLU"),
        ("pooling", "MaxPool 2x2"),
        ("dropout", "Dropout 0.25"),
        ("reshape", "Flatten"),
        ("dense", "Dense 128 + ReLU"),
        ("dropout", "Dropout 0.5"),
        ("dense", "Dense 10"),
    ]
    assert [node.shape for node in graph.nodes[:3]] == [(28, 28, 1), (28, 28, 1), (26, 26, 32)]
    assert all(len(graph.inputs[node.name]) == 1 for node in graph.nodes[1:])


def test_the_graph_does_not_depend_on_what_the_process_built_before() -> None:
    assert from_model(chapter_cnn(), spec()).to_json() == from_model(chapter_cnn(), spec()).to_json()


def test_shortcuts_operations_shared_layers_and_models_within_models_are_seen() -> None:
    image = keras.Input((8, 8, 1))
    shared = layers.Conv2D(1, 3, padding="same", name="twice")
    once = shared(image)
    twice = shared(once)
    added = once + twice
    inner = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3, name="c"), layers.ReLU()], name="inner")
    scores = layers.Dense(2, name="scores")(layers.Flatten(name="flat")(inner(added)))
    graph = from_model(keras.Model(image, scores), spec())
    assert graph.inputs == {
        "input": (),
        "twice": ("input",),
        "twice (2)": ("twice",),
        "add": ("twice", "twice (2)"),
        "inner/c": ("add",),
        "inner/re_lu": ("inner/c",),
        "flat": ("inner/re_lu",),
        "scores": ("flat",),
    }
    parameters = {node.name: node.parameters for node in graph.nodes}
    assert parameters["twice"] == 10
    assert parameters["twice (2)"] == 0, "shared weights count once"
    assert next(node.kind for node in graph.nodes if node.name == "add") == "merge"


def test_what_training_does_not_change_is_counted_apart() -> None:
    still = layers.Dense(3, name="still")
    model = keras.Sequential([keras.Input((4,)), still, layers.BatchNormalization(), layers.Dropout(0.5)])
    still.trainable = False
    graph = from_model(model, None)
    assert graph.parameters == 15 + 12, "the random state of Dropout is no parameter"
    assert graph.frozen == 15 + 6


def test_layers_off_the_way_to_the_output_are_left_out() -> None:
    image = keras.Input((4,))
    used = layers.Dense(2, name="used")(image)
    layers.Dense(5, name="head_of_another_model")(used)
    assert [node.name for node in from_model(keras.Model(image, used)).nodes] == ["input", "used"]


def test_a_raw_module_shows_its_variables_and_says_that_it_guesses() -> None:
    graph = from_model(RawNet(), spec("fc"))
    assert [(node.name, node.kind, node.detail, node.shape) for node in graph.nodes] == [
        ("input", "input", "Input", (8, 8, 1)),
        ("W1, b1", "dense", "Dense 4", (4,)),
        ("W2, b2", "dense", "Dense 2", (2,)),
    ]
    assert (graph.parameters, graph.frozen) == (64 * 4 + 4 + 4 * 2 + 2, 4)
    assert "no connections" in graph.note


def test_a_module_may_carry_its_own_graph() -> None:
    model = RawNet()
    model.graph = chain("any", Node("image", "input", "Input", (8, 8, 1)), Node("W1", "dense", "Dense 4", (4,)))
    graph = from_model(model, spec("fc-tf"))
    assert graph.name == "fc-tf"
    assert graph.edges == (("image", "W1"),)
    assert not graph.note


def test_a_subclassed_model_lists_its_layers() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = layers.Dense(3, name="hidden")
            self.scores = layers.Dense(2, name="scores")

        def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
            return self.scores(self.hidden(images))

    model = Own()
    model(tf.zeros((1, 4)))
    graph = from_model(model, spec())
    assert [node.name for node in graph.nodes] == ["input", "hidden", "scores"]
    assert graph.parameters == 15 + 8
    assert "creation" in graph.note


# JSON -------------------------------------------------------------------------------------------------


def test_json_gives_the_same_graph_back() -> None:
    graph = from_model(vgg_like(), spec())
    assert Graph.from_json(graph.to_json()) == graph
    assert Graph.from_json(Graph("empty", (), ()).to_json()) == Graph("empty", (), ())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x", "nodes": [{"nome": 1}], "edges": []}'])
def test_foreign_json_is_refused(text: str) -> None:
    with pytest.raises(ZooError, match="not a layer graph"):
        Graph.from_json(text)


@pytest.mark.parametrize(
    ("nodes", "edges", "problem"),
    [
        ((Node("a", "dense", ""), Node("a", "dense", "")), (), "share a name"),
        ((Node("a", "dense", ""),), (("a", "b"),), "'a' -> 'b'"),
        ((Node("a", "dense", ""), Node("b", "dense", "")), (("b", "a"),), "later one"),
        ((Node("a", "denes", ""),), (), "kinds are input"),
    ],
)
def test_a_wrong_graph_is_refused(nodes: tuple[Node, ...], edges: tuple[tuple[str, str]], problem: str) -> None:
    with pytest.raises(PluginError, match=problem):
        Graph("bad", nodes, edges)


# tables -----------------------------------------------------------------------------------------------


def test_the_table_of_a_chain_is_aligned_and_ends_with_the_counts() -> None:
    lines = format_table(from_model(chapter_cnn(), spec("cnn"))).splitlines()
    assert lines[0] == "cnn"
    assert lines[2].split() == ["Layer", "Operation", "Output", "shape", "Parameters"]
    assert lines[6] == "conv2d         Conv 3x3, 32 + ReLU  26 x 26 x 32         320"
    assert lines[-3:] == [
        "Parameters:    1,199,882",
        "Trainable:     1,199,882",
        "Non-trainable:         0",
    ]
    assert all(line.isascii() for line in lines)


def test_a_table_of_branches_says_what_feeds_each_layer() -> None:
    image = keras.Input((4,))
    model = keras.Model(image, layers.Add(name="sum")([image, layers.Dense(4, name="dense")(image)]))
    graph = from_model(model, spec())
    assert "Input from" in format_table(graph)
    assert layer_table(graph)[-1].inputs == ("input", "dense")


def test_unknown_sizes_are_question_marks() -> None:
    assert format_shape((None, None, 3)) == "? x ? x 3"
    assert format_shape(()) == "?"


# folding ----------------------------------------------------------------------------------------------


def test_blocks_fold_into_stages() -> None:
    graph = from_model(vgg_like(), spec())
    folded = fold(graph)
    assert [(node.name, node.detail, node.shape) for node in folded.nodes] == [
        ("input", "Input", (16, 16, 3)),
        ("block1", "2 x Conv 3x3, 8 + MaxPool 2x2", (8, 8, 8)),
        ("block2", "3 x Conv 3x3, 8 + MaxPool 2x2", (4, 4, 8)),
        ("predictions", "Flatten + Dense 2", (2,)),
    ]
    assert folded.parameters == graph.parameters
    assert fold(folded) == folded


def test_small_layers_fold_into_the_one_that_they_belong_to() -> None:
    details = [node.detail for node in fold(from_model(chapter_cnn(), spec())).nodes]
    assert details == [
        "Input + Rescale by 1/255",
        "Conv 3x3, 32 + ReLU",
        "Conv 3x3, 64 + ReLU",
        "MaxPool 2x2 + Dropout 0.25",
        "Flatten + Dense 128 + ReLU + Dropout 0.5",
        "Dense 10",
    ]


def test_resnet50_folds_onto_one_screen() -> None:
    model = keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3), classes=2)
    graph = from_model(model, spec("resnet50"))
    folded = fold(graph)
    assert graph.parameters == model.count_params()
    assert (folded.parameters, folded.frozen) == (graph.parameters, graph.frozen)
    assert [node.name for node in folded.nodes] == [
        *("input", "conv1", "pool1", "conv2", "conv3", "conv4", "conv5", "avg_pool", "predictions"),
    ]
    assert folded.nodes[5].detail == "6 residual blocks: Conv 1x1, 256 -> 3x3, 256 -> 1x1, 1024"
    assert len(folded.edges) == len(folded.nodes) - 1


def test_a_convolution_with_its_normalisation_is_no_block() -> None:
    parts = [("conv1", "Conv 3x3, 8"), ("conv1_bn", "BatchNormalization"), ("conv1_relu", "ReLU")]
    parts += [("conv2", "Conv 3x3, 8"), ("conv2_bn", "BatchNormalization"), ("conv2_relu", "ReLU")]
    kinds = ["convolution", "normalisation", "activation"] * 2
    pool = Node("block1_pool", "pooling", "MaxPool 2x2", stage="block1")
    nodes = [
        Node(f"block1_{name}", kind, detail, stage="block1") for (name, detail), kind in zip(parts, kinds, strict=True)
    ]
    nodes.append(pool)
    edges = [(before.name, after.name) for before, after in pairwise(nodes)]
    (stage,) = fold(Graph("net", tuple(nodes), tuple(edges))).nodes
    assert stage.detail == "2 x Conv 3x3, 8 + MaxPool 2x2"


def test_blocks_that_are_counted_by_letters_are_one_stage() -> None:
    nodes = [Node("image", "input", "Input")]
    for letter in "ab":
        nodes += [
            Node(f"block2{letter}_expand", "convolution", "Conv 1x1, 6", stage="block2"),
            Node(f"block2{letter}_project", "convolution", "Conv 1x1, 2", stage="block2"),
            Node(f"block2{letter}_add", "merge", "Add", stage="block2"),
        ]
    edges = [(before.name, after.name) for before, after in pairwise(nodes)]
    _, stage = fold(Graph("net", tuple(nodes), tuple(edges))).nodes
    assert (stage.name, stage.detail) == ("block2", "2 residual blocks: Conv 1x1, 6 -> 1x1, 2")


def test_a_stage_that_others_interrupt_becomes_several_nodes_and_no_cycle() -> None:
    nodes = [Node("s1_a", "dense", "Dense 1", stage="s1"), Node("b", "merge", "Add")]
    nodes += [Node("s1_c", "dense", "Dense 1", stage="s1")]
    folded = fold(Graph("g", tuple(nodes), (("s1_a", "b"), ("b", "s1_c"), ("s1_a", "s1_c"))))
    assert [node.name for node in folded.nodes] == ["s1_a", "b", "s1_c"]


def test_branches_written_in_turns_fold_apart() -> None:
    names = ("left1_a", "right1_a", "left1_b", "right1_b")
    nodes = [Node("in", "input", "Input"), *(Node(n, "dense", "Dense 1", stage=n[:-2]) for n in names)]
    edges = [("in", "left1_a"), ("in", "right1_a"), ("left1_a", "left1_b"), ("right1_a", "right1_b")]
    folded = fold(Graph("g", tuple(nodes), tuple(edges)))
    assert [(node.name, node.detail) for node in folded.nodes] == [
        ("in", "Input"),
        ("left1", "2 x Dense 1"),
        ("right1", "2 x Dense 1"),
    ]


def test_the_graph_imports_no_framework() -> None:
    code = (
        "import sys, zoo.network.graph, zoo.network.diagram, zoo.figures, zoo.style;"
        "print({'tensorflow', 'keras', 'numpy', 'matplotlib', 'pydot'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_modules_of_branches_fold_though_no_name_tells_and_those_in_a_row_into_one() -> None:
    """As Keras' own InceptionV3: convolutions numbered throughout, and only the merges named."""
    image = keras.Input((16, 16, 3))
    flow = layers.Conv2D(4, 3, padding="same", name="first")(image)
    for number in range(16):
        branches = [layers.Conv2D(2, size, padding="same")(flow) for size in (1, 3)]
        flow = layers.Concatenate(name=f"mixed{number}")(branches)
        if number in (4, 9):
            flow = layers.MaxPooling2D(name=f"between{number}")(flow)
    model = keras.Model(image, layers.Dense(2, name="logits")(layers.GlobalAveragePooling2D(name="mean")(flow)))
    graph = from_model(model, spec())
    assert {node.stage for node in graph.nodes} == {"", *(f"mixed{number}" for number in range(16))}
    folded = fold(graph)
    names = [node.name for node in folded.nodes]
    assert names == [
        *("input", "first", "mixed0 to mixed4", "between4", "mixed5 to mixed9", "between9", "mixed10 to mixed15"),
        *("mean", "logits"),
    ]
    assert folded.nodes[2].detail == "5 modules, the last: Conv 1x1, 2 + Conv 3x3, 2 + Concat"
    assert folded.parameters == graph.parameters
    assert fold(folded) == folded


def test_few_modules_are_shown_one_by_one() -> None:
    image = keras.Input((8, 8, 4))
    flow = image
    for number in range(2):
        branches = [layers.Conv2D(2, size, padding="same")(flow) for size in (1, 3)]
        flow = layers.Concatenate(name=f"mixed{number}")(branches)
    assert [node.name for node in fold(from_model(keras.Model(image, flow))).nodes] == ["input", "mixed0", "mixed1"]


def test_named_stages_and_a_stem_are_found() -> None:
    named = ("mixed4_1x1_conv", "stem_conv1", "block1_conv2", "conv2_block1_1_conv", "inner/block_1_expand")
    assert [stage_of(name) for name in named] == ["mixed4", "stem", "block1", "conv2", "block_1"]
    assert {stage_of(name) for name in ("block2a_expand", "block2b_add", "block2c_project_bn")} == {"block2"}
    assert [stage_of(name) for name in ("mixed4", "conv2d_17", "pool_dropout", "system_conv")] == [""] * 4


@pytest.mark.deep
def test_keras_own_inceptionv3_folds_onto_one_screen() -> None:
    model = keras.applications.InceptionV3(weights=None, input_shape=(96, 96, 3), classes=2)
    folded = fold(from_model(model, spec("inceptionv3")))
    assert [node.name for node in folded.nodes] == [
        *("input", "conv2d", "conv2d_1", "conv2d_2", "max_pooling2d", "conv2d_3", "conv2d_4", "max_pooling2d_1"),
        *("mixed0 to mixed2", "mixed3 to mixed7", "mixed8 to mixed10", "avg_pool", "predictions"),
    ]
    assert folded.parameters == model.count_params()
