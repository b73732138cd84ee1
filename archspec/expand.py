"""From a spec to its graph: templates, repeat and each, when, residuals, branches and choices.

A template sees its own arguments and the shapes of its inputs, nothing else, so expanding it is a
pure function of those: a call that comes again is expanded into a Fragment and then only placed.
That is what makes a hundred equal blocks, or a thousand related networks, cost little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from archspec import syntax
from archspec.check import check_argument, check_attributes, frozen, shown
from archspec.document import At
from archspec.errors import MOST_PROBLEMS, Problem, SpecError, did_you_mean, listed
from archspec.fragment import Fragment, Item, Ref, place
from archspec.graph import INPUT, RESULT, Graph, TemplateCall
from archspec.library import Definition
from archspec.names import INPUT_NAMES
from archspec.node import Layer, Node, Tensor
from archspec.ops import OPS
from archspec.program import Program
from archspec.scope import Body, Results
from archspec.shapes import Shape, ShapeError, Shapes
from archspec.syntax import (
    INDEX,
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
    count_parts,
)

MOST_NODES = 100_000
MOST_STEPS = 150_000
"""Nodes visited while expanding, those that turn out to be nothing included."""
STEPS_OF_A_CALL = 10
"""What expanding a template anew counts, beside the nodes of its body: about what it costs."""
PARTS_OF_A_STEP = 30
"""Items in the arguments of a call that count a step."""
MOST_FRAGMENTS = 20_000
"""Kept for the next time; a search through a space would fill the memory without a bound."""
MOST_CALLS_MET = 200_000

IMPLICIT_NAMES = frozenset(INPUT_NAMES)
"""Names in scope that are no arguments."""

Decide: TypeAlias = Callable[[str, Decision], int]
"""Settles a choice: given its key and what was written, the index of the option taken."""


class Expander:
    """Expands one program, any number of times; what is equal between times is expanded once."""

    def __init__(self, program: Program):
        self.program = program
        self.fragments: dict[Any, dict[Any, Fragment]] = {}
        self.calls_met: set[int] = set()
        """Hashes of the calls expanded. A call is kept when it comes again: most calls of a search
        never do, and keeping them would cost a fifth of its time."""

    def fragment(
        self,
        arguments: Mapping[str, Any] | None = None,
        input_shape: Shape | None = None,
        decide: Decide | None = None,
    ) -> Fragment:
        """Expand with these values of the spec's args. Raises SpecError with every independent
        problem; without `decide` a choice is one."""
        shape = tuple(self.program.input["shape"]) if input_shape is None else input_shape
        return Expansion(self, decide).spec(arguments or {}, shape)

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


class Expansion:
    """One run of an expander."""

    def __init__(self, expander: Expander, decide: Decide | None):
        self.program = expander.program
        self._all_fragments = expander.fragments
        self._calls_met = expander.calls_met
        self._fragments: dict[Any, Fragment] = {}
        self._decide = decide
        self._settled: dict[str, tuple[int, tuple[Any, ...]]] = {}
        self._prefix = ""
        self._defaults: dict[Any, Arguments] = {}
        self._steps = 0

    # --- the spec itself

    def spec(self, given: Mapping[str, Any], shape: Shape) -> Fragment:
        program = self.program
        body = Body(program.library, (syntax.INPUT,), (shape,), self.decide)
        for name in given:
            if name not in program.parameters:
                raise program.at.error(
                    f"{program.name} has no arg {name!r}{did_you_mean(name, program.parameters)}"
                )
        self._bind(body, program.parameters, given, {}, program.at, program.name)
        self._evaluate_defaults(body)
        try:
            return self._finish(body, program.name, program.body, program.outputs, program.at)
        except RecursionError:
            raise program.at.error(
                "templates and the nodes in them are nested too deeply; fewer levels would do"
            ) from None

    def _evaluate_defaults(self, body: Body) -> None:
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
        key = decision.shared_name or self._key(here, decision.key)
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

    def _key(self, here: str, key: str) -> str:
        path = f"{self._prefix}{here}"
        if not key:
            return path
        return f"{path}.{key}" if here else f"{path}{key}"

    # --- templates

    def _template(
        self, definition: Definition, given: Arguments, arguments: Mapping[str, Any], shapes: Shapes
    ) -> Fragment:
        template = definition.template
        body = Body(definition.library, template.inputs, shapes, self.decide)
        self._bind(body, template.parameters, arguments, given, template.at, template.name)
        return self._finish(body, template.name, template.body, template.outputs, template.at)

    def _bind(
        self,
        body: Body,
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
                problems.append(
                    parameter.at.problem(
                        f"{what} is given no {name}; a default, or --set {name}=VALUE, would do"
                    )
                )
                continue
            if parameter.schema:
                message = check_argument(parameter, value)
                if message is not None:
                    source = given.get(name) if name in arguments else parameter.default
                    place = parameter.at if source is None else source.at
                    problems.append(place.problem(message))
            if len(problems) > MOST_PROBLEMS:
                break
            body.names[name] = value
        if problems:
            raise SpecError(problems)

    def _finish(
        self, body: Body, name: str, node: syntax.Node, outputs: Mapping[str, str], at: At
    ) -> Fragment:
        """Expand the body and look up its outputs."""
        arguments = {name: v for name, v in body.names.items() if name not in IMPLICIT_NAMES}
        result = self.node(body, node, -1 if len(body.inputs) == 1 else None)
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

    def node(self, body: Body, node: syntax.Node, current: Ref | None) -> Ref | None:
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
        self, body: Body, node: Modifiers, path: str, inputs: tuple[Ref, ...] | None
    ) -> Ref | None:
        body.here = path
        rows = self._rows(body, node)
        base = node.arguments if isinstance(node, Call) else {}
        copies = node.copies
        assert copies is not None
        results = Results(inputs or ())
        outer_index = body.names.get(INDEX)
        can_be_steady = self._can_be_steady(body, node)
        steady: Shapes | None = None
        last = len(rows) - 1
        index = 0
        while index <= last:
            if index > 0:
                inputs = self._next_inputs(body, node, results) if results.names else results.refs
            arguments = base
            if rows[index]:
                arguments = {**base, **rows[index]}
            if index == 0 and copies.first:
                arguments = {**arguments, **copies.first}
            if index == last and copies.last:
                arguments = {**arguments, **copies.last}
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
        if node.name is not None:
            body.results[path] = results
        return _single(results)

    def _can_be_steady(self, body: Body, node: Modifiers) -> bool:
        """Whether copies with equal arguments and inputs are equal: a call that counts nothing and
        decides nothing."""
        if not isinstance(node, Call) or not node.is_steady:
            return False
        if node.is_op:
            return True
        definition = body.library.find(node.target)
        return definition is not None and not definition.has_choice

    def _again(self, body: Body, node: Modifiers, path: str, index: int, stop: int) -> Results:
        """Place what the copy before was once more, for each copy from `index` up to `stop`."""
        self._steps += stop - index
        self._refuse_too_many(body.nodes + (stop - index) * body.items[-1].part.nodes, node)
        return body.append_again(node, path, index, stop)

    def _rows(self, body: Body, node: Modifiers) -> Sequence[Arguments]:
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

    def _next_inputs(self, body: Body, node: Modifiers, results: Results) -> tuple[Ref, ...]:
        """What the next copy takes of several results: each for the input so named."""
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
        body: Body,
        node: Modifiers,
        path: str,
        inputs: tuple[Ref, ...] | None,
        arguments: Arguments,
        index: int | None,
    ) -> Results:
        """Expand one copy of a node and remember its results under its name."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise node.at.error(
                f"expanding passes {MOST_STEPS:,} steps here, those that leave no node included;"
                " fewer copies would do"
            )
        body.here = path
        if node.when is not None and not self._condition(body, node.when):
            results = Results(self._inputs(node, inputs))
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

    def _condition(self, body: Body, when: Value) -> bool:
        value = when.evaluate(body)
        if not isinstance(value, bool):
            raise when.at.error(f"when is {shown(value)}; true or false would do")
        return value

    def _structure(self, body: Body, node: Modifiers, path: str, ref: Ref) -> Results:
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

    def _residual(self, body: Body, node: Residual, ref: Ref) -> Results:
        join = self._join_kind(body, node.join)
        paths: list[tuple[str | None, syntax.Node]] = [(None, node.body)]
        if join != NOTHING:
            shortcut = node.shortcut or syntax.Sequence(node.at, ())
            paths.append(("shortcut", shortcut))
        streams = self._paths(body, paths, ref)
        if join == NOTHING:
            return Results((streams[0],))
        return self._join(body, node, join, streams)

    def _branches(self, body: Body, node: Branches, ref: Ref) -> Results:
        join = self._join_kind(body, node.join)
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
            if len(problems) > MOST_PROBLEMS:
                break
        if problems:
            raise SpecError(problems)
        return tuple(streams)

    def _path_of(self, body: Body, name: str | None, child: syntax.Node, ref: Ref) -> Ref:
        """Expand one path, in a scope of its own where it has a name and holds anything."""
        if name is None:
            return self._end_of_path(child, self.node(body, child, ref))
        scope = body.ordinal(body.prefix + name)
        with body.scope(scope):
            result = self._end_of_path(child, self.node(body, child, ref))
        body.results[scope] = Results((result,))
        return result

    def _end_of_path(self, child: syntax.Node, result: Ref | None) -> Ref:
        if result is None:
            raise child.at.error("this path ends in several results; one would do")
        return result

    def _join_kind(self, body: Body, join: Value) -> str:
        kind = join.evaluate(body)
        if kind not in JOINS:
            raise join.at.error(
                f"join is {shown(kind)}; {listed(JOINS)} would do"
                f"{did_you_mean(kind, JOINS) if isinstance(kind, str) else ''}"
            )
        return kind

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
        refs = self._inputs(node, inputs)
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
        layer = _layer(node, name, values, attributes, shapes)
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
        refs = self._template_inputs(node, template, inputs)
        shapes = body.shapes(refs)
        key = fragment = None
        if not definition.has_choice:
            key = (definition, frozen(arguments), shapes)
            fragment = self._fragments.get(key)
        if fragment is None:
            fragment = self._expand_call(body, node, path, definition, values, arguments, shapes)
            if key is not None:
                self._keep(key, fragment)
        self._steps += fragment.weight
        return self._append(body, Item(path, fragment, refs, node, values, index))

    def _keep(self, key: Any, fragment: Fragment) -> None:
        met = hash(key)
        if met in self._calls_met:
            if len(self._fragments) >= MOST_FRAGMENTS:
                self._fragments.clear()
            self._fragments[key] = fragment
        else:
            if len(self._calls_met) >= MOST_CALLS_MET:
                self._calls_met.clear()
            self._calls_met.add(met)

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
        if nodes > MOST_NODES:
            raise node.at.error(
                f"the network passes {MOST_NODES:,} nodes here; fewer copies would do"
            )

    # --- inputs

    def _sources(self, body: Body, node: Modifiers, current: Ref | None) -> tuple[Ref, ...] | None:
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
            if len(problems) > MOST_PROBLEMS:
                break
        if problems:
            raise SpecError(problems)
        return tuple(refs)

    def _named_sources(
        self, body: Body, node: Modifiers, sources: Mapping[str, str]
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
        self, node: Call, template: syntax.Template, inputs: tuple[Ref, ...] | None
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
        return Layer(op(**attributes), shapes, attributes)
    except ShapeError as error:
        raise node.at.error(str(error)) from None


def _single(results: Results) -> Ref | None:
    return results.refs[0] if len(results.refs) == 1 else None


def _results(ref: Ref | None) -> Results:
    return Results(()) if ref is None else Results((ref,))
