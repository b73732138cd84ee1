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
from archspec.compiler.weights.families import Family
from archspec.compiler.weights.files import open_tensors
from archspec.compiler.weights.loading import check_network, shapes_of
from archspec.compiler.weights.maps import PUBLISHERS
from archspec.compiler.weights.plans import OWN, Plan, plan_import, told_method
from archspec.compiler.weights.siblings import TORCH_PUBLISHERS, check_origin, list_unproven
from archspec.errors import Problem, SpecError, UsageError, listed
from archspec.graph import Graph
from archspec.reading import sha256_of
from archspec.shapes import Shape


@dataclass(frozen=True)
class ImportOptions:
    """What of a file counts. `publisher` is a key of PUBLISHERS; None tries the names of all, and
    archspec's own. `part` picks a network of a file that holds several, counted from 1, and `key` a
    part of the file; `names` are the only names that do (renaming). `of_any_network` takes what the
    file says is of a network that has these tensors and computes something else."""

    publisher: str | None = None
    part: int | None = None
    key: str | None = None
    names: Family | None = None
    of_any_network: bool = False


USUAL = ImportOptions()


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
    options: ImportOptions = USUAL,
    *,
    advice: Callable[[TensorFile], Sequence[str]] = lambda file: (),
    taken: Collection[str] | None = None,
) -> Imported:
    """A network's weights from a published checkpoint.

    `taken` are the weights of the graph that are wanted, where it is not all; those left out have
    to fit as well. Raises SpecError with every tensor that does not fit and what `advice` has to
    say, and where the file says it is of a network that has these tensors and computes something
    else; UsageError for an unknown publisher or part.
    """
    publisher, names = options.publisher, options.names
    if publisher is not None and publisher not in PUBLISHERS:
        raise UsageError(f"{publisher!r} is not a publisher; use {listed(list(PUBLISHERS))}")
    with open_tensors(path, options.key) as file:
        try:
            plan = plan_import(file, graph, publisher, options.part, names)
        except SpecError as error:
            hints = [Problem(f"  {hint}") for hint in (advice(file) if names is None else ())]
            raise SpecError([*error.problems, *hints]) from None
        notes = [note.text for note in plan.family.notes if note.holds(graph)]
        if plan.family is OWN and not options.of_any_network:
            check_network(file, graph, "; --any-network would take them all the same")
        elif not options.of_any_network and not TORCH_PUBLISHERS.isdisjoint(plan.family.publishers):
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
            method=told_method(plan),
            rules=_rule_counts(plan, file.entries),
            ignored=Counter(plan.ignored.values())
            + Counter({f"of {key!r}": count for key, count in file.left_out.items()}),
            dtypes=Counter(file.entries[name].dtype for name in _used_names(plan)),
            notes=notes,
            source=Path(file.path).name,
            source_bytes=Path(path).stat().st_size,
            source_sha256=sha256_of(path),
        )


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
