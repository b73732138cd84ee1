"""How long each network of a space takes, as a sum of terms that a gradient can be taken of.

A term counts where one option each of some choices are taken: layer 7 with kernel 5 and expansion
3, say. So at whole gates the sum is right for every network, and between them it is linear in each
choice.

    runtime_of("macs", supernet)                multiply-accumulates
    runtime_of("latency:ascend310", supernet)   milliseconds an image, as the objective has them
    runtime_of("pixel1.json", supernet)         milliseconds, from a table

A table has the form of Single-Path-NAS's: an object of layers, "1" being the first that the space
searches, each with the milliseconds of "0": small kernel and narrow, "1": small and wide, "2":
large and narrow, "3": large and wide. A layer that is left out takes none. Other layers in it (its
"0" and "21" are fixed ones) are not read, and "base" is what all that is not searched takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from archspec.compiler.supernet import Choice, Supernet
from archspec.document import At, read_document
from archspec.errors import UsageError, listed
from archspec.space_cost import cost_tree
from archspec.space_tree import NotDecomposable, Sum
from archspec.training.search.objectives import LATENCY, device_of, latency_of

MACS = "macs"
PIXEL1_BASE = 19.5999
"""Milliseconds of stem, first and last layer, head and classifier on a Pixel 1, from the paper's
code; its table has no "base"."""


class Term(NamedTuple):
    """A cost that counts where each of these options is taken, `taken` being (key, option)."""

    cost: float
    taken: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Runtime:
    """`base` and the `terms` that an assignment meets, in `unit`. `notes` are sentences on where
    the numbers are from."""

    unit: str
    base: float
    terms: tuple[Term, ...]
    notes: tuple[str, ...] = ()

    def shown(self, value: float) -> str:
        """A runtime for people, with its unit."""
        return f"{value:,.0f} MACs" if self.unit == "MACs" else f"{value:,.6g} {self.unit}"

    def of(self, assignment: Mapping[str, Any]) -> float:
        """Of the network of an assignment."""
        return self.base + sum(
            term.cost
            for term in self.terms
            if all(assignment[key] == option for key, option in term.taken)
        )


def runtime_of(kind: str, supernet: Supernet) -> Runtime:
    """The runtime by "macs", "latency:DEVICE[:BATCH]" or a table's path. Raises UsageError or
    SpecError where there is no such device or table, or a space whose layers do not take time
    apart."""
    if kind == MACS:
        return _by_parts(supernet, "MACs", MACS, {})
    if kind.startswith(LATENCY):
        return _by_latency(kind, supernet)
    if not Path(kind).is_file():
        raise UsageError(
            f"there is no runtime {kind!r}; use {MACS}, {LATENCY}DEVICE or the path of a table"
        )
    return _by_table(kind, supernet)


def _by_latency(kind: str, supernet: Supernet) -> Runtime:
    from archspec.compiler.latency import cautions
    from archspec.compiler.pipeline import for_deployment

    device, batch = device_of(kind)
    largest = for_deployment(supernet.graph).graph
    notes = tuple(one.text for one in cautions(largest, device, batch))
    return _by_parts(supernet, "ms", "ms", {"ms": latency_of(kind)}, notes)


def _by_parts(
    supernet: Supernet, unit: str, metric: str, functions: Any, notes: tuple[str, ...] = ()
) -> Runtime:
    try:
        tree = cost_tree(supernet.space, functions)
    except NotDecomposable as error:
        raise UsageError(
            f"the {unit} of {supernet.graph.name} cannot be computed layer by layer: {error}; use"
            " a table"
        ) from None
    place = tree.metrics.index(metric)
    terms: list[Term] = []
    _collect(tree.root, place, (), terms)
    return Runtime(unit, terms[0].cost, tuple(term for term in terms[1:] if term.cost), notes)


def _collect(part: Sum, place: int, taken: tuple[tuple[str, Any], ...], terms: list[Term]) -> None:
    terms.append(Term(float(part.costs[place]), taken))
    for split in part.splits:
        for option, inner in zip(split.options, split.sums, strict=True):
            _collect(inner, place, (*taken, (split.key, option)), terms)


# Tables.


def _by_table(path: str, supernet: Supernet) -> Runtime:
    at = At(read_document(path))
    data = at.document.data
    if not isinstance(data, dict):
        raise at.error("a table of runtimes is an object of layers")
    layers = searched_layers(supernet)
    terms: list[Term] = []
    worst = 0.0
    for number, (kernel, width) in enumerate(layers, 1):
        entries = _entries(data, str(number), at)
        worst = max(worst, abs(factorise(entries, False, False) / entries[0] - 1))
        small, large = kernel.options
        narrow, wide = width.options[-2:]
        for cost, size, span in zip(
            entries, (small, small, large, large), (narrow, wide) * 2, strict=True
        ):
            terms.append(Term(cost, ((kernel.key, size), (width.key, span))))
    notes = [
        f"{path}: the layers' own times are used; the product that the paper's code makes of them"
        f" would be up to {worst:.1%} off"
    ]
    base = data.get("base")
    if base is None:
        base = PIXEL1_BASE
        notes.append(
            f"{path} has no base, so the rest of the network is taken to need {base} ms, which is"
            " that of Single-Path-NAS on a Pixel 1"
        )
    elif not _is_time(base):
        raise (at / "base").error("base is the milliseconds of all that is not searched, over 0")
    return Runtime("ms", float(base), tuple(terms), tuple(notes))


def factorise(entries: tuple[float, ...], has_large_kernel: bool, is_wide: bool) -> float:
    """A layer's time as the paper's code has it: for the small kernel, that of the large one times
    the ratio of the two when wide. So it is right for all entries but the first."""
    _, small_wide, large_narrow, large_wide = entries
    large = large_wide if is_wide else large_narrow
    return large if has_large_kernel else large * small_wide / large_wide


def searched_layers(supernet: Supernet) -> list[tuple[Choice, Choice]]:
    """The layers that a table can speak of, in the order of the network: a choice between two
    kernels, and one between two widths, or two and none. Raises UsageError for other spaces."""
    found = [
        (kernel.choice, supernet.rows[path].choice)
        for path, kernel in supernet.kernels.items()
        if path in supernet.rows
    ]
    keys = [choice.key for pair in found for choice in pair]
    odd = [choice.key for choice in supernet.choices if keys.count(choice.key) != 1]
    odd += [
        pair[1].key
        for pair in found
        if len(pair[0].options) != 2 or len(pair[1].options) - bool(pair[1].left_out) != 2
    ]
    if odd:
        raise UsageError(
            f"a table has four times for each layer, so it cannot describe {listed(odd[:1])}; use a"
            " space of layers with two kernels and two widths each, or another runtime"
        )
    return found


def _entries(data: Mapping[str, Any], layer: str, at: At) -> tuple[float, ...]:
    row = data.get(layer)
    if not isinstance(row, dict) or not all(_is_time(row.get(str(k))) for k in range(4)):
        raise (at / layer if layer in data else at).error(
            f'layer "{layer}" lacks its times; use {{"0": ms, "1": ms, "2": ms, "3": ms}},'
            " each over 0"
        )
    return tuple(float(row[str(k)]) for k in range(4))


def _is_time(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0
