"""Export: weights go out and in again, derived files are checked, and one that fails is a record, not a failure."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from zoo import defaults, quiet
from zoo.errors import ZooError
from zoo.runs.evaluation import predictor
from zoo.runs.export import assign, export_model, load_weights, save_weights
from zoo.types import Spec

SPEC = Spec("net", 12, 12, 3, ("cat", "dog", "owl"))


@pytest.fixture(scope="module")
def keras():
    quiet.import_tensorflow()
    import keras

    return keras


@pytest.fixture(scope="module")
def tf(keras):
    import tensorflow

    return tensorflow


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(0).integers(0, 256, (9, 12, 12, 3)).astype(np.float32)


def convolutional(keras):
    """Every kind of variable: kernels, a norm's statistics, a dropout's seed."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )
    generator = np.random.default_rng(1)
    norm = model.layers[2]
    norm.moving_mean.assign(generator.normal(size=8))
    norm.moving_variance.assign(generator.uniform(0.5, 2, size=8))
    return model


def linear(tf):
    class Linear(tf.Module):
        def __init__(self):
            super().__init__()
            self.weight = tf.Variable(np.random.default_rng(2).normal(size=(432, 3)), dtype=tf.float32)
            self.bias = tf.Variable([0.1, 0.2, 0.3])

        def __call__(self, images, training=False):
            return tf.reshape(images / 255, [-1, 432]) @ self.weight + self.bias

    return Linear()


def exported(folder, model, samples, predict=defaults.predict, flip=False):
    return export_model(folder, model, predictor(predict, model, flip_average=flip), SPEC, samples)


# weights ------------------------------------------------------------------------------------------------------


def test_weights_come_back_bit_for_bit_into_another_network(keras, tmp_path):
    one, other = convolutional(keras), convolutional(keras)
    save_weights(tmp_path / "weights.npz", one.variables)
    assign(other.variables, list(load_weights(tmp_path / "weights.npz").values()))
    assert [np.asarray(v).tobytes() for v in one.variables] == [np.asarray(v).tobytes() for v in other.variables]


def test_variables_of_one_name_are_told_apart_and_keep_their_order(tf, tmp_path):
    variables = [tf.Variable([float(value)], name="w") for value in range(3)]
    save_weights(tmp_path / "weights.npz", variables)
    stored = load_weights(tmp_path / "weights.npz")
    assert list(stored) == ["w", "w#2", "w#3"]
    assert [float(array[0]) for array in stored.values()] == [0, 1, 2]


def test_weights_that_do_not_fit_are_refused_by_name(tf):
    variables = [tf.Variable(tf.zeros([2, 3]), name="kernel")]
    with pytest.raises(ZooError, match=r"kernel.*shape.*2, 3.*Received: .*3, 2"):
        assign(variables, [np.zeros((3, 2), np.float32)])
    with pytest.raises(ZooError, match=r"1 variables.*Received: 2 arrays"):
        assign(variables, [np.zeros((2, 3), np.float32)] * 2)


def test_pickles_and_damaged_files_are_refused(tmp_path):
    np.savez(tmp_path / "pickle.npz", a=np.array([{}], object))
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    for name in ("pickle", "torn", "missing"):
        with pytest.raises(ZooError, match=f"{name}.npz"):
            load_weights(tmp_path / f"{name}.npz")


# derived files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [False, True])
def test_a_keras_network_is_exported_whole(keras, tmp_path, samples, flip):
    model = convolutional(keras)
    record = exported(tmp_path, model, samples, flip=flip)
    assert {name: entry["status"] for name, entry in record.items()} == {"keras": "ok", "tflite": "ok"}
    assert record["tflite"]["max_difference"] < 1e-5
    # a file without the weights would convert as well: they must be in it
    assert (tmp_path / "model.tflite").stat().st_size > sum(np.asarray(v).nbytes for v in model.trainable_variables)
    assert (tmp_path / "labels.txt").read_text() == "cat\ndog\nowl\n"
    plain = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(plain(samples), model(samples), atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.txt", "model.keras", "model.tflite"]


def test_a_module_in_raw_tensorflow_is_exported_to_litert_alone(tf, tmp_path, samples):
    record = exported(tmp_path, linear(tf), samples, flip=True)
    assert record["tflite"]["status"] == "ok"
    assert record["keras"]["status"] != "ok"
    assert "Keras" in record["keras"]["reason"]
    assert not (tmp_path / "model.keras").exists()


def test_the_litert_file_takes_any_number_of_images(tf, tmp_path, samples):
    from ai_edge_litert.interpreter import Interpreter

    model = linear(tf)
    exported(tmp_path, model, samples)
    interpreter = Interpreter(model_path=str(tmp_path / "model.tflite"))
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    assert source["shape_signature"].tolist() == [-1, 12, 12, 3]
    for count in (1, 5):
        interpreter.resize_tensor_input(source["index"], [count, 12, 12, 3])
        interpreter.allocate_tensors()
        interpreter.set_tensor(source["index"], samples[:count])
        interpreter.invoke()
        expected = defaults.predict(model, samples[:count])
        np.testing.assert_allclose(interpreter.get_tensor(target["index"]), expected, atol=1e-5)


def test_a_prediction_that_is_no_tensorflow_is_recorded_with_its_reason(tf, tmp_path, samples):
    def predict(model, images):
        return defaults.predict(model, images).numpy()

    record = exported(tmp_path, linear(tf), samples, predict)
    assert record["tflite"]["status"] == "failed"
    assert "numpy" in record["tflite"]["reason"]
    assert not (tmp_path / "model.tflite").exists()


def test_a_file_whose_results_differ_is_not_kept(tf, tmp_path, samples):
    calls = []

    def fickle(images):
        calls.append(images)
        uniform = tf.ones_like(images[:, 0, 0, :]) / 3
        return uniform if len(calls) > 1 else tf.nn.softmax(9 * uniform * [1.0, 2.0, 3.0])

    record = export_model(tmp_path, linear(tf), fickle, SPEC, samples)
    assert record["tflite"]["status"] == "failed"
    assert "differ" in record["tflite"]["reason"]
    assert not (tmp_path / "model.tflite").exists()


def test_an_export_that_fails_is_recorded_with_its_reason_and_the_terminal_stays_silent(tf, tmp_path, samples, capfd):
    def predict(model, images):
        return tf.nn.softmax(tf.math.lgamma(defaults.predict(model, images) + 1))

    capfd.readouterr()
    record = exported(tmp_path, linear(tf), samples, predict)
    assert record["tflite"]["status"] == "failed"
    assert record["tflite"]["reason"]
    assert not (tmp_path / "model.tflite").exists()
    assert capfd.readouterr() == ("", "")


def test_a_network_with_a_layer_of_its_own_has_no_keras_file_that_plain_keras_could_load(keras, tmp_path, samples):
    @keras.saving.register_keras_serializable("plugin")
    class Halve(keras.layers.Layer):
        def call(self, inputs):
            return inputs / 2

    model = keras.Sequential([keras.Input((12, 12, 3)), Halve(), keras.layers.Flatten(), keras.layers.Dense(3)])
    record = exported(tmp_path, model, samples / 255)
    assert record["tflite"]["status"] == "ok"
    assert record["keras"] == {"status": "failed", "reason": "plain Keras can't load it: Halve is not Keras' own"}
    assert not (tmp_path / "model.keras").exists()


def test_the_keras_file_is_a_plain_zip_without_pickles(keras, tmp_path, samples):
    exported(tmp_path, convolutional(keras), samples)
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert set(archive.namelist()) == {"metadata.json", "config.json", "model.weights.h5"}
