"""From a spec to its graph: templates, repeat and each, when, residuals, branches and choices.

A template sees its own arguments and the shapes of its inputs, nothing else, so expanding it is a
pure function of those: each distinct call is expanded once into a Fragment and then only placed.
That is what makes a hundred equal blocks, or a thousand related networks, cost little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from archspec import syntax
from archspec.check import check_argument, check_attributes, frozen, shown
from archspec.document import At
from archspec.errors import Problem, SpecError, did_you_mean, listed
from archspec.graph import INPUT, RESULT, Graph, TemplateCall
from archspec.library import Definition, Library
from archspec.names import INDEX, INPUT_NAMES
from archspec.node import Layer, Node, Tensor
from archspec.ops import OPS
from archspec.program import Program
from archspec.shapes import Shape, ShapeError, Shapes
from archspec.syntax import (
    JOINS,
    NOTHING,
    Arguments,
    Branches,
    Call,
    Choice,
    Decision,
    Group,
    Modifiers,
    Parameter,
    Residual,
    Value,
    constant,
)

MOST_NODES = 100_000
MOST_STEPS = 150_000
"""Nodes visited while expanding, those that turn out to be nothing included."""
STEPS_OF_A_CALL = 10
"""What expanding a template anew counts, beside the nodes of its body: about what it costs."""
DEEPEST_CALLS = 50
MOST_FRAGMENTS = 20_000
"""Kept for the next time; a search through a space would fill the memory without a bound."""

IMPLICIT_NAMES = frozenset(INPUT_NAMES)
"""Names in scope that are no arguments."""

Decide: TypeAlias = Callable[[str, Decision], int]
"""Settles a choice: given its key and what was written, the index of the option taken."""


class Ref(NamedTuple):
    """A value inside a fragment: the item that gives it and which of its results; item -1 is the
    fragment's first input, -2 its second."""

    item: int
    output: int = 0


class Origin(NamedTuple):
    """Where an item came from: the node as written, the value each attribute took, its copy."""

    node: Modifiers
    values: Arguments
    copy: int | None


class Item(NamedTuple):
    """A layer or a fragment placed in a fragment, under a name relative to it."""

    name: str
    part: Layer | Fragment
    inputs: tuple[Ref, ...]
    origin: Origin


@dataclass(eq=False, slots=True)
class Fragment:
    """An expanded template call, wherever it stands."""

    template: str
    arguments: Mapping[str, Any]
    items: tuple[Item, ...]
    outputs: tuple[Ref, ...]
    output_names: tuple[str, ...]
    output_shapes: Shapes
    nodes: int
    params: int
    macs: int


class _Results(NamedTuple):
    """What a name stands for in a body: one result, or several with names."""

    refs: tuple[Ref, ...]
    names: tuple[str, ...] = ()


class Expander:
    """Expands one program, any number of times; what is equal between times is expanded once."""

    def __init__(self, program: Program):
        self.program = program
        self.fragments: dict[Any, dict[Any, Fragment]] = {}

    def fragment(
        self,
        arguments: Mapping[str, Any] | None = None,
        input_shape: Shape | None = None,
        decide: Decide | None = None,
    ) -> Fragment:
        """Expand with these values of the spec's args. Raises SpecError with every independent
        problem; without `decide` a choice is one."""
        shape = tuple(self.program.input["shape"]) if input_shape is None else input_shape
        return _Expansion(self, decide).spec(arguments or {}, shape)

    def graph(
        self,
        arguments: Mapping[str, Any] | None = None,
        input_shape: Shape | None = None,
        decide: Decide | None = None,
    ) -> Graph:
        """Expand into a graph. Raises SpecError."""
        program = self.program
        fragment = self.fragment(arguments, input_shape, decide)
        nodes: dict[str, Node] = {}
        calls: dict[str, TemplateCall] = {}
        results = _place(fragment, "", (Tensor(INPUT),), nodes, calls)
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


