"""The layer graph: what a network consists of, as plain data for tables, diagrams and pages.

It is read from a model once (`from_model`) and kept as JSON, so drawing needs no framework. Text in it is
ASCII ("Conv 3x3, 64 + ReLU"); a diagram may typeset it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from zoo.errors import PluginError, ZooError
from zoo.types import Spec

KINDS = (
    *("input", "preprocessing", "convolution", "dense", "pooling", "normalisation", "activation"),
    *("dropout", "merge", "reshape", "output", "other"),
)
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Node:
    """One layer or operation.

    `kind` is one of `KINDS`; `detail` says in ASCII what it does, activation last ("Conv 3x3, 64 + ReLU").
    `shape` is that of its output without the batch, () if unknown, None for a size that varies. `parameters`
    counts all of its weights, `frozen` those of them that training does not change. `stage` names the part of
    the network that it folds into, "" for none.
    `multiply_adds` is what it computes for one image (see `zoo.network.cost`), None if unknown. An output sees a
    `window` of its input, (height, width), and the next output one that lies `stride` further (less than 1 where the
    image grows); a window of (0, 0) is all of the input, None an unknown one.
    """

    name: str
    kind: str
    detail: str
    shape: Shape = ()
    parameters: int = 0
    stage: str = ""
    frozen: int = 0
    multiply_adds: int | None = 0
    window: tuple[int, int] | None = (1, 1)
    stride: tuple[float, float] = (1, 1)


@dataclass(frozen=True)
class Graph:
    """A network: nodes, in an order in which data flow, and edges (from, to) between their names.

    `note` says what the picture can't ("connections unknown"). Raises PluginError if the names are not
    unique, an edge has no node, or edges form a cycle or run against the order.
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]
    note: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        position = {node.name: index for index, node in enumerate(self.nodes)}
        problem = ""
        if len(position) < len(self.nodes):
            problem = "two nodes share a name"
        for node in self.nodes:
            if node.kind not in KINDS:
                problem = f"node {node.name!r} has the kind {node.kind!r}; kinds are {', '.join(KINDS)}"
        for tail, head in self.edges:
            if not {tail, head} <= position.keys() or position[tail] >= position[head]:
                problem = f"the edge {tail!r} -> {head!r} must lead from a node to a later one"
        if problem:
            raise PluginError(f"The layer graph of {self.name!r} is wrong: {problem}")

    @cached_property
    def inputs(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the nodes that feed each node, in the order of the edges."""
        feeding: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for tail, head in self.edges:
            feeding[head].append(tail)
        return {name: tuple(tails) for name, tails in feeding.items()}

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(node.parameters for node in self.nodes)

    @property
    def frozen(self) -> int:
        """The number of weights that training does not change."""
        return sum(node.frozen for node in self.nodes)

    def to_json(self) -> str:
        """The graph as JSON, a line per node and per edge, so that versions of it compare well."""
        nodes = ",\n  ".join(json.dumps(asdict(node)) for node in self.nodes)
        edges = ",\n  ".join(json.dumps(edge) for edge in self.edges)
        head = f'"name": {json.dumps(self.name)},\n "note": {json.dumps(self.note)}'
        return f'{{{head},\n "nodes": [\n  {nodes}\n ],\n "edges": [\n  {edges}\n ]}}\n'

    @classmethod
    def from_json(cls, text: str) -> Graph:
        """Read back what `to_json` wrote. Raises ZooError for anything else."""
        try:
            stored: dict[str, Any] = json.loads(text)
            nodes = tuple(_node(entry) for entry in stored["nodes"])
            edges = tuple((str(tail), str(head)) for tail, head in stored["edges"])
            return cls(str(stored["name"]), nodes, edges, note=str(stored.get("note", "")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ZooError(f"This is not a layer graph that zoo wrote: {error}") from error


def _node(entry: dict[str, Any]) -> Node:
    """A node from JSON, which knows lists but no tuples."""
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Node(**fields)


def chain(name: str, *nodes: Node, note: str = "") -> Graph:
    """A graph in which every node feeds the next."""
    names = [node.name for node in nodes]
    return Graph(name, nodes, tuple(pairwise(names)), note=note)


def from_model(model: Any, spec: Spec | None = None) -> Graph:
    """Read the graph of a network: a `keras.Model` or a `tf.Module`.

    A model may carry an attribute (or property) `graph`, a `Graph`: it is taken as it is, and is how a
    `tf.Module` or a subclassed `keras.Model` shows what can't be seen from outside. Functional and Sequential
    models tell everything themselves. Of any other, the layers or variables are listed in the order of their
    names or creation, with a note. `spec` gives the title and, where the model tells none, the input.
    """
    given = getattr(model, "graph", None)
    if isinstance(given, Graph):
        return replace(given, name=spec.title) if spec else given
    from zoo.network.layers import read

    return read(model, spec)


# tables -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerRow:
    """A row of the layer table; fields as in `Node`, `inputs` are names."""

    name: str
    kind: str
    detail: str
    shape: Shape
    parameters: int
    inputs: tuple[str, ...]


def layer_table(graph: Graph) -> list[LayerRow]:
    """One row per node, in order."""
    return [
        LayerRow(node.name, node.kind, node.detail, node.shape, node.parameters, graph.inputs[node.name])
        for node in graph.nodes
    ]


def format_shape(shape: Shape, times: str = " x ") -> str:
    """ "50 x 50 x 64"; "?" stands for what is unknown."""
    return times.join("?" if size is None else str(size) for size in shape) or "?"


def format_table(graph: Graph) -> str:
    """The layer table as aligned ASCII text, with the counts of parameters below it.

    The column of inputs is left out where every layer's only input is the line above.
    """
    rows = layer_table(graph)
    above = ["", *(row.name for row in rows)]
    chained = all(row.inputs in ((), (name,)) for row, name in zip(rows, above, strict=False))
    lines = [("Layer", "Operation", "Output shape", "Parameters", "Input from")]
    lines += [
        (row.name, row.detail, format_shape(row.shape), f"{row.parameters:,}", ", ".join(row.inputs)) for row in rows
    ]
    columns = 4 if chained else 5
    widths = [max(len(line[column]) for line in lines) for column in range(columns)]

    def aligned(line: tuple[str, ...]) -> str:
        cells = [
            text.rjust(width) if column == 3 else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=False))
        ]
        return "  ".join(cells).rstrip()

    rule = "-" * (sum(widths) + 2 * (columns - 1))
    counts = {
        "Parameters": graph.parameters,
        "Trainable": graph.parameters - graph.frozen,
        "Non-trainable": graph.frozen,
    }
    figures = max(len(f"{count:,}") for count in counts.values())
    totals = [f"{f'{label}:':<15}{count:>{figures},}" for label, count in counts.items()]
    note = [graph.note] if graph.note else []
    body = [aligned(line) for line in lines]
    return "\n".join([graph.name, rule, body[0], rule, *body[1:], rule, *totals, *note]) + "\n"


# folding ----------------------------------------------------------------------------------------------------

_FOLLOWERS = ("activation", "normalisation", "dropout")
_MINOR = (*_FOLLOWERS, "reshape", "preprocessing")
_SCREEN = 14  # nodes that fit on one screen
_RANKS = ("convolution", "dense", "input", "merge", "pooling", "output")


def fold(graph: Graph) -> Graph:
    """Fold stages into one node each, and small layers without a stage into the one that they belong to.

    Only neighbours in an order of the data's flow are folded together, so that no cycle can arise; a stage
    that other layers interrupt becomes several nodes. If many are left, stages with numbers that follow one another
    at one size of the maps become one: "mixed0 to mixed2".
    """
    groups: list[list[Node]] = []
    for node in _in_order(graph):
        if groups and _joins(node, groups[-1], graph):
            groups[-1].append(node)
        else:
            groups.append([node])
    home: dict[str, str] = {}
    nodes = []
    for members in groups:
        folded = _merged(members, taken=set(home.values()))
        nodes.append(folded)
        home.update((member.name, folded.name) for member in members)
    edges = dict.fromkeys((home[tail], home[head]) for tail, head in graph.edges if home[tail] != home[head])
    result = Graph(graph.name, tuple(nodes), tuple(edges), note=graph.note)
    if len(nodes) <= _SCREEN:
        return result
    from zoo.network.stages import joined

    return joined(result)


def _in_order(graph: Graph) -> Iterator[Node]:
    """A topological order that stays in a stage, and on a branch, as long as it can."""
    waiting = dict.fromkeys(range(len(graph.nodes)))
    done: set[str] = set()
    last: Node | None = None
    while waiting:
        ready = [index for index in waiting if done.issuperset(graph.inputs[graph.nodes[index].name])]

        def preference(index: int, last: Node | None = last) -> tuple[bool, bool, int]:
            node = graph.nodes[index]
            leaves_stage = last is None or not node.stage or node.stage != last.stage
            return leaves_stage, last is None or last.name not in graph.inputs[node.name], index

        best = min(ready, key=preference)
        del waiting[best]
        last = graph.nodes[best]
        done.add(last.name)
        yield last


def _joins(node: Node, members: list[Node], graph: Graph) -> bool:
    stage, last = members[0].stage, members[-1]
    if node.stage:
        return node.stage == stage
    if graph.inputs[node.name] != (last.name,):
        return False
    if node.kind in _FOLLOWERS:
        return True
    return not stage and (
        last.kind == "reshape" or (node.kind == "preprocessing" and last.kind in ("input", node.kind))
    )


def _merged(members: list[Node], taken: set[str]) -> Node:
    if len(members) == 1:
        return members[0]
    main = next((node for kind in _RANKS for node in members if node.kind == kind), members[0])
    stage = members[0].stage
    name = unique(stage or main.name, taken)
    costs = [node.multiply_adds for node in members]
    return Node(
        name=name,
        kind=main.kind,
        detail=_stage_summary(stage, members) if stage else " + ".join(node.detail for node in members),
        shape=members[-1].shape,
        parameters=sum(node.parameters for node in members),
        stage=stage,
        frozen=sum(node.frozen for node in members),
        multiply_adds=None if None in costs else sum(cost or 0 for cost in costs),
        window=None,
    )


def _stage_summary(stage: str, members: list[Node]) -> str:
    """ "2 x Conv 3x3, 64 + MaxPool 2x2", or "3 residual blocks: Conv 1x1, 64 -> 3x3, 64 -> 1x1, 256"."""
    blocks: dict[str, list[Node]] = {}
    for node in members:
        if match := re.match(rf"{re.escape(stage)}(?:_([A-Za-z]+\d+)|([a-z]))_", node.name):
            blocks.setdefault(match[1] or match[2], []).append(node)
    # the first block of a stage often has a projection of its own; the last is the typical one
    last = list(blocks.values())[-1] if blocks else []
    typical = [node for node in last if node.kind not in (*_MINOR, "merge")]
    if len(blocks) > 1 and typical:
        adds = any(node.detail.startswith("Add") for node in members)
        steps = " -> ".join(_without_activation(node) for node in typical).replace("-> Conv ", "-> ")
        return f"{len(blocks)} {'residual ' * adds}blocks: {steps}"
    parts = [_without_activation(node) for node in members if node.kind not in _MINOR]
    counted = list(_counted(parts or [node.detail for node in members]))
    if len(counted) > 4:
        convolutions = [node for node in members if node.kind == "convolution"]
        sizes = sorted({size for node in convolutions for size in re.findall(r"\d+x\d+", node.detail)})
        others = dict.fromkeys(
            _without_activation(node) for node in members if node.kind not in (*_MINOR, "convolution")
        )
        counted = [f"{len(convolutions)} x Conv ({', '.join(sizes)})"] * bool(convolutions) + list(others)
    return " + ".join(counted)


def _without_activation(node: Node) -> str:
    return node.detail.split(" + ")[0]


def _counted(parts: Iterable[str]) -> Iterator[str]:
    """Equal neighbours counted: a, a, b gives "2 x a", "b"."""
    runs: list[tuple[str, int]] = []
    for part in parts:
        if runs and runs[-1][0] == part:
            runs[-1] = (part, runs[-1][1] + 1)
        else:
            runs.append((part, 1))
    return (part if count == 1 else f"{count} x {part}" for part, count in runs)


def unique(name: str, taken: set[str]) -> str:
    """`name`, or "name (2)", ... if it is taken."""
    candidates = (name if number == 1 else f"{name} ({number})" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)
