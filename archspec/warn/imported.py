"""Networks that a spec calls as templates: a cut that cuts nothing, arguments of what is cut off,
and what nothing uses though it is built."""

from __future__ import annotations

from collections.abc import Iterator

from archspec import syntax
from archspec.document import At
from archspec.errors import SpecError
from archspec.expand import Expander
from archspec.graph import Graph, TemplateCall
from archspec.library import Library
from archspec.program import program_of_network
from archspec.syntax import NETWORK, UNTIL, Modifiers, Template, values, walk
from archspec.syntax import Node as Written


def find_in_cut(graph: Graph, path: str, call: TemplateCall) -> Iterator[tuple[At, str]]:
    """What is written in the call of a network and has no effect for its cut."""
    until = call.arguments.get(UNTIL)
    library: Library = call.network
    definition = library.own(NETWORK)
    if until is None or definition is None:
        return
    given = call.origin.values
    if UNTIL in given and _is_whole(graph, path, call):
        yield (
            given[UNTIL].at,
            f"nothing of the network lies behind {until!r}, so until cuts nothing; remove it",
        )
        return
    read = _names_read(definition.template, until)
    if read is None:
        return
    for name, value in given.items():
        if name != UNTIL and name in definition.template.parameters and name not in read:
            yield (
                value.at,
                f"what reads {name} lies behind {until!r}, where the network is cut; remove it",
            )


def _is_whole(graph: Graph, path: str, call: TemplateCall) -> bool:
    """Whether the network without its cut has no more nodes, nor other results."""
    program = program_of_network(call.network)
    if program.outputs:
        return False
    arguments = {name: v for name, v in call.arguments.items() if name in program.parameters}
    try:
        whole = Expander(program).graph(arguments, graph.shape(call.taken[0]))
    except SpecError:  # what is behind the cut does not fit these maps
        return False
    return len(whole.nodes) == sum(name.startswith(f"{path}.") for name in graph.nodes)


def _names_read(template: Template, until: str) -> set[str] | None:
    """The arguments that the body reads as far as the cut; None where that is not on its top level.

    A default reads those before it, and a network's own defaults may count anywhere."""
    body = template.body
    nodes = body.nodes if isinstance(body, syntax.Sequence) else (body,)
    read = {
        name
        for arguments in (template.defaults or {}).values()
        for value in arguments.values()
        for name in value.names
    }
    for node in nodes:
        for inner in walk(node):
            for value in values(inner):
                read |= value.names
        if _has_name(node, until):
            break
    else:
        return None
    for parameter in reversed(list(template.parameters.values())):
        if parameter.name in read and parameter.default is not None:
            read |= parameter.default.names
    return read


def _has_name(node: Written, name: str) -> bool:
    """Whether a node, or a copy of it, has this name."""
    if not isinstance(node, Modifiers):
        return False
    own = node.name or node.default_name
    copies = node.copies is not None and name.startswith(own) and name[len(own) :].isdigit()
    return name == own or copies


def suggest_cut(graph: Graph, path: str, alive: set[str]) -> str:
    """The sentence for a network of which some is built and not used."""
    prefix = f"{path}."
    names = [name for name in graph.nodes if name.startswith(prefix)]
    used = [place for place, name in enumerate(names) if name in alive]
    says = f"nothing uses all that the network {path} gives"
    tops = [name.removeprefix(prefix).partition(".")[0] for name in names]
    last = tops[used[-1]]
    if used[-1] == len(used) - 1 and last not in tops[len(used) :]:
        return f'{says}; use "until": "{last}", behind which it is not built'
    return f"{says}; name its other results in a from or in outputs"
