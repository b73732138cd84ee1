"""Work done ahead of its use in other threads, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD_OF_A_WORKER = 4


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, none of which may be None, each made in another thread while the one before
    it is in use. Raises what making them raises."""
    remaining = iter(items)
    pool = ThreadPoolExecutor(1, "batches")
    try:
        waiting = pool.submit(next, remaining, None)
        while (item := waiting.result()) is not None:
            waiting = pool.submit(next, remaining, None)
            yield item
    finally:
        pool.shutdown(cancel_futures=True)


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """work(item) of each item in order, a few a worker ahead of what is taken: neither the items
    nor the results of a million images are held at once. Raises what `work` raises."""
    waiting: deque[Future[Result]] = deque()
    remaining = iter(items)
    pool = ThreadPoolExecutor(workers, "images")
    try:
        for item in islice(remaining, workers * AHEAD_OF_A_WORKER):
            waiting.append(pool.submit(work, item))
        while waiting:
            result = waiting.popleft().result()
            for item in islice(remaining, 1):
                waiting.append(pool.submit(work, item))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
