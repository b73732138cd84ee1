"""Laws that hold of any spec, of any damage to one and of any expression.

The shapes of a random spec are known here before archspec sees it, by arithmetic of this module
alone; so are the values of random expressions.
"""

from __future__ import annotations

import ast
import json
import math
import re
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from archspec.check import check_document
from archspec.document import Document, parse_document, read_document
from archspec.errors import SpecError
from archspec.expressions import ExpressionError, read_expression
from archspec.loading import build
from archspec.ops import FUNCTIONS, OPS
from archspec.program import program_of
from archspec.project import Source
from archspec.sources import FILES, shipped_folder, shipped_names
from archspec.space import Space


def examples(number, is_divided=True):
    """As many with --all, else the share of them that is taken, unless ARCHSPEC_EXAMPLES asks for
    more (tests/conftest.py)."""
    default = settings.default
    wanted = default.max_examples
    if default.derandomize:
        share = wanted / settings.get_profile("all").max_examples if is_divided else 1
        wanted = round(number * share)
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(max_examples=wanted, suppress_health_check=slow)


def graph_of(spec):
    text = spec if isinstance(spec, str) else json.dumps(spec)
    return build(check(parse_document(text, "net.json")))


def check(document: Document):
    problems = check_document(document)
    if problems:
        raise SpecError(problems)
    return program_of(document)


# --- random specs


