"""What several operators are together: normalisation, attention, rolls, blocks of pixels.

x ─┬─ ReduceMean ─┐
   └───────────── Sub ─┬─ Pow 2 ── ReduceMean ── Add ── Sqrt ─┐
                       └───────────────────────────────────── Div       becomes Normalize(x)

q ── MatMul ── Mul ── Add ── Softmax ── MatMul                          becomes Attention(q, k, v)
k ───┘                                   │
v ───────────────────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archspec.compiler.importing.onnx.net import Net, Operator

Makers = Mapping[str, Operator]
Readers = Mapping[str, list[Operator]]


def name_patterns(net: Net) -> None:
    """Let one operator stand for each pattern: no two share one."""
    for find in (
        _softmax_guards,
        _norms,
        _local_norms,
        _roots,
        _stretches,
        _attentions,
        _rolls,
        _pixel_blocks,
    ):
        makers, readers = net.makers(), net.readers()
        for operator in list(net.operators):
            find(net, operator, makers, readers)


def _maker(makers: Makers, name: str, *kinds: str) -> Operator | None:
    operator = makers.get(name)
    return operator if operator is not None and operator.kind in kinds else None


def _constant_beside(net: Net, operator: Operator) -> tuple[str, float] | None:
    """The input that is not a constant, and the one number of the other."""
    for free, fixed in ((0, 1), (1, 0)):
        if len(operator.inputs) == 2 and operator.inputs[free] not in net.constants:
            number = net.scalar(operator.inputs[fixed])
            if number is not None:
                return operator.inputs[free], number
    return None


def _softmax_guards(net: Net, where: Operator, makers: Makers, readers: Readers) -> None:
    """Where(IsNaN(x), 0, x), which torch puts behind a softmax: of numbers it is x."""
    if where.kind != "Where" or len(where.inputs) != 3:
        return
    asked = _maker(makers, where.inputs[0], "IsNaN")
    if asked and asked.inputs[0] == where.inputs[2] and net.scalar(where.inputs[1]) == 0:
        kept = where.inputs[2]
        for reader in net.operators:
            reader.inputs = [kept if name == where.output else name for name in reader.inputs]
        net.outputs = [kept if name == where.output else name for name in net.outputs]
        net.operators = [o for o in net.operators if o not in (where, asked)]


def _norms(net: Net, sink: Operator, makers: Makers, readers: Readers) -> None:
    if sink.kind == "Div":
        top, root = sink.inputs[0], _maker(makers, sink.inputs[1], "Sqrt", "Pow")
        inverse = None
    elif sink.kind == "Mul":
        found = [
            (top, inverse)
            for top, other in (sink.inputs, sink.inputs[::-1])
            if (inverse := _maker(makers, other, "Reciprocal", "Pow", "Div"))
        ]
        if not found:
            return
        top, inverse = found[0]
        if inverse.kind == "Reciprocal":
            root = _maker(makers, inverse.inputs[0], "Sqrt")
        elif inverse.kind == "Div" and net.scalar(inverse.inputs[0]) == 1:
            root = _maker(makers, inverse.inputs[1], "Sqrt")
        else:
            root = inverse if inverse.kind == "Pow" else None
    else:
        return
    if root is None or (
        root.kind == "Pow" and net.scalar(root.inputs[1]) != (-0.5 if inverse else 0.5)
    ):
        return
    added = _maker(makers, root.inputs[0], "Add")
    beside = _constant_beside(net, added) if added else None
    if added is None or beside is None:
        return
    mean = _maker(makers, beside[0], "ReduceMean")
    square = _square_of(net, mean.inputs[0], makers) if mean else None
    if mean is None or square is None:
        return
    axes = _axes_of(net, mean)
    region = {sink, root, added, mean, square[0]} | ({inverse} if inverse else set())
    if axes is None or square[1] != top:
        return
    centred = _maker(makers, top, "Sub")
    first = _maker(makers, centred.inputs[1], "ReduceMean") if centred else None
    if centred and first and first.inputs[0] == centred.inputs[0] and _axes_of(net, first) == axes:
        whole = region | {centred, first}
        if _is_closed(whole, sink, readers):
            net.put(sink, "Normalize", [centred.inputs[0]], whole, axes=axes, epsilon=beside[1])
            return
    if _is_closed(region, sink, readers):
        net.put(sink, "Rms", [top], region, axes=axes, epsilon=beside[1])


def _local_norms(net: Net, sink: Operator, makers: Makers, readers: Readers) -> None:
    """x / (k + alpha * mean of squares around each channel) ** beta, the mean being a pool."""
    power = _maker(makers, sink.inputs[1], "Pow") if sink.kind == "Div" else None
    added = _maker(makers, power.inputs[0], "Add") if power else None
    beside = _constant_beside(net, added) if added else None
    scaled = _maker(makers, beside[0], "Mul") if beside else None
    alpha = _constant_beside(net, scaled) if scaled else None
    if power is None or added is None or beside is None or scaled is None or alpha is None:
        return
    region, name, size = {sink, power, added, scaled}, alpha[0], 0
    while operator := _maker(
        makers, name, "Reshape", "Squeeze", "Unsqueeze", "Pad", "AveragePool", "Identity"
    ):
        region.add(operator)
        name = operator.inputs[0]
        if operator.kind == "AveragePool":
            if size or sorted(operator.settings["kernel_shape"])[:-1] != [1] * (
                len(operator.settings["kernel_shape"]) - 1
            ):
                return
            size = max(operator.settings["kernel_shape"])
    square, beta = _square_of(net, name, makers), net.scalar(power.inputs[1])
    if square and square[1] == sink.inputs[0] and size and beta is not None:
        region.add(square[0])
        if _is_closed(region, sink, readers):
            net.put(
                sink, "LRN", [square[1]], region, size=size, alpha=alpha[1], beta=beta,
                bias=beside[1], is_ours=True,
            )  # fmt: skip


def _roots(net: Net, sink: Operator, makers: Makers, readers: Readers) -> None:
    """The square root of the sum of the squares; where the mean is taken, times their number."""
    if sink.kind != "Sqrt":
        return
    inner = makers.get(sink.inputs[0])
    region, count = {sink}, 1.0
    if inner and inner.kind == "Mul" and (beside := _constant_beside(net, inner)):
        region.add(inner)
        inner, count = makers.get(beside[0]), beside[1]
    if inner is None or inner.kind not in ("ReduceMean", "ReduceSum"):
        return
    square = _square_of(net, inner.inputs[0], makers)
    axes = _axes_of(net, inner)
    if square is None or axes is None:
        return
    shape = net.shapes[inner.inputs[0]]
    wanted = np.prod([shape[axis] for axis in axes]) if inner.kind == "ReduceMean" else 1
    region |= {inner, square[0]}
    if count == wanted and _is_closed(region, sink, readers):
        net.put(sink, "ReduceL2", [square[1]], region, axes=axes, keepdims=1)


def _stretches(net: Net, sink: Operator, makers: Makers, readers: Readers) -> None:
    """rows @ (x @ columns), with two constant matrices: other extents, linear in the old pixels."""
    if sink.kind != "MatMul" or len(net.shapes[sink.output]) != 4:
        return
    inner = _maker(makers, sink.inputs[1], "MatMul")
    if inner is None or sink.inputs[0] not in net.constants or inner.inputs[1] not in net.constants:
        return
    rows, columns = net.constants[sink.inputs[0]], net.constants[inner.inputs[1]]
    if inner.inputs[0] in net.constants or rows.ndim != 2 or columns.ndim != 2:
        return
    if _is_closed({sink, inner}, sink, readers):
        net.put(sink, "Stretch", [inner.inputs[0]], {sink, inner}, rows=rows, columns=columns.T)


def _square_of(net: Net, name: str, makers: Makers) -> tuple[Operator, str] | None:
    operator = _maker(makers, name, "Mul", "Pow")
    if operator and operator.kind == "Pow" and net.scalar(operator.inputs[1]) == 2:
        return operator, operator.inputs[0]
    if operator and operator.kind == "Mul" and operator.inputs[0] == operator.inputs[1]:
        return operator, operator.inputs[0]
    return None


def _axes_of(net: Net, mean: Operator) -> list[int] | None:
    axes = mean.settings.get("axes")
    if axes is None and len(mean.inputs) > 1 and mean.inputs[1] in net.constants:
        axes = net.constants[mean.inputs[1]].reshape(-1).tolist()
    if axes is None or not mean.settings.get("keepdims", 1):
        return None
    rank = len(net.shapes[mean.inputs[0]])
    return sorted(axis % rank for axis in axes)


def _is_closed(region: set[Operator], sink: Operator, readers: Readers) -> bool:
    """Whether nobody outside reads what is made inside, but for the sink's."""
    return all(
        reader in region
        for operator in region - {sink}
        for value in operator.outputs
        for reader in readers[value]
    )