def _place(
    fragment: Fragment,
    prefix: str,
    inputs: tuple[Tensor, ...],
    nodes: dict[str, Node],
    calls: dict[str, TemplateCall],
) -> tuple[Tensor, ...]:
    """Give a fragment's items their full names and inputs."""
    results: list[tuple[Tensor, ...]] = []

    def tensor(ref: Ref) -> Tensor:
        return inputs[-1 - ref.item] if ref.item < 0 else results[ref.item][ref.output]

    for item in fragment.items:
        name = prefix + item.name
        sources = tuple(map(tensor, item.inputs))
        part = item.part
        if isinstance(part, Layer):
            node = nodes[name] = Node(name, part, sources, item.origin)
            results.append(node.results)
        else:
            calls[name] = TemplateCall(part.template, part.arguments, item.origin)
            results.append(_place(part, f"{name}.", sources, nodes, calls))
    return tuple(map(tensor, fragment.outputs))


class _Body:
    """One template's body while it is expanded: the scope of its expressions and of its names."""

    def __init__(
        self, expansion: _Expansion, library: Library, inputs: tuple[str, ...], shapes: Shapes
    ):
        self.expansion = expansion
        self.library = library
        self.inputs = inputs
        self.input_shapes = shapes
        self.names: dict[str, Any] = {}
        self.items: list[Item] = []
        self.results: dict[str, _Results] = {}
        self.taken: set[str] = set()
        self.ordinals: dict[str, int] = {}
        self.prefix = ""
        self.here = ""
        self.nodes = 0
        if inputs == (syntax.INPUT,):
            self.names["in_channels"] = shapes[0][0]
            if len(shapes[0]) == 3:
                _, self.names["in_height"], self.names["in_width"] = shapes[0]

    def shape(self, ref: Ref) -> Shape:
        if ref.item < 0:
            return self.input_shapes[-1 - ref.item]
        return self.items[ref.item].part.output_shapes[ref.output]

    def shape_of(self, name: str) -> Shape:
        """For channels('name') and its like in expressions."""
        from archspec.expressions import ExpressionError

        results = self.find(name)
        if results is None or len(results.refs) != 1:
            raise ExpressionError(self.unknown(name, results))
        return self.shape(results.refs[0])

    def decide(self, decision: Decision) -> int:
        return self.expansion.decide(decision, self.here)

    def find(self, name: str) -> _Results | None:
        """What a name means here: innermost scope first, the template's inputs last."""
        prefix = self.prefix
        while True:
            results = self.results.get(prefix + name)
            if results is None:
                owner, _, output = (prefix + name).rpartition(".")
                several = self.results.get(owner)
                if several is not None and output in several.names:
                    results = _Results((several.refs[several.names.index(output)],))
            if results is not None:
                return results
            if not prefix:
                break
            prefix = prefix[: prefix.rstrip(".").rfind(".") + 1]
        if name in self.inputs:
            return _Results((Ref(-1 - self.inputs.index(name)),))
        return None

    def unknown(self, name: str, results: _Results | None) -> str:
        """The sentence for a name that find() does not find, or finds several results of."""
        if results is not None:
            own = [f"{name}.{output}" for output in results.names]
            return f"{name!r} has several results; {listed(own)} would do"
        visible = [name.removeprefix(self.prefix) for name in self.results]
        hint = did_you_mean(name, [*visible, *self.inputs])
        if not hint and any(name.startswith(f"{other}.") for other in visible):
            hint = "; what stands inside a template is its own, unless its outputs name it"
        return f"there is no earlier node {name!r} here{hint}"

    def claim(self, node: Modifiers) -> str:
        """The full name, within the template, of a node; for copies what their numbers follow."""
        if node.name is not None:
            path = self.prefix + node.name
            if node.copies is None:
                self.take(path, node.at)
            return path
        path = self.prefix + node.default_name
        if node.copies is not None:
            return path
        return self.ordinal(path)

    def ordinal(self, path: str) -> str:
        """path, then path2, path3: names of nodes that were given none."""
        while True:
            count = self.ordinals[path] = self.ordinals.get(path, 0) + 1
            numbered = path if count == 1 else f"{path}{count}"
            if numbered not in self.taken:
                self.taken.add(numbered)
                return numbered

    def copy_name(self, path: str, number: int, node: Modifiers) -> str:
        """path1, path2...; unnamed repeats in one scope go on counting."""
        if node.name is not None:
            self.take(f"{path}{number}", node.at)
            return f"{path}{number}"
        self.ordinals[path] = count = self.ordinals.get(path, 0) + 1
        if f"{path}{count}" in self.taken:
            return self.copy_name(path, number, node)
        self.taken.add(f"{path}{count}")
        return f"{path}{count}"

    def take(self, path: str, at: At) -> None:
        if path in self.taken or path in self.inputs:
            raise at.error(
                f"the name {path.removeprefix(self.prefix)!r} is taken already in this scope;"
                " another name would do"
            )
        self.taken.add(path)

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names inside stand under `name`."""
        outer = self.prefix
        self.prefix = f"{name}."
        try:
            yield
        finally:
            self.prefix = outer


class _Expansion:
    """One run of an expander."""

    def __init__(self, expander: Expander, decide: Decide | None):
        self.program = expander.program
        self._all_fragments = expander.fragments
        self._fragments: dict[Any, Fragment] = {}
        self._decide = decide
        self._settled: dict[str, tuple[int, tuple[Any, ...]]] = {}
        self._path: list[str] = []
        self._defaults: dict[Any, Arguments] = {}
        self._steps = 0

    # --- the spec itself

    def spec(self, given: Mapping[str, Any], shape: Shape) -> Fragment:
        program = self.program
        body = _Body(self, program.library, (syntax.INPUT,), (shape,))
        for name in given:
            if name not in program.parameters:
                raise program.at.error(
                    f"{program.name} has no arg {name!r}{did_you_mean(name, program.parameters)}"
                )
        self._bind(body, program.parameters, given, {}, program.at, program.name)
        self._evaluate_defaults(body)
        return self._finish(body, program.name, program.body, program.outputs, program.at)

    def _evaluate_defaults(self, body: _Body) -> None:
        keys: list[Any] = []
        for target, arguments in self.program.defaults.items():
            key: Any = target
            if not syntax.is_op(target):
                key = self.program.library.find(target)
            evaluated = {name: value.evaluate(body) for name, value in arguments.items()}
            keys.append((target, frozen(evaluated)))
            self._defaults[key] = {
                name: constant(value, arguments[name].at, "defaults")
                for name, value in evaluated.items()
            }
        self._fragments = self._all_fragments.setdefault(tuple(keys), {})

    def decide(self, decision: Decision, here: str) -> int:
        """The option taken for a choice met while expanding the node called `here`."""
        key = decision.shared_name or ".".join(
            part for part in (*self._path, here, decision.key) if part
        )
        settled = self._settled.get(key)
        if settled is None:
            if self._decide is None:
                raise decision.at.error(
                    f"this is a search space: the choice {key!r} is open; an assigned space would"
                    " do (archspec.Space(name).assign(decisions), --decisions on the command line)"
                )
            settled = self._settled[key] = (self._decide(key, decision), decision.options)
        if settled[1] != decision.options:
            raise decision.at.error(
                f"the choice {key!r} has the options {listed(list(map(str, decision.options)))}"
                f" here and {listed(list(map(str, settled[1])))} elsewhere; choices that share a"
                " name share their options"
            )
        return settled[0]

    # --- templates

    def _template(
        self, definition: Definition, given: Arguments, arguments: Mapping[str, Any], shapes: Shapes
    ) -> Fragment:
        template = definition.template
        body = _Body(self, definition.library, template.inputs, shapes)
        self._bind(body, template.parameters, arguments, given, template.at, template.name)
        return self._finish(body, template.name, template.body, template.outputs, template.at)

    def _bind(
        self,
        body: _Body,
        parameters: Mapping[str, Parameter],
        arguments: Mapping[str, Any],
        given: Arguments,
        at: At,
        what: str,
    ) -> None:
        """Put the arguments into scope, each default evaluated after the arguments before it."""
        problems: list[Problem] = []
        for name, parameter in parameters.items():
            if name in arguments:
                value = arguments[name]
            elif parameter.default is not None:
                value = parameter.default.evaluate(body)
            else:
                problems.append(at.problem(f"{what} lacks its argument {name!r}"))
                continue
            if parameter.schema:
                message = check_argument(parameter, value)
                if message is not None:
                    source = given.get(name) if name in arguments else parameter.default
                    place = parameter.at if source is None else source.at
                    problems.append(place.problem(message))
            body.names[name] = value
        if problems:
            raise SpecError(problems)

    def _finish(
        self, body: _Body, name: str, node: syntax.Node, outputs: Mapping[str, str], at: At
    ) -> Fragment:
        """Expand the body and look up its outputs."""
        arguments = {name: v for name, v in body.names.items() if name not in IMPLICIT_NAMES}
        result = self.node(body, node, Ref(-1) if len(body.inputs) == 1 else None)
        refs: list[Ref] = []
        for key, target in outputs.items():
            found = body.find(target)
            if found is None or len(found.refs) != 1:
                raise (at / "outputs" / key).error(body.unknown(target, found))
            refs.append(found.refs[0])
        if not outputs:
            if result is None:
                raise (at / "body").error(
                    f"{name} ends in several results; outputs that name them would do"
                )
            refs.append(result)
        return Fragment(
            template=name,
            arguments=arguments,
            items=tuple(body.items),
            outputs=tuple(refs),
            output_names=tuple(outputs),
            output_shapes=tuple(map(body.shape, refs)),
            nodes=body.nodes,
            params=sum(item.part.params for item in body.items),
            macs=sum(item.part.macs for item in body.items),
        )

    # --- nodes: each takes the current result and gives the next, None where there are several

    def node(self, body: _Body, node: syntax.Node, current: Ref | None) -> Ref | None:
        if isinstance(node, syntax.Sequence):
            for child in node.nodes:
                current = self.node(body, child, current)
            return current
        inputs = self._sources(body, node, current)
        path = body.claim(node)
        if node.copies is None:
            arguments = node.arguments if isinstance(node, Call) else {}
            return _single(self._copy(body, node, path, inputs, arguments, None))
        return self._copies(body, node, path, inputs)

    def _copies(
        self, body: _Body, node: Modifiers, path: str, inputs: tuple[Ref, ...] | None
    ) -> Ref | None:
        body.here = path
        rows = self._rows(body, node)
        base = node.arguments if isinstance(node, Call) else {}
        copies = node.copies
        assert copies is not None
        results = _Results(inputs or ())
        outer_index = body.names.get(INDEX)
        for index, row in enumerate(rows):
            if index > 0:
                inputs = self._next_inputs(body, node, results)
            arguments = {**base, **row}
            if index == 0:
                arguments.update(copies.first)
            if index == len(rows) - 1:
                arguments.update(copies.last)
            body.names[INDEX] = index
            name = body.copy_name(path, index + 1, node)
            results = self._copy(body, node, name, inputs, arguments, index)
        body.names.pop(INDEX, None)
        if outer_index is not None:
            body.names[INDEX] = outer_index
        if node.name is not None:
            body.results[path] = results
        return _single(results)

    def _rows(self, body: _Body, node: Modifiers) -> Sequence[Arguments]:
        copies = node.copies
        assert copies is not None
        if copies.rows is not None:
            return copies.rows
        if copies.repeat is not None:
            count = copies.repeat.evaluate(body)
            if type(count) is not int or not 0 <= count <= MOST_NODES:
                raise copies.repeat.at.error(
                    f"repeat is {shown(count)}; a whole number from 0 to {MOST_NODES:,} would do"
                )
            return ({},) * count
        assert copies.computed_rows is not None
        at = copies.computed_rows.at
        rows = copies.computed_rows.evaluate(body)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise at.error(f"each is {shown(rows)}; a list of objects with arguments would do")
        return [
            {name: constant(value, at, f"row {number} of each") for name, value in row.items()}
            for number, row in enumerate(rows, 1)
        ]

    def _next_inputs(self, body: _Body, node: Modifiers, results: _Results) -> tuple[Ref, ...]:
        """What the next copy takes: the result before it, or each result for the input so named."""
        if not results.names:
            return results.refs
        definition = None
        if isinstance(node, Call) and not node.is_op:
            definition = body.library.find(node.target)
        inputs = definition.template.inputs if definition is not None else ()
        if set(inputs) != set(results.names):
            raise node.at.error(
                f"copies feed each result to the input of the same name, and"
                f" {listed(results.names, 'and')} are not the inputs"
                f" {listed(inputs or (syntax.INPUT,), 'and')}"
            )
        return tuple(results.refs[results.names.index(name)] for name in inputs)

    def _copy(
        self,
        body: _Body,
        node: Modifiers,
        path: str,
        inputs: tuple[Ref, ...] | None,
        arguments: Arguments,
        index: int | None,
    ) -> _Results:
        """Expand one copy of a node and remember its results under its name."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise node.at.error(
                f"expanding passes {MOST_STEPS:,} steps here, those that leave no node included;"
                " fewer copies would do"
            )
        body.here = path
        if node.when is not None and not self._condition(body, node.when):
            results = _Results(self._inputs(node, inputs))
        elif isinstance(node, Call):
            results = self._call(body, node, path, inputs, arguments, index)
        else:
            ref = self._inputs(node, inputs)[0]
            if node.name is None and node.copies is None:
                results = self._structure(body, node, path, ref)
            else:
                with body.scope(path):
                    results = self._structure(body, node, path, ref)
        body.results[path] = results
        return results

    def _condition(self, body: _Body, when: Value) -> bool:
        value = when.evaluate(body)
        if not isinstance(value, bool):
            raise when.at.error(f"when is {shown(value)}; true or false would do")
        return value

    def _structure(self, body: _Body, node: Modifiers, path: str, ref: Ref) -> _Results:
        if isinstance(node, Group):
            return _results(self.node(body, node.body, ref))
        if isinstance(node, Residual):
            return self._residual(body, node, ref)
        if isinstance(node, Branches):
            return self._branches(body, node, ref)
        assert isinstance(node, Choice)
        chosen = self.decide(node.decision, path)
        with body.scope(f"{path}.option{chosen + 1}"):
            return _results(self.node(body, node.options[chosen], ref))

    def _residual(self, body: _Body, node: Residual, ref: Ref) -> _Results:
        join = self._join_kind(body, node.join)
        paths: list[tuple[str | None, syntax.Node]] = [(None, node.body)]
        if join != NOTHING:
            shortcut = node.shortcut or syntax.Sequence(node.at, ())
            paths.append(("shortcut", shortcut))
        streams = self._paths(body, paths, ref)
        if join == NOTHING:
            return _Results((streams[0],))
        return self._join(body, node, join, streams)

    def _branches(self, body: _Body, node: Branches, ref: Ref) -> _Results:
        join = self._join_kind(body, node.join)
        streams = self._paths(body, node.branches, ref)
        if join == NOTHING:
            names = tuple(name for name, _ in node.branches)
            return _Results(streams, names)
        return self._join(body, node, join, streams)

    def _paths(
        self, body: _Body, paths: Sequence[tuple[str | None, syntax.Node]], ref: Ref
    ) -> tuple[Ref, ...]:
        """Expand paths that start from one result, and gather the problems of all of them."""
        streams: list[Ref] = []
        problems: list[Problem] = []
        for name, child in paths:
            try:
                streams.append(self._path_of(body, name, child, ref))
            except SpecError as error:
                problems += error.problems
        if problems:
            raise SpecError(problems)
        return tuple(streams)

    def _path_of(self, body: _Body, name: str | None, child: syntax.Node, ref: Ref) -> Ref:
        """Expand one path, in a scope of its own where it has a name and holds anything."""
        if name is None:
            return self._end_of_path(child, self.node(body, child, ref))
        scope = body.ordinal(body.prefix + name)
        with body.scope(scope):
            result = self._end_of_path(child, self.node(body, child, ref))
        body.results[scope] = _Results((result,))
        return result

    def _end_of_path(self, child: syntax.Node, result: Ref | None) -> Ref:
        if result is None:
            raise child.at.error("this path ends in several results; one would do")
        return result

    def _join_kind(self, body: _Body, join: Value) -> str:
        kind = join.evaluate(body)
        if kind not in JOINS:
            raise join.at.error(
                f"join is {shown(kind)}; {listed(JOINS)} would do"
                f"{did_you_mean(kind, JOINS) if isinstance(kind, str) else ''}"
            )
        return kind

    def _join(self, body: _Body, node: Modifiers, join: str, streams: tuple[Ref, ...]) -> _Results:
        name = body.ordinal(body.prefix + join)
        return self._place_op(body, node, name, join, {}, {}, streams, None)

    # --- calls

    def _call(
        self,
        body: _Body,
        node: Call,
        path: str,
        inputs: tuple[Ref, ...] | None,
        written: Arguments,
        index: int | None,
    ) -> _Results:
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
        refs = self._inputs(node, inputs)
        if target == "act" and arguments.get("function") == NOTHING:
            return _Results(refs)
        return self._place_op(body, node, path, target, values, arguments, refs, index)

    def _place_op(
        self,
        body: _Body,
        node: Modifiers,
        path: str,
        name: str,
        values: Arguments,
        attributes: Mapping[str, Any],
        refs: tuple[Ref, ...],
        index: int | None,
    ) -> _Results:
        shapes = tuple(map(body.shape, refs))
        layer = _layer(node, name, values, attributes, shapes)
        ref = self._append(body, node, Item(path, layer, refs, Origin(node, values, index)), 1)
        count = len(layer.output_shapes)
        if count == 1:
            return _Results((ref,))
        return _Results(
            tuple(Ref(ref.item, k) for k in range(count)),
            tuple(str(k + 1) for k in range(count)),
        )

    def _place_template(
        self,
        body: _Body,
        node: Call,
        path: str,
        definition: Definition,
        values: Arguments,
        arguments: Mapping[str, Any],
        inputs: tuple[Ref, ...] | None,
        index: int | None,
    ) -> _Results:
        template = definition.template
        refs = self._template_inputs(body, node, template, inputs, index)
        shapes = tuple(map(body.shape, refs))
        key = (definition, frozen(arguments), shapes)
        fragment = self._fragments.get(key)
        if fragment is None:
            fragment = self._expand_call(body, node, path, definition, values, arguments, shapes)
            if not definition.has_choice:
                if len(self._fragments) >= MOST_FRAGMENTS:
                    self._fragments.clear()
                self._fragments[key] = fragment
        item = Item(path, fragment, refs, Origin(node, values, index))
        # a call that leaves no node counts too, or doubling it often would never end
        ref = self._append(body, node, item, max(fragment.nodes, 1))
        return _Results(
            tuple(Ref(ref.item, k) for k in range(len(fragment.outputs))), fragment.output_names
        )

    def _expand_call(
        self,
        body: _Body,
        node: Call,
        path: str,
        definition: Definition,
        values: Arguments,
        arguments: Mapping[str, Any],
        shapes: Shapes,
    ) -> Fragment:
        template = definition.template
        unknown = [name for name in arguments if name not in template.parameters]
        if unknown:
            raise SpecError(
                values[name].at.problem(
                    f"{node.target} has no argument {name!r}"
                    f"{did_you_mean(name, template.parameters)}"
                )
                for name in unknown
            )
        missing = [
            name
            for name, parameter in template.parameters.items()
            if parameter.default is None and name not in arguments
        ]
        if missing:
            raise node.at.error(f"{node.target} lacks its argument {listed(missing, 'and')}")
        self._steps += STEPS_OF_A_CALL
        if len(self._path) >= DEEPEST_CALLS:
            raise node.at.error(f"templates call each other deeper than {DEEPEST_CALLS} levels")
        self._path.append(path)
        try:
            return self._template(definition, values, arguments, shapes)
        except SpecError as error:
            full = ".".join(self._path)
            raise error.called_from(
                f"in {node.target}, called at {node.at.where} as {full}"
            ) from None
        finally:
            self._path.pop()

    def _append(self, body: _Body, node: Modifiers, item: Item, nodes: int) -> Ref:
        body.nodes += nodes
        if body.nodes > MOST_NODES:
            raise node.at.error(
                f"the network passes {MOST_NODES:,} nodes here; fewer copies would do"
            )
        body.items.append(item)
        return Ref(len(body.items) - 1)

    # --- inputs

    def _sources(self, body: _Body, node: Modifiers, current: Ref | None) -> tuple[Ref, ...] | None:
        """The results a node takes: those its `from` names, else the current one."""
        if node.sources is None:
            return None if current is None else (current,)
        if isinstance(node.sources, Mapping):
            return self._named_sources(body, node, node.sources)
        is_list = len(node.sources) > 1
        problems: list[Problem] = []
        refs: list[Ref] = []
        for index, name in enumerate(node.sources):
            found = body.find(name)
            if found is None or len(found.refs) != 1:
                at = node.at / "from" / index if is_list else node.at / "from"
                problems.append(at.problem(body.unknown(name, found)))
            else:
                refs.append(found.refs[0])
        if problems:
            raise SpecError(problems)
        return tuple(refs)

    def _named_sources(
        self, body: _Body, node: Modifiers, sources: Mapping[str, str]
    ) -> tuple[Ref, ...]:
        definition = None
        if isinstance(node, Call) and not node.is_op:
            definition = body.library.find(node.target)
        inputs = definition.template.inputs if definition is not None else (syntax.INPUT,)
        if set(sources) != set(inputs):
            raise (node.at / "from").error(
                f"from names the inputs {listed(list(sources), 'and')} and the node has"
                f" {listed(inputs, 'and')}"
            )
        refs: list[Ref] = []
        for name in inputs:
            found = body.find(sources[name])
            if found is None or len(found.refs) != 1:
                raise (node.at / "from" / name).error(body.unknown(sources[name], found))
            refs.append(found.refs[0])
        return tuple(refs)

    def _inputs(self, node: Modifiers, inputs: tuple[Ref, ...] | None) -> tuple[Ref, ...]:
        if inputs is None:
            raise node.at.error(
                'what comes before this node has several results; a "from" that picks would do'
            )
        if len(inputs) > 1 and not isinstance(node, Call):
            raise (node.at / "from").error("this node takes one input; one name would do")
        return inputs

    def _template_inputs(
        self,
        body: _Body,
        node: Call,
        template: syntax.Template,
        inputs: tuple[Ref, ...] | None,
        index: int | None,
    ) -> tuple[Ref, ...]:
        refs = self._inputs(node, inputs)
        if len(refs) != len(template.inputs):
            raise node.at.error(
                f"{node.target} takes {listed(template.inputs, 'and')} and is given {len(refs)};"
                ' a "from" with one name for each would do'
            )
        return refs