class Writer:
    """Writes nodes that fit one after another; `shape` is what the next one is given."""

    def __init__(self, draw, shape, constants=()):
        self.draw = draw
        self.shape = shape
        self.constants = dict(constants)
        self.named: dict[str, tuple[int, ...]] = {}
        self.used: set[str] = set()
        self.numbers = count(1)

    def pick(self, *options):
        return self.draw(st.sampled_from(options))

    def number(self, low, high):
        return self.draw(st.integers(low, high))

    def inner(self, shape=None):
        """A writer of the same scope for a path that starts from the same or another shape."""
        other = Writer(self.draw, shape or self.shape, self.constants)
        other.numbers, other.used = self.numbers, self.used
        return other

    def write_number(self, value):
        """A whole number as it is or as an expression that gives it."""
        names = [name for name, known in self.constants.items() if known == value]
        a = self.number(1, 9)
        return self.pick(
            value,
            value,
            f"={value + a} - {a}",
            f"={value * a} // {a}",
            f"=max({value}, {value} - {a})",
            f"={value} if {a} < 10 else {a}",
            f"=round({value} + 0.25)",
            *(f"={name}" for name in names),
        )

    def chain(self, most, keeps=False):
        return [self.node(keeps) for _ in range(self.number(0, most))]

    def node(self, keeps=False):
        """Any node; one that keeps height and width if asked."""
        kinds = ["plain", "plain", "plain", "none", "group", "repeat", "skipped"]
        if len(self.shape) == 3:
            kinds += ["conv", "conv", "conv", "residual", "branches", "template", "gate", "each"]
            kinds += ["split", "standard", "lanes"]
            if not keeps:
                kinds += ["shrink", "shrink", "rearranged", "rearranged"]
        else:
            kinds += ["dense", "dense"]
        node = getattr(self, f"write_{self.pick(*kinds)}")()
        return self.name(node)

    def name(self, node):
        """Give a node a name, sometimes, and remember what shape stands under it."""
        if not isinstance(node, dict) or {"name", "repeat", "each"} & node.keys():
            return node
        if self.number(0, 2) == 0:
            name = f"{self.pick('a', 'stem', 'x1')}_{next(self.numbers)}"
            self.named[name] = self.shape
            return {**node, "name": name}
        return node

    def write_none(self):
        return "none"

    def write_plain(self):
        """An op that keeps the shape."""
        channels = self.shape[0]
        divisors = [d for d in range(1, channels + 1) if channels % d == 0]
        options: list[Any] = [
            "batch_norm",
            {"op": "batch_norm", "epsilon": 1e-3, "momentum": 0.5},
            {"op": "layer_norm"},
            {"op": "group_norm", "groups": self.write_number(self.pick(*divisors))},
            self.pick(*FUNCTIONS),
            {"op": "act", "function": self.pick(*FUNCTIONS)},
            {"op": "act", "function": "leaky_relu", "alpha": 0.2},
            {"op": "act", "function": "gelu", "approximate": True},
            {"op": "act", "function": "none"},
            "softmax",
            {"op": "dropout", "rate": 0.25},
            {"op": "drop_path", "rate": "=1 / 8"},
            "layer_scale",
            {"op": "layer_scale", "initial": 1},
            "identity",
            {"op": "concat"},
            {"op": "rms_norm", "epsilon": 1e-3},
            "zero",
            {"op": "scale", "factor": 2, "offset": -1},
            {"branches": ["relu", "sigmoid"], "join": self.pick("sub", "div")},
            {"branches": ["tanh", "sigmoid"], "join": self.pick("max", "='min'")},
        ]
        if len(self.shape) == 3:
            options += [
                {"op": "channel_shuffle", "groups": self.pick(*divisors)},
                {"op": "instance_norm"},
                {"op": "local_response_norm", "size": 3},
                {"op": "softmax", "axis": self.pick("channels", "height", "width", "space")},
                {"op": "roll", "shift": [self.number(0, 3), 1]},
                {"op": "permute", "order": ["channels", "height", "width"]},
                {"branches": [[], self.param()], "join": "add"},
                self.attention(),
            ]
        return self.pick(*options)

    def attention(self):
        """Of an image to itself."""
        name = f"t_{next(self.numbers)}"
        divisors = [d for d in range(1, self.shape[0] + 1) if self.shape[0] % d == 0]
        return {
            "body": [
                {"op": "identity", "name": name},
                {"op": "attention", "heads": self.pick(*divisors), "from": [name] * 3},
            ]
        }

    def param(self):
        """A learnt tensor that an addition repeats to the shape."""
        return {"op": "param", "shape": [self.pick(1, extent) for extent in self.shape]}

    def write_conv(self):
        """A convolution that keeps height and width."""
        channels, height, width = self.shape
        kernel = self.pick(1, 3, [3, 1], [1, 5], 5)
        groups = self.pick(*(g for g in range(1, channels + 1) if channels % g == 0))
        out = groups * self.number(1, 3)
        padding = self.pick("half", "half", "same")
        node = {
            "op": "conv",
            "channels": self.write_number(out),
            "kernel": kernel,
            "padding": padding,
        }
        if groups > 1:
            node["groups"] = self.pick(groups, f"={groups}")
        if self.number(0, 3) == 0:
            node["bias"] = self.pick(True, "=true", "=1 < 2")
        if self.number(0, 3) == 0:
            node["dilation"] = 2
        self.shape = (out, height, width)
        return node

    def write_shrink(self):
        """What changes height and width, or flattens."""
        channels, height, width = self.shape
        kinds = ["flatten", "global_avg_pool", "global_max_pool", "pad"]
        if max(height, width) < 20:
            kinds.append("upsample")
        if min(height, width) >= 2:
            kinds += ["conv", "conv", "max_pool", "avg_pool"]
        if channels > 1:
            kinds.append("slice")
        kind = self.pick(*kinds)
        if kind == "flatten":
            self.shape = (channels * height * width,)
            return kind
        if kind.startswith("global"):
            self.shape = (channels, 1, 1)
            return kind
        if kind == "pad":
            top, bottom, left, right = (self.number(0, 2) for _ in range(4))
            self.shape = (channels, height + top + bottom, width + left + right)
            return {"op": "pad", "padding": [top, bottom, left, right], "value": self.pick(0, -1)}
        if kind == "upsample":
            down, right = self.number(1, 2), self.number(1, 3)
            self.shape = (channels, height * down, width * right)
            mode = self.pick("nearest", "bilinear")
            return {"op": "upsample", "scale": [down, right], "mode": mode}
        if kind == "slice":
            start = self.number(0, channels - 1)
            stop = self.number(start + 1, channels)
            self.shape = (stop - start, height, width)
            return {"op": "slice", "start": start, "stop": self.pick(stop, self.write_number(stop))}
        return self.window(kind, channels, height, width)

    def window(self, kind, channels, height, width):
        extents = (height, width)
        kernel = [self.number(1, min(3, extent)) for extent in extents]
        stride = [self.number(1, 3) for _ in extents]
        padding = self.pick("half", "same", "valid", 0)
        node = {"op": kind, "kernel": kernel, "stride": stride, "padding": padding}
        result = []
        for extent, size, step in zip(extents, kernel, stride, strict=True):
            if padding == "same":
                result.append(math.ceil(extent / step))
            else:
                total = 2 * (size // 2) if padding == "half" else 0
                result.append(math.floor((extent + total - size) / step) + 1)
        if kind == "conv":
            channels = node["channels"] = self.number(1, 6)
        self.shape = (channels, *result)
        return node

    def write_rearranged(self):
        """What moves values to other places, or makes more of them."""
        channels, height, width = self.shape
        kinds = ["permute", "reshape", "matmul", "adaptive_avg_pool", "adaptive_max_pool"]
        kinds += ["reduce", "pixel_shuffle"] if channels % 4 == 0 else ["reduce"]
        kinds += ["conv_transpose"] if max(height, width) < 20 else []
        kinds += ["space_to_depth"] * 2 if height % 2 == width % 2 == 0 else []
        return getattr(self, f"write_{self.pick(*kinds)}")()

    def write_reduce(self):
        channels, height, width = self.shape
        over = {
            "space": (channels, 1, 1),
            "height": (channels, 1, width),
            "width": (channels, height, 1),
            "channels": (1, height, width),
        }
        axes = self.pick(*over)
        self.shape = over[axes]
        return {"op": "reduce", "function": self.pick("mean", "sum", "max", "norm2"), "over": axes}

    def write_permute(self):
        axes = dict(zip(("channels", "height", "width"), self.shape, strict=True))
        order = list(self.draw(st.permutations(list(axes))))
        self.shape = tuple(axes[name] for name in order)
        return {"op": "permute", "order": order}

    def write_reshape(self):
        channels, height, width = self.shape
        self.shape = (channels, height * width, 1)
        return {"op": "reshape", "width": 1}

    def write_matmul(self):
        """An image times itself turned."""
        channels, height, _ = self.shape
        whole, turned = (f"m_{next(self.numbers)}" for _ in range(2))
        self.shape = (channels, height, height)
        return {
            "body": [
                {"op": "identity", "name": whole},
                {"op": "permute", "name": turned, "order": ["channels", "width", "height"]},
                {"op": "matmul", "from": self.pick([whole, turned], {"a": whole, "b": turned})},
            ]
        }

    def write_adaptive_avg_pool(self, op="adaptive_avg_pool"):
        size = [self.number(1, extent) for extent in self.shape[1:]]
        self.shape = (self.shape[0], *size)
        return {"op": op, "size": size}

    def write_adaptive_max_pool(self):
        return self.write_adaptive_avg_pool("adaptive_max_pool")

    def write_conv_transpose(self):
        _, *extents = self.shape
        kernel, stride = [self.number(1, 3) for _ in extents], [self.number(1, 2) for _ in extents]
        out = self.number(1, 4)
        self.shape = (
            out,
            *((n - 1) * s + k for n, s, k in zip(extents, stride, kernel, strict=True)),
        )
        return {"op": "conv_transpose", "channels": out, "kernel": kernel, "stride": stride}

    def write_pixel_shuffle(self):
        channels, height, width = self.shape
        self.shape = (channels // 4, 2 * height, 2 * width)
        return {"op": "pixel_shuffle", "factor": 2}

    def write_space_to_depth(self):
        channels, height, width = self.shape
        self.shape = (4 * channels, height // 2, width // 2)
        return {"op": "space_to_depth", "factor": 2}

    def write_lanes(self):
        """Copies beside each other, which a join or a further node makes one of."""
        lanes = self.number(1, 3)
        node = {"op": "conv", "kernel": 1, "channels": "=2 + lane", "parallel": lanes}
        self.shape = (sum(2 + lane for lane in range(lanes)), *self.shape[1:])
        if lanes > 1 and self.number(0, 1):
            return {**node, "join": "concat"}
        return {"body": [node, {"op": "concat"}]}

    def write_dense(self):
        self.shape = (self.number(1, 12),)
        return {"op": "dense", "channels": self.write_number(self.shape[0])}

    def write_group(self):
        other = self.inner()
        body = other.chain(3, keeps=True)
        self.shape = other.shape
        return {"body": body}

    def write_skipped(self):
        node = self.inner().node()
        if not isinstance(node, dict) or "parallel" in node:
            return {"body": node, "when": False}  # of lanes, each passes its input on
        return {**node, "when": self.pick(False, "=false", "=1 > 2")}

    def write_repeat(self):
        """Copies of what keeps the shape, or widens it by what it is given."""
        copies = self.number(0, 3)
        if len(self.shape) == 1 or self.number(0, 1):
            return {"body": self.write_plain(), "repeat": self.write_number(copies)}
        if copies:
            self.shape = (self.shape[0] * 2**copies, *self.shape[1:])
        return {"branches": [[], "identity"], "join": "concat", "repeat": copies}

    def write_each(self):
        rows = [{"channels": self.number(1, 5)} for _ in range(self.number(1, 3))]
        node = {"op": "conv", "kernel": 1, "each": rows}
        if self.number(0, 1):
            node["first"] = {"kernel": 3}
            node["last"] = {"channels": "=index + 1"}
            rows[-1] = {"channels": len(rows)}
        self.shape = (rows[-1]["channels"], *self.shape[1:])
        return node

    def write_residual(self):
        """A path and a shortcut, brought to one shape or joined by channels."""
        main = self.inner()
        body = main.chain(2, keeps=True)
        join = self.pick("add", "mul", "concat", "none", "='concat'")
        if "add" in join or join == "mul":
            body = [body, {"op": "conv", "kernel": 1, "channels": self.write_number(self.shape[0])}]
            main.shape = self.shape
        node = {"residual": body, "join": join}
        if join == "add":
            del node["join"]
        if "concat" in join:
            self.shape = (main.shape[0] + self.shape[0], *self.shape[1:])
        else:
            self.shape = main.shape
        return node

    def write_branches(self):
        writers = [self.inner() for _ in range(self.number(1, 3))]
        paths = [writer.chain(2, keeps=True) for writer in writers]
        self.shape = (sum(writer.shape[0] for writer in writers), *self.shape[1:])
        if self.number(0, 1):
            return {"branches": paths, "join": "concat"}
        named = {self.pick("low", "high") + str(i): path for i, path in enumerate(paths)}
        return {"branches": named, "join": "concat"}

    def write_gate(self):
        gate = ["global_avg_pool", "sigmoid"]
        return {"residual": [], "shortcut": gate, "join": "mul"}

    def write_split(self):
        """Parts of the channels, joined in another order."""
        channels = self.shape[0]
        parts = self.pick(*(d for d in range(2, channels + 2) if channels % d == 0), 0)
        if not parts:
            return "identity"
        name = f"s_{next(self.numbers)}"
        order = self.draw(st.permutations(range(1, parts + 1)))
        return {
            "body": [
                {"op": "split", "name": name, "parts": parts},
                {"op": "concat", "from": [f"{name}.{k}" for k in order]},
            ]
        }

    def write_standard(self):
        channels = self.number(1, 6)
        extents = self.shape[1:]
        call = self.pick(
            {"op": "ConvNormAct", "channels": channels, "act": self.pick("none", "silu")},
            {"op": "MBConv", "channels": channels, "expand": 2, "squeeze": 1},
            {"op": "BasicBlock", "width": channels},
            {"op": "SqueezeExcite", "channels": 2},
            "DepthwiseConvNormAct",
        )
        if call == "DepthwiseConvNormAct" or call["op"] == "SqueezeExcite":
            channels = self.shape[0]
        self.shape = (channels, *extents)
        return call

    def write_template(self):
        """A call of the template that spec() writes: any channels, three ways to give them."""
        channels = self.number(1, 6)
        depth = self.number(1, 3)
        self.used.add("Block")
        self.shape = (channels, *self.shape[1:])
        node = {"op": "Block", "width": self.write_number(channels)}
        if self.number(0, 1):
            return {**node, "repeat": self.write_number(depth), "first": {"kernel": 3}}
        return {**node, "act": self.pick("relu", "none")}


BLOCK = {
    "args": {
        "width": {"type": "integer", "minimum": 1},
        "kernel": 1,
        "act": "relu",
        "twice": "=2 * width",
    },
    "body": {
        "residual": [
            {"op": "conv", "name": "wide", "kernel": "=kernel", "channels": "=twice"},
            {"op": "act", "function": "=act"},
            {"op": "conv", "kernel": 1, "channels": "=channels('wide') // 2"},
        ],
        "shortcut": {
            "op": "conv", "kernel": 1, "channels": "=width", "when": "=in_channels != width",
        },
    },
}  # fmt: skip


@st.composite
def specs(draw):
    """A spec and the shapes of its results by name."""
    shape = (draw(st.integers(1, 6)), draw(st.integers(3, 17)), draw(st.integers(3, 17)))
    constants = {"c": shape[0], "k": 3, "deep": 2, "in_channels": shape[0]}
    writer = Writer(draw, shape, constants)
    body = writer.chain(7)
    if writer.named and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(writer.named)))
        body.append({"op": "concat", "from": [name]})
        writer.shape = writer.named[name]
    spec = {
        "archspec": 1,
        "name": "net",
        "input": {"shape": list(shape)},
        "args": {"c": shape[0], "k": {"type": "integer", "default": 3}, "deep": "=k - 1"},
        "body": body,
    }
    if writer.used:
        spec["templates"] = {"Block": BLOCK}
    results = {"logits": writer.shape}
    if writer.named and draw(st.booleans()):
        results = dict(draw(st.lists(st.sampled_from(sorted(writer.named.items())), min_size=1)))
        spec["outputs"] = {name: name for name in results}
    return spec, results


@pytest.mark.thorough
def test_a_spec_has_the_shapes_its_author_meant():
    used = set()

    @examples(2000)
    @given(specs())
    def check(drawn):
        spec, results = drawn
        graph = graph_of(spec)
        assert graph.output_shapes == results
        used.update(node.op.name for node in graph.nodes.values())

    check()
    if settings.default.max_examples >= 100:  # of fewer, some op is in none
        assert used == set(OPS)


@examples(300)
@given(specs())
def test_a_normal_form_expands_to_itself(drawn):
    graph = graph_of(drawn[0])
    again = graph_of(graph.normal_form())
    assert again.normal_form() == graph.normal_form()
    assert again.fingerprint == graph.fingerprint
    assert again.stats() == graph.stats()
    assert list(again.nodes) == list(graph.nodes)


def reorder(value):
    """The same network with the keys of its nodes in another order, notes added."""
    if isinstance(value, list):
        return [reorder(item) for item in value]
    if not isinstance(value, dict):
        return value
    if {"op", "body", "residual"} & value.keys():
        pairs = [("doc", "a note"), *reversed(value.items())]
        return {key: reorder(item) for key, item in pairs}
    return {key: reorder(item) for key, item in value.items()}


@examples(250)
@given(specs())
def test_a_fingerprint_knows_no_names_notes_or_layout(drawn):
    spec = drawn[0]
    body = reorder(spec["body"])
    other = {**spec, "name": "other", "doc": "another", "body": body, "source": {"paper": "none"}}
    text = json.dumps(dict(reversed(other.items())), indent=3, ensure_ascii=False)
    graph = graph_of(spec)
    assert graph_of(text).fingerprint == graph.fingerprint
    assert graph_of(rename(graph.normal_form())).fingerprint == graph.fingerprint


def rename(flat):
    """The same normal form with every node under another name."""
    names = {node["name"]: f"node{number}" for number, node in enumerate(flat["body"])}

    def new(name):
        owner, _, part = name.rpartition(".")
        return names.get(name) or (f"{names[owner]}.{part}" if owner in names else name)

    body = []
    for node in flat["body"]:
        node = {**node, "name": new(node["name"])}
        if "from" in node:
            sources = node["from"]
            node["from"] = new(sources) if isinstance(sources, str) else [*map(new, sources)]
        body.append(node)
    outputs = {key: new(name) for key, name in flat.get("outputs", {}).items()}
    return {**flat, "body": body, **({"outputs": outputs} if outputs else {})}


CHANGES = {
    "conv": lambda node: {**node, "bias": not node.get("bias", False)},
    "dense": lambda node: {**node, "bias": not node.get("bias", True)},
    "batch_norm": lambda node: {**node, "epsilon": 0.5},
    "layer_norm": lambda node: {**node, "epsilon": 0.5},
    "group_norm": lambda node: {**node, "epsilon": 0.5},
    "layer_scale": lambda node: {**node, "initial": 0.5},
    "act": lambda node: {
        "op": "act",
        "function": "relu6" if node["function"] != "relu6" else "elu",
        **{key: node[key] for key in ("name", "from") if key in node},
    },
    "dropout": lambda node: {**node, "rate": 0.75},
    "drop_path": lambda node: {**node, "rate": 0.75},
    "avg_pool": lambda node: {
        **{key: value for key, value in node.items() if key != "count_padding"},
        "op": "max_pool",
    },
    "pad": lambda node: {**node, "padding": [9, 0, 0, 0]},
    "softmax": lambda node: {
        "op": "identity",
        **{key: node[key] for key in ("name", "from") if key in node},
    },
    "identity": lambda node: {**node, "op": "softmax"},
}


@examples(300)
@given(specs(), st.data())
def test_a_fingerprint_knows_every_attribute(drawn, data):
    graph = graph_of(drawn[0])
    flat = graph.normal_form()
    places = [i for i, node in enumerate(flat["body"]) if node["op"] in CHANGES]
    assume(places)
    place = data.draw(st.sampled_from(places))
    node = flat["body"][place]
    flat["body"][place] = CHANGES[node["op"]](node)
    assert graph_of(flat).fingerprint != graph.fingerprint


@examples(300)
@given(specs(), st.integers(2, 7))
def test_columns_add_up_and_batches_scale(drawn, batch):
    graph = graph_of(drawn[0])
    stats, many = graph.stats(), graph.stats(batch)
    for key in ("params", "buffers", "macs", "elementwise", "activation_bytes"):
        total = getattr(stats, key)
        for rows in (stats.layers, stats.by_block(), stats.by_op()):
            assert sum(getattr(row, key) for row in rows) == total
        factor = 1 if key in ("params", "buffers") else batch
        assert getattr(many, key) == factor * total
    assert sum(row.nodes for row in stats.by_op()) == len(graph.nodes)
    assert (stats.params, stats.macs) == (graph.params, graph.macs)
    weights = [weight for node in graph.nodes.values() for weight in node.layer.weights]
    assert sum(math.prod(w.shape) for w in weights) == stats.params + stats.buffers
    image = 4 * math.prod(graph.input_shape)
    stored = [row.activation_bytes for row in stats.layers]
    assert max(image, *stored, 0) <= stats.peak_activation_bytes
    assert stats.peak_activation_bytes <= stats.activation_bytes + image
    assert many.peak_activation_bytes == batch * stats.peak_activation_bytes


# --- damaged specs

SHIPPED = {
    str(path.relative_to(shipped_folder())): path.read_text()
    for path in [*(shipped_folder() / f"{name}.json" for name in shipped_names()),
                 *(shipped_folder() / "blocks").glob("*.json")]
}  # fmt: skip
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "=", "=1", "=depth", "=in_channels * 2", "='add'", "relu", "conv", "ConvNormAct",
         "none", "add", "in", "same", "a b", "=1/0", "=x[0]", "\n", "é", "a.b", "index"]
    ),
    st.just([]),
    st.just({}),
    st.just([[]]),
    st.just({"op": "conv"}),
    st.just({"choice": [1, 2]}),
    st.just({"body": []}),
    st.just([3, 3]),
)  # fmt: skip


