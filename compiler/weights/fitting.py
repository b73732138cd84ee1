"""Which specs a file's tensors fit, with which args: for whoever holds a file and no idea."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from archspec.compiler.weights.arrays import Entry, TensorFile
from archspec.compiler.weights.plans import OWN, plans_for
from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.identity import FINGERPRINT, is_of
from archspec.loading import build
from archspec.program import Program, read_program
from archspec.sources import shipped_names

MAX_CLASSES = 4
"""Different numbers of classes that a file's dense layers suggest."""
LIKELY = 0.8
"""The share of names from which on other args of a spec are tried."""


@dataclass(frozen=True)
class Fit:
    """A spec whose weights a file holds: args that differ from the spec's, by whose names, which
    network of the file, and whether the fingerprint agrees (None: the file has none)."""

    spec: str
    settings: Mapping[str, Any]
    family: str
    part: int | None
    is_same_network: bool | None

    @property
    def options(self) -> str:
        """What a command line would say."""
        words = [f"--set {name}={json.dumps(value)}" for name, value in self.settings.items()]
        if self.part is not None and self.part > 1:
            words.append(f"--part {self.part}")
        return " ".join(words)

    def __str__(self) -> str:
        return f"{self.spec} {self.options}".rstrip()


def fits(file: TensorFile, specs: Iterable[str] | None = None) -> list[Fit]:
    """Every fit among the specs (None: all shipped), the surest first."""
    names = shipped_names() if specs is None else specs
    found = [fit for name in names for fit in _fits_of(name, file)]
    if any(fit.is_same_network for fit in found):
        return [fit for fit in found if fit.is_same_network]
    return found


def advice(file: TensorFile, spec: str) -> list[str]:
    """What a complaint that a file does not fit a spec ends with: what would."""
    try:
        same = fits(file, [spec])
    except SpecError:
        same = []
    if same:
        options = [fit.options or f"{fit.spec} as it stands" for fit in same]
        return [f"{' or '.join(options)} would fit"]
    return [f"the file fits {' or '.join(map(str, others))}"] if (others := fits(file)) else []


def _network(name: str, settings: tuple[tuple[str, Any], ...]) -> Graph | None:
    """A network with some args; None where it cannot have them."""
    if name in shipped_names():
        return _shipped(name, settings)
    return _build(name, settings)


def _build(name: str, settings: tuple[tuple[str, Any], ...]) -> Graph | None:
    try:
        return build(read_program(name), dict(settings))
    except SpecError:
        return None


_shipped = lru_cache(maxsize=256)(_build)
"""What is shipped does not change while a process runs, and to expand all of it takes seconds."""


def _fits_of(name: str, file: TensorFile) -> Iterator[Fit]:
    program = read_program(name)
    if program.has_choice:
        return
    for settings in likely_settings(program, file.entries):
        graph = _network(name, tuple(settings.items()))
        if graph is None:
            continue
        plans = plans_for(file.entries, graph, None, None)
        fitting = [plan for plan in plans if not plan.wrong]
        for plan in fitting:
            same = None
            if plan.family is OWN and FINGERPRINT in file.metadata:
                same = is_of(graph, file.metadata)
            yield Fit(name, settings, plan.family.name, plan.part, same)
        nearest = max((plan.hits / max(plan.wanted, 1) for plan in plans), default=0)
        if fitting or nearest < LIKELY:
            return


def likely_settings(program: Program, entries: Mapping[str, Entry]) -> Iterator[dict[str, Any]]:
    """Args to try: the spec's own, then those that change its last layers."""
    yield {}
    choices: dict[str, list[Any]] = {}
    if "classes" in program.parameters:
        choices["classes"] = [None, *_class_counts(entries)]
    if "last_norm" in program.parameters:
        choices["last_norm"] = [None, True, False]
    for values in itertools.product(*choices.values()):
        settings = {
            key: value for key, value in zip(choices, values, strict=True) if value is not None
        }
        if settings:
            yield settings


def _class_counts(entries: Mapping[str, Entry]) -> list[int]:
    """The features of the dense layers of a file, which are its matrices; the last ones first."""
    rows = [entry.shape[0] for entry in entries.values() if len(entry.shape) == 2]
    return list(dict.fromkeys(reversed(rows)))[:MAX_CLASSES]