_layers: dict[Any, Layer] = {}
"""Every layer met so far: layers are values, and a few hundred make thousands of networks."""
_MOST_LAYERS = 100_000


def _layer(
    node: Modifiers, name: str, values: Arguments, attributes: Mapping[str, Any], shapes: Shapes
) -> Layer:
    """The op with these evaluated attributes on these inputs. Raises SpecError."""
    key = (name, frozen(attributes), shapes)
    layer = _layers.get(key)
    if layer is None:
        if len(_layers) >= _MOST_LAYERS:
            _layers.clear()
        layer = _layers[key] = _new_layer(node, name, values, attributes, shapes)
    return layer


def _new_layer(
    node: Modifiers, name: str, values: Arguments, attributes: Mapping[str, Any], shapes: Shapes
) -> Layer:
    op = OPS[name]
    wrong = check_attributes(op, attributes)
    if wrong:
        raise SpecError(
            (values[key].at if key in values else node.at).problem(message)
            for key, message in wrong.items()
        )
    fewest, most = op.inputs
    if len(shapes) < fewest or (most is not None and len(shapes) > most):
        wanted = f"{fewest}" if most == fewest else f"{fewest} or more"
        raise node.at.error(
            f'{name} takes {wanted} input(s) and is given {len(shapes)}; a "from" that names them'
            " would do"
        )
    try:
        return Layer(op(**attributes), shapes)
    except ShapeError as error:
        raise node.at.error(str(error)) from None


def _single(results: _Results) -> Ref | None:
    return results.refs[0] if len(results.refs) == 1 else None


def _results(ref: Ref | None) -> _Results:
    return _Results(()) if ref is None else _Results((ref,))