def copy(value):
    return json.loads(json.dumps(value))


def places(value, path=()):
    """Every place in a JSON value but the value itself."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        yield (*path, key)
        if isinstance(item, (dict, list)):
            yield from places(item, (*path, key))


@st.composite
def damaged(draw):
    """A shipped spec's name and its JSON with some values lost, replaced, renamed or moved."""
    name = draw(st.sampled_from(sorted(SHIPPED)))
    data = json.loads(SHIPPED[name])
    for _ in range(draw(st.integers(1, 3))):
        known = list(places(data))
        if not known:
            break
        *path, key = draw(st.sampled_from(known))
        owner = data
        for step in path:
            owner = owner[step]
        how = draw(st.sampled_from(["delete", "replace", "replace", "type", "rename", "move"]))
        if how == "delete":
            del owner[key]
        elif how == "replace":
            owner[key] = copy(draw(JUNK))
        elif how == "type":
            owner[key] = draw(st.sampled_from([str(owner[key]), [owner[key]], {"op": owner[key]}]))
        elif how == "rename" and isinstance(owner, dict):
            owner[str(key)[:-1] + draw(st.sampled_from("xs"))] = owner.pop(key)
        elif how == "move":
            other = data
            *path, to = draw(st.sampled_from(known))
            try:
                for step in path:
                    other = other[step]
                other[to] = copy(owner[key])
            except (KeyError, IndexError, TypeError):
                continue
    return name, data


