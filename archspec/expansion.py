"""One run of an expander: from a spec and the values of its args to a fragment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from archspec import syntax
from archspec.binding import bind_arguments, refuse_unknown_args
from archspec.calls import Calls, Counts
from archspec.decisions import Decide, Decisions, key_of
from archspec.errors import did_you_mean, listed, use
from archspec.feeding import find_result
from archspec.fragment import Fragment, Fragments, Ref
from archspec.json_values import shown
from archspec.library import Definition
from archspec.limits import PARTS_OF_A_STEP, Steps
from archspec.names import INPUT_NAMES
from archspec.observer import Observer
from archspec.passing import PassedNode
from archspec.program import Program
from archspec.scope import Body, Results, Slot, flatten, results_of
from archspec.shapes import Shape, Shapes
from archspec.syntax import UNTIL, Arguments, Decision, Template, count_parts
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
            fragment = self._finish(body, program.as_template)
        except RecursionError:
            raise program.at.error(
                "templates and the nodes in them are nested too deeply; use fewer levels"
            ) from None
        if fragment.counts is not None and not fragment.result_names:
            raise (program.at / "body").error(
                f"{program.name} ends in a list of results; use outputs that name them, as in"
                ' {"levels[]": node}'
            )
        return fragment

    def _settle(self, decision: Decision, here: str) -> int:
        """The option taken for a choice met while expanding the node called `here`."""
        key = key_of(decision, f"{self._calls.prefix}{here}")
        option = self._decisions.settle(key, decision)
        self._calls.settled += 1
        if self._observer is not None:
            self._observer.settle(key, decision)
        return option

    def _expand_template(
        self,
        definition: Definition,
        given: Arguments,
        arguments: Mapping[str, Any],
        shapes: Shapes,
        counts: Counts,
    ) -> Fragment:
        template = definition.template
        body = Body(definition.library, template.inputs, shapes, self._settle, counts)
        bind_arguments(body, template.parameters, arguments, given, template.name)
        if template.defaults is None:
            return self._finish(body, template)
        with self._calls.within_network(body, template.defaults):
            until = body.until = body.names[UNTIL]
            if until is None:
                return self._finish(body, template)
            fragment = self._finish(body, replace(template, outputs={}, list_outputs=frozenset()))
        if until not in body.results:
            at = given[UNTIL].at if UNTIL in given else template.at
            known = [name for name in body.results if "." not in name]
            hint = did_you_mean(str(until), known) or use(listed(known, most=20))
            raise at.error(f"the network has no node called {shown(until)} in its body{hint}")
        return fragment

    def _finish(self, body: Body, template: Template) -> Fragment:
        """Expand the body and look up its outputs."""
        arguments = {name: v for name, v in body.names.items() if name not in IMPLICIT_NAMES}
        for parameter in template.passing:
            value = arguments[parameter.name]
            if isinstance(value, PassedNode):
                arguments[parameter.name] = value.node
        current = body.streams[body.inputs[0]] if len(body.inputs) == 1 else None
        result = self._walk.expand(body, template.body, current)
        if type(result) is int and not template.outputs:
            results = Results((result,))
        else:
            results = self._results(body, template, result)
        outputs = results.refs
        exposed: dict[str, Ref] = {}
        if template.defaults is not None:
            exposed = _named_in(body)
            outputs = (*outputs, *exposed.values())
        inputs, names = body.inputs, results.names
        if not body.is_plain:
            inputs = _flat_names(inputs, body.streams.values())
        if results.counts is not None:
            names = _flat_names(names, results.slots)
        return Fragment(
            template=template.name,
            arguments=arguments,
            items=tuple(body.items),
            input_names=body.inputs
            if body.is_plain
            else _flat_names(body.inputs, body.streams.values()),
            outputs=outputs,
            output_names=results.names
            if results.counts is None
            else _flat_names(results.names, results.slots),
            output_shapes=tuple(map(body.shape, outputs)),
            nodes=body.nodes,
            params=body.params,
            macs=body.macs,
            weight=count_parts(arguments) // PARTS_OF_A_STEP,
            result_names=results.names,
            counts=results.counts,
            exposed=tuple(exposed),
            network=None if template.defaults is None else body.library,
        )

    def _results(self, body: Body, template: Template, result: Slot | None) -> Results:
        """What the template's outputs name, else the body's last result. Raises SpecError."""
        if not template.outputs:
            if result is None:
                raise (template.at / "body").error(
                    f"{template.name} ends in several results; use outputs that name them"
                )
            return results_of((result,))
        slots: list[Slot] = []
        for name, values in template.outputs.items():
            found = [find_result(body, value) for value in values]
            is_list = name in template.list_outputs
            if not is_list and (len(found) > 1 or isinstance(found[0], tuple)):
                raise (template.at / "outputs" / name).error(
                    f"this names a list of results; use an output of the form {name}[], or pick one"
                )
            slots.append(flatten(found) if is_list else found[0])
        return results_of(tuple(slots), tuple(template.outputs))


def _named_in(body: Body) -> dict[str, Ref]:
    """The results of the named nodes of a body that are one result each."""
    return {
        name: results.refs[0]
        for name, results in body.results.items()
        if "." not in name and len(results.refs) == 1 and results.counts is None
    }


def _flat_names(names: tuple[str, ...], slots: Iterable[Slot]) -> tuple[str, ...]:
    """A name for each result, those of a list numbered."""
    flat: list[str] = []
    for name, slot in zip(names or ("",), slots, strict=True):
        several = isinstance(slot, tuple)
        flat += [f"{name}{k + 1}" for k in range(len(slot))] if several else [name]
    return tuple(flat)
