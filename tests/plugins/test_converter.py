"""scripts/convert_efficientnet_lite0.py: reads tensors out of PyTorch's files, and nothing else."""

from __future__ import annotations

import importlib.util
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "convert_efficientnet_lite0.py"
WEIGHTS = np.arange(24, dtype="<f4").reshape(2, 3, 2, 2)


@pytest.fixture(scope="module")
def converter():
    spec = importlib.util.spec_from_file_location("convert_efficientnet_lite0", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checkpoint(state: bytes, storages: dict[str, bytes], width: int = 4) -> bytes:
    """A file of PyTorch before 1.6: `state` is the pickle of the state dictionary."""
    head = [119547037146038801333356, 1001, {"little_endian": True}]
    content = b"".join(pickle.dumps(value, 2) for value in head) + state + pickle.dumps(list(storages), 2)
    return content + b"".join(struct.pack("<q", len(data) // width) + data for data in storages.values())


def tensor(shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0, key: str = "7") -> bytes:
    """The opcodes that rebuild a tensor, as PyTorch writes them: a call whose first argument is a storage."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n" + text(key) + text("cpu") + b"K\x18NtQ"
    numbers = tuple_of(shape) + tuple_of(strides)
    empty = b"ccollections\nOrderedDict\n)R"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K" + bytes([offset]) + numbers + b"\x89" + empty + b"tR"
    )


def text(word: str) -> bytes:
    return b"X" + struct.pack("<i", len(word)) + word.encode()


def tuple_of(numbers: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(b"K" + bytes([number]) for number in numbers) + b"t"


def state(*items: tuple[str, bytes]) -> bytes:
    """The pickle of an ordered dictionary of tensors."""
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + b"".join(text(name) + code for name, code in items) + b"u."


def test_tensors_come_with_their_names_shapes_and_values(converter):
    found = converter.read_tensors(
        checkpoint(
            state(
                ("conv.weight", tensor((2, 3, 2, 2), (12, 4, 2, 1))),
                ("bias", tensor((3,), (1,), offset=5)),
                ("count", tensor((), ())),
            ),
            {"7": WEIGHTS.tobytes()},
        )
    )
    assert list(found) == ["conv.weight", "bias", "count"]
    assert np.array_equal(found["conv.weight"], WEIGHTS)
    assert found["bias"].tolist() == [5, 6, 7]
    assert found["count"].shape == ()


def test_a_tensor_that_lies_in_another_order_is_read_by_its_strides(converter):
    content = checkpoint(state(("w", tensor((3, 2), (1, 3)))), {"7": WEIGHTS.tobytes()})
    assert converter.read_tensors(content)["w"].tolist() == [[0, 3], [1, 4], [2, 5]]


class Hostile:
    """An object whose unpickling would run a command."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(2, 5))
def test_a_file_that_would_run_code_is_refused_and_runs_none(converter, tmp_path, protocol):
    hostile = pickle.dumps(OrderedDict(weight=Hostile(tmp_path / "ran")), protocol)
    with pytest.raises(converter.Refused):
        converter.read_tensors(checkpoint(hostile, {}))
    assert not (tmp_path / "ran").exists()
    pickle.loads(hostile)
    assert (tmp_path / "ran").exists(), "the file was harmless: the test shows nothing"


@pytest.mark.parametrize(
    "code",
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n)R",
        b"ctorch\nFloatStorage\n)R",
        b"cos\nsystem\n(" + text("true") + b"tR",
        b"ios\nsystem\n" + text("true"),
        tensor((9, 9), (9, 1)),
        tensor((3,), (1,), offset=22),
        tensor((3,), (1,), key="8"),
    ],
    ids=["no arguments", "a called storage", "system", "inst", "too large", "beyond the end", "no such storage"],
)
def test_what_is_no_tensor_is_refused(converter, code):
    with pytest.raises(converter.Refused):
        converter.read_tensors(checkpoint(state(("w", code)), {"7": WEIGHTS.tobytes()}))


@pytest.mark.parametrize("length", [0, 10, 60, 200, -1])
def test_a_torn_file_is_refused(converter, length):
    content = checkpoint(state(("w", tensor((24,), (1,)))), {"7": WEIGHTS.tobytes()})
    with pytest.raises(converter.Refused):
        converter.read_tensors(content[:length])


def test_names_and_layouts_become_those_of_the_network(converter):
    depthwise, pointwise = np.zeros((6, 1, 3, 3)), np.zeros((8, 6, 1, 1))
    found = converter.renamed(
        {
            "_blocks.0._depthwise_conv.weight": depthwise,
            "_blocks.0._bn1.running_var": np.zeros(6),
            "_blocks.1._project_conv.weight": pointwise,
            "_bn0.weight": np.zeros(3),
            "_bn0.num_batches_tracked": np.zeros(()),
            "_fc.weight": np.zeros((10, 8)),
        },
        ["block1a", "block2a"],
    )
    assert {name: array.shape for name, array in found.items()} == {
        "block1a_depthwise/kernel": (3, 3, 6, 1),
        "block1a_depthwise_bn/moving_variance": (6,),
        "block2a_project/kernel": (1, 1, 6, 8),
        "stem_conv_bn/gamma": (3,),
        "logits/kernel": (8, 10),
    }
