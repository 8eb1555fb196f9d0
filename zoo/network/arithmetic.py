"""What a layer computes, and what of its input it sees: the figures that the layer graph keeps for `zoo.network.cost`.

What can't be known is None, never a guess.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from typing import Any

import keras

Shape = tuple[int | None, ...]
Window = tuple[int, int] | None
WHOLE = (0, 0)
WINDOW = ("kernel_size", "strides", "dilation_rate")  # what Keras' convolutions have, a size per axis
# each output comes from the input in its place; statistics over an image aside
_POINTWISE = ("input", "preprocessing", "normalisation", "activation", "dropout", "merge", "output")
_POINTWISE_OPERATIONS = (
    r"Abs(olute)?|Cast|Clip|(True|Floor)?Divide|Exp|Identity|Log|Negative|Power|R?Sqrt|Square|Sign|StopGradient"
)
# pointwise if they go along the channels, as the turning of RGB into BGR does
_ALONG_AN_AXIS = r"Flip|Take|Split"
_FREE_OPERATIONS = (
    rf"{_POINTWISE_OPERATIONS}|{_ALONG_AN_AXIS}|Amax|Amin|ExpandDims|GetItem|Max|Mean|Min|Pad|Repeat|Roll|Stack|Std"
    r"|Sum|Tile|Var"
)
# neighbouring pixels that a resampled one is made of, along each side
_RESAMPLING = {"nearest": 1, "bilinear": 2, "bicubic": 4}
# TensorFlow's operations that multiply and add; `_operation` understands some
_PRODUCTS = (
    *("MatMul", "BatchMatMulV2", "Einsum", "SparseTensorDenseMatMul"),
    *("Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3DBackpropInputV2"),
)


def multiply_adds(layer: Any, kind: str, given: Shape, shape: Shape) -> int | None:
    """The multiply-adds of a Keras layer or operation that makes one `shape` of one `given` (without the batch)."""
    if kind == "convolution":
        kernels = _kernels(layer)
        positions = _positions(layer, given if "Transpose" in type(layer).__name__ else shape)
        # each weight of a kernel is used once at each position
        return positions * sum(math.prod(kernel.shape) for kernel in kernels) if kernels and positions else None
    if isinstance(layer, keras.layers.Dense):
        return _product(shape[:-1]) * math.prod(layer.kernel.shape) if shape and None not in shape[:-1] else None
    if kind == "dense" or type(layer).__name__ == "Dot":
        return None
    if kind != "other":
        own = type(layer).__module__.startswith("keras.")
        matrices = [weight for weight in getattr(layer, "weights", ()) if len(weight.shape) > 1]
        return 0 if own or not matrices else None
    return 0 if re.fullmatch(_FREE_OPERATIONS, type(layer).__name__) else None


def has_sizes(layer: Any, *names: str) -> bool:
    """Whether a layer has these attributes, each a size per axis, as Keras' own have: others may mean anything."""
    return all(isinstance(getattr(layer, name, None), tuple) for name in names)


def _kernels(layer: Any) -> list[Any]:
    names = ("kernel", "depthwise_kernel", "pointwise_kernel")
    return [getattr(layer, name) for name in names if getattr(layer, name, None) is not None]


def _positions(layer: Any, shape: Shape) -> int:
    """Pixels of a feature map; 0 if they are unknown."""
    space = shape[1:] if getattr(layer, "data_format", "") == "channels_first" else shape[:-1]
    return _product(space) if shape and None not in space else 0


def _product(sizes: Sequence[int | None]) -> int:
    return math.prod(size or 0 for size in sizes)