def problems_of(document: Document):
    """What is wrong with it: nothing, or the problems of a SpecError; other exceptions pass."""
    try:
        program = check(document)
        if program.has_choice:
            Space(program).first()
        else:
            build(program)
    except SpecError as error:
        assert error.problems
        return error.problems
    return ()


def read_anew(name, text):
    return parse_document(text, "damaged.json", Source(FILES, str(shipped_folder() / name)))


def hold_positions(problems, text):
    """Every problem stands inside the file, its pointer and its place meaning one value."""
    lines = text.split("\n")
    for problem in problems:
        if problem.message.startswith("there are more problems"):
            continue
        match = re.fullmatch(r"(.+?)(?::(\d+):(\d+))?", problem.where)
        assert match is not None
        file, line, column = match.groups()
        if file != "damaged.json":
            assert Path(file).is_file() or problem.stack
            continue
        line, column = int(line), int(column)
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
        assert problem.message
        if problem.pointer is not None:
            offset = sum(len(passed) + 1 for passed in lines[: line - 1]) + column - 1
            value, _ = json.JSONDecoder().raw_decode(text, offset)
            assert value == pointed_at(json.loads(text), problem.pointer)


def pointed_at(value, pointer):
    """The value a JSON pointer means, or the nearest around it that is there."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            break
    return value


@pytest.mark.thorough
@examples(1500)
@given(damaged())
def test_damaged_values(drawn):
    name, data = drawn
    text = json.dumps(data, indent=1)
    problems = problems_of(read_anew(name, text))
    hold_positions(problems, text)


@st.composite
def damaged_text(draw):
    """A shipped spec's name and its text with characters lost, added, doubled or exchanged."""
    name = draw(st.sampled_from(sorted(SHIPPED)))
    text = SHIPPED[name]
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        how = draw(st.sampled_from(["cut", "lose", "insert", "double", "exchange"]))
        junk = draw(st.sampled_from([*'{}[]",:=0.-+e\\\n\t x\0', "null", "NaN", "1e999", '"a": ']))
        text = {
            "cut": text[:start],
            "lose": text[:start] + text[end:],
            "insert": text[:start] + junk + text[start:],
            "double": text[:end] + text[start:],
            "exchange": text[:start] + junk + text[end:],
        }[how]
    return name, text


