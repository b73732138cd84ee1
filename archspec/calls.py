"""What a call leaves in a body: an op its layer, a template its fragment, which is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from archspec import syntax
from archspec.binding import check_call
from archspec.errors import SpecError
from archspec.feeding import Feed, inputs_of_call, inputs_of_op, need_feed
from archspec.fragment import Fragment, Fragments, Item, Ref
from archspec.json_values import freeze, shown
from archspec.layers import layer_of
from archspec.library import Definition
from archspec.limits import STEPS_OF_A_CALL, Steps
from archspec.names import DEEPEST_CALLS
from archspec.passing import Nodes, PassedNode, find_target, pass_on
from archspec.scope import Body, Results, results_of
from archspec.shapes import Shapes
from archspec.sharing import find_owner
from archspec.syntax import NOTHING, Arguments, Call, Modifiers, constant

Counts: TypeAlias = "tuple[int | None, ...] | None"
"""Of each input how many a list holds, as scope.Results has them."""
ExpandTemplate: TypeAlias = Callable[
    [Definition, Arguments, Mapping[str, Any], Shapes, Counts], Fragment
]
"""From a template with its arguments, as written and evaluated, and the shapes of its inputs."""


class Calls:
    """The calls of one expansion."""

    def __init__(self, fragments: Fragments, expand: ExpandTemplate, steps: Steps):
        self._all_fragments = fragments
        self._fragments: dict[Any, Fragment] = {}
        self._expand = expand
        self._steps = steps
        self._defaults: dict[Any, Arguments] = {}
        self.prefix = ""
        """What full names begin with inside the call that is being expanded."""
        self.settled = 0
        """How many choices were settled so far; what settles one is expanded each time."""
        self._depth = 0
        self._nodes = Nodes()

    @contextmanager
    def within_network(self, body: Body, written: Mapping[str, Arguments]) -> Iterator[None]:
        """While a network is expanded that has defaults of its own, which hold in place of the
        spec's. Raises SpecError."""
        outer = self._defaults, self._fragments
        self._defaults = {}
        self.evaluate_defaults(body, written)
        try:
            yield
        finally:
            self._defaults, self._fragments = outer

    def evaluate_defaults(self, body: Body, written: Mapping[str, Arguments]) -> None:
        """Take the spec's defaults, by op or template, as its args in `body` make them. Raises
        SpecError."""
        keys: list[Any] = []
        for target, arguments in written.items():
            key: Any = target
            if not syntax.is_op(target):
                key = body.library.find(target)
            evaluated = {name: value.evaluate(body) for name, value in arguments.items()}
            keys.append((target, freeze(evaluated)))
            self._defaults[key] = {
                name: constant(value, arguments[name].at, "defaults")
                for name, value in evaluated.items()
            }
        self._fragments = self._all_fragments.under(tuple(keys))

    def place(
        self,
        body: Body,
        node: Call,
        path: str,
        inputs: Feed | None,
        written: Arguments,
        index: int | None,
    ) -> Results:
        """Put what a call leaves into the body, under the name `path`. Raises SpecError."""
        called = node.target
        target: Any = called
        if node.computed is not None:
            target, written = self._compute_target(body, node, written)
            if target == NOTHING:
                return results_of(need_feed(node, inputs))
            called = target.template.name if isinstance(target, Definition) else target
        elif not node.is_op:
            target = body.library.find(called)
            assert target is not None, "the names stage let an unknown template pass"
        defaults = self._defaults.get(target)
        values = {**defaults, **written} if defaults else written
        arguments = {
            name: value.raw if value.is_constant else value.evaluate(body)
            for name, value in values.items()
        }
        if None in arguments.values():
            arguments = _without_nothing(body, values, arguments, defaults or {})
        if not isinstance(target, str):
            definition = _Called(called, target)
            return self._place_template(
                body, node, path, definition, values, arguments, inputs, index
            )
        refs = inputs_of_op(node, target, inputs)
        if target == "act" and arguments.get("function") == NOTHING:
            return Results(refs)
        return self.place_op(body, node, path, target, values, arguments, refs, index)

    def _compute_target(
        self, body: Body, node: Call, written: Arguments
    ) -> tuple[str | Definition, Arguments]:
        """What a computed target stands for, with the arguments that it is given; "none" for
        nothing. Raises SpecError."""
        computed = node.computed
        assert computed is not None
        value = computed.evaluate(body)
        if isinstance(value, PassedNode):
            if written:
                raise node.at.error("a node that is passed takes no arguments; leave them out")
            return self._nodes.definition_of(value, node.default_name), {}
        if not isinstance(value, str):
            raise computed.at.error(
                f"op must be the name of an op or a template, not {shown(value)}"
            )
        target = find_target(value, body.library, computed.at)
        found = target.definition or target.op or NOTHING
        return found, {**target.arguments, **written}

    def place_op(
        self,
        body: Body,
        node: Modifiers,
        path: str,
        name: str,
        values: Arguments,
        attributes: Mapping[str, Any],
        refs: tuple[Ref, ...],
        index: int | None,
    ) -> Results:
        """Put the op `name` into the body; its attributes as written and as evaluated. Raises
        SpecError."""
        layer = layer_of(node, name, values, attributes, body.shapes(refs))
        owner = None
        if isinstance(node, Call) and node.owner is not None:
            owner = find_owner(body, node, path, layer, index)
        return body.append(Item(path, layer, refs, node, values, index, owner))

    def _place_template(
        self,
        body: Body,
        node: Call,
        path: str,
        target: _Called,
        values: Arguments,
        arguments: Mapping[str, Any],
        inputs: Feed | None,
        index: int | None,
    ) -> Results:
        called, definition = target
        refs, counts = inputs_of_call(node, called, definition.template, inputs)
        shapes = body.shapes(refs)
        for parameter in definition.template.passing:
            name = parameter.name
            if name in arguments:
                value = pass_on(parameter, arguments[name], body.library, values[name].at)
                arguments = {**arguments, name: value}
        key = fragment = None
        if not definition.has_choice:
            key = (definition, freeze(arguments), shapes, counts)
            fragment = self._fragments.get(key)
        if fragment is None:
            settled = self.settled
            fragment = self._expand_call(node, path, target, values, arguments, shapes, counts)
            if key is not None and self.settled == settled:
                self._all_fragments.keep(key, fragment, self._fragments)
        self._steps.taken += fragment.weight
        owner = None
        if node.owner is not None:
            owner = find_owner(body, node, path, fragment, index)
        return body.append(Item(path, fragment, refs, node, values, index, owner))

    def _expand_call(
        self,
        node: Call,
        path: str,
        target: _Called,
        given: Arguments,
        arguments: Mapping[str, Any],
        shapes: Shapes,
        counts: Counts,
    ) -> Fragment:
        called, definition = target
        check_call(node, called, definition.template, given, arguments)
        if self._depth >= DEEPEST_CALLS:
            raise node.at.error(
                f"templates call each other deeper than {DEEPEST_CALLS} levels here; use fewer, and"
                " none that calls itself"
            )
        self._steps.taken += STEPS_OF_A_CALL
        outer = self.prefix
        self.prefix = f"{outer}{path}."
        self._depth += 1
        try:
            return self._expand(definition, given, arguments, shapes, counts)
        except SpecError as error:
            raise error.called_from(
                f"in {called}, called at {node.at.where} as {outer}{path}"
            ) from None
        finally:
            self.prefix = outer
            self._depth -= 1


class _Called(NamedTuple):
    """A template, and what the call names it."""

    name: str
    definition: Definition


def _without_nothing(
    body: Body, values: Arguments, arguments: Mapping[str, Any], defaults: Arguments
) -> dict[str, Any]:
    """The arguments as if those had not been written for which an expression gives null."""
    result: dict[str, Any] = {}
    for name, value in arguments.items():
        if value is not None or values[name].is_constant:
            result[name] = value
        elif name in defaults:
            result[name] = defaults[name].evaluate(body)
    return result
