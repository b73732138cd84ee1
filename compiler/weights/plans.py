"""By whose names, or how else, a file's tensors become weights: found before any is read.

Every weight has one source by a rule of a name map, or all are placed by structure in the only way
there is; every tensor of the file is used or left out by name. Otherwise there is no plan.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from archspec.compiler.weights.arrays import Entry, TensorFile
from archspec.compiler.weights.check import Difference, differences, misfit
from archspec.compiler.weights.families import (
    OPTIMIZER,
    TORCH_COUNTERS,
    TORCH_WRAPPED,
    Family,
    Note,
    Source,
    modules_of,
    sources,
)
from archspec.compiler.weights.loading import shapes_of
from archspec.compiler.weights.maps import FAMILIES
from archspec.compiler.weights.renaming import mapped_sources
from archspec.compiler.weights.structure import Match, match_structure
from archspec.compiler.weights.twins import find_twin
from archspec.errors import Problem, SpecError, UsageError, listed
from archspec.graph import Graph
from archspec.shapes import Shape

OWN = Family(
    name="archspec's own names",
    publishers=(),
    layout={},
    rules=(),
    ignored=OPTIMIZER,
)
"""Files written here, and MindSpore training checkpoints of our networks."""

STRUCTURE = Family(
    name="structure",
    publishers=("torch", "timm"),
    layout={},
    rules=(),
    rewrites=TORCH_WRAPPED,
    ignored=(*TORCH_COUNTERS, *OPTIMIZER),
    notes=(
        Note(
            "a file shows neither activations, padding and strides nor epsilon: compare the logits"
            " of both networks once"
        ),
    ),
)
"""Not a family of names: the last resort."""


@dataclass(frozen=True)
class Plan:
    """Where each weight comes from. `file_names` are the file's names of the sources' names,
    `ignored` what each name that is left out is; `wrong` is all that does not fit."""

    family: Family
    part: int | None
    sources: Mapping[str, Source]
    file_names: Mapping[str, str]
    ignored: Mapping[str, str]
    wrong: Sequence[Difference]
    method: str = ""

    @property
    def hits(self) -> int:
        """How many of the sources' names the file has."""
        return sum(
            name in self.file_names for source in self.sources.values() for name in source.names
        )

    @property
    def wanted(self) -> int:
        return sum(len(source.names) for source in self.sources.values())


def plan_import(
    file: TensorFile,
    graph: Graph,
    publisher: str | None = None,
    part: int | None = None,
    names: Family | None = None,
) -> Plan:
    """The way from a file's tensors to a graph's weights. Raises SpecError where none fits, with
    what keeps the nearest from it, and UsageError for a part that is not there."""
    entries = file.entries
    if names is not None:
        return _mapped_plan(file, graph, names)
    plans = plans_for(entries, graph, publisher, part)
    fitting = [plan for plan in plans if not plan.wrong]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SpecError(Problem(_alike(fitting, graph), file.path))
    is_named = any(plan.family is not OWN for plan in plans)
    twin = None if is_named else find_twin(graph)
    if twin is not None:
        return _rename_sources(plan_import(file, twin, publisher, part), twin, graph)
    best = max(plans, key=lambda plan: plan.hits / max(plan.wanted, 1), default=None)
    if best is not None and 2 * best.hits >= best.wanted:
        raise misfit(f"{_where(best, entries)} do not fit {graph.name}", file.path, best.wrong)
    by_structure = _structural_plan(entries, graph, publisher)
    if isinstance(by_structure, Plan):
        return by_structure
    known = listed([plan.family.name for plan in plans], "and") or "none"
    raise SpecError(
        Problem(
            f"the tensors have none of the names known for {graph.name} ({known}){by_structure}",
            file.path,
        )
    )


def plans_for(
    entries: Mapping[str, Entry], graph: Graph, publisher: str | None, part: int | None
) -> list[Plan]:
    """A plan for each family whose rules cover the graph, and each network in the file."""
    plans: list[Plan] = []
    for family in FAMILIES:
        if publisher is not None and publisher not in family.publishers:
            continue
        found = sources(family, graph)
        if found is None:
            continue
        parts = family.parts(list(entries)) if family.parts else []
        if part is not None and parts:
            if part not in parts:
                raise UsageError(
                    f"--part {part}: the file holds {_network_list(parts)};"
                    f" use --part {' or --part '.join(map(str, parts))}"
                )
            parts = [part]
        for one in parts or [None]:
            plans.append(_plan(family, one, found, entries, graph))
    if part is not None and not any(plan.part for plan in plans):
        raise UsageError(f"--part {part}: the file holds one network; without --part it is read")
    if publisher is None:
        own = {name: Source((name,)) for name in shapes_of(graph)}
        plans.append(_plan(OWN, None, own, entries, graph))
    return plans


def _plan(
    family: Family,
    part: int | None,
    found: Mapping[str, Source],
    entries: Mapping[str, Entry],
    graph: Graph,
) -> Plan:
    wanted: dict[str, Shape] = {}
    ours: dict[str, str] = {}
    for weight, shape in shapes_of(graph).items():
        for name in found[weight].names:
            wanted[name] = found[weight].piece_shape(shape)
            ours[name] = weight
    file_names, ignored = _file_names(family, entries, part or 1)
    file_names = _without_prefix(file_names, wanted)
    for renamed, name in list(file_names.items()):
        module = renamed.rpartition(".")[0]
        if module in family.heads and renamed not in wanted:
            ignored[name] = f"{module}, which {graph.name} has not"
            del file_names[renamed]
    present = {renamed: entries[name] for renamed, name in file_names.items()}
    wrong = [
        _rename(difference, family, ours, file_names) for difference in differences(wanted, present)
    ]
    return Plan(family, part, found, file_names, ignored, wrong)