@examples(800)
@given(damaged_text())
def test_damaged_text(drawn):
    name, text = drawn
    try:
        document = read_anew(name, text)
    except SpecError as error:
        hold_positions(error.problems, text)
        with pytest.raises((ValueError, RecursionError)):
            strict(text)
    else:
        assert document.data == strict(text)
        hold_positions(problems_of(document), text)


def strict(text):
    """The standard parser's verdict, but that a key twice, NaN and numbers too large are errors."""

    def unique(pairs):
        if len(dict(pairs)) < len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    def bounded(value):
        if not -(2**53) <= value <= 2**53 and not math.isfinite(value):
            raise ValueError("large")
        return value

    def whole(token):
        if abs(int(token)) > 2**53:
            raise ValueError("large")
        return int(token)

    return json.loads(
        text,
        object_pairs_hook=unique,
        parse_constant=lambda token: bounded(math.nan),
        parse_float=lambda token: bounded(float(token)),
        parse_int=whole,
    )


@examples(300)
@given(st.sampled_from(sorted(SHIPPED)), st.lists(st.tuples(st.integers(0), st.integers(0, 255))))
def test_damaged_bytes(tmp_path_factory, name, flips):
    content = bytearray(SHIPPED[name].encode())
    for place, byte in flips:
        content[place % len(content)] ^= byte
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_bytes(content)
    try:
        document = read_document(path, "damaged.json")
    except SpecError as error:
        (problem,) = error.problems
        assert re.match(r"damaged\.json:\d+:\d+$", problem.where)
    else:
        hold_positions(problems_of(document), document.text)


