"""pymoo's NSGA-II on the same sums, for bench_search.py: run by a Python that has pymoo.

Reads {"base", "columns", "trials", "population"} as JSON, writes {"seconds", "values"}: `columns`
have what each value of each column adds to what is to be made small.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize


class Sums(Problem):
    def __init__(self, given: dict) -> None:
        self.base = np.array(given["base"])
        self.tables = [np.array(column) for column in given["columns"]]
        most = np.array([len(table) - 1 for table in self.tables])
        super().__init__(n_var=len(most), n_obj=len(self.base), xl=0 * most, xu=most, vtype=int)
        self.seen: list[np.ndarray] = []

    def _evaluate(self, x: np.ndarray, out: dict, *_: object, **__: object) -> None:
        found = np.tile(self.base, (len(x), 1))
        for column, table in enumerate(self.tables):
            found = found + table[x[:, column]]
        self.seen.append(found)
        out["F"] = found


def main() -> None:
    given = json.load(sys.stdin)
    problem = Sums(given)
    algorithm = NSGA2(
        pop_size=given["population"],
        sampling=IntegerRandomSampling(),
        crossover=SBX(vtype=float, repair=RoundingRepair()),
        mutation=PM(vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    began = time.process_time()
    minimize(problem, algorithm, ("n_eval", given["trials"]), seed=1, verbose=False)
    seconds = time.process_time() - began
    json.dump({"seconds": seconds, "values": np.concatenate(problem.seen).tolist()}, sys.stdout)


if __name__ == "__main__":
    main()
