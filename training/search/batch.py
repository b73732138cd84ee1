"""Searches for what is only counted, many networks at a time: thousands a second, on one core.

Each gives batches of (rows, costs), all new and within the constraints, until `trials` networks are
counted or there are no more. What is random comes from the seed alone, so the same call gives the
same batches. A search that was asked for more networks later gives those of before first: a batch
ends at each of `legs`, the numbers of networks it was to end with until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, product
from typing import Protocol, TypeAlias

import numpy as np

from archspec.training.search.counted import Counted, Fresh
from archspec.training.search.pareto import crowding, ranks

Batch: TypeAlias = "tuple[np.ndarray, np.ndarray]"
Children: TypeAlias = Callable[[int], np.ndarray]
"""Makes so many rows."""
Kept: TypeAlias = "np.ndarray | slice"
"""Which of some rows stay."""
Legs: TypeAlias = Sequence[int]
"""Ascending."""
BATCH = 200
MAX_DRAWS = 50
"""Batches drawn in a row without one new network, until there are taken to be no more."""
MAX_DRAWN = 20_000
"""At once."""
CROSSOVER = 0.9


def random_search(
    problem: Counted, trials: int, seed: int, fresh: Fresh, at_once: int = BATCH, legs: Legs = ()
) -> Iterator[Batch]:
    """Networks drawn value by value."""
    generator = np.random.default_rng(seed)
    done = 0
    while room := _room(trials, legs, done):
        rows, costs = _draw(problem, fresh, generator, min(at_once, room))
        if not len(rows):
            return
        done += len(rows)
        yield rows, costs


def enumeration(
    problem: Counted, trials: int, seed: int, fresh: Fresh, at_once: int = BATCH, legs: Legs = ()
) -> Iterator[Batch]:
    """All networks, in the order of the columns' values."""
    rows = product(*(range(size) for size in problem.encoding.sizes.tolist()))
    done = 0
    while done < trials and (some := list(islice(rows, at_once))):
        batch = fresh.take(problem.encoding.canonical(np.array(some, np.int64)), trials - done)
        if len(batch[0]):
            done += len(batch[0])
            yield batch


def nsga2(
    problem: Counted, trials: int, seed: int, fresh: Fresh, population: int, legs: Legs = ()
) -> Iterator[Batch]:
    """NSGA-II (Deb et al. 2002): the best by rank and crowding are the parents of as many."""
    generator = np.random.default_rng(seed)

    def parents(rows: np.ndarray, costs: np.ndarray) -> tuple[Kept, Children]:
        values = problem.minimise(costs)
        rank = ranks(values)
        distance = crowding(values, rank)
        kept = np.lexsort((-distance, rank))[:population]
        chosen = rows[kept], rank[kept], distance[kept]
        return kept, partial(_cross, problem, generator, *chosen)

    return _generations(problem, trials, legs, fresh, generator, population, population, parents)


def evolution(
    problem: Counted, trials: int, seed: int, fresh: Fresh, population: int, legs: Legs = ()
) -> Iterator[Batch]:
    """Regularised evolution (Real et al. 2019, arXiv 1802.01548): the best of a sample of the
    youngest is mutated, and the oldest go. A batch of children has one population."""
    tournament = tournament_of(population)
    generator = np.random.default_rng(seed)

    def parents(rows: np.ndarray, costs: np.ndarray) -> tuple[Kept, Children]:
        kept = slice(-population, None)
        rank = ranks(problem.minimise(costs[kept]))
        return kept, partial(_youngest, problem, generator, rows[kept], rank, tournament)

    return _generations(problem, trials, legs, fresh, generator, population, tournament, parents)


