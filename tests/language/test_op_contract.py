"""What a new op must be given, table by table: the list is empty for every op, and names for a new
one all that it lacks.

Ops answer for themselves where an answer is true of one op whatever surrounds it; where a target,
a picture or an oracle has a table of its own, an op without an entry is named here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from oracles import numpy_ops
from test_ops import EXAMPLES, arrays, label

import archspec
from archspec.compiler.latency.work import work_of
from archspec.compiler.targets import TARGETS, reference
from archspec.expressions import read_expression
from archspec.ops import OPS, Op, Work
from archspec.ops.attention import Attention
from archspec.ops.base import Fans, attribute
from archspec.ops.conv import ConvTranspose
from archspec.ops.page import Page
from archspec.plot.words import WORDS
from archspec.shapes import elements

onnx_ops = pytest.importorskip("oracles.onnx_ops", exc_type=ImportError)

SCHEMA = Path(archspec.__file__).parent / "schema.json"


def spelling_of(where: str) -> Callable:
    module, _, function = where.partition(":")
    return getattr(import_module(f"archspec.compiler.targets.{module}"), function)


SPELLINGS = dict.fromkeys(target.spelling for target in TARGETS.values())
TABLES: dict[str, Callable] = {
    **{f"spelling: {where}": spelling_of(where) for where in SPELLINGS},
    "inference in numpy: compiler/targets/reference/": reference.forward,
    "oracle in plain loops: tests/oracles/numpy_ops.py": numpy_ops.forward,
    "oracle in ONNX: tests/oracles/onnx_ops.py": onnx_ops.emit,
}
"""Functions that have one form for each op."""


def find_forgotten(op: type[Op]) -> list[str]:
    """What a class of op still lacks, each as its name and where it belongs."""
    found = [f"Op.{name}" for name in sorted(op.__abstractmethods__)]
    found += [f"Op.{name}" for name in ("name", "doc", "category") if not getattr(op, name, "")]
    found += [] if getattr(op, "page", None) else ["Op.page"]
    found += [f"doc of {item.name}" for item in fields(op) if not item.metadata["doc"]]
    if OPS.get(op.name) is not op:
        found.append("OPS: archspec/ops/__init__.py")
    if written_schema().get(op.name, "") != getattr(op, "doc", None):
        found.append("schema and its doc: make schema")
    if op.name not in WORDS:
        found.append("words on a picture: archspec/plot/words.py")
    found += [where for where, table in TABLES.items() if not is_registered(table, op)]
    if op not in {type(example) for example, _ in EXAMPLES}:
        found.append("example: tests/language/test_ops.py")
    return found


def is_registered(table: Callable, op: type[Op]) -> bool:
    return table.dispatch(op) is not table.dispatch(object)


@cache
def written_schema() -> dict[str, str]:
    """The docs of all words that may stand for a node, as the committed schema has them."""
    words = json.loads(SCHEMA.read_text())["$defs"]["words"]
    return dict(zip(words["enum"], words["enumDescriptions"], strict=True))


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_nothing_is_forgotten(op):
    assert find_forgotten(op) == []


@dataclass(frozen=True)
class Lrn(Op):
    """An op as its author has it after the first minutes: a name, and how it is written."""

    name = "lrn"
    depth: int = attribute({"type": "integer", "minimum": 1}, "", 5)

    def infer(self, inputs):
        return (inputs[0],)


@dataclass(frozen=True)
class AnsweringLrn(Lrn):
    """The same after it was given all that stands in its class."""

    name = "lrn"
    doc = "each number over its neighbours' in the channels"
    category = "norm"
    page = Page("the input's", '{"op": "lrn", "depth": 3}')
    depth: int = attribute({"type": "integer", "minimum": 1}, "channels that count", 5)

    def fans(self, inputs):
        return None

    def work(self):
        return Work("stream")

    def folding(self):
        return "nothing"


ELSEWHERE = [
    "OPS: archspec/ops/__init__.py",
    "schema and its doc: make schema",
    "words on a picture: archspec/plot/words.py",
    "spelling: mindspore.spelling:spelling_of",
    "spelling: torch.spelling:spelling_of",
    "spelling: onnx.operators:spell",
    "inference in numpy: compiler/targets/reference/",
    "oracle in plain loops: tests/oracles/numpy_ops.py",
    "oracle in ONNX: tests/oracles/onnx_ops.py",
    "example: tests/language/test_ops.py",
]


def test_a_new_op_is_told_all_that_it_lacks():
    answers = ["fans", "folding", "work", "doc", "category", "page"]
    in_its_class = [*(f"Op.{name}" for name in answers), "doc of depth"]
    assert find_forgotten(Lrn) == [*in_its_class, *ELSEWHERE]
    assert find_forgotten(AnsweringLrn) == ELSEWHERE


def test_an_op_that_leaves_an_answer_out_cannot_be_made():
    with pytest.raises(TypeError, match=r"Lrn.*fans.*folding.*work"):
        Lrn()
    assert AnsweringLrn().depth == 5


def test_what_is_given_is_no_longer_asked_for(monkeypatch):
    monkeypatch.setitem(OPS, "lrn", AnsweringLrn)
    monkeypatch.setitem(WORDS, "lrn", WORDS["softmax"])
    monkeypatch.setattr("test_op_contract.EXAMPLES", [*EXAMPLES, (AnsweringLrn(), ((3, 4, 4),))])
    given = {"OPS", "words on a picture", "example"}
    assert find_forgotten(AnsweringLrn) == [
        what for what in ELSEWHERE if what.partition(":")[0] not in given
    ]


# Whether the answers are true, by plain loops that know nothing of them.

on_every_example = pytest.mark.parametrize("op, inputs", EXAMPLES, ids=label)


@on_every_example
def test_fans_count_what_a_result_is_made_of(op, inputs):
    drawn = [w for w in op.weights(inputs) if w.start is None and w.name != "bias"]
    fans = op.fans(inputs)
    assert len(drawn) == (fans is not None)
    if fans is None:
        return
    outputs, multiplications = numpy_ops.run(op, *arrays(np, op, inputs))
    assert isinstance(fans, Fans)
    if isinstance(op, ConvTranspose):  # as PyTorch reads its weight, as if it were a convolution's
        assert fans.inputs == multiplications / inputs[0][0] / elements(inputs[0][1:])
    else:
        assert fans.inputs == multiplications / outputs[0].size
    # arXiv 1502.01852 counts backward as if there were no groups, as MindSpore and PyTorch do
    (weight,) = drawn
    assert fans.outputs == weight.shape[0] * elements(weight.shape[2:])


@on_every_example
def test_work_multiplies_where_macs_are(op, inputs):
    outputs = op.infer(inputs)
    assert op.work().multiplies == (op.macs(inputs, outputs) > 0)
    assert work_of(op, inputs, outputs, 1).launches > 0


def per_channel(values, like):
    return values.reshape(-1, *[1] * (like.ndim - 1))


def factors_of(op, values, weight):
    """One per output channel, where the weight has them: a transposed convolution second, counted
    in a group."""
    if not isinstance(op, ConvTranspose) or weight.ndim == 1:
        return per_channel(values, weight)
    each = op.channels // op.groups
    groups = np.arange(len(weight)) // (len(weight) // op.groups)
    return np.array([values[group * each : (group + 1) * each] for group in groups])[
        ..., None, None
    ]


AXES = ("channels", "height", "width")


def names_of_formula(op, inputs, outputs):
    """What a formula of MACs can name: attributes, and extents of inputs and the first result."""
    names = {}
    for item in op.attributes():
        value = getattr(op, item.name)
        names[item.name] = value
        if isinstance(value, tuple) and len(value) == 2:
            names |= {f"{item.name}_height": value[0], f"{item.name}_width": value[1]}
    called = {"in": inputs[:1], **{name: inputs[i:][:1] for i, name in enumerate(op.input_names)}}
    for word, shapes in {**called, "out": outputs[:1]}.items():
        for shape in shapes:
            names |= {f"{word}_{axis}": n for axis, n in zip(AXES, shape, strict=False)}
    return names


@on_every_example
def test_the_formula_of_macs_is_what_is_counted(op, inputs):
    outputs = op.infer(inputs)
    formula = read_expression(op.page.macs or "0")
    scope = SimpleNamespace(names=names_of_formula(op, inputs, outputs))
    assert formula.evaluate(scope) == op.macs(inputs, outputs)


@on_every_example
def test_folding_is_what_its_weights_can_do(op, inputs):
    xs, weights = arrays(np, op, inputs)
    before, _ = numpy_ops.run(op, xs, weights)
    factors = np.linspace(0.5, 2, len(before[0]))
    if isinstance(op, Attention):
        assert op.folding() == "nothing"  # its weights are of places, not of channels
        return
    trained = [weight.name for weight in op.weights(inputs) if weight.trainable]
    scaled = {name: weights[name] * factors_of(op, factors, weights[name]) for name in trained}
    after, _ = numpy_ops.run(op, xs, {**weights, **scaled})
    follows = np.allclose(before[0] * per_channel(factors, before[0]), after[0])
    assert (bool(trained) and follows) == (op.folding() != "nothing")
    if op.folding() != "affine":
        return
    constant = np.linspace(-1, 1, len(before[0]))
    shifted, _ = numpy_ops.run(
        replace(op, bias=True), xs, {**weights, "bias": weights.get("bias", 0) + constant}
    )
    assert np.allclose(shifted[0], before[0] + per_channel(constant, before[0]))


@on_every_example
def test_what_gives_its_input_does(op, inputs):
    xs, weights = arrays(np, op, inputs)
    results, _ = numpy_ops.run(op, xs, weights)
    alike = [bool(xs) and np.array_equal(one, xs[0]) for one in results]
    is_same = len(xs) == 1 and alike == [True] and not op.is_noise
    assert op.gives_its_input(inputs) == is_same
    if op.is_noise:
        assert alike == [True]
