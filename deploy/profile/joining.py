"""Which nodes of a spec a runtime's kernels are.

A node's operators are called after it when archspec writes ONNX ("stem.act", "stem.act/Tanh"), its
result too unless it is an output, and runtimes keep those names in what they make of them:
"stem.act_nchwc", "stem.convstem.act", "logits_nchwc". What carries no such name, as a change of
layout, is nobody's and shown as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.deploy.profile.report import LayerTime
from archspec.graph import Graph
from archspec.node import INPUT, Node


@dataclass(frozen=True)
class Kernel:
    """Something that ran: its name, the runtime's word for what it does, milliseconds for a batch,
    and what bounds it where the runtime tells."""

    name: str
    kind: str
    milliseconds: float
    bound: str | None = None


def join(kernels: Sequence[Kernel], graph: Graph | None, batch: int) -> tuple[LayerTime, ...]:
    """Kernels as layers of a spec's graph, in its order; what is nobody's stands at the end, one
    row for a kind. Without a graph each kernel is a row of its own.

    A node that no kernel is called after is part of another's: a convolution of the kernel that
    bears the name of what reads it, any other of the kernel before it. A convolution that neither
    is found for has a row without time.
    """
    if graph is None:
        return tuple(LayerTime(k.name, k.kind, k.milliseconds, None, k.bound) for k in kernels)
    deployed = for_deployment(Model(graph)).graph
    nodes = {name: deployed.nodes.get(name, node) for name, node in graph.nodes.items()}
    known = {key: tensor.node for key, tensor in deployed.outputs.items()}
    known.update({name: name for name in nodes})
    groups = _Groups(nodes)
    strays: list[Kernel] = []
    for kernel in kernels:
        names = [known[name] for name in names_in(kernel.name, known)]
        if names and INPUT not in names:
            groups.add(names, kernel)
        else:
            strays.append(kernel)
    groups.take_in(deployed.nodes)
    return (*groups.rows(batch, deployed.nodes), *_by_kind(strays))


def names_in(text: str, known: Mapping[str, object]) -> list[str]:
    """The names of nodes that a kernel's name is made of, the longest that fit; a name ends where
    the text does, before a character that no name has or before another name."""
    found: list[str] = []
    start, is_free = 0, True
    while start < len(text):
        name = _name_at(text, start, known) if is_free else None
        if name is not None:
            found.append(name)
            start += len(name)
            continue
        is_free = not _is_part(text[start])
        start += 1
    return list(dict.fromkeys(found))


def _name_at(text: str, start: int, known: Mapping[str, object]) -> str | None:
    for end in range(len(text), start, -1):
        if text[start:end] not in known:
            continue
        if end == len(text) or not _is_part(text[end]) or _any_at(text, end, known):
            return text[start:end]
    return None


def _any_at(text: str, start: int, known: Mapping[str, object]) -> bool:
    return any(text[start:end] in known for end in range(start + 1, len(text) + 1))


def _is_part(character: str) -> bool:
    """Of a name's word: "_" is not, for runtimes put it between names and words of their own."""
    return character.isalnum() or character == "."


@dataclass(eq=False)
class _Group:
    """Nodes that the same kernels work on."""

    names: list[str]
    kernels: list[Kernel] = field(default_factory=list)

    def row(self, nodes: Mapping[str, Node], batch: int) -> LayerTime:
        members = [name for name in nodes if name in self.names]
        main = max(members, key=lambda name: nodes[name].layer.macs)
        slowest = max(self.kernels, key=lambda kernel: kernel.milliseconds)
        return LayerTime(
            main,
            "+".join(dict.fromkeys(nodes[name].op.name for name in members)),
            sum(kernel.milliseconds for kernel in self.kernels),
            batch * sum(nodes[name].layer.macs for name in members),
            slowest.bound,
        )


class _Groups:
    def __init__(self, nodes: Mapping[str, Node]):
        self._nodes = nodes
        self._of: dict[str, _Group] = {}
        self._readers: dict[str, list[str]] = {}
        for node in nodes.values():
            for tensor in node.inputs:
                self._readers.setdefault(tensor.node, []).append(node.name)

    def add(self, names: Sequence[str], kernel: Kernel) -> None:
        """A kernel of these nodes, with all kernels that share one of them."""
        group = _Group(list(names), [kernel])
        for other in {id(one): one for one in map(self._of.get, names) if one}.values():
            group.names += other.names
            group.kernels = [*other.kernels, *group.kernels]
        self._put(group, group.names)

    def take_in(self, names: Iterable[str]) -> None:
        """Nodes that are deployed and have no kernel of their own."""
        for name in names:
            group = None if name in self._of else self._neighbour(self._nodes[name])
            if group is not None:
                group.names.append(name)
                self._put(group, [name])

    def rows(self, batch: int, names: Iterable[str]) -> list[LayerTime]:
        """Of all groups, and of what has work among `names` and no kernel, in the graph's order."""
        wanted, seen = set(names), set[int]()
        rows: list[LayerTime] = []
        for name, node in self._nodes.items():
            group = self._of.get(name)
            if group is not None and id(group) not in seen:
                seen.add(id(group))
                rows.append(group.row(self._nodes, batch))
            elif group is None and node.layer.macs and name in wanted:
                rows.append(LayerTime(name, f"{node.op.name}, no kernel found", 0.0))
        return rows

    def _neighbour(self, node: Node) -> _Group | None:
        names = self._readers.get(node.name, [])
        if not node.layer.macs:
            # of a sum's inputs the last to be computed
            given = {tensor.node for tensor in node.inputs}
            names = [name for name in self._nodes if name in given][::-1]
        return next((self._of[name] for name in names if name in self._of), None)

    def _put(self, group: _Group, names: Iterable[str]) -> None:
        for name in names:
            self._of[name] = group


def _by_kind(strays: Sequence[Kernel]) -> list[LayerTime]:
    kinds: dict[str, list[Kernel]] = {}
    for kernel in strays:
        kinds.setdefault(kernel.kind, []).append(kernel)
    return [
        LayerTime(
            f"(no layer's: {len(kernels)} {kind})", kind, sum(one.milliseconds for one in kernels)
        )
        for kind, kernels in kinds.items()
    ]
