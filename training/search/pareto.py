"""Pareto fronts of rows of numbers, each to be made small, and how much a front covers."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np


def find_nondominated(values: np.ndarray) -> np.ndarray:
    """Which rows no other row is as good as in all columns and better in one, as their numbers in
    ascending order; of equal rows the first."""
    if values.shape[1] == 1:
        return np.array([int(values[:, 0].argmin())]) if len(values) else np.zeros(0, int)
    if values.shape[1] == 2:
        return np.sort(_staircase(values))
    _, first = np.unique(values, axis=0, return_index=True)
    if values.shape[1] == 3:
        return np.sort(first[_sweep(values[first])])
    rest = first[np.argsort(values[first].sum(axis=1), kind="stable")]
    found: list[int] = []
    while len(rest):
        # the least sum of all that are left is dominated by none of them
        best, rest = int(rest[0]), rest[1:]
        found.append(best)
        rest = rest[(values[rest] < values[best]).any(axis=1)]
    return np.sort(np.array(found, int))


def _staircase(values: np.ndarray) -> np.ndarray:
    """The same for two columns, in the order of the first."""
    order = np.lexsort((np.arange(len(values)), values[:, 1], values[:, 0]))
    second = values[order, 1]
    best_before = np.minimum.accumulate(np.concatenate([[np.inf], second[:-1]]))
    return order[second < best_before]


def _sweep(values: np.ndarray) -> np.ndarray:
    """The same for different rows of three columns that stand in order, by a sweep along the first:
    the second and third of those kept so far make a staircase, and a row is kept that stands below
    it."""
    seconds: list[float] = []
    thirds: list[float] = []
    kept: list[int] = []
    for place, (_, second, third) in enumerate(values.tolist()):
        before = bisect_right(seconds, second)
        if before and thirds[before - 1] <= third:
            continue
        after = start = before - 1 if before and seconds[before - 1] == second else before
        while after < len(thirds) and thirds[after] >= third:
            after += 1
        seconds[start:after] = [second]
        thirds[start:after] = [third]
        kept.append(place)
    return np.array(kept, int)


def ranks(values: np.ndarray) -> np.ndarray:
    """0 for rows that none dominates, 1 for those that only rows of 0 dominate, and so on."""
    no_worse = (values[:, None, :] <= values[None, :, :]).all(axis=2)
    better = (values[:, None, :] < values[None, :, :]).any(axis=2)
    dominates = no_worse & better
    waiting = dominates.sum(axis=0)
    result = np.full(len(values), -1)
    rank = 0
    while (front := (waiting == 0) & (result < 0)).any():
        result[front] = rank
        waiting = waiting - dominates[front].sum(axis=0)
        rank += 1
    return result


def crowding(values: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """How far each row's neighbours in its own rank are apart, the ends of a rank infinitely (Deb
    et al. 2002, NSGA-II)."""
    distance = np.zeros(len(values))
    for one in np.unique(rank):
        members = np.flatnonzero(rank == one)
        for column in values[members].T:
            order = np.argsort(column, kind="stable")
            column, there = column[order], members[order]
            extent = column[-1] - column[0]
            distance[there[[0, -1]]] = np.inf
            if extent > 0:
                distance[there[1:-1]] += (column[2:] - column[:-2]) / extent
    return distance


def hypervolume(values: np.ndarray, reference: np.ndarray) -> float:
    """The volume of what is dominated by the rows and dominates the reference."""
    inside = values[(values < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference[0] - inside.min())
    if inside.shape[1] == 2:
        front = inside[_staircase(inside)]
        ends = np.concatenate([front[1:, 0], reference[:1]])
        return float(((ends - front[:, 0]) * (reference[1] - front[:, 1])).sum())
    # slices along the last column, each as thick as it is far to the next row
    front = inside[find_nondominated(inside)]
    front = front[np.argsort(front[:, -1], kind="stable")]
    ends = np.concatenate([front[1:, -1], reference[-1:]])
    return float(
        sum(
            (end - row[-1]) * hypervolume(front[: place + 1, :-1], reference[:-1])
            for place, (row, end) in enumerate(zip(front, ends, strict=True))
            if end > row[-1]
        )
    )


def share_covered(values: np.ndarray, best: np.ndarray, worst: np.ndarray) -> float:
    """The hypervolume of rows as a share of the box from the best to the worst corner; a column in
    which the corners are one does not count."""
    columns = worst > best
    if not columns.any():
        return 1.0
    scaled = (values[:, columns] - best[columns]) / (worst[columns] - best[columns])
    return hypervolume(scaled, np.ones(int(columns.sum())))
