"""Read the layer graph from Keras models and TensorFlow modules. Use it as `zoo.network.graph.from_model`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import keras

from zoo.network import arithmetic
from zoo.network.graph import Graph, Node, Shape, chain, unique
from zoo.network.stages import staged
from zoo.types import Spec

# the first pattern that fits the name of a layer's class gives its kind
_PATTERNS = (
    ("input", r"InputLayer"),
    ("convolution", r"Conv"),
    ("dense", r"Dense"),
    ("pooling", r"Pool"),
    ("preprocessing", r"Rescaling|Resizing|^Normalization$|^Random|CenterCrop|^Cast$"),
    ("normalisation", r"Normalization"),
    ("dropout", r"Drop|GaussianNoise"),
    ("activation", r"ReLU|Relu|Activation|Softmax|Sigmoid|Silu|Gelu|^P?R?ELU$|^Elu$|Tanh"),
    ("merge", r"^(Add|Subtract|Multiply|Average|Maximum|Minimum|Dot|Concatenate)$"),
    ("reshape", r"Flatten|Reshape|Permute|Transpose|ZeroPadding|Cropping|UpSampling|^Pad$|Squeeze"),
)
_SHORT = {
    "BatchNormalization": "BatchNorm",
    "LayerNormalization": "LayerNorm",
    "GroupNormalization": "GroupNorm",
    "Concatenate": "Concat",
    "InputLayer": "Input",
    "TrueDivide": "Divide",
}
_ACTIVATIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "gelu": "GELU",
    "silu": "SiLU",
    "swish": "SiLU",
    "elu": "ELU",
    "selu": "SELU",
    "leaky_relu": "LeakyReLU",
}


def read(model: Any, spec: Spec | None) -> Graph:
    """Return the graph of `model`; see `zoo.network.graph.from_model`."""
    title = spec.title if spec else str(model.name)
    if traced(model):
        builder = _Builder()
        builder.expand(model, None, "")
        return Graph(title, tuple(staged(builder.nodes, builder.edges)), tuple(dict.fromkeys(builder.edges)))
    shape = (spec.height, spec.width, spec.channels) if spec else ()
    first = [Node("input", "input", "Input", shape)] if spec else []
    layers = getattr(model, "layers", None) if isinstance(model, keras.Model) else None
    nodes = [_layer_node(layer, layer.name, (), ()) for layer in layers] if layers else _variable_nodes(model, shape)
    order = "creation" if layers else "their names"
    note = f"The network tells no connections: its layers stand in the order of {order}."
    return chain(title, *first, *staged(nodes), note=note)


def traced(model: Any) -> bool:
    """True for a functional or built Sequential Keras model, whose inputs and outputs are symbolic."""
    if not isinstance(model, keras.Model):
        return False
    if isinstance(model, keras.Sequential):
        return bool(model.built and model.layers and getattr(model, "inputs", None))
    return hasattr(model, "operations") and bool(getattr(model, "outputs", None))


class _Builder:
    """Collects nodes and edges. Models within the model are expanded in their place."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges: list[tuple[str, str]] = []
        self._taken: set[str] = set()
        self._named: dict[int, str] = {}

    def expand(self, model: Any, feeding: Sequence[str] | None, prefix: str) -> list[str]:
        """Add a model's operations; `feeding` names what feeds an inner model. Returns its outputs' names."""
        if feeding is None:
            feeding = [self._add(Node("input", "input", "Input", _shape(tensor))) for tensor in model.inputs]
        sources = {id(tensor): name for tensor, name in zip(model.inputs, feeding, strict=True)}
        for operation, call in calls(model):
            parents = [sources[id(tensor)] for tensor in call.input_tensors]
            name = prefix + self._stable_name(operation, prefix)
            if traced(operation):
                names = self.expand(operation, parents, f"{name}/")
            else:
                given = _shape(call.input_tensors[0]) if call.input_tensors else ()
                added = self._add(self._node(operation, name, given, _shape(call.output_tensors[0])))
                self.edges += [(parent, added) for parent in dict.fromkeys(parents)]
                names = [added] * len(call.output_tensors)
            sources.update(zip(map(id, call.output_tensors), names, strict=True))
        return [sources[id(tensor)] for tensor in model.outputs]

    def _node(self, operation: Any, name: str, given: Shape, shape: Shape) -> Node:
        node = _layer_node(operation, name, given, shape)
        if id(operation) in self._named:  # a shared layer: its weights count once
            return replace(node, detail=f"{node.detail} (shared)", parameters=0, frozen=0)
        self._named[id(operation)] = name
        return node

    def _add(self, node: Node) -> str:
        name = unique(node.name, self._taken)
        self._taken.add(name)
        self.nodes.append(replace(node, name=name))
        return name

    def _stable_name(self, operation: Any, prefix: str) -> str:
        """The operation's name. Keras numbers the names that it makes up per process; here, per graph."""
        base = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(operation).__name__)
        base = re.sub(r"([a-z])([A-Z])", r"\1_\2", base).lower()
        name = str(operation.name)
        if id(operation) in self._named:
            return self._named[id(operation)].removeprefix(prefix)
        if not re.fullmatch(rf"{base}(_\d+)?", name):
            return name
        numbers = (base if number == 0 else f"{base}_{number}" for number in range(len(self._taken) + 1))
        return next(candidate for candidate in numbers if prefix + candidate not in self._taken)


