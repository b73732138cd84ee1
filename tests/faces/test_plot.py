"""Pictures: what they show, that nothing overlaps or is cut off, and how they reach a file."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

import archspec
from archspec.errors import UsageError
from archspec.graph import Graph
from archspec.node import INPUT, Tensor
from archspec.plot import Picture, draw, render_svg, save
from archspec.plot.display import Circle, Rect, Text
from archspec.plot.display import Path as Line
from archspec.plot.limits import MAX_ROWS
from archspec.plot.outline import Item
from archspec.plot.palette import STEPS
from archspec.plot.panels import panels_of
from archspec.plot.png import render_png
from archspec.plot.structure import Knot, series_of, wires_between

SPECS = Path(__file__).parents[2] / "specs"
NETWORKS = sorted([*SPECS.glob("*.json"), *SPECS.glob("tiny/*.json")])
CONV = {"op": "conv", "kernel": 3, "channels": 8}
NEXT_TO = 0.05
"""Boxes that share an edge do not overlap."""


def graph_of(tmp_path: Path, body: object, **parts: object) -> Graph:
    spec = {"archspec": 1, "name": "net", "input": {"shape": [8, 16, 16]}, "body": body, **parts}
    path = tmp_path / "net.json"
    path.write_text(json.dumps(spec))
    return archspec.load(path)


def texts(picture: Picture) -> list[str]:
    return [shape.text for shape in picture.shapes if isinstance(shape, Text)]


def rects(picture: Picture, *roles: str) -> list[Rect]:
    return [s for s in picture.shapes if isinstance(s, Rect) and s.role in roles]


def overlap(a: Rect, b: Rect) -> bool:
    return (
        a.x + a.width > b.x + NEXT_TO
        and b.x + b.width > a.x + NEXT_TO
        and a.y + a.height > b.y + NEXT_TO
        and b.y + b.height > a.y + NEXT_TO
    )


def inside(inner: Rect, outer: Rect) -> bool:
    return (
        inner.x >= outer.x - NEXT_TO
        and inner.y >= outer.y - NEXT_TO
        and inner.x + inner.width <= outer.x + outer.width + NEXT_TO
        and inner.y + inner.height <= outer.y + outer.height + NEXT_TO
    )


def check_geometry(picture: Picture) -> None:
    """Nothing leaves the canvas, no two boxes overlap, boxes stay within their frames."""
    for shape in picture.shapes:
        if isinstance(shape, Text):
            assert shape.x >= 0 and shape.x + shape.width <= picture.width, shape
            assert shape.y - shape.size >= 0 and shape.y <= picture.height, shape
        elif isinstance(shape, Rect):
            assert inside(shape, Rect(0, 0, picture.width, picture.height, "", "")), shape
        elif isinstance(shape, Line):
            for x, y in itertools.chain.from_iterable(points for _, points in shape.segments):
                assert 0 <= x <= picture.width and 0 <= y <= picture.height, shape
    solid = rects(picture, "row", "pill", "join", "strip")
    solid += [
        Rect(s.x - s.radius, s.y - s.radius, 2 * s.radius, 2 * s.radius, "join", "")
        for s in picture.shapes
        if isinstance(s, Circle)
    ]
    for a, b in itertools.combinations(solid, 2):
        assert not overlap(a, b), (a, b)
    frames = rects(picture, "panel", "block")
    for frame in frames:
        for other in (*solid, *frames):
            apart = other is frame or not overlap(frame, other)
            assert apart or inside(other, frame) or inside(frame, other), (frame, other)


def check_words(picture: Picture) -> None:
    """The words of a row end within it."""
    rows = rects(picture, "row", "pill", "strip")
    for text in picture.shapes:
        if not isinstance(text, Text) or text.role == "label":
            continue
        for row in rows:
            if row.x < text.x < row.x + row.width and row.y < text.y < row.y + row.height:
                assert text.x + text.width <= row.x + row.width, text


@pytest.mark.thorough
@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_every_network_is_drawn_without_overlaps(path):
    graph = archspec.load(path)
    picture = draw(graph)
    check_geometry(picture)
    check_words(picture)
    assert 1 / 1.7 <= picture.width / picture.height <= 2.1
    shown = set(texts(picture))
    assert graph.name in shown
    for output in graph.outputs:
        assert any(text.startswith(f"{output} ") for text in shown)


@pytest.mark.thorough
@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_every_edge_between_panels_is_drawn(path):
    graph = archspec.load(path)
    panels, note = panels_of(graph)
    assert not note
    picture = draw(graph)
    drawn = {s.edge for s in picture.shapes if isinstance(s, Line) and s.role == "flow"}
    assert drawn == expected_edges(graph, panels)


def expected_edges(graph: Graph, panels: list[Item]) -> set[tuple[str, str]]:
    """By the graph's own edges: each from one panel's nodes to another's."""
    home: dict[str, str] = {INPUT: "input"}
    for name, node in zip(graph.nodes, range(len(graph.nodes)), strict=True):
        for panel in panels:
            if panel.start <= node < panel.end and panel.inputs:
                home[name] = panel.name
    edges: set[tuple[str, str]] = set()
    for name, node in graph.nodes.items():
        for tensor in node.inputs:
            if home[tensor.node] != home[name]:
                edges.add((tensor.node, home[name]))
    several = len(graph.outputs) > 1
    for name, tensor in graph.outputs.items():
        edges.add((tensor.node, "results" if several else name))
    return edges