def tournament_of(population: int) -> int:
    """How many of the population are sampled for the best of them to be a parent: a quarter, as in
    the paper."""
    return max(2, population // 4)


def _generations(
    problem: Counted,
    trials: int,
    legs: Legs,
    fresh: Fresh,
    generator: np.random.Generator,
    first: int,
    following: int,
    parents: Callable[[np.ndarray, np.ndarray], tuple[Kept, Children]],
) -> Iterator[Batch]:
    """`first` networks at random, then `following` children at a time. `parents` says, of all rows
    and costs that are left, which stay, and what makes their children."""
    rows, costs = _draw(problem, fresh, generator, min(first, _room(trials, legs, 0)))
    done = len(rows)
    if done:
        yield rows, costs
    while done and (room := _room(trials, legs, done)):
        kept, children = parents(rows, costs)
        wanted = min(following, room)
        new_rows, new_costs = _make(problem, fresh, generator, wanted, children)
        if not len(new_rows):
            return
        done += len(new_rows)
        yield new_rows, new_costs
        rows = np.concatenate([rows[kept], new_rows])
        costs = np.concatenate([costs[kept], new_costs])


class Engine(Protocol):
    """Networks to count, `at_once` in a batch or in a population."""

    def __call__(
        self,
        problem: Counted,
        trials: int,
        seed: int,
        fresh: Fresh,
        at_once: int,
        /,
        legs: Legs = ...,
    ) -> Iterator[Batch]: ...


ENGINES: Mapping[str, Engine] = {
    "random": random_search,
    "enumerate": enumeration,
    "nsga2": nsga2,
    "evolution": evolution,
}


def _room(trials: int, legs: Legs, done: int) -> int:
    """Networks until the next leg ends; 0 after the last."""
    return next((leg - done for leg in (*legs, trials) if leg > done), 0)


def _cross(
    problem: Counted,
    generator: np.random.Generator,
    rows: np.ndarray,
    rank: np.ndarray,
    distance: np.ndarray,
    count: int,
) -> np.ndarray:
    """Children of pairs of parents, each parent the better of two by rank, then by crowding."""
    first, second = generator.integers(0, len(rows), (2, 2, count))
    is_first = (rank[first] < rank[second]) | (
        (rank[first] == rank[second]) & (distance[first] >= distance[second])
    )
    one, other = rows[np.where(is_first, first, second)]
    is_crossed = generator.random((count, 1)) < CROSSOVER
    is_other = is_crossed & (generator.random(one.shape) < 0.5)
    return _mutate(problem, np.where(is_other, other, one), generator)


def _youngest(
    problem: Counted,
    generator: np.random.Generator,
    rows: np.ndarray,
    rank: np.ndarray,
    tournament: int,
    count: int,
) -> np.ndarray:
    """Mutations of the best of samples."""
    sample = generator.integers(0, len(rows), (count, tournament))
    winners = sample[np.arange(count), rank[sample].argmin(axis=1)]
    return _mutate(problem, rows[winners], generator)


def _mutate(problem: Counted, rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The rows with one column each, on average, at another value; one column at least."""
    sizes = problem.encoding.sizes
    free = np.flatnonzero(sizes > 1)
    if not len(free):
        return rows
    is_changed = np.zeros(rows.shape, bool)
    is_changed[:, free] = generator.random((len(rows), len(free))) < 1 / len(free)
    still = np.flatnonzero(~is_changed.any(axis=1))
    is_changed[still, generator.choice(free, len(still))] = True
    steps = generator.integers(1, np.maximum(sizes, 2), rows.shape)
    return problem.encoding.canonical(np.where(is_changed, (rows + steps) % sizes, rows))


def _make(
    problem: Counted,
    fresh: Fresh,
    generator: np.random.Generator,
    wanted: int,
    children: Children,
) -> Batch:
    """New children, and where there are too few of them networks drawn at random."""
    found: list[Batch] = []
    for _ in range(MAX_DRAWS):
        missing = wanted - sum(len(rows) for rows, _ in found)
        if not missing:
            break
        found.append(fresh.take(children(missing), missing))
    missing = wanted - sum(len(rows) for rows, _ in found)
    if missing:
        found.append(_draw(problem, fresh, generator, missing))
    return _join(found)


def _draw(problem: Counted, fresh: Fresh, generator: np.random.Generator, wanted: int) -> Batch:
    """New networks at random, fewer where no more turn up."""
    found = [fresh.take(problem.encoding.draw(0, generator), 0)]
    in_vain = 0
    while wanted and in_vain < MAX_DRAWS:
        # as many as should be enough, from how many were good so far
        count = round(1.2 * wanted * (fresh.drawn + 1) / (fresh.kept + 1))
        drawn = problem.encoding.draw(min(max(count, BATCH), MAX_DRAWN), generator)
        rows, costs = fresh.take(drawn, wanted)
        in_vain = 0 if len(rows) else in_vain + 1
        wanted -= len(rows)
        found.append((rows, costs))
    return _join(found)


def _join(batches: list[Batch]) -> Batch:
    rows, costs = zip(*batches, strict=True)
    return np.concatenate(rows), np.concatenate(costs)