def calls(model: Any) -> Iterable[tuple[Any, Any]]:
    """The calls (operation, call) that lead from a model's inputs to its outputs, in the data's order.

    A call has `input_tensors` and `output_tensors`. Keras tells a layer's input and output in public only if
    it is called once; `_inbound_nodes` also knows shared layers, and is what `keras.utils` draws from.
    """
    operations = getattr(model, "operations", model.layers)
    made_by = {
        id(tensor): (operation, call)
        for operation in operations
        for call in operation._inbound_nodes
        for tensor in call.output_tensors
    }
    needed: dict[int, tuple[Any, Any]] = {}
    known = {id(tensor) for tensor in model.inputs}
    agenda = list(model.outputs)
    while agenda:
        tensor = agenda.pop()
        if id(tensor) not in known:
            known.add(id(tensor))
            operation, call = made_by[id(tensor)]
            needed[id(call)] = (operation, call)
            agenda.extend(call.input_tensors)
    place = {id(operation): index for index, operation in enumerate(operations)}
    pending = sorted(needed.values(), key=lambda item: place[id(item[0])])
    ready = {id(tensor) for tensor in model.inputs}
    while pending:  # a shared layer is listed once, but called at several places
        index = next(
            index
            for index, (_, call) in enumerate(pending)
            if all(id(tensor) in ready for tensor in call.input_tensors)
        )
        operation, call = pending.pop(index)
        ready.update(id(tensor) for tensor in call.output_tensors)
        yield operation, call


def _shape(tensor: Any) -> Shape:
    return tuple(None if size is None else int(size) for size in tensor.shape[1:])