def _attentions(net: Net, soft: Operator, makers: Makers, readers: Readers) -> None:
    """The pattern around a softmax over the last axis of what two tensors' product became."""
    rank = len(net.shapes[soft.output])
    if soft.kind != "Softmax" or soft.settings.get("axis", -1) not in (-1, rank - 1) or rank < 3:
        return
    region = {soft}
    sink = _only_reader(soft.output, readers)
    is_turned = False
    if sink is not None and sink.kind == "Transpose":  # v @ shares.T in place of shares @ v
        is_turned = sink.settings.get("perm") == [*range(rank - 2), rank - 1, rank - 2]
        region.add(sink)
        sink = _only_reader(sink.output, readers)
    while (
        sink is not None
        and sink.kind == "Reshape"
        and net.shapes[sink.output][-1] == net.shapes[soft.output][-1]
    ):
        region.add(sink)
        sink = _only_reader(sink.output, readers)
    if sink is None or sink.kind != "MatMul" or any(side in net.constants for side in sink.inputs):
        return
    shares, values = sink.inputs[::-1] if is_turned else sink.inputs
    if makers.get(shares) not in region:
        return
    scale, added = 1.0, []
    name = soft.inputs[0]
    while True:
        operator = makers.get(name)
        if operator is None or len(readers[name]) != 1:
            return
        if operator.kind == "MatMul":
            break
        step = _toward_product(net, operator)
        if step is None:
            return
        name, factor, array = step
        scale *= factor
        if array is not None:
            added.append((array * np.float32(scale / factor), net.shapes[operator.output]))
        region.add(operator)
    if any(side in net.constants for side in operator.inputs):
        return
    region |= {sink, operator}
    inputs: list[str] = []
    for side in operator.inputs:
        inner, factor, gone = _take_scale(net, side, makers, readers)
        inputs.append(inner)
        scale *= factor
        region |= gone
    scores = net.shapes[operator.output]
    net.put(
        sink,
        "Attention",
        [*inputs, values],
        region,
        scale=scale,
        added=added,
        scores=scores,
        is_turned=is_turned,
    )


