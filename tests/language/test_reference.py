"""The pages of ops, templates and commands: up to date, and true of what their examples load as."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import archspec
from archspec.ops import OPS
from archspec.pages import find_templates
from archspec.shapes import written

DOCS = Path(archspec.__file__).parents[1] / "docs"


def sections(name):
    """Each section of a page, by its heading."""
    parts = re.split(r"^### (.+)$", (DOCS / f"{name}.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", ["ops", "blocks", "commands"])
def test_the_pages_are_those_of_today(run, name):
    pytest.importorskip("onnx")
    code, out, err = run("explain", "--page", name)
    assert (code, err) == (0, "")
    assert (DOCS / f"{name}.md").read_text() == out, "make pages"


def test_every_op_and_every_template_has_its_section():
    assert sections("ops").keys() == OPS.keys()
    assert [*sections("blocks")] == [shipped.full_name for shipped in find_templates()]


@pytest.mark.parametrize("page", ["ops", "blocks"])
def test_the_counts_of_every_example_are_those_it_loads_with(page):
    for name, text in sections(page).items():
        example = re.search(r"```json\n(.*?)```", text, re.DOTALL)
        assert example, f"{name} has no example: no shipped network calls it where it can stand"
        graph = archspec.loads(example[1])
        (shape,) = graph.output_shapes.values()
        facts = dict(re.findall(r"^- (\w+): (.*)$", text.partition("```json")[2], re.MULTILINE))
        if "network" in facts:
            whole = f"{written(shape)} output, {graph.params:,} parameters, {graph.macs:,} MACs"
            assert facts["network"] == whole
        else:
            counted = (facts["output"], facts["parameters"], facts["MACs"])
            assert counted == (written(shape), f"{graph.params:,}", f"{graph.macs:,}")
        if page == "ops":
            assert facts["numpy"].endswith(f"gives {written(shape)}")
            assert [node.op.name for node in graph.nodes.values()].count(name) == 1


def test_an_op_s_page(run):
    code, out, _ = run("explain", "conv")
    assert code == 0
    assert "torch       `nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)`" in out
    assert "weight      weight 32x16x3x3 (4,608)" in out
    example = re.search(r"^example\n(.*?\}\})\n", out, re.DOTALL | re.MULTILINE)
    assert example and json.loads(example[1])["body"]["op"] == "conv"
    assert max(map(len, out.splitlines())) <= 100


def test_a_function_s_page_is_act_s(run):
    assert "hswish      x min(max(x + 3, 0), 6) / 6" in run("explain", "relu")[1]


def test_a_template_s_page(run):
    assert run("explain", "blocks/resnet", "Stage")[1].startswith("blocks/resnet Stage: ")
    code, _, err = run("explain", "Stage")
    assert code == 2
    assert "use 'archspec explain blocks/cspdarknet Stage'" in err


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["resnet50"], "use archspec explain resnet50 NODE"),
        (["blocks/resnet"], "use archspec explain blocks/resnet TEMPLATE"),
        (["blocks/resnet", "Stge"], "did you mean 'Stage'"),
        (["cnov"], "did you mean 'conv'"),
        (["linear"], "use 'dense'"),
        ([], "explain takes SPEC NODE"),
        (["conv", "--page", "ops"], "use it alone"),
    ],
)
def test_what_has_no_page_is_told_what_to_use(run, arguments, said):
    code, _, err = run("explain", *arguments)
    assert code == 2
    assert said in err
