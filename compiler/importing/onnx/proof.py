"""The file run by onnxruntime, and what was made of it by plain numpy: both must agree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from archspec.compiler.agreement import ANY_BATCH, TOLERANCE, share_of_largest
from archspec.compiler.importing.onnx.net import Net
from archspec.compiler.model import Model
from archspec.compiler.targets import reference
from archspec.errors import Problem, SpecError
from archspec.extras import need

FLAT = 1e-6
"""Results that vary by less, of their largest number, are the same for whatever went in."""


class Agreement(NamedTuple):
    """By how much results differ at most, of the largest, and whether that proves anything: weights
    of equal numbers, as in files made for tests, give one result whatever lies before it."""

    difference: float
    is_telling: bool

    def __str__(self) -> str:
        said = f"onnxruntime and numpy agree, to {self.difference:.0e} of the largest number"
        if self.is_telling:
            return said
        return f"{said}; but all numbers of the result are the same, so that proves little"


def hold(model: Model, net: Net, path: str) -> Agreement:
    """How far the file and what was made of it agree. Raises SpecError beyond the tolerance,
    LackingError without onnxruntime."""
    need("archspec import onnx", "onnxruntime")
    graph = model.graph
    count = ANY_BATCH if net.is_dynamic else net.batch
    images = np.random.default_rng(0).standard_normal((count, *graph.input_shape), np.float32)
    theirs = _run(path, net, images)
    worst = _difference(model, images, theirs)
    if not worst <= TOLERANCE:  # numbers that magnify rounding are asked once more in double
        worst = _difference(model, images.astype(np.float64), theirs)
    if not worst <= TOLERANCE:  # written so that a NaN on one side fails
        raise SpecError(Problem(
            f"onnxruntime and numpy differ by {worst:.3g} of the largest number of a result, and"
            f" {TOLERANCE:g} is allowed; nothing was written", path,
        ))  # fmt: skip
    return Agreement(worst, any(map(_varies, theirs)))


def _varies(result: np.ndarray) -> bool:
    """Whether a result says something of what went in."""
    if result.size == 1:
        return True
    numbers = result[np.isfinite(result)]
    return bool(numbers.size) and bool(np.ptp(numbers) > FLAT * np.abs(numbers).max())


def _difference(model: Model, images: np.ndarray, theirs: list[np.ndarray]) -> float:
    """The largest, of the largest number of a result."""
    assert model.weights is not None
    with np.errstate(all="ignore"):  # numbers too large are refused where they are compared
        ours = reference.run(model.graph, model.weights, images)
    worst = 0.0
    for mine, given in zip(ours.values(), theirs, strict=True):
        if mine.size != given.size or mine.shape[0] != given.shape[0]:
            return np.inf
        mine = mine.reshape(given.shape)
        undefined = np.isnan(mine) & np.isnan(given)  # roots of what is below 0, on both sides
        if undefined.any() and not undefined.all():
            mine, given = mine[~undefined], given[~undefined]
        share = share_of_largest(mine, given)
        worst = max(worst, share, key=lambda n: np.nan_to_num(n, nan=np.inf))
    return worst


def _run(path: str, net: Net, images: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return [np.asarray(array) for array in session.run(names, {net.input: images})]
    except Exception as error:  # onnxruntime's own, which share no better base
        reason = str(error).strip().partition("\n")[0][:200]
        raise SpecError(Problem(f"onnxruntime cannot run it ({reason})", path)) from None