def test_isynet_shows_its_stages_and_repeats():
    graph = archspec.load("isynet_n1")
    shown = texts(draw(graph))
    for name in {name.partition(".")[0] for name in graph.nodes}:
        assert name in shown, name
    assert "block2-4" in shown and "block2-6" in shown
    assert {"\u00d73", "\u00d75"} <= set(shown)
    assert "7.42 M parameters \u00b7 2.27 G MACs \u00b7 input 3\u00d7224\u00d7224" in shown


def test_svg_parses_and_is_the_same_each_time():
    graph = archspec.load("isynet_n1")
    text = render_svg(draw(graph))
    assert text == render_svg(draw(archspec.load("isynet_n1")))
    root = ElementTree.fromstring(text)
    words = {node.text for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"stage1", "stage5", "\u00d75"} <= words
    code = "import archspec.plot as p, archspec, sys; sys.stdout.buffer.write("
    code += "p.render_svg(p.draw(archspec.load('isynet_n1'))).encode())"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
        assert done.stdout.decode() == text


def test_svg_needs_no_pillow():
    code = "import sys, archspec.plot as p, archspec;"
    code += "p.render_svg(p.draw(archspec.load('isynet_n1'))); sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_png_opens_at_twice_the_size(tmp_path):
    from PIL import Image

    graph = archspec.load("isynet_n1")
    picture = draw(graph)
    content = render_png(picture)
    assert content == render_png(picture)
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (round(2 * picture.width), round(2 * picture.height))
        assert len(image.convert("RGB").getcolors(1 << 24) or ()) > 20
    save(graph, tmp_path / "net.PNG")
    assert (tmp_path / "net.PNG").read_bytes() == content


