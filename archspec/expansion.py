"""One run of an expander: from a spec and the values of its args to a fragment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from archspec import syntax
from archspec.binding import bind_arguments, check_call, refuse_unknown_args
from archspec.copies import MAX_NODES, arguments_of, holds, is_steady, join_of, rows_of
from archspec.decisions import Decide, Decisions, key_of
from archspec.document import At
from archspec.errors import MAX_PROBLEMS, Problem, SpecError
from archspec.feeding import inputs_of_call, inputs_of_next, inputs_of_node, sources_of
from archspec.fragment import Fragment, Fragments, Item, Ref
from archspec.json_values import freeze
from archspec.layers import layer_of
from archspec.library import Definition
from archspec.names import INPUT_NAMES
from archspec.program import Program
from archspec.scope import Body, Results
from archspec.shapes import Shape, Shapes
from archspec.syntax import (
    INDEX,
    NOTHING,
    Arguments,
    Branches,
    Call,
    Choice,
    Decision,
    Group,
    Modifiers,
    Residual,
    constant,
    count_parts,
)

MAX_STEPS = 150_000
"""Nodes visited while expanding, those that turn out to be nothing included."""
STEPS_OF_A_CALL = 10
"""What expanding a template anew counts, beside the nodes of its body: about what it costs."""
PARTS_OF_A_STEP = 30
"""Items in the arguments of a call that count a step."""

IMPLICIT_NAMES = frozenset(INPUT_NAMES)
"""Names in scope that are no arguments."""


class Observer(Protocol):
    """Who is told of each step of an expansion. What is kept from another time is not expanded, and
    nobody is told of what is in it."""

    def enter(self, body: Body, node: Modifiers, path: str) -> None:
        """A copy of a node begins in `body`, or all its copies together; `path` is its full
        name."""
        ...

    def leave(self, body: Body, results: tuple[Ref, ...]) -> None:
        """What began last is expanded. These results of it have a name or come next."""
        ...

    def settle(self, key: str, decision: Decision) -> None:
        """A choice is settled, or one of this key was before."""
        ...


class Expansion:
    """One run of an expander."""

    def __init__(
        self,
        program: Program,
        fragments: Fragments,
        decide: Decide | None,
        observer: Observer | None = None,
    ):
        self.program = program
        self._all_fragments = fragments
        self._fragments: dict[Any, Fragment] = {}
        self._decisions = Decisions(decide)
        self._observer = observer
        self._prefix = ""
        self._defaults: dict[Any, Arguments] = {}
        self._steps = 0

    # --- the spec itself

    def expand_spec(self, given: Mapping[str, Any], shape: Shape) -> Fragment:
        """The whole spec with these values of its args and this input. Raises SpecError."""
        program = self.program
        body = Body(program.library, (syntax.INPUT,), (shape,), self._settle)
        refuse_unknown_args(given, program.parameters, program.at, program.name)
        bind_arguments(body, program.parameters, given, {}, program.name)
        self._evaluate_defaults(body)
        try:
            return self._finish(body, program.name, program.body, program.outputs, program.at)
        except RecursionError:
            raise program.at.error(
                "templates and the nodes in them are nested too deeply; use fewer levels"
            ) from None

    def _evaluate_defaults(self, body: Body) -> None:
        keys: list[Any] = []
        for target, arguments in self.program.defaults.items():
            key: Any = target
            if not syntax.is_op(target):
                key = self.program.library.find(target)
            evaluated = {name: value.evaluate(body) for name, value in arguments.items()}
            keys.append((target, freeze(evaluated)))
            self._defaults[key] = {
                name: constant(value, arguments[name].at, "defaults")
                for name, value in evaluated.items()
            }
        self._fragments = self._all_fragments.under(tuple(keys))

    def _settle(self, decision: Decision, here: str) -> int:
        """The option taken for a choice met while expanding the node called `here`."""
        key = key_of(decision, f"{self._prefix}{here}")
        option = self._decisions.settle(key, decision)
        if self._observer is not None:
            self._observer.settle(key, decision)
        return option

    # --- templates

    def _template(
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
        result = self._node(body, node, -1 if len(body.inputs) == 1 else None)
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

    # --- nodes: each takes the current result and gives the next, None where there are several

    def _node(self, body: Body, node: syntax.Node, current: Ref | None) -> Ref | None:
        if isinstance(node, syntax.Sequence):
            for child in node.nodes:
                current = self._node(body, child, current)
            return current
        inputs = sources_of(body, node, current)
        path = body.claim(node)
        if node.copies is None:
            arguments = node.arguments if isinstance(node, Call) else {}
            return _single(self._copy(body, node, path, inputs, arguments, None))
        return self._copies(body, node, path, inputs)

    def _copies(
        self, body: Body, node: Modifiers, path: str, inputs: tuple[Ref, ...] | None
    ) -> Ref | None:
        observer = self._observer
        if observer is not None:
            observer.enter(body, node, f"{self._prefix}{path}")
        results = self._in_sequence(body, node, path, inputs)
        if node.name is not None:
            body.results[path] = results
        single = _single(results)
        if observer is not None:
            is_met = node.name is not None or single is not None
            observer.leave(body, results.refs if is_met else ())
        return single

    def _in_sequence(
        self, body: Body, node: Modifiers, path: str, inputs: tuple[Ref, ...] | None
    ) -> Results:
        """Expand the copies, each fed by the one before it. The results are the last copy's."""
        body.here = path
        copies = node.copies
        assert copies is not None
        rows = rows_of(copies, body)
        base = node.arguments if isinstance(node, Call) else {}
        results = Results(inputs or ())
        outer_index = body.names.get(INDEX)
        can_be_steady = is_steady(body, node)
        steady: Shapes | None = None
        last = len(rows) - 1
        index = 0
        while index <= last:
            if index > 0:
                inputs = inputs_of_next(body, node, results) if results.names else results.refs
            arguments = arguments_of(copies, base, rows, index)
            if arguments is base and steady is not None and steady == body.shapes(inputs):
                is_level = copies.repeat is not None and body.items[-1].part.output_shapes == steady
                stop = last + (not copies.last) if is_level else index + 1
                results = self._again(body, node, path, index, stop)
                index = stop
                continue
            body.names[INDEX] = index
            name = body.copy_name(path, index + 1, node)
            placed = len(body.items)
            shapes = body.shapes(inputs) if can_be_steady and arguments is base else None
            results = self._copy(body, node, name, inputs, arguments, index)
            steady = shapes if len(body.items) == placed + 1 and not results.names else None
            index += 1
        body.names.pop(INDEX, None)
        if outer_index is not None:
            body.names[INDEX] = outer_index
        return results

    def _again(self, body: Body, node: Modifiers, path: str, index: int, stop: int) -> Results:
        """Place what the copy before was once more, for each copy from `index` up to `stop`."""
        self._steps += stop - index
        self._refuse_too_many(body.nodes + (stop - index) * body.items[-1].part.nodes, node)
        return body.append_again(node, path, index, stop)

    def _copy(
        self,
        body: Body,
        node: Modifiers,
        path: str,
        inputs: tuple[Ref, ...] | None,
        arguments: Arguments,
        index: int | None,
    ) -> Results:
        """Expand one copy of a node and remember its results under its name."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise node.at.error(
                f"expanding passes {MAX_STEPS:,} steps here, those that leave no node included;"
                " use fewer copies"
            )
        observer = self._observer
        if observer is not None:
            observer.enter(body, node, f"{self._prefix}{path}")
        body.here = path
        if node.when is not None and not holds(node.when, body):
            results = Results(inputs_of_node(node, inputs))
        elif isinstance(node, Call):
            results = self._call(body, node, path, inputs, arguments, index)
        else:
            ref = inputs_of_node(node, inputs)[0]
            if node.name is None and node.copies is None:
                results = self._structure(body, node, path, ref)
            else:
                with body.scope(path):
                    results = self._structure(body, node, path, ref)
        body.results[path] = results
        if observer is not None:
            observer.leave(body, results.refs)
        return results

    def _structure(self, body: Body, node: Modifiers, path: str, ref: Ref) -> Results:
        if isinstance(node, Group):
            return _results(self._node(body, node.body, ref))
        if isinstance(node, Residual):
            return self._residual(body, node, ref)
        if isinstance(node, Branches):
            return self._branches(body, node, ref)
        assert isinstance(node, Choice)
        chosen = self._settle(node.decision, path)
        with body.scope(f"{path}.option{chosen + 1}"):
            return _results(self._node(body, node.options[chosen], ref))

    def _residual(self, body: Body, node: Residual, ref: Ref) -> Results:
        join = join_of(node.join, body)
        paths: list[tuple[str | None, syntax.Node]] = [(None, node.body)]
        if join != NOTHING:
            shortcut = node.shortcut or syntax.Sequence(node.at, ())
            paths.append(("shortcut", shortcut))
        streams = self._paths(body, paths, ref)
        if join == NOTHING:
            return Results((streams[0],))
        return self._join(body, node, join, streams)

    def _branches(self, body: Body, node: Branches, ref: Ref) -> Results:
        join = join_of(node.join, body)
        streams = self._paths(body, node.branches, ref)
        if join == NOTHING:
            names = tuple(name for name, _ in node.branches)
            return Results(streams, names)
        return self._join(body, node, join, streams)

    def _paths(
        self, body: Body, paths: Sequence[tuple[str | None, syntax.Node]], ref: Ref
    ) -> tuple[Ref, ...]:
        """Expand paths that start from one result, and gather the problems of all of them."""
        streams: list[Ref] = []
        problems: list[Problem] = []
        for name, child in paths:
            try:
                streams.append(self._path_of(body, name, child, ref))
            except SpecError as error:
                problems += error.problems
            if len(problems) > MAX_PROBLEMS:
                break
        if problems:
            raise SpecError(problems)
        return tuple(streams)

    def _path_of(self, body: Body, name: str | None, child: syntax.Node, ref: Ref) -> Ref:
        """Expand one path, in a scope of its own where it has a name and holds anything."""
        if name is None:
            return self._end_of_path(child, self._node(body, child, ref))
        scope = body.ordinal(body.prefix + name)
        with body.scope(scope):
            result = self._end_of_path(child, self._node(body, child, ref))
        body.results[scope] = Results((result,))
        return result

    def _end_of_path(self, child: syntax.Node, result: Ref | None) -> Ref:
        if result is None:
            raise child.at.error("this path must end in one result, and it ends in several")
        return result

    def _join(self, body: Body, node: Modifiers, join: str, streams: tuple[Ref, ...]) -> Results:
        name = body.ordinal(body.prefix + join)
        return self._place_op(body, node, name, join, {}, {}, streams, None)

    # --- calls

    def _call(
        self,
        body: Body,
        node: Call,
        path: str,
        inputs: tuple[Ref, ...] | None,
        written: Arguments,
        index: int | None,
    ) -> Results:
        if node.is_op:
            target: Any = node.target
        else:
            target = body.library.find(node.target)
            assert target is not None, "the names stage let an unknown template pass"
        defaults = self._defaults.get(target)
        values = {**defaults, **written} if defaults else written
        arguments = {
            name: value.raw if value.is_constant else value.evaluate(body)
            for name, value in values.items()
        }
        if not node.is_op:
            return self._place_template(body, node, path, target, values, arguments, inputs, index)
        refs = inputs_of_node(node, inputs)
        if target == "act" and arguments.get("function") == NOTHING:
            return Results(refs)
        return self._place_op(body, node, path, target, values, arguments, refs, index)

    def _place_op(
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
        shapes = body.shapes(refs)
        layer = layer_of(node, name, values, attributes, shapes)
        return self._append(body, Item(path, layer, refs, node, values, index))

    def _place_template(
        self,
        body: Body,
        node: Call,
        path: str,
        definition: Definition,
        values: Arguments,
        arguments: Mapping[str, Any],
        inputs: tuple[Ref, ...] | None,
        index: int | None,
    ) -> Results:
        template = definition.template
        refs = inputs_of_call(node, template, inputs)
        shapes = body.shapes(refs)
        key = fragment = None
        if not definition.has_choice:
            key = (definition, freeze(arguments), shapes)
            fragment = self._fragments.get(key)
        if fragment is None:
            fragment = self._expand_call(body, node, path, definition, values, arguments, shapes)
            if key is not None:
                self._all_fragments.keep(key, fragment, self._fragments)
        self._steps += fragment.weight
        return self._append(body, Item(path, fragment, refs, node, values, index))

    def _expand_call(
        self,
        body: Body,
        node: Call,
        path: str,
        definition: Definition,
        values: Arguments,
        arguments: Mapping[str, Any],
        shapes: Shapes,
    ) -> Fragment:
        check_call(node, definition.template, values, arguments)
        self._steps += STEPS_OF_A_CALL
        outer = self._prefix
        self._prefix = f"{outer}{path}."
        try:
            return self._template(definition, values, arguments, shapes)
        except SpecError as error:
            raise error.called_from(
                f"in {node.target}, called at {node.at.where} as {outer}{path}"
            ) from None
        finally:
            self._prefix = outer

    def _append(self, body: Body, item: Item) -> Results:
        results = body.append(item)
        self._refuse_too_many(body.nodes, item.node)
        return results

    def _refuse_too_many(self, nodes: int, node: Modifiers) -> None:
        if nodes > MAX_NODES:
            raise node.at.error(f"the network passes {MAX_NODES:,} nodes here; use fewer copies")


def _single(results: Results) -> Ref | None:
    return results.refs[0] if len(results.refs) == 1 else None


def _results(ref: Ref | None) -> Results:
    return Results(()) if ref is None else Results((ref,))