def _only_reader(name: str, readers: Readers) -> Operator | None:
    return readers[name][0] if len(readers[name]) == 1 else None


def _toward_product(net: Net, operator: Operator) -> tuple[str, float, np.ndarray | None] | None:
    """What a step between product and softmax read, its factor, and what it added."""
    if operator.kind == "Reshape":
        return operator.inputs[0], 1.0, None
    if operator.kind in ("Mul", "Div", "Add") and len(operator.inputs) == 2:
        beside = _constant_beside(net, operator)
        if operator.kind == "Mul" and beside:
            return beside[0], beside[1], None
        if operator.kind == "Div" and beside and beside[0] == operator.inputs[0]:
            return beside[0], 1 / beside[1], None
        for free, fixed in ((0, 1), (1, 0)):
            array = net.constants.get(operator.inputs[fixed])
            if (
                operator.kind == "Add"
                and array is not None
                and operator.inputs[free] not in net.constants
            ):
                return operator.inputs[free], 1.0, array
    return None


def _take_scale(
    net: Net, name: str, makers: Makers, readers: Readers
) -> tuple[str, float, set[Operator]]:
    """A factor of the product before what multiplied it by one number."""
    operator = makers.get(name)
    if operator and operator.kind in ("Mul", "Div") and len(readers[name]) == 1:
        beside = _constant_beside(net, operator)
        if beside and (operator.kind == "Mul" or beside[0] == operator.inputs[0]):
            return beside[0], beside[1] if operator.kind == "Mul" else 1 / beside[1], {operator}
    return name, 1.0, set()


