"""One run of an expander: from a spec and the values of its args to a fragment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec import syntax
from archspec.binding import bind_arguments, refuse_unknown_args
from archspec.calls import Calls
from archspec.decisions import Decide, Decisions, key_of
from archspec.document import At
from archspec.fragment import Fragment, Fragments, Ref
from archspec.library import Definition
from archspec.limits import PARTS_OF_A_STEP, Steps
from archspec.names import INPUT_NAMES
from archspec.observer import Observer
from archspec.program import Program
from archspec.scope import Body
from archspec.shapes import Shape, Shapes
from archspec.syntax import Arguments, Decision, count_parts
from archspec.walk import Walk

IMPLICIT_NAMES = frozenset(INPUT_NAMES)
"""Names in scope that are not arguments."""


class Expansion:
    """One run of an expander. A walk meets calls, a call of a template is expanded here, and that
    walks through its body."""

    def __init__(
        self,
        program: Program,
        fragments: Fragments,
        decide: Decide | None,
        observer: Observer | None = None,
    ):
        steps = Steps()
        self.program = program
        self._decisions = Decisions(decide)
        self._observer = observer
        self._calls = Calls(fragments, self._expand_template, steps)
        self._walk = Walk(self._calls, self._settle, observer, steps)

    def expand_spec(self, given: Mapping[str, Any], shape: Shape) -> Fragment:
        """The whole spec with these values of its args and this input. Raises SpecError."""
        program = self.program
        body = Body(program.library, (syntax.INPUT,), (shape,), self._settle)
        refuse_unknown_args(given, program.parameters, program.at, program.name)
        bind_arguments(body, program.parameters, given, {}, program.name)
        self._calls.evaluate_defaults(body, program.defaults)
        try:
            return self._finish(body, program.name, program.body, program.outputs, program.at)
        except RecursionError:
            raise program.at.error(
                "templates and the nodes in them are nested too deeply; use fewer levels"
            ) from None

    def _settle(self, decision: Decision, here: str) -> int:
        """The option taken for a choice met while expanding the node called `here`."""
        key = key_of(decision, f"{self._calls.prefix}{here}")
        option = self._decisions.settle(key, decision)
        if self._observer is not None:
            self._observer.settle(key, decision)
        return option

    def _expand_template(
        self, definition: Definition, given: Arguments, arguments: Mapping[str, Any], shapes: Shapes
    ) -> Fragment:
        template = definition.template
        body = Body(definition.library, template.inputs, shapes, self._settle)
        bind_arguments(body, template.parameters, arguments, given, template.name)
        return self._finish(body, template.name, template.body, template.outputs, template.at)

    def _finish(
        self, body: Body, name: str, node: syntax.Node, outputs: Mapping[str, str], at: At
    ) -> Fragment:
        """Expand the body and look up its outputs."""
        arguments = {name: v for name, v in body.names.items() if name not in IMPLICIT_NAMES}
        result = self._walk.expand(body, node, -1 if len(body.inputs) == 1 else None)
        refs: list[Ref] = []
        for key, target in outputs.items():
            found = body.find(target)
            if found is None or len(found.refs) != 1:
                raise (at / "outputs" / key).error(body.unknown(target, found))
            refs.append(found.refs[0])
        if not outputs:
            if result is None:
                raise (at / "body").error(
                    f"{name} ends in several results; use outputs that name them"
                )
            refs.append(result)
        return Fragment(
            template=name,
            arguments=arguments,
            items=tuple(body.items),
            input_names=tuple(body.inputs),
            outputs=tuple(refs),
            output_names=tuple(outputs),
            output_shapes=tuple(map(body.shape, refs)),
            nodes=body.nodes,
            params=body.params,
            macs=body.macs,
            weight=count_parts(arguments) // PARTS_OF_A_STEP,
        )
