"""Small rewritings of a file's operators, before they are looked at one by one.

x ── Expand to the shape of y ─┐
y ──────────────────────────── Mul         becomes   x times y, which spreads x itself

x ─┬─ Slice 0..32 ── q
   └─ Slice 32..96 ── k                    becomes   x ── Split ─┬─ q
                                                                 └─ k
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from archspec.compiler.importing.onnx.net import Net, Operator
from archspec.compiler.importing.onnx.patterns import cut_of

SPREADING = ("Add", "Sub", "Mul", "Div", "Max", "Min")


def drop_repeats(net: Net) -> None:
    """Leave out each Expand all of whose readers give the same without it."""
    readers = net.readers()
    for operator in list(net.operators):
        if operator.kind != "Expand" or operator.inputs[0] in net.constants:
            continue
        kept, gone = operator.inputs[0], operator.output
        if all(_spreads(net, reader, gone, kept) for reader in readers[gone]):
            for reader in readers[gone]:
                reader.inputs = [kept if name == gone else name for name in reader.inputs]
            net.operators.remove(operator)
            readers = net.readers()


def _spreads(net: Net, reader: Operator, gone: str, kept: str) -> bool:
    if reader.kind not in SPREADING:
        return False
    shapes = [net.shapes[kept if name == gone else name] for name in reader.inputs]
    return np.broadcast_shapes(*shapes) == net.shapes[reader.output]


def join_slices(net: Net) -> None:
    """Let a Split stand for the slices that together are all of an axis."""
    groups: dict[tuple[str, int], dict[tuple[int, int], Operator]] = defaultdict(dict)
    for operator in net.operators:
        found = cut_of(net, operator)
        if found is None or len(found[1]) != 1:
            continue
        (axis, (start, stop, step)) = next(iter(found[1].items()))
        if step == 1:
            groups[found[0], axis].setdefault((start, stop), operator)
    for (source, axis), slices in groups.items():
        spans = sorted(slices)
        ends = [stop for _, stop in spans]
        starts = [start for start, _ in spans]
        if len(spans) < 2 or starts != [0, *ends[:-1]] or ends[-1] != net.shapes[source][axis]:
            continue
        parts = [slices[span] for span in spans]
        first = min(parts, key=net.operators.index)
        settings = {
            "axis": axis, "split": [stop - start for start, stop in spans],
            "opset": first.settings["opset"],
        }  # fmt: skip
        whole = Operator(
            "Split", first.name, [source], [part.output for part in parts], settings, first.scope,
            [name for part in parts for name in part.covers],
        )  # fmt: skip
        net.operators[net.operators.index(first)] = whole
        for part in parts:
            if part is not first:
                net.operators.remove(part)