def cut_of(
    net: Net, operator: Operator | None
) -> tuple[str, dict[int, tuple[int, int, int]]] | None:
    """What a Slice reads, and by axis (start, stop, step)."""
    if operator is None or operator.kind != "Slice":
        return None
    said = operator.settings
    found: list[list[int]] = []
    for place, key in enumerate(("starts", "ends", "axes", "steps"), 1):
        value = said.get(key)
        if value is None and len(operator.inputs) > place and operator.inputs[place]:
            array = net.constants.get(operator.inputs[place])
            if array is None:
                return None
            value = array.reshape(-1).tolist()
        found.append(value if value is not None else [])
    starts, ends, axes, steps = found
    shape = net.shapes[operator.inputs[0]]
    axes = [axis % len(shape) for axis in axes] or list(range(len(starts)))
    steps = steps or [1] * len(starts)
    parts = {
        axis: slice(start, end, step).indices(shape[axis])
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True)
    }
    return operator.inputs[0], parts


def _rolls(net: Net, join: Operator, makers: Makers, readers: Readers) -> None:
    """Concat(x[s:], x[:s]): what leaves at one end comes back at the other."""
    if join.kind != "Concat" or len(join.inputs) != 2:
        return
    rank = len(net.shapes[join.output])
    axis = join.settings["axis"] % rank
    cuts = [cut_of(net, makers.get(name)) for name in join.inputs]
    if cuts[0] is None or cuts[1] is None or cuts[0][0] != cuts[1][0]:
        return
    source = cuts[0][0]
    extent = net.shapes[source][axis]
    first, second = cuts[0][1].get(axis), cuts[1][1].get(axis)
    if first is None or second is None or len(cuts[0][1]) + len(cuts[1][1]) != 2:
        return
    if first[1:] == (extent, 1) and second == (0, first[0], 1):
        region = {join, *(makers[name] for name in join.inputs)}
        if _is_closed(region, join, readers):
            net.put(join, "Roll", [source], region, axis=axis, shift=-first[0])


def _pixel_blocks(net: Net, join: Operator, makers: Makers, readers: Readers) -> None:
    """Concat(x[0::2, 0::2], x[1::2, 0::2], ...) of all pixels of a block, as one reordering."""
    if join.kind != "Concat" or len(join.inputs) < 2:
        return
    rank = len(net.shapes[join.output])
    axis = join.settings["axis"] % rank
    places: list[dict[int, tuple[int, int]]] = []
    region, sources = {join}, set()
    for name in join.inputs:
        steps: dict[int, tuple[int, int]] = {}
        while (found := cut_of(net, makers.get(name))) is not None:
            region.add(makers[name])
            for along, (start, stop, step) in found[1].items():
                extent = net.shapes[found[0]][along]
                if (start, stop, step) != (0, extent, 1):
                    if (
                        along in steps
                        or step < 2
                        or extent % step
                        or start >= step
                        or stop < extent - step + start + 1
                    ):
                        return
                    steps[along] = (start, step)
            name = found[0]
        places.append(steps)
        sources.add(name)
    cut = sorted({along for steps in places for along in steps})
    if len(sources) != 1 or len(cut) != 2 or axis in cut or any(sorted(s) != cut for s in places):
        return
    factors = {along: places[0][along][1] for along in cut}
    source = next(iter(sources))
    orders = {
        tuple(cut): [(i, j) for i in range(factors[cut[0]]) for j in range(factors[cut[1]])],
        tuple(cut[::-1]): [(i, j) for j in range(factors[cut[1]]) for i in range(factors[cut[0]])],
    }
    met = [(steps[cut[0]][0], steps[cut[1]][0]) for steps in places]
    same = {steps[along][1] == factors[along] for steps in places for along in cut}
    order = next((way for way, all_ in orders.items() if all_ == met), None)
    if same != {True} or order is None or not _is_closed(region, join, readers):
        return
    net.put(join, "Blocks", [source], region, axis=axis, factors=factors, order=order)