def reach(layer: Any, kind: str, given: Shape, shape: Shape) -> tuple[Window, tuple[float, float]]:
    """The `window` and `stride` of a Keras layer or operation, as `zoo.network.graph.Node` has them."""
    name, alone = type(layer).__name__, (1.0, 1.0)
    if "Global" in name:
        return WHOLE, alone
    flat = len(shape) == 3
    if kind == "convolution" and flat and _kernels(layer) and has_sizes(layer, *WINDOW):
        if "Transpose" in name:
            window = _pair(-(-size // step) for size, step in zip(layer.kernel_size, layer.strides, strict=True))
            return window, (1 / layer.strides[0], 1 / layer.strides[1])
        spread = zip(layer.kernel_size, layer.dilation_rate, strict=True)
        return _pair((size - 1) * rate + 1 for size, rate in spread), _steps(layer)
    if kind == "pooling" and flat and has_sizes(layer, "pool_size", "strides"):
        return _pair(layer.pool_size), _steps(layer)
    if name in ("Resizing", "UpSampling2D"):
        pixels = _RESAMPLING.get(layer.interpolation)
        sizes = [size for size in (*given[:2], *shape[:2]) if size]
        if pixels is None or len(sizes) < 4:
            return None, alone
        return (pixels, pixels), (sizes[0] / sizes[2], sizes[1] / sizes[3])
    known = (
        kind in _POINTWISE
        or isinstance(layer, keras.layers.Dense)
        or re.fullmatch(rf"ZeroPadding2D|Cropping2D|Flatten|Pad|{_POINTWISE_OPERATIONS}", name) is not None
        or (re.fullmatch(_ALONG_AN_AXIS, name) is not None and getattr(layer, "axis", None) in (-1, len(shape)))
    )
    return (1, 1) if known else None, alone


def _pair(sizes: Any) -> tuple[int, int]:
    height, width = sizes
    return int(height), int(width)


def _steps(layer: Any) -> tuple[float, float]:
    return float(layer.strides[0]), float(layer.strides[1])


def products(model: Any, image: Shape) -> dict[int, int] | None:
    """The multiply-adds of a `tf.Module` for one image, by the `id` of the variable that it multiplies by.

    They are read from the graph that TensorFlow traces. None if it can't trace the network, or if the graph holds a
    product that no variable takes part in, one of a kind that is not understood, or operations that hide others
    (loops, calls).
    """
    import tensorflow as tf

    function = tf.function(lambda images: model(images, training=False))
    try:
        traced = function.get_concrete_function(tf.TensorSpec((1, *image), tf.float32))
    except Exception as error:  # noqa: BLE001 (a network in plain Python can be drawn all the same)
        logging.getLogger("zoo").debug("TensorFlow can't trace %s: %s", type(model).__name__, error)
        return None
    inner = {id(outer): placeholder.name for outer, placeholder in traced.graph.captures}
    handles = {id(variable): id(getattr(variable, "handle", None)) for variable in model.variables}
    variables = {inner[handle]: variable for variable, handle in handles.items() if handle in inner}
    counts: dict[int, int] = {}
    for operation in traced.graph.get_operations():
        if any(attribute.func.name for attribute in operation.node_def.attr.values()):
            return None
        if operation.type not in _PRODUCTS:
            continue
        sources = {_source(tensor) for tensor in operation.inputs} & variables.keys()
        count = _operation(operation)
        if len(sources) != 1 or count is None:
            return None
        variable = variables[sources.pop()]
        counts[variable] = counts.get(variable, 0) + count
    return counts


def _source(tensor: Any) -> str:
    """The name of the tensor that `tensor` is a plain copy of."""
    while tensor.op.type in ("ReadVariableOp", "Identity", "Cast", "Reshape"):
        tensor = tensor.op.inputs[0]
    return str(tensor.name)


def _operation(operation: Any) -> int | None:
    """The multiply-adds of one traced matrix product or convolution, None for what is not understood."""
    first, second, output = (
        tuple(int(size or 0) for size in tensor.shape) for tensor in (*operation.inputs[:2], operation.outputs[0])
    )
    if 0 in (*first, *second, *output):
        return None
    match operation.type:
        case "MatMul":
            return math.prod(output) * (first[0] if operation.get_attr("transpose_a") else first[1])
        case "BatchMatMulV2":
            return math.prod(output) * (first[-2] if operation.get_attr("adj_x") else first[-1])
        case "Conv2D" | "DepthwiseConv2dNative":
            channels_first = operation.get_attr("data_format") == b"NCHW"
            return math.prod(output[2:] if channels_first else output[1:3]) * math.prod(second)
    return None