def _size(weights: Iterable[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _layer_node(operation: Any, name: str, given: Shape, shape: Shape) -> Node:
    """The node of a layer or operation that makes `shape` of `given`."""
    kind = kind_of(operation)
    total = _size(getattr(operation, "weights", ()))
    window, stride = arithmetic.reach(operation, kind, given, shape)
    return Node(
        name,
        kind,
        _detail(operation, kind),
        shape,
        total,
        frozen=total - _size(getattr(operation, "trainable_weights", ())),
        multiply_adds=arithmetic.multiply_adds(operation, kind, given, shape),
        window=window,
        stride=stride,
    )


def kind_of(layer: Any) -> str:
    """The kind of a layer or operation, one of `zoo.network.graph.KINDS`, by the name of its class."""
    class_name = type(layer).__name__
    return next((kind for kind, pattern in _PATTERNS if re.search(pattern, class_name)), "other")


def _detail(layer: Any, kind: str) -> str:
    """What a layer does, in ASCII: "Conv 3x3, 64, stride 2 + ReLU"."""
    class_name = type(layer).__name__
    text = _SHORT.get(class_name, class_name)
    if kind == "convolution" and arithmetic.has_sizes(layer, *arithmetic.WINDOW):
        words = {"Depthwise": "Depthwise conv", "Separable": "Separable conv"}
        text = next((word for key, word in words.items() if key in class_name), "Conv")
        text = "Transposed conv" if "Transpose" in class_name else text
        filters = getattr(layer, "filters", None) if "Depthwise" not in class_name else None
        text += f" {_times(layer.kernel_size)}" + (f", {filters}" if filters else "") + _stride(layer.strides)
        text += f", {layer.groups} groups" if getattr(layer, "groups", 1) > 1 else ""
        text += f", dilation {_same(layer.dilation_rate)}" if _same(layer.dilation_rate) != "1" else ""
    elif kind == "dense" and hasattr(layer, "units"):
        text = f"Dense {layer.units}"
    elif kind == "pooling":
        short = re.sub(r"Pooling[123]D", "Pool", class_name).replace("Average", "Avg")
        text = short.replace("Global", "Global ").replace("Adaptive", "Adaptive ")
        if arithmetic.has_sizes(layer, "pool_size", "strides"):
            text += f" {_times(layer.pool_size)}"
            text += _stride(layer.strides) if tuple(layer.strides) != tuple(layer.pool_size) else ""
    elif kind == "dropout" and hasattr(layer, "rate"):
        text = f"{class_name} {layer.rate:g}"
    elif class_name == "Rescaling":
        text = _rescaling(layer.scale, layer.offset)
    elif class_name == "ZeroPadding2D":
        edges = {edge for pair in layer.padding for edge in pair}
        text = f"Pad {edges.pop()}" if len(edges) == 1 else "Pad"
    elif class_name == "Activation":
        return _activation(layer.activation)
    elif kind == "activation":
        text = _ACTIVATIONS.get(class_name.lower(), class_name)
    activation = _activation(getattr(layer, "activation", None))
    return f"{text} + {activation}" if activation and kind in ("convolution", "dense") else text


def _times(sizes: Iterable[int]) -> str:
    return "x".join(str(size) for size in sizes)


def _same(sizes: Iterable[int]) -> str:
    """ "2" for sizes that are all 2, "1x2" for others."""
    listed = list(sizes)
    return str(listed[0]) if len(set(listed)) == 1 else _times(listed)


def _stride(strides: Iterable[int]) -> str:
    text = _same(strides)
    return "" if text == "1" else f", stride {text}"


def _rescaling(scale: Any, offset: Any) -> str:
    if isinstance(scale, int | float) and isinstance(offset, int | float) and scale > 0:
        factor = f"1/{1 / scale:g}" if scale < 1 else f"{scale:g}"
        return f"Rescale by {factor}" + (f", {offset:+g}" if offset else "")
    return "Rescale per channel"


def _activation(function: Any) -> str:
    name = str(getattr(function, "__name__", getattr(function, "name", ""))) if function is not None else ""
    return "" if name == "linear" else _ACTIVATIONS.get(name, name)


def _variable_nodes(model: Any, image: Shape) -> list[Node]:
    """A node per group of variables: "W1" and "b1", or "hidden/w" and "hidden/b", belong together."""
    products = arithmetic.products(model, image) if image else None
    trainable = {id(variable) for variable in model.trainable_variables}
    groups: dict[str, list[tuple[str, Any]]] = {}
    for label, variable in _labelled(model):
        number = re.search(r"(\d+)$", label)
        key = label.rsplit("/", 1)[0] if "/" in label else (number[1] if number else label)
        groups.setdefault(key, []).append((label, variable))
    nodes = []
    for key, members in sorted(groups.items()):
        members.sort(key=lambda member: -len(member[1].shape))  # the weights before their biases
        variables = [variable for _, variable in members]
        widest = variables[0]
        rank = len(widest.shape)
        kind = {2: "dense", 4: "convolution"}.get(rank, "other")
        last = int(widest.shape[-1]) if rank else 1
        texts = {"dense": f"Dense {last}", "convolution": f"Conv {_times(widest.shape[:2])}, {last}"}
        frozen = _size(variable for variable in variables if id(variable) not in trainable)
        name = key if "/" in members[0][0] or not key.isdigit() else ", ".join(label for label, _ in members)
        shape = (last,) if kind == "dense" else ()
        costs = None if products is None else sum(products.get(id(variable), 0) for variable in variables)
        text = texts.get(kind, "Variables")
        node = Node(name, kind, text, shape, _size(variables), frozen=frozen, multiply_adds=costs, window=None)
        nodes.append(node)
    return nodes


def _labelled(model: Any) -> list[tuple[str, Any]]:
    """Variables with a name each: a Keras path, a given tf.Variable name, or the module's attribute."""
    attributes = {id(value): key for key, value in vars(model).items()}
    labelled = []
    for number, variable in enumerate(model.variables):
        given = str(getattr(variable, "path", None) or variable.name).split(":")[0]
        label = given if given != "Variable" else attributes.get(id(variable), f"variable{number}")
        labelled.append((label, variable))
    return labelled
