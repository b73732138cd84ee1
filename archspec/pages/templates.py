"""The page of a template: its text, and a call of it that a shipped network makes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from archspec.document import At
from archspec.errors import SpecError
from archspec.faults import described
from archspec.graph import Graph, TemplateCall
from archspec.library import Definition, Library, read_library, standard_library
from archspec.loading import build, loads
from archspec.pages.entry import Argument, Entry, Fact, counts
from archspec.program import read_program
from archspec.referring import read_spec
from archspec.shapes import Shape
from archspec.sources import find_reference, shipped_libraries, shipped_names
from archspec.space import Space
from archspec.syntax import Call, Parameter, Template

NAMESPACE = "own"
"""What examples import a library as."""
MAX_NODES = 12


@dataclass(frozen=True, eq=False)
class Shipped:
    """A template with the shipped library that has it, "" for the standard one."""

    library: str
    definition: Definition

    @property
    def name(self) -> str:
        return self.definition.template.name

    @property
    def full_name(self) -> str:
        return f"{self.library} {self.name}".strip()

    def is_called(self, call: TemplateCall) -> bool:
        """Whether a call in a graph is one of this template."""
        node = call.origin.node
        if not isinstance(node, Call) or node.computed is not None:
            return False  # what it calls is an argument's value
        namespace, _, name = node.target.rpartition(".")
        document = node.at.document
        own = self.definition.library.document.source
        if name != self.name:
            return False
        if namespace:
            place = At(document) / "import" / namespace
            reference = document.data.get("import", {}).get(namespace)
            return reference is not None and own == find_reference(reference, place, is_import=True)
        if name in document.data.get("templates", {}):
            return document.source == own
        return not self.library


def find_templates(name: str = "", library: str | None = None) -> list[Shipped]:
    """The shipped templates of this name, or all; of one library ("" is the standard one), or of
    all."""
    found: list[Shipped] = []
    for known in ("", *shipped_libraries()):
        if library in (None, known):
            texts = _read(known)
            definitions = map(texts.own, texts.own_names)
            found += [Shipped(known, d) for d in definitions if d and name in ("", d.template.name)]
    return found


@cache
def _read(name: str) -> Library:
    return read_library(read_spec(name)) if name else standard_library()


def template_entry(shipped: Shipped) -> Entry:
    """The page of a template. Its example is the first call in a shipped network that can stand
    alone, with the values that it has there."""
    template = shipped.definition.template
    example, graph, where = find_example(shipped)
    return Entry(
        shipped.full_name,
        template.doc,
        [*_facts_of(shipped, template)],
        [_argument_of(parameter) for parameter in template.parameters.values()],
        "arguments",
        example,
        [] if graph is None else [Fact("as in", where), *counts(graph), _nodes_of(graph)],
    )


def find_example(shipped: Shipped) -> tuple[str, Graph | None, str]:
    """A spec that calls the template, its graph, and the network and the call that it is of; empty
    where no shipped network has a call that can stand alone."""
    for name in shipped_names():
        graph = _build(name)
        for path, call in graph.calls.items():
            if len(call.taken) != 1 or not shipped.is_called(call):
                continue
            shape = graph.shape(call.taken[0])
            if len(shape) != 3:
                continue
            text = _write_example(shipped, call, shape)
            try:
                return text, loads(text), f"{name}, {path}"
            except SpecError:
                continue  # it needs what stands around it
    return "", None, ""


@cache
def _build(name: str) -> Graph:
    program = read_program(name)
    if not program.has_choice:
        return build(program)
    space = Space(program)
    return space.assign(space.first())


def _write_example(shipped: Shipped, call: TemplateCall, shape: Shape) -> str:
    values = call.arguments
    given = {key: _plain(values[key]) for key in call.origin.values if key in values}
    target = f"{NAMESPACE}.{shipped.name}" if shipped.library else shipped.name
    imported = f', "import": {{"{NAMESPACE}": "{shipped.library}"}}' if shipped.library else ""
    body = json.dumps({"op": target, **given}, ensure_ascii=False, default=str)
    return (
        f'{{"archspec": 1, "name": "example"{imported},\n'
        f' "input": {{"shape": {json.dumps(list(shape))}}},\n "body": {body}}}'
    )


def _plain(value: Any) -> Any:
    """An evaluated argument as JSON has it."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _facts_of(shipped: Shipped, template: Template) -> Iterator[Fact]:
    if shipped.library:
        yield Fact("import", f'{{"{NAMESPACE}": "{shipped.library}"}}')
    lists = template.list_inputs
    yield Fact("inputs", ", ".join(f"{n}[]" if n in lists else n for n in template.inputs))
    yield Fact("outputs", ", ".join(template.outputs) or "its last result")


def _argument_of(parameter: Parameter) -> Argument:
    default = "required" if parameter.default is None else json.dumps(parameter.default.raw)
    values = described(parameter.schema) if parameter.schema else "any value"
    if parameter.passes is not None:
        article = "an" if parameter.passes == "op" else "a"
        values = f"{article} {parameter.passes} to place"
    return Argument(parameter.name, values, default, parameter.doc)


def _nodes_of(graph: Graph) -> Fact:
    nodes = [f"{node.name} ({node.op.name})" for node in graph.nodes.values()]
    rest = len(nodes) - MAX_NODES
    shown = [*nodes[:MAX_NODES], f"and {rest} more"] if rest > 1 else nodes
    return Fact("nodes", f"{len(nodes)}: {', '.join(shown)}")