def test_text_stands_out_on_every_colour():
    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    steps = [luminance(step.fill) for step in STEPS]
    assert steps == sorted(steps, reverse=True)
    for step, fill in zip(STEPS, steps, strict=True):
        bright, dark = sorted((luminance(step.ink), fill), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, step


def test_a_residual_has_its_skip_and_a_projection_its_row(tmp_path):
    block = {"op": "Bottleneck", "name": "block", "width": 4, "repeat": 3, "first": {"stride": 2}}
    picture = draw(graph_of(tmp_path, block))
    shown = texts(picture)
    assert "\u00d72" in shown and "block2-3" in shown
    assert sum(text.startswith("conv 1\u00d71 /2, 16") for text in shown) == 1
    assert sum(isinstance(s, Circle) for s in picture.shapes) == 2
    check_geometry(picture)


def test_branches_stand_side_by_side(tmp_path):
    branches = {"branches": [CONV, [CONV, CONV], "max", "relu"], "join": "concat"}
    branches["branches"][2] = {"op": "max_pool", "kernel": 3, "padding": 1}
    picture = draw(
        graph_of(tmp_path, [{"op": "T", "name": "t"}], templates={"T": {"body": branches}})
    )
    check_geometry(picture)
    rows = rects(picture, "row")
    columns = {round(row.x + row.width / 2) for row in rows}
    assert len(columns) == 4


def test_several_streams_through_a_repeated_template(tmp_path):
    exchange = {
        "inputs": ["h", "l"],
        "body": [
            {**CONV, "name": "a", "from": "h"},
            {**CONV, "name": "b", "from": "l"},
            {"op": "add", "name": "x", "from": ["a", "b"]},
            {"op": "mul", "name": "y", "from": ["b", "a"]},
        ],
        "outputs": {"h": "x", "l": "y"},
    }
    body = [
        {**CONV, "name": "p"},
        {**CONV, "name": "q"},
        {"op": "X", "name": "x", "repeat": 4, "from": {"h": "p", "l": "q"}},
    ]
    outputs = {"high": "x4.h", "low": "x4.l"}
    graph = graph_of(tmp_path, body, templates={"X": exchange}, outputs=outputs)
    picture = draw(graph)
    check_geometry(picture)
    shown = texts(picture)
    assert "\u00d74" in shown
    assert "high 8\u00d716\u00d716" in shown and "low 8\u00d716\u00d716" in shown
    wires = [s.edge for s in picture.shapes if isinstance(s, Line) and s.role == "wire"]
    mixed = {("x1." + conv, "x1." + join) for conv in "ab" for join in "xy"}
    assert {edge for edge in wires if edge[0] in ("x1.a", "x1.b")} == mixed
    assert sum(edge == ("x1.x", "") or edge == ("x1.y", "") for edge in wires) == 2


def test_what_is_no_series_is_a_knot():
    def item(name: str, inputs: list[str], output: str) -> Item:
        return Item(name, 0, 0, tuple((i, 0) for i in inputs), ((output, 0),))  # type: ignore

    items = [item("a", [], "a"), item("b", ["a"], "b"), item("c", ["a", "b"], "c")]
    items += [item("d", ["b"], "d"), item("e", ["c", "d"], "e"), item("f", ["d", "e"], "f")]
    wires = wires_between(items)
    series = series_of(len(items), wires)
    assert series.parts[0] == 0 and series.parts[-1] == 5
    middle = series.parts[1]
    assert not isinstance(middle, int) and isinstance(middle.branches[0], Knot)
    assert sum(wire.kind == "knot" for wire in wires) == len(wires)


def test_layers_that_grow_fold_as_one(tmp_path):
    layer = {"residual": [CONV, "relu"], "join": "concat"}
    body = {"op": "L", "name": "layer", "repeat": 6}
    shown = texts(draw(graph_of(tmp_path, body, templates={"L": {"body": layer}})))
    assert "\u00d76" in shown and "logits 56\u00d716\u00d716" in shown


@pytest.mark.parametrize(
    "body",
    [
        {"op": "conv", "kernel": 1, "channels": "=1 + index % 9", "repeat": 4000},
        {"branches": [[CONV, "relu"]] * 700, "join": "concat"},
        [{"op": "T"}, {"op": "T"}],
    ],
    ids=["long", "wide", "dense"],
)
def test_what_is_too_large_is_folded_with_a_note(tmp_path, body):
    tangle = [{**CONV, "name": "n0"}, {**CONV, "name": "n1"}]
    tangle += [
        {"op": "add", "name": f"n{k}", "from": [f"n{k - 1}", f"n{k * 7 % (k - 1)}"]}
        for k in range(2, 900)
    ]
    picture = draw(graph_of(tmp_path, body, templates={"T": {"body": tangle}}))
    assert any(text.startswith("note: ") for text in texts(picture))
    assert len(rects(picture, "row")) <= MAX_ROWS
    check_geometry(picture)


@pytest.mark.parametrize("name", ["net.jpg", "net", "net.svg.gz"])
def test_another_suffix_is_refused(tmp_path, name):
    graph = archspec.load("isynet_n1")
    with pytest.raises(UsageError, match=r"in \.svg or \.png"):
        save(graph, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    graph = archspec.load("isynet_n1")
    target = tmp_path / "net.svg"
    target.write_text("old")

    def fails(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(UsageError, match="no space left on device"):
        save(graph, target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(UsageError, match="no such file or directory"):
        save(archspec.load("isynet_n1"), tmp_path / "nowhere" / "net.svg")


def test_names_cannot_break_the_svg(tmp_path):
    graph = replace(graph_of(tmp_path, CONV), name="<&\"'>\x01", outputs={"<b>": Tensor("conv")})
    root = ElementTree.fromstring(render_svg(draw(graph)))
    assert root[0].text == "<&\"'>?"


def test_copies_are_called_as_their_spec_calls_them(tmp_path):
    """A name that ends in a digit stays it, so that two stages are not one name."""
    block = {"op": "BasicBlock", "repeat": 2}
    spec = {
        "archspec": 1, "name": "t", "input": {"shape": [3, 16, 16]},
        "body": [
            {"op": "conv", "channels": 8, "kernel": 3}, {**block, "name": "stage1", "width": 8},
            {"op": "conv", "name": "down", "channels": 16, "kernel": 3, "stride": 2},
            {**block, "name": "stage2", "width": 16},
        ],
    }  # fmt: skip
    (tmp_path / "t.json").write_text(json.dumps(spec))
    drawing = render_svg(draw(archspec.load(str(tmp_path / "t.json"))))
    for name in ("stage1", "stage2"):
        assert f">{name}<" in drawing
    assert ">stage<" not in drawing


STREAMS = {
    "Conv": {
        "args": {"channels": None, "kernel": 3, "stride": 1},
        "body": [
            {"op": "conv", "channels": "=channels", "kernel": "=kernel", "stride": "=stride"},
            {"op": "batch_norm"},
            {"op": "act", "function": "relu"},
        ],
    },
    "Up": {
        "args": {"channels": None, "scale": 2},
        "body": [
            {"op": "Conv", "channels": "=channels", "kernel": 1},
            {"op": "upsample", "scale": "=scale"},
        ],
    },
    "Exchange": {
        "args": {"channels": 8},
        "inputs": ["a", "b", "c"],
        "body": [
            {"op": "Conv", "name": "wb", "channels": "=2 * channels", "from": "b"},
            {"op": "Conv", "name": "wc", "channels": "=4 * channels", "from": "c"},
            {"op": "Conv", "name": "wa", "channels": "=channels", "from": "a"},
            {"op": "Up", "name": "b_to_a", "channels": "=channels", "from": "wb"},
            {"op": "Up", "name": "c_to_a", "channels": "=channels", "scale": 4, "from": "wc"},
            {
                "op": "Conv",
                "name": "a_to_b",
                "channels": "=2 * channels",
                "stride": 2,
                "from": "wa",
            },
            {"op": "add", "name": "sum_b", "from": ["a_to_b", "wb"]},
            {
                "op": "Conv",
                "name": "b_to_c",
                "channels": "=4 * channels",
                "stride": 2,
                "from": "wb",
            },
            {"op": "add", "name": "sum_c", "from": ["b_to_c", "wc"]},
            {"op": "add", "name": "sum_a", "from": ["wa", "b_to_a", "c_to_a"]},
        ],
        "outputs": {"a": "sum_a", "b": "sum_b", "c": "sum_c"},
    },
    "TopDown": {
        "args": {"channels": None},
        "inputs": ["skip", "deep"],
        "body": [
            {"op": "Conv", "name": "lateral", "channels": "=channels", "kernel": 1, "from": "deep"},
            {"op": "upsample", "name": "up", "scale": 2},
            {"op": "concat", "name": "cat", "from": ["up", "skip"]},
            {"op": "Conv", "name": "merged", "channels": "=channels"},
        ],
        "outputs": {"lateral": "lateral", "merged": "merged"},
    },
}
BACKBONE = [{"op": "Conv", "name": f"c{k}", "channels": 4 << k, "stride": 2} for k in (1, 2, 3)]
EXCHANGES = [
    *BACKBONE,
    {"op": "Exchange", "name": "x", "repeat": 2, "from": {"a": "c1", "b": "c2", "c": "c3"}},
]
TOP_DOWN = [
    *BACKBONE,
    {"op": "TopDown", "name": "t2", "channels": 16, "from": {"skip": "c2", "deep": "c3"}},
    {"op": "TopDown", "name": "t1", "channels": 8, "from": {"skip": "c1", "deep": "t2.merged"}},
    {"op": "Conv", "name": "d1", "channels": 16, "stride": 2, "from": "t1.merged"},
    {"op": "concat", "name": "n1", "from": ["d1", "t1.lateral"]},
    {"op": "Conv", "name": "d2", "channels": 16, "stride": 2},
    {"op": "concat", "name": "n2", "from": ["d2", "t2.lateral"]},
]


def points_along(line: Line) -> list[tuple[float, float]]:
    """The line as points that are close to each other."""
    found: list[tuple[float, float]] = []
    at = line.segments[0][1][0]
    for _, points in line.segments:
        corners = [at, *points]
        for k in range(101):
            level = corners
            while len(level) > 1:  # de Casteljau
                level = [
                    (a[0] + (b[0] - a[0]) * k / 100, a[1] + (b[1] - a[1]) * k / 100)
                    for a, b in itertools.pairwise(level)
                ]
            found.append(level[0])
        at = points[-1]
    return found


def check_lines(picture: Picture) -> None:
    """No line crosses a box that it neither leaves nor enters."""
    boxes = rects(picture, "row", "pill", "join")
    boxes += [
        Rect(s.x - s.radius, s.y - s.radius, 2 * s.radius, 2 * s.radius, "join", "")
        for s in picture.shapes
        if isinstance(s, Circle)
    ]
    for line in picture.shapes:
        if not isinstance(line, Line) or line.role not in ("wire", "flow"):
            continue
        points = points_along(line)
        for box in boxes:
            left, right = box.x + 0.5, box.x + box.width - 0.5
            top, bottom = box.y + 0.5, box.y + box.height - 0.5
            ends = [
                box.x - 1 <= x <= box.x + box.width + 1 and box.y - 1 <= y <= box.y + box.height + 1
                for x, y in (points[0], points[-1])
            ]
            crossed = any(left < x < right and top < y < bottom for x, y in points)
            assert any(ends) or not crossed, (line.edge, box)


def check_no_half_is_empty(picture: Picture) -> None:
    """A frame has something to the left of its middle and to the right."""
    rows = rects(picture, "row", "pill", "join")
    for frame in rects(picture, "panel", "block"):
        middle = frame.x + frame.width / 2
        within = [row for row in rows if inside(row, frame)]
        assert min(row.x for row in within) < middle < max(r.x + r.width for r in within), frame


@pytest.mark.thorough
@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_lines_of_networks_go_around_boxes(path):
    picture = draw(archspec.load(path))
    check_lines(picture)
    check_no_half_is_empty(picture)


def test_frames_alike_end_together_and_others_by_themselves():
    frames = rects(draw(archspec.load("resnet50")), "panel", "block")
    stages = [frame for frame in frames if frame.role == "panel"]
    blocks = [[f for f in frames if f.role == "block" and inside(f, stage)] for stage in stages]
    for projected, plain in filter(None, blocks):
        assert projected.x == plain.x
        assert projected.width > plain.width + NEXT_TO
    ends = [(stage.x, stage.x + stage.width) for stage in stages]
    assert ends[1] == ends[2], "stage2 and stage3 stand above each other"


@pytest.mark.parametrize(
    ("body", "outputs"),
    [
        (EXCHANGES, {"a": "x2.a", "b": "x2.b", "c": "x2.c"}),
        (TOP_DOWN, {"small": "t1.merged", "medium": "n1", "large": "n2"}),
    ],
    ids=["exchanges", "top down"],
)
def test_lines_of_streams_go_around_boxes(tmp_path, body, outputs):
    picture = draw(graph_of(tmp_path, body, templates=STREAMS, outputs=outputs))
    check_geometry(picture)
    check_lines(picture)
    check_no_half_is_empty(picture)


def test_streams_keep_the_order_of_the_template(tmp_path):
    outputs = {"a": "x2.a", "b": "x2.b", "c": "x2.c"}
    picture = draw(graph_of(tmp_path, EXCHANGES, templates=STREAMS, outputs=outputs))
    flows = [s for s in picture.shapes if isinstance(s, Line) and s.role == "flow"]
    into = {line.edge[0]: line.segments[-1][1][-1][0] for line in flows if line.edge[1] == "x"}
    out = {line.edge[0]: line.segments[0][1][0][0] for line in flows if line.edge[1] == "results"}
    assert len(into) == len(out) == 3
    assert sorted(into, key=into.__getitem__) == ["c1.act", "c2.act", "c3.act"]
    assert sorted(out, key=out.__getitem__) == ["x2.sum_a", "x2.sum_b", "x2.sum_c"]


def test_each_join_has_a_sign_of_its_own():
    def sign(join):
        spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}}
        spec["body"] = {"residual": {"op": "conv", "kernel": 3, "channels": 3}, "join": join}
        picture = draw(archspec.loads(json.dumps(spec)))
        lines = [s.segments for s in picture.shapes if isinstance(s, Line) and s.role == "sign"]
        return str(lines), join in texts(picture)

    joins = ("add", "sub", "mul", "div", "max", "min")
    signs = [sign(join) for join in joins]
    assert len(set(signs)) == len(joins) - 1  # max and min are words
    assert [word for _, word in signs] == [False] * 4 + [True] * 2
