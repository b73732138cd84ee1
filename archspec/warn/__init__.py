"""What a spec says without effect, and what it surely does not mean: warnings, with their places.

Each is a Problem, not an error, because the network would be the same without the part: a node that
feeds nothing, an argument nobody reads, a template nobody calls. Text is judged as it stands, so
that other values of the spec's args change nothing; nodes are judged in the networks it gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from archspec.document import At
from archspec.errors import Problem, first_problems, listed
from archspec.graph import Graph
from archspec.library import Definition, Library
from archspec.ops import OPS
from archspec.program import Program
from archspec.syntax import Arguments, Call, walk
from archspec.warn.networks import find_dead, softmax_results
from archspec.warn.samples import find_in_options, sample_networks
from archspec.warn.written import find_in_templates, find_in_value, find_unread, find_unused_in

__all__ = ["find_library_warnings", "find_warnings", "sample_networks", "softmax_results"]


def find_warnings(program: Program, graphs: Sequence[Graph]) -> list[Problem]:
    """The warnings of a spec, given its graph; of a search space several, for what is dead in one
    network and not in another is not dead."""
    return first_problems(_distinct(_of_program(program, graphs)))


def find_library_warnings(library: Library) -> list[Problem]:
    """The warnings of a file of templates alone, all of which others may call."""
    return first_problems(_distinct(_of_library(library)))


def _distinct(problems: Iterable[Problem]) -> Iterator[Problem]:
    met: set[Problem] = set()
    for problem in problems:
        if problem not in met:
            met.add(problem)
            yield problem


def _of_program(program: Program, graphs: Sequence[Graph]) -> Iterator[Problem]:
    library = program.library
    body = program.body
    given = [value for arguments in program.defaults.values() for value in arguments.values()]
    yield from find_unread(program.parameters, body, program.name, given)
    for value in given:
        yield from find_in_value(value)
    yield from find_in_templates(library, [body])
    reached = Definition(program.as_template, library).reach()
    for name in library.own_names:
        definition = library.own(name)
        if definition not in reached:
            yield (At(library.document) / "templates" / name).problem(
                f"nothing calls the template {name}; call it or remove it"
            )
    yield from _idle_defaults(program, reached)
    if program.has_choice:
        yield from find_in_options(program)
    yield from find_dead(program, graphs)


def _idle_defaults(program: Program, reached: Iterable[Definition]) -> Iterator[Problem]:
    """Defaults of what nothing calls, and those that every call gives itself."""
    calls: dict[Any, list[Call]] = {}
    named: set[str] = set()
    for definition in reached:
        named.update(definition.strings())
        for node in walk(definition.template.body):
            if isinstance(node, Call) and node.computed is None:
                key = node.target if node.is_op else definition.library.find(node.target)
                calls.setdefault(key, []).append(node)
    at = At(program.library.document) / "defaults"
    for target, arguments in program.defaults.items():
        known = calls.get(target) or calls.get(program.library.find(target), [])
        if target in named:
            continue  # a call whose op is computed may have it
        if not known:
            yield (at / target).problem(
                f"nothing calls {target}, so its defaults have no effect; remove them"
            )
            continue
        for name, value in arguments.items():
            if all(name in call.arguments for call in known):
                yield value.at.problem(
                    f"every call of {target} gives its own {name}, so this has no effect; remove it"
                )
        if known[0].is_op:
            yield from _meaningless_defaults(target, arguments, known)


def _meaningless_defaults(
    op: str, arguments: Arguments, calls: Sequence[Call]
) -> Iterator[Problem]:
    """Defaults of an op's attributes that mean nothing in any call, such as gelu's for a relu."""
    for item in OPS[op].attributes():
        if item.name not in arguments:
            continue
        for other, known in item.metadata["only_for"].items():
            if not any(_may_be(call, other, known, arguments) for call in calls):
                yield arguments[item.name].at.problem(
                    f"{item.name} means something only for the {other} {listed(known)}, which no"
                    f" call of {op} has, so this has no effect; remove it"
                )


def _may_be(call: Call, name: str, known: Sequence[Any], defaults: Arguments) -> bool:
    """Whether an attribute of a call may have one of the values known, in any copy."""
    layers = [call.arguments]
    if call.copies is not None:
        if call.copies.computed_rows is not None:
            return True
        layers += [call.copies.first, call.copies.last, *(call.copies.rows or ())]
    given = [layer[name] for layer in layers if name in layer]
    if not given and name in defaults:
        given = [defaults[name]]
    return not given or any(not each.is_constant or each.raw in known for each in given)


def _of_library(library: Library) -> Iterator[Problem]:
    yield from find_in_templates(library, [])
    for name in library.own_names:
        definition = library.own(name)
        assert definition is not None
        yield from find_unused_in(definition.template)
