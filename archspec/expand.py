"""From a spec to its graph: templates, repeat and each, when, residuals, branches and choices.

A template sees its own arguments and the shapes of its inputs, nothing else, so expanding it is a
pure function of those: a call that comes again is expanded into a Fragment and then only placed.
That is what makes a hundred equal blocks, or a thousand related networks, cost little.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.decisions import Decide
from archspec.expansion import Expansion
from archspec.fragment import Fragment, Fragments, place
from archspec.graph import INPUT, RESULT, Graph, TemplateCall
from archspec.node import Node, Tensor
from archspec.observer import Observer
from archspec.program import Program
from archspec.shapes import Shape


class Expander:
    """Expands one program, any number of times; what is equal between times is expanded once."""

    def __init__(self, program: Program):
        self.program = program
        self._fragments = Fragments()

    def fragment(
        self,
        arguments: Mapping[str, Any] | None = None,
        input_shape: Shape | None = None,
        decide: Decide | None = None,
        observer: Observer | None = None,
    ) -> Fragment:
        """Expand with these values of the spec's args; an `observer` is told of each step. Raises
        SpecError with every independent problem; without `decide` a choice is one."""
        shape = tuple(self.program.input["shape"]) if input_shape is None else input_shape
        expansion = Expansion(self.program, self._fragments, decide, observer)
        return expansion.expand_spec(arguments or {}, shape)

    def graph(
        self,
        arguments: Mapping[str, Any] | None = None,
        input_shape: Shape | None = None,
        decide: Decide | None = None,
        observer: Observer | None = None,
    ) -> Graph:
        """Expand into a graph. Raises SpecError."""
        program = self.program
        fragment = self.fragment(arguments, input_shape, decide, observer)
        nodes: dict[str, Node] = {}
        calls: dict[str, TemplateCall] = {}
        results = place(fragment, "", (Tensor(INPUT),), nodes, calls)
        return Graph(
            name=program.name,
            input_shape=tuple(program.input["shape"]) if input_shape is None else input_shape,
            nodes=nodes,
            outputs=dict(zip(fragment.output_names or (RESULT,), results, strict=True)),
            preprocessing=program.input,
            calls=calls,
            arguments=fragment.arguments,
            source=program.source,
            doc=program.doc,
        )
