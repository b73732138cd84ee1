"""Which results a node takes: those that its `from` names, or what came before it."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.errors import MAX_PROBLEMS, Problem, SpecError, listed
from archspec.fragment import Ref
from archspec.scope import Body, Results
from archspec.syntax import INPUT, Call, Modifiers, Template


def sources_of(body: Body, node: Modifiers, current: Ref | None) -> tuple[Ref, ...] | None:
    """The results a node takes: those its `from` names, else the current one; None where there is
    none, as what comes before has several. Raises SpecError."""
    if node.sources is None:
        return None if current is None else (current,)
    if isinstance(node.sources, Mapping):
        return _named_sources(body, node, node.sources)
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
        if len(problems) > MAX_PROBLEMS:
            break
    if problems:
        raise SpecError(problems)
    return tuple(refs)


def _named_sources(body: Body, node: Modifiers, sources: Mapping[str, str]) -> tuple[Ref, ...]:
    inputs = _inputs_of_target(body, node) or (INPUT,)
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


def inputs_of_next(body: Body, node: Modifiers, results: Results) -> tuple[Ref, ...]:
    """What the next copy takes of several results: each for the input so named. Raises
    SpecError."""
    inputs = _inputs_of_target(body, node)
    if set(inputs) != set(results.names):
        raise node.at.error(
            f"copies feed each result to the input of the same name, and"
            f" {listed(results.names, 'and')} are not the inputs"
            f" {listed(inputs or (INPUT,), 'and')}"
        )
    return tuple(results.refs[results.names.index(name)] for name in inputs)


def _inputs_of_target(body: Body, node: Modifiers) -> tuple[str, ...]:
    """The streams of the template that a node calls; none where it calls no template."""
    if not isinstance(node, Call) or node.is_op:
        return ()
    definition = body.library.find(node.target)
    return () if definition is None else definition.template.inputs


def inputs_of_node(node: Modifiers, inputs: tuple[Ref, ...] | None) -> tuple[Ref, ...]:
    """Its inputs, one where it is not a call. Raises SpecError."""
    if inputs is None:
        raise node.at.error(
            'what comes before this node has several results; use a "from" that picks one'
        )
    if len(inputs) > 1 and not isinstance(node, Call):
        raise (node.at / "from").error("this node takes one input; use one name")
    return inputs


def inputs_of_call(
    node: Call, template: Template, inputs: tuple[Ref, ...] | None
) -> tuple[Ref, ...]:
    """The inputs of a call, as many as the template takes. Raises SpecError."""
    refs = inputs_of_node(node, inputs)
    if len(refs) != len(template.inputs):
        raise node.at.error(
            f"{node.target} takes {listed(template.inputs, 'and')} and is given {len(refs)};"
            ' use a "from" with one name for each'
        )
    return refs
