"""Name maps that people write: which of a file's names is which node's, where nothing else says so.

A map is a JSON object, our name on the left and theirs on the right, with numbers as in the tables
of published names:

    {"stem.conv": "conv1", "stage{s}.block{b}.conv1.conv": "layer{s}.{b-1}.conv1"}

A list on the right has candidates of which one is to be chosen; that is how drafts come.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from archspec.compiler.weights.arrays import Entry
from archspec.compiler.weights.families import (
    OPTIMIZER,
    TORCH_COUNTERS,
    TORCH_WRAPPED,
    Family,
    Rule,
    Source,
)
from archspec.compiler.weights.structure import Match
from archspec.compiler.weights.units import Unit, units_of
from archspec.document import At, parse_document, read_text
from archspec.errors import Problem, SpecError, did_you_mean
from archspec.graph import Graph

NAME = "the names of --map"


def read_map(path: str | os.PathLike[str]) -> Family:
    """The rules of a map as a family of names. Raises SpecError for what is not a map, and for
    every node that still has candidates."""
    document = parse_document(read_text(os.fspath(path), os.fspath(path)), os.fspath(path))
    content = document.data
    if not isinstance(content, dict) or not content:
        raise At(document).error('a map must be an object such as {"stem.conv": "conv1"}')
    problems = []
    for ours, theirs in content.items():
        if isinstance(theirs, list):
            problems.append(
                (At(document) / ours).problem(
                    f"{ours} still has {len(theirs)} candidates; use one of them as a string"
                )
            )
        elif not isinstance(theirs, str):
            problems.append(
                (At(document) / ours).problem(f"what {ours} is called in the file must be a string")
            )
    if problems:
        raise SpecError(problems)
    return Family(
        name=NAME,
        publishers=(),
        layout={},
        rules=tuple(Rule(ours, theirs) for ours, theirs in content.items()),
        rewrites=TORCH_WRAPPED,
        ignored=(*TORCH_COUNTERS, *OPTIMIZER),
    )


def mapped_sources(
    modules: Mapping[str, str], graph: Graph, entries: Mapping[str, Entry], path: str
) -> dict[str, Source]:
    """The source of each weight, given the layer of the file that each node is. Raises SpecError
    for every node whose layer the file does not have, or has in another shape."""
    units: dict[str, Unit] = {unit.name: unit for unit in units_of(entries)}
    result: dict[str, Source] = {}
    problems: list[Problem] = []
    for node in graph.nodes.values():
        if not node.layer.weights:
            continue
        module = modules.get(node.name)
        unit = units.get(module or "")
        if module is None:
            problems.append(Problem(f"{node.name} has no name in the map; use a rule for it", path))
        elif unit is None:
            guess = did_you_mean(module, list(units)[:500])
            problems.append(Problem(f"{node.name} is {module} and the file has none{guess}", path))
        elif (found := unit.sources_for(node)) is None:
            problems.append(Problem(f"{unit} cannot be {node.name}, whose shapes differ", path))
        else:
            result |= found
    if problems:
        raise SpecError(problems)
    return result


def draft_map(match: Match, graph: Graph, entries: Mapping[str, Entry]) -> str:
    """A map with what is settled, and candidates where nothing is: of each node, in the order in
    which they run."""
    units = units_of(entries)
    kinds: dict[str, Sequence[str]] = {}
    for node in graph.nodes.values():
        if not node.layer.weights:
            continue
        settled = match.units.get(node.name)
        candidates = match.open.get(node.name) or [
            unit.name for unit in units if unit.sources_for(node) is not None
        ]
        kinds[node.name] = settled if settled is not None else candidates
    return json.dumps(kinds, indent=1) + "\n"
