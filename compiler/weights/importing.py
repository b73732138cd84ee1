"""Published checkpoints: their tensors by their publisher's names, checked, as a network's weights.

Every weight has one source by a rule of a name map, or all are placed by structure in the only way
there is; every tensor of the file is used or left out by name. Otherwise nothing is imported.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archspec.compiler.weights.arrays import Array, Entry, TensorFile, as_float32
from archspec.compiler.weights.check import Difference, differences, misfit
from archspec.compiler.weights.families import (
    OPTIMIZER,
    TORCH_COUNTERS,
    Family,
    Note,
    Source,
    sources,
)
from archspec.compiler.weights.files import open_tensors
from archspec.compiler.weights.loading import check_network, shapes_of
from archspec.compiler.weights.maps import FAMILIES, PUBLISHERS
from archspec.compiler.weights.siblings import check_origin, list_unproven
from archspec.compiler.weights.structure import match_structure
from archspec.errors import Problem, SpecError, UsageError, listed
from archspec.graph import Graph
from archspec.reading import sha256_of
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
    rewrites=((r"^(?:module|_orig_mod)\.", ""),),
    ignored=TORCH_COUNTERS,
    notes=(
        Note(
            "a file shows neither activations, padding and strides nor epsilon: compare the logits"
            " of both networks once"
        ),
    ),
)
"""Not a family of names: the last resort, for PyTorch's files alone."""


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

    @property
    def hits(self) -> int:
        """How many of the sources' names the file has."""
        return sum(
            name in self.file_names for source in self.sources.values() for name in source.names
        )

    @property
    def wanted(self) -> int:
        return sum(len(source.names) for source in self.sources.values())


@dataclass(frozen=True)
class RuleCount:
    """A line of the report: a rule, and how many tensors and numbers came by it."""

    ours: str
    theirs: str
    tensors: int
    numbers: int


@dataclass(frozen=True)
class Imported:
    """A network's weights and the report of how they came from a file.

    `method` says by which names, or that it was by structure; `rules` counts tensors of the file by
    rule, `ignored` those left out by kind, `dtypes` those used by their type in the file.
    """

    weights: dict[str, Array]
    method: str
    rules: Sequence[RuleCount]
    ignored: Mapping[str, int]
    dtypes: Mapping[str, int]
    notes: Sequence[str]
    source: str
    source_bytes: int
    source_sha256: str


def import_weights(
    path: str | os.PathLike[str],
    graph: Graph,
    publisher: str | None = None,
    part: int | None = None,
    *,
    of_any_network: bool = False,
    advice: Callable[[TensorFile], Sequence[str]] = lambda file: (),
    taken: Collection[str] | None = None,
) -> Imported:
    """A network's weights from a published checkpoint.

    `publisher` is a key of PUBLISHERS; None tries the names of all, and archspec's own. `part`
    picks a network of a file that holds several, counted from 1. `taken` are the weights of the
    graph that are wanted, where it is not all; those left out have to fit as well. Raises SpecError
    with every tensor that does not fit and what `advice` has to say, and where the file says it is
    of a network that has these tensors and computes something else, which `of_any_network` lets
    pass; UsageError for an unknown publisher or part.
    """
    if publisher is not None and publisher not in PUBLISHERS:
        raise UsageError(f"{publisher!r} is not a publisher; use {listed(list(PUBLISHERS))}")
    with open_tensors(path) as file:
        try:
            plan = plan_import(file, graph, publisher, part)
        except SpecError as error:
            hints = [Problem(f"  {hint}") for hint in advice(file)]
            raise SpecError([*error.problems, *hints]) from None
        notes = [note.text for note in plan.family.notes if note.holds(graph)]
        if plan.family is OWN and not of_any_network:
            check_network(file, graph, "; --any-network would take them all the same")
        elif plan.family is not OWN and not of_any_network:
            known = check_origin(file, graph, "; --any-network takes them all the same")
            notes += list_unproven(plan.family.name, graph) if known is None else []
        plan = plan if taken is None else _leave_out(plan, taken)
        weights = {
            name: _assemble(file, plan, name, shape)
            for name, shape in shapes_of(graph).items()
            if name in plan.sources
        }
        return Imported(
            weights=weights,
            method=_method(plan),
            rules=_rule_counts(plan, file.entries),
            ignored=Counter(plan.ignored.values()),
            dtypes=Counter(file.entries[name].dtype for name in _used_names(plan)),
            notes=notes,
            source=Path(file.path).name,
            source_bytes=Path(path).stat().st_size,
            source_sha256=sha256_of(path),
        )


def plan_import(
    file: TensorFile,
    graph: Graph,
    publisher: str | None = None,
    part: int | None = None,
) -> Plan:
    """The way from a file's tensors to a graph's weights. Raises SpecError where none fits, with
    what keeps the nearest from it, and UsageError for a part that is not there."""
    entries = file.entries
    plans = plans_for(entries, graph, publisher, part)
    fitting = [plan for plan in plans if not plan.wrong]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SpecError(Problem(_alike(fitting, graph), file.path))
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
    file_names, ignored = _file_names(family, entries, part or 1)
    wanted: dict[str, Shape] = {}
    ours: dict[str, str] = {}
    for weight, shape in shapes_of(graph).items():
        for name in found[weight].names:
            wanted[name] = found[weight].piece_shape(shape)
            ours[name] = weight
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
    return Plan(STRUCTURE, None, found.sources, file_names, ignored, ())


def _leave_out(plan: Plan, taken: Collection[str]) -> Plan:
    """The plan for some of the weights alone; the file's names for the others are left out."""
    kept = {name: source for name, source in plan.sources.items() if name in taken}
    used = {piece for source in kept.values() for piece in source.names}
    others = {
        plan.file_names[piece]: f"behind the cut ({name.partition('.')[0]})"
        for name, source in plan.sources.items()
        for piece in source.names
        if piece not in used
    }
    return replace(plan, sources=kept, ignored={**plan.ignored, **others})


def _assemble(file: TensorFile, plan: Plan, name: str, shape: Shape) -> Array:
    source = plan.sources[name]
    pieces = [file.read(plan.file_names[piece]) for piece in source.names]
    return as_float32(source.assemble(pieces, shape), name, file.path)


def _used_names(plan: Plan) -> list[str]:
    """The file's names that are used; a tensor that two weights share is one."""
    names = (name for source in plan.sources.values() for name in source.names)
    return list(dict.fromkeys(plan.file_names[name] for name in names))


def _rule_counts(plan: Plan, entries: Mapping[str, Entry]) -> list[RuleCount]:
    counts: dict[tuple[str, str], list[int]] = {}
    for source in plan.sources.values():
        rule = source.rule
        key = (rule.ours, rule.theirs) if rule else ("every node", plan.family.name)
        count = counts.setdefault(key, [0, 0])
        sizes = [entries[plan.file_names[name]].size for name in source.names]
        count[0] += len(sizes)
        count[1] += int(sum(sizes) * source.fraction)
    return [RuleCount(*key, *count) for key, count in counts.items()]


def _method(plan: Plan) -> str:
    if plan.family is STRUCTURE:
        return "by structure: the only execution order with the file's kinds and shapes"
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