# --- random expressions

NAMES = {"n": 3, "half": 0.5, "list": [4, 1, 7], "yes": True}
BINARY = [ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow]
COMPARE = [ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE]


def call(name, *arguments):
    return ast.Call(ast.Name(name), list(arguments), [])


def _numbers(inner):
    number, condition = inner
    unary = st.sampled_from(["floor", "ceil", "round"])
    return st.one_of(
        st.builds(lambda a, op, b: ast.BinOp(a, op(), b), number, st.sampled_from(BINARY), number),
        st.builds(
            lambda op, a: ast.UnaryOp(op(), a), st.sampled_from([ast.USub, ast.UAdd]), number
        ),
        st.builds(lambda c, a, b: ast.IfExp(c, a, b), condition, number, number),
        st.builds(call, unary, number),
        st.builds(call, st.sampled_from(["min", "max"]), number, number, number),
        st.builds(call, st.just("divisible"), number, st.integers(1, 9).map(ast.Constant)),
        st.builds(lambda i: ast.Subscript(ast.Name("list"), i), number),
    )


def _conditions(inner):
    number, condition = inner
    return st.one_of(
        st.builds(
            lambda a, pairs: ast.Compare(a, [op() for op, _ in pairs], [b for _, b in pairs]),
            number,
            st.lists(st.tuples(st.sampled_from(COMPARE), number), min_size=1, max_size=3),
        ),
        st.builds(
            lambda op, parts: ast.BoolOp(op(), parts),
            st.sampled_from([ast.And, ast.Or]),
            st.lists(condition, min_size=2, max_size=3),
        ),
        st.builds(lambda a: ast.UnaryOp(ast.Not(), a), condition),
    )


