"""Stages of a network: which a layer belongs to, by its name or by the module of branches that it is part of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from zoo.network.graph import Graph, Node

# "block1_conv1", "conv2_block1_1_conv", "block_1_expand", "mixed4_1x1_conv", "stem_conv1" have stages, "block2b_add"
# has that of "block2a_add"; Keras' own "max_pooling2d_1" has none
_STAGE = re.compile(r"(?:.*/)?(?:(block\d+)[a-z]|([A-Za-z]+_?\d+|stem))_.*[A-Za-z].*")


def stage_of(name: str) -> str:
    """The stage that the name of a layer begins with ("block1" of "block1_conv2" and "block1a_add"), "" for none."""
    match = _STAGE.fullmatch(name)
    return (match[1] or match[2]) if match else ""


def staged(nodes: Iterable[Node], edges: Iterable[tuple[str, str]] = ()) -> Iterator[Node]:
    """Give each node the stage that its name begins with, and a node named like a stage that stage.

    Where no name tells, the layers between a branching and the merge that ends it are a stage, named as the merge.
    """
    listed = list(nodes)
    stages = {node.name: stage for node in listed if (stage := node.stage or stage_of(node.name))}
    known = set(stages.values())
    stages |= {node.name: node.name for node in listed if node.name in known and node.name not in stages}
    for members in _modules(listed, list(edges)):
        if not any(node.name in stages for node in members[:-1]):
            stages |= {node.name: members[-1].name for node in members}
    for node in listed:
        yield replace(node, stage=stages.get(node.name, ""))


def _modules(nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> Iterator[Sequence[Node]]:
    """The runs of nodes after a branching up to and with the merge that all of its paths go through."""
    place = {node.name: index for index, node in enumerate(nodes)}
    reach = list(range(len(nodes)))
    for tail, head in edges:
        reach[place[tail]] = max(reach[place[tail]], place[head])
    feeds = Counter(tail for tail, _ in edges)
    cuts, farthest = [], 0
    for index in range(len(nodes)):
        if farthest <= index:  # no edge passes this node by
            cuts.append(index)
        farthest = max(farthest, reach[index])
    for first, last in pairwise(cuts):
        if last - first > 1 and nodes[last].kind == "merge" and feeds[nodes[first].name] > 1:
            yield nodes[first + 1 : last + 1]


def joined(graph: Graph) -> Graph:
    """Join chains of stages whose names count up and whose maps are equally large."""
    runs: list[list[Node]] = []
    for node in graph.nodes:
        if runs and _continues(node, runs[-1][-1], graph):
            runs[-1].append(node)
        else:
            runs.append([node])
    nodes = [members[0] if len(members) == 1 else _one_of(members) for members in runs]
    home = {node.name: one.name for one, members in zip(nodes, runs, strict=True) for node in members}
    edges = dict.fromkeys((home[tail], home[head]) for tail, head in graph.edges if home[tail] != home[head])
    return Graph(graph.name, tuple(nodes), tuple(edges), note=graph.note)


def _one_of(members: Sequence[Node]) -> Node:
    first, last = members[0], members[-1]
    name = f"{first.name} to {last.name}"
    costs = [node.multiply_adds for node in members]
    return replace(
        last,
        name=name,
        detail=f"{len(members)} modules, the last: {last.detail}",
        parameters=sum(node.parameters for node in members),
        stage=name,
        frozen=sum(node.frozen for node in members),
        multiply_adds=None if None in costs else sum(cost or 0 for cost in costs),
        window=None,
    )


def _continues(node: Node, before: Node, graph: Graph) -> bool:
    names = [re.fullmatch(r"(.*?)(\d+)", stage) for stage in (before.stage, node.stage)]
    first, second = names
    return bool(
        first
        and second
        and first[1] == second[1]
        and int(second[2]) == int(first[2]) + 1
        and before.shape[:2] == node.shape[:2]
        and graph.inputs[node.name] == (before.name,)
    )
