"""From the message to a Net: shapes inferred, constants computed, what changes nothing left out.

                 x ── Shape ── Gather ── Concat ─┐
    before:      x ──────────────────────────── Reshape        after:   x ── Reshape (to 1x768)

One walk in the file's order does all of it, because a shape may hang on a constant that is computed
from a shape. A batch of any size is taken to be 1 meanwhile.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from archspec.compiler.importing.onnx.net import Extents, Net, Operator, is_ours
from archspec.compiler.importing.onnx.reading import (
    DOMAINS,
    array_of,
    attributes_of,
    has_graphs,
    opset_of,
)
from archspec.compiler.importing.onnx.scopes import scope_of
from archspec.errors import Problem, SpecError, listed

PASSING = ("Identity", "Dropout", "Cast", "CastLike")
"""Operators whose result is their input in inference, all numbers being float32."""
COMPUTED = frozenset([
    "Abs", "Add", "And", "BatchNormalization", "Cast", "CastLike", "Ceil", "Clip", "Concat", "Conv",
    "Cos", "CumSum", "Div", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather",
    "GatherElements", "GatherND", "Gemm", "Greater", "GreaterOrEqual", "Identity",
    "InstanceNormalization", "Less", "LessOrEqual", "Log", "MatMul", "Max", "Min", "Mod", "Mul",
    "Neg", "Not", "OneHot", "Or", "Pad", "Pow", "Range", "Reciprocal", "ReduceL2", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape", "Round",
    "ScatterElements", "ScatterND", "Sigmoid", "Sign", "Sin", "Size", "Slice", "Softmax",
    "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "Transpose", "Trilu",
    "Unsqueeze", "Where", "Xor",
])  # fmt: skip
"""Operators that are computed where all they read is constant."""
QUANTISED = (
    "QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger",
    "MatMulInteger", "DynamicQuantizeLinear", "QLinearAdd", "QLinearGlobalAveragePool", "QGemm",
)  # fmt: skip
RESHAPING = ("Reshape", "Squeeze", "Unsqueeze", "Flatten")
MAX_COMPUTED = 1 << 25
"""Elements of a constant that is computed."""
MAX_TENSOR = 1 << 28
"""Elements of one result: the proof computes all of them."""
MAX_KNOWN = 1 << 12
"""Elements of a constant that shapes may hang on."""


def settle(model: onnx.ModelProto, path: str | os.PathLike[str]) -> Net:
    """Raises SpecError with all nodes that cannot be."""
    return _Settling(model, Path(path)).run()


class _Settling:
    def __init__(self, model: onnx.ModelProto, path: Path):
        self.model = model
        self.path = path
        self.is_ours = is_ours(model.producer_name)
        self.opset = opset_of(model)
        self.constants: dict[str, np.ndarray] = {}
        self.types: dict[str, onnx.TypeProto] = {}
        self.same: dict[str, str] = {}
        self.operators: list[Operator] = []
        self.problems: list[str] = []
        self.batch, self.is_dynamic = 1, False

    def run(self) -> Net:
        graph = self.model.graph
        for tensor in graph.initializer:
            self._set(tensor.name, array_of(tensor, self.path.parent))
        given = self._input()
        for node in self._order():
            self._take(node)
        if self.problems:
            raise SpecError([Problem(text, os.fspath(self.path)) for text in self.problems])
        outputs = [self._resolve(value.name) for value in graph.output]
        missing = [name for name in outputs if name not in self.types]
        if missing or not outputs:
            raise self._error(f"the result {listed(missing) or 'of it'} is made by no node")
        constant = [name for name in outputs if name in self.constants]
        if constant:
            raise self._error(f"the result {listed(constant)} hangs on no image")
        shapes = {name: _extents(kind) for name, kind in self.types.items()}
        known = {name: shape for name, shape in shapes.items() if shape is not None}
        net = Net(
            graph.name, self.operators, self.constants, known, given, outputs, self.batch,
            self.is_dynamic, f"{self.model.producer_name} {self.model.producer_version}".strip(),
        )  # fmt: skip
        net.operators = _keep_live(net)
        self._check_shapes(net)
        return net

    def _error(self, text: str) -> SpecError:
        return SpecError(Problem(text, os.fspath(self.path)))

    def _set(self, name: str, array: np.ndarray) -> None:
        if array.dtype in (np.float64, np.float16):
            array = array.astype(np.float32)
        self.constants[name] = array
        self.types[name] = onnx.helper.make_tensor_type_proto(
            onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )

    def _input(self) -> str:
        inputs = [value for value in self.model.graph.input if value.name not in self.constants]
        if len(inputs) != 1:
            met = listed([value.name[:60] for value in inputs][:6], "and") or "none"
            raise self._error(f"a network of one input is read, and its inputs are {met}")
        kind = inputs[0].type.tensor_type
        if kind.elem_type != onnx.TensorProto.FLOAT:
            raise self._error(f"its input {inputs[0].name[:60]!r} must be of float32")
        dims = list(kind.shape.dim)
        if len(dims) != 4:
            raise self._error(
                f"its input {inputs[0].name[:60]!r} has {len(dims)} axes, and images have 4"
            )
        fixed = [dim.dim_value if dim.WhichOneof("value") == "dim_value" else 0 for dim in dims]
        if min(fixed[1:]) < 1:
            raise self._error(
                f"its input {inputs[0].name[:60]!r} has open extents beside the batch; use a model"
                " exported with its height and width fixed"
            )
        self.is_dynamic = fixed[0] < 1
        self.batch = max(fixed[0], 1)
        shape = (self.batch, *fixed[1:])
        self.types[inputs[0].name] = onnx.helper.make_tensor_type_proto(1, shape)
        return inputs[0].name

    def _order(self) -> list[onnx.NodeProto]:
        """Nodes, each after what it reads. Raises SpecError for a circle."""
        makers: dict[str, int] = {}
        nodes = list(self.model.graph.node)
        for place, node in enumerate(nodes):
            for name in filter(None, node.output):
                if name in makers or name in self.types:
                    raise self._error(f"the value {name[:100]!r} is made twice")
                makers[name] = place
        needs = [{makers[name] for name in node.input if name in makers} for node in nodes]
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(len(nodes)))
        graph.add_edges_from((source, place) for place, all_ in enumerate(needs) for source in all_)
        try:
            order = list(networkx.lexicographical_topological_sort(graph))
        except networkx.NetworkXUnfeasible:
            ring = [nodes[place] for place, _ in networkx.find_cycle(graph)[:4]]
            names = listed([(node.name or node.op_type)[:60] for node in ring], "and")
            raise self._error(f"the nodes {names} read each other in a circle") from None
        return [nodes[place] for place in order]

    def _resolve(self, name: str) -> str:
        return self.same.get(name, name)

    def _take(self, node: onnx.NodeProto) -> None:
        inputs = [self._resolve(name) for name in node.input]
        label = node.name or node.output[0] if node.output else node.name
        domain = "" if node.domain in DOMAINS else f"{node.domain[:40]}."
        said = f"{label[:120]} ({domain}{node.op_type[:60]})"
        if node.op_type in QUANTISED:
            raise self._error(
                f"{said} belongs to a quantised model; use the model before it was quantised"
            )
        if node.domain not in DOMAINS:
            self.problems.append(f"{said} is an operator that is not ONNX's own")
        elif has_graphs(node):
            self.problems.append(f"{said} is control flow, which a spec does not have")
        elif lost := [n for n in inputs if n and n not in self.types]:
            if not self.problems:
                self.problems.append(f"{said} reads {lost[0][:100]!r}, which nobody makes")
        else:
            self._take_node(node, inputs, said)
            return
        # what follows is looked at all the same, so that all that cannot be said is told at once

    def _take_node(self, node: onnx.NodeProto, inputs: list[str], said: str) -> None:
        settings = attributes_of(node, self.path.parent)
        if node.op_type == "Constant":
            self._set(node.output[0], _constant(settings))
            return
        if node.op_type in PASSING and inputs[0] not in self.constants:
            self.same[node.output[0]] = inputs[0]
            return
        try:
            self._infer(node, inputs)
        except Exception as error:  # onnx's own, of which there are several
            why = str(error).partition("\n")[0][:200]
            self.problems.append(f"{said} is not what ONNX says of it ({why})")
            return
        if self._compute(node, inputs, settings):
            return
        made = [name for name in node.output if name]
        self.operators.append(
            Operator(node.op_type, node.name or node.output[0], inputs, made, settings,
                     scope_of(node, self.constants, self.is_ours), [node.name or node.output[0]])
        )  # fmt: skip
        self.operators[-1].settings["opset"] = self.opset

    def _infer(self, node: onnx.NodeProto, inputs: list[str]) -> None:
        schema = onnx.defs.get_schema(node.op_type, self.opset, "")
        copy = _apart(node)
        del copy.input[:]
        copy.input.extend(inputs)
        data = {
            name: numpy_helper.from_array(np.ascontiguousarray(self.constants[name]), name)
            for name in inputs
            if name in self.constants and self.constants[name].size <= MAX_KNOWN
        }
        types = {name: self.types[name] for name in inputs if name}
        found = onnx.shape_inference.infer_node_outputs(
            schema, copy, types, data, opset_imports=[onnx.helper.make_opsetid("", self.opset)]
        )
        for name in node.output:
            if name:
                self.types[name] = found.get(name, onnx.TypeProto())

    def _compute(self, node: onnx.NodeProto, inputs: list[str], settings: dict[str, Any]) -> bool:
        """Whether the node's results are constants now."""
        if node.op_type == "Shape":
            shape = _extents(self.types[inputs[0]])
            if shape is None:
                return False
            start, end = settings.get("start", 0), settings.get("end")
            self._set(node.output[0], np.array(shape[start:end], np.int64))
            return True
        if node.op_type == "ConstantOfShape" and inputs[0] in self.constants:
            value = settings.get("value", np.zeros(1, np.float32))
            extents = tuple(int(n) for n in self.constants[inputs[0]].reshape(-1))
            if any(n < 0 for n in extents) or math.prod(extents) > 2**29:
                raise self._error(f"{node.name[:100]} makes a constant that is too large")
            self._set(node.output[0], np.broadcast_to(value.reshape(()), extents))
            return True
        if node.op_type == "Clip" and (zeros := self._zero_an_image(node, inputs)) is not None:
            self._set(node.output[0], zeros)
            return True
        given = [name for name in inputs if name]
        if node.op_type not in COMPUTED or not given or any(n not in self.constants for n in given):
            return False
        sizes = [math.prod(_extents(self.types[name]) or ()) for name in node.output if name]
        if max(sizes) > MAX_COMPUTED:
            raise self._error(f"{node.name[:100]} makes a constant that is too large")
        if node.op_type in RESHAPING:
            shape = _extents(self.types[node.output[0]])
            if shape is None:
                return False
            self._set(node.output[0], self.constants[inputs[0]].reshape(shape))
            return True
        # The evaluator lives in a circle of references; a node of the file would keep all of it.
        evaluator = ReferenceEvaluator(_apart(node), opsets={"": self.opset}, verbose=0)
        feeds = {
            old: self.constants[name] for old, name in zip(node.input, inputs, strict=True) if name
        }
        try:
            with np.errstate(all="ignore"):
                results = evaluator.run(None, feeds)
        except Exception:  # onnx's own reference has gaps in old opsets
            raise self._error(f"the constant {node.output[0][:100]} cannot be computed") from None
        for name, result in zip(node.output, results, strict=False):
            if name:
                self._set(name, np.asarray(result))
        return True

    def _zero_an_image(self, clip: onnx.NodeProto, inputs: list[str]) -> np.ndarray | None:
        """What our own export adds to numbers that all images share, to have them for each."""
        shape = _extents(self.types[clip.output[0]])
        bounds = [self.constants.get(name) for name in inputs[1:3]]
        is_zero = len(bounds) == 2 and all(b is not None and not b.any() for b in bounds)
        if shape is None or math.prod(shape[1:]) != 1 or not is_zero:
            return None
        return np.zeros(shape, np.float32)

    def _check_shapes(self, net: Net) -> None:
        for name, shape in net.shapes.items():
            if name not in net.constants and math.prod(shape) > MAX_TENSOR:
                raise self._error(
                    f"{name[:100]!r} is a tensor of {math.prod(shape):,} numbers, and at most"
                    f" {MAX_TENSOR:,} are computed to compare"
                )
        unknown = [
            o for o in net.operators if any(value not in net.shapes for value in o.outputs[:1])
        ]
        if unknown:
            names = listed([f"{o.name[:60]} ({o.kind})" for o in unknown[:4]], "and")
            raise self._error(
                f"the shapes of {names} are not known before it runs; export it with fixed sizes"
            )


def _apart(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


def _constant(settings: dict[str, Any]) -> np.ndarray:
    for key, value in settings.items():
        if key == "value":
            return value
        if key in ("value_float", "value_floats"):
            return np.array(value, np.float32)
        if key in ("value_int", "value_ints"):
            return np.array(value, np.int64)
    raise SpecError("a Constant holds neither numbers nor a tensor")


def _extents(kind: onnx.TypeProto) -> Extents | None:
    """The extents that a type says, None where one is open."""
    tensor = kind.tensor_type
    if not tensor.HasField("shape"):
        return None
    extents = tuple(
        dim.dim_value if dim.WhichOneof("value") == "dim_value" else -1 for dim in tensor.shape.dim
    )
    return None if min(extents, default=0) < 0 else extents


def _keep_live(net: Net) -> list[Operator]:
    """The operators that a result is made of."""
    wanted = set(net.outputs)
    kept: list[Operator] = []
    for operator in reversed(net.operators):
        if wanted & set(operator.outputs):
            wanted.update(operator.inputs)
            kept.append(operator)
    return kept[::-1]