def expressions(depth):
    """Trees of numbers and trees of conditions, of at most this depth."""
    number = st.one_of(
        st.integers(0, 20).map(ast.Constant),
        st.sampled_from([0.5, 2.0, 1e10, 2**53]).map(ast.Constant),
        st.sampled_from(["n", "half"]).map(ast.Name),
        st.just(call("len", ast.Name("list"))),
        st.just(call("max", ast.Name("list"))),
    )
    condition = st.sampled_from(["true", "false", "yes"]).map(ast.Name)
    for _ in range(depth):
        inner = (number, condition)
        number, condition = (
            st.one_of(number, _numbers(inner)),
            st.one_of(condition, _conditions(inner)),
        )
    return st.one_of(number, condition)


class NoValue(Exception):
    """The language gives an expression no value."""


def value_of(node):
    """What the reference says an expression is worth, in Python's own arithmetic."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, **NAMES}[node.id]
    if isinstance(node, ast.IfExp):
        return value_of(node.body) if value_of(node.test) else value_of(node.orelse)
    if isinstance(node, ast.BoolOp):
        gather = all if isinstance(node.op, ast.And) else any
        return gather(value_of(part) for part in node.values)
    if isinstance(node, ast.UnaryOp):
        operand = value_of(node.operand)
        if isinstance(node.op, ast.Not):
            return not operand
        return -operand if isinstance(node.op, ast.USub) else operand
    if isinstance(node, ast.Subscript):
        index = value_of(node.slice)
        if type(index) is not int or not -3 <= index < 3:
            raise NoValue
        return NAMES["list"][index]
    if isinstance(node, ast.Compare):
        return compare(node)
    if isinstance(node, ast.BinOp):
        return combine(type(node.op), value_of(node.left), value_of(node.right))
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return FUNCTION_VALUES[node.func.id](*map(value_of, node.args))


def compare(node):
    left = value_of(node.left)
    for sign, part in zip(node.ops, node.comparators, strict=True):
        right = value_of(part)
        holds = {
            ast.Eq: left == right, ast.NotEq: left != right, ast.Lt: left < right,
            ast.LtE: left <= right, ast.Gt: left > right, ast.GtE: left >= right,
        }[type(sign)]  # fmt: skip
        if not holds:
            return False
        left = right
    return True


def combine(sign, a, b):
    if sign is ast.Pow and abs(b) > 64:
        raise NoValue
    operation = {
        ast.Add: lambda: a + b, ast.Sub: lambda: a - b, ast.Mult: lambda: a * b,
        ast.Div: lambda: a / b, ast.FloorDiv: lambda: a // b, ast.Mod: lambda: a % b,
        ast.Pow: lambda: a**b,
    }[sign]  # fmt: skip
    try:
        return within(operation())
    except (ZeroDivisionError, OverflowError):
        raise NoValue from None


def within(value):
    if isinstance(value, complex) or not math.isfinite(value):
        raise NoValue
    if isinstance(value, int) and abs(value) > 2**53:
        raise NoValue
    return value


def divisible(value, divisor):
    """Half of the divisor and more rounds up; below nine tenths of the value, one step more."""
    result = max(divisor, math.trunc(value + divisor / 2) // divisor * divisor)
    return result if result >= 0.9 * value else result + divisor


FUNCTION_VALUES = {
    "floor": lambda value: within(math.floor(value)),
    "ceil": lambda value: within(math.ceil(value)),
    "round": lambda value: within(math.floor(value + 0.5)),
    "min": min,
    "max": lambda *values: max(*values),
    "len": len,
    "divisible": divisible,
}


class Names:
    names = NAMES

    def shapes_of(self, name):
        raise AssertionError(name)


@examples(2500)
@given(expressions(4))
def test_expressions_mean_what_python_means(tree):
    text = ast.unparse(tree)
    assume(len(text) <= 1000)
    try:
        wanted = value_of(tree)
    except NoValue:
        with pytest.raises(ExpressionError):
            read_expression(text).evaluate(Names())
        return
    value = read_expression(text).evaluate(Names())
    assert value == wanted
    assert type(value) is type(wanted)


@examples(1000)
@given(
    st.text(st.characters(codec="utf-8"), max_size=40) | st.text("1n()[]+-*/%<>=!'\". ,:{}@~&|^")
)
def test_any_text_is_an_expression_or_an_error(text):
    try:
        value = read_expression(text).evaluate(Names())
    except ExpressionError as error:
        assert str(error)
    else:
        assert isinstance(value, (int, float, str, list))
