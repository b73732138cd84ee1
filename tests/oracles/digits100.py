"""spaces/digits100, each network of which was trained: how engines do on it, by lookup.

tests/data/digits100.csv was made by tests/benchmarks/make_digits100.py. A searcher sees the
accuracy of one training on val; it is judged by the mean of all on test.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np

from archspec.space import Space
from archspec.training.search.encoding import Encoding, encoding_of
from archspec.training.search.pareto import share_covered
from archspec.training.search.plan import population_for
from archspec.training.search.proposers import History, Proposer

SPACE = "spaces/digits100"
TABLE = Path(__file__).parents[1] / "data" / "digits100.csv"


@cache
def encoding() -> Encoding:
    return encoding_of(Space(SPACE))[0]


def lines() -> Iterator[tuple[dict[str, int], dict[str, str]]]:
    """Each training: the network's decisions, and the line of the table."""
    with open(TABLE, newline="") as file:
        for line in csv.DictReader(file):
            yield {key: int(line[key]) for key in line if key.startswith("layer")}, line


@cache
def table() -> dict[tuple[int, ...], tuple[int, np.ndarray, np.ndarray]]:
    """By row of the encoding: MACs, and accuracy on val and on test, each by seed."""
    macs: dict[tuple[int, ...], int] = {}
    scores: dict[tuple[int, ...], list[tuple[float, float]]] = {}
    for assignment, line in lines():
        row = tuple(encoding().row_of(assignment).tolist())
        macs[row] = int(line["macs"])
        scores.setdefault(row, []).append((float(line["val"]), float(line["test"])))
    return {row: (macs[row], *np.array(found).T) for row, found in scores.items()}


def share_of_the_front(rows: Sequence[tuple[int, ...]]) -> float:
    """Of the true front's hypervolume, MACs against accuracy, what these networks cover."""
    truth = {row: (-test.mean(), macs) for row, (macs, _, test) in table().items()}
    every = np.array([*truth.values()])
    low, high = every.min(axis=0), every.max(axis=0)
    tried = np.array([truth[row] for row in rows])
    return share_covered(tried, low, high) / share_covered(every, low, high)


def shares(engine: str, repeats: int, count: int) -> np.ndarray:
    """The share that `count` networks of an engine cover, by repeat."""
    return np.array([share_of_the_front(_try(engine, repeat, count)) for repeat in range(repeats)])


def _try(engine: str, repeat: int, count: int) -> list[tuple[int, ...]]:
    proposer = Proposer(engine, encoding(), 2, repeat, population_for(engine, count))
    rows: list[tuple[int, ...]] = []
    seen: list[tuple[float, float]] = []
    for number in range(count):
        history = History(np.array(rows).reshape(-1, 3), np.array(seen).reshape(-1, 2))
        row = proposer.propose(history, number, partial(_is_new, {*rows}))
        rows.append(tuple(row.tolist()))
        macs, val, _ = table()[rows[-1]]
        seen.append((-val[repeat % len(val)], macs))
    return rows


def _is_new(rows: set[tuple[int, ...]], row: np.ndarray) -> bool:
    return tuple(row.tolist()) not in rows
