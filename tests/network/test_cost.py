"""What networks cost: small ones by hand, large ones against the published figures."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
import tensorflow as tf
from keras import layers

import zoo
from zoo.cli import main
from zoo.network import cost
from zoo.network.cost import Cost
from zoo.network.graph import Graph, Node, from_model
from zoo.registry import Plugin, Registry
from zoo.types import Spec


def spec(size: int = 8, channels: int = 1, classes: int = 2) -> Spec:
    return Spec("net", size, size, channels, tuple(map(str, range(classes))))


def measured(*stack: keras.layers.Layer, image: tuple[int, int, int] = (8, 8, 3)) -> Cost:
    return cost.table(from_model(keras.Sequential([keras.Input(image), *stack])))


def only(*stack: keras.layers.Layer, image: tuple[int, int, int] = (8, 8, 3)) -> cost.LayerCost:
    return measured(*stack, image=image).layers[-1]


class TestMultiplyAdds:
    @pytest.mark.parametrize(
        ("layer", "expected"),
        [
            (layers.Conv2D(5, 3), 6 * 6 * (3 * 3 * 3) * 5),
            (layers.Conv2D(5, 3, padding="same", strides=2), 4 * 4 * (3 * 3 * 3) * 5),
            (layers.Conv2D(6, 3, groups=3), 6 * 6 * (3 * 3 * 1) * 6),
            (layers.Conv2D(5, 3, dilation_rate=2), 4 * 4 * (3 * 3 * 3) * 5),
            (layers.Conv2D(5, (1, 7), padding="same"), 8 * 8 * (7 * 3) * 5),
            (layers.DepthwiseConv2D(3, depth_multiplier=2), 6 * 6 * (3 * 3) * 6),
            (layers.SeparableConv2D(5, 3), 6 * 6 * (3 * 3 * 3) + 6 * 6 * 3 * 5),
            # each pixel of the input is multiplied by the whole kernel, and spread
            (layers.Conv2DTranspose(5, 3, strides=2, padding="same"), 8 * 8 * (3 * 3 * 3) * 5),
            (layers.Dense(4), 8 * 8 * 3 * 4),
        ],
    )
    def test_of_layers_with_kernels(self, layer, expected) -> None:
        assert only(layer).multiply_adds == expected

    def test_of_a_dense_layer_on_a_vector(self) -> None:
        assert only(layers.Flatten(), layers.Dense(10)).multiply_adds == 8 * 8 * 3 * 10

    @pytest.mark.parametrize(
        "layer",
        [
            *(layers.BatchNormalization(), layers.ReLU(), layers.PReLU(), layers.MaxPooling2D(), layers.Dropout(0.5)),
            *(layers.GlobalAveragePooling2D(), layers.Rescaling(1 / 255), layers.ZeroPadding2D(), layers.Softmax()),
        ],
    )
    def test_what_has_no_matrix_counts_nothing(self, layer) -> None:
        assert only(layer).multiply_adds == 0

    def test_a_shared_layer_computes_each_time_and_has_its_weights_once(self) -> None:
        image = keras.Input((8, 8, 3))
        shared = layers.Conv2D(3, 3, padding="same", use_bias=False)
        found = cost.table(from_model(keras.Model(image, shared(shared(image)))))
        assert [layer.multiply_adds for layer in found.layers[1:]] == [8 * 8 * 81] * 2
        assert (found.parameters, found.multiply_adds) == (81, 2 * 8 * 8 * 81)

    def test_what_can_not_be_told_is_unknown_and_makes_the_total_unknown(self) -> None:
        class Mystery(layers.Layer):
            def build(self, shape: tuple[int, ...]) -> None:
                self.matrix = self.add_weight(shape=(shape[-1], shape[-1]))

            def call(self, images: tf.Tensor) -> tf.Tensor:
                return images @ self.matrix

        found = measured(Mystery(name="mystery"), layers.Conv2D(4, 3))
        assert [layer.multiply_adds for layer in found.layers] == [0, None, 6 * 6 * 27 * 4]
        assert found.multiply_adds is None
        text = cost.format_table(found)
        assert "The multiply-adds of mystery can't be told." in text
        assert [line.split()[2] for line in text.splitlines() if line.startswith("total")] == ["-"]

    def test_a_layer_that_only_sounds_like_one_of_keras_is_not_guessed(self) -> None:
        class ConvBlock(layers.Layer):
            kernel_size, pool_size = 3, 2

            def build(self, shape: tuple[int, ...]) -> None:
                self.inner = layers.Conv2D(3, self.kernel_size, padding="same")
                self.inner.build(shape)

            def call(self, images: tf.Tensor) -> tf.Tensor:
                return self.inner(images)

        class PoolBlock(ConvBlock):
            pass

        for block in (ConvBlock(), PoolBlock()):
            found = only(block)
            assert (found.parameters, found.multiply_adds, found.receptive_field) == (84, None, None)

    def test_attention_is_not_guessed(self) -> None:
        rows = keras.Input((4, 6))
        attended = layers.MultiHeadAttention(2, 3)(rows, rows)
        assert cost.table(from_model(keras.Model(rows, attended))).multiply_adds is None

    def test_an_open_image_size_leaves_them_unknown(self) -> None:
        found = measured(layers.Conv2D(4, 3), image=(None, None, 3))
        assert (found.multiply_adds, found.memory, found.peak_memory) == (None, None, None)
        assert found.layers[1].receptive_field == (3, 3)


class TestModules:
    class TwoLayers(tf.Module):
        def __init__(self, looped: bool = False) -> None:
            super().__init__()
            self.w1 = tf.Variable(tf.zeros((64, 4)))
            self.w2 = tf.Variable(tf.zeros((4, 2)))
            self.looped = looped

        def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
            hidden = tf.nn.relu(tf.reshape(images, (-1, 64)) @ self.w1)
            if self.looped:
                for _ in tf.range(3):
                    hidden = hidden + tf.ones((1, 4)) @ tf.ones((4, 4))
            return tf.matmul(hidden, self.w2)

    def test_products_are_read_from_what_tensorflow_traces(self) -> None:
        found = cost.table(from_model(self.TwoLayers(), spec()))
        assert [layer.multiply_adds for layer in found.layers] == [0, 64 * 4, 4 * 2]
        assert found.parameters == 64 * 4 + 4 * 2

    def test_where_products_hide_in_a_loop_they_are_unknown(self) -> None:
        found = cost.table(from_model(self.TwoLayers(looped=True), spec()))
        assert found.multiply_adds is None
        assert found.parameters == 64 * 4 + 4 * 2

    def test_what_tensorflow_can_not_trace_is_unknown(self) -> None:
        class Eager(self.TwoLayers):
            def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
                return super().__call__(tf.constant(images.numpy()))

        found = cost.table(from_model(Eager(), spec()))
        assert (found.parameters, found.multiply_adds) == (64 * 4 + 4 * 2, None)

    def test_a_variable_that_is_used_twice_counts_twice(self) -> None:
        class Twice(tf.Module):
            def __init__(self) -> None:
                super().__init__()
                self.w = tf.Variable(tf.zeros((64, 64)))

            def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
                return tf.reshape(images, (-1, 64)) @ self.w @ tf.transpose(self.w)

        # the second product's factor is computed from the variable, and not the variable itself
        assert cost.table(from_model(Twice(), spec())).multiply_adds is None

    def test_convolutions_count_as_those_of_keras(self) -> None:
        class Raw(tf.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = tf.Variable(tf.zeros((3, 3, 1, 5)), name="conv")
                self.deep = tf.Variable(tf.zeros((3, 3, 5, 1)), name="deep")

            def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
                maps = tf.nn.conv2d(images, self.conv, 1, "VALID")
                return tf.nn.depthwise_conv2d(maps, self.deep, (1, 2, 2, 1), "SAME")

        found = cost.table(from_model(Raw(), spec()))
        keras_found = measured(
            layers.Conv2D(5, 3), layers.DepthwiseConv2D(3, strides=2, padding="same"), image=(8, 8, 1)
        )
        assert found.multiply_adds == keras_found.multiply_adds == 6 * 6 * 45 + 3 * 3 * 45


class TestMemory:
    def test_a_layer_s_is_that_of_its_output_in_float32(self) -> None:
        found = measured(layers.Conv2D(5, 3), layers.Flatten(), layers.Dense(10))
        assert [layer.memory for layer in found.layers] == [4 * 192, 4 * 180, 4 * 180, 4 * 10]
        assert found.memory == 4 * (192 + 180 + 180 + 10)

    def test_the_peak_of_a_chain_is_the_largest_pair_of_neighbours(self) -> None:
        found = measured(layers.Conv2D(5, 3), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10))
        assert found.peak_memory == 4 * (192 + 180)

    def test_a_shortcut_is_kept_until_it_is_added(self) -> None:
        image = keras.Input((8, 8, 1))
        once = layers.Conv2D(2, 3, padding="same")(image)
        twice = layers.Conv2D(2, 3, padding="same")(once)
        model = keras.Model(image, layers.Add()([layers.ReLU()(twice), once]))
        # at the ReLU: its input and output, and the shortcut
        assert cost.table(from_model(model)).peak_memory == 4 * 3 * 128


class TestReceptiveField:
    def fields(self, *stack: keras.layers.Layer) -> list[tuple[int, int] | None]:
        return [layer.receptive_field for layer in measured(*stack, image=(32, 32, 3)).layers[1:]]

    def test_it_grows_by_window_and_jump(self) -> None:
        stack = (layers.Conv2D(2, 3), layers.MaxPooling2D(), layers.Conv2D(2, 3), layers.Conv2D(2, 5, strides=2))
        assert self.fields(*stack) == [(3, 3), (4, 4), (8, 8), (16, 16)]

    def test_dilation_widens_the_window(self) -> None:
        assert self.fields(layers.Conv2D(2, 3, dilation_rate=3)) == [(7, 7)]

    def test_height_and_width_are_apart(self) -> None:
        assert self.fields(layers.Conv2D(2, (1, 7)), layers.Conv2D(2, (3, 1))) == [(1, 7), (3, 7)]

    def test_growing_images_shrink_the_jump(self) -> None:
        stack = (layers.MaxPooling2D(4), layers.UpSampling2D(2), layers.Conv2D(1, 3))
        assert self.fields(*stack) == [(4, 4), (4, 4), (8, 8)]
        # an output of a transposed convolution of 4 and stride 2 sees 2 pixels of its input
        assert self.fields(layers.MaxPooling2D(), layers.Conv2DTranspose(1, 4, strides=2)) == [(2, 2), (4, 4)]

    def test_of_branches_the_largest_counts(self) -> None:
        image = keras.Input((32, 32, 3))
        wide = layers.Conv2D(2, 5, padding="same")(layers.Conv2D(2, 5, padding="same")(image))
        narrow = layers.Conv2D(2, 1)(image)
        model = keras.Model(image, layers.Conv2D(2, 3)(layers.Concatenate()([narrow, wide])))
        assert cost.table(from_model(model)).layers[-1].receptive_field == (11, 11)

    @pytest.mark.parametrize("layer", [layers.Flatten(), layers.GlobalMaxPooling2D(keepdims=True)])
    def test_flattening_and_global_pooling_see_the_whole_image(self, layer) -> None:
        found = measured(layers.Conv2D(2, 3), layer, layers.Dense(2), image=(32, 20, 3))
        assert [layer.whole_image for layer in found.layers] == [False, False, True, True]
        assert found.layers[-1].receptive_field == (32, 20)
        assert found.last_feature_map == found.layers[1]

    def test_a_gate_of_global_statistics_sees_it_too(self) -> None:
        image = keras.Input((32, 32, 4))
        gate = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(image))
        model = keras.Model(image, layers.Conv2D(2, 3)(layers.Multiply()([image, gate])))
        found = cost.table(from_model(model))
        assert found.layers[-1].whole_image
        assert "Receptive field of the last feature map: the whole image." in cost.format_table(found)

    def test_what_is_not_known_is_not_guessed(self) -> None:
        assert self.fields(layers.Permute((2, 1, 3)), layers.Conv2D(2, 3)) == [None, None]
        assert self.fields(layers.Permute((2, 1, 3)), layers.Flatten()) == [None, (32, 32)]

    @pytest.mark.parametrize(
        ("operation", "multiply_adds", "field"),
        [
            (lambda images: keras.ops.flip(images, axis=-1), 0, (1, 1)),
            (lambda images: keras.ops.flip(images, axis=1), 0, None),
            (lambda images: images[:, ::2], 0, None),
            (lambda images: (images - 127.0) / 128.0, 0, (1, 1)),
            (lambda images: keras.ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))), 0, (1, 1)),
            (lambda images: keras.ops.mean(images, axis=(1, 2)), 0, (8, 8)),
            (lambda images: keras.ops.average_pool(images, 2), 0, None),
            (lambda images: keras.ops.matmul(images, keras.ops.ones((3, 4))), None, None),
            (lambda images: keras.ops.conv(images, keras.ops.ones((3, 3, 3, 4))), None, None),
        ],
    )
    def test_of_operations(self, operation, multiply_adds, field) -> None:
        image = keras.Input((8, 8, 3))
        layer = cost.table(from_model(keras.Model(image, operation(image)))).layers[-1]
        assert (layer.multiply_adds, layer.receptive_field) == (multiply_adds, field)

    def test_vectors_have_none(self) -> None:
        model = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
        assert [layer.receptive_field for layer in cost.table(from_model(model)).layers] == [None, None]


class TestText:
    def long_names(self) -> Cost:
        names = [f"a_rather_long_name_of_a_block_{number}_conv{number}" for number in (1, 2)]
        return measured(*(layers.Conv2D(64, 3, name=name) for name in names), image=(224, 224, 3))

    def test_eighty_columns_hold_it_and_names_keep_both_ends(self) -> None:
        lines = cost.format_table(self.long_names(), 80).splitlines()
        assert max(map(len, lines)) <= 80
        (row,) = [line for line in lines if "conv2 " in line]
        assert row.startswith("a_rather")
        assert " ".join(row.split()[1:]) == "220 x 220 x 64 36,928 1.78 G 12.4 MB 5"

    def test_where_there_is_room_operations_are_shown(self) -> None:
        assert "Conv 3x3, 64" in cost.format_table(self.long_names(), None)
        assert "Conv 3x3, 64" not in cost.format_table(self.long_names(), 80)

    def test_json_has_the_totals_and_every_layer(self) -> None:
        found = json.loads(json.dumps(measured(layers.Conv2D(5, 3)).as_dict()))
        assert found["multiply_adds"] == 6 * 6 * 27 * 5
        assert found["receptive_field"] == [3, 3]
        assert found["layers"][1]["shape"] == [6, 6, 5]

    def test_the_command_prints_the_table_or_json(self, capsys) -> None:
        assert main(["build", "cnn", "--cost"]) == 0
        table = capsys.readouterr().out
        assert "conv2           Conv 3x3, 64 + ReLU  24 x 24 x 64      18,496     10.6 M     147 kB      5" in table
        assert "Peak at inference: 234 kB" in table
        assert main(["build", "cnn", "mnist", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["parameters"], found["multiply_adds"]) == (1_199_882, 11_992_448)

    def test_an_empty_graph_costs_nothing(self) -> None:
        found = cost.table(Graph("empty", (), ()))
        assert (found.parameters, found.multiply_adds, found.memory, found.last_feature_map) == (0, 0, 0, None)

    def test_a_graph_that_was_kept_as_json_costs_the_same(self) -> None:
        graph = from_model(keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(5, 3, strides=2)]))
        assert cost.table(Graph.from_json(graph.to_json())) == cost.table(graph)

    def test_a_plugin_s_own_graph_may_leave_costs_out(self) -> None:
        graph = Graph("own", (Node("a", "input", "Input", (8, 8, 1)), Node("b", "other", "?")), (("a", "b"),))
        found = cost.table(graph)
        assert (found.layers[1].memory, found.memory, found.peak_memory) == (None, None, None)


# multiply-adds: Simonyan and Zisserman (2014) and He et al. (2015) for VGG and ResNet, Szegedy et al. (2015) for
# Inception, Sandler et al. (2018) for MobileNetV2. Receptive fields: Araujo, Norris and Sim (2019), of the last
# feature map before the global pooling (for VGG-16, the last pooling).
PUBLISHED = [
    ("VGG16", 224, 15.5e9, (212, 212), 138_357_544),
    ("VGG19", 224, 19.6e9, None, 143_667_240),
    ("ResNet50", 224, 3.86e9, (483, 483), 25_636_712),
    ("InceptionV3", 299, 5.72e9, (1311, 1311), 23_851_784),
    ("MobileNetV2", 224, 0.3e9, None, 3_538_984),
]


@pytest.mark.deep
@pytest.mark.parametrize(("name", "size", "multiply_adds", "field", "parameters"), PUBLISHED)
def test_published_figures(name, size, multiply_adds, field, parameters) -> None:
    found = cost.table(from_model(getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))))
    assert found.parameters == parameters
    assert found.multiply_adds == pytest.approx(multiply_adds, rel=0.005)
    assert all(layer.multiply_adds is not None and layer.receptive_field for layer in found.layers)
    if field:
        assert found.last_feature_map.receptive_field == field


def shipped() -> list[Any]:
    """Our architectures; building a large one takes seconds."""
    plugins = [p for p in Registry.discover().of("architecture") if p.distribution == "image-model-zoo"]
    large = {plugin.name: (plugin.facts.parameters or 0) > 2_500_000 for plugin in plugins}
    return [
        pytest.param(plugin, id=plugin.name, marks=[pytest.mark.deep] if large[plugin.name] else [])
        for plugin in plugins
    ]


@pytest.mark.parametrize("plugin", shipped())
def test_cards_say_what_is_built(plugin: Plugin) -> None:
    """To mend a card: `zoo build NAME --size SIZE --json` prints the figures."""
    found = cost.table(from_model(*zoo.build(plugin.name, size=plugin.facts.size)))
    assert (plugin.facts.parameters, plugin.facts.multiply_adds) == (found.parameters, found.multiply_adds)
