"""From the name of a spec to its checked graph."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from archspec.decisions import Decide
from archspec.document import At
from archspec.errors import Problem, SpecError
from archspec.expand import Expander
from archspec.graph import Graph
from archspec.observer import Observer
from archspec.program import Program, parse_program, read_program
from archspec.shapes import Shape, written
from archspec.sources import ProjectLike


def load(path: str | os.PathLike[str], *, input_shape: Shape | None = None, **args: Any) -> Graph:
    """The graph of a spec: a path, or the bare name of a shipped one.

    `args` are values for the spec's args, `input_shape` replaces its (channels, height, width).
    Raises SpecError with every problem of the first stage that has any: text, schema, names,
    expansion and shapes, and the spec's own `expect` where neither args nor input are changed.
    """
    return build(read_program(path), args, input_shape)


def loads(
    text: str,
    /,
    *,
    name: str = "<text>",
    project: ProjectLike = None,
    input_shape: Shape | None = None,
    **args: Any,
) -> Graph:
    """The graph of a spec given as text; no file is needed.

    Errors call the text `name`: "name:line:column". What it extends or imports is looked for in
    `project`, which is a dict of texts, a folder (its path, or Folder), Installed() or another
    Project; shipped specs are known by their bare names without one. A relative reference starts
    from `name`, the text's own place in the project, and nothing outside the project is read.

    `args` and `input_shape` are as for load. Raises SpecError as load does.
    """
    return build(parse_program(text, name=name, project=project), args, input_shape)


def load_normal_form(path: str | os.PathLike[str]) -> Graph:
    """The graph of a normal form that an archspec of any version wrote, also of a spec that had
    attributes which mean nothing: those that wrote them let them pass. Raises SpecError."""
    return build(read_program(path, is_lenient=True))


def build(
    program: Program,
    arguments: Mapping[str, Any] | None = None,
    input_shape: Shape | None = None,
    decide: Decide | None = None,
    observer: Observer | None = None,
) -> Graph:
    """The graph of a program, held to its `expect` if built as written; an `observer` is told of
    each step. Raises SpecError."""
    graph = Expander(program).graph(arguments, input_shape, decide, observer)
    if not arguments and input_shape is None and decide is None:
        problems = list(_broken_claims(program, graph))
        if problems:
            raise SpecError(problems)
    return graph


def _broken_claims(program: Program, graph: Graph) -> Iterator[Problem]:
    expect = program.expect
    source = f" ({expect['source']})" if "source" in expect else ""
    for key, actual in (("params", graph.params), ("macs", graph.macs)):
        if key in expect and expect[key] != actual:
            yield (program.expect_at / key).problem(
                f"expected {expect[key]:,} {key}{source} and the network has {actual:,}"
                f" ({actual - expect[key]:+,})"
            )
    if "output" in expect:
        yield from _broken_outputs(expect["output"], graph, program.expect_at / "output")


def _broken_outputs(claim: Any, graph: Graph, at: At) -> Iterator[Problem]:
    shapes = graph.output_shapes
    claims: dict[str, Any] = claim if isinstance(claim, dict) else dict.fromkeys(shapes, claim)
    if claims.keys() != shapes.keys():
        yield at.problem(f"expected outputs {list(claims)} and the network has {list(shapes)}")
        return
    for name, shape in shapes.items():
        if tuple(claims[name]) != shape:
            yield at.problem(
                f"expected {name} to be {written(tuple(claims[name]))} and it is {written(shape)}"
            )