def _without_prefix(file_names: dict[str, str], wanted: Collection[str]) -> dict[str, str]:
    """The names without what a training put before all of them, such as "model.": what makes most
    of them names that are wanted."""
    votes: Counter[str] = Counter()
    for renamed in file_names:
        places = [0, *(match.end() for match in re.finditer(r"\.", renamed))]
        votes.update(renamed[:place] for place in places if renamed[place:] in wanted)
    prefix = max(votes, key=lambda one: (votes[one], -len(one)), default="")
    if not prefix:
        return file_names
    return {renamed.removeprefix(prefix): name for renamed, name in file_names.items()}


def _file_names(
    family: Family, entries: Mapping[str, Entry], part: int
) -> tuple[dict[str, str], dict[str, str]]:
    """The file's names by the rules' names, and what each of those left out is."""
    names = family.names(list(entries), part)
    ignored = dict(names.ignored)
    file_names: dict[str, str] = {}
    for name, renamed in names.renamed.items():
        if entries[name].shape == ():
            # what else a training loop notes, such as its epoch: a single number is not a weight
            ignored[name] = "single numbers"
            continue
        # of two names that mean one, the second keeps its own and so is unexpected
        file_names.setdefault(name if renamed in file_names else renamed, name)
    return file_names, ignored


def _rename(
    difference: Difference, family: Family, ours: Mapping[str, str], file_names: Mapping[str, str]
) -> Difference:
    """A difference by names that people know: the file's, or ours of what is missing."""
    name, said = difference.name, difference.said
    if family is OWN:
        return difference
    if difference.kind == "missing":
        if family.canonical is not None:
            # where names take more than rules, the rules' names are in no file
            return replace(difference, name=ours[name], sought="")
        return replace(difference, name=ours[name], said=f"{said} (in the file {name})")
    place = f" ({ours[name]})" if name in ours else ""
    return replace(difference, name=file_names[name], said=f"{said}{place}")


def _structural_plan(
    entries: Mapping[str, Entry], graph: Graph, publisher: str | None
) -> Plan | str:
    """A plan by structure, or why there is none as the end of a sentence."""
    if publisher not in (None, *STRUCTURE.publishers):
        return ""
    file_names, ignored = _file_names(STRUCTURE, entries, 1)
    found = match_structure(graph, {renamed: entries[name] for renamed, name in file_names.items()})
    if found.sources is None:
        return f", and cannot be placed by structure: {found.why}"
    return Plan(STRUCTURE, None, found.sources, file_names, ignored, (), found.method)


def match_file(entries: Mapping[str, Entry], graph: Graph) -> tuple[Match, dict[str, Entry]]:
    """How the tensors of a file that could be weights are placed by structure, and those."""
    file_names, _ = _file_names(STRUCTURE, entries, 1)
    found = {renamed: entries[name] for renamed, name in file_names.items()}
    return match_structure(graph, found), found


def _mapped_plan(file: TensorFile, graph: Graph, names: Family) -> Plan:
    """The plan by the rules of a map. Raises SpecError for each node and tensor that it misses."""
    file_names, ignored = _file_names(names, file.entries, 1)
    entries = {renamed: file.entries[name] for renamed, name in file_names.items()}
    modules = modules_of(names, graph)
    found = mapped_sources(modules, graph, entries, file.path)
    used = {name for source in found.values() for name in source.names}
    strange = [
        Difference("unexpected", file_names[name], "") for name in entries if name not in used
    ]
    if strange:
        raise misfit(f"the tensors do not fit {graph.name} by {names.name}", file.path, strange)
    return Plan(names, None, found, file_names, ignored, ())


def _rename_sources(plan: Plan, twin: Graph, graph: Graph) -> Plan:
    """The plan of a network for another that has the same nodes by other names."""
    ours = dict(zip(shapes_of(twin), shapes_of(graph), strict=True))
    found = {ours[name]: source for name, source in plan.sources.items()}
    method = f"{told_method(plan)}, as {twin.name}, of which {graph.name} is a copy"
    return replace(plan, sources=found, method=method)


def told_method(plan: Plan) -> str:
    """By which names, or how else, a plan was found."""
    if plan.method:
        return plan.method
    network = f", network {plan.part} of the file" if plan.part is not None else ""
    return f"by name: {plan.family.name}{network}"


def _alike(fitting: Sequence[Plan], graph: Graph) -> str:
    parts = [plan.part for plan in fitting if plan.part is not None]
    if len(parts) == len(fitting):
        options = " or ".join(f"--part {part}" for part in parts)
        return f"the file holds {len(parts)} networks that fit {graph.name}; use {options}"
    names = listed([plan.family.name for plan in fitting], "and")
    return f"the names of {names} fit alike; --from would pick one"


def _where(plan: Plan, entries: Mapping[str, Entry]) -> str:
    parts = plan.family.parts(list(entries)) if plan.family.parts else []
    if len(parts) > 1:
        return (
            f"the file holds {_network_list(parts)}; the tensors of network {plan.part}, by the"
            f" names of {plan.family.name},"
        )
    return (
        f"the tensors, by the names of {plan.family.name},"
        if plan.family is not OWN
        else ("the tensors, by archspec's own names,")
    )


def _network_list(parts: Sequence[int]) -> str:
    words = " and ".join(f"{part} (backbone{part}, head{part})" for part in parts)
    return f"network{'s' if len(parts) > 1 else ''} {words}"
